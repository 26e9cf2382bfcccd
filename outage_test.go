package apivideo_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
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

// callsBetween is how many auth calls were begun from one time until another.
func (w *world) callsBetween(from, until time.Time) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, at := range w.calls {
		if !at.Before(from) && at.Before(until) {
			n++
		}
	}
	return n
}

// sources makes Sources that share nothing but the Store, as processes do.
func (w *world) sources(n int) []*apivideo.Source {
	all := make([]*apivideo.Source, n)
	for i := range all {
		all[i] = w.source()
	}
	return all
}

// Promise: In an outage one process makes at most 60 auth calls in the 15 minutes before expiry, and at most 6 in the last 5 seconds.
func TestOutageOfOneProcessStaysSmall(t *testing.T) {
	var most, last, used []int
	for range 30 {
		bubble(t, func(t *testing.T, w *world) {
			log := w.lines()
			src, tok := w.warm(t)
			time.Sleep(time.Until(tok.Expiry.Add(-15 * time.Minute)))
			down := time.Now()
			w.fail(apivideotest.Status(503))
			for time.Since(down) < 75*time.Minute {
				time.Sleep(time.Second)
				_, err := src.Token()
				usable := time.Until(tok.Expiry) > 10*time.Second
				require.Equal(t, usable, err == nil)
			}
			usable := tok.Expiry.Add(-10 * time.Second)
			most = append(most, w.callsBetween(down, down.Add(15*time.Minute)))
			last = append(last, w.callsBetween(tok.Expiry.Add(-5*time.Second), tok.Expiry))
			used = append(used, w.callsBetween(usable.Add(-5*time.Second), usable))
			checkQuiet(t, log)
			w.fail(apivideotest.Fault{})
			time.Sleep(30 * time.Second)
			mustToken(t, src)
		})
	}
	t.Logf("auth calls: %d to %d in the first 15 minutes; at most %d in the 5 s before expiry, %d in those before the token is unusable",
		slices.Min(most), slices.Max(most), slices.Max(last), slices.Max(used))
	assert.LessOrEqual(t, slices.Max(most), 60)
	assert.LessOrEqual(t, slices.Max(last), 6)
	assert.LessOrEqual(t, slices.Max(used), 10, "half a second apart at least")
}

// Promise: In an outage of an hour 30 processes with a Store make at most 250 auth calls, requests fail at once, and a minute later all have a token.
func TestOutageOfAFleetStaysSmall(t *testing.T) {
	for name, test := range map[string]struct {
		fault    apivideotest.Fault
		replicas int
		slowest  time.Duration // to fail
	}{
		"503":    {apivideotest.Status(503), 30, 200 * time.Millisecond},
		"broken": {apivideotest.BreakBefore, 30, 200 * time.Millisecond},
		"hangs":  {apivideotest.Hang, 3, 26 * time.Second}, // nobody knows the reason before the call is given up
	} {
		t.Run(name, inFleet(func(t *testing.T, w *world) {
			replicas := w.sources(test.replicas)
			for _, src := range replicas {
				mustToken(t, src)
			}
			time.Sleep(40 * time.Minute)
			down := time.Now()
			w.fail(test.fault)
			failed, slowest := 0, time.Duration(0)
			together(len(replicas), func(i int) {
				time.Sleep(time.Duration(i) * 7 * time.Millisecond)
				for time.Since(down) < time.Hour {
					start := time.Now()
					if _, err := replicas[i].Token(); err != nil {
						assert.True(t, asError(t, err).Temporary())
						w.mu.Lock()
						failed++
						slowest = max(slowest, time.Since(start))
						w.mu.Unlock()
					}
					time.Sleep(time.Second)
				}
			})
			calls := w.callsBetween(down, time.Now())
			t.Logf("%d replicas, an outage of an hour: %d auth calls; %d requests failed, the slowest after %v", test.replicas, calls, failed, slowest)
			assert.LessOrEqual(t, calls, 250)
			assert.Greater(t, failed, test.replicas*1000)
			assert.LessOrEqual(t, slowest, test.slowest)

			w.fail(apivideotest.Fault{})
			time.Sleep(time.Minute)
			calls = w.authCalls()
			for _, src := range replicas {
				mustToken(t, src)
			}
			assert.LessOrEqual(t, w.authCalls()-calls, 1)
		}))
	}
}

// Promise: In an outage 50 processes that start make at most 5 auth calls, and end within 3 seconds with the service's reason.
func TestOutageColdStartsShareTheFailure(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		w.srv.SetAuthLatency(20 * time.Millisecond)
		w.fail(apivideotest.Status(503))
		start := time.Now()
		together(50, func(int) {
			_, err := w.source().Token()
			assert.EqualError(t, err, "apivideo: authenticate: 503 Service Unavailable, text/html: Service Unavailable")
			assert.True(t, asError(t, err).Temporary())
		})
		t.Logf("50 cold starts, 503: %d auth calls, the last ends after %v", w.authCalls(), time.Since(start))
		assert.LessOrEqual(t, w.authCalls(), 5)
		assert.LessOrEqual(t, time.Since(start), 3*time.Second)
	})
}

// While the service fails, a renewal makes one attempt, also if another process
// has met the failure.
//
// Promise: While the service fails, a renewal makes one attempt, also if another process met the failure.
func TestOutageFailureOfAnotherLeavesOneAttempt(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		w.fail(apivideotest.Status(503))
		_, err := w.source().Token()
		require.Error(t, err)
		time.Sleep(2 * time.Second) // longer than the wait
		before := w.authCalls()
		assert.Equal(t, 3, before)
		_, err = w.source().Token()
		require.Error(t, err)
		assert.Equal(t, before+1, w.authCalls())
	})
}

// Promise: 20 processes with a wrong key make at most 2 auth calls.
func TestOutageOfAWrongKeyIsShared(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		w.srv.SetAuthLatency(20 * time.Millisecond)
		w.conf.APIKey = "a-made-up-key-of-nobody"
		together(20, func(int) {
			_, err := w.source().Token()
			assert.ErrorIs(t, err, apivideo.ErrInvalidAPIKey)
			assert.Equal(t, "The API key is invalid.", asError(t, err).Title)
			assert.False(t, asError(t, err).Temporary())
		})
		t.Logf("20 starts with a wrong key: %d auth calls", w.authCalls())
		assert.LessOrEqual(t, w.authCalls(), 2)
	})
}

// The error of another process has all that the service said.
//
// Promise: A process that starts during an outage fails at once, with all that the service said.
func TestOutageErrorTravels(t *testing.T) {
	for name, fault := range map[string]apivideotest.Fault{
		"503":       apivideotest.Status(503).RetryAfter("40"),
		"429":       apivideotest.Status(429),
		"suspended": apivideotest.Refuse(apivideotest.Problem("authorization-suspended-account")),
		"unusable":  unusable,
		"broken":    apivideotest.BreakBefore,
		"time-out":  apivideotest.Hang,
	} {
		t.Run(name, inFleet(func(t *testing.T, w *world) {
			w.fail(fault)
			_, own := w.source().Token()
			calls := w.authCalls()
			start := time.Now()
			_, shared := w.source().Token()
			assert.Zero(t, time.Since(start))
			assert.Equal(t, calls, w.authCalls())
			a, b := asError(t, own), asError(t, shared)
			assert.Equal(t, own.Error(), shared.Error())
			assert.Equal(t, []any{a.Op, a.Problem, a.RetryAfter, a.Temporary(), a.Timeout()},
				[]any{b.Op, b.Problem, b.RetryAfter, b.Temporary(), b.Timeout()})
			assert.Equal(t, errors.Is(own, apivideo.ErrAccountSuspended), errors.Is(shared, apivideo.ErrAccountSuspended))
			assert.Equal(t, errors.Is(own, context.DeadlineExceeded), errors.Is(shared, context.DeadlineExceeded))
			var answered, told *oauth2.RetrieveError
			assert.Equal(t, errors.As(own, &answered), errors.As(shared, &told))
			if answered != nil {
				assert.Equal(t, answered.Body, told.Body)
				assert.Equal(t, answered.Response.StatusCode, told.Response.StatusCode)
				assert.Equal(t, answered.Error(), told.Error())
			}
		}))
	}
}

// A usable token is used although another process has failed. The process
// learns of that failure.
//
// Promise: A process with a token does not notice the failures of others.
func TestOutageIsNotFeltWithAToken(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		src, tok := w.warm(t)
		other := w.source()
		mustToken(t, other)
		w.fail(apivideotest.Status(503))
		src.Invalidate(tok)
		_, err := src.Token()
		require.Error(t, err)
		serves(t, other, tok)
		assert.Zero(t, other.Stats().FailingSince)
	})
}

// Promise: `Renew` asks the service, whatever another process's failure was.
func TestOutageRenewAsksAnew(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		w.fail(apivideotest.Status(503))
		_, err := w.source().Token()
		require.Error(t, err)
		src := w.source()
		_, err = src.Token()
		require.Error(t, err)
		time.Sleep(time.Millisecond)
		calls := w.authCalls()
		w.fail(apivideotest.Fault{})
		mustRenew(t, src)
		assert.Equal(t, calls+1, w.authCalls())

		// Of many concurrent calls, one asks the service.
		w.srv.SetAuthLatency(time.Second)
		w.fail(apivideotest.Status(503))
		calls = w.authCalls()
		time.Sleep(10 * time.Second)
		together(20, func(int) {
			_, err := w.source().Renew(w.ctx)
			assert.Equal(t, 503, asError(t, err).Status)
		})
		assert.LessOrEqual(t, w.authCalls()-calls, 4, "one refresh, three attempts with the key")
	})
}

// A failure from a machine with a wrong clock delays no process longer than
// the intended wait. It also does not reduce the number of attempts.
//
// Promise: A failure from a machine with a wrong clock delays nobody longer than intended.
func TestOutageFailureFromAWrongClock(t *testing.T) {
	at := func(t *testing.T, clock time.Duration, f func(t *testing.T, w *world)) {
		t.Helper()
		fleet(t, func(t *testing.T, w *world) {
			time.Sleep(clock)
			w.conf.APIKey = "made-up-key"
			f(t, w)
		})
	}
	const year = 365 * 24 * time.Hour
	for name, clocks := range map[string]struct{ there, here time.Duration }{
		"years ahead":    {50 * year, 0},
		"an hour ahead":  {time.Hour, 0},
		"10 s ahead":     {10 * time.Second, 0},
		"10 s behind":    {0, 10 * time.Second},
		"an hour behind": {0, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			var values map[string][]byte
			at(t, clocks.there, func(t *testing.T, w *world) {
				w.setAuth(reply(503, "text/html", ""))
				for range 5 { // until the waits are long
					_, err := w.source().Token()
					require.Error(t, err)
					time.Sleep(30 * time.Second)
				}
				_, err := w.source().Token()
				require.Error(t, err)
				values = w.store.Values()
			})
			at(t, clocks.here, func(t *testing.T, w *world) {
				w.store.SetValues(values)
				w.setAuth(grant("made-up-token", ""))
				src := w.source()
				if _, err := src.Token(); err != nil {
					assert.Less(t, (clocks.there - clocks.here).Abs(), time.Minute)
					time.Sleep(30 * time.Second)
				}
				mustToken(t, src)
			})
			if (clocks.there - clocks.here).Abs() < time.Hour {
				return
			}
			at(t, clocks.here, func(t *testing.T, w *world) {
				w.store.SetValues(values)
				w.setAuth(reply(503, "text/html", ""))
				_, err := w.source().Token()
				require.Error(t, err)
				assert.Equal(t, 3, w.authCalls())
			})
		})
	}
}

// A Store reads at most 64 KiB. A long answer of the service must not push the
// token out of the value.
//
// Promise: A failure fits into the Store, whatever the service said.
func TestOutageFailureFitsTheStore(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		first, tok := w.warm(t)
		long := strings.Repeat("long ", 20<<10)
		w.setAuth(reply(503, "application/problem+json", `{"title":"`+long+`","type":"`+long+`","name":"`+long+`","problems":[{"title":"`+long+`"}]}`))
		_, err := first.Renew(w.ctx)
		require.Error(t, err)
		for _, value := range w.store.Values() {
			assert.Less(t, len(value), 64<<10)
		}
		serves(t, w.source(), tok)
	})
}

// Promise: A failing Store is one Warn line for each Source, and one line when it works again.
func TestStoreOutageIsLoggedOnce(t *testing.T) {
	for name, fault := range map[string]memstore.Fault{
		"every call fails": {Err: errStoreDown},
		"writing fails":    {WriteErr: errStoreDown},
	} {
		t.Run(name, inFleet(func(t *testing.T, w *world) {
			log := w.lines()
			replicas := w.sources(30)
			serve := func(d time.Duration) {
				for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Second) {
					for _, src := range replicas {
						mustToken(t, src)
					}
				}
			}
			serve(time.Minute)
			before := w.authCalls()
			w.store.SetFault(fault)
			serve(3 * time.Hour)
			warned := log.count("", slog.LevelWarn)
			t.Logf("30 replicas, the Store down for 3 hours: %d auth calls, %d WARN lines", w.authCalls()-before, warned)
			if fault.Err != nil {
				assert.Equal(t, 30, warned)
			}
			assert.LessOrEqual(t, warned, 30)
			assert.Equal(t, warned, log.count("api.video: store failed", slog.LevelDebug))
			assert.Zero(t, log.count("api.video: store works again", slog.LevelDebug))
			w.store.SetFault(memstore.Fault{})
			serve(2 * time.Hour)
			assert.Equal(t, warned, log.count("api.video: store works again", slog.LevelInfo))
			assert.Equal(t, warned, log.count("", slog.LevelWarn))
		}))
	}
}

// A caller waits at most one second for a Store that does not answer. In
// virtual time this is exact.
//
// Promise: The time limits on the Store are exact.
func TestStoreHasExactlyOneSecond(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		hang := make(chan struct{})
		defer close(hang)
		w.store.SetFault(memstore.Fault{Hang: hang})
		_, took := mustToken(t, w.source())
		assert.Equal(t, time.Second, took)
	})
}

// The earlier failures were not those of the service, so the service is asked
// three times.
//
// Promise: After a failure of the Store or the key, a renewal still makes its three attempts.
func TestOutageOfTheStoreLeavesAllAttempts(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		src, tok := w.warm(t)
		w.store.SetFault(memstore.Fault{Err: errStoreDown})
		time.Sleep(50 * time.Minute)
		require.ErrorContains(t, src.Stats().LastError, "reading the store")
		src.Invalidate(tok)
		w.srv.Fail(apivideotest.Status(503), apivideotest.Status(503), apivideotest.Status(503)) // a refresh, and twice the key
		mustToken(t, src)
		assert.Equal(t, 5, w.authCalls())
	})
}

// A process without a token waits as long as the service asks. The failure
// that it stores does not delay processes that have a token.
//
// Promise: A process with a token renews it in time, however long the others wait.
func TestOutageFailureDelaysNoRenewal(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		src, tok := w.warm(t)
		expiry := tok.Expiry
		time.Sleep(time.Until(expiry.Add(-16 * time.Minute)))
		w.fail(apivideotest.Status(503).RetryAfter("3600"))
		serve := func(until time.Time) {
			for time.Now().Before(until) {
				atOnce(t, src)
				time.Sleep(time.Second)
			}
		}
		serve(expiry.Add(-4 * time.Minute))
		other := w.source()
		other.Invalidate(atOnce(t, other))
		_, err := other.Renew(w.ctx)
		require.Error(t, err)
		serve(expiry.Add(-2 * time.Minute))
		w.fail(apivideotest.Fault{})
		serve(expiry.Add(time.Minute))
	})
}

// Nobody has asked for a token since the outage. One broken connection is not the
// outage any more.
//
// Promise: A failure that ended more than 5 minutes ago changes neither the attempts nor the pause of the next renewal.
func TestOutageOfLongAgoIsForgotten(t *testing.T) {
	for idle, attempts := range map[time.Duration]int{5*time.Minute - time.Second: 1, 5*time.Minute + time.Second: 3, 7 * time.Hour: 3} {
		fleet(t, func(t *testing.T, w *world) {
			for _, store := range []apivideo.Store{nil, w.store} {
				w.conf.Store = store
				src := w.source()
				w.setAuth(reply(503, "text/html", "<html>"))
				for range 6 {
					_, err := src.Token()
					require.Error(t, err)
					time.Sleep(30 * time.Second)
				}
				time.Sleep(time.Until(src.Stats().NextAttempt) + idle)
				since := src.Stats().FailingSince
				before := w.authCalls()
				_, err := src.Token()
				require.Error(t, err)
				assert.Equal(t, since, src.Stats().FailingSince)
				assert.Equal(t, attempts, w.authCalls()-before)
				if attempts > 1 {
					assert.LessOrEqual(t, time.Until(src.Stats().NextAttempt), time.Second)
				}
			}
		})
	}
}

// The machine whose renewal failed has a clock that is ahead. The wait that it
// stored counts once, and not for Renew.
//
// Promise: A failure from a machine with a wrong clock delays nobody longer than intended.
func TestOutageFailureFromAClockAhead(t *testing.T) {
	for _, ahead := range []time.Duration{10 * time.Millisecond, 10 * time.Second, 50 * time.Second} {
		var values map[string][]byte
		fleet(t, func(t *testing.T, w *world) {
			time.Sleep(ahead)
			w.conf.APIKey = "made-up-key"
			w.setAuth(func(*http.Request) (*http.Response, error) {
				resp := answer(503, "text/html", "")
				resp.Header.Set("Retry-After", "60")
				return resp, nil
			})
			_, err := w.source().Token()
			require.Error(t, err)
			values = w.store.Values()
		})
		for name, get := range map[string]func(*apivideo.Source) (*oauth2.Token, error){
			"Token": (*apivideo.Source).Token,
			"Renew": func(src *apivideo.Source) (*oauth2.Token, error) { return src.Renew(context.Background()) },
		} {
			fleet(t, func(t *testing.T, w *world) {
				time.Sleep(time.Millisecond)
				w.conf.APIKey = "made-up-key"
				w.store.SetValues(values)
				w.setAuth(grant("made-up-token", ""))
				src := w.source()
				_, err := get(src)
				if name == "Renew" {
					require.NoError(t, err, "%v ahead", ahead)
					return
				}
				require.Error(t, err)
				wait := time.Until(src.Stats().NextAttempt)
				assert.LessOrEqual(t, wait, time.Minute)
				time.Sleep(wait)
				_, err = get(src)
				require.NoError(t, err, "%v ahead, after %v", ahead, wait)
			})
		}
	}
}

// The wait is a quarter of what was left of the token when the call failed. The
// time to store the failure does not shorten it further.
//
// Promise: The pauses of retries before expiry are exact even if the Store is slow.
func TestOutageWaitsAreExactWithASlowStore(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		store := memstore.New()
		w.conf.Store = hooks{load: store.Load, update: func(ctx context.Context, key string, fn updateFunc) error {
			err := store.Update(ctx, key, fn)
			time.Sleep(900 * time.Millisecond)
			return err
		}}
		_, tok := w.warm(t)
		w.fail(apivideotest.Status(503).RetryAfter("300"))
		unusable := tok.Expiry.Add(-10 * time.Second)
		time.Sleep(time.Until(unusable))
		time.Sleep(time.Minute) // for the last write
		w.mu.Lock()
		calls := slices.Clone(w.calls)
		w.mu.Unlock()
		calls = slices.DeleteFunc(calls, unusable.Before)
		require.Greater(t, len(calls), 5)
		for i, at := range calls[1 : len(calls)-1] {
			gap, left := calls[i+2].Sub(at), unusable.Sub(at)
			assert.GreaterOrEqual(t, gap, min(left/4, 5*time.Minute), "%v before", left)
		}
	})
}

// Requests that waited for a renewal that failed are all sent with the old token,
// though the first of them starts the next renewal at once.
//
// Promise: All requests that waited for a failed renewal are sent with the old token, if it is still usable.
func TestOutageFailedRenewalServesAllWaiters(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		store := memstore.New()
		w.conf.Store = hooks{load: store.Load, update: func(ctx context.Context, key string, fn updateFunc) error {
			err := store.Update(ctx, key, fn)
			time.Sleep(950 * time.Millisecond) // longer than the wait after the failure
			return err
		}}
		w.srv.SetLifetime(4 * time.Second)
		client := w.warmClient(t)
		w.fail(apivideotest.Answer(302, "", ""))
		w.srv.RevokeAccessTokens()
		var requests sync.WaitGroup
		for range 50 {
			requests.Go(func() {
				resp, err := client.Get(w.srv.URL + "/videos")
				if assert.NoError(t, err) {
					resp.Body.Close()
					assert.Equal(t, 401, resp.StatusCode)
				}
			})
			synctest.Wait() // the first starts a renewal, and the others wait for it
		}
		requests.Wait()
		time.Sleep(5 * time.Second) // until the token has expired, and is not renewed any more
	})
}

// Renew with an ended context starts no auth call, and does not end the wait.
//
// Promise: `Renew` with a context that has ended does not change when a retry is due.
func TestOutageRenewAfterLeavingKeepsTheWait(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		w.fail(apivideotest.Status(503).RetryAfter("60"))
		_, err := w.source().Token()
		require.Error(t, err)
		src := w.source()
		_, err = src.Token()
		require.Error(t, err)
		next := src.Stats().NextAttempt
		require.Greater(t, time.Until(next), 50*time.Second)
		_, err = src.Renew(ended(t.Context()))
		assert.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, next, src.Stats().NextAttempt)
	})
}
