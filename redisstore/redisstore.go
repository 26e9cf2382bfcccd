// Package redisstore shares one api.video access token among all processes
// that use the same Redis. A whole fleet then makes one auth call an hour.
//
//	client := redis.NewClient(&redis.Options{Addr: "redis:6379"})
//	conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY"), Store: redisstore.New(client)}
//
// # What Redis holds
//
// For each account and environment there is one string, apivideo:{KEY}. During a
// renewal there is a second one, apivideo:{KEY}:lock, a random text. Package
// apivideo derives KEY from the API key and encrypts the value, so a reader of
// Redis learns no token. A modified value is treated as missing. A value expires
// after 24 hours without a renewal. The braces put both names into one slot of a
// cluster.
//
// A value that this package cannot have stored is treated as missing, too, and
// the next renewal overwrites it: one of another Redis type, an empty one, or one
// longer than 64 KiB, of which no more than that is read. A lock of another type,
// or one that never expires, is overwritten, too.
//
// # When Redis is slow, down, or loses a lock
//
// Requests continue to use a valid token. A renewal that cannot reach Redis
// continues without it after about a second. Only the sharing is lost: each
// process then makes its own auth calls.
//
// The lock is a lease of 4 seconds. Its holder extends it every second, so a
// killed process delays the others by no more than that. Redis replicates
// asynchronously: a failover may lose the lock, and two processes then renew at
// the same time. That costs one more auth call. Both tokens are valid.
//
// Anybody who may write to Redis can hold the lock. A process without a usable
// token then waits up to 20 seconds before it makes its own auth call.
//
// # Timeouts of the client
//
// While it reads or writes, a go-redis client ignores canceled contexts, and
// deadlines, too, unless ContextTimeoutEnabled is set. By default it waits 5
// seconds for an answer and tries four times. No request waits for that, but
// goroutines and connections do. To shorten it, give the Store its own client:
//
//	client := redis.NewClient(&redis.Options{
//		Addr:                  "redis:6379",
//		DialTimeout:           time.Second,
//		ReadTimeout:           time.Second, // WriteTimeout is the same by default
//		ContextTimeoutEnabled: true,
//	})
//
// With a ReadTimeout well below the lease, a holder keeps its lock when one
// connection stops answering.
//
// # Requirements
//
// Redis 5 or later, or a server that is compatible with it, with Lua scripts
// (EVAL). The package uses no SHA-1, so it works with GODEBUG=fips140=only.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	valueTime = 24 * time.Hour  // how long a value is kept without a renewal; no token lives longer
	readTime  = 2 * time.Second // for a read, if the client respects contexts
	maxValue  = 64 << 10        // bytes; a Source's values have a few thousand
)

var errNoClient = errors.New("redisstore: there is no Redis client; give one to New")

// Store keeps values in Redis. It implements the Store of package apivideo and
// is safe for concurrent use. Make one with [New]. Every call on a nil or zero
// Store returns an error.
type Store struct {
	client redis.UniversalClient // nil if there is none
	local  local
}

// New returns a Store in the Redis of client: a single server, one behind
// Sentinel, or a cluster. The caller closes the client when the Store is no
// longer used. If client is nil, or a nil pointer, every call on the Store
// returns an error.
func New(client redis.UniversalClient) *Store {
	if v := reflect.ValueOf(client); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return &Store{}
	}
	return &Store{client: client, local: local{keys: make(map[string]*localKey)}}
}

// Load returns the value of key, or nil if there is none. It returns when ctx
// ends, whatever the client does. In a cluster whose client reads from
// replicas, the value may be slightly out of date.
func (s *Store) Load(ctx context.Context, key string) ([]byte, error) {
	if s == nil || s.client == nil {
		return nil, errNoClient
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.local.load(ctx, key, func() ([]byte, error) { return s.get(ctx, key) })
}

// get reads the value for several callers, so it continues when ctx ends.
func (s *Store) get(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTime)
	defer cancel()
	value, err := s.client.GetRange(ctx, valueName(key), 0, maxValue).Result()
	switch {
	case redis.HasErrorPrefix(err, "WRONGTYPE"):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("redisstore: reading the value: %w", err)
	}
	return valueOf(value), nil
}

// valueOf returns the value whose first maxValue+1 bytes are s, or nil if a
// Store cannot have stored it.
func valueOf(s string) []byte {
	if s == "" || len(s) > maxValue {
		return nil
	}
	return []byte(s)
}

// Update calls fn with the value of key, nil if there is none, under a lock on
// key. It waits for the lock until ctx ends. Goroutines that share a Store
// queue; other processes try several times a second. Update stores what fn
// returns for 24 hours. If that is nil, the old value stays; more than 64 KiB
// are an error. An error of fn is returned unchanged.
//
// The context of fn ends with ctx, or when the lock is lost; its
// [context.Cause] tells which. After a lost lock Update stores nothing and
// returns an error. If ctx ends while fn runs, the result of fn is stored all
// the same: it may have cost a refresh token that works only once.
//
// Before Update returns, it releases the lock and ends its goroutines. If Redis
// does not answer, this takes as long as the client's own timeouts allow: about
// two read timeouts with the default client.
func (s *Store) Update(ctx context.Context, key string, fn func(ctx context.Context, old []byte) ([]byte, error)) error {
	if s == nil || s.client == nil {
		return errNoClient
	}
	leave, err := s.local.enter(ctx, key)
	if err != nil {
		return fmt.Errorf("redisstore: locking: %w", err)
	}
	defer leave()
	l, err := s.lock(ctx, key)
	if err != nil {
		return fmt.Errorf("redisstore: locking: %w", err)
	}
	defer l.release(ctx)
	held, stop := l.hold(ctx)
	defer stop()
	old, err := l.read(held)
	if err != nil {
		return err
	}
	value, err := fn(held, old)
	switch {
	case err != nil || value == nil:
		return err
	case lost(held):
		return errLost
	case len(value) > maxValue:
		return fmt.Errorf("redisstore: a value of %d bytes is too long; the limit is %d", len(value), maxValue)
	}
	return l.write(ctx, value)
}

// The braces make the names of one key hash to one slot.
func valueName(key string) string { return "apivideo:{" + key + "}" }
func lockName(key string) string  { return valueName(key) + ":lock" }
