package main

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/apivideo/api.video-go-oauth2"
)

// useKeyFile reads the API key from the file of acc.
func (acc *account) useKeyFile() (err error) {
	acc.conf.APIKey, err = apivideo.KeyFile(acc.keyFile)(context.Background())
	if err != nil {
		return acc.explain(err)
	}
	return nil
}

// isStdin reports whether the name of a key file means standard input.
func isStdin(name string) bool {
	return slices.Contains([]string{"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"}, name)
}

// maxKey is how much of standard input is read, in bytes. API keys are shorter.
const maxKey = 4 << 10

// readStdin reads the API key from standard input.
func (acc *account) readStdin() error {
	data, err := io.ReadAll(io.LimitReader(acc.stdin, maxKey+1))
	key := strings.TrimRight(strings.TrimPrefix(string(data), "\xef\xbb\xbf"), "\r\n")
	switch {
	case err != nil:
		return setting("standard input cannot be read: %v", withoutPath(err))
	case len(data) > maxKey:
		return setting("standard input is too long for an API key; it must have only the key")
	case key == "":
		return setting("standard input is empty; pipe the API key into it")
	}
	acc.conf.APIKey = key // the library checks it
	return nil
}

// followKeyFile makes long-running commands read the file again at each
// renewal. A pipe can be read only once.
func (acc *account) followKeyFile() {
	info, err := os.Stat(acc.keyFile)
	if acc.keyFile == "" || err != nil || !info.Mode().IsRegular() {
		return
	}
	var first atomic.Pointer[string]
	first.Store(new(acc.conf.APIKey))
	again := apivideo.KeyFile(acc.keyFile)
	acc.conf.APIKey = ""
	acc.conf.APIKeyFunc = func(ctx context.Context) (string, error) {
		if key := first.Swap(nil); key != nil {
			return *key, nil
		}
		return again(ctx)
	}
}
