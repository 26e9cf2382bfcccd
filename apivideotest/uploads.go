package apivideotest

import (
	"bytes"
	"io"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/standin"
)

// IssueUploadToken returns a new token for delegated uploads. With it, a client
// may call POST /upload?token=… without authorization. The token expires after
// ttl, or never if ttl is 0. If ttl is negative, the token is expired at once.
func (s *Server) IssueUploadToken(ttl time.Duration) string { return s.service.IssueUploadToken(ttl) }

// RevokeUploadToken makes an upload token invalid. An unknown token changes
// nothing.
func (s *Server) RevokeUploadToken(token string) { s.service.RevokeUploadToken(token) }

// UploadedFile returns a copy of the file that was uploaded to a video. It is
// nil until all parts have arrived, and if there is no such video.
func (s *Server) UploadedFile(videoID string) []byte {
	blob := s.service.UploadedFile(videoID)
	if blob == nil {
		return nil
	}
	content, err := blob.Open()
	if err != nil {
		return nil
	}
	defer content.Close()
	data, _ := io.ReadAll(content)
	return data
}

// memory keeps uploads in memory.
type memory struct{}

func (memory) Create() (standin.Blob, error) { return &content{}, nil }

func (memory) Join(_ string, sections []standin.Section) (standin.Blob, error) {
	joined := &content{}
	for _, section := range sections {
		joined.Write(section.Blob.(*content).Bytes()[section.Skip:])
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
