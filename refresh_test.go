package apivideo_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRefreshTradesOneRefreshTokenForTheNext(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		first, err := srv.Config().Token(ctx)
		require.NoError(t, err)
		second, err := srv.Config().Refresh(ctx, first.RefreshToken)
		require.NoError(t, err)
		assert.NotEqual(t, first.RefreshToken, second.RefreshToken)
		_, err = srv.Config().Refresh(ctx, first.RefreshToken)
		assert.ErrorIs(t, err, apivideo.ErrInvalidRefreshToken)
		assert.NotErrorIs(t, err, apivideo.ErrInvalidAPIKey)
		assert.EqualError(t, err, "apivideo: refresh: 401 Unauthorized: The refresh token is invalid.")
		assert.False(t, asError(t, err).Temporary())
		assert.Equal(t, 3, srv.Counters().AuthCalls)
	})
}

func TestAnEmptyRefreshTokenIsAnErrorBeforeAnythingIsSent(t *testing.T) {
	ctx := through(t.Context(), func(*http.Request) (*http.Response, error) {
		t.Error("a call was made")
		return nil, errors.New("no")
	})
	_, err := (&apivideo.Config{APIKey: "made-up-key"}).Refresh(ctx, "")
	assert.EqualError(t, err, "apivideo: refresh: the refresh token is empty; use Config.Token to get a first one")
}

func TestTokenAndRefreshAreOneAttemptOf30Seconds(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		calls := []func() error{
			func() error { _, err := srv.Config().Token(ctx); return err },
			func() error { _, err := srv.Config().Refresh(ctx, "made-up-refresh-token"); return err },
		}
		for _, call := range calls {
			srv.Fail(apivideotest.Status(503))
			assert.Equal(t, 503, asError(t, call()).Status)
			srv.Fail(apivideotest.Hang)
			start := time.Now()
			err := call()
			assert.Equal(t, 30*time.Second, time.Since(start))
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		}
		assert.Equal(t, 4, srv.Counters().AuthCalls)
		ended, cancel := context.WithCancel(ctx)
		cancel()
		_, err := srv.Config().Token(ended)
		assert.ErrorIs(t, err, context.Canceled)
	})
}

func TestARefusedRefreshTokenGivesWayToTheAPIKeyInTheSameFlight(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		mustToken(t, src)
		srv.EndRefreshToken()
		_, err := src.Renew(ctx)
		require.NoError(t, err)
		assert.Equal(t, apivideotest.Counters{AuthCalls: 3, Authenticated: 2, Refused: 1}, srv.Counters())
		_, err = src.Renew(ctx)
		require.NoError(t, err)
		assert.Equal(t, 1, srv.Counters().Refreshed, "the new refresh token is used")
	})
}

func TestAFailedRefreshGivesWayToTheAPIKeyInTheSameFlight(t *testing.T) {
	for name, fault := range map[string]apivideotest.Fault{
		"server error":   apivideotest.Status(500),
		"page of a CDN":  apivideotest.Status(403),
		"broken before":  apivideotest.BreakBefore,
		"broken after":   apivideotest.BreakAfter,
		"no token in it": apivideotest.Answer(200, "application/json", "{}"),
		"redirect":       apivideotest.Answer(302, "text/html", ""),
		"rate limit":     apivideotest.Status(429).RetryAfter("1"),
		"never":          apivideotest.Hang,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
				mustToken(t, srv.Config().Source(ctx)) // begins a minute of the rate limit
				time.Sleep(50 * time.Second)
				src := srv.Config().Source(ctx)
				mustToken(t, src)
				srv.Fail(fault)
				start := time.Now()
				_, err := src.Renew(ctx)
				require.NoError(t, err)
				assert.Equal(t, 3, srv.Counters().Authenticated)
				assert.Equal(t, 4, srv.Counters().AuthCalls)
				switch name {
				case "never":
					assert.Equal(t, 10*time.Second, time.Since(start))
				case "rate limit": // its window ends later than Retry-After says
					assert.Equal(t, 10*time.Second, time.Since(start))
				default:
					assert.Zero(t, time.Since(start))
				}
			})
		})
	}
}

// A refresh token is dropped when it was refused or nobody knows whether it
// was spent; then even the next flight does not send it.
func TestARefreshTokenIsKeptOnlyIfItWasNotSpent(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	for name, test := range map[string]struct {
		status int
		err    error
		kept   bool
	}{
		"429":               {status: 429, kept: true},
		"failed dial":       {err: dial, kept: true},
		"503":               {status: 503},
		"broken connection": {err: &net.OpError{Op: "read", Err: errors.New("connection reset")}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
				failing := false
				src := srv.Config().Source(through(ctx, func(r *http.Request) (*http.Response, error) {
					switch {
					case !failing:
						return srv.Transport().RoundTrip(r)
					case test.err != nil:
						return nil, test.err
					}
					return answer(test.status, "text/html", "<html>"), nil
				}))
				mustToken(t, src)
				failing = true
				_, err := src.Renew(ctx)
				require.Error(t, err)
				failing = false
				time.Sleep(time.Minute)
				_, err = src.Renew(ctx)
				require.NoError(t, err)
				want := apivideotest.Counters{AuthCalls: 2, Authenticated: 2}
				if test.kept {
					want = apivideotest.Counters{AuthCalls: 2, Authenticated: 1, Refreshed: 1}
				}
				assert.Equal(t, want, srv.Counters())
			})
		})
	}
}

func TestASuspendedAccountFailsTheFlight(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		mustToken(t, src)
		srv.SetSuspended(true)
		_, err := src.Renew(ctx)
		assert.ErrorIs(t, err, apivideo.ErrAccountSuspended)
		assert.EqualError(t, err, "apivideo: refresh: 403 Forbidden: Suspended account")
		assert.False(t, asError(t, err).Temporary())
		assert.Equal(t, 2, srv.Counters().AuthCalls)
	})
}

func TestARefreshAnswerWithoutARefreshTokenLeavesNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var paths []string
		src := (&apivideo.Config{APIKey: "made-up-key"}).Source(through(t.Context(), func(r *http.Request) (*http.Response, error) {
			paths = append(paths, r.URL.Path)
			if r.URL.Path == "/auth/refresh" {
				return grantOf("made-up-token-2", "", 3600), nil
			}
			return grantOf("made-up-token-1", "made-up-refresh", 3600), nil
		}))
		for range 4 {
			_, err := src.Renew(t.Context())
			require.NoError(t, err)
		}
		assert.Equal(t, []string{"/auth/api-key", "/auth/refresh", "/auth/api-key", "/auth/refresh"}, paths)
	})
}

// A service that does not rotate refresh tokens is refreshed all the same.
func TestARefreshTokenThatComesAgainIsUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, refreshed, fail := 0, 0, false
		src := (&apivideo.Config{APIKey: "made-up-key"}).Source(through(t.Context(), func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/auth/refresh" {
				if fail {
					return nil, errors.New("broken")
				}
				refreshed++
			}
			n++
			return grantOf("made-up-token-"+string(rune('a'+n)), "always-the-same", 3600), nil
		}))
		for i := range 6 {
			fail = i == 3
			_, err := src.Renew(t.Context())
			require.NoError(t, err)
		}
		assert.Equal(t, 4, refreshed)
	})
}

func TestAttemptsWithTheAPIKey(t *testing.T) {
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
		"302":                   {status: 302, body: "", attempts: 1, temporary: true},
		"307":                   {status: 307, body: problem, attempts: 1, temporary: true},
		"204":                   {status: 204, body: "", attempts: 1, temporary: true},
		"unusable 200":          {status: 200, body: "{}", attempts: 1, temporary: true},
		"400 with a problem":    {status: 400, body: problem, attempts: 1},
		"only a type":           {status: 422, body: `{"type":"about:blank"}`, attempts: 1},
		"only a title":          {status: 404, body: `{"title":"no"}`, attempts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls []time.Time
				src := (&apivideo.Config{APIKey: "made-up-key"}).Source(through(t.Context(), func(*http.Request) (*http.Response, error) {
					calls = append(calls, time.Now())
					if test.err != nil {
						return nil, test.err
					}
					return answer(test.status, "application/json", test.body), nil
				}))
				_, err := src.Token()
				e := asError(t, err)
				assert.Equal(t, test.temporary, e.Temporary())
				assert.Equal(t, "authenticate", e.Op)
				assert.Equal(t, test.status, e.Status)
				if test.err != nil {
					assert.ErrorIs(t, err, test.err)
				}
				assert.Len(t, calls, test.attempts)
				for i, at := range calls[1:] {
					pause := at.Sub(calls[i])
					assert.GreaterOrEqual(t, pause, 200*time.Millisecond)
					assert.LessOrEqual(t, pause, 2*time.Second)
				}
			})
		})
	}
}

func TestAnAttemptWithTheAPIKeyHas15Seconds(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		srv.Fail(apivideotest.Hang)
		_, took := mustToken(t, srv.Config().Source(ctx))
		assert.Greater(t, took, 15*time.Second)
		assert.LessOrEqual(t, took, 17*time.Second)
		assert.Equal(t, 2, srv.Counters().AuthCalls)
	})
}

func TestWhatTheServerAsksToWaitIsAFloor(t *testing.T) {
	date := time.Date(2000, 1, 1, 0, 0, 12, 0, time.UTC).Format(http.TimeFormat) // 12 s into a bubble
	for name, test := range map[string]struct {
		status int
		header http.Header
		want   time.Duration // 0: jitter alone
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
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				calls := 0
				src := (&apivideo.Config{APIKey: "made-up-key"}).Source(through(t.Context(), func(*http.Request) (*http.Response, error) {
					if calls++; calls > 1 {
						return grantOf("made-up-token", "", 3600), nil
					}
					resp := answer(test.status, "text/html", "<html>")
					for k, v := range test.header {
						resp.Header[k] = v
					}
					return resp, nil
				}))
				mustToken(t, src)
				took := time.Since(start)
				if test.want == 0 {
					assert.LessOrEqual(t, took, 2*time.Second)
				} else {
					assert.Equal(t, test.want, took)
				}
			})
		})
	}
}

func TestAWaitLongerThanTheFlightFailsItAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		srv.Fail(apivideotest.Status(503).RetryAfter("31"))
		start := time.Now()
		_, err := srv.Config().Source(ctx).Token()
		assert.Zero(t, time.Since(start))
		assert.Equal(t, 31*time.Second, asError(t, err).RetryAfter)
		assert.Equal(t, 1, srv.Counters().AuthCalls)
	})
}

// What the schedule of renewals ahead of expiry does anyway, a flight that
// nobody waits for does not.
func TestAFlightThatNobodyWaitsForTriesTheKeyOnce(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		mustToken(t, src)
		srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return apivideotest.Status(503) })
		for srv.Counters().AuthCalls < 2 {
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		assert.Equal(t, 3, srv.Counters().AuthCalls, "refresh, key")
		time.Sleep(400 * time.Millisecond)
		synctest.Wait()
		assert.Equal(t, 3, srv.Counters().AuthCalls)
		time.Sleep(600 * time.Millisecond)
		synctest.Wait()
		assert.Equal(t, 4, srv.Counters().AuthCalls, "half a second to a second later, the key again")
		mustToken(t, src)
	})
}

func TestARejectedKeyUnderLoadCostsFewCalls(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		srv.SetAuthLatency(20 * time.Millisecond)
		conf := srv.Config()
		conf.APIKey = "a-made-up-key-of-nobody"
		client := conf.Client(ctx)
		end := time.Now().Add(3 * time.Second)
		together(20, func(int) {
			for time.Now().Before(end) {
				_, err := client.Get(srv.URL + "/videos")
				assert.ErrorIs(t, err, apivideo.ErrInvalidAPIKey)
				time.Sleep(time.Millisecond)
			}
		})
		assert.LessOrEqual(t, srv.Counters().AuthCalls, 2)
		assert.Zero(t, srv.Counters().Unauthorized, "nothing was sent without a token")
	})
}

// pauses lets the program ask every 10 ms of 10 minutes, with every auth call
// failing, and returns the times between the auth calls.
func pauses(t *testing.T, fault apivideotest.Fault) (between []time.Duration) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		var last time.Time
		ctx = through(ctx, func(r *http.Request) (*http.Response, error) {
			if !last.IsZero() {
				between = append(between, time.Since(last))
			}
			last = time.Now()
			return srv.Transport().RoundTrip(r)
		})
		srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return fault })
		src := srv.Config().Source(ctx)
		for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			start := time.Now()
			_, err := src.Token()
			require.Error(t, err)
			if asError(t, err).RetryAfter == 0 && time.Since(start) > 0 {
				require.LessOrEqual(t, time.Since(start), 4*time.Second)
			}
		}
	})
	return between
}

func TestFailuresAreRememberedLongerEachTime(t *testing.T) {
	refused := `{"title":"The API key is invalid.","status":401}`
	between := pauses(t, apivideotest.Answer(401, "application/problem+json", refused))
	for i, d := range between {
		full := min(5*time.Second<<min(i, 10), 60*time.Second)
		assert.GreaterOrEqual(t, d, full/2, i)
		assert.LessOrEqual(t, d, full+20*time.Millisecond, i)
	}
	assert.Greater(t, len(between), 10)

	between = pauses(t, apivideotest.Answer(200, "application/json", "{}"))
	for i, d := range between {
		full := min(time.Second<<min(i, 10), 30*time.Second)
		assert.GreaterOrEqual(t, d, full/2, i)
		assert.LessOrEqual(t, d, full+20*time.Millisecond, i)
	}
	assert.Greater(t, len(between), 20)
}

func TestTheServersFloorIsRememberedForFiveMinutesAtMost(t *testing.T) {
	between := pauses(t, apivideotest.Status(503).RetryAfter("120"))
	for _, d := range between {
		assert.InDelta(t, 120, d.Seconds(), 0.1)
	}
	between = pauses(t, apivideotest.Status(503).RetryAfter("1671408000")) // 53 years
	require.NotEmpty(t, between)
	for _, d := range between {
		assert.InDelta(t, 300, d.Seconds(), 0.1)
	}
}

func TestASuccessEndsTheMemoryOfFailures(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		fail := func() {
			t.Helper()
			srv.FailFunc(func(apivideotest.Op) apivideotest.Fault {
				return apivideotest.Answer(200, "application/json", "{}")
			})
			_, err := src.Token()
			require.Error(t, err)
			_, again := src.Token()
			require.Same(t, err, again)
			_, again = src.Renew(ctx)
			require.Same(t, err, again)
			srv.FailFunc(nil)
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

func TestAFailureAheadOfExpiryIsRememberedOnDemandToo(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		tok, _ := mustToken(t, src)
		srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return apivideotest.Status(503).RetryAfter("60") })
		for srv.Counters().AuthCalls < 2 {
			time.Sleep(time.Second)
			synctest.Wait()
		}
		calls := srv.Counters().AuthCalls
		src.Invalidate(tok)
		_, err := src.Token()
		assert.Equal(t, 503, asError(t, err).Status)
		assert.Equal(t, calls, srv.Counters().AuthCalls)
	})
}

// Ahead of expiry a failure is remembered for no more than a quarter of what
// is left, so that the last moments are used.
func TestAheadOfExpiryAPauseIsAtMostAQuarterOfWhatIsLeft(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		var mu sync.Mutex
		var calls []time.Time
		ctx = through(ctx, func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, time.Now())
			return srv.Transport().RoundTrip(r)
		})
		src := srv.Config().Source(ctx)
		tok, _ := mustToken(t, src)
		usable := tok.Expiry.Add(-10 * time.Second)
		srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return apivideotest.Status(503).RetryAfter("3600") })
		time.Sleep(time.Until(usable) - 1)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		calls = calls[1:]
		for i, at := range calls[1:] {
			left := usable.Sub(calls[i])
			assert.LessOrEqual(t, at.Sub(calls[i]), max(left/4, 10*time.Millisecond))
		}
		assert.Less(t, usable.Sub(calls[len(calls)-1]), time.Second)
		assert.Less(t, len(calls), 60)
	})
}

// Thirty days of a program that asks every 30 seconds, with every fifth auth
// call failing in one of many ways, and an outage of ten minutes a day.
func TestThirtyDaysOfOrdinaryFaults(t *testing.T) {
	faults := []apivideotest.Fault{
		apivideotest.Status(500), apivideotest.Status(429), apivideotest.Status(403), apivideotest.Status(503),
		apivideotest.BreakBefore, apivideotest.BreakAfter, apivideotest.Hang,
		apivideotest.Answer(200, "text/html", "<html>"), apivideotest.Answer(302, "text/html", ""),
	}
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		client := srv.Config().Client(ctx)
		begin := time.Now()
		var n atomic.Int64
		srv.FailFunc(func(apivideotest.Op) apivideotest.Fault {
			i := n.Add(1)
			outage := time.Since(begin)%(24*time.Hour) - 7*time.Hour
			if i%5 == 2 || outage >= 0 && outage < 10*time.Minute {
				return faults[int(i)%len(faults)]
			}
			return apivideotest.Fault{}
		})
		const hours = 30 * 24
		for range hours * 120 {
			status, took := get(t, client, srv)
			require.Equal(t, 200, status)
			require.Zero(t, took)
			time.Sleep(30 * time.Second)
		}
		perHour := float64(srv.Counters().AuthCalls) / hours
		assert.Less(t, perHour, 2.0)
		assert.Greater(t, perHour, 1.0)
		assert.Zero(t, srv.Counters().Unauthorized)
	})
}

func TestAnAuthCallIsWhatTheServiceExpects(t *testing.T) {
	var sent []*http.Request
	var bodies []string
	ctx := through(t.Context(), func(r *http.Request) (*http.Response, error) {
		var b strings.Builder
		_, err := io.Copy(&b, r.Body)
		sent, bodies = append(sent, r), append(bodies, b.String())
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

// A dial that takes all the time there is has failed like any other.
func TestARefreshTokenIsKeptIfTheDialHangs(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		hung := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			time.Sleep(time.Minute)
			return nil, errors.New("no route")
		}}
		down := false
		src := srv.Config().Source(through(ctx, func(r *http.Request) (*http.Response, error) {
			if down {
				return hung.RoundTrip(r)
			}
			return srv.Transport().RoundTrip(r)
		}))
		mustToken(t, src)
		down = true
		_, err := src.Renew(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		down = false
		time.Sleep(2 * time.Minute) // until the dials have ended
		_, err = src.Renew(ctx)
		require.NoError(t, err)
		assert.Equal(t, 1, srv.Counters().Refreshed)
	})
}

// The limits hold even with an HTTP client that does not honour its context.
func TestAnAuthCallEndsInTimeWhateverTheClientDoes(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		ctx = through(ctx, func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Hour)
			return grantOf("made-up-token", "", 3600), nil
		})
		start := time.Now()
		_, err := srv.Config().Token(ctx)
		assert.EqualError(t, err, "apivideo: authenticate: no answer within 30s")
		assert.Equal(t, 30*time.Second, time.Since(start))
		_, err = srv.Config().Source(ctx).Token()
		assert.EqualError(t, err, "apivideo: authenticate: no answer within 30s", "all attempts together")
		assert.Equal(t, 60*time.Second, time.Since(start))
		time.Sleep(2 * time.Hour) // until the client is done
	})
}

func TestTheCauseOfACancelledAuthCallIsInTheError(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		cause := errors.New("the program is told to stop")
		ctx, cancel := context.WithCancelCause(ctx)
		srv.Fail(apivideotest.Hang)
		time.AfterFunc(time.Second, func() { cancel(cause) })
		_, err := srv.Config().Token(ctx)
		assert.ErrorIs(t, err, cause)
		assert.ErrorIs(t, err, context.Canceled)
		assert.EqualError(t, err, "apivideo: authenticate: context canceled: the program is told to stop")
	})
}

func TestPausesAreJittered(t *testing.T) {
	unusable := apivideotest.Answer(200, "application/json", "{}")
	longest := slices.Concat(pauses(t, unusable)[5:], pauses(t, unusable)[5:])
	assert.Less(t, slices.Min(longest), 20*time.Second)
	assert.Greater(t, slices.Max(longest), 25*time.Second)
}

func TestAttemptsAreJittered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pauses []time.Duration
		for range 200 {
			var calls []time.Time
			_, err := (&apivideo.Config{APIKey: "made-up-key"}).Source(through(t.Context(), func(*http.Request) (*http.Response, error) {
				calls = append(calls, time.Now())
				return nil, errors.New("EOF")
			})).Token()
			require.Error(t, err)
			pauses = append(pauses, calls[1].Sub(calls[0]), calls[2].Sub(calls[1]))
		}
		assert.InDelta(t, 0.25, slices.Min(pauses).Seconds(), 0.05)
		assert.InDelta(t, 1.95, slices.Max(pauses).Seconds(), 0.05)
	})
}

func TestARefreshTokenThatComesAgainAfterAFailedFlightIsUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, refreshed, fail := 0, 0, false
		src := (&apivideo.Config{APIKey: "made-up-key"}).Source(through(t.Context(), func(r *http.Request) (*http.Response, error) {
			if fail {
				return nil, errors.New("broken")
			}
			if r.URL.Path == "/auth/refresh" {
				refreshed++
			}
			n++
			return grantOf("made-up-token-"+string(rune('a'+n)), "always-the-same", 3600), nil
		}))
		for i := range 6 {
			fail = i == 3
			_, err := src.Renew(t.Context())
			require.Equal(t, fail, err != nil)
			time.Sleep(10 * time.Second)
		}
		assert.Equal(t, 3, refreshed)
	})
}

func TestAnUntrustedCertificateIsNotTriedAgainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		_, err := (&apivideo.Config{APIKey: "made-up-key"}).Source(through(t.Context(), func(*http.Request) (*http.Response, error) {
			calls++
			return nil, &tls.CertificateVerificationError{Err: errors.New("unknown authority")}
		})).Token()
		assert.True(t, asError(t, err).Temporary())
		assert.Equal(t, 1, calls)
	})
}

func TestRetryAfterOfARefusalIsNoFloor(t *testing.T) {
	between := pauses(t, apivideotest.Answer(401, "application/problem+json", `{"title":"The API key is invalid."}`).RetryAfter("200"))
	require.NotEmpty(t, between)
	assert.LessOrEqual(t, slices.Max(between), 61*time.Second)

	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		mustToken(t, src)
		srv.Fail(apivideotest.Answer(401, "application/problem+json", `{"title":"The refresh token is invalid."}`).RetryAfter("9"))
		start := time.Now()
		_, err := src.Renew(ctx)
		require.NoError(t, err)
		assert.Zero(t, time.Since(start), "the API key is another credential")
	})
}

func TestAnAbsurdRetryAfterIsFiveMinutes(t *testing.T) {
	for _, absurd := range []string{"99999999999999999", "1e300"} {
		between := pauses(t, apivideotest.Status(503).RetryAfter(absurd))
		require.NotEmpty(t, between)
		for _, d := range between {
			assert.InDelta(t, 300, d.Seconds(), 0.1)
		}
	}
}

// The doubling stays at its longest through a long outage.
func TestAnOutageOfADayIsAskedAboutEvery30Seconds(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return apivideotest.Answer(200, "application/json", "{}") })
		src := srv.Config().Source(ctx)
		for range 24 * 60 * 12 {
			_, err := src.Token()
			require.Error(t, err)
			time.Sleep(5 * time.Second)
		}
		assert.LessOrEqual(t, srv.Counters().AuthCalls, 24*60*4+10)
	})
}
