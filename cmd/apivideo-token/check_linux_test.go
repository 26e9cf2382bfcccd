package main

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
)

func TestCheckOfGoodSetup(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	cache := filepath.Join(u.env["XDG_CACHE_HOME"], "apivideo")
	want := "ok   key: APIVIDEO_API_KEY has the form of an API key\n" +
		"info proxy: none\n" +
		"ok   cache: " + cache + " can be written\n" +
		"ok   clock: within 30s of the service's\n"
	assert.Equal(t, want+"ok   service: "+u.env[baseURLVariable]+" accepts the key\n", u.ok("check"))
	token := u.token()
	assert.Equal(t, want+"ok   service: "+u.env[baseURLVariable]+" renewed the cached token; the key itself was not sent\n", u.ok("check"))
	assert.NotEqual(t, token, u.token(), "the new one is in the cache")
	u.token("-refresh")
	assert.Equal(t, apivideotest.Counters{AuthCalls: 3, Authenticated: 1, Refreshed: 2}, u.srv.Counters(), "nobody's refresh token was ended")
	assert.Contains(t, u.ok("check", "-no-cache"), "warn cache: none: -no-cache is set; each run makes an auth call\n")
}

// report runs check, which must fail with this status, and returns its lines.
func (u *user) report(status int, args ...string) string {
	u.t.Helper()
	r := u.run(append([]string{"check"}, args...)...)
	assert.Equal(u.t, status, r.status)
	u.checkLine(r.stderr)
	return r.stdout
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.setDate(time.Now().Add(2 * time.Hour))
	assert.Regexp(t, `\nwarn clock: (2h0m0s|1h5\dm\d+s) behind the service's; set it\n`, u.ok("check"))
	u.setDate(time.Now().Add(-2 * time.Hour))
	assert.Regexp(t, `\nwarn clock: (2h\dm\d+s|1h59m\d+s) ahead of the service's; set it\n`, u.ok("check"))
	u.setDate(time.Time{})

	u.env["HTTP_PROXY"] = "http://me:made-up-password@127.0.0.1:1" // Go asks none for loopback hosts
	assert.Contains(t, u.ok("check"), "\ninfo proxy: none\n")
	u.srv.SetSuspended(true)
	assert.Contains(t, u.report(77), "\nfail service: "+u.env[baseURLVariable]+" gave no token\n")
	u.srv.SetSuspended(false)
	u.env[keyVariable] = "made-up-key-of-nobody"
	assert.Contains(t, u.report(77), "\nfail service: "+u.env[baseURLVariable]+" refuses the key\n")
	u.env[baseURLVariable] = "http://127.0.0.1:1"
	down := u.report(75)
	assert.Contains(t, down, "\ninfo clock: unknown, no answer had a date\n")
	assert.Contains(t, down, " gave no token\n")
	u.env[keyVariable] += " "
	assert.Empty(t, u.report(78))
}

func TestCheckAsksOtherEnvironment(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	production, sandbox := apivideotest.NewServer(), apivideotest.NewServer()
	defer production.Close()
	defer sandbox.Close()
	u.internet(map[string]http.Handler{"ws.api.video": production, "sandbox.api.video": sandbox})

	u.env[keyVariable] = sandbox.Config().APIKey
	lines := u.report(77)
	assert.Contains(t, lines, "\nfail service: production refuses the key, but the sandbox accepts it: use -sandbox\n")
	assert.Contains(t, lines, "\ninfo proxy: http://127.0.0.1:")
	assert.NotContains(t, lines, "made-up-password")
	assert.Contains(t, u.ok("check", "-sandbox"), "\nok   service: sandbox renewed the cached token")
	u.env[keyVariable] = production.Config().APIKey
	assert.Contains(t, u.report(77, "-sandbox"), "\nfail service: sandbox refuses the key, but production accepts it: leave out -sandbox\n")
	u.env[keyVariable] = "made-up-key-of-nobody"
	assert.Contains(t, u.report(77), "\nfail service: production refuses the key, and so does the sandbox\n")
}
