package standin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
)

// titles are those of the problem that a value of another type is.
var titles = [...]string{
	Text: "This attribute must be a string.", Boolean: "This attribute must be a boolean.",
	Integer: "This attribute must be an integer.", Time: "This attribute must be a ISO-8601 date.",
	List: "This attribute must be an array.", Object: "This attribute must be an object.",
}

// payload is a JSON object that a client sent.
type payload = map[string]any

// defaults returns the values of a resource that a client has not set yet.
func defaults(fields []Field) map[string]any {
	values := make(map[string]any, len(fields))
	for _, f := range fields {
		switch d := f.Default.(type) {
		case nil:
		case func() any:
			values[f.Name] = d()
		default:
			values[f.Name] = d
		}
	}
	return values
}

// apply sets what in names, of the fields that may be written now, and returns
// what is wrong with it. path is the name of the enclosing object.
func apply(fields []Field, in payload, when Write, path string, values map[string]any) (wrong []Problem) {
	for _, f := range fields {
		if f.Write&when == 0 && when != onSeed {
			continue
		}
		name := path + f.Name
		if path != "" {
			name = path + "[" + f.Name + "]"
		}
		value, given := in[f.Name]
		missing := value == nil || value == ""
		switch {
		case f.Required && missing && (given || when != OnUpdate):
			wrong = append(wrong, f.missing(name, given))
		case !given:
		case value == nil:
			delete(values, f.Name)
			if d := defaults([]Field{f}); d[f.Name] != nil {
				values[f.Name] = d[f.Name]
			}
		default:
			checked, problems := f.check(name, value)
			values[f.Name] = checked
			wrong = append(wrong, problems...)
		}
	}
	return wrong
}

// missing is the problem of a required field without a value.
func (f *Field) missing(name string, given bool) Problem {
	if given {
		return invalidAttribute(name, "This value should not be blank.")
	}
	return named(attributeRequired, name)
}

// check returns a value as it is stored, and what is wrong with it.
func (f *Field) check(name string, value any) (any, []Problem) {
	detail := notOfType
	switch v := value.(type) {
	case string:
		value, detail = f.checkText(v)
	case bool:
		detail = f.is(Boolean)
	case json.Number:
		n, err := v.Int64()
		value, detail = n, f.is(Integer)
		switch {
		case err != nil:
			detail = notOfType
		case detail == "" && (n < 0 || n > cmp.Or(f.Max, math.MaxInt32)):
			detail = "This value is out of range."
		}
	case []any:
		if f.Type == List {
			return f.checkList(name, v)
		}
	case payload:
		if f.Type == Object {
			return f.checkObject(name, v)
		}
	}
	switch detail {
	case "":
		return value, nil
	case notOfType:
		p := named(invalidAttributeID, name)
		p.Title = titles[f.Type]
		return nil, []Problem{p}
	}
	return nil, []Problem{invalidAttribute(name, detail)}
}

// notOfType stands for what is wrong with a value of another type.
const notOfType = "type"

// is returns what is wrong with a value of this type.
func (f *Field) is(t Type) (detail string) {
	if f.Type != t {
		return notOfType
	}
	return ""
}

// checkText returns a text as it is stored, and what is wrong with it.
func (f *Field) checkText(v string) (any, string) {
	at, err := time.Parse(time.RFC3339, v)
	switch {
	case f.Type == Time && err == nil:
		return moment(at), ""
	case f.Type != Text:
		return nil, notOfType
	case f.Enum != nil && !slices.Contains(f.Enum, v), f.Pattern != nil && !f.Pattern.MatchString(v):
		return nil, f.Detail
	case f.Max > 0 && int64(len([]rune(v))) > f.Max:
		return nil, fmt.Sprintf("This value is too long. It should have %d characters or less.", f.Max)
	}
	return v, ""
}

func (f *Field) checkList(name string, list []any) (any, []Problem) {
	if f.Max > 0 && int64(len(list)) > f.Max {
		return nil, []Problem{invalidAttribute(name, fmt.Sprintf("This collection should contain %d elements or less.", f.Max))}
	}
	element := Field{Type: Text}
	if f.Fields != nil {
		element = Field{Type: Object, Fields: f.Fields}
	}
	checked, wrong := make([]any, len(list)), []Problem(nil)
	for i, v := range list {
		var problems []Problem
		checked[i], problems = element.check(fmt.Sprintf("%s[%d]", name, i), v)
		wrong = append(wrong, problems...)
	}
	return checked, wrong
}

func (f *Field) checkObject(name string, in payload) (any, []Problem) {
	values := defaults(f.Fields)
	wrong := apply(f.Fields, in, onSeed, name, values) // it is replaced as a whole
	return values, wrong
}
