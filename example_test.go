package apivideo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/filestore"
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

// Two processes on one machine share a token in a folder. To share it between
// machines, use package redisstore or package pgstore.
func ExampleStore() {
	srv := apivideotest.NewUnstartedServer()
	os.Setenv("APIVIDEO_API_KEY", srv.Config().APIKey)
	ctx := srv.Context(context.Background()) // a real program uses context.Background()
	dir, err := os.MkdirTemp("", "apivideo")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	for range 2 { // each Source takes the place of one process
		conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY"), Store: filestore.New(dir)}
		if _, err := conf.Source(ctx).Token(); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("auth calls:", srv.Counters().AuthCalls)
	// Output: auth calls: 1
}

// The log has a Debug line for each new token, and a Warn or Error line for each
// failure.
func ExampleConfig_logger() {
	srv := apivideotest.NewUnstartedServer()
	os.Setenv("APIVIDEO_API_KEY", srv.Config().APIKey)
	ctx := srv.Context(context.Background()) // a real program uses context.Background()
	lines, w := io.Pipe()                    // a real program uses os.Stderr

	conf := &apivideo.Config{
		APIKey: os.Getenv("APIVIDEO_API_KEY"),
		Logger: slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if _, err := conf.Source(ctx).Token(); err != nil {
		log.Fatal(err)
	}

	line := make([]byte, 4<<10)
	n, err := lines.Read(line)
	fmt.Println(bytes.Contains(line[:n], []byte(`level=DEBUG msg="api.video: new access token"`)), err)
	// Output: true <nil>
}

// Check the settings when the program starts. End the program only if waiting
// does not help.
func ExampleSource_TokenContext() {
	srv := apivideotest.NewUnstartedServer()
	os.Setenv("APIVIDEO_API_KEY", "made-up-key-of-nobody")
	ctx := srv.Context(context.Background()) // a real program uses context.Background()

	conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY")}
	src := conf.Source(ctx)
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := src.TokenContext(limited)
	switch {
	case errors.Is(err, apivideo.ErrInvalidConfig),
		errors.Is(err, apivideo.ErrInvalidAPIKey),
		errors.Is(err, apivideo.ErrAccountSuspended):
		fmt.Println("stop:", err)
	case err != nil:
		fmt.Println("continue, the Source tries again:", err)
	}
	// Output: stop: apivideo: authenticate: 401 Unauthorized: The API key is invalid.
}

// The file has a new key. The program uses it from the next renewal on.
func ExampleKeyFile() {
	srv := apivideotest.NewUnstartedServer()
	ctx := srv.Context(context.Background()) // a real program uses context.Background()
	dir, err := os.MkdirTemp("", "apivideo")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	keyFile := filepath.Join(dir, "api-key") // a real program has a path like /run/secrets/apivideo

	src := (&apivideo.Config{APIKeyFunc: apivideo.KeyFile(keyFile)}).Source(ctx)
	for _, key := range []string{srv.Config().APIKey, srv.AddKey()} {
		if err := os.WriteFile(keyFile, []byte(key+"\n"), 0o600); err != nil {
			log.Fatal(err)
		}
		if _, err := src.Renew(ctx); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("logins with an API key:", srv.Counters().Authenticated)
	// Output: logins with an API key: 2
}

// A file upload survives a revoked token if the request has GetBody.
// [http.NewRequest] sets it only for a bytes.Buffer, bytes.Reader or
// strings.Reader.
func ExampleTransport_upload() {
	srv := apivideotest.NewServer()
	defer srv.Close()
	srv.HandleFunc("PUT /films/one", func(w http.ResponseWriter, r *http.Request) {
		film, err := io.ReadAll(r.Body)
		fmt.Printf("received %q %v\n", film, err)
	})
	client := srv.Config().Client(context.Background())
	dir, err := os.MkdirTemp("", "apivideo")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	film := filepath.Join(dir, "film.mp4")
	if err := os.WriteFile(film, []byte("made-up film"), 0o600); err != nil {
		log.Fatal(err)
	}
	if resp, err := client.Get(srv.URL + "/videos"); err == nil {
		resp.Body.Close()
	}
	srv.RevokeAccessTokens()

	open := func() (io.ReadCloser, error) { return os.Open(film) }
	body, err := open()
	if err != nil {
		log.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPut, srv.URL+"/films/one", body)
	if err != nil {
		log.Fatal(err)
	}
	req.GetBody = open
	resp, err := client.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status, "after", srv.Counters().Unauthorized, "rejected request")
	// Output:
	// received "made-up film" <nil>
	// 200 OK after 1 rejected request
}
