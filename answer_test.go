package apivideo_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

func compressed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

const refusesTheUpload = `{"type":"https://docs.api.video/reference/authentication-invalid-upload-token","status":401}`

// Promise: A 401 that is compressed with gzip is understood, and the caller gets it as it came.
func TestTransport401Compressed(t *testing.T) {
	for body, calls := range map[string]int{
		compressed(refusesTheUpload):                  1,
		"\xef\xbb\xbf" + refusesTheUpload:             1,
		compressed("\xef\xbb\xbf" + refusesTheUpload): 1,
		compressed(refusesTheToken):                   2,
		compressed(refusesTheUpload)[:20]:             2, // nobody knows what it says
	} {
		bubble(t, func(t *testing.T, w *world) {
			client := w.warmClient(t)
			w.setAPI(func(*http.Request) (*http.Response, error) {
				resp := answer(401, "application/json", body)
				resp.Header.Set("Content-Encoding", "gzip")
				return resp, nil
			})
			for range min(20, 21-20*(calls-1)) {
				req, _ := http.NewRequest("GET", w.srv.URL+"/upload", nil)
				req.Header.Set("Accept-Encoding", "gzip")
				resp, err := client.Do(req)
				require.NoError(t, err)
				got, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				assert.Equal(t, body, string(got))
			}
			assert.Equal(t, calls, w.authCalls(), "%q", body)
		})
	}
}

func TestTransport401BombIsBounded(t *testing.T) {
	bomb := compressed(`{"type":"` + strings.Repeat(" ", 16<<20) + `"}`)
	require.Less(t, len(bomb), 64<<10)
	tr := transport(t, apivideo.Config{}, reply(401, "application/json", bomb))
	req, _ := http.NewRequest("POST", apivideo.ProductionURL+"/videos", io.MultiReader(strings.NewReader("x")))
	used := bytesUsed(func() {
		resp, err := tr.RoundTrip(req)
		require.NoError(t, err)
		got, _ := io.ReadAll(resp.Body)
		assert.Len(t, got, len(bomb))
	})
	assert.Less(t, used, uint64(10<<20))
}

// Promise: An answer to an auth call that is compressed with gzip is read, although nobody asked for it.
func TestAuthCallAnswerCompressed(t *testing.T) {
	tok, err := tokenThrough(t, apivideo.Config{}, reply(200, "application/json", compressed(`{"access_token":"made-up-token"}`)))
	require.NoError(t, err)
	assert.Equal(t, "made-up-token", tok.AccessToken)

	_, err = tokenThrough(t, apivideo.Config{}, reply(401, "application/json", compressed(`{"type":"x/authentication-invalid-api-key"}`)))
	assert.ErrorIs(t, err, apivideo.ErrInvalidAPIKey)

	bomb := compressed(`{"access_token":"` + strings.Repeat("a", 16<<20) + `"}`)
	used := bytesUsed(func() {
		_, err = tokenThrough(t, apivideo.Config{}, reply(200, "application/json", bomb))
	})
	assert.ErrorContains(t, err, "it is longer than 1048576 bytes")
	assert.Less(t, used, uint64(10<<20))
}

// Promise: A refresh token that is no string, or a byte order mark, does not reject a login.
func TestAuthCallOddAnswersAreAccepted(t *testing.T) {
	for _, refreshToken := range []string{`false`, `0`, `[]`, `{}`, `null`, `true`, `1.5`, `["made-up-refresh"]`, `""`} {
		for _, mark := range []string{"", "\xef\xbb\xbf"} {
			body := mark + `{"access_token":"made-up-token","refresh_token":` + refreshToken + `}`
			tok, err := tokenThrough(t, apivideo.Config{}, reply(200, "application/json", body))
			require.NoError(t, err, body)
			assert.Equal(t, "made-up-token", tok.AccessToken)
			assert.Empty(t, tok.RefreshToken)
		}
	}
	_, err := tokenThrough(t, apivideo.Config{}, reply(403, "", "\xef\xbb\xbf"+`{"type":"x/authorization-suspended-account"}`))
	assert.ErrorIs(t, err, apivideo.ErrAccountSuspended)
}

// Promise: A success that carries the service's problem is an error with that problem.
func TestAuthCallSuccessWithAProblem(t *testing.T) {
	for body, want := range map[string]struct {
		status    int
		sentinel  error
		temporary bool
		wait      time.Duration
	}{
		`{"type":"x/authorization-suspended-account","title":"Suspended account"}`:      {403, apivideo.ErrAccountSuspended, false, 0},
		`{"title":"Suspended account","status":200}`:                                    {403, apivideo.ErrAccountSuspended, false, 0},
		`{"title":"The API key is invalid.","access_token":""}`:                         {401, apivideo.ErrInvalidAPIKey, false, 0},
		`{"type":"x/authentication-invalid-user-credentials","status":400}`:             {400, apivideo.ErrInvalidAPIKey, false, 0},
		`{"type":"x/too-many-requests","title":"Too many requests."}`:                   {429, nil, true, 7 * time.Second},
		`{"type":"x/made-up","title":"Made up","status":418}`:                           {418, nil, false, 0},
		`{"type":"x/made-up","title":"Server error","status":500}`:                      {500, nil, true, 0},
		`{"type":"x/made-up","title":"Made up"}`:                                        {200, nil, true, 0},
		`{"title":"Made up","status":7}`:                                                {200, nil, true, 0},
		`{"title":"The API key is invalid.","refresh_token":"made-up-refresh-token-0"}`: {401, apivideo.ErrInvalidAPIKey, false, 0},
	} {
		_, err := tokenThrough(t, apivideo.Config{}, func(*http.Request) (*http.Response, error) {
			resp := answer(200, "application/json", body)
			resp.Header.Set("X-RateLimit-Retry-After", "7")
			resp.Header.Set("X-Token", "made-up-refresh-token-1")
			return resp, nil
		})
		e := asError(t, err)
		assert.Equal(t, want.status, e.Status, body)
		assert.Equal(t, want.temporary, e.Temporary(), body)
		assert.Equal(t, want.wait, e.RetryAfter, body)
		assert.Contains(t, e.Error(), "200 OK: ")
		for _, sentinel := range []error{apivideo.ErrAccountSuspended, apivideo.ErrInvalidAPIKey} {
			assert.Equal(t, sentinel == want.sentinel, errors.Is(err, sentinel), body)
		}
		assert.NotContains(t, all(err), "made-up-refresh-token")
	}
	tok, err := tokenThrough(t, apivideo.Config{}, reply(200, "application/json", `{"title":"x","access_token":"made-up-token"}`))
	require.NoError(t, err, "there is a token")
	assert.Equal(t, "made-up-token", tok.AccessToken)
}

// A login that is refused in this way is final for the Source, too.
func TestSourceSuccessWithAProblemIsRemembered(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.setAuth(reply(200, "application/json", `{"title":"The API key is invalid."}`))
		src := w.source()
		for range 10 {
			_, err := src.Token()
			assert.ErrorIs(t, err, apivideo.ErrInvalidAPIKey)
		}
		assert.Equal(t, 1, w.authCalls())
	})
}

// Promise: New tokens in a refused or unusable answer are redacted at any depth.
func TestErrorHidesNestedNewTokens(t *testing.T) {
	many := strings.Repeat(`{"access_token":"made-up-new-%d"},`, 40)
	for i := range 40 {
		many = strings.Replace(many, "%d", fmt.Sprint(i), 1)
	}
	for _, body := range []string{
		`{"data":{"access_token":"made-up-new-0"},"title":"made-up-new-0"}`,
		`{"title":"made-up-new-1","list":[{"x":[{"refresh_token":"made-up-new-1"}]}]}`,
		`{"title":"made-up-new-2","accessToken":["x",{"value":"made-up-new-2"}]}`,
		`{"body":"{\"data\":{\"access_token\":\"made-up-new-3\"}}"}`,
		`[{"tokens":[["made-up-new-4"]]}, "made-up-new-4"]`,
		"\xef\xbb\xbf)]}',\n" + `{"access_token":"made-up-new-5"} made-up-new-5`,
		`{"access_token":"made-up-new-6","title":"made-up-new-6"`,
		compressed(`{"data":{"access_token":"made-up-new-7"},"title":"made-up-new-7"}`),
		`{"title":"made-up-new-39","list":[` + many + `{}]}`,
	} {
		for _, status := range []int{200, 302, 400, 500} {
			_, err := tokenThrough(t, apivideo.Config{}, reply(status, "application/json", body))
			require.Error(t, err)
			text := all(err)
			var answer *oauth2.RetrieveError
			require.ErrorAs(t, err, &answer)
			assert.NotContains(t, text+string(answer.Body), "made-up-new", "%d %s", status, body)
		}
	}
}

// Promise: An error of an auth call is small under every verb and as JSON, whatever the server sends.
func TestErrorIsSmallInEveryForm(t *testing.T) {
	long := strings.Repeat("long ", 60_000)
	list := strings.Repeat(`{"title":"x"},`, 20_000)
	deep := strings.Repeat(`{"title":"x","problems":[`, 3000) + strings.Repeat(`]}`, 3000)
	for _, body := range []string{
		`{"type":"` + long + `"}`, `{"title":"` + long + `"}`, `{"title":"x","name":"` + long + `"}`, long,
		`{"title":"x","problems":[` + list + `{}]}`, deep, `{"problems":[{"title":"` + long + `"}],"title":"x"}`,
	} {
		for _, status := range []int{200, 400} {
			_, err := tokenThrough(t, apivideo.Config{}, func(*http.Request) (*http.Response, error) {
				resp := answer(status, "application/json", body)
				for i := range 1000 {
					resp.Header.Set(fmt.Sprint("X-", i), long[:1000])
				}
				return resp, nil
			})
			e := asError(t, err)
			for _, v := range []any{e, *e, e.Problem, e.Problems, e.Unwrap()[0], *e.Unwrap()[0].(*oauth2.RetrieveError), e.Unwrap()[0].(*oauth2.RetrieveError).Response} {
				for _, verb := range verbs {
					assert.Less(t, len(fmt.Sprintf(verb, v)), 64<<10, "%s of %T", verb, v)
				}
				data, _ := json.Marshal(v)
				assert.Less(t, len(data), 32<<10, "%T", v)
			}
		}
	}
}
