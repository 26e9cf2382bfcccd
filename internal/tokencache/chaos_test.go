package tokencache

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/seal"
)

// chaos decides how foreign code misbehaves. Once it is calm, all of it behaves.
type chaos struct {
	released chan struct{} // closed to let go of what blocks

	mu   sync.Mutex // guards what follows
	r    *rand.Rand
	calm bool
}

// roll returns a number below n, or 0 when it is calm. 0 stands for good
// behavior.
func (c *chaos) roll(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calm {
		return 0
	}
	return c.r.IntN(n)
}

func (c *chaos) calmDown() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calm = true
}

var errChaos = errors.New("made-up error")

// act does what foreign code may do before it does what it should.
func (c *chaos) act() {
	switch c.roll(12) {
	case 1:
		<-c.released
	case 2:
		panic("made-up panic")
	case 3:
		runtime.Goexit()
	case 4, 5:
		time.Sleep(time.Duration(c.roll(3000)) * time.Millisecond)
	}
}

// badIssuer is an [Issuer] in a chaos.
type badIssuer struct {
	*chaos
	box *seal.Box

	live    sync.Map    // the contexts of the calls of Issue that are under way
	overlap atomic.Bool // two of them belong to flights that have not ended
	issued  int
}

func (i *badIssuer) Account(context.Context) (*Account, error) {
	i.act()
	switch i.roll(12) {
	case 1:
		return nil, nil
	case 2:
		return nil, badError{i.chaos}
	case 3:
		return &Account{Name: "another", Box: i.box}, nil
	case 4:
		return &Account{}, errChaos
	case 5:
		return &Account{Name: "made-up"}, nil // without its Box
	}
	return &Account{Name: "made-up", Box: i.box}, nil
}

func (i *badIssuer) Issue(ctx context.Context, r Request) (*Token, error) {
	i.live.Range(func(_, other any) bool {
		if other.(context.Context).Err() == nil && ctx.Err() == nil {
			i.overlap.Store(true)
		}
		return true
	})
	self := new(int)
	i.live.Store(self, ctx)
	defer i.live.Delete(self)
	r.Doing("made-up operation")
	r.Retry()
	i.act()
	lifetime := time.Duration(1+i.roll(3600)) * time.Second
	switch i.roll(8) {
	case 0:
		lifetime = time.Hour
	case 1:
		return nil, nil
	case 2:
		return nil, errChaos
	case 3:
		return nil, badError{i.chaos}
	}
	i.mu.Lock()
	i.issued++
	name := "made-up-" + strconv.Itoa(i.issued)
	i.mu.Unlock()
	return NewToken(Grant{AccessToken: name, Lifetime: lifetime}, time.Now()), nil
}

func (i *badIssuer) Explain(error) Explanation {
	i.act()
	return Explanation{Temporary: i.roll(2) == 0, Wait: time.Duration(i.roll(600)) * time.Second}
}

func (i *badIssuer) Encode(error) []byte {
	i.act()
	return [][]byte{[]byte(`"made-up"`), nil, []byte("nonsense"), make([]byte, 100<<10)}[i.roll(4)]
}

func (i *badIssuer) Decode([]byte) error {
	i.act()
	return []error{errChaos, nil, badError{i.chaos}}[i.roll(3)]
}

// badError is an error whose methods are foreign code.
type badError struct{ *chaos }

func (e badError) Error() string { e.act(); return "made-up" }
func (e badError) Unwrap() error { e.act(); return nil }
func (e badError) As(any) bool   { e.act(); return false }

// badStore is a [Store] in a chaos.
type badStore struct {
	*chaos
	lock chan struct{} // has an element while it is held

	valueMu sync.Mutex
	values  [][]byte // the latest is the value
}

func (s *badStore) Load(context.Context, string) ([]byte, error) {
	s.act()
	if s.roll(8) == 1 {
		return nil, badError{s.chaos}
	}
	return s.value(), nil
}

// value is the value, or another, or garbage.
func (s *badStore) value() []byte {
	s.valueMu.Lock()
	defer s.valueMu.Unlock()
	if len(s.values) == 0 {
		return nil
	}
	switch s.roll(8) {
	case 1:
		return []byte("garbage")
	case 2:
		return s.values[0]
	case 3:
		return nil
	}
	return s.values[len(s.values)-1]
}

func (s *badStore) store(value []byte) {
	s.valueMu.Lock()
	defer s.valueMu.Unlock()
	if value != nil {
		s.values = append(s.values, value)
	}
}

func (s *badStore) Update(ctx context.Context, _ string, fn func(context.Context, []byte) ([]byte, error)) error {
	select {
	case s.lock <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.lock }()
	s.act()
	switch s.roll(8) {
	case 1:
		_, _ = fn(ctx, s.value()) // and then once more
	case 2:
		return nil
	case 3:
		time.AfterFunc(time.Duration(s.roll(5000))*time.Millisecond, func() { _, _ = fn(ctx, s.value()) })
		return nil
	case 4:
		go func() { _, _ = fn(ctx, s.value()) }()
	case 5:
		return badError{s.chaos}
	}
	value, err := fn(ctx, s.value())
	s.act()
	if err != nil {
		return err
	}
	s.store(value)
	return nil
}

// badHandler is the handler of a Logger in a chaos.
type badHandler struct{ *chaos }

func (h badHandler) Enabled(context.Context, slog.Level) bool      { h.act(); return true }
func (h badHandler) Handle(_ context.Context, r slog.Record) error { h.act(); return nil }
func (h badHandler) WithAttrs([]slog.Attr) slog.Handler            { return h }
func (h badHandler) WithGroup(string) slog.Handler                 { return h }

// badContext is a context in a chaos. Its Done may never close.
type badContext struct {
	*chaos
	context.Context
}

func (c badContext) Done() <-chan struct{} {
	c.act()
	return [](<-chan struct{}){c.Context.Done(), nil}[c.roll(2)]
}
func (c badContext) Err() error        { c.act(); return c.Context.Err() }
func (c badContext) Value(key any) any { c.act(); return c.Context.Value(key) }
