// Package seal encrypts the values that a Store keeps, under keys derived from
// an API key.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// version is the first byte of a sealed value. It changes when the format
// does. Values of another version are treated as missing.
const version = 1

// Box seals and opens the values of one account. It is safe for concurrent
// use.
type Box struct {
	name           string
	aead           cipher.AEAD
	additionalData []byte
}

// New derives the name and the key from the API key, under separate labels, so
// that neither reveals the other or the API key.
func New(apiKey, baseURL string) (*Box, error) {
	nameKey, err1 := hkdf.Key(sha256.New, []byte(apiKey), nil, "apivideo store key\x00"+baseURL, 32)
	secret, err2 := hkdf.Key(sha256.New, []byte(apiKey), nil, "apivideo sealing key\x00"+baseURL, 32)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("apivideo: deriving the keys of the Store: %w", err)
	}
	name := hex.EncodeToString(nameKey)
	block, _ := aes.NewCipher(secret) // of a valid length
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &Box{name, aead, append([]byte{version}, baseURL+"\x00"+name...)}, err
}

// Name is the key under which the Store keeps the value: 64 lower-case
// hexadecimal digits.
func (b *Box) Name() string { return b.name }

// Seal encrypts a value.
func (b *Box) Seal(plain []byte) []byte {
	return b.aead.Seal([]byte{version}, nil, plain, b.additionalData)
}

// Open decrypts a value. It returns nil unless Seal made the value for this
// account.
func (b *Box) Open(sealed []byte) []byte {
	if len(sealed) == 0 || sealed[0] != version {
		return nil
	}
	plain, err := b.aead.Open(nil, nil, sealed[1:], b.additionalData)
	if err != nil {
		return nil
	}
	return plain
}
