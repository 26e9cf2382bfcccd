package scorecard

import (
	"net/http"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
)

var refusalLines = []line{
	{
		name:  "token revoked",
		story: "In minute 20 the service revokes the token.",
		holds: "no request fails",
		fits:  everyPeer,
		run: virtual(func(_ *testing.T, w *world) bool {
			w.revokedAt(20 * time.Minute)
			w.visits(70*time.Minute, pause, patience)
			return w.failed == 0
		}),
	},
	{
		name:  "token revoked twice",
		story: "The service revokes the token in minute 20, and its successor 20 seconds later.",
		holds: "no request fails",
		fits:  everyPeer,
		run: virtual(func(_ *testing.T, w *world) bool {
			w.revokedAt(20 * time.Minute)
			w.revokedAt(20*time.Minute + 20*time.Second)
			w.visits(70*time.Minute, pause, patience)
			return w.failed == 0
		}),
	},
	{
		name:  "tokens revoked during a renewal",
		story: "The answer of each renewal takes 8 seconds. While the first one is under way, the service revokes all tokens, the new one too.",
		holds: "no request fails",
		fits:  everyPeer,
		run:   virtual(revokedWhileRenewing),
	},
	{
		name:  "one path refuses",
		story: "One path answers 401 to every token. The others work. For 8 minutes a program uses both in turn, each second.",
		holds: "no request of another path fails or takes a second, and there are at most 20 auth calls",
		fits:  everyPeer,
		run: virtual(func(_ *testing.T, w *world) bool {
			w.refusingPath(0)
			return w.failed == 0 && w.slowest < time.Second && w.calls.Load() <= 20
		}),
	},
	{
		name:  "one path refuses, token revoked",
		story: "As before. The service also revokes the token, in minute 3, 4, 5 or 6.",
		holds: "at most one request of another path fails",
		fits:  everyPeer,
		run: each(minutes(3, 4, 5, 6), func(w *world, revoked time.Duration) bool {
			w.refusingPath(revoked)
			return w.failed <= 1
		}),
	},
	{
		name:  "API key rejected",
		story: "The service deletes the API key with its tokens. Two hours later a program makes 20 requests a second for a minute.",
		holds: "there are at most 30 auth calls, and each request fails in a second",
		fits:  everyPeer,
		run: virtual(func(_ *testing.T, w *world) bool {
			w.visit("/videos")
			w.server.DeleteKeyAndTokens(w.server.Config().APIKey)
			time.Sleep(2 * time.Hour)
			w.calls.Store(0)
			w.slowest = 0
			w.visits(2*time.Hour+time.Minute, 50*time.Millisecond, patience)
			return w.calls.Load() <= 30 && w.slowest <= time.Second
		}),
	},
}

// revokedAt revokes all tokens at a time of the world.
func (w *world) revokedAt(age time.Duration) {
	time.AfterFunc(age-time.Since(w.began), w.server.RevokeAccessTokens)
}

func revokedWhileRenewing(_ *testing.T, w *world) bool {
	w.visit("/videos")
	w.server.SetAnswerLatency(8 * time.Second)
	first := true
	w.server.FailFunc(func(apivideotest.Op) apivideotest.Fault {
		if first {
			first = false
			time.AfterFunc(2*time.Second, w.server.RevokeAccessTokens)
		}
		return apivideotest.Fault{}
	})
	w.visits(80*time.Minute, shortPause, patience)
	return w.failed == 0
}

// refusingPath uses two paths for 8 minutes, and counts only the requests of
// the one that works. If revoked is not 0, the service revokes the token then.
func (w *world) refusingPath(revoked time.Duration) {
	w.server.HandleFunc("GET /broken", func(rw http.ResponseWriter, _ *http.Request) {
		apivideotest.WriteProblem(rw, apivideotest.Problem("authentication-invalid-access-token"))
	})
	if revoked > 0 {
		w.revokedAt(revoked)
	}
	for time.Since(w.began) < 8*time.Minute {
		w.visit("/videos")
		counted, slowest := w.failed, w.slowest
		w.visit("/broken")
		w.failed, w.slowest = counted, slowest
		time.Sleep(time.Second)
	}
}
