package storetest_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/internal/memstore"
	"github.com/apivideo/api.video-go-oauth2/storetest"
	"github.com/stretchr/testify/assert"
)

func TestStoreAcceptsMemstore(t *testing.T) {
	m := memstore.New()
	storetest.TestStore(t, func() apivideo.Store { return m })
}

// Every check finds its defects, and nothing wrong in a sound Store.
func TestStoreFindsDefects(t *testing.T) {
	assert.Len(t, defects, len(storetest.Checks), "defects of a check that does not exist")
	for _, c := range storetest.Checks {
		assert.NotEmpty(t, defects[c.Name], "no defect for the check %q", c.Name)
		for _, d := range append(defects[c.Name], defect{name: "none"}) {
			t.Run(c.Name+"/"+d.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					shared := memstore.New()
					failed := failures(t, c.Run, func() apivideo.Store { return broken{shared, memstore.New(), d} })
					assert.Equal(t, d.name != "none", len(failed) > 0, failed)
				})
			})
		}
	}
}

// failures runs a check and returns its failures.
func failures(t *testing.T, run func(testing.TB, func() apivideo.Store), newStore func() apivideo.Store) []string {
	ctx, cancel := context.WithCancel(t.Context())
	r := &recorder{TB: t, ctx: ctx}
	go func() {
		defer cancel()
		run(r, newStore)
	}()
	<-ctx.Done()
	time.Sleep(time.Minute) // what a failed check left behind ends
	return r.failures
}

// recorder is a test that keeps its failures. Checks call no other methods.
type recorder struct {
	testing.TB
	ctx      context.Context
	failures []string
}

func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}
