package apivideo_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// unusable is a failure that may pass, but not within seconds: each renewal
// makes one auth call.
var unusable = apivideotest.Answer(200, "application/json", "{}")

// refusal is the answer of the service to an unknown credential.
func refusal(title string) apivideotest.Fault {
	return apivideotest.Answer(401, "application/problem+json", `{"title":"`+title+`","status":401}`)
}

// Promise: An empty refresh token is an error and is not sent.
func TestConfigRefreshRotatesTheToken(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		first, err := w.conf.Token(w.ctx)
		require.NoError(t, err)
		second, err := w.conf.Refresh(w.ctx, first.RefreshToken)
		require.NoError(t, err)
		assert.NotEqual(t, first.RefreshToken, second.RefreshToken)
		_, err = w.conf.Refresh(w.ctx, first.RefreshToken)
		assert.ErrorIs(t, err, apivideo.ErrInvalidRefreshToken)
		assert.NotErrorIs(t, err, apivideo.ErrInvalidAPIKey)
		assert.EqualError(t, err, "apivideo: refresh: 401 Unauthorized: The refresh token is invalid.")
		assert.False(t, asError(t, err).Temporary())
		assert.Equal(t, 3, w.authCalls())

		_, err = w.conf.Refresh(w.ctx, "")
		assert.EqualError(t, err, "apivideo: refresh: the refresh token is empty; use Config.Token to get a first one")
		assert.Equal(t, 3, w.authCalls(), "it is not sent")
	})
}

// Promise: `Config.Token` and `Config.Refresh` make one call of at most 30 seconds.
func TestConfigTokenAndRefreshAreOneCall(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for _, call := range []func() error{
			func() error { _, err := w.conf.Token(w.ctx); return err },
			func() error { _, err := w.conf.Refresh(w.ctx, "made-up-refresh-token"); return err },
		} {
			w.srv.Fail(apivideotest.Status(503), apivideotest.Hang)
			assert.Equal(t, 503, asError(t, call()).Status)
			start := time.Now()
			err := call()
			assert.Equal(t, 30*time.Second, time.Since(start))
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		}
		assert.Equal(t, 4, w.authCalls())
		_, err := w.conf.Token(ended(w.ctx))
		assert.ErrorIs(t, err, context.Canceled)
	})
}

// Promise: After any failed refresh, or after 10 seconds without an answer, the API key is used at once.
func TestSourceFailedRefreshFallsBackToTheKey(t *testing.T) {
	for name, fault := range map[string]apivideotest.Fault{
		"refused":        refusal("The refresh token is invalid.").RetryAfter("9"), // the API key need not wait
		"server error":   apivideotest.Status(500),
		"page of a CDN":  apivideotest.Status(403),
		"broken before":  apivideotest.BreakBefore,
		"broken after":   apivideotest.BreakAfter,
		"no token in it": unusable,
		"redirect":       apivideotest.Answer(302, "text/html", ""),
		"rate limit":     apivideotest.Status(429).RetryAfter("1"),
		"never":          apivideotest.Hang,
	} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			mustToken(t, w.source()) // begins a minute of the rate limit
			time.Sleep(50 * time.Second)
			src, _ := w.warm(t)
			w.srv.Fail(fault)
			_, took := mustRenew(t, src)
			want := map[string]time.Duration{
				"never":      10 * time.Second,
				"rate limit": 10 * time.Second, // its window ends later than Retry-After says
			}
			assert.Equal(t, want[name], took)
			assert.Equal(t, 3, w.srv.Counters().Authenticated)
			assert.Equal(t, 4, w.authCalls())
			before := w.srv.Counters().Refreshed
			mustRenew(t, src)
			assert.Equal(t, before+1, w.srv.Counters().Refreshed, "the new refresh token is used")
		}))
	}
}

// sentThenDial is a base that sent the request over a connection, and could not
// make another to send it again.
func sentThenDial(r *http.Request) (*http.Response, error) {
	trace := httptrace.ContextClientTrace(r.Context())
	trace.GetConn("ws.api.video:443")
	trace.GotConn(httptrace.GotConnInfo{})
	trace.GetConn("ws.api.video:443")
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
}

// A refresh token is dropped if it was refused, or may have been spent. Later
// flights do not send it either.
//
// Promise: A refresh token is sent again only after a 429 or a failed dial.
// Promise: A dial that hangs counts as failed, so the refresh token is kept.
func TestSourceKeepsAnUnspentRefreshToken(t *testing.T) {
	hung := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		time.Sleep(time.Minute)
		return nil, errors.New("no route")
	}}
	for name, test := range map[string]struct {
		failure tripper
		kept    bool
	}{
		"429":                           {reply(429, "text/html", "<html>"), true},
		"failed dial":                   {breakOff(&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}), true},
		"dial that hangs":               {hung.RoundTrip, true},
		"failed dial after it was sent": {sentThenDial, false},
		"503":                           {reply(503, "text/html", "<html>"), false},
		"broken connection":             {breakOff(&net.OpError{Op: "read", Err: errors.New("connection reset")}), false},
	} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			src, _ := w.warm(t)
			w.setAuth(test.failure)
			_, err := src.Renew(w.ctx)
			require.Error(t, err)
			w.setAuth(nil)
			time.Sleep(2 * time.Minute) // until the dials have ended
			mustRenew(t, src)
			want := apivideotest.Counters{AuthCalls: 2, Authenticated: 2}
			if test.kept {
				want = apivideotest.Counters{AuthCalls: 2, Authenticated: 1, Refreshed: 1}
			}
			assert.Equal(t, want, w.srv.Counters())
		}))
	}
}

// The service limits refreshes, and asks for a wait each time. The API key works.
//
// Promise: The API key is used even if the service goes on limiting refreshes.
func TestSourceLimitedRefreshLeavesTheKey(t *testing.T) {
	for _, wait := range []string{"1", "60"} {
		bubble(t, func(t *testing.T, w *world) {
			src, tok := w.warm(t)
			w.setAuth(func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, "/api-key") {
					return w.srv.Transport().RoundTrip(r)
				}
				resp := answer(429, "application/json", `{"title":"Too many requests."}`)
				resp.Header.Set("Retry-After", wait)
				return resp, nil
			})
			for range 3 {
				time.Sleep(time.Until(tok.Expiry))
				tok = atOnce(t, src)
			}
			assert.EqualValues(t, 4, src.Stats().Exchanges)
		})
	}
}

// A refresh token that was not spent does not double the auth calls of an outage.
//
// Promise: While the service fails, a renewal does not make both calls because of a kept refresh token.
func TestSourceUnspentRefreshIsOneCall(t *testing.T) {
	for name, failure := range map[string]tripper{
		"429":         reply(429, "text/html", "<html>"),
		"failed dial": breakOff(&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}),
	} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			src, tok := w.warm(t)
			time.Sleep(time.Until(tok.Expiry.Add(-15 * time.Minute)))
			down := time.Now()
			w.setAuth(failure)
			for time.Since(down) < 16*time.Minute {
				_, _ = src.Token()
				time.Sleep(time.Second)
			}
			assert.LessOrEqual(t, w.callsBetween(down, down.Add(15*time.Minute)), 60)
			if name == "failed dial" {
				w.setAuth(nil)
				time.Sleep(30 * time.Second)
				mustRenew(t, src)
				assert.Equal(t, 1, w.srv.Counters().Refreshed, "whichever call failed last")
			}
		}))
	}
}

// Promise: If the account is suspended, a renewal fails without using the API key.
func TestSourceSuspendedAccountFailsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, _ := w.warm(t)
		w.srv.SetSuspended(true)
		_, err := src.Renew(w.ctx)
		assert.ErrorIs(t, err, apivideo.ErrAccountSuspended)
		assert.EqualError(t, err, "apivideo: refresh: 403 Forbidden: Suspended account")
		assert.False(t, asError(t, err).Temporary())
		assert.Equal(t, 2, w.authCalls())
	})
}

// The refresh token may never change, and may be left out. Each case has the
// auth calls that succeed in six renewals.
//
// Promise: After an answer without a refresh token, none is used.
// Promise: A service that does not rotate refresh tokens still works.
func TestSourceUnrotatedRefreshToken(t *testing.T) {
	for name, test := range map[string]struct {
		bring  string // operations whose answer has a refresh token
		broken string // operations that fail in the fourth renewal
		want   string
	}{
		"a refresh brings none":      {"api-key", "", "api-key refresh api-key refresh api-key refresh"},
		"always the same":            {"api-key refresh", "", "api-key refresh refresh refresh refresh refresh"},
		"after a broken refresh":     {"api-key refresh", "refresh", "api-key refresh refresh api-key refresh refresh"},
		"after a renewal that fails": {"api-key refresh", "refresh api-key", "api-key refresh refresh api-key refresh"},
	} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			var succeeded []string
			broken := ""
			w.setAuth(func(r *http.Request) (*http.Response, error) {
				op := path.Base(r.URL.Path)
				if strings.Contains(broken, op) {
					return nil, errors.New("broken")
				}
				succeeded = append(succeeded, op)
				refreshToken := ""
				if strings.Contains(test.bring, op) {
					refreshToken = "always-the-same"
				}
				return grantOf(fmt.Sprint("made-up-token-", len(succeeded)), refreshToken, 3600), nil
			})
			src := w.source()
			for i := range 6 {
				broken = ""
				if i == 3 {
					broken = test.broken
				}
				_, err := src.Renew(w.ctx)
				require.Equal(t, strings.Contains(broken, "api-key"), err != nil)
				time.Sleep(10 * time.Second)
			}
			assert.Equal(t, test.want, strings.Join(succeeded, " "))
		}))
	}
}

// Promise: A renewal makes up to three attempts with the API key, or one if more would not help; it tells temporary failures from final ones.
func TestSourceAttemptsWithTheKey(t *testing.T) {
	const problem = `{"type":"https://docs.api.video/reference/payload-is-invalid","title":"The payload is invalid.","status":400}`
	for name, test := range map[string]struct {
		status    int
		body      string
		err       error
		attempts  int
		temporary bool
	}{
		"failed dial":           {err: &net.OpError{Op: "dial", Err: errors.New("no route")}, attempts: 3, temporary: true},
		"broken connection":     {err: errors.New("EOF"), attempts: 3, temporary: true},
		"408":                   {status: 408, body: problem, attempts: 3, temporary: true},
		"429":                   {status: 429, body: problem, attempts: 3, temporary: true},
		"500":                   {status: 500, body: problem, attempts: 3, temporary: true},
		"503":                   {status: 503, body: "<html>", attempts: 3, temporary: true},
		"403 of a CDN":          {status: 403, body: "<html>", attempts: 3, temporary: true},
		"400 without a problem": {status: 400, body: `{"message":"no"}`, attempts: 3, temporary: true},
		"title of a wrong type": {status: 400, body: `{"title":7}`, attempts: 3, temporary: true},
		"untrusted certificate": {err: &tls.CertificateVerificationError{Err: errors.New("unknown authority")}, attempts: 1, temporary: true},
		"302":                   {status: 302, body: "", attempts: 1, temporary: true},
		"307":                   {status: 307, body: problem, attempts: 1, temporary: true},
		"204":                   {status: 204, body: "", attempts: 1, temporary: true},
		"unusable 200":          {status: 200, body: "{}", attempts: 1, temporary: true},
		"400 with a problem":    {status: 400, body: problem, attempts: 1},
		"only a type":           {status: 422, body: `{"type":"about:blank"}`, attempts: 1},
		"only a title":          {status: 404, body: `{"title":"no"}`, attempts: 1},
	} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			w.setAuth(reply(test.status, "application/json", test.body))
			if test.err != nil {
				w.setAuth(breakOff(test.err))
			}
			_, err := w.source().Token()
			e := asError(t, err)
			assert.Equal(t, test.temporary, e.Temporary())
			assert.Equal(t, "authenticate", e.Op)
			assert.Equal(t, test.status, e.Status)
			if test.err != nil {
				assert.ErrorIs(t, err, test.err)
			}
			assert.Equal(t, test.attempts, w.authCalls())
			for _, pause := range w.between() {
				assert.GreaterOrEqual(t, pause, 200*time.Millisecond)
				assert.LessOrEqual(t, pause, 2*time.Second)
			}
		}))
	}
}

// Promise: Attempts with the API key have pauses of 200 ms to 2 s between them.
func TestSourceAttemptsAreJittered(t *testing.T) {
	var pauses []time.Duration
	for range 500 {
		bubble(t, func(t *testing.T, w *world) {
			w.setAuth(breakOff(io.EOF))
			_, err := w.source().Token()
			require.Error(t, err)
			pauses = append(pauses, w.between()...)
		})
	}
	assert.InDelta(t, 0.25, slices.Min(pauses).Seconds(), 0.05)
	assert.InDelta(t, 1.95, slices.Max(pauses).Seconds(), 0.05)
}

// Promise: An attempt with the API key takes at most 15 seconds.
func TestSourceAttemptTakes15SecondsAtMost(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.srv.Fail(apivideotest.Hang)
		_, took := mustToken(t, w.source())
		assert.Greater(t, took, 15*time.Second)
		assert.LessOrEqual(t, took, 17*time.Second)
		assert.Equal(t, 2, w.authCalls())
	})
}

// Promise: A renewal keeps the pause that the service asks for in seconds, as a date, or as the rate limit of a 429.
func TestSourceWaitsAsTheServiceAsks(t *testing.T) {
	date := time.Date(2000, 1, 1, 0, 0, 12, 0, time.UTC).Format(http.TimeFormat) // 12 s into a bubble
	for name, test := range map[string]struct {
		status int
		header http.Header
		want   time.Duration // 0: only the jitter
	}{
		"seconds":                    {503, http.Header{"Retry-After": {"9"}}, 9 * time.Second},
		"a date":                     {503, http.Header{"Retry-After": {date}}, 12 * time.Second},
		"a date gone by":             {503, http.Header{"Retry-After": {"Fri, 31 Dec 1999 23:00:00 GMT"}}, 0},
		"the rate limit's on a 429":  {429, http.Header{"X-Ratelimit-Retry-After": {"7"}}, 7 * time.Second},
		"the rate limit's elsewhere": {503, http.Header{"X-Ratelimit-Retry-After": {"7"}}, 0},
		"the longer of two":          {429, http.Header{"X-Ratelimit-Retry-After": {"7"}, "Retry-After": {"3"}}, 7 * time.Second},
		"nonsense":                   {503, http.Header{"Retry-After": {"soon"}}, 0},
		"negative":                   {503, http.Header{"Retry-After": {"-5"}}, 0},
		"of a page of the CDN":       {403, http.Header{"Retry-After": {"5"}}, 5 * time.Second},
	} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			w.setAuth(func(*http.Request) (*http.Response, error) {
				w.setAuth(nil)
				resp := answer(test.status, "text/html", "<html>")
				for k, v := range test.header {
					resp.Header[k] = v
				}
				return resp, nil
			})
			_, took := mustToken(t, w.source())
			if test.want == 0 {
				assert.LessOrEqual(t, took, 2*time.Second)
			} else {
				assert.Equal(t, test.want, took)
			}
		}))
	}
}

// Promise: If the service asks for a longer pause than the renewal has left, the renewal fails at once.
func TestSourceTooLongAWaitFailsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.srv.Fail(apivideotest.Status(503).RetryAfter("31"))
		start := time.Now()
		_, err := w.source().Token()
		assert.Zero(t, time.Since(start))
		assert.Equal(t, 31*time.Second, asError(t, err).RetryAfter)
		assert.Equal(t, 1, w.authCalls())
	})
}

// The background schedule retries anyway, so a flight without waiters does
// not.
//
// Promise: A renewal makes one attempt with the API key if no caller waits.
func TestSourceUnawaitedRenewalTriesTheKeyOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, _ := w.warm(t)
		w.fail(apivideotest.Status(503))
		w.untilAuthCalls(2)
		assert.Equal(t, 3, w.authCalls(), "refresh, key")
		w.untilAuthCalls(4)
		again := w.between()[2]
		assert.GreaterOrEqual(t, again, time.Second/2, "half a second to a second later, the key again")
		assert.LessOrEqual(t, again, time.Second)
		mustToken(t, src)
	})
}

// Promise: Many requests with a rejected key make few auth calls.
func TestSourceRejectedKeyUnderLoad(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.srv.SetAuthLatency(20 * time.Millisecond)
		w.conf.APIKey = "a-made-up-key-of-nobody"
		client := w.client()
		end := time.Now().Add(3 * time.Second)
		together(20, func(int) {
			for time.Now().Before(end) {
				_, err := client.Get(w.srv.URL + "/videos")
				assert.ErrorIs(t, err, apivideo.ErrInvalidAPIKey)
				time.Sleep(time.Millisecond)
			}
		})
		assert.LessOrEqual(t, w.authCalls(), 2)
		assert.Zero(t, w.srv.Counters().Unauthorized, "nothing was sent without a token")
	})
}

// pauses simulates a program that needs a token every 10 ms for 10 minutes
// while every auth call fails. It returns the times between the auth calls.
func pauses(t *testing.T, fault apivideotest.Fault) (between []time.Duration) {
	t.Helper()
	bubble(t, func(t *testing.T, w *world) {
		w.fail(fault)
		src := w.source()
		for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			start := time.Now()
			_, err := src.Token()
			require.Error(t, err)
			require.Equal(t, start, time.Now(), "nobody waits")
		}
		between = w.between()
	})
	return between
}

// Promise: The pause in a final refusal is ignored.
// Promise: A failure is remembered for 1 to 30 seconds, or for 5 to 60 seconds if it is final.
func TestSourceFailuresBackOff(t *testing.T) {
	const invalid = "The API key is invalid."
	for name, test := range map[string]struct {
		fault          apivideotest.Fault
		first, longest time.Duration
		atLeast        int
	}{
		"a refusal":                  {refusal(invalid), 5 * time.Second, time.Minute, 10},
		"a refusal, and Retry-After": {refusal(invalid).RetryAfter("200"), 5 * time.Second, time.Minute, 10},
		"what may pass":              {unusable, time.Second, 30 * time.Second, 20},
	} {
		t.Run(name, func(t *testing.T) {
			between := pauses(t, test.fault)
			for i, d := range between {
				full := min(test.first<<min(i, 10), test.longest)
				assert.GreaterOrEqual(t, d, full/2, i)
				assert.LessOrEqual(t, d, full+20*time.Millisecond, i)
			}
			assert.Greater(t, len(between), test.atLeast)
		})
	}
}

// Promise: A failure is remembered for as long as the service asks, up to five minutes.
func TestSourceRetryAfterCountsFor5Minutes(t *testing.T) {
	for asked, seconds := range map[string]float64{
		"120": 120, "1671408000": 300, "99999999999999999": 300, "1e300": 300, // 53 years, and the absurd
	} {
		between := pauses(t, apivideotest.Status(503).RetryAfter(asked))
		require.NotEmpty(t, between)
		for _, d := range between {
			assert.InDelta(t, seconds, d.Seconds(), 0.1)
		}
	}
}

// In a long outage the wait stays at its maximum.
//
// Promise: The time for which a failure is remembered is shortened at random by up to a half.
func TestSourceBackOffIsJittered(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.fail(unusable)
		src := w.source()
		for range 24 * 60 * 60 / 2 {
			_, err := src.Token()
			require.Error(t, err)
			time.Sleep(2 * time.Second)
		}
		longest := w.between()[5:]
		assert.Equal(t, 16*time.Second, slices.Min(longest), "15 s and up, to the next 2 s")
		assert.Equal(t, 30*time.Second, slices.Max(longest))
	})
}

// Promise: A remembered failure is one error value, until a renewal succeeds.
func TestSourceSuccessEndsTheBackOff(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src := w.source()
		fail := func() {
			t.Helper()
			w.fail(unusable)
			_, err := src.Token()
			require.Error(t, err)
			_, again := src.Token()
			require.Same(t, err, again)
			_, again = src.Renew(w.ctx)
			require.Same(t, err, again)
			w.srv.FailFunc(nil)
		}
		for range 5 {
			fail()
			time.Sleep(16 * time.Second)
		}
		tok, _ := mustToken(t, src)
		src.Invalidate(tok)
		fail()
		time.Sleep(time.Second) // not 16 again
		mustToken(t, src)
	})
}

// Promise: A failure before expiry also counts for callers that need a token.
func TestSourceFailureAheadCountsOnDemand(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, tok := w.warm(t)
		w.fail(apivideotest.Status(503).RetryAfter("60"))
		w.untilAuthCalls(2)
		calls := w.authCalls()
		src.Invalidate(tok)
		_, err := src.Token()
		assert.Equal(t, 503, asError(t, err).Status)
		assert.Equal(t, calls, w.authCalls())
	})
}

// Ahead of expiry the wait after a failure is at most a quarter of the time
// that is left, so that the last moments are used.
//
// Promise: Retries before expiry need no caller, and their pauses get shorter.
// Promise: Retries before expiry stop when the token is no longer usable.
func TestSourceRetriesCloserTowardsExpiry(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, tok := w.warm(t)
		defer runtime.KeepAlive(src)
		usable := tok.Expiry.Add(-10 * time.Second)
		w.fail(apivideotest.Status(503).RetryAfter("3600"))
		time.Sleep(time.Until(usable) - 1)
		synctest.Wait()
		calls := w.calls[1:]
		for i, at := range calls[1:] {
			left := usable.Sub(calls[i])
			assert.LessOrEqual(t, at.Sub(calls[i]), max(left/4, 500*time.Millisecond))
		}
		assert.Less(t, usable.Sub(calls[len(calls)-1]), time.Second)
		assert.Less(t, len(calls), 60)
		time.Sleep(24 * time.Hour)
		assert.Len(t, w.calls[1:], len(calls), "nobody tries on once it is unusable")
	})
}

// Promise: The request of an auth call has the method, URL, headers and body that the service documents.
func TestAuthCallRequest(t *testing.T) {
	var sent []*http.Request
	var bodies []string
	ctx := through(t.Context(), func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		sent, bodies = append(sent, r), append(bodies, string(body))
		return grantOf("made-up-token", "made-up-refresh", 3600), err
	})
	conf := &apivideo.Config{
		APIKey:      `made-up-"key"`,
		BaseURL:     "https://sandbox.api.video/base/",
		Application: apivideo.Product{Name: "my-app", Version: "1.2.3"},
		SDK:         apivideo.Product{Name: "my_sdk", Version: "4"},
	}
	_, err := conf.Token(ctx)
	require.NoError(t, err)
	_, err = conf.Refresh(ctx, "made-up-refresh")
	require.NoError(t, err)
	require.Len(t, sent, 2)
	assert.Equal(t, "https://sandbox.api.video/base/auth/api-key", sent[0].URL.String())
	assert.Equal(t, "/base/auth/refresh", sent[1].URL.Path)
	assert.JSONEq(t, `{"apiKey":"made-up-\"key\""}`, bodies[0])
	assert.JSONEq(t, `{"refreshToken":"made-up-refresh"}`, bodies[1])
	for _, r := range sent {
		assert.Equal(t, "POST", r.Method)
		assert.Equal(t, http.Header{
			"Content-Type":  {"application/json"},
			"Accept":        {"application/json"},
			"Av-Origin-App": {"my-app:1.2.3"},
			"Av-Origin-Sdk": {"my_sdk:4"},
		}, r.Header)
	}
}

// The limits hold even with an HTTP client that ignores its context.
//
// Promise: Auth calls end in time even if the HTTP client ignores its context.
func TestAuthCallEndsInTimeWithAnyClient(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.setAuth(func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Hour)
			return grantOf("made-up-token", "", 3600), nil
		})
		start := time.Now()
		_, err := w.conf.Token(w.ctx)
		assert.EqualError(t, err, "apivideo: authenticate: no answer within 30s")
		assert.Equal(t, 30*time.Second, time.Since(start))
		_, err = w.source().Token()
		assert.EqualError(t, err, "apivideo: authenticate: no answer within 30s", "all attempts together")
		assert.Equal(t, 60*time.Second, time.Since(start))
		time.Sleep(2 * time.Hour) // until the client is done
	})
}

// The answer to a refresh was lost, so the token may be spent. No other process
// sends it again.
//
// Promise: A refresh token that one process may have spent is not sent by another.
func TestStoreSpentRefreshTokenIsDropped(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		src, _ := w.warm(t)
		other, _ := w.warm(t)
		refreshes := 0
		w.setAuth(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/refresh") {
				refreshes++
			}
			return nil, io.ErrUnexpectedEOF
		})
		for _, src := range []*apivideo.Source{src, other, w.source()} {
			_, err := src.Renew(w.ctx)
			require.Error(t, err)
			time.Sleep(time.Second)
		}
		assert.Equal(t, 1, refreshes)
	})
}
