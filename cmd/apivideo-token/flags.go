package main

import (
	_ "embed"
	"errors"
	"flag"
	"io"
	"time"
)

// defaultTimeout is as long as the auth calls of one renewal may take.
const defaultTimeout = 30 * time.Second

//go:embed help.txt
var help string

// options are the flags.
type options struct {
	sandbox bool
	header  bool
	json    bool
	refresh bool
	noCache bool
	version bool
	minTTL  time.Duration
	timeout time.Duration
}

// parse reads the arguments. Its error is [flag.ErrHelp] or a usageError,
// which repeats no argument: somebody may have passed an API key.
func parse(args []string) (*options, error) {
	o := &options{timeout: defaultTimeout}
	wrong := usageError("unknown flag or bad value; see apivideo-token -h")
	fs := o.flagSet(&wrong)
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil, err
	case err != nil:
		return nil, wrong
	case fs.NArg() > 0:
		return nil, usageError("it takes flags alone; put the API key into " + keyVariable + " and see apivideo-token -h")
	case o.header && o.json:
		return nil, usageError("-header and -json exclude each other; choose one")
	}
	return o, nil
}

// flagSet defines the flags. What help.txt says of them is not repeated. When
// a duration is wrong it says so in wrong, since the error of package flag has
// the value in it.
func (o *options) flagSet(wrong *usageError) *flag.FlagSet {
	fs := flag.NewFlagSet("apivideo-token", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	fs.BoolVar(&o.sandbox, "sandbox", false, "")
	fs.BoolVar(&o.header, "header", false, "")
	fs.BoolVar(&o.json, "json", false, "")
	fs.BoolVar(&o.refresh, "refresh", false, "")
	fs.BoolVar(&o.noCache, "no-cache", false, "")
	fs.BoolVar(&o.version, "version", false, "")
	duration := func(name string, d *time.Duration, least time.Duration) {
		fs.Func(name, "", func(s string) (err error) {
			if *d, err = time.ParseDuration(s); err == nil && *d >= least {
				return nil
			}
			*wrong = usageError("-" + name + " must be a time like 30s or 10m; see apivideo-token -h")
			return *wrong
		})
	}
	duration("min-ttl", &o.minTTL, 0)
	duration("timeout", &o.timeout, time.Nanosecond)
	return fs
}
