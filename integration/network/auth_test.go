package network_test

import (
	"context"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRenewalFailsWhileTokenServes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		begin func(*testing.T, *path)
		end   func(*testing.T, *path)
		cause error
		next  op
	}{
		"connections are reset":               {plays(reset), mends, syscall.ECONNRESET, authenticate},
		"connections end before the answer":   {plays(noAnswer), mends, io.EOF, authenticate},
		"connections end amidst the answer":   {plays(cut), mends, io.ErrUnexpectedEOF, authenticate},
		"the port is closed, nothing is sent": {shuts, opens, syscall.ECONNREFUSED, refresh},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNetwork(t)
			n.get(t)
			c.begin(t, n.auth)
			err := n.servesUntil(t, renewal(n.source))
			assert.ErrorIs(t, err, c.cause)
			assert.ErrorContains(t, n.failure(t, err), c.cause.Error())
			assert.EqualValues(t, 1+4, n.auth.trips.Load(), "one with the refresh token, three with the key")
			c.end(t, n.auth)
			assert.Equal(t, []op{c.next}, n.renews(t, n.source))
			n.get(t)
		})
	}
}

// servesUntil makes requests, which must succeed, until there is a result.
func (n *network) servesUntil(t *testing.T, result <-chan error) error {
	t.Helper()
	n.servesWhile(t, func() bool { return len(result) == 0 })
	return <-result
}

// servesWhile makes requests, which must succeed, while a condition holds.
func (n *network) servesWhile(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * patience); holds(); time.Sleep(10 * time.Millisecond) {
		require.True(t, time.Now().Before(end), "waited in vain")
		n.get(t)
	}
}

func TestRenewalThatHangsDelaysNoRequest(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	n.get(t)
	n.auth.play(t, silence)
	renewed := renewal(n.source)
	require.Eventually(t, func() bool { return n.auth.trips.Load() == 2 }, patience, time.Millisecond)
	waits := n.source.Stats().Waits
	for range 5 {
		n.get(t)
	}
	assert.Equal(t, waits, n.source.Stats().Waits)
	assert.Empty(t, renewed)
	n.auth.mend()
	assert.NoError(t, n.servesUntil(t, renewed))
}

func TestAuthSlowDelaysOnlyCallersWithoutToken(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	n.auth.play(t, slowness)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := n.source.TokenContext(ctx)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	n.get(t) // waits for the auth call of the caller that has left
	assert.NoError(t, n.servesUntil(t, renewal(n.source)))
	assert.Equal(t, []op{authenticate, refresh}, n.authCalls())
}

func TestRenewalAheadOfExpiryIsRetried(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	n.SetLifetime(time.Minute) // renewed after 45 to 48 seconds, usable for 54
	n.get(t)
	first, err := n.source.Token()
	require.NoError(t, err)
	n.auth.play(t, reset)
	n.servesWhile(t, func() bool { return n.failedRenewals() < 2 })
	n.auth.mend()
	n.servesWhile(t, func() bool {
		tok, err := n.source.Token()
		require.NoError(t, err)
		return tok.AccessToken == first.AccessToken
	})
	assert.Zero(t, n.Counters().Unauthorized)
}

func TestAuthSilentIsLeftThenServesNext(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	n.auth.play(t, silence)
	var err error
	require.Eventually(t, func() bool { // until the call is on its way
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err = n.source.TokenContext(ctx)
		n.hear(err)
		return err == nil || strings.Contains(err.Error(), "waiting for an access token (authenticate, for ")
	}, patience, time.Millisecond)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	assert.True(t, timeout.Timeout())

	served := make(chan error, 1)
	go func() {
		_, err := n.source.Token()
		served <- err
	}()
	require.Eventually(t, func() bool { return n.auth.conns.Open() == 1 }, patience, time.Millisecond)
	n.auth.mend() // breaks the connection, and the flight makes a second attempt
	assert.NoError(t, receive(t, served))
	assert.LessOrEqual(t, n.auth.trips.Load(), int64(2))
	assert.Equal(t, []op{authenticate}, n.authCalls())
}

func TestRefreshCutShortFallsBackToAPIKey(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	n.get(t)
	n.auth.play(t, cut)
	n.onAuthCall(func(called op) {
		if called == authenticate {
			n.auth.mend()
		}
	})
	_, err := n.source.Renew(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []op{authenticate, refresh, authenticate}, n.authCalls())
	n.get(t)
}

func TestAuthClosedPortIsTriedSeldom(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	shuts(t, n.auth)
	flights, err := n.besiege(t, func() error {
		_, err := n.source.Token()
		return err
	})
	assert.ErrorIs(t, n.failure(t, err), syscall.ECONNREFUSED)
	assert.ErrorContains(t, err, "connection refused")
	assert.LessOrEqual(t, n.auth.trips.Load(), 3*flights)
	opens(t, n.auth)
	assert.Eventually(t, func() bool {
		_, err := n.source.Token()
		return err == nil
	}, patience, 10*time.Millisecond)
	assert.Equal(t, []op{authenticate}, n.authCalls())
	n.get(t)
}
