package apivideotest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVideosCreateGetPatchDelete(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		key := basic(srv.Config().APIKey + ":")
		for _, payload := range []string{``, `{}`, `{"title":7}`} {
			r := call(t, srv, "POST", "/videos", key, payload)
			assert.Equal(t, []any{400, "title"}, []any{r.status, r.Name})
		}
		video := call(t, srv, "POST", "/videos", key, `{"title":"A","tags":["x"],"public":false}`)
		require.Equal(t, 201, video.status)
		path := "/videos/" + video.VideoID
		assert.Equal(t, "A", video.Title)
		assert.Equal(t, video.body, get(t, srv, path, key).body)

		r := call(t, srv, "PATCH", path, key, `{"description":"B"}`)
		assert.Equal(t, 200, r.status)
		var patched map[string]any
		require.NoError(t, json.Unmarshal([]byte(r.body), &patched))
		assert.Subset(t, patched, map[string]any{
			"title": "A", "description": "B", "public": false, "tags": []any{"x"}, "source": map[string]any{"uri": path + "/source"},
		})
		assert.Equal(t, 400, call(t, srv, "PATCH", path, key, `{"title":""}`).status)

		assert.Equal(t, 204, call(t, srv, "DELETE", path, key, "").status)
		for _, method := range []string{"GET", "PATCH", "DELETE"} {
			r = call(t, srv, method, path, key, "")
			assert.Equal(t, []any{404, "resource-not-found", "videoId"}, []any{r.status, r.id(), r.Name})
		}
	})
}

func TestVideosListInPages(t *testing.T) {
	srv := apivideotest.NewUnstartedServer()
	key := basic(srv.Config().APIKey + ":")
	list := func(query string) (titles []string, pagination map[string]any) {
		var page struct {
			Data       []struct{ Title string }
			Pagination map[string]any
		}
		r := get(t, srv, "/videos"+query, key)
		require.NoError(t, json.Unmarshal([]byte(r.body), &page))
		for _, v := range page.Data {
			titles = append(titles, v.Title)
		}
		delete(page.Pagination, "links")
		return titles, page.Pagination
	}
	pagination := func(page, items, size, pages, total float64) map[string]any {
		return map[string]any{"currentPage": page, "currentPageItems": items, "pageSize": size, "pagesTotal": pages, "itemsTotal": total}
	}
	titles, pages := list("")
	assert.Empty(t, titles)
	assert.Equal(t, pagination(1, 0, 25, 1, 0), pages)

	for i := range 5 {
		call(t, srv, "POST", "/videos", key, fmt.Sprintf(`{"title":"%d"}`, i+1))
	}
	for query, want := range map[string][]string{
		"":                                   {"1", "2", "3", "4", "5"},
		"?currentPage=2&pageSize=2":          {"3", "4"},
		"?currentPage=3&pageSize=2":          {"5"},
		"?currentPage=4&pageSize=2":          nil,
		"?currentPage=2147483647":            nil,
		"?currentPage=2147483647&pageSize=2": nil,
		"?pageSize=100&currentPage=1":        {"1", "2", "3", "4", "5"},
	} {
		titles, _ := list(query)
		assert.Equal(t, want, titles, query)
	}
	_, pages = list("?currentPage=3&pageSize=2")
	assert.Equal(t, pagination(3, 1, 2, 3, 5), pages)
	for _, query := range []string{"?currentPage=0", "?currentPage=x", "?pageSize=101", "?pageSize=-1"} {
		assert.Equal(t, "This parameter is out of the allowed range of values.", get(t, srv, "/videos"+query, key).Title, query)
	}
}

func TestVideosRefusedPatchChangesNothing(t *testing.T) {
	both(t, func(t *testing.T, srv *apivideotest.Server) {
		key := basic(srv.Config().APIKey + ":")
		video := call(t, srv, "POST", "/videos", key, `{"title":"A","tags":["a"],"metadata":[{"key":"b","value":"c"}]}`)
		path := "/videos/" + video.VideoID
		for _, payload := range []string{
			`{"tags":["x"],"metadata":[{"key":"y"}],"title":""}`,
			`{"tags":["x"],"metadata":[{"key":"y"}],"title":7}`,
			`{"tags":["x"]} and more`,
		} {
			assert.Equal(t, 400, call(t, srv, "PATCH", path, key, payload).status, payload)
			assert.Equal(t, video.body, get(t, srv, path, key).body, payload)
		}
		r := call(t, srv, "PATCH", path, key, `{"metadata":[{"key":"y"}]}`)
		assert.Contains(t, r.body, `"metadata":[{"key":"y","value":""}]`, "nothing of the old one is left")
		assert.Contains(t, r.body, `"tags":["a"]`)
	})
}

func TestVideosListsAreNeverNull(t *testing.T) {
	srv := apivideotest.NewUnstartedServer()
	for _, payload := range []string{`{"title":"A"}`, `{"title":"A","tags":null,"metadata":null}`} {
		r := call(t, srv, "POST", "/videos", basic(srv.Config().APIKey+":"), payload)
		assert.Contains(t, r.body, `"tags":[],"metadata":[]`)
	}
}

// Promise: A client that is slow, or never finishes, blocks nobody.
func TestVideosSlowClientBlocksNobody(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	key := basic(srv.Config().APIKey + ":")
	path := "/videos/" + newVideo(t, srv)
	body, rest := io.Pipe()
	req, err := http.NewRequest("PATCH", srv.URL+path, body)
	require.NoError(t, err)
	req.Header.Set("Authorization", key)
	patched := make(chan *http.Response)
	go func() {
		resp, err := srv.Client().Do(req)
		assert.NoError(t, err)
		patched <- resp
	}()
	_, err = io.WriteString(rest, strings.Repeat(" ", 1<<20)) // more than fits on the way
	require.NoError(t, err)
	assert.Equal(t, 200, get(t, srv, path, key).status)
	_, err = io.WriteString(rest, `{"title":"B"}`)
	require.NoError(t, err)
	require.NoError(t, rest.Close())
	assert.Equal(t, "B", read(t, <-patched).Title)
}
