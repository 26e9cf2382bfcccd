// Command apivideo-standin runs a local api.video service, to try a program in
// any language without an account.
//
// It prints the lines APIVIDEO_BASE_URL=… and APIVIDEO_API_KEY=… on standard
// output at once. SIGINT or SIGTERM ends it. Its help lists the flags; its
// README lists the operations and what is made up.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/standin"
)

//go:embed help.txt
var help string

//go:embed seed.json
var defaultSeed []byte

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	var usage usageError
	switch {
	case err == nil:
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "apivideo-standin: %v; try -h\n", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "apivideo-standin:", err)
		os.Exit(1)
	}
}

// usageError is a mistake in the command line.
type usageError struct{ error }

// options are what the flags say.
type options struct {
	listen string
	tls    bool
	seed   string
	limit  limit
	keep   string
	quiet  bool
}

// limit is the value of -limit: none, sandbox or production.
type limit struct {
	name   string
	limits standin.Limits
}

func (l *limit) String() string   { return l.name }
func (l *limit) IsBoolFlag() bool { return true } // the value may be left out

func (l *limit) Set(name string) error {
	switch name {
	case "true", "sandbox":
		*l = limit{"sandbox", standin.SandboxLimits}
	case "production":
		*l = limit{name, standin.ProductionLimits}
	default:
		return errors.New("it must be sandbox or production")
	}
	return nil
}

// parse reads the command line.
func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("apivideo-standin", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:0", "")
	flags.BoolVar(&o.tls, "tls", false, "")
	flags.StringVar(&o.seed, "seed", "", "")
	flags.Var(&o.limit, "limit", "")
	flags.StringVar(&o.keep, "keep", "", "")
	flags.BoolVar(&o.quiet, "quiet", false, "")
	err = flags.Parse(args)
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		err = usageError{err}
	}
	return o, err
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, err = io.WriteString(stdout, help)
		return err
	}
	if err != nil {
		return err
	}
	if o.quiet {
		stderr = io.Discard
	}
	s, err := newServer(o, stderr)
	if err != nil {
		return err
	}
	defer s.close()
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("-listen %s: %w", o.listen, cause(err))
	}
	defer listener.Close()
	lines := fmt.Sprintf("APIVIDEO_BASE_URL=%s\nAPIVIDEO_API_KEY=%s\n", baseURL(o, listener.Addr()), s.key)
	if o.tls {
		secured, authority, err := secure(listener, o.listen)
		if err != nil {
			return fmt.Errorf("-tls: %w", err)
		}
		defer os.Remove(authority)
		listener, lines = secured, lines+"APIVIDEO_CA_FILE="+authority+"\n"
	}
	if _, err := io.WriteString(stdout, lines); err != nil {
		return err
	}
	return s.serve(ctx, listener, stderr)
}

// patience is how long requests in flight have at the end. A client may never
// finish them.
const patience = time.Second

// serve serves until ctx ends, and then prints the counters.
func (s *server) serve(ctx context.Context, listener net.Listener, stderr io.Writer) error {
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: s.log}
	ended := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(ended)
		brief, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		if server.Shutdown(brief) != nil {
			server.Close()
		}
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-ended
	summarize(stderr, s.service.Load().Counters())
	return nil
}

// cause is the innermost reason.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// baseURL is the URL of the service. If it listens on all addresses, the URL
// has the loopback one.
func baseURL(o options, addr net.Addr) string {
	host, _, _ := net.SplitHostPort(o.listen)
	_, port, _ := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http"
	if o.tls {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

func summarize(w io.Writer, c standin.Counters) {
	fmt.Fprintf(w, "auth calls:             %5d (with the API key %d, with a refresh token %d, refused %d)\n",
		c.AuthCalls, c.Authenticated, c.Refreshed, c.Refused)
	fmt.Fprintf(w, "authorized API calls:   %5d\n", c.Authorized)
	fmt.Fprintf(w, "delegated uploads:      %5d\n", c.Delegated)
	fmt.Fprintf(w, "unauthorized API calls: %5d\n", c.Unauthorized)
}
