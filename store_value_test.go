package apivideo_test

import (
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/internal/memstore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// largestValue is how much a Store reads of a value, in bytes.
const largestValue = 64 << 10

// The wrong time of a machine that stored a token or a failure. Each bubble
// starts at midnight of 2000-01-01.
func TestStoreValueOfAWrongClock(t *testing.T) {
	for _, ahead := range []time.Duration{2 * time.Hour, 30 * 365 * 24 * time.Hour} {
		var values map[string][]byte
		for _, failing := range []bool{false, true} {
			fleet(t, func(t *testing.T, w *world) {
				time.Sleep(ahead)
				w.conf.APIKey = "made-up-key"
				w.setAuth(grant("dead", "dead-refresh-token"))
				src, _ := w.warm(t)
				if failing {
					w.setAuth(reply(403, "application/json", `{"title":"made-up"}`))
					_, err := src.Renew(w.ctx)
					require.Error(t, err)
				}
				values = w.store.Values()
			})
			fleet(t, func(t *testing.T, w *world) {
				w.store.SetValues(values)
				w.conf.APIKey = "made-up-key"
				w.setAuth(grant("alive", ""))
				for range 2 {
					tok, _ := mustToken(t, w.source())
					assert.Equal(t, "alive", tok.AccessToken, "%v ahead", ahead)
				}
				assert.Equal(t, 1, w.authCalls(), "the second one takes it from the Store")
			})
		}
	}
}

// A replica answers reads. It does not have the new token yet, and the old one
// was revoked.
func TestStoreRenewWithALaggingReplica(t *testing.T) {
	fleet(t, func(t *testing.T, w *world) {
		revoked, _ := mustToken(t, w.source())
		w.srv.RevokeAccessTokens()
		time.Sleep(time.Second)
		w.conf.Store = &playedStore{Store: w.store, load: func() ([]byte, error) { return nil, nil }}
		tok, _ := mustRenew(t, w.source())
		assert.NotEqual(t, revoked.AccessToken, tok.AccessToken)
		assert.True(t, w.srv.Valid(tok.AccessToken))
	})
}

func TestStoreOneNameForAnEndpoint(t *testing.T) {
	for _, same := range [][]string{
		{"https://ws.api.video", "https://WS.api.video:443/", "https://ws.api.video:0443", "HTTPS://ws.api.video:/."},
		{"https://ws.api.video/caf%c3%a9", "https://ws.api.video/caf%C3%A9/", "https://ws.api.video/café"},
		{"https://[::1]", "https://[0:0:0::1]:443", "https://[0000::0001]:00443"},
		{"https://[2001:DB8::A]", "https://[2001:db8:0::a]"},
		{"https://wſ.api.video"},
		{"https://ws.api.video:8443"},
		{"https://ws.api.video/cafe"},
	} {
		for _, base := range same {
			assert.Equal(t, storeKeys(t, same[0]), storeKeys(t, base), base)
			if other := "https://ws.api.video"; same[0] != other {
				assert.NotEqual(t, storeKeys(t, other), storeKeys(t, base), base)
			}
		}
	}
}

// storeKeys returns the key under which a Source for this base URL keeps its
// token.
func storeKeys(t *testing.T, base string) (keys []string) {
	store := memstore.New()
	mustToken(t, sourceThrough(t, apivideo.Config{BaseURL: base, Store: store}, grant("made-up-token", "")))
	for key := range store.Values() {
		keys = append(keys, key)
	}
	require.Len(t, keys, 1)
	return keys
}

// Whatever the service sends, the token is shared.
func TestStoreValueStaysSmall(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	problem := `{"type":"https://docs.example/made-up","title":"` + long + `","problems":[{"title":"` + long + `"}]}`
	for name, answers := range map[string][]tripper{
		"a long failure":       {grant("made-up-token", "made-up-refresh"), reply(400, "application/json", problem)},
		"a long refresh token": {grant("made-up-token", long)},
		"long fields":          {reply(200, "application/json", `{"access_token":"made-up-token","about":"`+long+`"}`)},
	} {
		fleet(t, func(t *testing.T, w *world) {
			w.setAuth(answers[0])
			src, _ := w.warm(t)
			for _, next := range answers[1:] {
				w.setAuth(next)
				_, err := src.Renew(w.ctx)
				require.Error(t, err)
			}
			for _, value := range w.store.Values() {
				assert.LessOrEqual(t, len(value), largestValue, name)
			}
			calls := w.authCalls()
			other := w.source()
			tok, _ := mustToken(t, other)
			assert.Equal(t, "made-up-token", tok.AccessToken)
			if len(answers) > 1 {
				other.Invalidate(tok)
				_, err := other.Token()
				assert.ErrorContains(t, err, "xxx…", "the failure is shared, too")
			}
			assert.Equal(t, calls, w.authCalls())
		})
	}
}
