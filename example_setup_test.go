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

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/filestore"
)

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
