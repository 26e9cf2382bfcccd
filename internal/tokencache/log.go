package tokencache

import (
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
)

// The messages of log lines. Programs may filter and count by them.
const (
	MessageToken      = "api.video: new access token"
	MessageFailure    = "api.video: no new access token"
	MessageRefused    = "api.video: access token refused"
	MessageStoreFails = "api.video: store failed"
	MessageStoreWorks = "api.video: store works again"
	MessageKeyFails   = "api.video: API key not read, using the last one"
	MessageNewKey     = "api.video: new API key"
	MessageEnded      = "api.video: context ended, no renewal ahead of expiry any more"
	MessageUntouched  = "api.video: request passed without a token"
	MessageCrash      = "api.video: code called by the library crashed"
)

// The reasons for a flight.
const (
	reasonCold    = "cold"    // a caller found no usable token
	reasonAhead   = "ahead"   // the token nears its expiry
	reasonRefused = "refused" // the API refused the token
	reasonRenew   = "renew"   // Renew was called
)

// quiet is how long, after a Warn or Error line, further failures are logged at
// Debug level.
const quiet = time.Minute

// logged is the state of the log, to avoid repeated lines.
type logged struct {
	ended   bool      // that the construction context has ended
	store   bool      // that the Store fails
	key     time.Time // the last Warn line about the API key
	failure time.Time // the last line above Debug level about a failed flight
	level   slog.Level
}

// log passes a line to the journal, which never blocks. c.mu is held.
func (c *Cache) log(level slog.Level, message string, attrs ...slog.Attr) {
	if a := c.account; a != nil {
		attrs = append(attrs, slog.String("account", a.Name[:min(len(a.Name), 8)]))
	}
	c.journal.Log(level, message, attrs...)
}

// logFlight logs how a flight ended. c.mu is held.
func (c *Cache) logFlight(f *flight, before failures, now time.Time) {
	attrs := []slog.Attr{
		slog.String("reason", f.reason),
		slog.Duration("duration", now.Sub(f.start)),
		slog.Int("attempt", before.count+1),
		slog.Int("waiters", f.waiters),
	}
	if f.err == nil {
		level, from, op := slog.LevelDebug, "service", f.token.Op
		if before.last != nil {
			level = slog.LevelInfo
		}
		if f.token.shared {
			from, op = "store", ""
		}
		c.logged.failure = time.Time{}
		c.log(level, MessageToken, append(attrs, slog.String("op", op), slog.String("from", from),
			slog.Time("expiry", f.token.Expiry), slog.Time("usable_until", f.token.usableUntil.t))...)
		return
	}
	from, op := "service", f.failure.why.Op
	if f.failure.other {
		from, op = "store", ""
	}
	c.log(c.levelOf(f, now), MessageFailure, append(attrs, slog.String("op", op), slog.String("from", from),
		slog.Any("error", c.failures.last), slog.String("next_attempt_in", rounded(c.failures.until.left(now))))...)
	c.logCrash(f.failure.why.Crash)
}

// LogCrash logs a crash of foreign code. Its text must have no secret.
func (c *Cache) LogCrash(crash *guard.Crash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logCrash(crash)
}

// levelOf returns the level of the line about a failed flight. c.mu is held.
func (c *Cache) levelOf(f *flight, now time.Time) slog.Level {
	level := slog.LevelWarn
	if f.failure.why.Refused {
		level = slog.LevelError
	}
	switch {
	case f.failure.err == nil: // the Store failed, and storeFails has logged that
		return slog.LevelDebug
	case now.Sub(c.logged.failure) < quiet && level <= c.logged.level:
		return slog.LevelDebug
	}
	c.logged.failure, c.logged.level = now, level
	return level
}

// logCrash logs a crash, if there was one. c.mu is held.
func (c *Cache) logCrash(crash *guard.Crash) {
	if crash == nil {
		return
	}
	c.log(slog.LevelError, MessageCrash, slog.String("error", crash.Error()), slog.String("stack", string(crash.Stack)))
}

// rounded makes a duration short to read: 350ms, 1.2s, 4m30s.
func rounded(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
	}
	return d.Round(time.Second).String()
}

// keyFails logs that the API key cannot be read, at most once a minute. c.mu is
// held.
func (c *Cache) keyFails(err error, why Explanation, now time.Time) {
	level := slog.LevelDebug
	if now.Sub(c.logged.key) >= quiet {
		level, c.logged.key = slog.LevelWarn, now
	}
	c.log(level, MessageKeyFails, slog.Any("error", err))
	c.logCrash(why.Crash)
}

// storeFails counts a failure of the Store. It logs the first one, and the next
// only after the Store has worked again.
func (c *Cache) storeFails(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counters.storeFailures++
	if !c.logged.store {
		c.logged.store = true
		c.log(slog.LevelWarn, MessageStoreFails, slog.Any("error", err))
	}
	crash, _ := errors.AsType[*guard.Crash](err)
	c.logCrash(crash)
}

// storeWorks logs that the Store works again, if it had failed. c.mu is held.
func (c *Cache) storeWorks() {
	if c.logged.store {
		c.logged.store = false
		c.log(slog.LevelInfo, MessageStoreWorks)
	}
}
