package standin_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Promise: Uploads arrive whole or in parts, in any order and side by side.
func TestStatusDescribesTheParts(t *testing.T) {
	c := newClient(t)
	id := c.video(`{"title": "A"}`)
	status := func() object { return c.call(200, "GET", "/videos/"+id+"/status", "") }
	s := status()
	assert.NotContains(t, s, "ingest", "nothing has arrived")
	assert.Equal(t, false, s.get("encoding.playable"))
	c.upload(201, "/videos/"+id+"/source", "film.mp4", "-up ", "part 2/*")
	c.upload(201, "/videos/"+id+"/source", "film.mp4", "film", "part 3/3")
	s = status()
	assert.Equal(t, []any{"uploading", nil, false}, []any{s.get("ingest.status"), s.get("ingest.filesize"), s.get("encoding.playable")})
	assert.Equal(t, []any{[]any{2.0, 3.0}, 3.0}, []any{s.get("ingest.receivedParts.parts"), s.get("ingest.receivedParts.total")})
	c.upload(201, "/videos/"+id+"/source", "film.mp4", "made", "part 1/*")
	s = status()
	assert.Equal(t, []any{"uploaded", 12.0, true}, []any{s.get("ingest.status"), s.get("ingest.filesize"), s.get("encoding.playable")})
	assert.NotEmpty(t, s.get("encoding.qualities"))
	assert.Nil(t, s.get("encoding.metadata.width"))

	id = c.video(`{"title": "B"}`)
	c.upload(201, "/videos/"+id+"/source", "film.mp4", "made", "bytes 0-3/8")
	assert.Equal(t, []any{map[string]any{"from": 0.0, "to": 3.0, "total": 8.0}}, status().get("ingest.receivedBytes"))
	c.upload(201, "/videos/"+id+"/source", "film.mp4", "film", "bytes 4-7/*")
	assert.Equal(t, 8.0, status().get("ingest.filesize"))
	id = c.video(`{"title": "C"}`)
	c.upload(201, "/videos/"+id+"/source", "film.mp4", "film", "bytes 4-7/*")
	assert.Equal(t, []any{map[string]any{"from": 4.0, "to": 7.0}}, status().get("ingest.receivedBytes"), "the total is not known")
	c.upload(201, "/videos/"+id+"/source", "film.mp4", "made", "")
	assert.Equal(t, []any{map[string]any{"from": 0.0, "to": 3.0, "total": 4.0}}, status().get("ingest.receivedBytes"))
}

// Promise: Uploads arrive whole or in parts, in any order and side by side.
func TestUploadPartsSideBySide(t *testing.T) {
	c := newClient(t)
	id := c.video(`{"title": "A"}`)
	const parts = 50
	var wg sync.WaitGroup
	for i := range 2 * (parts - 1) { // each arrives twice
		wg.Go(func() {
			c.upload(201, "/videos/"+id+"/source", "film.mp4", "part", fmt.Sprintf("part %d/%d", i/2+1, parts))
			c.call(200, "GET", "/videos/"+id+"/status", "")
			c.call(200, "GET", "/videos?tags[]=x", "")
			c.call(200, "PATCH", "/videos/"+id, `{"tags": ["x"]}`)
		})
	}
	wg.Wait()
	c.upload(201, "/videos/"+id+"/source", "film.mp4", "part", fmt.Sprintf("part %d/%d", parts, parts))
	assert.Equal(t, 200.0, c.call(200, "GET", "/videos/"+id+"/status", "").get("ingest.filesize"))
	assert.Equal(t, "file", c.upload(400, "/videos/"+id+"/source", "film.mp4", "part", "")["name"])
}

func TestUploadMistakesHaveTheirProblem(t *testing.T) {
	c := newClient(t)
	id := c.video(`{"title": "A"}`)
	kind := func(o object) string {
		at := o["type"].(string)
		return at[strings.LastIndex(at, "/")+1:]
	}
	source := "/videos/" + id + "/source"
	assert.Equal(t, "uploaded-file-no-file", kind(c.upload(400, source, "film.mp4", "", "")))
	assert.Equal(t, "payload-is-invalid", kind(c.upload(400, source, "film.mp4", "x", "part x")))
	assert.Equal(t, "payload-is-invalid", kind(c.call(400, "POST", source, "no form")))
	two := "--b\r\nContent-Disposition: form-data; name=a; filename=a\r\n\r\nx\r\n--b\r\nContent-Disposition: form-data; name=b; filename=b\r\n\r\nx\r\n--b--\r\n"
	w := c.send("POST", source, "multipart/form-data; boundary=b", strings.NewReader(two))
	assert.Equal(t, "uploaded-file-multiple-files", kind(c.answer(400, w)))
	w = c.send("POST", source, "multipart/form-data; boundary=b", strings.NewReader("--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--\r\n"))
	assert.Equal(t, "uploaded-file-no-file", kind(c.answer(400, w)))

	p := c.upload(400, "/videos/"+id+"/thumbnail", "picture.png", "x", "")
	assert.Equal(t, []any{"uploaded-file-extension-invalid", "Only [jpeg, jpg, JPG, JPEG] extensions are supported."}, []any{kind(p), p["title"]})
	assert.Equal(t, "payload-is-invalid", kind(c.upload(400, "/videos/"+id+"/thumbnail", "picture.jpg", strings.Repeat("x", 9<<20), "")))
	assert.Equal(t, "payload-is-invalid", kind(c.upload(400, "/watermarks", "picture.jpg", "x", "", "field", strings.Repeat("x", 100<<10))))
	assert.Empty(t, c.call(200, "GET", "/watermarks", "").texts("watermarkId"))
	assert.NotContains(t, c.call(200, "GET", "/videos/"+id+"/status", ""), "ingest")
}

// The Node.js client names a stream "file".
func TestPictureWithoutExtension(t *testing.T) {
	c := newClient(t)
	var picture bytes.Buffer
	require.NoError(t, png.Encode(&picture, image.NewGray(image.Rect(0, 0, 1, 1))))
	c.upload(200, "/watermarks", "file", picture.String(), "")
	c.upload(400, "/videos/"+c.video(`{"title": "A"}`)+"/thumbnail", "file", picture.String(), "")
}

func TestLogoHasItsLink(t *testing.T) {
	c := newClient(t)
	id := c.create("/players", "playerId", `{"link": "rgba(1, 2, 3, 1)"}`)
	assert.Equal(t, map[string]any{}, c.call(200, "GET", "/players/"+id, "")["assets"])
	p := c.upload(201, "/players/"+id+"/logo", "logo.png", "x", "", "link", "https://example.com")
	assert.Equal(t, []any{"https://example.com", "rgba(1, 2, 3, 1)"}, []any{p.get("assets.link"), p["link"]}, "the link of a logo is no color")
	c.call(204, "DELETE", "/players/"+id+"/logo", "")
	assert.Equal(t, map[string]any{}, c.call(200, "GET", "/players/"+id, "")["assets"])
}

// Promise: Delegated uploads need a valid upload token; a part without `videoId` makes a video.
func TestDelegatedUploadNeedsGoodToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		token := c.create("/upload-tokens", "token", `{"ttl": 60}`)
		first := c.upload(201, "/upload?token="+token, "film.mp4", "made-up ", "part 1/*")
		id := first["videoId"].(string)
		assert.Equal(t, "film.mp4", first["title"])
		alone := c.upload(201, "/upload?token="+token, "film.mp4", "film", "part 2/2")["videoId"].(string)
		assert.NotEqual(t, id, alone, "a part that names no video makes one")
		assert.Equal(t, "uploading", c.call(200, "GET", "/videos/"+alone+"/status", "").get("ingest.status"))
		c.upload(404, "/upload?token="+token, "film.mp4", "film", "part 2/2", "videoId", "vi7")
		c.upload(201, "/upload?token="+token, "film.mp4", "film", "part 2/2", "videoId", id)
		assert.Equal(t, 12.0, c.call(200, "GET", "/videos/"+id+"/status", "").get("ingest.filesize"))
		time.Sleep(time.Minute)
		c.call(404, "GET", "/upload-tokens/"+token, "")
		assert.Empty(t, c.call(200, "GET", "/upload-tokens", "").texts("token"))
		for path, reason := range map[string]string{"/upload?token=" + token: "invalid", "/upload?token=made-up": "invalid", "/upload": "missing"} {
			assert.Contains(t, c.upload(401, path, "film.mp4", "x", "")["type"], reason+"-upload-token")
		}
	})
}

// Promise: The URLs in `assets` answer without authorization.
func TestAssetsAnswer(t *testing.T) {
	c := newClient(t)
	video := c.call(201, "POST", "/videos", `{"title": "<A>"}`)
	live := c.call(200, "POST", "/live-streams", `{"name": "A"}`)
	caption := c.upload(200, "/videos/"+video["videoId"].(string)+"/captions/en", "en.vtt", "WEBVTT", "")
	get := func(url any) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		c.service.ServeHTTP(w, httptest.NewRequest("GET", url.(string), nil)) // without a key
		return w
	}
	for path, contentType := range map[string]string{
		"player": "text/html; charset=utf-8", "hls": "application/vnd.apple.mpegurl", "thumbnail": "image/jpeg",
	} {
		for _, o := range []object{video, live} {
			w := get(o.get("assets." + path))
			assert.Equal(t, []any{200, contentType}, []any{w.Code, w.Header().Get("Content-Type")}, path)
		}
	}
	hls := video.get("assets.hls").(string)
	assert.Contains(t, get(hls).Body.String(), "\nsegment.ts\n")
	assert.Equal(t, 188, get(strings.Replace(hls, "manifest.m3u8", "segment.ts", 1)).Body.Len())
	assert.Contains(t, get(video.get("assets.player")).Body.String(), "<title>&lt;A&gt;</title>")
	assert.Equal(t, "WEBVTT\n", get(caption["src"]).Body.String())
	assert.Equal(t, 404, get(video.get("assets.mp4")).Code)
	c.call(204, "DELETE", "/videos/"+video["videoId"].(string), "")
	assert.Equal(t, 404, get(video.get("assets.player")).Code)
}

// The request of a client that is slow, or never ends, holds no lock.
//
// Promise: A client that is slow, or never finishes, blocks nobody.
func TestSlowUploadBlocksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		id := c.video(`{"title": "A"}`)
		body, rest := io.Pipe()
		done := make(chan int)
		for _, path := range []string{"/videos/" + id + "/source", "/videos"} {
			go func() {
				w := c.send(http.MethodPost, path, "multipart/form-data; boundary=b", body)
				done <- w.Code
			}()
		}
		io.WriteString(rest, "--b\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n")
		synctest.Wait()
		c.call(200, "PATCH", "/videos/"+id, `{"title": "B"}`)
		c.call(200, "GET", "/videos", "")
		c.upload(201, "/videos/"+id+"/source", "film.mp4", "film", "")
		c.call(204, "DELETE", "/videos/"+id, "")
		rest.CloseWithError(io.ErrUnexpectedEOF)
		assert.Equal(t, []int{400, 400}, []int{<-done, <-done})
	})
}

// What was found before a slow body arrived may be gone after it.
func TestChangeOfADeletedVideoIsNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		id := c.video(`{"title": "A"}`)
		body, rest := io.Pipe()
		done := make(chan int)
		go func() { done <- c.send(http.MethodPatch, "/videos/"+id, "application/json", body).Code }()
		synctest.Wait()
		c.call(204, "DELETE", "/videos/"+id, "")
		io.WriteString(rest, `{"title": "B"}`)
		rest.Close()
		assert.Equal(t, 404, <-done)
		assert.Equal(t, "A", c.call(200, "GET", "/discarded/videos/"+id, "")["title"])
	})
}
