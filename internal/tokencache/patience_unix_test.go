//go:build unix

package tokencache

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPatienceIsExactInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, d := range []time.Duration{storeTime, lockTime, time.Nanosecond * 20} {
			start := time.Now()
			ctx, cancel := withPatience(t.Context(), d)
			<-ctx.Done()
			assert.Equal(t, d, time.Since(start))
			assert.Equal(t, "no answer within "+d.String(), causeOf(ctx))
			cancel()
			ctx, cancel = withPatience(t.Context(), d)
			cancel() // which leaves no goroutine
			assert.Equal(t, "context canceled", causeOf(ctx))
		}
	})
}

// A process that is stopped for two seconds after the first tenth of its
// patience still has the rest of it.
func TestPatienceStretchesWithoutTheProcessor(t *testing.T) {
	const patience, pause = time.Second, 2 * time.Second
	if os.Getenv("TEST_PATIENCE") != "" {
		start := time.Now()
		ctx, cancel := withPatience(t.Context(), patience)
		defer cancel()
		time.AfterFunc(patience/10, func() {
			fmt.Println("stopping")
			syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		})
		<-ctx.Done()
		fmt.Println("took", time.Since(start))
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestPatienceStretchesWithoutTheProcessor$")
	cmd.Env = append(os.Environ(), "TEST_PATIENCE=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer cmd.Wait()
	defer cmd.Process.Kill()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "stopping" {
			time.AfterFunc(pause, func() { cmd.Process.Signal(syscall.SIGCONT) })
			time.AfterFunc(10*pause, func() { cmd.Process.Signal(syscall.SIGCONT) }) // in case it stopped late
		}
		if text, ok := strings.CutPrefix(lines.Text(), "took "); ok {
			took, err := time.ParseDuration(text)
			require.NoError(t, err)
			t.Log("took", took)
			assert.Greater(t, took, pause+patience/2)
			return
		}
	}
	t.Error("the process did not tell how long it took")
}
