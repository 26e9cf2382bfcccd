package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTokenKeptForNextRun(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	first := u.token()
	assert.Equal(t, first, u.token())
	assert.Equal(t, apivideotest.Counters{AuthCalls: 1, Authenticated: 1}, u.srv.Counters())
}

func TestTokenFiftyRunsMakeOneAuthCall(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	tokens := u.together(50, "-timeout=5m")
	assert.Len(t, tokens, 1, "they print the same token")
	assert.Equal(t, 1, u.srv.Counters().AuthCalls)
}

// together runs the program n times at once and returns what it printed.
func (u *user) together(n int, args ...string) map[string]bool {
	var mu sync.Mutex
	var wg sync.WaitGroup
	printed := map[string]bool{}
	for range n {
		wg.Go(func() {
			r := u.run(args...)
			mu.Lock()
			defer mu.Unlock()
			assert.Equal(u.t, result{0, r.stdout, ""}, r)
			printed[r.stdout] = true
		})
	}
	wg.Wait()
	return printed
}

func TestCacheIsPrivateAndHasNoSecret(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.token()
	u.token("-refresh")
	secrets := u.secrets()
	require.Len(t, secrets, 5, "the key, and two tokens of both kinds")
	files := u.files()
	assert.NotEmpty(t, files)
	for name, content := range files {
		for _, secret := range secrets {
			assert.NotContains(t, content, secret)
			assert.NotContains(t, name, secret)
		}
	}
	cache := filepath.Join(u.env["XDG_CACHE_HOME"], "apivideo")
	if info, err := os.Stat(cache); err == nil && runtime.GOOS != "windows" { // elsewhere on other systems
		assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	}
}

func TestNoCacheKeepsNothing(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	first := u.token("-no-cache")
	assert.NotEqual(t, first, u.token("-no-cache"))
	assert.Equal(t, 2, u.srv.Counters().Authenticated)
	assert.Empty(t, u.files())
}

func TestCacheUnusableStillPrintsToken(t *testing.T) {
	for name, spoil := range map[string]func(u *user){
		"the folder is a file": func(u *user) {
			require.NoError(u.t, os.WriteFile(u.env["XDG_CACHE_HOME"], nil, 0o600))
		},
		"there is no home": func(u *user) {
			delete(u.env, "HOME")
			delete(u.env, "XDG_CACHE_HOME")
			delete(u.env, "LocalAppData")
		},
		"the name is relative": func(u *user) { u.env["XDG_CACHE_HOME"] = "cache" },
		"what is there is no token": func(u *user) {
			u.token()
			for name := range u.files() {
				require.NoError(u.t, os.WriteFile(name, []byte("no token"), 0o600))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			spoil(u)
			u.token()
		})
	}
}

func TestRefreshReplacesRevokedToken(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	revoked := u.token()
	u.srv.RevokeAccessTokens()
	assert.Equal(t, revoked+"\n", u.ok(), "nothing tells it that the token was revoked")
	renewed := u.token("-refresh")
	assert.NotEqual(t, revoked, renewed)
	assert.Equal(t, renewed, u.token(), "the new one is kept")
	assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 1, Refreshed: 1}, u.srv.Counters())
}

func TestMinTTLRenewsShorterToken(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.srv.SetLifetime(5 * time.Minute)
	short := u.token()
	assert.Equal(t, short, u.token("-min-ttl", "4m"))
	u.srv.SetLifetime(time.Hour)
	long := u.token("-min-ttl", "10m")
	assert.NotEqual(t, short, long)
	assert.Equal(t, long, u.token("-min-ttl", "10m"))
	assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 1, Refreshed: 1}, u.srv.Counters())
}

func TestMinTTLTwentyRunsMakeOneAuthCall(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.srv.SetLifetime(5 * time.Minute)
	u.token()
	u.srv.SetLifetime(time.Hour)
	assert.Len(t, u.together(20, "-min-ttl=10m", "-timeout=5m"), 1)
	assert.Equal(t, 2, u.srv.Counters().AuthCalls)
}

func TestMinTTLFailsIfNewTokenIsShorter(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	const line = "apivideo-token: a new token lives for only 1h0m0s; use a shorter -min-ttl"
	assert.Equal(t, line, u.failure(1, "-min-ttl=2h"))
	assert.Equal(t, line, u.failure(1, "-min-ttl=2h", "-refresh"))
	u.token()
}

func TestHeaderFormat(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.srv.HandleFunc("GET /videos", func(http.ResponseWriter, *http.Request) {})
	printed := u.ok("-header")
	header, err := textproto.NewReader(bufio.NewReader(strings.NewReader(printed + "\n"))).ReadMIMEHeader()
	require.NoError(t, err)
	require.Len(t, header, 1)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.srv.URL+"/videos", nil)
	require.NoError(t, err)
	req.Header = http.Header(header)
	resp, err := u.srv.Client().Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	assert.Equal(t, "Authorization: Bearer "+u.token()+"\n", printed)
}

func TestJSONFormat(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	printed := u.ok("-json")
	assert.Regexp(t, `^\{[^\n]*\}\n$`, printed)
	var got map[string]string
	require.NoError(t, json.Unmarshal([]byte(printed), &got))
	expiry, err := time.Parse(time.RFC3339, got["expiry"])
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(time.Hour), expiry, time.Minute)
	assert.Equal(t, map[string]string{"access_token": u.token(), "token_type": "Bearer", "expiry": got["expiry"]}, got)
}

func TestKeyFileLineEndings(t *testing.T) {
	for name, content := range map[string]string{"plain": "", "a line": "\n", "a line of Windows": "\r\n", "empty lines": "\n\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			u.keyFile(u.key() + content)
			u.token("-no-cache")
		})
	}
}

// keyFile puts the API key into a file instead of the environment.
func (u *user) keyFile(content string) {
	name := filepath.Join(u.t.TempDir(), "key")
	require.NoError(u.t, os.WriteFile(name, []byte(content), 0o600))
	delete(u.env, keyVariable)
	u.env[keyFileVariable] = name
}

func TestSandboxFlagChoosesBaseURL(t *testing.T) {
	for flags, host := range map[string]string{"": "ws.api.video:443", "-sandbox": "sandbox.api.video:443"} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			asked := make(chan string, 10)
			u.proxy(func(w http.ResponseWriter, r *http.Request) {
				asked <- r.Host
				w.WriteHeader(http.StatusBadGateway)
			})
			assert.Contains(t, u.failure(75, strings.Fields(flags)...), "; check the network, the proxy and APIVIDEO_BASE_URL")
			assert.Equal(t, host, <-asked)
		})
	}
}

func TestVersionFlag(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	delete(u.env, keyVariable)
	assert.Equal(t, "apivideo-token (devel)\n", u.ok("-version"))
}
