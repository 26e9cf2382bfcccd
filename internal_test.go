package apivideo

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"golang.org/x/oauth2"
)

// The clocks of a test cannot be stopped or set, so that this one sets the two
// readings of a moment instead.
func TestAMomentHasPassedWhenEitherClockSaysSo(t *testing.T) {
	now := time.Now()
	before, after := now.Add(-time.Hour), now.Add(time.Hour)
	for _, test := range []struct {
		name            string
		monotonic, wall time.Time
		passed          bool
	}{
		{"neither", after, after, false},
		{"the wall clock went on while the machine slept", after, before, true},
		{"the wall clock was set back", before, after, true},
		{"both", before, before, true},
		{"just now", now, now, true},
	} {
		m := moment{test.monotonic, test.wall.UnixNano()}
		assert.Equal(t, test.passed, m.passed(now), test.name)
		assert.Equal(t, test.passed, m.left(now) <= 0, test.name)
	}
}

func TestATokenIsUnusableWhenEitherClockSaysSo(t *testing.T) {
	now := time.Now()
	e := newEntry(grant{accessToken: "made-up", lifetime: time.Hour}, now, time.Hour, now)
	c := &cache{cur: e}
	assert.Same(t, e, c.current(now))
	e.unusable.wall = now.UnixNano()
	assert.Nil(t, c.current(now), "the wall clock went on while the machine slept")
	e.unusable = momentOf(e.token.Expiry)
	e.unusable.t = now
	assert.Nil(t, c.current(now), "the wall clock was set back")
}

// A token that needs no lock to be had is looked at by both clocks, too.
func TestATokenAtHandIsLeftWhenEitherClockSaysSo(t *testing.T) {
	now := time.Now()
	later := now.Add(time.Hour)
	remembered := errors.New("remembered")
	for name, over := range map[string]moment{
		"the wall clock went on while the machine slept": {later, now.UnixNano()},
		"the wall clock was set back":                    {now, later.UnixNano()},
	} {
		e := newEntry(grant{accessToken: "made-up", lifetime: time.Hour}, now, time.Hour, now)
		e.renewAt, e.unusable = over, over
		c := &cache{cur: e, pause: pause{until: later, err: remembered}}
		c.ready.Store(e)
		_, err := c.token(t.Context())
		assert.Same(t, remembered, err, name)
	}
}

// Requests need no lock again, unless the token was invalidated meanwhile.
func TestATokenIsAtHandAgainAfterAFailedRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		e := newEntry(grant{accessToken: "made-up", lifetime: time.Hour}, now, time.Hour, now)
		c := &cache{ctx: t.Context(), cur: e}
		fail := func() { c.land(&flight{ctx: t.Context(), done: make(chan struct{}), refused: e}, nil, &Error{}) }
		fail()
		assert.Same(t, e, c.ready.Load())
		c.invalidate("made-up")
		fail()
		assert.Nil(t, c.ready.Load())
	})
}

// Its timer may have fired before anybody was handed it.
func TestATokenAdoptedLateIsRenewedWhenItIsHandedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: &http.Transport{
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				calls++
				return nil, errors.New("no route")
			},
		}})
		c := newCache(ctx, Config{APIKey: "made-up-key"})
		now := time.Now()
		c.cur = newEntry(grant{accessToken: "made-up", lifetime: time.Hour}, now, 5*time.Minute, now)
		f := endedFlight(nil)
		f.entry = c.cur
		_, err := c.await(t.Context(), f)
		assert.NoError(t, err)
		synctest.Wait()
		assert.Equal(t, 1, calls)
	})
}

// slept is t with a monotonic reading that stood still for d.
func slept(t time.Time, d time.Duration) time.Time {
	*(*int64)(unsafe.Add(unsafe.Pointer(&t), 8)) -= int64(d)
	return t
}

func TestTheTimeOfAnAuthCallIsThatOfTheClockThatSaysMore(t *testing.T) {
	then := time.Now()
	assert.Equal(t, time.Second, elapsed(then, then.Add(time.Second)))
	assert.Equal(t, 2*time.Hour, elapsed(then, slept(then.Add(2*time.Hour), 2*time.Hour)))
	assert.Equal(t, time.Second, elapsed(then, slept(then.Add(-time.Hour), -time.Hour-time.Second)), "set back")
}

func FuzzDecodeGrant(f *testing.F) {
	for _, seed := range []string{
		`{"token_type":"Bearer","expires_in":3600,"access_token":"a.b.c","refresh_token":"00ff"}`,
		`{"access_token":"x","expires_in":"60"}`, `{"access_token":"x","expires_in":1e400}`,
		`{"access_token":"x\r\n"}`, `{}`, `null`, `[]`, `{"access_token":"x"}{}`, "<html>", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := decodeGrant(data)
		if err != nil {
			assert.Less(t, len(err.Error()), 100, "nothing of the answer is in the error")
			return
		}
		assert.NoError(t, checkAccessToken(g.accessToken))
		assert.Positive(t, g.lifetime)
		assert.LessOrEqual(t, g.lifetime, maxLifetime)
		now := time.Now()
		e := newEntry(g, now, g.lifetime, now)
		assert.Equal(t, "Bearer "+g.accessToken, e.bearer)
		assert.False(t, e.renewAt.t.After(e.unusable.t), "renewal begins before the token is unusable")
	})
}

func FuzzRefusal(f *testing.F) {
	const secret = `made-up/"key"\`
	for _, seed := range []string{
		`{"type":"https://docs.api.video/reference/authentication-invalid-api-key","title":"The API key is invalid.","status":401}`,
		`{"title":"` + secret + `"}`, `{"title":"made-up\/\"key\"\\"}`, `{"problems":[{"title":"x"},{}]}`, "<html>", "",
	} {
		f.Add(401, []byte(seed), "3", "text/html")
	}
	f.Fuzz(func(t *testing.T, status int, data []byte, retryAfter, contentType string) {
		resp := &http.Response{StatusCode: status, Header: http.Header{
			"Content-Type": {contentType}, "Retry-After": {retryAfter}, "X-Ratelimit-Retry-After": {retryAfter},
		}}
		e := (&exchange{op: authenticate, secrets: secrets{secret}}).refusal(resp, data)
		text := e.Error()
		assert.Less(t, len(text), 400)
		assert.NotContains(t, text, secret)
		assert.NotContains(t, text, "\n")
		assert.NotContains(t, e.Title+e.Type+e.Name, secret)
		assert.NotContains(t, string(e.answer.Body), secret)
		assert.LessOrEqual(t, len(e.answer.Body), 1<<10)
		assert.GreaterOrEqual(t, e.RetryAfter, time.Duration(0))
		assert.Equal(t, status, e.Status)
	})
}

func FuzzOpen(f *testing.F) {
	s, err := newSealer("made-up-key", ProductionURL)
	if err != nil {
		f.Fatal(err)
	}
	now := time.Now()
	e := newEntry(grant{accessToken: "made-up-token", lifetime: time.Hour}, now, time.Hour, now)
	sealed, err := s.seal(e)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte{})
	f.Add([]byte{sealVersion})
	f.Fuzz(func(t *testing.T, data []byte) {
		if got := s.open(data, time.Now()); got != nil {
			assert.Equal(t, "made-up-token", got.token.AccessToken, "only what was sealed is opened")
		}
	})
}

// BenchmarkToken compares what a Transport pays for its token with the least
// that it could: an atomic load and a look at the clock.
func BenchmarkToken(b *testing.B) {
	now := time.Now()
	e := newEntry(grant{accessToken: "made-up", lifetime: time.Hour}, now, time.Hour, now)
	c := &cache{cur: e}
	c.ready.Store(e)
	ways := map[string]func() *entry{
		"library": func() *entry {
			e, _ := c.token(b.Context())
			return e
		},
		"limit": func() *entry {
			if e := c.ready.Load(); time.Now().Before(e.renewAt.t) {
				return e
			}
			return nil
		},
	}
	for name, token := range ways {
		b.Run(name+"/1", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				token()
			}
		})
		b.Run(name+"/128", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(128 / runtime.GOMAXPROCS(0))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					token()
				}
			})
		})
	}
}
