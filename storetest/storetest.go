// Package storetest tests implementations of [apivideo.Store].
//
// To share tokens in a database of your own, implement the two methods of
// [apivideo.Store] and have a test call [TestStore]:
//
//	func TestStore(t *testing.T) {
//		db := openTestDatabase(t)
//		storetest.TestStore(t, func() apivideo.Store { return mystore.New(db) })
//	}
//
// # What matters
//
// The lock is what makes a fleet get one token and not a hundred. It belongs
// to the key, and every process that uses the store must honour it, on
// whatever machine: a mutex will not do, nor one lock for all keys. A row
// lock, an advisory lock or a lease are good. Update is called with a context
// that has no deadline and may end at any time; it must stop waiting then. fn
// makes calls to the service, and runs for 30 seconds at worst. Whoever dies
// in it must not keep the lock: use a lock that ends with its holder's
// connection, or a lease of a few seconds that the holder extends.
//
// A lock can be lost: the connection breaks, the lease runs out in a process
// that was suspended. Then the context of fn must end, and what fn returns
// must not be stored, for another may have stored something newer. So let the
// database decide: write in the transaction that holds the lock, or check the
// lease and write in one step, with a compare-and-set or a script.
//
// Load must not wait for the lock. While Update waits for its lock, the
// [apivideo.Source] calls Load ten times a second to see whether the holder is
// done. Read from where the writes go, since a replica that lags makes the
// Source renew what has just been renewed.
//
// Values are opaque bytes of a few kilobytes, and keys 64 lower-case hexadecimal
// digits. Values are sealed, so they need no encryption, and keys reveal
// nothing. Deleting a value costs an auth call and no more; one that was not
// updated for 24 hours serves nobody, so let it expire then.
//
// Return errors, and return them soon. A Source without its store makes auth
// calls of its own, and fails no request.
//
// # What this package cannot check
//
// Try these by hand, or with your database's tools: delete or take over the
// lock while fn runs, and see that its context ends and that nothing is
// stored; kill a process while its fn runs, and see how long the others wait;
// stop the database, and see that calls end when their contexts do; read a
// value from another machine.
package storetest

import (
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
)

var (
	// patience is how long a call may take that should return at once. It is
	// generous: machines that run tests are busy.
	patience = 30 * time.Second

	// settling is what a call gets to begin its wait for a lock. Too short
	// on a busy machine, it makes a check weaker and does not fail it.
	settling = 200 * time.Millisecond

	// longHold is how long a lock must last: longer than usual leases.
	longHold = 5 * time.Second
)

// check is one thing that every Store must do.
type check struct {
	name string
	run  func(t *testing.T, newStore func() apivideo.Store)
}

var allChecks = [][]check{valueChecks, updateChecks, lockChecks, contextChecks}

// TestStore tests a Store in subtests of t, which take about six seconds.
//
// Each call of newStore returns a new instance over the same storage, as other
// processes would have it. The storage may have other users: each run works
// with random keys, and leaves a few values of up to 64 KiB behind.
//
// A stored value that is empty but not nil may come back as empty or as nil.
func TestStore(t *testing.T, newStore func() apivideo.Store) {
	for _, checks := range allChecks {
		for _, c := range checks {
			t.Run(c.name, func(t *testing.T) { c.run(t, newStore) })
		}
	}
}
