package standin

import (
	"net/http"

	"github.com/apivideo/api.video-go-oauth2/internal/problems"
)

// Problem is an answer that is an error.
type Problem struct {
	Type     string    `json:"type,omitempty"`
	Title    string    `json:"title"`
	Name     string    `json:"name,omitempty"` // the parameter at fault
	Status   int       `json:"status,omitempty"`
	Detail   string    `json:"detail,omitempty"`
	Range    *bounds   `json:"range,omitempty"`
	Problems []Problem `json:"problems,omitempty"`
}

// bounds are those of a number; Max is 0 if there is none.
type bounds struct {
	Min int `json:"min"`
	Max int `json:"max,omitempty"`
}

const (
	attributeRequired  = problems.AttributeRequired
	invalidAttributeID = problems.InvalidAttribute
)

// documented returns the problem with this identifier.
func documented(id string) Problem {
	p, _ := problems.ByID(id)
	return Problem{Type: p.Type(), Title: p.Title, Status: p.Status}
}

// named is a documented problem with a parameter.
func named(id, parameter string) Problem {
	p := documented(id)
	p.Name = parameter
	return p
}

func invalidAttribute(parameter, detail string) Problem {
	p := named(invalidAttributeID, parameter)
	p.Detail = detail
	return p
}

// only is the answer to a request with one mistake.
func only(p Problem) *Problem { return &p }

// refuse is the answer to a request with these mistakes in its body or query:
// the first one, with all of them in its list. It is nil if there are none.
func refuse(wrong ...Problem) *Problem {
	if len(wrong) == 0 {
		return nil
	}
	first := wrong[0]
	for _, p := range wrong {
		p.Status = 0
		first.Problems = append(first.Problems, p)
	}
	return &first
}

// Write answers a request with p.
func (p *Problem) Write(w http.ResponseWriter) {
	writeJSON(w, "application/problem+json", p.Status, p)
}
