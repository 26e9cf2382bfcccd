package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Promise: Uploads are counted and hashed, and stored only in the folder of `-keep`.
func TestKeepStoresUploads(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "folder")
	g := newRig(t, options{keep: folder})
	video := g.call("POST", "/videos", `{"title":"A"}`)
	for i, part := range []string{"film", "made-up "} { // the last part first
		r := g.upload("/videos/"+video.VideoID+"/source", part, "Content-Range", []string{"part 2/2", "part 1/2"}[i])
		require.Equal(t, 201, r.status, r.body)
	}
	stored, err := os.ReadFile(filepath.Join(folder, video.VideoID+".mp4"))
	require.NoError(t, err)
	assert.Equal(t, "made-up film", string(stored))
	names, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, names, 1, "no part is left")

	get := func(url string) reply {
		return g.call("GET", strings.TrimPrefix(url, g.url), "", "Range", "bytes=8-", "Authorization", "")
	}
	r := get(video.Assets["mp4"])
	assert.Equal(t, []any{206, "film", "video/mp4"}, []any{r.status, r.body, r.header.Get("Content-Type")})
	g.upload("/videos/"+video.VideoID+"/source", "another")
	names, _ = os.ReadDir(folder)
	assert.Len(t, names, 1, "a refused upload leaves nothing")
}

// Promise: Uploads are counted and hashed, and stored only in the folder of `-keep`.
func TestKeepDropsWhatANewUploadReplaces(t *testing.T) {
	folder := t.TempDir()
	g := newRig(t, options{keep: folder})
	id := g.call("POST", "/videos", `{"title":"A"}`).VideoID
	for _, part := range [][]string{
		{"lost", "part 1/3"}, {"lost", "part 3/3"}, {"made-u", "bytes 0-5/12"}, {"made", "bytes 0-3/12"}, {"-up film", "bytes 4-11/12"},
	} {
		r := g.upload("/videos/"+id+"/source", part[0], "Content-Range", part[1])
		require.Equal(t, 201, r.status, r.body)
	}
	stored, err := os.ReadFile(filepath.Join(folder, id+".mp4"))
	require.NoError(t, err)
	assert.Equal(t, "made-up film", string(stored))
	names, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, names, 1, "no part is left")
}

// Windows removes no folder in which something is open.
func TestKeepLeavesNothingOpen(t *testing.T) {
	const open = "/proc/self/fd"
	if _, err := os.Stat(open); err != nil {
		t.Skip("this system does not list open files")
	}
	folder := t.TempDir()
	g := newRig(t, options{keep: folder})
	id := g.call("POST", "/videos", `{"title":"A"}`).VideoID
	for _, part := range []string{"part 1/2", "part 2/2", "part 2/2", "bytes 0-9/20"} { // the last two are refused
		g.upload("/videos/"+id+"/source", "film", "Content-Range", part)
	}
	g.close()
	files, err := os.ReadDir(open)
	require.NoError(t, err)
	for _, file := range files {
		name, _ := os.Readlink(filepath.Join(open, file.Name()))
		assert.NotContains(t, name, folder)
	}
}

// Promise: Uploads are counted and hashed, and stored only in the folder of `-keep`.
func TestWithoutKeepMP4IsMissing(t *testing.T) {
	g := newRig(t, options{})
	video := g.call("POST", "/videos", `{"title":"A"}`)
	g.upload("/videos/"+video.VideoID+"/source", "made-up film")
	r := g.call("GET", strings.TrimPrefix(video.Assets["mp4"], g.url), "")
	assert.Equal(t, []any{404, "The requested resource was not found."}, []any{r.status, r.Title})
}
