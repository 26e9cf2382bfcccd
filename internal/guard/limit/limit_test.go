package limit_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
	"github.com/stretchr/testify/assert"
)

func TestWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		values := make(chan int, 1)
		values <- 7
		v, ok := limit.Within(t.Context(), time.Second, values)
		assert.True(t, ok)
		assert.Equal(t, 7, v)

		start := time.Now()
		_, ok = limit.Within(t.Context(), time.Second, values)
		assert.False(t, ok)
		assert.Equal(t, time.Second, time.Since(start))

		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, ok = limit.Within(ctx, time.Second, values)
		assert.False(t, ok)
		assert.Equal(t, time.Second+time.Millisecond, time.Since(start))
	})
}

// slept is t with a monotonic reading that stood still for d.
func slept(t time.Time, d time.Duration) time.Time {
	*(*int64)(unsafe.Add(unsafe.Pointer(&t), 8)) -= int64(d)
	return t
}

// Promise: The time since a request is that of the clock that saw more time pass.
func TestElapsedByTheFasterClock(t *testing.T) {
	then := time.Now()
	assert.Equal(t, time.Second, limit.Elapsed(then, then.Add(time.Second)))
	assert.Equal(t, 2*time.Hour, limit.Elapsed(then, slept(then.Add(2*time.Hour), 2*time.Hour)))
	assert.Equal(t, time.Second, limit.Elapsed(then, slept(then.Add(-time.Hour), -time.Hour-time.Second)), "set back")
}

// Promise: A limit that ends more than 2 seconds late, by either clock, is known to be late.
func TestLimitKnowsThatItIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, after := range []time.Duration{0, time.Second, 2 * time.Second, 2*time.Second + 1, time.Hour} {
			ctx, cancel := limit.WithGrace(t.Context(), time.Second, time.Minute)
			<-ctx.Done()
			time.Sleep(after)
			assert.Equal(t, "no answer within 1s", limit.Cause(ctx).Error())
			assert.ErrorIs(t, limit.Cause(ctx), context.DeadlineExceeded)
			overdue, ok := limit.Cause(ctx).(limit.Overdue)
			assert.True(t, ok)
			assert.Equal(t, after > 2*time.Second, overdue.Late, after)
			cancel()
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		assert.Equal(t, context.Canceled, limit.Cause(ctx))
	})
}

// The clocks of a test cannot be stopped or set, so this sets the two readings
// of a moment instead.
//
// Promise: A time has passed if either the monotonic or the wall clock says so.
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
		m := limit.Moment{T: test.monotonic, Wall: test.wall.UnixNano()}
		assert.Equal(t, test.passed, m.Passed(now), test.name)
		assert.Equal(t, test.passed, m.Remaining(now) <= 0, test.name)
	}
}
