package standin_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// problems returns the names and reasons in a problem.
func (o object) problems() (list []any) {
	inner, _ := o["problems"].([]any)
	for _, p := range inner {
		p := p.(map[string]any)
		reason := p["detail"]
		if reason == nil {
			reason = p["title"]
		}
		list = append(list, p["name"], reason)
	}
	return list
}

// Promise: A wrong body or query is a 400 that names each field.
func TestWrongBodyNamesEachField(t *testing.T) {
	c := newClient(t)
	for _, test := range []struct {
		method, path, body string
		want               []any
	}{
		{"POST", "/videos", `{}`, []any{"title", "This attribute is required."}},
		{"POST", "/videos", `{"title": "", "tags": "x", "public": 1, "metadata": {}}`, []any{
			"title", "This value should not be blank.", "tags", "This attribute must be an array.",
			"metadata", "This attribute must be an array.", "public", "This attribute must be a boolean.",
		}},
		{"POST", "/videos", `{"title": 7, "tags": [1], "language": "xx", "clip": []}`, []any{
			"title", "This attribute must be a string.", "tags[0]", "This attribute must be a string.",
			"language", `The "language" attribute is not valid.`, "clip", "This attribute must be an object.",
		}},
		{"POST", "/live-streams", `{"name": "A", "restreams": [{"serverUrl": "http://example.com/app", "streamKey": ""}]}`, []any{
			"restreams[0][name]", "This attribute is required.",
			"restreams[0][serverUrl]", "RTMP URL should have the following format: [rtmp|rtmps]://[host]/[app name].",
			"restreams[0][streamKey]", "This value should not be blank.",
		}},
		{"POST", "/live-streams", `{"name": "A", "restreams": [{}, {}, {}, {}, {}, {}]}`, []any{
			"restreams", "This collection should contain 5 elements or less.",
		}},
		{"POST", "/upload-tokens", `{"ttl": -1}`, []any{"ttl", "This value is out of range."}},
		{"POST", "/upload-tokens", `{"ttl": 2147483648}`, []any{"ttl", "This value is out of range."}},
		{"POST", "/upload-tokens", `{"ttl": 1.5}`, []any{"ttl", "This attribute must be an integer."}},
		{"POST", "/webhooks", `{"url": "example.com"}`, []any{
			"events", "This attribute is required.", "url", "This value is not a valid URL.",
		}},
		{"POST", "/players", `{"name": "` + strings.Repeat("é", 101) + `"}`, []any{
			"name", "This value is too long. It should have 100 characters or less.",
		}},
		{"POST", "/summaries", `{"videoId": "vi7", "origin": "api"}`, []any{"origin", `The value must be "auto".`}},
	} {
		assert.Equal(t, test.want, c.call(400, test.method, test.path, test.body).problems(), test.body)
	}
	for _, body := range []string{`[]`, `"x"`, `{"title": "A"} and more`, `{"title": `, `{"title": "` + strings.Repeat("x", 5<<20) + `"}`} {
		p := c.call(400, "POST", "/videos", body)
		assert.Equal(t, "The payload is invalid.", p["title"])
	}
	assert.Empty(t, c.call(200, "GET", "/videos", "").texts("videoId"), "nothing was made")
}

func TestNullSetsTheDefault(t *testing.T) {
	c := newClient(t)
	id := c.video(`{"title": "A", "playerId": "pl7", "tags": ["x"], "language": "fr"}`)
	assert.Equal(t, "api", c.call(200, "GET", "/videos/"+id, "")["languageOrigin"])
	v := c.call(200, "PATCH", "/videos/"+id, `{"playerId": null, "tags": null, "language": null}`)
	assert.NotContains(t, v, "playerId")
	assert.NotContains(t, v, "language")
	assert.Nil(t, v["languageOrigin"])
	assert.Equal(t, []any{}, v["tags"])
	c.call(400, "PATCH", "/videos/"+id, `{"title": null}`)
}

func TestReadOnlyFieldsStay(t *testing.T) {
	c := newClient(t)
	id := c.video(`{"title": "A", "videoId": "vi7", "createdAt": "2001-01-01T00:00:00Z", "discarded": true, "source": "https://example.com/film.mp4"}`)
	assert.Regexp(t, `^vi[0-9A-Za-z]{22}$`, id)
	v := c.call(200, "PATCH", "/videos/"+id, `{"videoId": "vi8", "source": "another"}`)
	assert.Equal(t, []any{id, false, "/videos/" + id + "/source"}, []any{v["videoId"], v["discarded"], v.get("source.uri")})
	created, err := time.Parse("2006-01-02T15:04:05+00:00", v["createdAt"].(string))
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), created, time.Minute)
}

// Promise: A deleted video is a 404, and can be restored for a month.
func TestDeletedVideoIsDiscardedForAMonth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		id := c.video(`{"title": "A"}`)
		c.upload(200, "/videos/"+id+"/captions/en", "en.vtt", "WEBVTT", "")
		c.call(204, "DELETE", "/videos/"+id, "")
		for _, path := range []string{"", "/status", "/captions", "/captions/en"} {
			p := c.call(404, "GET", "/videos/"+id+path, "")
			assert.Equal(t, []any{"https://docs.api.video/reference/resource-not-found", "videoId"}, []any{p["type"], p["name"]})
		}
		v := c.call(200, "GET", "/discarded/videos/"+id, "")
		assert.Equal(t, []any{true, nil}, []any{v["discarded"], v["assets"]})
		assert.NotNil(t, v["deletesAt"])
		c.call(400, "PATCH", "/discarded/videos/"+id, `{"discarded": true}`)
		v = c.call(200, "PATCH", "/discarded/videos/"+id, `{"discarded": false}`)
		assert.Equal(t, []any{false, nil}, []any{v["discarded"], v["deletesAt"]})
		time.Sleep(40 * 24 * time.Hour)
		c.call(200, "GET", "/videos/"+id+"/captions/en", "")

		c.call(204, "DELETE", "/videos/"+id, "")
		time.Sleep(40 * 24 * time.Hour)
		c.call(404, "GET", "/discarded/videos/"+id, "")
		assert.Empty(t, c.call(200, "GET", "/discarded/videos", "").texts("videoId"))
	})
}

func TestCaptionsBelongToTheirVideo(t *testing.T) {
	c := newClient(t)
	one, two := c.video(`{"title": "A"}`), c.video(`{"title": "B"}`)
	caption := c.upload(200, "/videos/"+one+"/captions/fr", "fr.vtt", "WEBVTT", "")
	assert.Equal(t, []any{"français", "fr", false}, []any{caption["languageName"], caption["srclang"], caption["default"]})
	c.upload(200, "/videos/"+two+"/captions/sr-Cyrl", "sr.vtt", "WEBVTT", "")
	assert.Equal(t, []any{"fr"}, c.call(200, "GET", "/videos/"+one+"/captions", "").texts("srclang"))
	assert.Equal(t, []any{"sr-Cyrl"}, c.call(200, "GET", "/videos/"+two+"/captions", "").texts("srclang"))
	p := c.call(404, "GET", "/videos/"+one+"/captions/sr-Cyrl", "")
	assert.Equal(t, "language", p["name"])
	p = c.call(400, "GET", "/videos/"+one+"/captions/1_2", "")
	assert.Contains(t, p["detail"], "only letters and dashes")
	c.upload(404, "/videos/vi7/captions/fr", "fr.vtt", "WEBVTT", "")
	assert.Equal(t, true, c.call(200, "PATCH", "/videos/"+one+"/captions/fr", `{"default": true}`)["default"])
	assert.Equal(t, false, c.upload(200, "/videos/"+one+"/captions/fr", "fr.vtt", "WEBVTT", "")["default"], "it is a new one")
}

func TestOneCaptionIsTheDefault(t *testing.T) {
	c := newClient(t)
	require.NoError(t, c.service.Seed([]byte(`{
		"videos": [{"videoId": "vi1", "title": "A"}, {"videoId": "vi2", "title": "B"}],
		"captions": [
			{"videoId": "vi1", "language": "en", "default": true},
			{"videoId": "vi2", "language": "en", "default": true},
			{"videoId": "vi1", "language": "fr", "default": true},
			{"videoId": "vi1", "language": "de"}
		]
	}`)))
	defaults := func(video string) []any { return c.call(200, "GET", "/videos/"+video+"/captions", "").texts("default") }
	assert.Equal(t, []any{false, true, false}, defaults("vi1"))
	c.call(200, "PATCH", "/videos/vi1/captions/de", `{"default": true}`)
	assert.Equal(t, []any{false, false, true}, defaults("vi1"), "the newer one takes it")
	c.call(200, "PATCH", "/videos/vi1/captions/de", `{"default": false}`)
	assert.Equal(t, []any{false, false, false}, defaults("vi1"))
	assert.Equal(t, []any{true}, defaults("vi2"))
}

func TestSummaryIsOneForAVideo(t *testing.T) {
	c := newClient(t)
	video := c.video(`{"title": "A"}`)
	c.call(404, "POST", "/summaries", `{"videoId": "vi7"}`)
	id := c.create("/summaries", "summaryId", `{"videoId": "`+video+`"}`)
	p := c.call(409, "POST", "/summaries", `{"videoId": "`+video+`"}`)
	assert.Equal(t, []any{"https://docs.api.video/reference/summary-already-exists", "videoId"}, []any{p["type"], p["name"]})
	c.call(404, "GET", "/summaries/"+id+"/source", "")
	c.call(201, "PATCH", "/summaries/"+id+"/source", `{"title": "T", "takeaways": ["a"]}`)
	assert.Equal(t, "T", c.call(200, "GET", "/summaries/"+id+"/source", "")["title"])
	c.call(409, "PATCH", "/summaries/"+id+"/source", `{"title": "U"}`)
	assert.Equal(t, []any{"completed"}, c.call(200, "GET", "/summaries?videoId="+video, "").texts("sourceStatus"))
	c.call(204, "DELETE", "/summaries/"+id, "")
	made := c.call(201, "POST", "/summaries", `{"videoId": "`+video+`", "origin": "auto"}`)
	assert.Equal(t, "completed", made["sourceStatus"])
}

func TestAnalyticsAreMadeUpButStay(t *testing.T) {
	c := newClient(t)
	id := c.video(`{"title": "A"}`)
	first := c.call(200, "GET", "/data/metrics/play/count", "")
	assert.Equal(t, first["data"], c.call(200, "GET", "/data/metrics/play/count", "")["data"])
	assert.Equal(t, []any{id}, c.call(200, "GET", "/data/buckets/play-total/media-id", "").texts("dimensionValue"))
	now := time.Now().UTC()
	from, to := now.Add(-72*time.Hour).Format(time.RFC3339), now.Format(time.RFC3339)
	days := c.call(200, "GET", "/data/timeseries/play?from="+from+"&to="+to, "")
	assert.Equal(t, "day", days.get("context.interval"))
	assert.InDelta(t, 3.5, len(days.texts("emittedAt")), 0.5)
	hours := c.call(200, "GET", "/data/timeseries/play?sortBy=metricValue&pageSize=100", "")
	assert.Equal(t, "hour", hours.get("context.interval"))
	for path, name := range map[string]string{
		"/data/metrics/made-up/count":                        "metric",
		"/data/metrics/start/rate":                           "aggregation",
		"/data/buckets/play-total/country":                   "breakdown",
		"/data/timeseries/play-total":                        "metric",
		"/data/timeseries/play?interval=week":                "interval",
		"/data/timeseries/play?from=yesterday":               "from",
		"/data/metrics/play/count?from=2001-01-01T00:00:00Z": "from",
	} {
		assert.Equal(t, name, c.call(400, "GET", path, "")["name"], path)
	}
}

// Promise: A taken port, a bad seed and an unknown flag are errors with their reason.
func TestSeedMistakesHaveTheirLine(t *testing.T) {
	c := newClient(t)
	for seed, want := range map[string]string{
		"":                     "line 1: unexpected end of JSON input",
		"[]":                   "line 1: it must be an object of lists of objects, not array",
		"{\n\"videos\": {}}":   "line 2: it must be an object of lists of objects, not object",
		"{\n\"films\": []}":    `line 2: there is no resource "films"`,
		"{\n\"tags\": []}":     `line 2: there is no resource "tags"`,
		"{\"videos\": [\n{}]}": "line 2: videos: title: This attribute is required.",
		"{\"videos\": [\n1]}":  "line 2: it must be an object of lists of objects, not number",
		"{\n\"captions\": [\n{\"videoId\": \"vi7\", \"language\": \"en\"}]}":                                  "line 3: captions: videoId: there is no such one before",
		"{\"videos\": [{\"videoId\": \"vi8\", \"title\": \"A\"},\n{\"videoId\": \"vi8\", \"title\": \"B\"}]}": `line 2: videos: videoId: "vi8" is there already`,
		"{} x":   "line 1: invalid character 'x'",
		"{}\n{}": "line 2: invalid character '{' after top-level value",
	} {
		assert.ErrorContains(t, c.service.Seed([]byte(seed)), want, seed)
	}
	require.NoError(t, c.service.Seed([]byte(`{
		"videos": [
			{"videoId": "viMine", "title": "A", "createdAt": "2001-02-03T04:05:06Z", "filesize": 3000000000},
			{"videoId": "viOld", "title": "B", "discarded": true, "deletesAt": "2001-02-03T04:05:06Z"}
		],
		"captions": [{"videoId": "viMine", "language": "en"}],
		"upload-tokens": [
			{"token": "toMine", "ttl": 60},
			{"token": "toOld", "expiresAt": "2001-02-03T04:05:06Z"},
			{"token": "toOlder", "expiresAt": "2001-02-03T04:05:06Z", "ttl": 60},
			{"token": "toLater", "expiresAt": "2101-02-03T04:05:06Z", "ttl": 60}
		]
	}`)))
	assert.Equal(t, "2001-02-03T04:05:06+00:00", c.call(200, "GET", "/videos/viMine", "")["createdAt"])
	assert.Equal(t, 3e9, c.call(200, "GET", "/videos/viMine/status", "").get("ingest.filesize"))
	assert.Equal(t, "English", c.call(200, "GET", "/videos/viMine/captions/en", "")["languageName"])
	assert.Contains(t, c.call(200, "GET", "/upload-tokens/toMine", ""), "expiresAt")
	assert.Equal(t, "2101-02-03T04:05:06+00:00", c.call(200, "GET", "/upload-tokens/toLater", "")["expiresAt"])
	assert.Equal(t, []any{"toMine", "toLater"}, c.call(200, "GET", "/upload-tokens", "").texts("token"))
	c.upload(401, "/upload?token=toOld", "film.mp4", "film", "")
	c.call(404, "GET", "/discarded/videos/viOld", "")
}
