package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/proxy"
	"github.com/urfave/cli/v3"
)

// The exit statuses of shells for a program that cannot be started.
const (
	statusNotExecutable = 126
	statusNotFound      = 127
	statusSignal        = 128 // and the signal's number
)

// runProgram starts a proxy, runs a program behind it, and ends with its status.
func (a *app) runProgram(_ context.Context, cmd *cli.Command) error {
	args := cmd.Args().Slice()
	if len(args) == 0 {
		return usage("run needs a program: apivideo-token run [flags] -- PROGRAM")
	}
	child := exec.Command(args[0], args[1:]...)
	g, err := a.newGateway()
	if err != nil {
		return err
	}
	if child.Err != nil {
		return cannotStart(child.Err)
	}
	at, err := proxy.ParseAddress("127.0.0.1:0")
	if err != nil {
		return err
	}
	secret := newSecret()
	if err := g.listen(at); err != nil {
		return err
	}
	if err := g.serve(secret); err != nil {
		return err
	}
	child.Env = childEnvironment(os.Environ(), g.listener.URL, secret)
	child.Stdin, child.Stdout, child.Stderr = a.stdin, a.stdout, a.stderr

	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded()...)
	defer signal.Stop(signals)
	err = a.wait(child, signals)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { // a signal now cancels requests of processes that the program left behind
		select {
		case <-signals:
			stop()
		case <-ctx.Done():
		}
	}()
	g.shutdown(ctx)
	return err
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

// childEnvironment is the environment of a program behind the proxy: with the
// proxy instead of the API, and its secret instead of the API key.
func childEnvironment(env []string, url, secret string) []string {
	var child []string
	noProxy, proxied := "", false
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		switch upper := strings.ToUpper(name); upper {
		case keyVariable, keyFileVariable, keyCommandVariable, baseURLVariable:
			continue
		case "NO_PROXY":
			noProxy = value
			continue
		case "HTTP_PROXY", "ALL_PROXY":
			proxied = true
		}
		child = append(child, entry)
	}
	if proxied { // some clients would use that proxy for 127.0.0.1 too
		noProxy = strings.TrimPrefix(noProxy+",127.0.0.1", ",")
	}
	if noProxy != "" {
		child = append(child, "NO_PROXY="+noProxy, "no_proxy="+noProxy)
	}
	return append(child, baseURLVariable+"="+url, keyVariable+"="+secret)
}
