package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/listen"
	"github.com/urfave/cli/v3"
)

const (
	minSecret = 16      // characters; shorter ones can be guessed
	maxSecret = 4 << 10 // bytes of the file
)

const (
	// serveGrace is how long requests may go on after SIGTERM.
	serveGrace = 10 * time.Second
	// secretEvery is how often the file of the secret is read.
	secretEvery = 2 * time.Second
)

// serve runs the proxy until SIGTERM or SIGINT. A second signal cancels the
// requests in flight. SIGHUP ends it only if it has a terminal, which sends that
// when it is closed: others ask with it to read files again, as serve always does.
func (a *app) serve(context.Context, *cli.Command) error {
	at, err := listen.ParseAddress(a.opts.listen)
	if err != nil {
		return usage("-listen: %v", err)
	}
	if a.opts.secretFile == "" {
		return usage("serve needs -secret-file FILE, with the secret that clients send as their API key")
	}
	log := slog.New(slog.NewTextHandler(a.stderr, nil))
	g, err := a.newGateway(log)
	if err != nil {
		return err
	}
	// Before a new secret is made, the address must be free.
	if err := g.listen(at, func() (string, error) { return readSecret(a.opts.secretFile) }); err != nil {
		return err
	}
	// Not earlier: the files above may be pipes that nobody writes to.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	if hasTerminal() && !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	} else {
		signal.Ignore(syscall.SIGHUP)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go g.followSecret(ctx, a.opts.secretFile, log)
	g.serve()
	log.Info("serving", "address", g.listener.URL, "environment", g.account.environment(), "version", version())
	if _, err := io.WriteString(a.stdout, g.listener.URL+"\n"); err != nil {
		a.say("cannot write to standard output; listening at %s", g.listener.URL)
	}
	log.Info("ending", "signal", <-signals)
	g.shutdown(serveGrace, signals)
	return nil
}

// followSecret has the proxy take another secret when the file has one. If the
// file cannot be used, the old secret stays.
func (g *gateway) followSecret(ctx context.Context, name string, log *slog.Logger) {
	secret, trouble := g.conf.Secret, ""
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return // a pipe can be read only once
	}
	for tick := time.NewTicker(secretEvery); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, err := reloadSecret(name)
		switch {
		case err != nil:
			if err.Error() != trouble {
				log.Error("the secret stays as it is", "error", err)
			}
			trouble = err.Error()
		case now != secret && g.proxy.SetSecret(now) == nil:
			log.Info("new secret; the tokens of the old one are invalid")
			secret, trouble = now, ""
		case trouble != "":
			log.Info("the file of the secret can be used again")
			trouble = ""
		}
	}
}

// reloadSecret is loadSecret, but does not wait for a pipe.
func reloadSecret(name string) (string, error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return "", secretError("is not a regular file any more")
	}
	return loadSecret(name)
}

// readSecret returns the secret in a file. If there is no file, it makes one
// with a new secret.
func readSecret(name string) (string, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		secret := newSecret()
		_, err = f.WriteString(secret + "\n")
		if err = errors.Join(err, f.Close()); err != nil {
			os.Remove(name) // else the next start finds a secret that is too short
			return "", secretError("cannot be written: %v", withoutPath(err))
		}
		return secret, nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return "", secretError("cannot be made: %v", withoutPath(err))
	}
	return loadSecret(name)
}

// loadSecret returns the secret in a file that exists.
func loadSecret(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
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
