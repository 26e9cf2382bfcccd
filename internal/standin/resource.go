package standin

import (
	"net/http"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/problems"
)

// view is an item in an answer.
type view struct {
	*item
	base string // the URL of the service
}

// show returns an item as the answers have it.
func (r *Resource) show(v view) fields { return show(r.Fields, v.values, v) }

func show(of []Field, values map[string]any, v view) (shown fields) {
	for _, f := range of {
		value := values[f.Name]
		if f.Show != nil {
			value = f.Show(v)
		}
		if f.Hidden || value == nil && !f.Null {
			continue
		}
		shown = append(shown, struct {
			name  string
			value any
		}{f.Name, f.order(value, v)})
	}
	return shown
}

// order returns a value with the fields of its objects in order.
func (f *Field) order(value any, v view) any {
	if f.Fields == nil {
		return value
	}
	switch stored := value.(type) {
	case map[string]any:
		return show(f.Fields, stored, v)
	case []any:
		list := make([]any, len(stored))
		for i := range stored {
			list[i] = show(f.Fields, stored[i].(map[string]any), v)
		}
		return list
	}
	return value
}

// collection is the name of the collection that r shows.
func (r *Resource) collection() string {
	if r.Of != "" {
		return r.Of
	}
	return r.Name
}

// shows reports whether an item is one of those that r shows.
func (r *Resource) shows(it *item) bool {
	for name, value := range r.Only {
		if it.values[name] != value {
			return false
		}
	}
	return true
}

func (r *Resource) notFound() *Problem {
	return only(named(problems.NotFound, r.ID))
}

// resource returns the row with this name.
func resource(name string) *Resource {
	for i := range resources {
		if resources[i].Name == name {
			return &resources[i]
		}
	}
	panic("standin: no resource " + name)
}

// call is a request that is being served.
type call struct {
	*api
	w        http.ResponseWriter
	r        *http.Request
	resource *Resource
	parent   *item // nil for none
	item     *item // that the path names, nil for none
}

// view returns an item for the answer.
func (c *call) view(it *item) view { return view{it, base(c.r)} }

// base is the URL of the service, as the client knows it.
func base(r *http.Request) string {
	if r.TLS != nil || r.URL.Scheme == "https" {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// touch sets the time of the last change, if the resource shows it.
func (r *Resource) touch(values map[string]any) {
	if _, has := values["updatedAt"]; has {
		values["updatedAt"] = moment(time.Now())
	}
}
