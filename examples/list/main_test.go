package main

import (
	"io"
	"os"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestListPrintsVideos(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	t.Setenv("APIVIDEO_BASE_URL", srv.URL)
	t.Setenv("APIVIDEO_API_KEY", srv.Config().APIKey)
	stdout := os.Stdout
	defer func() { os.Stdout = stdout }()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	os.Stdout = w

	main()
	require.NoError(t, w.Close())
	printed, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Contains(t, string(printed), `"data":[]`)
	assert.Equal(t, 1, srv.Counters().Authorized)
}
