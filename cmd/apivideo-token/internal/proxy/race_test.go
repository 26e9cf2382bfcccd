package proxy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// minute is how long the storm lasts; 5 s with -short.
func minute() time.Duration {
	if testing.Short() {
		return 5 * time.Second
	}
	return time.Minute
}

// program is a client that logs in, and logs in again if the secret has changed.
type program struct {
	*rig
	client *http.Client
	secret *atomic.Pointer[string] // the current one
	mine   string                  // the one that token is for
	token  string
}

func (p *program) send(method, path, authorization string, body []byte) (status int, text string, err error) {
	req, err := http.NewRequest(method, p.proxy.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(answer), err
}

// call makes a request. An answer 401 is right only if the secret has changed.
func (p *program) call(method, path string, body []byte) error {
	for {
		status, text, err := p.send(method, path, "Bearer "+p.token, body)
		if err != nil || status < 400 {
			return err
		}
		now := *p.secret.Load()
		if status != 401 || !strings.Contains(text, "authentication-invalid-access-token") || now == p.mine {
			return fmt.Errorf("%s %s: %d %s", method, path, status, text)
		}
		status, text, err = p.send(http.MethodPost, "/auth/api-key", "", []byte(`{"apiKey":"`+now+`"}`))
		if err != nil {
			return err
		}
		if status == 401 && *p.secret.Load() != now {
			continue // changed once more
		}
		var tokens struct {
			Access string `json:"access_token"`
		}
		if err := json.Unmarshal([]byte(text), &tokens); err != nil || status != 200 {
			return fmt.Errorf("login: %d %s", status, text)
		}
		p.mine, p.token = now, tokens.Access
	}
}

// 200 clients, while tokens are revoked, the secret changes, and the auth service
// fails: no request of a client that has the secret fails.
//
// Promise: No request with the secret fails during revocations, changes of the secret, and outages.
func TestStormFailsNoRequest(t *testing.T) {
	r := newRig(t)
	r.srv.HandleFunc("GET /videos", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "page") })
	r.srv.HandleFunc("POST /videos", func(w http.ResponseWriter, req *http.Request) { io.Copy(w, req.Body) })
	var secrets atomic.Pointer[string]
	secrets.Store(new(secret))
	var over atomic.Bool
	transport := &http.Transport{MaxIdleConnsPerHost: 200}
	defer transport.CloseIdleConnections()
	requests := make([]atomic.Int64, 200) // of each client
	var wg sync.WaitGroup
	for i := range requests {
		p := &program{rig: r, client: &http.Client{Transport: transport}, secret: &secrets}
		wg.Go(func() {
			body := bytes.Repeat([]byte("b"), 1+i*1000)
			for !over.Load() {
				method, sent := http.MethodGet, []byte(nil)
				if i%4 == 0 {
					method, sent = http.MethodPost, body
				}
				if !assert.NoError(t, p.call(method, "/videos", sent)) {
					return
				}
				requests[i].Add(1)
			}
		})
	}
	events := r.storm(&secrets, requests)
	over.Store(true)
	wg.Wait()
	total := int64(0)
	for i := range requests {
		total += requests[i].Load()
	}
	c := r.srv.Counters()
	t.Logf("%d requests, %d revocations, changes and outages, %d auth calls, %d refused", total, events, c.AuthCalls, c.Unauthorized)
	assert.Equal(t, c.AuthCalls, c.Authenticated+c.Refreshed, "no request needed a token during an outage")
}

// storm does harm for a minute, and three times at least. No request meets two revocations: one that meets
// many on a slow machine would fail directly, too.
func (r *rig) storm(secrets *atomic.Pointer[string], requests []atomic.Int64) (events int) {
	renewed := func(before int) func() bool {
		return func() bool { c := r.srv.Counters(); return c.Authenticated+c.Refreshed > before }
	}
	for end := time.Now().Add(minute()); events < 3 || time.Now().Before(end); events++ {
		c := r.srv.Counters()
		r.srv.RevokeAccessTokens()
		require.Eventually(r.t, renewed(c.Authenticated+c.Refreshed), time.Minute, time.Millisecond)
		next := fmt.Sprintf("made-up-secret-number-%d", events)
		secrets.Store(&next) // as a file that is read a moment later
		require.NoError(r.t, r.handler.SetSecret(next))
		r.srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return apivideotest.Status(503) })
		time.Sleep(200 * time.Millisecond)
		r.srv.FailFunc(nil)
		before := make([]int64, len(requests))
		for i := range requests {
			before[i] = requests[i].Load()
		}
		for i := range requests {
			for requests[i].Load() == before[i] && !r.t.Failed() {
				time.Sleep(time.Millisecond)
			}
		}
	}
	return events
}
