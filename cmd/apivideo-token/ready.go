package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/listen"
	"github.com/urfave/cli/v3"
)

// ready asks a proxy for its readiness. It needs no API key.
func (a *app) ready(ctx context.Context, _ *cli.Command) error {
	at, err := listen.ParseAddress(a.opts.listen)
	if err != nil {
		return usage("-listen: %v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, a.opts.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.Host()+"/readyz", nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{ // uses no proxy
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return at.Dial(ctx) },
	}
	resp, err := transport.RoundTrip(req)
	switch {
	case ctx.Err() != nil:
		return fail(statusTemporary, "no answer at %v within %v", at, a.opts.timeout)
	case err != nil:
		return fail(statusTemporary, "no answer at %v: %v", at, listen.Cause(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	var problem apivideo.Problem
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if json.Unmarshal(text, &problem) != nil || problem.Title == "" {
		problem.Title = "the answer is " + resp.Status
	}
	return fail(statusTemporary, "not ready: %s", strings.TrimPrefix(problem.Title, "No request would be served: "))
}
