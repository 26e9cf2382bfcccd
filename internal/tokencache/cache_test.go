package tokencache

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
	"github.com/apivideo/api.video-go-oauth2/internal/seal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fails is an Issuer without a service. Its error may pass.
type fails struct{ calls int }

var errIssue = errors.New("no service")

func (*fails) Account(context.Context) (*Account, error) { return &Account{Name: "made-up"}, nil }

func (i *fails) Issue(context.Context, Request) (*Token, error) {
	i.calls++
	return nil, errIssue
}

func (*fails) Explain(error) Explanation { return Explanation{Temporary: true} }
func (*fails) Encode(error) []byte       { return nil }
func (*fails) Decode([]byte) error       { return nil }

// hour is a new token that lives for an hour.
func hour() *Token {
	return NewToken(Grant{AccessToken: "made-up", Lifetime: time.Hour}, time.Now())
}

// Promise: The current token ends by either clock, whether the caller takes the lock or not.
func TestTokenUsableByEitherClock(t *testing.T) {
	now := time.Now()
	tok := hour()
	s := &state{cur: tok, now: now}
	assert.Same(t, tok, s.current())
	tok.usableUntil.Wall = now.UnixNano()
	assert.Nil(t, s.current(), "the wall clock went on while the machine slept")
	tok.usableUntil = limit.MomentOf(tok.Expiry)
	tok.usableUntil.T = now
	assert.Nil(t, s.current(), "the wall clock was set back")
}

// with returns a Cache whose token is tok.
func with(t *testing.T, i Issuer, tok *Token) *Cache {
	c := New(t.Context(), i, nil, nil)
	s := c.lock()
	defer c.unlock(s)
	s.publish(tok)
	return c
}

// The path without the lock looks at both clocks, too.
//
// Promise: The current token ends by either clock, whether the caller takes the lock or not.
func TestGetChecksBothClocks(t *testing.T) {
	for name, over := range map[string]func(now, later time.Time) limit.Moment{
		"the wall clock went on while the machine slept": func(now, later time.Time) limit.Moment { return limit.Moment{T: later, Wall: now.UnixNano()} },
		"the wall clock was set back":                    func(now, later time.Time) limit.Moment { return limit.Moment{T: now, Wall: later.UnixNano()} },
	} {
		tok := hour()
		c := with(t, &fails{}, tok)
		now := time.Now()
		tok.usableUntil = over(now, now.Add(time.Hour))
		c.ready.Store(&offer{tok, tok.usableUntil})
		_, _, err := c.Get(t.Context())
		assert.ErrorIs(t, err, errIssue, name)
	}
}

// A laptop that slept for an hour after a failure asks at once.
//
// Promise: A remembered failure ends when either clock says so.
func TestFailureEndsByEitherClock(t *testing.T) {
	now := time.Now()
	later := now.Add(time.Hour)
	for _, test := range []struct {
		until  limit.Moment
		blocks bool
	}{
		{limit.MomentOf(later), true},
		{limit.Moment{T: later, Wall: now.UnixNano()}, false}, // the monotonic clock stood still
		{limit.Moment{T: now, Wall: later.UnixNano()}, false}, // the wall clock was set back
	} {
		m := memory{failure: failure{err: errIssue}, until: test.until}
		assert.Equal(t, test.blocks, m.block(now))
	}
}

// Requests need no lock again after a failed renewal, unless the token was
// invalidated meanwhile.
func TestGetNeedsNoLockAfterFailedRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tok := hour()
		c := with(t, &fails{}, tok)
		_, _, err := c.Get(t.Context())
		require.NoError(t, err)
		for range 3 {
			c.Refuse(tok, time.Now())
			_, err := c.Replace(t.Context(), tok, time.Time{})
			require.Error(t, err)
			assert.Same(t, tok, c.ready.Load().token)
		}
		time.Sleep(time.Until(tok.renewAt.T) + time.Minute) // in an outage
		synctest.Wait()
		o := c.ready.Load()
		require.NotNil(t, o)
		assert.False(t, o.until.Passed(time.Now()), "nothing is due before the next attempt")
		c.Invalidate("made-up")
		assert.Nil(t, c.ready.Load())
	})
}

// Its timer may have fired before any caller got the token.
//
// Promise: A Source renews an adopted token if it is due.
func TestTokenAdoptedLateIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &fails{}
		c := New(t.Context(), i, nil, nil)
		now := time.Now()
		late := newToken(Grant{AccessToken: "made-up", Lifetime: time.Hour}, now, 5*time.Minute, now)
		s := c.lock()
		s.flight, s.progress = &flight{done: make(chan struct{})}, &progress{waiters: 1}
		s.land(s.flight, outcome{token: late})
		c.unlock(s)
		synctest.Wait()
		assert.Equal(t, 1, i.calls)
	})
}

// secondTime is an Issuer whose first auth call of each renewal fails. It then
// calls between.
type secondTime struct {
	fails
	between func()
}

func (i *secondTime) Issue(_ context.Context, r Request) (*Token, error) {
	r.Doing("first")
	i.between()
	r.Doing("second")
	return hour(), nil
}

// A token names the refused one if the auth call that brought it began later.
func TestTokenNamesTheRefusedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &secondTime{}
		refused := NewToken(Grant{AccessToken: "refused", Lifetime: time.Hour}, time.Now())
		c := with(t, i, refused)
		i.between = func() {
			c.Refuse(refused, time.Now())
			go c.Replace(t.Context(), refused, time.Time{})
			synctest.Wait()
		}
		tok, err := c.Renew(t.Context())
		require.NoError(t, err)
		assert.Equal(t, refused.id, tok.replaces)
		tok, err = c.Renew(t.Context())
		require.NoError(t, err)
		assert.Empty(t, tok.replaces)
	})
}

// A request that was sent at the instant of the 401 may have been answered before.
func TestAcceptCountsForLaterRequests(t *testing.T) {
	tok := hour()
	c := with(t, &fails{}, tok)
	at := time.Now()
	c.Refuse(tok, at)
	for _, sent := range []time.Time{at.Add(-time.Second), at} {
		c.Accept(tok, sent, false)
		assert.Equal(t, at, c.Stats().RefusedSince)
	}
	c.Accept(tok, at.Add(1), false)
	assert.Zero(t, c.Stats().RefusedSince)
}

// frozen is an Issuer whose limits end late in the first renewals, because the
// process did not run.
type frozen struct {
	fails
	late int
}

func (i *frozen) Issue(ctx context.Context, r Request) (*Token, error) {
	if i.calls++; i.calls <= i.late {
		return nil, errIssue
	}
	return hour(), nil
}

func (*frozen) Explain(error) Explanation { return Explanation{Temporary: true, Late: true} }

// Promise: What a limit ended that was more than 2 seconds late counts as not tried: callers start anew, once.
func TestLateLimitCountsAsNotTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &frozen{late: 1}
		c := New(t.Context(), i, nil, nil)
		_, _, err := c.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 2, i.calls)
		assert.Equal(t, Stats{}.LastError, c.Stats().LastError)

		i = &frozen{late: 3}
		c = New(t.Context(), i, nil, nil)
		_, _, err = c.Get(t.Context())
		assert.ErrorIs(t, err, errIssue, "the second in a row counts")
		assert.Equal(t, 2, i.calls)
		time.Sleep(time.Until(c.Stats().NextAttempt))
		_, _, err = c.Get(t.Context())
		require.NoError(t, err, "and the next one does not")
	})
}

// Promise: A background renewal that a late limit ended starts anew by itself.
func TestLateLimitInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &frozen{late: 1}
		tok := hour()
		c := with(t, i, tok)
		_, _, err := c.Get(t.Context())
		require.NoError(t, err)
		time.Sleep(time.Until(tok.renewAt.T) + time.Second)
		synctest.Wait()
		assert.Equal(t, 2, i.calls)
	})
}

func FuzzOpen(f *testing.F) {
	box, err := seal.New("made-up-key", "https://ws.api.video:443", "made-up-name")
	require.NoError(f, err)
	c, a := &Cache{issuer: &fails{}}, &Account{Box: box}
	sealed, err := c.seal(&flight{account: a}, content{token: hour()})
	require.NoError(f, err)
	f.Add(sealed)
	f.Add([]byte{})
	f.Add(sealed[:1])
	f.Fuzz(func(t *testing.T, data []byte) {
		if got := c.open(a, data, time.Now()).token; got != nil {
			assert.Equal(t, "made-up", got.AccessToken, "only what was sealed is opened")
		}
	})
}

// BenchmarkGet compares what a Transport pays for its token with the minimum:
// an atomic load and a look at the clock.
func BenchmarkGet(b *testing.B) {
	tok := hour()
	c := New(b.Context(), &fails{}, nil, nil)
	c.ready.Store(&offer{tok, tok.renewAt})
	ctx := b.Context()
	ways := map[string]func() *Token{
		"library": func() *Token {
			t, _, _ := c.Get(ctx)
			return t
		},
		"limit": func() *Token {
			if o := c.ready.Load(); time.Now().Before(o.until.T) {
				return o.token
			}
			return nil
		},
	}
	for name, get := range ways {
		b.Run(name+"/1", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				get()
			}
		})
		b.Run(name+"/128", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(128 / runtime.GOMAXPROCS(0))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					get()
				}
			})
		})
	}
}
