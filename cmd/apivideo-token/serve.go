package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/proxy"
	"github.com/urfave/cli/v3"
)

const (
	minSecret = 16      // characters; shorter ones can be guessed
	maxSecret = 4 << 10 // bytes of the file
)

// serve runs the proxy until SIGTERM or SIGINT. A second signal cancels the
// requests in flight.
func (a *app) serve(context.Context, *cli.Command) error {
	at, err := proxy.ParseAddress(a.opts.listen)
	if err != nil {
		return usage("-listen: %v", err)
	}
	if a.opts.secretFile == "" {
		return usage("serve needs -secret-file FILE, with the secret that clients send as their API key")
	}
	g, err := a.newGateway()
	if err != nil {
		return err
	}
	if err := g.listen(at); err != nil { // before a new secret is made
		return err
	}
	secret, err := readSecret(a.opts.secretFile)
	if err != nil {
		g.listener.Close()
		return err
	}
	// Not earlier: the files above may be pipes that nobody writes to.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	if err := g.serve(secret); err != nil {
		return err
	}
	if _, err := io.WriteString(a.stdout, g.listener.URL+"\n"); err != nil {
		a.say("cannot write to standard output; listening at %s", g.listener.URL)
	}
	<-signals
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-signals
		cancel()
	}()
	g.shutdown(ctx)
	return nil
}

// readSecret returns the secret in a file. If there is no file, it makes one
// with a new secret.
func readSecret(name string) (string, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		secret := newSecret()
		_, err = f.WriteString(secret + "\n")
		if err = errors.Join(err, f.Close()); err != nil {
			return "", secretError("cannot be written: %v", withoutPath(err))
		}
		return secret, nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return "", secretError("cannot be made: %v", withoutPath(err))
	}
	if f, err = os.Open(name); err != nil {
		return "", secretError("cannot be read: %v", withoutPath(err))
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", secretError("cannot be read: %v", withoutPath(err))
	case exposed(info) != "":
		return "", secretError("%s", exposed(info))
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", secretError("cannot be read: %v", withoutPath(err))
	}
	return checkSecret(strings.TrimRight(string(data), "\r\n"))
}

// checkSecret reports why a secret cannot be a client's API key, or should not.
func checkSecret(secret string) (string, error) {
	odd := strings.ContainsFunc(secret, func(r rune) bool { return r < '!' || r > '~' || r == ':' })
	switch {
	case len(secret) < minSecret:
		return "", secretError("has less than %d characters; delete it to get a new one", minSecret)
	case len(secret) > maxSecret || odd:
		return "", secretError("must have one line of visible ASCII characters without a colon")
	}
	return secret, nil
}

func secretError(format string, args ...any) error {
	return setting("the file of -secret-file "+format, args...)
}
