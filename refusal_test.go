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

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
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
