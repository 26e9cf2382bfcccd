package tokencache

import (
	"context"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/seal"
)

// Issuer gets tokens from the service.
type Issuer interface {
	// Account returns the account to get a token for. The Cache calls it at the
	// start of each flight. If it fails, the Cache uses the last account.
	Account(ctx context.Context) (*Account, error)

	// Issue gets a new token from the service.
	Issue(ctx context.Context, r Request) (*Token, error)

	// Explain classifies an error of Account or Issue.
	Explain(err error) Explanation

	// Encode returns an error without secrets, as JSON. Decode reads it, in any
	// process.
	Encode(err error) []byte
	Decode(encoded []byte) error
}

// Account is one API key in one environment. It is never written to after it is
// made.
type Account struct {
	Name string        // identifies the account without revealing the key
	Key  func() string // the API key; a function, so that fmt cannot print it
	Box  *seal.Box     // nil without a Store
}

// Request is the argument of Issuer.Issue.
type Request struct {
	Account *Account
	Old     *Token // the token to replace; nil if there is none

	// Failure is the error of the flight before, or nil if the service has not
	// been failing.
	Failure error

	// Retry reports whether to make another attempt in this flight. It is false
	// if nobody waits, or if the service has been failing: a later flight
	// tries again.
	Retry func() bool

	// Spent must be called with a refresh token that nobody must send again.
	Spent func(refreshToken string)

	// Doing must be called with the name of each operation before it starts.
	Doing func(op string)
}

// Explanation is what an error means for the next attempt.
type Explanation struct {
	Op        string        // the operation that failed
	Temporary bool          // a later retry may help
	Wait      time.Duration // the wait that the service demands, or 0
	Refused   bool          // the service rejects the key or the account
	Local     bool          // it concerns only this machine: others are not told
	Late      bool          // a limit ended late, because the process did not run

	// Crash is the panic or Goexit behind the error, or nil. The chain of an
	// error may be foreign code, which the Cache does not call.
	Crash *guard.Crash
}

// prompt calls a function of an Issuer that has nothing to wait for. If it does not
// return soon, or crashes, the answer is instead.
func prompt[T any](instead T, f func() T) T {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	answer, err := guard.Call(ctx, func() (T, error) { return f(), nil })
	if err != nil {
		return instead
	}
	return answer
}

// Store shares a token between processes. See apivideo.Store.
type Store interface {
	Load(ctx context.Context, key string) ([]byte, error)
	Update(ctx context.Context, key string, fn func(ctx context.Context, old []byte) ([]byte, error)) error
}
