package apivideo_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// Promise: Callers that need a token at the same time share one auth call.
func TestSourceThousandCallersShareOneCall(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.srv.SetAuthLatency(300 * time.Millisecond)
		client := w.client()
		together(1000, func(int) {
			assert.Equal(t, 300*time.Millisecond, w.get(t, client, 200))
		})
		assert.Equal(t, apivideotest.Counters{AuthCalls: 1, Authenticated: 1, Authorized: 1000}, w.srv.Counters())
	})
}

// Promise: A caller stops waiting when its context ends; the auth call continues for the others.
func TestSourceContextBoundsOnlyItsOwnWait(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.srv.SetAuthLatency(time.Second)
		src := w.source()
		hurried, cancel := context.WithTimeout(w.ctx, 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := src.TokenContext(hurried) // the one that starts the flight
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.EqualError(t, err, "apivideo: waiting for an access token (authenticate, for 100ms): context deadline exceeded")
		var timeout interface{ Timeout() bool }
		require.ErrorAs(t, err, &timeout)
		assert.True(t, timeout.Timeout())
		assert.Equal(t, 100*time.Millisecond, time.Since(start))
		tok, _ := mustToken(t, src)
		assert.True(t, w.srv.Valid(tok.AccessToken))
		assert.Equal(t, time.Second, time.Since(start), "the flight was not started anew")
		assert.Equal(t, 1, w.authCalls())
	})
}

// Promise: The error of a canceled caller has its cause; a caller whose context has already ended makes no auth call.
// Promise: A usable token is returned even if the caller's context has ended.
func TestSourceEndedContext(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		cause := errors.New("the program is told to stop")
		ended, cancel := context.WithCancelCause(w.ctx)
		cancel(cause)
		src := w.source()
		_, err := src.TokenContext(ended)
		assert.ErrorIs(t, err, cause)
		assert.ErrorIs(t, err, context.Canceled)
		synctest.Wait()
		assert.Zero(t, w.authCalls(), "a caller whose context has ended starts no auth call")

		first, _ := mustToken(t, src)
		tok, err := src.TokenContext(ended)
		require.NoError(t, err)
		assert.Equal(t, first.AccessToken, tok.AccessToken, "but it gets a token that is usable")
	})
}

// Promise: Auth calls have the values of the context passed to `Config.Source`.
func TestSourceAuthCallsHaveContextValues(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		type key struct{}
		var seen any
		w.setAuth(func(r *http.Request) (*http.Response, error) {
			seen = r.Context().Value(key{})
			return w.srv.Transport().RoundTrip(r)
		})
		src := w.conf.Source(context.WithValue(w.ctx, key{}, "of the construction"))
		_, err := src.TokenContext(context.WithValue(t.Context(), key{}, "of the caller"))
		require.NoError(t, err)
		assert.Equal(t, "of the construction", seen)
	})
}

// Promise: All callers that waited for a failed renewal get the same error value.
func TestSourceWaitersGetTheSameError(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.srv.SetAuthLatency(100 * time.Millisecond)
		w.conf.APIKey = "a-made-up-key-of-nobody"
		src := w.source()
		errs := make([]error, 50)
		together(len(errs), func(i int) { _, errs[i] = src.Token() })
		for _, err := range errs {
			assert.Same(t, errs[0], err)
			assert.ErrorIs(t, err, apivideo.ErrInvalidAPIKey)
		}
		assert.Equal(t, 1, w.authCalls())
	})
}

// The refresh may take 10 seconds, an attempt with the key 15, and all
// together 30.
//
// Promise: The auth calls of one renewal take at most 30 seconds together.
func TestSourceRenewalEndsAfter30Seconds(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, first := w.warm(t)
		w.fail(apivideotest.Hang)
		src.Invalidate(first)
		start := time.Now()
		_, err := src.Token()
		assert.Equal(t, 30*time.Second, time.Since(start).Round(time.Second))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.True(t, asError(t, err).Timeout())
		assert.Equal(t, 1+3, w.authCalls(), "refresh, and two attempts with the key")
	})
}

// Promise: After the end of the context passed to `Config.Source`, a Source starts no background renewal, and still returns tokens.
func TestSourceContextDoneServesOn(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(w.ctx)
		src := w.conf.Source(ctx)
		first, _ := mustToken(t, src)
		cancel()
		time.Sleep(59 * time.Minute)
		again, _ := mustToken(t, src)
		assert.Equal(t, first.AccessToken, again.AccessToken)
		synctest.Wait()
		assert.Equal(t, 1, w.authCalls(), "nothing is renewed ahead of expiry any more")

		time.Sleep(time.Hour)
		w.srv.SetAuthLatency(time.Second)
		next, took := mustToken(t, src)
		assert.True(t, w.srv.Valid(next.AccessToken))
		assert.Equal(t, time.Second, took)
		assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 1, Refreshed: 1}, w.srv.Counters())
	})
}

// Promise: After the end of the context passed to `Config.Source`, a renewal without callers is aborted, and does not count as a failure.
func TestSourceContextDoneAbortsUnawaitedRenewal(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var aborted atomic.Int32
		w.setAuth(func(r *http.Request) (*http.Response, error) {
			resp, err := w.srv.Transport().RoundTrip(r)
			if errors.Is(err, context.Canceled) {
				aborted.Add(1)
			}
			return resp, err
		})
		ctx, cancel := context.WithCancel(w.ctx)
		src := w.conf.Source(ctx)
		first, _ := mustToken(t, src)
		w.srv.Fail(apivideotest.Hang)
		w.untilAuthCalls(2) // ahead of expiry
		cancel()
		synctest.Wait()
		assert.EqualValues(t, 1, aborted.Load())
		serves(t, src, first)
		assert.Equal(t, 2, w.authCalls())

		// The aborted renewal does not count as a failure of the service.
		src.Invalidate(first)
		atOnce(t, src)
	})
}

// Promise: After the end of the context passed to `Config.Source`, a renewal that a caller waits for is completed.
func TestSourceContextDoneKeepsAwaitedRenewal(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.srv.SetAuthLatency(5 * time.Second)
		ctx, cancel := context.WithCancel(w.ctx)
		src := w.conf.Source(ctx)
		time.AfterFunc(time.Second, cancel)
		tok, took := mustToken(t, src)
		assert.Equal(t, 5*time.Second, took)

		// A caller that arrives while a flight is being aborted gets a token
		// too.
		w.srv.RevokeAccessTokens()
		src.Invalidate(tok)
		hurried, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		_, err := src.TokenContext(hurried)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		next, _ := mustToken(t, src)
		assert.True(t, w.srv.Valid(next.AccessToken))
	})
}

// Promise: Renewal starts 15 minutes or a quarter of the lifetime before expiry; requests use the old token meanwhile.
func TestSourceRenewsAheadOfExpiry(t *testing.T) {
	for _, lifetime := range []time.Duration{2 * time.Second, 10 * time.Minute, time.Hour, 20 * time.Hour} {
		bubble(t, func(t *testing.T, w *world) {
			w.srv.SetLifetime(lifetime)
			src, first := w.warm(t)
			latency := min(lifetime/50, 5*time.Second)
			w.srv.SetAuthLatency(latency)
			window := min(15*time.Minute, lifetime/4)
			time.Sleep(lifetime - window)
			synctest.Wait()
			assert.Equal(t, 1, w.authCalls(), "not before the window")
			opened := time.Now()
			w.untilAuthCalls(2)
			assert.LessOrEqual(t, time.Since(opened), window/5, "in the first fifth of the window")
			time.Sleep(latency - 1)
			serves(t, src, first)
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			assert.NotEqual(t, first.AccessToken, atOnce(t, src).AccessToken)
			assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 1, Refreshed: 1}, w.srv.Counters())
		})
	}
}

// Promise: Renewal starts up to a fifth of that time later, at random, so that programs do not renew together.
func TestSourceRenewalsAreSpread(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.setAuth(grant("a-made-up-token", ""))
		start := time.Now()
		sources := make([]*apivideo.Source, 100)
		for i := range sources {
			sources[i] = w.source()
			mustToken(t, sources[i])
		}
		time.Sleep(50 * time.Minute)
		synctest.Wait()
		minutes := map[int]bool{}
		for _, at := range w.calls {
			minutes[int(at.Sub(start).Minutes())] = true
		}
		assert.Equal(t, map[int]bool{0: true, 45: true, 46: true, 47: true}, minutes)
		runtime.KeepAlive(sources)
	})
}

// Promise: Requests do not notice an outage of ten minutes, and it costs few auth calls.
func TestSourceTenMinuteOutageIsNotFelt(t *testing.T) {
	for _, fault := range []apivideotest.Fault{apivideotest.Status(503), apivideotest.BreakAfter, apivideotest.Hang} {
		bubble(t, func(t *testing.T, w *world) {
			src, tok := w.warm(t)
			time.Sleep(45 * time.Minute)
			w.fail(fault)
			time.AfterFunc(10*time.Minute, func() { w.srv.FailFunc(nil) })
			for range 20 * 60 {
				time.Sleep(time.Second)
				require.True(t, w.srv.Valid(atOnce(t, src).AccessToken))
			}
			next, _ := mustToken(t, src)
			assert.NotEqual(t, tok.AccessToken, next.AccessToken)
			assert.Less(t, w.authCalls(), 60)
		})
	}
}

// Calls 40 minutes apart never wait. Nor does traffic that begins 97 minutes
// after a single call.
//
// Promise: Renewal also starts on a call, if the timer was missed.
// Promise: The timer renews a token that a caller got.
func TestSourceSparseCallsNeverWait(t *testing.T) {
	for _, test := range []struct {
		lull, every time.Duration
		calls       int
	}{{0, 40 * time.Minute, 100}, {97 * time.Minute, 10 * time.Second, 1000}} {
		bubble(t, func(t *testing.T, w *world) {
			client := w.warmClient(t)
			w.srv.SetAuthLatency(3 * time.Second)
			time.Sleep(test.lull)
			for range test.calls {
				require.Zero(t, w.get(t, client, 200))
				time.Sleep(test.every)
			}
		})
	}
}

// Promise: The timer does not renew a token that no caller got.
func TestSourceUnusedTokenIsNotRenewed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src := w.source()
		for range 10 {
			mustToken(t, src)
			time.Sleep(time.Minute)
		}
		time.Sleep(30 * 24 * time.Hour)
		synctest.Wait()
		assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 1, Refreshed: 1}, w.srv.Counters())
		runtime.KeepAlive(src)
	})
}

// Promise: A token is used until 10 seconds or a tenth of its lifetime before expiry.
func TestSourceTokenIsUsableUntilShortlyBeforeEnd(t *testing.T) {
	for lifetime, margin := range map[time.Duration]time.Duration{
		time.Hour:        10 * time.Second,
		20 * time.Second: 2 * time.Second,
	} {
		bubble(t, func(t *testing.T, w *world) {
			w.srv.SetLifetime(lifetime)
			src := w.conf.Source(ended(w.ctx))
			first, _ := mustToken(t, src)
			time.Sleep(lifetime - margin - time.Nanosecond)
			tok, _ := mustToken(t, src)
			assert.Equal(t, first.AccessToken, tok.AccessToken)
			time.Sleep(time.Nanosecond)
			tok, _ = mustToken(t, src)
			assert.NotEqual(t, first.AccessToken, tok.AccessToken)
		})
	}
}

// Promise: A lifetime counts from just before the request for the token.
func TestSourceLifetimeCountsFromTheRequest(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.srv.SetAuthLatency(8 * time.Second)
		start := time.Now()
		tok, took := mustToken(t, w.source())
		assert.Equal(t, 8*time.Second, took)
		assert.True(t, tok.Expiry.Equal(start.Add(time.Hour)), tok.Expiry)
		assert.EqualValues(t, 3600, tok.ExpiresIn)
		assert.Equal(t, "Bearer", tok.TokenType)
	})
}

// Promise: Each caller gets its own copy of the token.
func TestSourceHandsOutCopies(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, first := w.warm(t)
		want := *first
		first.AccessToken, first.RefreshToken, first.Expiry = "scribbled", "over", time.Time{}
		for _, get := range []func() (*oauth2.Token, error){
			src.Token,
			func() (*oauth2.Token, error) { return src.TokenContext(w.ctx) },
		} {
			tok, err := get()
			require.NoError(t, err)
			assert.Equal(t, want, *tok)
			tok.AccessToken = "scribbled"
		}
		renewed, _ := mustRenew(t, src)
		next, _ := mustToken(t, src)
		assert.Equal(t, renewed, next)
		assert.NotSame(t, renewed, next)
	})
}

// Promise: `Token.Extra` has all fields of the service's answer.
func TestSourceTokenExtraHasAllFields(t *testing.T) {
	tok, _ := mustToken(t, sourceThrough(t, apivideo.Config{}, reply(200, "application/json",
		`{"access_token":"made-up-token","expires_in":60,"project":{"id":"pr1"},"scope":"read"}`)))
	assert.Equal(t, "read", tok.Extra("scope"))
	assert.Equal(t, map[string]any{"id": "pr1"}, tok.Extra("project"))
	assert.Equal(t, 60.0, tok.Extra("expires_in"))
	assert.Equal(t, "made-up-token", tok.Extra("access_token"))
	assert.Nil(t, tok.Extra("absent"))
}

// Promise: Tokens share no nested value that Extra returns.
func TestSourceExtraIsNotShared(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.setAuth(reply(200, "application/json", `{"access_token":"made-up-token","a":{"b":[{"c":1}]},"d":[[1],2],"e":null}`))
		src := w.source()
		get := map[string]func() *oauth2.Token{
			"TokenContext": func() *oauth2.Token { return atOnce(t, src) },
			"Renew":        func() *oauth2.Token { tok, _ := mustRenew(t, src); return tok },
		}
		for name, get := range get {
			tok := get()
			list := tok.Extra("a").(map[string]any)["b"].([]any)
			list[0].(map[string]any)["c"] = "changed"
			list[0] = "changed"
			tok.Extra("a").(map[string]any)["b"] = "changed"
			tok.Extra("d").([]any)[0].([]any)[0] = "changed"
			next := atOnce(t, src)
			assert.Equal(t, map[string]any{"b": []any{map[string]any{"c": 1.0}}}, next.Extra("a"), name)
			assert.Equal(t, []any{[]any{1.0}, 2.0}, next.Extra("d"), name)
			assert.Nil(t, next.Extra("e"))
		}
	})
}

// Promise: `Invalidate` takes only the current token out of use.
func TestSourceInvalidateOnlyTheCurrentToken(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, first := w.warm(t)
		src.Invalidate(nil)
		src.Invalidate(&oauth2.Token{AccessToken: "another"})
		same, _ := mustToken(t, src)
		assert.Equal(t, first.AccessToken, same.AccessToken)

		src.Invalidate(&oauth2.Token{AccessToken: first.AccessToken})
		second, _ := mustToken(t, src)
		assert.NotEqual(t, first.AccessToken, second.AccessToken)
		assert.Equal(t, 1, w.srv.Counters().Refreshed, "its refresh token is still good")

		src.Invalidate(first) // late
		same, _ = mustToken(t, src)
		assert.Equal(t, second.AccessToken, same.AccessToken)
		assert.Equal(t, 2, w.authCalls())

		w.setAuth(grant(second.AccessToken, "")) // the service issues it again
		src.Invalidate(second)
		for range 3 {
			mustToken(t, src)
		}
		assert.Equal(t, 3, w.authCalls(), "it is used again")
	})
}

// A program may invalidate any number of tokens.
//
// Promise: Invalidated tokens need no more memory over time.
func TestSourceInvalidatedTokensDoNotPileUp(t *testing.T) {
	src := (&apivideo.Config{APIKey: "made-up-key"}).Source(realSized(t.Context()))
	rounds := func(n int) {
		for range n {
			tok, _ := mustToken(t, src)
			src.Invalidate(tok)
		}
	}
	rounds(100)
	before := heap()
	rounds(1900)
	assert.Less(t, heap()-before, int64(500<<10))
	runtime.KeepAlive(src)
}

// Promise: During `Renew` the old token stays in use.
func TestSourceRenewWhileTheOldTokenServes(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, first := w.warm(t)
		w.srv.SetAuthLatency(time.Second)
		together(10, func(i int) {
			if i == 0 {
				time.Sleep(time.Second / 2)
				serves(t, src, first)
				return
			}
			tok, _ := mustRenew(t, src)
			assert.NotEqual(t, first.AccessToken, tok.AccessToken)
		})
		assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 1, Refreshed: 1}, w.srv.Counters())
	})
}

// Promise: The old token stays in use after `Renew` fails.
func TestSourceRenewFailureKeepsTheOldToken(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, first := w.warm(t)
		w.fail(apivideotest.Status(500))
		_, err := src.Renew(w.ctx)
		assert.Equal(t, 500, asError(t, err).Status)
		serves(t, src, first)
		_, err = src.Renew(ended(w.ctx))
		assert.ErrorIs(t, err, context.Canceled)
	})
}

// Promise: The zero Source returns an error and does not panic.
func TestSourceZeroValueIsAnError(t *testing.T) {
	var none *apivideo.Source
	for _, src := range []*apivideo.Source{none, new(apivideo.Source)} {
		_, err := src.Token()
		assert.EqualError(t, err, "apivideo: there is no Source; make one with Config.Source")
		_, err = src.Renew(t.Context())
		assert.Error(t, err)
		src.Invalidate(&oauth2.Token{AccessToken: "x"})
		_, err = src.Client(t.Context()).Get("https://ws.api.video/videos")
		assert.ErrorContains(t, err, "Config.Source")
	}
}

// Promise: Package oauth2 does not wrap `Config.TokenSource` again.
func TestConfigTokenSourceIsNotWrappedTwice(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ts := w.conf.TokenSource(w.ctx)
		assert.Equal(t, ts, oauth2.ReuseTokenSource(nil, ts), "not wrapped a second time")
		first, err := ts.Token()
		require.NoError(t, err)
		second, err := ts.Token()
		require.NoError(t, err)
		assert.Same(t, first, second)
	})
}

// Promise: `Config.Client` copies the settings of the context's client.
func TestConfigClientCopiesTheContextsClient(t *testing.T) {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client := (&apivideo.Config{APIKey: "made-up-key"}).Client(context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{
		Transport:     breakOff(errors.New("never called")),
		CheckRedirect: func(*http.Request, []*http.Request) error { return nil },
		Jar:           jar,
		Timeout:       7 * time.Second,
	}))
	assert.NotNil(t, client.Transport.(*apivideo.Transport).Base)
	assert.NotNil(t, client.CheckRedirect)
	assert.Same(t, jar, client.Jar)
	assert.Equal(t, 7*time.Second, client.Timeout)
}

// Promise: A nil context is `context.Background()`.
func TestConfigNilContextIsBackground(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	var none context.Context
	client := srv.Config().Client(none)
	resp, err := client.Get(srv.URL + "/videos")
	require.NoError(t, err)
	resp.Body.Close()
	_, err = srv.Config().Token(none)
	assert.NoError(t, err)
}

// Promise: A later change of the Config changes no Source.
func TestConfigMayChangeAfterUse(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src := w.source()
		w.conf.APIKey, w.conf.BaseURL = "changed", "https://changed.example"
		mustToken(t, src)
	})
}

// Values that only the cache of the Source refers to are collected too,
// although the construction context lives on.
//
// Promise: A dropped Source is garbage collected, even with a running timer or context.
func TestSourceDroppedIsCollected(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	collected := make(chan struct{})
	func() {
		conf := srv.Config()
		conf.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
		mustToken(t, conf.Source(ctx))
		runtime.AddCleanup(conf.Logger, func(c chan struct{}) { close(c) }, collected)
	}()
	require.Eventually(t, func() bool {
		runtime.GC()
		select {
		case <-collected:
			return true
		default:
			return false
		}
	}, time.Minute, time.Millisecond)
}

func TestSourceLateTokenRenewsAfterAFailure(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, _ := w.warm(t)
		time.Sleep(94 * time.Minute) // the second token, which nobody has had, is due
		w.srv.SetAuthLatency(time.Second)
		w.fail(apivideotest.Status(503))
		atOnce(t, src)
		time.Sleep(time.Minute)
		w.srv.FailFunc(nil)
		time.Sleep(15 * time.Minute)
		atOnce(t, src)
	})
}

// slowContext takes some time to return its error.
type slowContext struct {
	context.Context
	time.Duration
}

func (c slowContext) Err() error {
	err := c.Context.Err()
	if err != nil {
		time.Sleep(c.Duration)
	}
	return err
}

// The renewal fails while the caller learns that its context has ended. The
// old token stays in use, but that caller gets an error.
//
// Promise: The error of a canceled caller has its cause; a caller whose context has already ended makes no auth call.
func TestSourceContextDoneGetsNoRefusedToken(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, first := w.warm(t)
		w.srv.SetAuthLatency(time.Second)
		w.fail(apivideotest.Answer(200, "text/plain", ""))
		w.setAPI(reply(401, "text/plain", ""))
		w.stream(t, src.Client(w.ctx), 401) // begins a renewal that all wait for
		short, cancel := context.WithTimeout(w.ctx, time.Second/2)
		defer cancel()
		_, err := src.TokenContext(slowContext{short, time.Minute})
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		serves(t, src, first)
	})
}

// The error of an aborted auth call says so, and why, whatever the client
// says.
//
// Promise: The error of a canceled caller has its cause; a caller whose context has already ended makes no auth call.
func TestAuthCallCanceledErrorHasTheCause(t *testing.T) {
	cause := errors.New("the program is told to stop")
	const message = "apivideo: authenticate: context canceled: the program is told to stop"
	bubble(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancelCause(w.ctx)
		w.srv.Fail(apivideotest.Hang)
		time.AfterFunc(time.Second, func() { cancel(cause) })
		_, err := w.conf.Token(ctx)
		assert.ErrorIs(t, err, cause)
		assert.ErrorIs(t, err, context.Canceled)
		assert.EqualError(t, err, message)
	})
	// Here the client is as fast as the context. The garbage collector changes
	// which of them comes first.
	ctx, cancel := context.WithCancelCause(through(t.Context(), breakOff(errors.New("aborted"))))
	cancel(cause)
	var done atomic.Bool
	wait := background(func() {
		for !done.Load() {
			runtime.GC()
		}
	})
	defer wait()
	defer done.Store(true)
	together(8, func(int) {
		for range 2000 {
			_, err := (&apivideo.Config{APIKey: "made-up-key"}).Token(ctx)
			if !assert.EqualError(t, err, message) {
				return
			}
		}
	})
}
