package audit_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/audit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// traces are the reports of a Log.
type traces chan string

func (c traces) add(err error, lost int) {
	if err != nil {
		c <- "lost: " + err.Error()
	} else {
		c <- "again, " + strings.Repeat("|", lost)
	}
}

func open(t *testing.T, name string) (*audit.Log, traces) {
	said := make(traces, 1000)
	l, err := audit.Open(name, said.add)
	require.NoError(t, err)
	return l, said
}

// lines are the entries in a file, one a line.
func lines(t *testing.T, name string) (entries []audit.Entry) {
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var e audit.Entry
		require.NoError(t, json.Unmarshal(s.Bytes(), &e), s.Text())
		entries = append(entries, e)
	}
	return entries
}

func TestHandlerWritesALine(t *testing.T) {
	name := filepath.Join(t.TempDir(), "audit")
	l, _ := open(t, name)
	h := l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodDelete {
			audit.Refused(struct{ http.ResponseWriter }{w}, "lost, since nothing leads to the line")
			audit.Refused(wrapped{w}, "not-allowed")
			w.WriteHeader(403)
		}
		if r.Method == http.MethodPut {
			audit.Failed(wrapped{w}, "no-answer")
			w.WriteHeader(502)
		}
		if r.Method == http.MethodPatch {
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, "answer")
	}), func(path string) string { return strings.ReplaceAll(path, "made-up-secret", "***") })
	for _, request := range []string{
		"POST /videos/made-up-secret?token=to1", "DELETE /videos/vi1", "GET /upload-tokens/to1", "PATCH /videos/vi1",
		"PUT http://made-up-secret/", "made-up-secret /",
	} {
		method, path, _ := strings.Cut(request, " ")
		req := httptest.NewRequest(method, path, strings.NewReader("body"))
		func() {
			defer func() { _ = recover() }()
			h.ServeHTTP(httptest.NewRecorder(), req)
		}()
	}
	l.Close()
	l.Write(audit.Entry{}) // after Close, as a request that was broken off may do
	got := lines(t, name)
	require.Len(t, got, 6)
	for i := range got {
		assert.WithinDuration(t, time.Now(), got[i].Time, time.Minute)
		assert.GreaterOrEqual(t, got[i].Duration, 0.0)
		got[i].Time, got[i].Duration = time.Time{}, 0
	}
	const client, host = "192.0.2.1:1234", "example.com"
	assert.Equal(t, []audit.Entry{
		{Client: client, Host: host, Method: "POST", Path: "/videos/***", Status: 200, Allowed: true, BytesIn: 4, BytesOut: 6},
		{Client: client, Host: host, Method: "DELETE", Path: "/videos/vi1", Status: 403, Reason: "not-allowed", BytesIn: 4, BytesOut: 6},
		{Client: client, Host: host, Method: "GET", Path: "/upload-tokens/…", Status: 200, Allowed: true, BytesIn: 4, BytesOut: 6},
		{Client: client, Host: host, Method: "PATCH", Path: "/videos/vi1", Status: 0, Allowed: true, BytesIn: 4},
		{Client: client, Host: "***", Method: "PUT", Path: "/", Status: 502, Allowed: true, Reason: "no-answer", BytesIn: 4, BytesOut: 6},
		{Client: client, Host: host, Method: "***", Path: "/", Status: 200, Allowed: true, BytesIn: 4, BytesOut: 6},
	}, got)
}

func TestHandlerShortensLongPaths(t *testing.T) {
	name := filepath.Join(t.TempDir(), "audit")
	l, _ := open(t, name)
	h := l.Handler(http.NotFoundHandler(), func(path string) string { return path })
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/"+strings.Repeat("a", 60_000), nil))
	l.Close()
	assert.Equal(t, "/"+strings.Repeat("a", 499)+"…", lines(t, name)[0].Path)
}

type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestLogNilDoesNothing(t *testing.T) {
	var l *audit.Log
	h := http.NewServeMux()
	assert.Same(t, h, l.Handler(h, nil))
	l.Write(audit.Entry{})
	l.Close()
}
