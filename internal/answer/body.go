package answer

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
)

// Read reads the body of an answer, up to a byte more than limit. See [Plain]. It
// closes the body when ctx ends: some bodies ignore the context. The body of a 101
// has no end and is not read.
func Read(ctx context.Context, resp *http.Response, limit int) ([]byte, error) {
	if resp.StatusCode < http.StatusOK {
		return nil, nil
	}
	ended := context.AfterFunc(ctx, func() {
		guard.Go(func() (struct{}, error) { return struct{}{}, resp.Body.Close() })
	})
	defer ended()
	data, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	return Plain(data, limit), err
}

// Plain returns data decompressed, up to a byte more than limit, and without a
// byte order mark. Data that no gzip stream begins stays as it is, whatever the
// header says: no JSON and no page begins so. Other compressions than gzip, which
// package net/http knows too, are not understood.
func Plain(data []byte, limit int) []byte {
	if r, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
		data, _ = io.ReadAll(io.LimitReader(r, int64(limit)+1)) // of a broken one, the part before
	}
	return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
}
