package tokencache

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/journal"
	"github.com/apivideo/api.video-go-oauth2/internal/seal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Everything that the Cache does not own misbehaves at random. A panic that
// ends the test binary is a failure, too: -run TestCacheInChaos/17 plays one
// schedule.
//
// Promise: Whatever foreign code does, nobody waits beyond their context, there is one renewal at a time, and later callers get a token.
func TestCacheInChaos(t *testing.T) {
	box, err := seal.New("made-up-key", "https://ws.api.video:443", "made-up")
	require.NoError(t, err)
	for seed := range uint64(300) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { playChaos(t, box, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

func playChaos(t *testing.T, box *seal.Box, r *rand.Rand) {
	storing, logging, odd := r.IntN(4) > 0, r.IntN(4) > 0, r.IntN(2) > 0
	x := &chaos{r: r, released: make(chan struct{})}
	issuer := &badIssuer{chaos: x, box: box}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	if odd {
		time.AfterFunc(time.Duration(r.IntN(60))*time.Second, end)
	}
	var store Store
	shelf := &badStore{chaos: x, lock: make(chan struct{}, 1)}
	if storing {
		store = shelf
	}
	var log *journal.Journal
	if logging {
		log = journal.New(ctx, slog.New(badHandler{x}))
	}
	c := New(ctx, issuer, store, log)

	var well sync.WaitGroup
	for range 4 {
		go badCaller(x, c)
		well.Go(func() { goodCaller(t, x, c) })
	}
	well.Wait()
	x.calmDown()
	time.Sleep(longestServerWait + issueTime) // until the last failure is forgotten
	served(t, c, time.Minute, "while what blocks still does")
	close(x.released)
	time.Sleep(longestServerWait + issueTime)
	served(t, c, 0, "when it does no more")
	synctest.Wait()
	assert.False(t, issuer.overlap.Load(), "one flight at a time")
	s := c.lock()
	defer c.unlock(s)
	assert.Nil(t, s.flight)
	assert.Empty(t, shelf.lock, "the Store's lock is free")
}

// served checks that callers that behave well get a token.
func served(t *testing.T, c *Cache, within time.Duration, when string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within+time.Millisecond)
	defer cancel()
	tok, _, err := c.Get(ctx)
	if assert.NoError(t, err, when) {
		assert.True(t, tok.Usable(), when)
	}
}

// goodCaller uses the Cache for a minute, never beyond its contexts.
func goodCaller(t *testing.T, x *chaos, c *Cache) {
	var last *Token
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		limit := time.Duration(x.roll(5000)+1) * time.Millisecond
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		start := time.Now()
		tok, err := call(ctx, x.roll(7), c, last)
		assert.LessOrEqual(t, time.Since(start), limit, "nobody waits beyond their context")
		if left, ok := errors.AsType[*WaitError](quick(err)); ok {
			assert.ErrorIs(t, left, context.DeadlineExceeded)
		}
		cancel()
		if tok != nil {
			last = tok
		}
		time.Sleep(time.Duration(x.roll(2000)+1) * time.Millisecond)
	}
}

// quick is err if it is one of this package's, whose chain is not foreign.
func quick(err error) error {
	if w, ok := err.(*WaitError); ok {
		return w
	}
	return nil
}

// badCaller uses contexts that misbehave, which may end or block it.
func badCaller(x *chaos, c *Cache) {
	defer func() { _ = recover() }()
	for range 20 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		tok, _ := call(badContext{x, ctx}, x.roll(7), c, nil)
		cancel()
		if tok == nil {
			time.Sleep(time.Second)
		}
	}
}

// call is one call of the Cache, of any kind.
func call(ctx context.Context, kind int, c *Cache, last *Token) (*Token, error) {
	switch {
	case kind == 1:
		return c.Renew(ctx)
	case kind == 2 && last != nil:
		c.Refuse(last, time.Now())
		return c.Replace(ctx, last, [...]time.Time{{}, time.Now()}[rand.IntN(2)])
	case kind == 3 && last != nil:
		c.Refuse(last, time.Now())
		c.ReplaceBehind(last)
		return nil, nil
	case kind == 4 && last != nil:
		c.Invalidate(last.AccessToken)
		return nil, nil
	case kind == 5 && last != nil:
		c.Accept(last, time.Now(), rand.IntN(2) == 0)
		c.Stats()
		return nil, nil
	}
	tok, _, err := c.Get(ctx)
	return tok, err
}
