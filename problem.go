package apivideo

import (
	"encoding/json"
	"net/http"

	"github.com/apivideo/api.video-go-oauth2/internal/problems"
	"github.com/apivideo/api.video-go-oauth2/internal/redact"
)

// Problem is the service's description of an error. Its fields contain the
// service's text and may be empty. Secrets in them are redacted, and long ones are
// cut: a text to about 200 bytes, the list to 16 problems at all depths.
type Problem struct {
	Type     string    `json:"type"` // a URL that ends in the problem's identifier
	Title    string    `json:"title"`
	Name     string    `json:"name,omitempty"` // the parameter at fault
	Status   int       `json:"status"`         // the HTTP status, or the problem's own if that is a success; 0 if there was no answer
	Problems []Problem `json:"problems,omitempty"`
}

// parseProblem reads a problem. ok is true for a JSON object with a type or a
// title.
func parseProblem(data []byte) (Problem, bool) {
	var fields map[string]any
	if json.Unmarshal(data, &fields) != nil {
		return Problem{}, false
	}
	left := maxProblems
	return problemOf(fields, &left)
}

// maxProblems is how many problems of a list are kept, at all depths.
const maxProblems = 16

func problemOf(fields map[string]any, left *int) (p Problem, ok bool) {
	kind, hasType := fields["type"].(string)
	title, hasTitle := fields["title"].(string)
	p.Type, p.Title = kind, title
	p.Name, _ = fields["name"].(string)
	status, _ := fields["status"].(float64)
	p.Status = int(status)
	list, _ := fields["problems"].([]any)
	for _, v := range list {
		if *left--; *left < 0 {
			break
		}
		inner, _ := v.(map[string]any)
		if q, ok := problemOf(inner, left); ok {
			p.Problems = append(p.Problems, q)
		}
	}
	return p, hasType || hasTitle
}

func (p *Problem) id() string { return problems.ID(p.Type, p.Title) }

// status returns the status of the service's answers with this problem, or instead
// if there is none.
func (p *Problem) status(instead int) int {
	if known, ok := problems.ByID(p.id()); ok && p.id() != "" {
		return known.Status
	}
	if p.Status >= http.StatusBadRequest && p.Status < 600 {
		return p.Status
	}
	return instead
}

// redact returns p with every text in it redacted and cut.
func (p Problem) redact(ss redact.Secrets) Problem {
	for _, text := range []*string{&p.Type, &p.Title, &p.Name} {
		*text = redact.Truncate(ss.Redact(*text), redact.MaxText)
	}
	for i := range p.Problems {
		p.Problems[i] = p.Problems[i].redact(ss)
	}
	return p
}

// sentinel returns the error for a problem of this operation, or nil if there is
// none.
func sentinel(id, op string) error {
	switch id {
	case problems.InvalidAPIKey:
		return ErrInvalidAPIKey
	case problems.InvalidRefreshToken:
		return ErrInvalidRefreshToken
	case problems.SuspendedAccount:
		return ErrAccountSuspended
	case problems.InvalidUserCredentials, problems.LegacyCredentials: // the credential that was sent
		if op == opRefresh {
			return ErrInvalidRefreshToken
		}
		return ErrInvalidAPIKey
	}
	return nil
}
