// Package storetest tests implementations of apivideo.Store.
//
// To share tokens in your own database, implement the two methods of
// [apivideo.Store] and call [TestStore] from a test:
//
//	func TestStore(t *testing.T) {
//		db := openTestDatabase(t)
//		storetest.TestStore(t, func() apivideo.Store { return mystore.New(db) })
//	}
//
// # The lock
//
// The lock makes a hundred processes get one token and not a hundred. Use one
// lock for each key. All processes on all machines must respect it, so a mutex
// is not enough. A row lock, an advisory lock or a lease will do.
//
// The context of Update may have no deadline, and may end at any time: stop
// waiting for the lock then. fn calls the service and can take 30 seconds. A
// process that dies in fn must not keep the lock. Use a lock that ends with the
// connection, or a lease of a few seconds that Update extends while fn runs.
//
// A lock can be lost: the connection breaks, or the lease of a suspended
// process expires. End the context of fn then, and do not store what fn
// returns: another process may have stored a newer value. Write in the
// transaction that holds the lock, or check the lease and write in one step.
//
// # Values
//
// Keys are 64 lower-case hexadecimal digits. Values are arbitrary bytes,
// usually a few thousand, at most 64 KiB. They are encrypted already. You may
// delete a value at any time; that costs one auth call. A value that was
// not updated for 24 hours is useless: let it expire.
//
// Load must not wait for the lock: while Update waits, the [apivideo.Source]
// calls Load ten times a second. Read from the primary, because a replica that
// lags makes the Source renew a token again.
//
// Other programs may write under the key. Never read more than 64 KiB of a
// value. Treat what cannot be a value as missing, and let Update replace it; if
// you return an error, no process can share a token until somebody repairs the
// entry. Return other errors, and soon: a Source whose Store fails makes its own
// auth calls.
//
// # What TestStore cannot check
//
// Try these by hand, or with the tools of your database:
//   - Delete the lock, or take it over, while fn runs. The context of fn must
//     end, and nothing must be stored.
//   - Let fn run for 40 seconds. Nobody else may get the lock.
//   - Load a value an hour after its update. It must still be there.
//   - Kill a process while its fn runs. The others must get the lock within
//     seconds.
//   - Stop the database. Calls must end when their contexts end.
//   - Write 2 MiB under the key, and something of a wrong type: a list, a folder,
//     a link. Load must return nil without reading it all, and Update must
//     replace it.
//   - Read a value from another machine.
package storetest

import (
	"slices"
	"testing"
	"time"

	apivideo "github.com/apivideo/api.video-go-oauth2" // named, so that the links above work
)

const (
	// patience limits a call that should return at once, on a busy machine.
	patience = 2 * time.Minute

	// settling is the time a call gets to start waiting for a lock. If it is
	// too short, a check finds less, but does not fail.
	settling = 200 * time.Millisecond

	// maxValue is the size that every Store must accept, in bytes.
	maxValue = 64 << 10
)

// longHold is how long a lock must last: longer than most leases.
var longHold = 5 * time.Second

// check is one thing that every Store must do. newStore returns a new instance
// over the same storage.
type check struct {
	Name string
	Run  func(t testing.TB, newStore func() apivideo.Store)
}

var checks = slices.Concat(valueChecks, updateChecks, lockChecks, contextChecks)

// TestStore tests a Store in subtests of t. They take about six seconds.
//
// Each call of newStore returns a new instance over the same storage, as if in
// another process. Other programs may use the storage at the same time: the
// keys are random. A few values of up to 64 KiB stay behind.
//
// A value that is empty but not nil may come back as empty or as nil.
func TestStore(t *testing.T, newStore func() apivideo.Store) {
	for _, c := range checks {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, newStore) })
	}
}
