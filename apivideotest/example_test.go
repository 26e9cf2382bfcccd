package apivideotest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
)

func ExampleServer() {
	srv := apivideotest.NewServer()
	defer srv.Close()
	srv.HandleFunc("GET /videos", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"data":[]}`)
	})

	client := srv.Config().Client(context.Background())
	resp, err := client.Get(srv.URL + "/videos")
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
