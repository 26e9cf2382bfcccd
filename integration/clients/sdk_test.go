package clients_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/integration/clients/videos"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"resty.dev/v3"
)

func TestRestySeesNo401(t *testing.T) {
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

func TestGeneratedClientSeesNo401(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	client, err := videos.NewClientWithResponses(srv.URL, videos.WithHTTPClient(srv.Config().Client(t.Context())))
	require.NoError(t, err)
	acrossTheLifeOfTokens(t, srv, func() error {
		resp, err := client.CreateVideoWithResponse(t.Context(), videos.NewVideo{Title: "A video"})
		if err == nil && (resp.JSON201 == nil || resp.JSON201.VideoId != "vi1") {
			err = errors.New(resp.Status())
		}
		return err
	})
}

// The 401 of a refused upload token is not about the access token.
func TestUploadTokenRefusalCausesNoAuthCall(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	srv.HandleFunc("POST /upload", wholeOnly(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("token") != "good" {
			apivideotest.WriteProblem(w, apivideotest.Problem("authentication-invalid-upload-token"))
			return
		}
		createVideo(w, r)
	}))
	client := srv.Config().Client(t.Context())
	good, bad := creating(client, srv.URL+"/upload?token=good"), creating(client, srv.URL+"/upload?token=bad")
	require.NoError(t, good())
	assert.ErrorContains(t, bad(), "The upload token is invalid or expired.")
	srv.RevokeAccessTokens()
	require.NoError(t, good(), "a revocation is another matter")
	assert.Equal(t, apivideotest.Counters{
		AuthCalls: 2, Authenticated: 1, Refreshed: 1, Authorized: 3, Unauthorized: 1,
	}, srv.Counters())
}
