package standin

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/apivideo/api.video-go-oauth2/internal/problems"
)

// upload is the file of a video. It arrives in parts, in any order and side by
// side. A part that arrives again replaces the earlier one. api.mu guards it.
type upload struct {
	parts    map[int64]part // by their number, or their offset
	bytes    bool           // the parts are counted in bytes
	total    int64          // parts or bytes of the file, 0 if not known yet
	complete bool
	file     Blob // once it is complete, if it is kept
}

// part is a part of a file.
type part struct {
	size int64
	blob Blob // nil if it is not kept
}

// discard deletes what is stored.
func (u *upload) discard() {
	for _, p := range u.parts {
		file{blob: p.blob}.remove()
	}
	file{blob: u.file}.remove()
}

// size is the number of bytes that have arrived.
func (u *upload) size() (n int64) {
	for _, p := range u.parts {
		n += p.size
	}
	return n
}

// add adds a part, and returns all of them in order if the file is complete
// now. It returns false if it was complete before.
func (u *upload) add(at place, p part) (all []Blob, ok bool) {
	if u.complete {
		return nil, false
	}
	if u.parts == nil {
		u.parts = make(map[int64]part)
	}
	file{blob: u.parts[at.first].blob}.remove()
	u.parts[at.first] = p
	u.bytes, u.total = at.bytes, max(u.total, at.total)
	if u.complete = u.whole(); !u.complete || p.blob == nil {
		return nil, true
	}
	for _, first := range slices.Sorted(maps.Keys(u.parts)) {
		p := u.parts[first]
		all = append(all, p.blob)
		u.parts[first] = part{size: p.size}
	}
	return all, true
}

// whole reports whether all parts have arrived.
func (u *upload) whole() bool {
	next, end := int64(1), u.total+1
	if u.bytes {
		next, end = 0, u.total
	}
	if u.total == 0 || !u.bytes && int64(len(u.parts)) != u.total {
		return false
	}
	for _, first := range slices.Sorted(maps.Keys(u.parts)) {
		switch {
		case first != next:
			return false
		case u.bytes:
			next += u.parts[first].size
		default:
			next++
		}
	}
	return next == end
}

// uploadSource is the upload of a video's file, or of a part of it.
func uploadSource(c *call) (any, *Problem) {
	f, at, refused := c.readPart()
	if refused != nil {
		return nil, refused
	}
	return c.receive(c.item, at, f)
}

// uploadDelegated is an upload with an upload token. A part that names no video
// makes one. The service does so even for later parts, which large files of the
// Go and Node.js clients have: none of these videos is ever whole.
func uploadDelegated(c *call) (any, *Problem) {
	f, at, refused := c.readPart()
	if refused != nil {
		return nil, refused
	}
	c.resource = resource("videos")
	if id, _ := f.values["videoId"].(string); id != "" {
		c.item = c.get(c.resource, nil, id)
	} else {
		values := defaults(c.resource.Fields)
		values["title"] = f.name
		c.item = c.add(c.resource, nil, "", values, 0)
	}
	if c.item == nil {
		f.remove()
		return nil, c.resource.notFound()
	}
	return c.receive(c.item, at, f)
}

// readPart reads the form of an upload, and where its file belongs.
func (c *call) readPart() (f form, at place, refused *Problem) {
	at, err := parseContentRange(c.r.Header.Get("Content-Range"))
	if err == nil {
		if f, refused = c.readForm(&Upload{}); refused != nil {
			return f, at, refused
		}
		if at.bytes && at.length != f.size {
			f.remove()
			err = fmt.Errorf("the part has %d bytes, the Content-Range says %d", f.size, at.length)
		}
	}
	if err != nil {
		p := named(problems.InvalidPayload, "file")
		p.Detail = err.Error()
		return f, at, refuse(p)
	}
	return f, at, nil
}

// receive adds a part to a video's file.
func (c *call) receive(it *item, at place, f form) (any, *Problem) {
	var parts []Blob
	it, refused := c.change(c.resource, it, func(it *item) (*item, *Problem) {
		all, ok := it.upload.add(at, part{f.size, f.blob})
		if !ok {
			return nil, refuse(named(problems.SourceAlreadyUploaded, "file"))
		}
		parts = all
		return it, nil
	})
	if refused != nil {
		f.remove()
		return nil, refused
	}
	if parts != nil {
		if refused := c.join(it, parts); refused != nil {
			return nil, refused
		}
	}
	return c.resource.show(c.view(it)), nil
}

// join stores a complete file.
func (c *call) join(it *item, parts []Blob) *Problem {
	blob, err := c.keep.Join(it.id, parts)
	if err != nil {
		return only(documented(problems.ServerError))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	it.upload.file = blob
	if c.in(c.resource.collection()).byID[it.key()] == nil {
		blob.Remove() // the video was deleted meanwhile
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
