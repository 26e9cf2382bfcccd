package standin

import (
	"cmp"
	"slices"
	"time"
)

// collection has the items of a resource.
type collection struct {
	byID     map[string]*item
	order    []*item              // by number
	expiry   time.Time            // of the first item that expires; zero for none
	searches []*search            // the last ones, the newest first
	follow   func(old, now *item) // is called with each change; nil for nobody
}

// expires notes when an item expires.
func (c *collection) expires(at time.Time) {
	if !at.IsZero() && (c.expiry.IsZero() || at.Before(c.expiry)) {
		c.expiry = at
	}
}

// put adds an item, or replaces the one of its key.
func (c *collection) put(it *item) {
	at, replaces := c.at(it)
	if replaces {
		c.order[at] = it
	} else {
		c.order = append(c.order, it)
	}
	old := c.byID[it.key()]
	c.byID[it.key()] = it
	c.expires(it.expiry)
	c.changed(old, it)
}

// delete deletes an item, but not its files.
func (c *collection) delete(it *item) {
	at, _ := c.at(it)
	c.order = slices.Delete(c.order, at, at+1)
	delete(c.byID, it.key())
	c.changed(it, nil)
}

// at is where an item is, or belongs.
func (c *collection) at(it *item) (at int, found bool) {
	return slices.BinarySearchFunc(c.order, it, func(a, b *item) int { return cmp.Compare(a.number, b.number) })
}

// changed tells of a change. A nil item stands for none.
func (c *collection) changed(old, now *item) {
	if old == now {
		return // its upload changed
	}
	for _, s := range c.searches {
		s.change(old, now)
	}
	if c.follow != nil {
		c.follow(old, now)
	}
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
