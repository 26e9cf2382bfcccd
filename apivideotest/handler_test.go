package apivideotest_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// basic is the Authorization of a client that sends this user and password.
func basic(userAndPassword string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(userAndPassword))
}

func TestAPINeedsAccessTokenOrKey(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		srv.HandleFunc("GET /things/{id}", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "thing "+r.PathValue("id"))
		})
		access, key := exchange(t, srv).Access, srv.Config().APIKey
		for _, authorization := range []string{"Bearer " + access, "bearer " + access, basic(key + ":")} {
			assert.Equal(t, "thing 7", get(t, srv, "/things/7", authorization).body)
		}
		for authorization, id := range map[string]string{
			"":                       "authentication-missing-authorization-header",
			"Bearer made-up":         "authentication-invalid-access-token",
			"Bearer":                 "authentication-invalid-access-token",
			basic("made-up:"):        "authentication-invalid-api-key",
			basic(":"):               "authentication-invalid-api-key",
			basic(key + ":password"): "authentication-invalid-authorization-header-value",
			"Basic not base64":       "authentication-invalid-authorization-header-value",
			"Digest username=\"x\"":  "authentication-invalid-authorization-header-value",
		} {
			r := get(t, srv, "/things/7", authorization)
			assert.Equal(t, 401, r.status)
			assert.Equal(t, id, r.id(), authorization)
		}
		srv.RevokeAccessTokens()
		assert.Equal(t, 401, get(t, srv, "/things/7", "Bearer "+access).status)
		srv.DeleteKey(key)
		assert.Equal(t, "authentication-invalid-api-key", get(t, srv, "/things/7", basic(key+":")).id())
		c := srv.Counters()
		assert.Equal(t, []int{3, 10}, []int{c.Authorized, c.Unauthorized})
	})
}

func TestUnknownPathsAndMethods(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		srv.HandleFunc("GET /things", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "body") })
		srv.HandleFunc("PUT /videos/{id}", func(w http.ResponseWriter, r *http.Request) {})
		access := "Bearer " + exchange(t, srv).Access
		r := call(t, srv, "HEAD", "/things", access, "")
		assert.Equal(t, []any{200, ""}, []any{r.status, r.body})

		r = get(t, srv, "/nothing", access)
		assert.Equal(t, []any{404, "unrecognized-request-url", "Unrecognized request URL."}, []any{r.status, r.id(), r.Title})
		for path, allow := range map[string]string{
			"/things":     "GET, HEAD",
			"/videos/vi7": "DELETE, GET, HEAD, PATCH, PUT",
		} {
			r = call(t, srv, "POST", path, access, "")
			assert.Equal(t, []any{405, "method-not-allowed", "Method is not allowed for this route."}, []any{r.status, r.id(), r.Title})
			assert.Equal(t, allow, r.header.Get("Allow"))
		}
		r = get(t, srv, "/auth/refresh", "")
		assert.Equal(t, []any{405, "Method is not allowed for this route.", "POST"}, []any{r.status, r.Title, r.header.Get("Allow")})
		assert.Equal(t, 401, get(t, srv, "/nothing", "").status)
	})
}

func TestHandleTakesPrecedence(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		access := "Bearer " + exchange(t, srv).Access
		assert.Contains(t, get(t, srv, "/videos", access).body, "pagination")
		srv.HandleFunc("GET /videos", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "mine") })
		assert.Equal(t, "mine", get(t, srv, "/videos", access).body)
		assert.Equal(t, 201, call(t, srv, "POST", "/videos", access, `{"title":"A"}`).status)
	})
}

func TestUploadTokens(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		token, access := srv.IssueUploadToken(0), "Bearer "+exchange(t, srv).Access
		problem := func(path string) string { return call(t, srv, "POST", path, access, "").id() }
		const admitted = "payload-is-invalid" // for there is no file
		assert.Equal(t, admitted, call(t, srv, "POST", "/upload?token="+token, "", "").id())
		assert.Equal(t, "authentication-missing-upload-token", problem("/upload"))
		assert.Equal(t, "authentication-invalid-upload-token", problem("/upload?token=made-up"))

		srv.SetSuspended(true)
		assert.Equal(t, "authorization-suspended-account", problem("/upload?token="+token))
		srv.SetSuspended(false)
		srv.RevokeUploadToken(token)
		assert.Equal(t, "authentication-invalid-upload-token", problem("/upload?token="+token))

		brief, long := srv.IssueUploadToken(time.Millisecond), srv.IssueUploadToken(time.Hour)
		time.Sleep(2 * time.Millisecond)
		assert.Equal(t, "authentication-invalid-upload-token", problem("/upload?token="+brief))
		assert.Equal(t, admitted, problem("/upload?token="+long))
		c := srv.Counters()
		assert.Equal(t, []int{2, 5, 0}, []int{c.Delegated, c.Unauthorized, c.Authorized})

		srv.HandleFunc("POST /upload", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "mine") })
		assert.Equal(t, "mine", call(t, srv, "POST", "/upload?token="+long, "", "").body)
		assert.Equal(t, "mine", call(t, srv, "POST", "/upload?token=made-up", access, "").body, "the handler may know the token")
		assert.Equal(t, 401, call(t, srv, "POST", "/upload?token=made-up", "", "").status)
	})
}

func TestUploadTokensOverTheAPI(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		access := "Bearer " + exchange(t, srv).Access
		r := call(t, srv, "POST", "/upload-tokens", access, `{"ttl":60}`)
		require.Equal(t, 200, r.status)
		assert.Equal(t, "payload-is-invalid", call(t, srv, "POST", "/upload?token="+r.Token, "", "").id())
		assert.Equal(t, 204, call(t, srv, "DELETE", "/upload-tokens/"+r.Token, access, "").status)
		assert.Equal(t, "authentication-invalid-upload-token", call(t, srv, "POST", "/upload?token="+r.Token, "", "").id())
		assert.NotContains(t, call(t, srv, "POST", "/upload-tokens", access, `{}`).body, "expiresAt")
		assert.Equal(t, 400, call(t, srv, "POST", "/upload-tokens", access, `{"ttl":-1}`).status)
		assert.Equal(t, 401, call(t, srv, "POST", "/upload-tokens", "", `{}`).status)
	})
}
