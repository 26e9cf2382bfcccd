package main

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// rig is a server with a client.
type rig struct {
	*testing.T
	s     *server
	url   string
	close func() // ends the server; at the end of the test at the latest
}

func newRig(t *testing.T, o options) *rig {
	t.Helper()
	s, err := newServer(o, io.Discard)
	require.NoError(t, err)
	front := httptest.NewServer(s)
	end := sync.OnceFunc(func() {
		front.Close()
		s.close()
	})
	t.Cleanup(end)
	return &rig{t, s, front.URL, end}
}

// reply is an answer, and what it says if it is JSON.
type reply struct {
	status int
	header http.Header
	body   string

	Title      string
	APIKey     string `json:"apiKey"`
	Access     string `json:"access_token"`
	Refresh    string `json:"refresh_token"`
	Token      string
	StreamKey  string `json:"streamKey"`
	VideoID    string `json:"videoId"`
	Requests   []entry
	Pagination struct{ ItemsTotal int }
	Assets     map[string]string
}

// call makes a request with the API key. Headers are names and values.
func (g *rig) call(method, path, body string, headers ...string) (r reply) {
	g.Helper()
	req, err := http.NewRequest(method, g.url+path, strings.NewReader(body))
	require.NoError(g, err)
	req.SetBasicAuth(g.s.key, "")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(g, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(g, err)
	r.status, r.header, r.body = resp.StatusCode, resp.Header, string(data)
	_ = json.Unmarshal(data, &r)
	return r
}

func (g *rig) login() reply {
	g.Helper()
	r := g.call("POST", "/auth/api-key", `{"apiKey":"`+g.s.key+`"}`)
	require.Equal(g, 200, r.status, r.body)
	return r
}

// upload sends a file.
func (g *rig) upload(path, content string, headers ...string) reply {
	g.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "film.mp4")
	require.NoError(g, err)
	io.WriteString(file, content)
	require.NoError(g, form.Close())
	return g.call("POST", path, body.String(), append(headers, "Content-Type", form.FormDataContentType())...)
}
