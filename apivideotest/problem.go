package apivideotest

import (
	"encoding/json"
	"net/http"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/internal/problems"
)

// Problem returns a problem that the service documents, by the last part of
// its type: "authentication-invalid-upload-token", say. It panics if there is
// no such problem.
func Problem(id string) apivideo.Problem {
	p, ok := problems.ByID(id)
	if !ok {
		panic("apivideotest: no problem " + id)
	}
	return apivideo.Problem{Type: p.Type(), Status: p.Status, Title: p.Title}
}

// WriteProblem answers a request with p, as the service does.
func WriteProblem(w http.ResponseWriter, p apivideo.Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p)
}
