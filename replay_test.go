package apivideo_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

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
