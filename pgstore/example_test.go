//go:build unix

package pgstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/pgstore"
)

// standIn puts a stand-in for the service into the returned context, and sets
// the variables of the environment that a program has. It returns what undoes that.
func standIn() (ctx context.Context, srv *apivideotest.Server, end func()) {
	srv = apivideotest.NewUnstartedServer()
	srv.HandleFunc("GET /videos", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"data":[]}`) })
	server, err := shared()
	if err == nil {
		_, err = server.admin.Exec("CREATE DATABASE example")
	}
	if err != nil {
		panic(err)
	}
	os.Setenv(apiKeyVar, srv.Config().APIKey)
	os.Setenv("DATABASE_URL", server.url("example"))
	return srv.Context(context.Background()), srv, func() {
		os.Unsetenv(apiKeyVar)
		os.Unsetenv("DATABASE_URL")
	}
}

// Two programs with the same API key and the same database use one token.
func ExampleNew() {
	ctx, srv, end := standIn() // a real program has context.Background(), say
	defer end()

	for range 2 {
		db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
		if err != nil {
			fmt.Println(err)
			return
		}
		defer db.Close()
		conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY"), Store: pgstore.New(db)}
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
