package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
)

// result is the measurements of a client.
type result struct {
	Median, Late int64   // of a GET: the median and the 99th percentile, in µs
	Rate         int64   // GETs a second of all clients at the same time
	Upload       float64 // MiB a second
	Memory       float64 // the most that the process above has used, in MiB
}

// clients is how many make requests at the same time.
const clients = 16

// client measures, and prints the result as JSON.
func client(gets int, size int64) error {
	base := os.ExpandEnv(os.Getenv(clientVariable))
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = clients
	c := &caller{&http.Client{Transport: transport}, base}
	if _, err := c.all(gets / 10); err != nil { // to warm up
		return err
	}
	took, err := c.all(gets)
	if err != nil {
		return err
	}
	var r result
	slices.Sort(took)
	r.Median, r.Late = took[len(took)/2].Microseconds(), took[len(took)*99/100].Microseconds()
	start := time.Now()
	if err := c.together(gets); err != nil {
		return err
	}
	r.Rate = int64(float64(gets/clients*clients) / time.Since(start).Seconds())
	start = time.Now()
	if err := c.do(http.MethodPost, "/videos/vi1/source", size); err != nil {
		return err
	}
	r.Upload = float64(size) / mebibyte / time.Since(start).Seconds()
	r.Memory = memory(os.Getppid())
	return json.NewEncoder(os.Stdout).Encode(r)
}

type caller struct {
	*http.Client
	base string
}

// all makes GETs one after the other.
func (c *caller) all(n int) (took []time.Duration, err error) {
	for range n {
		start := time.Now()
		if err := c.do(http.MethodGet, "/videos", 0); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start))
	}
	return took, nil
}

// together makes n GETs with all clients.
func (c *caller) together(n int) error {
	errs := make([]error, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() { _, errs[i] = c.all(n / clients) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// do makes a request with a body of a size.
func (c *caller) do(method, path string, size int64) error {
	req, err := http.NewRequest(method, c.base+path, io.LimitReader(zeros{}, size))
	if err != nil {
		return err
	}
	if req.ContentLength = size; size == 0 {
		req.Body = nil
	}
	req.SetBasicAuth(os.Getenv("APIVIDEO_API_KEY"), "")
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	return nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// memory returns the most that a process has used, in MiB; 0 if the system does
// not say.
func memory(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	found := highWater.FindSubmatch(status)
	if found == nil {
		return 0
	}
	kB, _ := strconv.ParseFloat(string(found[1]), 64)
	return kB / 1024
}
