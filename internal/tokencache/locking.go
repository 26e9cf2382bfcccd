package tokencache

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
)

const (
	lockTime     = 20 * time.Second       // for acquiring the Store's lock
	lookInterval = 100 * time.Millisecond // between reads of the Store while waiting for its lock
	// While a flight waits for the lock, fewer reads than this may time out in a
	// row: the Store answered before, and may only be busy.
	maxSilentLooks = 3
)

// update is one call of Store.Update. Either its fn decides the outcome, or
// renewShared gives up first: another process renewed the token, the Store failed,
// or the lock took too long.
type update struct {
	// taken decides between the two. The one that sets it continues; the other
	// does nothing.
	taken    atomic.Bool
	began    chan struct{} // closed by fn, when it has the lock
	ended    chan struct{} // closed by fn, when outcome is set
	returned <-chan guard.Result[struct{}]
	outcome  outcome
}

var (
	errTaken     = errors.New("apivideo: the token was already renewed, or the lock took too long")
	errNotCalled = errors.New("the function of Update was not called")
)

// renewShared renews under the Store's lock, unless another process has done so
// by then. seen is the content of the Store when the flight started. The error is
// a *storeError.
func (c *Cache) renewShared(f *flight, seen content) (outcome, error) {
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	c.tell(f, "the store's lock")
	u := &update{began: make(chan struct{}), ended: make(chan struct{})}
	// Read now: it may change before a slow Store calls.
	name := f.account.Name
	updating, leave := callStore(c, "updating", func() (struct{}, error) {
		return struct{}{}, c.store.Update(ctx, name, func(_ context.Context, old []byte) ([]byte, error) {
			return c.underLock(f, u, seen, bytes.Clone(old))
		})
	})
	defer leave()
	u.returned = updating
	if o, err, decided := c.awaitLock(ctx, f, u, seen); decided {
		return o, err
	}
	<-u.ended // the auth calls have limits
	ctx, stop := limit.WithPatience(f.ctx, storeTime)
	defer stop()
	select {
	case r := <-u.returned:
		c.stored(f, r.Err)
	case <-ctx.Done():
		c.stored(f, context.Cause(ctx))
	}
	return u.outcome, nil
}

// stored notes whether the Store has accepted the result of a flight.
func (c *Cache) stored(f *flight, err error) {
	c.do(func(s *state) {
		switch {
		case f.ctx.Err() != nil: // an aborted flight stores nothing
		case err != nil:
			s.storeFails(storeErrorOf("writing to", err), nowPrivate)
		default:
			s.storeWorks()
		}
	})
}

// learn continues the count of a failure in the Store, if there is one.
func (s *state) learn(f *flight, p *failure) {
	if p != nil && p.counts(s.now) {
		s.failures.count = max(s.failures.count, p.count)
		s.of(f).before = p.err
	}
}

// underLock is the fn of Store.Update. It ignores its context, which ends when the
// lock is lost: an auth call that is cut off may have used the refresh token.
// The Store writes nothing without the lock.
func (c *Cache) underLock(f *flight, u *update, seen content, old []byte) ([]byte, error) {
	if !u.taken.CompareAndSwap(false, true) {
		return nil, errTaken
	}
	close(u.began)
	defer close(u.ended)
	now := c.open(f.account, old, time.Now())
	var settled bool
	if u.outcome, settled = c.settled(f, now, seen); settled {
		return nil, nil
	}
	c.do(func(s *state) { s.learn(f, now.failure) })
	t, err := c.issue(f, now.token)
	if err == nil {
		u.outcome = outcome{token: t}
		return c.seal(f, content{token: t})
	}
	u.outcome = c.failed(f, err)
	if p := u.outcome.failure; p != nil && !p.why.Local {
		return c.seal(f, content{now.token, p})
	}
	return nil, nil // others learn nothing from it
}

// awaitLock waits until fn has begun. Until then it reads the Store: another process
// may renew the token. decided is true if o and err are the result of renewShared:
// the Store has it, or the lock cannot be acquired.
func (c *Cache) awaitLock(ctx context.Context, f *flight, u *update, seen content) (o outcome, err error, decided bool) {
	patient, cancel := limit.WithPatience(ctx, jittered(lockTime, jitter))
	defer cancel()
	again := time.NewTicker(lookInterval)
	defer again.Stop()
	for silent := 0; ; {
		select {
		case <-u.began:
			return outcome{}, nil, false
		case r := <-u.returned:
			returned := make(chan guard.Result[struct{}], 1)
			returned <- r // renewShared reads it if fn has run
			u.returned = returned
			err = storeErrorOf("updating", cmp.Or(r.Err, errNotCalled))
		case <-patient.Done():
			err = &storeError{"locking", context.Cause(patient).Error(), nil}
		case <-again.C:
			var now content
			if now, err = c.look(f); err == nil {
				var settled bool
				if o, settled = c.settled(f, now, seen); !settled {
					silent = 0
					continue
				}
			} else if silent++; errors.Is(err, context.DeadlineExceeded) && silent < maxSilentLooks {
				continue
			}
		}
		if u.taken.CompareAndSwap(false, true) {
			return o, err, true
		}
		return outcome{}, nil, false
	}
}
