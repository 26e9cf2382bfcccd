package tokencache

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/journal"
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

// lines is the state of the log, to avoid repeated lines.
type lines struct {
	journal *journal.Journal

	ended   bool      // that the construction context has ended
	store   bool      // that the Store fails
	key     time.Time // the last Warn line about the API key
	failure time.Time // the last line above Debug level about a failed flight
	level   slog.Level
}

// logLine passes a line to the journal, which never blocks.
func (s *state) logLine(level slog.Level, message string, attrs ...slog.Attr) {
	if a := s.account; a != nil {
		attrs = append(attrs, slog.String("account", a.Name[:min(len(a.Name), 8)]))
	}
	s.log.journal.Log(level, message, attrs...)
}

// logFlight logs how a flight ended. before is the memory of failures before it.
func (s *state) logFlight(f *flight, waiters int, before failures) {
	attrs := []slog.Attr{
		slog.String("reason", f.reason),
		slog.Duration("duration", s.now.Sub(f.start)),
		slog.Int("attempt", before.count+1),
		slog.Int("waiters", waiters),
	}
	switch t, failure := f.outcome.token, f.outcome.failure; {
	case t != nil:
		level, from, op := slog.LevelDebug, "service", t.Op
		if before.last != nil {
			level = slog.LevelInfo
		}
		if t.shared {
			from, op = "store", ""
		}
		s.log.failure = time.Time{}
		s.logLine(level, MessageToken, append(attrs, slog.String("op", op), slog.String("from", from),
			slog.Time("expiry", t.Expiry), slog.Time("usable_until", t.usableUntil.T))...)
	case failure != nil:
		from, op := "service", failure.why.Op
		if failure.other {
			from, op = "store", ""
		}
		s.logLine(s.levelOf(failure), MessageFailure, append(attrs, slog.String("op", op), slog.String("from", from),
			slog.Any("error", failure.err), slog.String("next_attempt_in", rounded(s.failures.until.Remaining(s.now))))...)
		s.logCrash(failure.why.Crash)
	}
}

// LogCrash logs a crash of foreign code. Its text must have no secret.
func (c *Cache) LogCrash(crash *guard.Crash) {
	c.do(func(s *state) { s.logCrash(crash) })
}

// levelOf returns the level of the line about a failed flight.
func (s *state) levelOf(f *failure) slog.Level {
	level := slog.LevelWarn
	if f.why.Refused {
		level = slog.LevelError
	}
	switch {
	case f.postponed: // storeFails has logged that
		return slog.LevelDebug
	case s.now.Sub(s.log.failure) < quiet && level <= s.log.level:
		return slog.LevelDebug
	}
	s.log.failure, s.log.level = s.now, level
	return level
}

// logCrash logs a crash, if there was one.
func (s *state) logCrash(crash *guard.Crash) {
	if crash == nil {
		return
	}
	s.logLine(slog.LevelError, MessageCrash, slog.String("error", crash.Error()), slog.String("stack", string(crash.Stack)))
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

// keyFails logs that the API key cannot be read, at most once a minute.
func (s *state) keyFails(err error, why Explanation) {
	level := slog.LevelDebug
	if s.now.Sub(s.log.key) >= quiet {
		level, s.log.key = slog.LevelWarn, s.now
	}
	s.logLine(level, MessageKeyFails, slog.Any("error", err))
	s.logCrash(why.Crash)
}

// What happens while the Store fails, for the log.
const (
	nowAlone   = "this process makes its own auth calls, requests are served"
	nowLater   = "the renewal is tried again before the token expires"
	nowPrivate = "other processes do not see the new token, requests are served"
)

// storeFails counts a failure of the Store. It logs the first one, with what happens
// now, and the next only after the Store has worked again.
func (s *state) storeFails(err error, now string) {
	s.counters.storeFailures++
	if !s.log.store {
		s.log.store = true
		s.logLine(slog.LevelWarn, MessageStoreFails, slog.Any("error", err),
			slog.String("store", fmt.Sprintf("%T", s.cache.store)), slog.String("now", now))
	}
	crash, _ := errors.AsType[*guard.Crash](err)
	s.logCrash(crash)
}

// storeWorks logs that the Store works again, if it had failed.
func (s *state) storeWorks() {
	if s.log.store {
		s.log.store = false
		s.logLine(slog.LevelInfo, MessageStoreWorks)
	}
}
