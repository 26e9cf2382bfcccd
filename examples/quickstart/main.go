// Command quickstart shows package apivideo at work.
//
// Without an API key it starts a fake server in this process and plays what
// happens to tokens in production. If APIVIDEO_API_KEY is set, it lists the
// first videos of that account, in production or at APIVIDEO_BASE_URL.
//
// It ends with status 1 after an error, and with 130 when it is interrupted.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	err := run(ctx, os.Stdout, isTerminal(os.Stdout), os.Getenv)
	switch {
	case err == nil:
		return
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "quickstart: interrupted")
		os.Exit(130) // 128 + SIGINT, as shells have it
	}
	fmt.Fprintln(os.Stderr, "quickstart:", err)
	os.Exit(1)
}

// run lists videos if there is an API key in the environment, else it plays
// the demo.
func run(ctx context.Context, w io.Writer, color bool, getenv func(string) string) error {
	if key := getenv("APIVIDEO_API_KEY"); key != "" {
		return listVideos(ctx, w, key, getenv("APIVIDEO_BASE_URL"))
	}
	return demonstrate(ctx, &screen{w, color && getenv("NO_COLOR") == ""})
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// screen writes to a person, in color on a terminal.
type screen struct {
	io.Writer
	color bool
}

func (s *screen) paint(code, text string) string {
	if !s.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s *screen) heading(text string) { fmt.Fprintf(s, "\n%s\n", s.paint("1", text)) }

func (s *screen) line(format string, args ...any) { fmt.Fprintf(s, "   "+format+"\n", args...) }

// result prints a result, with a tick if it is the expected one.
func (s *screen) result(ok bool, format string, args ...any) {
	mark := s.paint("32", "✓")
	if !ok {
		mark = s.paint("31", "✗")
	}
	s.line(mark+" "+format, args...)
}
