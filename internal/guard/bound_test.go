package guard_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
	"github.com/stretchr/testify/assert"
)

func TestBoundCountsWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b guard.Bound
		released := make(chan struct{})
		call := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := guard.CallWithin(ctx, &b, func() (int, error) { <-released; return 7, io.EOF })
			return err
		}
		for range guard.MostHanging {
			assert.ErrorIs(t, call(), context.DeadlineExceeded)
		}
		start := time.Now()
		assert.ErrorIs(t, call(), guard.ErrFull)
		assert.Zero(t, time.Since(start))
		close(released)
		synctest.Wait()
		for range 2 * guard.MostHanging { // these return
			assert.ErrorIs(t, call(), io.EOF)
		}
	})
}

// Calls whose callers have just left are none that hang.
func TestBoundPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := guard.Bound{Patient: true}
		start := func(d time.Duration) bool {
			_, leave, ok := guard.Start(&b, func() (int, error) { time.Sleep(d); return 7, nil })
			if ok {
				leave()
				leave()
			}
			return ok
		}
		for range 100 {
			assert.True(t, start(9*time.Second))
		}
		time.Sleep(guard.Patience + 1)
		for range guard.MostHanging {
			assert.True(t, start(time.Minute))
		}
		time.Sleep(guard.Patience + 1)
		assert.False(t, start(0))
		time.Sleep(time.Minute)
		assert.True(t, start(0))
		time.Sleep(time.Minute)
	})
}

func TestEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := limit.With(t.Context(), time.Second)
		defer cancel()
		assert.False(t, limit.Ended(ctx))
		assert.False(t, limit.Ended(t.Context()))
		time.Sleep(time.Second)
		assert.True(t, limit.Ended(ctx))
		ctx, cancel = limit.With(t.Context(), time.Second)
		cancel()
		assert.True(t, limit.Ended(ctx))
	})
}

// late is a context whose timer fires after its deadline.
type late struct {
	context.Context
	deadline time.Time
}

func (l late) Deadline() (time.Time, bool) { return l.deadline, true }

func TestEndedWaitsForALateTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		assert.True(t, limit.Ended(late{ctx, start}))
		assert.Equal(t, time.Minute, time.Since(start))
	})
}
