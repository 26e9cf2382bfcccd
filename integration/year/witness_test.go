package year_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"
)

// witness watches one Source, from the outside: what it reads and writes in
// the store, its auth calls, and the requests of its program.
type witness struct {
	*ledger
	name  string
	ended bool // the process, so that its auth calls may be broken off

	views  map[string]*view // of tokens, by what the replica was told
	latest *view            // of the token that was sent last
	met401 time.Time        // the last time
	asked  time.Time        // when it last asked the service for a token, and got it
	unused int              // tokens it got since its program last called
	thrift thrift
}

// view is what a replica knows of a token: when it expires by each time that
// it was told, until it has used it.
type view struct {
	first, last time.Time
	used        bool
	sent        time.Time // when it was first, if it was
	refused     time.Time // when the API refused it, if it did
}

// wrong notes a breach of the promises.
func (w *witness) wrong(format string, args ...any) {
	w.note(func() { w.add(w.name, format, args...) })
}

// told notes what the replica reads in the store.
func (w *witness) told(g *grant) {
	now := time.Now()
	expiry := g.Issued.Add(g.Lifetime)
	if latest := now.Add(g.Lifetime); expiry.After(latest) {
		expiry = latest
	}
	w.note(func() {
		v := w.views[g.AccessToken]
		switch {
		case v == nil:
			maps.DeleteFunc(w.views, func(_ string, v *view) bool { return now.Sub(v.last) > forgotten })
			v = &view{first: expiry, last: expiry}
			w.views[g.AccessToken] = v
		case !v.used:
			v.last = expiry
		default:
			return
		}
		if v.last.After(w.thrift.end) { // it may take that token
			w.thrift = thrift{end: v.last}
		}
	})
}

// replaced notes that the replica got a token though the store has this one.
// It must not, if that would have served.
func (w *witness) replaced(old *grant) {
	w.note(func() {
		v := w.views[old.AccessToken]
		if v != nil && time.Until(v.first) > window && (w.latest == nil || w.latest.refused.IsZero()) {
			w.add(w.name, "it renews a token that lasts %v", time.Until(v.first))
		}
	})
}

// called notes an auth call that began then, and its outcome.
func (w *witness) called(op string, began time.Time, status int, accessToken string) {
	now := time.Now()
	w.note(func() {
		w.tally.authCalls++
		switch {
		case accessToken != "":
			w.renewed(accessToken, began, now)
		case w.auth.explains(began):
			w.tally.failures++
			if w.thrift.exceeds(began) && !w.ended {
				w.add(w.name, "it makes %.0f auth calls too soon in an outage, and %d at the end of its token", w.thrift.soon, w.thrift.closing)
			}
		case op == "/auth/refresh" && status == http.StatusUnauthorized:
			w.tally.refused++
		case w.ended && status == 0:
		default:
			w.add(w.name, "%s fails with %d while all is well", op, status)
		}
	})
}

// renewed checks that a new token was called for. w.mu is held.
func (w *witness) renewed(accessToken string, began, now time.Time) {
	w.issue(w.name, accessToken, began, now)
	if since := began.Sub(w.asked); !w.asked.IsZero() && since < lifetime-window && w.met401.Before(w.asked) {
		w.add(w.name, "it gets a token %v after the last, which nobody refused", since)
	}
	if w.unused++; w.unused > 1 {
		w.add(w.name, "it gets %d tokens that nobody asks for", w.unused)
	}
	w.asked = began
	expiry := began.Add(lifetime)
	w.views[accessToken] = &view{first: expiry, last: expiry, used: true}
	w.thrift = thrift{end: expiry}
}

// sent notes that a request carried the token, and the answer.
func (w *witness) sent(a *attempt, token string, status int) {
	now := time.Now()
	w.note(func() {
		a.tokens = append(a.tokens, token)
		a.statuses = append(a.statuses, status)
		v := w.views[token]
		switch {
		case v == nil:
			w.add(w.name, "it sends a token that it was never given")
			return
		case !now.Before(v.last.Add(-margin)):
			w.add(w.name, "it sends a token %v before its expiry", v.last.Sub(now))
		case !v.refused.IsZero() && v.refused.Before(now) && !w.auth.explains(v.refused):
			w.add(w.name, "it sends a token that was refused %v ago", now.Sub(v.refused))
		}
		v.used = true
		if v.sent.IsZero() {
			v.sent = now
		}
		w.latest = v
		if status != http.StatusUnauthorized {
			return
		}
		w.met401, w.refusal = now, now
		if len(a.tokens) == 1 { // of a second refusal the next request finds out
			v.refused = now
		}
	})
}

// attempt is one request of the program.
type attempt struct {
	start    time.Time
	limit    time.Duration // of the program, 0 if none
	usable   bool          // whether there must be a token at its start
	issued   int           // tokens, before its start
	tokens   []string      // that it was sent with
	statuses []int         // and the answers
}

// begins notes the start of a request.
func (w *witness) begins(limit time.Duration) *attempt {
	a := &attempt{start: time.Now(), limit: limit}
	w.note(func() {
		w.unused = 0
		w.tally.requests++
		a.issued = w.tally.issued
		a.usable = w.latest != nil && w.latest.refused.IsZero() && w.hasToken(a.start)
	})
	return a
}

// hasToken reports whether the token that was sent last is usable or, if nothing
// stood in the way and there was time, must have been renewed ahead of its
// expiry. w.mu is held.
func (w *witness) hasToken(now time.Time) bool {
	expiry := w.latest.first
	return now.Before(expiry.Add(-margin)) ||
		w.inTune && w.latest.sent.Before(expiry.Add(-2*margin)) && w.uneventful(expiry.Add(-lifetime)) && now.Before(expiry.Add(lifetime/2))
}

// ends checks the answer that the program got.
func (w *witness) ends(a *attempt, status int, err error) {
	w.note(func() {
		w.unused = 0
		w.checkWait(a)
		w.checkAnswer(a, status, err)
	})
}

// checkAnswer checks that the request was served if it could be. w.mu is held.
func (w *witness) checkAnswer(a *attempt, status int, err error) {
	inTrouble := w.auth.explains(a.start)
	switch {
	case a.limit > 0 && errors.Is(err, context.DeadlineExceeded) && time.Since(a.start) == a.limit:
		w.tally.failed++ // checkWait finds fault with it if nothing explains the wait
	case err != nil:
		w.tally.failed++
		if a.usable && w.met401.Before(a.start) || !inTrouble {
			w.add(w.name, "a request fails: %v (it had a token: %t)", err, a.usable)
		}
	case status == http.StatusOK, status == http.StatusForbidden && w.auth.on:
	case status == http.StatusUnauthorized && inTrouble:
		w.tally.unauthorized++
	case status == http.StatusUnauthorized && len(a.tokens) == 2 && w.tokens[a.tokens[1]].Before(a.start):
		w.tally.unlucky++ // two tokens of the fleet became invalid together
	default:
		w.add(w.name, "a request is answered %d, sent with answers %v", status, a.statuses)
	}
}

// checkWait checks that the request waited for good reason and not too long.
// w.mu is held.
func (w *witness) checkWait(a *attempt) {
	waited := time.Since(a.start)
	if waited == 0 {
		return
	}
	w.tally.waited++
	w.tally.longest = max(w.tally.longest, waited)
	if a.usable && w.met401.Before(a.start) {
		w.add(w.name, "a request waits %v though there is a token", waited)
	}
	switch {
	case waited > longestWait:
		w.add(w.name, "a request waits %v", waited)
	case w.auth.explains(a.start) || w.store.explains(a.start):
	default:
		w.tally.longestHealthy = max(w.tally.longestHealthy, waited)
		if issued := w.tally.issued - a.issued; waited > w.patience(issued) {
			w.add(w.name, "a request waits %v while all is well, and %d tokens are issued", waited, issued)
		}
	}
}
