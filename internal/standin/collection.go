package standin

import (
	"cmp"
	"slices"
	"time"
)

// collection has the items of a resource.
type collection struct {
	byID    map[string]*item
	order   []*item   // by number
	expiry  time.Time // of the first item that expires; zero for none
	version int       // counts the changes
	found   search    // the last one
}

// search is the result of a search in a collection.
type search struct {
	query   string
	version int
	items   []*item
}

// expires notes when an item expires.
func (c *collection) expires(at time.Time) {
	if !at.IsZero() && (c.expiry.IsZero() || at.Before(c.expiry)) {
		c.expiry = at
	}
}

// put adds an item, or replaces the one of its key. a.mu is held.
func (c *collection) put(it *item) {
	at, replaces := slices.BinarySearchFunc(c.order, it.number, func(it *item, n uint64) int { return cmp.Compare(it.number, n) })
	if replaces {
		c.order[at] = it
	} else {
		c.order = append(c.order, it)
	}
	c.byID[it.key()] = it
	c.expires(it.expiry)
	c.version++
}

// putSole is put for an item of r. It may take the field of which r has one.
func (c *collection) putSole(r *Resource, it *item) {
	c.put(it)
	if it.values[r.Sole] != true {
		return
	}
	for _, other := range c.order {
		if other.values[r.Sole] == true && other != it && other.parent.id == it.parent.id {
			c.put(other.with(map[string]any{r.Sole: false}))
		}
	}
}

// shown returns the items that a resource shows, of this parent if there is one.
func (c *collection) shown(r *Resource, parent *item) []*item {
	shown := make([]*item, 0, len(c.order))
	for _, it := range c.order {
		if r.shows(it) && (parent == nil || it.parent.id == parent.id) {
			shown = append(shown, it)
		}
	}
	return shown
}
