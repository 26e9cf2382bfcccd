package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func (u *user) status(args ...string) (r report) {
	u.t.Helper()
	require.NoError(u.t, json.Unmarshal([]byte(u.ok(append([]string{"status", "-json"}, args...)...)), &r))
	return r
}

func TestStatusMakesNoAuthCall(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.keyFile(u.key())
	cache := filepath.Join(u.env["XDG_CACHE_HOME"], "apivideo")
	none := u.status()
	assert.Regexp(t, `^[0-9a-f]{8}$`, none.Account)
	assert.Equal(t, report{Environment: u.env[baseURLVariable], Account: none.Account, Key: u.env[keyFileVariable], Cache: cache}, none)
	assert.NoDirExists(t, cache)
	assert.Zero(t, u.srv.Counters())

	u.token()
	before := u.files()
	some := u.status()
	expiry, err := time.Parse(time.RFC3339, some.Expiry)
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(time.Hour), expiry, patience)
	some.Expiry = ""
	assert.Equal(t, none, some)
	assert.Equal(t, before, u.files())
	assert.Equal(t, apivideotest.Counters{AuthCalls: 1, Authenticated: 1}, u.srv.Counters())
	text := u.ok("status")
	assert.Regexp(t, `(?m)^account      `+none.Account+`$`, text)
	assert.Regexp(t, `(?m)^token        expires at .*Z, in (1h0m0s|5\dm\d+s)$`, text)
	for _, secret := range u.secrets() {
		assert.NotContains(t, text, secret)
	}

	delete(u.env, keyFileVariable)
	u.env[keyVariable] = "made-up-key-of-another"
	other := u.status("-no-cache")
	assert.NotEqual(t, none.Account, other.Account)
	assert.Equal(t, report{Environment: u.env[baseURLVariable], Account: other.Account, Key: keyVariable, Unused: "-no-cache is set"}, other)
}

// Promise: `status` says which failure a run now would meet, without a call.
func TestStatusSaysWhatRunsMeet(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	assert.Empty(t, u.status().Error, "nothing is known")
	u.srv.SetSuspended(true)
	line := u.failure(77, "-timeout=5m")
	assert.Equal(t, strings.TrimPrefix(line, "apivideo-token: "), u.status().Error, "the failure that runs share")
	assert.Contains(t, u.ok("status"), "\nerror        authenticate: 403 Forbidden: Suspended account; ask the support of api.video\n")
	assert.Empty(t, u.status("-no-cache").Error, "which other runs do not see")
	u.srv.SetSuspended(false)
	u.ok("check")
	assert.Empty(t, u.status().Error)
	assert.Contains(t, u.ok("status"), "\nerror        none\n")
	calls := u.srv.Counters().AuthCalls
	u.status()
	assert.Equal(t, calls, u.srv.Counters().AuthCalls)
}

func TestStatusNamesEnvironment(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	delete(u.env, baseURLVariable)
	assert.Equal(t, "production", u.status().Environment)
	assert.Equal(t, "sandbox", u.status("-sandbox").Environment)
	u.env[baseURLVariable] = "http://ws.api.video"
	assert.Contains(t, u.failure(78, "status"), "must begin with https://")
}

func TestLogoutEmptiesCache(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	assert.Empty(t, u.ok("logout"), "of a cache that is not there")
	first := u.token()
	cache := filepath.Join(u.env["XDG_CACHE_HOME"], "apivideo")
	other := filepath.Join(cache, "other")
	require.NoError(t, os.WriteFile(other, nil, 0o600))
	assert.Empty(t, u.ok("logout"))
	for name, content := range u.files() {
		assert.Empty(t, content, name)
	}
	assert.FileExists(t, other)
	assert.NotEqual(t, first, u.token())
	delete(u.env, "HOME")
	delete(u.env, "XDG_CACHE_HOME")
	assert.Contains(t, u.failure(78, "logout"), "there is no cache: ")
}

func TestVerboseExplainsCache(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	r := u.run("-v")
	assert.Equal(t, 0, r.status)
	assert.Contains(t, r.stderr, "apivideo-token: cache: "+filepath.Join(u.env["XDG_CACHE_HOME"], "apivideo")+"\n")
	assert.Regexp(t, `apivideo-token: cache: no token for account [0-9a-f]{8}\n`, r.stderr)
	assert.Regexp(t, `apivideo-token: cache: stored a new token for account [0-9a-f]{8}\n`, r.stderr)
	assert.Contains(t, r.stderr, `msg="api.video: new access token"`)
	again := u.run("-v")
	assert.Equal(t, r.stdout, again.stdout)
	assert.Regexp(t, `apivideo-token: cache: found a token for account [0-9a-f]{8}\n`, again.stderr)
	for _, secret := range u.secrets() {
		assert.NotContains(t, r.stderr+again.stderr, secret)
	}

	home, cache := u.env["HOME"], u.env["XDG_CACHE_HOME"]
	delete(u.env, "HOME")
	delete(u.env, "XDG_CACHE_HOME")
	assert.Contains(t, u.run("-v").stderr, "cache: none: neither $XDG_CACHE_HOME nor $HOME are defined\n")
	u.env["HOME"], u.env["XDG_CACHE_HOME"] = home, "cache"
	relative := u.run("-v").stderr
	assert.Contains(t, relative, "cache: none: path in $XDG_CACHE_HOME is relative\n")
	assert.Contains(t, relative, `msg="api.video: new access token"`, "though the program ends at once")
	u.env["XDG_CACHE_HOME"] = filepath.Join(cache, "file")
	require.NoError(t, os.WriteFile(u.env["XDG_CACHE_HOME"], nil, 0o600))
	r = u.run("-v")
	assert.Equal(t, 0, r.status)
	assert.Regexp(t, `cache: (cannot write|not used): .*not a directory\n`, r.stderr)
}
