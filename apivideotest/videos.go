package apivideotest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/internal/problems"
)

const (
	defaultPageSize = 25
	maxPageSize     = 100
)

// library keeps the account's videos in memory. It has the parts of the service
// that its clients use, not all of it.
type library struct {
	mu     sync.Mutex // guards what follows
	videos []*video   // in the order of their creation
}

// video is one as the service answers with it.
type video struct {
	ID string `json:"videoId"`
	details
	CreatedAt   time.Time         `json:"createdAt"`
	PublishedAt time.Time         `json:"publishedAt"`
	UpdatedAt   time.Time         `json:"updatedAt"`
	Source      map[string]string `json:"source"`
	upload      upload
}

// details are what a program may set.
type details struct {
	Title       string   `json:"title"`
	Description string   `json:"description"`
	PlayerID    string   `json:"playerId,omitempty"`
	Language    string   `json:"language,omitempty"`
	Public      bool     `json:"public"`
	Panoramic   bool     `json:"panoramic"`
	MP4Support  bool     `json:"mp4Support"`
	Tags        []string `json:"tags"`
	Metadata    []pair   `json:"metadata"`
}

type pair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// handlers returns the server's own part of the API.
func (s *Server) handlers() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /videos", s.library.exclusive(s.library.list))
	mux.HandleFunc("POST /videos", s.library.exclusive(s.library.create))
	mux.HandleFunc("GET /videos/{id}", s.library.one(s.library.get))
	mux.HandleFunc("PATCH /videos/{id}", s.library.one(s.library.patch))
	mux.HandleFunc("DELETE /videos/{id}", s.library.one(s.library.delete))
	mux.HandleFunc("POST /videos/{id}/source", s.library.one(s.library.uploadSource))
	mux.HandleFunc("POST /upload", s.library.exclusive(s.library.uploadDelegated))
	mux.HandleFunc("POST /upload-tokens", s.createUploadToken)
	mux.HandleFunc("DELETE /upload-tokens/{token}", s.deleteUploadToken)
	return mux
}

// exclusive is h with l.mu held during the call. It reads the request before that,
// and sends the answer after: a slow client must not block the others.
func (l *library) exclusive(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				WriteProblem(w, Problem(problems.InvalidPayload))
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		answer := httptest.NewRecorder()
		func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			h(answer, r)
		}()
		send(w, answer)
	}
}

// one is a handler for the video that a request names, as exclusive makes one.
func (l *library) one(h func(http.ResponseWriter, *http.Request, *video)) http.HandlerFunc {
	return l.exclusive(func(w http.ResponseWriter, r *http.Request) {
		v := l.find(r.PathValue("id"))
		if v == nil {
			WriteProblem(w, invalid(problems.NotFound, "videoId"))
			return
		}
		h(w, r, v)
	})
}

// find returns the video with this identifier, nil if there is none. l.mu is
// held.
func (l *library) find(id string) *video {
	i := slices.IndexFunc(l.videos, func(v *video) bool { return v.ID == id })
	if i < 0 {
		return nil
	}
	return l.videos[i]
}

// add makes a new video. l.mu is held.
func (l *library) add(d details) *video {
	now := time.Now().UTC().Truncate(time.Second)
	v := &video{ID: "vi" + randomHex(22), details: d, CreatedAt: now, PublishedAt: now, UpdatedAt: now}
	v.Source = map[string]string{"uri": "/videos/" + v.ID + "/source"}
	l.videos = append(l.videos, v)
	return v
}

func newDetails() details {
	return details{Public: true, MP4Support: true, Tags: []string{}, Metadata: []pair{}}
}

// change sets what a payload names, unless it is not a video's.
func (d *details) change(payload io.Reader) bool {
	data, err := io.ReadAll(payload)
	changed := *d
	changed.Tags, changed.Metadata = nil, nil // or json would write into those of d
	if err != nil || json.Unmarshal(data, &changed) != nil || changed.Title == "" {
		return false
	}
	if changed.Tags == nil {
		changed.Tags = d.Tags
	}
	if changed.Metadata == nil {
		changed.Metadata = d.Metadata
	}
	*d = changed
	return true
}

func (l *library) create(w http.ResponseWriter, r *http.Request) {
	d := newDetails()
	if !d.change(r.Body) {
		WriteProblem(w, invalid(problems.InvalidPayload, "title"))
		return
	}
	writeVideo(w, http.StatusCreated, l.add(d))
}

func (l *library) get(w http.ResponseWriter, _ *http.Request, v *video) {
	writeVideo(w, http.StatusOK, v)
}

// patch changes what the payload names.
func (l *library) patch(w http.ResponseWriter, r *http.Request, v *video) {
	if !v.change(r.Body) {
		WriteProblem(w, invalid(problems.InvalidPayload, "title"))
		return
	}
	v.UpdatedAt = time.Now().UTC().Truncate(time.Second)
	writeVideo(w, http.StatusOK, v)
}

func (l *library) delete(w http.ResponseWriter, _ *http.Request, v *video) {
	l.videos = slices.DeleteFunc(l.videos, func(other *video) bool { return other == v })
	w.WriteHeader(http.StatusNoContent)
}

// list answers with a page of the videos.
func (l *library) list(w http.ResponseWriter, r *http.Request) {
	page, ok := queryInt(r, "currentPage", 1, 1<<31-1)
	if !ok {
		WriteProblem(w, invalid(problems.InvalidPayload, "currentPage"))
		return
	}
	size, ok := queryInt(r, "pageSize", defaultPageSize, maxPageSize)
	if !ok {
		WriteProblem(w, invalid(problems.InvalidPayload, "pageSize"))
		return
	}
	total := len(l.videos)
	from := min(min(page-1, total)*size, total) // no overflow, where an int has 32 bits
	data := l.videos[from:min(from+size, total)]
	writeJSON(w, "application/json", http.StatusOK, map[string]any{
		"data": append([]*video{}, data...), // [] rather than null
		"pagination": map[string]any{
			"currentPage":      page,
			"currentPageItems": len(data),
			"pageSize":         size,
			"pagesTotal":       max((total+size-1)/size, 1),
			"itemsTotal":       total,
			"links":            []any{},
		},
	})
}

// queryInt reads a parameter that is a number from 1 to most.
func queryInt(r *http.Request, name string, unset, most int) (n int, ok bool) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return unset, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 1 && n <= most
}

// invalid is a problem with a parameter.
func invalid(id, parameter string) apivideo.Problem {
	p := Problem(id)
	p.Name = parameter
	return p
}

func writeVideo(w http.ResponseWriter, status int, v *video) {
	writeJSON(w, "application/json", status, v)
}
