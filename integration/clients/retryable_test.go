package clients_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// retrying returns a client over this transport that retries after a short wait.
func retrying(base http.RoundTripper) *retryablehttp.Client {
	client := retryablehttp.NewClient()
	client.HTTPClient = &http.Client{Transport: base}
	client.RetryWaitMin = time.Millisecond
	client.Logger = nil
	return client
}

// eachWayToRetry runs a test with go-retryablehttp above the Transport, and with it
// below. The test creates videos at path.
func eachWayToRetry(t *testing.T, path string, test func(t *testing.T, srv *apivideotest.Server, create func() error)) {
	t.Parallel()
	t.Run("above", func(t *testing.T) {
		t.Parallel()
		srv := newServer(t)
		client := retrying(&apivideo.Transport{Source: srv.Config().Source(t.Context())})
		test(t, srv, func() error {
			resp, err := client.Post(srv.URL+path, "application/json", []byte(newVideo))
			if err != nil {
				return err
			}
			return created(resp)
		})
	})
	t.Run("below", func(t *testing.T) {
		t.Parallel()
		srv := newServer(t)
		base := &retryablehttp.RoundTripper{Client: retrying(nil)}
		client := &http.Client{Transport: &apivideo.Transport{Source: srv.Config().Source(t.Context()), Base: base}}
		test(t, srv, creating(client, srv.URL+path))
	})
}

func TestRetryableSeesNo401(t *testing.T) {
	eachWayToRetry(t, "/videos", acrossTheLifeOfTokens)
}

// An attempt reaches a handler only with a valid access token, and is counted
// only with the whole body.
func TestRetryableKeepsTokenAndBody(t *testing.T) {
	eachWayToRetry(t, "/busy", func(t *testing.T, srv *apivideotest.Server, create func() error) {
		var attempts atomic.Int64
		srv.HandleFunc("POST /busy", wholeOnly(func(w http.ResponseWriter, r *http.Request) {
			switch attempts.Add(1) {
			case 1:
				w.Header().Set("Retry-After", "1")
				apivideotest.WriteProblem(w, apivideotest.Problem("too-many-requests"))
			case 2:
				http.Error(w, "<h1>Service Unavailable</h1>", http.StatusServiceUnavailable)
			default:
				createVideo(w, r)
			}
		}))
		start := time.Now()
		require.NoError(t, create())
		assert.GreaterOrEqual(t, time.Since(start), time.Second, "Retry-After")
		assert.Equal(t, apivideotest.Counters{AuthCalls: 1, Authenticated: 1, Authorized: 3}, srv.Counters())
	})
}

func TestRetryableSurvivesRevocation(t *testing.T) {
	eachWayToRetry(t, "/busy", func(t *testing.T, srv *apivideotest.Server, create func() error) {
		var attempts atomic.Int64
		srv.HandleFunc("POST /busy", wholeOnly(func(w http.ResponseWriter, r *http.Request) {
			if attempts.Add(1) > 1 {
				createVideo(w, r)
				return
			}
			srv.RevokeAccessTokens()
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		require.NoError(t, create())
		assert.Equal(t, apivideotest.Counters{
			AuthCalls: 2, Authenticated: 1, Refreshed: 1, Authorized: 2, Unauthorized: 1,
		}, srv.Counters())
	})
}
