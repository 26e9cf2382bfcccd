package filestore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/filestore"
	"github.com/apivideo/api.video-go-oauth2/storetest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStore(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "when", "needed")
	storetest.TestStore(t, func() apivideo.Store { return filestore.New(dir) })
	for _, f := range list(t, dir) {
		assert.Regexp(t, `^[0-9a-f]{64}(\.lock)?$`, f.Name())
	}
}

func TestStoreRefusesOtherKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	for _, key := range []string{"", ".", "..", "../0", "0/1", `0\1`, "0.lock", "ABC", "0g", "0\x00", " 0", "é", strings.Repeat("x", 1000)} {
		for _, err := range tryBoth(t, filestore.New(dir), key) {
			assert.ErrorContains(t, err, "not lower-case hexadecimal", "%q", key)
			assert.Less(t, len(err.Error()), 200)
		}
	}
	assert.NoDirExists(t, dir)
}

func TestStoreWithoutFolderFails(t *testing.T) {
	for _, s := range []*filestore.Store{nil, {}, filestore.New("")} {
		for _, err := range tryBoth(t, s, randomKey()) {
			assert.EqualError(t, err, "filestore: there is no folder; make the Store with filestore.New(folder)")
		}
	}
}

// tryBoth returns the errors of Load and Update.
func tryBoth(t *testing.T, s *filestore.Store, key string) []error {
	_, err := s.Load(t.Context(), key)
	return []error{err, s.Update(t.Context(), key, nil)}
}

func TestStoreRelativeFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	key := randomKey()
	store(t, filestore.New("store"), key, "value")
	assert.FileExists(t, filepath.Join("store", key))
}

// obstacles are put in the place of a file. Each gets the path, and the path of
// a file that must not change.
var obstacles = map[string]func(path, precious string) error{
	"2 MiB":    func(path, _ string) error { return os.WriteFile(path, make([]byte, 2<<20), 0o600) },
	"a folder": func(path, _ string) error { return os.Mkdir(path, 0o700) },
	"a full folder": func(path, precious string) error {
		return errors.Join(os.Mkdir(path, 0o700), os.Link(precious, filepath.Join(path, "precious")))
	},
}

func TestStoreReplacesWhatIsNoFile(t *testing.T) {
	for name, put := range obstacles {
		for _, suffix := range []string{"", ".lock", ".tmp"} {
			t.Run(name+suffix, func(t *testing.T) {
				dir, key, precious := t.TempDir(), randomKey(), filepath.Join(t.TempDir(), "precious")
				require.NoError(t, os.WriteFile(precious, []byte("content"), 0o600))
				require.NoError(t, put(filepath.Join(dir, key+suffix), precious))
				s := filestore.New(dir)
				assert.Empty(t, load(t, s, key))
				store(t, s, key, "value")
				assert.Equal(t, "value", load(t, s, key))

				var left []string
				for _, f := range list(t, dir) {
					if f.Type().IsRegular() {
						left = append(left, f.Name())
					}
				}
				assert.Equal(t, []string{key, key + ".lock"}, left)
				if name == "a full folder" {
					renamed, err := filepath.Glob(filepath.Join(dir, "*", "precious"))
					assert.Len(t, renamed, 1, err)
				}
				assert.Len(t, list(t, filepath.Dir(precious)), 1, "a link was followed")
				content, err := os.ReadFile(precious)
				require.NoError(t, err)
				assert.Equal(t, "content", string(content))
			})
		}
	}
}

// In virtual time, so that no machine is too busy for it.
func TestStoreInstancesShareEachRenewal(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		srv := apivideotest.NewUnstartedServer()
		srv.SetAuthLatency(100 * time.Millisecond)
		srv.HandleFunc("GET /videos", func(http.ResponseWriter, *http.Request) {})
		var clients []*http.Client
		for range 20 {
			conf := srv.Config()
			conf.Store = filestore.New(dir)
			clients = append(clients, conf.Client(srv.Context(t.Context())))
		}
		requestEach := func() {
			var all sync.WaitGroup
			for _, c := range clients {
				all.Go(func() {
					resp, err := c.Get(srv.Config().BaseURL + "/videos")
					if assert.NoError(t, err) {
						resp.Body.Close()
						assert.Equal(t, http.StatusOK, resp.StatusCode)
					}
				})
			}
			all.Wait()
		}
		for range 34 { // renewals after 45 to 48 minutes, so three
			requestEach()
			time.Sleep(5 * time.Minute)
		}
		assert.Equal(t, 4, srv.Counters().AuthCalls)
		srv.RevokeAccessTokens()
		requestEach()
		assert.Equal(t, 5, srv.Counters().AuthCalls)
	})
}

func TestStorePanicInFnFreesTheLock(t *testing.T) {
	s, key := filestore.New(t.TempDir()), randomKey()
	assert.Panics(t, func() {
		s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) { panic("made up") })
	})
	store(t, s, key, "value")
}

// A new token is worth keeping even if the caller has left.
func TestStoreKeepsValueAfterContextEnds(t *testing.T) {
	s, key := filestore.New(t.TempDir()), randomKey()
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, s.Update(ctx, key, func(context.Context, []byte) ([]byte, error) {
		cancel()
		return []byte("value"), nil
	}))
	assert.Equal(t, "value", load(t, s, key))
}

func randomKey() string { return fmt.Sprintf("%x", rand.Text()) }

func store(t *testing.T, s *filestore.Store, key, value string) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) { return []byte(value), nil }))
}

func load(t *testing.T, s *filestore.Store, key string) string {
	t.Helper()
	value, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	return string(value)
}

func list(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	return files
}
