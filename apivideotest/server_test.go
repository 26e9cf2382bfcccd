package apivideotest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
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

// both runs a test against a server on the network and one in memory.
func both(t *testing.T, f func(t *testing.T, srv *apivideotest.Server)) {
	t.Run("network", func(t *testing.T) {
		srv := apivideotest.NewServer()
		defer srv.Close()
		f(t, srv)
	})
	t.Run("memory", func(t *testing.T) { f(t, apivideotest.NewUnstartedServer()) })
}

// reply is an answer and what it says if it is JSON.
type reply struct {
	status int
	header http.Header
	body   string

	apivideo.Problem
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// call sends a request and reads its answer.
func call(t *testing.T, srv *apivideotest.Server, method, path, authorization, body string) reply {
	t.Helper()
	req, err := http.NewRequest(method, srv.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := srv.Client().Do(req)
	require.NoError(t, err)
	return read(t, resp)
}

func post(t *testing.T, srv *apivideotest.Server, path, body string) reply {
	t.Helper()
	return call(t, srv, "POST", path, "", body)
}

func get(t *testing.T, srv *apivideotest.Server, path, authorization string) reply {
	t.Helper()
	return call(t, srv, "GET", path, authorization, "")
}

func read(t *testing.T, resp *http.Response) reply {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	r := reply{status: resp.StatusCode, header: resp.Header, body: string(body)}
	_ = json.Unmarshal(body, &r)
	return r
}

func (r reply) id() string { return r.Type[strings.LastIndex(r.Type, "/")+1:] }

func exchange(t *testing.T, srv *apivideotest.Server) reply {
	t.Helper()
	r := post(t, srv, "/auth/api-key", `{"apiKey":"`+srv.Config().APIKey+`"}`)
	require.Equal(t, 200, r.status)
	return r
}

func refresh(t *testing.T, srv *apivideotest.Server, token string) reply {
	t.Helper()
	return post(t, srv, "/auth/refresh", `{"refreshToken":"`+token+`"}`)
}

func TestRefreshTokenWorksOnce(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		first := exchange(t, srv)
		assert.InDelta(t, 850, len(first.Access), 150)
		assert.Len(t, first.Refresh, 700)
		second := refresh(t, srv, first.Refresh)
		assert.Equal(t, 200, second.status)
		spent := refresh(t, srv, first.Refresh)
		assert.Equal(t, 401, spent.status)
		assert.Equal(t, "authentication-invalid-refresh-token", spent.id())
		assert.Equal(t, "application/problem+json", spent.header.Get("Content-Type"))

		exchange(t, srv) // which ends the earlier refresh token
		assert.Equal(t, 401, refresh(t, srv, second.Refresh).status)
		third := exchange(t, srv)
		srv.EndRefreshToken()
		assert.Equal(t, 401, refresh(t, srv, third.Refresh).status)
		assert.Equal(t, apivideotest.Counters{AuthCalls: 7, Authenticated: 3, Refreshed: 1, Refused: 3}, srv.Counters())
		for _, r := range []reply{first, second, third} {
			assert.True(t, srv.Valid(r.Access), "access tokens live on")
		}
	})
}

func TestAuthCallRefusals(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		r := post(t, srv, "/auth/api-key", `{"apiKey":"made-up"}`)
		assert.Equal(t, 401, r.status)
		assert.Equal(t, "authentication-invalid-api-key", r.id())
		for _, body := range []string{``, `{}`, `[]`, `{"apiKey":""}`, `{"apiKey":7}`} {
			r = post(t, srv, "/auth/api-key", body)
			assert.Equal(t, 400, r.status)
			assert.Equal(t, "payload-is-invalid", r.id())
		}
		assert.Equal(t, 405, get(t, srv, "/auth/refresh", "").status)
	})
}

func TestAPINeedsAccessToken(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		srv.HandleFunc("GET /videos/{id}", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "video "+r.PathValue("id"))
		})
		access := exchange(t, srv).Access
		assert.Equal(t, "video 7", get(t, srv, "/videos/7", "Bearer "+access).body)
		assert.Equal(t, 404, get(t, srv, "/nothing", "Bearer "+access).status)
		for authorization, id := range map[string]string{
			"":               "authentication-missing-authorization-header",
			"Basic bWFkZTo=": "authentication-invalid-authorization-header-value",
			"Bearer made-up": "authentication-invalid-access-token",
		} {
			r := get(t, srv, "/videos/7", authorization)
			assert.Equal(t, 401, r.status)
			assert.Equal(t, id, r.id())
		}
		srv.RevokeAccessTokens()
		assert.Equal(t, 401, get(t, srv, "/videos/7", "Bearer "+access).status)
		c := srv.Counters()
		assert.Equal(t, []int{2, 4}, []int{c.Authorized, c.Unauthorized})
	})
}

func TestSuspensionRefusesEveryCall(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		access := exchange(t, srv).Access
		srv.SetSuspended(true)
		assert.Equal(t, 403, get(t, srv, "/videos", "Bearer "+access).status)
		r := post(t, srv, "/auth/api-key", `{"apiKey":"`+srv.Config().APIKey+`"}`)
		assert.Equal(t, "authorization-suspended-account", r.id())
		srv.SetSuspended(false)
		exchange(t, srv)
	})
}

func TestFaults(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		key := `{"apiKey":"` + srv.Config().APIKey + `"}`
		srv.Fail(apivideotest.Status(503), apivideotest.Status(429).RetryAfter("7"), apivideotest.Status(400),
			apivideotest.Answer(200, "text/plain", "nonsense"))
		r := post(t, srv, "/auth/api-key", key)
		assert.Equal(t, 503, r.status)
		assert.Contains(t, r.body, "<html>")
		r = post(t, srv, "/auth/api-key", key)
		assert.Equal(t, "too-many-requests", r.id())
		assert.Equal(t, "7", r.header.Get("Retry-After"))
		assert.Equal(t, "payload-is-invalid", post(t, srv, "/auth/api-key", key).id())
		assert.Equal(t, "nonsense", post(t, srv, "/auth/api-key", key).body)
		assert.Zero(t, srv.Counters().Authenticated)

		first := exchange(t, srv)
		broken := func(f apivideotest.Fault) {
			t.Helper()
			srv.Fail(f)
			_, err := srv.Client().Post(srv.URL+"/auth/refresh", "application/json", strings.NewReader(`{"refreshToken":"`+first.Refresh+`"}`))
			assert.Error(t, err)
		}
		broken(apivideotest.BreakBefore)
		second := refresh(t, srv, first.Refresh)
		assert.Equal(t, 200, second.status, "the server had not acted")
		first = second
		broken(apivideotest.BreakAfter)
		assert.Equal(t, 401, refresh(t, srv, first.Refresh).status, "the server had acted")

		srv.FailFunc(func(op apivideotest.Op) apivideotest.Fault {
			if op == apivideotest.Refresh {
				return apivideotest.Status(500)
			}
			return apivideotest.Fault{}
		})
		assert.Equal(t, 500, refresh(t, srv, exchange(t, srv).Refresh).status)
		srv.FailFunc(nil)
		assert.Equal(t, 200, refresh(t, srv, exchange(t, srv).Refresh).status)
	})
}

func TestHangEndsWithClientOrServer(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		srv.Fail(apivideotest.Hang)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "POST", srv.URL+"/auth/api-key", bytes.NewReader(nil))
		_, err := srv.Client().Do(req)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
	for _, hang := range []func(*apivideotest.Server){
		func(srv *apivideotest.Server) { srv.Fail(apivideotest.Hang) },
		func(srv *apivideotest.Server) { srv.SetAuthLatency(time.Hour) },
		func(srv *apivideotest.Server) { srv.SetAnswerLatency(time.Hour) },
	} {
		srv := apivideotest.NewServer()
		hang(srv)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := srv.Client().Post(srv.URL+"/auth/api-key", "application/json", strings.NewReader(`{"apiKey":"made-up"}`))
			assert.Error(t, err)
		})
		for srv.Counters().AuthCalls == 0 {
			time.Sleep(time.Millisecond)
		}
		srv.Close()
		wg.Wait()
	}
}

func TestLifetimeInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := apivideotest.NewUnstartedServer()
		srv.SetLifetime(90 * time.Minute)
		srv.SetAuthLatency(time.Minute)
		start := time.Now()
		access := exchange(t, srv).Access
		assert.Equal(t, time.Minute, time.Since(start))
		time.Sleep(90*time.Minute - 1)
		assert.True(t, srv.Valid(access))
		time.Sleep(time.Nanosecond)
		assert.False(t, srv.Valid(access))
		srv.Close()
	})
}

func TestDelayedAnswerBringsATokenIssuedBefore(t *testing.T) {
	for name, delay := range map[string]func(*apivideotest.Server){
		"fault":   func(srv *apivideotest.Server) { srv.Fail(apivideotest.Delay(700 * time.Millisecond)) },
		"setting": func(srv *apivideotest.Server) { srv.SetAnswerLatency(700 * time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := apivideotest.NewUnstartedServer()
				srv.SetAuthLatency(300 * time.Millisecond)
				delay(srv)
				start := time.Now()
				go func() {
					time.Sleep(299 * time.Millisecond)
					assert.Zero(t, srv.Counters().Authenticated)
					time.Sleep(2 * time.Millisecond)
					assert.Equal(t, 1, srv.Counters().Authenticated)
					srv.RevokeAccessTokens()
				}()
				access := exchange(t, srv).Access
				assert.Equal(t, time.Second, time.Since(start))
				assert.False(t, srv.Valid(access))
			})
		})
	}
}

func TestRateLimitHeadersInEveryAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := apivideotest.NewUnstartedServer()
		for i := range 50 {
			r := get(t, srv, "/", "")
			assert.Equal(t, "40", r.header.Get("X-RateLimit-Limit"))
			want := map[int]string{0: "39", 39: "0", 49: "0"}
			if remaining, ok := want[i]; ok {
				assert.Equal(t, remaining, r.header.Get("X-RateLimit-Remaining"))
			}
			assert.Equal(t, "60", r.header.Get("X-RateLimit-Retry-After"))
		}
		time.Sleep(45 * time.Second)
		assert.Equal(t, "15", get(t, srv, "/", "").header.Get("X-RateLimit-Retry-After"))
		time.Sleep(15 * time.Second)
		assert.Equal(t, "39", exchange(t, srv).header.Get("X-RateLimit-Remaining"))
	})
}

func TestProblem(t *testing.T) {
	p := apivideotest.Problem("authentication-invalid-upload-token")
	assert.Equal(t, "The upload token is invalid or expired.", p.Title)
	assert.Equal(t, 401, p.Status)
	assert.Panics(t, func() { apivideotest.Problem("of-nobody") })
}

func TestTransportHonoursContextAndBody(t *testing.T) {
	srv := apivideotest.NewUnstartedServer()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
	_, err := srv.Transport().RoundTrip(req)
	assert.ErrorIs(t, err, context.Canceled)
	req, _ = http.NewRequest("POST", srv.URL, io.NopCloser(io.MultiReader(strings.NewReader("x"), failing{})))
	_, err = srv.Transport().RoundTrip(req)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestHandleServesHEADAndRefusesOtherMethods(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		srv.HandleFunc("GET /videos", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "body") })
		client := srv.Config().Client(srv.Context(t.Context()))
		resp, err := client.Head(srv.URL + "/videos")
		require.NoError(t, err)
		assert.Empty(t, read(t, resp).body)
		resp, err = client.Post(srv.URL+"/videos", "", nil)
		require.NoError(t, err)
		r := read(t, resp)
		assert.Equal(t, 405, r.status)
		assert.Equal(t, "GET, HEAD", r.header.Get("Allow"))
	})
}

func TestCloseTwice(t *testing.T) {
	srv := apivideotest.NewServer()
	srv.Close()
	srv.Close()
}
