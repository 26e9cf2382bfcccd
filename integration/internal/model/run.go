// Package model is a model of what the library promises. It observes Sources from
// the outside, and checks each call, request and wait against the model.
package model

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/wire"
)

const mostSends = 3 // of one request

// forgotten is how long after its issue nobody can take a token for valid.
const forgotten = 25 * time.Hour

// Run is the state that all Sources of a test share. Set its first fields before
// the first Source is made.
type Run struct {
	Server *apivideotest.Server
	Slack  time.Duration              // between an event and what a Source makes of it; 0 in a bubble
	Outage func(since time.Time) bool // whether an outage explains a failure since then; nil: it never does

	sync.Mutex  // guards what follows, and all Sources
	Counts      Counts
	issued      map[string]time.Time // when the auth call for a token began
	revocations []*span
	refusal     *span // of all tokens, now; nil if there is none
	suspended   bool  // at any time
	lastRefusal time.Time
	faults      []string
}

// Counts has the numbers of events of a run.
type Counts struct {
	Requests, Waited, Healed, Refused, Unlucky, Failed int
	AuthCalls, Tokens, Revocations                     int
}

type span struct{ from, to time.Time }

// Fault records a broken promise. The Run is locked, as for all methods that do
// not say otherwise.
func (r *Run) Fault(format string, args ...any) {
	if f := fmt.Sprintf(format, args...); len(r.faults) < 20 && !slices.Contains(r.faults, f) {
		r.faults = append(r.faults, f)
	}
}

// Report fails the test for each broken promise. It locks the Run.
func (r *Run) Report(t *testing.T) {
	t.Helper()
	r.Lock()
	defer r.Unlock()
	for _, f := range r.faults {
		t.Error(f)
	}
	t.Logf("%+v", r.Counts)
}

// Revoke ends all access tokens. It locks the Run.
func (r *Run) Revoke() {
	s := &span{from: time.Now(), to: time.Now().Add(time.Hour)} // known before it happens
	r.Lock()
	r.revocations = append(r.revocations, s)
	r.Counts.Revocations++
	r.Unlock()
	r.Server.RevokeAccessTokens()
	r.Lock()
	defer r.Unlock()
	s.to = time.Now()
}

// Refuse makes the API refuse every token, or ends that. It locks the Run.
func (r *Run) Refuse(all bool) {
	r.Lock()
	defer r.Unlock()
	switch now := time.Now(); {
	case all && r.refusal == nil:
		r.refusal = &span{now, now.Add(1000 * time.Hour)}
		r.revocations = append(r.revocations, r.refusal)
	case !all && r.refusal != nil:
		r.refusal.to = now
		r.refusal = nil
	}
}

// Suspend suspends the account, or ends that. It locks the Run.
func (r *Run) Suspend(suspended bool) {
	r.Lock()
	r.suspended = r.suspended || suspended
	r.Unlock()
	r.Server.SetSuspended(suspended)
}

// LastRefusal is when the API last answered 401.
func (r *Run) LastRefusal() time.Time { return r.lastRefusal }

func (r *Run) revoked(k *Token, now time.Time) bool {
	return slices.ContainsFunc(r.revocations, func(s *span) bool {
		return !k.Issued.After(s.to) && !now.Before(s.from)
	})
}

// issue records a token, and forgets old ones.
func (r *Run) issue(c *wire.Call, token string) {
	if r.issued == nil {
		r.issued = make(map[string]time.Time)
	}
	maps.DeleteFunc(r.issued, func(_ string, began time.Time) bool { return c.From.Sub(began) > forgotten })
	r.issued[token] = c.From
	r.Counts.Tokens++
}

// refuse is an API that refuses every token.
func refuse(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		req.Body.Close()
	}
	w := httptest.NewRecorder()
	apivideotest.WriteProblem(w, apivideotest.Problem("authentication-invalid-access-token"))
	return w.Result(), nil
}
