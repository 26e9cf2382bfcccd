// Package redact takes secrets out of text, and out of chains of errors.
package redact

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// Mark stands for a secret.
	Mark = "[redacted]"
	// Shorter strings are not redacted: they occur by chance, and real keys and
	// tokens are longer.
	minSecret = 8
	// MaxText is the most bytes of a server's text in a message.
	MaxText = 200
)

// Secrets are strings that no error, log or message may contain, longest first.
type Secrets []string

// New returns the secrets of all that are long enough to be one.
func New(all ...string) Secrets {
	ss := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return len(s) < minSecret })
	slices.SortFunc(ss, func(a, b string) int { return len(b) - len(a) })
	return ss
}

// Redact replaces every secret in s, plain or with JSON escapes. It takes time
// linear in the length of s.
func (ss Secrets) Redact(s string) string {
	spans := ss.find(s, nil)
	if strings.Contains(s, `\`) {
		plain, places := unescapeAll(s)
		for _, at := range ss.find(plain, nil) {
			spans = append(spans, span{places[at.start].start, places[at.end-1].end})
		}
	}
	if len(spans) == 0 {
		return s
	}
	slices.SortFunc(spans, func(a, b span) int { return a.start - b.start })
	var b strings.Builder
	done := 0
	for _, at := range spans {
		if at.start >= done {
			b.WriteString(s[done:at.start])
			b.WriteString(Mark)
		}
		done = max(done, at.end)
	}
	b.WriteString(s[done:])
	return b.String()
}

// span is a part of a string.
type span struct{ start, end int }

// find appends the places of the secrets in s.
func (ss Secrets) find(s string, spans []span) []span {
	for _, secret := range ss {
		for from := 0; ; {
			i := strings.Index(s[from:], secret)
			if i < 0 {
				break
			}
			spans = append(spans, span{from + i, from + i + len(secret)})
			from += i + len(secret)
		}
	}
	return spans
}

// unescapeAll decodes s as the inside of a JSON string. places has, for each
// byte of plain, the part of s that it comes from.
func unescapeAll(s string) (plain string, places []span) {
	var b strings.Builder
	for i := 0; i < len(s); {
		decoded, n := unescape(s[i:])
		b.WriteString(decoded)
		for range len(decoded) {
			places = append(places, span{i, i + n})
		}
		i += n
	}
	return b.String(), places
}

// Brief returns s redacted, on one line, and cut to [MaxText] bytes.
func (ss Secrets) Brief(s string) string {
	s = strings.ToValidUTF8(ss.Redact(s), "\uFFFD")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	return Truncate(ss.Redact(s), MaxText) // joined words may form a secret
}

// Truncate cuts s to n bytes, between characters.
func Truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// unescape decodes the escape at the start of s, or returns its first byte. n is
// how many bytes of s that takes.
func unescape(s string) (decoded string, n int) {
	switch {
	case s[0] != '\\' || len(s) == 1:
		return s[:1], 1
	case s[1] != 'u':
		return s[1:2], 2
	}
	r, ok := hex4(s)
	if !ok {
		return s[:1], 1
	}
	if low, ok := hex4(s[6:]); ok && utf16.IsSurrogate(r) {
		return string(utf16.DecodeRune(r, low)), 12
	}
	return string(r), 6
}

// hex4 decodes \u and four hexadecimal digits.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[:2] != `\u` {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err == nil
}
