// Package redisstore shares one api.video access token among all processes
// that reach the same Redis: one auth call an hour for a whole fleet.
//
//	client := redis.NewClient(&redis.Options{Addr: "redis:6379"})
//	conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY"), Store: redisstore.New(client)}
//
// # What Redis holds
//
// One string for each account and environment, apivideo:{KEY}, and while its
// token is being renewed a second one, apivideo:{KEY}:lock, which is a random
// number. KEY is derived from the API key and the value is encrypted with
// another key derived from it, both by package apivideo: whoever reads Redis
// gets no token, and what was altered there counts as absent. A value that is
// not renewed goes after 24 hours. The braces put both into one slot of a
// cluster.
//
// # When Redis is slow, down, or loses a lock
//
// A token that is at hand serves on, and a renewal that finds no Redis is made
// without it after a second or so. All that is lost is the sharing: every
// process then makes an auth call of its own.
//
// The lock is a lease of 4 seconds that its holder extends every second, so
// that a process that is killed holds up the others no longer than that. Redis
// replicates asynchronously: a failover may lose the lock, and two processes
// then renew at the same time. That costs one auth call more and nothing else,
// for what the service issues to either is valid.
//
// # The client's timeouts
//
// While it reads and writes, a go-redis client does not notice that a context
// is canceled, and heeds a deadline only if ContextTimeoutEnabled is set; by
// default it waits 5 seconds for an answer, and tries four times. Load returns
// at the end of its context all the same, and package apivideo does not wait
// for Update; but goroutines do, and the connections that they use. A client
// of its own for the store may have less patience:
//
//	client := redis.NewClient(&redis.Options{
//		Addr:                  "redis:6379",
//		DialTimeout:           time.Second,
//		ReadTimeout:           time.Second, // and WriteTimeout, which follows it
//		ContextTimeoutEnabled: true,
//	})
//
// A ReadTimeout well below the lease lets a holder keep its lock when one
// connection stops answering.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/bsm/redislock"
	"github.com/redis/go-redis/v9"
)

const (
	valueTime = 24 * time.Hour  // how long a value is kept without a renewal; no token lives longer
	readTime  = 2 * time.Second // for a read, if the client honours contexts
)

var errNoClient = errors.New("redisstore: there is no Redis client; give one to New")

// Store keeps values in Redis. It implements the Store of package apivideo and
// is safe for concurrent use. Make one with [New]; every call on the zero Store
// is an error.
type Store struct {
	client redis.UniversalClient // nil if there is none
	locks  *redislock.Client
	local  local
}

// New returns a Store in the Redis of client: a single server, one behind
// Sentinel, or a cluster. The caller keeps the client, and closes it when the
// Store is used no more. If client is nil, every call on the Store is an error.
func New(client redis.UniversalClient) *Store {
	if v := reflect.ValueOf(client); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return &Store{}
	}
	return &Store{client: client, locks: redislock.New(client), local: local{keys: make(map[string]*localKey)}}
}

// Load returns the value of key, or nil if there is none. It returns when ctx
// ends, whatever the client does. In a cluster whose client reads from
// replicas, the value may be a little old.
func (s *Store) Load(ctx context.Context, key string) ([]byte, error) {
	if s.client == nil {
		return nil, errNoClient
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.local.load(ctx, key, func() ([]byte, error) { return s.get(ctx, key) })
}

// get reads the value for all who wait for it, and so beyond the end of ctx.
func (s *Store) get(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTime)
	defer cancel()
	value, err := s.client.Get(ctx, valueName(key)).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("redisstore: reading the value: %w", err)
	}
	return []byte(value), nil
}

// Update calls fn with the value of key, nil if there is none, under a lock on
// key. It waits for the lock until ctx ends; goroutines that share a Store
// queue, and other processes try several times a second. What fn returns is stored for 24
// hours, unless it is nil, which leaves the value. An error of fn is returned
// as it is.
//
// The context of fn ends with ctx, and also when the lock is lost, which its
// [context.Cause] says; nothing is stored then, and Update returns an error.
// When ctx ends while fn runs, what fn returns is stored all the same: it may
// have been had for something that cannot be spent twice.
//
// Before Update returns, it has released the lock and ended its goroutines.
// With a Redis that does not answer this takes as long as the client's own
// timeouts allow: about two read timeouts for the default client.
func (s *Store) Update(ctx context.Context, key string, fn func(ctx context.Context, old []byte) ([]byte, error)) error {
	if s.client == nil {
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
	if err != nil || value == nil {
		return err
	}
	if lost(held) {
		return errLost
	}
	return l.write(ctx, value)
}

// The braces make the names of one key hash to one slot.
func valueName(key string) string { return "apivideo:{" + key + "}" }
func lockName(key string) string  { return valueName(key) + ":lock" }
