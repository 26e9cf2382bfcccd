package redisstore_test

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/redisstore"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hook is what a program adds to its client. It runs around each command.
type hook func(next func() error, script string) error

func (h hook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, c redis.Cmder) error {
		script := ""
		if c.Name() == "eval" {
			script = c.Args()[1].(string)
		}
		return h(func() error { return next(ctx, c) }, script)
	}
}

func (h hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// hooked returns a Store whose client has this hook, and a client without one.
func hooked(t *testing.T, h hook) (*redisstore.Store, *redis.Client) {
	t.Helper()
	server := newRedis(t)
	client := server.client(t)
	client.AddHook(h)
	return redisstore.New(client), server.client(t)
}

// Promise: Redisstore, pgstore: a client or driver that panics is an error.
func TestLoadWithClientThatCrashes(t *testing.T) {
	t.Parallel()
	for name, crash := range map[string]func(){"panics": func() { panic("made-up") }, "ends the goroutine": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sound atomic.Bool
			s, _ := hooked(t, func(next func() error, _ string) error {
				if !sound.Load() {
					crash()
				}
				return next()
			})
			for range 10 {
				_, err := s.Load(t.Context(), key)
				require.Error(t, err)
			}
			sound.Store(true)
			_, err := s.Load(t.Context(), key)
			assert.NoError(t, err)
		})
	}
}

func TestLockOutlivesCrashOfExtension(t *testing.T) {
	t.Parallel()
	var crashes atomic.Int32
	s, _ := hooked(t, func(next func() error, script string) error {
		if strings.Contains(script, "pexpire") && crashes.Add(1) == 1 {
			panic("made-up")
		}
		return next()
	})
	assert.NoError(t, s.Update(t.Context(), key, func(ctx context.Context, _ []byte) ([]byte, error) {
		assert.Eventually(t, func() bool { return crashes.Load() > 1 }, patience, 10*time.Millisecond)
		return []byte("value"), ctx.Err()
	}))
}

// Redis has set the lock, but the answer does not arrive in time.
func TestUpdateReleasesLockWhoseAnswerIsLate(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s, direct := hooked(t, func(next func() error, script string) error {
		err := next()
		if strings.Contains(script, `"set", KEYS[1]`) {
			cancel()
			return cmp.Or(err, ctx.Err())
		}
		return err
	})
	assert.ErrorIs(t, s.Update(ctx, key, never(t)), context.Canceled)
	assert.Zero(t, direct.Exists(t.Context(), lockName).Val())
}

func TestUpdateWithLockLostBeforeFn(t *testing.T) {
	t.Parallel()
	var direct *redis.Client
	var done bool
	var s *redisstore.Store
	s, direct = hooked(t, func(next func() error, script string) error {
		err := next()
		if script != "" && !done {
			done = true
			direct.Del(t.Context(), lockName)
		}
		return err
	})
	assert.ErrorContains(t, s.Update(t.Context(), key, never(t)), "the lock was lost")
}

// deaf is a connection that loses the answer to the first script.
type deaf struct {
	net.Conn
	first *atomic.Bool
	lost  atomic.Bool
}

func (d *deaf) Write(b []byte) (int, error) {
	if bytes.Contains(bytes.ToUpper(b), []byte("EVAL")) && d.first.CompareAndSwap(true, false) {
		d.lost.Store(true)
	}
	return d.Conn.Write(b)
}

func (d *deaf) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	if d.lost.Load() {
		d.Conn.Close()
		return 0, io.EOF
	}
	return n, err
}

// The client sends the script again. The lock that it finds is its own.
func TestLockWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	var first atomic.Bool
	first.Store(true)
	server := newRedis(t)
	client := redis.NewClient(&redis.Options{Addr: server.addr, Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &deaf{Conn: c, first: &first}, nil
	}})
	t.Cleanup(func() { client.Close() })
	var tries atomic.Int32
	client.AddHook(hook(func(next func() error, script string) error {
		if strings.Contains(script, `"set", KEYS[1]`) {
			tries.Add(1)
		}
		return next()
	}))
	assert.NoError(t, redisstore.New(client).Update(t.Context(), key, returns([]byte("value"), nil)))
	assert.False(t, first.Load())
	assert.EqualValues(t, 1, tries.Load(), "it does not wait for its own lock")
}
