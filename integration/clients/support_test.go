// Package clients_test tests apivideo with unmodified third-party clients, above
// and below its Transport, while tokens expire and are revoked.
package clients_test

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/leftover"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "32") // they wait more than they work
	os.Exit(leftover.Run(m, ""))
}

// newServer starts a service that creates a video for each request with a title.
func newServer(t *testing.T) *apivideotest.Server {
	srv := apivideotest.NewServer()
	t.Cleanup(srv.Close)
	srv.HandleFunc("POST /videos", wholeOnly(createVideo))
	return srv
}

// wholeOnly passes on requests with a whole body. It answers others with a status
// that no client retries.
func wholeOnly(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || strings.TrimSpace(string(body)) != newVideo {
			apivideotest.WriteProblem(w, apivideotest.Problem("payload-is-invalid"))
			return
		}
		next(w, r)
	}
}

func createVideo(w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusCreated, video) }

const (
	newVideo = `{"title":"A video"}`
	video    = `{"videoId":"vi1","title":"A video"}`
)

func respond(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	io.WriteString(w, body)
}

// creating returns a function that creates a video with client at url.
func creating(client *http.Client, url string) func() error {
	return func() error {
		resp, err := client.Post(url, "application/json", strings.NewReader(newVideo))
		if err != nil {
			return err
		}
		return created(resp)
	}
}

// created reads an answer. If that is not the video, it returns an unexpected.
func created(resp *http.Response) error {
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusCreated || string(body) != video) {
		err = &unexpected{resp.StatusCode, string(body)}
	}
	return err
}

// unexpected is an answer that is not the video.
type unexpected struct {
	status int
	body   string
}

func (u *unexpected) Error() string { return fmt.Sprintf("%d: %s", u.status, u.body) }

// A token with this lifetime is renewed after 24 seconds at the latest. After 27
// seconds it is no longer used, and requests wait.
const (
	lifetime   = 30 * time.Second
	stillAhead = 27 * time.Second
)

// acrossTheLifeOfTokens makes requests with do while one token expires, the next
// is revoked, and a third is revoked that cannot be refreshed. No request may
// fail, and there may be no unnecessary auth call.
func acrossTheLifeOfTokens(t *testing.T, srv *apivideotest.Server, do func() error) {
	t.Helper()
	requests := acrossAnExpiry(t, srv, do)
	srv.RevokeAccessTokens()
	require.NoError(t, do(), "a revocation")
	assert.Equal(t, apivideotest.Counters{
		AuthCalls: 3, Authenticated: 1, Refreshed: 2, Authorized: requests + 1, Unauthorized: 1,
	}, srv.Counters())
	srv.EndRefreshToken()
	srv.RevokeAccessTokens()
	require.NoError(t, do(), "an ended refresh token")
	assert.Equal(t, apivideotest.Counters{
		AuthCalls: 5, Authenticated: 2, Refreshed: 2, Refused: 1, Authorized: requests + 2, Unauthorized: 2,
	}, srv.Counters())
}

// acrossAnExpiry makes requests with do until the first token has expired. It
// returns their number. The token must be renewed before a request has to wait.
func acrossAnExpiry(t *testing.T, srv *apivideotest.Server, do func() error) (requests int) {
	t.Helper()
	called := map[apivideotest.Op]time.Time{}
	srv.FailFunc(func(op apivideotest.Op) (none apivideotest.Fault) {
		called[op] = time.Now()
		return none
	})
	requests = untilAnExpiry(t, srv, do)
	srv.FailFunc(nil)
	assert.Equal(t, apivideotest.Counters{
		AuthCalls: 2, Authenticated: 1, Refreshed: 1, Authorized: requests,
	}, srv.Counters())
	assert.Less(t, called[apivideotest.Refresh].Sub(called[apivideotest.Authenticate]), stillAhead)
	return requests
}

// untilAnExpiry makes requests with do until the token of the first one must have
// expired. No request may fail. It returns their number.
func untilAnExpiry(t *testing.T, srv *apivideotest.Server, do func() error) (requests int) {
	t.Helper()
	srv.SetLifetime(lifetime)
	require.NoError(t, do())
	srv.SetLifetime(apivideotest.DefaultLifetime)
	start := time.Now()
	for requests = 1; time.Since(start) < lifetime; requests++ {
		time.Sleep(100 * time.Millisecond)
		require.NoError(t, do(), "after %s", time.Since(start))
	}
	return requests
}
