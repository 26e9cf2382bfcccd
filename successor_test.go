package apivideo_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/internal/memstore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
