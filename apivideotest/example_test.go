package apivideotest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
)

func ExampleServer() {
	srv := apivideotest.NewServer()
	defer srv.Close()
	srv.HandleFunc("GET /live-streams", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"data":[]}`)
	})

	client := srv.Config().Client(context.Background())
	resp, err := client.Get(srv.URL + "/live-streams")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.Status, string(body))
	fmt.Println("exchanges of the API key:", srv.Counters().Authenticated)
	// Output:
	// 200 OK {"data":[]}
	// exchanges of the API key: 1
}

func ExampleServer_Fail() {
	srv := apivideotest.NewServer()
	defer srv.Close()
	srv.Fail(apivideotest.Status(http.StatusServiceUnavailable), apivideotest.BreakBefore)

	// A Source tries three times.
	tok, err := srv.Config().Source(context.Background()).Token()
	fmt.Println(srv.Valid(tok.AccessToken), err)
	fmt.Println("calls:", srv.Counters().AuthCalls)
	// Output:
	// true <nil>
	// calls: 3
}

// An upload survives a revocation if its body can be read again. For a file,
// set GetBody. http.NewRequest sets it for a bytes.Reader, a bytes.Buffer and a
// strings.Reader.
func ExampleServer_RevokeAccessTokens() {
	srv := apivideotest.NewServer()
	defer srv.Close()
	srv.HandleFunc("PUT /films/{name}", func(w http.ResponseWriter, r *http.Request) {
		film, err := io.ReadAll(r.Body)
		fmt.Printf("received %q, error %v\n", film, err)
	})
	dir, err := os.MkdirTemp("", "films")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	film := filepath.Join(dir, "film")
	if err := os.WriteFile(film, []byte("made-up film"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	client := srv.Config().Client(context.Background())
	upload := func() {
		file, err := os.Open(film)
		if err != nil {
			fmt.Println(err)
			return
		}
		req, err := http.NewRequest(http.MethodPut, srv.URL+"/films/one", file)
		if err != nil {
			fmt.Println(err)
			return
		}
		req.GetBody = func() (io.ReadCloser, error) { return os.Open(film) }
		resp, err := client.Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Println(resp.Status)
	}

	upload()
	srv.RevokeAccessTokens()
	upload()
	fmt.Println("401s:", srv.Counters().Unauthorized)
	// Output:
	// received "made-up film", error <nil>
	// 200 OK
	// received "made-up film", error <nil>
	// 200 OK
	// 401s: 1
}

// The key changes, and the old one is deleted together with its tokens.
func ExampleServer_AddKey() {
	srv := apivideotest.NewServer()
	defer srv.Close()
	ctx := context.Background()

	old := srv.Config()
	tok, err := old.Token(ctx)
	fmt.Println("old key:", err)
	srv.AddKey()
	_, err = srv.Config().Token(ctx)
	fmt.Println("new key:", err)

	srv.DeleteKeyAndTokens(old.APIKey)
	_, err = old.Token(ctx)
	fmt.Println("old key:", errors.Is(err, apivideo.ErrInvalidAPIKey), srv.Valid(tok.AccessToken))
	// Output:
	// old key: <nil>
	// new key: <nil>
	// old key: true false
}

// In a test, this would be the function of synctest.Test, in whose virtual time
// an hour takes no time.
func ExampleServer_Context() {
	srv := apivideotest.NewUnstartedServer()
	ctx := srv.Context(context.Background())
	srv.SetLifetime(time.Second)

	src := srv.Config().Source(ctx)
	first, _ := src.Token()
	time.Sleep(time.Second)
	second, err := src.Token()
	fmt.Println(first.AccessToken == second.AccessToken, err)
	// Output: false <nil>
}
