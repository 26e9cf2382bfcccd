package apivideo

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
	"maps"
	"time"
)

// Store keeps small values where several processes find them, so that they
// share one token. The values are sealed with a key derived from the API key:
// they mean nothing to whoever has the store alone, and what was altered in it
// counts as absent.
//
// A Store must be safe for concurrent use. A [Source] uses it for a second or
// so at a time and does without it when it fails.
type Store interface {
	// Load returns the value of key, or nil if there is none; a miss is no
	// error. Keys are lower-case hex.
	Load(ctx context.Context, key string) ([]byte, error)

	// Update calls fn once with the value of key (nil if none), holding a
	// lock on key that every user of the store honours, and stores what fn
	// returns; nil leaves the value. When fn fails, the value stays and Update
	// returns fn's error. The context of fn ends when the lock is lost, and
	// nothing is stored then.
	Update(ctx context.Context, key string, fn func(ctx context.Context, old []byte) ([]byte, error)) error
}

// sealVersion is the first byte of a sealed value. It changes when the format
// does, and other versions count as absent.
const sealVersion = 1

// sealer seals the tokens of one account for a Store.
type sealer struct {
	key            string // under which the Store keeps the value
	aead           cipher.AEAD
	additionalData []byte
}

// newSealer derives both keys from the API key, each under a label of its own,
// so that neither tells anything of the other, or of the API key.
func newSealer(apiKey, baseURL string) (*sealer, error) {
	name, err1 := hkdf.Key(sha256.New, []byte(apiKey), nil, "apivideo store key\x00"+baseURL, 32)
	secret, err2 := hkdf.Key(sha256.New, []byte(apiKey), nil, "apivideo sealing key\x00"+baseURL, 32)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("apivideo: deriving the keys of the Store: %w", err)
	}
	key := hex.EncodeToString(name)
	block, _ := aes.NewCipher(secret) // of a valid length
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &sealer{key, aead, append([]byte{sealVersion}, baseURL+"\x00"+key...)}, err
}

// stored is the plain text of a sealed value.
type stored struct {
	Issued       time.Time      `json:"issued"`
	Lifetime     time.Duration  `json:"lifetime"` // nanoseconds
	AccessToken  string         `json:"access_token"`
	RefreshToken string         `json:"refresh_token,omitempty"`
	Extra        map[string]any `json:"extra,omitempty"` // without the tokens
}

// seal returns the value that a Store keeps of e.
func (s *sealer) seal(e *entry) ([]byte, error) {
	extra := maps.Clone(e.extra)
	delete(extra, "access_token")
	delete(extra, "refresh_token")
	plain, err := json.Marshal(stored{e.issued, e.lifetime, e.token.AccessToken, e.token.RefreshToken, extra})
	if err != nil {
		return nil, err
	}
	return s.aead.Seal([]byte{sealVersion}, nil, plain, s.additionalData), nil
}

// open returns the token of a sealed value, or nil if the value is not one
// that seal made for this account. By the time on this machine the token
// expires no later than its lifetime from now, whatever the clock said where
// it was sealed.
func (s *sealer) open(sealed []byte, now time.Time) *entry {
	if len(sealed) == 0 || sealed[0] != sealVersion {
		return nil
	}
	plain, err := s.aead.Open(nil, nil, sealed[1:], s.additionalData)
	if err != nil {
		return nil
	}
	var v stored
	if json.Unmarshal(plain, &v) != nil || v.Lifetime <= 0 || v.Lifetime > maxLifetime || checkAccessToken(v.AccessToken) != nil {
		return nil
	}
	remaining := min(v.Issued.Add(v.Lifetime).Sub(now), v.Lifetime)
	if remaining <= 0 {
		// It was left behind, or put back: its refresh token is likely spent.
		v.RefreshToken = ""
	}
	if v.Extra == nil {
		v.Extra = make(map[string]any)
	}
	v.Extra["access_token"] = v.AccessToken
	if v.RefreshToken != "" {
		v.Extra["refresh_token"] = v.RefreshToken
	}
	e := newEntry(grant{v.AccessToken, v.RefreshToken, v.Lifetime, v.Extra}, v.Issued, remaining, now)
	e.shared = true
	return e
}
