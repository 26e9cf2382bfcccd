package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// BenchmarkRoundTrip is the cost of a request before it reaches the network. It
// has four headers. The base answers at once; bare is the cost of that.
func BenchmarkRoundTrip(b *testing.B) { benchmarkRequest(b, newRequest) }

// BenchmarkPost is the same for a request with a body in memory.
func BenchmarkPost(b *testing.B) { benchmarkRequest(b, newPost) }

func benchmarkRequest(b *testing.B, request func(headers int) *http.Request) {
	for _, peer := range Peers {
		rt := mustTransport(b, peer, Options{Service: &Service{}, Base: noNetwork{}})
		mustRoundTrip(b, rt, request(4))
		onOneAndMany(b, peer, func(next func() bool) {
			req := request(4)
			for next() {
				mustRoundTrip(b, rt, req)
			}
		})
	}
}

// costOf is the heap use of a request.
func costOf(t *testing.T, peer string, req *http.Request) (allocs, bytes float64) {
	const n = 1000
	rt := mustTransport(t, peer, Options{Service: &Service{}, Base: noNetwork{}})
	mustRoundTrip(t, rt, req)
	allocs, bytes = heapUse(func() {
		for range n {
			mustRoundTrip(t, rt, req)
		}
	})
	return math.Floor(allocs / n), math.Floor(bytes / n) // the runtime allocates a little, too
}

// Promise: A request costs at most 3 allocations, for up to 7 headers, also with a body in memory.
func TestRequestAllocatesThreeTimes(t *testing.T) {
	for method, request := range map[string]func(headers int) *http.Request{"GET": newRequest, "POST": newPost} {
		for _, headers := range []int{0, 4, 7} {
			allocs, bytes := costOf(t, Apivideo, request(headers))
			limitAllocs, limitBytes := costOf(t, Limit, request(headers))
			t.Logf("%s, %d headers: %v allocations, %v B; the limit: %v, %v B", method, headers, allocs, bytes, limitAllocs, limitBytes)
			assert.Equal(t, 3.0, allocs, "%s, %d headers", method, headers)
			assert.LessOrEqual(t, bytes, limitBytes, "%s, %d headers", method, headers)
		}
	}
}

// writes counts the writes to connections.
type writes struct {
	net.Conn
	n *atomic.Int64
}

func (w writes) Write(p []byte) (int, error) {
	w.n.Add(1)
	return w.Conn.Write(p)
}

// Promise: A request with a body in memory is one write to the connection.
func TestPostIsOneWrite(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	defer srv.Close()
	var n atomic.Int64
	base := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return writes{conn, &n}, err
	}}
	defer base.CloseIdleConnections()
	for _, peer := range Peers {
		rt := mustTransport(t, peer, Options{Service: &Service{}, Base: base, BaseURL: srv.URL})
		for _, body := range []io.Reader{strings.NewReader(post), bytes.NewReader([]byte(post)), bytes.NewBufferString(post)} {
			n.Store(0)
			req, err := http.NewRequest("POST", srv.URL+"/videos", body)
			require.NoError(t, err)
			mustRoundTrip(t, rt, req)
			assert.EqualValues(t, 1, n.Load(), "%s, %T", peer, body)
		}
	}
}

// A comparison is only fair if each peer sends what it should.
func TestPeersAuthorize(t *testing.T) {
	for _, peer := range Peers {
		sent := ""
		rt := mustTransport(t, peer, Options{Service: &Service{}, Base: baseFunc(func(req *http.Request) (*http.Response, error) {
			sent = req.Header.Get("Authorization")
			return noNetwork{}.RoundTrip(req)
		})})
		req := newRequest(4)
		mustRoundTrip(t, rt, req)
		want := ""
		if peer != Bare {
			want = "Bearer " + numbered("access", 1, AccessTokenLength)
		}
		assert.Equal(t, want, sent, peer)
		assert.Len(t, req.Header, 4, peer)
	}
}

type baseFunc func(*http.Request) (*http.Response, error)

func (f baseFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// revocations is how many tokens of one Source a benchmark revokes. A Source
// remembers each until its expiry; in real use they are few.
const revocations = 100

// BenchmarkReplay is a request that meets a 401, without a network: it reads the
// answer, gets a new token and sends the request again. No peer does that. The
// limit is the same in its caller's code.
func BenchmarkReplay(b *testing.B) {
	o := Options{Service: &Service{}, Base: newRefusing()}
	req := newRequest(4)
	var rt http.RoundTripper
	b.Run("by="+Apivideo, func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if i%revocations == 0 {
				rt = mustTransport(b, Apivideo, o)
			}
			mustRoundTrip(b, rt, req)
		}
	})
	b.Run("by="+Limit, func(b *testing.B) {
		rt = mustTransport(b, Limit, o)
		mustRoundTrip(b, rt, req)
		b.ReportAllocs()
		for b.Loop() {
			resp, err := rt.RoundTrip(req)
			if err != nil || resp.StatusCode != http.StatusUnauthorized {
				b.Fatal(resp, err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			rt = mustTransport(b, Limit, o)
			mustRoundTrip(b, rt, req)
		}
	})
}

// BenchmarkReplay needs a replay for each of its requests.
func TestReplayServesEveryRequest(t *testing.T) {
	rt := mustTransport(t, Apivideo, Options{Service: &Service{}, Base: newRefusing()})
	req := newRequest(4)
	for range revocations {
		mustRoundTrip(t, rt, req)
	}
}

// newRefusing is an API without a network that accepts each token once. It is
// for one goroutine.
func newRefusing() http.RoundTripper {
	last := ""
	body, _ := json.Marshal(apivideotest.Problem("authentication-invalid-access-token"))
	return baseFunc(func(req *http.Request) (*http.Response, error) {
		authorization := req.Header.Get("Authorization")
		if authorization == last {
			return answer(req, http.StatusUnauthorized, "application/problem+json", string(body)), nil
		}
		last = authorization
		return noNetwork{}.RoundTrip(req)
	})
}

// BenchmarkLoopback is a whole request over TLS to a server on a loopback
// address.
func BenchmarkLoopback(b *testing.B) {
	for _, proto := range []string{"HTTP1.1", "HTTP2.0"} {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.ReplaceAll(r.Proto, "/", "") != proto {
				w.WriteHeader(http.StatusHTTPVersionNotSupported)
			}
			io.WriteString(w, `{"data":[]}`)
		}))
		srv.EnableHTTP2 = proto == "HTTP2.0"
		srv.StartTLS()
		req, err := http.NewRequest("GET", srv.URL+"/videos", nil)
		if err != nil {
			b.Fatal(err)
		}
		for _, peer := range Peers {
			b.Run("proto="+proto+"/by="+peer, func(b *testing.B) {
				rt := mustTransport(b, peer, Options{Service: &Service{}, Base: srv.Client().Transport, BaseURL: srv.URL})
				mustRoundTrip(b, rt, req)
				b.ReportAllocs()
				for b.Loop() {
					mustRoundTrip(b, rt, req)
				}
			})
		}
		srv.Close()
	}
}
