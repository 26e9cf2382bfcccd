// Rollover shows what requests feel when a token is renewed, and when the auth
// service is down: it drives this library and its peers side by side under a
// steady load, prints how long requests took, and draws it.
//
//	go run ./cmd/rollover
//
// It takes a minute and a half of real time, and is to be run in the module's
// folder. Lives of tokens and the outage are scaled: an hour is 36 seconds. The
// time that an auth call takes is not. The API has no network and takes 5
// milliseconds; with -api 0 it takes none, and what is drawn is mostly what
// the scheduler and the garbage collector do to microseconds.
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

// phase is a part of the experiment, with tokens of its own.
type phase struct {
	title    string
	lifetime time.Duration // of the tokens
	length   time.Duration
	from, to time.Duration // the outage; both 0: none
}

// phases are those of the plot, from left to right.
//
// In the first, package oauth2 renews every 6 seconds, being always 10 seconds
// early, and the others every 12. In the second, every library would renew
// during the outage. An outage that meets no renewal is felt by none.
//
// Two things do not scale: the 10 seconds of package oauth2, which meets the
// outage as if it had struck at the end of the hour; and that this library
// uses no token in its last tenth, which leaves it less time than it has with
// a token of an hour, whose last 10 seconds it does not use.
var phases = []phase{
	{title: "Renewals", lifetime: 16 * time.Second, length: 42 * time.Second},
	{
		title: "Auth service down for 10 minutes (1 h = 36 s)", lifetime: 36 * time.Second, length: 42 * time.Second,
		from: 24 * time.Second, to: 30 * time.Second,
	},
}

// subjects are the peers that are driven, and what they are called.
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
