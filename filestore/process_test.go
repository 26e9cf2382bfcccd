package filestore_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/filestore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// newServer starts a server, and makes the job of a child that uses it.
func newServer(t *testing.T, role string) (*apivideotest.Server, job) {
	srv := apivideotest.NewServer()
	t.Cleanup(srv.Close)
	srv.HandleFunc("GET /videos", func(http.ResponseWriter, *http.Request) {})
	conf := srv.Config()
	return srv, job{Role: role, Dir: filepath.Join(t.TempDir(), "store"), BaseURL: conf.BaseURL, APIKey: conf.APIKey}
}

func TestAHundredProcessesStartWithOneExchange(t *testing.T) {
	srv, j := newServer(t, "token")
	srv.SetAuthLatency(200 * time.Millisecond)
	children := startReady(t, 100, j)
	began := time.Now()
	for _, c := range children {
		c.goAhead(t)
	}
	tokens := make(map[string]int)
	for _, c := range children {
		r := report[tokenReport](t, c)
		assert.Empty(t, r.Error)
		tokens[r.AccessToken]++
	}
	t.Log("all have a token after", time.Since(began))
	assert.Len(t, tokens, 1)
	assert.Equal(t, apivideotest.Counters{AuthCalls: 1, Authenticated: 1}, srv.Counters())
	assertSealed(t, j)
}

func TestRenewalsAndARevocationCostTwentyProcessesOneCallEach(t *testing.T) {
	srv, j := newServer(t, "requests")
	srv.SetLifetime(8 * time.Second) // renewed when 6 to 6.4 seconds old
	children := startReady(t, 20, j)
	for _, c := range children {
		c.goAhead(t)
	}
	calls := 0
	oneMoreCall := func(why string) {
		t.Helper()
		calls++
		require.Eventually(t, func() bool { return srv.Counters().AuthCalls >= calls }, 20*time.Second, 10*time.Millisecond, why)
		time.Sleep(1500 * time.Millisecond) // for more calls than there should be
		require.Equal(t, calls, srv.Counters().AuthCalls, why)
	}
	oneMoreCall("the start")
	for range 3 {
		oneMoreCall("a renewal")
	}
	srv.RevokeAccessTokens()
	oneMoreCall("a revocation")
	for _, c := range children {
		require.NoError(t, c.stdin.Close())
	}
	served := 0
	for _, c := range children {
		r := report[requestsReport](t, c)
		assert.Empty(t, r.Failures)
		assert.Greater(t, r.Served, 50)
		served += r.Served
	}
	t.Logf("%d requests served; %+v", served, srv.Counters())
	assertSealed(t, j)
}

func TestAProcessKilledInItsExchangeDelaysTheOthersBriefly(t *testing.T) {
	const latency = 2 * time.Second
	srv, j := newServer(t, "token")
	srv.SetAuthLatency(latency)
	children := startReady(t, 10, j)
	victim, others := children[0], children[1:]
	victim.goAhead(t)
	require.Eventually(t, func() bool { return srv.Counters().AuthCalls == 1 }, 10*time.Second, time.Millisecond)
	for _, c := range others {
		c.goAhead(t)
	}
	time.Sleep(500 * time.Millisecond) // for the others to begin their wait
	victim.kill()
	killed := time.Now()
	for _, c := range others {
		assert.Empty(t, report[tokenReport](t, c).Error)
	}
	took := time.Since(killed)
	t.Log("all others have a token after", took)
	assert.Less(t, took, latency+time.Second)
	assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 1}, srv.Counters())
}

func TestAKilledHolderFreesTheLock(t *testing.T) {
	dir, key := t.TempDir(), randomKey()
	s := filestore.New(dir)
	store(t, s, key, "old")
	holder := startReady(t, 1, job{Role: "holder", Dir: dir, Key: key})[0]
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := s.Update(ctx, key, func(context.Context, []byte) ([]byte, error) { return []byte("stolen"), nil })
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Equal(t, "old", load(t, s, key))

	holder.kill()
	killed := time.Now()
	store(t, s, key, "new")
	t.Log("the lock was free after", time.Since(killed))
	assert.Less(t, time.Since(killed), 5*time.Second)
	assert.Equal(t, "new", load(t, s, key))
}

func TestAFlippedBitCostsOneAuthCall(t *testing.T) {
	srv, j := newServer(t, "")
	token(t, j.config())
	path := filepath.Join(j.Dir, list(t, j.Dir)[0].Name())
	calls := srv.Counters().AuthCalls
	for _, part := range []float64{0, 0.001, 0.005, 0.01, 0.1, 0.5, 0.9, 0.995, 0.9999} {
		running := j.config().Source(t.Context())
		before, err := running.Token()
		require.NoError(t, err)
		value, err := os.ReadFile(path)
		require.NoError(t, err)
		i := int(part * float64(len(value))) // in the version, the nonce, the text, the tag
		value[i] ^= 1 << (i % 8)
		require.NoError(t, os.WriteFile(path, value, 0o600))

		got := token(t, j.config())
		calls++
		assert.Equal(t, calls, srv.Counters().AuthCalls)
		assert.Equal(t, got, token(t, j.config()), "the value is whole again")
		after, err := running.Token()
		require.NoError(t, err)
		assert.Equal(t, before.AccessToken, after.AccessToken, "who has a token does not notice")
		assert.Equal(t, calls, srv.Counters().AuthCalls)
	}
}

// token gets the token of a process that has just started.
func token(t *testing.T, conf *apivideo.Config) string {
	t.Helper()
	tok, err := conf.Source(t.Context()).Token()
	require.NoError(t, err)
	return tok.AccessToken
}

// assertSealed fails the test if a part of the API key or of the tokens in the
// store is in a file or a file name.
func assertSealed(t *testing.T, j job) {
	t.Helper()
	conf := j.config()
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, apivideotest.NewUnstartedServer().Client())
	tok, err := conf.Source(ctx).Token()
	require.NoError(t, err, "the token is not in the store")
	require.NotEmpty(t, tok.RefreshToken)
	var found bytes.Buffer
	for _, f := range list(t, j.Dir) {
		found.WriteString(f.Name() + "\n")
		content, err := os.ReadFile(filepath.Join(j.Dir, f.Name()))
		require.NoError(t, err)
		found.Write(content)
		found.WriteByte('\n')
	}
	assert.Greater(t, found.Len(), len(tok.AccessToken)+len(tok.RefreshToken), "the tokens are in it")
	for _, secret := range []string{j.APIKey, tok.AccessToken, tok.RefreshToken} {
		for _, form := range []string{
			secret, hex.EncodeToString([]byte(secret)),
			base64.StdEncoding.EncodeToString([]byte(secret)), base64.URLEncoding.EncodeToString([]byte(secret)),
		} {
			const part = 6 // bytes: fewer are there by chance
			for i := 0; i+part <= len(form); i++ {
				require.NotContains(t, found.String(), form[i:i+part])
			}
		}
	}
}
