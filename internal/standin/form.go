package standin

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/apivideo/api.video-go-oauth2/internal/problems"
)

const (
	maxField  = 64 << 10 // bytes of a field of a form
	maxFields = 100      // of a form, files included
)

// Keeper stores what is uploaded. Its methods may take long: no lock is held
// during their calls.
type Keeper interface {
	// Create makes an empty Blob.
	Create() (Blob, error)
	// Join makes one Blob of sections, in this order, and takes their Blobs.
	Join(videoID string, sections []Section) (Blob, error)
}

// Section is a Blob without its first bytes, which another section has.
type Section struct {
	Blob
	Skip int64 // bytes
}

// Blob is stored content.
type Blob interface {
	io.WriteCloser // Close ends writing
	Open() (io.ReadSeekCloser, error)
	Remove() // deletes it, quickly; open readers may go on
}

// Received is what an upload brought.
type Received struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

type receiverKey struct{}

// WithReceiver has f called with what the upload of a request brings.
func WithReceiver(ctx context.Context, f func(Received)) context.Context {
	return context.WithValue(ctx, receiverKey{}, f)
}

// form is what an upload sends.
type form struct {
	file
	size int64 // of the file
}

// remove deletes the file of a form. A nil form has none.
func (f *form) remove() {
	if f != nil {
		f.file.remove()
	}
}

func (f file) remove() {
	if f.blob != nil {
		f.blob.Remove()
	}
}

// readForm reads a multipart form with one file, whatever the name of its
// field: the official clients use different names.
func (c *call) readForm(rule *Upload) (f form, refused *Problem) {
	f.values = payload{}
	id := c.readParts(rule, &f)
	if id == "" {
		return f, nil
	}
	f.remove()
	p := named(id, "file")
	if id == problems.InvalidExtension {
		p.Title = "Only [" + strings.Join(rule.Extensions, ", ") + "] extensions are supported."
	}
	return f, refuse(p)
}

// readParts returns the identifier of the problem with a form, "" if there is
// none.
func (c *call) readParts(rule *Upload, f *form) (id string) {
	parts, err := c.r.MultipartReader()
	if err != nil {
		return problems.InvalidPayload
	}
	files := 0
	for range maxFields {
		part, err := parts.NextPart()
		switch {
		case err == io.EOF && files == 0:
			return problems.NoFile
		case err == io.EOF:
			return ""
		case err != nil:
			return problems.InvalidPayload
		case part.FileName() == "":
			value, err := io.ReadAll(io.LimitReader(part, maxField+1))
			if err != nil || len(value) > maxField {
				return problems.InvalidPayload
			}
			f.values[part.FormName()] = string(value)
			continue
		}
		if files++; files > 1 {
			return problems.MultipleFiles
		}
		if id := c.readFile(part, rule, f); id != "" {
			return id
		}
	}
	return problems.InvalidPayload
}

// readFile reads the file of a form: it counts, hashes, and stores it if there
// is a Keeper.
func (c *call) readFile(part *multipart.Part, rule *Upload, f *form) (id string) {
	f.name = part.FileName()
	start := bufio.NewReader(part)
	if rule.Extensions != nil && !slices.Contains(rule.Extensions, extension(f.name, start)) {
		return problems.InvalidExtension
	}
	sum := sha256.New()
	into := io.Writer(sum)
	if c.keep != nil {
		blob, err := c.keep.Create()
		if err != nil {
			return problems.ServerError
		}
		f.blob = blob
		into = io.MultiWriter(sum, blob)
	}
	from := io.Reader(start)
	if rule.Max > 0 {
		from = io.LimitReader(start, rule.Max+1)
	}
	var err error
	f.size, err = io.Copy(into, from)
	if f.blob != nil && err == nil {
		err = f.blob.Close()
	}
	switch {
	case err != nil, rule.Max > 0 && f.size > rule.Max:
		return problems.InvalidPayload
	case f.size == 0:
		return problems.NoFile
	}
	if received, ok := c.r.Context().Value(receiverKey{}).(func(Received)); ok {
		received(Received{f.size, hex.EncodeToString(sum.Sum(nil))})
	}
	return ""
}

// extension is that of a file's name. A file without one has the extension of
// its content: the Node.js client sends streams so.
func extension(name string, content *bufio.Reader) string {
	if ext := path.Ext(name); ext != "" {
		return ext[1:]
	}
	first, _ := content.Peek(512)
	return strings.TrimPrefix(http.DetectContentType(first), "image/")
}
