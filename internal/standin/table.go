package standin

import (
	"net/http"
	"regexp"
	"slices"
)

// The table follows version 1.4 of the service's OpenAPI file.

var (
	jpegs  = Upload{Extensions: []string{"jpeg", "jpg", "JPG", "JPEG"}, Max: 8 << 20}
	images = []string{"jpeg", "jpg", "JPG", "JPEG", "png", "PNG"}
	texts  = Upload{Max: 8 << 20}
)

// createdAt and updatedAt are fields of most resources.
var (
	createdAt = Field{Name: "createdAt", Type: Time, Default: now}
	updatedAt = Field{Name: "updatedAt", Type: Time, Default: now}
)

func isOn(name string, on bool) Field {
	return Field{Name: name, Type: Boolean, Write: Always, Default: on}
}

func color(name, value string) Field { return Field{Name: name, Write: Always, Default: value} }

var metadata = Field{Name: "metadata", Type: List, Write: Always, Default: []any{}, Fields: []Field{
	{Name: "key", Default: ""},
	{Name: "value", Default: ""},
}}

var restreams = Field{Name: "restreams", Type: List, Write: Always, Default: []any{}, Max: 5, Fields: []Field{
	{Name: "name", Required: true},
	{Name: "serverUrl", Required: true, Pattern: regexp.MustCompile(`^rtmps?://[^/]+/.+$`),
		Detail: "RTMP URL should have the following format: [rtmp|rtmps]://[host]/[app name]."},
	{Name: "streamKey", Required: true},
}}

const languageDetail = `The "language" attribute must contain only letters and dashes (for example "fr", "fr-BE").`

// summaryText is the source of a summary.
var summaryText = []Field{
	{Name: "title", Write: OnUpdate},
	{Name: "abstract", Write: OnUpdate},
	{Name: "takeaways", Type: List, Write: OnUpdate, Max: 3},
}

// thumbnailPick names a picture of a video.
var thumbnailPick = []Field{{Name: "timecode", Write: OnCreate, Required: true,
	Pattern: regexp.MustCompile(`^(\d+|\d{2}:\d{2}:\d{2}([.:]\d+)?)$`), Detail: "This value is not a timecode."}}

var resources []Resource

// Some rows refer to functions that read the table.
func init() {
	resources = slices.Concat(videoRows(), streamRows(), textRows(), playerRows(), otherRows(), dataRows())
}

// videoRows are the rows of videos, and uploads to them.
func videoRows() []Resource {
	return []Resource{{
		Name: "videos", Path: "/videos", ID: "videoId", Prefix: "vi",
		List: 200, Create: 201, Read: 200, Update: 200, Delete: 204,
		Fields: videoFields, Filters: videoFilters, Sort: videoSort,
		Only: map[string]any{"discarded": false}, Discard: discard, Follow: countTags,
		Attachments: []Attachment{{Name: "thumbnail", Post: 200, Upload: jpegs}},
		Actions: []Action{
			{http.MethodPost, "source", 201, uploadSource},
			{http.MethodPatch, "thumbnail", 200, withBody(pickThumbnail)},
			{http.MethodGet, "status", 200, status},
		},
	}, {
		Name: "discarded-videos", Of: "videos", Path: "/discarded/videos", ID: "videoId", Prefix: "vi",
		List: 200, Read: 200,
		Fields: videoFields, Filters: videoFilters, Sort: videoSort,
		Only:    map[string]any{"discarded": true},
		Actions: []Action{{http.MethodPatch, "", 200, withBody(restore)}},
	}, {
		Name: "upload", Path: "/upload",
		Actions: []Action{{http.MethodPost, "", 201, uploadDelegated}},
	}, {
		Name: "upload-tokens", Path: "/upload-tokens", ID: "token", Prefix: "to",
		List: 200, Create: 200, Read: 200, Delete: 204,
		Sort: []string{"createdAt", "ttl"},
		Fields: []Field{
			{Name: "token", Secret: true},
			{Name: "ttl", Type: Integer, Write: OnCreate, Default: int64(0)},
			createdAt,
			{Name: "expiresAt", Type: Time},
		},
	}}
}

// streamRows are the rows of live streams.
func streamRows() []Resource {
	return []Resource{{
		Name: "live-streams", Path: "/live-streams", ID: "liveStreamId", Prefix: "li",
		List: 200, Create: 200, Read: 200, Update: 200, Delete: 204,
		Sort:    []string{"name", "createdAt", "updatedAt"},
		Filters: []Filter{{Name: "streamKey", Match: equals}, {Name: "name", Match: contains}},
		Fields: []Field{
			{Name: "liveStreamId"},
			{Name: "name", Write: Always, Required: true},
			{Name: "streamKey", Default: uuid, Secret: true},
			isOn("public", true),
			{Name: "assets", Type: Object, Show: liveAssets},
			{Name: "playerId", Write: Always},
			{Name: "broadcasting", Type: Boolean, Default: false},
			restreams,
			createdAt,
			updatedAt,
		},
		Attachments: []Attachment{{Name: "thumbnail", Post: 201, Delete: 200, Upload: jpegs}},
		Actions:     []Action{{http.MethodPut, "complete", 202, endBroadcast}},
	}}
}

// textRows are the rows of captions and chapters.
func textRows() []Resource {
	return []Resource{{
		Name: "captions", Parent: "videos", Path: "/videos/{videoId}/captions", ID: "language",
		List: 200, Create: 200, Read: 200, Update: 200, Delete: 204,
		Upload: &texts, Sole: "default",
		Fields: []Field{
			{Name: "language", Hidden: true},
			{Name: "uri", Show: textURI("captions")},
			{Name: "src", Show: textSource("captions")},
			{Name: "srclang", Show: func(v view) any { return v.id }},
			{Name: "languageName", Show: languageName},
			{Name: "default", Type: Boolean, Write: OnUpdate, Default: false},
		},
	}, {
		Name: "chapters", Parent: "videos", Path: "/videos/{videoId}/chapters", ID: "language",
		List: 200, Create: 200, Read: 200, Delete: 204,
		Upload: &texts,
		Fields: []Field{
			{Name: "uri", Show: textURI("chapters")},
			{Name: "src", Show: textSource("chapters")},
			{Name: "language"},
		},
	}}
}

// playerRows are the rows of players and watermarks.
func playerRows() []Resource {
	return []Resource{{
		Name: "players", Path: "/players", ID: "playerId", Prefix: "pl",
		List: 200, Create: 201, Read: 200, Update: 200, Delete: 204,
		Sort: []string{"name", "createdAt", "updatedAt"},
		Fields: []Field{
			{Name: "playerId"},
			{Name: "name", Write: Always, Max: 100},
			color("text", "rgba(255, 255, 255, 1)"),
			color("link", "rgba(255, 255, 255, 1)"),
			color("linkHover", "rgba(255, 255, 255, 1)"),
			color("linkActive", "rgba(255, 255, 255, 1)"),
			color("trackPlayed", "rgba(88, 131, 255, .95)"),
			color("trackUnplayed", "rgba(255, 255, 255, .35)"),
			color("trackBackground", "rgba(255, 255, 255, .2)"),
			color("backgroundTop", "rgba(0, 0, 0, .7)"),
			color("backgroundBottom", "rgba(0, 0, 0, .7)"),
			color("backgroundText", "rgba(255, 255, 255, 1)"),
			isOn("enableApi", true),
			isOn("enableControls", true),
			isOn("forceAutoplay", false),
			isOn("hideTitle", false),
			isOn("forceLoop", false),
			createdAt,
			updatedAt,
			{Name: "assets", Type: Object, Show: playerAssets},
		},
		Attachments: []Attachment{{Name: "logo", Post: 201, Delete: 204, Upload: Upload{Extensions: images, Max: 100 << 10}}},
	}, {
		Name: "watermarks", Path: "/watermarks", ID: "watermarkId", Prefix: "watermark_",
		List: 200, Create: 200, Delete: 204,
		Sort:   []string{"createdAt"},
		Upload: &Upload{Extensions: images, Max: 8 << 20},
		Fields: []Field{{Name: "watermarkId"}, createdAt},
	}}
}

// otherRows are the rows of webhooks and summaries.
func otherRows() []Resource {
	return []Resource{{
		Name: "webhooks", Path: "/webhooks", ID: "webhookId", Prefix: "webhook_",
		List: 200, Create: 201, Read: 200, Delete: 204,
		Filters: []Filter{{Name: "events", Match: hasAll}},
		Fields: []Field{
			{Name: "webhookId"},
			createdAt,
			{Name: "events", Type: List, Write: OnCreate, Required: true},
			{Name: "url", Write: OnCreate, Required: true, Pattern: regexp.MustCompile(`^https?://.`), Detail: "This value is not a valid URL."},
			{Name: "signatureSecret", Secret: true, Default: func() any { return "sig_sec_" + randomID() }},
		},
	}, {
		Name: "summaries", Path: "/summaries", ID: "summaryId", Prefix: "summary_",
		List: 200, Create: 201, Delete: 204,
		Sort:    []string{"createdAt", "updatedAt", "videoId"},
		Filters: []Filter{{Name: "videoId", Match: equals}, {Name: "origin", Match: equals}, {Name: "sourceStatus", Match: equals}},
		Unique:  "videoId", Finish: summarize,
		Fields: []Field{
			{Name: "summaryId"},
			createdAt,
			updatedAt,
			{Name: "videoId", Write: OnCreate, Required: true},
			{Name: "origin", Write: OnCreate, Default: "api", Enum: []string{"auto"}, Detail: `The value must be "auto".`},
			{Name: "sourceStatus", Default: "missing"},
		},
		Actions: []Action{
			{http.MethodGet, "source", 200, summarySource},
			{http.MethodPatch, "source", 201, withBody(writeSummary)},
		},
	}}
}

// dataRows are the rows of tags and analytics.
func dataRows() []Resource {
	return []Resource{{
		Name: "tags", Path: "/tags", List: 200,
		Sort:    []string{"value", "videoCount"},
		Filters: []Filter{{Name: "value", Match: resembles}},
		Fields:  []Field{{Name: "value"}, {Name: "videoCount", Type: Integer}},
	}, {
		Name: "metrics", Path: "/data/metrics/{metric}/{aggregation}",
		Actions: []Action{{http.MethodGet, "", 200, aggregate}},
	}, {
		Name: "buckets", Path: "/data/buckets/{metric}/{breakdown}", List: 200, Derive: breakdown,
		Sort:   []string{"metricValue", "dimensionValue"},
		Fields: []Field{{Name: "metricValue", Type: Integer}, {Name: "dimensionValue"}},
	}, {
		Name: "timeseries", Path: "/data/timeseries/{metric}", List: 200, Derive: series,
		Sort:   []string{"metricValue", "emittedAt"},
		Fields: []Field{{Name: "emittedAt", Type: Time}, {Name: "metricValue", Type: Integer}},
	}}
}
