package standin

import (
	"fmt"
	"html"
	"io"
	"io/fs"
	"net/http"
	"strings"
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
		return fields{}
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

// asset is a row of the table of files that answers have URLs of. Where nothing
// was uploaded, or it is not kept, they are made up.
type asset struct {
	path, resource, contentType string
	attachment                  string // that was uploaded; "-" for none, "source" for the video
	made                        func() string
}

// registerAssets has the assets served.
func (a *api) registerAssets() {
	for _, row := range assets {
		a.mux.HandleFunc("GET "+assetsPath+row.path, func(w http.ResponseWriter, r *http.Request) { a.serveAsset(w, r, &row) })
	}
}

func (a *api) serveAsset(w http.ResponseWriter, r *http.Request, row *asset) {
	id := r.PathValue("id")
	if text, ok := strings.CutSuffix(r.PathValue("text"), ".vtt"); ok {
		id += "/" + text
	}
	it := a.find(row.resource, id)
	if it == nil || !resource(row.resource).shows(it) {
		resource(row.resource).notFound().Write(w)
		return
	}
	content, err := a.content(it, row)
	if err != nil {
		only(named(problems.NotFound, "file")).Write(w)
		return
	}
	defer content.Close()
	w.Header().Set("Content-Type", row.contentType)
	http.ServeContent(w, r, "", time.Time{}, content)
}

// content opens an asset.
func (a *api) content(it *item, row *asset) (io.ReadSeekCloser, error) {
	blob := it.files[row.attachment].blob
	if row.attachment == "source" {
		a.mu.Lock()
		blob = it.upload.file
		a.mu.Unlock()
	}
	switch {
	case blob != nil:
		return blob.Open()
	case row.made == nil:
		return nil, fs.ErrNotExist
	}
	filled := strings.NewReplacer("{title}", titleOf(it), "{id}", it.id).Replace(row.made())
	return unclosed{strings.NewReader(filled)}, nil
}

type unclosed struct{ io.ReadSeeker }

func (unclosed) Close() error { return nil }

func titleOf(it *item) string {
	title := it.values["title"]
	if title == nil {
		title = it.values["name"]
	}
	return html.EscapeString(fmt.Sprint(title))
}
