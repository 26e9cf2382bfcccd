// Command standin runs a fake api.video service on a loopback port, to try a
// client in any language.
//
// It prints the lines APIVIDEO_BASE_URL=… and APIVIDEO_API_KEY=… on standard
// output at once. SIGINT or SIGTERM ends it; it then prints the numbers of calls
// and requests on standard error. Package apivideotest describes the service.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
)

func main() {
	if len(os.Args) > 1 {
		fmt.Fprintln(os.Stderr, "standin: it takes no arguments")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, apivideotest.NewServer(), os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "standin:", err)
		os.Exit(1)
	}
}

// run prints the address of srv and, when ctx ends, its counters. It does not
// wait for requests in flight: a client may never finish them.
func run(ctx context.Context, srv *apivideotest.Server, stdout, stderr io.Writer) error {
	conf := srv.Config()
	_, err := fmt.Fprintf(stdout, "APIVIDEO_BASE_URL=%s\nAPIVIDEO_API_KEY=%s\n", conf.BaseURL, conf.APIKey)
	if err != nil {
		return err
	}
	<-ctx.Done()
	summarize(stderr, srv.Counters())
	return nil
}

func summarize(w io.Writer, c apivideotest.Counters) {
	fmt.Fprintf(w, "auth calls:             %5d (with the API key %d, with a refresh token %d, refused %d)\n",
		c.AuthCalls, c.Authenticated, c.Refreshed, c.Refused)
	fmt.Fprintf(w, "authorized API calls:   %5d\n", c.Authorized)
	fmt.Fprintf(w, "delegated uploads:      %5d\n", c.Delegated)
	fmt.Fprintf(w, "unauthorized API calls: %5d\n", c.Unauthorized)
}
