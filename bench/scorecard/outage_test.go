package scorecard

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

var outageLines = []line{
	{
		name:  "outage before expiry",
		story: "The auth service is down for 10 minutes of the token's hour. The outage ends before the token expires. It starts in minute 44, 46 or 48.",
		holds: "no request fails",
		fits:  everyPeer,
		run: each(minutes(44, 46, 48), func(w *world, start time.Duration) bool {
			w.outage(start, patience, unavailable)
			return w.failed == 0
		}),
	},
	{
		name:  "outage at expiry",
		story: "The auth service is down for 10 minutes. The token expires during the outage. It starts in minute 52, 55 or 58.",
		holds: "no request fails",
		fits:  everyPeer,
		run: each(minutes(52, 55, 58), func(w *world, start time.Duration) bool {
			w.outage(start, patience, unavailable)
			return w.failed == 0
		}),
	},
	{
		name:  "auth service hangs",
		story: "For 10 minutes no auth call is answered. That starts in minute 44 or 55. Each request has 5 seconds.",
		holds: "no request fails or takes longer than its 5 seconds",
		fits:  everyPeer,
		run: each(minutes(44, 55), func(w *world, start time.Duration) bool {
			w.outage(start, 5*time.Second, hang)
			return w.failed == 0 && w.slowest <= 5*time.Second
		}),
	},
	{
		name:  "dead HTTP/2 connection",
		story: "Auth calls use HTTP/2, over a transport that keeps idle connections. In minute 30 the server behind their connection stops. A load balancer keeps the connection open. New connections work.",
		holds: "no request fails",
		fits:  everyPeer,
		run:   virtual(deadConnection),
	},
	{
		name:  "slow renewal",
		story: "An auth call takes 2 seconds. For 3 hours a program makes a request every few seconds.",
		holds: "no request but the first waits",
		fits:  everyPeer,
		run: virtual(func(_ *testing.T, w *world) bool {
			w.server.SetAuthLatency(2 * time.Second)
			w.visit("/videos")
			w.slowest = 0
			w.visits(3*time.Hour, shortPause, patience)
			if w.slowest >= time.Second {
				w.note = fmt.Sprintf("%v s wait", w.slowest.Seconds())
			}
			return w.failed == 0 && w.note == ""
		}),
	},
	{
		name:  "long upload",
		story: "A program uploads in parts, for 3 hours. Each part takes 8 minutes. The service checks the token at the end of a part.",
		holds: "no part is rejected",
		fits:  everyPeer,
		run:   virtual(longUpload),
	},
}

func minutes(n ...int) (d []time.Duration) {
	for _, m := range n {
		d = append(d, time.Duration(m)*time.Minute)
	}
	return d
}

// outage makes requests for 80 minutes. From start on, the auth service fails
// for 10 minutes.
func (w *world) outage(start, limit time.Duration, failure func(*http.Request) (*http.Response, error)) {
	w.atAuth = w.during(start, start+10*time.Minute, failure)
	w.visits(80*time.Minute, pause, limit)
}

// longUpload sends parts as a file on disk would be sent.
func longUpload(t *testing.T, w *world) bool {
	w.server.HandleFunc("POST /part", func(http.ResponseWriter, *http.Request) {})
	for time.Since(w.began) < 3*time.Hour {
		req, err := http.NewRequestWithContext(t.Context(), "POST", w.server.URL+"/part", nil)
		if err != nil {
			t.Fatal(err)
		}
		body := &slowFile{}
		req.Body, req.ContentLength = body, slowFileSize
		w.send(req)
	}
	return w.failed == 0
}

const slowFileSize = 8

// slowFile is a file of some bytes. The network takes a minute for each.
type slowFile struct{ offset int64 }

func (f *slowFile) Read(p []byte) (int, error) {
	if f.offset == slowFileSize {
		return 0, io.EOF
	}
	time.Sleep(time.Minute)
	p[0] = 'x'
	f.offset++
	return 1, nil
}

func (f *slowFile) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case 1:
		offset += f.offset
	case 2:
		offset += slowFileSize
	}
	f.offset = offset
	return offset, nil
}

func (f *slowFile) Close() error { return nil }
