package apivideo_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/internal/memstore"
)

var (
	schedules = flag.Int("schedules", 1500, "how many random schedules of 401s TestRefusalModel plays")
	firstSeed = flag.Uint64("seed", 1, "the first of them")
)

// Random requests, revocations, Renew and Invalidate at any moment, in one process
// or in two that share a Store, with paths that refuse every token. A model of the
// rules judges each request and each auth call.
//
// Promise: Random schedules of requests, revocations, Renew and Invalidate keep the rules of 401s.
func TestRefusalModel(t *testing.T) {
	const batches = 4
	for batch := range batches {
		t.Run(fmt.Sprint(batch), func(t *testing.T) {
			t.Parallel()
			for n := batch; n < *schedules && !t.Failed(); n += batches {
				synctest.Test(t, func(t *testing.T) { playModel(t, *firstSeed+uint64(n)) })
			}
		})
	}
}

// model is the service, and what the rules say of each process.
type model struct {
	t    *testing.T
	seed uint64
	hang bool // the auth service hangs at times
	bad  bool // some paths refuse every token
	all  []*process

	mu      sync.Mutex // guards what follows, and the fields of processes
	tokens  map[string]*modelToken
	revoked []time.Time
	stuck   chan struct{} // closed when the auth service no longer hangs; nil if it does not
	began   time.Time
	history []string // of the schedule, for the message of a fault
	failed  bool
}

// note adds a line to the history.
func (m *model) note(format string, args ...any) {
	m.history = append(m.history, fmt.Sprintf("%12v ", time.Since(m.began))+fmt.Sprintf(format, args...))
}

type modelToken struct {
	name   string
	by     *process
	asked  time.Time // by the process
	issued time.Time // by the service
	trial  bool      // asked for because of a 401, not judged yet
	unused bool      // … by nobody's request: any acceptance ends the trial
}

// process is one Source. What follows src is exact for a process without a Store
// only: one with a Store may adopt tokens.
type process struct {
	src *apivideo.Source

	cur       *modelToken // that it got last
	arrived   time.Time   // when it got that
	needed    bool        // there was no usable token before it
	taken     bool        // the current token was invalidated
	flying    bool        // an auth call is under way
	wanted    int         // requests that wait for another token, after a 401
	behind    bool        // an upload met a 401
	renewing  int         // calls of Renew
	unhelpful int
	paused    time.Time
	last401   time.Time
	held      time.Time // the 401 after which others may wait
	heldOnce  bool      // in this renewal
	heldEnd   time.Time // when the API accepted the token nevertheless
	holdable  bool      // others may wait after the latest 401; not exact if the auth service hangs
}

// call is one request.
type call struct {
	n       int
	p       *process
	path    string
	upload  bool
	start   time.Time
	rand    *rand.Rand
	sends   []sending
	waiting bool // for another token
}

type sending struct {
	token         *modelToken
	at, refusedAt time.Time
}

type callKey struct{}

func (m *model) fault(format string, args ...any) {
	if !m.failed {
		m.failed = true
		m.note("fault: "+format, args...)
		m.t.Errorf("-schedules 1 -seed %d\n%s", m.seed, strings.Join(m.history, "\n"))
	}
}

func (m *model) strict() bool { return len(m.all) == 1 }

// live reports whether the API accepts the token now.
func (m *model) live(tok *modelToken) bool {
	return len(m.revoked) == 0 || tok.issued.After(m.revoked[len(m.revoked)-1])
}

// RoundTrip is the API.
func (m *model) RoundTrip(r *http.Request) (*http.Response, error) {
	c := r.Context().Value(callKey{}).(*call)
	if r.Body != nil {
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	m.mu.Lock()
	tok := m.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	m.begin(c, tok)
	m.mu.Unlock()
	time.Sleep(randomUpTo(c.rand, 50*time.Millisecond))
	m.mu.Lock()
	accept := c.path == "/ok" && m.live(tok)
	m.mu.Unlock()
	time.Sleep(randomUpTo(c.rand, 50*time.Millisecond))
	m.mu.Lock()
	defer m.mu.Unlock()
	if accept {
		m.accept(c, tok)
		return answer(200, "application/json", "{}"), nil
	}
	m.refuse(c, tok)
	return answer(401, "application/json", ""), nil
}

// begin judges that c is sent with tok now.
func (m *model) begin(c *call, tok *modelToken) {
	p, now := c.p, time.Now()
	if c.waiting {
		c.waiting = false
		p.wanted--
	}
	switch n := len(c.sends); {
	case n == 0 && m.strict() && p.cur != nil && !m.mayWait(c):
		m.fault("request %d waited %v, until %v after the 401", c.n, now.Sub(c.start), now.Sub(p.held))
	case n == 3:
		m.fault("request %d is sent a fourth time", c.n)
	case n == 2 && c.sends[1].token.by == p && !c.sends[1].token.asked.Before(c.sends[0].refusedAt):
		m.fault("request %d is sent a third time, though its second token was requested after the first 401", c.n)
	case n == 2 && tok.asked.Before(c.sends[0].refusedAt) && tok.by == p:
		m.fault("request %d is sent a third time with a token from before the first 401", c.n)
	case n > 0 && tok == c.sends[n-1].token:
		m.fault("request %d is sent again with the same token", c.n)
	}
	m.note("request %d%s is sent with %s", c.n, c.path, tok.name)
	c.sends = append(c.sends, sending{token: tok, at: now})
}

// mayWait reports whether c, which is about to be sent, has not waited too long.
// Requests wait for at most 2 seconds after a 401 to the current token, and not
// once the API has accepted it. Without a usable token they wait for the next one.
func (m *model) mayWait(c *call) bool {
	p, now := c.p, time.Now()
	held := (p.holdable || m.hang) && !c.start.Before(p.held) && now.Sub(p.last401) <= 2*time.Second &&
		(p.heldEnd.Before(p.held) || !now.After(p.heldEnd))
	return now.Equal(c.start) || held || now.Equal(p.arrived) && p.needed
}

func (m *model) accept(c *call, tok *modelToken) {
	p := c.p
	m.note("request %d%s is accepted", c.n, c.path)
	if len(c.sends) > 1 {
		p.unhelpful, p.paused = 0, time.Time{}
	}
	tok.trial = tok.trial && len(c.sends) == 1 && !tok.unused
	if at := c.sends[len(c.sends)-1].at; tok == p.cur && at.After(p.held) {
		p.heldEnd = time.Now()
	}
}

func (m *model) refuse(c *call, tok *modelToken) {
	p, now := c.p, time.Now()
	m.note("request %d%s is refused; upload %v", c.n, c.path, c.upload)
	sent := &c.sends[len(c.sends)-1]
	sent.refusedAt = now
	if now.Sub(p.last401) >= 10*time.Minute {
		p.unhelpful, p.paused, tok.trial = 0, time.Time{}, false
	}
	p.last401 = now
	if tok.trial {
		tok.trial = false
		if p.unhelpful++; p.unhelpful >= 2 {
			p.paused = tok.asked.Add(min(time.Second<<min(p.unhelpful-2, 8), time.Minute))
		}
	}
	if tok == p.cur {
		p.holdable = p.unhelpful < 2
		if !p.heldOnce || p.heldEnd.After(p.held) {
			p.held = now
		}
	}
	if n := len(c.sends); n == 3 || n == 2 && tok.by == p && !tok.asked.Before(c.sends[0].refusedAt) {
		return
	}
	switch {
	case now.Before(p.paused) && tok == p.cur && !p.flying && p.renewing == 0 && !p.taken:
	case c.upload:
		p.behind = p.behind || tok == p.cur
		p.heldOnce = p.heldOnce || tok == p.cur
	default:
		p.heldOnce = p.heldOnce || tok == p.cur
		c.waiting = true
		p.wanted++
	}
}

// auth is the auth service, for one process.
func (m *model) auth(p *process) tripper {
	calls := 0
	return func(r *http.Request) (*http.Response, error) {
		m.mu.Lock()
		calls++
		dice := rand.New(rand.NewPCG(m.seed, uint64(calls)))
		tok := &modelToken{by: p, asked: time.Now(), trial: p.wanted > 0 || p.behind}
		if p.cur != nil && !tok.trial && !p.taken && p.renewing == 0 {
			tok.trial, tok.unused = true, true
		}
		m.note("an auth call; trial %v", tok.trial)
		m.justify(p)
		p.flying = true
		stuck := m.stuck
		m.mu.Unlock()
		if stuck != nil {
			select {
			case <-stuck:
			case <-r.Context().Done():
				m.mu.Lock()
				defer m.mu.Unlock()
				p.flying, p.behind, p.heldOnce = false, false, false
				return nil, r.Context().Err()
			}
		}
		time.Sleep(randomUpTo(dice, 350*time.Millisecond))
		m.mu.Lock()
		tok.issued = time.Now()
		tok.name = fmt.Sprint("made-up-token-", len(m.tokens))
		m.tokens[tok.name] = tok
		m.mu.Unlock()
		time.Sleep(randomUpTo(dice, 350*time.Millisecond))
		m.mu.Lock()
		defer m.mu.Unlock()
		p.flying, p.behind, p.heldOnce = false, false, false
		if r.Context().Err() != nil {
			return nil, r.Context().Err() // too late
		}
		p.cur, p.arrived, p.needed, p.taken = tok, time.Now(), p.taken || p.cur == nil, false
		m.note("its answer: %s", tok.name)
		return grantOf(tok.name, "", 24*3600), nil
	}
}

// justify judges that p makes an auth call now.
func (m *model) justify(p *process) {
	quiet := time.Since(p.last401)
	switch {
	case !m.strict() || m.hang || p.cur == nil || p.taken || p.renewing > 0:
	case p.wanted == 0 && !p.behind && quiet < time.Minute:
		m.fault("an auth call for nobody, %v after the latest 401", quiet)
	case time.Now().Before(p.paused):
		m.fault("an auth call %v before the end of a pause", time.Until(p.paused))
	}
}

// judge judges how c ended.
func (m *model) judge(c *call, status int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.waiting {
		c.waiting = false
		c.p.wanted--
		if !m.hang && m.strict() && !time.Now().Before(c.p.paused) {
			m.fault("request %d got %d %v without the token that it may have", c.n, status, err)
		}
	}
	if err != nil && !m.hang {
		m.fault("request %d failed: %v", c.n, err)
	}
	if status == 401 && c.path == "/ok" && !c.upload && !m.bad && !m.hang && m.endedBy(c) < 2 && !m.mayPause(c.p) {
		m.fault("request %d failed, with one revocation", c.n)
	}
}

// mayPause reports whether p may be in a pause: two tokens in a row were refused.
func (m *model) mayPause(p *process) bool {
	if m.strict() {
		return p.unhelpful >= 2
	}
	return len(m.revoked) >= 2
}

// endedBy returns how many revocations ended the tokens that c was sent with.
func (m *model) endedBy(c *call) int {
	found := map[time.Time]bool{}
	for _, s := range c.sends {
		for _, at := range m.revoked {
			if !at.Before(s.token.issued) {
				found[at] = true
				break
			}
		}
	}
	return len(found)
}

func (m *model) send(c *call) {
	var body io.Reader
	if c.upload {
		body = io.MultiReader(strings.NewReader("streamed"))
	} else if c.n%2 == 0 {
		body = strings.NewReader("a body")
	}
	req, _ := http.NewRequestWithContext(context.WithValue(context.Background(), callKey{}, c), "POST", "https://ws.api.video"+c.path, body)
	resp, err := (&apivideo.Transport{Source: c.p.src, Base: m}).RoundTrip(req)
	status := 0
	if err == nil {
		status = resp.StatusCode
		resp.Body.Close()
	}
	m.judge(c, status, err)
}

func randomUpTo(r *rand.Rand, d time.Duration) time.Duration { return 1 + rand.N(d) }

// playModel plays one schedule.
func playModel(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	m := &model{t: t, seed: seed, began: time.Now(), bad: r.IntN(2) == 0, hang: r.IntN(8) == 0, tokens: map[string]*modelToken{}}
	conf := apivideo.Config{APIKey: "made-up-key"}
	if r.IntN(3) == 0 {
		conf.Store = memstore.New()
		m.all = append(m.all, &process{})
	}
	m.all = append(m.all, &process{})
	for _, p := range m.all {
		p.src = conf.Source(through(t.Context(), m.auth(p)))
	}
	var all sync.WaitGroup
	for n := range 5 + r.IntN(40) {
		p := m.all[r.IntN(len(m.all))]
		m.event(&all, p, n, r)
		switch r.IntN(40) {
		case 0:
			time.Sleep(61 * time.Second)
		case 1:
			time.Sleep(10*time.Minute + time.Second)
		case 2, 3, 4:
			time.Sleep(randomUpTo(r, 3*time.Second))
		case 5, 6, 7, 8, 9, 10, 11, 12, 13, 14: // at once
		default:
			time.Sleep(randomUpTo(r, 300*time.Millisecond))
		}
	}
	m.unstick()
	all.Wait()
	time.Sleep(10*time.Minute + time.Second) // until all pauses and failures are over
	for _, p := range m.all {
		c := &call{n: -1, p: p, path: "/ok", start: time.Now(), rand: r}
		m.send(c)
		if last := c.sends[len(c.sends)-1]; !last.refusedAt.IsZero() {
			m.fault("the last request failed")
		}
	}
}

// event starts one random event.
func (m *model) event(all *sync.WaitGroup, p *process, n int, r *rand.Rand) {
	c := &call{n: n, p: p, path: "/ok", start: time.Now(), rand: rand.New(rand.NewPCG(m.seed, uint64(n)))}
	switch dice := r.IntN(100); {
	case dice < 12:
		m.mu.Lock()
		m.note("all tokens are revoked")
		m.revoked = append(m.revoked, time.Now())
		m.mu.Unlock()
	case dice < 18:
		m.mu.Lock()
		m.note("Renew")
		p.renewing++
		m.mu.Unlock()
		all.Go(func() {
			_, err := p.src.Renew(context.Background())
			m.mu.Lock()
			defer m.mu.Unlock()
			if p.renewing--; err != nil && !m.hang {
				m.fault("Renew failed: %v", err)
			}
		})
	case dice < 24:
		all.Go(func() {
			tok, err := p.src.Token()
			if err != nil {
				return
			}
			m.mu.Lock()
			m.note("Invalidate %s", tok.AccessToken)
			p.taken = p.taken || m.tokens[tok.AccessToken] == p.cur
			m.mu.Unlock()
			p.src.Invalidate(tok)
		})
	case dice < 30 && m.hang:
		m.unstick()
		m.mu.Lock()
		m.stuck = make(chan struct{})
		m.mu.Unlock()
	case dice < 36 && m.hang:
		m.unstick()
	default:
		if m.bad && dice < 60 {
			c.path = "/bad"
		}
		c.upload = dice%8 == 0
		all.Go(func() { m.send(c) })
	}
}

// unstick lets the auth service answer again.
func (m *model) unstick() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stuck != nil {
		close(m.stuck)
		m.stuck = nil
	}
}
