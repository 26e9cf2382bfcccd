// Package network_test proves what becomes of auth calls and requests when the
// network between a program and the service is at fault.
//
// The tests run on Linux: they listen on addresses of 127.0.0.0/8 that other
// systems must first be given, and name a certificate with SSL_CERT_FILE.
package network_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// videos is what the API answers.
const videos = `{"data":[]}`

// service is the stand-in for api.video on a server of the test's own. It keeps
// every secret there is, and all that was said where none may be.
type service struct {
	*apivideotest.Server
	host *httptest.Server
	conf *apivideo.Config

	mu      sync.Mutex // guards what follows
	paths   []string   // of the auth calls
	before  func(path string)
	secrets []string
	said    map[string]bool
}

// newService returns a service that does not listen yet. At the end of the test
// it looks for secrets in what was said.
func newService(t *testing.T) *service {
	s := &service{Server: apivideotest.NewUnstartedServer(), said: map[string]bool{}}
	s.HandleFunc("/videos", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, videos)
	})
	s.conf = s.Config()
	s.conf.Logger = slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.secrets = []string{s.conf.APIKey}
	s.host = httptest.NewUnstartedServer(s)
	s.host.Config.ErrorLog = log.New(s, "", 0)
	t.Cleanup(func() {
		s.host.Close()
		s.assertNoSecretSaid(t)
	})
	return s
}

// start has the service listen, for http.
func (s *service) start() {
	s.host.Start()
	s.conf.BaseURL = s.host.URL
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/auth/") {
		s.Server.ServeHTTP(w, r)
		return
	}
	s.mu.Lock()
	s.paths = append(s.paths, r.URL.Path)
	before := s.before
	s.mu.Unlock()
	if before != nil {
		before(r.URL.Path)
	}
	answer := httptest.NewRecorder()
	s.Server.ServeHTTP(answer, r)
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if json.Unmarshal(answer.Body.Bytes(), &tokens) == nil && tokens.Access != "" {
		s.mu.Lock()
		s.secrets = append(s.secrets, tokens.Access, tokens.Refresh)
		s.mu.Unlock()
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

// onAuthCall has f called before an auth call is served.
func (s *service) onAuthCall(f func(path string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

// authPaths are those of the auth calls that arrived.
func (s *service) authPaths() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.paths)
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

// hear keeps what an error, and each in its chain, says in every way that it can
// be printed.
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

// assertNoSecretSaid looks for the beginning of every secret: the rest may have
// been cut off on the way.
func (s *service) assertNoSecretSaid(t *testing.T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for said := range s.said {
		for _, secret := range s.secrets {
			assert.NotContains(t, said, secret[:16])
		}
	}
}

// renewal begins to renew the token of a Source and returns where its end will
// be told.
func renewal(source *apivideo.Source) <-chan error {
	end := make(chan error, 1)
	go func() {
		_, err := source.Renew(context.Background())
		end <- err
	}()
	return end
}

// receive returns what a channel brings.
func receive[T any](t *testing.T, from <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		require.FailNow(t, "waited in vain for "+what)
	}
	return v
}

// renews has a Source renew its token until that succeeds, and returns the auth
// calls that arrived meanwhile.
func (s *service) renews(t *testing.T, source *apivideo.Source) (paths []string) {
	t.Helper()
	before := len(s.authPaths())
	require.Eventually(t, func() bool {
		_, err := source.Renew(t.Context())
		s.hear(err)
		return err == nil
	}, patience, 10*time.Millisecond)
	return s.authPaths()[before:]
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
