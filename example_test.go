package apivideo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"golang.org/x/oauth2"
)

// standIn starts a stand-in for the service, which the returned context puts in
// its place, and sets APIVIDEO_API_KEY to a key that it takes.
func standIn() (context.Context, *apivideotest.Server) {
	srv := apivideotest.NewUnstartedServer()
	srv.HandleFunc("GET /videos", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"data":[]} from %s`, r.Host)
	})
	os.Setenv("APIVIDEO_API_KEY", srv.Config().APIKey)
	return srv.Context(context.Background()), srv
}

// printBody prints the answer to a request.
func printBody(resp *http.Response, err error) {
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, string(body), err)
}

func Example() {
	ctx, _ := standIn() // a real program has context.Background(), say

	conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY")}
	client := conf.Client(ctx)
	resp, err := client.Get(apivideo.ProductionURL + "/videos")

	printBody(resp, err)
	// Output: 200 {"data":[]} from ws.api.video <nil>
}

func ExampleConfig_sandbox() {
	ctx, _ := standIn()

	conf := &apivideo.Config{
		APIKey:      os.Getenv("APIVIDEO_API_KEY"), // of the sandbox
		BaseURL:     apivideo.SandboxURL,
		Application: apivideo.Product{Name: "my-app", Version: "1.0"},
	}
	resp, err := conf.Client(ctx).Get(conf.BaseURL + "/videos")

	printBody(resp, err)
	// Output: 200 {"data":[]} from sandbox.api.video <nil>
}

func ExampleConfig_TokenSource() {
	ctx, _ := standIn()

	conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY")}
	client := oauth2.NewClient(ctx, conf.TokenSource(ctx))

	printBody(client.Get(apivideo.ProductionURL + "/videos"))
	// Output: 200 {"data":[]} from ws.api.video <nil>
}

func ExampleTransport() {
	ctx, srv := standIn()
	sdk := &http.Client{Transport: srv.Transport()} // of any kind that has one

	conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY")}
	sdk.Transport = &apivideo.Transport{Source: conf.Source(ctx), Base: sdk.Transport}

	printBody(sdk.Get(apivideo.ProductionURL + "/videos"))
	// Output: 200 {"data":[]} from ws.api.video <nil>
}

// The api.video Go client does no authentication of its own when its key is
// empty. Here a value of the same shape stands for its package, which this
// module does not depend on.
func ExampleConfig_Client() {
	ctx, _ := standIn()
	var apivideosdk goClient

	conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY")}
	videos := apivideosdk.ClientBuilder("").HTTPClient(conf.Client(ctx)).Build()

	printBody(videos.List())
	// Output: 200 {"data":[]} from ws.api.video <nil>
}

type goClient struct {
	doer interface {
		Do(*http.Request) (*http.Response, error)
	}
}

func (c goClient) ClientBuilder(apiKey string) *goClient { return &goClient{} }

func (c *goClient) HTTPClient(doer interface {
	Do(*http.Request) (*http.Response, error)
}) *goClient {
	c.doer = doer
	return c
}

func (c *goClient) Build() *goClient { return c }

func (c *goClient) List() (*http.Response, error) {
	req, err := http.NewRequest(http.MethodGet, apivideo.ProductionURL+"/videos", nil)
	if err != nil {
		return nil, err
	}
	return c.doer.Do(req)
}

// One Source, and so one token, serves a client of package oauth2 and one of
// this package.
func ExampleSource() {
	ctx, srv := standIn()
	base := srv.Transport()

	conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY")}
	src := conf.Source(ctx)
	one := &http.Client{Transport: &oauth2.Transport{Source: src, Base: base}}
	other := src.Client(ctx)

	printBody(one.Get(apivideo.ProductionURL + "/videos"))
	printBody(other.Get(apivideo.ProductionURL + "/videos"))
	fmt.Println("exchanges:", srv.Counters().Authenticated)
	// Output:
	// 200 {"data":[]} from ws.api.video <nil>
	// 200 {"data":[]} from ws.api.video <nil>
	// exchanges: 1
}

func ExampleError() {
	ctx, _ := standIn()
	client := (&apivideo.Config{APIKey: "made-up-key-of-nobody"}).Client(ctx)

	_, err := client.Get(apivideo.ProductionURL + "/videos")
	var failed *apivideo.Error
	switch {
	case errors.Is(err, apivideo.ErrInvalidAPIKey):
		fmt.Println("Is the key of the other environment?")
	case errors.As(err, &failed) && failed.Temporary():
		fmt.Println("Try again after", failed.RetryAfter)
	}
	if errors.As(err, &failed) {
		fmt.Println(failed.Op, failed.Status, failed.Title)
	}

	// Output:
	// Is the key of the other environment?
	// authenticate 401 The API key is invalid.
}

// A test of one's own program: the server plays a revoked token.
func Example_testing() {
	srv := apivideotest.NewServer()
	defer srv.Close()
	srv.HandleFunc("GET /videos", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "[]")
	})
	client := srv.Config().Client(context.Background())
	printBody(client.Get(srv.URL + "/videos"))

	srv.RevokeAccessTokens()
	printBody(client.Get(srv.URL + "/videos"))

	fmt.Printf("%+v\n", srv.Counters())
	// Output:
	// 200 [] <nil>
	// 200 [] <nil>
	// {AuthCalls:2 Authenticated:1 Refreshed:1 Refused:0 Authorized:2 Delegated:0 Unauthorized:1 Limited:0}
}
