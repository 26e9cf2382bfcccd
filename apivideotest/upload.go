package apivideotest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/apivideo/api.video-go-oauth2/internal/problems"
)

// upload is a file that arrives in parts, in any order. A part that arrives
// again replaces the earlier one.
type upload struct {
	parts map[int64][]byte // by their number, or their offset
	total int64            // parts or bytes of the file, 0 if not known yet
	file  []byte           // once it is complete
}

// UploadedFile returns a copy of the file that was uploaded to a video. It is
// nil until all parts have arrived, and if there is no such video.
func (s *Server) UploadedFile(videoID string) []byte {
	s.library.mu.Lock()
	defer s.library.mu.Unlock()
	if v := s.library.find(videoID); v != nil {
		return bytes.Clone(v.upload.file)
	}
	return nil
}

// uploadSource is POST /videos/{id}/source.
func (l *library) uploadSource(w http.ResponseWriter, r *http.Request, v *video) {
	form, err := readForm(r)
	if err != nil {
		WriteProblem(w, invalid(problems.InvalidPayload, "file"))
		return
	}
	l.receive(w, v, form)
}

// uploadDelegated is POST /upload. The first part makes the video, which the
// later ones name.
func (l *library) uploadDelegated(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(r)
	v := l.find(form.videoID)
	switch {
	case err != nil:
		WriteProblem(w, invalid(problems.InvalidPayload, "file"))
		return
	case form.videoID == "" && form.place.later():
		WriteProblem(w, invalid(problems.InvalidPayload, "videoId"))
		return
	case form.videoID == "":
		d := newDetails()
		d.Title = form.name
		v = l.add(d)
	case v == nil:
		WriteProblem(w, invalid(problems.NotFound, "videoId"))
		return
	}
	l.receive(w, v, form)
}

// receive adds a part to a video's source, and answers. l.mu is held.
func (l *library) receive(w http.ResponseWriter, v *video, f form) {
	if !v.upload.add(f) {
		WriteProblem(w, invalid(problems.InvalidPayload, "file")) // it has its file
		return
	}
	writeVideo(w, http.StatusCreated, v)
}

// add adds a part. It returns false if the upload is complete already.
func (u *upload) add(f form) bool {
	if u.file != nil {
		return false
	}
	if u.parts == nil {
		u.parts = make(map[int64][]byte)
	}
	u.parts[f.place.first] = f.data
	u.total = max(u.total, f.place.total)
	if u.complete(f.place.bytes) {
		for _, first := range slices.Sorted(maps.Keys(u.parts)) {
			u.file = append(u.file, u.parts[first]...)
		}
		u.parts = nil
	}
	return true
}

// complete reports whether all parts have arrived.
func (u *upload) complete(bytes bool) bool {
	next, end := int64(1), u.total+1
	if bytes {
		next, end = 0, u.total
	}
	for _, first := range slices.Sorted(maps.Keys(u.parts)) {
		switch {
		case first != next:
			return false
		case bytes:
			next += int64(len(u.parts[first]))
		default:
			next++
		}
	}
	return next == end
}

// form is what an upload sends.
type form struct {
	place   place
	name    string // of the file
	data    []byte
	videoID string // "" if there is none
}

// readForm reads the first file of a multipart form, whatever the name of its
// field: the official clients use different names.
func readForm(r *http.Request) (f form, err error) {
	if f.place, err = parseContentRange(r.Header.Get("Content-Range")); err != nil {
		return f, err
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return f, err
	}
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return f, err
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return f, err
		}
		switch {
		case part.FileName() != "" && f.data == nil:
			f.name, f.data = part.FileName(), data
		case part.FormName() == "videoId":
			f.videoID = string(data)
		}
	}
	return f, f.check()
}

// check reports what is wrong with a form.
func (f *form) check() error {
	if len(f.data) == 0 {
		return fmt.Errorf("no file")
	}
	if f.place.bytes && f.place.length != int64(len(f.data)) {
		return fmt.Errorf("%d bytes where the Content-Range says %d", len(f.data), f.place.length)
	}
	return nil
}

// place is where a part belongs in its file.
type place struct {
	bytes  bool  // it is counted in bytes, else in parts
	first  int64 // its number from 1, or its offset
	length int64 // in bytes; 0 if it is counted in parts
	total  int64 // parts or bytes of the file; 0 if not known yet
}

// later reports whether another part comes before.
func (p place) later() bool { return p.bytes && p.first > 0 || !p.bytes && p.first > 1 }

// contentRange has the forms of Content-Range that the service takes: "part 2/3",
// "part 2/*" while the number of parts is not known, and "bytes 0-99/200".
var contentRange = regexp.MustCompile(`^(part [1-9]\d*/([1-9]\d*|\*)|bytes \d+-\d+/\d+)$`)

// parseContentRange reads a Content-Range. Without it a file is in one part.
func parseContentRange(header string) (p place, err error) {
	var last int64
	switch {
	case header == "":
		return place{first: 1, total: 1}, nil
	case !contentRange.MatchString(header):
		err = errors.New("unknown form")
	case strings.HasPrefix(header, "bytes "):
		_, err = fmt.Sscanf(header, "bytes %d-%d/%d", &p.first, &last, &p.total)
		p.bytes, p.length = true, last-p.first+1
	case strings.HasSuffix(header, "/*"):
		_, err = fmt.Sscanf(header, "part %d/*", &p.first)
	default:
		_, err = fmt.Sscanf(header, "part %d/%d", &p.first, &p.total)
	}
	switch {
	case p.bytes && (p.length <= 0 || last >= p.total), !p.bytes && p.total != 0 && p.first > p.total:
		err = errors.New("out of range")
	}
	if err != nil {
		err = fmt.Errorf("Content-Range %q: %w", header, err)
	}
	return p, err
}
