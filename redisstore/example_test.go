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

// Two programs with the same API key and the same Redis use one token.
func Example() {
	// Stand-ins for the service and for your Redis.
	srv := apivideotest.NewServer()
	defer srv.Close()
	srv.HandleFunc("GET /videos", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"data":[]}`) })
	server, err := startRedis(os.TempDir())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.kill()
	ctx, addr := srv.Context(context.Background()), server.addr // a real program has its own
	os.Setenv(apiKeyVar, srv.Config().APIKey)

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
