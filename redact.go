package apivideo

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	redacted = "[redacted]"
	// Shorter strings occur by chance; no real key or token is as short.
	minSecret = 8
	// How much of a server's text a message contains, in bytes.
	maxText = 200
)

// secrets are strings that no error, log or message may contain.
type secrets []string

// redact replaces every secret in s, whether it stands there plainly or as a
// part of JSON, in whichever way that is escaped.
func (ss secrets) redact(s string) string {
	for _, secret := range ss {
		if len(secret) >= minSecret {
			s = strings.ReplaceAll(s, secret, redacted)
			s = replaceEscaped(s, secret)
		}
	}
	return s
}

// brief is s redacted, on one line, and cut to [maxText].
func (ss secrets) brief(s string) string {
	s = strings.ToValidUTF8(ss.redact(s), "\uFFFD")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	return truncate(s, maxText)
}

// error returns err, or if a secret is in its text, an error with the redacted
// text and nothing to unwrap.
func (ss secrets) error(err error) error {
	if text := err.Error(); ss.redact(text) != text {
		return errors.New(ss.brief(text))
	}
	return err
}

// header returns a redacted copy of h.
func (ss secrets) header(h http.Header) http.Header {
	h = h.Clone()
	for _, values := range h {
		for i, v := range values {
			values[i] = ss.redact(v)
		}
	}
	return h
}

// problem returns p with every text in it redacted.
func (ss secrets) problem(p Problem) Problem {
	p.Type, p.Title, p.Name = ss.redact(p.Type), ss.redact(p.Title), ss.redact(p.Name)
	for i := range p.Problems {
		p.Problems[i] = ss.problem(p.Problems[i])
	}
	return p
}

// truncate cuts s to n bytes, between characters.
func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// replaceEscaped redacts where s spells the secret as JSON may.
func replaceEscaped(s, secret string) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(s); i++ {
		if n := escapedPrefix(s[i:], secret); n > 0 {
			b.WriteString(s[done:i])
			b.WriteString(redacted)
			done = i + n
			i = done - 1
		}
	}
	if done == 0 {
		return s
	}
	b.WriteString(s[done:])
	return b.String()
}

// escapedPrefix is the length of the secret's JSON spelling at the start of
// s, or 0.
func escapedPrefix(s, secret string) int {
	i := 0
	for _, want := range secret {
		r, n := unescape(s[i:])
		if n == 0 || r != want {
			return 0
		}
		i += n
	}
	return i
}

// unescape reads one character of a JSON string and how long it is.
func unescape(s string) (rune, int) {
	if len(s) >= 2 && s[0] == '\\' {
		if s[1] != 'u' {
			return rune(s[1]), 2
		}
		r, ok := hex4(s)
		if !ok {
			return 0, 0
		}
		if low, ok := hex4(s[6:]); ok && utf16.IsSurrogate(r) {
			return utf16.DecodeRune(r, low), 12
		}
		return r, 6
	}
	return utf8.DecodeRuneInString(s)
}

// hex4 reads \u and four hexadecimal digits.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[:2] != `\u` {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err == nil
}
