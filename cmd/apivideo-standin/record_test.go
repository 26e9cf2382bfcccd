package main

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Promise: Uploads are counted and hashed, and stored only in the folder of `-keep`.
// Promise: `/_control/requests` shows no key, token or stream key.
func TestRecordHasRequestsWithoutSecrets(t *testing.T) {
	g := newRig(t, options{})
	token := g.login()
	upload := g.call("POST", "/upload-tokens", `{}`).Token
	g.call("GET", "/upload-tokens/"+upload, "")
	g.upload("/upload?token="+upload, "made-up film")
	g.call("GET", "/videos?title="+token.Access+"&tags[]="+g.s.key, "", "Authorization", token.Access)
	g.call("GET", "/live-streams?streamKey=made-up-stream-key", "", "Authorization", "Bearer "+token.Access)

	g.call("GET", "/videos/%0A"+strings.Repeat("x", 5000), "")

	r := g.call("GET", "/_control/requests", "")
	for _, secret := range []string{g.s.key, token.Access, token.Refresh, upload, "made-up-stream-key"} {
		assert.NotContains(t, r.body, secret)
	}
	var paths []string
	for _, e := range r.Requests {
		paths = append(paths, e.Method+" "+e.Path)
	}
	last := paths[len(paths)-1]
	assert.Equal(t, []any{"GET /videos/%0Ax", 2004}, []any{last[:16], len(last)}, "one line, and not too long")
	assert.Equal(t, []string{
		"POST /auth/api-key", "POST /upload-tokens", "GET /upload-tokens/REDACTED", "POST /upload?token=REDACTED",
		"GET /videos?tags%5B%5D=REDACTED&title=REDACTED", "GET /live-streams?streamKey=REDACTED",
	}, paths[:len(paths)-1])
	sent := r.Requests[3]
	assert.Equal(t, 201, sent.Status)
	require.NotNil(t, sent.Upload)
	assert.Equal(t, int64(12), sent.Upload.Bytes)
	assert.Equal(t, fmt.Sprintf("%x", sha256.Sum256([]byte("made-up film"))), sent.Upload.SHA256)
	assert.Equal(t, "Bearer", r.Requests[5].Authorization)
}

// Promise: `/_control/requests` shows no key, token or stream key.
func TestRecordShowsOnlyWhatIsHarmless(t *testing.T) {
	g := newRig(t, options{})
	const foreign = "sk-foreign-0123456789"
	old := g.login()
	upload := g.call("POST", "/upload-tokens", `{}`).Token
	stream := g.call("POST", "/live-streams", `{"name":"A"}`).StreamKey
	g.call("DELETE", "/upload-tokens/"+upload, "")
	g.login() // which ends the first refresh token
	g.call("POST", "/_control/keys?delete="+g.s.key, "")
	g.call("POST", "/_control/reset", "")
	want := []string{"POST /upload?token=REDACTED"}
	g.upload("/upload?token="+upload, "film")
	for _, request := range []struct{ path, want string }{
		{"/x?TOKEN=" + foreign + "&key=" + foreign, "/x?TOKEN=REDACTED&key=REDACTED"},
		{"/x?" + foreign + "=1", "/x?REDACTED=REDACTED"},
		{"/videos?Title=A&sortBy=title&pageSize=2", "/videos?Title=A&pageSize=2&sortBy=title"},
		{"/videos?tags[]=A&metadata[k]=v", "/videos?metadata%5Bk%5D=v&tags%5B%5D=A"},
		{"/videos?metadata[" + upload + "]=v", "/videos?REDACTED=REDACTED"},
		{"/videos?title=" + upload, "/videos?title=REDACTED"},
		{"/videos?name=" + stream, "/videos?name=REDACTED"},
		{"/videos/" + old.Refresh, "/videos/REDACTED"},
		{"/x/" + g.s.key, "/x/REDACTED"},
		{"/upload-tokens//" + foreign + "/" + foreign, "/upload-tokens//REDACTED/REDACTED"},
		{"/x?a=b;token=" + foreign, "/x"},
	} {
		g.call("GET", request.path, "")
		want = append(want, "GET "+request.want)
	}
	var schemes []string
	for authorization, shown := range map[string]string{
		foreign: "other", "Bearer" + foreign: "other", "Digest " + foreign: "other", "bearer " + foreign: "Bearer", "": "",
	} {
		g.call("GET", "/videos", "", "Authorization", authorization)
		schemes = append(schemes, shown)
	}

	r := g.call("GET", "/_control/requests", "")
	var paths, authorizations []string
	for i, e := range r.Requests {
		if i < len(want) {
			paths = append(paths, e.Method+" "+e.Path)
		} else {
			authorizations = append(authorizations, e.Authorization)
		}
	}
	assert.Equal(t, want, paths)
	assert.ElementsMatch(t, schemes, authorizations)
	for _, secret := range []string{g.s.key, old.Access, old.Refresh, upload, stream, foreign} {
		assert.NotContains(t, r.body, secret)
	}
}

func TestRecordKeepsTheLastThousand(t *testing.T) {
	var r record
	for i := range 5*maxEntries + 1 {
		r.add(entry{Status: i})
	}
	last := r.last()
	require.Len(t, last, maxEntries)
	assert.Equal(t, []int{4*maxEntries + 1, 5 * maxEntries}, []int{last[0].Status, last[maxEntries-1].Status})
}
