package standin

import (
	"bytes"
	"fmt"
	"html"
	"image"
	"image/jpeg"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/problems"
)

// assetsPath is where the files are that the service has on other hosts.
const assetsPath = "/_assets/"

// source is where a video comes from.
func source(v view) any {
	shown := fields{{"uri", "/videos/" + v.id + "/source"}}
	if id, _ := v.values["liveStreamId"].(string); id != "" {
		links := []any{fields{{"rel", "self"}, {"uri", "/live-streams/" + id}}}
		shown = append(shown, fields{
			{"type", "liveStream"},
			{"liveStream", fields{{"liveStreamId", id}, {"links", links}}},
		}...)
	}
	return shown
}

// videoAssets are the URLs of a video. A discarded one has none.
func videoAssets(v view) any {
	if v.values["discarded"] == true {
		return nil
	}
	assets := mediaAssets(v, "vod")
	if v.values["mp4Support"] == true {
		assets = append(assets, fields{{"mp4", v.base + assetsPath + "vod/" + v.id + "/mp4/source.mp4"}}...)
	}
	return assets
}

func liveAssets(v view) any { return mediaAssets(v, "live") }

func mediaAssets(v view, kind string) fields {
	at := v.base + assetsPath + kind + "/" + v.id
	return fields{
		{"iframe", `<iframe src="` + at + `" width="100%" height="100%" frameborder="0" scrolling="no" allowfullscreen=""></iframe>`},
		{"player", at},
		{"hls", at + "/hls/manifest.m3u8"},
		{"thumbnail", at + "/thumbnail.jpg"},
	}
}

// playerAssets are the logo of a player theme and its link.
func playerAssets(v view) any {
	logo, has := v.files["logo"]
	if !has {
		return nil
	}
	return fields{{"logo", v.base + assetsPath + "players/" + v.id + "/logo"}, {"link", logo.values["link"]}}
}

// textURI is where the API has a caption or chapters.
func textURI(kind string) func(view) any {
	return func(v view) any { return "/videos/" + v.parent.id + "/" + kind + "/" + v.id }
}

// textSource is where the file of a caption or of chapters is.
func textSource(kind string) func(view) any {
	return func(v view) any { return v.base + assetsPath + "vod/" + v.parent.id + "/" + kind + "/" + v.id + ".vtt" }
}

// languageName is the name of a caption's language.
func languageName(v view) any {
	if name, known := languages[v.id]; known {
		return name
	}
	return v.id
}

// registerAssets has the files served that answers have URLs of. Where nothing
// was uploaded, or it is not kept, they are made up.
func (a *api) registerAssets() {
	serve := func(path, name, contentType string, content func(it *item) io.ReadSeeker) {
		r := resource(name)
		a.mux.HandleFunc("GET "+assetsPath+path, func(w http.ResponseWriter, req *http.Request) {
			id := req.PathValue("id")
			if text, ok := strings.CutSuffix(req.PathValue("text"), ".vtt"); ok {
				id += "/" + text
			}
			it := a.find(name, id)
			if it == nil || !r.shows(it) {
				r.notFound().Write(w)
				return
			}
			file := content(it)
			if file == nil {
				p := named(problems.NotFound, "file")
				p.Write(w)
				return
			}
			if closer, ok := file.(io.Closer); ok {
				defer closer.Close()
			}
			w.Header().Set("Content-Type", contentType)
			http.ServeContent(w, req, "", time.Time{}, file)
		})
	}
	made := func(content string) func(*item) io.ReadSeeker {
		return func(it *item) io.ReadSeeker {
			return strings.NewReader(strings.NewReplacer("{title}", titleOf(it), "{id}", it.id).Replace(content))
		}
	}
	kept := func(name, instead string) func(*item) io.ReadSeeker {
		return func(it *item) io.ReadSeeker { return open(it.files[name].blob, strings.NewReader(instead)) }
	}
	for kind, name := range map[string]string{"vod": "videos", "live": "live-streams"} {
		serve(kind+"/{id}", name, "text/html; charset=utf-8", made(playerPage))
		serve(kind+"/{id}/hls/manifest.m3u8", name, "application/vnd.apple.mpegurl", made(playlist))
		serve(kind+"/{id}/hls/segment.ts", name, "video/mp2t", made(segment))
		serve(kind+"/{id}/thumbnail.jpg", name, "image/jpeg", kept("thumbnail", picture()))
	}
	serve("vod/{id}/mp4/source.mp4", "videos", "video/mp4", func(it *item) io.ReadSeeker {
		a.mu.Lock()
		defer a.mu.Unlock()
		return open(it.upload.file, nil)
	})
	for _, kind := range []string{"captions", "chapters"} {
		serve("vod/{id}/"+kind+"/{text}", kind, "text/vtt; charset=utf-8", kept("", "WEBVTT\n"))
	}
	serve("players/{id}/logo", "players", "image/jpeg", kept("logo", picture()))
}

// open returns what is stored, or else instead.
func open(blob Blob, instead io.ReadSeeker) io.ReadSeeker {
	if blob == nil {
		return instead
	}
	content, err := blob.Open()
	if err != nil {
		return instead
	}
	return content
}

func titleOf(it *item) string {
	title := it.values["title"]
	if title == nil {
		title = it.values["name"]
	}
	return html.EscapeString(fmt.Sprint(title))
}

// The content of assets.
const (
	playerPage = `<!DOCTYPE html>
<meta charset="utf-8">
<title>{title}</title>
<video controls src="{id}/mp4/source.mp4" poster="{id}/thumbnail.jpg"></video>
`
	playlist = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsegment.ts\n#EXT-X-ENDLIST\n"
)

// segment is an MPEG transport stream of one packet that says nothing.
var segment = "\x47\x1f\xff\x10" + strings.Repeat("\xff", 184)

// picture is a JPEG of one pixel.
var picture = sync.OnceValue(func() string {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1)), nil); err != nil {
		panic(err)
	}
	return b.String()
})
