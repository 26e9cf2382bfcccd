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

// unreadable is the error of the operating system for a file. It is a mistake in the
// settings if there is no such file, or if the user may not read it. Others may pass:
// too many files are open, a disk fails, or the file is being replaced.
func unreadable(name string, err error) error {
	at, statErr := os.Stat(name)
	mistake := statErr != nil || at.IsDir() || errors.Is(err, fs.ErrPermission)
	if inner, ok := errors.AsType[*fs.PathError](err); ok {
		err = inner.Err
	}
	err = fmt.Errorf("the key file %s cannot be read: %w", name, err)
	if !mistake {
		return &Passing{err}
	}
	return err
}

// Passing is an error that no change of the settings helps against.
type Passing struct{ err error }

func (p *Passing) Error() string { return p.err.Error() }

// Unwrap returns the error of the operating system.
func (p *Passing) Unwrap() error { return p.err }

// assignment matches a value with a variable name before it, as in a .env file.
var assignment = regexp.MustCompile(`^\s*(export\s+)?([A-Z_][A-Z0-9_]*|\w*(?i:key|url)\w*)=[^=]`)

// CheckText finds the mistakes that people make when they copy a setting. The error
// says what to do. It names the setting by its place and never shows it. what is a
// word for the setting.
func CheckText(text, place, what string) error {
	first, _ := utf8.DecodeRuneInString(text)
	last, _ := utf8.DecodeLastRuneInString(text)
	switch {
	case strings.HasPrefix(text, "\xff\xfe"), strings.HasPrefix(text, "\xfe\xff"), 3*strings.Count(text, "\x00") > len(text):
		return fmt.Errorf("%s is UTF-16; write it as plain text (UTF-8)", place)
	case assignment.MatchString(text):
		return fmt.Errorf("%s has the name of a variable before the %s; remove all up to the equals sign", place, what)
	case len(text) > 1 && first == last && strings.ContainsRune("\"'`", first), first == '“', first == '‘':
		return fmt.Errorf("%s has quotes around it; remove them", place)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return fmt.Errorf("%s has control characters, perhaps a line break; remove them", place)
	case strings.TrimSpace(text) != text:
		return fmt.Errorf("%s has spaces around it; remove them", place)
	}
	for _, r := range text {
		if unicode.Is(unicode.Cf, r) {
			return fmt.Errorf("%s has an invisible character (%U); copy the %s again, or type it", place, r, what)
		}
	}
	return nil
}

// Check validates an API key, which consists of visible ASCII. See [CheckText].
func Check(key, place string) error {
	if err := CheckText(key, place, "key"); err != nil {
		return err
	}
	for _, r := range key {
		switch {
		case unicode.IsSpace(r):
			return fmt.Errorf("%s has a space in it; an API key has none", place)
		case r > '~':
			return fmt.Errorf("%s has a character that no API key has (%U); copy the key again", place, r)
		}
	}
	return nil
}
