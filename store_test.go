package apivideo_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/internal/childtest"
	"github.com/apivideo/api.video-go-oauth2/internal/memstore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var errStoreDown = errors.New("store is down")

// hooks is a Store made of functions. Load finds nothing without one.
type hooks struct {
	load   func(ctx context.Context, key string) ([]byte, error)
	update func(ctx context.Context, key string, fn updateFunc) error
}

type updateFunc = func(context.Context, []byte) ([]byte, error)

func (h hooks) Load(ctx context.Context, key string) ([]byte, error) {
	if h.load == nil {
		return nil, nil
	}
	return h.load(ctx, key)
}

func (h hooks) Update(ctx context.Context, key string, fn updateFunc) error {
	return h.update(ctx, key, fn)
}

// Promise: All Sources on a Store share one token, and one of them renews it about once an hour.
func TestStoreSharesOneToken(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		w.srv.SetAuthLatency(200 * time.Millisecond)
		sources := make([]*apivideo.Source, 100)
		tokens := make([]string, len(sources))
		for i := range sources {
			sources[i] = w.source()
		}
		together(len(sources), func(i int) {
			tok, took := mustToken(t, sources[i])
			assert.LessOrEqual(t, took, 300*time.Millisecond)
			tokens[i] = tok.AccessToken
		})
		assert.Len(t, slices.Compact(tokens), 1)
		assert.Equal(t, apivideotest.Counters{AuthCalls: 1, Authenticated: 1}, w.srv.Counters())

		// One renewal an hour is enough for all, and no caller waits.
		for range 6 * 60 {
			time.Sleep(time.Minute)
			for _, src := range sources {
				require.True(t, w.srv.Valid(atOnce(t, src).AccessToken))
			}
		}
		assert.LessOrEqual(t, w.authCalls(), 9)
		assert.Equal(t, 1, w.srv.Counters().Authenticated)
	})
}

// Promise: A new Source adopts the stored token with its refresh token, expiry and extra fields.
// Promise: A new Source adopts the stored token without taking the lock.
// Promise: The stored time of issue is from before the request.
func TestStoreColdStartTakesTheToken(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		w.srv.SetAuthLatency(5 * time.Second) // the lifetime counts from before that
		idle := ended(w.ctx)
		src := w.conf.Source(idle)
		first, _ := mustToken(t, src)
		for range 1000 {
			mustToken(t, src)
		}
		assert.Equal(t, 1, w.store.Loads(), "it is not asked for a usable token")

		time.Sleep(10 * time.Minute)
		for key := range w.store.Values() {
			unlock, err := w.store.Lock(t.Context(), key)
			require.NoError(t, err)
			defer unlock() // to take a value needs no lock
		}
		tok := atOnce(t, w.conf.Source(idle))
		assert.Equal(t, first.AccessToken, tok.AccessToken)
		assert.Equal(t, first.RefreshToken, tok.RefreshToken)
		assert.True(t, first.Expiry.Equal(tok.Expiry), "%v %v", first.Expiry, tok.Expiry)
		assert.Equal(t, first.Extra("expires_in"), tok.Extra("expires_in"))
		assert.Equal(t, tok.AccessToken, tok.Extra("access_token"))
		assert.Equal(t, tok.RefreshToken, tok.Extra("refresh_token"))
		assert.Equal(t, 1, w.authCalls())
	})
}

// Promise: A Source renews an adopted token if it is due.
func TestStoreLateTokenIsRenewedBehindItsUse(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		first, _ := mustToken(t, w.conf.Source(ended(w.ctx)))
		time.Sleep(55 * time.Minute)
		src := w.source()
		serves(t, src, first)
		synctest.Wait()
		next, _ := mustToken(t, src)
		assert.NotEqual(t, first.AccessToken, next.AccessToken)
		assert.Equal(t, 1, w.srv.Counters().Refreshed)
	})
}

// Promise: A revocation costs the whole fleet one renewal.
func TestStoreRevocationCostsOneRenewal(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		clients := make([]*http.Client, 20)
		for i := range clients {
			clients[i] = w.client()
			w.get(t, clients[i], 200)
		}
		w.srv.SetAuthLatency(50 * time.Millisecond)
		for round := range 3 {
			w.srv.RevokeAccessTokens()
			together(len(clients), func(i int) {
				time.Sleep(time.Duration(i) * 10 * time.Millisecond)
				w.get(t, clients[i], 200)
			})
			assert.Equal(t, round+1, w.srv.Counters().Refreshed)
		}
		assert.Equal(t, 4, w.authCalls())
	})
}

// The Store still has the refused token when the next one is needed, and once
// more later.
//
// Promise: An invalidated or refused token is not adopted again.
func TestStoreRefusedTokenIsNotTakenAgain(t *testing.T) {
	for name, drop := range map[string]func(t *testing.T, w *world, src *apivideo.Source){
		"Invalidate": func(t *testing.T, w *world, src *apivideo.Source) {
			tok, _ := mustToken(t, src)
			src.Invalidate(tok)
		},
		"a 401": func(t *testing.T, w *world, src *apivideo.Source) {
			w.srv.RevokeAccessTokens()
			w.get(t, src.Client(w.ctx), 200)
		},
	} {
		t.Run(name, inFleet(func(t *testing.T, w *world) {
			src, _ := w.warm(t)
			old := w.store.Values()
			var seen []string
			for range 3 {
				tok, _ := mustToken(t, src)
				assert.NotContains(t, seen, tok.AccessToken)
				seen = append(seen, tok.AccessToken)
				drop(t, w, src)
				mustToken(t, src)
				w.store.SetValues(old)
			}
		}))
	}
}

// Promise: `Renew` does not accept a stored token; of two concurrent calls, one renews.
func TestStoreRenewWantsANewToken(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		first, _ := mustToken(t, w.source())
		cold := w.source()
		tok, _ := mustRenew(t, cold)
		assert.NotEqual(t, first.AccessToken, tok.AccessToken)

		// Of two concurrent calls, one renews for both.
		w.srv.SetAuthLatency(time.Second)
		other := w.source()
		mustToken(t, other)
		before := w.authCalls()
		tokens := make([]string, 2)
		together(2, func(i int) {
			tok, _ := mustRenew(t, []*apivideo.Source{cold, other}[i])
			tokens[i] = tok.AccessToken
		})
		assert.Equal(t, 1, w.authCalls()-before)
		assert.Equal(t, tokens[0], tokens[1])
	})
}

// Promise: A modified value in a Store is treated as missing.
func TestStoreAlteredValueIsMissing(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		mustToken(t, w.source())
		key := slices.Collect(maps.Keys(w.store.Values()))[0]
		good := w.store.Value(key)
		altered := [][]byte{{}, {1}, []byte("nonsense"), good[:len(good)-1]}
		for i := 0; i < len(good); i += len(good)/20 + 1 {
			flipped := slices.Clone(good)
			flipped[i] ^= 4
			altered = append(altered, flipped)
		}
		for i, value := range altered {
			w.store.SetValue(key, value)
			before := w.authCalls()
			mustToken(t, w.source())
			assert.Equal(t, 1, w.authCalls()-before, "value %d", i)
			mustToken(t, w.source())
			assert.Equal(t, 1, w.authCalls()-before, "it was replaced by a good one")
		}
	})
}

// Promise: A stored value of another account or environment is treated as missing.
func TestStoreAccountsDoNotShare(t *testing.T) {
	store := memstore.New()
	issued := 0
	ctx := through(t.Context(), func(*http.Request) (*http.Response, error) {
		issued++
		return grantOf(fmt.Sprint("made-up-token-", issued), "", 3600), nil
	})
	for _, conf := range []apivideo.Config{
		{APIKey: "made-up-key-1"}, {APIKey: "made-up-key-2"}, {APIKey: "made-up-key-1", BaseURL: apivideo.SandboxURL},
	} {
		conf.Store = store
		mustToken(t, conf.Source(ctx))
	}
	assert.Len(t, store.Values(), 3)
	same := apivideo.Config{APIKey: "made-up-key-1", BaseURL: "https://WS.api.video:443/", Store: store}
	mustToken(t, same.Source(ctx))
	assert.Len(t, store.Values(), 3, "another spelling of the same base URL")

	// An account does not use the value of another account.
	values := store.Values()
	keys := slices.Collect(maps.Keys(values))
	for i, key := range keys {
		store.SetValue(key, values[keys[(i+1)%len(keys)]])
	}
	mustToken(t, (&apivideo.Config{APIKey: "made-up-key-2", Store: store}).Source(ctx))
	assert.Equal(t, 4, issued)
}

// Promise: An expired token, or one older than the current one, is not adopted.
// Promise: No part of an expired value in a Store is used.
func TestStoreExpiredValueIsNotUsed(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		first, _ := mustToken(t, w.conf.Source(ended(w.ctx)))
		time.Sleep(2 * time.Hour)
		tok, _ := mustToken(t, w.source())
		assert.NotEqual(t, first.AccessToken, tok.AccessToken)
		assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 2}, w.srv.Counters())
	})
}

// Promise: Of two tokens, the refresh token of the newer one is used.
func TestStoreNewerRefreshTokenIsUsed(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		first, second := w.source(), w.source()
		mustToken(t, first)
		mustToken(t, second)
		old := w.store.Values()
		time.Sleep(time.Minute)
		mustRenew(t, first) // spends the refresh token that second has
		mustRenew(t, second)
		assert.Equal(t, apivideotest.Counters{AuthCalls: 3, Authenticated: 1, Refreshed: 2}, w.srv.Counters())

		w.store.SetValues(old)
		mustRenew(t, second)
		assert.Equal(t, 3, w.srv.Counters().Refreshed, "its own refresh token is newer")

		w.conf.Store = hooks{w.store.Load, func(context.Context, string, updateFunc) error { return errors.New("no lock") }}
		mustRenew(t, w.source())
		assert.Equal(t, 4, w.srv.Counters().Refreshed, "it takes no lock to use it")
	})
}

// Promise: An old failure that somebody puts back into the Store stops processes without a token for 5 minutes at most.
func TestStoreFailurePutBack(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		_, tok := w.warm(t)
		w.fail(apivideotest.Status(503).RetryAfter("3000"))
		time.Sleep(time.Until(tok.Expiry))
		_, err := w.source().Token()
		require.ErrorContains(t, err, "503")
		failure := w.store.Values()
		w.fail(apivideotest.Fault{})
		has := w.source()
		mustRenew(t, has)
		calls := w.authCalls()
		w.store.SetValues(failure)
		mustToken(t, has)
		needs := w.source()
		_, err = needs.Token()
		assert.ErrorContains(t, err, "503")
		time.Sleep(5 * time.Minute)
		assert.Equal(t, calls, w.authCalls())
		mustToken(t, needs)
	})
}

// Promise: If the Store fails or does not answer in time, the renewal continues without it and logs that.
func TestStoreFailureFailsNoRequest(t *testing.T) {
	for _, hangs := range []bool{false, true} {
		fleet(t, func(t *testing.T, w *world) {
			hang := make(chan struct{})
			fault := memstore.Fault{Err: errStoreDown}
			if hangs {
				fault = memstore.Fault{Hang: hang}
			}
			log := w.log()
			w.store.SetFault(fault)
			sources := []*apivideo.Source{w.source(), w.source()}
			ask := func(minutes int, limit time.Duration) {
				for range minutes {
					time.Sleep(time.Minute)
					for _, src := range sources {
						_, took := mustToken(t, src)
						assert.LessOrEqual(t, took, limit)
					}
				}
			}
			ask(1, time.Second)
			synctest.Wait()
			assert.Contains(t, log.String(), "api.video: store failed")
			assert.Equal(t, 2, w.authCalls())
			ask(43, 0)
			assert.Equal(t, 2, w.authCalls())
			w.store.SetFault(memstore.Fault{})
			close(hang)
			ask(61, 0) // they share again from the next renewal on
			assert.LessOrEqual(t, w.authCalls(), 5)
			first, _ := mustToken(t, sources[0])
			second, _ := mustToken(t, sources[1])
			assert.Equal(t, first.AccessToken, second.AccessToken)
		})
	}
}

// Promise: A Store has one second to answer.
func TestStoreHasOneSecondToAnswer(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		mustToken(t, w.source())
		w.store.SetFault(memstore.Fault{Delay: time.Second - time.Millisecond})
		mustToken(t, w.source())
		assert.Equal(t, 1, w.authCalls())
	})
}

// Ahead of expiry there is time to try the store again. At the end of that
// time there is not, and the renewal runs without it, though no caller waits.
// Renew does not wait for the store.
//
// Promise: If the Store fails before expiry and no caller waits, the renewal is retried later.
// Promise: In the last eighth of the time before expiry, a renewal does not wait for a failing Store.
func TestStoreFailureIsWaitedOutAheadOfExpiry(t *testing.T) {
	for _, latency := range []time.Duration{0, 5 * time.Second} {
		fleet(t, func(t *testing.T, w *world) {
			w.srv.SetAuthLatency(latency)
			src, _ := w.warm(t)
			w.store.SetFault(memstore.Fault{Err: errStoreDown})
			for range 56 {
				time.Sleep(time.Minute)
				atOnce(t, src)
			}
			assert.Equal(t, 1, w.authCalls())
			for range 4 * 60 {
				time.Sleep(time.Second)
				atOnce(t, src)
			}
			assert.Equal(t, 2, w.authCalls())

			tok, _ := mustToken(t, src)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			next, err := src.Renew(ctx)
			require.NoError(t, err)
			assert.NotEqual(t, tok.AccessToken, next.AccessToken)
		})
	}
}

// If a renewal is put off because the store fails, no caller gets an error for
// that reason.
//
// Promise: A failing Store is never the reason for an error.
func TestStoreFailureRejectsNoCaller(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		src, tok := w.warm(t)
		hang := make(chan struct{})
		defer close(hang)
		w.store.SetFault(memstore.Fault{Hang: hang})
		time.Sleep(48*time.Minute + time.Second/2)
		mustToken(t, src)
		src.Invalidate(tok)
		next, took := mustToken(t, src)
		assert.NotEqual(t, tok.AccessToken, next.AccessToken)
		assert.LessOrEqual(t, took, 2*time.Second)
	})
}

// seized runs a test after one auth call, with a Store whose lock is held by a
// process that never ends.
func seized(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	fleet(t, func(t *testing.T, w *world) {
		mustToken(t, w.source())
		w.store.Seize()
		f(t, w)
	})
}

// Promise: The wait for the Store's lock ends after 16 to 20 seconds.
// Promise: While a renewal waits for the Store's lock, it reads the Store every 100 ms.
func TestStoreLockTimeout(t *testing.T) {
	seized(t, func(t *testing.T, w *world) {
		before := w.store.Loads()
		_, took := mustToken(t, w.source())
		assert.InDelta(t, int(took/(100*time.Millisecond)), w.store.Loads()-before, 2, "a look every 100 ms")
		assert.Equal(t, 2, w.authCalls())

		all := make([]time.Duration, 30)
		together(len(all), func(i int) { _, all[i] = mustToken(t, w.source()) })
		all = append(all, took)
		assert.GreaterOrEqual(t, slices.Min(all), 16*time.Second)
		assert.Less(t, slices.Min(all), 18*time.Second)
		assert.Greater(t, slices.Max(all), 18*time.Second)
		assert.LessOrEqual(t, slices.Max(all), 20*time.Second)
	})
}

// The wait for the lock does not reduce the 30 seconds of the auth calls.
//
// Promise: The wait for the Store's lock does not reduce the time of the auth calls.
func TestStoreLockWaitLeavesAuthCallsTheirTime(t *testing.T) {
	seized(t, func(t *testing.T, w *world) {
		w.srv.Fail(apivideotest.Hang) // for 15 seconds
		_, took := mustToken(t, w.source())
		assert.Greater(t, took, 31*time.Second)
		assert.LessOrEqual(t, took, 37*time.Second)
	})
}

// Promise: The wait for the Store's lock ends when the token appears.
func TestStoreLockWaitEndsWhenTheTokenComes(t *testing.T) {
	for name, test := range map[string]struct {
		event func(w *world, values map[string][]byte)
		calls int
	}{
		"the token is there": {func(w *world, values map[string][]byte) { w.store.SetValues(values) }, 1},
		"the store fails": {func(w *world, _ map[string][]byte) {
			w.store.SetFault(memstore.Fault{Err: errStoreDown})
		}, 2},
	} {
		t.Run(name, inFleet(func(t *testing.T, w *world) {
			mustToken(t, w.source())
			values := w.store.Values()
			w.store.Seize()
			time.AfterFunc(5*time.Second, func() { test.event(w, values) })
			_, took := mustToken(t, w.source())
			assert.GreaterOrEqual(t, took, 5*time.Second)
			assert.LessOrEqual(t, took, 5*time.Second+100*time.Millisecond)
			assert.Equal(t, test.calls, w.authCalls())
		}))
	}
}

// Promise: An aborted renewal releases the Store's lock.
func TestStoreAbortedRenewalLeavesTheLock(t *testing.T) {
	seized(t, func(t *testing.T, w *world) {
		log := w.log()
		ctx, cancel := context.WithCancel(w.ctx)
		src := w.conf.Source(ctx)
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		time.AfterFunc(time.Millisecond, cancel)
		_, err := src.TokenContext(short)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		synctest.Wait() // the goroutine that waited for the lock has ended
		assert.Empty(t, log.String())
		assert.Equal(t, 1, w.authCalls())
	})
}

// Promise: A renewal that is aborted while it has the Store's lock is no failure of the Store.
func TestStoreAbortedRenewalIsNoFailure(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		log := w.log()
		w.conf.Store = hooks{update: func(ctx context.Context, key string, fn updateFunc) error {
			if _, err := fn(ctx, nil); err != nil {
				return err
			}
			return ctx.Err()
		}}
		w.fail(apivideotest.Hang)
		ctx, cancel := context.WithCancel(w.ctx)
		src := w.conf.Source(ctx)
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		time.AfterFunc(time.Millisecond, cancel)
		_, err := src.TokenContext(short)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(time.Minute)
		assert.Empty(t, log.String())
		assert.Zero(t, src.Stats().StoreFailures)
	})
}

// Promise: A token that cannot be stored is used, and the failure is logged.
func TestStoreWriteFailureStillServesTheToken(t *testing.T) {
	for name, test := range map[string]struct {
		update func(ctx context.Context, key string, fn updateFunc) error
		took   time.Duration
	}{
		"the write fails": {func(ctx context.Context, _ string, fn updateFunc) error {
			fn(ctx, nil)
			return errors.New("disk full")
		}, 0},
		"the write hangs": {func(ctx context.Context, _ string, fn updateFunc) error {
			fn(ctx, nil)
			<-ctx.Done()
			return ctx.Err()
		}, time.Second},
		"the lock is lost": {func(ctx context.Context, _ string, fn updateFunc) error {
			ctx = ended(ctx)
			_, err := fn(ctx, nil)
			return errors.Join(err, ctx.Err())
		}, 0},
		"fn is not called": {func(context.Context, string, updateFunc) error { return nil }, 0},
	} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			log := w.log()
			w.conf.Store = hooks{update: test.update}
			src := w.source()
			_, took := mustToken(t, src)
			assert.Equal(t, test.took, took)
			mustToken(t, src)
			assert.Equal(t, 1, w.authCalls())
			synctest.Wait()
			assert.Contains(t, log.String(), "level=WARN")
			assert.NotContains(t, log.String(), w.conf.APIKey)
		}))
	}
}

// Promise: A process that starts during an outage fails at once, with all that the service said.
func TestStoreServiceErrorReachesTheCaller(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		w.conf.APIKey = "a-made-up-key-of-nobody"
		src := w.source()
		_, err := src.Token()
		assert.ErrorIs(t, err, apivideo.ErrInvalidAPIKey)
		assert.Equal(t, 1, w.authCalls())
		_, again := src.Token()
		assert.Same(t, err, again)
	})
}

// A value may come from a machine with any clock. Its token is used for at
// most its lifetime, and only once.
//
// Promise: An expired or replaced token is not adopted if it looks valid only because another clock was ahead.
// Promise: An adopted token lives no longer than its lifetime, whatever the other machine's clock.
func TestStoreTokenFromAClockAhead(t *testing.T) {
	fromAhead(t, func(t *testing.T, src *apivideo.Source, _ *memstore.Store) {
		tok, _ := mustToken(t, src)
		assert.Equal(t, "of-the-future", tok.AccessToken)
		assert.Equal(t, time.Hour, time.Until(tok.Expiry))
		time.Sleep(time.Hour) // the store still has it, as one of now
		tok, _ = mustToken(t, src)
		assert.Equal(t, "another", tok.AccessToken)
	})
}

// A write to the store fails for a while.
//
// Promise: An expired or replaced token is not adopted if it looks valid only because another clock was ahead.
func TestStoreReplacedTokenIsNotTakenAgain(t *testing.T) {
	fromAhead(t, func(t *testing.T, src *apivideo.Source, store *memstore.Store) {
		old := store.Values()
		mustToken(t, src)
		mustRenew(t, src)
		store.SetValues(old)
		time.Sleep(time.Hour)
		tok, _ := mustToken(t, src)
		assert.Equal(t, "another", tok.AccessToken)
	})
}

// fromAhead runs a test with a Source that renews nothing in the background.
// Its Store has a token from a machine whose clock is an hour ahead. The
// service issues another token.
func fromAhead(t *testing.T, f func(t *testing.T, src *apivideo.Source, store *memstore.Store)) {
	t.Helper()
	var values map[string][]byte
	fleet(t, func(t *testing.T, w *world) { // each bubble starts at midnight of 2000-01-01
		time.Sleep(time.Hour)
		w.conf.APIKey = "made-up-key"
		w.setAuth(grant("of-the-future", ""))
		mustToken(t, w.source())
		values = w.store.Values()
	})
	fleet(t, func(t *testing.T, w *world) {
		w.store.SetValues(values)
		w.conf.APIKey = "made-up-key"
		w.setAuth(grant("another", ""))
		f(t, w.conf.Source(ended(w.ctx)), w.store)
	})
}

// If a write to it failed, the store may hold an older token than the refused
// one.
func TestStoreOlderTokenAfterARefusal(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		src := w.source()
		client := src.Client(w.ctx)
		mustToken(t, src)
		w.store.SetFault(memstore.Fault{WriteErr: errors.New("disk full")})
		time.Sleep(10 * time.Minute)
		mustRenew(t, src)
		w.store.SetFault(memstore.Fault{})
		w.get(t, client, 200)
		w.srv.RevokeAccessTokens()
		for range 5 {
			w.get(t, client, 200)
		}
		assert.Equal(t, 3, w.authCalls())
	})
}

// Promise: An expired token, or one older than the current one, is not adopted.
func TestStoreOlderTokenReplacesNoNewerOne(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		first, _ := mustToken(t, w.conf.Source(ended(w.ctx))) // of another process
		old := w.store.Values()
		w.store.SetValues(nil)
		time.Sleep(5 * time.Minute)
		src, _ := w.warm(t)
		w.store.SetValues(old)
		time.Sleep(49 * time.Minute) // past the renewal ahead of expiry; the old one is usable still
		tok, _ := mustToken(t, src)
		assert.NotEqual(t, first.AccessToken, tok.AccessToken)
		assert.Equal(t, 3, w.authCalls())
	})
}

// Promise: An API that rejects every token costs a fleet few auth calls.
func TestStoreFleetUnderARefusingAPI(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		w.setAPI(reply(401, "text/plain", ""))
		clients := []*http.Client{w.client(), w.client(), w.client(), w.client(), w.client()}
		limit := 15 // of the first minute
		for range 10 {
			before := w.authCalls()
			for range 60 {
				for _, client := range clients {
					w.get(t, client, 401)
				}
				time.Sleep(time.Second)
			}
			assert.LessOrEqual(t, w.authCalls()-before, limit)
			limit = 3
		}
	})
}

// Promise: A token that the service issues again is adopted again.
func TestStoreTokenIssuedAgainIsShared(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		w.setAuth(grant("made-up-token-that-never-changes", ""))
		one, other := w.source(), w.source()
		for range 30 {
			mustToken(t, one)
			mustToken(t, other)
			time.Sleep(10 * time.Minute)
		}
		assert.LessOrEqual(t, w.authCalls(), 1+5*60/45, "in five hours")
	})
}

// A lock that is acquired after the Source gave up waiting is not used.
//
// Promise: If the Store's lock is acquired after the wait, it is released without a renewal.
func TestStoreLateLockRenewsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.srv.SetAuthLatency(8 * time.Second)
		late := make(chan error, 1)
		w.conf.Store = hooks{update: func(ctx context.Context, _ string, fn updateFunc) error {
			time.Sleep(21 * time.Second) // whatever the context says
			_, err := fn(ctx, nil)
			late <- err
			return err
		}}
		mustToken(t, w.source())
		assert.Error(t, <-late)
		time.Sleep(time.Minute)
		assert.Equal(t, 1, w.authCalls())
	})
}

// slowUpdate calls fn, with this old value, 120 ms late.
func slowUpdate(old []byte) func(context.Context, string, updateFunc) error {
	return func(ctx context.Context, _ string, fn updateFunc) error {
		time.Sleep(120 * time.Millisecond)
		_, err := fn(ctx, old)
		return err
	}
}

// A Source reads the Store, beginning after 100 ms. Update may return before
// that read does.
func TestStoreUpdateEndsDuringALoad(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		mustToken(t, w.source())
		for _, value := range w.store.Values() {
			w.conf.Store = hooks{func(context.Context, string) ([]byte, error) {
				time.Sleep(50 * time.Millisecond)
				return nil, nil
			}, slowUpdate(value)}
		}
		for range 20 {
			_, took := mustToken(t, w.source())
			assert.LessOrEqual(t, took, 200*time.Millisecond)
		}
		assert.Equal(t, 1, w.authCalls())
	})
}

// A read of the Store that ends after the lock was acquired decides nothing.
func TestStoreLoadFailsAfterTheLock(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.srv.SetAuthLatency(time.Second)
		looks := 0
		w.conf.Store = hooks{func(context.Context, string) ([]byte, error) {
			if looks++; looks == 1 {
				return nil, nil
			}
			time.Sleep(50 * time.Millisecond)
			return nil, errStoreDown
		}, slowUpdate(nil)}
		mustToken(t, w.source())
		time.Sleep(time.Minute)
		assert.Equal(t, 1, w.authCalls())
	})
}

// The test opens a value of the Store without the code that made it.
//
// Promise: Values in a Store are encrypted with a random nonce, and their names reveal nothing.
// Promise: The format of a stored value is fixed: version, keys, labels and additional data.
func TestStoreValueIsSealed(t *testing.T) {
	const base = "https://ws.api.video:443"
	conf := apivideo.Config{APIKey: "made-up-key"}
	derive := func(label string) []byte {
		key, err := hkdf.Key(sha256.New, []byte(conf.APIKey), nil, "apivideo "+label+" key\x00"+base, 32)
		require.NoError(t, err)
		return key
	}
	key := hex.EncodeToString(derive("store"))
	block, err := aes.NewCipher(derive("sealing"))
	require.NoError(t, err)
	aead, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(t, err)
	var nonces []string
	for range 2 {
		store := memstore.New()
		conf.Store = store
		mustToken(t, sourceThrough(t, conf, grant("made-up-token", "made-up-refresh")))
		value := store.Value(key)
		require.NotEmpty(t, value)
		assert.EqualValues(t, 1, value[0])
		assert.NotContains(t, nonces, string(value[1:13]), "the same key, another nonce")
		nonces = append(nonces, string(value[1:13]))
		plain, err := aead.Open(nil, nil, value[1:], []byte("\x01"+base+"\x00"+key))
		require.NoError(t, err)
		assert.Equal(t, 1, strings.Count(string(plain), "made-up-token"))
		assert.Equal(t, 1, strings.Count(string(plain), "made-up-refresh"))
		for _, secret := range []string{"made-up-key", "made-up-token", "made-up-refresh"} {
			assert.False(t, bytes.Contains(value, []byte(secret)))
		}

		// A value that is not sealed is treated as missing.
		store.SetValue(key, append([]byte{1}, plain...))
		tok, _ := mustToken(t, sourceThrough(t, conf, grant("another", "")))
		assert.Equal(t, "another", tok.AccessToken)
	}
}

var storeFormat = flag.String("store-format", "", "write values of a Store into testdata/store/`FORMAT`")

// released returns a Source with a Store that has the value of a file, unless
// name is empty. auth answers its auth calls.
func released(t *testing.T, name string, auth tripper) (*apivideo.Source, *memstore.Store) {
	store := memstore.New()
	conf := apivideo.Config{APIKey: "made-up-key-of-a-store", Store: store}
	if name != "" {
		var key string
		var value []byte
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		_, err = fmt.Sscanf(string(text), "%s %x", &key, &value)
		require.NoError(t, err)
		store.SetValue(key, value)
	}
	return sourceThrough(t, conf, auth), store
}

// suspended answers every auth call with a problem.
func suspended(*http.Request) (*http.Response, error) {
	return answer(403, "application/problem+json", `{"title":"Suspended account","status":403,"type":"https://docs.api.video/reference/authorization-suspended-account"}`), nil
}

// There is a folder for each format of a released version. Its values were
// written at the time at which a bubble begins.
//
// Promise: A Store's values that a released version wrote are read: the token, its refresh token, other fields, and a failure.
func TestStoreReadsReleasedFormats(t *testing.T) {
	if *storeFormat != "" {
		writeFormat(t, filepath.Join("testdata", "store", *storeFormat))
	}
	folders, err := filepath.Glob("testdata/store/v*")
	require.NoError(t, err)
	require.NotEmpty(t, folders)
	for _, folder := range folders {
		synctest.Test(t, func(t *testing.T) {
			refreshed := ""
			src, _ := released(t, filepath.Join(folder, "token"), func(r *http.Request) (*http.Response, error) {
				body, err := io.ReadAll(r.Body)
				refreshed = string(body)
				require.NoError(t, err)
				return grantOf("made-up-token-2", "made-up-refresh-2", 3600), nil
			})
			tok := atOnce(t, src)
			assert.Equal(t, "made-up-token-1", tok.AccessToken)
			assert.Equal(t, time.Now().Add(time.Hour), tok.Expiry.Local())
			assert.Equal(t, "made-up-scope", tok.Extra("scope"))
			assert.Empty(t, refreshed)
			_, err := src.Renew(t.Context())
			require.NoError(t, err)
			assert.JSONEq(t, `{"refreshToken":"made-up-refresh-1"}`, refreshed)
		})
		synctest.Test(t, func(t *testing.T) {
			src, _ := released(t, filepath.Join(folder, "failure"), func(*http.Request) (*http.Response, error) {
				panic("the failure is not read")
			})
			_, err := src.Token()
			assert.ErrorIs(t, err, apivideo.ErrAccountSuspended)
		})
	}
}

func writeFormat(t *testing.T, folder string) {
	require.NoError(t, os.MkdirAll(folder, 0o755))
	write := func(name string, auth tripper) {
		synctest.Test(t, func(t *testing.T) {
			src, store := released(t, "", auth)
			src.Token()
			for key, value := range store.Values() {
				text := fmt.Appendf(nil, "%s %x\n", key, value)
				require.NoError(t, os.WriteFile(filepath.Join(folder, name), text, 0o644))
			}
		})
	}
	write("token", func(*http.Request) (*http.Response, error) {
		return answer(200, "application/json", `{"access_token":"made-up-token-1","refresh_token":"made-up-refresh-1","scope":"made-up-scope"}`), nil
	})
	write("failure", suspended)
}

// The test runs itself once more in this mode, which forbids to derive keys from
// less than 112 bits.
//
// Promise: Under GODEBUG=fips140=only, an API key of less than 14 bytes works without a Store, and is a clear error with one.
func TestStoreShortKeyFIPSOnly(t *testing.T) {
	if !fips140.Enforced() {
		again := childtest.Self("GODEBUG=fips140=only")
		again.Args = append(again.Args, "-test.v", "-test.run=^"+t.Name()+"$")
		out, err := again.CombinedOutput()
		require.NoError(t, err, string(out))
		assert.Contains(t, string(out), "--- PASS: "+t.Name())
		return
	}
	for key, works := range map[string]bool{"made-up-key-1": false, "made-up-key-12": true} {
		conf := apivideo.Config{APIKey: key}
		mustToken(t, sourceThrough(t, conf, grant("made-up-token", "made-up-refresh")))
		conf.Store = memstore.New()
		_, err := sourceThrough(t, conf, grant("made-up-token", "made-up-refresh")).Token()
		if works {
			assert.NoError(t, err, key)
			continue
		}
		assert.ErrorIs(t, err, apivideo.ErrInvalidConfig)
		assert.ErrorContains(t, err, "apivideo: with GODEBUG=fips140=only, a Store needs an API key of at least 14 bytes: ")
		assert.NotContains(t, err.Error(), key)
	}
}

// If a Store answered before, and is now too busy for two reads in a row, the
// Source still waits for it.
//
// Promise: Two reads in a row without an answer, while the lock is awaited, do not count as a failure of the Store.
func TestStoreSilentLooksAreNoFailure(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		_, tok := w.warm(t)
		values := w.store.Values()
		w.store.Seize()
		late := w.source()
		for _, after := range []time.Duration{50 * time.Millisecond, 3050 * time.Millisecond} {
			answers := make(chan struct{})
			time.AfterFunc(after, func() { w.store.SetFault(memstore.Fault{Hang: answers}) })
			time.AfterFunc(after+2450*time.Millisecond, func() {
				w.store.SetFault(memstore.Fault{})
				close(answers)
			})
		}
		time.AfterFunc(7*time.Second, func() { w.store.SetValues(values) })
		got, took := mustToken(t, late)
		assert.Equal(t, tok.AccessToken, got.AccessToken)
		assert.InDelta(t, 7, took.Seconds(), 0.1)
		assert.Equal(t, 1, w.authCalls())
		assert.Zero(t, late.Stats().StoreFailures)
	})
}

// largestValue is how much a Store reads of a value, in bytes.
const largestValue = 64 << 10

// The wrong time of a machine that stored a token or a failure. Each bubble
// starts at midnight of 2000-01-01.
//
// Promise: A stored value from a clock that was wrong is treated as missing.
func TestStoreValueOfAWrongClock(t *testing.T) {
	for _, ahead := range []time.Duration{2 * time.Hour, 30 * 365 * 24 * time.Hour} {
		var values map[string][]byte
		for _, failing := range []bool{false, true} {
			fleet(t, func(t *testing.T, w *world) {
				time.Sleep(ahead)
				w.conf.APIKey = "made-up-key"
				w.setAuth(grant("dead", "dead-refresh-token"))
				src, _ := w.warm(t)
				if failing {
					w.setAuth(reply(403, "application/json", `{"title":"made-up"}`))
					_, err := src.Renew(w.ctx)
					require.Error(t, err)
				}
				values = w.store.Values()
			})
			fleet(t, func(t *testing.T, w *world) {
				w.store.SetValues(values)
				w.conf.APIKey = "made-up-key"
				w.setAuth(grant("alive", ""))
				for range 2 {
					tok, _ := mustToken(t, w.source())
					assert.Equal(t, "alive", tok.AccessToken, "%v ahead", ahead)
				}
				assert.Equal(t, 1, w.authCalls(), "the second one takes it from the Store")
			})
		}
	}
}

// A replica answers reads. It does not have the new token yet, and the old one
// was revoked.
//
// Promise: `Renew` returns no earlier token, even if a replica lags behind.
func TestStoreRenewWithALaggingReplica(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		revoked, _ := mustToken(t, w.source())
		w.srv.RevokeAccessTokens()
		time.Sleep(time.Second)
		w.conf.Store = &playedStore{Store: w.store, load: func() ([]byte, error) { return nil, nil }}
		tok, _ := mustRenew(t, w.source())
		assert.NotEqual(t, revoked.AccessToken, tok.AccessToken)
		assert.True(t, w.srv.Valid(tok.AccessToken))
	})
}

// Promise: All spellings of a BaseURL have one entry in a Store.
func TestStoreOneNameForAnEndpoint(t *testing.T) {
	for _, same := range [][]string{
		{"https://ws.api.video", "https://WS.api.video:443/", "https://ws.api.video:0443", "HTTPS://ws.api.video:/."},
		{"https://ws.api.video/caf%c3%a9", "https://ws.api.video/caf%C3%A9/", "https://ws.api.video/café"},
		{"https://[::1]", "https://[0:0:0::1]:443", "https://[0000::0001]:00443"},
		{"https://[2001:DB8::A]", "https://[2001:db8:0::a]"},
		{"https://wſ.api.video"},
		{"https://ws.api.video:8443"},
		{"https://ws.api.video/cafe"},
	} {
		for _, base := range same {
			assert.Equal(t, storeKeys(t, same[0]), storeKeys(t, base), base)
			if other := "https://ws.api.video"; same[0] != other {
				assert.NotEqual(t, storeKeys(t, other), storeKeys(t, base), base)
			}
		}
	}
}

// storeKeys returns the key under which a Source for this base URL keeps its
// token.
func storeKeys(t *testing.T, base string) (keys []string) {
	store := memstore.New()
	mustToken(t, sourceThrough(t, apivideo.Config{BaseURL: base, Store: store}, grant("made-up-token", "")))
	for key := range store.Values() {
		keys = append(keys, key)
	}
	require.Len(t, keys, 1)
	return keys
}

// Whatever the service sends, the token is shared.
//
// Promise: A stored value has at most 64 KiB, and always the access token.
func TestStoreValueStaysSmall(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	problem := `{"type":"https://docs.example/made-up","title":"` + long + `","problems":[{"title":"` + long + `"}]}`
	for name, answers := range map[string][]tripper{
		"a long failure":       {grant("made-up-token", "made-up-refresh"), reply(400, "application/json", problem)},
		"a long refresh token": {grant("made-up-token", long)},
		"long fields":          {reply(200, "application/json", `{"access_token":"made-up-token","about":"`+long+`"}`)},
	} {
		fleet(t, func(t *testing.T, w *world) {
			w.setAuth(answers[0])
			src, _ := w.warm(t)
			for _, next := range answers[1:] {
				w.setAuth(next)
				_, err := src.Renew(w.ctx)
				require.Error(t, err)
			}
			for _, value := range w.store.Values() {
				assert.LessOrEqual(t, len(value), largestValue, name)
			}
			calls := w.authCalls()
			other := w.source()
			tok, _ := mustToken(t, other)
			assert.Equal(t, "made-up-token", tok.AccessToken)
			if len(answers) > 1 {
				other.Invalidate(tok)
				_, err := other.Token()
				assert.ErrorContains(t, err, "xxx…", "the failure is shared, too")
			}
			assert.Equal(t, calls, w.authCalls())
		})
	}
}

// The tokens after it live shorter, and the Store takes none of them.
//
// Promise: An invalidated token is not adopted again, though others came after it.
func TestStoreInvalidatedTokenStaysOut(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		src, first := w.warm(t)
		src.Invalidate(first)
		w.store.SetFault(memstore.Fault{WriteErr: errStoreDown})
		w.srv.SetLifetime(time.Minute)
		for range 10 {
			assert.NotEqual(t, first.AccessToken, atOnce(t, src).AccessToken)
			time.Sleep(2 * time.Minute) // longer than that token lives
		}
	})
}

// Promise: At most 8 calls of a Store that never returns run at a time, whatever the time; later renewals do without it at once.
func TestStoreThatHangsIsNotCalledAgain(t *testing.T) {
	for name, load := range map[string]bool{"Load hangs": true, "Update hangs": false} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			released := make(chan struct{})
			var calls atomic.Int64
			hang := func() error { calls.Add(1); <-released; return errStoreDown }
			w.conf.Store = hooks{
				load: func(context.Context, string) ([]byte, error) {
					if load {
						return nil, hang()
					}
					return nil, nil
				},
				update: func(context.Context, string, updateFunc) error { return hang() },
			}
			src := w.source()
			w.fail(apivideotest.Status(503))
			for end := time.Now().Add(24 * time.Hour); time.Now().Before(end); time.Sleep(10 * time.Second) {
				src.Token()
			}
			assert.EqualValues(t, 8, calls.Load())
			w.fail(apivideotest.Fault{})
			time.Sleep(time.Minute)
			_, took := mustToken(t, src)
			assert.Zero(t, took, "without the Store at once")
			close(released)
			synctest.Wait()
			calls.Store(0)
			mustRenew(t, src)
			assert.Positive(t, calls.Load(), "it is called again")
		}))
	}
}

// The Store has a token from before the call of Renew. Load shows it late, and it
// comes from a machine whose clock is ahead: by its time it was issued later.
//
// Promise: Renew returns a token that was issued after its call, also in a new process with a Store whose reads lag.
func TestStoreRenewInANewProcess(t *testing.T) {
	for _, ahead := range []time.Duration{0, time.Second, time.Minute} {
		var values map[string][]byte
		fleet(t, func(t *testing.T, w *world) { // each bubble starts at the same time
			time.Sleep(ahead)
			w.conf.APIKey = "made-up-key"
			w.setAuth(grant("older", ""))
			mustToken(t, w.source())
			values = w.store.Values()
		})
		fleet(t, func(t *testing.T, w *world) {
			w.conf.APIKey = "made-up-key"
			w.setAuth(grant("newer", ""))
			store := memstore.New()
			store.SetValues(values)
			w.conf.Store = hooks{update: store.Update}
			time.Sleep(10 * time.Millisecond)
			tok, _ := mustRenew(t, w.source())
			assert.Equal(t, "newer", tok.AccessToken, ahead)
		})
	}
}

// Promise: A failure that concerns only this machine, as an unknown certificate authority or its key file, is not shared over the Store.
func TestStoreKeepsLocalFailuresOut(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		w.setAuth(breakOff(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}))
		_, err := w.source().Token()
		require.ErrorContains(t, err, "unknown authority")
		w.setAuth(nil)
		_, took := mustToken(t, w.source())
		assert.Zero(t, took)
	})
}
