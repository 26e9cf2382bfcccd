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

// New returns the set of secrets, each as it is and as JSON and URLs often have
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

// overwrite overwrites each secret in b with asterisks, if it has the form that New
// knows.
func (s Set) overwrite(b []byte) {
	for i := range s.patterns {
		s.patterns[i].overwrite(b)
	}
}

// Text is text with asterisks instead of the secrets, which may have any escapes of
// JSON and URLs.
func (s Set) Text(text string) string {
	b := []byte(text)
	s.overwrite(b)
	s.overwriteEscaped(b)
	return string(b)
}

// Has reports whether a secret is in text.
func (s Set) Has(text string) bool { return s.Text(text) != text }

// HasFold is Has, ignoring case.
func (s Set) HasFold(text string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(s.patterns, func(p pattern) bool { return strings.Contains(text, strings.ToLower(string(p.text))) })
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
	for i := range s.patterns {
		longest = max(longest, s.patterns[i].begun(b))
	}
	return longest
}

// pattern is one text to search for. Where it occurs, every stride bytes there
// is one of its grams: the search looks at few bytes of the rest.
type pattern struct {
	text   []byte
	table  *[1 << tableBits]uint8 // 1 at the hashes of grams
	stride int
}

// tableBits is the size of a table, so that it fits into the fastest cache, and
// few grams that are not in a token of 1,000 bytes have the hash of one.
const tableBits = 14

func newPattern(s string) pattern {
	p := pattern{[]byte(s), new([1 << tableBits]uint8), len(s) - gram + 1}
	for i := range p.stride {
		p.table[hash(p.text[i:])] = 1
	}
	return p
}

// hash returns the place of the gram at the beginning of b.
func hash(b []byte) uint32 { return binary.LittleEndian.Uint32(b) * 0x9e3779b1 >> (32 - tableBits) }

// has reports whether the gram at the beginning of b is one of p.
func (p *pattern) has(b []byte) bool {
	return p.table[hash(b)] != 0 && bytes.Contains(p.text, b[:gram])
}

// skip returns the first place from at on where a gram may be, in steps of
// stride. Most of the time of a search is here, so it looks at four places at
// once.
func (p *pattern) skip(b []byte, at int) int {
	table, one, two, three := p.table, p.stride, 2*p.stride, 3*p.stride
	for ; at+three+gram <= len(b); at += 4 * one {
		if table[hash(b[at:])]|table[hash(b[at+one:])]|table[hash(b[at+two:])]|table[hash(b[at+three:])] != 0 {
			break
		}
	}
	for at+gram <= len(b) && table[hash(b[at:])] == 0 {
		at += one
	}
	return at
}

func (p *pattern) overwrite(b []byte) {
	for at := p.skip(b, 0); at+gram <= len(b); at = p.skip(b, at) {
		if !p.has(b[at:]) {
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
		stars(b[at : at+len(p.text)])
		at += len(p.text)
	}
}

// begun returns the length of the longest end of b that p begins with.
func (p *pattern) begun(b []byte) int {
	most := gram - 1
	if len(b) >= gram && p.has(b[len(b)-gram:]) { // else no longer one ends here
		most = len(p.text) - 1
	}
	b = b[max(0, len(b)-most):]
	for len(b) > 0 && !bytes.HasPrefix(p.text, b) {
		next := bytes.IndexByte(b[1:], p.text[0])
		if next < 0 {
			return 0
		}
		b = b[1+next:]
	}
	return len(b)
}
