package filestore_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/filestore"
	"github.com/apivideo/api.video-go-oauth2/storetest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "when", "needed")
	storetest.TestStore(t, func() apivideo.Store { return filestore.New(dir) })
	for _, f := range list(t, dir) {
		assert.Regexp(t, `^[0-9a-f]{64}(\.lock)?$`, f.Name())
	}
}

func TestFilesAreForTheirOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s, key := filestore.New(dir), randomKey()
	_, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	assert.NoDirExists(t, filepath.Dir(dir), "Load makes nothing")

	store(t, s, key, "old")
	store(t, s, key, "new")
	assert.Equal(t, os.FileMode(0o700), mode(t, filepath.Dir(dir)))
	assert.Equal(t, os.FileMode(0o700), mode(t, dir))
	assert.Equal(t, os.FileMode(0o600), mode(t, filepath.Join(dir, key)))
	assert.Equal(t, os.FileMode(0o600), mode(t, filepath.Join(dir, key+".lock")))
	assert.Len(t, list(t, dir), 2)
}

func TestAFolderThatIsThereKeepsItsPermissions(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o750))
	store(t, filestore.New(dir), randomKey(), "value")
	assert.Equal(t, os.FileMode(0o750), mode(t, dir))
}

func TestKeysThatAreNotHexadecimalAreRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := filestore.New(dir)
	for _, key := range []string{"", ".", "..", "../0", "0/1", `0\1`, "0.lock", "ABC", "0g", "0\x00", " 0", "é", strings.Repeat("x", 1000)} {
		_, err := s.Load(t.Context(), key)
		assert.ErrorContains(t, err, "not lower-case hexadecimal", "%q", key)
		assert.Less(t, len(err.Error()), 200)
		err = s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) {
			t.Errorf("fn is called for %q", key)
			return nil, nil
		})
		assert.ErrorContains(t, err, "not lower-case hexadecimal", "%q", key)
	}
	assert.NoDirExists(t, dir)
}

func TestARelativeFolderIsOfTheWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	key := randomKey()
	store(t, filestore.New("store"), key, "value")
	assert.FileExists(t, filepath.Join("store", key))
}

func TestWhatAKilledWriterLeftIsReplaced(t *testing.T) {
	dir, key := t.TempDir(), randomKey()
	s := filestore.New(dir)
	store(t, s, key, "old")
	require.NoError(t, os.WriteFile(filepath.Join(dir, key+".tmp"), []byte("half of a va"), 0o600))
	assert.Equal(t, "old", load(t, s, key))
	store(t, s, key, "new")
	assert.Equal(t, "new", load(t, s, key))
	assert.Len(t, list(t, dir), 2)
}

func TestAValueThatCouldNotBeReadIsNotStored(t *testing.T) {
	dir, key := t.TempDir(), randomKey()
	s, longest := filestore.New(dir), strings.Repeat("x", 1<<20)
	store(t, s, key, longest)
	err := s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) { return []byte(longest + "x"), nil })
	assert.ErrorContains(t, err, "too long")
	assert.Equal(t, len(longest), len(load(t, s, key)))
	assert.Len(t, list(t, dir), 2)
}

func TestAPanicInAnUpdateFreesTheLock(t *testing.T) {
	s, key := filestore.New(t.TempDir()), randomKey()
	assert.Panics(t, func() {
		s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) { panic("made up") })
	})
	store(t, s, key, "value")
}

// A token that was got is worth keeping, whoever has left meanwhile.
func TestAnUpdateWhoseContextEndsInFnIsStored(t *testing.T) {
	s, key := filestore.New(t.TempDir()), randomKey()
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, s.Update(ctx, key, func(ctx context.Context, _ []byte) ([]byte, error) {
		cancel()
		assert.ErrorIs(t, ctx.Err(), context.Canceled)
		return []byte("value"), nil
	}))
	assert.Equal(t, "value", load(t, s, key))
}

func TestNothingIsLeftOpen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("open files are counted on Linux only")
		return
	}
	s, key := filestore.New(t.TempDir()), randomKey()
	before := list(t, "/proc/self/fd")
	for range 50 {
		store(t, s, key, "value")
		load(t, s, key)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) {
			return nil, s.Update(ctx, key, nil) // waits for itself
		})
		cancel()
	}
	assert.Less(t, len(list(t, "/proc/self/fd")), len(before)+25)
}

func randomKey() string {
	b := make([]byte, 32)
	rand.Read(b)
	return hex.EncodeToString(b)
}

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

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Mode().Perm()
}
