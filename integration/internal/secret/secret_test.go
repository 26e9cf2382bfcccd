package secret_test

import (
	"testing"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/secret"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSecretsOfTheStandInAreFound(t *testing.T) {
	srv := apivideotest.NewUnstartedServer()
	conf := srv.Config()
	tok, err := conf.Token(srv.Context(t.Context()))
	require.NoError(t, err)
	for _, s := range []string{conf.APIKey, tok.AccessToken[:40], tok.RefreshToken[:80], tok.RefreshToken[600:]} {
		assert.NotEmpty(t, secret.In("It is "+s+"."), s)
	}
	assert.Empty(t, secret.In("apivideo: authenticate: 401 "+conf.BaseURL))
}
