package apivideo_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/internal/memstore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Promise: `Stats` shows the token and counts auth calls.
func TestStatsOfAHealthySource(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src := w.source()
		assert.Equal(t, apivideo.Stats{}, src.Stats(), "before the first use")
		tok, _ := mustToken(t, src)
		first := src.Stats()
		assert.Equal(t, apivideo.Stats{Usable: true, Expiry: tok.Expiry, RenewAt: first.RenewAt, Exchanges: 1, Waits: 1}, first)
		assert.GreaterOrEqual(t, time.Until(first.RenewAt), 45*time.Minute)
		assert.LessOrEqual(t, time.Until(first.RenewAt), 48*time.Minute)

		client := src.Client(w.ctx)
		for range 1000 {
			mustToken(t, src)
			w.get(t, client, 200)
		}
		assert.Equal(t, first, src.Stats(), "requests that have a token change nothing")

		time.Sleep(time.Until(first.RenewAt) + 1)
		synctest.Wait()
		second := src.Stats()
		assert.Equal(t, apivideo.Stats{Usable: true, Expiry: atOnce(t, src).Expiry, RenewAt: second.RenewAt, Exchanges: 1, Refreshes: 1, Waits: 1}, second)
		assert.Equal(t, time.Hour, second.Expiry.Sub(first.RenewAt).Round(time.Second))
	})
}

// Promise: `Stats` shows since when renewals fail, until when there is no next attempt, and why.
func TestStatsOfAFailingSource(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, tok := w.warm(t)
		renewAt := src.Stats().RenewAt
		w.srv.SetAuthLatency(time.Second)
		w.fail(apivideotest.Status(503))
		time.Sleep(time.Until(renewAt) + 2200*time.Millisecond)
		s := src.Stats()
		assert.True(t, s.Usable)
		assert.WithinDuration(t, renewAt, s.FailingSince, time.Millisecond, "when the first failed renewal started")
		assert.InDelta(t, 0.6, time.Until(s.NextAttempt).Seconds(), 0.3)
		assert.Equal(t, 503, asError(t, s.LastError).Status)
		assert.EqualValues(t, w.authCalls()-1, s.Failures)
		since, calls := s.FailingSince, w.authCalls()
		next := s.NextAttempt
		time.Sleep(time.Until(next) - 1)
		assert.Equal(t, calls, w.authCalls(), "no renewal begins before NextAttempt")
		time.Sleep(2 * time.Second)
		assert.Greater(t, w.authCalls(), calls)

		time.Sleep(time.Until(tok.Expiry))
		s = src.Stats()
		assert.False(t, s.Usable)
		assert.Equal(t, tok.Expiry, s.Expiry, "of the token that is not usable any more")
		assert.Equal(t, since, s.FailingSince)

		w.fail(apivideotest.Fault{})
		time.Sleep(30 * time.Second)
		mustToken(t, src)
		s = src.Stats()
		assert.Equal(t, []any{true, time.Time{}, time.Time{}, nil}, []any{s.Usable, s.FailingSince, s.NextAttempt, s.LastError})
	})
}

// Another key ends the memory of failures, but does not count as a success.
//
// Promise: `Stats` shows since when renewals fail, until when there is no next attempt, and why.
func TestStatsFailingSinceOutlastsAKey(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		file := w.keyFile(t)
		src := w.source()
		w.fail(apivideotest.Status(404))
		start := time.Now()
		_, err := src.Token()
		require.Error(t, err)
		time.Sleep(time.Minute)
		file.write(t, w.srv.AddKey())
		_, err = src.Token()
		require.Error(t, err)
		assert.Equal(t, start, src.Stats().FailingSince)
	})
}

// A renewal is under way. The failure before it is forgotten: it is of another key,
// or of long ago. The Source is not healthy yet.
//
// Promise: `Stats` shows since when renewals fail, until when there is no next attempt, and why.
func TestStatsNextAttemptOutlastsAFailure(t *testing.T) {
	for _, anotherKey := range []bool{true, false} {
		bubble(t, func(t *testing.T, w *world) {
			file := w.keyFile(t)
			src := w.source()
			w.fail(apivideotest.Status(503))
			_, err := src.Token()
			require.Error(t, err)
			if anotherKey {
				time.Sleep(time.Second)
				file.write(t, w.srv.AddKey())
			} else {
				time.Sleep(time.Hour)
			}
			w.srv.SetAuthLatency(time.Second)
			done := background(func() { _, _ = src.Token() })
			synctest.Wait()
			s := src.Stats()
			assert.Equal(t, err, s.LastError)
			assert.Equal(t, time.Now(), s.NextAttempt)
			done()
		})
	}
}

// Promise: `Stats` counts refused tokens, replays and callers that waited.
func TestStatsOfRefusals(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src := w.source()
		client := src.Client(w.ctx)
		w.get(t, client, 200)
		w.srv.SetAuthLatency(time.Second)
		w.setAPI(func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Millisecond) // until all have been sent
			return w.srv.Transport().RoundTrip(r)
		})
		w.srv.RevokeAccessTokens()
		done := background(func() { together(10, func(int) { w.get(t, client, 200) }) })
		time.Sleep(time.Second / 2)
		s := src.Stats()
		assert.False(t, s.Usable, "a request now would wait")
		assert.False(t, s.Expiry.IsZero())
		done()
		s = src.Stats()
		assert.True(t, s.Usable)
		assert.Equal(t, []uint64{10, 10, 11, 1}, []uint64{s.Refusals, s.Replays, s.Waits, s.Refreshes})

		// An upload that cannot be replayed waits for nothing.
		w.srv.RevokeAccessTokens()
		w.stream(t, client, 401)
		time.Sleep(2 * time.Second)
		s = src.Stats()
		assert.Equal(t, []uint64{11, 10, 11, 2}, []uint64{s.Refusals, s.Replays, s.Waits, s.Refreshes})

		src.Invalidate(atOnce(t, src))
		assert.False(t, src.Stats().Usable)
		assert.EqualValues(t, 11, src.Stats().Refusals)
	})
}

// The 401s that a caller gets count like those after which a request was sent again.
//
// Promise: `Stats` counts 401s that the caller gets too.
func TestStatsOfARefusingAPI(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, _ := w.warm(t)
		client, sent := src.Client(w.ctx), 0
		w.setAPI(func(r *http.Request) (*http.Response, error) {
			sent++
			return answer(401, "text/plain", "no"), nil
		})
		for range 10 {
			w.get(t, client, 401)
			s := src.Stats()
			assert.EqualValues(t, sent, s.Refusals)
			assert.EqualValues(t, w.authCalls()-1, s.Replays)
			time.Sleep(time.Second)
		}
	})
}

// Promise: `Stats` counts tokens from the Store, and its failures.
func TestStatsWithAStore(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		mustToken(t, w.source())
		src, tok := w.warm(t)
		s := src.Stats()
		assert.Equal(t, []uint64{1, 0, 0}, []uint64{s.Adopted, s.Exchanges, s.StoreFailures})
		w.store.SetFault(memstore.Fault{Err: errStoreDown})
		mustRenew(t, src)
		s = src.Stats()
		assert.Equal(t, []uint64{1, 1, 1}, []uint64{s.Adopted, s.Refreshes, s.StoreFailures})
		w.store.SetFault(memstore.Fault{WriteErr: errStoreDown})
		mustRenew(t, src)
		assert.EqualValues(t, 2, src.Stats().StoreFailures)
		assert.NotEqual(t, tok.Expiry, time.Time{})
	})
}

// Stats is no use of the token. If a program only calls Stats, its Source
// renews the token once, and then no more.
//
// Promise: `Stats` makes no call, waits for nothing, and does not count as use of the token.
func TestStatsIsNoUse(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, _ := w.warm(t)
		for end := time.Now().Add(24 * time.Hour); time.Now().Before(end); time.Sleep(time.Second) {
			src.Stats()
		}
		assert.LessOrEqual(t, w.authCalls(), 2)
		assert.False(t, src.Stats().Usable)
		cold := w.source()
		for range 1000 {
			cold.Stats()
			time.Sleep(time.Second)
		}
		assert.LessOrEqual(t, w.authCalls(), 2)
	})
}

// Stats waits for no renewal, Store, Logger or function.
//
// Promise: `Stats` makes no call, waits for nothing, and does not count as use of the token.
func TestStatsWaitsForNothing(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		hang := make(chan struct{})
		stuck := func() { <-hang }
		w.conf.Logger = blockingLogger(stuck)
		key := w.conf.APIKey
		w.conf.APIKey, w.conf.APIKeyFunc = "", func(context.Context) (string, error) { stuck(); return key, nil }
		w.store.SetFault(memstore.Fault{Hang: hang})
		w.setAuth(func(r *http.Request) (*http.Response, error) { stuck(); return w.srv.Transport().RoundTrip(r) })
		src := w.source()
		for range 100 {
			go src.Token()
			start := time.Now()
			src.Stats()
			assert.Zero(t, time.Since(start))
			time.Sleep(time.Second)
		}
		close(hang)
		time.Sleep(time.Minute)
		mustToken(t, src)
	})
}

// Promise: `Stats` has an error for a Source without an account.
func TestStatsWithoutASource(t *testing.T) {
	var none *apivideo.Source
	for want, src := range map[string]*apivideo.Source{
		"there is no Source;":     none,
		"there is no Source":      {},
		"Config.APIKey is empty;": (&apivideo.Config{}).Source(t.Context()),
	} {
		s := src.Stats()
		assert.ErrorContains(t, s.LastError, want)
		s.LastError = nil
		assert.Equal(t, apivideo.Stats{}, s)
	}
}

// Promise: The counters of `Stats` are exact under concurrent use.
func TestStatsIsConcurrent(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	srv.HandleFunc("/videos", listVideos)
	conf := srv.Config()
	conf.Store = memstore.New()
	src := conf.Source(t.Context())
	client := src.Client(t.Context())
	together(8, func(i int) {
		for range 50 {
			s := src.Stats()
			assert.LessOrEqual(t, s.Refreshes, uint64(srv.Counters().Refreshed))
			switch i {
			case 0:
				src.Renew(t.Context())
			case 1:
				srv.RevokeAccessTokens()
			case 2:
				if tok, err := src.Token(); err == nil {
					src.Invalidate(tok)
				}
			default:
				if resp, err := client.Post(srv.URL+"/videos", "text/plain", strings.NewReader("x")); err == nil {
					resp.Body.Close()
				}
			}
		}
	})
	s := src.Stats()
	c := srv.Counters()
	assert.EqualValues(t, c.Authenticated, s.Exchanges)
	assert.EqualValues(t, c.Refreshed, s.Refreshes)
	assert.EqualValues(t, c.AuthCalls-c.Authenticated-c.Refreshed, s.Failures)
}
