package apivideotest_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
