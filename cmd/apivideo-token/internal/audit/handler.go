package audit

import (
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"sync/atomic"
	"time"
)

var errSlow = errors.New("the disk is too slow")

// Handler returns next with a line in l for each request. Redact takes secrets
// out of what the client sent. If l is nil, it returns next.
func (l *Log) Handler(next http.Handler, redact func(string) string) http.Handler {
	if l == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entry := Entry{
			Time: time.Now().UTC(), Client: client(r), Method: short(redact(r.Method)), Host: short(redact(r.Host)),
			Path: short(redact(uploadToken.ReplaceAllString(r.URL.Path, "$1…"))), Allowed: true,
		}
		body := &counter{ReadCloser: r.Body}
		if r.Body != http.NoBody {
			r.Body = body
		}
		out := &recorder{ResponseWriter: w, entry: &entry}
		l.running.Add(1)
		defer l.running.Add(-1)
		defer func() { // also if the handler breaks off
			entry.BytesIn = body.n.Load()
			entry.Duration = float64(time.Since(entry.Time).Microseconds()) / 1000
			l.Write(entry)
		}()
		next.ServeHTTP(out, r)
		if entry.Status == 0 {
			entry.Status = http.StatusOK // an answer without a body
		}
	})
}

// uploadToken is the path of an upload token: its last part is the token.
var uploadToken = regexp.MustCompile(`^(/upload-tokens/).+`)

// maxText is how much of a text of the client's is written, in bytes: strangers
// could fill the disk faster with long ones.
const maxText = 500

func short(s string) string {
	if len(s) > maxText {
		return s[:maxText] + "…"
	}
	return s
}

func client(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil && host != "" {
		return r.RemoteAddr
	}
	return "unix"
}

// Refused notes why a request was not allowed. W is what a handler got, or wraps
// it.
func Refused(w http.ResponseWriter, reason string) { note(w, false, reason) }

// Failed notes why a request that was allowed has no answer of the API. The API may
// have carried it out.
func Failed(w http.ResponseWriter, reason string) { note(w, true, reason) }

func note(w http.ResponseWriter, allowed bool, reason string) {
	for {
		switch at := w.(type) {
		case *recorder:
			at.entry.Allowed, at.entry.Reason = allowed, reason
			return
		case interface{ Unwrap() http.ResponseWriter }:
			w = at.Unwrap()
		default:
			return
		}
	}
}

// counter counts what is read, perhaps until after the answer.
type counter struct {
	io.ReadCloser
	n atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}

type recorder struct {
	http.ResponseWriter
	entry *Entry
}

func (w *recorder) WriteHeader(status int) {
	if w.entry.Status == 0 && status >= http.StatusOK {
		w.entry.Status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.entry.Status == 0 {
		w.entry.Status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.entry.BytesOut += int64(n)
	return n, err
}

// Unwrap is for [http.ResponseController].
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
