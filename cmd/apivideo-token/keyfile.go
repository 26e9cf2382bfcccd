package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
)

// maxKey is more than any API key has, in bytes.
const maxKey = 4 << 10

// useKeyFile reads the API key from the file of acc.
func (acc *account) useKeyFile() (err error) {
	acc.conf.APIKey, err = readKey(acc.keyFile)
	return err
}

// readKey reads the API key from a file, less the line break at its end. Its
// errors leave out the name: it may be an API key, put into the wrong variable.
func readKey(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", keyFileError(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKey+1))
	if err != nil {
		return "", keyFileError(err)
	}
	key := strings.TrimRight(string(data), "\r\n")
	switch {
	case len(data) > maxKey:
		return "", setting("the file of %s is too long for an API key; name the file that has the key alone", keyFileVariable)
	case key == "":
		return "", setting("the file of %s is empty; put the API key into it", keyFileVariable)
	}
	return key, nil
}

func keyFileError(err error) error {
	return setting("the file of %s cannot be read: %v; name a file that has the API key", keyFileVariable, withoutPath(err))
}

// withoutPath is the cause of an error about a file.
func withoutPath(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	return err
}
