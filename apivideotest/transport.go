package apivideotest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
)

// errBroken is the error of a broken connection.
var errBroken = errors.New("apivideotest: the connection was broken")

// Transport returns an [http.RoundTripper] that reaches the server in memory,
// whatever host a request names. It works inside a bubble of testing/synctest
// if the server was made there. It respects the context of the request. A
// response is complete before it is returned.
func (s *Server) Transport() http.RoundTripper { return inMemory{s} }

type inMemory struct{ server *Server }

// RoundTrip implements [http.RoundTripper].
func (m inMemory) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	body := []byte{}
	if req.Body != nil {
		var err error
		body, err = io.ReadAll(req.Body)
		req.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	served := make(chan *http.Response, 1)
	go func() {
		var resp *http.Response
		defer func() { served <- resp }() // nil if the handler ends the goroutine
		resp = m.serve(req, body)
	}()
	select {
	case resp := <-served:
		if resp == nil {
			return nil, errBroken
		}
		return resp, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve returns the response, or nil if the handler broke the connection.
func (m inMemory) serve(req *http.Request, body []byte) (resp *http.Response) {
	in := req.Clone(req.Context())
	in.Body = io.NopCloser(bytes.NewReader(body))
	in.ContentLength = int64(len(body))
	in.RequestURI = req.URL.RequestURI()
	in.RemoteAddr = "192.0.2.1:1234" // of a network for documentation
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	defer func() {
		if v := recover(); v != nil && v != http.ErrAbortHandler {
			panic(v)
		}
	}()
	w := httptest.NewRecorder()
	m.server.ServeHTTP(w, in)
	resp = w.Result()
	if req.Method == http.MethodHead {
		resp.Body = http.NoBody
	}
	resp.Request = req
	return resp
}
