package apivideo_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// bubble runs a test in virtual time, against a server in memory that has one
// handler, GET and POST /videos.
func bubble(t *testing.T, f func(t *testing.T, srv *apivideotest.Server, ctx context.Context)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := apivideotest.NewUnstartedServer()
		srv.HandleFunc("/videos", listVideos)
		f(t, srv, srv.Context(t.Context()))
	})
}

func listVideos(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	io.WriteString(w, `{"data":[]}`)
}

// tripper is a RoundTripper made of a function.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// through returns a context whose auth calls pass f.
func through(ctx context.Context, f tripper) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: f})
}

// answer makes a response.
func answer(status int, contentType, body string) *http.Response {
	return &http.Response{
		StatusCode: status,
		Header:     http.Header{"Content-Type": {contentType}},
		Body:       io.NopCloser(strings.NewReader(body)),
	}
}

// grantOf is the answer of the service for these tokens.
func grantOf(access, refresh string, lifetime int) *http.Response {
	body, _ := json.Marshal(map[string]any{
		"token_type": "Bearer", "access_token": access, "refresh_token": refresh, "expires_in": lifetime,
	})
	return answer(200, "application/json", string(body))
}

// mustToken gets a token and reports how long that took.
func mustToken(t *testing.T, src *apivideo.Source) (*oauth2.Token, time.Duration) {
	t.Helper()
	start := time.Now()
	tok, err := src.Token()
	require.NoError(t, err)
	return tok, time.Since(start)
}

// get calls the API and returns the status, and how long it took.
func get(t *testing.T, client *http.Client, srv *apivideotest.Server) (int, time.Duration) {
	t.Helper()
	start := time.Now()
	resp, err := client.Get(srv.URL + "/videos")
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, time.Since(start)
}

// together runs f n times at once and waits.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// asError returns the apivideo.Error in err.
func asError(t *testing.T, err error) *apivideo.Error {
	t.Helper()
	e, ok := errors.AsType[*apivideo.Error](err)
	require.True(t, ok, "%v is no *apivideo.Error", err)
	return e
}

// memoryStore is a Store in a map, whose failures a test can play.
type memoryStore struct {
	mu     sync.Mutex
	values map[string][]byte
	locks  map[string]chan struct{}
	loads  int
	err    error         // of every call
	hang   chan struct{} // if not nil, calls ignore their context until it is closed
}

func newMemoryStore() *memoryStore {
	return &memoryStore{values: map[string][]byte{}, locks: map[string]chan struct{}{}}
}

func (s *memoryStore) trouble() error {
	s.mu.Lock()
	hang, err := s.hang, s.err
	s.mu.Unlock()
	if hang != nil {
		<-hang
	}
	return err
}

func (s *memoryStore) set(err error, hang chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.hang = err, hang
}

func (s *memoryStore) Load(ctx context.Context, key string) ([]byte, error) {
	if err := s.trouble(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loads++
	return s.values[key], nil
}

func (s *memoryStore) lock(key string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locks[key] == nil {
		s.locks[key] = make(chan struct{}, 1)
	}
	return s.locks[key]
}

// seize holds the lock of every key, as a process does that never ends, and
// deletes the values.
func (s *memoryStore) seize() {
	for key := range s.values {
		s.lock(key) <- struct{}{}
	}
	clear(s.values)
}

func (s *memoryStore) Update(ctx context.Context, key string, fn func(context.Context, []byte) ([]byte, error)) error {
	if err := s.trouble(); err != nil {
		return err
	}
	lock := s.lock(key)
	select {
	case lock <- struct{}{}:
		defer func() { <-lock }()
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	old := s.values[key]
	s.mu.Unlock()
	value, err := fn(ctx, old)
	if err != nil || value == nil {
		return err
	}
	if err := s.trouble(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[key] = value
	return nil
}
