package apivideo_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// shared is a file that all attempts read.
type shared struct {
	*strings.Reader
	rewound chan struct{} // closed by GetBody
}

func (s shared) Close() error { return nil }

func (s shared) open() (io.ReadCloser, error) {
	_, err := s.Seek(0, io.SeekStart)
	close(s.rewound)
	return s, err
}

// A late read of the first attempt would take bytes from the second one.
//
// Promise: Before a replay, the reader of the first attempt is stopped.
func TestTransportLateReadTakesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.warmClient(t)
		video := shared{strings.NewReader("the whole video"), make(chan struct{})}
		first := true
		w.setAPI(func(r *http.Request) (*http.Response, error) {
			if first {
				first = false
				_, _ = r.Body.Read(make([]byte, 3))
				go func() {
					<-video.rewound
					n, err := r.Body.Read(make([]byte, 3))
					assert.Zero(t, n)
					assert.Error(t, err)
				}()
				return answer(401, "text/plain", "no"), nil
			}
			synctest.Wait() // for the late read
			body, _ := io.ReadAll(r.Body)
			assert.Equal(t, "the whole video", string(body))
			return answer(201, "text/plain", ""), nil
		})
		req, _ := http.NewRequest("POST", w.srv.URL+"/videos", video)
		req.GetBody = video.open
		resp, err := client.Do(req)
		require.NoError(t, err)
		assert.Equal(t, 201, resp.StatusCode)
	})
}

// A base calls GetBody itself if a connection breaks, as package net/http does.
//
// Promise: A reader that the base opened itself, with `GetBody`, is stopped before a replay too.
func TestTransportReopenedBodyTakesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.warmClient(t)
		video, opened := strings.NewReader("the whole video"), 0
		second := make(chan struct{})
		w.setAPI(func(r *http.Request) (*http.Response, error) {
			if opened == 0 {
				body, err := r.GetBody()
				require.NoError(t, err)
				_, _ = body.Read(make([]byte, 3))
				go func() {
					<-second
					n, err := body.Read(make([]byte, 3))
					assert.Zero(t, n)
					assert.Error(t, err)
					_, err = r.GetBody()
					assert.Error(t, err)
				}()
				return answer(401, "text/plain", "no"), nil
			}
			beginning := make([]byte, 3)
			_, _ = r.Body.Read(beginning)
			close(second)
			synctest.Wait() // for the late calls
			rest, _ := io.ReadAll(r.Body)
			assert.Equal(t, "the whole video", string(beginning)+string(rest))
			return answer(201, "text/plain", ""), nil
		})
		req, _ := http.NewRequest("POST", w.srv.URL+"/videos", io.NopCloser(video))
		req.GetBody = func() (io.ReadCloser, error) {
			opened++
			_, err := video.Seek(0, io.SeekStart)
			return io.NopCloser(video), err
		}
		resp, err := client.Do(req)
		require.NoError(t, err)
		assert.Equal(t, 201, resp.StatusCode)
		assert.Equal(t, 2, opened)
	})
}

// This happens over a network, with an early 401 and a fast auth call.
//
// Promise: Before a replay, the reader of the first attempt is stopped.
func TestTransportReplayOfASharedFile(t *testing.T) {
	const size = 4 << 20
	name := filepath.Join(t.TempDir(), "video")
	require.NoError(t, os.WriteFile(name, make([]byte, size), 0o600))
	var received atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer made-up-token" {
			_, _ = io.CopyN(io.Discard, r.Body, 64<<10)
			rw.WriteHeader(401)
			return
		}
		n, err := io.Copy(io.Discard, r.Body)
		if err == nil {
			received.Store(n)
			rw.WriteHeader(201)
		}
	}))
	defer srv.Close()
	whole := 0
	for range 50 {
		tokens := []string{"made-up-token", "made-up-successor"}
		src := sourceThrough(t, apivideo.Config{BaseURL: srv.URL}, func(*http.Request) (*http.Response, error) {
			defer func() { tokens = tokens[1:] }()
			return grantOf(tokens[0], "", 3600), nil
		})
		file, err := os.Open(name)
		require.NoError(t, err)
		req, _ := http.NewRequest("POST", srv.URL+"/videos", io.NopCloser(file)) // chunked
		req.GetBody = func() (io.ReadCloser, error) {
			_, err := file.Seek(0, io.SeekStart)
			return io.NopCloser(file), err
		}
		resp, err := src.Client(t.Context()).Do(req)
		if err == nil && resp.StatusCode == 201 {
			whole++
			assert.EqualValues(t, size, received.Load(), "whole or an error")
		}
		if err == nil {
			resp.Body.Close()
		}
		file.Close()
	}
	assert.Positive(t, whole)
}

// part is a body that yields some bytes and then nothing, until it is closed.
type part struct {
	io.Reader
	rest *stuck
}

func newPart(s string) *part {
	rest := newStuck()
	return &part{io.MultiReader(strings.NewReader(s), rest), rest}
}

func (p *part) Close() error { return p.rest.Close() }

// Promise: The wait for the body of a 401 ends after 1 second, or after Content-Length bytes.
func TestTransport401WithoutAnEnd(t *testing.T) {
	for name, send := range map[string]sender{"a request": (*world).get401, "an upload": (*world).upload401} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			client := w.warmClient(t)
			w.with401(newPart("the beginning"))
			w.srv.RevokeAccessTokens()
			assert.Equal(t, time.Second, send(w, t, client, 401))
			synctest.Wait()
			assert.Equal(t, 2, w.authCalls(), "the renewal is behind it")
			w.get(t, client, 200)
		}))
	}
}

// get401 is like get, but reads only the beginning of the body.
func (w *world) get401(t *testing.T, client *http.Client, want int) time.Duration {
	return w.begin(t, client, nil, want)
}

func (w *world) upload401(t *testing.T, client *http.Client, want int) time.Duration {
	return w.begin(t, client, io.MultiReader(strings.NewReader("streamed")), want)
}

func (w *world) begin(t *testing.T, client *http.Client, body io.Reader, want int) time.Duration {
	t.Helper()
	req, _ := http.NewRequest("POST", w.srv.URL+"/videos", body)
	start := time.Now()
	resp, err := client.Do(req)
	require.NoError(t, err)
	assert.Equal(t, want, resp.StatusCode)
	took := time.Since(start)
	beginning := make([]byte, len("the beginning"))
	_, err = io.ReadFull(resp.Body, beginning)
	require.NoError(t, err)
	assert.Equal(t, "the beginning", string(beginning))
	read := background(func() {
		n, err := resp.Body.Read(beginning)
		assert.Zero(t, n)
		assert.Error(t, err)
	})
	synctest.Wait()
	assert.NoError(t, resp.Body.Close(), "while it is read")
	read()
	return took
}

// late is a body whose content comes after some time.
type late struct {
	closing
	after time.Duration
}

func (l *late) Read(p []byte) (int, error) {
	time.Sleep(l.after)
	return l.Reader.Read(p)
}

// Promise: If the body of a 401 ends after the wait, it is closed when the caller closes it.
func TestTransportLate401IsClosed(t *testing.T) {
	for _, length := range []int64{-1, 2} {
		bubble(t, func(t *testing.T, w *world) {
			client := w.warmClient(t)
			body := &late{closing{Reader: iotest.DataErrReader(strings.NewReader("no"))}, 2 * time.Second}
			w.setAPI(func(*http.Request) (*http.Response, error) {
				resp := answer(401, "text/plain", "")
				resp.Body, resp.ContentLength = body, length
				return resp, nil
			})
			resp, err := client.Get(w.srv.URL + "/videos")
			require.NoError(t, err)
			text, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.Equal(t, "no", string(text))
			require.NoError(t, resp.Body.Close())
			synctest.Wait()
			assert.EqualValues(t, 1, body.closed.Load(), length)
		})
	}
}

// An HTTP/2 stream stays open after the last byte of the answer while the
// upload goes on.
//
// Promise: The wait for the body of a 401 ends after 1 second, or after Content-Length bytes.
func TestTransport401OfKnownLength(t *testing.T) {
	for _, text := range []string{"no", ""} {
		bubble(t, func(t *testing.T, w *world) {
			client := w.warmClient(t)
			w.setAPI(func(r *http.Request) (*http.Response, error) {
				resp, err := w.srv.Transport().RoundTrip(r)
				if resp != nil && resp.StatusCode == 401 {
					resp.Body, resp.ContentLength = newPart(text), int64(len(text))
					resp.Header.Set("Content-Length", fmt.Sprint(len(text)))
				}
				return resp, err
			})
			w.srv.RevokeAccessTokens()
			assert.Zero(t, w.get(t, client, 200))
		})
	}
}

// deaf is a body that cannot be closed while it is read.
type deaf struct{ released chan struct{} }

func (d deaf) Read([]byte) (int, error) { <-d.released; return 0, io.EOF }
func (d deaf) Close() error             { <-d.released; return nil }

// Promise: Closing the body of a 401 delays no caller whose context has ended.
func TestTransport401ThatCannotBeClosed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.warmClient(t)
		body := deaf{make(chan struct{})}
		defer close(body.released)
		w.with401(body)
		w.srv.RevokeAccessTokens()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		start := time.Now()
		req, _ := http.NewRequestWithContext(ctx, "GET", w.srv.URL+"/videos", nil)
		_, err := client.Transport.RoundTrip(req)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 300*time.Millisecond, time.Since(start))
	})
}

// crashing is a body that crashes when it is read.
type crashing struct {
	crash  func()
	closed *atomic.Bool
}

func (c crashing) Read([]byte) (int, error) { c.crash(); return 0, nil }
func (c crashing) Close() error             { c.closed.Store(true); return nil }

// Promise: A panic of the body of a 401 is logged, and the body is closed.
func TestTransport401CrashIsLogged(t *testing.T) {
	eachCrash(t, func(t *testing.T, w *world, crash func()) {
		log := w.log()
		client := w.warmClient(t)
		var closed atomic.Bool
		w.with401(crashing{crash, &closed})
		w.srv.RevokeAccessTokens()
		w.get(t, client, 200)
		synctest.Wait()
		assert.Contains(t, log.String(), "level=ERROR")
		assert.Contains(t, log.String(), "code called by the library crashed")
		assert.True(t, closed.Load())
	})
}

// busy is a body whose Read does not return.
type busy struct{ released chan struct{} }

func (b busy) Read([]byte) (int, error) { <-b.released; return 0, io.EOF }
func (b busy) Close() error             { return nil }

// The base still reads the body of the attempt that is over.
//
// Promise: If the reader of the first attempt does not stop within 1 second, the caller gets the 401.
func TestTransportBusyBodyIsNotReplayed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.warmClient(t)
		body := busy{make(chan struct{})}
		defer close(body.released)
		w.setAPI(func(r *http.Request) (*http.Response, error) {
			go r.Body.Read(make([]byte, 1))
			synctest.Wait()
			return answer(401, "text/plain", "no"), nil
		})
		req, _ := http.NewRequest("POST", w.srv.URL+"/videos", body)
		req.GetBody = func() (io.ReadCloser, error) { t.Error("rewound while it is read"); return nil, errors.New("no") }
		start := time.Now()
		resp, err := client.Do(req)
		require.NoError(t, err)
		assert.Equal(t, 401, resp.StatusCode)
		text, _ := io.ReadAll(resp.Body)
		assert.Equal(t, "no", string(text))
		assert.Equal(t, time.Second, time.Since(start))
		synctest.Wait()
		assert.Equal(t, 2, w.authCalls(), "the renewal is behind it")
	})
}

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
