package redisstore_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/redisstore"
	"github.com/redis/go-redis/v9"
)

// standIn starts a Redis, and a stand-in for the service, which the returned
// context puts in its place. It sets APIVIDEO_API_KEY to a key that it takes.
func standIn() (ctx context.Context, srv *apivideotest.Server, addr string, end func()) {
	srv = apivideotest.NewUnstartedServer()
	srv.HandleFunc("GET /videos", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"data":[]}`) })
	os.Setenv(apiKeyVar, srv.Config().APIKey)
	dir, err := os.MkdirTemp("", "redisstore")
	if err != nil {
		panic(err)
	}
	server, err := startRedis(dir)
	if err != nil {
		panic(err)
	}
	return srv.Context(context.Background()), srv, server.addr, func() {
		server.kill()
		os.RemoveAll(dir)
		os.Unsetenv(apiKeyVar)
	}
}

// Two programs with the same API key and the same Redis use one token.
func Example() {
	ctx, srv, addr, end := standIn() // a real program has context.Background(), say
	defer end()

	for range 2 {
		client := redis.NewClient(&redis.Options{Addr: addr})
		defer client.Close()
		conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY"), Store: redisstore.New(client)}
		resp, err := conf.Client(ctx).Get(apivideo.ProductionURL + "/videos")
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Println(resp.Status)
	}

	fmt.Println("exchanges:", srv.Counters().Authenticated)
	// Output:
	// 200 OK
	// 200 OK
	// exchanges: 1
}
