package apivideo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/tokencache"
)

const (
	// maxRefusal is how many bytes of a 401's body are read to find its reason.
	// The service's problems have a few hundred.
	maxRefusal = 64 << 10
	// refusalTime is the timeout for reading the body of a 401, and for a call of
	// the request's body to return.
	refusalTime = 1 * time.Second
)

// takeBody reads the body of a 401 to token, closes it, and replaces it by one
// with the same content. If the body is too long or does not end in time, whole is false.
// The caller of RoundTrip can then read the rest.
func (a *account) takeBody(ctx context.Context, resp *http.Response, token *tokencache.Token) (read []byte, whole bool) {
	if resp.Body == nil {
		return nil, true
	}
	b := &lateBody{body: resp.Body, want: resp.ContentLength}
	if b.want == 0 && resp.Header.Get("Content-Length") != "0" {
		b.want = -1 // not known
	}
	b.changed.L = &b.mu
	resp.Body = b
	timer := time.NewTimer(refusalTime)
	defer timer.Stop()
	closed := guard.Go(b.readAndClose)
	select {
	case r := <-closed:
		if crash, ok := r.Err.(*guard.Crash); ok { // its text may show the request
			a.cache.LogCrash(a.issuer.keys.secrets(token.AccessToken, token.RefreshToken).crash(crash))
		}
	case <-timer.C:
	case <-ctx.Done():
	}
	return b.handOver()
}

// lateBody is the body of a 401. It is read in the background until it is handed
// over to the caller. The caller then reads the buffer, and the rest after it.
type lateBody struct {
	body io.ReadCloser
	want int64 // its Content-Length; less than 0 if unknown

	mu      sync.Mutex // guards what follows; never held while body is called
	changed sync.Cond  // signals a change of what follows
	buf     []byte     // read in the background, not yet by the caller
	total   int64
	ended   bool // the background read has stopped
	err     error
	done    bool // the body is closed in the background
	handed  bool // to the caller
	closed  bool // by the caller
}

// readAndClose reads until the body is whole, too long, or handed over, and
// closes it if it is whole.
func (b *lateBody) readAndClose() (struct{}, error) {
	returned := false
	defer func() {
		if !returned {
			b.end(errCrashed)
			b.body.Close()
		}
	}()
	more, whole := b.add(nil, nil) // there may be nothing to read
	for more {
		chunk := make([]byte, 4<<10)
		n, err := b.body.Read(chunk)
		more, whole = b.add(chunk[:n], err)
	}
	returned = true
	if whole {
		b.body.Close()
	}
	return struct{}{}, nil
}

var errCrashed = errors.New("apivideo: the body of the answer crashed while it was read")

// add stores what a Read returned. more reports whether the background goroutine
// should read more, and whole whether it has read the whole body.
func (b *lateBody) add(p []byte, err error) (more, whole bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.changed.Broadcast()
	b.buf = append(b.buf, p...)
	b.total += int64(len(p))
	if b.want >= 0 && b.total >= b.want && err == nil {
		err = io.EOF // an HTTP/2 stream may stay open after its last byte
	}
	b.err = err
	b.ended = err != nil || b.total > maxRefusal || b.handed
	b.done = err != nil && !b.handed
	return !b.ended, b.done
}

func (b *lateBody) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended, b.err, b.done = true, err, true
	b.changed.Broadcast()
}

// handOver gives the body to the caller. It returns what was read so far, and
// whether no more will come: the body has ended or failed.
func (b *lateBody) handOver() (read []byte, whole bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handed = true
	return bytes.Clone(b.buf), b.ended && b.err != nil
}

// Read implements [io.Reader].
func (b *lateBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	for len(b.buf) == 0 && !b.ended && !b.closed {
		b.changed.Wait()
	}
	switch {
	case len(b.buf) > 0:
		defer b.mu.Unlock()
		n := copy(p, b.buf)
		b.buf = b.buf[n:]
		return n, nil
	case b.closed:
		defer b.mu.Unlock()
		return 0, http.ErrBodyReadAfterClose
	case b.err != nil:
		defer b.mu.Unlock()
		return 0, b.err
	}
	b.mu.Unlock()
	return b.body.Read(p)
}

// Close implements [io.Closer].
func (b *lateBody) Close() error {
	b.mu.Lock()
	b.closed = true
	done := b.done
	b.changed.Broadcast()
	b.mu.Unlock()
	if done {
		return nil
	}
	return b.body.Close()
}

// gate admits the reads of a request's body during one attempt. It is shut before
// the next attempt. A base may still read the body of the previous one, and
// GetBody may rewind the one file that both read.
type gate struct {
	mu     sync.Mutex    // guards what follows; never held while the body is called
	busy   int           // calls that have not returned
	closed bool          // no further call may begin
	idle   chan struct{} // made by shut; closed when the last call returns
}

// gateOf puts a gate before the body of a request that can be sent again. A base
// gets each body of the attempt through it: package net/http calls GetBody too,
// if a connection breaks. gateOf returns nil if there is no such body.
func gateOf(out *http.Request) *gate {
	if !hasBody(out) || out.GetBody == nil {
		return nil
	}
	g, getBody := &gate{}, out.GetBody
	out.Body = gated{out.Body, g}
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
	gate *gate
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
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.busy++
	}
	return !g.closed
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.busy--; g.busy == 0 && g.closed {
		close(g.idle)
	}
}

// shut makes further calls fail. It reports false if a running call does not
// return in time: the body cannot be replayed then. A nil gate is always shut.
func (g *gate) shut(ctx context.Context) bool {
	if g == nil {
		return true
	}
	g.mu.Lock()
	g.closed, g.idle = true, make(chan struct{})
	if g.busy == 0 {
		close(g.idle)
	}
	g.mu.Unlock()
	timer := time.NewTimer(refusalTime)
	defer timer.Stop()
	select {
	case <-g.idle:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}
