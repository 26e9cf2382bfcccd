package standin

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	defaultPageSize = 25
	maxPageSize     = 100
)

// list answers with a page of the items that a request asks for.
func list(c *call) (any, *Problem) {
	query := c.r.URL.Query()
	page, size, refused := c.resource.checkList(query)
	if refused != nil {
		return nil, refused
	}
	items, context, refused := c.search(query, page, size)
	if refused != nil {
		return nil, refused
	}
	data := make([]any, len(items.page))
	for i, it := range items.page {
		data[i] = c.resource.show(c.view(it))
	}
	return append(context, fields{
		{"data", data},
		{"pagination", pagination(c.r, page, size, len(data), items.total)},
	}...), nil
}

// found is a page of a search.
type found struct {
	page  []*item
	total int
}

// search finds a page of items. The result of the last search stays for the
// further pages.
func (c *call) search(query url.Values, page, size int) (f found, context fields, refused *Problem) {
	r := c.resource
	cut := func(items []*item) found {
		total := len(items)
		from := min(min(page-1, total)*size, total) // no overflow, where an int has 32 bits
		return found{slices.Clone(items[from:min(from+size, total)]), total}
	}
	if r.Derive != nil {
		items, context, refused := r.Derive(c)
		return cut(r.choose(items, query)), context, refused
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.in(r.collection())
	id := r.Path + "?" + searchOf(query).Encode()
	if c.parent != nil {
		id = c.parent.id + id
	}
	if all.found.query != id || all.found.version != all.version {
		mine := make([]*item, 0, len(all.order))
		for _, it := range all.order {
			if r.shows(it) && (c.parent == nil || it.parent.id == c.parent.id) {
				mine = append(mine, it)
			}
		}
		all.found = search{id, all.version, r.choose(mine, query)}
	}
	return cut(all.found.items), nil, nil
}

// searchOf is a query without the parameters of the page.
func searchOf(query url.Values) url.Values {
	rest := url.Values{}
	for name, values := range query {
		if name != "currentPage" && name != "pageSize" {
			rest[name] = values
		}
	}
	return rest
}

// choose returns the items that a query asks for, in its order. It may change
// items.
func (r *Resource) choose(items []*item, query url.Values) []*item {
	for _, f := range r.Filters {
		want := f.wanted(query)
		if len(want) == 0 {
			continue
		}
		field := cmp.Or(f.Field, f.Name)
		items = slices.DeleteFunc(items, func(it *item) bool { return !f.Match(it.values[field], want) })
	}
	if by := query.Get("sortBy"); by != "" {
		slices.SortStableFunc(items, func(a, b *item) int { return compare(a.values[by], b.values[by]) })
	}
	if query.Get("sortOrder") == "desc" {
		slices.Reverse(items)
	}
	return items
}

// wanted returns the values of a filter's parameter, as its name, name[] or
// name[0]; name[key] is the pair key=value.
func (f *Filter) wanted(query url.Values) (want []string) {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		rest, ok := strings.CutPrefix(name, f.Name)
		key := strings.Trim(rest, "[]")
		_, notIndex := strconv.Atoi(key)
		switch {
		case !ok:
		case rest == "", rest == "["+key+"]" && (key == "" || notIndex == nil):
			want = append(want, query[name]...)
		case rest == "["+key+"]":
			for _, value := range query[name] {
				want = append(want, key+"="+value)
			}
		}
	}
	return slices.DeleteFunc(want, func(s string) bool { return s == "" })
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

// checkList returns the page that a query asks for, and what is wrong with it.
func (r *Resource) checkList(query url.Values) (page, size int, refused *Problem) {
	var wrong []Problem
	number := func(name string, unset, most int) int {
		text := query.Get(name)
		if text == "" {
			return unset
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || most > 0 && n > most {
			wrong = append(wrong, Problem{
				Title: "This parameter is out of the allowed range of values.",
				Name:  name, Status: http.StatusBadRequest, Range: &bounds{Min: 1, Max: most},
			})
		}
		return n
	}
	oneOf := func(name string, allowed []string) {
		if value := query.Get(name); value != "" && !slices.Contains(allowed, value) {
			wrong = append(wrong, invalidAttribute(name, "The value must be one of "+strings.Join(allowed, ", ")+"."))
		}
	}
	page = number("currentPage", 1, 0)
	size = number("pageSize", defaultPageSize, maxPageSize)
	if r.Sort != nil {
		oneOf("sortBy", r.Sort)
	}
	oneOf("sortOrder", []string{"asc", "desc"})
	return page, size, refuse(wrong...)
}

// pagination describes a page, with links to the others.
func pagination(r *http.Request, page, size, items, total int) fields {
	pages := max((total+size-1)/size, 1)
	links := []any{}
	link := func(rel string, to int) {
		query := searchOf(r.URL.Query()).Encode()
		uri := r.URL.Path + "?" + query + "&currentPage=" + strconv.Itoa(to) + "&pageSize=" + strconv.Itoa(size)
		links = append(links, fields{{"rel", rel}, {"uri", strings.Replace(uri, "?&", "?", 1)}})
	}
	link("self", page)
	link("first", 1)
	if page > 1 && page <= pages {
		link("previous", page-1)
	}
	if page < pages {
		link("next", page+1)
	}
	link("last", pages)
	return fields{
		{"currentPage", page},
		{"currentPageItems", items},
		{"pageSize", size},
		{"pagesTotal", pages},
		{"itemsTotal", total},
		{"links", links},
	}
}

// contains matches a text that contains the wanted one.
func contains(value any, want []string) bool {
	text, _ := value.(string)
	return strings.Contains(text, want[0])
}

// equals matches the wanted text only.
func equals(value any, want []string) bool { return value == want[0] }

// hasAll matches a list of texts that has all the wanted ones.
func hasAll(value any, want []string) bool {
	list, _ := value.([]any)
	for _, text := range want {
		if !slices.Contains(list, any(text)) {
			return false
		}
	}
	return true
}

// hasPairs matches a list of keys and values that has all the wanted ones.
func hasPairs(value any, want []string) bool {
	list, _ := value.([]any)
	pairs := make([]any, len(list))
	for i, pair := range list {
		pair := pair.(map[string]any)
		pairs[i] = pair["key"].(string) + "=" + pair["value"].(string)
	}
	return hasAll(pairs, want)
}

// resembles matches a text that contains the wanted one, whatever the case and
// the accents.
func resembles(value any, want []string) bool {
	text, _ := value.(string)
	return strings.Contains(fold(text), fold(want[0]))
}

func fold(s string) string { return accents.Replace(strings.ToLower(s)) }

// languageTag has the form of an IETF language tag.
var languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z]{2,8})*$`)
