package redact_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
	"github.com/apivideo/api.video-go-oauth2/internal/redact"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// JSON spells a character beyond the basic plane as two escapes.
func TestSecretsRedactSurrogates(t *testing.T) {
	got := redact.New("made-up-\U0001D11E-key").Redact(`a made-up-\ud834\udd1e-key, escaped`)
	assert.Equal(t, "a [redacted], escaped", got)
}

// A secret inside another, and text that only looks like one at length.
func TestSecretsRedactLongestFirst(t *testing.T) {
	ss := redact.New("made-up-key", "made-up-key-and-more", "short", strings.Repeat("a", 2800)+"b")
	assert.Equal(t, "[redacted], [redacted], short", ss.Redact("made-up-key-and-more, made-up-key, short"))
	assert.Equal(t, "[redacted]", ss.Brief("made-up-\nkey"[:8]+"key"))
	long := strings.Repeat("a", 1<<20) + `\n`
	assert.Equal(t, long, ss.Redact(long))
}

// What looks like an escape and is none stays, and hides no secret after it.
func TestSecretsRedactBrokenEscapes(t *testing.T) {
	ss := redact.New("made-up-ké\"y")
	for text, want := range map[string]string{
		`\`:                           `\`,
		`\u006d\u0061de-up-k\u00e9"y`: `[redacted]`,
		`\u12 made-up-k\u00e9\"y`:     `\u12 [redacted]`,
		`\ud834 made-up-k\u00E9"y \`:  `\ud834 [redacted] \`,
		"\xff\\u00 made-up-ké\\\"y":   "\xff\\u00 [redacted]",
	} {
		assert.Equal(t, want, ss.Redact(text))
	}
}

func TestSecretsErrorMasksOwnKinds(t *testing.T) {
	const key = "made-up-key"
	ss := redact.New(key)
	own := &guard.Crash{Text: "panic: " + key, Stack: []byte("stack")}
	err := ss.Error(fmt.Errorf("a: %w, %s", own, key))
	assert.EqualError(t, err, "a: panic: [redacted], [redacted]")
	crash := new(guard.Crash)
	require.ErrorAs(t, err, &crash)
	assert.Equal(t, "panic: [redacted]", crash.Text)
	assert.Equal(t, "stack", string(crash.Stack))
}

func TestSecretsErrorKeepsWhatIsSafe(t *testing.T) {
	err := fmt.Errorf("a: %w", errors.New("b"))
	assert.Same(t, err, redact.New("made-up-key").Error(err))
}

// A limit that was late must be known as one, behind any text.
func TestErrorKeepsALimit(t *testing.T) {
	err := redact.New("made-up-secret").Error(fmt.Errorf("made-up-secret: %w", limit.Overdue{Limit: time.Second, Late: true}))
	overdue, ok := errors.AsType[limit.Overdue](err)
	assert.True(t, ok)
	assert.True(t, overdue.Late)
	assert.NotContains(t, err.Error(), "made-up-secret")
}
