package apivideo_test

import (
	"context"
	"io"
	"net/http"
	"strconv"
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
)

const refusesTheToken = `{"type":"https://docs.api.video/reference/authentication-invalid-access-token","status":401}`

// refuseBelow makes the API refuse every token below this path.
func (w *world) refuseBelow(path, body string) {
	w.setAPI(func(r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(r.URL.Path, path) {
			return answer(401, "application/json", body), nil
		}
		return w.srv.Transport().RoundTrip(r)
	})
}

// ask sends one request and returns its status and how long it took.
func (w *world) ask(t *testing.T, client *http.Client, method, path string, body io.Reader) (status int, took time.Duration) {
	t.Helper()
	req, err := http.NewRequest(method, w.srv.URL+path, body)
	require.NoError(t, err)
	start := time.Now()
	resp, err := client.Do(req)
	require.NoError(t, err)
	resp.Body.Close()
	return resp.StatusCode, time.Since(start)
}

// Promise: A path that answers 401 to everything costs at most 12 auth calls in its first minute and one a minute later.
// Promise: Other requests wait for a path that answers 401 to everything in its first 2 seconds at most.
func TestRefusalOfOnePathStaysThere(t *testing.T) {
	paths := map[string]func(n int) string{
		"one path":        func(int) string { return "/bad" },
		"many paths":      func(n int) string { return "/bad/" + strconv.Itoa(n) },
		"a path a minute": func(n int) string { return "/bad/" + strconv.Itoa(n/600) },
	}
	for name, path := range paths {
		for _, body := range []string{refusesTheToken, ""} {
			for _, upload := range []bool{false, true} {
				t.Run(name, inBubble(func(t *testing.T, w *world) {
					client := w.warmClient(t)
					w.srv.SetAuthLatency(300 * time.Millisecond)
					w.refuseBelow("/bad", body)
					start, limit := w.authCalls(), 12
					begin := time.Now()
					var both sync.WaitGroup
					both.Go(func() {
						for n := range 3 * 600 {
							var content io.Reader
							if upload {
								content = io.MultiReader(strings.NewReader("streamed"))
							}
							go func() {
								status, _ := w.ask(t, client, "POST", path(n), content)
								assert.Equal(t, 401, status)
							}()
							time.Sleep(100 * time.Millisecond)
						}
					})
					for range 3 {
						for range 600 {
							both.Go(func() {
								late := time.Since(begin) >= 2*time.Second
								took := w.get(t, client, 200)
								assert.False(t, late && took > 0, "after the first 2 seconds")
								assert.LessOrEqual(t, took, 300*time.Millisecond)
							})
							time.Sleep(100 * time.Millisecond)
						}
						assert.LessOrEqual(t, w.authCalls()-start, limit)
						start, limit = w.authCalls(), 3
					}
					both.Wait()
					synctest.Wait()
				}))
			}
		}
	}
}

// Promise: While the auth service hangs, other requests wait for at most 2 seconds after a 401.
func TestRefusalDuringAHangHoldsFor2Seconds(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.warmClient(t)
		w.refuseBelow("/bad", refusesTheToken)
		w.fail(apivideotest.Hang)
		refused := time.Now()
		var all sync.WaitGroup
		all.Go(func() { w.ask(t, client, "GET", "/bad", nil) })
		synctest.Wait()
		for range 6000 {
			all.Go(func() {
				begin := time.Since(refused)
				assert.Equal(t, max(0, 2*time.Second-begin), w.get(t, client, 200))
			})
			time.Sleep(100 * time.Millisecond)
		}
		all.Wait()
		w.fail(apivideotest.Fault{})
		time.Sleep(time.Minute)
	})
}

// The API accepts the refused token for a request that was sent after the 401:
// only the one path refuses it.
//
// Promise: Other requests stop waiting when the API accepts the old token for a request that was sent after the 401.
func TestRefusalHoldEndsWithAnAcceptance(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.warmClient(t)
		w.srv.SetAuthLatency(time.Second)
		w.setAPI(func(r *http.Request) (*http.Response, error) {
			switch r.URL.Path {
			case "/bad":
				return answer(401, "application/json", refusesTheToken), nil
			case "/slow":
				time.Sleep(300 * time.Millisecond)
			}
			return answer(200, "application/json", "{}"), nil
		})
		var all sync.WaitGroup
		all.Go(func() { w.ask(t, client, "GET", "/slow", nil) }) // sent before the 401
		time.Sleep(200 * time.Millisecond)
		all.Go(func() { w.ask(t, client, "GET", "/bad", nil) })
		synctest.Wait()
		time.Sleep(500 * time.Millisecond)
		all.Go(func() {
			assert.Equal(t, time.Second/2, w.get(t, client, 200), "the answer to /slow says nothing")
		})
		all.Wait()
	})
}

// Promise: Other requests do not wait after a 401 if the last renewal failed.
func TestRefusalInAnOutageHoldsNobody(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, tok := w.warm(t)
		client := src.Client(w.ctx)
		w.fail(apivideotest.Status(503))
		time.Sleep(time.Until(tok.Expiry.Add(-11 * time.Minute)))
		require.Error(t, src.Stats().LastError)
		w.fail(apivideotest.Hang)
		w.refuseBelow("/bad", refusesTheToken)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { w.ask(t, client, "GET", "/bad", nil) })
			synctest.Wait()
			assert.Zero(t, w.get(t, client, 200))
			time.Sleep(time.Second)
		}
		all.Wait()
		w.fail(apivideotest.Fault{})
		time.Sleep(time.Hour)
	})
}

// An invalidated token is out of use anyway: a late 401 to it says nothing.
//
// Promise: Stats.RefusedSince is zero for a token that the program has invalidated.
func TestRefusalOfAnInvalidatedToken(t *testing.T) {
	for _, before := range []bool{true, false} {
		bubble(t, func(t *testing.T, w *world) {
			src, tok := w.warm(t)
			w.fail(apivideotest.Hang)
			w.setAPI(func(r *http.Request) (*http.Response, error) {
				if before {
					src.Invalidate(tok)
				}
				return answer(401, "text/plain", ""), nil
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, "GET", w.srv.URL+"/videos", nil)
			_, err := src.Client(w.ctx).Do(req)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, before, src.Stats().RefusedSince.IsZero())
			src.Invalidate(tok)
			assert.Zero(t, src.Stats().RefusedSince)
			w.fail(apivideotest.Fault{})
			time.Sleep(time.Minute)
		})
	}
}

// Promise: Stats.RefusedSince is the first 401 since the API accepted a token, if it refused the current one.
func TestStatsRefusedSinceTheFirst401(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, _ := w.warm(t)
		client := src.Client(w.ctx)
		w.srv.RevokeAccessTokens()
		w.stream(t, client, 401)
		synctest.Wait()
		assert.Zero(t, src.Stats().RefusedSince, "the new token was not refused")
		time.Sleep(time.Second)
		w.get(t, client, 200)
		time.Sleep(10 * time.Minute)

		w.setAPI(reply(401, "text/plain", ""))
		began := time.Now()
		for range 60 {
			w.get(t, client, 401)
			assert.Equal(t, began, src.Stats().RefusedSince, "of several tokens")
			time.Sleep(500 * time.Millisecond)
		}
		assert.Error(t, src.Stats().Err())
		w.setAPI(nil)
		w.get(t, client, 200)
		assert.Zero(t, src.Stats().RefusedSince)
	})
}

// Promise: A revocation while the replacement of an invalidated token is requested fails no request.
func TestRefusalAfterInvalidateHeals(t *testing.T) {
	for at := time.Duration(0); at <= 700*time.Millisecond; at += 100 * time.Millisecond {
		bubble(t, func(t *testing.T, w *world) {
			src, tok := w.warm(t)
			w.srv.SetAnswerLatency(700 * time.Millisecond)
			src.Invalidate(tok)
			var all sync.WaitGroup
			for range 10 {
				all.Go(func() { w.get(t, src.Client(w.ctx), 200) })
			}
			time.Sleep(at)
			w.srv.RevokeAccessTokens()
			all.Wait()
		})
	}
}

// Promise: Revocations in a row fail no request that met only one of them.
func TestRefusalTwiceInARowHeals(t *testing.T) {
	for _, pause := range []time.Duration{0, 10 * time.Millisecond, time.Second, time.Minute} {
		bubble(t, func(t *testing.T, w *world) {
			client := w.warmClient(t)
			for range 5 {
				w.srv.RevokeAccessTokens()
				w.get(t, client, 200)
				time.Sleep(pause)
			}
			assert.Equal(t, 6, w.authCalls())
		})
	}
}

// Promise: An API that refuses everything but one public path costs as few auth calls as one that refuses everything.
func TestRefusalBesideAPublicPathIsPaused(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.warmClient(t)
		w.setAPI(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/public" {
				return answer(200, "application/json", "{}"), nil
			}
			return answer(401, "application/json", ""), nil
		})
		start, limit := w.authCalls(), 12
		for range 5 {
			for range 600 {
				w.ask(t, client, "GET", "/public", nil)
				w.ask(t, client, "GET", "/private", nil)
				time.Sleep(100 * time.Millisecond)
			}
			assert.LessOrEqual(t, w.authCalls()-start, limit)
			start, limit = w.authCalls(), 1
		}
	})
}

// Promise: A request near expiry in an outage takes 3 allocations, as any other.
func TestTransportInAnOutageIsAsCheap(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		resp := answer(200, "text/plain", "")
		src, tok := w.warm(t)
		w.fail(apivideotest.Status(503).RetryAfter("300"))
		time.Sleep(time.Until(tok.Expiry.Add(-10 * time.Minute)))
		synctest.Wait()
		require.Error(t, src.Stats().LastError)
		tr := &apivideo.Transport{Source: src, Base: tripper(func(*http.Request) (*http.Response, error) { return resp, nil })}
		req, _ := http.NewRequest("GET", w.srv.URL+"/videos", nil)
		assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { tr.RoundTrip(req) }), 3.0)
		time.Sleep(time.Hour)
	})
}

// Promise: If the renewal after a 401 failed, the Source tries again in the background.
func TestRefusalIsRetriedInTheBackground(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, tok := w.warm(t)
		w.srv.RevokeAccessTokens()
		w.fail(apivideotest.Status(503))
		w.get(t, src.Client(w.ctx), 401)
		time.Sleep(5 * time.Minute)
		assert.LessOrEqual(t, w.authCalls(), 25)
		w.fail(apivideotest.Fault{})
		time.Sleep(30 * time.Second)
		assert.NotEqual(t, tok.AccessToken, atOnce(t, src).AccessToken)
		calls := w.authCalls()
		time.Sleep(30 * time.Minute)
		assert.Equal(t, calls, w.authCalls())
	})
}

// Promise: A Store that fails does not delay the replacement of a token that the API refused.
func TestRefusalWithAFailingStoreIsReplaced(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		src, tok := w.warm(t)
		w.srv.RevokeAccessTokens()
		w.store.SetFault(memstore.Fault{Err: errStoreDown})
		w.fail(apivideotest.Status(503))
		w.get(t, src.Client(w.ctx), 401)
		time.Sleep(30 * time.Second)
		w.fail(apivideotest.Fault{})
		time.Sleep(30 * time.Second)
		assert.NoError(t, src.Stats().Err())
		assert.NotEqual(t, tok.AccessToken, atOnce(t, src).AccessToken)
	})
}

// Each request leaves before the Store fails. The renewal goes on behind it.
func TestRefusalWithASlowStoreIsReplaced(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.conf.Store = hooks{load: func(context.Context, string) ([]byte, error) {
			time.Sleep(3 * time.Second)
			return nil, errStoreDown
		}}
		src, _ := w.warm(t)
		time.Sleep(10 * time.Minute)
		w.srv.RevokeAccessTokens()
		served := 0
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
			req, _ := http.NewRequestWithContext(ctx, "GET", w.srv.URL+"/videos", nil)
			if resp, err := src.Client(w.ctx).Do(req); err == nil {
				resp.Body.Close()
				served++
			}
			cancel()
			time.Sleep(10 * time.Second)
		}
		assert.Equal(t, 9, served)
	})
}

// Nobody sends a request after the API has refused everything for a while. The
// Source gets one more token after the pause, and no more while nobody uses it.
//
// Promise: A Source whose new tokens were refused gets one more token when there was no 401 for a minute.
func TestRefusalPauseEndsInTheBackground(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, _ := w.warm(t)
		client := src.Client(w.ctx)
		w.setAPI(reply(401, "text/plain", ""))
		for range 120 {
			w.get(t, client, 401)
			time.Sleep(100 * time.Millisecond)
		}
		calls := w.authCalls()
		require.Error(t, src.Stats().Err())
		time.Sleep(15 * time.Minute)
		assert.Equal(t, calls+1, w.authCalls())
		assert.NoError(t, src.Stats().Err())
	})
}

// Promise: Stats.Err is an error within 15 seconds after the tokens were revoked while the auth service is down.
// Promise: Stats.Err is nil again after the recovery of the auth service, without a request.
func TestStatsErrOfARevocationInAnOutage(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, _ := w.warm(t)
		client := src.Client(w.ctx)
		require.NoError(t, src.Stats().Err())
		w.srv.RevokeAccessTokens()
		w.fail(apivideotest.Status(503))
		for range 40 {
			w.get(t, client, 401)
			time.Sleep(375 * time.Millisecond)
		}
		err := src.Stats().Err()
		require.ErrorContains(t, err, "refuses the access token")
		assert.Equal(t, 503, asError(t, err).Status)
		w.fail(apivideotest.Fault{})
		time.Sleep(time.Minute)
		assert.NoError(t, src.Stats().Err())
		w.get(t, client, 200)
	})
}

// Promise: Stats.Err is nil with one path that refuses beside others that accept, in an outage with a good token, before the first request, and for an idle Source.
func TestStatsErrIsNilWithoutCause(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src := w.source()
		assert.NoError(t, src.Stats().Err(), "fresh")
		client := src.Client(w.ctx)
		w.get(t, client, 200)
		w.fail(apivideotest.Status(503))
		w.refuseBelow("/bad", refusesTheToken)
		for range 600 {
			w.ask(t, client, "GET", "/bad", nil)
			w.get(t, client, 200)
			assert.NoError(t, src.Stats().Err(), "one path refuses, and there is an outage")
			time.Sleep(100 * time.Millisecond)
		}
		w.fail(apivideotest.Fault{})
		time.Sleep(48 * time.Hour)
		assert.False(t, src.Stats().Usable)
		assert.NoError(t, src.Stats().Err(), "idle")
		w.fail(apivideotest.Status(503))
		_, err := src.Token()
		require.Error(t, err)
		assert.ErrorIs(t, src.Stats().Err(), err, "no token, and the renewal failed")
		assert.ErrorIs(t, (&apivideo.Config{}).Source(context.Background()).Stats().Err(), apivideo.ErrInvalidConfig)
	})
}

// warmSources returns n Sources that have a token, each like that of a separate
// process. If there is more than one, they share a Store.
func (w *world) warmSources(t *testing.T, n int) (all []*apivideo.Source) {
	if n > 1 {
		w.store = memstore.New()
		w.conf.Store = w.store
	}
	for range n {
		src, _ := w.warm(t)
		all = append(all, src)
	}
	return all
}

// requests sends n requests at once through each Source, half of them with a
// body, and returns how many failed.
func (w *world) requests(t *testing.T, n int, sources []*apivideo.Source) (failed int) {
	var mu sync.Mutex
	together(n*len(sources), func(i int) {
		method, body := "GET", io.Reader(nil)
		if i%2 == 1 {
			method, body = "POST", strings.NewReader("the whole body")
		}
		req, _ := http.NewRequest(method, w.srv.URL+"/videos", body)
		resp, err := sources[i%len(sources)].Client(w.ctx).Do(req)
		if !assert.NoError(t, err) {
			return
		}
		resp.Body.Close()
		mu.Lock()
		defer mu.Unlock()
		if resp.StatusCode != 200 {
			failed++
		}
	})
	return failed
}

// The service has issued the new token, and its answer is in transit. A
// revocation then ends both tokens, at any moment of that.
//
// Promise: One revocation fails no request that can be replayed, at any moment of a renewal.
func TestTransportRevocationDuringRenewal(t *testing.T) {
	for _, sources := range []int{1, 5} {
		for _, n := range []int{1, 50} {
			t.Run(strconv.Itoa(sources)+" Sources "+strconv.Itoa(n)+" requests", func(t *testing.T) {
				for at := time.Duration(0); at <= time.Second; at += 20 * time.Millisecond {
					bubble(t, func(t *testing.T, w *world) {
						all := w.warmSources(t, sources)
						w.srv.SetAnswerLatency(700 * time.Millisecond)
						time.Sleep(time.Second)
						before := w.authCalls()
						renewed := background(func() { mustRenew(t, all[0]) })
						time.Sleep(at)
						w.srv.RevokeAccessTokens()
						assert.Zero(t, w.requests(t, n, all), "after %v", at)
						renewed()
						assert.LessOrEqual(t, w.authCalls()-before, 3, "after %v", at)
						assert.Zero(t, w.requests(t, n, all))
					})
				}
			})
		}
	}
}

// Another process stored a token before the revocation. The revocation ended
// that token and the current one.
//
// Promise: One revocation of a stored token fails no request that can be replayed, whichever process stored it.
func TestTransportRevocationOfAStoredToken(t *testing.T) {
	for _, n := range []int{1, 50} {
		bubble(t, func(t *testing.T, w *world) {
			all := w.warmSources(t, 5)
			w.srv.SetAnswerLatency(700 * time.Millisecond)
			time.Sleep(time.Second)
			mustRenew(t, all[0])
			w.srv.RevokeAccessTokens()
			before := w.authCalls()
			assert.Zero(t, w.requests(t, n, all[1:]))
			assert.Equal(t, 1, w.authCalls()-before)
			assert.Zero(t, w.requests(t, n, all[:1]), "the first one finds the new token in the Store")
			assert.Equal(t, 1, w.authCalls()-before)
		})
	}
}

// Another process has replaced a revoked token, and that one was revoked too. A
// process that has made no request meanwhile knows of neither.
//
// Promise: Two revocations that this process has not seen fail no request that can be replayed.
func TestTransportTwoRevocationsUnseen(t *testing.T) {
	for _, n := range []int{1, 50} {
		bubble(t, func(t *testing.T, w *world) {
			all := w.warmSources(t, 5)
			for range 2 {
				w.srv.RevokeAccessTokens()
				assert.Zero(t, w.requests(t, 1, all[:1]))
				time.Sleep(time.Minute)
			}
			w.srv.RevokeAccessTokens()
			before := w.authCalls()
			assert.Zero(t, w.requests(t, n, all[1:]))
			assert.Equal(t, 1, w.authCalls()-before)
		})
	}
}

// The second revocation falls into a renewal of the process that saw the first. Its
// new token was requested after somebody's refusal, but before this one.
//
// Promise: A request can be replayed after two revocations, even if the second is during a renewal of another process.
func TestTransportUnseenRevocationThenRenewal(t *testing.T) {
	for _, n := range []int{1, 50} {
		for at := time.Duration(0); at < time.Second; at += 100 * time.Millisecond {
			bubble(t, func(t *testing.T, w *world) {
				all := w.warmSources(t, 3)
				w.srv.RevokeAccessTokens()
				assert.Zero(t, w.requests(t, 1, all[:1]))
				w.srv.SetAnswerLatency(700 * time.Millisecond)
				renewed := background(func() { mustRenew(t, all[0]) })
				time.Sleep(50 * time.Millisecond)
				w.srv.RevokeAccessTokens()
				time.Sleep(at)
				before := w.authCalls()
				assert.Zero(t, w.requests(t, n, all[1:]), "after %v", at)
				renewed()
				assert.Equal(t, 1, w.authCalls()-before)
			})
		}
	}
}

// While the stored token is being refused, a second one from before the
// revocation appears in the Store. Only a token that is requested afterwards
// works.
//
// Promise: One revocation of a stored token fails no request that can be replayed, whichever process stored it.
func TestTransportRevocationOfTwoStoredTokens(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		all := w.warmSources(t, 2)
		mustRenew(t, all[1])
		second := w.store.Values()
		mustRenew(t, all[1])
		third := w.store.Values()
		w.store.SetValues(second)
		w.srv.RevokeAccessTokens()
		sent := 0
		w.setAPI(func(r *http.Request) (*http.Response, error) {
			if sent++; sent == 2 {
				w.store.SetValues(third)
			}
			return w.srv.Transport().RoundTrip(r)
		})
		w.get(t, all[0].Client(w.ctx), 200)
		assert.Equal(t, 3, sent)
		assert.EqualValues(t, 1, all[0].Stats().Adopted, "the second token, not the third")
	})
}

// A process takes two stored tokens in a row that were issued before the revocation.
// That does not show that the API refuses all tokens.
func TestRefusalOfOldStoredTokensHeals(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		all := w.warmSources(t, 2)
		mustRenew(t, all[1])
		second := w.store.Values()
		mustRenew(t, all[1])
		third := w.store.Values()
		w.store.SetValues(second)
		w.srv.RevokeAccessTokens()
		client := all[0].Client(w.ctx)
		w.stream(t, client, 401)
		synctest.Wait()
		w.store.SetValues(third)
		w.get(t, client, 200)
		assert.EqualValues(t, 2, all[0].Stats().Adopted)
	})
}

// Meanwhile a renewal is under way that began before the first 401.
//
// Promise: A request is sent a third time, and no more, if its second token was not requested after the 401.
func TestTransportSendsThreeTimesAtMost(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, _ := w.warm(t)
		w.srv.SetAnswerLatency(700 * time.Millisecond)
		var sent []string
		w.setAPI(func(r *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(r.Body)
			sent = append(sent, r.Header.Get("Authorization")+string(body))
			return answer(401, "text/plain", "attempt "+strconv.Itoa(len(sent))), nil
		})
		renewed := background(func() { mustRenew(t, src) })
		time.Sleep(time.Millisecond)
		req, _ := http.NewRequest("PUT", w.srv.URL+"/videos", strings.NewReader(" body"))
		resp, err := src.Client(w.ctx).Do(req)
		require.NoError(t, err)
		text, _ := io.ReadAll(resp.Body)
		assert.Equal(t, "attempt 3", string(text))
		require.Len(t, sent, 3)
		assert.NotEqual(t, sent[0], sent[1])
		assert.NotEqual(t, sent[1], sent[2])
		for _, s := range sent {
			assert.True(t, strings.HasSuffix(s, " body"))
		}
		renewed()
		assert.Equal(t, 3, w.authCalls())
		assert.EqualValues(t, 2, src.Stats().Replays)
	})
}

// Renewals of the program and of other processes go on meanwhile.
//
// Promise: Renewals by the program or by other processes do not end the pauses between renewals.
func TestTransportRefusingAPIDuringRenewals(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		all := w.warmSources(t, 3)
		w.srv.SetAnswerLatency(700 * time.Millisecond)
		w.setAPI(reply(401, "text/plain", ""))
		before := w.authCalls()
		for range 60 {
			assert.Equal(t, 50*len(all), w.requests(t, 50, all))
			time.Sleep(time.Second)
		}
		assert.LessOrEqual(t, w.authCalls()-before, 3*8, "1, 2, 4 … seconds apart, each process for itself")
	})
}

// The API refuses the first two tokens. Another process has replaced the second by
// then, and that one is refused too.
//
// Promise: A request is sent a third time, and no more, if its second token was not requested after the 401.
func TestTransportSendsThreeTimesWithAStore(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		all := w.warmSources(t, 2)
		mustRenew(t, all[1])
		sent := 0
		w.setAPI(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/videos" {
				if sent++; sent == 2 {
					other, _ := http.NewRequest("GET", w.srv.URL+"/other", nil)
					resp, err := all[1].Client(w.ctx).Do(other)
					require.NoError(t, err)
					resp.Body.Close()
				}
			}
			return answer(401, "text/plain", ""), nil
		})
		before := w.authCalls()
		w.get(t, all[0].Client(w.ctx), 401)
		assert.Equal(t, 3, sent)
		assert.EqualValues(t, 2, all[0].Stats().Adopted)
		assert.Equal(t, 1, w.authCalls()-before, "of the other process")
	})
}

// A CDN answers every third request. That says nothing about the token.
//
// Promise: Errors of a CDN in between do not end the pauses between renewals.
func TestTransportRefusingAPIBehindACDN(t *testing.T) {
	for _, status := range []int{403, 408, 429, 502, 503} {
		bubble(t, func(t *testing.T, w *world) {
			client := w.warmClient(t)
			sent := 0
			w.setAPI(func(r *http.Request) (*http.Response, error) {
				if sent++; sent%3 == 0 {
					return answer(status, "text/html", "<title>made-up</title>"), nil
				}
				return answer(401, "text/plain", ""), nil
			})
			for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				resp, err := client.Get(w.srv.URL + "/videos")
				require.NoError(t, err)
				resp.Body.Close()
			}
			assert.LessOrEqual(t, w.authCalls(), 9, "1, 2, 4 … seconds apart")
		})
	}
}
