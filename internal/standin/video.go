package standin

import "math"

// videoFields are the fields of a video.
var videoFields = []Field{
	{Name: "videoId"},
	createdAt,
	{Name: "title", Write: Always, Required: true},
	{Name: "description", Write: Always, Default: ""},
	{Name: "playerId", Write: Always},
	{Name: "tags", Type: List, Write: Always, Default: []any{}},
	metadata,
	{Name: "publishedAt", Type: Time, Default: now},
	updatedAt,
	{Name: "discarded", Type: Boolean, Default: false},
	{Name: "discardedAt", Type: Time, Null: true},
	{Name: "deletesAt", Type: Time, Null: true},
	{Name: "language", Write: Always, Detail: `The "language" attribute is not valid.`, Enum: []string{
		"ar", "ca", "cs", "da", "de", "el", "en", "es", "fa", "fi", "fr", "he", "hi", "hr", "hu", "it", "ja", "ko", "ml",
		"nl", "nn", "no", "pl", "pt", "ru", "sk", "sl", "te", "tr", "uk", "ur", "vi", "zh",
	}},
	{Name: "languageOrigin", Null: true, Show: languageOrigin},
	isOn("public", true),
	isOn("panoramic", false),
	isOn("mp4Support", true),
	{Name: "source", Write: OnCreate, Show: source},
	{Name: "assets", Type: Object, Null: true, Show: videoAssets},

	{Name: "clip", Type: Object, Write: OnCreate, Hidden: true, Fields: []Field{{Name: "startTimecode"}, {Name: "endTimecode"}}},
	{Name: "watermark", Type: Object, Write: OnCreate, Hidden: true, Fields: []Field{
		{Name: "id"}, {Name: "top"}, {Name: "left"}, {Name: "bottom"}, {Name: "right"}, {Name: "width"}, {Name: "height"}, {Name: "opacity"},
	}},
	{Name: "transcript", Type: Boolean, Write: Always, Hidden: true},
	{Name: "transcriptSummary", Type: Boolean, Write: Always, Hidden: true},
	{Name: "liveStreamId", Hidden: true}, // that it was recorded from
	{Name: "filesize", Type: Integer, Max: math.MaxInt64, Hidden: true},
}

var (
	videoSort    = []string{"title", "createdAt", "publishedAt", "updatedAt"}
	videoFilters = []Filter{
		{Name: "title", Match: contains},
		{Name: "tags", Match: hasAll},
		{Name: "metadata", Pairs: true, Match: hasPairs},
		{Name: "description", Match: contains},
		{Name: "liveStreamId", Match: equals},
	}
)

// languageOrigin is "api" if a client set the language.
func languageOrigin(v view) any {
	if v.values["language"] == nil {
		return nil
	}
	return "api"
}
