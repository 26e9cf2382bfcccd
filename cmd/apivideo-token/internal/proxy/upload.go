package proxy

import (
	"io"
	"net/http"
	"time"
)

// maxUploads is how many delegated uploads may run at a time.
const maxUploads = 8

// delegated reports whether r is an upload that an upload token authorizes.
func delegated(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Path == "/upload" && r.URL.Query().Get("token") != ""
}

// serveUpload forwards a delegated upload. The proxy's secret is not needed for
// it. Without the secret it has limits.
func (p *Proxy) serveUpload(w http.ResponseWriter, r *http.Request, conn *http.ResponseController) {
	if p.forbids(w, r) {
		return
	}
	if p.credentials.Load().check(r) == "" {
		p.trust(r)
		setDeadlines(conn, time.Time{})
		p.anonymous.ServeHTTP(final{w, func() {}}, r)
		return
	}
	select {
	case p.uploads <- struct{}{}:
		defer func() { <-p.uploads }()
	default:
		w.Header().Set("Retry-After", "10")
		WriteOwn(w, http.StatusServiceUnavailable, "too-many-uploads", "Too many delegated uploads at a time.")
		return
	}
	if c := connOf(r); c != nil && c.leave() {
		defer c.enter()
	}
	setDeadlines(conn, time.Time{})
	r.Body = &hurried{r.Body, conn}
	// The client may still send the rest when it has its answer.
	p.anonymous.ServeHTTP(final{w, func() { setDeadlines(conn, time.Now().Add(strangerTime)) }}, r)
}

// hurried is a body whose sender may pause for strangerTime.
type hurried struct {
	io.ReadCloser
	conn *http.ResponseController
}

func (b *hurried) Read(p []byte) (int, error) {
	_ = b.conn.SetReadDeadline(time.Now().Add(strangerTime))
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF { // the API may take its time for the answer
		_ = b.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}
