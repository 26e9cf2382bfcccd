package redisstore

import (
	"bytes"
	"context"
	"sync"
)

// reads is how many reads of one key a process makes at a time. With more than
// one, a connection that does not answer blocks nobody.
const reads = 4

// local is shared by the goroutines of one process. If a thousand of them want
// one key, Redis gets only a few commands.
type local struct {
	mu   sync.Mutex // guards what follows, and the fields of each key
	keys map[string]*localKey
}

// localKey is the state of one key while somebody uses it.
type localKey struct {
	users   int           // calls of enter and runs of reads
	turn    chan struct{} // holds one element while somebody has entered
	running int           // reads that have begun
	next    *read         // one that will begin when another ends
}

// read is one read of a value, for all callers that came before it began.
type read struct {
	done  chan struct{} // closed when value and err are set
	value []byte
	err   error
}

// use returns the state of key, until drop. l.mu is held.
func (l *local) use(key string) *localKey {
	k := l.keys[key]
	if k == nil {
		k = &localKey{turn: make(chan struct{}, 1)}
		l.keys[key] = k
	}
	k.users++
	return k
}

// drop forgets key when nobody uses it any more. l.mu is held.
func (l *local) drop(key string, k *localKey) {
	if k.users--; k.users == 0 {
		delete(l.keys, key)
	}
}

// enter waits for the caller's turn with key in this process, or until ctx ends.
// The turn lasts until leave.
func (l *local) enter(ctx context.Context, key string) (leave func(), err error) {
	l.mu.Lock()
	k := l.use(key)
	l.mu.Unlock()
	done := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.drop(key, k)
	}
	select {
	case k.turn <- struct{}{}:
		return func() { <-k.turn; done() }, nil
	case <-ctx.Done():
		done()
		return nil, ctx.Err()
	}
}

// load returns the value of key, as get reads it after the call began. Several
// callers may share one read. When ctx ends, load returns, but get goes on.
func (l *local) load(ctx context.Context, key string, get func() ([]byte, error)) ([]byte, error) {
	r := l.join(key, get)
	select {
	case <-r.done:
		return bytes.Clone(r.value), r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// join returns a read that has not begun, or begins one.
func (l *local) join(key string, get func() ([]byte, error)) *read {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &read{done: make(chan struct{})}
	if k := l.keys[key]; k != nil && k.running == reads {
		if k.next == nil {
			k.next = r
		}
		return k.next
	}
	k := l.use(key)
	k.running++
	go l.run(key, k, r, get)
	return r
}

// run makes a read, and then those that were waiting for its end.
func (l *local) run(key string, k *localKey, r *read, get func() ([]byte, error)) {
	for r != nil {
		r.value, r.err = contain(get)
		close(r.done)
		l.mu.Lock()
		r, k.next = k.next, nil
		if r == nil {
			k.running--
			l.drop(key, k)
		}
		l.mu.Unlock()
	}
}
