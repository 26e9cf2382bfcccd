package apivideo_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

func TestThousandCallersFromColdShareOneExchange(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		srv.SetAuthLatency(300 * time.Millisecond)
		client := srv.Config().Client(ctx)
		together(1000, func(int) {
			status, took := get(t, client, srv)
			assert.Equal(t, 200, status)
			assert.Equal(t, 300*time.Millisecond, took)
		})
		assert.Equal(t, apivideotest.Counters{AuthCalls: 1, Authenticated: 1, Authorized: 1000}, srv.Counters())
	})
}

func TestACallersContextBoundsItsOwnWaitAlone(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		srv.SetAuthLatency(time.Second)
		src := srv.Config().Source(ctx)
		var patient sync.WaitGroup
		hurried, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := src.TokenContext(hurried) // the one that starts the flight
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.EqualError(t, err, "apivideo: waiting for an access token: context deadline exceeded")
		var timeout interface{ Timeout() bool }
		require.ErrorAs(t, err, &timeout)
		assert.True(t, timeout.Timeout())
		assert.Equal(t, 100*time.Millisecond, time.Since(start))
		patient.Go(func() {
			tok, err := src.Token()
			assert.NoError(t, err)
			assert.True(t, srv.Valid(tok.AccessToken))
			assert.Equal(t, time.Second, time.Since(start), "the flight was not started anew")
		})
		patient.Wait()
		assert.Equal(t, 1, srv.Counters().AuthCalls)
	})
}

func TestTheCauseOfAnEndedContextIsInTheError(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		cause := errors.New("the program is told to stop")
		ended, cancel := context.WithCancelCause(ctx)
		cancel(cause)
		_, err := srv.Config().Source(ctx).TokenContext(ended)
		assert.ErrorIs(t, err, cause)
		assert.ErrorIs(t, err, context.Canceled)
		synctest.Wait()
		assert.Zero(t, srv.Counters().AuthCalls, "who has left starts nothing")
	})
}

func TestAUsableTokenIsServedToAnEndedContext(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		first, _ := mustToken(t, src)
		ended, cancel := context.WithCancel(ctx)
		cancel()
		tok, err := src.TokenContext(ended)
		require.NoError(t, err)
		assert.Equal(t, first.AccessToken, tok.AccessToken)
	})
}

func TestAFlightHasTheValuesOfTheConstructionContext(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		type key struct{}
		var seen atomic.Value
		ctx = context.WithValue(through(ctx, func(r *http.Request) (*http.Response, error) {
			seen.Store(r.Context().Value(key{}))
			return srv.Transport().RoundTrip(r)
		}), key{}, "of the construction")
		_, err := srv.Config().Source(ctx).TokenContext(context.WithValue(t.Context(), key{}, "of the caller"))
		require.NoError(t, err)
		assert.Equal(t, "of the construction", seen.Load())
	})
}

func TestAllWhoWaitedGetTheSameError(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		srv.SetAuthLatency(100 * time.Millisecond)
		conf := srv.Config()
		conf.APIKey = "a-made-up-key-of-nobody"
		src := conf.Source(ctx)
		errs := make([]error, 50)
		together(len(errs), func(i int) { _, errs[i] = src.Token() })
		for _, err := range errs {
			assert.Same(t, errs[0], err)
			assert.ErrorIs(t, err, apivideo.ErrInvalidAPIKey)
		}
		assert.Equal(t, 1, srv.Counters().AuthCalls)
	})
}

// The refresh may take 10 seconds, an attempt with the key 15, and all
// together 30.
func TestAFlightEndsAfter30Seconds(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		first, _ := mustToken(t, src)
		srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return apivideotest.Hang })
		src.Invalidate(first)
		start := time.Now()
		_, err := src.Token()
		assert.Equal(t, 30*time.Second, time.Since(start).Round(time.Second))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.True(t, asError(t, err).Timeout())
		calls := srv.Counters().AuthCalls
		assert.Equal(t, 1+3, calls, "refresh, and two attempts with the key")
	})
}

func TestTheEndOfTheConstructionContextBreaksNothing(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		ctx, cancel := context.WithCancel(ctx)
		src := srv.Config().Source(ctx)
		first, _ := mustToken(t, src)
		cancel()
		time.Sleep(59 * time.Minute)
		again, _ := mustToken(t, src)
		assert.Equal(t, first.AccessToken, again.AccessToken)
		synctest.Wait()
		assert.Equal(t, 1, srv.Counters().AuthCalls, "nothing is renewed ahead of expiry any more")

		time.Sleep(time.Hour)
		srv.SetAuthLatency(time.Second)
		next, took := mustToken(t, src)
		assert.True(t, srv.Valid(next.AccessToken))
		assert.Equal(t, time.Second, took)
		assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 1, Refreshed: 1}, srv.Counters())
	})
}

func TestTheEndOfTheConstructionContextAbortsAFlightThatNobodyWaitsFor(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		var aborted atomic.Int32
		ctx, cancel := context.WithCancel(through(ctx, func(r *http.Request) (*http.Response, error) {
			resp, err := srv.Transport().RoundTrip(r)
			if errors.Is(err, context.Canceled) {
				aborted.Add(1)
			}
			return resp, err
		}))
		src := srv.Config().Source(ctx)
		first, _ := mustToken(t, src)
		srv.Fail(apivideotest.Hang)
		for srv.Counters().AuthCalls < 2 { // until it is renewed ahead of expiry
			time.Sleep(time.Second)
			synctest.Wait()
		}
		cancel()
		synctest.Wait()
		assert.EqualValues(t, 1, aborted.Load())
		tok, took := mustToken(t, src)
		assert.Equal(t, first.AccessToken, tok.AccessToken)
		assert.Zero(t, took)
		assert.Equal(t, 2, srv.Counters().AuthCalls)

		// Nor is the abortion held against the service.
		src.Invalidate(first)
		_, took = mustToken(t, src)
		assert.Zero(t, took)
	})
}

func TestTheEndOfTheConstructionContextLeavesAFlightThatSomebodyWaitsFor(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		srv.SetAuthLatency(5 * time.Second)
		ctx, cancel := context.WithCancel(ctx)
		src := srv.Config().Source(ctx)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, took := mustToken(t, src)
			assert.Equal(t, 5*time.Second, took)
		})
		time.Sleep(time.Second)
		cancel()
		wg.Wait()

		// Whoever comes while a flight is being aborted gets a token too.
		srv.RevokeAccessTokens()
		tok, _ := mustToken(t, src)
		src.Invalidate(tok)
		hurried, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		_, err := src.TokenContext(hurried)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		next, _ := mustToken(t, src)
		assert.True(t, srv.Valid(next.AccessToken))
	})
}

func TestRenewalAheadOfExpiryIsUnnoticed(t *testing.T) {
	for _, lifetime := range []time.Duration{2 * time.Second, 10 * time.Minute, time.Hour, 20 * time.Hour} {
		t.Run(lifetime.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
				srv.SetLifetime(lifetime)
				src := srv.Config().Source(ctx)
				first, _ := mustToken(t, src)
				latency := min(lifetime/50, 5*time.Second)
				srv.SetAuthLatency(latency)
				window := min(15*time.Minute, lifetime/4)
				time.Sleep(lifetime - window)
				synctest.Wait()
				assert.Equal(t, 1, srv.Counters().AuthCalls, "not before the window")
				opened := time.Now()
				for srv.Counters().AuthCalls < 2 {
					time.Sleep(latency / 2)
					synctest.Wait()
				}
				assert.LessOrEqual(t, time.Since(opened), window/5+latency, "in the first fifth of the window")
				tok, took := mustToken(t, src)
				assert.Equal(t, first.AccessToken, tok.AccessToken, "the old one serves until the new one is there")
				assert.Zero(t, took)
				time.Sleep(latency)
				tok, took = mustToken(t, src)
				assert.NotEqual(t, first.AccessToken, tok.AccessToken)
				assert.Zero(t, took)
				assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 1, Refreshed: 1}, srv.Counters())
			})
		})
	}
}

func TestRenewalsOfManySourcesAreSpread(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		var mu sync.Mutex
		minutes := map[int]bool{}
		start := time.Now()
		ctx = through(ctx, func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			minutes[int(time.Since(start).Minutes())] = true
			return grantOf("a-made-up-token", "", 3600), nil
		})
		var sources []*apivideo.Source
		for range 100 {
			src := srv.Config().Source(ctx)
			mustToken(t, src)
			sources = append(sources, src)
		}
		time.Sleep(50 * time.Minute)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		assert.Equal(t, map[int]bool{0: true, 45: true, 46: true, 47: true}, minutes)
		runtime.KeepAlive(sources)
	})
}

func TestAnOutageOfTenMinutesIsNotFelt(t *testing.T) {
	for _, fault := range []apivideotest.Fault{apivideotest.Status(503), apivideotest.BreakAfter, apivideotest.Hang} {
		bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
			src := srv.Config().Source(ctx)
			tok, _ := mustToken(t, src)
			time.Sleep(45 * time.Minute)
			end := time.Now().Add(10 * time.Minute)
			srv.FailFunc(func(apivideotest.Op) apivideotest.Fault {
				if time.Now().Before(end) {
					return fault
				}
				return apivideotest.Fault{}
			})
			for range 20 * 60 {
				time.Sleep(time.Second)
				next, took := mustToken(t, src)
				require.Zero(t, took)
				require.True(t, srv.Valid(next.AccessToken))
			}
			next, _ := mustToken(t, src)
			assert.NotEqual(t, tok.AccessToken, next.AccessToken)
			assert.Less(t, srv.Counters().AuthCalls, 60)
		})
	}
}

func TestCalls40MinutesApartNeverWait(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		client := srv.Config().Client(ctx)
		get(t, client, srv)
		srv.SetAuthLatency(3 * time.Second)
		for range 100 {
			time.Sleep(40 * time.Minute)
			status, took := get(t, client, srv)
			require.Equal(t, 200, status)
			require.Zero(t, took)
		}
	})
}

func TestTrafficThatBegins97MinutesAfterALoneCallDoesNotWait(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		client := srv.Config().Client(ctx)
		get(t, client, srv)
		srv.SetAuthLatency(3 * time.Second)
		time.Sleep(97 * time.Minute)
		for range 1000 {
			status, took := get(t, client, srv)
			require.Equal(t, 200, status)
			require.Zero(t, took)
			time.Sleep(10 * time.Second)
		}
	})
}

func TestAProgramThatStopsCallingMakesOneMoreAuthCallAtMost(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		for range 10 {
			mustToken(t, src)
			time.Sleep(time.Minute)
		}
		time.Sleep(30 * 24 * time.Hour)
		synctest.Wait()
		assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 1, Refreshed: 1}, srv.Counters())
		runtime.KeepAlive(src)
	})
}

func TestNobodyTriesOnAfterATokensExpiry(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		mustToken(t, src)
		srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return apivideotest.Status(503) })
		time.Sleep(time.Hour)
		calls := srv.Counters().AuthCalls
		assert.Greater(t, calls, 10)
		time.Sleep(24 * time.Hour)
		assert.Equal(t, calls, srv.Counters().AuthCalls)
		runtime.KeepAlive(src)
	})
}

func TestATokenIsUsableUntilShortlyBeforeItsExpiry(t *testing.T) {
	for lifetime, margin := range map[time.Duration]time.Duration{
		time.Hour:        10 * time.Second,
		20 * time.Second: 2 * time.Second,
	} {
		bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
			ctx, cancel := context.WithCancel(ctx)
			srv.SetLifetime(lifetime)
			src := srv.Config().Source(ctx)
			cancel() // no renewal ahead
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

func TestTheLifetimeCountsFromBeforeTheRequest(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		srv.SetAuthLatency(8 * time.Second)
		start := time.Now()
		tok, took := mustToken(t, srv.Config().Source(ctx))
		assert.Equal(t, 8*time.Second, took)
		assert.True(t, tok.Expiry.Equal(start.Add(time.Hour)), tok.Expiry)
		assert.EqualValues(t, 3600, tok.ExpiresIn)
		assert.Equal(t, "Bearer", tok.TokenType)
	})
}

func TestEveryTokenHandedOutIsACopy(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		first, _ := mustToken(t, src)
		want := *first
		first.AccessToken, first.RefreshToken, first.Expiry = "scribbled", "over", time.Time{}
		for _, get := range []func() (*oauth2.Token, error){
			src.Token,
			func() (*oauth2.Token, error) { return src.TokenContext(ctx) },
		} {
			tok, err := get()
			require.NoError(t, err)
			assert.Equal(t, want, *tok)
			tok.AccessToken = "scribbled"
		}
		renewed, err := src.Renew(ctx)
		require.NoError(t, err)
		next, _ := mustToken(t, src)
		assert.Equal(t, renewed, next)
		assert.NotSame(t, renewed, next)
	})
}

func TestFieldsUnknownToOAuth2AreReachedWithExtra(t *testing.T) {
	ctx := through(t.Context(), func(*http.Request) (*http.Response, error) {
		return answer(200, "application/json", `{"access_token":"made-up-token","expires_in":60,"project":{"id":"pr1"},"scope":"read"}`), nil
	})
	src := (&apivideo.Config{APIKey: "made-up-key"}).Source(ctx)
	tok, _ := mustToken(t, src)
	assert.Equal(t, "read", tok.Extra("scope"))
	assert.Equal(t, map[string]any{"id": "pr1"}, tok.Extra("project"))
	assert.Equal(t, 60.0, tok.Extra("expires_in"))
	assert.Equal(t, "made-up-token", tok.Extra("access_token"))
	assert.Nil(t, tok.Extra("absent"))
}

func TestInvalidateTakesOnlyTheCurrentTokenOutOfUse(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		first, _ := mustToken(t, src)
		src.Invalidate(nil)
		src.Invalidate(&oauth2.Token{AccessToken: "another"})
		same, _ := mustToken(t, src)
		assert.Equal(t, first.AccessToken, same.AccessToken)

		src.Invalidate(&oauth2.Token{AccessToken: first.AccessToken})
		second, _ := mustToken(t, src)
		assert.NotEqual(t, first.AccessToken, second.AccessToken)
		assert.Equal(t, 1, srv.Counters().Refreshed, "its refresh token is still good")

		src.Invalidate(first) // late
		same, _ = mustToken(t, src)
		assert.Equal(t, second.AccessToken, same.AccessToken)
		assert.Equal(t, 2, srv.Counters().AuthCalls)
	})
}

func TestRenewBringsANewTokenWhileTheOldOneServes(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		first, _ := mustToken(t, src)
		srv.SetAuthLatency(time.Second)
		together(10, func(i int) {
			if i == 0 {
				time.Sleep(time.Second / 2)
				tok, took := mustToken(t, src)
				assert.Equal(t, first.AccessToken, tok.AccessToken)
				assert.Zero(t, took)
				return
			}
			tok, err := src.Renew(ctx)
			assert.NoError(t, err)
			assert.NotEqual(t, first.AccessToken, tok.AccessToken)
		})
		assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 1, Refreshed: 1}, srv.Counters())
	})
}

func TestTheOldTokenServesOnWhenRenewFails(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		first, _ := mustToken(t, src)
		srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return apivideotest.Status(500) })
		_, err := src.Renew(ctx)
		assert.Equal(t, 500, asError(t, err).Status)
		tok, took := mustToken(t, src)
		assert.Equal(t, first.AccessToken, tok.AccessToken)
		assert.Zero(t, took)
		ended, cancel := context.WithCancel(ctx)
		cancel()
		_, err = src.Renew(ended)
		assert.ErrorIs(t, err, context.Canceled)
	})
}

func TestTheZeroSourceIsAnError(t *testing.T) {
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

func TestTokenSourceIsWithinReuseTokenSource(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		ts := srv.Config().TokenSource(ctx)
		assert.Equal(t, ts, oauth2.ReuseTokenSource(nil, ts), "not wrapped a second time")
		first, err := ts.Token()
		require.NoError(t, err)
		second, err := ts.Token()
		require.NoError(t, err)
		assert.Same(t, first, second)
	})
}

func TestClientTakesOverTheClientOfTheContext(t *testing.T) {
	jar := http.CookieJar(nil)
	from := &http.Client{
		Transport:     tripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("never called") }),
		CheckRedirect: func(*http.Request, []*http.Request) error { return nil },
		Jar:           jar,
		Timeout:       7 * time.Second,
	}
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, from)
	client := (&apivideo.Config{APIKey: "made-up-key"}).Client(ctx)
	tr := client.Transport.(*apivideo.Transport)
	assert.NotNil(t, tr.Base)
	assert.NotNil(t, client.CheckRedirect)
	assert.Equal(t, 7*time.Second, client.Timeout)
}

func TestAContextThatIsNilIsLikeBackground(t *testing.T) {
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

func TestAConfigMayChangeAfterItsUse(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		conf := srv.Config()
		src := conf.Source(ctx)
		conf.APIKey, conf.BaseURL = "changed", "https://changed.example"
		mustToken(t, src)
	})
}

// What only the cache of the Source refers to is collected too,
// while the construction context lives on.
func TestADroppedSourceIsCollectedAtOnce(t *testing.T) {
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
	}, 10*time.Second, time.Millisecond)
}

func TestATokenThatComesAgainAfterInvalidateIsUsed(t *testing.T) {
	calls := 0
	src := (&apivideo.Config{APIKey: "made-up-key"}).Source(through(t.Context(), func(*http.Request) (*http.Response, error) {
		calls++
		return grantOf("always-the-same", "", 3600), nil
	}))
	tok, _ := mustToken(t, src)
	src.Invalidate(tok)
	for range 3 {
		mustToken(t, src)
	}
	assert.Equal(t, 2, calls)
}

func TestATokenThatWasServedLateIsRenewedThoughThatFailsAtFirst(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		mustToken(t, src)
		time.Sleep(94 * time.Minute) // the second token, which nobody has had, is due
		srv.SetAuthLatency(time.Second)
		srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return apivideotest.Status(503) })
		_, took := mustToken(t, src)
		assert.Zero(t, took)
		time.Sleep(time.Minute)
		srv.FailFunc(nil)
		time.Sleep(15 * time.Minute)
		_, took = mustToken(t, src)
		assert.Zero(t, took)
	})
}

func TestClientTakesOverTheJar(t *testing.T) {
	jar, _ := cookiejar.New(nil)
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Jar: jar})
	assert.Same(t, jar, (&apivideo.Config{APIKey: "made-up-key"}).Client(ctx).Jar)
}

// A program may invalidate one token after the other for as long as it likes.
func TestInvalidatedTokensDoNotPileUp(t *testing.T) {
	src := (&apivideo.Config{APIKey: "made-up-key"}).Source(realSized(t.Context()))
	var before, after runtime.MemStats
	for i := range 2000 {
		if i == 100 {
			runtime.GC()
			runtime.ReadMemStats(&before)
		}
		tok, _ := mustToken(t, src)
		src.Invalidate(tok)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	assert.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(500<<10))
	runtime.KeepAlive(src)
}
