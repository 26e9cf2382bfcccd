package mask

import (
	"bytes"
	"strconv"
)

// widest is how many bytes one byte of a secret may have in a text: \u0041.
const widest = len(`\u0041`)

// escaped reports whether a visible ASCII character is escaped in b, as JSON may
// have it.
func escaped(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '\\')
		if i < 0 {
			return false
		}
		b = b[i+1:]
		if len(b) >= 5 && b[0] == 'u' && b[1] == '0' && b[2] == '0' && '2' <= b[3] && b[3] <= '7' {
			return true
		}
	}
}

// unescape returns b with its characters for their escapes, and for each byte of
// that the place in b, and the place of the end. An escape that is not whole at the
// end of b is left out.
func unescape(b []byte) (plain []byte, at []int) {
	plain, at = make([]byte, 0, len(b)), make([]int, 0, len(b)+1)
	i := 0
	for i < len(b) {
		c, n := unescapeOne(b[i:])
		if n > len(b)-i {
			break
		}
		plain, at = append(plain, c), append(at, i)
		i += n
	}
	return plain, append(at, i)
}

// unescapeOne returns the character at the beginning of b, and how many bytes it
// has there. They are more than b has if it ends within an escape.
func unescapeOne(b []byte) (c byte, n int) {
	switch {
	case b[0] == '%':
		return hex(b, 1)
	case b[0] != '\\':
		return b[0], 1
	case len(b) == 1:
		return 0, 2
	case b[1] == '/':
		return '/', 2
	case b[1] == 'u' && bytes.HasPrefix([]byte(`\u00`), b[:min(len(b), 4)]):
		return hex(b, 4)
	}
	return b[0], 1
}

// hex decodes the two digits at the place from. Other text stays as it is.
func hex(b []byte, from int) (c byte, n int) {
	if len(b) < from+2 {
		return 0, from + 2
	}
	code, err := strconv.ParseUint(string(b[from:from+2]), 16, 8)
	if err != nil {
		return b[0], 1
	}
	return byte(code), from + 2
}

// overwriteEscaped overwrites the secrets that have escapes.
func (s Set) overwriteEscaped(b []byte) {
	plain, at := unescape(b)
	for _, p := range s.patterns {
		for from := 0; ; {
			i := bytes.Index(plain[from:], p.text)
			if i < 0 {
				break
			}
			start, end := from+i, from+i+len(p.text)
			stars(plain[start:end])
			stars(b[at[start]:at[end]])
			from = end
		}
	}
}

func stars(b []byte) {
	for i := range b {
		b[i] = '*'
	}
}

// begunEscaped is begun for an end of b that may have escapes.
func (s Set) begunEscaped(b []byte) int {
	b = b[max(0, len(b)-widest*s.longest()):]
	if bytes.IndexByte(b, '\\') < 0 {
		return 0
	}
	plain, at := unescape(b)
	return len(b) - at[len(plain)-s.begun(plain)]
}
