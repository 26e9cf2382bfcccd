package main

import (
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
)

func TestRejectPrintsAnotherToken(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	refused := u.token()
	u.srv.RevokeAccessTokens()
	u.input = refused + "\n"
	renewed := u.token("-reject")
	assert.NotEqual(t, refused, renewed)
	assert.Equal(t, renewed, u.token("-reject"), "the one in the cache will do now")
	u.input = "Authorization: Bearer " + renewed + "\n"
	assert.NotEqual(t, renewed, u.token("-reject"), "as -header prints it")
	u.input = "made-up-token-of-nobody"
	u.token("-reject")
	assert.Equal(t, apivideotest.Counters{AuthCalls: 3, Authenticated: 1, Refreshed: 2}, u.srv.Counters())
}

func TestRejectFiftyRunsMakeOneAuthCall(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.input = u.token()
	u.srv.RevokeAccessTokens()
	start := time.Now()
	printed := u.together(50, "-reject", "-timeout=5m")
	t.Logf("%d auth calls, %v", u.srv.Counters().AuthCalls-1, time.Since(start))
	assert.Len(t, printed, 1)
	for token := range printed {
		assert.True(t, u.srv.Valid(strings.TrimSpace(token)))
	}
	assert.Equal(t, 2, u.srv.Counters().AuthCalls)
}

// A busy machine starts them over several seconds. Two auth calls are at least
// youth apart.
func TestRefreshFiftyRunsMakeThreeAuthCalls(t *testing.T) {
	u := newUser(t)
	refused := u.token()
	u.srv.RevokeAccessTokens()
	<-time.After(youth)
	start := time.Now()
	printed := u.together(50, "-refresh", "-timeout=5m")
	took, calls := time.Since(start), u.srv.Counters().AuthCalls-1
	t.Logf("%d auth calls, %v", calls, took)
	assert.NotContains(t, printed, refused+"\n")
	assert.LessOrEqual(t, calls, max(3, 1+int(took/youth)))
	assert.LessOrEqual(t, len(printed), calls)
}
