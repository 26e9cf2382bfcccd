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

// maxKey is how much of standard input, or of a command's output, is read, in
// bytes. API keys are shorter.
const maxKey = 4 << 10

// readKey finds the API key.
func (acc *account) readKey(getenv func(string) string) (err error) {
	key, file, command := getenv(keyVariable), getenv(keyFileVariable), getenv(keyCommandVariable)
	var set []string
	for _, name := range []string{keyVariable, keyFileVariable, keyCommandVariable} {
		if getenv(name) != "" {
			set = append(set, name)
		}
	}
	switch {
	case len(set) > 1:
		return setting("%s are set; use only one of them", strings.Join(set, " and "))
	case key != "":
		acc.conf.APIKey, acc.keyName = key, keyVariable
		return nil
	case isStdin(file):
		acc.keyName, acc.usedStdin = "standard input", true
		err = acc.readStdin()
	case file != "":
		acc.keyName, acc.keyFile = "the file of "+keyFileVariable, file
		acc.conf.APIKey, err = apivideo.KeyFile(acc.keyFile)(context.Background())
	case command != "":
		acc.keyName, acc.command = "the output of "+keyCommandVariable, &keyCommand{line: command}
		if acc.conf.APIKey, err = acc.command.key(context.Background()); err == nil {
			err = acc.verify(acc.conf.Source(context.Background()))
		}
	default:
		return setting("there is no API key; set %s, %s to the name of a file that has it, or %s", keyVariable, keyFileVariable, keyCommandVariable)
	}
	if err != nil {
		return acc.explain(err)
	}
	return nil
}

// follow makes long-running commands ask for the key again: a file is read at
// each renewal, and a command runs again after the service rejected its key. The
// Source must be made with the context that follow returns.
func (acc *account) follow(ctx context.Context) context.Context {
	switch {
	case acc.command != nil:
		acc.conf.APIKey, acc.conf.APIKeyFunc = "", acc.command.key
		return withClient(ctx, refusals{acc.command})
	case acc.keyFile != "":
		acc.followKeyFile()
	}
	return ctx
}

// isStdin reports whether the name of a key file means standard input.
func isStdin(name string) bool {
	return slices.Contains([]string{"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"}, name)
}

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

// followKeyFile reads the file at each renewal, unless it is a pipe, which can be
// read only once.
func (acc *account) followKeyFile() {
	info, err := os.Stat(acc.keyFile)
	if err != nil || !info.Mode().IsRegular() {
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
