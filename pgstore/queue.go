package pgstore

import (
	"bytes"
	"context"
	"sync"
	"time"
)

// queryTime is for one query that is not under the lock. A connection may have
// to be opened for it, which takes seconds if a whole fleet starts.
const queryTime = 10 * time.Second

// queries is how many queries run at a time, apart from those under the lock. When
// a program with many accounts starts, more would cost the server more than the
// wait saves. With fewer, accounts would wait for each other for longer than a
// Source waits for its Store.
const queries = 8

// queue lets one query for each key run at a time, and few in all.
type queue struct {
	slots chan struct{} // holds an element for each query that runs
	keys  sync.Map      // of *waiting by key; they are small, and stay
}

// waiting is the state of one key, for the goroutines of this process that use
// it.
type waiting struct {
	turn chan struct{} // holds an element while one of them is in Update
	slot chan struct{} // holds an element while a query for this key runs, or waits for one of slots
	mu   sync.Mutex    // guards next
	next *read         // one that has not begun, or nil
}

// read is one read of a value, for all who asked before it began.
type read struct {
	done  chan struct{} // closed when value and err are set
	value []byte
	err   error
}

func newQueue() *queue { return &queue{slots: make(chan struct{}, queries)} }

func (q *queue) of(key string) *waiting {
	w, ok := q.keys.Load(key)
	if !ok {
		w, _ = q.keys.LoadOrStore(key, &waiting{turn: make(chan struct{}, 1), slot: make(chan struct{}, 1)})
	}
	return w.(*waiting)
}

// query waits for a place to make a query for the key of w, until ctx ends.
func (q *queue) query(ctx context.Context, w *waiting) (leave func(), err error) {
	leaveKey, err := enter(ctx, w.slot)
	if err != nil {
		return nil, err
	}
	leaveAll, err := enter(ctx, q.slots)
	if err != nil {
		leaveKey()
		return nil, err
	}
	return func() { leaveAll(); leaveKey() }, nil
}

// enter waits until ctx ends for a place in c.
func enter(ctx context.Context, c chan struct{}) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case c <- struct{}{}:
		return func() { <-c }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// load returns what get finds after the call. If ctx ends, load returns, but
// get goes on: a connection that is being opened can serve the next query.
func (q *queue) load(ctx context.Context, key string, get func(context.Context) ([]byte, error)) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := q.of(key)
	w.mu.Lock()
	r := w.next
	if r == nil {
		r = &read{done: make(chan struct{})}
		w.next = r
		go q.run(context.WithoutCancel(ctx), w, r, get)
	}
	w.mu.Unlock()
	select {
	case <-r.done:
		return bytes.Clone(r.value), r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// run makes a read when it is its turn.
func (q *queue) run(ctx context.Context, w *waiting, r *read, get func(context.Context) ([]byte, error)) {
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	defer close(r.done)
	leave, err := q.query(ctx, w)
	w.mu.Lock()
	w.next = nil
	w.mu.Unlock()
	if err != nil {
		r.err = err
		return
	}
	defer leave()
	r.value, r.err = contain(func() ([]byte, error) { return get(ctx) })
}
