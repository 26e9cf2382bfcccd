package replay_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/apivideo/api.video-go-oauth2/internal/replay"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type pipe chan string

func (p pipe) Read(b []byte) (int, error) {
	s, ok := <-p
	if !ok {
		return 0, io.EOF
	}
	return copy(b, s), nil
}

func (p pipe) Close() error { return nil }

func TestGateIsShutAfterTheLastRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := make(pipe)
		out := &http.Request{Body: p, GetBody: func() (io.ReadCloser, error) { return p, nil }}
		gate, body := replay.NewGate(out), make([]byte, 8)
		read := make(chan int)
		go func() {
			for range 2 {
				n, _ := out.Body.Read(body)
				read <- n
			}
		}()
		p <- "early"
		assert.Equal(t, 5, <-read)
		synctest.Wait()
		assert.False(t, gate.Shut(t.Context()), "a read hangs")
		p <- "late"
		assert.Equal(t, 4, <-read)
		_, err := out.Body.Read(body)
		assert.Error(t, err)
		_, err = out.GetBody()
		assert.Error(t, err)
	})
}

func TestGateOnlyWhereItIsNeeded(t *testing.T) {
	again := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }
	for _, out := range []*http.Request{{}, {Body: http.NoBody, GetBody: again}, {Body: make(pipe)}} {
		body := out.Body
		gate := replay.NewGate(out)
		assert.Nil(t, gate)
		assert.Equal(t, body, out.Body)
		assert.True(t, gate.Shut(context.Background()))
	}
	gate := replay.NewGate(&http.Request{Body: make(pipe), GetBody: again})
	assert.True(t, gate.Shut(t.Context()), "nobody reads")
}

func TestRenewNeedsABody(t *testing.T) {
	out := new(http.Request)
	for _, getBody := range []func() (io.ReadCloser, error){
		func() (io.ReadCloser, error) { return nil, nil },
		func() (io.ReadCloser, error) { return nil, io.ErrUnexpectedEOF },
	} {
		req := &http.Request{Body: make(pipe), GetBody: getBody}
		assert.True(t, replay.Possible(req))
		assert.False(t, replay.Renew(out, req))
	}
	assert.False(t, replay.Possible(&http.Request{Body: make(pipe)}))
	assert.True(t, replay.Renew(out, &http.Request{}))
}

// Promise: A request with a body in memory reaches the base as it came.
func TestGateNotBeforeMemory(t *testing.T) {
	for _, content := range []io.Reader{strings.NewReader("x"), bytes.NewReader([]byte("x")), bytes.NewBufferString("x")} {
		out, err := http.NewRequest("POST", "http://localhost", content)
		require.NoError(t, err)
		body := out.Body
		assert.Nil(t, replay.NewGate(out))
		assert.Equal(t, body, out.Body)
		assert.Zero(t, testing.AllocsPerRun(10, func() { replay.NewGate(out) }))
	}
}

// A GetBody of the program may rewind the reader of the first attempt.
func TestGateSharesNoPosition(t *testing.T) {
	for _, content := range []interface {
		io.Reader
		io.Seeker
	}{strings.NewReader("the whole"), bytes.NewReader([]byte("the whole"))} {
		_, err := content.Seek(4, io.SeekStart)
		require.NoError(t, err)
		out := &http.Request{
			Body:    io.NopCloser(io.NopCloser(content)),
			GetBody: func() (io.ReadCloser, error) { return io.NopCloser(content), nil },
		}
		gate := replay.NewGate(out)
		assert.Equal(t, reflect.TypeOf(io.NopCloser(content)), reflect.TypeOf(out.Body), "net/http knows it")
		late, err := out.GetBody()
		require.NoError(t, err)
		require.True(t, gate.Shut(t.Context()))
		first, err := io.ReadAll(out.Body)
		require.NoError(t, err)
		assert.Equal(t, "whole", string(first))
		_, err = late.Read(make([]byte, 1))
		assert.Error(t, err)
		left, err := io.ReadAll(content)
		require.NoError(t, err)
		assert.Equal(t, "whole", string(left), "nothing was taken")
	}
	out := &http.Request{Body: io.NopCloser(bytes.NewBufferString("x")), GetBody: func() (io.ReadCloser, error) { return nil, nil }}
	body := out.Body
	assert.NotNil(t, replay.NewGate(out))
	assert.Equal(t, body, out.Body)
	out.Body = io.NopCloser(io.MultiReader())
	body = out.Body
	replay.NewGate(out)
	assert.NotEqual(t, body, out.Body, "nobody knows what it reads")
}
