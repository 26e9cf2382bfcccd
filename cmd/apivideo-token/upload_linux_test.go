package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// upload has the server take the parts of a video, and calls after when it
// has one.
func (u *user) upload(after func(part int)) *bytes.Buffer {
	var video bytes.Buffer
	u.srv.HandleFunc("POST /videos/vi1/source", func(_ http.ResponseWriter, r *http.Request) {
		var part int
		_, err := fmt.Sscanf(r.Header.Get("Content-Range"), "part %d/", &part)
		assert.NoError(u.t, err)
		_, err = io.Copy(&video, r.Body)
		assert.NoError(u.t, err)
		after(part)
	})
	return &video
}

func TestRunUploadSurvivesRevocations(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	video := u.upload(func(part int) {
		switch part {
		case 1, 2, 4:
			u.srv.RevokeAccessTokens()
		case 5: // the token of part 5 is the last that lives an hour
			u.srv.SetLifetime(2 * time.Second)
			u.srv.RevokeAccessTokens()
		case 6:
			<-time.After(2 * time.Second)
		}
	})
	parts := t.TempDir()
	var whole []byte
	for i := 1; i <= 7; i++ {
		part := bytes.Repeat([]byte{byte('a' + i)}, 300_000)
		whole = append(whole, part...)
		require.NoError(t, os.WriteFile(filepath.Join(parts, strconv.Itoa(i)), part, 0o600))
	}
	got := u.runScript(`for i in 1 2 3 4 5 6 7; do call /videos/vi1/source -H "Content-Range: part $i/7" --data-binary "@` + parts + `/$i"; done`)
	assert.Equal(t, result{0, "", ""}, got)
	assert.True(t, bytes.Equal(whole, video.Bytes()), "%d bytes arrived", video.Len())
	assert.GreaterOrEqual(t, u.srv.Counters().Unauthorized, 4)
}

// The proxy streams. Its memory does not depend on the size of a body.
//
// Promise: An upload of 100 MiB needs less than 30 MiB of memory in `run`.
func TestRunUploadsInLittleMemory(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	var received int64
	u.srv.HandleFunc("POST /videos/vi1/source", func(_ http.ResponseWriter, r *http.Request) { received, _ = io.Copy(io.Discard, r.Body) })
	got := u.runScript(`head -c 104857600 /dev/zero | call /videos/vi1/source -X POST -T -
		sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB$/\1/p' /proc/$PPID/status`)
	require.Equal(t, 0, got.status, got.stderr)
	assert.EqualValues(t, 100<<20, received)
	most, err := strconv.Atoi(strings.TrimSpace(got.stdout))
	require.NoError(t, err)
	t.Logf("%d KiB", most)
	assert.Less(t, most, 30<<10)
}
