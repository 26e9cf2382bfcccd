package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/problems"
	"github.com/apivideo/api.video-go-oauth2/internal/standin"
)

const controlPath = "/_control/"

// controls returns the handler of /_control.
func (s *server) controls() *http.ServeMux {
	mux := http.NewServeMux()
	for name, do := range map[string]func(*parameters) any{
		"revoke": s.revoke, "suspend": s.suspend, "keys": s.changeKeys, "reset": s.reset,
		"down": s.trouble.setDown, "latency": s.trouble.setLatency,
	} {
		mux.HandleFunc("POST "+controlPath+name, func(w http.ResponseWriter, r *http.Request) {
			p := &parameters{values: r.URL.Query()}
			answer := do(p)
			switch err := p.end(); {
			case err != nil:
				write(w, http.StatusBadRequest, map[string]any{"title": err.Error(), "status": http.StatusBadRequest})
			case answer != nil:
				write(w, http.StatusOK, answer)
			default:
				w.WriteHeader(http.StatusNoContent)
			}
		})
	}
	mux.HandleFunc("GET "+controlPath+"requests", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, map[string]any{"requests": s.record.last()})
	})
	return mux
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// parameters are those of a control request. Reading one takes it; what is left
// at the end is unknown. After a mistake, nothing is to be done.
type parameters struct {
	values url.Values
	err    error
}

func (p *parameters) text(name, unset string) string {
	defer p.values.Del(name)
	if !p.values.Has(name) {
		return unset
	}
	return p.values.Get(name)
}

func read[T any](p *parameters, name string, unset T, parse func(string) (T, error)) T {
	text := p.text(name, "")
	if text == "" {
		return unset
	}
	v, err := parse(text)
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("%s=%s: %w", name, text, err)
	}
	return v
}

func (p *parameters) flag(name string, unset bool) bool {
	return read(p, name, unset, strconv.ParseBool)
}

func (p *parameters) duration(name string, unset time.Duration) time.Duration {
	return read(p, name, unset, time.ParseDuration)
}

// end returns the first mistake, an unknown parameter included.
func (p *parameters) end() error {
	for name := range p.values {
		if p.err == nil {
			p.err = fmt.Errorf("there is no parameter %q", name)
		}
	}
	return p.err
}

func (s *server) revoke(p *parameters) any {
	refresh := p.flag("refresh", false)
	if p.end() == nil {
		s.service.Load().RevokeAccessTokens()
		if refresh {
			s.service.Load().EndRefreshTokens()
		}
	}
	return nil
}

func (s *server) suspend(p *parameters) any {
	suspended := p.flag("suspended", true)
	if p.end() == nil {
		s.service.Load().SetSuspended(suspended)
	}
	return nil
}

// changeKeys deletes a key, sets how wrong credentials are refused, or adds a key.
func (s *server) changeKeys(p *parameters) any {
	old, refusal := p.text("delete", ""), read(p, "refusal", 0, strconv.Atoi)
	if p.err == nil && refusal != 0 && refusal != http.StatusBadRequest && refusal != http.StatusUnauthorized {
		p.err = fmt.Errorf("refusal=%d: it must be 400 or 401", refusal)
	}
	service := s.service.Load()
	switch {
	case p.end() != nil:
		return nil
	case old != "" && !service.DeleteKey(old, false):
		p.err = fmt.Errorf("there is no such key")
		return nil
	}
	switch {
	case refusal == http.StatusBadRequest: // the only one of the OpenAPI file
		documented, _ := problems.ByID(problems.InvalidUserCredentials)
		service.SetRefusal(&standin.Problem{Type: documented.Type(), Title: documented.Title, Status: refusal})
	case refusal != 0:
		service.SetRefusal(nil)
	case old == "":
		key := newKey()
		service.AddKey(key)
		return map[string]string{"apiKey": key}
	}
	return nil
}

// reset starts anew. The seed has been read before, so it has no mistake.
func (s *server) reset(p *parameters) any {
	if p.end() == nil {
		service, err := s.start()
		p.err = err
		s.service.Store(service)
		s.trouble.end()
		s.record.clear()
	}
	return nil
}

func newKey() string { return "made-up-key-" + standin.RandomHex(32) }

// trouble is what goes wrong with calls. It is safe for concurrent use.
type trouble struct {
	mu      sync.Mutex // guards what follows
	status  int        // of every answer until the time
	until   time.Time
	calls   string                 // "auth" or "api", "" for both
	latency map[bool]time.Duration // of auth calls, and of the others
}

func (t *trouble) setDown(p *parameters) any {
	status := read(p, "status", http.StatusServiceUnavailable, strconv.Atoi)
	length := p.duration("for", 10*time.Second)
	calls := p.text("calls", "")
	switch {
	case p.err == nil && (status < 400 || status > 599):
		p.err = fmt.Errorf("status=%d: it must be from 400 to 599", status)
	case p.err == nil && calls != "" && calls != "auth" && calls != "api":
		p.err = fmt.Errorf("calls=%s: it must be auth or api", calls)
	}
	if p.end() == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.status, t.until, t.calls = status, time.Now().Add(length), calls
	}
	return nil
}

func (t *trouble) setLatency(p *parameters) any {
	latency := map[bool]time.Duration{true: p.duration("auth", 0), false: p.duration("api", 0)}
	if p.end() == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.latency = latency
	}
	return nil
}

func (t *trouble) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until, t.latency = time.Time{}, nil
}

// meets waits as long as the answer to a request takes, and answers it if the
// service is down. It returns true if the request has its answer, or nobody
// waits for one.
func (t *trouble) meets(w http.ResponseWriter, r *http.Request) bool {
	auth := standin.IsAuthCall(r)
	t.mu.Lock()
	status, latency := t.status, t.latency[auth]
	down := time.Now().Before(t.until) && (t.calls == "" || (t.calls == "auth") == auth)
	t.mu.Unlock()
	if latency > 0 {
		select {
		case <-time.After(latency):
		case <-r.Context().Done():
			return true
		}
	}
	if down { // with a page, as from the CDN in front of the service
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<html><head><title>%s</title></head></html>\n", http.StatusText(status))
	}
	return down
}
