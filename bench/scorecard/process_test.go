package scorecard

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
)

// These lines start processes.
var processLines = []line{
	{
		name:  "base panics",
		story: "The transport below panics in the first login, and in the first renewal. Handlers recover, as those of net/http do.",
		holds: "the process continues, and no two requests in a row fail",
		fits:  everyPeer,
		run: func(t *testing.T, p Peer) Result {
			r, _ := child(t, "panic", p).wait()
			return r
		},
	},
	{
		name:  "two processes",
		story: "Two processes with the same API key start at once. Each makes a request.",
		holds: "they make one auth call together",
		fits:  everyPeer,
		run:   twoProcesses,
	},
	{
		name:  "process is frozen",
		story: "A process is stopped for 40 seconds during its first login. The answer is lost. Then it continues.",
		holds: "the request is served",
		slow:  true,
		fits:  everyPeer,
		run:   frozen,
	},
}

func twoProcesses(t *testing.T, p Peer) Result {
	server := apivideotest.NewServer()
	defer server.Close()
	dir := t.TempDir()
	var results [2]Result
	var both sync.WaitGroup
	for i := range results {
		both.Go(func() { results[i], _ = child(t, "request", p, reaching(server, dir)...).wait() })
	}
	both.Wait()
	r := Result{Failed: results[0].Failed + results[1].Failed, Calls: server.Counters().AuthCalls}
	r.Holds = r.Failed == 0 && r.Calls == 1
	return r
}

func frozen(t *testing.T, p Peer) Result {
	server := apivideotest.NewServer()
	defer server.Close()
	server.Fail(apivideotest.Hang)
	c := child(t, "request", p, reaching(server, "")...)
	for server.Counters().AuthCalls == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	c.signal(syscall.SIGSTOP)
	time.Sleep(40 * time.Second)
	c.signal(syscall.SIGCONT)
	r, _ := c.wait()
	r.Calls = server.Counters().AuthCalls
	return r
}

func reaching(server *apivideotest.Server, shared string) []string {
	conf := server.Config()
	return []string{"SCORECARD_URL=" + conf.BaseURL, "SCORECARD_KEY=" + conf.APIKey, "SCORECARD_SHARED=" + shared}
}

// A process is the test binary once more, with a peer.
type process struct {
	*testing.T
	*exec.Cmd
	output bytes.Buffer
}

func child(t *testing.T, play string, p Peer, env ...string) *process {
	c := &process{T: t, Cmd: exec.Command(os.Args[0])}
	c.Env = append(append(os.Environ(), "SCORECARD_PLAY="+play, "SCORECARD_PEER="+p.Name), env...)
	c.Stdout, c.Stderr = &c.output, &c.output
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill() })
	return c
}

func (c *process) signal(s os.Signal) {
	if err := c.Process.Signal(s); err != nil {
		c.Fatal(err)
	}
}

// wait returns the result that the process prints, or how it ended without one.
func (c *process) wait() (Result, error) {
	err := c.Cmd.Wait()
	for line := range strings.Lines(c.output.String()) {
		var r Result
		if text, ok := strings.CutPrefix(line, resultMark); ok && json.Unmarshal([]byte(text), &r) == nil {
			return r, nil
		}
	}
	if strings.Contains(c.output.String(), "deadlock") {
		return Result{Note: "requests hang"}, err
	}
	c.Logf("%s", c.output.String())
	return Result{Note: "the process crashes"}, err
}

const resultMark = "scorecard result: "

func printResult(r Result) {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	fmt.Println(resultMark + string(text))
}

// TestMain also is what the processes of the lines run.
func TestMain(m *testing.M) {
	flag.Set("test.parallel", strconv.Itoa(len(Peers()))) // the peers mostly wait
	switch os.Getenv("SCORECARD_PLAY") {
	case "panic":
		os.Args = append(os.Args[:1], "-test.run=^TestBasePanics$")
	case "request":
		printResult(request(thisPeer()))
		return
	}
	os.Exit(m.Run())
}

func thisPeer() Peer {
	name := cmp.Or(os.Getenv("SCORECARD_PEER"), Peers()[0].Name)
	for _, p := range Peers() {
		if p.Name == name {
			return p
		}
	}
	panic("no peer " + name)
}

// request makes a request over the network. It has 5 minutes.
func request(p Peer) Result {
	base := p.Speak(http.DefaultTransport)
	client, err := p.New(Setup{
		BaseURL: os.Getenv("SCORECARD_URL"), Key: os.Getenv("SCORECARD_KEY"), Shared: os.Getenv("SCORECARD_SHARED"),
		Base: base, Auth: base,
	})
	if err != nil {
		panic(err)
	}
	w := &world{client: client, url: os.Getenv("SCORECARD_URL")}
	served := w.visitWithin("/videos", 5*time.Minute)
	return Result{Holds: served, Failed: w.failed, Calls: 1}
}

// The lines start a process for each other peer: a panic may crash it.
func TestBasePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, thisPeer())
		var renewing bool
		w.atAuth = func(*http.Request) (*http.Response, error) {
			if n := w.calls.Load(); n == 1 || time.Since(w.began) > 10*time.Minute && !renewing {
				renewing = n > 1
				panic("made up")
			}
			return nil, nil
		}
		inARow := 0
		for time.Since(w.began) < 80*time.Minute && inARow < 2 {
			if inARow++; w.visit("/videos") {
				inARow = 0
			}
			time.Sleep(pause)
		}
		printResult(Result{Holds: inARow < 2, Failed: w.failed, Calls: int(w.calls.Load())})
		if w.peer.Module == "" && inARow == 2 {
			t.Error(w.lastErr)
		}
	})
}
