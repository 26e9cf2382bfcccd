package tokencache

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

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

// The clocks of a test cannot be stopped or set, so this sets the two readings
// of a moment instead.
func TestMomentPassedByEitherClock(t *testing.T) {
	now := time.Now()
	before, after := now.Add(-time.Hour), now.Add(time.Hour)
	for _, test := range []struct {
		name            string
		monotonic, wall time.Time
		passed          bool
	}{
		{"neither", after, after, false},
		{"the wall clock went on while the machine slept", after, before, true},
		{"the wall clock was set back", before, after, true},
		{"both", before, before, true},
		{"just now", now, now, true},
	} {
		m := moment{test.monotonic, test.wall.UnixNano()}
		assert.Equal(t, test.passed, m.passed(now), test.name)
		assert.Equal(t, test.passed, m.left(now) <= 0, test.name)
	}
}

func TestTokenUsableByEitherClock(t *testing.T) {
	now := time.Now()
	tok := hour()
	c := &Cache{cur: tok}
	assert.Same(t, tok, c.current(now))
	tok.usableUntil.wall = now.UnixNano()
	assert.Nil(t, c.current(now), "the wall clock went on while the machine slept")
	tok.usableUntil = momentOf(tok.Expiry)
	tok.usableUntil.t = now
	assert.Nil(t, c.current(now), "the wall clock was set back")
}

// The path without the lock looks at both clocks, too.
func TestGetChecksBothClocks(t *testing.T) {
	now := time.Now()
	later := now.Add(time.Hour)
	remembered := errors.New("remembered")
	for name, over := range map[string]moment{
		"the wall clock went on while the machine slept": {later, now.UnixNano()},
		"the wall clock was set back":                    {now, later.UnixNano()},
	} {
		tok := hour()
		tok.renewAt, tok.usableUntil = over, over
		c := &Cache{cur: tok, failures: failures{failure: failure{err: remembered}, until: momentOf(later)}}
		c.ready.Store(tok)
		_, err := c.Get(t.Context())
		assert.Same(t, remembered, err, name)
	}
}

// A laptop that slept for an hour after a failure asks at once.
func TestFailureEndsByEitherClock(t *testing.T) {
	now := time.Now()
	later := now.Add(time.Hour)
	for _, test := range []struct {
		until  moment
		blocks bool
	}{
		{momentOf(later), true},
		{moment{later, now.UnixNano()}, false}, // the monotonic clock stood still
		{moment{now, later.UnixNano()}, false}, // the wall clock was set back
	} {
		f := failures{failure: failure{err: errIssue}, until: test.until}
		assert.Equal(t, test.blocks, f.block(now))
	}
}

// Requests need no lock again, unless the token was invalidated meanwhile.
func TestGetNeedsNoLockAfterFailedRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tok := hour()
		c := New(t.Context(), &fails{}, nil, nil)
		c.cur = tok
		fail := func() { c.land(&flight{ctx: t.Context(), done: make(chan struct{}), refused: tok}, nil, errIssue) }
		fail()
		assert.Same(t, tok, c.ready.Load())
		c.Invalidate("made-up")
		fail()
		assert.Nil(t, c.ready.Load())
	})
}

// Its timer may have fired before any caller got the token.
func TestTokenAdoptedLateIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &fails{}
		c := New(t.Context(), i, nil, nil)
		now := time.Now()
		c.cur = newToken(Grant{AccessToken: "made-up", Lifetime: time.Hour}, now, 5*time.Minute, now)
		f := &flight{done: make(chan struct{}), token: c.cur}
		close(f.done)
		_, err := c.wait(newWaiter(t.Context()), f)
		assert.NoError(t, err)
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

func TestTokenIsAskedForByItsOwnAuthCall(t *testing.T) {
	i := &secondTime{}
	c := New(t.Context(), i, nil, nil)
	var refusal Mark
	i.between = func() { refusal = c.Refuse(NewToken(Grant{AccessToken: "refused"}, time.Now())) }
	tok, err := c.Get(t.Context())
	require.NoError(t, err)
	assert.True(t, tok.AskedSince(refusal))
	assert.Equal(t, []fingerprint{fingerprintOf("refused")}, tok.refusedBefore)
}

// slept is t with a monotonic reading that stood still for d.
func slept(t time.Time, d time.Duration) time.Time {
	*(*int64)(unsafe.Add(unsafe.Pointer(&t), 8)) -= int64(d)
	return t
}

func TestElapsedByTheFasterClock(t *testing.T) {
	then := time.Now()
	assert.Equal(t, time.Second, elapsed(then, then.Add(time.Second)))
	assert.Equal(t, 2*time.Hour, elapsed(then, slept(then.Add(2*time.Hour), 2*time.Hour)))
	assert.Equal(t, time.Second, elapsed(then, slept(then.Add(-time.Hour), -time.Hour-time.Second)), "set back")
}

func FuzzOpen(f *testing.F) {
	box, err := seal.New("made-up-key", "https://ws.api.video:443", "made-up-name")
	require.NoError(f, err)
	c, a := &Cache{issuer: &fails{}}, &Account{Box: box}
	sealed, err := c.seal(&flight{account: a}, held{token: hour()})
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
	c := &Cache{cur: tok}
	c.ready.Store(tok)
	ctx := b.Context()
	ways := map[string]func() *Token{
		"library": func() *Token {
			t, _ := c.Get(ctx)
			return t
		},
		"limit": func() *Token {
			if t := c.ready.Load(); time.Now().Before(t.renewAt.t) {
				return t
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

// causeOf is why ctx has ended.
func causeOf(ctx context.Context) string { return context.Cause(ctx).Error() }
