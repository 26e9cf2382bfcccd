package standin

import (
	"fmt"
	"math"
	"regexp"
	"strconv"

	"github.com/apivideo/api.video-go-oauth2/internal/problems"
)

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
		switch said := at.to - at.from; {
		case at == place{}:
			at = whole(f.size)
		case at.bytes && said != f.size:
			f.remove()
			err = fmt.Errorf("the part has %d bytes, the Content-Range says %d", f.size, said)
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
	var sections []Section
	it, refused := c.change(c.resource, it, func(it *item) (*item, *Problem) {
		all, ok := it.upload.add(part{at, f.size, f.blob})
		if !ok {
			return nil, refuse(named(problems.SourceAlreadyUploaded, "file"))
		}
		sections = all
		return it, nil
	})
	if refused != nil {
		f.remove()
		return nil, refused
	}
	if sections != nil {
		if refused := c.join(it, sections); refused != nil {
			return nil, refused
		}
	}
	return c.resource.show(c.view(it)), nil
}

// join stores a complete file.
func (c *call) join(it *item, sections []Section) *Problem {
	blob, err := c.keep.Join(it.id, sections)
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

// contentRange has the forms of Content-Range that the service takes: "part 2/3"
// and "bytes 0-99/200". The total is "*" while it is not known.
var contentRange = regexp.MustCompile(`^(?:part ([1-9]\d*)|bytes (\d+)-(\d+))/([1-9]\d*|\*)$`)

// parseContentRange reads a Content-Range. It returns the zero place if there
// is none.
func parseContentRange(header string) (p place, err error) {
	if header == "" {
		return place{}, nil
	}
	found := contentRange.FindStringSubmatch(header)
	if found == nil {
		return place{}, fmt.Errorf("Content-Range %q: unknown form", header)
	}
	number := func(text string) int64 { // the greatest int64 if it is greater
		n, _ := strconv.ParseInt(text, 10, 64)
		return n
	}
	if found[4] != "*" {
		p.total = number(found[4])
	}
	if p.bytes = found[1] == ""; p.bytes {
		p.from, p.to = number(found[2]), number(found[3])+1
	} else {
		p.to = number(found[1])
		p.from = p.to - 1
	}
	if p.from >= p.to || p.to == math.MaxInt64 || p.total > 0 && p.to > p.total {
		return place{}, fmt.Errorf("Content-Range %q: out of range", header)
	}
	return p, nil
}
