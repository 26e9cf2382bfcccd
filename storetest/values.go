package storetest

import (
	"bytes"
	"context"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
)

var valueChecks = []check{
	{"a miss is nil and no error", func(t testing.TB, newStore func() apivideo.Store) {
		expect(t, newStore(), randomKey(), nil)
	}},
	{"values are arbitrary bytes", testBytes},
	{"an empty value replaces another", func(t testing.TB, newStore func() apivideo.Store) {
		s, key := newStore(), randomKey()
		mustUpdate(t, s, key, to([]byte("old")))
		mustUpdate(t, s, key, to([]byte{}))
		if value := mustLoad(t, s, key); len(value) != 0 {
			t.Errorf("Load returned %s after an empty value was stored", brief(value))
		}
	}},
	{"keys do not share values", func(t testing.TB, newStore func() apivideo.Store) {
		s, one, other := newStore(), randomKey(), randomKey()
		mustUpdate(t, s, one, to([]byte("one")))
		expect(t, s, other, nil)
		mustUpdate(t, s, other, to([]byte("other")))
		expect(t, s, one, []byte("one"))
	}},
	{"values survive a new instance", func(t testing.TB, newStore func() apivideo.Store) {
		before, key := newStore(), randomKey()
		expect(t, before, key, nil)
		for range 2 {
			value := randomBytes(1000)
			mustUpdate(t, newStore(), key, to(value))
			expect(t, newStore(), key, value)
			expect(t, before, key, value)
		}
	}},
	{"callers own the slices", testOwnership},
	{"values of more than 64 KiB are refused or missing", testTooLong},
}

func testBytes(t testing.TB, newStore func() apivideo.Store) {
	s, key := newStore(), randomKey()
	for _, value := range [][]byte{
		{0},
		[]byte("a\x00b"),
		[]byte(" line\r\nline\n"),
		{0xff, 0xfe, 0xc3, 0x28}, // no UTF-8
		make([]byte, maxValue),
		randomBytes(maxValue), // all bytes are in it
		[]byte("shorter"),
	} {
		mustUpdate(t, s, key, to(value))
		expect(t, s, key, value)
	}
}

// testOwnership writes into every slice that passed between store and caller.
func testOwnership(t testing.TB, newStore func() apivideo.Store) {
	s, key, want := newStore(), randomKey(), []byte("the stored value")
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

// testTooLong accepts a Store that refuses a long value, and one that takes it
// and then treats it as missing. A short value must replace it either way.
func testTooLong(t testing.TB, newStore func() apivideo.Store) {
	s, key := newStore(), randomKey()
	for _, size := range []int{maxValue + 1, 2 << 20} {
		want := []byte("short")
		mustUpdate(t, s, key, to(want))
		if tryUpdate(t.Context(), t, s, key, to(randomBytes(size))) == nil {
			want = nil
		}
		expect(t, s, key, want)
	}
	mustUpdate(t, s, key, to([]byte("short again")))
	expect(t, s, key, []byte("short again"))
}
