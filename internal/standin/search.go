package standin

import (
	"cmp"
	"net/url"
	"slices"
)

// maxSearches is how many searches a collection keeps. Each makes changes a bit
// slower.
const maxSearches = 8

// search has the items of a collection that a request asks for, in its order.
// It follows the changes of the collection. api.mu guards it.
type search struct {
	id     string
	r      *Resource
	parent *item      // nil for items of all
	wanted [][]string // by each filter of r
	by     string     // the field that orders the items, "" for none
	desc   bool
	items  []*item
}

// newSearch searches in items.
func newSearch(r *Resource, parent *item, query url.Values, items []*item) *search {
	s := &search{id: searchID(r, parent, query), r: r, parent: parent, by: query.Get("sortBy"), desc: query.Get("sortOrder") == "desc"}
	for _, f := range r.Filters {
		s.wanted = append(s.wanted, f.wanted(query))
	}
	for _, it := range items {
		if s.has(it) {
			s.items = append(s.items, it)
		}
	}
	slices.SortFunc(s.items, s.compare)
	return s
}

func searchID(r *Resource, parent *item, query url.Values) string {
	id := r.Path + "?" + searchOf(query).Encode()
	if parent != nil {
		id = parent.id + id
	}
	return id
}

// has reports whether an item is one of those that the request asks for.
func (s *search) has(it *item) bool {
	if it == nil || !s.r.shows(it) || s.parent != nil && s.parent.id != it.parent.id {
		return false
	}
	for i, f := range s.r.Filters {
		if len(s.wanted[i]) > 0 && !f.Match(it.values[cmp.Or(f.Field, f.Name)], s.wanted[i]) {
			return false
		}
	}
	return true
}

// compare orders two items. Those with the same value are in the order of their
// creation.
func (s *search) compare(a, b *item) int {
	order := cmp.Or(compare(a.values[s.by], b.values[s.by]), cmp.Compare(a.number, b.number))
	if s.desc {
		return -order
	}
	return order
}

// change replaces an item. Either may be nil.
func (s *search) change(old, now *item) {
	if s.has(old) {
		at, _ := slices.BinarySearchFunc(s.items, old, s.compare)
		s.items = slices.Delete(s.items, at, at+1)
	}
	if s.has(now) {
		at, _ := slices.BinarySearchFunc(s.items, now, s.compare)
		s.items = slices.Insert(s.items, at, now)
	}
}

// search returns the search for what a request asks for. It keeps the last ones.
func (c *collection) search(r *Resource, parent *item, query url.Values) (s *search) {
	id := searchID(r, parent, query)
	at := slices.IndexFunc(c.searches, func(s *search) bool { return s.id == id })
	if at >= 0 {
		s = c.searches[at]
		c.searches = slices.Delete(c.searches, at, at+1)
	} else {
		s = newSearch(r, parent, query, c.order)
		c.searches = c.searches[:min(len(c.searches), maxSearches-1)]
	}
	c.searches = slices.Insert(c.searches, 0, s)
	return s
}

// compare orders the values of a field. Missing ones come first.
func compare(a, b any) int {
	if x, ok := a.(int64); ok {
		y, _ := b.(int64)
		return cmp.Compare(x, y)
	}
	x, _ := a.(string)
	y, _ := b.(string)
	return cmp.Compare(x, y)
}
