package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/filestore"
	"github.com/urfave/cli/v3"
)

// clockTolerance is more than Date headers and networks are usually off, and
// less than does harm.
const clockTolerance = 30 * time.Second

// check prints a line for each thing that it has verified.
func (a *app) check(ctx context.Context, _ *cli.Command) error {
	return a.within(ctx, "answer", func(ctx context.Context) error {
		acc, err := a.account()
		if err == nil {
			err = acc.verify(acc.conf.Source(ended(ctx)))
		}
		if err != nil {
			return err
		}
		a.checked("ok", "key: %s has the form of an API key", acc.keyName)
		a.checked("info", "proxy: %s", proxyFor(acc.baseURL()))
		a.checked("info", "roots: %s", a.trusted())
		a.checkCache(ctx, acc.cache)
		return a.checkService(ctx, acc)
	})
}

// checked prints one line at once.
func (a *app) checked(mark, format string, args ...any) {
	fmt.Fprint(a.stdout, checkLine(mark, format, args...))
}

func checkLine(mark, format string, args ...any) string {
	return fmt.Sprintf("%-5s"+format+"\n", append([]any{mark}, args...)...)
}

func (acc *account) baseURL() string {
	if acc.conf.BaseURL == "" {
		return apivideo.ProductionURL
	}
	return acc.conf.BaseURL
}

// brokenProxy names the variable whose proxy cannot be used, "" if there is none.
// Package net/http would go without the proxy.
func brokenProxy(getenv func(string) string) string {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		value := getenv(name)
		if value == "" {
			continue
		}
		if u, err := url.Parse(value); err == nil && u.Scheme != "" && u.Host != "" {
			return ""
		}
		if _, err := url.Parse("http://" + value); err != nil {
			return name
		}
		return "" // net/http looks no further
	}
	return ""
}

// proxyFor names the proxy that requests go through, without its password.
func proxyFor(baseURL string) string {
	req, err := http.NewRequest(http.MethodGet, baseURL, nil)
	if err != nil {
		return "none"
	}
	u, err := http.ProxyFromEnvironment(req)
	switch {
	case err != nil:
		return "invalid URL in the environment"
	case u == nil:
		return "none"
	}
	return u.Scheme + "://" + u.Host
}

// checkCache stores a value as large as a token may be, and deletes it again.
func (a *app) checkCache(ctx context.Context, c cacheFolder) {
	if c.dir == "" {
		a.checked("warn", "cache: %v; each run makes an auth call", c)
		return
	}
	key := newSecret() // not the key of an account
	defer func() {
		for _, ending := range []string{"", ".lock"} {
			os.Remove(filepath.Join(c.dir, key+ending))
		}
	}()
	err := filestore.New(c.dir).Update(ctx, key, func(context.Context, []byte) ([]byte, error) {
		return make([]byte, maxValue), nil
	})
	if err != nil {
		a.checked("warn", "cache: %s cannot be written: %v; each run makes an auth call", c.dir, withoutPath(err))
		return
	}
	a.checked("ok", "cache: %s can be written", c.dir)
}

// maxValue is the size of the longest value that a Store keeps.
const maxValue = 64 << 10

// checkService renews the token in the cache, or gets the first one. Other
// runs find the new token there, so they lose no refresh token.
// On success run prints the last line, and reports an output that cannot be
// written.
func (a *app) checkService(ctx context.Context, acc *account) error {
	w := &witness{}
	src := acc.conf.Source(w.watch(ended(ctx)))
	defer a.opts.reporter.await(ctx, src)
	_, err := src.Renew(ctx)
	w.report(a)
	switch {
	case err == nil && w.exchanged:
		a.out.WriteString(checkLine("ok", "service: %s accepts the key", acc.environment()))
		return nil
	case err == nil:
		a.out.WriteString(checkLine("ok", "service: %s renewed the cached token; the key itself was not sent", acc.environment()))
		return nil
	case errors.Is(err, apivideo.ErrInvalidAPIKey):
		a.checked("fail", "service: %s refuses the key%s", acc.environment(), a.otherTakes(ctx, acc))
	default:
		a.checked("fail", "service: %s gave no token", acc.environment())
	}
	return acc.explain(err)
}

// otherTakes reports whether the other environment accepts the key. It makes
// an auth call there.
func (a *app) otherTakes(ctx context.Context, acc *account) string {
	other := *acc.conf
	name := "production"
	switch acc.environment() {
	case "production":
		other.BaseURL, name = apivideo.SandboxURL, "the sandbox"
	case "sandbox":
		other.BaseURL = apivideo.ProductionURL
	default:
		return ""
	}
	switch _, err := other.Source(ended(ctx)).TokenContext(ctx); {
	case err == nil && name == "production":
		return ", but production accepts it: leave out -sandbox"
	case err == nil:
		return ", but the sandbox accepts it: use -sandbox"
	case errors.Is(err, apivideo.ErrInvalidAPIKey):
		return ", and so does " + name
	}
	return ", and " + name + " did not answer"
}

// witness watches auth calls.
type witness struct {
	mu        sync.Mutex // guards what follows
	exchanged bool       // the service took the API key
	answered  bool
	behind    time.Duration // this clock, compared with the service's
}

// watch returns ctx with an HTTP client that w watches.
func (w *witness) watch(ctx context.Context) context.Context {
	return withClient(ctx, w)
}

func (w *witness) RoundTrip(req *http.Request) (*http.Response, error) {
	sent := time.Now()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.exchanged = w.exchanged || resp.StatusCode == http.StatusOK && strings.HasSuffix(req.URL.Path, "/auth/api-key")
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		w.answered = true
		// The service made the date between the two times, and left out the
		// fraction of a second.
		w.behind = max(time.Until(date), min(date.Add(time.Second).Sub(sent), 0))
	}
	return resp, nil
}

// report says how far this machine's clock is off.
func (w *witness) report(a *app) {
	w.mu.Lock()
	defer w.mu.Unlock()
	off := w.behind.Abs().Round(time.Second)
	switch {
	case !w.answered:
		a.checked("info", "clock: unknown, no answer had a date")
	case off <= clockTolerance:
		a.checked("ok", "clock: within %v of the service's", clockTolerance)
	case w.behind > 0:
		a.checked("warn", "clock: %v behind the service's; set it", off)
	default:
		a.checked("warn", "clock: %v ahead of the service's; set it", off)
	}
}
