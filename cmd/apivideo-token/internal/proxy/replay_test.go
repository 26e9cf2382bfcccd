package proxy_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// unsized hides how long a body is.
type unsized struct{ io.Reader }

func TestReplayAfterRevocation(t *testing.T) {
	for name, c := range map[string]struct {
		size  int
		sized bool
	}{
		"none":               {0, true},
		"small":              {1000, true},
		"small, no length":   {1000, false},
		"1 MiB":              {1 << 20, true},
		"1 MiB, no length":   {1 << 20, false},
		"5 MiB":              {5 << 20, true},
		"5 MiB, no length":   {5 << 20, false},
		"one byte more":      {1<<20 + 1, true},
		"one more, unlength": {1<<20 + 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			received := r.echo("POST /videos/vi1/source")
			r.srv.HandleFunc("GET /videos", func(http.ResponseWriter, *http.Request) {})
			require.Equal(t, 200, r.get("/videos").status)
			body := bytes.Repeat([]byte("0123456789abcdef"), c.size/16+1)[:c.size]
			for range 3 {
				r.srv.RevokeAccessTokens()
				var reader io.Reader = bytes.NewReader(body)
				if !c.sized {
					reader = unsized{reader}
				}
				got := r.do(r.request("POST", "/videos/vi1/source", reader))
				require.Equal(t, 200, got.status, got.body)
				assert.True(t, bytes.Equal(body, received.Bytes()), "%d bytes arrived", received.Len())
			}
			assert.Equal(t, 3, r.srv.Counters().Unauthorized)
			assert.Equal(t, 4, r.srv.Counters().AuthCalls)
		})
	}
}

// What was read cannot be sent again: the client gets the 401 of the API.
func TestReplayImpossibleOnceRead(t *testing.T) {
	r := newRig(t)
	r.srv.HandleFunc("GET /videos", func(http.ResponseWriter, *http.Request) {})
	require.Equal(t, 200, r.get("/videos").status)
	r.open.HandleFunc("POST /videos/vi1/source", func(w http.ResponseWriter, req *http.Request) {
		io.Copy(io.Discard, req.Body)
		r.srv.ServeHTTP(w, req)
	})
	r.srv.RevokeAccessTokens()
	got := r.do(r.request("POST", "/videos/vi1/source", bytes.NewReader(make([]byte, 2<<20))))
	assert.Equal(t, 401, got.status)
	assert.Equal(t, "authentication-invalid-access-token", got.problem())
	assert.Equal(t, 200, r.get("/videos").status)
}

// The client sends the second half only when the first has arrived.
func TestReplayStreamsLongBodies(t *testing.T) {
	r := newRig(t)
	const half = 3 << 20
	arrived := make(chan struct{})
	r.srv.HandleFunc("POST /videos/vi1/source", func(w http.ResponseWriter, req *http.Request) {
		_, err := io.CopyN(io.Discard, req.Body, half)
		assert.NoError(t, err)
		close(arrived)
		n, err := io.Copy(io.Discard, req.Body)
		assert.NoError(t, err)
		assert.EqualValues(t, half, n)
	})
	out, in := io.Pipe()
	go func() {
		in.Write(make([]byte, half))
		<-arrived
		in.Write(make([]byte, half))
		in.Close()
	}()
	assert.Equal(t, 200, r.do(r.request("POST", "/videos/vi1/source", out)).status)
}
