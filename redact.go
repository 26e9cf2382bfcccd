package apivideo

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	redacted = "[redacted]"
	// Shorter strings are not redacted: they occur by chance, and real keys and
	// tokens are longer.
	minSecret = 8
	// The most bytes of a server's text in a message.
	maxText = 200
)

// secrets are strings that no error, log or message may contain, longest first.
type secrets []string

func newSecrets(all ...string) secrets {
	ss := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return len(s) < minSecret })
	slices.SortFunc(ss, func(a, b string) int { return len(b) - len(a) })
	return ss
}

// tokensIn returns the tokens of an answer that may be an AccessToken.
func tokensIn(data []byte) (tokens []string) {
	var fields map[string]any
	_ = json.Unmarshal(data, &fields)
	for _, name := range []string{"access_token", "refresh_token"} {
		token, _ := text(fields, name)
		tokens = append(tokens, token)
	}
	return tokens
}

// redact replaces every secret in s, plain or with JSON escapes. It takes time
// linear in the length of s.
func (ss secrets) redact(s string) string {
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
			b.WriteString(redacted)
		}
		done = max(done, at.end)
	}
	b.WriteString(s[done:])
	return b.String()
}

// span is a part of a string.
type span struct{ start, end int }

// find appends the places of the secrets in s.
func (ss secrets) find(s string, spans []span) []span {
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
		r, n := unescape(s[i:])
		if n == 0 { // not an escape
			r, n = rune(s[i]), 1
		}
		before := b.Len()
		if r == utf8.RuneError && n == 1 {
			b.WriteByte(s[i])
		} else {
			b.WriteRune(r)
		}
		for range b.Len() - before {
			places = append(places, span{i, i + n})
		}
		i += n
	}
	return b.String(), places
}

// brief returns s redacted, on one line, and cut to [maxText] bytes.
func (ss secrets) brief(s string) string {
	s = strings.ToValidUTF8(ss.redact(s), "\uFFFD")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	return truncate(ss.redact(s), maxText) // joined words may form a secret
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

// plainHeader returns only the header fields that never contain a credential.
// Others may contain a new one, which redact does not know.
func plainHeader(h http.Header) http.Header {
	plain := make(http.Header)
	for _, name := range []string{
		"Content-Type", "Content-Length", "Date", "Server", "Via", "Retry-After",
		"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Retry-After",
	} {
		if values := h.Values(name); len(values) > 0 {
			plain[name] = slices.Clone(values)
		}
	}
	return plain
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

// unescape decodes the first character of a JSON string. It returns its length
// in s, or 0 if the escape is invalid.
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

// hex4 decodes \u and four hexadecimal digits.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[:2] != `\u` {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err == nil
}
