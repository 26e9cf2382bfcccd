package proxy_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

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

// An API may look at the token when it has read the body. Then only a body that
// was kept can be sent again; else the client gets the 401.
func TestReplayOfBodyThatWasRead(t *testing.T) {
	for size, status := range map[int]int{1 << 20: 200, 1<<20 + 1: 401} {
		for _, body := range []io.Reader{bytes.NewReader(make([]byte, size)), unsized{bytes.NewReader(make([]byte, size))}} {
			r := newRig(t) // a second revocation so soon is another matter
			r.echo("POST /videos/vi1/source")
			r.open.HandleFunc("POST /videos/vi1/source", func(w http.ResponseWriter, req *http.Request) {
				io.Copy(io.Discard, req.Body)
				r.srv.ServeHTTP(w, req)
			})
			require.Equal(t, 200, r.get("/videos").status)
			r.srv.RevokeAccessTokens()
			got := r.do(r.request("POST", "/videos/vi1/source", body))
			assert.Equal(t, status, got.status)
			if status == 401 {
				assert.Equal(t, "authentication-invalid-access-token", got.problem())
			}
		}
	}
}

// The wait for an API that does not know "Expect" takes its time only once.
func TestReplayAsksUnawareAPIOnce(t *testing.T) {
	r := newRig(t)
	r.base.ExpectContinueTimeout = 10 * time.Millisecond
	var asked []string
	r.open.HandleFunc("POST /videos/vi1/source", func(w http.ResponseWriter, req *http.Request) {
		asked = append(asked, req.Header.Get("Expect"))
		conn, rw, err := http.NewResponseController(w).Hijack() // which sends no "100 Continue"
		if !assert.NoError(t, err) {
			return
		}
		defer conn.Close()
		_, err = io.CopyN(io.Discard, rw, req.ContentLength)
		assert.NoError(t, err)
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	})
	for range 3 {
		got := r.do(r.request("POST", "/videos/vi1/source", bytes.NewReader(make([]byte, 2<<20))))
		assert.Equal(t, 200, got.status)
	}
	assert.Equal(t, []string{"100-continue", "", ""}, asked)
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
