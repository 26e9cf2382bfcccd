// Command list prints the first page of an account's videos. It is the first
// program of the README.
package main

import (
	"cmp"
	"context"
	"io"
	"log"
	"os"

	"github.com/apivideo/api.video-go-oauth2"
)

func main() {
	conf := &apivideo.Config{
		APIKey:  os.Getenv("APIVIDEO_API_KEY"),
		BaseURL: cmp.Or(os.Getenv("APIVIDEO_BASE_URL"), apivideo.ProductionURL),
	}
	client := conf.Client(context.Background())
	resp, err := client.Get(conf.BaseURL + "/videos")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(os.Stdout, resp.Body); err != nil {
		log.Fatal(err)
	}
}
