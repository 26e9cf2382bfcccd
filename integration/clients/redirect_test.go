package clients_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// go-retryablehttp's StandardClient follows redirects below the auth calls.
//
// Promise: An auth call refuses an answer from another URL, as of an HTTP client that follows redirects.
func TestARetryingBaseSendsNoKeyElsewhere(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			got := make(chan string, 10)
			other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got <- r.Method + " " + string(body)
				respond(w, 200, `{"access_token":"the-token-of-another","expires_in":3600}`)
			}))
			defer other.Close()
			service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, other.URL+r.URL.Path, status)
			}))
			defer service.Close()

			base := retrying(nil)
			base.RetryMax = 1
			ctx := context.WithValue(t.Context(), oauth2.HTTPClient, base.StandardClient())
			conf := apivideo.Config{APIKey: "a-made-up-key", BaseURL: service.URL}
			_, fromKey := conf.Token(ctx)
			_, fromRefresh := conf.Refresh(ctx, "a-made-up-refresh-token")
			for _, err := range []error{fromKey, fromRefresh} {
				if status < 307 { // it cannot send a body again
					assert.ErrorContains(t, err, "the answer did not come from "+service.URL+"/auth/")
				} else {
					assert.ErrorContains(t, err, ": "+strconv.Itoa(status)+" ")
				}
			}
			assert.Empty(t, got, "the other host was sent nothing")
		})
	}
}

// Under an API call, the answer says where it came from.
func TestARetryingBaseShowsTheFinalURL(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.Header.Values("Authorization"))
	}))
	defer other.Close()
	here := strings.Replace(other.URL, "127.0.0.1", "localhost", 1) + "/here" // net/http keeps the token on one host
	srv := newServer(t)
	srv.HandleFunc("GET /moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, here, http.StatusFound)
	})
	base := &retryablehttp.RoundTripper{Client: retrying(nil)}
	tr := &apivideo.Transport{Source: srv.Config().Source(t.Context()), Base: base}
	req, err := http.NewRequest("GET", srv.URL+"/moved", nil)
	require.NoError(t, err)
	resp, err := tr.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, here, resp.Request.URL.String())
}
