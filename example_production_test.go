package apivideo_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/filestore"
)

// A long-running program. It reads the key file at each renewal, shares the
// token with other processes, and ends at once if its settings are wrong.
func Example_production() {
	srv := apivideotest.NewUnstartedServer()
	ctx := srv.Context(context.Background()) // a real program uses context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	keyFile := filepath.Join(dir, "key")
	if err := os.WriteFile(keyFile, []byte(srv.Config().APIKey+"\n"), 0o600); err != nil {
		log.Fatal(err)
	}

	conf := &apivideo.Config{
		APIKeyFunc:  apivideo.KeyFile(keyFile),
		Application: apivideo.Product{Name: "my-app", Version: "1.0"},
		Store:       filestore.New(dir), // or redisstore.New, pgstore.New
		Logger:      slog.Default(),
	}
	src := conf.Source(ctx) // one for the whole program
	client := src.Client(ctx)

	startup, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err = src.TokenContext(startup)
	switch {
	case errors.Is(err, apivideo.ErrInvalidConfig),
		errors.Is(err, apivideo.ErrInvalidAPIKey),
		errors.Is(err, apivideo.ErrAccountSuspended):
		log.Fatal(err) // waiting does not help
	case err != nil:
		log.Print(err) // start anyway: the Source tries again
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if src.Stats().Err() != nil {
			// A process that is not ready gets no requests, so ask for a token here.
			src.TokenContext(r.Context())
		}
		if err := src.Stats().Err(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})

	resp, err := client.Get(apivideo.ProductionURL + "/videos")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	ready := httptest.NewRecorder()
	mux.ServeHTTP(ready, httptest.NewRequest("GET", "/readyz", nil))
	fmt.Println(resp.StatusCode, ready.Code)
	// Output: 200 200
}
