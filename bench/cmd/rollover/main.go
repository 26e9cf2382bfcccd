// Rollover shows how renewals and an outage of the auth service change the time
// that requests take. It drives this library and its peers side by side under a
// steady load, prints their latencies, and draws them.
//
//	go run ./cmd/rollover
//
// Run it in the module's folder, on an idle machine. It takes a minute and a
// half. The lifetimes of tokens and the outage are scaled: an hour is 36
// seconds. The time of an auth call is not scaled. The API has no network and
// takes 5 milliseconds. With -api 0 it takes none, and the plot mostly shows the
// scheduler and the garbage collector.
package main

import (
	"flag"
	"log"
	"os"
	"time"

	"github.com/apivideo/api.video-go-oauth2/bench"
)

// authLatency is how long every auth call takes.
const authLatency = 500 * time.Millisecond

// phase is a part of the experiment, with its own tokens.
type phase struct {
	title, axis string
	lifetime    time.Duration // of the tokens
	length      time.Duration
	from, to    time.Duration // the outage; both 0: none
}

// phases are those of the plot, from left to right.
//
// In the first, package oauth2 renews every 6 seconds, always 10 seconds early,
// and the others every 12. In the second, every library would renew during the
// outage: an outage without a renewal changes nothing.
//
// Two things do not scale. Package oauth2 stays 10 seconds early, so for it the
// outage comes at the end of the hour. This library does not use the last tenth
// of a token; of a token of an hour it does not use the last 10 seconds.
var phases = []phase{
	{title: "Renewals", axis: "seconds", lifetime: 16 * time.Second, length: 42 * time.Second},
	{
		title: "Auth service down for 10 minutes", axis: "seconds; 36 stand for an hour",
		lifetime: 36 * time.Second, length: 42 * time.Second, from: 24 * time.Second, to: 30 * time.Second,
	},
}

// subjects are the peers under load, and their titles.
var subjects = []struct{ by, title string }{
	{bench.Apivideo, "apivideo"},
	{bench.OAuth2, "x/oauth2"},
	{bench.CloudAuth, "cloud.google.com/go/auth"},
	{bench.Bare, "bare client, no authorization"},
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("rollover: ")
	out := flag.String("o", "rollover.svg", "write the plot to this `file`")
	var l load
	flag.IntVar(&l.workers, "workers", 20, "`n` workers for each library")
	flag.DurationVar(&l.interval, "interval", 20*time.Millisecond, "each makes a request every `d`")
	flag.DurationVar(&l.api, "api", 5*time.Millisecond, "the API takes `d` to answer")
	flag.Parse()

	runs := make([][]run, len(phases))
	for i, ph := range phases {
		log.Printf("%s: %v", ph.title, ph.length)
		var err error
		if runs[i], err = measure(ph, l); err != nil {
			log.Fatal(err)
		}
	}
	report(os.Stdout, runs)
	if err := paint(*out, runs); err != nil {
		log.Fatal(err)
	}
}
