package journal_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/apivideo/api.video-go-oauth2/internal/journal"
	"github.com/stretchr/testify/assert"
)

// handler calls a function for each line.
type handler func(r slog.Record)

func (handler) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (h handler) WithAttrs([]slog.Attr) slog.Handler             { return h }
func (h handler) WithGroup(string) slog.Handler                  { return h }

func (h handler) Handle(_ context.Context, r slog.Record) error {
	h(r)
	return nil
}

func TestJournalKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got, want []string
		j := journal.New(t.Context(), slog.New(handler(func(r slog.Record) {
			got = append(got, r.Message)
			r.Attrs(func(a slog.Attr) bool { got = append(got, a.String()); return true })
		})), slog.String("every", "line"))
		for i := range 200 {
			message, attr := fmt.Sprint("message ", i), slog.Int("n", i)
			j.Log(slog.LevelInfo, message, attr)
			j.Log(slog.LevelDebug, "not enabled")
			want = append(want, message, "every=line", attr.String())
			if i%100 == 50 {
				synctest.Wait() // the goroutine that writes ends, and another begins
			}
		}
		synctest.Wait()
		assert.Equal(t, want, got)
	})
}

// A Logger that panics or ends its goroutine loses that line and no other.
func TestJournalSurvivesALogger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		j := journal.New(t.Context(), slog.New(handler(func(r slog.Record) {
			switch r.Message {
			case "panic":
				panic("made-up panic")
			case "exit":
				runtime.Goexit()
			}
			got = append(got, r.Message)
		})))
		for _, message := range []string{"1", "panic", "2", "exit", "exit", "3"} {
			j.Log(slog.LevelInfo, message)
		}
		synctest.Wait()
		assert.Equal(t, []string{"1", "2", "3"}, got)
	})
}

// A Logger that blocks delays nobody. The first 256 lines wait for it.
func TestJournalLoggerBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang, got := make(chan struct{}), 0
		j := journal.New(t.Context(), slog.New(handler(func(slog.Record) {
			<-hang
			got++
		})))
		j.Log(slog.LevelInfo, "the one that it blocks on")
		synctest.Wait()
		for range 1000 {
			j.Log(slog.LevelInfo, "one that waits")
		}
		close(hang)
		synctest.Wait()
		assert.Equal(t, 1+256, got)
		j.Log(slog.LevelInfo, "another")
		synctest.Wait()
		assert.Equal(t, 1+256+1, got)
	})
}

func TestJournalWithoutALogger(t *testing.T) {
	j := journal.New(t.Context(), nil)
	assert.Nil(t, j)
	j.Log(slog.LevelError, "nothing happens")
}
