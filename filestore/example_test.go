package filestore_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/filestore"
)

// A program that is started three times makes one auth call. The example runs
// against a fake server: in a real program, leave out the lines with srv.
func Example() {
	srv := apivideotest.NewUnstartedServer()
	os.Setenv("APIVIDEO_API_KEY", srv.Config().APIKey)
	ctx := srv.Context(context.Background())       // a real program uses context.Background()
	dir, err := os.MkdirTemp("", "apivideo-token") // a real program uses a fixed folder
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	for range 3 { // each Source takes the place of one run of the program
		conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY"), Store: filestore.New(dir)}
		resp, err := conf.Client(ctx).Get(apivideo.ProductionURL + "/videos")
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
	// 200 OK
	// auth calls: 1
}
