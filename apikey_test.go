package apivideo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf16"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// endless is longer than anybody should read.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	if e.read > 8<<20 {
		return 0, io.EOF
	}
	e.read += copy(p, bytes.Repeat([]byte(" "), len(p)))
	return len(p), nil
}

// Promise: An answer to an auth call without a usable token is an error.
func TestAuthCallUnusableAnswer(t *testing.T) {
	const access, refreshed = "made-up-access-token-of-the-answer", "made-up-refresh-token-of-the-answer"
	field := func(name, value string) string {
		fields := map[string]string{
			"access_token": `"` + access + `"`, "refresh_token": `"` + refreshed + `"`, "expires_in": "3600", "token_type": `"Bearer"`,
		}
		fields[name] = value
		var b []string
		for k, v := range fields {
			b = append(b, fmt.Sprintf("%q:%s", k, v))
		}
		return "{" + strings.Join(b, ",") + "}"
	}
	for name, test := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"HTML":                    {200, "<html>" + strings.Repeat("captive portal ", 100), "not one JSON object"},
		"empty":                   {200, "", "not one JSON object"},
		"204":                     {204, "", "not one JSON object"},
		"truncated":               {200, field("x", "1")[:60], "not one JSON object"},
		"two documents":           {200, field("x", "1") + field("x", "1"), "not one JSON object"},
		"null":                    {200, "null", "not one JSON object"},
		"array":                   {200, "[" + field("x", "1") + "]", "not one JSON object"},
		"no access token":         {200, `{"expires_in":3600}`, "it has no access_token"},
		"empty access token":      {200, field("access_token", `""`), "it has no access_token"},
		"number as access token":  {200, field("access_token", `12345678`), "its access_token is not a string"},
		"token with a line break": {200, field("access_token", `"made-up\r\nX-Evil:1"`), "other than visible ASCII"},
		"token with a space":      {200, field("access_token", `"made up"`), "other than visible ASCII"},
		"token with a delete":     {200, field("access_token", `"made-up\u007f"`), "other than visible ASCII"},
		"token beyond ASCII":      {200, field("access_token", `"made-üp"`), "other than visible ASCII"},
		"foreign type":            {200, field("token_type", `"mac"`), "its token_type is not Bearer"},
		"type of a wrong type":    {200, field("token_type", `7`), "its token_type is not a string"},
		"lifetime zero":           {200, field("expires_in", `0`), "its expires_in is not positive"},
		"lifetime negative":       {200, field("expires_in", `-3600`), "its expires_in is not positive"},
		"lifetime a word":         {200, field("expires_in", `"soon"`), "its expires_in is not a number"},
		"lifetime not a number":   {200, field("expires_in", `"NaN"`), "its expires_in is not a number"},
		"lifetime infinite":       {200, field("expires_in", `"Infinity"`), "its expires_in is not a number"},
		"lifetime true":           {200, field("expires_in", `true`), "its expires_in is not a number"},
	} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			w.setAuth(grant("made-up-token", ""))
			src, _ := w.warm(t)
			w.setAuth(reply(test.status, "application/json", test.body))
			_, err := src.Renew(t.Context())
			e := asError(t, err)
			assert.Equal(t, "authenticate", e.Op)
			assert.Contains(t, err.Error(), "apivideo: authenticate: ")
			assert.Contains(t, err.Error(), test.want)
			assert.Less(t, len(err.Error()), 200)
			assert.True(t, e.Temporary())
			for _, secret := range []string{access, refreshed} {
				assert.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, e), secret)
			}
			var retrieve *oauth2.RetrieveError
			require.ErrorAs(t, err, &retrieve)
			assert.Empty(t, retrieve.Body)
			assert.Equal(t, "made-up-token", atOnce(t, src).AccessToken, "a usable token stays in use")
		}))
	}
}

// Promise: At most 1 MiB of the answer to an auth call is read.
func TestAuthCallReadsOneMiBAtMost(t *testing.T) {
	for _, status := range []int{200, 400} {
		body := &endless{}
		_, err := tokenThrough(t, apivideo.Config{}, func(*http.Request) (*http.Response, error) {
			resp := answer(status, "application/json", "")
			resp.Body = io.NopCloser(body)
			return resp, nil
		})
		require.Error(t, err)
		if status == 200 {
			assert.ErrorContains(t, err, "longer than 1048576 bytes")
		}
		assert.InDelta(t, 1<<20, body.read, 1<<10)
	}
}

// Promise: An answer is accepted with a token type in any case or none, and a lifetime as a string, of at most a day, or none.
func TestAuthCallAcceptedAnswers(t *testing.T) {
	for body, want := range map[string]struct {
		lifetime time.Duration
		refresh  string
	}{
		`{"access_token":"made-up"}`:                                                 {time.Hour, ""},
		`{"access_token":"made-up","token_type":"bearer"}`:                           {time.Hour, ""},
		`{"access_token":"made-up","token_type":"BEARER","expires_in":60}`:           {time.Minute, ""},
		`{"access_token":"made-up","token_type":null,"refresh_token":null}`:          {time.Hour, ""},
		`{"access_token":"made-up","expires_in":"120"}`:                              {2 * time.Minute, ""},
		`{"access_token":"made-up","expires_in":" 3600\n"}`:                          {time.Hour, ""},
		`{"access_token":"made-up","expires_in":null}`:                               {time.Hour, ""},
		`{"access_token":"made-up","expires_in":""}`:                                 {time.Hour, ""},
		`{"access_token":"made-up","expires_in":" "}`:                                {time.Hour, ""},
		`{"access_token":"made-up","expires_in":0.5}`:                                {time.Second / 2, ""},
		`{"access_token":"made-up","expires_in":86401}`:                              {24 * time.Hour, ""},
		`{"access_token":"made-up","expires_in":1e300}`:                              {24 * time.Hour, ""},
		` {"access_token":"made-up","refresh_token":"next","expires_in":10} ` + "\n": {10 * time.Second, "next"},
	} {
		synctest.Test(t, func(t *testing.T) {
			tok, err := tokenThrough(t, apivideo.Config{}, reply(201, "text/plain", body))
			require.NoError(t, err, body)
			assert.Equal(t, "made-up", tok.AccessToken)
			assert.Equal(t, "Bearer", tok.TokenType)
			assert.Equal(t, want.refresh, tok.RefreshToken)
			assert.Equal(t, want.lifetime, time.Until(tok.Expiry), body)
			assert.EqualValues(t, want.lifetime/time.Second, tok.ExpiresIn)
		})
	}
}

// Promise: Auth calls follow no redirect.
func TestAuthCallFollowsNoRedirect(t *testing.T) {
	location, calls := "", 0
	redirect := func(status int) tripper {
		return func(*http.Request) (*http.Response, error) {
			calls++
			resp := answer(status, "text/html", "moved")
			resp.Header.Set("Location", location)
			return resp, nil
		}
	}
	for _, location = range []string{"https://stranger.example/", "http://[broken"} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			calls = 0
			_, err := sourceThrough(t, apivideo.Config{}, redirect(status)).Token()
			assert.EqualError(t, err, fmt.Sprintf("apivideo: authenticate: %d %s, text/html: moved", status, http.StatusText(status)))
			assert.Equal(t, status, asError(t, err).Status)
			assert.Equal(t, 1, calls)
		}
	}
	location = "https://stranger.example/"
	client := &http.Client{Transport: redirect(302), CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("far enough")
	}}
	_, err := (&apivideo.Config{APIKey: "made-up-key"}).Token(context.WithValue(t.Context(), oauth2.HTTPClient, client))
	require.Error(t, err)
	_, err = client.Get("https://example.com")
	assert.ErrorContains(t, err, "far enough", "the program's own client follows on")
}

// Promise: A mistake in the Config is an error of the first call, which says what to do and sends nothing.
// Promise: A BaseURL is https, or http on a loopback host.
func TestConfigMistakeFailsBeforeSending(t *testing.T) {
	for want, conf := range map[string]apivideo.Config{
		"APIKey is empty":                 {},
		"APIKey has control characters":   {APIKey: "made-up-key\n"},
		"APIKey has control characters, ": {APIKey: "made\x00up"},
		"APIKey has control":              {APIKey: "made\xffup"},
		"APIKey has spaces around it":     {APIKey: " made-up-key"},
		"BaseURL is not a URL":            {APIKey: "k", BaseURL: "https://%zz"},
		"BaseURL must begin with https":   {APIKey: "k", BaseURL: "http://ws.api.video"},
		"BaseURL must begin with https:":  {APIKey: "k", BaseURL: "ftp://ws.api.video"},
		"BaseURL must begin with https:/": {APIKey: "k", BaseURL: "http://127.0.0.1.example"},
		"must begin with https":           {APIKey: "k", BaseURL: "ftp://localhost:21"},
		"http is for loopback hosts":      {APIKey: "k", BaseURL: "http://10.0.0.1"},
		"BaseURL has no scheme":           {APIKey: "k", BaseURL: "ws.api.video"},
		"BaseURL has no scheme; it":       {APIKey: "k", BaseURL: "localhost:8080"},
		"has no scheme; it should":        {APIKey: "k", BaseURL: "//made-up-password@ws.api.video"},
		"no scheme; it should be":         {APIKey: "k", BaseURL: "ws.api.video:443/v1"},
		"BaseURL has quotes around it":    {APIKey: "k", BaseURL: `"https://user:made-up-password@ws.api.video"`},
		"has quotes around it; remove":    {APIKey: "k", BaseURL: "“https://ws.api.video”"},
		"BaseURL has control characters":  {APIKey: "k", BaseURL: "https://ws.api.video\r"},
		"perhaps a line break; remove":    {APIKey: "k", BaseURL: "https://user:made-up-password@ws.api.video\n"},
		"BaseURL has spaces around it":    {APIKey: "k", BaseURL: "https://ws.api.video "},
		"BaseURL has an invisible":        {APIKey: "k", BaseURL: "\ufeffhttps://ws.api.video"},
		"variable before the URL":         {APIKey: "k", BaseURL: "APIVIDEO_BASE_URL=https://ws.api.video"},
		"the name of a variable":          {APIKey: "k", BaseURL: "baseUrl=https://user:made-up-password@ws.api.video"},
		"BaseURL has no host;":            {APIKey: "k", BaseURL: "https://"},
		"port outside 1 to ":              {APIKey: "k", BaseURL: "https://ws.api.video:99999"},
		"a port outside":                  {APIKey: "k", BaseURL: "http://localhost:0"},
		"no scheme; it should be like":    {APIKey: "k", BaseURL: "https:ws.api.video"},
		"BaseURL has a user name":         {APIKey: "k", BaseURL: "https://user:made-up-password@ws.api.video"},
		"a query or a fragment":           {APIKey: "k", BaseURL: "https://ws.api.video?x=1"},
		"BaseURL has a query":             {APIKey: "k", BaseURL: "https://ws.api.video?"},
		"a fragment; remove it":           {APIKey: "k", BaseURL: "https://ws.api.video#x"},
		"dots or slashes escaped":         {APIKey: "k", BaseURL: "https://ws.api.video/a/%2e%2e/b"},
		"slashes escaped in its path":     {APIKey: "k", BaseURL: "https://ws.api.video/a%2Fb"},
		"Application.Name must be":        {APIKey: "k", Application: apivideo.Product{Version: "1"}},
		"SDK.Version must be":             {APIKey: "k", SDK: apivideo.Product{Name: "sdk"}},
		"SDK.Name must be 1 to 50":        {APIKey: "k", SDK: apivideo.Product{Name: strings.Repeat("x", 51), Version: "1"}},
		"Application.Name must be 1":      {APIKey: "k", Application: apivideo.Product{Name: "a\r\nb", Version: "1"}},
		"Application.Version must be":     {APIKey: "k", Application: apivideo.Product{Name: "a", Version: "1.2.3.4"}},
		"Version must be like":            {APIKey: "k", Application: apivideo.Product{Name: "a", Version: "1.2345"}},
	} {
		ctx := through(t.Context(), func(*http.Request) (*http.Response, error) { panic("something was sent") })
		src := conf.Source(ctx)
		calls := map[string]func() error{
			"Config.Token":   func() error { _, err := conf.Token(ctx); return err },
			"Config.Refresh": func() error { _, err := conf.Refresh(ctx, "made-up-refresh"); return err },
			"Source.Token":   func() error { _, err := src.Token(); return err },
			"Source.Renew":   func() error { _, err := src.Renew(ctx); return err },
			"TokenSource":    func() error { _, err := conf.TokenSource(ctx).Token(); return err },
			"Client":         func() error { _, err := conf.Client(ctx).Get("https://ws.api.video/videos"); return err },
			"elsewhere":      func() error { _, err := conf.Client(ctx).Get("https://example.com/"); return err },
		}
		for name, call := range calls {
			err := call()
			require.ErrorContains(t, err, want, name)
			assert.ErrorContains(t, err, "apivideo: ")
			assert.NotContains(t, err.Error(), "\n")
			assert.NotContains(t, err.Error(), "made-up-password")
			assert.NotContains(t, err.Error(), "made-up-key")
		}
	}
}

// Promise: A BaseURL is https, or http on a loopback host.
func TestConfigAcceptedBaseURLs(t *testing.T) {
	for base, want := range map[string]string{
		"":                             "https://ws.api.video/auth/api-key",
		apivideo.SandboxURL:            "https://sandbox.api.video/auth/api-key",
		"https://ws.api.video/":        "https://ws.api.video/auth/api-key",
		"https://ws.api.video//a/b//":  "https://ws.api.video/a/b/auth/api-key",
		"https://ws.api.video/a/../b/": "https://ws.api.video/b/auth/api-key",
		"https://ws.api.video/a%20b":   "https://ws.api.video/a%20b/auth/api-key",
		"https://ws.api.video/a%3Fb":   "https://ws.api.video/a%3Fb/auth/api-key",
		"HTTPS://WS.API.VIDEO":         "https://WS.API.VIDEO/auth/api-key",
		"http://localhost:8080/v1":     "http://localhost:8080/v1/auth/api-key",
		"http://LocalHost":             "http://LocalHost/auth/api-key",
		"http://127.1.2.3":             "http://127.1.2.3/auth/api-key",
		"http://[::1]:8080":            "http://[::1]:8080/auth/api-key",
	} {
		var got string
		_, err := tokenThrough(t, apivideo.Config{BaseURL: base}, func(r *http.Request) (*http.Response, error) {
			got = r.URL.String()
			return grantOf("made-up-token", "", 3600), nil
		})
		require.NoError(t, err, base)
		assert.Equal(t, want, got)
	}
}

// Promise: A token that expired before its answer arrived is an error.
func TestAuthCallTokenExpiredInTransit(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.setAuth(func(*http.Request) (*http.Response, error) {
			if w.authCalls() < 3 {
				time.Sleep(2 * time.Second)
			}
			return grantOf("made-up-token", "", 2), nil
		})
		_, err := w.conf.Token(w.ctx)
		assert.EqualError(t, err, "apivideo: authenticate: the answer (200 OK) is unusable: its token has expired on the way")
		tok, _ := mustToken(t, w.source())
		assert.True(t, time.Now().Before(tok.Expiry))
		assert.Equal(t, 3, w.authCalls())
	})
}

// Promise: An answer that never ends leaves no goroutine and no connection behind.
func TestAuthCallClosesTheBody(t *testing.T) {
	for _, status := range []int{200, 302, 401, 503} {
		body := &closing{Reader: strings.NewReader("{}")}
		_, err := tokenThrough(t, apivideo.Config{}, func(*http.Request) (*http.Response, error) {
			resp := answer(status, "application/json", "")
			resp.Body = body
			return resp, nil
		})
		require.Error(t, err)
		assert.EqualValues(t, 1, body.closed.Load(), status)
	}
}

const fileKey = "aMadeUpKeyOfAFile0123456789"

// utf16le is how PowerShell's > writes a file.
func utf16le(s string) string {
	b := []byte("\xff\xfe")
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

func newKeyFile(t *testing.T, content string) string {
	name := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

// Promise: The byte order mark and the line ends of a key file are ignored.
func TestKeyFileAsPeopleHaveThem(t *testing.T) {
	for _, content := range []string{fileKey, fileKey + "\n", fileKey + "\r\n", fileKey + "\n\n", "\xef\xbb\xbf" + fileKey + "\r\n"} {
		key, err := apivideo.KeyFile(newKeyFile(t, content))(t.Context())
		require.NoError(t, err, "%q", content)
		assert.Equal(t, fileKey, key)
	}
}

// eachMistake are the mistakes that people make with API keys, by what the
// error says of them.
var eachMistake = map[string][]string{
	"has an invisible character (U+200B); copy the key again":   {fileKey + "\u200b", "\u200b" + fileKey, fileKey[:5] + "\u200b" + fileKey[5:]},
	"has an invisible character (U+FEFF)":                       {fileKey[:5] + "\ufeff" + fileKey[5:]},
	"has quotes around it; remove them":                         {`"` + fileKey + `"`, "'" + fileKey + "'", "“" + fileKey + "”", "`" + fileKey + "`"},
	"has the name of a variable before the key; remove all":     {"APIVIDEO_API_KEY=" + fileKey, "export API_KEY=" + fileKey, "apiKey=" + fileKey, `APIVIDEO_API_KEY="` + fileKey + `"`},
	"has spaces around it; remove them":                         {" " + fileKey, fileKey + " ", "\u00a0" + fileKey},
	"has a space in it; an API key has none":                    {fileKey[:5] + " " + fileKey[5:], fileKey[:5] + "\u00a0" + fileKey[5:]},
	"has a character that no API key has (U+00E9)":              {fileKey + "é"},
	"is UTF-16; write it as plain text (UTF-8)":                 {utf16le(fileKey), utf16le(fileKey)[2:]},
	"has control characters, perhaps a line break; remove them": {fileKey + "\n" + fileKey, fileKey + "\x00", "\x1b[1m" + fileKey, fileKey + "\xff"},
}

// The messages say where the key is from and show no part of it. Nothing is
// sent.
//
// Promise: Each common mistake in a key or key file has its own message, which does not show the key.
func TestAPIKeyMistakes(t *testing.T) {
	ctx := through(t.Context(), func(*http.Request) (*http.Response, error) {
		t.Error("something was sent")
		return answer(500, "", ""), nil
	})
	for want, keys := range eachMistake {
		for _, key := range keys {
			name := newKeyFile(t, key+"\n")
			for place, conf := range map[string]apivideo.Config{
				"Config.APIKey":                 {APIKey: key},
				"Config.APIKeyFunc":             {APIKeyFunc: func(context.Context) (string, error) { return key, nil }},
				"of the key file " + name + " ": {APIKeyFunc: apivideo.KeyFile(name)},
			} {
				for call, f := range map[string]func() error{
					"Config": func() error { _, err := conf.Token(ctx); return err },
					"Source": func() error { _, err := conf.Source(ctx).Token(); return err },
				} {
					err := f()
					assert.ErrorIs(t, err, apivideo.ErrInvalidConfig, "%q: %s", key, call)
					require.ErrorContains(t, err, want, "%q", key)
					assert.ErrorContains(t, err, place)
					assert.NotContains(t, err.Error(), fileKey[:5])
				}
			}
		}
	}
}

// Promise: A key file that cannot be read is an `ErrInvalidConfig` that names the file.
func TestKeyFileThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing")
	for name, want := range map[string]string{
		missing:                           "cannot be read: " + whyNot(missing),
		dir:                               "cannot be read: " + whyNot(dir),
		newKeyFile(t, ""):                 "is empty; put the API key into it",
		newKeyFile(t, "\xef\xbb\xbf\r\n"): "is empty",
		newKeyFile(t, strings.Repeat("x", 4<<10+1)):      "is too long for an API key",
		newKeyFile(t, strings.Repeat("x", 4<<10)+"\n\n"): "is too long for an API key",
	} {
		_, err := apivideo.KeyFile(name)(t.Context())
		assert.ErrorIs(t, err, apivideo.ErrInvalidConfig)
		assert.ErrorContains(t, err, "the key file "+name+" "+want)
	}
}

// Promise: An error of a key file that may pass does not match ErrInvalidConfig.
func TestKeyFileErrorThatPasses(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows sets a process no limit of open files")
	}
	if name := os.Getenv("APIVIDEO_TEST_KEY_FILE"); name != "" {
		var open []*os.File
		for { // until no more files may be opened
			f, err := os.Open(name)
			if err != nil {
				break
			}
			open = append(open, f)
		}
		defer func() {
			for _, f := range open {
				f.Close()
			}
		}()
		_, err := apivideo.KeyFile(name)(t.Context())
		assert.ErrorContains(t, err, "apivideo: the key file "+name+" cannot be read: too many open files")
		assert.NotErrorIs(t, err, apivideo.ErrInvalidConfig)
		_, err = (&apivideo.Config{APIKeyFunc: apivideo.KeyFile(name)}).Source(t.Context()).Token()
		assert.ErrorContains(t, err, "apivideo: getting the API key: the key file")
		assert.NotErrorIs(t, err, apivideo.ErrInvalidConfig)
		return
	}
	child := exec.Command("sh", "-c", `ulimit -n 30; exec "$0" -test.run='^TestKeyFileErrorThatPasses$'`, os.Args[0])
	child.Env = append(os.Environ(), "APIVIDEO_TEST_KEY_FILE="+newKeyFile(t, "made-up-key"))
	out, err := child.CombinedOutput()
	require.NoError(t, err, string(out))
	if runtime.GOOS == "linux" { // this file exists, but has nothing at its start
		_, err = apivideo.KeyFile("/proc/self/mem")(t.Context())
		assert.ErrorContains(t, err, "cannot be read: input/output error")
		assert.NotErrorIs(t, err, apivideo.ErrInvalidConfig)
	}
	_, err = apivideo.KeyFile(filepath.Join(newKeyFile(t, "made-up-key"), "below"))(t.Context())
	assert.ErrorIs(t, err, apivideo.ErrInvalidConfig, "there is no such file")
}

// A pipe that nobody writes to, or a network file system that hangs.
//
// Promise: `APIKeyFunc`, and the methods of its error, can neither block nor panic a Source.
func TestKeyFileThatBlocks(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		key := w.conf.APIKey
		released, blocked := make(chan struct{}), false
		defer close(released)
		w.conf.APIKey, w.conf.APIKeyFunc = "", func(context.Context) (string, error) {
			if blocked {
				<-released
			}
			return key, nil
		}
		src, _ := w.warm(t)
		blocked = true
		_, took := mustRenew(t, src)
		assert.Equal(t, 5*time.Second, took, "then the last key is used")
		start := time.Now()
		_, err := w.conf.Token(w.ctx)
		assert.EqualError(t, err, "apivideo: getting the API key: no answer within 5s")
		assert.Equal(t, 5*time.Second, time.Since(start))
	})
}
