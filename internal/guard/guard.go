// Package guard calls code that the library does not own: it may block,
// panic, or end its goroutine.
package guard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"

	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
)

// Crash is the error of code that panicked, or that ended its goroutine with
// runtime.Goexit.
type Crash struct {
	Text  string
	Stack []byte // nil after runtime.Goexit
}

func (c *Crash) Error() string { return c.Text }

// Mask returns a copy whose text went through redact.
func (c *Crash) Mask(redact func(string) string) error { return &Crash{redact(c.Text), c.Stack} }

// CrashIn returns the crash in the chain of err, or nil. An error with a method
// Stack is one, too: that of code which contains its crashes itself.
func CrashIn(err error) *Crash {
	if crash, ok := errors.AsType[*Crash](err); ok {
		return crash
	}
	if own, ok := errors.AsType[interface {
		error
		Stack() []byte
	}](err); ok {
		return &Crash{Text: err.Error(), Stack: own.Stack()}
	}
	return nil
}

// Result is what a function returned.
type Result[T any] struct {
	Value T
	Err   error
}

// Go calls f in a new goroutine. The channel gets what f returns, or a *[Crash]
// if f does not return.
func Go[T any](f func() (T, error)) <-chan Result[T] {
	results := make(chan Result[T], 1)
	go func() {
		var r Result[T]
		returned := false
		defer func() {
			if !returned {
				r.Err = crash(recover())
			}
			results <- r
		}()
		r.Value, r.Err = f()
		returned = true
	}()
	return results
}

// crash makes an error from the result of recover. It runs in the goroutine that
// ends: formatting the value of the panic may block.
func crash(value any) *Crash {
	if value == nil {
		return &Crash{Text: "the code that was called ended its goroutine (runtime.Goexit)"}
	}
	return &Crash{fmt.Sprintf("panic: %v", value), debug.Stack()}
}

// Call is like [Go], but waits for the result. If ctx ends first, it returns the
// [limit.Cause] of ctx; f may still be running.
func Call[T any](ctx context.Context, f func() (T, error)) (T, error) {
	results := Go(f)
	select {
	case r := <-results:
		return r.Value, r.Err
	case <-ctx.Done():
		var zero T
		return zero, limit.Cause(ctx)
	}
}

// ends bounds the contexts that do not say why they ended.
var ends = Bound{Patient: true}

// Context returns a context with the values of ctx. It ends with the cause of ctx
// when ctx ends, or when stop is called. A child made by package context would
// call methods of ctx in a goroutine where a panic ends the program.
func Context(ctx context.Context) (own context.Context, stop func()) {
	own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	why := func() (error, error) { return nil, EndOf(ctx) }
	if ctx.Err() != nil {
		_, err := why()
		cancel(err)
		return own, func() {}
	}
	done := ctx.Done()
	go func() {
		select {
		case <-done:
			results, leave, ok := Start(&ends, why)
			if !ok {
				cancel(context.Canceled)
				return
			}
			defer leave()
			select {
			case r := <-results:
				cancel(r.Err)
			case <-own.Done():
			}
		case <-own.Done():
		}
	}()
	return own, func() { cancel(nil) }
}

// EndOf returns why ctx has ended: its error, and its cause if that is another
// error.
func EndOf(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	switch {
	case err == nil: // against the contract of a context
		return context.Canceled
	case cause == nil || errors.Is(cause, err):
		return cmp.Or(cause, err)
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// Nil reports whether v is nil, or a nil pointer, map, slice, function or
// channel in an interface.
func Nil(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan:
		return r.IsNil()
	}
	return false
}
