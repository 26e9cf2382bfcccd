package journal_test

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/journal"
	"github.com/stretchr/testify/assert"
)

// played is a handler that does what a test wants before each line.
type played struct {
	slog.Handler
	before func()
}

func (p played) Handle(ctx context.Context, r slog.Record) error {
	p.before()
	return p.Handler.Handle(ctx, r)
}

func text(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) }

// Promise: A Logger gets its lines in order, also after a panic.
func TestJournalKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		j := journal.New(t.Context(), slog.New(text(&b)), slog.String("of", "all"))
		logged := time.Now()
		for i := range 100 {
			j.Log(slog.LevelInfo, "line", slog.Int("n", i))
		}
		j.Log(slog.LevelDebug, "not enabled")
		synctest.Wait()
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")
		assert.Len(t, lines, 100)
		for i, line := range lines {
			assert.True(t, strings.HasSuffix(line, "msg=line of=all n="+strconv.Itoa(i)), line)
		}
		assert.Contains(t, lines[0], "time="+logged.Format("2006-01-02T15:04:05"))
	})
}

// Promise: A Logger that blocks or panics delays nobody.
func TestJournalDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		released := make(chan struct{})
		j := journal.New(t.Context(), slog.New(played{text(&b), func() { <-released }}))
		start := time.Now()
		for i := range 10_000 {
			j.Log(slog.LevelInfo, strconv.Itoa(i))
			if i == 0 {
				synctest.Wait() // the first line blocks
			}
		}
		assert.Equal(t, start, time.Now())
		close(released)
		synctest.Wait()
		assert.Equal(t, 257, strings.Count(b.String(), "\n"), "one blocked, 256 waited, the others are dropped")
		j.Log(slog.LevelInfo, "later")
		synctest.Wait()
		assert.Contains(t, b.String(), "later")
	})
}

// Promise: Lines that a Logger has not enabled are not kept for it.
func TestJournalKeepsNoDisabledLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		var level slog.LevelVar
		slow := func() { time.Sleep(100 * time.Millisecond) }
		j := journal.New(t.Context(), slog.New(played{slog.NewTextHandler(&b, &slog.HandlerOptions{Level: &level}), slow}))
		j.Log(slog.LevelDebug, "asks whether Debug is enabled")
		synctest.Wait()
		j.Log(slog.LevelInfo, "a slow one")
		for range 1000 {
			j.Log(slog.LevelDebug, "untouched")
		}
		j.Log(slog.LevelInfo, "the last")
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Contains(t, b.String(), "the last")
		level.Set(slog.LevelDebug)
		j.Log(slog.LevelDebug, "now enabled")
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Contains(t, b.String(), "now enabled", "within a second")
		for range 3 { // the Logger enables them again
			j.Log(slog.LevelDebug, "another")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, 3, strings.Count(b.String(), "another"))
	})
}

// Promise: When lines overflow, Debug lines are dropped first and Error lines last.
func TestJournalDropsTheLowestLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		released := make(chan struct{})
		handler := slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug})
		j := journal.New(t.Context(), slog.New(played{handler, func() { <-released }}))
		j.Log(slog.LevelInfo, "blocks")
		synctest.Wait()
		for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError, slog.LevelDebug} {
			for range 100 {
				j.Log(level, "line")
			}
		}
		close(released)
		synctest.Wait()
		assert.Equal(t, 100, strings.Count(b.String(), "level=ERROR"))
		assert.Equal(t, 100, strings.Count(b.String(), "level=WARN"))
		assert.Equal(t, 1+56, strings.Count(b.String(), "level=INFO"))
		assert.Zero(t, strings.Count(b.String(), "level=DEBUG"))
	})
}

// Promise: A Logger gets its lines in order, also after a panic.
func TestJournalOutlivesACrash(t *testing.T) {
	for _, crash := range []func(){func() { panic("made-up") }, runtime.Goexit} {
		synctest.Test(t, func(t *testing.T) {
			var b bytes.Buffer
			n := 0
			j := journal.New(t.Context(), slog.New(played{text(&b), func() {
				if n++; n%2 == 1 {
					crash()
				}
			}}))
			for i := range 10 {
				j.Log(slog.LevelInfo, strconv.Itoa(i))
			}
			synctest.Wait()
			assert.Equal(t, 10, n)
			assert.Equal(t, 5, strings.Count(b.String(), "\n"))
		})
	}
}

func TestJournalWithoutALogger(t *testing.T) {
	j := journal.New(t.Context(), nil)
	assert.Nil(t, j)
	j.Log(slog.LevelError, "nothing happens")
}

// The zero Logger panics.
func TestJournalWithAZeroLogger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		journal.New(t.Context(), &slog.Logger{}).Log(slog.LevelError, "nothing happens")
	})
}
