package apivideo_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// lines is a slog.Handler that keeps what it is given.
type lines struct {
	mu  sync.Mutex
	all []slog.Record
}

// lines returns what the Sources made from now on log.
func (w *world) lines() *lines {
	l := &lines{}
	w.conf.Logger = slog.New(l)
	return l
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, r)
	return nil
}

// where returns the lines with this message and at least this level. In a bubble.
func (l *lines) where(message string, least slog.Level) (found []slog.Record) {
	synctest.Wait() // a line may appear late
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.all {
		if (message == "" || r.Message == message) && r.Level >= least {
			found = append(found, r)
		}
	}
	return found
}

// count is how many lines there are with this message and at least this level.
func (l *lines) count(message string, least slog.Level) int { return len(l.where(message, least)) }

// attr is the text of an attribute, "" if there is none.
func attr(r slog.Record, name string) (text string) {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == name {
			text = a.Value.String()
		}
		return true
	})
	return text
}

// checkQuiet checks that no message is logged above Info level more than once a
// minute.
func checkQuiet(t *testing.T, l *lines) {
	t.Helper()
	last := map[string]time.Time{}
	for _, r := range l.where("", slog.LevelWarn) {
		if at, ok := last[r.Message]; ok {
			assert.GreaterOrEqual(t, r.Time.Sub(at), time.Minute, r.Message)
		}
		last[r.Message] = r.Time
	}
	assert.NotEmpty(t, last)
}

// blockingLogger returns a Logger that calls block for each line.
func blockingLogger(block func()) *slog.Logger {
	return slog.New(blockingHandler{&lines{}, block})
}

type blockingHandler struct {
	*lines
	block func()
}

func (h blockingHandler) Handle(ctx context.Context, r slog.Record) error {
	h.block()
	return h.lines.Handle(ctx, r)
}
