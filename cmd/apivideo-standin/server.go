package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/standin"
)

// server is the service with what the command adds: web pages may call it,
// requests are recorded, and /_control changes it.
type server struct {
	key     string // the first API key
	start   func() (*standin.Service, error)
	service atomic.Pointer[standin.Service] // replaced by a reset
	close   func()                          // releases the folder of uploads
	secrets secrets                         // those before a reset included
	control *http.ServeMux
	trouble trouble
	record  record
	log     *log.Logger
}

// newServer makes a server. log receives a line for each request.
func newServer(o options, stderr io.Writer) (*server, error) {
	s := &server{key: newKey(), log: log.New(stderr, "", log.Ltime), close: func() {}}
	var keep standin.Keeper
	if o.keep != "" {
		folder, err := openFolder(o.keep)
		if err != nil {
			return nil, fmt.Errorf("-keep %s: %w", o.keep, err)
		}
		keep, s.close = folder, folder.close
	}
	seed := defaultSeed
	if o.seed != "" {
		var err error
		if seed, err = os.ReadFile(o.seed); err != nil {
			return nil, fmt.Errorf("-seed: %w", err)
		}
	}
	s.start = func() (*standin.Service, error) {
		service := standin.New(keep, s.secrets.add)
		service.AddKey(s.key)
		service.SetLimits(o.limit.limits)
		return service, service.Seed(seed)
	}
	service, err := s.start()
	if err != nil {
		return nil, fmt.Errorf("-seed %s: %w", o.seed, err)
	}
	s.service.Store(service)
	s.control = s.controls()
	return s, nil
}

// ServeHTTP implements [http.Handler].
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, controlPath) {
		s.control.ServeHTTP(w, r)
		return
	}
	service := s.service.Load()
	e := entryOf(r, &s.secrets)
	answer := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	r = r.WithContext(standin.WithReceiver(r.Context(), func(got standin.Received) { e.Upload = &got }))
	defer func() {
		e.Status, e.Milliseconds = answer.status, float64(time.Since(e.Time).Microseconds())/1000
		s.record.add(e)
		s.log.Printf("%s %s %d %.1f ms", e.Method, e.Path, e.Status, e.Milliseconds)
	}()
	if allowOrigin(answer, r, service) || s.trouble.meets(answer, r) {
		return
	}
	service.ServeHTTP(answer, r)
}

// allowOrigin lets web pages of every origin read answers. It answers OPTIONS,
// and then returns true.
func allowOrigin(w http.ResponseWriter, r *http.Request, service *standin.Service) bool {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Retry-After, Retry-After")
	if r.Method != http.MethodOptions {
		return false
	}
	methods := service.Methods(r)
	if len(methods) == 0 {
		standin.NotServed(nil).Write(w)
		return true
	}
	allowed := strings.Join(append(methods, http.MethodOptions), ", ")
	h.Set("Allow", allowed)
	h.Set("Access-Control-Allow-Methods", allowed)
	h.Set("Access-Control-Allow-Headers", "Accept, Authorization, AV-Origin-App, AV-Origin-Client, AV-Origin-Sdk, Content-Range, Content-Type")
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController] and [http.MaxBytesReader].
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
