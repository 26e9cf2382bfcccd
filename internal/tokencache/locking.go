package tokencache

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
)

const (
	lockTime     = 20 * time.Second       // for acquiring the Store's lock
	lookInterval = 100 * time.Millisecond // between reads of the Store while waiting for its lock
	// While a flight waits for the lock, fewer reads than this may time out in a
	// row: the Store answered before, and may only be busy.
	maxSilentLooks = 3
)

// update is one call of Store.Update. Either its fn gets the token, or renewShared
// gives up first: another process renewed the token, the Store failed, or the
// lock took too long.
type update struct {
	// taken decides between the two. The one that sets it continues; the other
	// does nothing.
	taken    atomic.Bool
	began    chan struct{} // closed by fn, when it has the lock
	ended    chan struct{} // closed by fn, when token and err are set
	returned <-chan guard.Result[struct{}]
	token    *Token
	err      error
}

var (
	errTaken     = errors.New("apivideo: the token was already renewed, or the lock took too long")
	errNotCalled = errors.New("the function of Update was not called")
)

// renewShared renews under the Store's lock, unless another process has done so
// by then. seen is the content of the Store when the flight started.
func (c *Cache) renewShared(f *flight, seen held) (*Token, error) {
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	c.tell(f, "the store's lock")
	u := &update{began: make(chan struct{}), ended: make(chan struct{}), err: errNoToken} // until fn sets it
	// Read now: it may change before a slow Store calls.
	name := f.account.Name
	u.returned = guard.Go(func() (struct{}, error) {
		err := c.store.Update(ctx, name, func(_ context.Context, old []byte) ([]byte, error) {
			return c.underLock(f, u, seen, bytes.Clone(old))
		})
		if err != nil {
			err = &storeError{"updating", err.Error(), nil}
		}
		return struct{}{}, err
	})
	if t, err, decided := c.awaitLock(ctx, f, u, seen); decided {
		return t, err
	}
	<-u.ended // the auth calls have limits
	ctx, stop := withPatience(f.ctx, storeTime)
	defer stop()
	select {
	case r := <-u.returned:
		c.stored(f, r.Err)
	case <-ctx.Done():
		c.stored(f, context.Cause(ctx))
	}
	return u.token, u.err
}

// stored notes whether the Store has accepted the result of a flight.
func (c *Cache) stored(f *flight, err error) {
	switch {
	case f.ctx.Err() != nil: // an aborted flight stores nothing
	case err != nil:
		c.storeFails(storeErrorOf("writing to", err))
	default:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.storeWorks()
	}
}

// underLock is the fn of Store.Update. It ignores its context, which ends when the
// lock is lost: an auth call that is cut off may have used the refresh token.
// The Store writes nothing without the lock.
func (c *Cache) underLock(f *flight, u *update, seen held, old []byte) ([]byte, error) {
	if !u.taken.CompareAndSwap(false, true) {
		return nil, errTaken
	}
	close(u.began)
	defer close(u.ended)
	h := c.open(f.account, old, time.Now())
	if end, ok := c.settled(f, h, seen); ok {
		u.token, u.err = c.take(f, end)
		return nil, nil
	}
	c.mu.Lock()
	if p := h.failure; p != nil && p.counts(time.Now()) {
		c.failures.count = max(c.failures.count, p.count)
		f.before = p.err
	}
	c.mu.Unlock()
	if u.token, u.err = c.issue(f, h.token); u.err == nil {
		return c.seal(f, held{token: u.token})
	}
	if f.ctx.Err() != nil {
		return nil, u.err
	}
	why := c.explain(u.err)
	c.mu.Lock()
	failed := c.next(u.err, why, c.failures.count, time.Now())
	f.failure = failed
	c.mu.Unlock()
	return c.seal(f, held{h.token, &failed})
}

// awaitLock waits until fn has begun. Until then it reads the Store: another process
// may renew the token. decided is true if t and err are the result of the flight:
// the Store has it, or the lock cannot be acquired.
func (c *Cache) awaitLock(ctx context.Context, f *flight, u *update, seen held) (t *Token, err error, decided bool) {
	patient, cancel := withPatience(ctx, jittered(lockTime, jitter))
	defer cancel()
	again := time.NewTicker(lookInterval)
	defer again.Stop()
	for silent := 0; ; {
		select {
		case <-u.began:
			return nil, nil, false
		case r := <-u.returned:
			returned := make(chan guard.Result[struct{}], 1)
			returned <- r // renewShared reads it if fn has run
			u.returned = returned
			err = storeErrorOf("updating", cmp.Or(r.Err, errNotCalled))
		case <-patient.Done():
			err = &storeError{"locking", context.Cause(patient).Error(), nil}
		case <-again.C:
			var h, end held
			if h, err = c.look(f); err == nil {
				var ok bool
				if end, ok = c.settled(f, h, seen); !ok {
					silent = 0
					continue
				}
			} else if silent++; errors.Is(err, context.DeadlineExceeded) && silent < maxSilentLooks {
				continue
			}
			if decided = u.taken.CompareAndSwap(false, true); decided && err == nil {
				t, err = c.take(f, end)
			}
			return t, err, decided
		}
		return nil, err, u.taken.CompareAndSwap(false, true)
	}
}
