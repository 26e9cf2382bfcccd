package docs

import (
	"encoding/json"
	"fmt"
	"strings"
)

// resultsFile is what the scorecard writes.
const resultsFile = "bench/scorecard/results.json"

// A scorecard is what the results hold.
type scorecard struct {
	Peers []struct{ Name, Module, Version string }
	Lines []struct {
		Name, Story, Holds string
		Results            map[string]result
	}
}

// A result is what a peer did in a line.
type result struct {
	Holds         bool
	Failed, Calls int
	Note          string
}

// comparison writes the page from the results of the scorecard.
func comparison(t tree) string {
	if t[resultsFile] == "" {
		return ""
	}
	var s scorecard
	if err := json.Unmarshal([]byte(t[resultsFile]), &s); err != nil {
		return resultsFile + ": " + err.Error()
	}
	text, ruler := comparisonPreface+"\n| |", "|---|"
	for _, p := range s.Peers {
		text, ruler = text+" "+p.Name+" |", ruler+"---|"
	}
	text += "\n" + ruler + "\n"
	for _, line := range s.Lines {
		text += "| " + line.Name + " |"
		for _, p := range s.Peers {
			r, ran := line.Results[p.Name]
			text += " " + cell(r, ran) + " |"
		}
		text += "\n"
	}
	text += "\n## Situations\n\n"
	for _, line := range s.Lines {
		text += wrapped(fmt.Sprintf("- **%s**: %s It holds if %s.", line.Name, line.Story, line.Holds))
	}
	text += "\n## Versions\n\n"
	for _, p := range s.Peers {
		if p.Module != "" {
			text += fmt.Sprintf("- %s: `%s` %s\n", p.Name, p.Module, p.Version)
		}
	}
	return text + comparisonEnd
}

func cell(r result, ran bool) string {
	said := map[bool]string{true: "**yes**", false: "no"}[r.Holds]
	switch {
	case !ran:
		return "–"
	case r.Note != "":
		return said + ", " + r.Note
	}
	return fmt.Sprintf("%s, %d / %d", said, r.Failed, r.Calls)
}

// wrapped breaks a list item into lines.
func wrapped(item string) (text string) {
	line := ""
	for _, word := range strings.Fields(item) {
		if len([]rune(line))+len(word) > 118 {
			text, line = text+line+"\n", " "
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return text + line + "\n"
}

const comparisonPreface = `# Comparison

This library beside other token caches, in the same situations. Each cell is the result of a test in
[bench/scorecard](../bench/scorecard). A test decides whether a library holds the line. Nobody decides it by reading code.

The numbers are failed requests / auth calls. In some lines requests must fail, for example with a rejected key. What this
library does not hold is among its [limits](../README.md#limits). A dash means that the line is not about code of that library:

- With ReuseTokenSource and azcore, the program brings the function that logs in.
- AWS signs requests, and sends no access token. A few lines of the scorecard send it.

Each library has its best documented configuration. Where it can, it renews 15 minutes before expiry, as this library does.
Azcore gets the time by RefreshOn. AWS keeps its token if a renewal fails, as its EC2 provider does. Auth calls of the other
libraries have 30 seconds. An adapter translates logins for libraries with their own protocol.

A token lives an hour, and a login takes 100 ms. A program makes a request every 10 seconds, one at a time. A request has 30
seconds. A line may say otherwise.

The official Go client for api.video is not here: its module is not available where these tests run.
`

const comparisonEnd = `
## Run it

Run "go -C bench test -count=1 -v ./scorecard". This takes a minute. The flag -all adds the lines that take longer.

The page is generated: -all with -update writes the results, and "go -C docs test -update" writes the page.
`

// The page is about the versions that the scorecard is built with.
func comparedVersions(t tree) (f faults) {
	if t[resultsFile] == "" {
		return nil
	}
	var s scorecard
	if err := json.Unmarshal([]byte(t[resultsFile]), &s); err != nil {
		return faults{resultsFile + ": " + err.Error()}
	}
	for _, p := range s.Peers {
		required := p.Module == "" || strings.Contains(t["bench/go.mod"], "\t"+p.Module+" "+p.Version+"\n")
		f.unless(required, "%s is not about the version of %s in bench/go.mod", resultsFile, p.Module)
	}
	return f
}
