// Command quickstart shows package apivideo at work.
//
// Without an API key it starts a stand-in for the service in this process and
// plays what happens to tokens in production. With APIVIDEO_API_KEY set it
// lists the first videos of that account, in the sandbox or at
// APIVIDEO_BASE_URL.
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
	defer stop()
	if err := run(ctx, os.Stdout, isTerminal(os.Stdout), os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// run lists videos if there is an API key in the environment, else it plays
// the demonstration.
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

// screen writes for a person to read.
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

// result reports a result, marked by whether it is the one to expect.
func (s *screen) result(ok bool, format string, args ...any) {
	mark := s.paint("32", "✓")
	if !ok {
		mark = s.paint("31", "✗")
	}
	s.line(mark+" "+format, args...)
}
