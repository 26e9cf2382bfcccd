package main

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
)

// tokenMessage is the line about each new token, see apivideo.Config.Logger.
const tokenMessage = "api.video: new access token"

// reporter writes the log lines of -v.
type reporter struct {
	slog.Handler
	tokens chan struct{} // gets a value for each line about a new token
}

func newReporter(w io.Writer) *reporter {
	return &reporter{
		slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTime}),
		make(chan struct{}, 2*maxTries),
	}
}

func (r *reporter) Handle(ctx context.Context, line slog.Record) error {
	err := r.Handler.Handle(ctx, line)
	if line.Message == tokenMessage {
		select {
		case r.tokens <- struct{}{}:
		default:
		}
	}
	return err
}

func withoutTime(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) == 0 && attr.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return attr
}

// await waits for the lines about the tokens that src got. They may appear
// later than the tokens, and the program would end before. A nil reporter does
// not wait.
func (r *reporter) await(ctx context.Context, src *apivideo.Source) {
	if r == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s := src.Stats()
	for range s.Exchanges + s.Refreshes + s.Adopted {
		select {
		case <-r.tokens:
		case <-ctx.Done():
			return
		}
	}
}
