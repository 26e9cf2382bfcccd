package outgoing

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"strings"

	"github.com/apivideo/api.video-go-oauth2/internal/redact"
)

// Hide keeps the token out of what package net/http, or the caller, may print of a
// response: the Location of a redirect, and errors of the body. The other content
// stays as the server sent it.
func Hide(resp *http.Response, token string) {
	if resp.StatusCode/100 == 3 {
		for i, location := range resp.Header["Location"] {
			if hidden := hideInURL(location, token); hidden != location {
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
	if !mayQuote(resp) {
		return
	}
	b := &body{resp.Body, token}
	resp.Body = b
	if _, ok := b.inner.(io.WriterTo); ok {
		resp.Body = (*writingBody)(b)
	}
}

// mayQuote reports whether errors of the body may quote the server. Those of a body
// in memory do not, nor those of one of known length over HTTP/1: they spare an
// allocation.
func mayQuote(resp *http.Response) bool {
	if resp.ProtoMajor == 1 {
		return resp.ContentLength < 0 || len(resp.TransferEncoding) > 0
	}
	return resp.Body != http.NoBody && !inMemory(resp.Body)
}

// The types of io.NopCloser.
var (
	nopCloser   = reflect.TypeOf(io.NopCloser(nil))
	nopWriterTo = reflect.TypeOf(io.NopCloser(&bytes.Reader{}))
)

func inMemory(body io.ReadCloser) bool {
	if t := reflect.TypeOf(body); t != nopCloser && t != nopWriterTo {
		return false
	}
	switch reflect.ValueOf(body).Field(0).Interface().(type) {
	case *bytes.Reader, *bytes.Buffer, *strings.Reader:
		return true
	}
	return false
}

// Error returns err, or an error without the token if err or an error in its chain
// shows it.
func Error(err error, token string) error {
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
		err = Error(err, b.token)
	}
	return n, err
}

func (b *body) Close() error { return Error(b.inner.Close(), b.token) }

// writingBody is a body that can write itself to another place.
type writingBody body

func (b *writingBody) Read(p []byte) (int, error) { return (*body)(b).Read(p) }
func (b *writingBody) Close() error               { return (*body)(b).Close() }

func (b *writingBody) WriteTo(w io.Writer) (int64, error) {
	n, err := b.inner.(io.WriterTo).WriteTo(w)
	return n, Error(err, b.token)
}
