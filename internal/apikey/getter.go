package apikey

import (
	"context"
	"strings"
	"sync"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/redact"
)

// Getter gets the API key, from a function of the program unless the key is fixed.
// It is safe for concurrent use.
type Getter struct {
	get     func(context.Context) (string, error) // nil if the key is fixed
	running chan struct{}                         // has an element for each call of get
	hung    *guard.Bound                          // of calls of get that do not return

	mu            sync.Mutex
	last, earlier func() string // the keys that were got last; functions, so that fmt cannot print them
}

// maxRunning is how many calls of the function may run at a time. Only calls that
// take longer than the context of Get overlap. One that never returns must not end
// renewal, and many must not pile up.
const maxRunning = 4

// Fixed returns a Getter of a key that does not change.
func Fixed(key string) *Getter {
	return &Getter{last: func() string { return key }, earlier: none}
}

// From returns a Getter that calls get. hung bounds its calls that do not return.
func From(hung *guard.Bound, get func(context.Context) (string, error)) *Getter {
	return &Getter{get: get, hung: hung, running: make(chan struct{}, maxRunning), last: none, earlier: none}
}

func none() string { return "" }

// Get returns the current key. The function has until the end of ctx to return.
// The error is an [*Error].
func (g *Getter) Get(ctx context.Context) (string, error) {
	if g.get == nil {
		return g.last(), nil
	}
	key, err := guard.CallWithin(ctx, g.hung, func() (string, error) {
		select {
		case g.running <- struct{}{}:
			defer func() { <-g.running }()
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
		key, err := g.get(ctx)
		if err != nil { // its methods are the program's code, too
			return "", newError(err, g.Secrets(key))
		}
		return key, nil
	})
	if err == nil {
		g.remember(key)
		return key, nil
	}
	if _, ok := err.(*Error); !ok { // it crashed, or took too long
		err = newError(err, g.Secrets())
	}
	return "", err
}

func (g *Getter) remember(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.last() != key {
		g.last, g.earlier = func() string { return key }, g.last
	}
}

// Secrets are the last two keys, and others.
func (g *Getter) Secrets(others ...string) redact.Secrets {
	g.mu.Lock()
	defer g.mu.Unlock()
	return redact.New(append(others, g.last(), g.earlier())...)
}

// Error is a failure of the function.
type Error struct {
	text string
	err  error
}

// newError makes an Error of err. Behind it err stays as it is, which is the
// program's own, unless there is a secret in its text.
func newError(err error, ss redact.Secrets) *Error {
	if crash, ok := err.(*guard.Crash); ok { // stays one, so that it is logged
		err = crash.Mask(ss.Redact)
	}
	text := strings.TrimPrefix(err.Error(), "apivideo: ")
	if safe := ss.Redact(text); safe != text {
		return &Error{safe, ss.Cause(safe, err)}
	}
	return &Error{text, err}
}

func (e *Error) Error() string { return "apivideo: getting the API key: " + e.text }

// Unwrap returns the error of the function, a [*guard.Crash], or the cause of the
// context.
func (e *Error) Unwrap() error { return e.err }
