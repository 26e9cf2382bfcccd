// Package mask overwrites secrets in text and in streams. The text keeps its
// length.
package mask

import (
	"bytes"
	"encoding/binary"
	"net/url"
	"slices"
	"strings"
)

const (
	// gram is how many bytes are looked up at once.
	gram = 4
	// minSecret is the length of the shortest secret that is searched for. Shorter
	// ones would be found in ordinary words.
	minSecret = 2 * gram
)

// Set is a set of secrets. The zero Set has none. It is safe for concurrent use.
type Set struct{ patterns []pattern }

// New returns the set of secrets, each as it is and as JSON and URLs may have
// it. It leaves out those of less than 8 bytes.
func New(secrets ...string) Set {
	var forms []string
	for _, s := range secrets {
		forms = append(forms, s, strings.ReplaceAll(s, "/", `\/`), url.QueryEscape(s))
	}
	slices.Sort(forms)
	var set Set
	for _, form := range slices.Compact(forms) {
		if len(form) >= minSecret {
			set.patterns = append(set.patterns, newPattern(form))
		}
	}
	return set
}

// Overwrite overwrites each secret in b with asterisks.
func (s Set) Overwrite(b []byte) {
	for _, p := range s.patterns {
		p.overwrite(b)
	}
}

// Text is s with asterisks instead of the secrets.
func (s Set) Text(text string) string {
	b := []byte(text)
	s.Overwrite(b)
	return string(b)
}

// Has reports whether a secret is in text.
func (s Set) Has(text string) bool {
	return slices.ContainsFunc(s.patterns, func(p pattern) bool { return strings.Contains(text, string(p.text)) })
}

// longest returns the length of the longest secret.
func (s Set) longest() int {
	n := 0
	for _, p := range s.patterns {
		n = max(n, len(p.text))
	}
	return n
}

// begun returns the length of the longest end of b that may be the beginning of
// a secret.
func (s Set) begun(b []byte) int {
	longest := 0
	for _, p := range s.patterns {
		longest = max(longest, p.begun(b))
	}
	return longest
}

// pattern is one text to search for. Where it occurs, every stride bytes there
// is one of its grams: the search looks at few bytes of the rest.
type pattern struct {
	text   []byte
	grams  *[1 << 10]uint64 // a bit for each hash of a gram
	stride int
}

func newPattern(s string) pattern {
	p := pattern{[]byte(s), new([1 << 10]uint64), len(s) - gram + 1}
	for i := range p.stride {
		word, bit := hash(p.text[i:])
		p.grams[word] |= 1 << bit
	}
	return p
}

// hash returns the bit of the gram at the beginning of b.
func hash(b []byte) (word, bit uint32) {
	h := binary.NativeEndian.Uint32(b) * 0x9e3779b1 >> 16
	return h >> 6, h & 63
}

func (p pattern) overwrite(b []byte) {
	for at := 0; at+gram <= len(b); {
		word, bit := hash(b[at:])
		if p.grams[word]>>bit&1 == 0 || !bytes.Contains(p.text, b[at:at+gram]) {
			at += p.stride
			continue
		}
		from := max(0, at-p.stride+1)
		found := bytes.Index(b[from:min(len(b), at+len(p.text))], p.text)
		if found < 0 {
			at += p.stride
			continue
		}
		at = from + found
		for range p.text {
			b[at] = '*'
			at++
		}
	}
}

func (p pattern) begun(b []byte) int {
	b = b[max(0, len(b)-len(p.text)+1):]
	for len(b) > 0 && !bytes.HasPrefix(p.text, b) {
		next := bytes.IndexByte(b[1:], p.text[0])
		if next < 0 {
			return 0
		}
		b = b[1+next:]
	}
	return len(b)
}
