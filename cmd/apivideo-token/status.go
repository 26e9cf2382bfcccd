package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/urfave/cli/v3"
	"golang.org/x/oauth2"
)

// report is what status prints.
type report struct {
	Environment string `json:"environment"` // production, sandbox, or a base URL
	Account     string `json:"account"`     // tells accounts apart, and reveals no key
	Key         string `json:"key"`         // the variable or the file it is from
	Cache       string `json:"cache"`
	Unused      string `json:"cache_unused,omitempty"`
	Expiry      string `json:"token_expiry,omitempty"` // of the cached token
	Error       string `json:"error,omitempty"`        // why a request now would fail; empty if nothing is known
}

// status prints what this run would use.
func (a *app) status(ctx context.Context, _ *cli.Command) error {
	a.opts.verbose = false // status prints all of that
	acc, err := a.account()
	if err != nil {
		return err
	}
	r := report{
		Environment: acc.environment(),
		Key:         cmp.Or(acc.keyFile, acc.keyName),
		Cache:       acc.cache.dir,
		Unused:      acc.cache.unused,
	}
	tok, err := acc.inspect(ctx, &r)
	if err != nil {
		return err
	}
	token := "none"
	if tok != nil {
		r.Expiry = tok.Expiry.UTC().Format(time.RFC3339)
		token = fmt.Sprintf("expires at %s, in %v", r.Expiry, left(tok).Round(time.Second))
	}
	if a.opts.json {
		return json.NewEncoder(&a.out).Encode(r)
	}
	fmt.Fprintf(&a.out, "environment  %s\naccount      %s\nkey          %s\ncache        %v\ntoken        %s\nerror        %s\n",
		r.Environment, r.Account, r.Key, acc.cache, token, cmp.Or(r.Error, "none"))
	return nil
}

// environment is the name of the base URL, if it has one.
func (acc *account) environment() string {
	switch strings.TrimSuffix(acc.conf.BaseURL, "/") {
	case "", apivideo.ProductionURL:
		return "production"
	case apivideo.SandboxURL:
		return "sandbox"
	}
	return acc.conf.BaseURL
}

// inspect completes the report from the cache: with the fingerprint of the
// account, its token, and the failure that runs would meet. The token is nil if
// none is usable. inspect makes no auth call and does not change the cache. The
// error is about the settings.
func (acc *account) inspect(ctx context.Context, r *report) (*oauth2.Token, error) {
	if err := acc.verify(acc.conf.Source(ended(ctx))); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	peek := &peekingStore{of: acc.conf.Store}
	conf := *acc.conf
	conf.Store = peek
	// The Source takes the token from the Store if it is usable, or the failure
	// that another run had. If neither is there, it begins an auth call, which
	// noCalls ends.
	src := conf.Source(withClient(ended(ctx), noCalls(cancel)))
	tok, err := src.TokenContext(ctx)
	r.Account = fmt.Sprintf("%.8s", peek.key)
	if err == nil {
		return tok, nil
	}
	if known := src.Stats().Err(); known != nil && ctx.Err() == nil {
		r.Error = acc.explain(known).Error()
	}
	return nil, nil
}

// noCalls makes no call and ends the wait for it.
type noCalls func()

func (end noCalls) RoundTrip(*http.Request) (*http.Response, error) {
	end()
	return nil, errors.New("no calls are made")
}

// peekingStore reads another Store, which may be nil, and keeps the name under
// which it has the account's token.
type peekingStore struct {
	of  apivideo.Store
	key string
}

func (s *peekingStore) Load(ctx context.Context, key string) ([]byte, error) {
	s.key = key
	if s.of == nil {
		return nil, nil
	}
	return s.of.Load(ctx, key)
}

func (s *peekingStore) Update(ctx context.Context, _ string, fn func(context.Context, []byte) ([]byte, error)) error {
	_, err := fn(ctx, nil)
	return err
}
