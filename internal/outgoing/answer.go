package outgoing

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/apivideo/api.video-go-oauth2/internal/redact"
)

// Hide keeps the token out of what package net/http, or the caller, may print of a
// response: the Location of a redirect, and errors of the body. The other content
// stays as the server sent it.
func (r *Request) Hide(resp *http.Response) {
	if resp.StatusCode/100 == 3 {
		for i, location := range resp.Header["Location"] {
			if hidden := hideInURL(location, r.answer.token); hidden != location {
				resp.Header["Location"][i] = hidden
			}
		}
	}
	switch resp.Body.(type) {
	case nil:
		return
	case io.Writer: // of a 101: the connection belongs to the caller
		return
	}
	if resp.Body == http.NoBody {
		return
	}
	r.answer.inner = resp.Body
	resp.Body = &r.answer
	if _, ok := r.answer.inner.(io.WriterTo); ok {
		resp.Body = (*writingBody)(&r.answer)
	}
}

// Error returns err, or an error without the token if err or an error in its chain
// shows it.
func (r *Request) Error(err error) error { return hide(err, r.answer.token) }

func hide(err error, token string) error {
	if err == nil || err == io.EOF {
		return err
	}
	ss, shown := redact.New(token), false
	redact.Walk(err, func(err error) (within bool) {
		text := err.Error()
		shown = shown || ss.Redact(text) != text
		return !shown
	})
	if !shown {
		return err
	}
	return ss.Cause(ss.Brief(err.Error()), err)
}

// hideInURL replaces the token in a URL, plain or with escapes. The result is a URL
// if s is one.
func hideInURL(s, token string) string {
	const mark = "REDACTED"
	if len(redact.New(token)) == 0 {
		return s
	}
	s = strings.ReplaceAll(s, token, mark)
	if !strings.Contains(s, "%") {
		return s
	}
	var escaped strings.Builder
	for _, c := range []byte(token) {
		fmt.Fprintf(&escaped, "(?:%s|(?i:%%%02x))", regexp.QuoteMeta(string(c)), c)
	}
	return regexp.MustCompile(escaped.String()).ReplaceAllLiteralString(s, mark)
}

// body is the body of a response. Its errors do not show the token.
type body struct {
	inner io.ReadCloser
	token string
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.inner.Read(p)
	if err != nil {
		err = hide(err, b.token)
	}
	return n, err
}

func (b *body) Close() error { return hide(b.inner.Close(), b.token) }

// writingBody is a body that can write itself to another place.
type writingBody body

func (b *writingBody) Read(p []byte) (int, error) { return (*body)(b).Read(p) }
func (b *writingBody) Close() error               { return (*body)(b).Close() }

func (b *writingBody) WriteTo(w io.Writer) (int64, error) {
	n, err := b.inner.(io.WriterTo).WriteTo(w)
	return n, hide(err, b.token)
}
