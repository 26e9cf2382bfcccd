package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// redisServer is a real redis-server on a free loopback port, which keeps
// nothing on disk.
type redisServer struct {
	addr    string
	command []string
	process *os.Process
	exited  chan struct{} // closed when the process is gone
}

// startRedis starts a server and waits until it answers. Its working directory
// is dir; args begin its command line.
func startRedis(dir string, args ...string) (*redisServer, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("these tests need a redis-server; on Debian: apt-get install redis-server: %w", err)
	}
	for range 5 { // another program may take the port in between
		var port int
		if port, err = freePort(); err != nil {
			return nil, err
		}
		s := &redisServer{
			addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
			command: slices.Concat([]string{path}, args, []string{"--bind", "127.0.0.1", "--port", strconv.Itoa(port),
				"--save", "", "--appendonly", "no", "--dir", dir}),
		}
		if err = s.start(); err == nil {
			return s, nil
		}
	}
	return nil, err
}

// freePort returns a loopback port that nobody uses right now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// newRedis starts a server that ends with the test.
func newRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	s, err := startRedis(t.TempDir(), args...)
	require.NoError(t, err)
	t.Cleanup(s.kill)
	return s
}

// start starts the server, anew after kill.
func (s *redisServer) start() error {
	command := exec.Command(s.command[0], s.command[1:]...)
	if err := command.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		command.Wait()
		close(exited)
	}()
	s.process, s.exited = command.Process, exited
	client := redis.NewClient(&redis.Options{Addr: s.addr, MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	deadline := time.After(20 * time.Second)
	for {
		info, err := client.Info(context.Background(), "server").Result()
		if err == nil && strings.Contains(info, fmt.Sprintf("process_id:%d\r\n", s.process.Pid)) {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-exited:
			return errors.New("redis-server ended at once; is its port taken?")
		case <-deadline:
			s.kill()
			return fmt.Errorf("redis-server does not answer: %w", err)
		}
	}
}

// kill ends the server as a crash would. All it held is gone.
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
