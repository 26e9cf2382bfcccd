package model

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/secret"
)

// Request is one request of a caller, and the state when it began.
type Request struct {
	From, To time.Time
	Status   int // 0 if there was no answer
	Err      error
	Sent     []*Token // the token of each attempt

	body        Body
	latest      *Token
	lived       bool // latest did,
	served      bool // and it served,
	refused     bool // it was known to be refused,
	invalidated bool // or was invalidated
	failing     bool // renewals were
	first401    time.Time
}

type requestKey struct{}

// start records a request, and the state when it begins.
func (s *Source) start(r *Request) {
	k := s.Latest
	r.latest = k
	r.lived = k.lives(r.From) && s.handsOut(k, r.From)
	r.served = r.lived && k.Serves(r.From)
	r.refused = k != nil && !k.Refused.IsZero() && k.Refused.Add(s.Slack).Before(r.From)
	r.invalidated = k != nil && k.invalidated
	r.failing = s.failing(r.From)
	if k != nil && !k.FirstUse.IsZero() && !k.doubted && k.Refused.IsZero() && !r.From.Before(k.unusable) && s.Slack == 0 &&
		!s.shared && s.active == nil && !s.over && s.pace.failed.Before(k.obtained) {
		s.Fault("a token was not renewed ahead of expiry")
	}
	s.Counts.Requests++
}

// storing is how long a Source with a Store may keep a new token back, to store it.
const storing = time.Second

// handsOut reports whether the Source hands out k, which it has got, by then.
func (s *Source) handsOut(k *Token, now time.Time) bool {
	from := k.obtained.Add(s.Slack)
	if s.shared && !k.told && k.FirstUse.IsZero() {
		from = from.Add(storing)
	}
	return !now.Before(from)
}

// Serves reports whether a request now need not wait for a token.
func (s *Source) Serves(now time.Time) bool {
	return s.Latest.Serves(now) && s.handsOut(s.Latest, now)
}

// failing reports whether an auth call has failed since then, or was the last
// to do so.
func (s *Source) failing(since time.Time) bool {
	return s.active != nil && errors.Is(s.active.Context.Err(), context.DeadlineExceeded) || s.pace.failing(since) ||
		!since.After(s.blocked) || s.Outage != nil && s.Outage(since)
}

// send checks an attempt of a request.
func (s *Source) send(r *Request, access string, now time.Time) *Token {
	k := s.tokens[access]
	if k == nil {
		s.Fault("a request with a token that nobody issued")
		return nil
	}
	chosen := now
	if s.Slack > 0 {
		chosen = r.From // it may have been a while
	}
	switch {
	case len(r.Sent) == mostSends, len(r.Sent) > 0 && (r.body == Stream || slices.Contains(r.Sent, k)):
		s.Fault("a request sent again in vain")
	case !chosen.Before(k.unused):
		s.Fault("a request with a token that expires in %v", k.unused.Sub(chosen))
	case k == r.latest && r.invalidated:
		s.Fault("a request with a token that was invalidated")
	case k == r.latest && r.refused && chosen.Sub(k.Refused)+s.Slack < holdTime && k.accepted.Before(k.Refused) &&
		!s.mayPause() && !s.troubled && !s.failing(k.Refused): // it serves on once its renewal has failed
		s.Fault("a request with a token that was known to be refused")
	}
	if len(r.Sent) > 0 {
		r.Sent[len(r.Sent)-1].refuse(now) // if it was unsure
	}
	r.Sent = append(r.Sent, k)
	if k.FirstUse.IsZero() {
		k.FirstUse = now
	}
	if s.shared {
		s.Latest = k
	}
	return k
}

// answer records the answer of the API to the last attempt of r.
func (s *Source) answer(r *Request, status int, now time.Time) {
	k := r.Sent[len(r.Sent)-1]
	if accepts(status) {
		k.accepted = now
		if len(r.Sent) > 1 {
			clear(s.refused)
		}
	}
	if status != 401 {
		return
	}
	if now.Sub(s.Met401) >= quietTime-s.Slack {
		clear(s.refused)
	}
	s.refused[k] = true
	s.learn(r, k, now)
	s.Met401, s.lastRefusal = now, now
	if r.first401.IsZero() {
		r.first401 = now
	}
	if now.Before(k.ends) && !s.revoked(k, now) {
		s.Fault("the stand-in refuses a valid token")
	}
}

// accepts reports whether an answer shows that the API took the token.
func accepts(status int) bool {
	return status < 500 && !slices.Contains([]int{401, 403, 408, 429}, status)
}

// learn takes note of what a 401 to the last attempt of r, sent with k, tells
// the Source: nothing if the caller gets it, for it was the third one, or k was
// asked for after the first one. If both came at once, either may be.
func (s *Source) learn(r *Request, k *Token, now time.Time) {
	after := k.Issued.Sub(r.first401)
	if len(r.Sent) > 1 {
		s.twice[r] = true
	}
	switch {
	case len(r.Sent) == 1, len(r.Sent) < mostSends && (after < 0 || k.told):
		k.refuse(now)
	case len(r.Sent) < mostSends && after <= s.Slack:
		k.unsure = true
	}
}

// needsSuccessor reports whether a request was refused twice since k was asked
// for: another token than k must be asked for.
func (s *Source) needsSuccessor(k *Token) bool {
	for r := range s.twice {
		if !k.Issued.After(r.first401.Add(s.Slack)) {
			return true
		}
	}
	return false
}

// finish checks the result that the caller of a request got.
func (s *Source) finish(ctx context.Context, r *Request) {
	delete(s.twice, r)
	served := r.served && r.latest.Serves(r.To.Add(s.Slack))
	lived := r.lived && !r.latest.doubted && r.latest.lives(r.To.Add(s.Slack))
	switch {
	case r.Err != nil:
		s.Counts.Failed++
		s.judgeError(ctx, r, r.Err)
		if len(r.Sent) == 0 && (served || lived && ctx.Err() == nil) {
			s.Fault("a request failed that could have been served: %v", r.Err)
		}
	case r.Status == 401:
		s.Counts.Refused++
		s.judgeRefusal(r)
	case r.Status == 403 && s.suspended:
	case r.Status != 200:
		s.Fault("status %d", r.Status)
	case len(r.Sent) > 1:
		s.Counts.Healed++
	}
	if s.Slack == 0 && r.To.After(r.From) { // elsewhere the network takes time too
		s.Counts.Waited++
		if served && len(r.Sent) == 1 && !s.laterRefused(r) {
			s.Fault("a request waited %v with a usable token", r.To.Sub(r.From))
		}
	}
}

// laterRefused reports whether the Source had a later token than the latest that
// a request had shown before r: one from its Store, refused just when r began.
func (s *Source) laterRefused(r *Request) bool {
	for _, k := range s.tokens {
		if k.told && k.obtained.After(r.latest.obtained) && k.firstRefused.Equal(r.From) {
			return true
		}
	}
	return false
}

// mayPause reports whether the Source may start no renewal after a 401: the API
// refused a token, and two in a row that replaced it.
func (s *Source) mayPause() bool { return len(s.refused) > 2 }

// judgeRefusal checks whether a 401 may reach the caller: the body could not be
// replayed, no new token could be obtained, or renewals were paused. A token
// that was requested after the first 401 is new, and may be revoked too.
func (s *Source) judgeRefusal(r *Request) {
	last := r.Sent[len(r.Sent)-1]
	switch {
	case r.body == Stream, s.mayPause(), r.failing, s.failing(r.From):
	case len(r.Sent) == 1:
		s.Fault("a 401 reached a caller")
	case last.Issued.Before(r.first401):
		s.Counts.Unlucky++
		s.Fault("a 401 reached a caller, whose last token was asked for %v before the first", r.first401.Sub(last.Issued))
	}
}

// judgeError checks that an error names its cause, and no secret.
func (s *Source) judgeError(ctx context.Context, r *Request, err error) {
	_, ours := errors.AsType[*apivideo.Error](err)
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
	case ours && len(r.Sent) == 0 && (r.failing || s.failing(r.From)):
	default:
		s.Fault("an error without a cause: %v", err)
	}
	if secret.In(err.Error()) != "" {
		s.Fault("a secret in an error")
	}
}
