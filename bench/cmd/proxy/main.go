// Command proxy measures what the proxy of apivideo-token costs: a GET of 1 KiB
// and an upload of 100 MiB, directly, behind run, and behind run -intercept. It
// prints a table for the README. The service is a fake one in this process, on
// loopback.
//
//	go -C bench run ./cmd/proxy
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
)

// clientVariable has this program be the client, which run starts.
const clientVariable = "BENCH_CLIENT"

const mebibyte = 1 << 20

func main() {
	log.SetFlags(0)
	gets := flag.Int("gets", 5000, "how many GETs to measure")
	size := flag.Int64("upload", 100, "the size of the upload, in MiB")
	flag.Parse()
	var err error
	if os.Getenv(clientVariable) != "" {
		err = client(*gets, *size*mebibyte)
	} else {
		err = compare(os.Args[1:], *size)
	}
	if err != nil {
		log.Fatal("proxy: ", err)
	}
}

// compare runs the client in each way and prints the table.
func compare(args []string, size int64) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	command, err := build(dir)
	if err != nil {
		return err
	}
	srv := service()
	defer srv.Close()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Printf("| | GET of 1 KiB, median | 99 %% | GETs a second, 16 clients | upload of %d MiB | memory of the proxy |\n|---|---:|---:|---:|---:|---:|\n", size)
	own := append([]string{self}, args...)
	for _, way := range []struct {
		name    string
		url     string // "": that of the environment
		through []string
	}{
		{"direct", "", nil},
		{"`run`", "", []string{command, "run", "-no-cache", "--"}},
		{"`run -allow …`", "", []string{command, "run", "-no-cache", "-allow", "/videos", "-allow", "/videos/", "--"}},
		{"`run -intercept`", "https://ws.api.video", []string{command, "run", "-no-cache", "-intercept", "--"}},
	} {
		r, err := measure(srv, way.url, append(way.through, own...))
		if err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
		memory := ""
		if way.through != nil {
			memory = fmt.Sprintf("%.1f MiB", r.Memory)
		}
		fmt.Printf("| %s | %d µs | %d µs | %d | %.0f MiB/s | %s |\n", way.name, r.Median, r.Late, r.Rate, r.Upload, memory)
	}
	return nil
}

// build builds the command in a folder and returns its path.
func build(dir string) (path string, err error) {
	path = filepath.Join(dir, "apivideo-token")
	build := exec.Command("go", "build", "-C", "../cmd/apivideo-token", "-trimpath", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
}

// service is the API: it answers with 1 KiB, and takes uploads.
func service() *apivideotest.Server {
	srv := apivideotest.NewServer()
	page := []byte(`{"data":"` + strings.Repeat("x", 1<<10-11) + `"}`)
	srv.HandleFunc("GET /videos", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(page)
	})
	srv.HandleFunc("POST /videos/{id}/source", func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	return srv
}

// measure runs the client with a command and returns its measurements.
func measure(srv *apivideotest.Server, url string, command []string) (r result, err error) {
	var out bytes.Buffer
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	cmd.Env = append(os.Environ(), clientVariable+"="+cmp.Or(url, "$APIVIDEO_BASE_URL"),
		"APIVIDEO_BASE_URL="+srv.URL, "APIVIDEO_API_KEY="+srv.Config().APIKey)
	if err := cmd.Run(); err != nil {
		return r, err
	}
	return r, json.Unmarshal(out.Bytes(), &r)
}
