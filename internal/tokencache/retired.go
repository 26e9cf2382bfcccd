package tokencache

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// maxTokens is how many retired tokens are remembered. A Store is late by one or
// two.
const maxTokens = 16

// fingerprint identifies an access token in a Store and in memory. It cannot be
// used as a token.
type fingerprint string

func fingerprintOf(accessToken string) fingerprint {
	sum := sha256.Sum256([]byte(accessToken))
	return fingerprint(hex.EncodeToString(sum[:8]))
}

// tokenSet is a set of access tokens. It keeps the latest maxTokens.
type tokenSet []fingerprint

func (s tokenSet) has(id fingerprint) bool { return slices.Contains(s, id) }

func (s *tokenSet) add(id fingerprint) {
	s.remove(id)
	*s = append(*s, id)
	if len(*s) > maxTokens {
		*s = slices.Delete(*s, 0, 1)
	}
}

func (s *tokenSet) remove(id fingerprint) {
	*s = slices.DeleteFunc(*s, func(other fingerprint) bool { return other == id })
}
