package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/audit"
	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/intercept"
	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/listen"
	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/proxy"
)

// gateway is a local proxy.
type gateway struct {
	conf        proxy.Config
	account     *account
	audit       *audit.Log       // nil without -audit
	listener    *listen.Listener // set by listen
	proxy       *proxy.Proxy     // set by listen
	interceptor *intercept.Interceptor
	server      *http.Server // set by serve
}

// newGateway checks the settings and the patterns of -allow. Nothing listens
// yet. Log is nil for no lines but those of -v.
func (a *app) newGateway(log *slog.Logger) (*gateway, error) {
	acc, err := a.account()
	if err != nil {
		return nil, err
	}
	os.Unsetenv(keyVariable) // no process that is started from here on needs it
	if acc.conf.Logger == nil {
		acc.conf.Logger = log
	}
	ctx := acc.follow(context.Background())
	key := acc.rememberKey()
	src := acc.conf.Source(ctx)
	if err := acc.verify(src); err != nil {
		return nil, err
	}
	if err := proxy.CheckPatterns(a.opts.allow); err != nil {
		return nil, usage("-allow: %v", err)
	}
	g := &gateway{account: acc, conf: proxy.Config{
		Source: src, BaseURL: acc.conf.BaseURL, Allow: a.opts.allow, Key: key, Logger: acc.conf.Logger,
	}}
	return g, g.openAudit(a)
}

// rememberKey returns a function that returns the current API key, or "" if
// there is none yet.
func (acc *account) rememberKey() func() string {
	var key atomic.Pointer[string]
	key.Store(&acc.conf.APIKey)
	if get := acc.conf.APIKeyFunc; get != nil {
		acc.conf.APIKeyFunc = func(ctx context.Context) (string, error) {
			now, err := get(ctx)
			if err == nil {
				key.Store(&now)
			}
			return now, err
		}
	}
	return func() string { return *key.Load() }
}

// openAudit opens the file of -audit.
func (g *gateway) openAudit(a *app) (err error) {
	if a.opts.audit == "" {
		return nil
	}
	g.audit, err = audit.Open(a.opts.audit, func(err error, lost int) {
		if err != nil {
			a.say("the file of -audit cannot be written, lines are lost: %v", withoutPath(err))
		} else {
			a.say("the file of -audit can be written again; lost lines: %d", lost)
		}
	})
	if err != nil {
		return setting("the file of -audit cannot be opened: %v", withoutPath(err))
	}
	return nil
}

// listen listens at an address, for clients that send the secret. They wait
// until serve.
func (g *gateway) listen(at listen.Address, secret func() (string, error)) error {
	l, err := at.Listen()
	if err != nil {
		return setting("cannot listen at %v: %v; choose another address", at, err)
	}
	g.listener, g.conf.Hosts = l, l.Hosts
	if g.conf.Secret, err = secret(); err == nil {
		g.proxy, err = proxy.New(g.conf)
	}
	if err != nil {
		l.Close()
	}
	return err
}

// serve serves the clients until shutdown.
func (g *gateway) serve() {
	handler := http.Handler(g.proxy)
	if g.interceptor != nil {
		handler = g.interceptor
	}
	g.server = g.proxy.NewServer(g.audited(handler))
	for _, l := range g.listener.All {
		go g.server.Serve(g.proxy.Watch(l))
	}
}

// audited returns h with a line in the file of -audit for each request.
func (g *gateway) audited(h http.Handler) http.Handler { return g.audit.Handler(h, g.proxy.Redact) }

// shutdown lets the requests in flight finish, for a time. A signal cancels
// them.
func (g *gateway) shutdown(within time.Duration, signals <-chan os.Signal) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	go func() {
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	if g.server.Shutdown(ctx) != nil {
		g.server.Close()
	}
	if g.interceptor != nil {
		g.interceptor.Shutdown(ctx)
	}
	g.audit.Close()
}

// newSecret returns a secret that nobody can guess.
func newSecret() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
