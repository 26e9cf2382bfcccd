package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"golang.org/x/oauth2"
)

// token gets the token to print, and a new one if the flags ask for it.
func (o *options) token(ctx context.Context, conf *apivideo.Config) (*oauth2.Token, error) {
	src := conf.Source(ended(ctx))
	obtain := src.TokenContext
	if o.refresh {
		obtain = src.Renew
	}
	tok, err := obtain(ctx)
	if err == nil && left(tok) < o.minTTL && !o.refresh {
		// Not Renew: of programs that find this at the same time, one renews
		// and the others take its token.
		src.Invalidate(tok)
		tok, err = src.TokenContext(ctx)
	}
	switch {
	case err != nil:
		return nil, err
	case left(tok) < o.minTTL:
		return nil, fmt.Errorf("even a new token lives for %v only; ask for less than that with -min-ttl", left(tok).Round(time.Second))
	case left(tok) <= 0: // the machine slept since
		return nil, errors.New("the token has expired on the way; try again")
	}
	return tok, nil
}

// ended returns ctx as one that has ended. A Source that is made with it renews
// nothing ahead of expiry: this program would be gone before the answer is
// there, and the refresh token spent for nothing.
func ended(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// left is how long the token lives on, by the wall clock, which does not stop
// while the machine sleeps.
func left(tok *oauth2.Token) time.Duration { return time.Until(tok.Expiry.Round(0)) }
