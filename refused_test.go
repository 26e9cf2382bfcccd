package apivideo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// part is a body that yields some bytes and then nothing, until it is closed.
type part struct {
	io.Reader
	rest *stuck
}

func newPart(s string) *part {
	rest := newStuck()
	return &part{io.MultiReader(strings.NewReader(s), rest), rest}
}

func (p *part) Close() error { return p.rest.Close() }

func TestTransport401WithoutAnEnd(t *testing.T) {
	for name, send := range map[string]sender{"a request": (*world).get401, "an upload": (*world).upload401} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			client := w.warmClient(t)
			w.with401(newPart("the beginning"))
			w.srv.RevokeAccessTokens()
			assert.Equal(t, time.Second, send(w, t, client, 401))
			synctest.Wait()
			assert.Equal(t, 2, w.authCalls(), "the renewal is behind it")
			w.get(t, client, 200)
		}))
	}
}

// get401 is like get, but reads only the beginning of the body.
func (w *world) get401(t *testing.T, client *http.Client, want int) time.Duration {
	return w.begin(t, client, nil, want)
}

func (w *world) upload401(t *testing.T, client *http.Client, want int) time.Duration {
	return w.begin(t, client, io.MultiReader(strings.NewReader("streamed")), want)
}

func (w *world) begin(t *testing.T, client *http.Client, body io.Reader, want int) time.Duration {
	t.Helper()
	req, _ := http.NewRequest("POST", w.srv.URL+"/videos", body)
	start := time.Now()
	resp, err := client.Do(req)
	require.NoError(t, err)
	assert.Equal(t, want, resp.StatusCode)
	took := time.Since(start)
	beginning := make([]byte, len("the beginning"))
	_, err = io.ReadFull(resp.Body, beginning)
	require.NoError(t, err)
	assert.Equal(t, "the beginning", string(beginning))
	read := background(func() {
		n, err := resp.Body.Read(beginning)
		assert.Zero(t, n)
		assert.Error(t, err)
	})
	synctest.Wait()
	assert.NoError(t, resp.Body.Close(), "while it is read")
	read()
	return took
}

// late is a body whose content comes after some time.
type late struct {
	closing
	after time.Duration
}

func (l *late) Read(p []byte) (int, error) {
	time.Sleep(l.after)
	return l.Reader.Read(p)
}

func TestTransportLate401IsClosed(t *testing.T) {
	for _, length := range []int64{-1, 2} {
		bubble(t, func(t *testing.T, w *world) {
			client := w.warmClient(t)
			body := &late{closing{Reader: iotest.DataErrReader(strings.NewReader("no"))}, 2 * time.Second}
			w.setAPI(func(*http.Request) (*http.Response, error) {
				resp := answer(401, "text/plain", "")
				resp.Body, resp.ContentLength = body, length
				return resp, nil
			})
			resp, err := client.Get(w.srv.URL + "/videos")
			require.NoError(t, err)
			text, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.Equal(t, "no", string(text))
			require.NoError(t, resp.Body.Close())
			synctest.Wait()
			assert.EqualValues(t, 1, body.closed.Load(), length)
		})
	}
}

// An HTTP/2 stream stays open after the last byte of the answer while the
// upload goes on.
func TestTransport401OfKnownLength(t *testing.T) {
	for _, text := range []string{"no", ""} {
		bubble(t, func(t *testing.T, w *world) {
			client := w.warmClient(t)
			w.setAPI(func(r *http.Request) (*http.Response, error) {
				resp, err := w.srv.Transport().RoundTrip(r)
				if resp != nil && resp.StatusCode == 401 {
					resp.Body, resp.ContentLength = newPart(text), int64(len(text))
					resp.Header.Set("Content-Length", fmt.Sprint(len(text)))
				}
				return resp, err
			})
			w.srv.RevokeAccessTokens()
			assert.Zero(t, w.get(t, client, 200))
		})
	}
}

// deaf is a body that cannot be closed while it is read.
type deaf struct{ released chan struct{} }

func (d deaf) Read([]byte) (int, error) { <-d.released; return 0, io.EOF }
func (d deaf) Close() error             { <-d.released; return nil }

func TestTransport401ThatCannotBeClosed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.warmClient(t)
		body := deaf{make(chan struct{})}
		defer close(body.released)
		w.with401(body)
		w.srv.RevokeAccessTokens()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		start := time.Now()
		req, _ := http.NewRequestWithContext(ctx, "GET", w.srv.URL+"/videos", nil)
		_, err := client.Transport.RoundTrip(req)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 300*time.Millisecond, time.Since(start))
	})
}

// crashing is a body that crashes when it is read.
type crashing struct {
	crash  func()
	closed *atomic.Bool
}

func (c crashing) Read([]byte) (int, error) { c.crash(); return 0, nil }
func (c crashing) Close() error             { c.closed.Store(true); return nil }

func TestTransport401CrashIsLogged(t *testing.T) {
	eachCrash(t, func(t *testing.T, w *world, crash func()) {
		log := w.log()
		client := w.warmClient(t)
		var closed atomic.Bool
		w.with401(crashing{crash, &closed})
		w.srv.RevokeAccessTokens()
		w.get(t, client, 200)
		synctest.Wait()
		assert.Contains(t, log.String(), "level=ERROR")
		assert.Contains(t, log.String(), "code called by the library crashed")
		assert.True(t, closed.Load())
	})
}

// busy is a body whose Read does not return.
type busy struct{ released chan struct{} }

func (b busy) Read([]byte) (int, error) { <-b.released; return 0, io.EOF }
func (b busy) Close() error             { return nil }

// The base still reads the body of the attempt that is over.
func TestTransportBusyBodyIsNotReplayed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.warmClient(t)
		body := busy{make(chan struct{})}
		defer close(body.released)
		w.setAPI(func(r *http.Request) (*http.Response, error) {
			go r.Body.Read(make([]byte, 1))
			synctest.Wait()
			return answer(401, "text/plain", "no"), nil
		})
		req, _ := http.NewRequest("POST", w.srv.URL+"/videos", body)
		req.GetBody = func() (io.ReadCloser, error) { t.Error("rewound while it is read"); return nil, errors.New("no") }
		start := time.Now()
		resp, err := client.Do(req)
		require.NoError(t, err)
		assert.Equal(t, 401, resp.StatusCode)
		text, _ := io.ReadAll(resp.Body)
		assert.Equal(t, "no", string(text))
		assert.Equal(t, time.Second, time.Since(start))
		synctest.Wait()
		assert.Equal(t, 2, w.authCalls(), "the renewal is behind it")
	})
}
