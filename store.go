package apivideo

import "context"

// Store keeps small values where several processes find them, so that they
// share one token. The values are sealed with a key derived from the API key:
// they mean nothing to whoever has the store alone, and what was altered in it
// counts as absent.
//
// A Store must be safe for concurrent use. A [Source] uses it for a second or
// so at a time and does without it when it fails.
type Store interface {
	// Load returns the value of key, or nil if there is none; a miss is no
	// error. Keys are lower-case hex.
	Load(ctx context.Context, key string) ([]byte, error)

	// Update calls fn once with the value of key (nil if none), holding a
	// lock on key that every user of the store honours, and stores what fn
	// returns; nil leaves the value. When fn fails, the value stays and Update
	// returns fn's error. The context of fn ends when the lock is lost, and
	// nothing is stored then.
	Update(ctx context.Context, key string, fn func(ctx context.Context, old []byte) ([]byte, error)) error
}
