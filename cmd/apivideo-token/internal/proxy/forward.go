package proxy

import (
	"errors"
	"io"
	"log"
	"maps"
	"math"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/audit"
)

// forwarder returns a reverse proxy that sends requests through t. Package
// httputil removes the other hop-by-hop headers.
func (p *Proxy) forwarder(t http.RoundTripper) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport:      t,
		BufferPool:     buffers{},
		ErrorLog:       log.New(io.Discard, "", 0),
		ErrorHandler:   p.writeFailure,
		ModifyResponse: p.clean,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(p.target)
			r.Out.URL.RawQuery = r.In.URL.RawQuery // with what net/url cannot read
			maps.DeleteFunc(r.Out.Header, func(name string, _ []string) bool { return !p.allow.passes(name) })
			r.Out.Header.Set("Accept-Encoding", "identity") // answers are searched for secrets
			r.Out.Trailer = nil                             // some servers read it as a header
		},
	}
}

// buffers is an [httputil.BufferPool].
type buffers struct{}

var pool = sync.Pool{New: func() any { return new([32 << 10]byte) }}

func (buffers) Get() []byte  { return pool.Get().(*[32 << 10]byte)[:] }
func (buffers) Put(b []byte) { pool.Put((*[32 << 10]byte)(b)) }

// final writes an answer without the informational ones before it (1xx), whose
// headers nobody cleans. The server itself asks for the body with a 100.
type final struct {
	http.ResponseWriter
	answered func() // called before the answer is written
}

func (w final) WriteHeader(status int) {
	if status >= http.StatusOK {
		w.answered()
		w.ResponseWriter.WriteHeader(status)
	}
}

// Unwrap is for [http.ResponseController].
func (w final) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// local returns the target of a redirect as the client reaches it: a URL of
// the API becomes a path. Others stay as they are.
func (p *Proxy) local(location string) string {
	u, err := url.Parse(location)
	if err != nil || u.Scheme != p.target.Scheme || !strings.EqualFold(u.Host, p.target.Host) {
		return location
	}
	rest, ok := strings.CutPrefix(u.Path, strings.TrimSuffix(p.target.Path, "/"))
	if !ok || rest != "" && rest[0] != '/' {
		return location
	}
	return (&url.URL{Path: "/" + strings.TrimLeft(rest, "/"), RawQuery: u.RawQuery, Fragment: u.Fragment}).String()
}

// writeFailure answers a request if the API gave no answer, or one that nobody may
// see.
func (p *Proxy) writeFailure(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // the client is gone; to return would be a 200
	}
	if failed, ok := errors.AsType[*apivideo.Error](err); ok && failed.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(failed.RetryAfter.Seconds()))))
	}
	reason := p.discreet.secrets("").Text(reasonOf(err))
	p.trouble.begin("the API gave no answer", reason)
	writeOwn(w, http.StatusBadGateway, "no-answer", "No answer from the API: "+reason)
	audit.Failed(w, "no-answer")
}
