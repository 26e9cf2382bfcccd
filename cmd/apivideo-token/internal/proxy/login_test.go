package proxy_test

import (
	"math"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const loginBody = `{"apiKey":"` + secret + `"}`

// Promise: A login at the proxy makes no auth call for a good token.
func TestLoginOfGoodTokenMakesNoCall(t *testing.T) {
	r := newRig(t)
	for range 5 {
		assert.Equal(t, 200, r.post("/auth/api-key", loginBody).status)
	}
	assert.Equal(t, 1, r.srv.Counters().AuthCalls)
	r.srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return apivideotest.Status(503) })
	assert.Equal(t, 200, r.post("/auth/api-key", loginBody).status, "an outage is not felt while there is a token")
	assert.Equal(t, 1, r.srv.Counters().AuthCalls)
}

// Promise: A login at the proxy fails as at the service, or with a 503.
func TestLoginFailsAsTheServiceDoes(t *testing.T) {
	for name, c := range map[string]struct {
		fault   apivideotest.Fault
		status  int
		problem string
	}{
		"a refused key": {
			apivideotest.Answer(401, "application/json", `{"type":"https://docs.api.video/reference/authentication-invalid-api-key","title":"The API key is invalid.","status":401}`),
			401, "authentication-invalid-api-key",
		},
		"other credentials": {
			apivideotest.Answer(400, "application/json", `{"type":"https://docs.api.video/reference/authentication-invalid-user-credentials","title":"The user credentials were incorrect.","status":400}`),
			400, "authentication-invalid-user-credentials",
		},
		"an outage":  {apivideotest.Status(503), 503, "no-token"},
		"no problem": {apivideotest.Answer(404, "text/html", "<html>"), 503, "no-token"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return c.fault })
			start := time.Now()
			for range 20 {
				got := r.post("/auth/api-key", loginBody)
				assert.Equal(t, c.status, got.status)
				assert.Equal(t, c.problem, got.problem())
				assert.NotContains(t, got.body, "takes its secret", "the client's secret is right")
				if c.status == 503 {
					seconds, err := strconv.Atoi(got.header.Get("Retry-After"))
					require.NoError(t, err)
					assert.Positive(t, seconds)
				}
			}
			assert.LessOrEqual(t, r.srv.Counters().AuthCalls, mostCalls(time.Since(start)), "the pauses after failures hold")
			stranger := r.post("/auth/api-key", `{"apiKey":"made-up-key-of-nobody"}`)
			assert.Equal(t, 401, stranger.status, "a stranger learns nothing")
			assert.Contains(t, stranger.body, "takes its secret")
		})
	}
}

func TestLoginOfSuspendedAccount(t *testing.T) {
	r := newRig(t)
	r.srv.SetSuspended(true)
	got := r.post("/auth/api-key", loginBody)
	assert.Equal(t, 403, got.status)
	assert.Equal(t, "authorization-suspended-account", got.problem())
}

// The service takes the key no more, and the API refuses its token. A client that
// logs in again after each 401 must end.
//
// Promise: A client that logs in again after each 401 ends.
func TestLoginLoopEndsWhenTheKeyIsDeleted(t *testing.T) {
	r := newRig(t)
	r.srv.HandleFunc("GET /videos", func(http.ResponseWriter, *http.Request) {})
	require.Equal(t, 200, r.get("/videos").status)
	r.srv.FailFunc(func(apivideotest.Op) apivideotest.Fault {
		return apivideotest.Answer(401, "application/json", `{"type":"https://docs.api.video/reference/authentication-invalid-api-key","title":"The API key is invalid.","status":401}`)
	})
	r.srv.RevokeAccessTokens()
	requests := 0
	for ; requests < 1000; requests++ {
		if got := r.get("/videos"); got.status != 401 {
			require.Equal(t, 502, got.status)
			break
		}
		if got := r.post("/auth/api-key", loginBody); got.status != 200 {
			assert.Equal(t, "authentication-invalid-api-key", got.problem())
			break
		}
	}
	assert.Less(t, requests, 5)
}

func TestProbesNeedNoSecret(t *testing.T) {
	r := newRig(t)
	probe := func(method, path string) answer {
		req := r.request(method, path, nil)
		req.Header.Del("Authorization")
		return r.do(req)
	}
	assert.Equal(t, "ok\n", probe("GET", "/livez").body)
	assert.Zero(t, r.srv.Counters().AuthCalls)
	for range 5 {
		assert.Equal(t, "ok\n", probe("GET", "/readyz").body)
	}
	assert.Equal(t, 200, probe("HEAD", "/readyz").status)
	assert.Equal(t, 405, probe("POST", "/readyz").status)
	assert.Equal(t, 1, r.srv.Counters().AuthCalls)

	r = newRig(t)
	r.srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return apivideotest.Status(503) })
	start := time.Now()
	for range 20 {
		got := probe("GET", "/readyz")
		assert.Equal(t, 503, got.status)
		assert.Contains(t, got.body, "No request would be served: authenticate: 503 Service Unavailable")
		assert.NotEmpty(t, got.header.Get("Retry-After"))
		assert.NotContains(t, got.all, r.srv.Config().APIKey)
	}
	assert.LessOrEqual(t, r.srv.Counters().AuthCalls, mostCalls(time.Since(start)))
	assert.Equal(t, 200, probe("GET", "/livez").status)
}

func TestProbeSaysWhyNothingIsKnown(t *testing.T) {
	r := newRig(t)
	r.start(&apivideo.Config{APIKey: "made up", BaseURL: r.api.URL}, nil)
	got := r.get("/readyz")
	assert.Equal(t, 503, got.status)
	assert.Contains(t, got.body, "Config.APIKey has")
}

// The auth service is down, and the API refuses the token that is there.
func TestProbeTellsOfRefusedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newLocal(t)
		ready := func() int { return p.do("GET", "/readyz", "", "").Code }
		access, _ := p.login(secret)
		assert.Equal(t, 200, p.status("Bearer "+access))
		p.srv.RevokeAccessTokens()
		p.srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return apivideotest.Status(503) })
		assert.Equal(t, 401, p.status("Bearer "+access))
		assert.Equal(t, 200, ready(), "a renewal needs a moment")
		login := p.do("POST", "/auth/api-key", "", loginBody)
		assert.Equal(t, 503, login.Code, "a client that logs in after each 401 must not loop")
		assert.NotEmpty(t, login.Header().Get("Retry-After"))
		time.Sleep(11 * time.Second)
		assert.Equal(t, 503, ready())
		p.srv.FailFunc(nil)
		time.Sleep(time.Minute) // without requests
		assert.Equal(t, 200, ready())
		assert.Equal(t, 200, p.status("Bearer "+access))
	})
}

// mostCalls is how many auth calls a Source makes in an outage: up to three at
// once, then after pauses of at least 0.5 s that double.
func mostCalls(d time.Duration) int { return 3 * (1 + int(math.Log2(1+d.Seconds()/0.5))) }
