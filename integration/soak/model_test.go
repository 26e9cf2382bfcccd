package soak_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
)

// What the library promises, as far as the model holds it to that.
const (
	renewalWindow = 15 * time.Minute // or a quarter of the lifetime: the earliest renewal
	expiryMargin  = 10 * time.Second // or a tenth of it: the latest use
	firstHold     = time.Second      // of a refusal that is not believed; doubles
	longestHold   = time.Minute
)

// model knows what the service and the API have told one Source, and judges by
// that what the Source does. It is lenient where it cannot tell in which order
// the Source learned of two things.
type model struct {
	slack time.Duration // between an event and what the Source makes of it; 0 in a bubble

	mu          sync.Mutex      // guards what follows
	secrets     map[string]bool // all tokens
	tokens      map[string]*known
	latest      *known          // nil before the first
	spent       map[string]bool // refresh tokens that were sent, but for a 429
	keyed       int             // auth calls with the API key since the last with a refresh token
	renewing    int             // calls of Source.Renew
	wanted      bool            // there was one, and no token has come since
	active      *authCall
	pace        pace
	revocations []*span
	refusal     *span // of all tokens, now; nil if there is none
	suspended   bool  // at any time
	over        bool  // the context of the Source has ended
	faults      []string
	counts      counts
}

// counts says what a run consisted of.
type counts struct{ requests, waited, healed, refused, failed, authCalls, tokens, revocations int }

type span struct{ from, to time.Time }

// known is an access token as its client knows it.
type known struct {
	sent, obtained time.Time // the auth call that brought it, and its answer
	due            time.Time // renewal ahead of expiry, at the earliest
	unusable       time.Time
	expiry         time.Time
	refresh        string // its refresh token
	former         *known
	refused        time.Time // by the API; zero if it was not
	met            time.Time // the first answer of the API other than 401
	used           bool      // by a request
	doubted        bool      // Source.Invalidate was called with it
	invalidated    bool      // and has returned
}

// lives reports whether a Source has k to serve, be it refused.
func (k *known) lives(now time.Time) bool {
	return k != nil && !k.invalidated && now.Before(k.unusable)
}

// serves reports whether a request that has k need not wait.
func (k *known) serves(now time.Time) bool { return k.lives(now) && !k.doubted && k.refused.IsZero() }

// fault takes note of a broken promise. m.mu is held, as for all that follow.
func (m *model) fault(format string, args ...any) {
	m.faults = append(m.faults, fmt.Sprintf(format, args...))
}

// begin judges whether this is a time for an auth call.
func (m *model) begin(c *authCall) {
	m.counts.authCalls++
	if left := m.active; left != nil { // at its limit, before it ended
		if left.ctx.Err() == nil {
			m.fault("two auth calls at a time")
		}
		m.end(left, answer{}, c.from)
	}
	m.active = c
	if k := m.latest; k.serves(c.from) && c.from.Before(k.due) && m.renewing == 0 && !m.wanted {
		m.fault("an auth call without a reason, %v before expiry", k.expiry.Sub(c.from))
	}
	m.judgeCredential(c)
	if complaint := m.pace.next(c, m.slack); complaint != "" {
		m.fault("%s", complaint)
	}
}

// judgeCredential judges whether c sends the right one: the refresh token if it
// is good, and then, in the same renewal, the API key.
func (m *model) judgeCredential(c *authCall) {
	if c.op == apivideotest.Refresh {
		m.keyed = 0
		if m.spent[c.sent] {
			m.fault("a refresh token is sent again")
		}
		return
	}
	m.keyed++
	if m.latest != nil && !m.spent[m.latest.refresh] && m.keyed > attempts {
		m.fault("the API key is sent in place of a refresh token")
	}
}

// end takes note of how an auth call went.
func (m *model) end(c *authCall, got answer, now time.Time) {
	if m.active != c {
		return // it was left behind
	}
	m.active, c.to = nil, now
	if c.op == apivideotest.Refresh && !got.early {
		m.spent[c.sent] = true
	}
	if errors.Is(c.ctx.Err(), context.Canceled) {
		return // the Source broke it off
	}
	expiry := c.from.Add(got.lifetime)
	k := &known{
		sent: c.from, obtained: c.to,
		due:      expiry.Add(-min(renewalWindow, got.lifetime/4) - m.slack),
		unusable: expiry.Add(-min(expiryMargin, got.lifetime/10)),
		expiry:   expiry,
		refresh:  got.refresh,
		former:   m.latest,
	}
	c.ok = got.token != "" && c.ctx.Err() == nil && c.to.Before(k.unusable)
	if got.token != "" {
		m.secrets[got.token], m.secrets[got.refresh] = true, true
	}
	var left time.Duration
	if m.latest.lives(c.to) {
		left = m.latest.unusable.Sub(c.to)
	}
	m.pace.took(c, got, left)
	if c.ok {
		m.tokens[got.token], m.latest, m.wanted = k, k, false
		m.keyed = attempts // which none of the key may follow
		m.counts.tokens++
	}
}

// hold is how long a refusal of k may not be believed, since k came for a token
// that was refused.
func (k *known) hold(slack time.Duration) time.Duration {
	f := k.former
	if f == nil || f.refused.IsZero() || f.refused.After(k.obtained.Add(slack)) {
		return 0
	}
	hold := f.hold(slack)
	if hold == 0 || !f.met.IsZero() && f.met.Add(slack).Before(k.obtained) {
		return firstHold
	}
	return min(2*hold, longestHold)
}

// doubtful reports whether the refusal of k was one that is not believed.
func (k *known) doubtful(slack time.Duration) bool {
	unmet := k.met.IsZero() || !k.met.Add(slack).Before(k.refused)
	hold := k.hold(slack)
	return hold > 0 && unmet && k.refused.Sub(k.obtained) <= hold+slack
}

// start takes note of a request, and of what is known when it begins.
func (m *model) start(r *request) {
	k := m.latest
	r.latest = k
	r.lived = k.lives(r.from) && !r.from.Before(k.obtained.Add(m.slack))
	r.served = r.lived && k.serves(r.from)
	r.refused = k != nil && !k.refused.IsZero() && k.refused.Add(m.slack).Before(r.from) && !k.doubtful(m.slack)
	r.invalidated = k != nil && k.invalidated
	r.failing = m.failing(r.from)
	if k != nil && k.used && !k.doubted && k.refused.IsZero() && !r.from.Before(k.unusable) && m.slack == 0 &&
		m.active == nil && !m.over && m.pace.failed.Before(k.obtained) {
		m.fault("a token was not renewed ahead of expiry")
	}
	m.counts.requests++
}

// failing reports whether an auth call has failed since then, or was the last
// to do so.
func (m *model) failing(since time.Time) bool {
	return m.active != nil && errors.Is(m.active.ctx.Err(), context.DeadlineExceeded) || m.pace.failing(since)
}

// excused reports whether r may go without a successor of k, which the API
// refuses: there was none to be had, or the refusal was not believed.
func (m *model) excused(r *request, k *known) bool {
	return k.doubtful(m.slack) || r.failing || m.failing(r.from)
}

// send judges an attempt of a request.
func (m *model) send(r *request, token string, now time.Time) *known {
	k := m.tokens[token]
	if k == nil {
		m.fault("a request with a token that nobody issued")
		return nil
	}
	chosen := now
	if m.slack > 0 {
		chosen = r.from // it may have been a while
	}
	switch {
	case len(r.sent) == 2, len(r.sent) == 1 && (r.body == stream || r.sent[0] == k):
		m.fault("a request sent again in vain")
	case !chosen.Before(k.unusable):
		m.fault("a request with a token that expires in %v", k.expiry.Sub(chosen))
	case k == r.latest && r.invalidated:
		m.fault("a request with a token that was invalidated")
	case k == r.latest && r.refused && !m.failing(k.refused): // it serves on once its renewal has failed
		m.fault("a request with a token that was known to be refused")
	}
	r.sent = append(r.sent, k)
	k.used = true
	return k
}

// answer takes note of what the API says to the last attempt of r.
func (m *model) answer(r *request, status int, now time.Time) {
	k := r.sent[len(r.sent)-1]
	switch {
	case status != 401 && k.met.IsZero():
		k.met = now
	case status == 401 && len(r.sent) == 1 && (k.refused.IsZero() || k.doubtful(m.slack)): // the next request finds out of a second one
		k.refused = now
	}
	if status == 401 && now.Before(k.expiry) && !m.revoked(k, now) {
		m.fault("the stand-in refuses a valid token")
	}
}

func (m *model) revoked(k *known, now time.Time) bool {
	for _, s := range m.revocations {
		if !k.sent.After(s.to) && !now.Before(s.from) {
			return true
		}
	}
	return false
}

// finish judges what the caller of a request got.
func (m *model) finish(ctx context.Context, r *request, status int, err error, now time.Time) {
	served := r.served && r.latest.serves(now.Add(m.slack))
	lived := r.lived && r.latest.lives(now.Add(m.slack))
	switch {
	case err != nil:
		m.counts.failed++
		m.judgeError(ctx, r, err)
		if len(r.sent) == 0 && (served || lived && ctx.Err() == nil) {
			m.fault("a request failed that could have been served: %v", err)
		}
	case status == 401:
		m.counts.refused++
		if r.body != stream && len(r.sent) == 1 && !m.excused(r, r.sent[0]) {
			m.fault("a 401 reached a caller")
		}
	case status == 403 && m.suspended:
	case status != 200:
		m.fault("status %d", status)
	case len(r.sent) == 2:
		m.counts.healed++
	}
	if m.slack == 0 && now.After(r.from) { // elsewhere the network takes time too
		m.counts.waited++
		if served && len(r.sent) == 1 {
			m.fault("a request waited %v with a usable token", now.Sub(r.from))
		}
	}
}

// judgeError judges whether an error names its cause, and no secret.
func (m *model) judgeError(ctx context.Context, r *request, err error) {
	_, ours := errors.AsType[*apivideo.Error](err)
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
	case ours && len(r.sent) == 0 && (r.failing || m.failing(r.from)):
	default:
		m.fault("an error without a cause: %v", err)
	}
	if m.tells(err.Error()) {
		m.fault("a secret in an error")
	}
}

// tells reports whether a text contains a secret, or the beginning of one.
func (m *model) tells(text string) bool {
	for secret := range m.secrets {
		if strings.Contains(text, secret[:min(len(secret), 40)]) {
			return true
		}
	}
	return false
}
