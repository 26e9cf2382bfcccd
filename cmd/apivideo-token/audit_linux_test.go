package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// entry is a line of the audit file. The test has its own type, since others
// read the file too.
type entry struct {
	Time                         time.Time
	Client, Method, Path, Reason string
	Status                       int
	Allowed                      bool
	BytesIn                      int     `json:"bytes_in"`
	BytesOut                     int     `json:"bytes_out"`
	Duration                     float64 `json:"duration_ms"`
}

func entries(t *testing.T, file string) (all []entry) {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		var e entry
		require.NoError(t, json.Unmarshal([]byte(line), &e), line)
		all = append(all, e)
	}
	return all
}

// Promise: `-audit` writes a line of JSON for each request, without secrets.
func TestAuditHasEachRequest(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.srv.HandleFunc("POST /videos", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	file := filepath.Join(t.TempDir(), "audit")
	got := u.runScript(`call '/videos?title=made-up-title' -H 'Content-Type: application/json' -d 12345
		call /videos/$APIVIDEO_API_KEY -X DELETE || true
		APIVIDEO_API_KEY=another call /videos -X DELETE || true`, "-audit", file, "-allow", "POST /videos")
	require.Equal(t, 0, got.status, got.stderr)
	all := entries(t, file)
	require.Len(t, all, 3)
	for i, want := range []entry{
		{Method: "POST", Path: "/videos", Status: 200, Allowed: true, BytesIn: 5, BytesOut: 5},
		{Method: "DELETE", Path: "/videos/***", Status: 403, Reason: "not-allowed"},
		{Method: "DELETE", Path: "/videos", Status: 401, Reason: "authentication-invalid-api-key"},
	} {
		at := all[i]
		assert.WithinDuration(t, time.Now(), at.Time, patience)
		assert.Regexp(t, `^127\.0\.0\.1:\d+$`, at.Client)
		want.Time, want.Client, want.Duration = at.Time, at.Client, at.Duration
		if !want.Allowed {
			want.BytesOut = at.BytesOut
		}
		assert.Equal(t, want, at)
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "made-up-title")
	for _, secret := range u.secrets() {
		assert.NotContains(t, string(text), secret)
	}
	u.failure(78, "run", "-audit", t.TempDir(), "--", "true")
}

// A second signal breaks off the request.
func TestAuditHasRequestThatIsBrokenOff(t *testing.T) {
	t.Parallel()
	u := newOwner(t)
	arrived := make(chan struct{})
	u.srv.HandleFunc("GET /slow", func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	file := filepath.Join(folder(t, ownerID), "audit")
	s := u.serve("-audit", file)
	client := exec.CommandContext(t.Context(), "curl", "-sS", "-u", s.secret+":", s.base+"/slow")
	require.NoError(t, client.Start())
	<-arrived
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	s.logs("msg=ending") // else both signals may be one
	s.stop()
	assert.Error(t, client.Wait())
	all := entries(t, file)
	require.Len(t, all, 1)
	assert.Equal(t, "/slow", all[0].Path)
	assert.Zero(t, all[0].Status)
}

// The disk of serve is full, and is emptied by another program.
//
// Promise: A full disk loses lines of `-audit`, and says so; requests are served.
func TestAuditFullDiskLosesLinesOnly(t *testing.T) {
	t.Parallel()
	u := newOwner(t)
	disk := folder(t, ownerID)
	mounted := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64k,mode=0777") == nil // for root, if the container lets it
	if mounted {
		t.Cleanup(func() { syscall.Unmount(disk, syscall.MNT_DETACH) })
	}
	file := filepath.Join(disk, "audit")
	s := u.serve("-audit", file)
	if mounted {
		place(t, ownerID, filepath.Join(disk, "waste"), strings.Repeat("x", 60<<10), 0o600)
	} else { // a file that cannot be made again loses lines, too
		require.NoError(t, os.RemoveAll(disk))
	}
	for lost := 0; !strings.Contains(s.log(), "lines are lost"); lost++ {
		require.Less(t, lost, 2000)
		status, _ := s.get("/videos", s.secret)
		require.Equal(t, 200, status)
	}
	if mounted {
		require.NoError(t, os.Remove(filepath.Join(disk, "waste")))
	} else {
		require.NoError(t, os.Mkdir(disk, 0o777))
		require.NoError(t, os.Chmod(disk, 0o777))
	}
	require.Eventually(t, func() bool {
		s.get("/livez", "")
		return strings.Contains(s.log(), "can be written again; lost lines: ")
	}, patience, 20*time.Millisecond)
	assert.Equal(t, 1, strings.Count(s.stop(), "lines are lost"))
	for _, e := range entries(t, file) {
		assert.Equal(t, 200, e.Status, "each line is whole")
	}
}
