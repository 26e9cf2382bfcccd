// Package journal writes log lines without delaying the caller, even if the Logger
// blocks, panics, or ends its goroutine.
package journal

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// maxLines is how many lines are kept while a Logger blocks. When there are
	// more, lines of the lowest level are dropped.
	maxLines = 256
	// memory is how long the Logger is not asked again whether a level is enabled.
	memory = time.Second
)

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
	least   slog.Level // levels below were not enabled at that time
	asked   time.Time
}

// New returns a Journal whose lines all have attrs. Handlers get ctx. A nil
// Logger makes a nil Journal.
func New(ctx context.Context, l *slog.Logger, attrs ...slog.Attr) *Journal {
	if l == nil {
		return nil
	}
	return &Journal{ctx: ctx, logger: l, attrs: attrs, least: math.MinInt}
}

// Log adds a line and returns at once.
func (j *Journal) Log(level slog.Level, message string, attrs ...slog.Attr) {
	if j == nil || !j.admit(level) {
		return
	}
	line := slog.NewRecord(time.Now(), level, message, 0)
	line.AddAttrs(j.attrs...)
	line.AddAttrs(attrs...)
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.lines) == maxLines && !j.makeRoom(level) {
		return
	}
	j.lines = append(j.lines, line)
	if !j.writing {
		j.writing = true
		go j.write()
	}
}

// admit reports whether a line of this level may be enabled.
func (j *Journal) admit(level slog.Level) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return level >= j.least || time.Since(j.asked) >= memory
}

// makeRoom drops the first line of the lowest level, if that is below level.
func (j *Journal) makeRoom(level slog.Level) bool {
	lowest := slices.MinFunc(j.lines, func(a, b slog.Record) int { return cmp.Compare(a.Level, b.Level) }).Level
	if lowest >= level {
		return false
	}
	i := slices.IndexFunc(j.lines, func(r slog.Record) bool { return r.Level == lowest })
	j.lines = slices.Delete(j.lines, i, i+1)
	return true
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
		enabled := j.logger.Enabled(j.ctx, line.Level)
		j.note(line.Level, enabled)
		if enabled {
			_ = j.logger.Handler().Handle(j.ctx, line)
		}
	}
}

// note remembers whether a level is enabled.
func (j *Journal) note(level slog.Level, enabled bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case !enabled:
		j.least, j.asked = level+1, time.Now()
	case level < j.least:
		j.least = level
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
