package apivideo_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fleet runs a test with a store that its sources share.
func fleet(t *testing.T, f func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config)) {
	t.Helper()
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		store := newMemoryStore()
		conf := srv.Config()
		conf.Store = store
		f(t, srv, ctx, store, conf)
	})
}

func TestSourcesShareOneTokenThroughAStore(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		srv.SetAuthLatency(200 * time.Millisecond)
		sources := make([]*apivideo.Source, 100)
		tokens := make([]string, len(sources))
		for i := range sources {
			sources[i] = conf.Source(ctx)
		}
		together(len(sources), func(i int) {
			tok, took := mustToken(t, sources[i])
			assert.LessOrEqual(t, took, 300*time.Millisecond)
			tokens[i] = tok.AccessToken
		})
		assert.Len(t, slices.Compact(tokens), 1)
		assert.Equal(t, apivideotest.Counters{AuthCalls: 1, Authenticated: 1}, srv.Counters())

		// One renewal an hour serves them all, and nobody waits.
		for range 6 * 60 {
			time.Sleep(time.Minute)
			for _, src := range sources {
				tok, took := mustToken(t, src)
				require.Zero(t, took)
				require.True(t, srv.Valid(tok.AccessToken))
			}
		}
		assert.LessOrEqual(t, srv.Counters().AuthCalls, 9)
		assert.Equal(t, 1, srv.Counters().Authenticated)
	})
}

func TestAColdStartAdoptsWhatAnotherProcessLeft(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		ended, end := context.WithCancel(ctx)
		end() // of a program that renews nothing any more
		first, _ := mustToken(t, conf.Source(ended))
		time.Sleep(10 * time.Minute)
		tok, took := mustToken(t, conf.Source(ended))
		assert.Zero(t, took)
		assert.Equal(t, first.AccessToken, tok.AccessToken)
		assert.Equal(t, first.RefreshToken, tok.RefreshToken)
		assert.True(t, first.Expiry.Equal(tok.Expiry))
		assert.Equal(t, first.Extra("expires_in"), tok.Extra("expires_in"))
		assert.Equal(t, tok.AccessToken, tok.Extra("access_token"))
		assert.Equal(t, tok.RefreshToken, tok.Extra("refresh_token"))
		assert.Equal(t, 1, srv.Counters().AuthCalls)

		// One with little life left is renewed behind its first use.
		time.Sleep(45 * time.Minute)
		src := conf.Source(ctx)
		tok, took = mustToken(t, src)
		assert.Zero(t, took)
		assert.Equal(t, first.AccessToken, tok.AccessToken)
		synctest.Wait()
		next, _ := mustToken(t, src)
		assert.NotEqual(t, first.AccessToken, next.AccessToken)
		assert.Equal(t, 1, srv.Counters().Refreshed)
	})
}

func TestARevocationCostsTheFleetOneRenewal(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		clients := make([]*http.Client, 20)
		for i := range clients {
			clients[i] = conf.Client(ctx)
			get(t, clients[i], srv)
		}
		srv.SetAuthLatency(50 * time.Millisecond)
		for round := range 3 {
			srv.RevokeAccessTokens()
			together(len(clients), func(i int) {
				time.Sleep(time.Duration(i) * 10 * time.Millisecond)
				status, _ := get(t, clients[i], srv)
				assert.Equal(t, 200, status)
			})
			assert.Equal(t, round+1, srv.Counters().Refreshed)
		}
		assert.Equal(t, 4, srv.Counters().AuthCalls)
	})
}

func TestATokenThatWasInvalidatedIsNotAdoptedAgain(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		src := conf.Source(ctx)
		first, _ := mustToken(t, src)
		old := maps.Clone(store.values)
		src.Invalidate(first)
		second, _ := mustToken(t, src)
		assert.NotEqual(t, first.AccessToken, second.AccessToken)
		store.values = old
		src.Invalidate(second)
		third, _ := mustToken(t, src)
		assert.NotEqual(t, first.AccessToken, third.AccessToken)
		assert.NotEqual(t, second.AccessToken, third.AccessToken)
	})
}

func TestATokenThatTheAPIRefusedIsNotAdoptedAgain(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		client := conf.Client(ctx)
		get(t, client, srv)
		old := maps.Clone(store.values)
		for range 2 {
			srv.RevokeAccessTokens()
			status, _ := get(t, client, srv)
			assert.Equal(t, 200, status)
			store.values = maps.Clone(old)
		}
	})
}

func TestRenewIsNotContentWithTheTokenOfTheStore(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		first, _ := mustToken(t, conf.Source(ctx))
		cold := conf.Source(ctx)
		tok, err := cold.Renew(ctx)
		require.NoError(t, err)
		assert.NotEqual(t, first.AccessToken, tok.AccessToken)

		// Of two at once, one renews for both.
		srv.SetAuthLatency(time.Second)
		other := conf.Source(ctx)
		mustToken(t, other)
		before := srv.Counters().AuthCalls
		tokens := make([]string, 2)
		together(2, func(i int) {
			tok, err := []*apivideo.Source{cold, other}[i].Renew(ctx)
			require.NoError(t, err)
			tokens[i] = tok.AccessToken
		})
		assert.Equal(t, 1, srv.Counters().AuthCalls-before)
		assert.Equal(t, tokens[0], tokens[1])
	})
}

func TestWhatTheStoreHoldsTellsNothing(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		tok, _ := mustToken(t, conf.Source(ctx))
		require.Len(t, store.values, 1)
		for key, value := range store.values {
			assert.Regexp(t, "^[0-9a-f]{64}$", key)
			for _, secret := range []string{conf.APIKey, tok.AccessToken, tok.RefreshToken} {
				for _, part := range []string{secret, secret[:16], secret[len(secret)-16:]} {
					assert.False(t, bytes.Contains(value, []byte(part)))
					assert.NotContains(t, key, part)
				}
			}
		}
		other := newMemoryStore()
		conf.Store = other
		src := conf.Source(ctx)
		mustToken(t, src)
		for key, value := range store.values {
			assert.NotEqual(t, value[1:13], other.values[key][1:13], "the same key, another nonce")
		}
	})
}

func TestAValueThatWasAlteredCountsAsAbsent(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		mustToken(t, conf.Source(ctx))
		key := slices.Collect(maps.Keys(store.values))[0]
		good := store.values[key]
		for i := 0; i < len(good); i += len(good)/20 + 1 {
			flipped := slices.Clone(good)
			flipped[i] ^= 4
			store.values[key] = flipped
			before := srv.Counters().AuthCalls
			mustToken(t, conf.Source(ctx))
			assert.Equal(t, 1, srv.Counters().AuthCalls-before, "byte %d", i)
			mustToken(t, conf.Source(ctx))
			assert.Equal(t, 1, srv.Counters().AuthCalls-before, "it was replaced by a good one")
		}
		for _, value := range [][]byte{{}, {1}, []byte("nonsense"), good[:len(good)-1]} {
			store.values[key] = value
			before := srv.Counters().AuthCalls
			mustToken(t, conf.Source(ctx))
			assert.Equal(t, 1, srv.Counters().AuthCalls-before)
		}
	})
}

func TestAccountsAndEnvironmentsDoNotShare(t *testing.T) {
	store := newMemoryStore()
	issued := 0
	ctx := through(t.Context(), func(r *http.Request) (*http.Response, error) {
		issued++
		return grantOf(fmt.Sprintf("made-up-token-%d", issued), "", 3600), nil
	})
	for _, conf := range []apivideo.Config{
		{APIKey: "made-up-key-1"}, {APIKey: "made-up-key-2"}, {APIKey: "made-up-key-1", BaseURL: apivideo.SandboxURL},
	} {
		conf.Store = store
		mustToken(t, conf.Source(ctx))
	}
	assert.Len(t, store.values, 3)
	same := apivideo.Config{APIKey: "made-up-key-1", BaseURL: "https://WS.api.video:443/", Store: store}
	mustToken(t, same.Source(ctx))
	assert.Len(t, store.values, 3, "another spelling of the same base URL")

	// The value of one is nothing to another.
	keys := slices.Collect(maps.Keys(store.values))
	first := store.values[keys[0]]
	for i, key := range keys {
		store.values[key] = first
		if next := i + 1; next < len(keys) {
			store.values[key] = store.values[keys[next]]
		}
	}
	mustToken(t, (&apivideo.Config{APIKey: "made-up-key-2", Store: store}).Source(ctx))
	assert.Equal(t, 4, issued)
}

func TestAnExpiredValueIsNotUsed(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		ended, end := context.WithCancel(ctx)
		end()
		first, _ := mustToken(t, conf.Source(ended))
		time.Sleep(2 * time.Hour)
		tok, _ := mustToken(t, conf.Source(ctx))
		assert.NotEqual(t, first.AccessToken, tok.AccessToken)
		assert.Equal(t, 2, srv.Counters().AuthCalls)
	})
}

func TestTheRefreshTokenOfTheStoreIsUsed(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		first, second := conf.Source(ctx), conf.Source(ctx)
		mustToken(t, first)
		tok, _ := mustToken(t, second)
		_, err := first.Renew(ctx) // spends the refresh token that second has
		require.NoError(t, err)
		second.Invalidate(tok)
		_, err = second.Renew(ctx)
		require.NoError(t, err)
		assert.Equal(t, apivideotest.Counters{AuthCalls: 3, Authenticated: 1, Refreshed: 2}, srv.Counters())
	})
}

func TestAStoreThatFailsCostsSharingAndNoRequest(t *testing.T) {
	for name, trouble := range map[string]func(*memoryStore) (end func()){
		"fails": func(s *memoryStore) func() {
			s.set(errors.New("store is down"), nil)
			return func() { s.set(nil, nil) }
		},
		"hangs": func(s *memoryStore) func() {
			hang := make(chan struct{})
			s.set(nil, hang)
			return func() { s.set(nil, nil); close(hang) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
				var log bytes.Buffer
				conf.Logger = slog.New(slog.NewTextHandler(&log, nil))
				end := trouble(store)
				sources := []*apivideo.Source{conf.Source(ctx), conf.Source(ctx)}
				for _, src := range sources {
					_, took := mustToken(t, src)
					assert.LessOrEqual(t, took, time.Second)
				}
				synctest.Wait()
				assert.Contains(t, log.String(), "going on without the store")
				assert.Equal(t, 2, srv.Counters().AuthCalls)
				for range 44 {
					time.Sleep(time.Minute)
					for _, src := range sources {
						_, took := mustToken(t, src)
						assert.Zero(t, took)
					}
				}
				assert.Equal(t, 2, srv.Counters().AuthCalls)
				end()
				time.Sleep(time.Second)
				for range 60 { // they share again from the next renewal on
					time.Sleep(time.Minute)
					for _, src := range sources {
						_, took := mustToken(t, src)
						assert.Zero(t, took)
					}
				}
				assert.LessOrEqual(t, srv.Counters().AuthCalls, 5)
				first, _ := mustToken(t, sources[0])
				second, _ := mustToken(t, sources[1])
				assert.Equal(t, first.AccessToken, second.AccessToken)
			})
		})
	}
}

func TestAStoreIsGivenASecondToAnswer(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		mustToken(t, conf.Source(ctx))
		conf.Store = hooks{func(ctx context.Context, key string) ([]byte, error) {
			time.Sleep(time.Second - time.Millisecond)
			return store.Load(ctx, key)
		}, store.Update}
		mustToken(t, conf.Source(ctx))
		assert.Equal(t, 1, srv.Counters().AuthCalls)
	})
}

// Ahead of expiry there is time to try the store again; at the end of that time
// there is not, and still nobody waits.
func TestAheadOfExpiryAStoreThatFailsIsWaitedFor(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		src := conf.Source(ctx)
		mustToken(t, src)
		store.set(errors.New("store is down"), nil)
		for range 56 {
			time.Sleep(time.Minute)
			_, took := mustToken(t, src)
			assert.Zero(t, took)
		}
		assert.Equal(t, 1, srv.Counters().AuthCalls)
		for range 4 * 60 {
			time.Sleep(time.Second)
			_, took := mustToken(t, src)
			require.Zero(t, took)
		}
		assert.Equal(t, 2, srv.Counters().AuthCalls)
	})
}

// A renewal that gave way to a failing store is no reason to refuse a caller.
func TestACallerIsNotRefusedForTheSakeOfTheStore(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		src := conf.Source(ctx)
		tok, _ := mustToken(t, src)
		hang := make(chan struct{})
		defer close(hang)
		store.set(nil, hang)
		time.Sleep(48*time.Minute + time.Second/2)
		mustToken(t, src)
		src.Invalidate(tok)
		next, took := mustToken(t, src)
		assert.NotEqual(t, tok.AccessToken, next.AccessToken)
		assert.LessOrEqual(t, took, 2*time.Second)
	})
}

func TestALockThatIsNotToBeHadIsWaitedForUpTo20Seconds(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		mustToken(t, conf.Source(ctx))
		store.seize()
		src := conf.Source(ctx)
		_, took := mustToken(t, src)
		assert.GreaterOrEqual(t, took, 16*time.Second)
		assert.LessOrEqual(t, took, 20*time.Second)
		assert.Equal(t, 2, srv.Counters().AuthCalls)
	})
}

// The auth calls have their 30 seconds all the same.
func TestWaitingForTheLockTakesNothingFromTheAuthCalls(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		mustToken(t, conf.Source(ctx))
		store.seize()
		srv.Fail(apivideotest.Hang) // for 15 seconds
		_, took := mustToken(t, conf.Source(ctx))
		assert.Greater(t, took, 31*time.Second)
		assert.LessOrEqual(t, took, 37*time.Second)
	})
}

func TestWhoWaitsForTheLockLeavesWhenTheTokenIsThere(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		mustToken(t, conf.Source(ctx))
		good := maps.Clone(store.values)
		for key := range good {
			store.lock(key) <- struct{}{}
			delete(store.values, key)
		}
		src := conf.Source(ctx)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, took := mustToken(t, src)
			assert.GreaterOrEqual(t, took, 5*time.Second)
			assert.LessOrEqual(t, took, 5*time.Second+100*time.Millisecond)
		})
		time.Sleep(5 * time.Second)
		store.mu.Lock()
		store.values = good
		store.mu.Unlock()
		wg.Wait()
		assert.Equal(t, 1, srv.Counters().AuthCalls)
	})
}

func TestAStoreThatFailsWhileItsLockIsWaitedForIsLeft(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		mustToken(t, conf.Source(ctx))
		store.seize()
		src := conf.Source(ctx)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, took := mustToken(t, src)
			assert.LessOrEqual(t, took, 5*time.Second+100*time.Millisecond)
		})
		time.Sleep(5 * time.Second)
		store.set(errors.New("store is down"), nil)
		wg.Wait()
		assert.Equal(t, 2, srv.Counters().AuthCalls)
	})
}

// hooks is a Store made of functions.
type hooks struct {
	load   func(ctx context.Context, key string) ([]byte, error)
	update func(ctx context.Context, key string, fn func(context.Context, []byte) ([]byte, error)) error
}

func (h hooks) Load(ctx context.Context, key string) ([]byte, error) { return h.load(ctx, key) }

func (h hooks) Update(ctx context.Context, key string, fn func(context.Context, []byte) ([]byte, error)) error {
	return h.update(ctx, key, fn)
}

func miss(context.Context, string) ([]byte, error) { return nil, nil }

func TestATokenThatCannotBeStoredIsUsedAllTheSame(t *testing.T) {
	for name, test := range map[string]struct {
		update func(ctx context.Context, key string, fn func(context.Context, []byte) ([]byte, error)) error
		took   time.Duration
	}{
		"the write fails": {func(ctx context.Context, _ string, fn func(context.Context, []byte) ([]byte, error)) error {
			fn(ctx, nil)
			return errors.New("disk full")
		}, 0},
		"the write hangs": {func(ctx context.Context, _ string, fn func(context.Context, []byte) ([]byte, error)) error {
			fn(ctx, nil)
			<-ctx.Done()
			return ctx.Err()
		}, time.Second},
		"the lock is lost": {func(ctx context.Context, _ string, fn func(context.Context, []byte) ([]byte, error)) error {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			_, err := fn(ctx, nil)
			return errors.Join(err, ctx.Err())
		}, 0},
		"fn is not called": {func(context.Context, string, func(context.Context, []byte) ([]byte, error)) error {
			return nil
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
				var log bytes.Buffer
				conf := srv.Config()
				conf.Logger = slog.New(slog.NewTextHandler(&log, nil))
				conf.Store = hooks{miss, test.update}
				src := conf.Source(ctx)
				_, took := mustToken(t, src)
				assert.Equal(t, test.took, took)
				mustToken(t, src)
				assert.Equal(t, 1, srv.Counters().AuthCalls)
				synctest.Wait()
				assert.Contains(t, log.String(), "level=WARN")
				assert.NotContains(t, log.String(), conf.APIKey)
			})
		})
	}
}

func TestAFailureOfTheServiceUnderTheLockIsTheCallersError(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		conf.APIKey = "a-made-up-key-of-nobody"
		src := conf.Source(ctx)
		_, err := src.Token()
		assert.ErrorIs(t, err, apivideo.ErrInvalidAPIKey)
		assert.Equal(t, 1, srv.Counters().AuthCalls)
		assert.Empty(t, store.values)
		_, again := src.Token()
		assert.Same(t, err, again)
	})
}

func TestAnAbortedFlightLetsGoOfTheStore(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		mustToken(t, conf.Source(ctx))
		store.seize()
		var log bytes.Buffer
		conf.Logger = slog.New(slog.NewTextHandler(&log, nil))
		ctx, cancel := context.WithCancel(ctx)
		src := conf.Source(ctx)
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := src.TokenContext(short)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		})
		cancel()
		wg.Wait()
		synctest.Wait() // the goroutine that waited for the lock has ended
		assert.Empty(t, log.String())
		assert.Equal(t, 1, srv.Counters().AuthCalls)
	})
}

// However the clock is set where a value comes from, its token is used for no
// longer than its lifetime.
func TestAnotherMachinesClockDoesNoHarm(t *testing.T) {
	fromAhead(t, "made-up-token-of-the-future", func(src *apivideo.Source, _ *memoryStore) {
		tok, _ := mustToken(t, src)
		assert.Equal(t, "made-up-token-of-the-future", tok.AccessToken)
		assert.Equal(t, time.Hour, time.Until(tok.Expiry))
	})
}

func TestATokenThatHasExpiredHereIsNotAdoptedAgain(t *testing.T) {
	fromAhead(t, "made-up-token-of-the-future", func(src *apivideo.Source, _ *memoryStore) {
		tok, _ := mustToken(t, src)
		assert.Equal(t, "made-up-token-of-the-future", tok.AccessToken)
		time.Sleep(time.Hour) // the store still has it, as one of now
		tok, _ = mustToken(t, src)
		assert.Equal(t, "another", tok.AccessToken)
	})
}

// As when nothing can be written to the store for a while.
func TestATokenThatWasReplacedHereIsNotAdoptedAgain(t *testing.T) {
	fromAhead(t, "made-up-token-of-the-future", func(src *apivideo.Source, store *memoryStore) {
		old := maps.Clone(store.values)
		mustToken(t, src)
		_, err := src.Renew(context.Background())
		require.NoError(t, err)
		store.values = old
		time.Sleep(time.Hour)
		tok, _ := mustToken(t, src)
		assert.Equal(t, "another", tok.AccessToken)
	})
}

// fromAhead calls f with a Source that renews nothing by itself, over a Store
// whose value is of a machine with a clock that is an hour ahead. The service
// would issue another token.
func fromAhead(t *testing.T, access string, f func(src *apivideo.Source, store *memoryStore)) {
	t.Helper()
	store := newMemoryStore()
	conf := apivideo.Config{APIKey: "made-up-key", Store: hooks{store.Load, unlocked(store)}}
	issuing := func(t *testing.T, access string) context.Context {
		return through(t.Context(), func(*http.Request) (*http.Response, error) { return grantOf(access, "", 3600), nil })
	}
	// Each bubble starts at midnight of 2000-01-01.
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		mustToken(t, conf.Source(issuing(t, access)))
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(issuing(t, "another"))
		end()
		f(conf.Source(ctx), store)
	})
}

// unlocked is Update without a lock, which a bubble could not share.
func unlocked(store *memoryStore) func(context.Context, string, func(context.Context, []byte) ([]byte, error)) error {
	return func(ctx context.Context, key string, fn func(context.Context, []byte) ([]byte, error)) error {
		value, err := fn(ctx, store.values[key])
		if err == nil && value != nil {
			store.values[key] = value
		}
		return err
	}
}

func TestTheStoreIsNotAskedForTokensThatAreAtHand(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		src := conf.Source(ctx)
		for range 1000 {
			mustToken(t, src)
		}
		assert.Equal(t, 1, store.loads)
		assert.False(t, strings.Contains(strings.Join(slices.Collect(maps.Keys(store.values)), ""), conf.APIKey))
	})
}

// The store may hold an older token than the one that was refused, if a write
// to it failed.
func TestAnOlderTokenIsNotAdoptedInPlaceOfARefusedOne(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		store, full := newMemoryStore(), false
		conf := srv.Config()
		conf.Store = hooks{store.Load, func(ctx context.Context, key string, fn func(context.Context, []byte) ([]byte, error)) error {
			return store.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, error) {
				value, err := fn(ctx, old)
				if full {
					return nil, errors.New("disk full")
				}
				return value, err
			})
		}}
		src := conf.Source(ctx)
		client := src.Client(ctx)
		mustToken(t, src)
		full = true
		time.Sleep(10 * time.Minute)
		_, err := src.Renew(ctx)
		require.NoError(t, err)
		full = false
		get(t, client, srv)
		srv.RevokeAccessTokens()
		for range 5 {
			status, _ := get(t, client, srv)
			assert.Equal(t, 200, status)
		}
		assert.Equal(t, 3, srv.Counters().AuthCalls)
	})
}

// A process that missed the first of two revocations finds the token of
// another, revoked as well: only the request that finds out gets the 401.
func TestARefusedTokenThatWasAdoptedIsReplacedAtOnce(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		busy, idle := conf.Client(ctx), conf.Client(ctx)
		get(t, busy, srv)
		get(t, idle, srv)
		srv.RevokeAccessTokens()
		get(t, busy, srv)
		srv.RevokeAccessTokens()
		var statuses []int
		for range 3 {
			status, _ := get(t, idle, srv)
			statuses = append(statuses, status)
		}
		assert.Equal(t, []int{401, 200, 200}, statuses)
	})
}

func TestAFleetUnderAnAPIThatRefusesEverythingMakesFewAuthCalls(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		var clients []*http.Client
		for range 5 {
			clients = append(clients, conf.Client(through(ctx, refusingAPI(srv, 401, ""))))
		}
		for minute := range 10 {
			before := srv.Counters().AuthCalls
			for range 60 {
				for _, client := range clients {
					resp, err := client.Get(srv.URL + "/videos")
					require.NoError(t, err)
					assert.Equal(t, 401, resp.StatusCode)
				}
				time.Sleep(time.Second)
			}
			assert.LessOrEqual(t, srv.Counters().AuthCalls-before, map[bool]int{true: 15, false: 3}[minute == 0])
		}
	})
}

func TestPatienceWithTheLockIsJittered(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		mustToken(t, conf.Source(ctx))
		store.seize()
		took := make([]time.Duration, 30)
		together(len(took), func(i int) { _, took[i] = mustToken(t, conf.Source(ctx)) })
		assert.GreaterOrEqual(t, slices.Min(took), 16*time.Second)
		assert.Less(t, slices.Min(took), 18*time.Second)
		assert.Greater(t, slices.Max(took), 18*time.Second)
	})
}

func TestTheStoreIsLookedAtEvery100Milliseconds(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		mustToken(t, conf.Source(ctx))
		store.seize()
		before := store.loads
		_, took := mustToken(t, conf.Source(ctx))
		assert.InDelta(t, int(took/(100*time.Millisecond)), store.loads-before, 2)
	})
}

// The lifetime counts from before the request in the store too.
func TestTheStoreHoldsWhenTheTokenWasAskedFor(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		srv.SetAuthLatency(5 * time.Second)
		first, _ := mustToken(t, conf.Source(ctx))
		adopted, _ := mustToken(t, conf.Source(ctx))
		assert.True(t, first.Expiry.Equal(adopted.Expiry), "%v %v", first.Expiry, adopted.Expiry)
	})
}

func TestAValueOfTheStoreIsAdoptedWithoutTheLock(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		mustToken(t, conf.Source(ctx))
		for key := range store.values {
			store.lock(key) <- struct{}{}
		}
		_, took := mustToken(t, conf.Source(ctx))
		assert.Zero(t, took)
		assert.Equal(t, 1, srv.Counters().AuthCalls)
	})
}

func TestATokenThatIsIssuedAgainIsSharedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, _ *apivideotest.Server, ctx context.Context) {
		calls := 0
		ctx = through(ctx, func(*http.Request) (*http.Response, error) {
			calls++
			return grantOf("made-up-token-that-never-changes", "", 3600), nil
		})
		conf := apivideo.Config{APIKey: "made-up-key", Store: newMemoryStore()}
		one, other := conf.Source(ctx), conf.Source(ctx)
		for range 30 {
			mustToken(t, one)
			mustToken(t, other)
			time.Sleep(10 * time.Minute)
		}
		assert.LessOrEqual(t, calls, 1+5*60/45, "in five hours")
	})
}

func TestAnOlderTokenOfTheStoreDoesNotReplaceANewerOne(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		ended, end := context.WithCancel(ctx)
		end()
		first, _ := mustToken(t, conf.Source(ended)) // of another process
		old := maps.Clone(store.values)
		clear(store.values)
		time.Sleep(5 * time.Minute)
		src := conf.Source(ctx)
		mustToken(t, src)
		store.mu.Lock()
		store.values = old
		store.mu.Unlock()
		time.Sleep(49 * time.Minute) // past the renewal ahead of expiry; the old one is usable still
		tok, _ := mustToken(t, src)
		assert.NotEqual(t, first.AccessToken, tok.AccessToken)
		assert.Equal(t, 3, srv.Counters().AuthCalls)
	})
}

func TestRenewGoesOnWithoutAStoreThatFails(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		src := conf.Source(ctx)
		first, _ := mustToken(t, src)
		store.set(errors.New("store is down"), nil)
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		tok, err := src.Renew(ctx)
		require.NoError(t, err)
		assert.NotEqual(t, first.AccessToken, tok.AccessToken)
	})
}

// As TestAheadOfExpiryAStoreThatFailsIsWaitedFor, but auth calls take a second.
func TestAheadOfExpiryAFailingStoreIsLeftInTime(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		srv.SetAuthLatency(time.Second)
		src := conf.Source(ctx)
		mustToken(t, src)
		store.set(errors.New("store is down"), nil)
		for range 60 * 60 {
			time.Sleep(time.Second)
			_, took := mustToken(t, src)
			require.Zero(t, took)
		}
		assert.Equal(t, 2, srv.Counters().AuthCalls)
	})
}

// A lock that comes after the Source gave up waiting is of no use any more.
func TestALockThatComesTooLateRenewsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		srv.SetAuthLatency(8 * time.Second)
		late := make(chan error, 1)
		conf := srv.Config()
		conf.Store = hooks{miss, func(ctx context.Context, _ string, fn func(context.Context, []byte) ([]byte, error)) error {
			time.Sleep(21 * time.Second) // whatever the context says
			_, err := fn(ctx, nil)
			late <- err
			return err
		}}
		mustToken(t, conf.Source(ctx))
		assert.Error(t, <-late)
		time.Sleep(time.Minute)
		assert.Equal(t, 1, srv.Counters().AuthCalls)
	})
}

// Update may have returned by the time the Source looks up from a look at the Store.
func TestAnUpdateThatEndsDuringALookIsNotWaitedFor(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		mustToken(t, conf.Source(ctx))
		conf.Store = hooks{func(context.Context, string) ([]byte, error) {
			time.Sleep(50 * time.Millisecond)
			return nil, nil
		}, func(ctx context.Context, key string, fn func(context.Context, []byte) ([]byte, error)) error {
			time.Sleep(120 * time.Millisecond)
			_, err := fn(ctx, store.values[key])
			return err
		}}
		for range 20 {
			_, took := mustToken(t, conf.Source(ctx))
			assert.LessOrEqual(t, took, 200*time.Millisecond)
		}
		assert.Equal(t, 1, srv.Counters().AuthCalls)
	})
}

func TestTheRefreshTokenOfAnOlderValueOfTheStoreIsNotUsed(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		src := conf.Source(ctx)
		mustToken(t, src)
		old := maps.Clone(store.values)
		time.Sleep(time.Minute)
		_, err := src.Renew(ctx)
		require.NoError(t, err)
		store.values = old
		_, err = src.Renew(ctx)
		require.NoError(t, err)
		assert.Equal(t, apivideotest.Counters{AuthCalls: 3, Authenticated: 1, Refreshed: 2}, srv.Counters())
	})
}

func TestTheRefreshTokenOfTheStoreIsUsedThoughItsLockFails(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		mustToken(t, conf.Source(ctx))
		conf.Store = hooks{store.Load, func(context.Context, string, func(context.Context, []byte) ([]byte, error)) error {
			return errors.New("no lock")
		}}
		_, err := conf.Source(ctx).Renew(ctx)
		require.NoError(t, err)
		assert.Equal(t, 1, srv.Counters().Refreshed)
	})
}

// What a Store holds, taken apart
// as DESIGN says that it is made.
func TestTheFormOfWhatAStoreHolds(t *testing.T) {
	store := newMemoryStore()
	conf := apivideo.Config{APIKey: "made-up-key", Store: store}
	mustToken(t, conf.Source(through(t.Context(), func(*http.Request) (*http.Response, error) {
		return grantOf("made-up-token", "made-up-refresh", 3600), nil
	})))
	const base = "https://ws.api.video:443"
	derive := func(label string) []byte {
		key, err := hkdf.Key(sha256.New, []byte(conf.APIKey), nil, "apivideo "+label+" key\x00"+base, 32)
		require.NoError(t, err)
		return key
	}
	key := hex.EncodeToString(derive("store"))
	value := store.values[key]
	require.NotEmpty(t, value)
	assert.EqualValues(t, 1, value[0])
	block, _ := aes.NewCipher(derive("sealing"))
	aead, _ := cipher.NewGCMWithRandomNonce(block)
	plain, err := aead.Open(nil, nil, value[1:], []byte("\x01"+base+"\x00"+key))
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(string(plain), "made-up-token"))
	assert.Equal(t, 1, strings.Count(string(plain), "made-up-refresh"))

	// What is not sealed counts as absent.
	store.values[key] = append([]byte{1}, plain...)
	tok, _ := mustToken(t, conf.Source(through(t.Context(), func(*http.Request) (*http.Response, error) {
		return grantOf("another", "", 3600), nil
	})))
	assert.Equal(t, "another", tok.AccessToken)
}

// Once the lock was had, a look that ends later decides nothing.
func TestALookThatFailsAfterTheLockWasHadDecidesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		srv.SetAuthLatency(time.Second)
		looks := 0
		conf := srv.Config()
		conf.Store = hooks{func(context.Context, string) ([]byte, error) {
			if looks++; looks == 1 {
				return nil, nil
			}
			time.Sleep(50 * time.Millisecond)
			return nil, errors.New("store is down")
		}, func(ctx context.Context, _ string, fn func(context.Context, []byte) ([]byte, error)) error {
			time.Sleep(120 * time.Millisecond)
			_, err := fn(ctx, nil)
			return err
		}}
		mustToken(t, conf.Source(ctx))
		time.Sleep(time.Minute)
		assert.Equal(t, 1, srv.Counters().AuthCalls)
	})
}

func TestNothingOfAnExpiredValueIsUsed(t *testing.T) {
	fleet(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context, store *memoryStore, conf *apivideo.Config) {
		ended, end := context.WithCancel(ctx)
		end()
		mustToken(t, conf.Source(ended))
		time.Sleep(2 * time.Hour)
		mustToken(t, conf.Source(ctx))
		assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 2}, srv.Counters())
	})
}
