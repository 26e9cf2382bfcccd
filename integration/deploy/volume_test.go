package deploy

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// volume is a Secret that a kubelet has mounted as a folder. The file is a link
// by way of ..data, which the kubelet replaces when the Secret changes.
type volume struct {
	t       *testing.T
	dir     string
	version string
}

func (v *volume) set(version, key string) {
	v.t.Helper()
	require.NoError(v.t, os.Mkdir(filepath.Join(v.dir, version), 0o755))
	require.NoError(v.t, os.WriteFile(filepath.Join(v.dir, version, "key"), []byte(key), 0o440))
	require.NoError(v.t, os.Symlink(version, filepath.Join(v.dir, "..data_tmp")))
	require.NoError(v.t, os.Rename(filepath.Join(v.dir, "..data_tmp"), filepath.Join(v.dir, "..data")))
	if v.version != "" {
		require.NoError(v.t, os.RemoveAll(filepath.Join(v.dir, v.version)))
	} else {
		require.NoError(v.t, os.Symlink("..data/key", filepath.Join(v.dir, "key")))
	}
	v.version = version
}

// Promise: A program reads a changed Kubernetes Secret without a restart or a failed request.
func TestKeyInSecretVolumeRotates(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	old := srv.Config().APIKey
	v := &volume{t: t, dir: t.TempDir()}
	v.set("..2026_01", old)
	conf := &apivideo.Config{APIKeyFunc: apivideo.KeyFile(filepath.Join(v.dir, "key")), BaseURL: srv.URL}
	client := conf.Client(context.Background())
	list := func() {
		resp, err := client.Get(srv.URL + "/videos")
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, http.StatusOK, resp.StatusCode)
	}
	list()
	v.set("..2026_02", srv.AddKey())
	list()
	srv.DeleteKey(old)
	srv.RevokeAccessTokens() // the service may end its tokens with it
	list()
	assert.Equal(t, 2, srv.Counters().Authenticated)
}
