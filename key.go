package apivideo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/seal"
	"github.com/apivideo/api.video-go-oauth2/internal/tokencache"
)

// maxKeyFile is the size limit of a key file, in bytes. API keys are shorter.
const maxKeyFile = 4 << 10

// KeyFile returns a function for [Config].APIKeyFunc that reads the API key from
// a file. It reads the file at each renewal: the program uses a new key without
// a restart. The file contains the key in UTF-8. A byte order mark before the
// key and line breaks after it are ignored.
//
// The errors of the function name the file, and match [ErrInvalidConfig]. The
// function is safe for concurrent use.
func KeyFile(name string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		f, err := os.Open(name)
		if err != nil {
			return "", keyFileError(name, err)
		}
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
		if err != nil {
			return "", keyFileError(name, err)
		}
		if len(data) > maxKeyFile {
			return "", configErrorf("the key file %s is too long for an API key; the file must contain only the key", name)
		}
		data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
		key := strings.TrimRight(string(data), "\r\n")
		if key == "" {
			return "", configErrorf("the key file %s is empty; put the API key into it", name)
		}
		return key, checkKey(key, "the content of the key file "+name)
	}
}

// keyFileError is the error of a key file that cannot be read.
func keyFileError(name string, err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	}
	return configErrorf("the key file %s cannot be read: %w", name, err)
}

// keys gets the API key of an account. It is safe for concurrent use.
type keys struct {
	service *service
	static  func() string // Config.APIKey, as a function so that fmt cannot print it; nil with APIKeyFunc
	get     func(context.Context) (string, error)
	boxed   bool          // there is a Store
	running chan struct{} // has an element for each call of get; nil with APIKey

	mu      sync.Mutex
	last    *tokencache.Account // of the key that was got last; nil before the first
	earlier *tokencache.Account // of the key before that
}

func newKeys(c *Config, s *service) *keys {
	k := &keys{service: s, get: c.APIKeyFunc, boxed: c.Store != nil}
	if key := c.APIKey; key != "" {
		k.static = func() string { return key }
	} else {
		k.running = make(chan struct{}, maxRunning)
	}
	return k
}

// maxRunning is how many calls of APIKeyFunc may run at a time. Only calls that
// take longer than [keyTime] overlap. One that never returns must not end
// renewal, and many must not pile up.
const maxRunning = 4

// keyError is a failure of Config.APIKeyFunc.
type keyError struct {
	text string
	err  error
}

func (e *keyError) Error() string { return "apivideo: getting the API key: " + e.text }
func (e *keyError) Unwrap() error { return e.err }

// keyError makes a *keyError of err. Behind it err stays as it is, which is the
// program's own, unless there is a secret in its text.
func (ss secrets) keyError(err error) *keyError {
	if crash, ok := err.(*guard.Crash); ok { // stays one, so that it is logged
		err = ss.crash(crash)
	}
	text := strings.TrimPrefix(err.Error(), "apivideo: ")
	if safe := ss.redact(text); safe != text {
		return &keyError{safe, &cause{safe, ss.safeParts(err)}}
	}
	return &keyError{text, err}
}

func (ss secrets) crash(c *guard.Crash) *guard.Crash {
	return &guard.Crash{Text: ss.redact(c.Text), Stack: c.Stack}
}

// secrets are the keys that are known, and others.
func (k *keys) secrets(others ...string) secrets {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, a := range []*tokencache.Account{k.last, k.earlier} {
		if a != nil {
			others = append(others, a.Key())
		}
	}
	return newSecrets(others...)
}

// account returns the account of the current key. APIKeyFunc has [keyTime] to
// return.
func (k *keys) account(ctx context.Context) (*tokencache.Account, error) {
	if k.static != nil {
		return k.accountOf(k.static())
	}
	ctx, cancel := guard.WithLimit(ctx, keyTime)
	defer cancel()
	key, err := guard.Call(ctx, func() (string, error) {
		select {
		case k.running <- struct{}{}:
			defer func() { <-k.running }()
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
		key, err := k.get(ctx)
		if err == nil {
			err = k.check(key)
		}
		if err != nil {
			err = k.secrets(key).keyError(err)
		}
		return key, err
	})
	if err == nil {
		return k.accountOf(key)
	}
	if _, ok := err.(*keyError); !ok { // it crashed, or took too long
		err = k.secrets().keyError(err)
	}
	return nil, err
}

func (k *keys) accountOf(key string) (*tokencache.Account, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last != nil && k.last.Key() == key {
		return k.last, nil
	}
	base := k.service.base.String()
	name, err := seal.Name(key, base)
	if err != nil {
		return nil, err
	}
	a := &tokencache.Account{Name: name, Key: func() string { return key }}
	if k.boxed {
		if a.Box, err = seal.New(key, base, name); err != nil {
			return nil, err
		}
	}
	k.last, k.earlier = a, k.last
	return a, nil
}

func (k *keys) check(key string) error {
	if key == "" {
		return configErrorf("Config.APIKeyFunc returned no API key")
	}
	return checkKey(key, "the API key of Config.APIKeyFunc")
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
	return checkKey(c.APIKey, "Config.APIKey")
}

// assignment matches an API key with a variable name before it, as in a .env file.
var assignment = regexp.MustCompile(`^\s*(export\s+)?([A-Z_][A-Z0-9_]*|\w*(?i:key)\w*)=[^=]`)

// checkKey validates an API key, which consists of visible ASCII. The error says
// what to do. It names the key by its place and never shows it.
func checkKey(key, place string) error {
	first, _ := utf8.DecodeRuneInString(key)
	last, _ := utf8.DecodeLastRuneInString(key)
	switch {
	case strings.HasPrefix(key, "\xff\xfe"), strings.HasPrefix(key, "\xfe\xff"), 3*strings.Count(key, "\x00") > len(key):
		return configErrorf("%s is UTF-16; write it as plain text (UTF-8)", place)
	case assignment.MatchString(key):
		return configErrorf("%s has the name of a variable before the key; remove all up to the equals sign", place)
	case len(key) > 1 && first == last && strings.ContainsRune("\"'`", first), first == '“', first == '‘':
		return configErrorf("%s has quotes around it; remove them", place)
	case !utf8.ValidString(key) || strings.ContainsFunc(key, unicode.IsControl):
		return configErrorf("%s has control characters, perhaps a line break; remove them", place)
	case strings.TrimSpace(key) != key:
		return configErrorf("%s has spaces around it; remove them", place)
	}
	for _, r := range key {
		switch {
		case unicode.Is(unicode.Cf, r):
			return configErrorf("%s has an invisible character (%U); copy the key again, or type it", place, r)
		case unicode.IsSpace(r):
			return configErrorf("%s has a space in it; an API key has none", place)
		case r > '~':
			return configErrorf("%s has a character that no API key has (%U); copy the key again", place, r)
		}
	}
	return nil
}
