package scorecard

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var secretLines = []line{
	{
		name:  "API redirects to another host",
		story: "An API call is answered with a redirect to another host.",
		holds: "the other host does not receive the token",
		fits:  ownSend,
		run: virtual(func(_ *testing.T, w *world) bool {
			w.visit("/moved")
			return len(w.leaked) > 0 && !strings.Contains(w.leaked[0], "Bearer")
		}),
	},
	{
		name:  "login redirects to another host",
		story: "A login is answered with status 307 and the URL of another host.",
		holds: "the other host does not receive the API key, or what stands for it",
		fits:  ownAuth,
		run:   virtual(redirectedLogin),
	},
	{
		name:  "secret in an answer",
		story: "The auth service rejects a login, and repeats the secret in its answer.",
		holds: "the error does not contain the secret",
		fits:  ownAuth,
		run:   virtual(echoedSecret),
	},
	{
		name:  "endless answer",
		story: "The answer to a login never ends.",
		holds: "the request fails, and at most 2 MiB of an answer are read",
		fits:  ownAuth,
		run:   virtual(endlessAnswer),
	},
}

func redirectedLogin(_ *testing.T, w *world) bool {
	secret := ""
	w.atAuth = func(req *http.Request) (*http.Response, error) {
		secret = w.credential(said(req))
		return answer(req, http.StatusTemporaryRedirect, "", http.Header{"Location": {elsewhere}}), nil
	}
	w.visit("/videos")
	for _, received := range w.leaked {
		if strings.Contains(received, secret) {
			return false
		}
	}
	return secret != ""
}

func echoedSecret(t *testing.T, w *world) bool {
	secret := ""
	w.atAuth = func(req *http.Request) (*http.Response, error) {
		secret = w.credential(said(req))
		text := "cannot log in with " + secret
		body, err := json.Marshal(map[string]string{
			"error": "invalid_client", "error_description": text, // of OAuth 2
			"code": "AccessDenied", "message": text, // of AWS
			"type": "https://docs.api.video/reference/authentication-invalid-api-key", "title": text,
		})
		if err != nil {
			t.Error(err)
		}
		return answer(req, http.StatusBadRequest, string(body), http.Header{"Content-Type": {"application/json"}}), nil
	}
	served := w.visit("/videos")
	return !served && secret != "" && !strings.Contains(w.lastErr.Error(), secret)
}

// endlessAnswer sends 64 KiB each 100 ms.
func endlessAnswer(_ *testing.T, w *world) bool {
	var read atomic.Int64
	w.atAuth = func(req *http.Request) (*http.Response, error) {
		resp := answer(req, http.StatusOK, "", http.Header{"Content-Type": {"application/json"}})
		resp.Body, resp.ContentLength = io.NopCloser(&endless{req: req, read: &read}), -1
		return resp, nil
	}
	served := w.visit("/videos")
	return !served && read.Load() <= 2<<20*max(w.calls.Load(), 1)
}

// endless is a body in memory that ends with its request.
type endless struct {
	req  *http.Request
	read *atomic.Int64
}

func (e *endless) Read(p []byte) (int, error) {
	select {
	case <-e.req.Context().Done():
		return 0, e.req.Context().Err()
	case <-time.After(time.Duration(len(p)) * 100 * time.Millisecond >> 16):
	}
	start := ""
	if e.read.Load() == 0 {
		start = `{"access_token":"`
	}
	for n := copy(p, start); n < len(p); n++ {
		p[n] = 'x'
	}
	e.read.Add(int64(len(p)))
	return len(p), nil
}
