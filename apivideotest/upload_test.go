package apivideotest_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// upload sends a file, in a part of a file if there is a Content-Range.
func upload(t *testing.T, srv *apivideotest.Server, path, contentRange, content string, fields ...string) reply {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("video.mp4", "video.mp4") // official clients name the field so
	require.NoError(t, err)
	file.Write([]byte(content))
	for i := 0; i < len(fields); i += 2 {
		require.NoError(t, form.WriteField(fields[i], fields[i+1]))
	}
	require.NoError(t, form.Close())
	req, err := http.NewRequest("POST", srv.URL+path, &body)
	require.NoError(t, err)
	req.SetBasicAuth(srv.Config().APIKey, "")
	req.Header.Set("Content-Type", form.FormDataContentType())
	if contentRange != "" {
		req.Header.Set("Content-Range", contentRange)
	}
	resp, err := srv.Client().Do(req)
	require.NoError(t, err)
	return read(t, resp)
}

// newVideo makes a video and returns its identifier.
func newVideo(t *testing.T, srv *apivideotest.Server) string {
	t.Helper()
	r := call(t, srv, "POST", "/videos", basic(srv.Config().APIKey+":"), `{"title":"A"}`)
	require.Equal(t, 201, r.status)
	return r.VideoID
}

// Promise: Uploads arrive whole or in parts, in any order and side by side.
func TestUploads(t *testing.T) {
	type part struct{ contentRange, content string }
	for name, parts := range map[string][]part{
		"whole":        {{"", "made-up film"}},
		"parts":        {{"part 1/3", "made"}, {"part 2/3", "-up "}, {"part 3/3", "film"}},
		"any order":    {{"part 3/3", "film"}, {"part 1/3", "made"}, {"part 2/3", "-up "}},
		"sent twice":   {{"part 1/2", "lost"}, {"part 1/2", "made-up "}, {"part 2/2", "film"}},
		"progressive":  {{"part 1/*", "made"}, {"part 2/*", "-up "}, {"part 3/3", "film"}},
		"bytes":        {{"bytes 0-3/12", "made"}, {"bytes 8-11/12", "film"}, {"bytes 4-7/12", "-up "}},
		"one of one":   {{"part 1/1", "made-up film"}},
		"bytes, whole": {{"bytes 0-11/12", "made-up film"}},

		"whole after a part":    {{"part 1/3", "lost"}, {"", "made-up film"}},
		"whole after bytes":     {{"bytes 0-3/12", "lost"}, {"", "made-up film"}},
		"bytes after a part":    {{"part 1/3", "lost"}, {"bytes 0-7/12", "made-up "}, {"bytes 8-11/12", "film"}},
		"a part after bytes":    {{"bytes 4-7/8", "lost"}, {"part 1/2", "made-up "}, {"part 2/2", "film"}},
		"fewer parts":           {{"part 1/3", "lost"}, {"part 3/3", "lost"}, {"part 1/2", "made-up "}, {"part 2/2", "film"}},
		"more parts":            {{"part 1/2", "lost"}, {"part 1/3", "made"}, {"part 2/3", "-up "}, {"part 3/3", "film"}},
		"other size":            {{"bytes 0-3/8", "lost"}, {"bytes 4-11/12", "-up film"}, {"bytes 0-3/12", "made"}},
		"fewer, progressive":    {{"part 1/*", "lost"}, {"part 3/*", "lost"}, {"part 1/*", "made-up "}, {"part 2/2", "film"}},
		"more, progressive":     {{"part 2/2", "lost"}, {"part 3/*", "film"}, {"part 1/*", "made"}, {"part 2/*", "-up "}, {"part 3/3", "film"}},
		"progressive bytes":     {{"bytes 0-3/*", "made"}, {"bytes 8-11/12", "film"}, {"bytes 4-7/*", "-up "}},
		"larger ranges":         {{"bytes 0-2/12", "mad"}, {"bytes 3-5/12", "e-u"}, {"bytes 0-5/12", "made-u"}, {"bytes 6-11/12", "p film"}},
		"ranges that overlap":   {{"bytes 6-11/12", "p film"}, {"bytes 0-3/12", "made"}, {"bytes 2-7/12", "de-up "}},
		"a range in another":    {{"bytes 0-7/12", "made-up "}, {"bytes 0-3/12", "made"}, {"bytes 2-3/12", "de"}, {"bytes 8-11/12", "film"}},
		"a range of two others": {{"bytes 0-5/12", "made-u"}, {"bytes 4-9/12", "-up fi"}, {"bytes 5-10/12", "up fil"}, {"bytes 11-11/12", "m"}},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, srv *apivideotest.Server) {
				id := newVideo(t, srv)
				for _, p := range parts {
					assert.Nil(t, srv.UploadedFile(id))
					r := upload(t, srv, "/videos/"+id+"/source", p.contentRange, p.content)
					assert.Equal(t, []any{201, id}, []any{r.status, r.VideoID})
				}
				assert.Equal(t, "made-up film", string(srv.UploadedFile(id)))
				r := upload(t, srv, "/videos/"+id+"/source", "", "another")
				assert.Equal(t, []any{400, "file"}, []any{r.status, r.Name}, "a video has one source")
				assert.Equal(t, "made-up film", string(srv.UploadedFile(id)))
			})
		})
	}
}

func TestUploadRefusals(t *testing.T) {
	srv := apivideotest.NewUnstartedServer()
	id := newVideo(t, srv)
	for _, contentRange := range []string{
		"part 0/2", "part 3/2", "part -1/*", "part x/2", "part 1", "bytes 0-3/3", "bytes 3-0/4", "bytes -1-2/4", "bytes 0-2/4", "bytes */4", "bytes 4-3/*", "nonsense",
		"part 1/2 or so", "part 1/0", "part +1/+1", "part  1/1", "bytes 0-3/4x", "bytes 0-9223372036854775807/9223372036854775807",
	} {
		assert.Equal(t, "payload-is-invalid", upload(t, srv, "/videos/"+id+"/source", contentRange, "film").id(), contentRange)
	}
	assert.Equal(t, 400, upload(t, srv, "/videos/"+id+"/source", "", "").status)
	assert.Equal(t, 404, upload(t, srv, "/videos/made-up/source", "", "film").status)
	assert.Equal(t, 400, call(t, srv, "POST", "/videos/"+id+"/source", basic(srv.Config().APIKey+":"), "no form").status)
	assert.Nil(t, srv.UploadedFile(id))
	assert.Nil(t, srv.UploadedFile("made-up"))

	upload(t, srv, "/videos/"+id+"/source", "bytes 0-3/8", "made")
	upload(t, srv, "/videos/"+id+"/source", "bytes 2-5/8", "de-u")
	assert.Nil(t, srv.UploadedFile(id), "eight bytes that overlap are not the file")
}

func TestDelegatedUploads(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		path := "/upload?token=" + srv.IssueUploadToken(0)
		whole := upload(t, srv, path, "", "made-up film")
		assert.Equal(t, []any{201, "video.mp4"}, []any{whole.status, whole.Title})
		assert.Equal(t, "made-up film", string(srv.UploadedFile(whole.VideoID)))

		first := upload(t, srv, path, "part 1/*", "made-up ")
		last := upload(t, srv, path, "part 2/2", "film", "videoId", first.VideoID)
		assert.Equal(t, first.VideoID, last.VideoID)
		assert.NotEqual(t, whole.VideoID, last.VideoID)
		assert.Equal(t, "made-up film", string(srv.UploadedFile(last.VideoID)))

		r := upload(t, srv, path, "part 2/2", "film")
		assert.Equal(t, 201, r.status)
		assert.NotEqual(t, first.VideoID, r.VideoID, "a part that names no video makes one")
		assert.Nil(t, srv.UploadedFile(r.VideoID))
		assert.Equal(t, 404, upload(t, srv, path, "part 2/2", "film", "videoId", "made-up").status)
		assert.Equal(t, 400, upload(t, srv, path, "", "").status)
		expired := upload(t, srv, "/upload?token="+srv.IssueUploadToken(-time.Second), "", "film")
		assert.Equal(t, "authentication-invalid-upload-token", expired.id())
	})
}
