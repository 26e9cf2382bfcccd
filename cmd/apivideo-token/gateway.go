package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"

	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/proxy"
)

// gateway is a local proxy.
type gateway struct {
	conf     proxy.Config
	listener *proxy.Listener // set by listen
	server   *http.Server    // set by serve
}

// newGateway checks the settings and the patterns of -allow. Nothing listens
// yet.
func (a *app) newGateway() (*gateway, error) {
	acc, err := a.account()
	if err != nil {
		return nil, err
	}
	src := acc.conf.Source(acc.follow(context.Background()))
	if err := acc.verify(src); err != nil {
		return nil, err
	}
	if err := proxy.CheckPatterns(a.opts.allow); err != nil {
		return nil, usage("-allow: %v", err)
	}
	return &gateway{conf: proxy.Config{Source: src, BaseURL: acc.conf.BaseURL, Allow: a.opts.allow}}, nil
}

// listen listens at an address. Clients that connect wait until serve.
func (g *gateway) listen(at proxy.Address) (err error) {
	if g.listener, err = at.Listen(); err != nil {
		return setting("cannot listen at %v: %v; choose another address", at, err)
	}
	return nil
}

// serve serves clients that send the secret.
func (g *gateway) serve(secret string) error {
	g.conf.Hosts, g.conf.Secret = g.listener.Hosts, secret
	handler, err := proxy.New(g.conf)
	if err != nil {
		g.listener.Close()
		return err
	}
	g.server = handler.Server()
	go g.server.Serve(g.listener) // until shutdown
	return nil
}

// shutdown lets the requests in flight finish, or cancels them when ctx ends.
func (g *gateway) shutdown(ctx context.Context) {
	if g.server.Shutdown(ctx) != nil {
		g.server.Close()
	}
}

// newSecret returns a secret that nobody can guess.
func newSecret() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
