package apivideo_test

import (
	"encoding"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

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
func TestErrorHidesASecretWithSpaces(t *testing.T) {
	const refresh = "made-up refresh token"
	conf := apivideo.Config{APIKey: "made-up-key"}
	for _, echo := range []string{"made-up\n refresh\ttoken", "made-up\r\nrefresh\u2028token", refresh} {
		_, err := conf.Refresh(through(t.Context(), reply(500, "text/plain", echo)), refresh)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), refresh, "%q", echo)
	}
}

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

func TestErrorChainHasOnlyKnownKinds(t *testing.T) {
	const key = "made-up-key-0123456789"
	echo := errors.New("sent " + key)
	for _, err := range []error{
		hiding{echo}, &hiding{echo}, hiding{hiding{echo}}, bearer{key}, &bearer{key}, hiding{bearer{key}},
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

func TestErrorChainWithoutAnEnd(t *testing.T) {
	for _, err := range []error{circle{}, circles{}} {
		_, got := tokenThrough(t, apivideo.Config{}, breakOff(err))
		require.ErrorContains(t, got, "made-up")
		assert.NotErrorIs(t, got, http.ErrSchemeMismatch)
	}
}

func TestErrorHidesANewTokenInAHeader(t *testing.T) {
	_, err := tokenThrough(t, apivideo.Config{}, func(*http.Request) (*http.Response, error) {
		resp := answer(200, "application/json", `{"access_token":"made-up-new-token","expires_in":-1}`)
		for _, name := range []string{"X-Token", "Set-Cookie", "Authorization", "Link", "Etag"} {
			resp.Header.Set(name, "a=made-up-new-token")
		}
		resp.Header.Set("Date", "Mon, 01 Jan 2024 00:00:00 GMT")
		return resp, nil
	})
	require.ErrorContains(t, err, "is unusable")
	assert.NotContains(t, all(err), "made-up-new-token")
	var retrieve *oauth2.RetrieveError
	require.ErrorAs(t, err, &retrieve)
	assert.Equal(t, "Mon, 01 Jan 2024 00:00:00 GMT", retrieve.Response.Header.Get("Date"))
}

// A broken proxy may send the service's answer with another status.
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

// A text that only looks like a long secret, again and again.
func TestErrorRedactionIsLinear(t *testing.T) {
	long := strings.Repeat("a", 2800) + "b"
	conf := apivideo.Config{APIKey: "made-up-key"}
	for _, text := range []string{
		strings.Repeat("a", 100<<10), strings.Repeat(`\u0061`, 100<<10), strings.Repeat(`\`, 100<<10),
		strings.Repeat(long, 30), `{"title":"` + strings.Repeat("a", 100<<10) + `"}`,
	} {
		start := time.Now()
		_, err := conf.Refresh(through(t.Context(), reply(500, "text/plain", text)), long)
		require.Error(t, err)
		assert.Less(t, time.Since(start), 5*time.Second, "it takes milliseconds")
		assert.NotContains(t, all(err), long)
	}
}

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

// failure is the failure of a test, as testify reports it.
type failure struct{ text strings.Builder }

func (f *failure) Errorf(format string, args ...any) { fmt.Fprintf(&f.text, format, args...) }

// testify looks into the fields of what it compares, at any depth.
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
