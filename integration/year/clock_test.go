package year_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/apivideo/api.video-go-oauth2/integration/internal/model"
	"github.com/apivideo/api.video-go-oauth2/internal/memstore"
)

// seal opens and makes the values that the library keeps in a Store, as they
// are documented.
type seal struct {
	key            string
	aead           cipher.AEAD
	additionalData []byte
}

const sealVersion = 1

func newSeal(apiKey, baseURL string) (*seal, error) {
	name, err1 := hkdf.Key(sha256.New, []byte(apiKey), nil, "apivideo store key\x00"+baseURL, 32)
	secret, err2 := hkdf.Key(sha256.New, []byte(apiKey), nil, "apivideo sealing key\x00"+baseURL, 32)
	block, err3 := aes.NewCipher(secret)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	key := hex.EncodeToString(name)
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &seal{key: key, aead: aead, additionalData: append([]byte{sealVersion}, baseURL+"\x00"+key...)}, err
}

// grant is what a sealed value says.
type grant struct {
	Issued      time.Time     `json:"issued"`
	Lifetime    time.Duration `json:"lifetime"`
	AccessToken string        `json:"access_token"`

	sealed, plain []byte
}

// open takes a value apart.
func (s *seal) open(key string, sealed []byte) (*grant, error) {
	if key != s.key || len(sealed) == 0 || sealed[0] != sealVersion {
		return nil, fmt.Errorf("not of version %d under the key %s", sealVersion, s.key)
	}
	plain, err := s.aead.Open(nil, nil, sealed[1:], s.additionalData)
	if err != nil {
		return nil, err
	}
	g := &grant{sealed: sealed, plain: plain}
	if err := json.Unmarshal(plain, g); err != nil {
		return nil, err
	}
	if g.Issued.IsZero() || g.Lifetime <= 0 || g.AccessToken == "" {
		return nil, errors.New("it lacks a field")
	}
	return g, nil
}

// shift returns g with another time of issue.
func (s *seal) shift(g *grant, by time.Duration) (*grant, error) {
	if by == 0 {
		return g, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(g.plain, &fields); err != nil {
		return nil, err
	}
	issued, err := g.Issued.Add(by).MarshalJSON()
	if err != nil {
		return nil, err
	}
	fields["issued"] = issued
	plain, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	sealed := s.aead.Seal([]byte{sealVersion}, nil, plain, s.additionalData)
	return &grant{g.Issued.Add(by), g.Lifetime, g.AccessToken, sealed, plain}, nil
}

// clock is the Store as a replica uses it whose clock is ahead of the others'.
// A bubble has one clock for all, so the difference is in the values: in what
// the replica writes they say what its clock would, and what it reads is put
// back. On the way, the model learns what the replica is told.
type clock struct {
	*memstore.Store
	*seal
	source *model.Source
	ahead  time.Duration
}

// Load implements apivideo.Store.
func (c *clock) Load(ctx context.Context, key string) ([]byte, error) {
	raw, err := c.Store.Load(ctx, key)
	if err != nil || raw == nil {
		return nil, err
	}
	return c.translate(key, raw).sealed, nil
}

// Update implements apivideo.Store.
func (c *clock) Update(ctx context.Context, key string, fn func(context.Context, []byte) ([]byte, error)) error {
	return c.Store.Update(ctx, key, func(ctx context.Context, raw []byte) ([]byte, error) {
		old := new(grant)
		if raw != nil {
			old = c.translate(key, raw)
		}
		suffices := c.source.Suffices(old.AccessToken)
		value, err := fn(ctx, old.sealed)
		if err != nil || value == nil {
			return nil, err
		}
		if suffices {
			c.wrong("it renews a token that lasts")
		}
		g, err := c.open(key, value)
		if err == nil {
			g, err = c.shift(g, c.ahead)
		}
		if err != nil {
			c.wrong("it stores what cannot be opened: %v", err)
			return nil, err
		}
		return g.sealed, nil
	})
}

// translate returns what a value says by the clock of the replica.
func (c *clock) translate(key string, raw []byte) *grant {
	g, err := c.open(key, raw)
	if err == nil {
		g, err = c.shift(g, -c.ahead)
	}
	if err != nil {
		c.wrong("the store has what cannot be opened: %v", err)
		return new(grant)
	}
	c.source.Told(g.AccessToken, g.Issued, g.Lifetime)
	return g
}

func (c *clock) wrong(format string, args ...any) {
	c.source.Lock()
	defer c.source.Unlock()
	c.source.Fault(format, args...)
}
