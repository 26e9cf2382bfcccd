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

// Hidden has the secrets that nobody may see in an answer: an access token, and
// what it was got with.
type Hidden interface{ Secrets() redact.Secrets }

// Hide keeps secrets out of what package net/http, or the caller, may print of a
// response: the Location of a redirect, and errors of the body. The other content
// stays as the server sent it.
func Hide(resp *http.Response, h Hidden) {
	if resp.StatusCode/100 == 3 {
		for i, location := range resp.Header["Location"] {
			if hidden := hideInURL(location, h.Secrets()); hidden != location {
				resp.Header["Location"][i] = hidden
			}
		}
	}
	// The body of a 101 is a connection that belongs to the caller.
	if resp.Body == nil || resp.StatusCode == http.StatusSwitchingProtocols || !mayQuote(resp) {
		return
	}
	b := &body{resp.Body, h}
	resp.Body = b
	if _, ok := b.inner.(io.WriterTo); ok {
		resp.Body = (*writingBody)(b)
	}
}

// mayQuote reports whether errors of the body may quote the server. Those of a body
// in memory do not, nor those of one of known length over HTTP/1: they spare an
// allocation.
func mayQuote(resp *http.Response) bool {
	if resp.ProtoMajor == 1 && resp.ContentLength > 0 {
		return len(resp.TransferEncoding) > 0
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

// Error returns err, or an error without the secrets if err or an error in its
// chain shows one.
func Error(err error, h Hidden) error {
	if err == nil || err == io.EOF {
		return err
	}
	ss, shown := h.Secrets(), false
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

// hideInURL replaces secrets in a URL, plain or with escapes. The result is a URL
// if s is one.
func hideInURL(s string, ss redact.Secrets) string {
	const mark = "REDACTED"
	for _, secret := range ss {
		s = strings.ReplaceAll(s, secret, mark)
		if !strings.Contains(s, "%") {
			continue
		}
		var escaped strings.Builder
		for _, c := range []byte(secret) {
			fmt.Fprintf(&escaped, "(?:%s|(?i:%%%02x))", regexp.QuoteMeta(string(c)), c)
		}
		s = regexp.MustCompile(escaped.String()).ReplaceAllLiteralString(s, mark)
	}
	return s
}

// body is the body of a response. Its errors show no secret.
type body struct {
	inner  io.ReadCloser
	hidden Hidden
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.inner.Read(p)
	if err != nil {
		err = Error(err, b.hidden)
	}
	return n, err
}

func (b *body) Close() error { return Error(b.inner.Close(), b.hidden) }

// writingBody is a body that can write itself to another place.
type writingBody body

func (b *writingBody) Read(p []byte) (int, error) { return (*body)(b).Read(p) }
func (b *writingBody) Close() error               { return (*body)(b).Close() }

func (b *writingBody) WriteTo(w io.Writer) (int64, error) {
	n, err := b.inner.(io.WriterTo).WriteTo(w)
	return n, Error(err, b.hidden)
}
