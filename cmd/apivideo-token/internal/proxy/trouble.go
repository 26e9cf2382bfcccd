package proxy

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// quiet is how long the lines about further failures are Debug lines, as in the
// library.
const quiet = time.Minute

// trouble logs a failure that lasts, and its end.
type trouble struct {
	log *slog.Logger

	mu     sync.Mutex // guards what follows
	logged time.Time  // the latest Warn line
	told   bool       // there was one since the last end
}

func (t *trouble) begin(message, reason string) {
	t.mu.Lock()
	level := slog.LevelDebug
	if now := time.Now(); now.Sub(t.logged) >= quiet {
		level, t.logged, t.told = slog.LevelWarn, now, true
	}
	t.mu.Unlock()
	t.log.Log(context.Background(), level, message, "error", reason)
}

func (t *trouble) end(message string) {
	t.mu.Lock()
	told := t.told
	t.told = false
	t.mu.Unlock()
	if told {
		t.log.Info(message)
	}
}
