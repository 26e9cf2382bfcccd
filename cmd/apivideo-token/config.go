package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/filestore"
)

// The environment that the program reads. What is empty counts as unset.
const (
	keyVariable     = "APIVIDEO_API_KEY"
	keyFileVariable = "APIVIDEO_API_KEY_FILE"
	baseURLVariable = "APIVIDEO_BASE_URL"
)

// maxKey is more than any API key has, in bytes.
const maxKey = 4 << 10

// config is what the environment and the flags say of the account, and where
// the key comes from, to be named in errors.
func (o *options) config(getenv func(string) string) (conf *apivideo.Config, keyName string, err error) {
	conf = &apivideo.Config{
		BaseURL:     getenv(baseURLVariable),
		Application: apivideo.Product{Name: "apivideo-token", Version: "1"},
	}
	if o.sandbox && conf.BaseURL != "" {
		return nil, "", usageError("-sandbox and " + baseURLVariable + " exclude each other; leave out the one or unset the other")
	}
	if o.sandbox {
		conf.BaseURL = apivideo.SandboxURL
	}
	if conf.APIKey, keyName, err = apiKey(getenv); err != nil {
		return nil, "", err
	}
	if !o.noCache {
		conf.Store = cache()
	}
	return conf, keyName, nil
}

// cache is the Store in the user's cache folder, or nil if there is no such
// folder: the token is then only printed. A folder that cannot be written to
// has the same effect, see [apivideo.Store].
func cache() apivideo.Store {
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil
	}
	return filestore.New(filepath.Join(dir, "apivideo"))
}

// apiKey returns the API key and where it comes from.
func apiKey(getenv func(string) string) (key, name string, err error) {
	key, file := getenv(keyVariable), getenv(keyFileVariable)
	switch {
	case key != "" && file != "":
		return "", "", usageError("both " + keyVariable + " and " + keyFileVariable + " are set; unset one")
	case key != "":
		return key, keyVariable, nil
	case file != "":
		key, err = readKey(file)
		return key, "the file of " + keyFileVariable, err
	}
	return "", "", errors.New("there is no API key; set " + keyVariable + ", or " + keyFileVariable + " to the name of a file that has it")
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
		return "", fmt.Errorf("the file of %s is too long for an API key; name the file that has the key alone", keyFileVariable)
	case key == "":
		return "", fmt.Errorf("the file of %s is empty; put the API key into it", keyFileVariable)
	}
	return key, nil
}

func keyFileError(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	}
	return fmt.Errorf("the file of %s cannot be read: %w; name a file that has the API key", keyFileVariable, err)
}
