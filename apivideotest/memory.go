package apivideotest

import (
	"bytes"
	"io"

	"github.com/apivideo/api.video-go-oauth2/internal/standin"
)

// memory keeps uploads in memory.
type memory struct{}

func (memory) Create() (standin.Blob, error) { return &content{}, nil }

func (memory) Join(_ string, parts []standin.Blob) (standin.Blob, error) {
	joined := &content{}
	for _, part := range parts {
		joined.Write(part.(*content).Bytes())
	}
	return joined, nil
}

// content is a Blob.
type content struct{ bytes.Buffer }

func (*content) Close() error { return nil }

func (c *content) Open() (io.ReadSeekCloser, error) { return reader{bytes.NewReader(c.Bytes())}, nil }

func (*content) Remove() {}

type reader struct{ *bytes.Reader }

func (reader) Close() error { return nil }
