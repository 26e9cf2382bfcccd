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
	ctx, srv, dir := standIn() // a real program has context.Background() and a folder
	defer os.RemoveAll(dir)

	// Each round is what a program does that starts anew: a cron job, say.
	for range 3 {
		conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY"), Store: filestore.New(dir)}
		resp, err := conf.Client(ctx).Get(apivideo.ProductionURL + "/videos")
		if err != nil {
			fmt.Println(err)
			return
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

// standIn starts a stand-in for the service, which the returned context puts in
// its place, and sets APIVIDEO_API_KEY to a key that it takes.
func standIn() (context.Context, *apivideotest.Server, string) {
	srv := apivideotest.NewUnstartedServer()
	srv.HandleFunc("GET /videos", func(http.ResponseWriter, *http.Request) {})
	os.Setenv("APIVIDEO_API_KEY", srv.Config().APIKey)
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	return srv.Context(context.Background()), srv, dir
}
