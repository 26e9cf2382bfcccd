package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/proxy"
)

// gateway is a local proxy.
type gateway struct {
	conf   proxy.Config
	server *http.Server
	url    string // set by start
}

// newGateway checks the settings and the patterns of -allow. Nothing listens
// yet.
func (a *app) newGateway() (*gateway, error) {
	acc, err := a.account()
	if err != nil {
		return nil, err
	}
	acc.followKeyFile()
	src := acc.conf.Source(context.Background())
	if err := acc.verify(src); err != nil {
		return nil, err
	}
	if err := proxy.CheckPatterns(a.opts.allow); err != nil {
		return nil, usage("-allow: %v", err)
	}
	return &gateway{conf: proxy.Config{Source: src, BaseURL: acc.conf.BaseURL, Allow: a.opts.allow}}, nil
}

// start listens at an address and serves clients that send the secret.
func (g *gateway) start(at proxy.Address, secret string) error {
	l, err := at.Listen()
	if err != nil {
		return setting("cannot listen at %v: %v; choose another address", at, err)
	}
	g.url = l.URL
	g.conf.Hosts, g.conf.Secret = l.Hosts, secret
	handler, err := proxy.New(g.conf)
	if err != nil {
		l.Close()
		return err
	}
	g.server = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	go g.server.Serve(l) // until shutdown
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
