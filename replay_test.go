package apivideo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shared is a file that all attempts read.
type shared struct {
	*strings.Reader
	rewound chan struct{} // closed by GetBody
}

func (s shared) Close() error { return nil }

func (s shared) open() (io.ReadCloser, error) {
	_, err := s.Seek(0, io.SeekStart)
	close(s.rewound)
	return s, err
}

// A late read of the first attempt would take bytes from the second one.
//
// Promise: Before a replay, the reader of the first attempt is stopped.
func TestTransportLateReadTakesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.warmClient(t)
		video := shared{strings.NewReader("the whole video"), make(chan struct{})}
		first := true
		w.setAPI(func(r *http.Request) (*http.Response, error) {
			if first {
				first = false
				_, _ = r.Body.Read(make([]byte, 3))
				go func() {
					<-video.rewound
					n, err := r.Body.Read(make([]byte, 3))
					assert.Zero(t, n)
					assert.Error(t, err)
				}()
				return answer(401, "text/plain", "no"), nil
			}
			synctest.Wait() // for the late read
			body, _ := io.ReadAll(r.Body)
			assert.Equal(t, "the whole video", string(body))
			return answer(201, "text/plain", ""), nil
		})
		req, _ := http.NewRequest("POST", w.srv.URL+"/videos", video)
		req.GetBody = video.open
		resp, err := client.Do(req)
		require.NoError(t, err)
		assert.Equal(t, 201, resp.StatusCode)
	})
}

// A base calls GetBody itself if a connection breaks, as package net/http does.
//
// Promise: A reader that the base opened itself, with `GetBody`, is stopped before a replay too.
func TestTransportReopenedBodyTakesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.warmClient(t)
		video, opened := strings.NewReader("the whole video"), 0
		second := make(chan struct{})
		w.setAPI(func(r *http.Request) (*http.Response, error) {
			if opened == 0 {
				body, err := r.GetBody()
				require.NoError(t, err)
				_, _ = body.Read(make([]byte, 3))
				go func() {
					<-second
					n, err := body.Read(make([]byte, 3))
					assert.Zero(t, n)
					assert.Error(t, err)
					_, err = r.GetBody()
					assert.Error(t, err)
				}()
				return answer(401, "text/plain", "no"), nil
			}
			beginning := make([]byte, 3)
			_, _ = r.Body.Read(beginning)
			close(second)
			synctest.Wait() // for the late calls
			rest, _ := io.ReadAll(r.Body)
			assert.Equal(t, "the whole video", string(beginning)+string(rest))
			return answer(201, "text/plain", ""), nil
		})
		req, _ := http.NewRequest("POST", w.srv.URL+"/videos", io.NopCloser(video))
		req.GetBody = func() (io.ReadCloser, error) {
			opened++
			_, err := video.Seek(0, io.SeekStart)
			return io.NopCloser(video), err
		}
		resp, err := client.Do(req)
		require.NoError(t, err)
		assert.Equal(t, 201, resp.StatusCode)
		assert.Equal(t, 2, opened)
	})
}

// This happens over a network, with an early 401 and a fast auth call.
//
// Promise: Before a replay, the reader of the first attempt is stopped.
func TestTransportReplayOfASharedFile(t *testing.T) {
	const size = 4 << 20
	name := filepath.Join(t.TempDir(), "video")
	require.NoError(t, os.WriteFile(name, make([]byte, size), 0o600))
	var received atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer made-up-token" {
			_, _ = io.CopyN(io.Discard, r.Body, 64<<10)
			rw.WriteHeader(401)
			return
		}
		n, err := io.Copy(io.Discard, r.Body)
		if err == nil {
			received.Store(n)
			rw.WriteHeader(201)
		}
	}))
	defer srv.Close()
	whole := 0
	for range 50 {
		tokens := []string{"made-up-token", "made-up-successor"}
		src := sourceThrough(t, apivideo.Config{BaseURL: srv.URL}, func(*http.Request) (*http.Response, error) {
			defer func() { tokens = tokens[1:] }()
			return grantOf(tokens[0], "", 3600), nil
		})
		file, err := os.Open(name)
		require.NoError(t, err)
		req, _ := http.NewRequest("POST", srv.URL+"/videos", io.NopCloser(file)) // chunked
		req.GetBody = func() (io.ReadCloser, error) {
			_, err := file.Seek(0, io.SeekStart)
			return io.NopCloser(file), err
		}
		resp, err := src.Client(t.Context()).Do(req)
		if err == nil && resp.StatusCode == 201 {
			whole++
			assert.EqualValues(t, size, received.Load(), "whole or an error")
		}
		if err == nil {
			resp.Body.Close()
		}
		file.Close()
	}
	assert.Positive(t, whole)
}

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

// Promise: The wait for the body of a 401 ends after 1 second, or after Content-Length bytes.
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

// Promise: If the body of a 401 ends after the wait, it is closed when the caller closes it.
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
//
// Promise: The wait for the body of a 401 ends after 1 second, or after Content-Length bytes.
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

// Promise: Closing the body of a 401 delays no caller whose context has ended.
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

// Promise: A panic of the body of a 401 is logged, and the body is closed.
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
//
// Promise: If the reader of the first attempt does not stop within 1 second, the caller gets the 401.
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
