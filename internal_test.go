package apivideo

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/tokencache"
	"github.com/stretchr/testify/assert"
)

func FuzzDecodeGrant(f *testing.F) {
	for _, seed := range []string{
		`{"token_type":"Bearer","expires_in":3600,"access_token":"a.b.c","refresh_token":"00ff"}`,
		`{"access_token":"x","expires_in":"60"}`, `{"access_token":"x","expires_in":1e400}`,
		`{"access_token":"x\r\n"}`, `{}`, `null`, `[]`, `{"access_token":"x"}{}`, "<html>", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := decodeGrant(data)
		if err != nil {
			assert.Less(t, len(err.Error()), 100, "nothing of the answer is in the error")
			return
		}
		assert.NoError(t, checkAccessToken(g.AccessToken))
		assert.Positive(t, g.Lifetime)
		assert.LessOrEqual(t, g.Lifetime, tokencache.MaxLifetime)
		assert.Equal(t, "Bearer "+g.AccessToken, tokencache.NewToken(g, time.Now()).Bearer)
	})
}

func FuzzRefusal(f *testing.F) {
	const secret = `made-up/"key"\`
	for _, seed := range []string{
		`{"type":"https://docs.api.video/reference/authentication-invalid-api-key","title":"The API key is invalid.","status":401}`,
		`{"title":"` + secret + `"}`, `{"title":"made-up\/\"key\"\\"}`, `{"problems":[{"title":"x"},{}]}`, "<html>", "",
	} {
		f.Add(401, []byte(seed), "3", "text/html")
	}
	f.Fuzz(func(t *testing.T, status int, data []byte, retryAfter, contentType string) {
		resp := &http.Response{StatusCode: status, Header: http.Header{
			"Content-Type": {contentType}, "Retry-After": {retryAfter}, "X-Ratelimit-Retry-After": {retryAfter},
		}}
		e := (&exchange{op: authenticate, secrets: newSecrets(secret)}).refusal(resp, data)
		text := e.Error()
		assert.Less(t, len(text), 400)
		assert.NotContains(t, text, secret)
		assert.NotContains(t, text, "\n")
		assert.NotContains(t, e.Title+e.Type+e.Name, secret)
		assert.NotContains(t, string(e.answer.Body), secret)
		assert.LessOrEqual(t, len(e.answer.Body), 1<<10)
		assert.GreaterOrEqual(t, e.RetryAfter, time.Duration(0))
		assert.Equal(t, status, e.Status)
	})
}

// JSON spells a character beyond the basic plane as two escapes.
func TestSecretsRedactSurrogates(t *testing.T) {
	got := newSecrets("made-up-\U0001D11E-key").redact(`a made-up-\ud834\udd1e-key, escaped`)
	assert.Equal(t, "a [redacted], escaped", got)
}

// A secret inside another, and text that only looks like one at length.
func TestSecretsRedactLongestFirst(t *testing.T) {
	ss := newSecrets("made-up-key", "made-up-key-and-more", "short", strings.Repeat("a", 2800)+"b")
	assert.Equal(t, "[redacted], [redacted], short", ss.redact("made-up-key-and-more, made-up-key, short"))
	assert.Equal(t, "[redacted]", ss.brief("made-up-\nkey"[:8]+"key"))
	long := strings.Repeat("a", 1<<20) + `\n`
	assert.Equal(t, long, ss.redact(long))
}
