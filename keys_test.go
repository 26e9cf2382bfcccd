package apivideo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// keyFile is a key file that a test writes to.
type keyFile string

// keyFile makes w.conf read its API key from a new file.
func (w *world) keyFile(t *testing.T) keyFile {
	f := keyFile(filepath.Join(t.TempDir(), "api-key"))
	f.write(t, w.conf.APIKey+"\n")
	w.conf.APIKey, w.conf.APIKeyFunc = "", apivideo.KeyFile(string(f))
	return f
}

func (f keyFile) write(t *testing.T, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(string(f), []byte(content), 0o600))
}

// deletions are the two ways in which a service may delete a key. The
// documentation does not say which is right.
var deletions = map[string]func(*apivideotest.Server, string){
	"tokens live on":  (*apivideotest.Server).DeleteKey,
	"tokens end, too": (*apivideotest.Server).DeleteKeyAndTokens,
}

// serveFor sends a request with each client in each interval. All of them must
// be answered.
func (w *world) serveFor(t *testing.T, d, interval time.Duration, clients ...*http.Client) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(interval) {
		for _, client := range clients {
			w.get(t, client, 200)
		}
	}
}

// Promise: A change of the API key fails no request, whether its tokens end with it or not.
func TestKeyFileChangeFailsNoRequest(t *testing.T) {
	for name, remove := range deletions {
		for _, later := range []time.Duration{0, time.Second, time.Hour, 24 * time.Hour} {
			for _, shared := range []bool{false, true} {
				t.Run(fmt.Sprint(name, " ", later, " ", shared), inFleet(func(t *testing.T, w *world) {
					if !shared {
						w.conf.Store = nil
					}
					old := w.conf.APIKey
					file := w.keyFile(t)
					clients := []*http.Client{w.client(), w.client(), w.client()}
					w.serveFor(t, 20*time.Minute, time.Minute, clients...)
					file.write(t, w.srv.AddKey())
					w.serveFor(t, later, min(later, 7*time.Minute), clients...)
					remove(w.srv, old)
					w.serveFor(t, 5*time.Hour, 13*time.Second, clients...)
					if shared {
						assert.LessOrEqual(t, w.authCalls(), 10+int(later.Hours()+1)*2)
					}
				}))
			}
		}
	}
}

// While the file is wrong for an hour, the last key stays in use.
//
// Promise: While the key file is unusable, the last key is used.
func TestKeyFileMistakeFailsNoRequest(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, f keyFile, key string){
		"empty":       func(t *testing.T, f keyFile, _ string) { f.write(t, "") },
		"a line end":  func(t *testing.T, f keyFile, _ string) { f.write(t, "\n") },
		"gone":        func(t *testing.T, f keyFile, _ string) { require.NoError(t, os.Remove(string(f))) },
		"with quotes": func(t *testing.T, f keyFile, key string) { f.write(t, `"`+key+`"`) },
		"UTF-16":      func(t *testing.T, f keyFile, _ string) { f.write(t, "\xff\xfem\x00a\x00d\x00e\x00") },
		"unreadable": func(t *testing.T, f keyFile, _ string) {
			require.NoError(t, os.Remove(string(f)))
			require.NoError(t, os.Mkdir(string(f), 0o700)) // root may read any file
		},
	} {
		t.Run(name, inFleet(func(t *testing.T, w *world) {
			log := w.lines()
			key := w.conf.APIKey
			file := w.keyFile(t)
			client := w.warmClient(t)
			spoil(t, file, key)
			w.serveFor(t, 3*time.Hour, time.Minute, client)
			w.srv.RevokeAccessTokens()
			w.serveFor(t, time.Minute, time.Second, client)
			found := log.where("api.video: API key not read, using the last one", slog.LevelWarn)
			require.NotEmpty(t, found)
			assert.Contains(t, attr(found[0], "error"), string(file))
			assert.NotContains(t, attr(found[0], "error"), key)

			_, err := w.source().Token() // of a program that starts
			require.ErrorIs(t, err, apivideo.ErrInvalidConfig)
			assert.ErrorContains(t, err, "the key file "+string(file))
			assert.NotContains(t, err.Error(), key)

			os.Remove(string(file))
			file.write(t, w.srv.AddKey())
			w.srv.DeleteKeyAndTokens(key)
			w.serveFor(t, 2*time.Hour, time.Minute, client)
		}))
	}
}

// Half a key is a wrong key. The token is used until its end, and the refresh
// token still works when the key is right again.
//
// Promise: A wrong key in the key file fails no request while the token is usable.
func TestKeyFileHalfWritten(t *testing.T) {
	for _, wrong := range []time.Duration{time.Second, 10 * time.Minute} {
		bubble(t, func(t *testing.T, w *world) {
			key := w.conf.APIKey
			file := w.keyFile(t)
			client := w.warmClient(t)
			w.serveFor(t, 45*time.Minute, time.Minute, client)
			file.write(t, key[:len(key)/2])
			w.serveFor(t, wrong, time.Second, client)
			file.write(t, key+"\n")
			w.serveFor(t, 2*time.Hour, time.Minute, client)
			assert.Equal(t, 1, w.srv.Counters().Authenticated)
		})
	}
}

// While the file is wrong and no token is left, requests fail with the reason.
// When it is right again they are served within one pause.
//
// Promise: After a wrong key is corrected, requests succeed within one pause.
func TestKeyFileWrongThenRight(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		key := w.conf.APIKey
		file := w.keyFile(t)
		file.write(t, "a-made-up-key-of-nobody")
		src := w.source()
		for range 600 { // until the pauses are long
			_, err := src.Token()
			require.ErrorIs(t, err, apivideo.ErrInvalidAPIKey)
			time.Sleep(time.Second)
		}
		file.write(t, key)
		mended := time.Now()
		pause := max(time.Until(src.Stats().NextAttempt), 0)
		for {
			if _, err := src.Token(); err == nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		assert.LessOrEqual(t, time.Since(mended), pause+100*time.Millisecond)
		assert.LessOrEqual(t, time.Since(mended), time.Minute)
	})
}

// For an hour one replica reads the old key and one the new.
//
// Promise: A change of the API key fails no request while some replicas still read the old key.
func TestKeyReplicasReadOldAndNew(t *testing.T) {
	for name, remove := range deletions {
		t.Run(name, inFleet(func(t *testing.T, w *world) {
			old := w.conf.APIKey
			files := []keyFile{w.keyFile(t), w.keyFile(t)}
			var clients []*http.Client
			for _, f := range files {
				f.write(t, old)
				w.conf.APIKeyFunc = apivideo.KeyFile(string(f))
				clients = append(clients, w.client(), w.client())
			}
			w.serveFor(t, time.Hour, time.Minute, clients...)
			before := w.authCalls()
			key := w.srv.AddKey()
			files[0].write(t, key)
			w.serveFor(t, time.Hour, time.Minute, clients...)
			files[1].write(t, key)
			remove(w.srv, old)
			w.serveFor(t, 3*time.Hour, time.Minute, clients...)
			assert.LessOrEqual(t, w.authCalls()-before, 12, "each key has its own entry in the Store")
		}))
	}
}

// The key changes during a flight with the old one, before or after the auth
// call reaches the service.
//
// Promise: A change of the API key during a renewal with the old key fails no request.
func TestKeyChangesDuringARenewal(t *testing.T) {
	for name, remove := range deletions {
		for _, after := range []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, 500 * time.Millisecond} {
			t.Run(fmt.Sprint(name, after), inFleet(func(t *testing.T, w *world) {
				old := w.conf.APIKey
				file := w.keyFile(t)
				src, _ := w.warm(t)
				client := src.Client(w.ctx)
				w.srv.SetAuthLatency(200 * time.Millisecond)
				w.srv.SetAnswerLatency(400 * time.Millisecond)
				go src.Renew(w.ctx)
				time.Sleep(after)
				file.write(t, w.srv.AddKey())
				remove(w.srv, old)
				w.serveFor(t, 10*time.Second, 100*time.Millisecond, client)
				w.serveFor(t, 3*time.Hour, time.Minute, client)
			}))
		}
	}
}

// The auth calls with both keys have 30 seconds together.
//
// Promise: If the API key changes during a renewal, its auth calls still have 30 seconds together.
func TestKeyChangeLeavesARenewal30Seconds(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		old := w.conf.APIKey
		file := w.keyFile(t)
		src, _ := w.warm(t)
		calls := 0
		w.setAuth(func(r *http.Request) (*http.Response, error) {
			switch calls++; calls {
			case 1:
				time.Sleep(9 * time.Second)
				return nil, errors.New("the connection is broken")
			case 2:
				time.Sleep(14 * time.Second)
				file.write(t, w.srv.AddKey())
				w.srv.DeleteKey(old)
				return w.srv.Transport().RoundTrip(r)
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		start := time.Now()
		_, err := src.Renew(w.ctx)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 30*time.Second, time.Since(start))
		assert.Equal(t, 3, calls)
	})
}

// The failures of the old key do not count against the new one, which has all
// its attempts.
//
// Promise: If the API key changes during a renewal, it has all its attempts with the new key.
func TestKeyChangeStartsTheAttemptsAnew(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		old := w.conf.APIKey
		file := w.keyFile(t)
		src, _ := w.warm(t)
		w.fail(apivideotest.Status(503))
		_, err := src.Renew(w.ctx)
		require.Error(t, err)
		w.fail(apivideotest.Fault{})
		time.Sleep(30 * time.Second)
		calls := 0
		w.setAuth(func(r *http.Request) (*http.Response, error) {
			switch calls++; calls {
			case 1:
				file.write(t, w.srv.AddKey())
				w.srv.DeleteKey(old)
			case 2, 3:
				return answer(503, "text/html", "<html>"), nil
			}
			return w.srv.Transport().RoundTrip(r)
		})
		mustRenew(t, src)
		assert.Equal(t, 4, calls)
	})
}

// The failure of a refused key does not delay the next key.
//
// Promise: Another API key ends the memory of failures.
func TestKeyChangeEndsTheMemoryOfFailures(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		log := w.lines()
		key := w.conf.APIKey
		file := w.keyFile(t)
		file.write(t, "a-made-up-key-of-nobody")
		src := w.source()
		for range 20 {
			_, err := src.Token()
			require.ErrorIs(t, err, apivideo.ErrInvalidAPIKey)
			time.Sleep(time.Until(src.Stats().NextAttempt))
		}
		file.write(t, key)
		w.fail(apivideotest.Status(503))
		_, err := src.Token()
		require.Equal(t, 503, asError(t, err).Status)
		assert.LessOrEqual(t, time.Until(src.Stats().NextAttempt), time.Second, "the first pause")
		w.fail(apivideotest.Fault{})
		time.Sleep(time.Second)
		mustToken(t, src)
		assert.Equal(t, 1, log.count("api.video: new API key", slog.LevelInfo))
		assert.Equal(t, 1, log.count("api.video: new access token", slog.LevelInfo))
	})
}

// A refresh token of one account is not sent for another.
//
// Promise: The refresh token of one key is not sent for another.
func TestKeyOfAnotherAccount(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		var refreshed int
		w.setAuth(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/refresh") {
				refreshed++
			}
			return w.srv.Transport().RoundTrip(r)
		})
		key := w.conf.APIKey
		other := w.srv.AddKey()
		file := w.keyFile(t)
		file.write(t, key)
		src, first := w.warm(t)
		file.write(t, other)
		second, _ := mustRenew(t, src)
		assert.NotEqual(t, first.AccessToken, second.AccessToken)
		assert.Zero(t, refreshed)
		assert.Len(t, w.store.Values(), 2)
		mustRenew(t, src)
		assert.Equal(t, 1, refreshed)
		file.write(t, key)
		third, _ := mustRenew(t, src)
		assert.NotEqual(t, second.AccessToken, third.AccessToken)
		assert.Equal(t, 2, refreshed, "the Store has the refresh token of the first key")
	})
}

// keyFunc makes w.conf ask f for its API key.
func (w *world) keyFunc(f func(context.Context) (string, error)) (key string) {
	key = w.conf.APIKey
	w.conf.APIKey, w.conf.APIKeyFunc = "", f
	return key
}

// Promise: `APIKeyFunc` has 5 seconds; its error, panic or Goexit is remembered like a temporary failure.
func TestKeyFuncFailsAtFirst(t *testing.T) {
	sealed := errors.New("the vault is sealed")
	for name, test := range map[string]struct {
		f    func(context.Context) (string, error)
		want string
		took time.Duration
	}{
		"an error":     {func(context.Context) (string, error) { return "", sealed }, "the vault is sealed", 0},
		"no key":       {func(context.Context) (string, error) { return "", nil }, "Config.APIKeyFunc returned no API key", 0},
		"a bad key":    {func(context.Context) (string, error) { return "made-up\nkey", nil }, "Config.APIKeyFunc has control characters", 0},
		"a panic":      {func(context.Context) (string, error) { panic("made-up panic") }, "panic: made-up panic", 0},
		"a Goexit":     {func(context.Context) (string, error) { goexit(); return "", nil }, "runtime.Goexit", 0},
		"blocks":       {func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }, "no answer within 5s", 5 * time.Second},
		"blocks, deaf": {func(context.Context) (string, error) { time.Sleep(time.Hour); return "", nil }, "no answer within 5s", 5 * time.Second},
	} {
		t.Run(name, inFleet(func(t *testing.T, w *world) {
			log := w.lines()
			w.keyFunc(test.f)
			src := w.source()
			for range 3 {
				start := time.Now()
				_, err := src.Token()
				assert.ErrorContains(t, err, "apivideo: getting the API key: ")
				assert.ErrorContains(t, err, test.want)
				assert.Equal(t, test.took, time.Since(start))
				assert.Equal(t, name == "an error", errors.Is(err, sealed))
				assert.Equal(t, name == "no key" || name == "a bad key", errors.Is(err, apivideo.ErrInvalidConfig))
				again := time.Now()
				_, same := src.Token()
				assert.Same(t, err, same, "it is remembered")
				assert.Zero(t, time.Since(again))
				assert.LessOrEqual(t, time.Until(src.Stats().NextAttempt), 4*time.Second, "like a passing failure")
				time.Sleep(4 * time.Second)
			}
			assert.Zero(t, w.authCalls())
			assert.Empty(t, w.store.Values())
			assert.Equal(t, name == "a panic", log.count("api.video: code called by the library crashed", slog.LevelError) > 0 && name != "a Goexit")
			time.Sleep(2 * time.Hour) // until the blocked code has ended
		}))
	}
}

// If an earlier key is known, a failure of the function fails no request.
//
// Promise: If an earlier key is known, a failing `APIKeyFunc` fails no request.
func TestKeyFuncFailsLater(t *testing.T) {
	for name, bad := range map[string]func(context.Context) (string, error){
		"an error": func(context.Context) (string, error) { return "", errors.New("the vault is sealed") },
		"a panic":  func(context.Context) (string, error) { panic("made-up panic") },
		"a Goexit": func(context.Context) (string, error) { goexit(); return "", nil },
		"blocks":   func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() },
		"deaf":     func(context.Context) (string, error) { time.Sleep(time.Hour); return "", nil },
	} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			log := w.lines()
			var f atomic.Value
			var key string
			f.Store(func(context.Context) (string, error) { return key, nil })
			key = w.keyFunc(func(ctx context.Context) (string, error) {
				return f.Load().(func(context.Context) (string, error))(ctx)
			})
			client := w.warmClient(t)
			f.Store(bad)
			for range 3 * 60 {
				time.Sleep(time.Minute)
				assert.Zero(t, w.get(t, client, 200))
			}
			assert.Equal(t, 1, w.srv.Counters().Authenticated, "it is refreshed on")
			w.srv.RevokeAccessTokens()
			assert.LessOrEqual(t, w.get(t, client, 200), 5*time.Second)
			failed := log.where("api.video: API key not read, using the last one", slog.LevelWarn)
			assert.NotEmpty(t, failed)
			crashed := name == "a panic" || name == "a Goexit"
			assert.Equal(t, crashed, log.count("api.video: code called by the library crashed", slog.LevelError) > 0)
			f.Store(func(context.Context) (string, error) { return key, nil })
			time.Sleep(2 * time.Hour)
			w.get(t, client, 200)
		}))
	}
}

// The function is asked once for each renewal, never for a request that has a
// token. Calls that do not return do not pile up.
//
// Promise: `APIKeyFunc` is called once for each renewal, once more if the service rejects the key, and never for a request with a token.
func TestKeyFuncIsAskedOncePerRenewal(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var calls, running, most atomic.Int32
		var slow atomic.Bool
		var key string
		key = w.keyFunc(func(context.Context) (string, error) {
			calls.Add(1)
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			if slow.Load() {
				time.Sleep(30 * time.Minute)
			}
			return key, nil
		})
		src := w.source()
		client := src.Client(w.ctx)
		w.serveFor(t, 40*time.Minute, time.Second, client)
		assert.EqualValues(t, 1, calls.Load())
		w.serveFor(t, time.Hour, time.Second, client)
		assert.EqualValues(t, 3, calls.Load())

		slow.Store(true)
		w.fail(apivideotest.Status(503)) // which brings many renewals
		for range 60 {
			src.Renew(w.ctx)
			time.Sleep(time.Minute)
		}
		assert.EqualValues(t, 4, most.Load())
		time.Sleep(2 * time.Hour)
	})
}

// Promise: Neither the current nor the last key is in an error, a log line or a printed value.
func TestKeysAreRedactedEverywhere(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		log := w.log()
		old := w.conf.APIKey
		file := w.keyFile(t)
		var texts strings.Builder
		var mu sync.Mutex
		read := w.conf.APIKeyFunc
		var loud atomic.Bool
		key, and := "", ", as is "+old
		w.conf.APIKeyFunc = func(ctx context.Context) (string, error) {
			if loud.Load() {
				return key, fmt.Errorf("the key %s is bad%s", key, and)
			}
			return read(ctx)
		}
		note := func(v any) {
			mu.Lock()
			defer mu.Unlock()
			texts.WriteString(everything(v))
		}
		src, _ := w.warm(t)
		key = w.srv.AddKey()
		file.write(t, key)
		w.setAuth(func(*http.Request) (*http.Response, error) {
			return answer(503, "text/plain", "no "+old+" "+key), nil
		})
		_, err := src.Renew(w.ctx)
		require.Error(t, err)
		note(err)
		note(src)
		note(src.Stats())
		note(w.conf)
		note(*w.conf)
		loud.Store(true)
		time.Sleep(time.Minute)
		_, err = src.Renew(w.ctx)
		require.Error(t, err)
		note(err)
		and = "" // a Source that starts knows of one key
		fresh := w.source()
		_, err = fresh.Token()
		require.ErrorContains(t, err, "is bad")
		note(err)
		note(errors.Unwrap(err))
		note(fresh.Stats())
		_, err = w.conf.Token(w.ctx)
		require.Error(t, err)
		note(err)
		synctest.Wait()
		all := texts.String() + log.String()
		for _, secret := range []string{old, key} {
			assert.NotContains(t, all, secret)
			assert.NotContains(t, all, fmt.Sprintf("%x", secret))
		}
		assert.Contains(t, fmt.Sprint(w.conf), "APIKey:from APIKeyFunc")
	})
}

// Promise: Setting both `APIKey` and `APIKeyFunc`, or neither, is an `ErrInvalidConfig` that names the field, and nothing is sent.
// Promise: A key file that cannot be read is an `ErrInvalidConfig` that names the file.
func TestKeySourceMistakes(t *testing.T) {
	fine := func(context.Context) (string, error) { return "made-up-key", nil }
	missing := filepath.Join(t.TempDir(), "no-such-file")
	long := filepath.Join(t.TempDir(), "long")
	require.NoError(t, os.WriteFile(long, []byte(strings.Repeat("k", 5000)), 0o600))
	for want, conf := range map[string]apivideo.Config{
		"apivideo: Config.APIKey and Config.APIKeyFunc are both set; use only one of them":               {APIKey: "made-up-key", APIKeyFunc: fine},
		"apivideo: Config.APIKey is empty; set it to the API key from the api.video dashboard":           {},
		"apivideo: getting the API key: the key file " + missing + " cannot be read: " + whyNot(missing): {APIKeyFunc: apivideo.KeyFile(missing)},
		"apivideo: getting the API key: the key file " + long + " is too long":                           {APIKeyFunc: apivideo.KeyFile(long)},
	} {
		ctx := through(t.Context(), func(*http.Request) (*http.Response, error) { panic("something was sent") })
		src := conf.Source(ctx)
		for name, call := range map[string]func() error{
			"Config.Token": func() error { _, err := conf.Token(ctx); return err },
			"Source.Token": func() error { _, err := src.Token(); return err },
			"Source.Renew": func() error { _, err := src.Renew(ctx); return err },
			"Client":       func() error { _, err := conf.Client(ctx).Get("https://ws.api.video/videos"); return err },
			"Stats":        func() error { src.Token(); return src.Stats().LastError },
		} {
			err := call()
			assert.ErrorIs(t, err, apivideo.ErrInvalidConfig, name)
			assert.ErrorContains(t, err, want, name)
		}
	}
	_, err := apivideo.KeyFile(missing)(t.Context())
	assert.ErrorIs(t, err, apivideo.ErrInvalidConfig)
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

// The mistakes that people make with key files each have their own message.
//
// Promise: Each common mistake in a key or key file has its own message, which does not show the key.
func TestKeyFileMistakeMessages(t *testing.T) {
	file := filepath.Join(t.TempDir(), "api-key")
	for content, want := range map[string]string{
		"made-up-key":                    "",
		"made-up-key\n":                  "",
		"made-up-key\r\n\r\n":            "",
		"\xef\xbb\xbfmade-up-key\n":      "",
		"made=up=key==":                  "",
		"":                               "is empty",
		"\xef\xbb\xbf\n":                 "is empty",
		`"made-up-key"`:                  "has quotes around it",
		"'made-up-key'\n":                "has quotes around it",
		"“made-up-key”":                  "has quotes around it",
		"APIVIDEO_API_KEY=made-up-key":   "has the name of a variable",
		"export API_KEY='made-up-key'\n": "has the name of a variable",
		"api-key: x\nother":              "has control characters",
		" made-up-key":                   "has spaces around it",
		"made-up-key \n":                 "has spaces around it",
		"made-up\u200bkey":               "has an invisible character (U+200B)",
		"made up key":                    "has a space in it",
		"mäde-up-key":                    "has a character that no API key has (U+00E4)",
		"\xff\xfem\x00a\x00d\x00e\x00":   "is UTF-16",
		"m\x00a\x00d\x00e\x00-\x00u\x00": "is UTF-16",
		"made-\xffup":                    "has control characters",
	} {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		key, err := apivideo.KeyFile(file)(t.Context())
		if want == "" {
			assert.NoError(t, err)
			assert.Contains(t, content, key)
			assert.NotContains(t, key, "\n")
			continue
		}
		assert.ErrorIs(t, err, apivideo.ErrInvalidConfig, "%q", content)
		assert.ErrorContains(t, err, want, "%q", content)
		assert.ErrorContains(t, err, file)
		assert.NotContains(t, err.Error(), "made-up-key")
	}
}

func goexit() { runtime.Goexit() }

// Promise: A function that flips between API keys costs about as many auth calls as one key; a key that is seen for the first time is tried at the next renewal.
func TestKeyFuncThatFlips(t *testing.T) {
	calls := map[int]int{}
	for _, keys := range []int{1, 2, 3, 100_000} {
		for _, rejected := range []bool{true, false} {
			bubble(t, func(t *testing.T, w *world) {
				n, seen := 0, map[string]bool{}
				w.keyFunc(func(context.Context) (string, error) { n++; return fmt.Sprint("made-up-key-", n%keys), nil })
				w.setAuth(func(r *http.Request) (*http.Response, error) {
					body, _ := io.ReadAll(r.Body)
					seen[string(body)] = true
					if rejected {
						return answer(401, "application/json", `{"type":"https://docs.api.video/reference/authentication-invalid-api-key"}`), nil
					}
					return answer(503, "text/plain", ""), nil
				})
				src := w.source()
				for end := time.Now().Add(15 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
					src.Token()
					if time.Since(end.Add(-15*time.Minute)) > 10*time.Second {
						require.GreaterOrEqual(t, len(seen), min(keys, 3), "each key was tried soon")
					}
				}
				calls[keys] = max(calls[keys], w.authCalls())
			})
		}
	}
	t.Log("auth calls in 15 minutes, by number of keys:", calls)
	assert.LessOrEqual(t, calls[1], 60)
	for keys, n := range calls {
		assert.LessOrEqual(t, n, 2*calls[1]+10, "%d keys", keys)
	}
}

// Promise: A renewal that is aborted while it waits for the API key logs nothing.
func TestKeyFuncOfAnAbortedRenewal(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		log := w.log()
		first := true
		key := w.conf.APIKey
		w.keyFunc(func(ctx context.Context) (string, error) {
			if first {
				first = false
				return key, nil
			}
			<-ctx.Done()
			return "", context.Cause(ctx)
		})
		ctx, cancel := context.WithCancel(w.ctx)
		src := w.conf.Source(ctx)
		mustToken(t, src)
		synctest.Wait()
		log.Reset()
		asked, leave := context.WithCancel(t.Context())
		done := background(func() { src.Renew(asked) })
		synctest.Wait()
		cancel()
		leave()
		done()
		time.Sleep(10 * time.Second)
		assert.NotContains(t, log.String(), "WARN")
		assert.NotContains(t, log.String(), "ERROR")
	})
}
