package apivideo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"golang.org/x/oauth2"
)

// The examples run against a fake server. In a real program, leave out the
// lines with srv, and use context.Background() as ctx.
func Example() {
	srv := apivideotest.NewUnstartedServer()
	os.Setenv("APIVIDEO_API_KEY", srv.Config().APIKey)
	ctx := srv.Context(context.Background())

	conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY")}
	client := conf.Client(ctx)
	resp, err := client.Get(apivideo.ProductionURL + "/videos")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status, "from", resp.Request.URL.Host)
	// Output: 200 OK from ws.api.video
}

func ExampleConfig_sandbox() {
	srv := apivideotest.NewUnstartedServer()
	os.Setenv("APIVIDEO_API_KEY", srv.Config().APIKey)
	ctx := srv.Context(context.Background()) // a real program uses context.Background()

	conf := &apivideo.Config{
		APIKey:      os.Getenv("APIVIDEO_API_KEY"), // of the sandbox
		BaseURL:     apivideo.SandboxURL,
		Application: apivideo.Product{Name: "my-app", Version: "1.0"},
	}
	resp, err := conf.Client(ctx).Get(conf.BaseURL + "/videos")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status, "from", resp.Request.URL.Host)
	// Output: 200 OK from sandbox.api.video
}

// To pass an oauth2.TokenSource to another library:
func ExampleConfig_TokenSource() {
	srv := apivideotest.NewUnstartedServer()
	os.Setenv("APIVIDEO_API_KEY", srv.Config().APIKey)
	ctx := srv.Context(context.Background()) // a real program uses context.Background()

	conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY")}
	client := oauth2.NewClient(ctx, conf.TokenSource(ctx))
	resp, err := client.Get(apivideo.ProductionURL + "/videos")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

// To keep an existing transport, wrap it.
func ExampleTransport() {
	srv := apivideotest.NewUnstartedServer()
	os.Setenv("APIVIDEO_API_KEY", srv.Config().APIKey)
	ctx := srv.Context(context.Background())        // a real program uses context.Background()
	sdk := &http.Client{Transport: srv.Transport()} // any client with an http.RoundTripper

	conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY")}
	sdk.Transport = &apivideo.Transport{Source: conf.Source(ctx), Base: sdk.Transport}
	resp, err := sdk.Get(apivideo.ProductionURL + "/videos")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

// One Source, and so one token, for a client of package oauth2 and a client of
// this package.
func ExampleSource() {
	srv := apivideotest.NewUnstartedServer()
	os.Setenv("APIVIDEO_API_KEY", srv.Config().APIKey)
	ctx := srv.Context(context.Background()) // a real program uses context.Background()
	base := srv.Transport()                  // a real program uses http.DefaultTransport

	conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY")}
	src := conf.Source(ctx)
	one := &http.Client{Transport: &oauth2.Transport{Source: src, Base: base}}
	other := src.Client(ctx)
	for _, client := range []*http.Client{one, other} {
		resp, err := client.Get(apivideo.ProductionURL + "/videos")
		if err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
		fmt.Println(resp.Status)
	}
	fmt.Println("auth calls:", srv.Counters().AuthCalls)
	// Output:
	// 200 OK
	// 200 OK
	// auth calls: 1
}

func ExampleError() {
	srv := apivideotest.NewUnstartedServer()
	ctx := srv.Context(context.Background()) // a real program uses context.Background()
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

// A test of your program: the server revokes the token, and the request still
// succeeds.
func Example_testing() {
	printBody := func(resp *http.Response, err error) {
		if err != nil {
			log.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		fmt.Println(resp.StatusCode, string(body), err)
	}

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
