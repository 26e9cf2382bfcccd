package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/urfave/cli/v3"
	"golang.org/x/oauth2"
	"golang.org/x/term"
)

// maxTries is how many tokens are checked. The first may come from another
// run, and the second may be refused already.
const maxTries = 4

// Before an auth call, -refresh waits for runs that begin at the same time:
// one new token serves all of them. If the cached token is young, a busy
// machine may be starting many runs one by one. Then -refresh waits until the
// token has this age.
const (
	gathering = 250 * time.Millisecond
	youth     = 2 * time.Second
)

// printToken is the program without a command.
func (a *app) printToken(ctx context.Context, _ *cli.Command) error {
	o := &a.opts
	switch {
	case o.version:
		a.out.WriteString("apivideo-token " + version() + "\n")
		return nil
	case o.header && o.json:
		return usage("use only one of -header and -json")
	case o.minTTL < 0:
		return usage("-min-ttl must be a time like 30s or 10m; see apivideo-token -h")
	}
	return a.within(ctx, "token", func(ctx context.Context) error {
		acc, err := a.account()
		if err != nil {
			return err
		}
		refused, err := a.refused()
		if err != nil {
			return err
		}
		tok, err := o.token(ctx, acc.conf, refused)
		if err != nil {
			return acc.explain(err)
		}
		if term.IsTerminal(int(a.stdout.Fd())) {
			a.say("warning: this terminal shows a secret; use a pipe")
		}
		return write(a.stdout, o.format(tok))
	})
}

// within runs f with the time that -timeout gives. f may block in spite of its
// context: a key file may be a pipe that nobody writes to, and standard output
// one that nobody reads. Then within leaves f behind.
func (a *app) within(ctx context.Context, what string, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, a.opts.timeout)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil && ctx.Err() != nil {
		return fail(statusTemporary, "no %s within %v; check the network, or try a longer -timeout or -no-cache", what, a.opts.timeout)
	}
	return err
}

// refused returns the access token on standard input, "" without -reject. It
// may come as the header that -header prints.
func (a *app) refused() (string, error) {
	if !a.opts.reject {
		return "", nil
	}
	data, err := io.ReadAll(io.LimitReader(a.stdin, 64<<10))
	fields := strings.Fields(string(data))
	if err != nil || len(fields) == 0 {
		return "", usage("-reject finds no token on standard input; pipe the refused one into it")
	}
	return fields[len(fields)-1], nil
}

// token gets the token to print: not the refused one, and a new one if the
// flags ask for it. A token that another run got meanwhile will do, so that of
// runs at the same time one makes the auth call.
func (o *options) token(ctx context.Context, conf *apivideo.Config, refused string) (*oauth2.Token, error) {
	src := conf.Source(ended(ctx))
	defer o.reporter.await(ctx, src)
	tok, err := src.TokenContext(ctx)
	for try := 1; err == nil && !o.content(tok, refused) && try < maxTries; try++ {
		if o.refresh {
			gather(ctx, tok)
		}
		src.Invalidate(tok)
		tok, err = src.TokenContext(ctx)
	}
	switch {
	case err != nil:
		return nil, err
	case tok.AccessToken == refused:
		return nil, fail(statusTemporary, "the service issued the refused token again; try again later")
	case left(tok) < o.minTTL:
		return nil, fail(statusOther, "a new token lives for only %v; use a shorter -min-ttl", time.Duration(tok.ExpiresIn)*time.Second)
	case left(tok) <= 0: // the machine slept since
		return nil, fail(statusTemporary, "the token has expired meanwhile; try again")
	}
	return tok, nil
}

// gather waits for other runs before a token is replaced, for at most half of
// the time that is left.
func gather(ctx context.Context, tok *oauth2.Token) {
	d := min(max(gathering, youth-time.Since(issued(tok))), youth)
	if end, ok := ctx.Deadline(); ok {
		d = min(d, time.Until(end)/2)
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// content reports whether tok is what the flags ask for. Even if a new one
// lives too short, a newer one would not live longer.
func (o *options) content(tok *oauth2.Token, refused string) bool {
	fresh := issued(tok).After(o.began)
	return tok.AccessToken != refused && (fresh || !o.refresh && left(tok) >= o.minTTL)
}

// issued is when the auth call of a token began.
func issued(tok *oauth2.Token) time.Time {
	return tok.Expiry.Round(0).Add(-time.Duration(tok.ExpiresIn) * time.Second)
}

// ended returns ctx as a context that has ended. A Source that is made with it
// renews nothing ahead of expiry. This program would end before the answer
// arrives, and the refresh token would be lost.
func ended(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// left is how long the token lives on, by the wall clock, which does not stop
// while the machine sleeps.
func left(tok *oauth2.Token) time.Duration { return time.Until(tok.Expiry.Round(0)) }
