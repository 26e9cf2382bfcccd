package bench

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
)

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
		b.ReportAllocs()
		for b.Loop() {
			rt = replayByHand(b, rt, o, req)
		}
	})
}

// replayByHand sends req, again after a 401, and returns the RoundTripper with
// the token that was accepted.
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
	rt = mustTransport(b, Limit, o)
	mustRoundTrip(b, rt, req)
	return rt
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
