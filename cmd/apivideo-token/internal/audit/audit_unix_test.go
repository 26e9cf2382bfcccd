//go:build unix

// Windows neither renames nor removes a file that is open.

package audit_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/audit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLogIsForItsOwner(t *testing.T) {
	name := filepath.Join(t.TempDir(), "audit")
	open(t, name)
	info, err := os.Stat(name)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestLogFollowsLogrotate(t *testing.T) {
	name := filepath.Join(t.TempDir(), "audit")
	l, _ := open(t, name)
	written := func(name string, n int) func() bool {
		return func() bool {
			data, err := os.ReadFile(name)
			return err == nil && strings.Count(string(data), "\n") == n
		}
	}
	l.Write(audit.Entry{Path: "/1"})
	require.Eventually(t, written(name, 1), time.Minute, time.Millisecond)
	require.NoError(t, os.Rename(name, name+".1"))
	l.Write(audit.Entry{Path: "/2"})
	require.Eventually(t, written(name, 1), time.Minute, time.Millisecond)
	require.NoError(t, os.Rename(name, name+".2"))
	require.NoError(t, os.WriteFile(name, nil, 0o600)) // as logrotate's "create" does
	l.Write(audit.Entry{Path: "/3"})
	l.Close()
	for i, file := range []string{name + ".1", name + ".2", name} {
		got := lines(t, file)
		require.Len(t, got, 1, file)
		assert.Equal(t, "/"+string(rune('1'+i)), got[0].Path)
	}
}

func TestLogUnwritableLosesLines(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	require.NoError(t, os.Mkdir(dir, 0o700))
	name := filepath.Join(dir, "audit")
	l, said := open(t, name)
	require.NoError(t, os.RemoveAll(dir))
	for range 3 {
		l.Write(audit.Entry{Path: "/lost"})
	}
	assert.Equal(t, "lost: open "+name+": no such file or directory", <-said)
	require.NoError(t, os.Mkdir(dir, 0o700))
	l.Write(audit.Entry{Path: "/kept"})
	l.Close()
	assert.Regexp(t, `^again, \|{1,3}$`, <-said)
	got := lines(t, name)
	assert.NotEmpty(t, got)
	assert.Equal(t, "/kept", got[len(got)-1].Path)
}
