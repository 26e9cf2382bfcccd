package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCheckOfGoodSetup(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	cache := filepath.Join(u.env["XDG_CACHE_HOME"], "apivideo")
	want := "ok   key: APIVIDEO_API_KEY has the form of an API key\n" +
		"info proxy: none\n" +
		"info roots: the system's\n" +
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

// Promise: A flag of the program works before the name of a command too; one without a meaning for the command is refused, and is not in its help.
func TestFlagBeforeItsCommand(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	assert.Equal(t, u.ok("status", "-json"), u.ok("-json", "status"))
	assert.Contains(t, u.ok("-timeout", "5m", "check"), "accepts the key\n")
	u.fail(apivideotest.Hang)
	assert.Contains(t, u.report(75, "-timeout", "500ms"), "key: ")
	r := u.run("-timeout=500ms", "check")
	assert.Equal(t, 75, r.status)
	assert.Contains(t, r.stderr, "no answer within 500ms")
}

// namespaces returns cmd as root of new namespaces: it may mount file
// systems that nobody else sees. setup is a script that runs before. The test is
// skipped where the system allows no namespaces. It runs in the gate.
func namespaces(t *testing.T, cmd *exec.Cmd, flags, setup string) *exec.Cmd {
	t.Helper()
	if err := exec.Command("unshare", "-rm", "true").Run(); err != nil {
		t.Skip("needs namespaces: ", err)
	}
	unshare, err := exec.LookPath("unshare")
	require.NoError(t, err)
	args := append(strings.Fields("unshare -rm "+flags), "sh", "-ec", setup+`; exec "$0" "$@"`)
	cmd.Path, cmd.Args = unshare, append(args, cmd.Args...)
	if !slices.ContainsFunc(cmd.Env, func(entry string) bool { return strings.HasPrefix(entry, "PATH=") }) {
		cmd.Env = append(cmd.Env, "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
	}
	return cmd
}

// Promise: `check` stores a value as large as a token may be, and leaves nothing behind.
func TestCheckOnFullDisk(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	cache := filepath.Join(u.env["XDG_CACHE_HOME"], "apivideo")
	require.NoError(t, os.MkdirAll(cache, 0o700))
	check := func(setup string) string {
		out, err := namespaces(t, u.command("check"), "", "mount -t tmpfs -o size=256k none "+cache+"; "+setup).Output()
		require.NoError(t, err)
		return string(out)
	}
	const full = ` cannot be written: .*no space left on device; each run makes an auth call\n`
	assert.Regexp(t, `warn cache: `+cache+full, check("head -c 256k /dev/zero >"+cache+"/full || true"))
	assert.Regexp(t, `warn cache: `+cache+full, check("head -c 220k /dev/zero >"+cache+"/nearly"), "room for a small file only")
	assert.Contains(t, check(":"), "\nok   cache: "+cache+" can be written\n")
}

// Promise: `check` stores a value as large as a token may be, and leaves nothing behind.
func TestCheckLeavesOnlyTheToken(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.ok("check")
	assert.Len(t, u.files(), 2, "the value and its lock")
}

// Promise: Built-in root certificates are used where the system has none, even if `/etc/ssl` exists.
func TestRootsBuiltIn(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	check := func(setup string) string {
		out, err := namespaces(t, u.command("check"), "", setup).Output()
		require.NoError(t, err)
		return string(out)
	}
	const builtIn = "\ninfo roots: built in, the system has none\n"
	assert.NotContains(t, check(":"), builtIn)
	const debianSlim = "for d in /etc/ssl /etc/pki; do [ ! -d $d ] || mount -t tmpfs none $d; done; mkdir -p /etc/ssl/certs /etc/ssl/private; touch /etc/ssl/openssl.cnf"
	assert.Contains(t, check(debianSlim), builtIn)
	assert.Contains(t, check(debianSlim+"; : >/etc/ssl/certs/ca-certificates.crt"), builtIn)
	assert.Contains(t, check(debianSlim+"; export SSL_CERT_FILE="+filepath.Join(t.TempDir(), "none")), "\ninfo roots: from SSL_CERT_FILE; it is set, but cannot be read: no such file or directory\n")
}

// Promise: An unknown certificate authority is exit status 78, and the message names `SSL_CERT_FILE`.
func TestUnknownAuthorityIsASetting(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.internet(map[string]http.Handler{"ws.api.video": u.srv})
	file := u.env["SSL_CERT_FILE"]
	delete(u.env, "SSL_CERT_FILE")
	const advice = "certificate signed by unknown authority; if your network has its own certificate authority, set SSL_CERT_FILE to the file of its certificates"
	assert.Contains(t, u.failure(78, "-no-cache"), advice)
	r := u.run("check", "-no-cache")
	assert.Equal(t, 78, r.status)
	assert.Contains(t, r.stderr, advice)
	u.env["SSL_CERT_FILE"] = file
	u.token("-no-cache")
}
