package scorecard

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
)

// newAWS is the endpoint provider of AWS behind its cache. The session token is
// the access token.
func newAWS(s Setup) (Doer, error) {
	provider := &endpoint{Provider: endpointcreds.New(s.loginURL(), func(o *endpointcreds.Options) {
		o.HTTPClient = s.loginClient()
		o.AuthorizationToken = s.Key
	})}
	cache := aws.NewCredentialsCache(provider, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = lead })
	return &http.Client{Transport: &bearer{cache, s.Base}}, nil
}

// endpoint keeps credentials until they expire if a renewal fails, as the
// provider of EC2 roles does.
type endpoint struct {
	*endpointcreds.Provider
	expiry atomic.Pointer[time.Time] // of the last credentials
}

func (e *endpoint) Retrieve(ctx context.Context) (aws.Credentials, error) {
	creds, err := e.Provider.Retrieve(ctx)
	if err == nil {
		e.expiry.Store(&creds.Expires)
	}
	return creds, err
}

// HandleFailToRefresh has the cache try again a minute later. The cache subtracts
// its window from the expiry.
func (e *endpoint) HandleFailToRefresh(_ context.Context, old aws.Credentials, err error) (aws.Credentials, error) {
	expiry, retry := e.expiry.Load(), time.Now().Add(time.Minute)
	if expiry == nil || !old.HasKeys() || time.Now().After(*expiry) {
		return aws.Credentials{}, err
	}
	if retry.After(*expiry) {
		retry = *expiry
	}
	old.Expires = retry.Add(lead)
	return old, nil
}

// bearer sends the session token as an access token. AWS signs requests instead.
type bearer struct {
	cache *aws.CredentialsCache
	base  http.RoundTripper
}

func (b *bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	creds, err := b.cache.Retrieve(req.Context())
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	out := req.Clone(req.Context())
	out.Header.Set("Authorization", "Bearer "+creds.SessionToken)
	return b.base.RoundTrip(out)
}
