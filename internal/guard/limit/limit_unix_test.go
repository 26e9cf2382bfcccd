//go:build unix

package limit_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/childtest"
	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Promise: The time limits on the Store are exact.
func TestPatienceIsExactInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, d := range []time.Duration{time.Second, 20 * time.Second, 20 * time.Nanosecond} {
			start := time.Now()
			ctx, cancel := limit.WithPatience(t.Context(), d)
			<-ctx.Done()
			assert.Equal(t, d, time.Since(start))
			assert.Equal(t, "no answer within "+d.String(), context.Cause(ctx).Error())
			cancel()
			ctx, cancel = limit.WithPatience(t.Context(), d)
			cancel() // which leaves no goroutine
			assert.Equal(t, "context canceled", context.Cause(ctx).Error())
		}
	})
}

// A process that is stopped for two seconds after the first tenth of its
// patience still has the rest of it.
//
// Promise: The time limits on the Store are longer if the process gets no processor time.
func TestPatienceStretchesWithoutTheProcessor(t *testing.T) {
	const patience, pause = time.Second, 2 * time.Second
	if os.Getenv("TEST_PATIENCE") != "" {
		start := time.Now()
		ctx, cancel := limit.WithPatience(t.Context(), patience)
		defer cancel()
		time.AfterFunc(patience/10, func() {
			fmt.Println("stopping")
			syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		})
		<-ctx.Done()
		fmt.Println("took", time.Since(start))
		return
	}
	self := childtest.Self("TEST_PATIENCE=1")
	self.Args = append(self.Args, "-test.run=^"+t.Name()+"$")
	child := childtest.Start(t, self)
	resume := func() { child.Process.Signal(syscall.SIGCONT) }
	for {
		line := child.Line()
		if line == "stopping" {
			time.AfterFunc(pause, resume)
			time.AfterFunc(10*pause, resume) // in case it stopped late
		}
		if text, ok := strings.CutPrefix(line, "took "); ok {
			took, err := time.ParseDuration(text)
			require.NoError(t, err)
			t.Log("took", took)
			assert.Greater(t, took, pause+patience/2)
			return
		}
	}
}
