package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	leaseTime    = 4 * time.Second        // how long a killed holder delays the others
	extendEvery  = 1 * time.Second        // so that three extensions may fail
	shortestWait = 100 * time.Millisecond // between two tries to get the lock
	longestWait  = 250 * time.Millisecond
	endTime      = 1 * time.Second // for the write and for the release, after ctx may have ended
)

// errLost is the cause of the end of fn's context.
var errLost = errors.New("redisstore: the lock was lost")

// The scripts get the names of the lock and of the value as keys. Their first
// argument is the token of the lock. If another process holds the lock, they
// return 0 and do nothing. They are sent as text, because redis.Script would
// need SHA-1.
const (
	// A key of another type, or that never expires, is no lock. The token
	// may be there already: a client sends a script again when its answer is lost.
	obtainScript = `
if redis.pcall("getrange", KEYS[1], 0, 99) ~= ARGV[1]
	and redis.call("type", KEYS[1]).ok == "string" and redis.call("pttl", KEYS[1]) >= 0 then return 0 end
redis.call("set", KEYS[1], ARGV[1], "PX", ARGV[2])
return 1`

	ifHeld = `
if redis.pcall("getrange", KEYS[1], 0, 99) ~= ARGV[1] then return 0 end
`
	extendScript = ifHeld + `return redis.call("pexpire", KEYS[1], ARGV[2])`

	// It reads in a script because a plain read may go to a replica that lags.
	readScript = ifHeld + `
local value = redis.pcall("getrange", KEYS[2], 0, ARGV[2])
return type(value) == "string" and value or ""`

	writeScript = ifHeld + `
redis.call("set", KEYS[2], ARGV[2], "PX", ARGV[3])
return 1`

	releaseScript = ifHeld + `return redis.call("del", KEYS[1])`
)

// lock is the lock on one key. It is a lease: a key in Redis that expires.
type lock struct {
	client redis.UniversalClient
	names  []string  // of the lock and of the value
	token  string    // the value of the lock's key
	until  time.Time // it cannot have expired before
}

// run runs a script. It returns errLost if the lock is another's.
func (l *lock) run(ctx context.Context, script string, args ...any) (any, error) {
	answer, err := l.client.Eval(ctx, script, l.names, append([]any{l.token}, args...)...).Result()
	if err == nil && answer == int64(0) {
		return nil, errLost
	}
	return answer, err
}

// lock waits for the lock on key until ctx ends.
func (s *Store) lock(ctx context.Context, key string) (*lock, error) {
	l := &lock{client: s.client, names: []string{lockName(key), valueName(key)}, token: rand.Text()}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		l.until = time.Now().Add(leaseTime)
		_, err := l.run(ctx, obtainScript, leaseTime.Milliseconds())
		if err == nil {
			return l, nil
		}
		if err != errLost {
			l.release(ctx) // Redis may have set the lock, and the answer was lost
			return nil, err
		}
		again := time.NewTimer(shortestWait + mathrand.N(longestWait-shortestWait))
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
		}
	}
}

// hold extends the lease until stop is called, beyond the end of ctx if fn takes
// that long. The context that it returns ends with ctx, or when the lock is
// lost.
func (l *lock) hold(ctx context.Context) (held context.Context, stop func()) {
	held, end := context.WithCancelCause(ctx)
	working, quit := context.WithCancel(context.WithoutCancel(ctx))
	lose := func() {
		end(errLost)
		quit()
	}
	// It fires on time even while an extension gets no answer.
	expiry := time.AfterFunc(time.Until(l.until), lose)
	var extender sync.WaitGroup
	extender.Go(func() { l.extend(working, expiry, lose) })
	return held, func() {
		quit()
		extender.Wait()
		expiry.Stop()
		end(nil)
	}
}

// extend extends the lease every second, and puts off its expiry, until ctx ends
// or the lock is lost. A try that takes too long is given up for the next one,
// on another connection.
func (l *lock) extend(ctx context.Context, expiry *time.Timer, lose func()) {
	ticks := time.NewTicker(extendEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
		until := time.Now().Add(leaseTime)
		try, cancel := context.WithTimeout(ctx, extendEvery)
		_, err := contain(func() (any, error) { return l.run(try, extendScript, leaseTime.Milliseconds()) })
		cancel()
		switch err {
		case nil:
			expiry.Reset(time.Until(until))
		case errLost:
			lose()
		}
	}
}

// lost reports whether the context of a lock ended because the lock was lost.
func lost(held context.Context) bool { return context.Cause(held) == errLost }

// read returns the value, nil if there is none.
func (l *lock) read(held context.Context) ([]byte, error) {
	answer, err := l.run(held, readScript, maxValue)
	switch {
	case err == errLost || lost(held):
		return nil, errLost
	case err != nil:
		return nil, fmt.Errorf("redisstore: reading the value: %w", err)
	}
	value, _ := answer.(string)
	return valueOf(value), nil
}

// write stores the value, unless the lock is lost.
func (l *lock) write(ctx context.Context, value []byte) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	_, err := l.run(ctx, writeScript, value, valueTime.Milliseconds())
	if err != nil && err != errLost {
		return fmt.Errorf("redisstore: storing the value: %w", err)
	}
	return err
}

// release gives the lock to the others at once. If it fails, they wait until
// the lease expires.
func (l *lock) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	_, _ = l.run(ctx, releaseScript)
}
