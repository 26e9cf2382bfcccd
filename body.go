package apivideo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/foreign"
)

const (
	// maxRefusal is how much of a 401's body is read to learn its reason, in
	// bytes. The service's problems have a few hundred.
	maxRefusal = 64 << 10
	// refusalTime is how long the body of a 401 is waited for, and a reader of
	// the request's body that is still busy.
	refusalTime = 1 * time.Second
)

// takeBody reads the body of a 401 and closes it, leaving the response with a
// body that reads the same. One that is longer than maxRefusal, or not whole in
// time, it leaves to the caller to read on: whole is false.
func (a *account) takeBody(ctx context.Context, resp *http.Response) (read []byte, whole bool) {
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
	closed := foreign.Go(b.readAndClose)
	select {
	case r := <-closed:
		a.cache.LogCrash(r.Err)
	case <-timer.C:
	case <-ctx.Done():
	}
	return b.handOver(ctx.Err() != nil)
}

// lateBody is the body of a 401 that is read in the background until it is
// handed over to the caller, who then reads what came, and the rest.
type lateBody struct {
	body io.ReadCloser
	want int64 // its Content-Length; less than 0 if that is not known

	mu      sync.Mutex // guards what follows; never held while body is called
	changed sync.Cond  // when any of it changes
	buf     []byte     // what was read and not yet passed on
	total   int64
	ended   bool // nobody reads in the background any more
	err     error
	handed  bool // to the caller
	closed  bool
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

// add notes what a Read returned. more is false if the caller or nobody reads
// on.
func (b *lateBody) add(p []byte, err error) (more, whole bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.changed.Broadcast()
	b.buf = append(b.buf, p...)
	b.total += int64(len(p))
	if b.want >= 0 && b.total >= b.want && err == nil {
		err = io.EOF // an HTTP/2 stream may stay open behind its last byte
	}
	b.err = err
	b.ended = err != nil || b.total > maxRefusal || b.handed
	return !b.ended, err != nil && !b.handed
}

func (b *lateBody) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended, b.err = true, err
	b.changed.Broadcast()
}

// handOver gives the body to the caller. It returns what was read so far, and
// whether that is all. A body that broke, or whose request has ended, is whole
// as far as it goes.
func (b *lateBody) handOver(gone bool) (read []byte, whole bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handed = true
	return bytes.Clone(b.buf), b.ended && b.err != nil || gone
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
	done := b.ended && b.err != nil // and closed in the background
	b.changed.Broadcast()
	b.mu.Unlock()
	if done {
		return nil
	}
	return b.body.Close()
}

// gate is the body of an attempt. Before the request is sent again it is shut:
// a base may go on reading the body of an attempt that is over, and GetBody may
// rewind the file that it reads.
type gate struct {
	io.ReadCloser
	turn   chan struct{} // has an element while somebody reads
	closed bool          // guarded by turn
}

// gateOf puts a gate before the body of an attempt that may have to be sent
// again. It returns nil if there is no such body.
func gateOf(out *http.Request) *gate {
	if !hasBody(out) || out.GetBody == nil {
		return nil
	}
	g := &gate{ReadCloser: out.Body, turn: make(chan struct{}, 1)}
	out.Body = g
	return g
}

var errShut = errors.New("apivideo: the attempt is over, the request is sent again")

func (g *gate) Read(p []byte) (int, error) {
	g.turn <- struct{}{}
	defer func() { <-g.turn }()
	if g.closed {
		return 0, errShut
	}
	return g.ReadCloser.Read(p)
}

// shut lets nobody read any more. It reports false if a Read does not return in
// time: the body cannot be replayed then. A nil gate is shut.
func (g *gate) shut(ctx context.Context) bool {
	if g == nil {
		return true
	}
	timer := time.NewTimer(refusalTime)
	defer timer.Stop()
	select {
	case g.turn <- struct{}{}:
		g.closed = true
		<-g.turn
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}
