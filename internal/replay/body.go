// Package replay sends the body of a request again.
package replay

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
)

// patience limits a call of a request's body.
const patience = 1 * time.Second

// hasBody reports whether the request has a body with bytes in it.
func hasBody(req *http.Request) bool { return req.Body != nil && req.Body != http.NoBody }

// Possible reports whether the request can be sent again.
func Possible(req *http.Request) bool { return !hasBody(req) || req.GetBody != nil }

// Renew gives out a new copy of the body of req. It reports false if GetBody
// returns none.
func Renew(out, req *http.Request) bool {
	if !hasBody(req) {
		return true
	}
	body, err := req.GetBody()
	out.Body = body
	return err == nil && body != nil
}

// Gate admits the reads of a request's body during one attempt. It is shut before
// the next attempt. A base may still read the body of the previous one, and
// GetBody may rewind the one file that both read.
type Gate struct {
	mu     sync.Mutex    // guards what follows; never held while the body is called
	busy   int           // calls that have not returned
	closed bool          // no further call may begin
	idle   chan struct{} // made by Shut; closed when the last call returns
}

// NewGate puts a gate before the body of a request that can be sent again. A base
// gets each body of the attempt through it: package net/http calls GetBody too,
// if a connection breaks. NewGate returns nil if there is no such body, or if its
// copies share nothing.
func NewGate(out *http.Request) *Gate {
	if !hasBody(out) || out.GetBody == nil || copiesShareNothing(out) {
		return nil
	}
	g, getBody := &Gate{}, out.GetBody
	if own := inMemory(out.Body); own != nil {
		out.Body = own
	} else {
		out.Body = gated{out.Body, g}
	}
	out.GetBody = func() (io.ReadCloser, error) {
		if !g.enter() {
			return nil, errShut
		}
		defer g.leave()
		body, err := getBody()
		if body == nil || err != nil {
			return body, err
		}
		return gated{body, g}, nil
	}
	return g
}

// gated is a body behind a gate.
type gated struct {
	io.ReadCloser
	gate *Gate
}

var errShut = errors.New("apivideo: the attempt is over, the request is sent again")

func (b gated) Read(p []byte) (int, error) {
	if !b.gate.enter() {
		return 0, errShut
	}
	defer b.gate.leave()
	return b.ReadCloser.Read(p)
}

// enter reports whether a call may begin. leave must follow it.
func (g *Gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.busy++
	}
	return !g.closed
}

func (g *Gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.busy--; g.busy == 0 && g.closed {
		close(g.idle)
	}
}

// Shut makes further calls fail. It reports false if a running call does not
// return in time: the body cannot be replayed then. A nil gate is always shut.
func (g *Gate) Shut(ctx context.Context) bool {
	if g == nil {
		return true
	}
	g.mu.Lock()
	g.closed, g.idle = true, make(chan struct{})
	if g.busy == 0 {
		close(g.idle)
	}
	g.mu.Unlock()
	_, ok := limit.Within(ctx, patience, g.idle)
	return ok
}
