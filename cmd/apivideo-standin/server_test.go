package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Promise: Web pages of every origin may log in and upload.
func TestWebPagesMayLogInAndUpload(t *testing.T) {
	g := newRig(t, options{})
	token := g.call("POST", "/upload-tokens", `{}`).Token
	page := []string{"Origin", "https://example.com", "Authorization", ""}
	preflight := g.call("OPTIONS", "/upload?token="+token, "", append(page,
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-range")...)
	assert.Equal(t, 204, preflight.status)
	assert.Equal(t, "*", preflight.header.Get("Access-Control-Allow-Origin"))
	assert.Equal(t, "POST, OPTIONS", preflight.header.Get("Access-Control-Allow-Methods"))
	assert.Contains(t, preflight.header.Get("Access-Control-Allow-Headers"), "Content-Range")
	first := g.upload("/upload?token="+token, "made-up ", append(page, "Content-Range", "part 1/*")...)
	assert.Equal(t, []any{201, "*"}, []any{first.status, first.header.Get("Access-Control-Allow-Origin")})
	assert.Contains(t, first.header.Get("Access-Control-Expose-Headers"), "X-RateLimit-Remaining")
	refused := g.call("GET", "/videos", "", page...)
	assert.Equal(t, []any{401, "*"}, []any{refused.status, refused.header.Get("Access-Control-Allow-Origin")}, "the page reads the reason")

	for _, path := range []string{"/auth/api-key", "/auth/refresh"} {
		preflight = g.call("OPTIONS", path, "", append(page, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type")...)
		assert.Equal(t, []any{204, "POST, OPTIONS"}, []any{preflight.status, preflight.header.Get("Access-Control-Allow-Methods")}, path)
		assert.Contains(t, preflight.header.Get("Access-Control-Allow-Headers"), "Content-Type")
	}
	assert.Equal(t, "DELETE, GET, HEAD, PATCH, OPTIONS", g.call("OPTIONS", "/videos/vi7", "").header.Get("Allow"))
	assert.Equal(t, 404, g.call("OPTIONS", "/made-up", "").status)
}

func TestLimitsAreEnforced(t *testing.T) {
	o, err := parse([]string{"-limit"})
	require.NoError(t, err)
	g := newRig(t, o)
	r := g.call("GET", "/videos", "")
	assert.Equal(t, []string{"100", "99"}, []string{r.header.Get("X-RateLimit-Limit"), r.header.Get("X-RateLimit-Remaining")})
	for range 99 {
		r = g.call("GET", "/videos", "")
	}
	assert.Equal(t, []any{200, "0"}, []any{r.status, r.header.Get("X-RateLimit-Remaining")})
	assert.Equal(t, 429, g.call("GET", "/videos", "").status)
	o, err = parse([]string{"-limit=production"})
	require.NoError(t, err)
	assert.Equal(t, 500, o.limit.limits.Reads)
}
