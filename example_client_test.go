package apivideo_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
)

// The api.video Go client sends no API key if its key is empty: the http.Client
// authorizes its requests. This module does not depend on that client, so the
// types below take its place. In a real program, import it as apivideosdk.
func ExampleConfig_Client() {
	var apivideosdk goClient
	srv := apivideotest.NewUnstartedServer()
	os.Setenv("APIVIDEO_API_KEY", srv.Config().APIKey)
	ctx := srv.Context(context.Background()) // a real program uses context.Background()

	conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY")}
	videos := apivideosdk.ClientBuilder("").HTTPClient(conf.Client(ctx)).Build()

	resp, err := videos.List()
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

type doer interface {
	Do(*http.Request) (*http.Response, error)
}

type goClient struct{ doer doer }

func (c goClient) ClientBuilder(apiKey string) *goClient { return &goClient{} }

func (c *goClient) HTTPClient(d doer) *goClient {
	c.doer = d
	return c
}

func (c *goClient) Build() *goClient { return c }

func (c *goClient) List() (*http.Response, error) {
	req, err := http.NewRequest(http.MethodGet, apivideo.ProductionURL+"/videos", nil)
	if err != nil {
		return nil, err
	}
	return c.doer.Do(req)
}
