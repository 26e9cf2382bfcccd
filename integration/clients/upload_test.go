package clients_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/integration/clients/videos"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// generated returns a generated client for srv.
func generated(t *testing.T, srv *apivideotest.Server) *videos.ClientWithResponses {
	client, err := videos.NewClientWithResponses(srv.URL, videos.WithHTTPClient(srv.Config().Client(t.Context())))
	require.NoError(t, err)
	return client
}

// form returns a form with a file.
func form(t *testing.T, content string) (contentType string, body *bytes.Buffer) {
	body = new(bytes.Buffer)
	w := multipart.NewWriter(body)
	part, err := w.CreateFormFile("file", "video.mp4")
	require.NoError(t, err)
	_, err = io.WriteString(part, content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return w.FormDataContentType(), body
}

func TestAnUploadTokenThatIsRefusedCausesNoAuthCall(t *testing.T) {
	t.Parallel()
	const good, bad = "made-up-upload-token", "another-upload-token"
	srv := newServer(t)
	srv.HandleFunc("POST /upload", func(w http.ResponseWriter, r *http.Request) {
		file, _, err := r.FormFile("file")
		switch {
		case r.FormValue("token") != good:
			apivideotest.WriteProblem(w, apivideotest.Problem("authentication-invalid-upload-token"))
		case err != nil:
			apivideotest.WriteProblem(w, apivideotest.Problem("payload-is-invalid"))
		default:
			file.Close()
			respond(w, http.StatusCreated, video)
		}
	})
	client := generated(t, srv)
	upload := func(token string) *videos.UploadResponse {
		contentType, body := form(t, "made-up film")
		resp, err := client.UploadWithBodyWithResponse(t.Context(), &videos.UploadParams{Token: &token}, contentType, body)
		require.NoError(t, err)
		return resp
	}
	require.NotNil(t, upload(good).JSON201)
	refused := upload(bad)
	require.NotNil(t, refused.ApplicationproblemJSON401, "%s", refused.Status())
	assert.Equal(t, "The upload token is invalid or expired.", *refused.ApplicationproblemJSON401.Title)
	srv.RevokeAccessTokens() // which is healed all the same
	require.NotNil(t, upload(good).JSON201)
	assert.Equal(t, apivideotest.Counters{
		AuthCalls: 2, Authenticated: 1, Refreshed: 1, Authorized: 3, Unauthorized: 1,
	}, srv.Counters())
}

// film returns n bytes without a repetition, the same each time.
func film(n int64) io.Reader {
	block, err := aes.NewCipher([]byte("made-up seed, 16"))
	if err != nil {
		panic(err)
	}
	stream := cipher.StreamReader{S: cipher.NewCTR(block, make([]byte, aes.BlockSize)), R: zeros{}}
	return io.LimitReader(stream, n)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// receipt is what the service answers to an upload: the hash of what it got.
func receipt(r io.Reader) string {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return err.Error()
	}
	return hex.EncodeToString(h.Sum(nil))
}

func newUploadServer(t *testing.T) *apivideotest.Server {
	srv := newServer(t)
	srv.HandleFunc("POST /upload", func(w http.ResponseWriter, r *http.Request) {
		respond(w, http.StatusCreated, receipt(r.Body))
	})
	return srv
}

// upload sends a body and returns the answer.
func upload(t *testing.T, client *http.Client, url string, body io.Reader, again func() (io.ReadCloser, error)) (int, string) {
	req, err := http.NewRequestWithContext(context.Background(), "POST", url+"/upload", body)
	require.NoError(t, err)
	if again != nil {
		req.GetBody = again
	}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(answer)
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
func TestALargeUploadIsStreamed(t *testing.T) {
	const size = 300 << 20
	srv := newUploadServer(t)
	runtime.GC()
	before := heap()
	body := &peak{Reader: film(size)}
	status, answer := upload(t, srv.Config().Client(t.Context()), srv.URL, body, nil)
	assert.Equal(t, http.StatusCreated, status)
	assert.Equal(t, receipt(film(size)), answer)
	require.NotZero(t, body.heap)
	assert.Less(t, int64(body.heap)-int64(before), int64(16<<20))
	t.Logf("the heap grew by %d KiB at most", (int64(body.heap)-int64(before))>>10)
}

func TestAnUploadThatCannotBeSentAgainHasTheTokenRenewedForTheNext(t *testing.T) {
	t.Parallel()
	const size = 64 << 20
	srv := newUploadServer(t)
	client := srv.Config().Client(t.Context())
	status, _ := upload(t, client, srv.URL, film(1), nil)
	require.Equal(t, http.StatusCreated, status)

	srv.RevokeAccessTokens()
	status, answer := upload(t, client, srv.URL, film(size), nil)
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Contains(t, answer, "The access token is invalid or expired.")
	require.Eventually(t, func() bool { return srv.Counters().Refreshed == 1 }, 20*time.Second, 10*time.Millisecond)

	status, answer = upload(t, client, srv.URL, film(size), nil)
	assert.Equal(t, http.StatusCreated, status)
	assert.Equal(t, receipt(film(size)), answer)
	assert.Equal(t, apivideotest.Counters{
		AuthCalls: 2, Authenticated: 1, Refreshed: 1, Authorized: 2, Unauthorized: 1,
	}, srv.Counters())
}

func TestAnUploadThatCanBeSentAgainIsReplayedWholeAfterARevocation(t *testing.T) {
	t.Parallel()
	const size = 8 << 20
	content, err := io.ReadAll(film(size))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "video.mp4")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	open := func() (io.ReadCloser, error) { return os.Open(path) }

	srv := newUploadServer(t)
	client := srv.Config().Client(t.Context())
	for i, body := range []struct {
		what  string
		again func() (io.ReadCloser, error) // nil: net/http knows how
	}{
		{what: "bytes"},
		{what: "a file", again: open},
	} {
		status, _ := upload(t, client, srv.URL, film(1), nil)
		require.Equal(t, http.StatusCreated, status)
		srv.RevokeAccessTokens()
		var first io.Reader = bytes.NewReader(content)
		if body.again != nil {
			first, err = body.again()
			require.NoError(t, err)
		}
		status, answer := upload(t, client, srv.URL, first, body.again)
		assert.Equal(t, http.StatusCreated, status, body.what)
		assert.Equal(t, receipt(film(size)), answer, body.what)
		assert.Equal(t, i+1, srv.Counters().Unauthorized)
	}
}
