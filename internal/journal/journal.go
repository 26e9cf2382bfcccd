// Package journal writes log lines without delaying the caller, even if the Logger
// blocks, panics, or ends its goroutine.
package journal

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// maxLines is how many lines are kept while a Logger blocks. Further lines are
// dropped.
const maxLines = 256

// Journal passes lines to a Logger in their order, in a goroutine that ends when
// there are no more lines. It is safe for concurrent use. A nil Journal logs
// nothing.
type Journal struct {
	ctx    context.Context
	logger *slog.Logger
	attrs  []slog.Attr

	mu      sync.Mutex // guards what follows
	lines   []slog.Record
	writing bool
}

// New returns a Journal whose lines all have attrs. Handlers get ctx. A nil
// Logger makes a nil Journal.
func New(ctx context.Context, l *slog.Logger, attrs ...slog.Attr) *Journal {
	if l == nil {
		return nil
	}
	return &Journal{ctx: ctx, logger: l, attrs: attrs}
}

// Log adds a line and returns at once.
func (j *Journal) Log(level slog.Level, message string, attrs ...slog.Attr) {
	if j == nil {
		return
	}
	line := slog.NewRecord(time.Now(), level, message, 0)
	line.AddAttrs(j.attrs...)
	line.AddAttrs(attrs...)
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.lines) == maxLines {
		return
	}
	j.lines = append(j.lines, line)
	if !j.writing {
		j.writing = true
		go j.write()
	}
}

// write hands over lines until there are none.
func (j *Journal) write() {
	finished := false
	defer func() {
		if !finished { // the Logger panicked or ended the goroutine
			_ = recover()
			go j.write()
		}
	}()
	for {
		line, ok := j.next()
		if !ok {
			finished = true
			return
		}
		if j.logger.Enabled(j.ctx, line.Level) {
			_ = j.logger.Handler().Handle(j.ctx, line)
		}
	}
}

func (j *Journal) next() (slog.Record, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.lines) == 0 {
		j.lines, j.writing = nil, false
		return slog.Record{}, false
	}
	line := j.lines[0]
	j.lines = j.lines[1:]
	return line, true
}
