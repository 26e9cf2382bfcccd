package apivideo_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/internal/memstore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// crashes are ways of foreign code not to return.
var crashes = map[string]func(){
	"panic":  func() { panic("made-up panic") },
	"Goexit": runtime.Goexit,
}

// eachCrash runs a test in a bubble for each of the crashes.
func eachCrash(t *testing.T, f func(t *testing.T, w *world, crash func())) {
	for name, crash := range crashes {
		t.Run(name, inBubble(func(t *testing.T, w *world) { f(t, w, crash) }))
	}
}

// apart runs f in a goroutine. f may panic, or end the goroutine.
func apart(f func()) {
	go func() {
		defer func() { _ = recover() }()
		f()
	}()
}

// strange is a context whose methods a test replaces.
type strange struct {
	context.Context
	done  func() <-chan struct{}
	err   func() error
	value func(any) any
}

func (s strange) Done() <-chan struct{} {
	if s.done == nil {
		return s.Context.Done()
	}
	return s.done()
}

func (s strange) Err() error {
	if s.err == nil {
		return s.Context.Err()
	}
	return s.err()
}

func (s strange) Value(key any) any {
	if s.value == nil {
		return s.Context.Value(key)
	}
	return s.value(key)
}

func TestSourceNilContext(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src := w.source()
		w.srv.SetAuthLatency(time.Second)
		for _, get := range []func(context.Context) (*oauth2.Token, error){src.TokenContext, src.Renew, w.conf.Token} {
			apart(func() { _, _ = get(nil) })
		}
		synctest.Wait()
		_, took := mustToken(t, src)
		assert.Equal(t, time.Second, took)
	})
}

// A strange context harms only the caller that passed it.
func TestSourceStrangeContext(t *testing.T) {
	for name, play := range map[string]func(s *strange, block func()){
		"Done panics": func(s *strange, _ func()) { s.done = func() <-chan struct{} { panic("made-up") } },
		"Err panics":  func(s *strange, _ func()) { s.err = func() error { panic("made-up") } },
		"Err ends":    func(s *strange, _ func()) { s.err = func() error { runtime.Goexit(); return nil } },
		"Err blocks":  func(s *strange, block func()) { s.err = func() error { block(); return nil } },
		"Value panics": func(s *strange, _ func()) {
			s.err, s.value = func() error { return context.Canceled }, func(any) any { panic("made-up") }
		},
		"Value blocks": func(s *strange, block func()) {
			s.err, s.value = func() error { return context.Canceled }, func(any) any { block(); return nil }
		},
	} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			released := make(chan struct{})
			defer close(released)
			w.srv.SetAuthLatency(time.Second)
			src := w.source()
			client := src.Client(w.ctx)
			ctx := strange{Context: t.Context()}
			play(&ctx, func() { <-released })
			apart(func() { _, _ = src.TokenContext(ctx) })
			apart(func() { _, _ = src.Renew(ctx) })
			apart(func() {
				req, _ := http.NewRequestWithContext(ctx, "GET", w.srv.URL+"/videos", nil)
				_, _ = client.Transport.RoundTrip(req)
			})
			synctest.Wait()
			hurried, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := src.TokenContext(hurried)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			w.get(t, client, 200)
			mustRenew(t, src)
			src.Stats()
		}))
	}
}

// It ends after a call began, where no caller could recover a panic.
func TestConfigTokenStrangeContext(t *testing.T) {
	for name, end := range map[string]func() error{
		"panics": func() error { panic("made-up") },
		"ends":   func() error { runtime.Goexit(); return nil },
		"is nil": func() error { return nil },
	} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			w.srv.SetAuthLatency(time.Minute)
			over, calls := make(chan struct{}), atomic.Int64{}
			time.AfterFunc(time.Second, func() { close(over) })
			ctx := strange{
				Context: w.ctx,
				done:    func() <-chan struct{} { return over },
				err: func() error {
					if calls.Add(1) > 1 {
						return end()
					}
					return nil
				},
			}
			start := time.Now()
			_, err := w.conf.Token(ctx)
			assert.Error(t, err)
			assert.Equal(t, time.Second, time.Since(start))
		}))
	}
}

// A fake that calls require.Equal ends the goroutine that it runs in.
func TestSourceBaseCrash(t *testing.T) {
	eachCrash(t, func(t *testing.T, w *world, crash func()) {
		log := w.log()
		src := w.source()
		w.setAuth(func(*http.Request) (*http.Response, error) { crash(); return nil, nil })
		_, err := src.Token()
		require.Error(t, err)
		assert.True(t, asError(t, err).Temporary())
		_, err = w.conf.Token(w.ctx)
		assert.Error(t, err)
		synctest.Wait()
		assert.Contains(t, log.String(), "level=ERROR msg=\"api.video: code called by the library crashed\"")
		assert.Equal(t, strings.Contains(err.Error(), "made-up panic"), strings.Contains(log.String(), "foreign_test.go"), "the stack")
		w.setAuth(nil)
		time.Sleep(time.Second)
		mustToken(t, src)
	})
}

// A panic in the goroutine of the caller goes to the caller.
func TestTransportBaseCrash(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.warmClient(t)
		w.setAPI(func(*http.Request) (*http.Response, error) { panic("made-up") })
		assert.PanicsWithValue(t, "made-up", func() { _, _ = client.Get(w.srv.URL + "/videos") })
		w.setAPI(nil)
		w.get(t, client, 200)
	})
}

// played is a log handler whose behavior a test sets.
type played struct {
	slog.Handler
	handle func()
}

func (p played) Handle(context.Context, slog.Record) error { p.handle(); return nil }

// The Store fails too, so that there is much to log.
func TestSourceLoggerDelaysNobody(t *testing.T) {
	var released chan struct{}
	for name, handle := range map[string]func(){
		"blocks": func() { <-released }, "panics": crashes["panic"], "ends": runtime.Goexit,
	} {
		t.Run(name, inFleet(func(t *testing.T, w *world) {
			released = make(chan struct{})
			defer close(released)
			w.conf.Logger = slog.New(played{slog.NewTextHandler(io.Discard, nil), handle})
			w.store.SetFault(memstore.Fault{Err: errors.New("made-up")})
			client := w.client()
			for range 5 {
				assert.Zero(t, w.get(t, client, 200))
				w.srv.RevokeAccessTokens()
				synctest.Wait()
			}
			w.fail(refusal("made-up"))
			w.get(t, client, 401)
			for range 500 {
				resp, err := client.Get("http://elsewhere.example/videos")
				require.NoError(t, err)
				resp.Body.Close()
			}
		}))
	}
}

func TestConfigNilPointers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.conf.Store = (*memstore.Store)(nil)
		_, err := w.source().Token()
		assert.ErrorIs(t, err, apivideo.ErrInvalidConfig)
		assert.ErrorContains(t, err, "Config.Store is a nil *memstore.Store")
		_, err = w.conf.Token(w.ctx)
		assert.ErrorIs(t, err, apivideo.ErrInvalidConfig)
		assert.Zero(t, w.authCalls())
	})
	old := http.DefaultTransport
	defer func() { http.DefaultTransport = old }()
	http.DefaultTransport = grant("made-up-token", "")
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: (*http.Transport)(nil)})
	src := (&apivideo.Config{APIKey: "made-up-key"}).Source(ctx)
	for _, tr := range []http.RoundTripper{src.Client(ctx).Transport, &apivideo.Transport{Source: src, Base: (*http.Transport)(nil)}} {
		_, err := tr.RoundTrip(videos())
		assert.NoError(t, err)
	}
}

func TestTransportAsDefaultTransport(t *testing.T) {
	old := http.DefaultTransport
	defer func() { http.DefaultTransport = old }()
	rec := &recorder{}
	http.DefaultTransport = rec
	src := sourceThrough(t, apivideo.Config{}, grant("made-up-token", ""))
	plain := (&apivideo.Config{APIKey: "made-up-key"}).Client(t.Context()).Transport
	http.DefaultTransport = &apivideo.Transport{Source: src}
	http.DefaultTransport.(*apivideo.Transport).CloseIdleConnections()
	resp, err := http.Get(apivideo.ProductionURL + "/videos")
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, "Bearer made-up-token", rec.last().Header.Get("Authorization"))

	http.DefaultTransport = plain
	_, err = http.Get(apivideo.ProductionURL + "/videos")
	assert.ErrorContains(t, err, "the answer (200 OK, text/plain) is unusable")
}
