package apivideotest

import (
	"encoding/json"
	"net/http"

	"github.com/apivideo/api.video-go-oauth2"
)

const (
	typeURL            = "https://docs.api.video/reference/"
	invalidAccessToken = "authentication-invalid-access-token"
)

// problems are those that the service documents, by the last part of their
// type.
var problems = map[string]apivideo.Problem{}

func init() {
	for id, p := range map[string]apivideo.Problem{
		"authentication-invalid-user-credentials":           {Status: 400, Title: "The user credentials were incorrect."},
		"authentication-invalid-api-key":                    {Status: 401, Title: "The API key is invalid."},
		"authentication-invalid-refresh-token":              {Status: 401, Title: "The refresh token is invalid."},
		invalidAccessToken:                                  {Status: 401, Title: "The access token is invalid or expired."},
		"authentication-invalid-authorization-header-value": {Status: 401, Title: `The "Authorization" header value is invalid.`},
		"authentication-missing-authorization-header":       {Status: 401, Title: `The "Authorization" header is missing.`},
		"authentication-invalid-upload-token":               {Status: 401, Title: "The upload token is invalid or expired."},
		"authentication-missing-upload-token":               {Status: 401, Title: "The upload token is missing."},
		"authorization-suspended-account":                   {Status: 403, Title: "Suspended account"},
		"payload-is-invalid":                                {Status: 400, Title: "The payload is invalid."},
		"too-many-requests":                                 {Status: 429, Title: "Too many requests."},
	} {
		p.Type = typeURL + id
		problems[id] = p
	}
}

func problemOf(id string) *apivideo.Problem {
	p := problems[id]
	return &p
}

// Problem returns a problem that the service documents, by the last part of
// its type: "authentication-invalid-upload-token", say. It panics if there is
// no such problem.
func Problem(id string) apivideo.Problem {
	p, ok := problems[id]
	if !ok {
		panic("apivideotest: no problem " + id)
	}
	return p
}

// WriteProblem answers a request with p, as the service does.
func WriteProblem(w http.ResponseWriter, p apivideo.Problem) {
	writeJSON(w, "application/problem+json", p.Status, p)
}

func writeJSON(w http.ResponseWriter, contentType string, status int, v any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
