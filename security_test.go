package apivideo_test

import (
	"bytes"
	"encoding"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

var verbs = []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v", "%5.3v", "%t"}

// everything is all ways to print a value.
func everything(v any) string {
	var b strings.Builder
	for _, verb := range verbs {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	if data, err := json.Marshal(v); err == nil {
		b.Write(data)
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
	return b.String()
}

// Promise: No fmt verb and no JSON shows a secret.
func TestSecretsAreNotPrintedByAnyValue(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	conf := srv.Config()
	src := conf.Source(t.Context())
	tok, _ := mustToken(t, src)
	tr := &apivideo.Transport{Source: src}
	client := src.Client(t.Context())
	reused := conf.TokenSource(t.Context())
	_, err := reused.Token()
	require.NoError(t, err)
	type holder struct {
		Config  apivideo.Config
		Pointer *apivideo.Config
		Source  *apivideo.Source
		hidden  *apivideo.Source
	}
	for _, v := range []any{
		*conf, conf, src, *src, tr, *tr, client, *client, reused,
		holder{*conf, conf, src, src}, []apivideo.Config{*conf}, map[string]*apivideo.Source{"x": src}, []any{*conf, src},
	} {
		text := everything(v)
		for _, secret := range []string{conf.APIKey, tok.AccessToken, tok.RefreshToken} {
			assert.NotContains(t, text, secret)
			assert.NotContains(t, text, fmt.Sprintf("%x", secret))
			assert.NotContains(t, text, fmt.Sprintf("%X", secret))
		}
	}
	assert.Equal(t, "apivideo.Config{APIKey:[redacted] BaseURL:"+srv.URL+" Application:{ } SDK:{ }}", fmt.Sprint(conf))
	// fmt calls no methods of values in unexported fields.
	hidden := struct{ c *apivideo.Config }{conf}
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", hidden, hidden, hidden), conf.APIKey)
	assert.Contains(t, fmt.Sprint(apivideo.Config{}), "APIKey:unset BaseURL:https://ws.api.video")
	assert.NotContains(t, fmt.Sprint(apivideo.Config{BaseURL: "https://user:made-up-password@x"}), "made-up-password")
	data, err := json.Marshal(conf)
	require.NoError(t, err)
	assert.JSONEq(t, `{"BaseURL":"`+srv.URL+`","Application":{"Name":"","Version":""},"SDK":{"Name":"","Version":""}}`, string(data))
}

// An echoing server repeats the request in its answer: in headers, status and
// body, in several spellings.
//
// Promise: A secret that the service repeats is in no error, error chain or log line, however it is escaped.
func TestErrorHidesEchoedSecrets(t *testing.T) {
	const (
		key     = `made-up/key+"with\odd<chars>&~`
		access  = "made-up-access-token-0123456789"
		refresh = `made-up/refresh"token\0123456789`
	)
	spellings := func(secret string) []string {
		plain, _ := json.Marshal(secret)
		var loose bytes.Buffer
		encoder := json.NewEncoder(&loose)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(secret)
		inner := func(quoted []byte) string { return strings.Trim(strings.TrimSpace(string(quoted)), `"`) }
		var all strings.Builder
		for _, r := range secret {
			fmt.Fprintf(&all, `\u%04X`, r)
		}
		return []string{secret, inner(plain), inner(loose.Bytes()), strings.ReplaceAll(inner(loose.Bytes()), "/", `\/`), all.String()}
	}
	forms := append(spellings(key), spellings(refresh)...)
	accessForms := spellings(access)
	forms = append(forms, accessForms...)
	text := strings.Join(forms, " ")
	quoted, _ := json.Marshal(text)
	for name, body := range map[string]string{
		"a page":           "<html>" + text,
		"one long page":    strings.Repeat("x", 150) + text + strings.Repeat(text, 100),
		"a problem":        `{"type":` + string(quoted) + `,"title":` + string(quoted) + `,"name":` + string(quoted) + `,"problems":[{"title":` + string(quoted) + `}]}`,
		"a lone title":     `{"title":` + string(quoted) + `}`,
		"a token response": `{"access_token":"` + access + `","expires_in":-1,"refresh_token":` + string(quoted) + `}`,
	} {
		for _, status := range []int{200, 302, 400, 401, 500} {
			bubble(t, func(t *testing.T, w *world) {
				log := w.log()
				w.conf.APIKey = key
				w.setAuth(grant(access, refresh))
				src, _ := w.warm(t)
				w.setAuth(func(r *http.Request) (*http.Response, error) {
					resp := answer(status, "application/json", body)
					resp.Status = "401 " + text
					resp.Header.Set("X-Echo", text)
					resp.Header.Set("Content-Type", text)
					resp.Request = r
					return resp, nil
				})
				_, fromKey := src.Renew(w.ctx)
				_, fromRefresh := w.conf.Refresh(w.ctx, refresh)
				require.Error(t, fromKey)
				require.Error(t, fromRefresh)
				for _, err := range []error{fromKey, fromRefresh} {
					assert.Less(t, len(err.Error()), 350, name)
					printed := everything(err)
					for e := range chain(err) {
						printed += everything(e)
					}
					var retrieve *oauth2.RetrieveError
					require.ErrorAs(t, err, &retrieve)
					assert.LessOrEqual(t, len(retrieve.Body), 1024)
					assert.Nil(t, retrieve.Response.Request)
					assert.NoError(t, retrieve.Response.Body.Close())
					printed += everything(retrieve) + string(retrieve.Body) + retrieve.Response.Status + fmt.Sprint(retrieve.Response.Header)
					for _, form := range forms {
						if err == fromRefresh && slices.Contains(accessForms, form) {
							continue // Config.Refresh does not know of it
						}
						assert.NotContains(t, printed, form, "%s %d", name, status)
					}
				}
				synctest.Wait() // for the log
				for _, form := range forms {
					assert.NotContains(t, log.String(), form)
				}
				assert.Contains(t, log.String(), "no new access token")
			})
		}
	}
}

// chain is err and all errors that it wraps.
func chain(err error) func(func(error) bool) {
	return func(yield func(error) bool) {
		for todo := []error{err}; len(todo) > 0; todo = todo[1:] {
			if !yield(todo[0]) {
				return
			}
			switch e := todo[0].(type) {
			case interface{ Unwrap() error }:
				if inner := e.Unwrap(); inner != nil {
					todo = append(todo, inner)
				}
			case interface{ Unwrap() []error }:
				todo = append(todo, e.Unwrap()...)
			}
		}
	}
}

// If net/http cannot parse a part of an answer, its error repeats that part.
//
// Promise: A secret in an error of package net/http is hidden; that error has no `RetrieveError`.
func TestErrorHidesSecretsOfNetHTTP(t *testing.T) {
	const key = "made-up-key-0123456789"
	echo := &url.Error{Op: "Post", URL: "x", Err: errors.New(`malformed HTTP response "` + key + strings.Repeat(" long", 100) + `"`)}
	// The error of package net/http has the URL, too.
	_, err := tokenThrough(t, apivideo.Config{APIKey: key, BaseURL: "https://ws.api.video/" + key}, breakOff(echo))
	require.ErrorContains(t, err, "POST https://ws.api.video/[redacted]/auth/api-key: ")
	require.ErrorContains(t, err, "malformed HTTP response")
	assert.Less(t, len(err.Error()), 350)
	for e := range chain(err) {
		assert.NotContains(t, everything(e), key)
	}
	var retrieve *oauth2.RetrieveError
	assert.False(t, errors.As(err, &retrieve), "there was no answer")
}

// Promise: A secret that the service repeats is in no error, error chain or log line, however it is escaped.
// Promise: Secrets of at least 8 bytes are redacted.
// Promise: The message of an error is one line with at most 200 bytes of the service's text.
func TestErrorMessageIsOneShortLine(t *testing.T) {
	for body, test := range map[string]struct{ key, want string }{
		"page\r\n\x1b[31m" + strings.Repeat("é", 500): {"made-up-key", "page [31m" + strings.Repeat("é", 95) + "…"},
		"page\xff\xfe é": {"made-up-key", "page\uFFFD é"},
		"<html><TITLE lang=en>Sorry\n!</title><p>made-up-key": {"made-up-key", "Sorry !"},
		"The kettle is not a key.":                            {"k", "The kettle is not a key."},
		"a secret7 is too short":                              {"secret7", "a secret7 is too short"},
		"a secret78 is not":                                   {"secret78", "a [redacted] is not"},
	} {
		_, err := tokenThrough(t, apivideo.Config{APIKey: test.key}, reply(503, "text/html", body))
		assert.EqualError(t, err, "apivideo: authenticate: 503 Service Unavailable, text/html: "+test.want)
		assert.True(t, utf8.ValidString(err.Error()))
	}
}

// Promise: A `RetrieveError` has at most 1 KiB of the answer.
func TestErrorKeepsOneKiBOfTheBody(t *testing.T) {
	_, err := tokenThrough(t, apivideo.Config{}, reply(503, "text/plain", strings.Repeat("x", 2000)))
	var retrieve *oauth2.RetrieveError
	require.ErrorAs(t, err, &retrieve)
	assert.Len(t, retrieve.Body, 1024)
}

func TestSourceLogs(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		log := w.log()
		src, _ := w.warm(t)
		w.fail(apivideotest.Status(404))
		_, err := src.Renew(w.ctx)
		require.Error(t, err)
		synctest.Wait()
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		require.Len(t, lines, 2)
		assert.Regexp(t, `level=DEBUG msg="api.video: new access token" base_url=https://apivideotest.invalid:443 reason=cold duration=0s `+
			`attempt=1 waiters=1 op=authenticate from=service expiry=2000-01-01T01:00:00.000Z usable_until=2000-01-01T00:59:50.000Z account=[0-9a-f]{8}$`, lines[0])
		assert.Regexp(t, `level=WARN msg="api.video: no new access token" base_url=\S+ reason=renew duration=\S+ attempt=1 waiters=1 op=authenticate `+
			`from=service error="apivideo: authenticate: 404 Not Found, text/html: Not Found" next_attempt_in=(\d+0ms|1s) account=[0-9a-f]{8}$`, lines[1])
	})
}

// Promise: Log lines show the base URL without the API key.
func TestLogHidesTheKeyInTheBaseURL(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		log := w.log()
		w.conf.BaseURL += "/" + w.conf.APIKey
		_, err := w.source().Token()
		require.Error(t, err)
		synctest.Wait()
		assert.Contains(t, log.String(), "/[redacted] ")
		assert.NotContains(t, log.String(), w.conf.APIKey)
	})
}

// unreadable panics with its text.
type unreadable string

func (u unreadable) Read([]byte) (int, error) { panic(string(u)) }
func (u unreadable) Close() error             { return nil }

// Promise: A panic of the body of a 401 that shows the token is logged without it.
func TestLogHidesTheTokenInAPanic(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		log := w.log()
		src, tok := w.warm(t)
		w.fail(apivideotest.Status(500))
		w.setAPI(func(r *http.Request) (*http.Response, error) {
			resp := answer(401, "", "")
			resp.Body = unreadable(fmt.Sprint(r.Header))
			return resp, nil
		})
		resp, err := src.Client(w.ctx).Get(w.srv.URL + "/videos")
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		synctest.Wait()
		assert.Contains(t, log.String(), "panic: map[Authorization:[Bearer [redacted]]]")
		assert.NotContains(t, log.String(), tok.AccessToken)
	})
}

// Promise: `errors.Is` distinguishes the problems of the service.
func TestErrorTellsProblemsApart(t *testing.T) {
	const docs = "https://docs.api.video/reference/"
	for body, want := range map[string]error{
		`{"type":"` + docs + `authentication-invalid-api-key"}`:                   apivideo.ErrInvalidAPIKey,
		`{"type":"` + docs + `authentication-invalid-api-key/"}`:                  apivideo.ErrInvalidAPIKey,
		`{"type":"` + docs + `authentication-invalid-user-credentials"}`:          apivideo.ErrInvalidAPIKey,
		`{"title":"The API key is invalid.","status":401}`:                        apivideo.ErrInvalidAPIKey,
		`{"type":"` + docs + `authorization-suspended-account"}`:                  apivideo.ErrAccountSuspended,
		`{"type":"` + docs + `authentication-invalid-refresh-token","title":"x"}`: apivideo.ErrInvalidRefreshToken,
		`{"type":"` + docs + `payload-is-invalid"}`:                               nil,
	} {
		_, err := tokenThrough(t, apivideo.Config{}, reply(401, "application/problem+json", body))
		for _, sentinel := range []error{apivideo.ErrInvalidAPIKey, apivideo.ErrInvalidRefreshToken, apivideo.ErrAccountSuspended} {
			assert.Equal(t, sentinel == want, errors.Is(err, sentinel), "%s: %v", body, sentinel)
		}
	}
	_, err := (&apivideo.Config{APIKey: "made-up-key"}).Refresh(through(t.Context(), reply(400, "application/problem+json",
		`{"type":"`+docs+`authentication-invalid-user-credentials",
		"title":"The user credentials were incorrect.","name":"refreshToken","status":400,
		"problems":[{"type":"a","title":"b","name":"c"},{"no":"problem"},7]}`)), "made-up-refresh")
	assert.ErrorIs(t, err, apivideo.ErrInvalidRefreshToken)
	assert.NotErrorIs(t, err, apivideo.ErrInvalidAPIKey)
	e := asError(t, err)
	assert.Equal(t, apivideo.Problem{
		Type: docs + "authentication-invalid-user-credentials", Title: "The user credentials were incorrect.",
		Name: "refreshToken", Status: 400, Problems: []apivideo.Problem{{Type: "a", Title: "b", Name: "c"}},
	}, e.Problem)
	var retrieve *oauth2.RetrieveError
	require.ErrorAs(t, err, &retrieve)
	assert.Equal(t, 400, retrieve.Response.StatusCode)
	assert.Equal(t, "400 Bad Request", retrieve.Response.Status)
	assert.Contains(t, string(retrieve.Body), "The user credentials were incorrect.")
}

func TestErrorOfAnAnswerThatBreaksOff(t *testing.T) {
	_, err := tokenThrough(t, apivideo.Config{}, func(*http.Request) (*http.Response, error) {
		resp := answer(200, "application/json", "")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"access_token":"made-up-access`), failing{io.ErrUnexpectedEOF}))
		return resp, nil
	})
	assert.EqualError(t, err, "apivideo: authenticate: reading the answer: unexpected EOF")
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.True(t, asError(t, err).Temporary())
	assert.False(t, asError(t, err).Timeout())
}

// Promise: No fmt verb and no JSON shows a secret.
func TestConfigRejectedBaseURLIsNotPrinted(t *testing.T) {
	const key = "made-up-key-0123456789"
	for _, base := range []string{
		"https://" + key + "@ws.api.video", "https://ws.api.video?apiKey=" + key, "https://ws.api.video:" + key,
		"https://u:" + key + "@ws api", "https://ws.api.video/" + key,
	} {
		text := everything(&apivideo.Config{APIKey: key, BaseURL: base, Application: apivideo.Product{Name: key, Version: "1"}})
		text = strings.ReplaceAll(text, `{"Name":"`+key+`"`, "") // the program says that this is its name
		assert.NotContains(t, text, key)
		assert.NotContains(t, text, "u:")
	}
}

// Promise: A secret that the service repeats is in no error, error chain or log line, however it is escaped.
func TestErrorOfARefreshHidesTheAccessToken(t *testing.T) {
	const access = "made-up-access-token"
	src := sourceThrough(t, apivideo.Config{}, func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/auth/refresh" {
			return answer(403, "application/json", `{"title":"Suspended account","name":"`+access+`"}`), nil
		}
		return grantOf(access, "made-up-refresh", 3600), nil
	})
	mustToken(t, src)
	_, err := src.Renew(t.Context())
	require.ErrorIs(t, err, apivideo.ErrAccountSuspended)
	for e := range chain(err) {
		assert.NotContains(t, everything(e), access)
	}
	assert.Equal(t, "[redacted]", asError(t, err).Name)
}

// A secret at the place where the text is cut is replaced as a whole.
//
// Promise: No part of a secret is shown where a text was cut.
func TestErrorHidesSecretsAtTheCut(t *testing.T) {
	const key = "abcdefghijklmnopqrstuvwxyz0123456789"
	for before := range 1100 {
		_, err := tokenThrough(t, apivideo.Config{APIKey: key}, reply(503, "text/plain", strings.Repeat("-", before)+key))
		var retrieve *oauth2.RetrieveError
		require.ErrorAs(t, err, &retrieve)
		require.NotContains(t, err.Error(), key[:8], before)
		require.NotContains(t, string(retrieve.Body), key[:8], before)
	}
}

// all is everything that an error and its chain show.
func all(err error) string {
	var b strings.Builder
	for e := range chain(err) {
		fmt.Fprintf(&b, "%s\n%+v\n", everything(e), e)
		if r, ok := e.(*oauth2.RetrieveError); ok {
			fmt.Fprint(&b, string(r.Body), r.Response.Header, r.Response.Status)
		}
	}
	return b.String()
}

// A problem's identifier is the part of its type after the last slash.
//
// Promise: A secret with slashes or spaces, or with another secret in it, is hidden completely.
func TestErrorHidesASecretWithASlash(t *testing.T) {
	const key = "abcdefgh/made-up-ijklmnop"
	for _, body := range []string{
		`{"type":"https://docs.example/` + key + `","title":""}`,
		`{"type":"` + key + `/"}`,
		`{"type":"x","title":"y","problems":[{"type":"https:\/\/x\/abcdefgh\/made-up-ijklmnop"}]}`,
	} {
		_, err := tokenThrough(t, apivideo.Config{APIKey: key}, reply(400, "application/problem+json", body))
		require.Error(t, err)
		assert.NotContains(t, all(err), "made-up")
		assert.NotContains(t, all(err), "abcdefgh")
	}
}

// A message is one line: what joins its words may make a secret of them.
//
// Promise: A secret with slashes or spaces, or with another secret in it, is hidden completely.
func TestErrorHidesASecretWithSpaces(t *testing.T) {
	const refresh = "made-up refresh token"
	conf := apivideo.Config{APIKey: "made-up-key"}
	for _, echo := range []string{"made-up\n refresh\ttoken", "made-up\r\nrefresh\u2028token", refresh} {
		_, err := conf.Refresh(through(t.Context(), reply(500, "text/plain", echo)), refresh)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), refresh, "%q", echo)
	}
}

// Promise: A secret with slashes or spaces, or with another secret in it, is hidden completely.
func TestErrorHidesASecretInAnother(t *testing.T) {
	for _, secrets := range [][2]string{
		{"made-up-inner", "made-up-inner-and-outer"},
		{"made-up-inner-and-outer", "made-up-inner"},
		{"made-up-overlap", "overlap-and-outer"},
	} {
		conf := apivideo.Config{APIKey: secrets[0]}
		text := secrets[0] + " " + secrets[1] + " made-up-overlap-and-outer"
		_, err := conf.Refresh(through(t.Context(), reply(500, "text/plain", text)), secrets[1])
		require.Error(t, err)
		for _, part := range []string{"inner", "outer"} {
			if part == "inner" || secrets[0] == "made-up-overlap" {
				assert.NotContains(t, all(err), part)
			}
		}
	}
}

// hiding is an error whose text says less than the error it wraps.
type hiding struct{ error }

func (hiding) Error() string   { return "hidden" }
func (h hiding) Unwrap() error { return h.error }

// bearer is an error of an unknown kind with a secret in a field.
type bearer struct{ Header string }

func (bearer) Error() string { return "a text without it" }

// unmasked has a method of the library's own errors, and hides nothing.
type unmasked struct{ error }

func (u unmasked) Mask(func(string) string) error { return u }

// Promise: An error chain has only errors of known types.
func TestErrorChainHasOnlyKnownKinds(t *testing.T) {
	const key = "made-up-key-0123456789"
	echo := errors.New("sent " + key)
	for _, err := range []error{
		hiding{echo}, &hiding{echo}, hiding{hiding{echo}}, bearer{key}, &bearer{key}, hiding{bearer{key}},
		unmasked{echo}, hiding{unmasked{echo}},
		errors.Join(errors.New("x"), hiding{echo}), fmt.Errorf("wrapped: %w", &bearer{key}), fmt.Errorf("%w and %w", errors.New("x"), bearer{key}),
		&url.Error{Op: "Post", URL: "https://ws.api.video/" + key, Err: bearer{key}},
	} {
		_, got := tokenThrough(t, apivideo.Config{APIKey: key}, breakOff(err))
		require.Error(t, got)
		assert.NotContains(t, all(got), key, "%T", err)
		src := sourceThrough(t, apivideo.Config{APIKey: key}, breakOff(err))
		_, got = src.Renew(ended(t.Context()))
		assert.NotContains(t, all(got), key, "%T", err)
	}
	_, err := tokenThrough(t, apivideo.Config{APIKey: key}, func(*http.Request) (*http.Response, error) { panic("sent " + key) })
	require.ErrorContains(t, err, "panic: sent [redacted]")
	assert.NotContains(t, all(err), key)

	// Errors of known types are found behind errors of unknown types.
	_, err = tokenThrough(t, apivideo.Config{APIKey: key}, breakOff(hiding{errors.Join(bearer{key}, http.ErrSchemeMismatch)}))
	assert.ErrorIs(t, err, http.ErrSchemeMismatch)
}

// circle is an error that wraps itself. Even errors.Is would not return.
type circle struct{}

func (circle) Error() string   { return "made-up" }
func (c circle) Unwrap() error { return c }

type circles struct{}

func (circles) Error() string     { return "made-up" }
func (c circles) Unwrap() []error { return []error{c, c} }

// Promise: If a base's chain of errors has no end, an error has the first hundred.
func TestErrorChainWithoutAnEnd(t *testing.T) {
	for _, err := range []error{circle{}, circles{}} {
		_, got := tokenThrough(t, apivideo.Config{}, breakOff(err))
		require.ErrorContains(t, got, "made-up")
		assert.NotErrorIs(t, got, http.ErrSchemeMismatch)
	}
}

// Promise: The headers of an unusable or refused answer show no new token.
func TestErrorHidesANewTokenInAHeader(t *testing.T) {
	for status, body := range map[int]string{200: `{"access_token":"made-up-new-token","expires_in":-1}`, 400: `{"title":"No"}`, 502: "", 302: ""} {
		_, err := tokenThrough(t, apivideo.Config{}, func(*http.Request) (*http.Response, error) {
			resp := answer(status, "application/json", body)
			for _, name := range []string{"X-Token", "Set-Cookie", "Authorization", "Link", "Etag"} {
				resp.Header.Set(name, "a=made-up-new-token")
			}
			resp.Header.Set("Date", "Mon, 01 Jan 2024 00:00:00 GMT")
			return resp, nil
		})
		require.ErrorContains(t, err, strconv.Itoa(status))
		assert.NotContains(t, all(err), "made-up-new-token")
		var retrieve *oauth2.RetrieveError
		require.ErrorAs(t, err, &retrieve)
		assert.Equal(t, "Mon, 01 Jan 2024 00:00:00 GMT", retrieve.Response.Header.Get("Date"))
	}
}

// A broken proxy may send the service's answer with another status.
//
// Promise: An answer that is no success shows no new token.
func TestErrorHidesNewTokensOfARefusal(t *testing.T) {
	for _, status := range []int{302, 400, 500} {
		for _, problem := range []string{"", `"title":"made-up-access \u002d made-up-refresh",`} {
			_, err := tokenThrough(t, apivideo.Config{}, func(*http.Request) (*http.Response, error) {
				resp := answer(status, "application/json", "{"+problem+`"access_token":"made-up-access","refresh_token":"made-up\u002drefresh"}`)
				resp.Header.Set("Set-Cookie", "a=made-up-access")
				return resp, nil
			})
			require.ErrorContains(t, err, "[redacted]")
			for _, secret := range []string{"made-up-access", "made-up-refresh", `made-up\u002drefresh`} {
				assert.NotContains(t, all(err), secret)
			}
		}
	}
}

// Promise: Neither a refusal nor a broken answer shows a new token, whatever its form.
func TestErrorHidesNewTokensInAnyForm(t *testing.T) {
	const fresh = "made-up-New/token+42=="
	for _, form := range []string{
		`%s`, `[error] upstream said %s`, `<p>{oops}</p> %s`, `{"a":1} and %s`, `cb(%s)`, `)]}',` + "\n%s", `{"a":[1,,%s]}`,
		`{"title":"No: Authorization: Bearer ` + fresh + `."}`, `access_token=` + fresh + `&token_type=bearer`,
		`{'access_token': '` + fresh + `'}`, `{"expires_in":3600,"accessToken":"` + fresh, `{"a":1,,"refresh_token" : "` + fresh + `"}`,
		"Authorization: Bearer " + fresh, "X-Access-Token " + fresh, `{"text":"{\"id_token\":\"` + fresh + `\"}"}`,
	} {
		said := strings.Replace(form, "%s", `{"token_type":"Bearer","tokens":{"access":["`+fresh+`"]}}`, 1)
		for _, f := range []tripper{
			reply(400, "application/json", said), reply(503, "text/plain", said), reply(302, "text/html", said),
			breakOff(fmt.Errorf("malformed MIME header line: %q", said)), breakOff(&url.Error{Op: "Post", URL: "x", Err: errors.New(said)}),
			breakOff(hiding{errors.New(said)}),
		} {
			_, err := tokenThrough(t, apivideo.Config{}, f)
			require.Error(t, err, form)
			assert.NotContains(t, all(err), fresh, form)
		}
	}
	_, err := tokenThrough(t, apivideo.Config{}, reply(500, "text/plain", "Bearer authentication failed: the access token expired"))
	assert.ErrorContains(t, err, "Bearer authentication failed: the access token expired", "ordinary words stay")
}

// Promise: Text with too many tokens, or with too much JSON, is not shown.
func TestErrorShowsNoTextOfManyTokens(t *testing.T) {
	for _, said := range []string{strings.Repeat(`{"token":"made-up-text","x":[{`, 20), strings.Repeat("{made-up-text ", 2000)} {
		for _, f := range []tripper{reply(500, "text/plain", said), breakOff(errors.New(said))} {
			_, err := tokenThrough(t, apivideo.Config{}, f)
			require.Error(t, err)
			assert.NotContains(t, all(err), "made-up-text")
		}
	}
}

// A text that only looks like a long secret, again and again.
//
// Promise: Redaction takes time linear in the text.
func TestErrorRedactionIsLinear(t *testing.T) {
	long := strings.Repeat("a", 2800) + "b"
	conf := apivideo.Config{APIKey: "made-up-key"}
	for _, text := range []string{
		strings.Repeat("a", 100<<10), strings.Repeat(`\u0061`, 100<<10), strings.Repeat(`\`, 100<<10),
		strings.Repeat("{", 100<<10), strings.Repeat(`{"a":"[{\"token`, 10<<10), strings.Repeat("token", 20<<10), strings.Repeat("bearer ", 20<<10),
		strings.Repeat(long, 30), `{"title":"` + strings.Repeat("a", 100<<10) + `"}`,
	} {
		start := time.Now()
		_, err := conf.Refresh(through(t.Context(), reply(500, "text/plain", text)), long)
		require.Error(t, err)
		assert.Less(t, time.Since(start), 5*time.Second, "it takes milliseconds")
		assert.NotContains(t, all(err), long)
	}
}

// Promise: XML, YAML and testify show no secret.
func TestConfigMarshalHidesTheKey(t *testing.T) {
	conf := apivideo.Config{APIKey: "made-up-key", Application: apivideo.Product{Name: "app", Version: "1"}}
	_, yaml := any(conf).(encoding.TextMarshaler) // which packages for YAML use
	assert.True(t, yaml)
	type settings struct {
		Config  apivideo.Config
		Pointer *apivideo.Config
	}
	for _, v := range []any{conf, &conf, settings{conf, &conf}} {
		data, err := xml.Marshal(v)
		require.NoError(t, err)
		assert.NotContains(t, string(data), conf.APIKey)
		assert.Contains(t, string(data), "APIKey:[redacted]")
	}
}

// The documentation says not to embed a Config. In a named field nothing is lost.
func TestConfigInANamedField(t *testing.T) {
	conf := apivideo.Config{APIKey: "made-up-key"}
	named := struct {
		Video apivideo.Config
		Port  int
	}{conf, 8080}
	embedded := struct {
		apivideo.Config
		Port int
	}{conf, 8080}
	for want, v := range map[string]any{`,"Port":8080}`: named, `"SDK":{"Name":"","Version":""}}`: embedded} {
		data, err := json.Marshal(v)
		require.NoError(t, err)
		assert.Contains(t, string(data), want)
		assert.NotContains(t, everything(v), conf.APIKey)
	}
	assert.Contains(t, fmt.Sprint(named), "8080")
}

// failure is the failure of a test, as testify reports it.
type failure struct{ text strings.Builder }

func (f *failure) Errorf(format string, args ...any) { fmt.Fprintf(&f.text, format, args...) }

// testify looks into the fields of what it compares, at any depth.
//
// Promise: XML, YAML and testify show no secret.
func TestTransportComparedHidesTheKey(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		net := http.DefaultTransport
		http.DefaultTransport = breakOff(io.EOF) // a dump reads all of it, while other tests use it
		defer func() { http.DefaultTransport = net }()
		src, _ := w.warm(t)
		mustRenew(t, src)
		key := w.conf.APIKey
		w.conf.APIKey = "another-made-up-key"
		w.setAuth(grant("made-up-token", ""))
		other, _ := w.warm(t)
		fails := &failure{}
		synctest.Wait() // a dump takes no lock
		assert.Equal(fails, &apivideo.Transport{Source: src}, &apivideo.Transport{Source: other})
		assert.Equal(fails, *src, *other)
		assert.Contains(t, fails.text.String(), "Diff:")
		assert.NotContains(t, fails.text.String(), key)
		assert.NotContains(t, fails.text.String(), w.conf.APIKey)
	})
}

func FuzzRefusal(f *testing.F) {
	const secret = `made-up/"key"\`
	for _, seed := range []string{
		`{"type":"https://docs.api.video/reference/authentication-invalid-api-key","title":"The API key is invalid.","status":401}`,
		`{"title":"` + secret + `"}`, `{"title":"made-up\/\"key\"\\"}`, `{"problems":[{"title":"x"},{}]}`, "<html>", "",
	} {
		f.Add(401, []byte(seed), "3", "text/html")
	}
	f.Fuzz(func(t *testing.T, status int, data []byte, retryAfter, contentType string) {
		if status/100 == 2 {
			status += 200
		}
		resp := answer(status, contentType, string(data))
		resp.Header.Set("Retry-After", retryAfter)
		resp.Header.Set("X-RateLimit-Retry-After", retryAfter)
		_, err := tokenThrough(t, apivideo.Config{APIKey: secret}, func(*http.Request) (*http.Response, error) { return resp, nil })
		e, said := asError(t, err), new(oauth2.RetrieveError)
		assert.Less(t, len(e.Error()), 400)
		assert.NotContains(t, e.Error(), secret)
		assert.NotContains(t, e.Error(), "\n")
		assert.NotContains(t, e.Title+e.Type+e.Name, secret)
		require.ErrorAs(t, e, &said)
		assert.NotContains(t, string(said.Body), secret)
		assert.LessOrEqual(t, len(said.Body), 1<<10)
		assert.GreaterOrEqual(t, e.RetryAfter, time.Duration(0))
		assert.Equal(t, status, e.Status)
	})
}
