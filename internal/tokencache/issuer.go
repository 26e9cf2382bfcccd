package tokencache

import (
	"context"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/foreign"
	"github.com/apivideo/api.video-go-oauth2/internal/seal"
)

// Issuer gets tokens from the service.
type Issuer interface {
	// Account returns the account to get a token for. It is asked at the start
	// of each flight. If the current key cannot be learned but an earlier one is
	// known, both results are set: the earlier account, and the reason.
	Account(ctx context.Context) (*Account, error)

	// Issue gets a new token.
	Issue(ctx context.Context, r Request) (*Token, error)

	// Explain classifies an error of Account or Issue.
	Explain(err error) Explanation

	// Encode returns an error in a form that Decode reads in another process,
	// without secrets.
	Encode(err error) []byte
	Decode(encoded []byte) error
}

// Account is one API key in one environment. It is not written to once it is
// made.
type Account struct {
	Name string        // names the account, and reveals nothing
	Key  func() string // the API key; a function, so that no dump of values shows it
	Box  *seal.Box     // nil without a Store
}

// Request is what an Issuer is asked for.
type Request struct {
	Account *Account
	Old     *Token // to succeed; nil if there is none

	// Retry reports whether to make another attempt now. Without it a later
	// flight is better: nobody waits, or the service has been failing.
	Retry func() bool

	// Doing is told the name of each operation before it starts.
	Doing func(op string)
}

// Explanation is what an error means for the next attempt.
type Explanation struct {
	Op        string        // the operation that failed
	Temporary bool          // asking again later may help
	Wait      time.Duration // that the service asked for, 0 if it did not
	Refused   bool          // the service rejects the key or the account

	// Crash is the panic or Goexit that the error tells of, if it does. The
	// chain of an error may be foreign code, which the Cache does not call.
	Crash *foreign.Crash
}

// ask calls a function of an Issuer that has nothing to wait for. If it does not
// return soon, or crashes, the answer is instead.
func ask[T any](instead T, f func() T) T {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	answer, err := foreign.Call(ctx, func() (T, error) { return f(), nil })
	if err != nil {
		return instead
	}
	return answer
}

// Store is where processes share a token. See apivideo.Store.
type Store interface {
	Load(ctx context.Context, key string) ([]byte, error)
	Update(ctx context.Context, key string, fn func(ctx context.Context, old []byte) ([]byte, error)) error
}
