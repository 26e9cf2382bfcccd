package tokencache

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

// maxTokens is how many retired tokens are remembered, in case a Store still has
// one.
const maxTokens = 16

// fingerprint identifies an access token in a Store and in memory. It cannot be
// used as a token.
type fingerprint string

func fingerprintOf(accessToken string) fingerprint {
	sum := sha256.Sum256([]byte(accessToken))
	return fingerprint(hex.EncodeToString(sum[:8]))
}

// tokenSet is a set of access tokens. It forgets first those that expire first.
type tokenSet []retired

type retired struct {
	id     fingerprint
	expiry time.Time
}

func (s tokenSet) has(t *Token) bool {
	return slices.ContainsFunc(s, func(r retired) bool { return r.id == t.id })
}

func (s *tokenSet) add(t *Token) {
	s.remove(t)
	*s = append(*s, retired{t.id, t.Expiry})
	if len(*s) > maxTokens {
		first := slices.MinFunc(*s, func(a, b retired) int { return a.expiry.Compare(b.expiry) })
		*s = slices.DeleteFunc(*s, func(r retired) bool { return r.id == first.id })
	}
}

func (s *tokenSet) remove(t *Token) {
	*s = slices.DeleteFunc(*s, func(r retired) bool { return r.id == t.id })
}
