package main

import (
	"context"
	"io"
	"log/slog"

	"github.com/apivideo/api.video-go-oauth2"
)

// The environment that the program reads. What is empty counts as unset.
const (
	keyVariable        = "APIVIDEO_API_KEY"
	keyFileVariable    = "APIVIDEO_API_KEY_FILE"
	keyCommandVariable = "APIVIDEO_API_KEY_COMMAND"
	baseURLVariable    = "APIVIDEO_BASE_URL"
	certFileVariable   = "SSL_CERT_FILE"
)

// account is what the environment and the flags say of the account.
type account struct {
	conf    *apivideo.Config
	keyName string      // where the key comes from, for errors
	keyFile string      // "" if the key is not from a file
	command *keyCommand // nil if the key is not from a command
	cache   cacheFolder

	stdin     io.Reader
	usedStdin bool // the key came from there
}

// account reads the environment. It makes no call.
func (a *app) account() (*account, error) {
	acc := &account{
		conf:  &apivideo.Config{BaseURL: a.getenv(baseURLVariable), Application: apivideo.Product{Name: "apivideo-token", Version: "1"}},
		cache: a.findCache(),
		stdin: a.stdin,
	}
	if name := brokenProxy(a.getenv); name != "" {
		return nil, setting("%s is not the URL of a proxy, such as http://proxy.example:3128", name) // it may have a password
	}
	if a.opts.sandbox && acc.conf.BaseURL != "" {
		return nil, usage("use only one of -sandbox and %s", baseURLVariable)
	}
	if a.opts.sandbox {
		acc.conf.BaseURL = apivideo.SandboxURL
	}
	if err := acc.readKey(a.getenv); err != nil {
		return nil, err
	}
	if a.opts.verbose {
		a.opts.reporter = newReporter(a.stderr)
		acc.conf.Logger = slog.New(a.opts.reporter)
	}
	acc.conf.Store = a.store(acc.cache)
	return acc, nil
}

// verify reports a mistake in the settings, before anything is started or sent.
func (acc *account) verify(src *apivideo.Source) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // so that it makes no auth call
	if _, err := src.TokenContext(ctx); err != nil {
		if err := acc.explain(err); statusOf(err) == statusSettings {
			return err
		}
	}
	return nil
}
