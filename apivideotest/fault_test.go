package apivideotest_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
)

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

func TestFailAPI(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		key := basic(srv.Config().APIKey + ":")
		srv.FailAPI(apivideotest.Status(503).RetryAfter("7"), apivideotest.Refuse(apivideotest.Problem("authentication-invalid-access-token")),
			apivideotest.Fault{}, apivideotest.BreakBefore)
		exchange(t, srv) // which takes none of these faults
		r := get(t, srv, "/videos", "")
		assert.Equal(t, []any{503, "7"}, []any{r.status, r.header.Get("Retry-After")})
		assert.Equal(t, "authentication-invalid-access-token", get(t, srv, "/videos", key).id())
		assert.Equal(t, 200, get(t, srv, "/videos", key).status)

		create := func() error {
			req, _ := http.NewRequest("POST", srv.URL+"/videos", strings.NewReader(`{"title":"A"}`))
			req.Header.Set("Authorization", key)
			_, err := srv.Client().Do(req)
			return err
		}
		assert.Error(t, create())
		assert.Contains(t, get(t, srv, "/videos", key).body, `"data":[]`, "the server had not acted")
		srv.FailAPI(apivideotest.BreakAfter, apivideotest.Delay(50*time.Millisecond))
		assert.Error(t, create())
		start := time.Now()
		r = get(t, srv, "/videos", key)
		assert.GreaterOrEqual(t, time.Since(start), 50*time.Millisecond)
		assert.Equal(t, []any{200, "application/json"}, []any{r.status, r.header.Get("Content-Type")})
		assert.Contains(t, r.body, `"title":"A"`, "the server had acted")
		assert.Equal(t, 401, get(t, srv, "/videos", "").status)
	})
}
