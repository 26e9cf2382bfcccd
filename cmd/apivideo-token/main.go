// Command apivideo-token prints an api.video access token, for shell scripts
// and for programs in other languages.
//
//	apivideo-token -header | curl -H @- https://ws.api.video/videos
//
// It takes the API key from APIVIDEO_API_KEY, or from the file that
// APIVIDEO_API_KEY_FILE names, and never from an argument, which other users
// of the machine could see. The token is kept in the user's cache folder,
// sealed under a key derived from the API key, and shared by all runs.
// "apivideo-token -h" explains the flags.
//
// When it fails it prints nothing on standard output and one line on standard
// error. The exit status is 1, or 2 if it was used wrongly: an unknown flag,
// an argument, or settings that contradict each other. SIGINT and SIGTERM end
// it at once, by the system's own means, so that a shell sees 130 and 143 and
// a script that was interrupted ends too.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	// Without this a reader that is gone would end the program by a signal,
	// with no word about it.
	signal.Ignore(syscall.SIGPIPE)
	// net/http tells the standard logger what a server sends out of turn.
	log.SetOutput(io.Discard)
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "apivideo-token:", oneLine(err.Error()))
		os.Exit(statusOf(err))
	}
}

// run does what the arguments say. Its errors are for the user to read, and
// contain no argument, which could be a secret.
func run(args []string, stdout *os.File) error {
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return write(stdout, help)
	case err != nil:
		return err
	case o.version:
		return write(stdout, "apivideo-token "+version()+"\n")
	}
	ctx, cancel := context.WithTimeout(context.Background(), o.timeout)
	defer cancel()
	// A key file may be a pipe that nobody writes to, and standard output one
	// that nobody reads: neither heeds a context, so they are left behind.
	done := make(chan error, 1)
	go func() { done <- o.printToken(ctx, stdout) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("no token within %v; check the network, or try a longer -timeout or -no-cache", o.timeout)
	}
	return err
}

// printToken gets a token and prints it.
func (o *options) printToken(ctx context.Context, stdout *os.File) error {
	conf, keyName, err := o.config(os.Getenv)
	if err != nil {
		return err
	}
	tok, err := o.token(ctx, conf)
	if err != nil {
		return explain(err, keyName)
	}
	return write(stdout, o.format(tok))
}

// usageError is the error of a user who called the program wrongly.
type usageError string

func (e usageError) Error() string { return string(e) }

func statusOf(err error) int {
	if _, usage := errors.AsType[usageError](err); usage {
		return 2
	}
	return 1
}

// oneLine is s without line breaks.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
