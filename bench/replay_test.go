package bench

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
)

// revocations are how many tokens of one Source a benchmark has revoked. It
// remembers each until its expiry, which in life is not so many.
const revocations = 100

// BenchmarkReplay is a request that meets a 401: the refusal read, a new token,
// the request once more, and no network. No peer does that; the limit is the
// same written out by its caller.
func BenchmarkReplay(b *testing.B) {
	o := Options{Service: &Service{}, Base: newRefusing()}
	b.Run("by="+Apivideo, func(b *testing.B) {
		req := newRequest(4)
		var rt http.RoundTripper
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if i%revocations == 0 {
				rt = mustPeer(b, Peer{Apivideo, newApivideo}, o)
			}
			mustRoundTrip(b, rt, req)
		}
	})
	b.Run("by="+Limit, func(b *testing.B) {
		req := newRequest(4)
		rt := mustPeer(b, Peer{Limit, newFixedHeader}, o)
		b.ReportAllocs()
		for b.Loop() {
			rt = replayByHand(b, rt, o, req)
		}
	})
}

// replayByHand sends req until it is not refused, and returns what has the
// token that served.
func replayByHand(b *testing.B, rt http.RoundTripper, o Options, req *http.Request) http.RoundTripper {
	resp, err := rt.RoundTrip(req)
	if err != nil {
		b.Fatal(err)
	}
	if resp.StatusCode != http.StatusUnauthorized {
		return rt
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	rt = mustPeer(b, Peer{Limit, newFixedHeader}, o)
	mustRoundTrip(b, rt, req)
	return rt
}

// refusing is an API without a network that serves each token once and then
// refuses it. It is for one goroutine.
type refusing struct {
	last string // the Authorization header
	body string // of a refusal
}

func newRefusing() *refusing {
	body, _ := json.Marshal(apivideotest.Problem("authentication-invalid-access-token"))
	return &refusing{body: string(body)}
}

func (r *refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	authorization := req.Header.Get("Authorization")
	if authorization == r.last {
		return answer(req, http.StatusUnauthorized, "application/problem+json", r.body), nil
	}
	r.last = authorization
	return noNetwork{}.RoundTrip(req)
}
