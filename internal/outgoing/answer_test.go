package outgoing_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/internal/outgoing"
	"github.com/apivideo/api.video-go-oauth2/internal/redact"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

const (
	token        = "made-up/token+0123456789"
	refreshToken = "made-up-refresh-token"
	key          = "made-up-key"
)

type secret string

func (s secret) Secrets() redact.Secrets { return redact.New(string(s)) }

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// client returns a client for the API at this URL. Auth calls succeed in memory.
func client(t *testing.T, baseURL string, base http.RoundTripper) *http.Client {
	auth := tripper(func(*http.Request) (*http.Response, error) {
		body := `{"access_token":"` + token + `","refresh_token":"` + refreshToken + `"}`
		return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(body))}, nil
	})
	conf := apivideo.Config{APIKey: key, BaseURL: baseURL}
	src := conf.Source(context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: auth}))
	return &http.Client{Transport: &apivideo.Transport{Source: src, Base: base}}
}

// echo serves connections with an answer that has the Authorization header of the
// request at each %s.
func echo(t *testing.T, answer string) (baseURL string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				io.WriteString(conn, strings.ReplaceAll(answer, "%s", req.Header.Get("Authorization")))
			}
			conn.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

// chain is the texts of an error and of all errors behind it.
func chain(err error) string {
	text := err.Error() + fmt.Sprintf(" %+v %#v", err, err)
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			text += "\n" + chain(err)
		}
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			text += "\n" + chain(inner)
		}
	}
	return text
}

// Promise: No error of a request or of its body shows the access token, the refresh token or the key, even if the server echoes it.
func TestErrorsHideAnEchoedToken(t *testing.T) {
	for _, answer := range []string{
		"%s\r\n\r\n",
		"HTTP/1.1 %s\r\n\r\n",
		"HTTP/1.1 200 OK\r\n%s\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: %s://%zz\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/?t=%s\r\n\r\n",
		"HTTP/1.1 307 Temporary\r\nLocation: http://127.0.0.1:1/" + url.QueryEscape(token) + "\r\n\r\n",
		"HTTP/1.1 301 Moved\r\nLocation: made-up://" + strings.ReplaceAll(token, "m", "%6d") + "/\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX-Echo " + key + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + refreshToken + "\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/?t=" + refreshToken + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n%s\r\n\r\n",
		"HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n%s\r\n\r\n",
	} {
		base := echo(t, answer)
		resp, err := client(t, base, nil).Get(base + "/videos")
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		require.Error(t, err, answer)
		text := chain(err)
		plain, _ := url.QueryUnescape(text)
		for _, secret := range []string{token, refreshToken, key} {
			assert.NotContains(t, text, secret, answer)
			assert.NotContains(t, plain, secret, answer)
		}
	}
}

type opaque struct{ text string }

func (e *opaque) Error() string { return e.text }

// failing is a body that fails with an error that shows the token.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error)         { return 0, f.err }
func (f failing) Close() error                     { return f.err }
func (f failing) WriteTo(io.Writer) (int64, error) { return 0, f.err }

func TestErrorsOfABaseHideTheToken(t *testing.T) {
	shows := fmt.Errorf("a: %w", errors.Join(&opaque{"Bearer " + token}, context.DeadlineExceeded, net.ErrClosed))
	hides := &opaque{"a base's own"}
	for want, test := range map[error]bool{shows: false, hides: true} {
		for _, base := range []tripper{
			func(*http.Request) (*http.Response, error) { return nil, want },
			func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Body: failing{want}}, nil
			},
		} {
			resp, err := client(t, "", base).Get("https://ws.api.video/videos")
			errs := []error{err}
			if err == nil {
				_, read := resp.Body.Read(make([]byte, 8))
				_, written := io.Copy(io.Discard, resp.Body)
				errs = []error{read, written, resp.Body.Close()}
			}
			for _, err := range errs {
				require.Error(t, err)
				assert.NotContains(t, chain(err), token)
				assert.Equal(t, test, errors.As(err, new(*opaque)), "the base's own error stays if it has no secret")
				assert.Equal(t, !test, errors.Is(err, context.DeadlineExceeded) && errors.Is(err, net.ErrClosed))
			}
		}
	}
}

// duplex is the body of a 101.
type duplex struct{ bytes.Buffer }

func (*duplex) Close() error { return nil }

func TestBodyKeepsItsAbilities(t *testing.T) {
	for _, body := range []io.ReadCloser{nil, http.NoBody, &duplex{}} {
		resp := &http.Response{StatusCode: 101, Body: body}
		outgoing.Hide(resp, secret(token))
		assert.Equal(t, body, resp.Body)
	}
	for _, body := range []io.ReadCloser{io.NopCloser(strings.NewReader("text")), io.NopCloser(io.MultiReader(strings.NewReader("text")))} {
		resp := &http.Response{StatusCode: 200, Body: body}
		outgoing.Hide(resp, secret(token))
		_, had := body.(io.WriterTo)
		_, has := resp.Body.(io.WriterTo)
		assert.Equal(t, had, has)
		var b strings.Builder
		n, err := io.Copy(&b, resp.Body)
		require.NoError(t, err)
		assert.EqualValues(t, 4, n)
		assert.Equal(t, "text", b.String())
	}
}

// Where the token is no part of the Location, its spelling stays.
func TestLocationStaysAsItIs(t *testing.T) {
	for location, want := range map[string]string{
		"/a%2fb?%6d": "/a%2fb?%6d", "": "", "/?a=" + token + "&b=%2F" + token: "/?a=REDACTED&b=%2FREDACTED",
		"/" + url.PathEscape(token): "/REDACTED",
	} {
		resp := &http.Response{StatusCode: 302, Header: http.Header{"Location": {location}}}
		outgoing.Hide(resp, secret(token))
		assert.Equal(t, want, resp.Header.Get("Location"))
		created := &http.Response{StatusCode: 201, Header: http.Header{"Location": {location}}}
		outgoing.Hide(created, secret(token))
		assert.Equal(t, location, created.Header.Get("Location"), "nobody prints it")
	}
}

// Promise: A response body whose errors cannot quote the server costs no allocation.
func TestBodyWithoutForeignErrorsIsKept(t *testing.T) {
	stream := io.NopCloser(io.MultiReader(strings.NewReader("text")))
	for name, test := range map[string]struct {
		resp http.Response
		kept bool
	}{
		"known length": {http.Response{ProtoMajor: 1, ContentLength: 4, Body: stream}, true},
		"empty":        {http.Response{ProtoMajor: 1, Body: http.NoBody}, true},
		"no length":    {http.Response{ProtoMajor: 1, Body: stream}, false},
		"a file":       {http.Response{Body: &duplex{}}, false},
		"in memory":    {http.Response{Body: io.NopCloser(strings.NewReader("text"))}, true},
		"chunks":       {http.Response{ProtoMajor: 1, ContentLength: -1, Body: stream}, false},
		"HTTP/2":       {http.Response{ProtoMajor: 2, ContentLength: 4, Body: stream}, false},
		"another base": {http.Response{ContentLength: 4, Body: stream}, false},
	} {
		body := test.resp.Body
		outgoing.Hide(&test.resp, secret(token))
		assert.Equal(t, test.kept, body == test.resp.Body, name)
	}
}
