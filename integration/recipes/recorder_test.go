package recipes_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/dnaeon/go-vcr.v4/pkg/recorder"
)

// recorded returns a client that records its requests in a file, or answers
// them from that file. The recorder is above the Transport: it sees requests
// before they get a token, and no auth call.
func recorded(ctx context.Context, conf *apivideo.Config, file string, mode recorder.Mode) (*recorder.Recorder, error) {
	return recorder.New(file, recorder.WithMode(mode),
		recorder.WithRealTransport(&apivideo.Transport{Source: conf.Source(ctx)}))
}

func TestRecorderKeepsNoToken(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	file := filepath.Join(t.TempDir(), "videos")
	conf := srv.Config()
	list := func(r *recorder.Recorder) {
		client := &http.Client{Transport: r}
		resp, err := client.Get(srv.URL + "/videos")
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, 200, resp.StatusCode)
		require.NoError(t, r.Stop())
	}
	r, err := recorded(t.Context(), conf, file, recorder.ModeRecordOnly)
	require.NoError(t, err)
	list(r)
	assert.Equal(t, 1, srv.Counters().AuthCalls)

	cassette, err := os.ReadFile(file + ".yaml")
	require.NoError(t, err)
	assert.Contains(t, string(cassette), "/videos")
	for _, secret := range []string{"Authorization", "Bearer", "access_token", "apiKey", conf.APIKey} {
		assert.False(t, strings.Contains(string(cassette), secret), secret)
	}

	// Replay needs neither the service nor an account.
	srv.Close()
	r, err = recorded(t.Context(), &apivideo.Config{APIKey: "made-up-key", BaseURL: srv.URL}, file, recorder.ModeReplayOnly)
	require.NoError(t, err)
	list(r)
}
