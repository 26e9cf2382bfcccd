// Package standin makes the same calls at apivideo-standin twice: directly, and
// behind the proxy of apivideo-token. Both programs are the built ones. A page in
// headless Chromium uploads to it, which needs chromium.
package standin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/integration/internal/local"
	"github.com/apivideo/api.video-go-oauth2/internal/standin/operations"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// asWalker has the test binary walk through the operations, as the program
// that apivideo-token runs.
const asWalker = "STANDIN_TEST_WALKS"

var standin, tool string // the built programs

func TestMain(m *testing.M) {
	if os.Getenv(asWalker) != "" {
		walk()
		return
	}
	os.Exit(prepare(m))
}

func prepare(m *testing.M) int {
	dir, err := os.MkdirTemp("", "standin")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	standin, tool = filepath.Join(dir, "apivideo-standin"), filepath.Join(dir, "apivideo-token")
	for program, folder := range map[string]string{standin: "../..", tool: "../../cmd/apivideo-token"} {
		pkg := "."
		if program == standin {
			pkg = "./cmd/apivideo-standin"
		}
		if out, err := exec.Command("go", "build", "-C", folder, "-o", program, pkg).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
			return 1
		}
	}
	return m.Run()
}

// answer is what an operation answers.
type answer struct {
	Op     string
	Status int
	Header http.Header
	Body   string
}

// walk makes the request of each operation, and prints the answers.
func walk() {
	walker := operations.New(os.Getenv("APIVIDEO_BASE_URL"), os.Getenv("APIVIDEO_API_KEY"), http.DefaultClient)
	var answers []answer
	for _, step := range operations.Steps() {
		resp, body, err := walker.Take(step)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		answers = append(answers, answer{step.Op, resp.StatusCode, resp.Header, string(body)})
	}
	json.NewEncoder(os.Stdout).Encode(answers)
}

// start runs the stand-in until the test ends. It returns the environment of
// its clients.
func start(t *testing.T) (env []string, url string) {
	t.Helper()
	env = local.Standin(t, standin)
	return env, strings.TrimPrefix(env[0], "APIVIDEO_BASE_URL=")
}

// answers returns what a walking program prints.
func answers(t *testing.T, env []string, name string, args ...string) (list []answer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(append(os.Environ(), env...), asWalker+"=1", "XDG_CACHE_HOME="+t.TempDir(), "NO_PROXY=127.0.0.1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", &stderr)
	require.NoError(t, json.Unmarshal(out, &list), "%s", out)
	return list
}

// changing are the parts of an answer that differ between two walks: made-up
// identifiers and tokens, times, and what is made up of a time.
var changing = regexp.MustCompile(`(vi|li|pl|to|watermark_|webhook_|summary_|sig_sec_)[0-9A-Za-z]{22}\b` +
	`|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}` +
	`|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00` +
	`|"metricValue":\d+`)

func TestProxyGivesTheSameAnswers(t *testing.T) {
	env, url := start(t)
	direct := answers(t, env, os.Args[0])
	resp, err := http.Post(url+"/_control/reset", "", nil)
	require.NoError(t, err)
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	behind := answers(t, env, tool, "run", "--", os.Args[0])
	require.Len(t, direct, 59)
	require.Len(t, behind, 59)
	steps := operations.Steps()
	for i, step := range steps {
		assert.Equal(t, step.Status, direct[i].Status, "%s: %s", step.Op, direct[i].Body)
		assert.Equal(t, direct[i].Status, behind[i].Status, "%s: %s", step.Op, behind[i].Body)
		assert.Equal(t, direct[i].Header.Get("Content-Type"), behind[i].Header.Get("Content-Type"), step.Op)
		if strings.HasPrefix(step.Op, "POST /auth/") { // which the proxy answers itself
			assert.Equal(t, names(t, direct[i]), names(t, behind[i]), step.Op)
			continue
		}
		assert.Equal(t, changing.ReplaceAllString(direct[i].Body, "…"), changing.ReplaceAllString(behind[i].Body, "…"), step.Op)
		assert.Equal(t, direct[i].Header.Get("X-RateLimit-Limit"), behind[i].Header.Get("X-RateLimit-Limit"), step.Op)
	}
}

// names returns the names of an object's fields.
func names(t *testing.T, a answer) []string {
	t.Helper()
	var fields map[string]any
	require.NoError(t, json.Unmarshal([]byte(a.Body), &fields), a.Body)
	return slices.Sorted(maps.Keys(fields))
}
