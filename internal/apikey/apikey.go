// Package apikey checks API keys, and gets them from files and from functions of
// the program.
package apikey

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxFile is the size limit of a key file, in bytes. API keys are shorter.
const maxFile = 4 << 10

// ReadFile returns the API key in a file. A byte order mark before the key and
// line breaks after it are ignored. The errors name the file.
func ReadFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", unreadable(name, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", unreadable(name, err)
	}
	if len(data) > maxFile {
		return "", fmt.Errorf("the key file %s is too long for an API key; the file must contain only the key", name)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	key := strings.TrimRight(string(data), "\r\n")
	if key == "" {
		return "", fmt.Errorf("the key file %s is empty; put the API key into it", name)
	}
	return key, Check(key, "the content of the key file "+name)
}

func unreadable(name string, err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	}
	return fmt.Errorf("the key file %s cannot be read: %w", name, err)
}

// assignment matches an API key with a variable name before it, as in a .env file.
var assignment = regexp.MustCompile(`^\s*(export\s+)?([A-Z_][A-Z0-9_]*|\w*(?i:key)\w*)=[^=]`)

// Check validates an API key, which consists of visible ASCII. The error says
// what to do. It names the key by its place and never shows it.
func Check(key, place string) error {
	first, _ := utf8.DecodeRuneInString(key)
	last, _ := utf8.DecodeLastRuneInString(key)
	switch {
	case strings.HasPrefix(key, "\xff\xfe"), strings.HasPrefix(key, "\xfe\xff"), 3*strings.Count(key, "\x00") > len(key):
		return fmt.Errorf("%s is UTF-16; write it as plain text (UTF-8)", place)
	case assignment.MatchString(key):
		return fmt.Errorf("%s has the name of a variable before the key; remove all up to the equals sign", place)
	case len(key) > 1 && first == last && strings.ContainsRune("\"'`", first), first == '“', first == '‘':
		return fmt.Errorf("%s has quotes around it; remove them", place)
	case !utf8.ValidString(key) || strings.ContainsFunc(key, unicode.IsControl):
		return fmt.Errorf("%s has control characters, perhaps a line break; remove them", place)
	case strings.TrimSpace(key) != key:
		return fmt.Errorf("%s has spaces around it; remove them", place)
	}
	for _, r := range key {
		switch {
		case unicode.Is(unicode.Cf, r):
			return fmt.Errorf("%s has an invisible character (%U); copy the key again, or type it", place, r)
		case unicode.IsSpace(r):
			return fmt.Errorf("%s has a space in it; an API key has none", place)
		case r > '~':
			return fmt.Errorf("%s has a character that no API key has (%U); copy the key again", place, r)
		}
	}
	return nil
}
