package tokencache

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	storeTime    = 1 * time.Second        // for reading from the Store, and for writing to it
	lockTime     = 20 * time.Second       // for getting the Store's lock
	lastPart     = 8                      // of the time for renewal: one eighth is spent without the Store
	lookInterval = 100 * time.Millisecond // between looks at the Store while waiting for its lock
)

// storeError is a failure of the Store. It says nothing about the service.
type storeError struct {
	doing string
	err   error
}

func (e *storeError) Error() string { return "apivideo: " + e.doing + " the store: " + e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// obtain gets the token of a flight: from the Store if another process has
// renewed it, else from the service. Its error is the Issuer's or, if the Store
// failed and there is time to try again, a *storeError.
func (c *Cache) obtain(f *flight) (*Token, error) {
	if c.box == nil {
		return c.renew(f, nil)
	}
	seen, err := c.look(f.ctx)
	if err == nil {
		if !c.forced(f) && c.adoptable(f, seen, nil) {
			return seen, nil
		}
		var t *Token
		if t, err = c.renewShared(f, seen); err == nil {
			return t, nil
		}
	}
	if _, ok := errors.AsType[*storeError](err); !ok || f.ctx.Err() != nil || c.canWait(f) {
		return nil, err
	}
	c.log(slog.LevelWarn, "api.video: going on without the store", "error", err)
	return c.renew(f, seen)
}

// look reads the Store: a token of this account, nil if there is none. Some
// stores do not honour a context while they read, so it leaves them behind.
func (c *Cache) look(ctx context.Context) (*Token, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, storeTime, Overdue(storeTime))
	defer cancel()
	type answer struct {
		sealed []byte
		err    error
	}
	answers := make(chan answer, 1)
	go func() {
		sealed, err := c.store.Load(ctx, c.box.Name())
		answers <- answer{sealed, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil {
			return nil, &storeError{"reading", a.err}
		}
		return c.open(a.sealed, time.Now()), nil
	case <-ctx.Done():
		return nil, &storeError{"reading", context.Cause(ctx)}
	}
}

// update is one call of Store.Update. Either its fn runs and gets the token, or
// renewShared gives up before that: because the token was renewed by another
// process, because the Store failed, or because the lock took too long.
type update struct {
	// taken decides between the two: whichever sets it goes ahead, the other
	// does nothing.
	taken    atomic.Bool
	began    chan struct{} // closed by fn, with the lock
	ended    chan struct{} // closed by fn, when token and err are set
	returned chan error    // what Update returned
	token    *Token
	err      error
}

var (
	errTaken     = errors.New("apivideo: the token was renewed meanwhile, or the lock took too long")
	errNotCalled = errors.New("the update was not made")
)

// renewShared renews under the Store's lock, unless the token turns out to be
// renewed by then: seen is what the Store held before.
func (c *Cache) renewShared(f *flight, seen *Token) (*Token, error) {
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	u := &update{began: make(chan struct{}), ended: make(chan struct{}), returned: make(chan error, 1)}
	go func() {
		u.returned <- c.store.Update(ctx, c.box.Name(), func(_ context.Context, old []byte) ([]byte, error) {
			return c.underLock(f, u, seen, old)
		})
	}()
	if t, err, decided := c.awaitLock(ctx, f, u, seen); decided {
		return t, err
	}
	<-u.ended // the auth calls have limits of their own
	if u.err != nil {
		return nil, u.err
	}
	timer := time.NewTimer(storeTime)
	defer timer.Stop()
	var err error
	select {
	case err = <-u.returned:
	case <-timer.C:
		err = Overdue(storeTime)
	}
	if err != nil {
		c.log(slog.LevelWarn, "api.video: the new token could not be stored", "error", err)
	}
	return u.token, nil
}

// underLock is the fn of Store.Update. It does not heed its context: an auth
// call that was begun is better finished than left in doubt, and the Store
// sees to it that nothing is written without the lock.
func (c *Cache) underLock(f *flight, u *update, seen *Token, old []byte) ([]byte, error) {
	if !u.taken.CompareAndSwap(false, true) {
		return nil, errTaken
	}
	close(u.began)
	defer close(u.ended)
	t := c.open(old, time.Now())
	if c.adoptable(f, t, seen) {
		u.token = t
		return nil, nil
	}
	if u.token, u.err = c.renew(f, t); u.err != nil {
		return nil, u.err
	}
	return c.seal(u.token)
}

// awaitLock waits until fn has begun. decided is true if the token appeared
// elsewhere or the lock cannot be acquired.
func (c *Cache) awaitLock(ctx context.Context, f *flight, u *update, seen *Token) (t *Token, err error, decided bool) {
	patience := time.NewTimer(jittered(lockTime, jitter))
	defer patience.Stop()
	again := time.NewTicker(lookInterval)
	defer again.Stop()
	for {
		select {
		case <-u.began:
			return nil, nil, false
		case returned := <-u.returned:
			u.returned <- returned // fn may have ended all the same
			err = &storeError{"updating", cmp.Or(returned, errNotCalled)}
		case <-patience.C:
			err = &storeError{"locking", Overdue(lockTime)}
		case <-ctx.Done():
			err = &storeError{"locking", ctx.Err()}
		case <-again.C:
			if t, err = c.look(ctx); err == nil && !c.adoptable(f, t, seen) {
				continue
			}
		}
		return t, err, u.taken.CompareAndSwap(false, true)
	}
}

// renew gets a token from the service. It follows whichever is newer: the
// current token or the one that the Store held, if any.
func (c *Cache) renew(f *flight, held *Token) (*Token, error) {
	c.mu.Lock()
	old := c.cur
	if held != nil && (old == nil || !old.outlives(held)) {
		old = held
	}
	c.mu.Unlock()
	return c.issuer.Issue(f.ctx, old, func() bool { return c.awaited(f) })
}

// adoptable reports whether a token of the Store will do: it is usable, was
// not refused here, and was issued another time than the current one and lives
// no less, whether that was refused or not. By a clock that was ahead, the
// current one may seem to live on. A flight that must bring a new token takes
// only what is not the one seen at its start.
func (c *Cache) adoptable(f *flight, t, seen *Token) bool {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case t == nil || t.usableUntil.passed(now) || c.retired.has(t) || f.forced && t.same(seen):
		return false
	case t.same(c.cur) && t.Issued.Equal(c.cur.Issued):
		return false
	case c.cur == nil || c.cur.usableUntil.passed(now):
		return true
	}
	return !c.cur.outlives(t)
}

func (c *Cache) forced(f *flight) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return f.forced
}

// canWait reports whether to retry later instead of renewing without the
// Store: nobody waits for the flight, and the current token lasts for more
// tries. It does not in the last part of the time for renewal.
func (c *Cache) canWait(f *flight) bool {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	cur := c.current(now)
	return f.waiters == 0 && cur != nil &&
		cur.usableUntil.left(now) > cur.usableUntil.t.Sub(cur.renewAt.t)/lastPart
}

// Overdue is the error of a call that took longer than it may. It is a
// context.DeadlineExceeded, and so a time-out.
type Overdue time.Duration

func (o Overdue) Error() string { return "no answer within " + time.Duration(o).String() }
func (o Overdue) Unwrap() error { return context.DeadlineExceeded }
