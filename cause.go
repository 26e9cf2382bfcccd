package apivideo

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"golang.org/x/oauth2"
)

// cause replaces an error of an unknown type in the chain of an [Error]: its
// fields could hold a secret. It keeps the redacted text, and the errors of known
// types that the chain contains.
type cause struct {
	text  string
	chain []error
}

func (c *cause) Error() string   { return c.text }
func (c *cause) Unwrap() []error { return c.chain }

// known returns err if it holds no secret, else a [cause].
func (ss secrets) known(err error) error {
	if ss.safe(err) {
		return err
	}
	return &cause{ss.brief(err.Error()), ss.safeParts(err)}
}

// knownPackages are the packages whose errors hold nothing but what their text
// shows.
var knownPackages = map[string]bool{
	"context": true, "crypto/tls": true, "crypto/x509": true, "errors": true, "fmt": true, "internal/poll": true,
	"io": true, "io/fs": true, "net": true, "net/http": true, "net/url": true, "os": true, "syscall": true,
	reflect.TypeFor[guard.Crash]().PkgPath(): true,
}

// safe reports whether err and all errors that it wraps are of known types, with
// no secret in their texts.
func (ss secrets) safe(err error) bool {
	t := reflect.TypeOf(err)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if !knownPackages[t.PkgPath()] || ss.redact(err.Error()) != err.Error() {
		return false
	}
	for _, inner := range wrapped(err) {
		if !ss.safe(inner) {
			return false
		}
	}
	return true
}

// safeParts returns the safe errors that err wraps.
func (ss secrets) safeParts(err error) (parts []error) {
	walk(err, func(inner error) bool {
		switch crash, ok := inner.(*guard.Crash); {
		case ok:
			parts = append(parts, &guard.Crash{Text: ss.brief(crash.Text), Stack: crash.Stack})
		case inner != err && ss.safe(inner):
			parts = append(parts, inner)
		default:
			return true
		}
		return false
	})
	return parts
}

// maxCauses is how many errors of a chain are looked at. A chain of foreign errors
// may have no end.
const maxCauses = 100

// walk calls visit with err, and with the errors that it wraps as long as visit
// asks for those within. The order is that of package errors.
func walk(err error, visit func(error) (within bool)) {
	todo := []error{err}
	for n := 0; n < maxCauses && len(todo) > 0; n++ {
		err, todo = todo[0], todo[1:]
		if visit(err) {
			todo = slices.Concat(wrapped(err), todo)
		}
	}
}

// wrapped returns the errors that err wraps directly.
func wrapped(err error) []error {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		return slices.DeleteFunc(slices.Clone(e.Unwrap()), func(err error) bool { return err == nil })
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return []error{inner}
		}
	}
	return nil
}

// sharedError is the form of an [Error] in a Store.
type sharedError struct {
	Op         string
	Problem    Problem
	RetryAfter time.Duration
	Reason     string
	Outcome    outcome
	Timeout    bool
	Body       []byte // of the answer; nil if there was none
}

// Encode implements [tokencache.Issuer].
func (i *issuer) Encode(err error) []byte {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Op: authenticate.name, reason: strings.TrimPrefix(err.Error(), "apivideo: "), outcome: passing}
	}
	s := sharedError{e.Op, e.Problem, e.RetryAfter, e.reason, e.outcome, e.Timeout(), nil}
	if e.answer != nil {
		s.Body = append([]byte{}, e.answer.Body...)
	}
	data, _ := json.Marshal(s) // strings and numbers cannot fail
	if len(data) > maxShared {
		p := &s.Problem
		p.Type, p.Title, p.Name = truncate(p.Type, maxText), truncate(p.Title, maxText), truncate(p.Name, maxText)
		p.Problems = nil
		data, _ = json.Marshal(s)
	}
	return data
}

// maxShared is how long an encoded error may be before it is cut, in bytes.
const maxShared = 8 << 10

// Decode implements [tokencache.Issuer].
func (i *issuer) Decode(encoded []byte) error {
	var s sharedError
	if json.Unmarshal(encoded, &s) != nil {
		return nil
	}
	e := &Error{Op: s.Op, Problem: s.Problem, RetryAfter: s.RetryAfter, reason: s.Reason, outcome: s.Outcome}
	switch {
	case s.Body != nil:
		e.answer = &oauth2.RetrieveError{Response: responseOf(e.Status), Body: s.Body}
	case s.Timeout:
		e.err = context.DeadlineExceeded
	}
	return e
}
