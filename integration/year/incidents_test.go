package year_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/internal/memstore"
)

var errStore = errors.New("the store is down")

// longestCalm is how much longer than the mean a calm may be. No scenario is as
// short, so that each has incidents of all kinds.
const longestCalm = 8

// next waits for the next incident of a kind.
func (w *world) next(random *rand.Rand) bool {
	return w.sleep(time.Duration(min(random.ExpFloat64(), longestCalm) * float64(w.calm)))
}

// outage is how long an outage lasts: more often a second than a day.
func outage(random *rand.Rand, longest time.Duration) time.Duration {
	return time.Duration(math.Pow(longest.Seconds(), random.Float64()) * float64(time.Second))
}

// troubleTheService has outages of the auth service.
func (w *world) troubleTheService() {
	random := w.random(1001)
	for w.next(random) {
		o := someOutage(random)
		w.locked(func() { w.auth.on = true; w.tally.outages++ })
		w.Server.FailFunc(o.fault)
		w.Suspend(o.fault == nil)
		w.sleep(outage(random, o.longest))
		w.Server.FailFunc(nil)
		w.Suspend(false)
		w.locked(func() { w.auth.ends(hangs + o.memory) })
	}
}

// serviceOutage is what auth calls meet for a while.
type serviceOutage struct {
	fault   func(apivideotest.Op) apivideotest.Fault // nil: the account is suspended
	memory  time.Duration                            // how long a failure may be remembered
	longest time.Duration
}

var faults = []apivideotest.Fault{
	apivideotest.Status(503), apivideotest.Status(500), apivideotest.BreakBefore, apivideotest.BreakAfter, apivideotest.Hang, {},
}

func someOutage(random *rand.Rand) serviceOutage {
	always := func(f apivideotest.Fault, memory, longest time.Duration) serviceOutage {
		return serviceOutage{func(apivideotest.Op) apivideotest.Fault { return f }, memory, longest}
	}
	const short = time.Hour / 2 // where every call keeps many busy: it would take long to play
	switch kind := random.IntN(8); kind {
	case 0:
		return serviceOutage{nil, suspended, day}
	case 1, 2:
		wait := 1 + random.IntN(900)
		limited := apivideotest.Status([]int{429, 503}[kind-1]).RetryAfter(strconv.Itoa(wait))
		return always(limited, max(remembered, min(time.Duration(wait)*time.Second, asked)), day)
	case 3: // now this, now that, at times nothing
		random := rand.New(rand.NewPCG(random.Uint64(), 0))
		return serviceOutage{func(apivideotest.Op) apivideotest.Fault { return faults[random.IntN(len(faults))] }, remembered, short}
	case 4:
		return always(apivideotest.Hang, remembered, short)
	default:
		return always(faults[random.IntN(4)], remembered, day)
	}
}

// troubleTheStore has outages of the store.
func (w *world) troubleTheStore() {
	random := w.random(1002)
	for w.next(random) {
		w.locked(func() { w.store.on = true })
		switch random.IntN(5) {
		case 0:
			w.shared.SetFault(memstore.Fault{Err: errStore, Handover: handover})
			w.sleep(outage(random, day))
		case 1:
			w.shared.SetFault(memstore.Fault{WriteErr: errStore, Handover: handover})
			w.sleep(outage(random, day))
		case 2:
			w.shared.SetFault(memstore.Fault{Delay: time.Duration(random.IntN(1500)) * time.Millisecond, Handover: handover})
			w.sleep(outage(random, day))
		case 3:
			hang := make(chan struct{})
			w.shared.SetFault(memstore.Fault{Hang: hang, Handover: handover})
			w.sleep(outage(random, 2*time.Hour))
			close(hang)
		case 4: // a process ended with the lock
			unlock, _ := w.shared.Lock(context.Background(), w.name)
			w.sleep(outage(random, 5*time.Minute))
			unlock()
		}
		w.shared.SetFault(memstore.Fault{Handover: handover})
		w.locked(func() { w.store.ends(longestFlight) })
	}
}

// revoke ends tokens before their time, at times just before all call at once.
func (w *world) revoke() {
	random := w.random(1003)
	for n := 0; w.next(random); n++ {
		if n > 0 && random.IntN(2) == 0 {
			w.Server.EndRefreshToken()
			continue
		}
		w.Revoke()
		if random.IntN(2) == 0 {
			w.rush()
		}
	}
}

// rush has all replicas call at once, as jobs on the hour do.
func (w *world) rush() {
	var requests sync.WaitGroup
	for _, r := range w.fleet {
		requests.Go(func() { r.process.Load().request(longestWait + time.Second) })
	}
	requests.Wait()
}

// deploy restarts one replica or all of them.
func (w *world) deploy() {
	random := w.random(1004)
	for w.next(random) {
		restarted := w.fleet
		if random.IntN(4) > 0 {
			one := random.IntN(len(w.fleet))
			restarted = w.fleet[one : one+1]
		}
		for _, r := range restarted {
			r.start()
		}
		w.locked(func() { w.tally.restarts += len(restarted) })
	}
}
