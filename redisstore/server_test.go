package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// redisServer is a real redis-server on a free loopback port. It keeps nothing
// on disk.
type redisServer struct {
	addr    string
	command []string
	process *os.Process
	exited  chan struct{} // closed when the process has ended
}

// startRedis starts a server in dir and waits until it answers. args begin its
// command line.
func startRedis(dir string, args ...string) (s *redisServer, err error) {
	for range 5 { // another program may take the port in between
		s = &redisServer{addr: freeAddr()}
		_, port, _ := net.SplitHostPort(s.addr)
		s.command = slices.Concat(args, []string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", dir})
		if err = s.start(); err == nil {
			break
		}
	}
	return s, err
}

// freeAddr returns a loopback address that nobody uses right now.
func freeAddr() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// newRedis starts a server that ends with the test.
func newRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	s, err := startRedis(t.TempDir(), args...)
	require.NoError(t, err)
	t.Cleanup(s.kill)
	return s
}

// start starts the server, also after kill.
func (s *redisServer) start() error {
	command := exec.Command("redis-server", s.command...)
	if err := command.Start(); err != nil {
		return fmt.Errorf("these tests need a redis-server; on Debian: apt-get install redis-server: %w", err)
	}
	exited := make(chan struct{})
	go func() {
		command.Wait()
		close(exited)
	}()
	s.process, s.exited = command.Process, exited
	client := redis.NewClient(&redis.Options{Addr: s.addr, MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	for {
		info, err := client.Info(context.Background(), "server").Result()
		if err == nil && strings.Contains(info, fmt.Sprintf("process_id:%d\r\n", s.process.Pid)) {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-exited:
			return errors.New("redis-server ended at once; is its port taken?")
		}
	}
}

// kill ends the server as a crash would. All its data is gone.
func (s *redisServer) kill() {
	s.process.Kill()
	<-s.exited
}

// client returns a client with the default options.
func (s *redisServer) client(t *testing.T) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: s.addr})
	t.Cleanup(func() { client.Close() })
	return client
}
