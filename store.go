package apivideo

import "context"

// Store keeps small values that several processes can read, so that they share
// one token. The packages filestore, redisstore and pgstore implement it. Check
// your own implementation with package storetest.
//
// Values are encrypted with a key derived from the API key: without that key,
// nobody can read them. A modified value is treated as missing. A value usually
// has a few KiB; a Store may reject one of more than 64 KiB.
//
// A Store must be safe for concurrent use. If it fails or hangs, a [Source]
// works without it.
type Store interface {
	// Load returns the value of key, or nil if there is none. A missing value
	// is not an error. Keys are lower-case hexadecimal digits.
	Load(ctx context.Context, key string) ([]byte, error)

	// Update locks key for all users of the store. It calls fn once with the
	// value of key (nil if there is none), and stores what fn returns.
	//
	// If fn returns nil, the value stays as it is. If fn fails, the value stays
	// too, and Update returns fn's error. The context of fn ends when the lock
	// is lost; nothing is stored then.
	Update(ctx context.Context, key string, fn func(ctx context.Context, old []byte) ([]byte, error)) error
}
