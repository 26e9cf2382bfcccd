package node

import (
	"bytes"
	"image"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/integration/internal/local"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// startStandin returns the environment of clients of the stand-in.
func startStandin(t *testing.T) []string {
	t.Helper()
	env := append(os.Environ(), local.Standin(t, standin)...)
	return append(env, "XDG_CACHE_HOME="+t.TempDir(), "NO_PROXY=127.0.0.1")
}

// wantTour is what tour.js returns, without the times and identifiers.
const wantTour = `{
	"videos": {
		"byTags": ["A tour"], "byMetadata": ["A tour"], "byTitle": ["Product tour", "A tour"], "byNothing": [],
		"updated": "B",
		"status": ["uploaded", 11534336, true],
		"again": {"status": 400, "type": "video-source-already-uploaded", "name": "file"},
		"captions": ["français", true, 1],
		"chapters": "fr",
		"tags": [{"value": "tour", "videoCount": 2}],
		"summary": "completed",
		"plays": 5,
		"deleted": {"status": 404, "type": "resource-not-found", "name": "videoId"},
		"discarded": true
	},
	"delegated": {
		"title": "picture.jpg",
		"status": ["uploaded", 23068672],
		"refused": {"status": 401, "type": "authentication-invalid-upload-token"}
	},
	"others": {
		"live": false, "lives": 1, "player": false, "link": "https://example.com", "watermarks": 1, "webhooks": 1,
		"wrong": {"status": 400, "type": "attribute-required", "name": "events"}
	}
}`

// The client cannot tell whether it talks to the stand-in or to the proxy in
// front of it.
func TestStandinServesClient(t *testing.T) {
	t.Parallel()
	file, _ := film(t, 11<<20) // 3 parts
	picture := filepath.Join(t.TempDir(), "picture.jpg")
	var content bytes.Buffer
	require.NoError(t, jpeg.Encode(&content, image.NewGray(image.Rect(0, 0, 1, 1)), nil))
	require.NoError(t, os.WriteFile(picture, content.Bytes(), 0o600))
	program := []string{"node", "client.js", "tour", file, picture}
	for name, command := range map[string][]string{
		"directly":         program,
		"behind the proxy": append([]string{tool, "run", "--"}, program...),
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
			cmd.Env = startStandin(t)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			require.NoError(t, err, "%s", &stderr)
			assert.JSONEq(t, wantTour, string(out))
		})
	}
}
