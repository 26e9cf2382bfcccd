package standin_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Whatever a client sends, the answer is JSON and no 5xx, and lists still work.
func FuzzRequests(f *testing.F) {
	paths := []string{"/videos", "/live-streams", "/players", "/webhooks", "/summaries", "/upload-tokens", "/upload?token=made-up"}
	f.Add(byte(0), `{"title": "A", "tags": ["x"], "metadata": [{"key": "k"}], "clip": {}}`, "tags[]=x&sortBy=title", "part 1/2")
	f.Add(byte(1), `{"name": "A", "restreams": [{"name": "a", "serverUrl": "rtmp://a/b", "streamKey": "c"}]}`, "name=A&sortOrder=desc", "bytes 0-1/2")
	f.Add(byte(3), `{"events": [null], "url": "https://example.com"}`, "currentPage=9223372036854775807&pageSize=100", "")
	f.Add(byte(5), `{"ttl": 1e400}`, "metadata[", "part 1/*")
	f.Fuzz(func(t *testing.T, at byte, body, query, contentRange string) {
		c := newClient(t)
		path := paths[int(at)%len(paths)]
		values, err := url.ParseQuery(query)
		if err != nil || strings.ContainsAny(contentRange, "\r\n") {
			return
		}
		list, _, _ := strings.Cut(path, "?")
		for _, w := range []interface {
			Result() *http.Response
		}{
			c.send("POST", path, "application/json", strings.NewReader(body)),
			c.send("POST", "/videos/vi7/source", "multipart/form-data; boundary=b", strings.NewReader(body), "Content-Range", contentRange),
			c.send("GET", strings.Replace(list, "/upload", "/upload-tokens", 1)+"?"+values.Encode(), "", nil),
			c.send("GET", "/videos", "", nil),
			c.send("GET", "/tags", "", nil),
		} {
			resp := w.Result()
			assert.Less(t, resp.StatusCode, 500)
			var o map[string]any
			assert.NoError(t, json.NewDecoder(resp.Body).Decode(&o))
		}
	})
}
