// Package network_test tests auth calls and requests while the network between a
// program and the service fails.
//
// The tests run on Linux: they listen on addresses of 127.0.0.0/8 that other
// systems must first be given, and name a certificate with SSL_CERT_FILE.
package network_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/secret"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// videos is what the API answers.
const videos = `{"data":[]}`

// op is an operation of the service.
type op = apivideotest.Op

const (
	authenticate = apivideotest.Authenticate
	refresh      = apivideotest.Refresh
)

// service is a fake api.video on an HTTP server of the test. It keeps all output
// that must not contain a secret.
type service struct {
	*apivideotest.Server
	host                  *httptest.Server
	conf                  *apivideo.Config
	connections, requests atomic.Int64 // that the host has seen

	mu     sync.Mutex // guards what follows
	arrive func(op)   // is called before an auth call is served, unless it is nil
	calls  []op
	said   map[string]bool
}

// newService returns a service that the function start starts. At the end of the
// test it looks for secrets in the output.
func newService(t *testing.T, start func(*httptest.Server)) *service {
	s := &service{Server: apivideotest.NewUnstartedServer(), said: map[string]bool{}}
	s.HandleFunc("/videos", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, videos)
	})
	s.FailFunc(s.arrived)
	s.host = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		s.ServeHTTP(w, r)
	}))
	s.host.Config.ErrorLog = log.New(s, "", 0)
	s.host.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	s.host.EnableHTTP2 = true
	start(s.host)
	s.conf = s.Config()
	s.conf.BaseURL = s.host.URL
	s.conf.Logger = slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug}))
	t.Cleanup(func() {
		s.host.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		for said := range s.said {
			assert.Empty(t, secret.In(said), "%q", said)
			assert.NotContains(t, said, password)
		}
	})
	return s
}

func (s *service) arrived(o op) (none apivideotest.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, o)
	if s.arrive != nil {
		s.arrive(o)
	}
	return none
}

// onAuthCall has f called before an auth call is served.
func (s *service) onAuthCall(f func(op)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrive = f
}

// authCalls are those that arrived.
func (s *service) authCalls() []op {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Write keeps what is logged.
func (s *service) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said[string(line)] = true
	return len(line), nil
}

// failedRenewals counts those that were logged.
func (s *service) failedRenewals() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for said := range s.said {
		if strings.Contains(said, "no new access token") {
			n++
		}
	}
	return n
}

// hear keeps the text of an error, and of each error in its chain, as printed with
// every verb.
func (s *service) hear(err error) {
	if err == nil {
		return
	}
	fmt.Fprintf(s, "%v %+v %#v", err, err, err)
	switch outer := err.(type) {
	case interface{ Unwrap() error }:
		s.hear(outer.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range outer.Unwrap() {
			s.hear(inner)
		}
	}
}

// failure returns the apivideo.Error in err, which may pass.
func (s *service) failure(t *testing.T, err error) *apivideo.Error {
	t.Helper()
	s.hear(err)
	failed, ok := errors.AsType[*apivideo.Error](err)
	require.True(t, ok, "%v is no *apivideo.Error", err)
	assert.True(t, failed.Temporary(), "%v", err)
	return failed
}

// besiege lets 20 goroutines request a token, which fails. They do so a
// thousand times a second, for at least 3 seconds and a thousand requests. It
// returns the highest number of flights that the memory of failures allows, and
// one of the errors.
func (s *service) besiege(t *testing.T, ask func() error) (flights int64, err error) {
	t.Helper()
	var asked, served atomic.Int64
	var failures sync.Map // by what they say
	start := time.Now()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for time.Since(start) < 3*time.Second || asked.Load() < 1000 {
				asked.Add(1)
				if err := ask(); err != nil {
					failures.Store(err.Error(), err)
				} else {
					served.Add(1)
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	wg.Wait()
	require.Zero(t, served.Load())
	failures.Range(func(_, failure any) bool {
		err = failure.(error)
		s.hear(err)
		return true
	})
	// The pauses are at least half of 1 s, 2 s, 4 s and so on, up to 30 s.
	flights = 1
	for left, pause := time.Since(start), time.Second/2; left >= pause; pause = min(2*pause, 15*time.Second) {
		left -= pause
		flights++
	}
	return flights, err
}

// renewal starts a renewal of a Source's token. The channel gets its result.
func renewal(source *apivideo.Source) <-chan error {
	end := make(chan error, 1)
	go func() {
		_, err := source.Renew(context.Background())
		end <- err
	}()
	return end
}

// receive returns what a channel brings.
func receive[T any](t *testing.T, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		require.FailNow(t, "waited in vain")
	}
	return v
}

// renews renews the token of a Source until that succeeds. It returns the auth calls
// that arrived in that time.
func (s *service) renews(t *testing.T, source *apivideo.Source) []op {
	t.Helper()
	before := len(s.authCalls())
	require.Eventually(t, func() bool {
		_, err := source.Renew(t.Context())
		s.hear(err)
		return err == nil
	}, patience, 10*time.Millisecond)
	return s.authCalls()[before:]
}

// over returns a context whose HTTP client is over base.
func over(t *testing.T, base http.RoundTripper) context.Context {
	return context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: base})
}

// body reads the body of a response to its end.
func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return string(data)
}
