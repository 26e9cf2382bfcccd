package standin

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// api keeps what clients create, and serves the operations of the table.
type api struct {
	keep   Keeper       // nil: uploads are counted only
	secret func(string) // is called with each secret
	mux    *http.ServeMux

	mu          sync.Mutex             // guards what follows; not held while a request is read or answered
	collections map[string]*collection // by the resource's name
	created     uint64                 // items so far
}

// item is one thing that a client created. It never changes: a change replaces
// it. upload is the exception.
type item struct {
	id     string
	parent *item // as it was at the creation; nil for none
	number uint64
	values map[string]any
	files  map[string]file // by the name of the attachment, "" for its own file
	expiry time.Time       // zero for never
	upload *upload         // of a video, guarded by api.mu
}

// file is one that was uploaded.
type file struct {
	blob   Blob // nil if it is not kept
	name   string
	values payload // what the form had beside it
}

// with returns a copy of it with other values.
func (it *item) with(changes map[string]any) *item {
	changed := *it
	changed.values = maps.Clone(it.values)
	maps.Copy(changed.values, changes)
	return &changed
}

// key is where a collection has the item with this id.
func key(parent *item, id string) string {
	if parent == nil {
		return id
	}
	return parent.id + "/" + id
}

func (it *item) key() string { return key(it.parent, it.id) }

// in returns a collection without what has expired. a.mu is held.
func (a *api) in(name string) *collection {
	c := a.collections[name]
	if c == nil {
		c = &collection{byID: make(map[string]*item)}
		if follow := resource(name).Follow; follow != nil {
			c.follow = func(old, now *item) { follow(a, old, now) }
		}
		a.collections[name] = c
	}
	now := time.Now()
	if c.expiry.IsZero() || now.Before(c.expiry) {
		return c
	}
	c.expiry = time.Time{}
	for _, it := range slices.Clone(c.order) {
		if it.expiry.IsZero() || now.Before(it.expiry) {
			c.expires(it.expiry)
			continue
		}
		c.delete(it)
		it.discard()
	}
	return c
}

// add makes an item. An empty id is made up. An item of this id is replaced. The
// item expires after ttl, or never if it is 0.
func (a *api) add(r *Resource, parent *item, id string, values map[string]any, ttl time.Duration) *item {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.addLocked(r, &item{parent: parent, id: id, values: values}, ttl)
}

// addLocked is add with a.mu held.
func (a *api) addLocked(r *Resource, it *item, ttl time.Duration) *item {
	c := a.in(r.collection())
	if it.id == "" {
		it.id = r.Prefix + randomID()
	}
	if ttl != 0 && it.expiry.IsZero() {
		now := time.Now()
		it.expiry = now.Add(ttl)
		it.values["expiresAt"] = moment(it.expiry)
	}
	it.values[r.ID] = it.id
	for _, f := range r.Fields {
		if f.Secret {
			a.secret(fmt.Sprint(it.values[f.Name]))
		}
	}
	it.upload = new(upload)
	if it.files == nil {
		it.files = make(map[string]file)
	}
	if old := c.byID[it.key()]; old != nil {
		old.discard()
		it.number = old.number
	} else {
		a.created++
		it.number = a.created
	}
	c.putSole(r, it)
	return it
}

// find returns the item of a resource with this key, nil if there is none.
func (a *api) find(name, key string) *item {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.in(resource(name).collection()).byID[key]
}

// get is find for an item that the resource shows.
func (a *api) get(r *Resource, parent *item, id string) *item {
	if it := a.find(r.Name, key(parent, id)); it != nil && r.shows(it) {
		return it
	}
	return nil
}

// all returns the items that a resource shows.
func (a *api) all(r *Resource) []*item {
	a.mu.Lock()
	defer a.mu.Unlock()
	return newSearch(r, nil, nil, a.in(r.collection()).order).items
}

// change replaces an item by what f makes of it, unless r no longer shows it or
// f refuses that. f runs with a.mu held.
func (a *api) change(r *Resource, it *item, f func(*item) (*item, *Problem)) (*item, *Problem) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.in(r.collection())
	current := c.byID[it.key()]
	if current == nil || !r.shows(current) {
		return nil, r.notFound()
	}
	changed, refused := f(current)
	if refused != nil {
		return nil, refused
	}
	c.putSole(r, changed)
	return changed, nil
}

// remove deletes an item and its files. An unknown one changes nothing.
func (a *api) remove(r *Resource, key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.in(r.collection())
	it := c.byID[key]
	if it == nil {
		return
	}
	c.delete(it)
	it.discard()
}

// discard deletes the files of an item. api.mu is held.
func (it *item) discard() {
	it.upload.discard()
	for _, f := range it.files {
		if f.blob != nil {
			f.blob.Remove()
		}
	}
}
