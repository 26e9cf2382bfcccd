package model

import (
	"context"
	"errors"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/wire"
)

// begin checks that an auth call is allowed now.
func (s *Source) begin(c *wire.Call) {
	s.Lock()
	defer s.Unlock()
	s.Counts.AuthCalls++
	if left := s.active; left != nil { // at its limit, before it ended
		if left.Context.Err() == nil {
			s.Fault("two auth calls at a time")
		}
		s.ended(&wire.Call{Context: left.Context, Op: left.Op, Sent: left.Sent, From: left.From, To: c.From}, wire.Answer{})
	}
	s.active = c
	if k := s.Latest; k.Serves(c.From) && c.From.Before(k.due) && s.renewing == 0 && !s.wanted && !s.needsSuccessor(k) && !s.refused[k] {
		s.Fault("an auth call without a reason, %v before expiry", k.Expiry.Sub(c.From))
	}
	s.judgeCredential(c)
	if complaint := s.pace.next(c, s.Slack); complaint != "" {
		s.Fault("%s", complaint)
	}
}

// judgeCredential checks that c sends the right credential: the refresh token if
// it is valid, and then, in the same renewal, the API key.
func (s *Source) judgeCredential(c *wire.Call) {
	if c.Op == apivideotest.Refresh {
		s.keyed = 0
		if !s.shared && s.spent[c.Sent] { // by a clock that is off, an old one may look like the newest
			s.Fault("a refresh token is sent again")
		}
		return
	}
	s.keyed++
	if !s.shared && s.Latest != nil && !s.spent[s.Latest.refresh] && s.keyed > attempts {
		s.Fault("the API key is sent in place of a refresh token")
	}
}

// end records the result of an auth call.
func (s *Source) end(c *wire.Call, got wire.Answer) {
	if s.Called != nil {
		s.Called(c, got)
	}
	s.Lock()
	defer s.Unlock()
	if s.active == c { // it was not left behind
		s.ended(c, got)
	}
}

func (s *Source) ended(c *wire.Call, got wire.Answer) {
	s.active = nil
	if c.Op == apivideotest.Refresh && !got.Early {
		s.spent[c.Sent] = true
	}
	if errors.Is(c.Context.Err(), context.Canceled) {
		return // the Source broke it off
	}
	k := newToken(got.Token, c.From, c.To, got.Lifetime, s.Slack)
	k.refresh = got.Refresh
	ok := got.Token != "" && c.Context.Err() == nil && c.To.Before(k.unusable)
	s.pace.took(c, got, ok, s.left(c.To))
	if got.Token != "" {
		s.issue(c, got.Token)
	}
	if ok {
		s.forget(c.To)
		s.tokens[got.Token] = k
		s.Latest, s.wanted, s.troubled = k, false, false
		s.keyed = attempts // which none of the key may follow
	}
}

// left returns how long the Source can still use its token, or 0 without one. If
// the token may come from the Store, it returns the least possible time.
func (s *Source) left(now time.Time) (left time.Duration) {
	for _, k := range s.tokens {
		if (k == s.Latest || k.told) && !k.invalidated && now.Before(k.unused) {
			d := max(k.unusable.Sub(now), 1) // it may be usable for longer
			if left == 0 || d < left {
				left = d
			}
		}
	}
	return left
}
