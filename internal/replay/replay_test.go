package replay_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/replay"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A body of the limit is read whole; of a longer one, the caller reads the rest.
func TestTakeBodyLimit(t *testing.T) {
	for _, size := range []int{0, replay.MaxRefusal, replay.MaxRefusal + 1, replay.MaxRefusal + 1<<20} {
		for _, length := range []int{size, -1} {
			content := bytes.Repeat([]byte("x"), size)
			resp := &http.Response{ContentLength: int64(length), Body: io.NopCloser(bytes.NewReader(content))}
			read, whole, crash := replay.TakeBody(t.Context(), resp)
			assert.Nil(t, crash)
			if size <= replay.MaxRefusal {
				assert.True(t, whole)
				assert.Len(t, read, size)
			} else {
				assert.Equal(t, length == replay.MaxRefusal+1, whole)
				assert.Greater(t, len(read), replay.MaxRefusal)
				assert.LessOrEqual(t, len(read), replay.MaxRefusal+4<<10)
			}
			rest, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.Len(t, rest, size, "the caller gets the whole body")
			assert.NoError(t, resp.Body.Close())
		}
	}
}

func TestTakeBodyOfNoBody(t *testing.T) {
	read, whole, crash := replay.TakeBody(t.Context(), &http.Response{})
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
		read, whole, _ := replay.TakeBody(t.Context(), resp)
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
		_, whole, _ := replay.TakeBody(t.Context(), resp)
		assert.False(t, whole)
		assert.NoError(t, resp.Body.Close())
		close(p) // the read in the background ends
		synctest.Wait()
		assert.Equal(t, 1, body.n)

		body = &closings{Reader: strings.NewReader("x")}
		resp = &http.Response{ContentLength: 1, Body: body}
		_, whole, _ = replay.TakeBody(t.Context(), resp)
		assert.True(t, whole)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, 1, body.n)
	})
}

func TestGateIsShutAfterTheLastRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := make(pipe)
		out := &http.Request{Body: p, GetBody: func() (io.ReadCloser, error) { return p, nil }}
		gate, body := replay.NewGate(out), make([]byte, 8)
		read := make(chan int)
		go func() {
			for range 2 {
				n, _ := out.Body.Read(body)
				read <- n
			}
		}()
		p <- "early"
		assert.Equal(t, 5, <-read)
		synctest.Wait()
		assert.False(t, gate.Shut(t.Context()), "a read hangs")
		p <- "late"
		assert.Equal(t, 4, <-read)
		_, err := out.Body.Read(body)
		assert.Error(t, err)
		_, err = out.GetBody()
		assert.Error(t, err)
	})
}

func TestGateOnlyWhereItIsNeeded(t *testing.T) {
	again := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }
	for _, out := range []*http.Request{{}, {Body: http.NoBody, GetBody: again}, {Body: make(pipe)}} {
		body := out.Body
		gate := replay.NewGate(out)
		assert.Nil(t, gate)
		assert.Equal(t, body, out.Body)
		assert.True(t, gate.Shut(context.Background()))
	}
	gate := replay.NewGate(&http.Request{Body: make(pipe), GetBody: again})
	assert.True(t, gate.Shut(t.Context()), "nobody reads")
}

func TestRenewNeedsABody(t *testing.T) {
	out := new(http.Request)
	for _, getBody := range []func() (io.ReadCloser, error){
		func() (io.ReadCloser, error) { return nil, nil },
		func() (io.ReadCloser, error) { return nil, io.ErrUnexpectedEOF },
	} {
		req := &http.Request{Body: make(pipe), GetBody: getBody}
		assert.True(t, replay.Possible(req))
		assert.False(t, replay.Renew(out, req))
	}
	assert.False(t, replay.Possible(&http.Request{Body: make(pipe)}))
	assert.True(t, replay.Renew(out, &http.Request{}))
}
