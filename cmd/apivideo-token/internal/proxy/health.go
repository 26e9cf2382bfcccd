package proxy

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
)

// probeTime is how long a probe waits for the first token.
const probeTime = 5 * time.Second

// loginFailure returns why the service would refuse a login now, or the calls
// after it. It makes no auth call while there is a token that the API does not
// refuse. Otherwise the pauses after failures limit its auth calls.
func (p *Proxy) loginFailure(ctx context.Context) error {
	switch s := p.source.Stats(); {
	case !s.Usable:
		_, err := p.source.TokenContext(ctx)
		return err
	case !s.RefusedSince.IsZero():
		return s.LastError // nil while a renewal is under way
	}
	return nil
}

// notReady returns why the API would not serve a request now.
func (p *Proxy) notReady(ctx context.Context) error {
	if s := p.source.Stats(); s.Usable {
		return s.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	_, err := p.source.TokenContext(ctx)
	return err
}

// writeAuthFailure answers an auth call as the service has answered the proxy,
// or with a 503 in an outage.
func (p *Proxy) writeAuthFailure(w http.ResponseWriter, err error) {
	failed, ok := errors.AsType[*apivideo.Error](err)
	if ok && !failed.Temporary() && failed.Status >= 400 {
		writeProblem(w, failed.Problem, "The service has answered so to apivideo-token, about the key of the account.")
		return
	}
	p.writeUnavailable(w, "no-token", err)
}

// writeUnavailable answers with a 503, and with the time of the next attempt.
func (p *Proxy) writeUnavailable(w http.ResponseWriter, id string, err error) {
	wait := time.Until(p.source.Stats().NextAttempt)
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
	WriteOwn(w, http.StatusServiceUnavailable, id, "No request would be served: "+reasonOf(err))
}

// reasonOf is the text of an error, in one line. The library keeps secrets out
// of its errors, and errors of package net name only hosts.
func reasonOf(err error) string {
	return strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "apivideo: ")), " ")
}

// probes need no secret.
var probes = map[string]func(*Proxy, context.Context) error{
	"/livez":  func(*Proxy, context.Context) error { return nil },
	"/readyz": (*Proxy).notReady,
}

func (p *Proxy) serveProbe(w http.ResponseWriter, r *http.Request, probe func(*Proxy, context.Context) error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		WriteOwn(w, http.StatusMethodNotAllowed, "method", "The method must be GET.")
		return
	}
	if err := probe(p, r.Context()); err != nil {
		p.writeUnavailable(w, "not-ready", err)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Cache-Control", "no-store")
	io.WriteString(w, "ok\n")
}
