package scorecard

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	all    = flag.Bool("all", false, "run the slow lines, too")
	update = flag.Bool("update", false, "write results.json again")
)

const resultsFile = "results.json"

// results is what results.json holds.
type results struct {
	Peers []column `json:"peers"`
	Lines []row    `json:"lines"`
}

type column struct {
	Name    string `json:"name"`
	Module  string `json:"module,omitempty"`
	Version string `json:"version,omitempty"`
}

type row struct {
	Name    string            `json:"name"`
	Story   string            `json:"story"`
	Holds   string            `json:"holds"`
	Results map[string]Result `json:"results"` // by the name of the peer
}

// Who holds what is as results.json says, from which docs/comparison.md is made.
// How often a peer fails or logs in may differ: some wait for random times.
func TestScorecard(t *testing.T) {
	_, err := privateKey() // outside of bubbles
	require.NoError(t, err)
	recorded := readResults(t)
	now := results{Peers: columns(t)}
	for _, l := range lines() {
		r := row{l.name, l.story, l.holds, nil}
		if l.slow && !*all {
			r.Results = recorded.line(l.name).Results
		} else {
			r.Results = play(t, l)
		}
		now.Lines = append(now.Lines, r)
	}
	if printTable(now); *update {
		writeResults(t, now)
		return
	}
	was, is := recorded.verdicts(), now.verdicts()
	for _, key := range slices.Sorted(maps.Keys(is)) {
		assert.Equal(t, was[key], is[key], key)
	}
	assert.Len(t, was, len(is))
	if t.Failed() {
		t.Log("if this is right, run: go -C bench test ./scorecard -all -update && go -C docs test -update")
	}
}

// play runs a line with every peer.
func play(t *testing.T, l line) map[string]Result {
	var mu sync.Mutex
	found := map[string]Result{}
	t.Run(l.name, func(t *testing.T) {
		for _, p := range Peers() {
			if !l.fits(p) {
				continue
			}
			t.Run(p.Name, func(t *testing.T) {
				if !l.alone {
					t.Parallel()
				}
				r := l.run(t, p)
				mu.Lock()
				defer mu.Unlock()
				found[p.Name] = r
			})
		}
	})
	return found
}

// columns returns the peers with the versions of their modules.
func columns(t *testing.T) (found []column) {
	for _, p := range Peers() {
		c := column{Name: p.Name, Module: p.Module}
		if p.Module != "" {
			version, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", p.Module).Output()
			require.NoError(t, err)
			c.Version = strings.TrimSpace(string(version))
		}
		found = append(found, c)
	}
	return found
}

func readResults(t *testing.T) (r results) {
	data, err := os.ReadFile(resultsFile)
	if *update && os.IsNotExist(err) {
		return results{}
	}
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &r))
	return r
}

func writeResults(t *testing.T, r results) {
	data, err := json.MarshalIndent(r, "", "\t")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(resultsFile, append(data, '\n'), 0o644))
}

func (r results) line(name string) row {
	i := slices.IndexFunc(r.Lines, func(l row) bool { return l.Name == name })
	if i < 0 {
		return row{}
	}
	return r.Lines[i]
}

// verdicts are the results without numbers.
func (r results) verdicts() map[string]string {
	found := map[string]string{}
	for _, p := range r.Peers {
		found[p.Name] = p.Module + " " + p.Version
	}
	for _, l := range r.Lines {
		found[l.Name] = l.Story + " " + l.Holds
		for name, result := range l.Results {
			found[l.Name+", "+name] = fmt.Sprint(result.Holds)
		}
	}
	return found
}

func printTable(r results) {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "line\tpeer\tholds\tfailed requests\tauth calls\t")
	for _, l := range r.Lines {
		for _, p := range r.Peers {
			if result, ran := l.Results[p.Name]; ran {
				fmt.Fprintf(out, "%s\t%s\t%v\t%d\t%d\t%s\n", l.Name, p.Name, result.Holds, result.Failed, result.Calls, result.Note)
			}
		}
	}
	out.Flush()
}
