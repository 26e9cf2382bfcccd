package apivideotest_test

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
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

// A failed assertion of package require in a handler ends its goroutine.
func TestTransportHandlerGoexitBreaksOff(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		srv.HandleFunc("GET /ends", func(http.ResponseWriter, *http.Request) { runtime.Goexit() })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "GET", srv.URL+"/ends", nil)
		req.Header.Set("Authorization", basic(srv.Config().APIKey+":"))
		_, err := srv.Client().Do(req)
		assert.Error(t, err)
		assert.NoError(t, ctx.Err())
	})
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestCloseTwice(t *testing.T) {
	srv := apivideotest.NewServer()
	srv.Close()
	srv.Close()
}
