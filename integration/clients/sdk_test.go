package clients_test

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
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

// generated returns a generated client for srv.
func generated(t *testing.T, srv *apivideotest.Server) *videos.ClientWithResponses {
	client, err := videos.NewClientWithResponses(srv.URL, videos.WithHTTPClient(srv.Config().Client(t.Context())))
	require.NoError(t, err)
	return client
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

// form returns a form with a file.
func form(t *testing.T, content string) (contentType string, body *bytes.Buffer) {
	body = new(bytes.Buffer)
	w := multipart.NewWriter(body)
	part, err := w.CreateFormFile("file", "video.mp4")
	require.NoError(t, err)
	_, err = io.WriteString(part, content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return w.FormDataContentType(), body
}

func TestAnUploadTokenThatIsRefusedCausesNoAuthCall(t *testing.T) {
	t.Parallel()
	const good, bad = "made-up-upload-token", "another-upload-token"
	srv := newServer(t)
	srv.HandleFunc("POST /upload", func(w http.ResponseWriter, r *http.Request) {
		file, _, err := r.FormFile("file")
		switch {
		case r.FormValue("token") != good:
			apivideotest.WriteProblem(w, apivideotest.Problem("authentication-invalid-upload-token"))
		case err != nil:
			apivideotest.WriteProblem(w, apivideotest.Problem("payload-is-invalid"))
		default:
			file.Close()
			respond(w, http.StatusCreated, video)
		}
	})
	client := generated(t, srv)
	upload := func(token string) *videos.UploadResponse {
		contentType, body := form(t, "made-up film")
		resp, err := client.UploadWithBodyWithResponse(t.Context(), &videos.UploadParams{Token: &token}, contentType, body)
		require.NoError(t, err)
		return resp
	}
	require.NotNil(t, upload(good).JSON201)
	refused := upload(bad)
	require.NotNil(t, refused.ApplicationproblemJSON401, "%s", refused.Status())
	assert.Equal(t, "The upload token is invalid or expired.", *refused.ApplicationproblemJSON401.Title)
	srv.RevokeAccessTokens() // which is healed all the same
	require.NotNil(t, upload(good).JSON201)
	assert.Equal(t, apivideotest.Counters{
		AuthCalls: 2, Authenticated: 1, Refreshed: 1, Authorized: 3, Unauthorized: 1,
	}, srv.Counters())
}
