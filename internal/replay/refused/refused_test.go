package refused_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/replay/refused"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A body of the limit is read whole; of a longer one, the caller reads the rest.
func TestTakeBodyLimit(t *testing.T) {
	for _, size := range []int{0, refused.MaxBody, refused.MaxBody + 1, refused.MaxBody + 1<<20} {
		for _, length := range []int{size, -1} {
			content := bytes.Repeat([]byte("x"), size)
			resp := &http.Response{ContentLength: int64(length), Body: io.NopCloser(bytes.NewReader(content))}
			read, whole, crash := refused.TakeBody(t.Context(), resp, new(guard.Bound))
			assert.Nil(t, crash)
			if size <= refused.MaxBody {
				assert.True(t, whole)
				assert.Len(t, read, size)
			} else {
				assert.Equal(t, length == refused.MaxBody+1, whole)
				assert.Greater(t, len(read), refused.MaxBody)
				assert.LessOrEqual(t, len(read), refused.MaxBody+4<<10)
			}
			rest, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.Len(t, rest, size, "the caller gets the whole body")
			assert.NoError(t, resp.Body.Close())
		}
	}
}

func TestTakeBodyOfNoBody(t *testing.T) {
	read, whole, crash := refused.TakeBody(t.Context(), &http.Response{}, new(guard.Bound))
	assert.Empty(t, read)
	assert.True(t, whole)
	assert.Nil(t, crash)
}

// pipe is a body whose Read returns what is sent.
type pipe chan string

func (p pipe) Read(b []byte) (int, error) {
	s, ok := <-p
	if !ok {
		return 0, io.EOF
	}
	return copy(b, s), nil
}

func (p pipe) Close() error { return nil }

func TestTakeBodyHandsOverALateOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := make(pipe)
		resp := &http.Response{ContentLength: -1, Body: p}
		go func() { p <- "early " }()
		start := time.Now()
		read, whole, _ := refused.TakeBody(t.Context(), resp, new(guard.Bound))
		assert.Equal(t, time.Second, time.Since(start))
		assert.Equal(t, "early ", string(read))
		assert.False(t, whole)
		go func() { p <- "late "; p <- "last"; close(p) }()
		all, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Equal(t, "early late last", string(all))
	})
}

// closings counts calls of Close.
type closings struct {
	io.Reader
	n int
}

func (c *closings) Close() error { c.n++; return nil }

func TestTakeBodyClosesItOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := make(pipe)
		body := &closings{Reader: p}
		resp := &http.Response{ContentLength: -1, Body: body}
		_, whole, _ := refused.TakeBody(t.Context(), resp, new(guard.Bound))
		assert.False(t, whole)
		assert.NoError(t, resp.Body.Close())
		close(p) // the read in the background ends
		synctest.Wait()
		assert.Equal(t, 1, body.n)

		body = &closings{Reader: strings.NewReader("x")}
		resp = &http.Response{ContentLength: 1, Body: body}
		_, whole, _ = refused.TakeBody(t.Context(), resp, new(guard.Bound))
		assert.True(t, whole)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, 1, body.n)
	})
}

// Promise: The body of a 401 returns http.ErrBodyReadAfterClose after Close.
func TestTakeBodyAfterClose(t *testing.T) {
	for _, size := range []int{0, 5, refused.MaxBody + 1<<20} { // the last is not read to its end
		resp := &http.Response{ContentLength: -1, Body: io.NopCloser(strings.NewReader(strings.Repeat("x", size)))}
		refused.TakeBody(t.Context(), resp, new(guard.Bound))
		require.NoError(t, resp.Body.Close())
		for _, p := range [][]byte{nil, make([]byte, 8)} {
			n, err := resp.Body.Read(p)
			assert.Zero(t, n)
			assert.Equal(t, http.ErrBodyReadAfterClose, err, size)
		}
		assert.NoError(t, resp.Body.Close())
	}
}

// A base that decompresses may leave the Content-Length of what came.
//
// Promise: The caller gets all of a 401's body, also if its Content-Length is too small.
func TestTakeBodyOfAWrongLength(t *testing.T) {
	text := strings.Repeat("a 401 that was compressed ", 400)
	for _, length := range []int64{1, 100, 4096, int64(len(text)) + 1} {
		for _, known := range []bool{false, true} {
			resp := &http.Response{ContentLength: length, Uncompressed: known, Body: io.NopCloser(strings.NewReader(text))}
			if length == 4096 && !known {
				continue // nothing shows it after the first part
			}
			read, whole, _ := refused.TakeBody(t.Context(), resp, new(guard.Bound))
			assert.True(t, whole)
			assert.Equal(t, text, string(read))
			all, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.Equal(t, text, string(all), length)
		}
	}
}
