package filestore_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/filestore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// failures are ways for a store to fail for one key. Each gets an empty folder
// and returns the one to use.
var failures = map[string]func(t *testing.T, dir, key string) string{
	"no folder is named": func(*testing.T, string, string) string { return "" },
	"the folder is a file": func(t *testing.T, dir, _ string) string {
		return writeFile(t, filepath.Join(dir, "file"), "content")
	},
	"the folder would be in a file": func(t *testing.T, dir, _ string) string {
		return filepath.Join(writeFile(t, filepath.Join(dir, "file"), "content"), "sub")
	},
	// Not even root makes files there, whom permissions would not stop.
	"the folder cannot be written to": func(*testing.T, string, string) string { return "/proc" },
	"the folder cannot be made":       func(*testing.T, string, string) string { return "/proc/store" },
	"the value is a folder":           func(t *testing.T, dir, key string) string { return makeDir(t, dir, key) },
	"the lock is a folder":            func(t *testing.T, dir, key string) string { return makeDir(t, dir, key+".lock") },
	"the temporary file is a full folder": func(t *testing.T, dir, key string) string {
		return makeDir(t, dir, key+".tmp/sub")
	},
	"the value is a named pipe": func(t *testing.T, dir, key string) string {
		require.NoError(t, syscall.Mkfifo(filepath.Join(dir, key), 0o600))
		return dir
	},
	"the value is a link": func(t *testing.T, dir, key string) string {
		writeFile(t, filepath.Join(dir, "file"), "content")
		require.NoError(t, os.Symlink("file", filepath.Join(dir, key)))
		return dir
	},
	"the value is too long": func(t *testing.T, dir, key string) string {
		writeFile(t, filepath.Join(dir, key), strings.Repeat("x", 1<<20+1))
		return dir
	},
	"the value becomes a folder before it is written": nil, // in fn
}

func TestWhatStandsInTheWayIsAnError(t *testing.T) {
	for name, prepare := range failures {
		t.Run(name, func(t *testing.T) {
			dir, key := t.TempDir(), randomKey()
			fn := func(context.Context, []byte) ([]byte, error) { return []byte("value"), nil }
			if prepare == nil {
				fn = func(context.Context, []byte) ([]byte, error) {
					makeDir(t, dir, key)
					return []byte("value"), nil
				}
			} else {
				dir = prepare(t, dir, key)
			}
			err := filestore.New(dir).Update(t.Context(), key, fn)
			assert.ErrorContains(t, err, "filestore: ")
			t.Log(err)
			_, err = filestore.New(dir).Load(t.Context(), key)
			if err != nil {
				assert.ErrorContains(t, err, "filestore: ")
			}
			assert.NoFileExists(t, filepath.Join(dir, key+".tmp"))
		})
	}
}

func TestASourceGoesOnWithoutAStoreThatFails(t *testing.T) {
	for name, prepare := range failures {
		if prepare == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			srv := apivideotest.NewUnstartedServer()
			ctx := srv.Context(t.Context())
			conf := srv.Config()
			var log bytes.Buffer
			conf.Logger = slog.New(slog.NewTextHandler(&log, nil))
			conf.Store = filestore.New(prepare(t, t.TempDir(), keyOf(t, srv)))
			before := srv.Counters().AuthCalls
			src := conf.Source(ctx)
			for range 10 {
				tok, err := src.Token()
				require.NoError(t, err)
				assert.True(t, srv.Valid(tok.AccessToken))
			}
			assert.Equal(t, 1, srv.Counters().AuthCalls-before)
			assert.Contains(t, log.String(), "filestore: ")
		})
	}
}

// A write that ends early is what a full disk comes to. Here it is a limit of
// the process, which needs no disk of its own and no privileges.
func TestAWriteThatEndsEarlyKeepsTheOldValue(t *testing.T) {
	dir, key := t.TempDir(), randomKey()
	s := filestore.New(dir)
	store(t, s, key, "old")
	p := start(t, job{Role: "cramped", Dir: dir, Key: key})
	p.begin(t)
	assert.Contains(t, p.line(t), syscall.EFBIG.Error())
	assert.Equal(t, "old", load(t, s, key))
	assert.Len(t, list(t, dir), 2, "a temporary file is left")
}

func init() {
	roles["cramped"] = func(j job, begin func()) any {
		signal.Ignore(syscall.SIGXFSZ)
		err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1000, Max: 1000})
		if err != nil {
			return err.Error()
		}
		begin()
		err = filestore.New(j.Dir).Update(context.Background(), j.Key, func(context.Context, []byte) ([]byte, error) {
			return make([]byte, 3000), nil
		})
		if err == nil {
			return "stored"
		}
		return err.Error()
	}
}

// keyOf returns the key under which the account of srv has its value.
func keyOf(t *testing.T, srv *apivideotest.Server) string {
	t.Helper()
	dir := t.TempDir()
	conf := srv.Config()
	conf.Store = filestore.New(dir)
	_, err := conf.Source(srv.Context(t.Context())).Token()
	require.NoError(t, err)
	files := list(t, dir)
	require.Len(t, files, 2)
	return files[0].Name()
}

func writeFile(t *testing.T, path, content string) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func makeDir(t *testing.T, dir, name string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, name), 0o700))
	return dir
}
