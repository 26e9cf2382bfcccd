package year_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/internal/memstore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

const (
	keyLife   = 30 * day
	delivery  = 2 * time.Minute // until a new key has reached the files of all processes
	keyOutage = 10 * time.Minute
)

// rotation is a fleet whose API key changes every 30 days. Each process reads
// the key from its own file, as from a mounted Secret.
type rotation struct {
	t      *testing.T
	server *apivideotest.Server
	ctx    context.Context
	conf   *apivideo.Config
	began  time.Time
	length time.Duration
	files  []string

	mu       sync.Mutex // guards what follows
	random   *rand.Rand
	key      string
	outage   time.Time // when the last outage of the auth service began
	requests int
	failed   int // in an outage
	lost     int // outside of one
}

// In this year each new key is delivered within two minutes. The old one is
// deleted within the hour, with or without its tokens. No request fails
// outside the outages of the service.
//
// Promise: A change of the API key every 30 days, for a year and 50 processes, fails no request.
func TestFleetForAYearOfKeyChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := apivideotest.NewUnstartedServer()
		server.HandleFunc("/videos", func(http.ResponseWriter, *http.Request) {})
		server.SetAuthLatency(50 * time.Millisecond)
		r := &rotation{t: t, server: server, conf: server.Config(), began: time.Now(), length: brief(365 * day), key: server.Config().APIKey}
		seed := *seed
		if seed == 0 {
			seed = rand.Uint64()
		}
		t.Logf("seed=%d", seed)
		r.random = rand.New(rand.NewPCG(seed, 0))
		r.conf.APIKey = ""
		r.conf.Store = memstore.New()
		r.ctx = context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: server.Transport()})
		dir := t.TempDir()
		for i := range fleetSize {
			r.files = append(r.files, filepath.Join(dir, strconv.Itoa(i)))
			r.write(i, r.key)
		}
		var parts sync.WaitGroup
		for i := range fleetSize {
			parts.Go(func() { r.run(i) })
		}
		parts.Go(r.changeKeys)
		parts.Go(r.interrupt)
		parts.Wait()
		c := server.Counters()
		t.Logf("%d requests, %d failed in outages, %d outside; %+v", r.requests, r.failed, r.lost, c)
		assert.Zero(t, r.lost)
		assert.Greater(t, r.requests, int(137*r.length/day))
		assert.LessOrEqual(t, c.Authenticated+c.Refreshed, int(r.length/(lifetime-window))+500)
	})
}

// sleep reports whether the end has not come by then.
func (r *rotation) sleep(d time.Duration) bool {
	time.Sleep(d)
	return time.Since(r.began) < r.length
}

// upTo draws a duration.
func (r *rotation) upTo(d time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Duration(r.random.Int64N(int64(d)))
}

func (r *rotation) write(i int, content string) {
	require.NoError(r.t, os.WriteFile(r.files[i], []byte(content), 0o600))
}

// run makes the requests of one process, which is restarted now and then.
func (r *rotation) run(i int) {
	conf := *r.conf
	conf.APIKeyFunc = apivideo.KeyFile(r.files[i])
	client := conf.Client(r.ctx)
	for r.sleep(r.upTo(16 * time.Hour)) {
		for range 3 {
			r.request(client)
			time.Sleep(r.upTo(20 * time.Minute))
		}
		if r.upTo(100) == 0 {
			client = conf.Client(r.ctx)
		}
	}
}

func (r *rotation) request(client *http.Client) {
	start := time.Now()
	resp, err := client.Get(r.server.URL + "/videos")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	switch {
	case err == nil && resp.StatusCode == http.StatusOK:
	case start.Sub(r.outage) < keyOutage+time.Minute || time.Since(r.outage) < keyOutage+time.Minute:
		r.failed++
	default:
		r.lost++
		r.t.Errorf("after %v: %v %v", start.Sub(r.began), resp, err)
	}
	if err == nil {
		resp.Body.Close()
	}
}

// changeKeys brings a new key to all processes, each in its own time, and then
// deletes the old one within the hour.
func (r *rotation) changeKeys() {
	for n := 0; r.sleep(keyLife - time.Hour); n++ {
		old := r.key
		r.key = r.server.AddKey()
		var files sync.WaitGroup
		if n%3 == 2 { // all at once
			files.Go(r.fail)
		}
		for i := range r.files {
			files.Go(func() {
				time.Sleep(r.upTo(delivery))
				if i%3 > 0 { // it is not written at once
					r.write(i, []string{"", "", "\n"}[i%3])
					time.Sleep(time.Second)
				}
				r.write(i, r.key+"\n")
			})
		}
		files.Wait()
		time.Sleep(time.Minute + r.upTo(50*time.Minute)) // longer than a renewal may take
		if n%2 == 0 {
			r.server.DeleteKeyAndTokens(old)
		} else {
			r.server.DeleteKey(old)
		}
	}
}

// interrupt has the auth service fail now and then.
func (r *rotation) interrupt() {
	for r.sleep(r.upTo(keyLife)) {
		r.fail()
	}
}

// fail has the auth service fail for a while.
func (r *rotation) fail() {
	r.mu.Lock()
	r.outage = time.Now()
	r.mu.Unlock()
	r.server.FailFunc(func(apivideotest.Op) apivideotest.Fault { return apivideotest.Status(503) })
	time.Sleep(keyOutage)
	r.server.FailFunc(nil)
}
