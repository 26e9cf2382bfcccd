// Package refused reads the body of a 401.
package refused

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
)

const (
	// MaxBody is how many bytes of a 401's body are read to find its reason.
	// The service's problems have a few hundred.
	MaxBody = 64 << 10
	// patience limits the read of a body.
	patience = 1 * time.Second
)

// TakeBody reads the body of a 401, closes it, and replaces it by one with the
// same content. If the body is too long or does not end in time, whole is false:
// the caller of RoundTrip can then read the rest. hung bounds the reads and Close
// calls that do not return; if it is full, the body is not read. crash is not nil if the body
// crashed; its text may have secrets.
func TakeBody(ctx context.Context, resp *http.Response, hung *guard.Bound) (read []byte, whole bool, crash *guard.Crash) {
	if resp.Body == nil {
		return nil, true, nil
	}
	b := &lateBody{body: resp.Body, want: resp.ContentLength}
	if b.want == 0 && resp.Header.Get("Content-Length") != "0" || resp.Uncompressed {
		b.want = -1 // not known
	}
	b.changed.L = &b.mu
	results, leave, ok := guard.Start(hung, b.fill)
	if !ok {
		return nil, false, nil
	}
	defer leave()
	resp.Body = b
	if r, ok := limit.Within(ctx, patience, results); ok {
		crash, _ = r.Err.(*guard.Crash)
	}
	read, whole = b.handOver()
	return read, whole, crash
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

// fill reads until the body is whole, too long, or handed over, and closes it if
// it is whole.
func (b *lateBody) fill() (struct{}, error) {
	crashed := true
	more, whole := b.add(nil, nil) // there may be nothing to read
	defer func() {
		if crashed {
			_, whole = b.add(nil, errors.New("apivideo: the body of the answer crashed while it was read"))
		}
		if whole {
			b.body.Close()
		}
	}()
	for more {
		chunk := make([]byte, 4<<10)
		n, err := b.body.Read(chunk)
		more, whole = b.add(chunk[:n], err)
	}
	crashed = false
	return struct{}{}, nil
}

// add stores what a Read returned. more reports whether the background goroutine
// should read more, and whole whether it has read the whole body.
func (b *lateBody) add(p []byte, err error) (more, whole bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.changed.Broadcast()
	b.buf = append(b.buf, p...)
	b.total += int64(len(p))
	if b.total == b.want && err == nil { // if there is more, want is wrong
		err = io.EOF // an HTTP/2 stream may stay open after its last byte
	}
	b.err = err
	b.ended = err != nil || b.total > MaxBody || b.handed
	b.done = err != nil && !b.handed
	return !b.ended, b.done
}

// handOver gives the body to the caller. It returns what was read so far, and
// whether no more will come: the body has ended or failed.
func (b *lateBody) handOver() (read []byte, whole bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handed = true
	return bytes.Clone(b.buf), b.err != nil
}

func (b *lateBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	for len(b.buf) == 0 && !b.ended && !b.closed {
		b.changed.Wait()
	}
	n, closed, err := copy(p, b.buf), b.closed, b.err
	b.buf = b.buf[n:]
	b.mu.Unlock()
	switch {
	case closed:
		return 0, http.ErrBodyReadAfterClose
	case n > 0 || len(p) == 0:
		return n, nil
	case err != nil:
		return 0, err
	}
	return b.body.Read(p)
}

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
