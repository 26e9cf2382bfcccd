package clients_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/integration/clients/videos"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"resty.dev/v3"
)

func TestRestyNeverMeetsA401(t *testing.T) {
	t.Parallel()
	t.Run("with the Transport under it", func(t *testing.T) {
		t.Parallel()
		srv := newServer(t)
		client := resty.New()
		defer client.Close()
		client.SetTransport(&apivideo.Transport{Source: srv.Config().Source(t.Context()), Base: client.Transport()})
		defer client.Client().CloseIdleConnections()
		acrossTheLifeOfTokens(t, srv, creatingWithResty(client.SetBaseURL(srv.URL)))
	})
	t.Run("around the client", func(t *testing.T) {
		t.Parallel()
		srv := newServer(t)
		client := resty.NewWithClient(srv.Config().Client(t.Context()))
		defer client.Close()
		acrossTheLifeOfTokens(t, srv, creatingWithResty(client.SetBaseURL(srv.URL)))
	})
}

func creatingWithResty(client *resty.Client) func() error {
	return func() error {
		var got videos.Video
		resp, err := client.R().SetBody(videos.NewVideo{Title: "A video"}).SetResult(&got).Post("/videos")
		if err == nil && got.VideoId != "vi1" {
			err = errors.New(resp.Status())
		}
		return err
	}
}

func TestAGeneratedClientNeverMeetsA401(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	srv.HandleFunc("GET /videos", func(w http.ResponseWriter, r *http.Request) { respond(w, http.StatusOK, `{"data":[]}`) })
	client := generated(t, srv)
	acrossTheLifeOfTokens(t, srv, func() error {
		resp, err := client.CreateVideoWithResponse(t.Context(), videos.NewVideo{Title: "A video"})
		if err == nil && (resp.JSON201 == nil || resp.JSON201.VideoId != "vi1") {
			err = errors.New(resp.Status())
		}
		return err
	})
	list, err := client.ListVideosWithResponse(t.Context())
	require.NoError(t, err)
	require.NotNil(t, list.JSON200)
	assert.Empty(t, list.JSON200.Data)
}
