package recipes_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
)

// ready serves /readyz: whether a request now can be expected to be served. It
// makes no call while the Source is healthy or idle. After a failure it asks for
// a token: a pod that is not ready gets no requests, so nothing else would ask
// for one. The Source limits how often that makes an auth call.
func ready(src *apivideo.Source) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if src.Stats().Err() != nil {
			src.TokenContext(r.Context())
		}
		if err := src.Stats().Err(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	}
}

func Example_readiness() {
	srv := apivideotest.NewServer()
	defer srv.Close()
	src := srv.Config().Source(context.Background())
	probe := func() {
		w := httptest.NewRecorder()
		ready(src)(w, httptest.NewRequest("GET", "/readyz", nil))
		fmt.Print(w.Code, " ", w.Body)
	}
	probe()
	srv.SetSuspended(true)
	src.Token()
	probe()
	fmt.Println("auth calls:", srv.Counters().AuthCalls)
	// Output:
	// 200 ok
	// 503 apivideo: authenticate: 403 Forbidden: Suspended account
	// auth calls: 1
}

// Promise: While the API refuses the token and there is no new one, a process is not ready; it becomes ready by itself.
func TestReadyWhileTokenIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := apivideotest.NewUnstartedServer()
		ctx, cancel := context.WithCancel(srv.Context(t.Context()))
		defer cancel()
		src := srv.Config().Source(ctx)
		client := src.Client(ctx)
		list := func() int {
			resp, err := client.Get(srv.URL + "/videos")
			if !assert.NoError(t, err) {
				return 0
			}
			resp.Body.Close()
			return resp.StatusCode
		}
		probe := func() int {
			w := httptest.NewRecorder()
			ready(src)(w, httptest.NewRequest("GET", "/readyz", nil))
			return w.Code
		}
		assert.Equal(t, http.StatusOK, list())
		srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return apivideotest.Status(503) })
		srv.RevokeAccessTokens()
		assert.Equal(t, http.StatusUnauthorized, list())
		time.Sleep(10 * time.Second) // see Stats.Err
		for range 40 {
			assert.Equal(t, http.StatusUnauthorized, list())
			assert.Equal(t, http.StatusServiceUnavailable, probe(), "a token is there, and of no use")
			time.Sleep(time.Second)
		}
		assert.LessOrEqual(t, srv.Counters().AuthCalls, 30)
		srv.FailFunc(nil)
		time.Sleep(2 * time.Minute) // without a request: it is not ready
		probe()
		assert.Equal(t, http.StatusOK, probe())
		assert.Equal(t, http.StatusOK, list())
	})
}

// Probes cost no more auth calls than the pauses of the Source allow, and find
// the end of the outage by themselves.
// Promise: Readiness probes make no auth calls beyond the pauses after failures, and find the end of an outage.
func TestReadyInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := apivideotest.NewUnstartedServer()
		ctx, cancel := context.WithCancel(srv.Context(t.Context()))
		defer cancel()
		src := srv.Config().Source(ctx)
		probe := func() int {
			w := httptest.NewRecorder()
			ready(src)(w, httptest.NewRequest("GET", "/readyz", nil))
			return w.Code
		}
		assert.Equal(t, http.StatusOK, probe(), "nothing is known")
		srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return apivideotest.Status(503) })
		_, err := src.Token()
		assert.Error(t, err)
		for range 600 {
			assert.Equal(t, http.StatusServiceUnavailable, probe())
			time.Sleep(time.Second)
		}
		assert.LessOrEqual(t, srv.Counters().AuthCalls, 45, "in ten minutes")
		srv.FailFunc(nil)
		time.Sleep(30 * time.Second)
		probe()
		assert.Equal(t, http.StatusOK, probe())
	})
}

// start returns the Source of a program that starts. It fails if a person must
// act: the configuration is wrong, or the service rejects the key. It does not
// fail during an outage.
func start(ctx context.Context, conf *apivideo.Config) (*apivideo.Source, error) {
	src := conf.Source(ctx)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := src.TokenContext(ctx)
	refused, answered := errors.AsType[*apivideo.Error](err)
	if errors.Is(err, apivideo.ErrInvalidConfig) || answered && !refused.Temporary() {
		return nil, err
	}
	return src, nil
}

func Example_startup() {
	srv := apivideotest.NewServer()
	defer srv.Close()
	for _, key := range []string{srv.Config().APIKey, "a-made-up-key-of-nobody", `"quoted"`} {
		conf := srv.Config()
		conf.APIKey = key
		_, err := start(context.Background(), conf)
		fmt.Println(err)
	}
	srv.Fail(apivideotest.Status(503), apivideotest.Status(503), apivideotest.Status(503))
	_, err := start(context.Background(), srv.Config())
	fmt.Println("in an outage:", err)
	// Output:
	// <nil>
	// apivideo: authenticate: 401 Unauthorized: The API key is invalid.
	// apivideo: Config.APIKey has quotes around it; remove them
	// in an outage: <nil>
}
