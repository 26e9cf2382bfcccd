//go:build unix

package pgstore_test

import (
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
)

// program is the path of a program of PostgreSQL. Debian has them off the PATH.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		return "", fmt.Errorf("these tests need %s; on Debian: apt-get install postgresql pgbouncer", name)
	}
	return found[len(found)-1], nil
}

// server is a real PostgreSQL, or a PgBouncer, on a free loopback port.
type server struct {
	port    int
	command []string
	process *os.Process
	exited  chan struct{} // closed when the process is gone
	frozen  []int         // the processes that freeze has stopped
	admin   *sql.DB       // to the database postgres
}

// unprivileged makes a command run as another user: the servers do not run as
// root.
func unprivileged(command *exec.Cmd, folder string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	command.Dir = folder
	return os.Chown(folder, uid, gid)
}

func run(folder string, args ...string) error {
	path, err := program(args[0])
	if err != nil {
		return err
	}
	command := exec.Command(path, args[1:]...)
	if err := unprivileged(command, folder); err != nil {
		return err
	}
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", args[0], err, out)
	}
	return nil
}

// root holds the files of all servers. TestMain removes it.
var root = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "pgstore")
	if err == nil {
		err = os.Chmod(folder, 0o755)
	}
	return folder, err
})

// template is the data folder of a server that was never started. To copy it
// is faster than to make another.
var template = sync.OnceValues(func() (string, error) {
	parent, err := root()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(parent, "template")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return "", err
	}
	return folder, run(folder, "initdb", "-D", folder, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
})

// startPostgres starts a server with empty databases. change may change its
// data folder before.
func startPostgres(change func(folder string) error) (*server, error) {
	from, err := template()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(filepath.Dir(from), "data")
	if err != nil {
		return nil, err
	}
	if err := run(folder, "cp", "-R", from+"/.", folder); err != nil {
		return nil, err
	}
	if err := change(folder); err != nil {
		return nil, err
	}
	return startServer(folder, func(port int) ([]string, error) {
		return []string{"postgres", "-D", folder, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
			"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=300"}, nil
	})
}

// startServer starts a command on a free port and waits until it answers.
func startServer(folder string, command func(port int) ([]string, error)) (s *server, err error) {
	for range 5 { // another program may take the port in between
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		s = &server{port: l.Addr().(*net.TCPAddr).Port}
		l.Close()
		if s.command, err = command(s.port); err != nil {
			return nil, err
		}
		if s.admin, err = sql.Open("pgx", s.url("postgres")); err != nil {
			return nil, err
		}
		if err = s.start(folder); err == nil {
			return s, nil
		}
	}
	return nil, err
}

// start starts the server, anew after kill.
func (s *server) start(folder string) error {
	path, err := program(s.command[0])
	if err != nil {
		return err
	}
	command := exec.Command(path, s.command[1:]...)
	if err := unprivileged(command, folder); err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		command.Wait()
		close(exited)
	}()
	s.process, s.exited = command.Process, exited
	for deadline := time.After(time.Minute); ; {
		err := s.admin.Ping()
		select {
		case <-exited:
			return errors.New("the server ended at once; is its port taken?")
		default:
		}
		if err == nil {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			s.kill()
			return fmt.Errorf("the server does not answer: %w", err)
		}
	}
}

// restart starts the server anew after kill, on its port, which another program
// may have for a while.
func (s *server) restart(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return s.start(s.command[2]) == nil }, 2*time.Minute, 100*time.Millisecond)
}

// kill ends the server at once, as a crash does.
func (s *server) kill() {
	s.thaw()
	s.process.Signal(syscall.SIGQUIT)
	<-s.exited
}

// freeze stops all of the server's processes: they keep their connections and
// answer none.
func (s *server) freeze(t *testing.T) {
	t.Helper()
	require.NoError(t, s.admin.Ping())
	s.frozen = []int{s.process.Pid}
	require.NoError(t, s.process.Signal(syscall.SIGSTOP)) // it starts no more processes
	rows, err := s.admin.Query("SELECT pid FROM pg_stat_activity ORDER BY pid = pg_backend_pid()")
	require.NoError(t, err)
	for rows.Next() {
		var pid int
		require.NoError(t, rows.Scan(&pid))
		s.frozen = append(s.frozen, pid)
	}
	require.NoError(t, rows.Err())
	for _, pid := range s.frozen {
		require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	}
}

// thaw lets a frozen server go on.
func (s *server) thaw() {
	for _, pid := range s.frozen {
		syscall.Kill(pid, syscall.SIGCONT)
	}
	s.frozen = nil
}

// url is the address of a database, with parameters.
func (s *server) url(database string, params ...string) string {
	url := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
	for _, p := range params {
		url += "&" + p
	}
	return url
}

// newServer starts a PostgreSQL that ends with the test.
func newServer(t *testing.T) *server {
	t.Helper()
	s, err := startPostgres(func(string) error { return nil })
	require.NoError(t, err)
	t.Cleanup(s.kill)
	return s
}
