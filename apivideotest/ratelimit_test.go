package apivideotest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
)

func (r reply) rate() [3]string {
	const name = "X-RateLimit-"
	return [3]string{r.header.Get(name + "Limit"), r.header.Get(name + "Remaining"), r.header.Get(name + "Retry-After")}
}

func TestRateLimitHeadersInEveryAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := apivideotest.NewUnstartedServer()
		for i := range 50 {
			r := get(t, srv, "/", "")
			assert.Equal(t, 401, r.status)
			want := map[int]string{0: "39", 39: "0", 49: "0"}
			if remaining, ok := want[i]; ok {
				assert.Equal(t, [3]string{"40", remaining, "60"}, r.rate())
			}
		}
		assert.Equal(t, [3]string{"40", "39", "60"}, exchange(t, srv).rate(), "other kinds of calls count apart")
		time.Sleep(45*time.Second + 1)
		assert.Equal(t, [3]string{"40", "0", "15"}, get(t, srv, "/", "").rate())
		time.Sleep(15*time.Second - 1)
		assert.Equal(t, [3]string{"40", "39", "60"}, get(t, srv, "/", "").rate())
	})
}

func TestSetRateLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := apivideotest.NewUnstartedServer()
		key := basic(srv.Config().APIKey + ":")
		srv.SetRateLimits(apivideotest.Limits{Reads: 3, Uploads: 1})
		for range 3 {
			assert.Equal(t, 200, get(t, srv, "/videos", key).status)
		}
		time.Sleep(20 * time.Second)
		r := call(t, srv, "HEAD", "/videos", key, "")
		assert.Equal(t, 429, r.status)
		assert.Equal(t, [3]string{"3", "0", "40"}, r.rate())
		assert.Equal(t, "too-many-requests", get(t, srv, "/videos", key).id())

		call(t, srv, "POST", "/videos/vi7/source", key, "")
		assert.Equal(t, 429, call(t, srv, "POST", "/upload", key, "").status)
		for range 50 {
			assert.Equal(t, 201, call(t, srv, "POST", "/videos", key, `{"title":"A"}`).status)
			exchange(t, srv)
		}
		assert.Equal(t, 3, srv.Counters().Limited)

		time.Sleep(40 * time.Second)
		assert.Equal(t, 200, get(t, srv, "/videos", key).status)
		srv.SetRateLimits(apivideotest.SandboxLimits)
		assert.Equal(t, [3]string{"100", "99", "60"}, get(t, srv, "/videos", key).rate())
		srv.SetRateLimits(apivideotest.Limits{})
		assert.Equal(t, "40", get(t, srv, "/videos", key).rate()[0])
	})
}
