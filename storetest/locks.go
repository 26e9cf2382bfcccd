package storetest

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
)

var lockChecks = []check{
	{"updates of one key run one at a time", testExclusion},
	{"an update waits for the one before and finds its value", testSuccession},
	{"updates of two keys run at the same time", func(t testing.TB, newStore func() apivideo.Store) {
		s, one, other := newStore(), randomKey(), randomKey()
		end := hold(t, s, one, nil)
		mustUpdate(t, s, other, to([]byte("value")))
		mustUpdate(t, newStore(), other, to([]byte("value")))
		end()
	}},
	{"Load does not wait for an update", func(t testing.TB, newStore func() apivideo.Store) {
		s, key, value := newStore(), randomKey(), []byte("value")
		mustUpdate(t, s, key, to(value))
		end := hold(t, s, key, nil)
		compare(t, "during an update, Load returned", mustLoad(t, s, key), value)
		compare(t, "during an update, Load of another instance returned", mustLoad(t, newStore(), key), value)
		end()
	}},
	{"Load sees whole values", testWholeValues},
}

// testExclusion has every update add a byte. A lost update is missing in the
// end.
func testExclusion(t testing.TB, newStore func() apivideo.Store) {
	const instances, goroutines, updates = 4, 4, 10
	key := randomKey()
	var calls, inside, overlaps atomic.Int32
	add := func(_ context.Context, old []byte) ([]byte, error) {
		calls.Add(1)
		if inside.Add(1) > 1 {
			overlaps.Add(1)
		}
		defer inside.Add(-1)
		time.Sleep(time.Millisecond) // for others to come between
		return append(bytes.Clone(old), 1), nil
	}
	var all []<-chan error
	for range instances {
		s := newStore()
		for range goroutines {
			all = append(all, begin(func() (err error) {
				for i := 0; i < updates && err == nil; i++ {
					err = s.Update(t.Context(), key, add)
				}
				return err
			}))
		}
	}
	for _, returned := range all {
		if err := wait(t, returned, "ten updates by each of many goroutines"); err != nil {
			t.Errorf("Update: %v", err)
		}
	}
	const want = instances * goroutines * updates
	if n := len(mustLoad(t, newStore(), key)); n != want || overlaps.Load() > 0 {
		t.Errorf("of %d updates, %d are left; %d ran while another did", want, n, overlaps.Load())
	}
	if n := calls.Load(); n != want {
		t.Errorf("%d updates called fn %d times", want, n)
	}
}

// testSuccession has one update wait for another, for longer than the lease
// that a lock may be.
func testSuccession(t testing.TB, newStore func() apivideo.Store) {
	key, old := randomKey(), make(chan []byte, 1)
	end := hold(t, newStore(), key, []byte("first"))
	second := beginUpdate(t.Context(), newStore(), key, func(_ context.Context, o []byte) ([]byte, error) {
		old <- bytes.Clone(o)
		return nil, nil
	})
	select {
	case <-old:
		t.Fatalf("an update began while the one before ran")
	case err := <-second:
		t.Fatalf("an update did not wait for the one before: %v", err)
	case <-time.After(longHold):
	}
	end()
	compare(t, "after another update, fn was given", wait(t, old, "fn"), []byte("first"))
	if err := wait(t, second, "Update"); err != nil {
		t.Errorf("Update: %v", err)
	}
}

// testWholeValues loads while values of equal bytes are stored.
func testWholeValues(t testing.TB, newStore func() apivideo.Store) {
	s, key := newStore(), randomKey()
	mustUpdate(t, s, key, to([]byte{0}))
	stored := begin(func() (err error) {
		for i := byte(1); i <= 50 && err == nil; i++ {
			err = s.Update(t.Context(), key, to(bytes.Repeat([]byte{i}, int(i)<<10)))
		}
		return err
	})
	for readers := []apivideo.Store{s, newStore()}; len(stored) == 0; {
		for _, r := range readers {
			value := mustLoad(t, r, key)
			if len(value) == 0 || !bytes.Equal(value, bytes.Repeat(value[:1], max(1, int(value[0])<<10))) {
				t.Fatalf("between updates, Load returned %s", brief(value))
			}
		}
	}
	if err := <-stored; err != nil {
		t.Errorf("Update: %v", err)
	}
}
