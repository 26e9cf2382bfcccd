package network_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	frozenURL = "APIVIDEO_FROZEN_URL"  // set for a process that a test stops
	frozenHow = "APIVIDEO_FROZEN_WHEN" // one of freezes
	// freeze is longer than all limits of a renewal.
	freeze = 35 * time.Second
)

// frozen is a program that makes requests at the same time, while its token is
// renewed. It prints those that fail.
func frozen(base string) (status int) {
	ctx := context.Background()
	conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY"), BaseURL: base}
	source := conf.Source(ctx)
	how := os.Getenv(frozenHow)
	if how != "login" {
		tok, err := source.Token()
		if err != nil {
			fmt.Println(err)
			return 1
		}
		if how == "refresh" {
			source.Invalidate(tok)
		} else { // ahead of expiry: no request waits until the process runs again
			for last := time.Now(); time.Since(last) < freeze/2; time.Sleep(10 * time.Millisecond) {
				last = time.Now()
			}
		}
	}
	client := source.Client(ctx)
	var mu sync.Mutex
	var requests sync.WaitGroup
	for range 20 {
		requests.Go(func() {
			resp, err := client.Get(base + "/videos")
			mu.Lock()
			defer mu.Unlock()
			if err != nil || resp.StatusCode != http.StatusOK {
				fmt.Println(resp, err)
				status = 1
				return
			}
			resp.Body.Close()
		})
	}
	requests.Wait()
	if s := source.Stats(); s.FailingSince != (time.Time{}) {
		fmt.Println("a failure is remembered:", s.LastError)
		status = 1
	}
	return status
}

func closeConnections(s *service) { s.host.CloseClientConnections() }

// Promise: After the process was stopped during a renewal, the first requests succeed.
func TestFreezeDuringRenewal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		how    string
		calls  int                // the auth call that meets the freeze
		fault  apivideotest.Fault // of that call
		during func(s *service)   // amid the freeze
		after  []int              // auth calls in the end
	}{
		"login without an answer":            {"login", 1, apivideotest.Hang, func(*service) {}, []int{2}},
		"login, answered meanwhile":          {"login", 1, apivideotest.Delay(freeze / 4), func(*service) {}, []int{1, 2}},
		"login, the connection ends":         {"login", 1, apivideotest.Hang, closeConnections, []int{2}},
		"refresh without an answer":          {"refresh", 2, apivideotest.Hang, func(*service) {}, []int{3}},
		"refresh, answered meanwhile":        {"refresh", 2, apivideotest.Delay(freeze / 4), func(*service) {}, []int{2, 3}},
		"refresh, the connection ends":       {"refresh", 2, apivideotest.Hang, closeConnections, []int{3}},
		"ahead of expiry, without an answer": {"ahead", 2, apivideotest.Hang, func(*service) {}, []int{3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, (*httptest.Server).Start)
			if c.how == "ahead" {
				s.SetLifetime(10 * time.Second)
			}
			reached, calls := make(chan struct{}), 0
			s.FailFunc(func(o op) apivideotest.Fault {
				s.arrived(o)
				if calls++; calls == c.calls {
					close(reached)
					return c.fault
				}
				return apivideotest.Fault{}
			})
			program, err := os.Executable()
			require.NoError(t, err)
			command := exec.CommandContext(t.Context(), program)
			command.Env = append(os.Environ(), frozenURL+"="+s.conf.BaseURL, frozenHow+"="+c.how, "APIVIDEO_API_KEY="+s.conf.APIKey)
			var output bytes.Buffer
			command.Stdout, command.Stderr = &output, &output
			require.NoError(t, command.Start())
			receive(t, reached)
			time.Sleep(100 * time.Millisecond) // the program waits for the answer
			require.NoError(t, command.Process.Signal(syscall.SIGSTOP))
			time.Sleep(freeze / 2)
			c.during(s)
			time.Sleep(freeze / 2)
			require.NoError(t, command.Process.Signal(syscall.SIGCONT))
			assert.NoError(t, command.Wait(), output.String())
			s.Write(output.Bytes())
			assert.Contains(t, c.after, len(s.authCalls()))
		})
	}
}
