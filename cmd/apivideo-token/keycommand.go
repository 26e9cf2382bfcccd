package main

import (
	"context"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

const keyCommandTime = 5 * time.Second

// keyCommand gets the API key from the output of a command, such as a password
// manager. It keeps the key until the service rejects it: a person may have to
// confirm each use. Its errors show neither the command nor its output.
type keyCommand struct {
	line string // for sh
	kept atomic.Pointer[string]
	mu   sync.Mutex // held while the command runs: once is enough
}

// key returns the kept key, or runs the command. It is for
// apivideo.Config.APIKeyFunc.
func (k *keyCommand) key(ctx context.Context) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key := k.kept.Load(); key != nil {
		return *key, nil
	}
	key, err := k.run(ctx)
	if err == nil {
		k.kept.Store(&key)
	}
	return key, err
}

func (k *keyCommand) run(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, keyCommandTime)
	defer cancel()
	out := limited{left: maxKey}
	cmd := exec.CommandContext(ctx, "sh", "-c", k.line) // reads from the null device
	cmd.Stdout = &out
	cmd.WaitDelay = 100 * time.Millisecond // what the shell started may hold the output open
	err := cmd.Run()
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch key := strings.TrimRight(string(out.text), "\r\n"); {
	case ctx.Err() != nil:
		return "", commandError("did not end within %v; run it by hand to see why", keyCommandTime)
	case exited:
		return "", commandError("failed: %v; run it by hand to see why", exit.ProcessState)
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return "", commandError("cannot be started: there is no shell sh")
	case out.left < 0:
		return "", commandError("printed more than %d bytes; it must print only the API key", maxKey)
	case key == "":
		return "", commandError("printed nothing; it must print the API key")
	default:
		return key, nil
	}
}

func commandError(format string, args ...any) error {
	return setting("the command of "+keyCommandVariable+" "+format, args...)
}

// limited keeps what is written to it, up to a limit. left is negative beyond it.
type limited struct {
	text []byte
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left >= 0 {
		l.text = append(l.text, p...)
	}
	return len(p), nil
}

// refusals is an HTTP transport for auth calls. It makes the command run again
// when the service rejects its key.
type refusals struct{ command *keyCommand }

func (r refusals) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil && strings.HasSuffix(req.URL.Path, "/auth/api-key") &&
		(resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusUnauthorized) {
		r.command.kept.Store(nil)
	}
	return resp, err
}

// CloseIdleConnections lets the library replace a connection that is dead.
func (refusals) CloseIdleConnections() {
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// withClient returns ctx with a transport for the auth calls.
func withClient(ctx context.Context, t http.RoundTripper) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: t})
}
