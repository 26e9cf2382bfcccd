package proxy

import (
	"encoding/json"
	"net/http"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/audit"
)

// known are the service's own problems that the proxy answers with, so that
// clients handle them as usual.
var known = map[string]apivideo.Problem{
	"authentication-invalid-api-key":                    {Status: 401, Title: "The API key is invalid."},
	"authentication-invalid-refresh-token":              {Status: 401, Title: "The refresh token is invalid."},
	"authentication-invalid-access-token":               {Status: 401, Title: "The access token is invalid or expired."},
	"authentication-invalid-authorization-header-value": {Status: 401, Title: `The "Authorization" header value is invalid.`},
	"authentication-missing-authorization-header":       {Status: 401, Title: `The "Authorization" header is missing.`},
	"payload-is-invalid":                                {Status: 400, Title: "The payload is invalid."},
}

func writeKnown(w http.ResponseWriter, id string) {
	p := known[id]
	p.Type = "https://docs.api.video/reference/" + id
	audit.Refused(w, id)
	writeProblem(w, p, details[id])
}

// WriteOwn answers with a problem that the service does not have.
func WriteOwn(w http.ResponseWriter, status int, id, title string) {
	audit.Refused(w, id)
	writeOwn(w, status, id, title)
}

func writeOwn(w http.ResponseWriter, status int, id, title string) {
	writeProblem(w, apivideo.Problem{Type: "urn:apivideo-token:" + id, Title: title, Status: status}, "")
}

// details say more about a known problem than the service does.
var details = map[string]string{
	"authentication-invalid-api-key": "This is apivideo-token, which takes its secret as the API key. " +
		"Under run it is in APIVIDEO_API_KEY, under serve in the file of -secret-file. A key of the account is not accepted.",
}

func writeProblem(w http.ResponseWriter, p apivideo.Problem, detail string) {
	writeJSON(w, "application/problem+json", p.Status, struct {
		apivideo.Problem
		Detail string `json:"detail,omitempty"`
	}{p, detail})
}

func writeJSON(w http.ResponseWriter, contentType string, status int, v any) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
