package proxy_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// raw has the API answer with these bytes, in which TOKEN is the access token of
// the request and KEY the API key.
func (r *rig) raw(pattern, text string) (token *string) {
	token = new(string)
	r.open.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
		*token = strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
		conn, _, err := http.NewResponseController(w).Hijack()
		if !assert.NoError(r.t, err) {
			return
		}
		defer conn.Close()
		io.WriteString(conn, strings.NewReplacer("TOKEN", *token, "KEY", r.srv.Config().APIKey, "\n", "\r\n").Replace(text))
	})
	return token
}

// Promise: Neither the key nor an access token leaves through the proxy, in no part of an answer.
func TestTokenLeavesInNoPartOfAnAnswer(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\nConnection: close\n"
	for name, c := range map[string]struct {
		text   string
		status int
	}{
		"malformed status":  {"HTTP/1.1 TOKEN\n\n", 502},
		"malformed version": {"TOKEN\n\n", 502},
		"malformed header":  {ok + "TOKEN\n\n", 502},
		"malformed length":  {ok + "Content-Length: TOKEN\n\n", 502},
		"reason phrase":     {"HTTP/1.1 200 TOKEN\nConnection: close\n\nbody", 200},
		"header name":       {ok + "X-TOKEN: 1\n\nbody", 200},
		"header":            {ok + "X-Echo: a TOKEN b\n\nbody", 200},
		"key in a header":   {ok + "X-Echo: KEY\n\nbody", 200},
		"early hints":       {"HTTP/1.1 103 Early Hints\nLink: TOKEN\n\n" + ok + "\nbody", 200},
		"trailer":           {ok + "Transfer-Encoding: chunked\nTrailer: X-T\n\n4\nbody\n0\nX-T: TOKEN\n\n", 200},
		"text":              {ok + "Content-Type: text/plain\n\nbody TOKEN", 200},
		"JSON":              {ok + "Content-Type: application/json\n\n{\"token\":\"TOKEN\",\"key\":\"KEY\"} body", 200},
		"no type":           {ok + "\nbody TOKENTOKEN", 200},
		"chunks":            {ok + "Transfer-Encoding: chunked\n\n4\nbody\n0\n\n", 200},
		"an error":          {"HTTP/1.1 418 Teapot\nConnection: close\n\nbody TOKEN", 418},
		"another protocol":  {"HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: TOKEN\n\nbody", 502},
		"no protocol":       {"HTTP/1.1 101 Switching Protocols\n\nTOKEN", 502},
		"a redirect":        {"HTTP/1.1 302 Found\nConnection: close\nLocation: /TOKEN\n\nbody", 302},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			token := r.raw("GET /raw", c.text)
			got := r.get("/raw")
			assert.Equal(t, c.status, got.status, got.all)
			require.True(t, r.srv.Valid(*token))
			assert.NotContains(t, got.all, *token)
			assert.NotContains(t, got.all, r.srv.Config().APIKey)
			if c.status != 502 {
				assert.Contains(t, got.body, "body")
			}
		})
	}
}

// Canonical names lose the case of letters, so the search ignores it.
func TestTokenLeavesInNoHeaderName(t *testing.T) {
	r := newRig(t)
	token := r.raw("GET /raw", "HTTP/1.1 200 OK\nConnection: close\nX-TOKEN: 1\nKEY: 2\n\nbody")
	got := r.get("/raw")
	assert.Equal(t, "body", got.body)
	assert.NotContains(t, strings.ToLower(got.all), strings.ToLower(*token))
	assert.NotContains(t, strings.ToLower(got.all), strings.ToLower(r.srv.Config().APIKey))
}

// Promise: Neither the key nor an access token leaves through the proxy with escapes, or in two parts of a text.
func TestTokenLeavesInNoOtherForm(t *testing.T) {
	r := newRig(t)
	key := r.srv.Config().APIKey
	var escaped strings.Builder
	for _, c := range key {
		fmt.Fprintf(&escaped, `\u%04x`, c)
	}
	r.srv.HandleFunc("GET /escaped", func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"key":"`+escaped.String()+`"}`)
	})
	assert.Equal(t, `{"key":"`+strings.Repeat("*", escaped.Len())+`"}`, r.get("/escaped").body)
	var kind string
	r.srv.HandleFunc("GET /part", func(w http.ResponseWriter, req *http.Request) {
		w.Header()["Content-Type"] = []string{kind}
		w.WriteHeader(http.StatusPartialContent)
		io.WriteString(w, key[:len(key)/2])
	})
	for k, status := range map[string]int{"text/plain": 502, "application/json; charset=utf-8": 502, "": 502, "video/mp4": 206} {
		kind = k
		assert.Equal(t, status, r.get("/part").status, kind)
	}
}

func TestTokenMaskKeepsTheLength(t *testing.T) {
	r := newRig(t)
	var token string
	r.srv.HandleFunc("GET /echo", func(w http.ResponseWriter, req *http.Request) {
		token = strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", fmt.Sprint(len(token)+12))
		io.WriteString(w, `{"token":"`+token[:10])
		w.(http.Flusher).Flush()
		io.WriteString(w, token[10:]+`"}`)
	})
	got := r.get("/echo")
	assert.Equal(t, `{"token":"`+strings.Repeat("*", len(token))+`"}`, got.body)
}

// The tokens of earlier requests are valid for a while.
func TestTokenOfEarlierRequestStays(t *testing.T) {
	r := newRig(t)
	var first string
	r.srv.HandleFunc("GET /echo", func(w http.ResponseWriter, req *http.Request) {
		if first == "" {
			first = strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
		}
		io.WriteString(w, first)
	})
	r.get("/echo")
	r.srv.RevokeAccessTokens()
	got := r.get("/echo")
	assert.Equal(t, 200, got.status)
	assert.NotContains(t, got.all, first)
}

func TestAnswerCompressedUnaskedIsRefused(t *testing.T) {
	r := newRig(t)
	r.srv.HandleFunc("GET /gzip", func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		io.WriteString(z, req.Header.Get("Authorization"))
		z.Close()
	})
	req := r.request(http.MethodGet, "/gzip", nil)
	req.Header.Set("Accept-Encoding", "gzip")
	got := r.do(req)
	assert.Equal(t, 502, got.status)
	assert.Contains(t, got.body, "compressed")
}

// The API may repeat the token, in a trailer or in a 103 too, and after a new
// one is there.
func TestProxyTokenStaysWhenRepeated(t *testing.T) {
	r := newRig(t)
	var tokens []string
	r.open.HandleFunc("GET /repeat/", func(w http.ResponseWriter, req *http.Request) {
		tokens = append(tokens, req.Header.Get("Authorization"))
		put := func(name string) { w.Header().Set(name, tokens[0]) }
		w.Header().Set("Set-Cookie", "a=b")
		switch strings.TrimPrefix(req.URL.Path, "/repeat/") {
		case "early":
			put("Link")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
		case "late":
			r.srv.RevokeAccessTokens()
			assert.Equal(t, 200, r.get("/videos").status) // with a new token
			put("X-Echo")
		case "after":
			w.Header().Set("Trailer", "X-Announced")
			io.WriteString(w, "body")
			w.(http.Flusher).Flush()
			put("X-Announced")
			put(http.TrailerPrefix + "X-Echo")
		}
	})
	for _, where := range []string{"early", "late", "after"} {
		tokens = nil
		conn, err := net.Dial("tcp", r.proxy.Listener.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		req := r.request(http.MethodGet, "/repeat/"+where, nil)
		req.Close = true
		require.NoError(t, req.Write(conn))
		got, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Len(t, tokens, 1)
		assert.Contains(t, string(got), "HTTP/1.1 200 OK", where)
		assert.NotContains(t, string(got), tokens[0], where)
		assert.NotContains(t, string(got), "Set-Cookie", where)
	}
}
