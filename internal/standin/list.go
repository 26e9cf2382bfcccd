package standin

import (
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
	items, total, context, refused := c.search(query, page, size)
	data := []any{}
	for _, it := range items {
		data = append(data, c.resource.show(c.view(it)))
	}
	return append(context, fields{
		{"data", data},
		{"pagination", pagination(c.r, page, size, len(data), total)},
	}...), refused
}

// search finds a page of items.
func (c *call) search(query url.Values, page, size int) (items []*item, total int, context fields, refused *Problem) {
	r := c.resource
	cut := func(s *search) ([]*item, int) {
		total := len(s.items)
		from := min(min(page-1, total)*size, total) // no overflow, where an int has 32 bits
		return slices.Clone(s.items[from:min(from+size, total)]), total
	}
	if r.Derive != nil {
		items, context, refused = r.Derive(c)
		for i, it := range items {
			it.number = uint64(i)
		}
		items, total = cut(newSearch(r, nil, query, items))
		return items, total, context, refused
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	items, total = cut(c.in(r.collection()).search(r, c.parent, query))
	return items, total, nil, nil
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

// wanted returns the values of a filter's parameter, as its name, name[] or
// name[0]. For a filter of pairs, name[key] is the pair key=value.
func (f *Filter) wanted(query url.Values) (want []string) {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		rest, ok := strings.CutPrefix(name, f.Name)
		key := strings.Trim(rest, "[]")
		if !ok || rest != "" && rest != "["+key+"]" {
			continue
		}
		for _, value := range query[name] {
			if f.Pairs && key != "" {
				value = key + "=" + value
			}
			want = append(want, value)
		}
	}
	return slices.DeleteFunc(want, func(s string) bool { return s == "" })
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
	query := searchOf(r.URL.Query())
	links := []any{}
	link := func(rel string, to int, there bool) {
		if there {
			query.Set("currentPage", strconv.Itoa(to))
			query.Set("pageSize", strconv.Itoa(size))
			links = append(links, fields{{"rel", rel}, {"uri", r.URL.Path + "?" + query.Encode()}})
		}
	}
	link("self", page, true)
	link("first", 1, true)
	link("previous", page-1, page > 1 && page <= pages)
	link("next", page+1, page < pages)
	link("last", pages, true)
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
