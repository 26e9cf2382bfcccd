package apivideo

import (
	"encoding/json"
	"strings"
)

// Problem is the service's description of an error. Its fields are the
// service's own words and may be empty; secrets in them are replaced.
type Problem struct {
	Type     string    `json:"type"` // a URL that ends in the problem's identifier
	Title    string    `json:"title"`
	Name     string    `json:"name,omitempty"` // the parameter at fault
	Status   int       `json:"status"`         // the HTTP status
	Problems []Problem `json:"problems,omitempty"`
}

// parseProblem reads a problem: a JSON object with a type or a title.
func parseProblem(data []byte) (Problem, bool) {
	var fields map[string]any
	if json.Unmarshal(data, &fields) != nil {
		return Problem{}, false
	}
	return problemOf(fields)
}

func problemOf(fields map[string]any) (p Problem, ok bool) {
	kind, hasType := fields["type"].(string)
	title, hasTitle := fields["title"].(string)
	p.Type, p.Title = kind, title
	p.Name, _ = fields["name"].(string)
	status, _ := fields["status"].(float64)
	p.Status = int(status)
	list, _ := fields["problems"].([]any)
	for _, v := range list {
		inner, _ := v.(map[string]any)
		if q, ok := problemOf(inner); ok {
			p.Problems = append(p.Problems, q)
		}
	}
	return p, hasType || hasTitle
}

// id is the identifier of the problem: the last part of the type's URL, or
// what the title stands for if there is no type.
func (p *Problem) id() string {
	if p.Type == "" {
		return titles[p.Title]
	}
	t := strings.TrimRight(p.Type, "/")
	return t[strings.LastIndexByte(t, '/')+1:]
}

// titles are those of the problems that this package acts on.
var titles = map[string]string{
	"The user credentials were incorrect.": "authentication-invalid-user-credentials",
	"The API key is invalid.":              "authentication-invalid-api-key",
	"The refresh token is invalid.":        "authentication-invalid-refresh-token",
	"Suspended account":                    "authorization-suspended-account",
}

const invalidAccessToken = "authentication-invalid-access-token"

// knownProblems are the identifiers that the service documents.
var knownProblems = map[string]bool{
	"authentication-invalid-user-credentials":           true,
	"authentication-invalid-api-key":                    true,
	"authentication-invalid-refresh-token":              true,
	invalidAccessToken:                                  true,
	"authentication-invalid-authorization-header-value": true,
	"authentication-missing-authorization-header":       true,
	"authentication-invalid-upload-token":               true,
	"authentication-missing-upload-token":               true,
	"authorization-suspended-account":                   true,
	"payload-is-invalid":                                true,
	"too-many-requests":                                 true,
}
