package year_test

import (
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
)

// What the library promises, of tokens as the service documents them.
const (
	lifetime = apivideotest.DefaultLifetime
	window   = 15 * time.Minute // before expiry, in which a token is renewed
	margin   = 10 * time.Second // before expiry, in which a token is not used

	hangs      = 15 * time.Second // an auth call that began in an outage ends within this after it
	remembered = 30 * time.Second // how long a failure is remembered at most,
	suspended  = 60 * time.Second // one that is final,
	asked      = 5 * time.Minute  // and one for which the service asked to wait

	// A flight: one look at the store, the wait for its lock, the auth calls, and a write.
	longestFlight = time.Second + 20*time.Second + 30*time.Second + time.Second
	// A request waits for two at most to get a token: one that began for nobody
	// may give way to a second. So it may be again when the API refuses the token.
	longestWait = 4 * longestFlight

	forgotten = 4 * time.Hour // after its issue nobody can take a token for valid
)

// trouble is what is known of the outages of a service.
type trouble struct {
	on   bool
	felt time.Time // until when those that ended may have been remembered
}

func (t *trouble) begins() { t.on = true }

// ends takes how long after the end of an outage it may be felt.
func (t *trouble) ends(memory time.Duration) {
	t.on = false
	if felt := time.Now().Add(memory); felt.After(t.felt) {
		t.felt = felt
	}
}

// explains reports whether a failure since then may be due to an outage.
func (t *trouble) explains(since time.Time) bool { return t.on || !since.After(t.felt) }

// tally counts what is worth telling of a run.
type tally struct {
	requests, unauthorized, unlucky, failed, waited int
	authCalls, issued, refused                      int
	outages, failures                               int // of the auth service, and of auth calls in them
	restarts, revocations                           int
	longest, longestHealthy                         time.Duration
}

// ledger is the book of a run: what the witnesses saw, and what was wrong with
// it.
type ledger struct {
	latency time.Duration // of an auth call
	inTune  bool          // all clocks are right

	mu          sync.Mutex // guards what follows, and all witnesses
	auth, store trouble
	tokens      map[string]time.Time // when they were issued
	issued      time.Time            // the last of them
	refusal     time.Time            // the last 401 of the API
	tally       tally
	wrongs      []string
}

func newLedger(latency time.Duration, inTune bool) *ledger {
	return &ledger{latency: latency, inTune: inTune, tokens: make(map[string]time.Time)}
}

func (l *ledger) note(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// issue notes a token, and forgets old ones. Without incidents since the last
// there is one for the fleet in three quarters of an hour. l.mu is held.
func (l *ledger) issue(who, token string, began, now time.Time) {
	since := began.Sub(l.issued)
	if l.inTune && since < lifetime-window && !l.issued.IsZero() && l.uneventful(l.issued) {
		l.add(who, "it gets a token %v after another replica did", since)
	}
	l.issued = began
	maps.DeleteFunc(l.tokens, func(_ string, issued time.Time) bool { return now.Sub(issued) > forgotten })
	l.tokens[token] = now
	l.tally.issued++
}

// uneventful reports whether there were no incidents since then. l.mu is held.
func (l *ledger) uneventful(since time.Time) bool {
	return !l.auth.explains(since) && !l.store.explains(since) && l.refusal.Before(since)
}

// patience is how long a request may wait while all is well, if so many tokens
// were issued meanwhile: for the renewals of those before it in the line, whose
// tokens are of no use to it if their clocks are off, and for its own; each is a
// refresh and an exchange at most. It looks at the store before and after.
func (l *ledger) patience(issued int) time.Duration {
	return time.Duration(issued+1)*(2*l.latency+handover) + 2*100*time.Millisecond
}

// add notes what is wrong. l.mu is held.
func (l *ledger) add(who, format string, args ...any) {
	if len(l.wrongs) < 20 {
		l.wrongs = append(l.wrongs, fmt.Sprintf("%s %s: %s", time.Now().Format(time.DateTime+".000"), who, fmt.Sprintf(format, args...)))
	}
}
