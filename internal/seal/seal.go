// Package seal encrypts the values that a Store keeps, under keys derived from
// an API key.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// version is the first byte of a sealed value. It changes when the format
// does. Values of another version are treated as missing.
const version = 1

// Box seals and opens the values of one account. It is safe for concurrent
// use.
type Box struct {
	// Functions, so that no dump of values shows the key.
	seal func(plain []byte) []byte
	open func(sealed []byte) ([]byte, error)
}

// Name is the key under which a Store keeps the value of an account: 64
// lower-case hexadecimal digits, derived from the API key. Without a Store it
// identifies the account in logs. It encrypts nothing, so a short key has one
// under GODEBUG=fips140=only too.
func Name(apiKey, baseURL string) (string, error) {
	var name []byte
	var err error
	fips140.WithoutEnforcement(func() { name, err = derive(apiKey, "apivideo store key\x00"+baseURL) })
	return hex.EncodeToString(name), err
}

// derive makes a key of the API key. Those of different labels reveal neither
// each other nor the API key.
func derive(apiKey, label string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, []byte(apiKey), nil, label, 32)
	if err != nil {
		return nil, fmt.Errorf("deriving the keys of the Store from the API key: %w", err)
	}
	return key, nil
}

// New returns the Box of an account. name is its [Name]. Under
// GODEBUG=fips140=only, an API key of less than 14 bytes is an error.
func New(apiKey, baseURL, name string) (*Box, error) {
	secret, err := derive(apiKey, "apivideo sealing key\x00"+baseURL)
	if err != nil && fips140.Enforced() {
		err = fmt.Errorf("with GODEBUG=fips140=only, a Store needs an API key of at least 14 bytes: %w", err)
	}
	if err != nil {
		return nil, err
	}
	block, _ := aes.NewCipher(secret) // of a valid length
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("encrypting values of the Store: %w", err)
	}
	additional := append([]byte{version}, baseURL+"\x00"+name...)
	return &Box{
		seal: func(plain []byte) []byte { return aead.Seal([]byte{version}, nil, plain, additional) },
		open: func(sealed []byte) ([]byte, error) { return aead.Open(nil, nil, sealed, additional) },
	}, nil
}

// Seal encrypts a value.
func (b *Box) Seal(plain []byte) []byte { return b.seal(plain) }

// Open decrypts a value. It returns nil unless Seal made the value for this
// account.
func (b *Box) Open(sealed []byte) []byte {
	if len(sealed) == 0 || sealed[0] != version {
		return nil
	}
	plain, err := b.open(sealed[1:])
	if err != nil {
		return nil
	}
	return plain
}
