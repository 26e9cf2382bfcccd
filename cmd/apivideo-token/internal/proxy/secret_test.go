package proxy_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/proxy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// local is a proxy without a network.
type local struct {
	t   *testing.T
	srv *apivideotest.Server
	*proxy.Proxy
}

func newLocal(t *testing.T) local {
	srv := apivideotest.NewUnstartedServer()
	p, err := proxy.New(proxy.Config{
		Source: srv.Config().Source(srv.Context(t.Context())), BaseURL: srv.URL, Secret: secret,
		Hosts: []string{"localhost"}, Base: srv.Transport(),
	})
	require.NoError(t, err)
	return local{t, srv, p}
}

func (p local) do(method, path, authorization, body string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, req)
	return w
}

// login returns the tokens that a login with a secret gets.
func (p local) login(secret string) (access, refresh string) {
	p.t.Helper()
	w := p.do("POST", "/auth/api-key", "", `{"apiKey":"`+secret+`"}`)
	require.Equal(p.t, 200, w.Code)
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	require.NoError(p.t, json.Unmarshal(w.Body.Bytes(), &tokens))
	return tokens.Access, tokens.Refresh
}

func (p local) status(authorization string) int {
	return p.do("GET", "/videos", authorization, "").Code
}

func (p local) refreshes(token string) int {
	return p.do("POST", "/auth/refresh", "", `{"refreshToken":"`+token+`"}`).Code
}

// Promise: The proxy's tokens end with the secret, and after an hour.
func TestTokensEndAfterAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newLocal(t)
		access, refresh := p.login(secret)
		time.Sleep(time.Hour - time.Second)
		assert.Equal(t, 200, p.status("Bearer "+access))
		assert.Equal(t, 200, p.refreshes(refresh), "in time, as the service takes it")
		time.Sleep(time.Second)
		assert.Equal(t, 401, p.status("Bearer "+access))
		assert.Equal(t, 401, p.refreshes(refresh))
		assert.Equal(t, 401, p.status("Bearer "+refresh))
	})
}

// Promise: The proxy's tokens end with the secret, and after an hour.
func TestTokensEndWithTheSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newLocal(t)
		access, refresh := p.login(secret)
		assert.Equal(t, 200, p.status("Bearer "+access))
		const next = "another-made-up-secret"
		require.NoError(t, p.SetSecret(next))
		assert.Equal(t, 401, p.status("Bearer "+access))
		assert.Equal(t, 401, p.refreshes(refresh))
		assert.Equal(t, 401, p.do("POST", "/auth/api-key", "", `{"apiKey":"`+secret+`"}`).Code)
		access, refresh = p.login(next)
		assert.Equal(t, 200, p.status("Bearer "+access))
		assert.Equal(t, 200, p.refreshes(refresh))
		assert.Error(t, p.SetSecret(""))
		assert.Equal(t, 200, p.status("Bearer "+access))
	})
}

// A proxy that restarts with the same secret takes the tokens of the earlier one.
func TestTokensSurviveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		access, _ := newLocal(t).login(secret)
		assert.Equal(t, http.StatusOK, newLocal(t).status("Bearer "+access))
		forged := strings.Repeat("7f", 8) + access[16:]
		assert.Equal(t, http.StatusUnauthorized, newLocal(t).status("Bearer "+forged), "of a later expiry")
	})
}
