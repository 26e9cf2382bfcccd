package storetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
)

var lockChecks = []check{
	{"updates of one key exclude each other", testExclusion},
	{"an update finds what the one before stored", testSuccession},
	{"updates of two keys do not exclude each other", func(t *testing.T, newStore func() apivideo.Store) {
		s, one, other := newStore(), randomKey(), randomKey()
		h := hold(t, s, one, nil)
		mustUpdate(t, s, other, to([]byte("value")))
		mustUpdate(t, newStore(), other, to([]byte("value")))
		h.end(t)
	}},
	{"Load does not wait for an update", func(t *testing.T, newStore func() apivideo.Store) {
		s, key, value := newStore(), randomKey(), []byte("value")
		mustUpdate(t, s, key, to(value))
		h := hold(t, s, key, nil)
		compare(t, "during an update, Load returned", mustLoad(t, s, key), value)
		compare(t, "during an update, Load of another instance returned", mustLoad(t, newStore(), key), value)
		h.end(t)
	}},
	{"Load sees whole values", testWholeValues},
	{"the lock lasts as long as fn", testLongHold},
}

const (
	instances  = 4  // over one storage
	goroutines = 4  // with each
	rounds     = 10 // of each goroutine
)

// testExclusion counts in a value. A lost update is missing in the end.
func testExclusion(t *testing.T, newStore func() apivideo.Store) {
	key := randomKey()
	var inside, overlaps, calls atomic.Int32
	increment := func(_ context.Context, old []byte) ([]byte, error) {
		calls.Add(1)
		if inside.Add(1) > 1 {
			overlaps.Add(1)
		}
		defer inside.Add(-1)
		time.Sleep(time.Millisecond) // for others to come between
		n, err := number(old)
		return binary.BigEndian.AppendUint32(nil, n+1), err
	}
	errs := make(chan error, instances*goroutines)
	for range instances {
		s := newStore()
		for range goroutines {
			go func() {
				var err error
				for i := 0; i < rounds && err == nil; i++ {
					err = s.Update(t.Context(), key, increment)
				}
				errs <- err
			}()
		}
	}
	for range instances * goroutines {
		if err := wait(t, errs, "ten updates by each of many goroutines"); err != nil {
			t.Errorf("Update: %v", err)
		}
	}
	const want = instances * goroutines * rounds
	if n, err := number(mustLoad(t, newStore(), key)); n != want || err != nil {
		t.Errorf("of %d increments, %d are left (%v)", want, n, err)
	}
	if calls.Load() != want || overlaps.Load() > 0 {
		t.Errorf("%d updates called fn %d times, %d times while another ran", want, calls.Load(), overlaps.Load())
	}
}

// number is the counter that testExclusion stores.
func number(value []byte) (uint32, error) {
	switch len(value) {
	case 0:
		return 0, nil
	case 4:
		return binary.BigEndian.Uint32(value), nil
	}
	return 0, fmt.Errorf("the counter came back as %s", brief(value))
}

// testSuccession has one update wait for another, and expects it to read the
// value after the wait.
func testSuccession(t *testing.T, newStore func() apivideo.Store) {
	key := randomKey()
	h := hold(t, newStore(), key, []byte("first"))
	old := make(chan []byte, 1)
	second := beginUpdate(t.Context(), newStore(), key, func(_ context.Context, o []byte) ([]byte, error) {
		old <- bytes.Clone(o)
		return nil, nil
	})
	time.Sleep(settling)
	h.end(t)
	compare(t, "after waiting for another update, fn was given", wait(t, old, "fn"), []byte("first"))
	if err := wait(t, second, "Update"); err != nil {
		t.Errorf("Update: %v", err)
	}
}

// testWholeValues loads while values of equal bytes are stored.
func testWholeValues(t *testing.T, newStore func() apivideo.Store) {
	s, key := newStore(), randomKey()
	mustUpdate(t, s, key, to([]byte{0}))
	stored := make(chan error, 1)
	go func() {
		var err error
		for i := byte(1); i <= 50 && err == nil; i++ {
			err = s.Update(t.Context(), key, to(bytes.Repeat([]byte{i}, int(i)<<10)))
		}
		stored <- err
	}()
	for readers := []apivideo.Store{s, newStore()}; ; {
		for _, r := range readers {
			value := mustLoad(t, r, key)
			if len(value) == 0 || !bytes.Equal(value, bytes.Repeat(value[:1], max(1, int(value[0])<<10))) {
				t.Fatalf("between updates, Load returned %s", brief(value))
			}
		}
		select {
		case err := <-stored:
			if err != nil {
				t.Errorf("Update: %v", err)
			}
			return
		default:
		}
	}
}

// testLongHold has an update outlast the lease that a lock may be.
func testLongHold(t *testing.T, newStore func() apivideo.Store) {
	key := randomKey()
	h := hold(t, newStore(), key, nil)
	began := make(chan struct{}, 1)
	next := beginUpdate(t.Context(), newStore(), key, func(context.Context, []byte) ([]byte, error) {
		began <- struct{}{}
		return nil, nil
	})
	select {
	case <-began:
		t.Error("another update of the key began while fn ran")
	case err := <-next:
		t.Fatalf("another update of the key did not wait for the lock while fn ran: %v", err)
	case <-time.After(longHold):
	}
	h.end(t)
	if err := wait(t, next, "Update after the lock was released"); err != nil {
		t.Errorf("Update: %v", err)
	}
}
