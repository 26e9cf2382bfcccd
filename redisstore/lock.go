package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/bsm/redislock"
	"github.com/redis/go-redis/v9"
)

const (
	leaseTime    = 4 * time.Second        // how long a killed holder keeps the others waiting
	extendEvery  = 1 * time.Second        // so that three extensions may fail
	shortestWait = 100 * time.Millisecond // between two tries to get the lock
	longestWait  = 250 * time.Millisecond
	endTime      = 1 * time.Second // for the write and for the release, after ctx may have ended
)

// errLost is the cause of the end of fn's context.
var errLost = errors.New("redisstore: the lock was lost")

// Both scripts have the lock and the value as their keys and begin with the
// lock's token, so that nothing is done for one who has lost it.
var (
	readScript = redis.NewScript(`
if redis.call("get", KEYS[1]) ~= ARGV[1] then return {} end
return {redis.call("get", KEYS[2])}`)

	writeScript = redis.NewScript(`
if redis.call("get", KEYS[1]) ~= ARGV[1] then return 0 end
redis.call("set", KEYS[2], ARGV[2], "PX", ARGV[3])
return 1`)
)

// lock is the lock on one key, once it was obtained.
type lock struct {
	lease  *redislock.Lock
	until  time.Time // it cannot have run out before
	client redis.UniversalClient
	names  []string // of the lock and of the value
}

// lock waits for the lock on key until ctx ends.
func (s *Store) lock(ctx context.Context, key string) (*lock, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		until := time.Now().Add(leaseTime)
		lease, err := s.locks.Obtain(ctx, lockName(key), leaseTime, nil)
		if err == nil {
			return &lock{lease, until, s.client, []string{lockName(key), valueName(key)}}, nil
		}
		if !errors.Is(err, redislock.ErrNotObtained) {
			return nil, err
		}
		again := time.NewTimer(shortestWait + rand.N(longestWait-shortestWait))
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
		}
	}
}

// hold keeps the lease from running out until stop is called. The context that
// it returns ends with ctx, or when the lock is lost. The lease is extended
// beyond the end of ctx, for as long as fn takes.
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

// extend extends the lease every second, and puts off its expiry accordingly,
// until ctx ends or the lock is found lost.
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
		switch err := l.refresh(ctx); {
		case err == nil:
			expiry.Reset(time.Until(until))
		case errors.Is(err, redislock.ErrNotObtained):
			lose()
		}
	}
}

// refresh makes one try to extend the lease. One that takes too long is better
// given up for the next, on another connection.
func (l *lock) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, extendEvery)
	defer cancel()
	return l.lease.Refresh(ctx, leaseTime, nil)
}

// lost reports whether the context of a lock ended because that was lost.
func lost(held context.Context) bool { return context.Cause(held) == errLost }

// read returns the value, nil if there is none. It does so in a script since a
// plain read may go to a replica that lags behind.
func (l *lock) read(held context.Context) ([]byte, error) {
	answer, err := readScript.Run(held, l.client, l.names, l.lease.Token()).Slice()
	switch {
	case lost(held) || err == nil && len(answer) == 0:
		return nil, errLost
	case err != nil:
		return nil, fmt.Errorf("redisstore: reading the value: %w", err)
	}
	if value, ok := answer[0].(string); ok {
		return []byte(value), nil
	}
	return nil, nil
}

// write stores the value, unless the lock is lost.
func (l *lock) write(ctx context.Context, value []byte) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	stored, err := writeScript.Run(ctx, l.client, l.names, l.lease.Token(), value, valueTime.Milliseconds()).Bool()
	switch {
	case err != nil:
		return fmt.Errorf("redisstore: storing the value: %w", err)
	case !stored:
		return errLost
	}
	return nil
}

// release lets the others have the lock at once. If it fails, they have it
// when the lease runs out.
func (l *lock) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	_ = l.lease.Release(ctx)
}
