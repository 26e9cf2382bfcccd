package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

func TestTLSNamesItsAuthority(t *testing.T) {
	stdout := make(lines, 10)
	conf := account(t, start(t, stdout, "-tls"))
	name, value, _ := strings.Cut(strings.TrimSpace(<-stdout), "=")
	require.Equal(t, "APIVIDEO_CA_FILE", name)
	authority, err := os.ReadFile(value)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(authority))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: transport})
	resp, err := conf.Client(ctx).Get(conf.BaseURL + "/videos")
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, 200, resp.StatusCode)
	assert.Contains(t, string(body), `"player":"`+conf.BaseURL+"/", "assets are there too")
	_, err = (&apivideo.Config{APIKey: conf.APIKey, BaseURL: conf.BaseURL}).Token(t.Context())
	assert.Error(t, err, "nobody else trusts it")
}
