package storetest

import (
	"bytes"
	"context"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
)

var valueChecks = []check{
	{"a miss is nil and no error", func(t *testing.T, newStore func() apivideo.Store) {
		expect(t, newStore(), randomKey(), nil)
	}},
	{"values are arbitrary bytes", testBytes},
	{"an empty value replaces another", func(t *testing.T, newStore func() apivideo.Store) {
		s, key := newStore(), randomKey()
		mustUpdate(t, s, key, to([]byte("old")))
		mustUpdate(t, s, key, to([]byte{}))
		if value := mustLoad(t, s, key); len(value) != 0 {
			t.Errorf("Load returned %s after an empty value was stored", brief(value))
		}
	}},
	{"keys do not share values", func(t *testing.T, newStore func() apivideo.Store) {
		s, one, other := newStore(), randomKey(), randomKey()
		mustUpdate(t, s, one, to([]byte("one")))
		expect(t, s, other, nil)
		mustUpdate(t, s, other, to([]byte("other")))
		expect(t, s, one, []byte("one"))
	}},
	{"values survive a new instance", func(t *testing.T, newStore func() apivideo.Store) {
		key, value := randomKey(), randomBytes(1000)
		before := newStore()
		mustUpdate(t, newStore(), key, to(value))
		expect(t, newStore(), key, value)
		expect(t, before, key, value)
	}},
	{"callers own the slices", testOwnership},
}

func testBytes(t *testing.T, newStore func() apivideo.Store) {
	s, key := newStore(), randomKey()
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, value := range [][]byte{
		{0},
		[]byte("a\x00b"),
		[]byte(" line\r\nline\n"),
		{0xff, 0xfe, 0xc3, 0x28}, // no UTF-8
		every,
		randomBytes(1000),
		bytes.Repeat([]byte{0}, 64<<10),
		randomBytes(64 << 10),
		[]byte("shorter"),
	} {
		mustUpdate(t, s, key, to(value))
		expect(t, s, key, value)
	}
}

// testOwnership writes into every slice that passed between store and caller.
func testOwnership(t *testing.T, newStore func() apivideo.Store) {
	s, key := newStore(), randomKey()
	want := []byte("the stored value")
	given := bytes.Clone(want)
	mustUpdate(t, s, key, to(given))
	clear(given)
	compare(t, "after the caller changed what it had stored, Load returned", mustLoad(t, s, key), want)

	clear(mustLoad(t, s, key))
	compare(t, "after the caller changed what it had loaded, Load returned", mustLoad(t, s, key), want)

	mustUpdate(t, s, key, func(_ context.Context, old []byte) ([]byte, error) {
		clear(old)
		return nil, nil
	})
	compare(t, "after fn changed what it was given, Load returned", mustLoad(t, s, key), want)
}
