package soak_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"golang.org/x/oauth2"
)

// rig is a Source and a Transport whose every word with the service, and
// whose every answer to a caller, the model hears.
type rig struct {
	*model
	srv    *apivideotest.Server
	src    *apivideo.Source
	client *http.Client
	logged *log
}

// newRig makes one whose calls go through base. The Source is made with ctx.
func newRig(ctx context.Context, srv *apivideotest.Server, base http.RoundTripper, slack time.Duration) *rig {
	srv.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	conf := srv.Config()
	g := &rig{
		model:  &model{slack: slack, secrets: map[string]bool{conf.APIKey: true}, tokens: map[string]*known{}, spent: map[string]bool{}},
		srv:    srv,
		logged: &log{},
	}
	conf.Logger = slog.New(slog.NewTextHandler(g.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	g.src = conf.Source(context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: authTap{g.model, base}}))
	g.client = &http.Client{Transport: &apivideo.Transport{Source: g.src, Base: apiTap{g.model, base}}}
	return g
}

// report fails the test if a promise was broken.
func (g *rig) report(t *testing.T) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	seen := map[string]bool{}
	for _, f := range g.faults {
		if !seen[f] && len(seen) < 10 {
			t.Error(f)
		}
		seen[f] = true
	}
	assert.False(t, g.tells(g.logged.String()), "a secret in the log")
}

// body is that of a request.
type body int

const (
	none       body = iota
	rewindable      // with a GetBody
	stream          // that cannot be had again
)

// request is one request of a caller, and what was known when it began.
type request struct {
	from                                         time.Time
	body                                         body
	latest                                       *known
	lived, served, refused, invalidated, failing bool
	sent                                         []*known // the token of each attempt
}

type requestKey struct{}

// call makes a request and has it judged. It returns the status, 0 if there
// was none.
func (g *rig) call(ctx context.Context, b body) int {
	r := &request{from: time.Now(), body: b}
	g.mu.Lock()
	g.start(r)
	g.mu.Unlock()
	const text = "a body that must arrive whole"
	var content io.Reader
	switch b {
	case rewindable:
		content = strings.NewReader(text)
	case stream:
		content = io.LimitReader(strings.NewReader(text), int64(len(text)))
	}
	req, _ := http.NewRequestWithContext(context.WithValue(ctx, requestKey{}, r), http.MethodPost, g.srv.URL+"/echo", content)
	status, echo := 0, ""
	resp, err := g.client.Do(req)
	if err == nil {
		var data []byte
		data, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		status, echo = resp.StatusCode, string(data)
	}
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.finish(ctx, r, status, err, now)
	if err == nil && status == http.StatusOK && b != none && echo != text {
		g.fault("the body arrived as %q", echo)
	}
	return status
}

// renew calls Source.Renew and judges what it returns.
func (g *rig) renew(ctx context.Context) {
	r := &request{from: time.Now()}
	g.mu.Lock()
	g.start(r)
	g.renewing++
	g.wanted = true
	g.mu.Unlock()
	tok, err := g.src.Renew(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.renewing--
	if err != nil {
		g.judgeError(ctx, r, err)
	} else if k := g.tokens[tok.AccessToken]; k == nil || k.obtained.Add(g.slack).Before(r.from) {
		g.fault("Renew returned a token that is not new")
	}
}

// invalidate reports a token to the Source that it has just handed out.
func (g *rig) invalidate(ctx context.Context) {
	tok, err := g.src.TokenContext(ctx)
	if err != nil {
		return
	}
	g.mu.Lock()
	k := g.tokens[tok.AccessToken]
	if k == nil {
		g.fault("the Source hands out a token that nobody issued")
		k = new(known)
	}
	k.doubted = true
	g.mu.Unlock()
	g.src.Invalidate(tok)
	g.mu.Lock()
	defer g.mu.Unlock()
	k.invalidated = true
}

func (g *rig) revoke() {
	s := &span{from: time.Now(), to: time.Now().Add(time.Hour)} // known before it happens
	g.mu.Lock()
	g.revocations = append(g.revocations, s)
	g.counts.revocations++
	g.mu.Unlock()
	g.srv.RevokeAccessTokens()
	g.mu.Lock()
	defer g.mu.Unlock()
	s.to = time.Now()
}

// refuse has the API refuse every token, or end that.
func (g *rig) refuse(all bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch now := time.Now(); {
	case all && g.refusal == nil:
		g.refusal = &span{now, now.Add(1000 * time.Hour)}
		g.revocations = append(g.revocations, g.refusal)
	case !all && g.refusal != nil:
		g.refusal.to = now
		g.refusal = nil
	}
}

func (g *rig) suspend(suspended bool) {
	g.mu.Lock()
	g.suspended = true
	g.mu.Unlock()
	g.srv.SetSuspended(suspended)
}
