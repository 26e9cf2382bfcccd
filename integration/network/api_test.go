package network_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/wire"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// upload is a request body that counts how often it is closed.
type upload struct {
	io.Reader
	closed *atomic.Int64
}

func (u upload) Close() error {
	u.closed.Add(1)
	return nil
}

// post returns a request with a body that can be replayed, and counts how often
// the body was opened and closed.
func (n *network) post(ctx context.Context, t *testing.T, path string) (req *http.Request, opened, closed *atomic.Int64) {
	t.Helper()
	opened, closed = new(atomic.Int64), new(atomic.Int64)
	req, err := http.NewRequestWithContext(ctx, "POST", n.conf.BaseURL+path, nil)
	require.NoError(t, err)
	req.ContentLength = 7
	req.GetBody = func() (io.ReadCloser, error) {
		opened.Add(1)
		return upload{strings.NewReader("a video"), closed}, nil
	}
	req.Body, _ = req.GetBody()
	return req, opened, closed
}

func TestAPINetworkErrorIsNotRetried(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		begin func(*testing.T, *path)
		end   func(*testing.T, *path)
		limit time.Duration
		cause error
	}{
		"connections are reset":             {plays(reset), mends, patience, syscall.ECONNRESET},
		"connections end before the answer": {plays(noAnswer), mends, patience, io.EOF},
		"connections are silent":            {plays(silence), mends, time.Second, context.DeadlineExceeded},
		"the port is closed":                {shuts, opens, patience, syscall.ECONNREFUSED},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNetwork(t)
			n.get(t)
			c.begin(t, n.api)
			ctx, cancel := context.WithTimeout(t.Context(), c.limit)
			defer cancel()
			req, opened, closed := n.post(ctx, t, "/videos")
			var below error
			resp, err := (&apivideo.Transport{Source: n.source, Base: wire.Func(func(req *http.Request) (resp *http.Response, err error) {
				resp, below = n.api.RoundTrip(req)
				return resp, below
			})}).RoundTrip(req)
			assert.Nil(t, resp)
			require.ErrorIs(t, err, c.cause)
			assert.True(t, err == below, "%v is not as it was", err)
			n.hear(err)
			assert.EqualValues(t, 1+1, n.api.trips.Load())
			assert.EqualValues(t, 1, opened.Load())
			assert.Eventually(t, func() bool { return closed.Load() > 0 }, patience, time.Millisecond)
			assert.EqualValues(t, 1, closed.Load())
			c.end(t, n.api)
			n.get(t)
			assert.EqualValues(t, 1, n.auth.trips.Load(), "the token is not to blame")
		})
	}
}

func TestAPIResponseCutShortIsDelivered(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	whole := strings.Repeat("made-up video ", 100)
	n.HandleFunc("/videos/1", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, whole) })
	n.api.play(t, cut)
	resp, err := n.client.Get(n.conf.BaseURL + "/videos/1")
	require.NoError(t, err)
	part, err := io.ReadAll(resp.Body)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NotEmpty(t, part)
	assert.True(t, strings.HasPrefix(whole, string(part)))
	assert.Less(t, len(part), len(whole))
	require.NoError(t, resp.Body.Close())
	assert.EqualValues(t, 1, n.api.trips.Load())
	assert.EqualValues(t, 1, n.auth.trips.Load())
}

func TestSlowPathsArePassedOnce(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{slowness, dripping, lingering} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			n := newNetwork(t)
			n.host.Config.SetKeepAlivesEnabled(false)
			n.api.play(t, fault)
			n.auth.play(t, fault)
			n.get(t)
			assert.Equal(t, []op{refresh}, n.renews(t, n.source))
			n.get(t)
			assert.EqualValues(t, 2, n.api.trips.Load())
			assert.EqualValues(t, 2, n.auth.trips.Load())
		})
	}
}

func TestAPI401SlowOrCutIsReplayed(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{slowness, dripping, cutShort} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			n := newNetwork(t)
			n.get(t)
			n.RevokeAccessTokens()
			n.api.play(t, fault)
			n.onAuthCall(func(op) { n.api.mend() })
			req, opened, closed := n.post(t.Context(), t, "/videos")
			resp, err := n.client.Do(req)
			require.NoError(t, err)
			assert.Equal(t, 200, resp.StatusCode)
			assert.Equal(t, videos, body(t, resp))
			assert.EqualValues(t, 1+2, n.api.trips.Load())
			assert.Equal(t, []op{authenticate, refresh}, n.authCalls())
			assert.EqualValues(t, 2, opened.Load())
			assert.EqualValues(t, 2, closed.Load())
		})
	}
}

func TestAPI401CutShortIsDelivered(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	n.get(t)
	n.RevokeAccessTokens()
	n.api.play(t, cutShort)
	shuts(t, n.auth)
	resp, err := n.client.Get(n.conf.BaseURL + "/videos")
	require.NoError(t, err)
	assert.Equal(t, 401, resp.StatusCode)
	part, err := io.ReadAll(resp.Body)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.True(t, strings.HasPrefix(string(part), `{"type":`), "%s", part)
	require.NoError(t, resp.Body.Close())
	assert.EqualValues(t, 1+1, n.api.trips.Load())
	n.api.mend()
	opens(t, n.auth)
	assert.Equal(t, []op{refresh}, n.renews(t, n.source))
	n.get(t)
}

// withoutEnd makes a request whose answer is a 401 with a body that stays halved
// for a minute. headers is called when its headers are there. The caller closes
// the body, if there is one.
func (n *network) withoutEnd(ctx context.Context, t *testing.T, headers func()) (resp *http.Response, err error) {
	t.Helper()
	n.get(t)
	refusal := apivideo.Problem{Status: 401, Title: strings.Repeat("made-up title ", 100)}
	n.HandleFunc("/videos/1", func(w http.ResponseWriter, r *http.Request) { apivideotest.WriteProblem(w, refusal) })
	n.api.play(t, halved)
	req, opened, closed := n.post(ctx, t, "/videos/1")
	var left atomic.Int64 // bodies of the API that were closed
	resp, err = (&apivideo.Transport{Source: n.source, Base: wire.Func(func(req *http.Request) (*http.Response, error) {
		resp, err := n.api.RoundTrip(req)
		if err == nil {
			resp.Body = upload{resp.Body, &left}
			headers()
		}
		return resp, err
	})}).RoundTrip(req)
	n.hear(err)
	assert.EqualValues(t, 1+1, n.api.trips.Load())
	assert.EqualValues(t, 1, opened.Load())
	assert.EqualValues(t, 1, closed.Load())
	t.Cleanup(func() {
		assert.Eventually(t, func() bool { return left.Load() == 1 }, patience, time.Millisecond, "closed %d times", left.Load())
	})
	return resp, err
}

func TestAPI401WithoutEndIsLeftWithContext(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	resp, err := n.withoutEnd(ctx, t, cancel)
	assert.Nil(t, resp)
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "waiting for an access token")
	n.api.mend()
	n.get(t)
	assert.EqualValues(t, 1, n.auth.trips.Load(), "nobody was left to wait for one")
}

func TestAPI401WithoutEndIsDelivered(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	resp, err := n.withoutEnd(t.Context(), t, func() {})
	require.NoError(t, err)
	assert.Equal(t, 401, resp.StatusCode)
	half := make([]byte, 100)
	_, err = io.ReadFull(resp.Body, half)
	require.NoError(t, err)
	assert.Contains(t, string(half), "made-up title")
	require.NoError(t, resp.Body.Close())
	assert.Eventually(t, func() bool { return len(n.authCalls()) == 2 }, patience, time.Millisecond, "no renewal behind it")
	n.api.mend()
	n.get(t)
	assert.Equal(t, []op{authenticate, refresh}, n.authCalls())
}
