// Package scorecard runs the same situations with this library and its peers,
// and records who holds what. Its tests are the suite. From the folder bench:
//
//	go test ./scorecard                # run the quick lines, compare with results.json
//	go test ./scorecard -v -all        # run all lines, print the table
//	go test ./scorecard -all -update   # write results.json again
//
// Then go -C docs test -update writes docs/comparison.md from results.json.
package scorecard

import (
	"context"
	"net/http"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/httptransport"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/filestore"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// A Doer sends requests.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Setup is what a peer works with.
type Setup struct {
	BaseURL string            // of the API
	Key     string            // the API key
	Base    http.RoundTripper // sends API requests
	Auth    http.RoundTripper // sends auth calls
	Shared  string            // a folder that the processes of the program share
}

// loginURL is where peers log in.
func (s Setup) loginURL() string { return s.BaseURL + loginPath }

// loginClient sends the auth calls of the peers. Its limit is the one that
// documents recommend: net/http has none.
func (s Setup) loginClient() *http.Client {
	return &http.Client{Transport: s.Auth, Timeout: 30 * time.Second}
}

// Peer is a library with its best documented configuration.
type Peer struct {
	Name    string
	Module  string // empty: this module
	OwnAuth bool   // the auth call is code of the peer, not of the program
	OwnSend bool   // the peer puts the token into the request

	// New returns a client that has no token yet.
	New func(Setup) (Doer, error)
	// Bare returns a client that sends requests in the same way, without a token.
	Bare func(Setup) Doer
	// Speak has the service understand the auth calls of the peer.
	Speak func(service http.RoundTripper) http.RoundTripper
}

// lead is how long before expiry the peers renew, where they can: as early as
// this library.
const lead = 15 * time.Minute

// Peers returns the peers, this library first.
func Peers() []Peer {
	return []Peer{
		{"apivideo", "", true, true, newApivideo, bareClient, speaksNatively},
		{"x/oauth2 ReuseTokenSource", "golang.org/x/oauth2", false, true, newReuse, bareClient, speaksNatively},
		{"x/oauth2 clientcredentials", "golang.org/x/oauth2", true, true, newClientCredentials, bareClient, speaksOAuth2},
		{"cloud auth", "cloud.google.com/go/auth", true, true, newCloudAuth, bareClient, speaksOAuth2},
		{"azcore", "github.com/Azure/azure-sdk-for-go/sdk/azcore", false, true, newAzcore, bareAzcore, speaksNatively},
		{"AWS CredentialsCache", "github.com/aws/aws-sdk-go-v2", true, false, newAWS, bareClient, speaksAWS},
	}
}

func bareClient(s Setup) Doer { return &http.Client{Transport: s.Base} }

func newApivideo(s Setup) (Doer, error) {
	conf := &apivideo.Config{APIKey: s.Key, BaseURL: s.BaseURL}
	if s.Shared != "" {
		conf.Store = filestore.New(s.Shared)
	}
	src := conf.Source(context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: s.Auth}))
	return &http.Client{Transport: &apivideo.Transport{Source: src, Base: s.Base}}, nil
}

// oauth2Client is oauth2.NewClient over s.Base. NewClient has the time limit of
// the auth calls for API requests, too.
func oauth2Client(s Setup, src oauth2.TokenSource) Doer {
	return &http.Client{Transport: &oauth2.Transport{Source: src, Base: s.Base}}
}

// newReuse is a program that logs in with its own function, and has package
// oauth2 keep the token.
func newReuse(s Setup) (Doer, error) {
	return oauth2Client(s, oauth2.ReuseTokenSource(nil, ownSource{s})), nil
}

type ownSource struct{ setup Setup }

func (o ownSource) Token() (*oauth2.Token, error) {
	token, expiry, err := login(context.Background(), o.setup)
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: token, Expiry: expiry}, nil
}

func newClientCredentials(s Setup) (Doer, error) {
	conf := &clientcredentials.Config{
		ClientID:     "scorecard",
		ClientSecret: s.Key,
		TokenURL:     s.loginURL(),
		AuthStyle:    oauth2.AuthStyleInHeader,
	}
	return oauth2Client(s, conf.TokenSource(context.WithValue(context.Background(), oauth2.HTTPClient, s.loginClient()))), nil
}

// newCloudAuth is the two-legged login of cloud auth behind its cached provider,
// which renews in the background.
func newCloudAuth(s Setup) (Doer, error) {
	key, err := privateKey()
	if err != nil {
		return nil, err
	}
	provider, err := auth.New2LOTokenProvider(&auth.Options2LO{
		Email:        "scorecard@example.com",
		PrivateKey:   key,
		PrivateKeyID: s.Key, // it names the account to the service
		TokenURL:     s.loginURL(),
		Client:       s.loginClient(),
	})
	if err != nil {
		return nil, err
	}
	cached := auth.NewCachedTokenProvider(provider, &auth.CachedTokenProviderOptions{ExpireEarly: lead})
	return httptransport.NewClient(&httptransport.Options{
		Credentials:      auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: cached}),
		BaseRoundTripper: s.Base,
		DisableTelemetry: true,
	})
}

// azure is the pipeline of azcore as a Doer.
type azure struct{ runtime.Pipeline }

func (a azure) Do(req *http.Request) (*http.Response, error) {
	r, err := runtime.NewRequestFromRequest(req)
	if err != nil {
		return nil, err
	}
	return a.Pipeline.Do(r)
}

func newAzure(s Setup, policies ...policy.Policy) azure {
	return azure{runtime.NewPipeline("scorecard", "v0.0.0", runtime.PipelineOptions{PerRetry: policies},
		&policy.ClientOptions{Transport: &http.Client{Transport: s.Base}})}
}

func newAzcore(s Setup) (Doer, error) {
	return newAzure(s, runtime.NewBearerTokenPolicy(credential{s}, nil, &policy.BearerTokenOptions{
		InsecureAllowCredentialWithHTTP: true, // for loopback addresses
	})), nil
}

func bareAzcore(s Setup) Doer { return newAzure(s) }

// credential is an azcore.TokenCredential. It asks for renewal ahead of expiry.
type credential struct{ setup Setup }

func (c credential) GetToken(ctx context.Context, _ policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, expiry, err := login(ctx, c.setup)
	return azcore.AccessToken{Token: token, ExpiresOn: expiry, RefreshOn: expiry.Add(-lead)}, err
}
