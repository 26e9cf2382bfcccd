package year_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/model"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/wire"
)

// replica is one of the programs of a fleet, through all its restarts.
type replica struct {
	*world
	number  int
	ahead   time.Duration // of its clock
	random  *rand.Rand
	started int
	process atomic.Pointer[process]
}

// process is a replica from one start to the next.
type process struct {
	*world
	source *model.Source
	end    context.CancelFunc
	ended  bool // so that its auth calls may be broken off
	unused int  // tokens it got since its program last called
}

// start begins a process. Some of those before end, and some are only dropped.
func (r *replica) start() {
	r.started++
	p := &process{world: r.world}
	ctx, cancel := context.WithCancel(r.ctx)
	p.end = cancel
	conf := *r.config
	c := &clock{Store: r.shared, box: r.box, ahead: r.ahead}
	r.stores = append(r.stores, weak.Make(c))
	conf.Store = c
	p.source = r.NewSource(ctx, &conf, r.Server.Transport())
	p.source.Called = p.called
	p.source.Name = fmt.Sprintf("replica %d, start %d", r.number, r.started)
	c.source = p.source
	if before := r.process.Swap(p); before != nil && r.started%2 == 0 {
		before.locked(func() { before.ended = true })
		before.end()
	}
}

// run makes requests until the end: some within a minute, and after a pause,
// which is short or long by the hours that the replica keeps, some again.
func (r *replica) run() {
	for r.sleep(r.pause()) {
		for range 1 + r.random.IntN(5) {
			r.burst()
			if !r.sleep(time.Duration(r.random.Int64N(int64(20 * time.Second)))) {
				return
			}
		}
	}
}

// burst makes one request, or a few that overlap if they must wait.
func (r *replica) burst() {
	p := r.process.Load()
	var requests sync.WaitGroup
	for i := range max(1, r.random.IntN(8)-3) {
		limit := longestWait + time.Second
		if r.random.IntN(8) == 0 {
			limit = 2 * time.Second
		}
		requests.Go(func() {
			time.Sleep(time.Duration(i/2) * 20 * time.Millisecond)
			p.request(limit)
		})
	}
	if r.random.IntN(20) == 0 { // and one that is tried again if it fails, and again
		pause := []time.Duration{50 * time.Millisecond, time.Second}[r.random.IntN(2)]
		for n := 0; n < 50 && !p.request(longestWait+time.Second); n++ {
			time.Sleep(pause)
		}
	}
	requests.Wait()
}

// pause is how long it is until the next request. The pace of a replica
// changes from week to week.
func (r *replica) pause() time.Duration {
	week := int(time.Since(r.began) / (7 * day))
	slower := []float64{0.2, 1, 4, 20, 100}[(r.number+week)%5]
	return time.Duration(r.random.ExpFloat64() * slower * float64(r.pace))
}

// request makes one, and reports whether there was an answer.
func (p *process) request(limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	var issued int
	var ready bool
	p.locked(func() {
		p.unused = 0
		issued, ready = p.Counts.Tokens, p.ready()
	})
	r := p.source.Do(ctx, p.Server.URL+"/videos", model.None)
	p.locked(func() {
		p.unused = 0
		p.judgeWait(r, ready, p.Counts.Tokens-issued)
	})
	return r.Err == nil
}

// ready reports whether the Source must have a token: the one it used last or,
// if nothing stood in the way and there was time, its successor, renewed ahead of
// expiry.
func (p *process) ready() bool {
	k, now := p.source.Latest, time.Now()
	return k != nil && k.Refused.IsZero() && (p.source.Serves(now) ||
		p.skew == 0 && !k.FirstUse.IsZero() && k.FirstUse.Before(k.Expiry.Add(-2*margin)) &&
			p.uneventful(k.Expiry.Add(-lifetime)) && now.Before(k.Expiry.Add(lifetime/2)))
}

// judgeWait judges whether a request waited for good reason and not too long,
// when so many tokens were issued meanwhile.
func (p *process) judgeWait(r *model.Request, ready bool, issued int) {
	waited := r.To.Sub(r.From)
	well := !p.auth.explains(r.From) && !p.store.explains(r.From)
	switch {
	case waited == 0:
		return
	case ready && p.source.Met401.Before(r.From):
		p.source.Fault("a request waits %v though there is a token", waited)
	case waited > longestWait, well && waited > p.patience(issued):
		p.source.Fault("a request waits %v, and %d tokens are issued; all is well: %t", waited, issued, well)
	}
	p.tally.longest = max(p.tally.longest, waited)
	if well {
		p.tally.longestHealthy = max(p.tally.longestHealthy, waited)
	}
}

// called judges an auth call.
func (p *process) called(c *wire.Call, got wire.Answer) {
	p.locked(func() {
		switch {
		case got.Token != "":
			p.judgeIssue(c)
			if p.unused++; p.unused > 1 {
				p.source.Fault("it gets %d tokens that nobody asks for", p.unused)
			}
		case p.auth.explains(c.From):
			p.tally.failures++
		case c.Op == apivideotest.Refresh && got.Status == 401:
			p.tally.refused++
		case p.ended && got.Status == 0:
		default:
			p.source.Fault("%s fails with %d while all is well", c.Op, got.Status)
		}
	})
}

// judgeIssue judges whether it is time for a new token: without incidents since
// the last, there is one for the fleet in three quarters of an hour.
func (p *process) judgeIssue(c *wire.Call) {
	since := c.From.Sub(p.issued)
	if p.skew == 0 && since < lifetime-window && !p.issued.IsZero() && p.uneventful(p.issued) {
		p.source.Fault("it gets a token %v after another replica did", since)
	}
	p.issued = c.From
}
