// Command apivideo-token gives api.video credentials to shell scripts and to
// programs in any language.
//
// Without a command it prints an access token:
//
//	apivideo-token -header | curl --fail-with-body -H @- https://ws.api.video/videos
//
// "apivideo-token run" starts a program behind a local proxy that holds the API
// key for it. "apivideo-token help" explains all commands, flags and exit
// statuses; its text is in the folder text.
//
// When it fails, it prints nothing on standard output and one line on standard
// error. SIGINT and SIGTERM end it at once, as they end any program: a shell
// sees 130 or 143, and an interrupted script ends too. run and serve let requests
// in flight finish first.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	hide()
	// Without this, SIGPIPE would end the program without a message if nobody
	// reads its output. Not signal.Ignore: a child would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	// net/http writes to the standard logger if a server sends data that
	// nobody asked for.
	log.SetOutput(io.Discard)
	if status, done := supervise(); done {
		os.Exit(status)
	}
	a := newApp()
	a.ownRoots = bringRoots()
	os.Exit(a.run(os.Args))
}

// app is one run of the program.
type app struct {
	args   []string // the command line
	stdin  io.Reader
	stdout *os.File
	stderr io.Writer
	getenv func(string) string
	out    bytes.Buffer // what is printed if the command succeeds
	opts   options

	ownRoots bool // the root certificates are this program's own
}

func newApp() *app {
	return &app{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv,
		opts: options{began: time.Now()},
	}
}

// run does what the arguments say and returns the exit status.
func (a *app) run(args []string) int {
	a.args = args
	cmd := a.command()
	err := cmd.Run(context.Background(), args)
	if err == nil && a.out.Len() > 0 {
		err = write(a.stdout, a.out.String())
	}
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		a.say("%s", text)
	}
	return statusOf(err)
}

// say prints one line on standard error.
func (a *app) say(format string, args ...any) {
	fmt.Fprintln(a.stderr, "apivideo-token:", oneLine(fmt.Sprintf(format, args...)))
}
