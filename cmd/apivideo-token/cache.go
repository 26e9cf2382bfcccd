package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/filestore"
	"github.com/urfave/cli/v3"
)

// cacheFolder is the folder for tokens, or the reason why there is none.
type cacheFolder struct{ dir, unused string }

func (a *app) findCache() cacheFolder {
	if a.opts.noCache {
		return cacheFolder{unused: "-no-cache is set"}
	}
	dir, err := os.UserCacheDir() // without HOME, or with a relative XDG_CACHE_HOME
	if err != nil {
		return cacheFolder{unused: err.Error()}
	}
	return cacheFolder{dir: filepath.Join(dir, "apivideo")}
}

func (c cacheFolder) String() string {
	if c.dir == "" {
		return "none: " + c.unused
	}
	return c.dir
}

// store returns the Store in the folder, or nil if there is none: the token is
// then only printed. A folder that cannot be written to has the same effect,
// see [apivideo.Store].
func (a *app) store(c cacheFolder) apivideo.Store {
	if a.opts.verbose {
		a.say("cache: %v", c)
	}
	if c.dir == "" {
		return nil
	}
	store := filestore.New(c.dir)
	if !a.opts.verbose {
		return store
	}
	return talkingStore{store, a}
}

// talkingStore logs what the cache does.
type talkingStore struct {
	store apivideo.Store
	app   *app
}

func (s talkingStore) Load(ctx context.Context, key string) ([]byte, error) {
	value, err := s.store.Load(ctx, key)
	switch {
	case err != nil:
		s.app.say("cache: not used: %v", err)
	case len(value) == 0:
		s.app.say("cache: no token for account %s", key[:8])
	default:
		s.app.say("cache: found a token for account %s", key[:8])
	}
	return value, err
}

func (s talkingStore) Update(ctx context.Context, key string, fn func(context.Context, []byte) ([]byte, error)) error {
	kept := false
	err := s.store.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, error) {
		value, err := fn(ctx, old)
		kept = value != nil
		return value, err
	})
	switch {
	case err != nil:
		s.app.say("cache: cannot write: %v", err)
	case kept:
		s.app.say("cache: stored a new token for account %s", key[:8])
	}
	return err
}

// tokenFile matches the names of values in the folder, and of files that a
// killed process left there. The lock file stays: another run may hold the
// lock.
var tokenFile = regexp.MustCompile(`^[0-9a-f]{64}(\.tmp)?$`)

// logout deletes all tokens.
func (a *app) logout(context.Context, *cli.Command) error {
	c := a.findCache()
	if c.dir == "" {
		return setting("there is no cache: %s", c.unused)
	}
	files, err := os.ReadDir(c.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(statusOther, "the cache %s cannot be read: %v", c.dir, withoutPath(err))
	}
	for _, f := range files {
		if !tokenFile.MatchString(f.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(c.dir, f.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fail(statusOther, "a token in %s cannot be deleted: %v", c.dir, withoutPath(err))
		}
	}
	return nil
}

// withoutPath is the cause of an error about a file.
func withoutPath(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	return err
}
