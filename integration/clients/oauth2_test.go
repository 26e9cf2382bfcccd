package clients_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/wire"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// A program that puts a Source under oauth2's Transport reports each 401, and
// sends the request again itself.
func TestOAuth2TransportNeedsInvalidate(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	src := srv.Config().Source(t.Context())
	create := creating(&http.Client{Transport: &oauth2.Transport{Source: src}}, srv.URL+"/videos")
	acrossTheLifeOfTokens(t, srv, func() error {
		tok, err := src.Token()
		if err != nil {
			return err
		}
		err = create()
		if refused := new(unexpected); errors.As(err, &refused) && refused.status == http.StatusUnauthorized {
			src.Invalidate(tok)
			err = create()
		}
		return err
	})
}

// The cache of oauth2.NewClient replaces a token when it expires. It keeps a
// revoked token until then, even if the Source has a new one.
func TestOAuth2ClientKeepsRevokedToken(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	src := srv.Config().Source(t.Context())
	create := creating(oauth2.NewClient(t.Context(), src), srv.URL+"/videos")
	requests := acrossAnExpiry(t, srv, create)
	srv.RevokeAccessTokens()
	revoked, err := src.Token()
	require.NoError(t, err)
	src.Invalidate(revoked)
	tok, err := src.Token()
	require.NoError(t, err)
	require.True(t, srv.Valid(tok.AccessToken))
	for range 3 {
		assert.ErrorContains(t, create(), "401")
	}
	assert.Equal(t, apivideotest.Counters{
		AuthCalls: 3, Authenticated: 1, Refreshed: 2, Authorized: requests, Unauthorized: 3,
	}, srv.Counters())
}

// The refresh token is ended after each request, so that the renewal needs the
// API key.
func TestOAuth2ClientOutlivesRefreshToken(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	client := oauth2.NewClient(t.Context(), srv.Config().TokenSource(t.Context()))
	create := creating(client, srv.URL+"/videos")
	requests := untilAnExpiry(t, srv, func() error {
		defer srv.EndRefreshToken()
		return create()
	})
	assert.Equal(t, apivideotest.Counters{
		AuthCalls: 3, Authenticated: 2, Refused: 1, Authorized: requests,
	}, srv.Counters())
}

// Package oauth2 asks for a token without the context of the request.
func TestTransportWaitEndsWithRequestContext(t *testing.T) {
	t.Parallel()
	for name, ours := range map[string]bool{"apivideo": true, "oauth2": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			release := make(chan struct{})
			held := &http.Client{Transport: wire.Func(func(r *http.Request) (*http.Response, error) {
				<-release
				return http.DefaultTransport.RoundTrip(r)
			})}
			src := srv.Config().Source(context.WithValue(t.Context(), oauth2.HTTPClient, held))
			var transport http.RoundTripper = &apivideo.Transport{Source: src}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if !ours {
				transport = &oauth2.Transport{Source: src}
				context.AfterFunc(ctx, func() { close(release) })
			}
			req, err := http.NewRequestWithContext(ctx, "POST", srv.URL+"/videos", strings.NewReader(newVideo))
			require.NoError(t, err)
			_, err = transport.RoundTrip(req)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, !ours, srv.Counters().Authenticated == 1, "it has waited for the auth call")
			if ours {
				close(release)
			}
			tok, err := src.Token()
			require.NoError(t, err)
			assert.True(t, srv.Valid(tok.AccessToken))
		})
	}
}
