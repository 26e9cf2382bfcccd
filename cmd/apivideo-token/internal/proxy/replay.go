package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
)

// maxReplay is how long a request's body may be to be kept in memory, in bytes.
const maxReplay = 1 << 20

// replayer lets the Transport below it send a request twice. It keeps a body
// of up to maxReplay. It streams a longer one, which can be sent again only if
// nothing of it was read. So it asks the API to look at the header first
// (Expect: 100-continue). If the API ignores that, it is not asked again: the
// wait for an answer takes time.
type replayer struct {
	next  http.RoundTripper
	blind atomic.Bool // the API does not answer "Expect: 100-continue"
}

func (t *replayer) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return t.next.RoundTrip(req)
	}
	out := req.Clone(req.Context())
	rest := io.Reader(req.Body)
	if req.ContentLength <= maxReplay { // or unknown
		head, err := io.ReadAll(io.LimitReader(req.Body, maxReplay+1))
		if err != nil {
			req.Body.Close()
			return nil, err
		}
		if len(head) <= maxReplay {
			keep(out, head)
			return t.next.RoundTrip(out)
		}
		rest = io.MultiReader(bytes.NewReader(head), req.Body)
	}
	return t.stream(out, &stream{from: rest})
}

// stream sends a request with a body that is not kept.
func (t *replayer) stream(req *http.Request, s *stream) (*http.Response, error) {
	if t.blind.Load() {
		req.Body, _ = s.open()
		return t.next.RoundTrip(req)
	}
	var asked, told atomic.Bool
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		Wait100Continue: func() { asked.Store(true) },
		Got100Continue:  func() { told.Store(true) },
	}))
	req.Header.Set("Expect", "100-continue")
	req.Body, _ = s.open()
	req.GetBody = s.open
	resp, err := t.next.RoundTrip(req)
	if err == nil && asked.Load() && !told.Load() && s.wasRead() {
		t.blind.Store(true)
	}
	return resp, err
}

// keep gives req a body in memory.
func keep(req *http.Request, body []byte) {
	req.ContentLength = int64(len(body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Body, _ = req.GetBody()
}

// errRead is why a streamed body cannot be sent again.
var errRead = errors.New("a part of the body was sent already")

// stream makes readers of one body. Only the latest reader may read. The
// server that received the body closes it.
type stream struct {
	from io.Reader

	mu     sync.Mutex // guards what follows
	latest *attempt
	read   bool
}

func (s *stream) wasRead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read
}

// open returns a reader, unless an earlier one has read.
func (s *stream) open() (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read {
		return nil, errRead
	}
	s.latest = &attempt{s}
	return s.latest, nil
}

type attempt struct{ *stream }

func (a *attempt) Read(b []byte) (int, error) {
	a.mu.Lock()
	stale := a.latest != a
	a.stream.read = a.stream.read || !stale
	a.mu.Unlock()
	if stale {
		return 0, errRead
	}
	return a.from.Read(b)
}

func (a *attempt) Close() error { return nil }
