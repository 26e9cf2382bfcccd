package apivideo

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/answer"
	"golang.org/x/oauth2"
)

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

// encodeError returns an error without secrets, as JSON.
func encodeError(err error) []byte {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Op: opAuthenticate, reason: strings.TrimPrefix(err.Error(), "apivideo: "), outcome: passing}
	}
	s := sharedError{e.Op, e.Problem, e.RetryAfter, e.reason, e.outcome, e.Timeout(), nil}
	if answer, ok := e.err.(*oauth2.RetrieveError); ok {
		s.Body = append([]byte{}, answer.Body...)
	}
	data, _ := json.Marshal(s) // strings and numbers cannot fail
	if len(data) > maxShared {
		s.Problem.Problems = nil
		data, _ = json.Marshal(s)
	}
	return data
}

// maxShared is how long an encoded error may be before it is cut, in bytes.
const maxShared = 8 << 10

// decodeError reads what encodeError returned, or returns nil.
func decodeError(encoded []byte) error {
	var s sharedError
	if json.Unmarshal(encoded, &s) != nil {
		return nil
	}
	e := &Error{Op: s.Op, Problem: s.Problem, RetryAfter: s.RetryAfter, reason: s.Reason, outcome: s.Outcome}
	switch {
	case s.Body != nil:
		e.err = &oauth2.RetrieveError{Response: answer.Response(e.Status), Body: s.Body}
	case s.Timeout:
		e.err = context.DeadlineExceeded
	}
	return e
}
