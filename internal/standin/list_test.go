package standin_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Promise: Lists are filtered, sorted and cut into pages with links; each change is visible at once.
func TestListFilters(t *testing.T) {
	c := newClient(t)
	c.video(`{"title": "Maths one", "description": "about numbers", "tags": ["a", "b"], "metadata": [{"key": "k", "value": "v"}]}`)
	c.video(`{"title": "Maths two", "tags": ["b"], "metadata": [{"key": "k", "value": "w"}, {"key": "l", "value": "v"}, {"key": "2024", "value": "x"}]}`)
	c.video(`{"title": "Other", "tags": ["Été", "Été", "Été"]}`)
	assert.NoError(t, c.service.Seed([]byte(`{"videos": [{"title": "Recording", "liveStreamId": "li7"}]}`)))
	for query, want := range map[string][]any{
		"":                            {"Maths one", "Maths two", "Other", "Recording"},
		"title=Maths":                 {"Maths one", "Maths two"},
		"title=":                      {"Maths one", "Maths two", "Other", "Recording"},
		"tags[]=b":                    {"Maths one", "Maths two"},
		"tags[]=b&tags[]=a":           {"Maths one"},
		"tags[0]=b&tags[1]=a":         {"Maths one"},
		"tags=b":                      {"Maths one", "Maths two"},
		"metadata[k]=v":               {"Maths one"},
		"metadata[l]=v&metadata[k]=w": {"Maths two"},
		"metadata[l]=v&metadata[k]=v": nil,
		"metadata[2024]=x":            {"Maths two"},
		"metadata[2024]=y":            nil,
		"description=number":          {"Maths one"},
		"liveStreamId=li7":            {"Recording"},
		"title=Maths&tags[]=a":        {"Maths one"},
		"unknown=x":                   {"Maths one", "Maths two", "Other", "Recording"},
	} {
		assert.Equal(t, want, c.call(200, "GET", "/videos?"+escape(query), "").texts("title"), query)
	}
	assert.Equal(t, []any{"Été"}, c.call(200, "GET", "/tags?value="+url.QueryEscape("ETE"), "").texts("value"))
	assert.Equal(t, "b", c.call(200, "GET", "/tags?sortBy=videoCount&sortOrder=desc", "").texts("value")[0], "two videos have it")
}

func escape(query string) string {
	values, _ := url.ParseQuery(query)
	return values.Encode()
}

// Promise: Lists are filtered, sorted and cut into pages with links; each change is visible at once.
func TestListSorts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		for _, title := range []string{"b", "a", "c", "a"} {
			c.video(`{"title": "` + title + `", "description": "` + title + `"}`)
			time.Sleep(time.Second)
		}
		oldest := c.call(200, "GET", "/videos?pageSize=1", "").texts("videoId")[0].(string)
		c.call(200, "PATCH", "/videos/"+oldest, `{"description": "changed"}`)
		for query, want := range map[string][]any{
			"sortBy=title":                     {"a", "a", "b", "c"},
			"sortBy=title&sortOrder=desc":      {"c", "b", "a", "a"},
			"sortBy=createdAt&sortOrder=desc":  {"a", "c", "a", "b"},
			"sortBy=updatedAt":                 {"a", "c", "a", "b"},
			"sortBy=publishedAt&sortOrder=asc": {"b", "a", "c", "a"},
		} {
			assert.Equal(t, want, c.call(200, "GET", "/videos?"+query, "").texts("title"), query)
		}
	})
	c := newClient(t)
	c.create("/upload-tokens", "token", `{"ttl": 10}`)
	c.create("/upload-tokens", "token", `{"ttl": 9}`)
	assert.Equal(t, []any{9.0, 10.0}, c.call(200, "GET", "/upload-tokens?sortBy=ttl", "").texts("ttl"))
}

// Promise: A wrong body or query is a 400 that names each field.
func TestListMistakesNameEachParameter(t *testing.T) {
	c := newClient(t)
	p := c.call(400, "GET", "/videos?currentPage=0&pageSize=101&sortBy=size&sortOrder=up", "")
	assert.Equal(t, "currentPage", p["name"])
	assert.Equal(t, []any{"currentPage", "pageSize", "sortBy", "sortOrder"}, object{"data": p["problems"]}.texts("name"))
	assert.Equal(t, map[string]any{"min": 1.0}, p["range"])
}

// Promise: Lists are filtered, sorted and cut into pages with links; each change is visible at once.
func TestListLinksLeadThroughThePages(t *testing.T) {
	c := newClient(t)
	for i := range 5 {
		c.video(fmt.Sprintf(`{"title": "%d", "tags": ["x y"]}`, i))
	}
	links := func(path string) map[string]string {
		uris := map[string]string{}
		for _, link := range c.call(200, "GET", path, "").get("pagination.links").([]any) {
			link := link.(map[string]any)
			uris[link["rel"].(string)] = link["uri"].(string)
		}
		return uris
	}
	assert.Equal(t, map[string]string{
		"self": "/videos?currentPage=1&pageSize=25", "first": "/videos?currentPage=1&pageSize=25", "last": "/videos?currentPage=1&pageSize=25",
	}, links("/videos"))
	path, titles := "/videos?tags[]=x%20y&pageSize=2&sortBy=title", []any(nil)
	for path != "" {
		titles = append(titles, c.call(200, "GET", path, "").texts("title")...)
		path = links(path)["next"]
	}
	assert.Equal(t, []any{"0", "1", "2", "3", "4"}, titles)
	last := links("/videos?currentPage=3&pageSize=2")
	assert.Equal(t, "/videos?currentPage=2&pageSize=2", last["previous"])
	assert.NotContains(t, last, "next")
}

// Promise: Lists are filtered, sorted and cut into pages with links; each change is visible at once.
func TestListSeesEachChange(t *testing.T) {
	c := newClient(t)
	list := func() []any { return c.call(200, "GET", "/videos?title=a&sortBy=title", "").texts("title") }
	assert.Empty(t, list())
	id := c.video(`{"title": "a"}`)
	assert.Equal(t, []any{"a"}, list())
	c.call(200, "PATCH", "/videos/"+id, `{"title": "ab"}`)
	assert.Equal(t, []any{"ab"}, list())
	c.call(204, "DELETE", "/videos/"+id, "")
	assert.Empty(t, list())
	assert.Equal(t, []any{"ab"}, c.call(200, "GET", "/discarded/videos?title=a&sortBy=title", "").texts("title"))
	c.call(200, "PATCH", "/discarded/videos/"+id, `{"discarded": false}`)
	assert.Equal(t, []any{"ab"}, list())
}

// A parameter that the service does not know makes a search that no other request
// made before.
//
// Promise: Lists are filtered, sorted and cut into pages with links; each change is visible at once.
func TestListIsTheSameAfterManyChanges(t *testing.T) {
	c := newClient(t)
	lists := []string{
		"/videos?", "/videos?sortBy=title", "/videos?sortBy=title&sortOrder=desc", "/videos?tags[]=b&sortOrder=desc",
		"/videos?title=1", "/discarded/videos?sortBy=title", "/tags?sortBy=videoCount&sortOrder=desc", "/tags?sortBy=value",
	}
	random := rand.New(rand.NewPCG(1, 2))
	body := func() string {
		return fmt.Sprintf(`{"title": "%d", "tags": ["%c", "%c"]}`, random.IntN(20), 'a'+random.IntN(4), 'a'+random.IntN(4))
	}
	ids := []string{c.video(body())}
	for i := range 300 {
		id := ids[random.IntN(len(ids))]
		switch random.IntN(4) {
		case 0:
			ids = append(ids, c.video(body()))
		case 1:
			c.send("PATCH", "/videos/"+id, "application/json", strings.NewReader(body()))
		case 2:
			c.send("DELETE", "/videos/"+id, "", nil)
		case 3:
			c.send("PATCH", "/discarded/videos/"+id, "application/json", strings.NewReader(`{"discarded": false}`))
		}
		for j, list := range lists {
			kept := c.call(200, "GET", list+"&pageSize=100", "")
			if (i+j)%len(lists) == 0 {
				fresh := c.call(200, "GET", list+"&pageSize=100&unknown="+strconv.Itoa(i), "")
				require.Equal(t, fresh["data"], kept["data"], list)
			}
		}
	}
	counts := map[any]float64{}
	for _, tags := range c.call(200, "GET", "/videos?pageSize=100", "").texts("tags") {
		for _, tag := range slices.Compact(tags.([]any)) {
			counts[tag]++
		}
	}
	listed := map[any]float64{}
	for _, tag := range c.call(200, "GET", "/tags", "")["data"].([]any) {
		listed[tag.(map[string]any)["value"]] = tag.(map[string]any)["videoCount"].(float64)
	}
	assert.Equal(t, counts, listed)
}
