package storetest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/storetest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// With a defect named in the environment, this is the process in which the
// suite must fail.
func TestAStoreInAMapPasses(t *testing.T) {
	m := newMemory()
	newStore := func() apivideo.Store { return m }
	if name := os.Getenv(storetest.BrokenStore); name != "" {
		newStore = func() apivideo.Store { return defectOf(t, name).store(m) }
	}
	storetest.TestStore(t, newStore)
}

func defectOf(t *testing.T, name string) defect {
	for _, d := range defects {
		if d.name == name {
			return d
		}
	}
	require.Fail(t, "no such defect", name)
	return defect{}
}

func TestABrokenStoreFails(t *testing.T) {
	exe, err := os.Executable()
	require.NoError(t, err)
	for _, d := range defects {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			name := "TestAStoreInAMapPasses/" + strings.ReplaceAll(d.test, " ", "_")
			cmd := exec.CommandContext(t.Context(), exe, "-test.run=^"+strings.ReplaceAll(name, "/", "$/^")+"$")
			cmd.Env = append(os.Environ(), storetest.BrokenStore+"="+d.name)
			out, err := cmd.CombinedOutput()
			assert.IsType(t, (*exec.ExitError)(nil), err)
			assert.Contains(t, string(out), "--- FAIL: "+name+" ")
		})
	}
}

func TestEveryTestOfTheSuiteFindsADefect(t *testing.T) {
	found := make(map[string]bool)
	for _, d := range defects {
		found[d.test] = true
	}
	for _, name := range storetest.Names() {
		assert.True(t, found[name], "no broken store for %q", name)
	}
}
