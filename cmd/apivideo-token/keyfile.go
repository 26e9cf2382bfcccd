package main

import (
	"context"
	"os"
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
