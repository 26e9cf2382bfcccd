package filestore_test

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/filestore"
)

func Example() {
	ctx, srv := standIn() // a real program has context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	for range 3 { // as if the program were started three times
		conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY"), Store: filestore.New(dir)}
		resp, err := conf.Client(ctx).Get(apivideo.ProductionURL + "/videos")
		if err != nil {
			panic(err)
		}
		resp.Body.Close()
		fmt.Println(resp.Status)
	}
	fmt.Println("auth calls:", srv.Counters().AuthCalls)
	// Output:
	// 200 OK
	// 200 OK
	// 200 OK
	// auth calls: 1
}

// standIn returns a context in which calls go to a fake server, and sets
// APIVIDEO_API_KEY to a key that it accepts.
func standIn() (context.Context, *apivideotest.Server) {
	srv := apivideotest.NewUnstartedServer()
	srv.HandleFunc("GET /videos", func(http.ResponseWriter, *http.Request) {})
	os.Setenv("APIVIDEO_API_KEY", srv.Config().APIKey)
	return srv.Context(context.Background()), srv
}
