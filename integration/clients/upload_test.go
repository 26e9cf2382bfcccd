package clients_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// film returns n bytes without repetitions, always the same ones.
func film(n int64) *io.LimitedReader {
	return &io.LimitedReader{R: rand.NewChaCha8([32]byte{1}), N: n}
}

// receipt is what the service answers to an upload: the hash of what it got.
func receipt(r io.Reader) string {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return err.Error()
	}
	return hex.EncodeToString(h.Sum(nil))
}

// newUploadServer starts a service that answers an upload with its receipt.
func newUploadServer(t *testing.T) *apivideotest.Server {
	srv := newServer(t)
	srv.HandleFunc("POST /upload", func(w http.ResponseWriter, r *http.Request) {
		respond(w, http.StatusCreated, receipt(r.Body))
	})
	return srv
}

// hearOut puts a handler in front of srv. As proxies do, it reads an upload to
// its end, even if srv will refuse it.
func hearOut(t *testing.T, srv *apivideotest.Server) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if r.URL.Path == "/upload" && !srv.Valid(token) {
			io.Copy(io.Discard, r.Body)
		}
		srv.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	srv.URL = proxy.URL
}

func newUpload(t *testing.T, srv *apivideotest.Server, body io.Reader) *http.Request {
	req, err := http.NewRequestWithContext(t.Context(), "POST", srv.URL+"/upload", body)
	require.NoError(t, err)
	return req
}

// send returns the status and the body of the answer.
func send(t *testing.T, client *http.Client, req *http.Request) (int, string) {
	t.Helper()
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(answer)
}

// assertReceived sends an upload and asserts that the film arrives whole.
func assertReceived(t *testing.T, client *http.Client, req *http.Request, size int64) {
	t.Helper()
	status, answer := send(t, client, req)
	assert.Equal(t, http.StatusCreated, status)
	assert.Equal(t, receipt(film(size)), answer)
}

// peak notes how large the heap gets while it is read.
type peak struct {
	io.Reader
	unseen int
	heap   uint64
}

func (p *peak) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	if p.unseen += n; p.unseen >= 1<<20 {
		p.unseen = 0
		p.heap = max(p.heap, heap())
	}
	return n, err
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// It does not run beside other tests, which would add to the heap.
func TestUploadIsStreamed(t *testing.T) {
	const size = 300 << 20
	srv := newUploadServer(t)
	runtime.GC()
	before := heap()
	body := &peak{Reader: film(size)}
	assertReceived(t, srv.Config().Client(t.Context()), newUpload(t, srv, body), size)
	require.NotZero(t, body.heap)
	assert.Less(t, int64(body.heap)-int64(before), int64(16<<20))
	t.Logf("the heap grew by %d KiB at most", (int64(body.heap)-int64(before))>>10)
}

func TestUploadWithoutGetBodyRenewsForNext(t *testing.T) {
	t.Parallel()
	const size = 64 << 20
	patient := http.DefaultTransport.(*http.Transport).Clone()
	patient.ExpectContinueTimeout = time.Minute
	for refused, early := range map[string]bool{"before it is sent": true, "after it was sent": false} {
		t.Run(refused, func(t *testing.T) {
			t.Parallel()
			defer patient.CloseIdleConnections()
			srv := newUploadServer(t)
			if !early {
				hearOut(t, srv)
			}
			client := srv.Config().Client(context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: patient}))
			assertReceived(t, client, newUpload(t, srv, film(1)), 1)

			srv.RevokeAccessTokens()
			body := film(size)
			req := newUpload(t, srv, body)
			req.Header.Set("Expect", "100-continue")
			status, answer := send(t, client, req)
			assert.Equal(t, http.StatusUnauthorized, status)
			assert.Contains(t, answer, "The access token is invalid or expired.")
			assert.Equal(t, early, body.N == size, "none of it was read")
			require.Eventually(t, func() bool { return srv.Counters().Refreshed == 1 }, 20*time.Second, 10*time.Millisecond)

			assertReceived(t, client, newUpload(t, srv, film(size)), size)
			assert.Equal(t, apivideotest.Counters{
				AuthCalls: 2, Authenticated: 1, Refreshed: 1, Authorized: 2, Unauthorized: 1,
			}, srv.Counters())
		})
	}
}

func TestUploadWithGetBodyIsReplayed(t *testing.T) {
	t.Parallel()
	const size = 8 << 20
	content, err := io.ReadAll(film(size))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "video.mp4")
	require.NoError(t, os.WriteFile(path, content, 0o600))

	srv := newUploadServer(t)
	hearOut(t, srv)
	client := srv.Config().Client(t.Context())
	assertReceived(t, client, newUpload(t, srv, film(1)), 1)
	srv.RevokeAccessTokens()
	assertReceived(t, client, newUpload(t, srv, bytes.NewReader(content)), size) // net/http gives it a GetBody

	file, err := os.Open(path)
	require.NoError(t, err)
	req := newUpload(t, srv, file)
	req.GetBody = func() (io.ReadCloser, error) { return os.Open(path) }
	srv.RevokeAccessTokens()
	assertReceived(t, client, req, size)
	assert.Equal(t, apivideotest.Counters{
		AuthCalls: 3, Authenticated: 1, Refreshed: 2, Authorized: 3, Unauthorized: 2,
	}, srv.Counters())
}
