// Program makes one auth call, and prints its result. The test builds it for
// GOOS=js.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/apivideo/api.video-go-oauth2"
)

func main() {
	conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY"), BaseURL: os.Getenv("APIVIDEO_BASE_URL")}
	if _, err := conf.Token(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("a token")
}
