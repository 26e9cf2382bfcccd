package apivideotest_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/internal/childtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRefreshTokenWorksOnce(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		first := exchange(t, srv)
		assert.InDelta(t, 850, len(first.Access), 150)
		assert.Len(t, first.Refresh, 700)
		second := refresh(t, srv, first.Refresh)
		assert.Equal(t, 200, second.status)
		spent := refresh(t, srv, first.Refresh)
		assert.Equal(t, 401, spent.status)
		assert.Equal(t, "authentication-invalid-refresh-token", spent.id())
		assert.Equal(t, "application/problem+json", spent.header.Get("Content-Type"))

		exchange(t, srv) // which ends the earlier refresh token
		assert.Equal(t, 401, refresh(t, srv, second.Refresh).status)
		third := exchange(t, srv)
		srv.EndRefreshToken()
		assert.Equal(t, 401, refresh(t, srv, third.Refresh).status)
		assert.Equal(t, apivideotest.Counters{AuthCalls: 7, Authenticated: 3, Refreshed: 1, Refused: 3}, srv.Counters())
		for _, r := range []reply{first, second, third} {
			assert.True(t, srv.Valid(r.Access), "access tokens live on")
		}
	})
}

func TestSuspensionRefusesEveryCall(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		access := exchange(t, srv).Access
		srv.SetSuspended(true)
		assert.Equal(t, 403, get(t, srv, "/videos", "Bearer "+access).status)
		r := post(t, srv, "/auth/api-key", `{"apiKey":"`+srv.Config().APIKey+`"}`)
		assert.Equal(t, "authorization-suspended-account", r.id())
		srv.SetSuspended(false)
		exchange(t, srv)
	})
}

func TestLifetimeInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := apivideotest.NewUnstartedServer()
		srv.SetLifetime(90 * time.Minute)
		srv.SetAuthLatency(time.Minute)
		start := time.Now()
		access := exchange(t, srv).Access
		assert.Equal(t, time.Minute, time.Since(start))
		time.Sleep(90*time.Minute - 1)
		assert.True(t, srv.Valid(access))
		time.Sleep(time.Nanosecond)
		assert.False(t, srv.Valid(access))
		srv.Close()
	})
}

func TestKeysAreIndependent(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		first := srv.Config().APIKey
		old := exchange(t, srv)
		second := srv.AddKey()
		assert.Equal(t, second, srv.Config().APIKey)
		exchange(t, srv)
		old = refresh(t, srv, old.Refresh)
		assert.Equal(t, 200, old.status, "another key's exchange ends no refresh token of this one")

		srv.DeleteKey(first)
		assert.Equal(t, "authentication-invalid-api-key", post(t, srv, "/auth/api-key", `{"apiKey":"`+first+`"}`).id())
		assert.True(t, srv.Valid(old.Access))
		old = refresh(t, srv, old.Refresh)
		assert.Equal(t, 200, old.status, "the tokens of a deleted key live on")
		exchange(t, srv)
	})
}

func TestDeleteKeyAndTokens(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		first := srv.Config().APIKey
		old := exchange(t, srv)
		srv.AddKey()
		current := exchange(t, srv)
		srv.DeleteKeyAndTokens("made-up")
		srv.DeleteKeyAndTokens(first)
		assert.Equal(t, 401, post(t, srv, "/auth/api-key", `{"apiKey":"`+first+`"}`).status)
		assert.False(t, srv.Valid(old.Access))
		assert.Equal(t, "authentication-invalid-refresh-token", refresh(t, srv, old.Refresh).id())
		assert.True(t, srv.Valid(current.Access))
		assert.Equal(t, 200, refresh(t, srv, current.Refresh).status)
	})
}

func TestLifetimeInWholeSeconds(t *testing.T) {
	for set, want := range map[time.Duration]time.Duration{
		0:                       time.Second,
		time.Millisecond:        time.Second,
		1500 * time.Millisecond: 2 * time.Second,
		time.Minute:             time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := apivideotest.NewUnstartedServer()
			srv.SetLifetime(set)
			r := exchange(t, srv)
			require.Regexp(t, `"expires_in":\d+,`, r.body)
			assert.Equal(t, want, time.Duration(r.ExpiresIn)*time.Second)
			time.Sleep(want - 1)
			assert.True(t, srv.Valid(r.Access))
			time.Sleep(time.Nanosecond)
			assert.False(t, srv.Valid(r.Access))
		})
	}
	srv := apivideotest.NewUnstartedServer()
	srv.SetLifetime(math.MaxInt64) // as good as for ever
	r := exchange(t, srv)
	assert.Greater(t, r.ExpiresIn, int64(1<<30))
	assert.True(t, srv.Valid(r.Access))
}

func TestSetRefusal(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		for _, id := range []string{"authentication-invalid-user-credentials", "authenticationinvalid_credentials"} {
			srv.SetRefusal(apivideotest.Problem(id))
			for _, r := range []reply{post(t, srv, "/auth/api-key", `{"apiKey":"made-up"}`), refresh(t, srv, "made-up")} {
				assert.Equal(t, 400, r.status)
				assert.Equal(t, id, r.id())
			}
		}
		srv.SetRefusal(apivideo.Problem{})
		assert.Equal(t, "authentication-invalid-api-key", post(t, srv, "/auth/api-key", `{"apiKey":"made-up"}`).id())
		exchange(t, srv)
	})
}

func TestAuthCallIgnoresUnknownFields(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		r := post(t, srv, "/auth/api-key", `{"apiKey":"`+srv.Config().APIKey+`", "x": 1, "y": {"z": []}}`)
		assert.Equal(t, 200, r.status)
		assert.Equal(t, "payload-is-invalid", post(t, srv, "/auth/api-key", `{"apiKey": 1}`).id())
	})
}

func TestServerInBubbleUnderFIPS140(t *testing.T) {
	cmd := childtest.Self("GODEBUG=fips140=on")
	cmd.Args = append(cmd.Args, "-test.v", "-test.run=^TestLifetimeInVirtualTime$")
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err)
	assert.Contains(t, string(out), "--- PASS: TestLifetimeInVirtualTime")
}
