package grant_test

import (
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/grant"
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
		g, err := grant.Decode(data, 24*time.Hour)
		if err != nil {
			assert.Less(t, len(err.Error()), 100, "nothing of the answer is in the error")
			return
		}
		assert.Regexp(t, "^[!-~]+$", g.AccessToken, "it can be sent in a header")
		assert.LessOrEqual(t, len(g.AccessToken), 16<<10)
		assert.Positive(t, g.Lifetime)
		assert.LessOrEqual(t, g.Lifetime, 24*time.Hour)
		assert.Equal(t, g.AccessToken, g.Extra["access_token"])
	})
}
