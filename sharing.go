package apivideo

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
// renewed it, else from the service. Its error is an [*Error] or, if the Store
// failed and there is time to try again, a *storeError.
func (c *cache) obtain(f *flight) (*entry, error) {
	if c.sealer == nil {
		return c.renew(f, nil)
	}
	seen, err := c.look(f.ctx)
	if err == nil {
		if !c.forced(f) && c.adoptable(f, seen, nil) {
			return seen, nil
		}
		var e *entry
		if e, err = c.renewShared(f, seen); err == nil {
			return e, nil
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
func (c *cache) look(ctx context.Context) (*entry, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, storeTime, overdue(storeTime))
	defer cancel()
	type answer struct {
		sealed []byte
		err    error
	}
	answers := make(chan answer, 1)
	go func() {
		sealed, err := c.conf.Store.Load(ctx, c.sealer.key)
		answers <- answer{sealed, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil {
			return nil, &storeError{"reading", a.err}
		}
		return c.sealer.open(a.sealed, time.Now()), nil
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
	ended    chan struct{} // closed by fn, when e and err are set
	returned chan error    // what Update returned
	e        *entry
	err      error
}

var (
	errGaveUp    = errors.New("apivideo: the token was renewed meanwhile, or the lock took too long")
	errNotCalled = errors.New("the update was not made")
)

// renewShared renews under the Store's lock, unless the token turns out to be
// renewed by then: seen is what the Store held before.
func (c *cache) renewShared(f *flight, seen *entry) (*entry, error) {
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	u := &update{began: make(chan struct{}), ended: make(chan struct{}), returned: make(chan error, 1)}
	go func() {
		u.returned <- c.conf.Store.Update(ctx, c.sealer.key, func(_ context.Context, old []byte) ([]byte, error) {
			return c.underLock(f, u, seen, old)
		})
	}()
	if e, err, decided := c.awaitLock(ctx, f, u, seen); decided {
		return e, err
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
		err = overdue(storeTime)
	}
	if err != nil {
		c.log(slog.LevelWarn, "api.video: the new token could not be stored", "error", err)
	}
	return u.e, nil
}

// underLock is the fn of Store.Update. It does not heed its context: an auth
// call that was begun is better finished than left in doubt, and the Store
// sees to it that nothing is written without the lock.
func (c *cache) underLock(f *flight, u *update, seen *entry, old []byte) ([]byte, error) {
	if !u.taken.CompareAndSwap(false, true) {
		return nil, errGaveUp
	}
	close(u.began)
	defer close(u.ended)
	e := c.sealer.open(old, time.Now())
	if c.adoptable(f, e, seen) {
		u.e = e
		return nil, nil
	}
	if u.e, u.err = c.renew(f, e); u.err != nil {
		return nil, u.err
	}
	return c.sealer.seal(u.e)
}

// awaitLock waits until fn has begun. It has decided if there is no need for
// that any more, or no hope.
func (c *cache) awaitLock(ctx context.Context, f *flight, u *update, seen *entry) (e *entry, err error, decided bool) {
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
			err = &storeError{"locking", overdue(lockTime)}
		case <-ctx.Done():
			err = &storeError{"locking", ctx.Err()}
		case <-again.C:
			if e, err = c.look(ctx); err == nil && !c.adoptable(f, e, seen) {
				continue
			}
		}
		return e, err, u.taken.CompareAndSwap(false, true)
	}
}

// renew gets a token from the service, with the refresh token of whichever is
// newer: the current token or the one that the Store held, if any.
func (c *cache) renew(f *flight, stored *entry) (*entry, error) {
	r := &renewal{service: c.service, waited: func() bool { return c.waited(f) }}
	c.mu.Lock()
	from := c.cur
	if stored != nil && (from == nil || !from.outlives(stored)) {
		from = stored
	}
	if from != nil {
		r.accessToken = from.token.AccessToken
		if from.token.RefreshToken != c.spent {
			r.refreshToken = from.token.RefreshToken
		}
	}
	c.mu.Unlock()
	e, spent, err := r.do(f.ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		c.spent = ""
	case spent:
		c.spent = r.refreshToken
	}
	return e, err
}

// adoptable reports whether a token of the Store will do: it is usable, was
// not refused here, and was issued another time than the current one and lives
// no less, whether that was refused or not. By a clock that was ahead, the
// current one may seem to live on. A flight that must bring a new token takes
// only what is not the one seen at its start.
func (c *cache) adoptable(f *flight, e, seen *entry) bool {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case e == nil || e.unusable.passed(now) || c.dropped.has(e) || f.forced && e.same(seen):
		return false
	case e.same(c.cur) && e.issued.Equal(c.cur.issued):
		return false
	case c.cur == nil || c.cur.unusable.passed(now):
		return true
	}
	return !c.cur.outlives(e)
}

func (c *cache) forced(f *flight) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return f.forced
}

// canWait reports whether a flight whose Store failed may as well fail: nobody
// waits for it, and the current token lasts for more tries. In the last part of
// the time for renewal it does not.
func (c *cache) canWait(f *flight) bool {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	cur := c.current(now)
	return f.waiters == 0 && cur != nil &&
		cur.unusable.left(now) > cur.unusable.t.Sub(cur.renewAt.t)/lastPart
}
