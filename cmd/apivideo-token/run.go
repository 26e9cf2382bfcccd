package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/intercept"
	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/listen"
	"github.com/urfave/cli/v3"
)

// The exit statuses of shells for a program that cannot be started.
const (
	statusNotExecutable = 126
	statusNotFound      = 127
	statusSignal        = 128 // and the signal's number
)

// runGrace is how long requests may go on when the program has ended: those of
// processes that it left behind, and of strangers.
const runGrace = 3 * time.Second

// runProgram starts a proxy, runs a program behind it, and ends with its status.
func (a *app) runProgram(_ context.Context, cmd *cli.Command) error {
	args := cmd.Args().Slice()
	if len(args) == 0 {
		return usage("run needs a program: apivideo-token run [flags] -- PROGRAM")
	}
	child := exec.Command(args[0], args[1:]...)
	env := environment(os.Environ())
	g, err := a.newGateway(nil)
	if err != nil {
		return err
	}
	if child.Err != nil {
		return cannotStart(child.Err)
	}
	at, err := listen.ParseAddress("127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := g.listen(at, func() (string, error) { return newSecret(), nil }); err != nil {
		return err
	}
	child.Env = env.forChild(g.listener.URL, g.conf.Secret)
	if a.opts.intercept {
		remove, err := g.intercept((*environment)(&child.Env))
		defer remove()
		if err != nil {
			return setting("%v", err)
		}
	}
	if !g.account.usedStdin { // else the program could rewind it, or read a key that is not whole
		child.Stdin = a.stdin
	}
	child.Stdout, child.Stderr = a.stdout, a.stderr
	return a.runBehind(g, child)
}

// runBehind serves g while child runs.
func (a *app) runBehind(g *gateway, child *exec.Cmd) error {
	g.serve()
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded()...)
	defer signal.Stop(signals)
	keepDescriptors()
	err := a.wait(child, signals)
	if status := statusOf(err); err != nil && status < statusNotExecutable && g.proxy.Requests() == 0 {
		a.say("%s", a.hint())
	}
	g.shutdown(runGrace, signals)
	return err
}

// hint is for a program that failed and made no request.
func (a *app) hint() string {
	advice := "a client that uses its default URL goes past it; set its base URL to APIVIDEO_BASE_URL, or try run -intercept"
	if a.opts.intercept {
		advice = "perhaps its client ignores HTTPS_PROXY, or does not trust SSL_CERT_FILE; set its base URL to APIVIDEO_BASE_URL"
	}
	return fmt.Sprintf("hint: the program made no request through run; %s", advice)
}

// intercept has the programs of an environment reach the proxy with the default
// URL of their client. Remove deletes the files for that.
func (g *gateway) intercept(env *environment) (remove func(), err error) {
	dir, err := os.MkdirTemp("", "apivideo-token") // with mode 0700
	remove = func() { os.RemoveAll(dir) }
	if err == nil {
		g.interceptor, err = intercept.New(g.proxy, g.conf.BaseURL, g.audited)
	}
	if err != nil {
		return remove, err
	}
	vars, err := g.interceptor.Trust(dir, env.value)
	for name, value := range vars {
		env.set(name, value)
	}
	env.unexempt(intercept.Hosts()...)
	at := g.listener.All[0].Addr().String()
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		env.set(name, "http://apivideo:"+g.conf.Secret+"@"+at)
	}
	env.set("JAVA_TOOL_OPTIONS", env.value("JAVA_TOOL_OPTIONS")+intercept.JavaProxy(at))
	return remove, err
}

// wait starts the child and waits for its end, forwarding signals to it.
func (a *app) wait(child *exec.Cmd, signals <-chan os.Signal) error {
	if err := child.Start(); err != nil {
		return cannotStart(err)
	}
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				if !fromTerminal(s) {
					child.Process.Signal(s)
				}
			case <-ended:
				return
			}
		}
	}()
	err := child.Wait()
	close(ended)
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return fail(statusOther, "the program's end is unknown: %v", err)
	}
	if status := statusOfChild(child.ProcessState); status != 0 {
		return &exitError{status: status} // the program has said why
	}
	return nil
}

func statusOfChild(s *os.ProcessState) int {
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return statusSignal + int(ws.Signal())
	}
	return s.ExitCode()
}

func cannotStart(err error) error {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return fail(statusNotFound, "the program is not found")
	}
	if at, ok := errors.AsType[*exec.Error](err); ok {
		err = at.Err
	}
	return fail(statusNotExecutable, "the program cannot be executed: %v", withoutPath(err))
}
