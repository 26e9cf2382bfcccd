package redact

import (
	"path"
	"reflect"
	"slices"
	"strings"
)

// cause replaces an error of an unknown type in a chain: its fields could hold a
// secret. It keeps the redacted text, and the errors of known types in the chain.
type cause struct {
	text  string
	chain []error
}

func (c *cause) Error() string   { return c.text }
func (c *cause) Unwrap() []error { return c.chain }

// Error returns err if it holds no secret, else a redacted error.
func (ss Secrets) Error(err error) error {
	if ss.safe(err) {
		return err
	}
	return ss.Cause(ss.Brief(err.Error()), err)
}

// Cause returns an error with a text that has no secret, and with what is safe of
// the chain of err.
func (ss Secrets) Cause(text string, err error) error { return &cause{text, ss.safeParts(err)} }

// knownPackages are those whose errors hold only what their text shows. So do the
// internal packages of this module.
var knownPackages = map[string]bool{
	"context": true, "crypto/tls": true, "crypto/x509": true, "errors": true, "fmt": true, "internal/poll": true,
	"io": true, "io/fs": true, "net": true, "net/http": true, "net/url": true, "os": true, "syscall": true,
}

// known reports whether err is of a known package.
func known(err error) bool {
	t := reflect.TypeOf(err)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	internal := path.Dir(reflect.TypeFor[Secrets]().PkgPath()) + "/"
	return knownPackages[t.PkgPath()] || strings.HasPrefix(t.PkgPath(), internal)
}

// safe reports whether err and all errors that it wraps are of known types, with
// no secret in their texts.
func (ss Secrets) safe(err error) bool {
	if !known(err) || ss.Redact(err.Error()) != err.Error() {
		return false
	}
	for _, inner := range wrapped(err) {
		if !ss.safe(inner) {
			return false
		}
	}
	return true
}

// maskable is an error of this module that can be copied without its secrets.
type maskable interface {
	Mask(redact func(string) string) error
}

// safeParts returns the safe errors that err wraps.
func (ss Secrets) safeParts(err error) (parts []error) {
	Walk(err, func(inner error) bool {
		switch own, ok := inner.(maskable); {
		case ok && known(inner):
			parts = append(parts, own.Mask(ss.Brief))
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

// Walk calls visit with err, and with the errors that it wraps as long as visit
// asks for those within. The order is that of package errors.
func Walk(err error, visit func(error) (within bool)) {
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
