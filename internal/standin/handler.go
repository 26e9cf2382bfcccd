package standin

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"path"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/problems"
)

// operation serves a call. Its answer has the status of the row. A nil answer
// has no body.
type operation func(c *call) (any, *Problem)

// register has the operations of the table served.
func (a *api) register() {
	for i := range resources {
		r := &resources[i]
		one := r.Path + "/{" + r.ID + "}"
		a.serve(r, "GET "+r.Path, r.List, list)
		if r.Prefix == "" {
			a.serve(r, "POST "+one, r.Create, create)
		} else {
			a.serve(r, "POST "+r.Path, r.Create, create)
		}
		a.serve(r, "GET "+one, r.Read, existing(read))
		a.serve(r, "PATCH "+one, r.Update, existing(withBody(update)))
		a.serve(r, "DELETE "+one, r.Delete, existing(remove))
		for _, at := range r.Attachments {
			a.serve(r, "POST "+one+"/"+at.Name, at.Post, existing(attach(at)))
			a.serve(r, "DELETE "+one+"/"+at.Name, at.Delete, existing(detach(at)))
		}
		for _, action := range r.Actions {
			if r.ID == "" {
				a.serve(r, action.Method+" "+r.Path, action.Status, action.Do)
				continue
			}
			a.serve(r, action.Method+" "+path.Join(one, action.Path), action.Status, existing(action.Do))
		}
	}
	a.registerAssets()
}

// serve has an operation served, unless its status is 0.
func (a *api) serve(r *Resource, pattern string, status int, do operation) {
	if status == 0 {
		return
	}
	a.mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
		c := &call{api: a, w: w, r: req, resource: r}
		answer, refused := c.do(do)
		switch {
		case refused != nil:
			refused.Write(w)
		case answer == nil || status == http.StatusNoContent:
			w.WriteHeader(status)
		default:
			writeJSON(w, "application/json", status, answer)
		}
	})
}

// do finds the parent of a call, and makes the call.
func (c *call) do(do operation) (any, *Problem) {
	if c.resource.Parent != "" {
		parent := resource(c.resource.Parent)
		if c.parent = c.get(parent, nil, c.r.PathValue(parent.ID)); c.parent == nil {
			return nil, parent.notFound()
		}
	}
	if c.resource.Prefix == "" && c.resource.ID != "" {
		if id := c.r.PathValue(c.resource.ID); id != "" && !languageTag.MatchString(id) {
			return nil, only(invalidAttribute(c.resource.ID, languageDetail))
		}
	}
	return do(c)
}

// existing is an operation on the item that the path names.
func existing(do operation) operation {
	return func(c *call) (any, *Problem) {
		if c.item = c.get(c.resource, c.parent, c.r.PathValue(c.resource.ID)); c.item == nil {
			return nil, c.resource.notFound()
		}
		return do(c)
	}
}

// ServeHTTP serves an authorized request.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, pattern := a.mux.Handler(r); pattern == "" {
		NotServed(Methods(a.mux, r)).Write(w)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// body reads a JSON object. An empty body is an empty object.
func (c *call) body() (in payload, refused *Problem) {
	decoder := json.NewDecoder(http.MaxBytesReader(c.w, c.r.Body, maxJSON))
	decoder.UseNumber()
	err := decoder.Decode(&in)
	if err == io.EOF {
		return payload{}, nil
	}
	if err == nil {
		_, err = decoder.Token()
	}
	if err != io.EOF {
		return nil, only(documented(problems.InvalidPayload))
	}
	return in, nil
}

func read(c *call) (any, *Problem) { return c.resource.show(c.view(c.item)), nil }

// create makes an item of a JSON object, or of a form with a file.
func create(c *call) (any, *Problem) {
	r := c.resource
	it := &item{parent: c.parent, id: c.r.PathValue(r.ID), files: map[string]file{}}
	var in payload
	var refused *Problem
	if r.Upload != nil {
		var f form
		f, refused = c.readForm(r.Upload)
		in, it.files[""] = f.values, f.file
	} else {
		in, refused = c.body()
	}
	if refused != nil {
		return nil, refused
	}
	it.values = defaults(r.Fields)
	refused = refuse(apply(r.Fields, in, OnCreate, "", it.values)...)
	if refused == nil && r.Finish != nil {
		refused = r.Finish(c.api, it.values)
	}
	if refused == nil {
		refused = c.place(r, it)
	}
	if refused != nil {
		it.files[""].remove()
		return nil, refused
	}
	return r.show(c.view(it)), nil
}

// place adds a new item, unless it is a second one of what is unique.
func (a *api) place(r *Resource, it *item) *Problem {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Unique != "" {
		for _, other := range a.in(r.collection()).order {
			if other.values[r.Unique] == it.values[r.Unique] {
				return only(named(problems.SummaryExists, r.Unique))
			}
		}
	}
	ttl, _ := it.values["ttl"].(int64) // of an upload token
	a.addLocked(r, it, time.Duration(ttl)*time.Second)
	return nil
}

// withBody is an operation on a JSON object.
func withBody(do func(c *call, in payload) (any, *Problem)) operation {
	return func(c *call) (any, *Problem) {
		in, refused := c.body()
		if refused != nil {
			return nil, refused
		}
		return do(c, in)
	}
}

func update(c *call, in payload) (any, *Problem) { return c.edit(c.resource.Fields, in) }

// edit sets what in names, of these fields.
func (c *call) edit(of []Field, in payload) (any, *Problem) {
	return c.alter(func(it *item) (*item, *Problem) {
		it = it.with(nil)
		c.resource.touch(it.values)
		return it, refuse(apply(of, in, OnUpdate, "", it.values)...)
	})
}

// alter replaces the item by what f makes of it, and answers with that.
func (c *call) alter(f func(*item) (*item, *Problem)) (any, *Problem) {
	changed, refused := c.change(c.resource, c.item, f)
	if refused != nil {
		return nil, refused
	}
	return c.resource.show(c.view(changed)), nil
}

func remove(c *call) (any, *Problem) {
	if c.resource.Discard != nil {
		return c.alter(func(it *item) (*item, *Problem) { return c.resource.Discard(it), nil })
	}
	c.api.remove(c.resource, c.item.key())
	return nil, nil
}

// attach stores a file that belongs to an item.
func attach(at Attachment) operation {
	return func(c *call) (any, *Problem) {
		f, refused := c.readForm(&at.Upload)
		if refused != nil {
			return nil, refused
		}
		return c.setFile(at, &f)
	}
}

func detach(at Attachment) operation {
	return func(c *call) (any, *Problem) { return c.setFile(at, nil) }
}

// setFile replaces a file of an item, by none if f is nil.
func (c *call) setFile(at Attachment, f *form) (any, *Problem) {
	answer, refused := c.alter(func(it *item) (*item, *Problem) {
		it = it.with(nil)
		c.resource.touch(it.values)
		it.files[at.Name].remove()
		it.files = maps.Clone(it.files)
		delete(it.files, at.Name)
		if f != nil {
			it.files[at.Name] = f.file
		}
		return it, nil
	})
	if refused != nil {
		f.remove()
	}
	return answer, refused
}
