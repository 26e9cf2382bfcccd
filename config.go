package apivideo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"

	"github.com/apivideo/api.video-go-oauth2/internal/apikey"
	"github.com/apivideo/api.video-go-oauth2/internal/endpoint"
	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/outgoing"
	"github.com/apivideo/api.video-go-oauth2/internal/redact"
	"github.com/apivideo/api.video-go-oauth2/internal/roundtrip"
	"github.com/apivideo/api.video-go-oauth2/internal/roundtrip/standard"
	"golang.org/x/oauth2"
)

// ErrInvalidConfig reports a mistake in a [Config], or a key file that cannot
// be used. Test with [errors.Is]. Change the program or its settings; a retry
// does not help.
var ErrInvalidConfig = errors.New("apivideo: invalid configuration")

// configError says what is wrong with a Config and what to do.
type configError struct{ error }

func configErrorf(format string, args ...any) error {
	return asConfigError(fmt.Errorf(format, args...))
}

// asConfigError returns a configError of err, or nil if err is nil.
func asConfigError(err error) error {
	if err == nil {
		return nil
	}
	return &configError{err}
}

func (e *configError) Error() string        { return "apivideo: " + e.error.Error() }
func (e *configError) Is(target error) bool { return target == ErrInvalidConfig }
func (e *configError) Unwrap() error        { return e.error }

var errNoSource = errors.New("apivideo: there is no Source; make one with Config.Source")

// Product is the name and version of a program. The formats are those of the
// official api.video clients: Name is 1 to 50 of A-Z a-z 0-9 _ -. Version is
// like 1, 1.2 or 1.2.3, with up to 3 digits in each part. The zero Product means
// none. A name without a version, or the reverse, is an error.
type Product struct{ Name, Version string }

var (
	productName    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,50}$`)
	productVersion = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,3}){0,2}$`)
)

// check validates the product. field is its name in the Config.
func (p Product) check(field string) error {
	switch {
	case p == Product{}:
		return nil
	case !productName.MatchString(p.Name):
		return configErrorf("Config.%s.Name must be 1 to 50 letters, digits, underscores or hyphens", field)
	case !productVersion.MatchString(p.Version):
		return configErrorf("Config.%s.Version must be like 1, 1.2 or 1.2.3, with up to 3 digits in each part", field)
	}
	return nil
}

// originHeaders returns the headers for c.Application and c.SDK.
func (c *Config) originHeaders() (headers []outgoing.Origin, err error) {
	for _, p := range []struct {
		field, header string
		Product
	}{{"Application", "Av-Origin-App", c.Application}, {"SDK", "Av-Origin-Sdk", c.SDK}} {
		err = errors.Join(err, p.check(p.field))
		if p.Product != (Product{}) {
			headers = append(headers, outgoing.Origin{Name: p.header, Value: p.Name + ":" + p.Version})
		}
	}
	return headers, err
}

// service is a validated Config. It makes auth calls and decides which requests
// may carry a token. It is never written to after it is made.
type service struct {
	base     endpoint.Endpoint
	origins  []outgoing.Origin
	standard standard.Transport // the base if there is no other
	client   roundtrip.Client
	hung     *hung
}

// hung bounds the calls of the program's code that do not return.
type hung struct{ auth, keys, bodies guard.Bound }

// loose is that of Config.Token and Config.Refresh. Many calls may end at once.
var loose = hung{auth: guard.Bound{Patient: true}, keys: guard.Bound{Patient: true}}

// service validates c. Its errors say what to change and contain no secret.
func (c *Config) service(ctx context.Context, h *hung) (*service, error) {
	if err := c.checkKeySource(); err != nil {
		return nil, err
	}
	if err := apikey.CheckText(c.BaseURL, "Config.BaseURL", "URL"); err != nil {
		return nil, asConfigError(err)
	}
	base, err := endpoint.Parse(cmp.Or(c.BaseURL, ProductionURL))
	if err != nil {
		return nil, asConfigError(err)
	}
	origins, err := c.originHeaders()
	if err != nil {
		return nil, err
	}
	if c.Store != nil && guard.Nil(c.Store) {
		return nil, configErrorf("Config.Store is a nil %T; make one, or leave the field out", c.Store)
	}
	s := &service{base: base, origins: origins, hung: h}
	s.standard.Init()
	s.client.Init(contextClient(ctx), &s.standard)
	return s, nil
}

// checkKeySource validates APIKey and APIKeyFunc, without a call of the latter.
func (c *Config) checkKeySource() error {
	switch {
	case c.APIKey != "" && c.APIKeyFunc != nil:
		return configErrorf("Config.APIKey and Config.APIKeyFunc are both set; use only one of them")
	case c.APIKeyFunc != nil:
		return nil
	case c.APIKey == "":
		return configErrorf("Config.APIKey is empty; set it to the API key from the api.video dashboard")
	}
	return asConfigError(apikey.Check(c.APIKey, "Config.APIKey"))
}

// contextClient returns the client that oauth2 would use under ctx.
func contextClient(ctx context.Context) *http.Client {
	c, _ := cmp.Or(ctx, context.Background()).Value(oauth2.HTTPClient).(*http.Client)
	return cmp.Or(c, http.DefaultClient)
}

// given returns base, or nil if base is a nil pointer in an interface.
func given(base http.RoundTripper) http.RoundTripper {
	if guard.Nil(base) {
		return nil
	}
	return base
}

// String describes c without its API key.
func (c Config) String() string {
	key := "unset"
	switch {
	case c.APIKey != "":
		key = redact.Mark
	case c.APIKeyFunc != nil:
		key = "from APIKeyFunc"
	}
	return redact.New(c.APIKey).Redact(fmt.Sprintf("apivideo.Config{APIKey:%s BaseURL:%s Application:%s SDK:%s}",
		key, c.printableURL(), c.Application, c.SDK))
}

// printableURL returns the base URL, or "invalid" if it is not accepted: it may
// contain a password or the API key.
func (c Config) printableURL() string {
	base := cmp.Or(c.BaseURL, ProductionURL)
	if _, err := endpoint.Parse(base); err != nil {
		return "invalid"
	}
	return redact.New(c.APIKey).Redact(base)
}

// Format implements [fmt.Formatter]: every verb prints what String returns,
// except %p and %w, for which fmt calls no Formatter.
func (c Config) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// MarshalText implements [encoding.TextMarshaler]: encoders for YAML, XML and
// other formats print what String returns.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// MarshalJSON leaves out the API key, the Store and the Logger.
func (c Config) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		BaseURL          string
		Application, SDK Product
	}{c.printableURL(), c.Application, c.SDK})
}
