package apivideo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
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

// Promise: A nil context is `context.Background()`.
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
//
// Promise: A context that panics or blocks harms only its caller.
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
//
// Promise: A context that panics or blocks harms only its caller.
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
//
// Promise: A panic of an HTTP client is an error of that renewal, and is logged with its stack.
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
//
// Promise: A panic of an HTTP client in the goroutine of a caller goes to that caller.
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
//
// Promise: A Logger that blocks or panics delays nobody.
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

// Promise: A nil pointer as the Store is a mistake in the settings; as a transport it counts as nil.
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

// Promise: A Transport may be `http.DefaultTransport`.
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

// playedStore is a Store whose calls a test can replace. The other calls reach
// a memstore.
type playedStore struct {
	*memstore.Store
	load   func() ([]byte, error)
	update func(ctx context.Context, key string, fn updateFunc) error
}

func (p *playedStore) Load(ctx context.Context, key string) ([]byte, error) {
	if p.load != nil {
		return p.load()
	}
	return p.Store.Load(ctx, key)
}

func (p *playedStore) Update(ctx context.Context, key string, fn updateFunc) error {
	if p.update != nil {
		return p.update(ctx, key, fn)
	}
	return p.Store.Update(ctx, key, fn)
}

// Whatever the Store does, a request is served without it.
//
// Promise: A panic of a Store is a failure of the Store.
func TestStoreCrashIsAFailureOfIt(t *testing.T) {
	eachCrash(t, func(t *testing.T, w *world, crash func()) {
		store := &playedStore{Store: memstore.New()}
		w.conf.Store = store
		log := w.log()
		client := w.client()
		for name, play := range map[string]func(){
			"Load":       func() { store.load = func() ([]byte, error) { crash(); return nil, nil } },
			"Update":     func() { store.update = func(context.Context, string, updateFunc) error { crash(); return nil } },
			"after fn":   func() { store.update = store.broken(crash) },
			"at nothing": func() {},
		} {
			store.load, store.update = nil, nil
			play()
			w.get(t, client, 200)
			w.srv.RevokeAccessTokens()
			synctest.Wait()
			assert.Equal(t, name != "at nothing", strings.Contains(log.String(), "code called by the library crashed"), name)
			log.Reset()
		}
	})
}

// broken calls fn and then crash.
func (p *playedStore) broken(crash func()) func(context.Context, string, updateFunc) error {
	return func(ctx context.Context, key string, fn updateFunc) error {
		_, _ = fn(ctx, p.Value(key))
		crash()
		return nil
	}
}

// contained is the error of a Store that contains a crash itself.
type contained struct{ error }

func (contained) Stack() []byte { return []byte("made-up stack") }

// Promise: The stack of a crash that a Store contains itself is logged, if its error has a method Stack.
func TestStoreCrashOfItsOwnIsLogged(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		log := w.log()
		w.conf.Store = hooks{load: func(context.Context, string) ([]byte, error) {
			return nil, fmt.Errorf("loading: %w", contained{errors.New("the driver crashed")})
		}}
		mustToken(t, w.source())
		synctest.Wait()
		assert.Contains(t, log.String(), "made-up stack")
		assert.Contains(t, log.String(), "level=ERROR")
	})
}

// A Store that breaks its promise about fn makes no second auth call.
//
// Promise: A Store that calls `fn` twice, late or never causes no second auth call.
func TestStoreUpdateLies(t *testing.T) {
	for name, update := range map[string]func(ctx context.Context, fn updateFunc) error{
		"calls fn twice": func(ctx context.Context, fn updateFunc) error {
			_, _ = fn(ctx, []byte("made-up"))
			_, err := fn(ctx, nil)
			return err
		},
		"calls fn at once in two goroutines": func(ctx context.Context, fn updateFunc) error {
			together(2, func(int) { _, _ = fn(ctx, nil) })
			return nil
		},
		"does not call fn": func(context.Context, updateFunc) error { return nil },
		"calls fn after it returned": func(ctx context.Context, fn updateFunc) error {
			time.AfterFunc(5*time.Second, func() { _, _ = fn(ctx, nil) })
			return nil
		},
		"hides the error of fn": func(ctx context.Context, fn updateFunc) error {
			_, _ = fn(ctx, nil)
			return nil
		},
		"has a nil context": func(_ context.Context, fn updateFunc) error {
			_, err := fn(nil, nil)
			return err
		},
	} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			store := &playedStore{Store: memstore.New()}
			store.update = func(ctx context.Context, _ string, fn updateFunc) error { return update(ctx, fn) }
			w.conf.Store = store
			src := w.source()
			_, took := mustToken(t, src)
			assert.LessOrEqual(t, took, 2*time.Second)
			time.Sleep(10 * time.Second)
			assert.Equal(t, 1, w.authCalls())
			atOnce(t, src)
		}))
	}
}

// strangeError is an error whose methods a test replaces.
type strangeError struct{ text, unwrap, as func() }

func (e *strangeError) Error() string { e.text(); return "made-up" }
func (e *strangeError) Unwrap() error { e.unwrap(); return nil }
func (e *strangeError) As(any) bool   { e.as(); return false }

// Such a panic shows what the function was working on.
//
// Promise: A panic of `APIKeyFunc` that shows a known key is logged without the key.
func TestAPIKeyFuncPanicWithAKnownKey(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		log, key, calls := w.log(), w.conf.APIKey, 0
		w.conf.APIKey, w.conf.APIKeyFunc = "", func(context.Context) (string, error) {
			if calls++; calls > 1 {
				panic("cannot decode " + key)
			}
			return key, nil
		}
		src, _ := w.warm(t)
		mustRenew(t, src)
		synctest.Wait()
		assert.Contains(t, log.String(), "code called by the library crashed")
		assert.Contains(t, log.String(), "panic: cannot decode [redacted]")
		assert.NotContains(t, log.String(), key)
	})
}

// Promise: `APIKeyFunc`, and the methods of its error, can neither block nor panic a Source.
func TestAPIKeyFuncIsForeign(t *testing.T) {
	none := func() {}
	var block func()
	const key = "a-made-up-key-of-nobody"
	for name, get := range map[string]func() (string, error){
		"panics":              func() (string, error) { panic("made-up") },
		"ends":                func() (string, error) { runtime.Goexit(); return "", nil },
		"blocks":              func() (string, error) { block(); return key, nil },
		"error's text panics": func() (string, error) { return "", &strangeError{crashes["panic"], none, none} },
		"error's text blocks": func() (string, error) { return "", &strangeError{func() { block() }, none, none} },
		"Unwrap panics":       func() (string, error) { return "", &strangeError{none, crashes["panic"], none} },
		"Unwrap ends":         func() (string, error) { return "", &strangeError{none, runtime.Goexit, none} },
		"As blocks":           func() (string, error) { return "", &strangeError{none, none, func() { block() }} },
		"As panics":           func() (string, error) { return "", &strangeError{none, none, crashes["panic"]} },
	} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			first, second := make(chan struct{}), make(chan struct{})
			defer close(second)
			var calls atomic.Int64
			block = func() {
				if calls.Load() == 1 {
					<-first
				} else {
					<-second
				}
			}
			log, real := w.log(), w.conf.APIKey
			w.conf.APIKey, w.conf.APIKeyFunc = "", func(context.Context) (string, error) {
				if calls.Add(1) == 2 {
					return real, nil
				}
				return get()
			}
			src := w.source()
			start := time.Now()
			_, err := src.Token()
			assert.Error(t, err)
			assert.LessOrEqual(t, time.Since(start), 6*time.Second)
			assert.Equal(t, 1, strings.Count(err.Error(), "apivideo: "), err)
			close(first) // calls do not overlap: one that blocks holds back the next
			time.Sleep(time.Minute)
			mustToken(t, src)
			mustRenew(t, src) // an earlier key is known now
			synctest.Wait()
			crashed := strings.Count(log.String(), "code called by the library crashed")
			assert.Equal(t, map[string]int{"panics": 2, "ends": 2, "error's text panics": 2}[name], crashed)
		}))
	}
}

// stuck is a body that yields nothing, whatever its context, until it is
// closed.
type stuck struct{ closed chan struct{} }

func newStuck() *stuck                    { return &stuck{make(chan struct{})} }
func (s *stuck) Read([]byte) (int, error) { <-s.closed; return 0, io.ErrClosedPipe }
func (s *stuck) Close() error             { close(s.closed); return nil }

// If anything is left behind, the bubble fails at its end.
//
// Promise: An answer that never ends leaves no goroutine and no connection behind.
func TestAuthCallLeavesNothingBehind(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		took   time.Duration
	}{"an upgrade": {101, 0}, "a body without an end": {200, 30 * time.Second}} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			w.setAuth(func(*http.Request) (*http.Response, error) {
				resp := answer(test.status, "", "")
				resp.Body = newStuck()
				return resp, nil
			})
			start := time.Now()
			_, err := w.conf.Token(w.ctx)
			assert.Equal(t, test.took, time.Since(start))
			assert.True(t, asError(t, err).Temporary())
			_, err = w.source().Token()
			assert.Error(t, err)
			time.Sleep(time.Minute)
		}))
	}
}

// Promise: Odd responses to auth calls are errors.
func TestAuthCallOddAnswers(t *testing.T) {
	for name, resp := range map[string]*http.Response{
		"none":       nil,
		"no header":  {StatusCode: 500, Body: http.NoBody},
		"no body":    {StatusCode: 200},
		"redirect":   {StatusCode: 307},
		"no status":  {Body: http.NoBody},
		"a bad body": {StatusCode: 200, Body: io.NopCloser(failing{errors.New("made-up")})},
	} {
		_, err := tokenThrough(t, apivideo.Config{}, func(*http.Request) (*http.Response, error) { return resp, nil })
		assert.Error(t, err, name)
	}
}

// Promise: The error of a caller whose context ended says what it waited for, and how long.
func TestSourceWaitErrorSaysWhatFor(t *testing.T) {
	for want, play := range map[string]func(w *world){
		"authenticate":     func(w *world) { w.fail(apivideotest.Hang) },
		"the store's lock": func(w *world) { w.source().Token(); w.store.Seize() },
		"the store":        func(w *world) { w.store.SetFault(memstore.Fault{Delay: 800 * time.Millisecond}) },
		"the API key": func(w *world) {
			w.conf.APIKey, w.conf.APIKeyFunc = "", func(ctx context.Context) (string, error) {
				<-ctx.Done()
				return "", ctx.Err()
			}
		},
	} {
		fleet(t, func(t *testing.T, w *world) {
			play(w)
			ctx, cancel := context.WithTimeout(w.ctx, 700*time.Millisecond)
			defer cancel()
			_, err := w.source().TokenContext(ctx)
			assert.EqualError(t, err, "apivideo: waiting for an access token ("+want+", for 700ms): context deadline exceeded")
			time.Sleep(time.Minute) // until the renewal has ended
		})
	}
}

// A day of a program whose code never returns.
func aDay(t *testing.T, f func(t *testing.T, w *world, block func())) {
	t.Helper()
	bubble(t, func(t *testing.T, w *world) {
		released := make(chan struct{})
		defer close(released)
		f(t, w, func() { <-released })
	})
}

// Promise: At most 8 auth calls hang in an HTTP client that never returns; the next ones fail at once and say so.
func TestAuthCallsThatHangForADay(t *testing.T) {
	const said = "8 earlier calls hang in the HTTP client; its transport must return when the request's context ends"
	failures := func() uint64 { return 0 }
	for name, ask := range map[string]func(w *world) func() error{
		"a Source": func(w *world) func() error {
			src := w.source()
			failures = func() uint64 { return src.Stats().Failures }
			return func() error { _, err := src.Token(); return err }
		},
		"Config.Token": func(w *world) func() error {
			return func() error { _, err := w.conf.Token(w.ctx); return err }
		},
		"Config.Refresh": func(w *world) func() error {
			return func() error { _, err := w.conf.Refresh(w.ctx, "made-up"); return err }
		},
	} {
		t.Run(name, func(t *testing.T) {
			aDay(t, func(t *testing.T, w *world, block func()) {
				var hanging atomic.Int64
				w.setAuth(func(*http.Request) (*http.Response, error) {
					hanging.Add(1)
					block()
					return nil, io.EOF
				})
				get := ask(w)
				for start := time.Now(); time.Since(start) < 24*time.Hour; time.Sleep(time.Minute) {
					assert.Error(t, get())
				}
				assert.EqualValues(t, 8, hanging.Load())
				assert.EqualValues(t, 8, max(failures(), 8), "calls that were not made do not count")
				start, err := time.Now(), get()
				assert.Zero(t, time.Since(start))
				assert.ErrorContains(t, err, said)
				assert.True(t, asError(t, err).Temporary())
			})
		})
	}
}

// It serves again when the calls return.
func TestAuthCallsThatHungForAnHour(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		released := make(chan struct{})
		w.setAuth(func(*http.Request) (*http.Response, error) { <-released; return nil, io.EOF })
		src := w.source()
		for start := time.Now(); time.Since(start) < time.Hour; time.Sleep(time.Minute) {
			_, err := src.Token()
			assert.Error(t, err)
		}
		w.setAuth(nil)
		close(released)
		time.Sleep(time.Minute)
		mustToken(t, src)
	})
}

// hanging is a body whose methods may never return.
type hanging struct{ read, close func() }

func (h hanging) Read([]byte) (int, error) { h.read(); return 0, io.EOF }
func (h hanging) Close() error             { h.close(); return nil }

// Promise: Bodies of answers whose Read or Close never returns hold at most 8 goroutines.
func TestTransportBodiesThatHangForADay(t *testing.T) {
	for name, test := range map[string]struct{ read, close bool }{
		"Read": {true, false}, "Close": {false, true}, "both": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			aDay(t, func(t *testing.T, w *world, block func()) {
				client := w.warmClient(t)
				var inside, most atomic.Int64
				enter := func(blocks bool) func() {
					return func() {
						if blocks {
							most.Store(max(most.Load(), inside.Add(1)))
							block()
						}
					}
				}
				w.setAPI(func(*http.Request) (*http.Response, error) {
					resp := answer(401, "", "")
					resp.Body, resp.ContentLength = hanging{enter(test.read), enter(test.close)}, -1
					return resp, nil
				})
				for start := time.Now(); time.Since(start) < 24*time.Hour; time.Sleep(time.Minute) {
					resp, err := client.Transport.RoundTrip(videosAt(w))
					require.NoError(t, err)
					assert.Equal(t, 401, resp.StatusCode)
				}
				assert.EqualValues(t, 8, most.Load())
				start := time.Now()
				_, err := client.Transport.RoundTrip(videosAt(w))
				require.NoError(t, err)
				assert.Zero(t, time.Since(start))
			})
		})
	}
}

func videosAt(w *world) *http.Request {
	req, _ := http.NewRequest("GET", w.srv.URL+"/videos", nil)
	return req
}

// A base may return a response together with an error.
func TestTransportDroppedBodiesHangForADay(t *testing.T) {
	aDay(t, func(t *testing.T, w *world, block func()) {
		client := w.warmClient(t)
		var inside atomic.Int64
		w.setAPI(func(*http.Request) (*http.Response, error) {
			resp := answer(200, "", "")
			resp.Body = hanging{func() {}, func() { inside.Add(1); block() }}
			return resp, io.EOF
		})
		for start := time.Now(); time.Since(start) < 24*time.Hour; time.Sleep(time.Minute) {
			_, err := client.Transport.RoundTrip(videosAt(w))
			assert.ErrorIs(t, err, io.EOF)
		}
		assert.EqualValues(t, 8, inside.Load())
	})
}

// Many Close calls that return are none that hang.
func TestTransportDroppedBodiesAreClosed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.warmClient(t)
		var closed atomic.Int64
		w.setAPI(func(*http.Request) (*http.Response, error) {
			resp := answer(200, "", "")
			resp.Body = hanging{func() {}, func() { time.Sleep(500 * time.Millisecond); closed.Add(1) }}
			return resp, io.EOF
		})
		together(1000, func(int) { _, _ = client.Transport.RoundTrip(videosAt(w)) })
		time.Sleep(time.Second)
		assert.EqualValues(t, 1000, closed.Load())
	})
}

// A key function that never returns holds few goroutines, also without a Source.
func TestAPIKeyFuncHangsForADay(t *testing.T) {
	for name, ask := range map[string]func(w *world) func() error{
		"a Source": func(w *world) func() error {
			src := w.source()
			return func() error { _, err := src.Token(); return err }
		},
		"Config.Token": func(w *world) func() error {
			return func() error { _, err := w.conf.Token(w.ctx); return err }
		},
	} {
		t.Run(name, func(t *testing.T) {
			aDay(t, func(t *testing.T, w *world, block func()) {
				var inside atomic.Int64
				w.conf.APIKey, w.conf.APIKeyFunc = "", func(context.Context) (string, error) {
					inside.Add(1)
					block()
					return "", nil
				}
				get := ask(w)
				for start := time.Now(); time.Since(start) < 24*time.Hour; time.Sleep(time.Minute) {
					assert.Error(t, get())
				}
				assert.LessOrEqual(t, inside.Load(), int64(8))
			})
		})
	}
}

// So does a context that ends and does not say why.
func TestConfigTokenContextsThatHangForADay(t *testing.T) {
	aDay(t, func(t *testing.T, w *world, block func()) {
		w.srv.SetAuthLatency(10 * time.Second)
		var inside atomic.Int64
		for range 1000 {
			over, calls := make(chan struct{}), atomic.Int64{}
			time.AfterFunc(time.Second, func() { close(over) })
			_, err := w.conf.Token(strange{
				Context: w.ctx,
				done:    func() <-chan struct{} { return over },
				err: func() error {
					if calls.Add(1) > 1 {
						inside.Add(1)
						block()
					}
					return nil
				},
			})
			_ = err // it may succeed
			time.Sleep(time.Minute)
		}
		assert.EqualValues(t, 8, inside.Load())
	})
}
