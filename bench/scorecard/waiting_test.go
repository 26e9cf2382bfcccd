package scorecard

import (
	"cmp"
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// These lines run in real time: a goroutine that waits for a mutex stops the
// clock of package synctest.
var waitingLines = []line{
	{
		name:  "cold start",
		story: "100 callers need the first token at once.",
		holds: "all are served with one auth call",
		fits:  everyPeer,
		run:   coldStart,
	},
	{
		name:  "a caller's deadline",
		story: "An auth call takes long. A caller with a deadline and one without wait for it. First the one comes first, then the other.",
		holds: "each time the caller with the deadline returns when it ends, and the other is served",
		fits:  everyPeer,
		run:   callerDeadline,
	},
}

func coldStart(t *testing.T, p Peer) Result {
	w := newWorld(t, p)
	w.server.SetAuthLatency(300 * time.Millisecond)
	var failed atomic.Int64
	var callers sync.WaitGroup
	for range 100 {
		callers.Go(func() {
			if status, err := w.call(context.Background()); err != nil || status != http.StatusOK {
				failed.Add(1)
			}
		})
	}
	callers.Wait()
	calls := int(w.calls.Load())
	return Result{Holds: failed.Load() == 0 && calls == 1, Failed: int(failed.Load()), Calls: calls}
}

// call makes a request. Unlike visit, it is safe for concurrent use.
func (w *world) call(ctx context.Context) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, "GET", w.url+"/videos", nil)
	if err != nil {
		return 0, err
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

// tooLate is when a caller with a deadline of 100 ms counts as late. It is long,
// for a busy machine.
const tooLate = 3 * time.Second

func callerDeadline(t *testing.T, p Peer) Result {
	one, other := waitTogether(t, p, true), waitTogether(t, p, false)
	return Result{Holds: one.Holds && other.Holds, Calls: one.Calls + other.Calls, Note: cmp.Or(one.Note, other.Note)}
}

// waitTogether has two callers wait for an auth call, which ends when the one
// with the deadline has returned, or is late.
func waitTogether(t *testing.T, p Peer, hurriedFirst bool) Result {
	w, answering := newWorld(t, p), make(chan struct{})
	w.atAuth = func(req *http.Request) (*http.Response, error) {
		select {
		case <-answering:
			return nil, nil
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	patient, hurried := make(chan bool, 1), make(chan bool, 1)
	start := map[bool]func(){
		false: func() {
			status, err := w.call(context.Background())
			patient <- err == nil && status == http.StatusOK
		},
		true: func() {
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			_, err := w.call(ctx)
			hurried <- err != nil
		},
	}
	go start[hurriedFirst]()
	for w.calls.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	go start[!hurriedFirst]()
	var inTime bool
	select {
	case inTime = <-hurried:
	case <-time.After(tooLate):
	}
	close(answering)
	r := Result{Holds: <-patient && inTime, Calls: int(w.calls.Load())}
	if !inTime {
		<-hurried
		r.Note = "it waits"
	}
	return r
}
