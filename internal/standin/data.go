package standin

import (
	"bytes"
	"image"
	"image/jpeg"
	"slices"
	"strings"
	"sync"
)

// The values below are made up, except the metrics and the languages.

// assets are the files that answers have URLs of.
var assets = slices.Concat(
	mediaFiles("vod", "videos"),
	mediaFiles("live", "live-streams"),
	[]asset{
		{"vod/{id}/mp4/source.mp4", "videos", "video/mp4", "source", nil},
		{"vod/{id}/captions/{text}", "captions", "text/vtt; charset=utf-8", "", made("WEBVTT\n")},
		{"vod/{id}/chapters/{text}", "chapters", "text/vtt; charset=utf-8", "", made("WEBVTT\n")},
		{"players/{id}/logo", "players", "image/jpeg", "logo", picture},
	},
)

func mediaFiles(kind, resource string) []asset {
	return []asset{
		{kind + "/{id}", resource, "text/html; charset=utf-8", "-", made(playerPage)},
		{kind + "/{id}/hls/manifest.m3u8", resource, "application/vnd.apple.mpegurl", "-", made(playlist)},
		{kind + "/{id}/hls/segment.ts", resource, "video/mp2t", "-", made(segment)},
		{kind + "/{id}/thumbnail.jpg", resource, "image/jpeg", "thumbnail", picture},
	}
}

func made(content string) func() string { return func() string { return content } }

const (
	playerPage = `<!DOCTYPE html>
<meta charset="utf-8">
<title>{title}</title>
<video controls src="{id}/mp4/source.mp4" poster="{id}/thumbnail.jpg"></video>
`
	playlist = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsegment.ts\n#EXT-X-ENDLIST\n"
)

// segment is an MPEG transport stream of one packet that says nothing.
var segment = "\x47\x1f\xff\x10" + strings.Repeat("\xff", 184)

// picture is a JPEG of one pixel.
var picture = sync.OnceValue(func() string {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1)), nil); err != nil {
		panic(err)
	}
	return b.String()
})

// aggregations are those of each metric.
var aggregations = map[string][]string{
	"play":            {"count", "rate", "total"},
	"start":           {"count"},
	"end":             {"count"},
	"impression":      {"count"},
	"impression-time": {"average", "sum"},
	"watch-time":      {"average", "sum"},
}

// everyDimension are the breakdowns that most metrics have.
var everyDimension = []string{"media-id", "media-type", "continent", "country", "device-type", "operating-system", "browser"}

// breakdowns are those of each metric.
var breakdowns = map[string][]string{
	"play":       everyDimension,
	"play-rate":  everyDimension,
	"play-total": {"media-id"},
	"start":      everyDimension,
	"end":        everyDimension,
	"impression": everyDimension,
}

// seriesOf are the metrics with values over time.
var seriesOf = map[string][]string{"play": nil, "play-rate": nil, "start": nil, "end": nil, "impression": nil}

// dimensions are made-up values of breakdowns.
var dimensions = map[string][]string{
	"media-type":       {"video", "live-stream"},
	"continent":        {"EU", "NA", "AS"},
	"country":          {"FR", "US", "IN"},
	"device-type":      {"computer", "phone", "tablet"},
	"operating-system": {"windows", "mac os", "android"},
	"browser":          {"chrome", "firefox", "safari"},
}

// encoded are the made-up qualities of a video that is uploaded.
var encoded = []any{
	fields{{"type", "hls"}, {"quality", "360p"}, {"status", "encoded"}},
	fields{{"type", "mp4"}, {"quality", "360p"}, {"status", "encoded"}},
}

// unknownMedia describes the content of a video, which is not looked at.
var unknownMedia = fields{
	{"width", nil}, {"height", nil}, {"bitrate", nil}, {"duration", nil}, {"framerate", nil}, {"samplerate", nil},
	{"videoCodec", nil}, {"audioCodec", nil}, {"aspectRatio", nil},
}

// languages are the native names of the languages that the service knows best.
var languages = map[string]string{
	"ar": "العربية", "ca": "català", "cs": "čeština", "da": "dansk", "de": "Deutsch", "el": "Ελληνικά", "en": "English",
	"es": "español", "fa": "فارسی", "fi": "suomi", "fr": "français", "he": "עברית", "hi": "हिन्दी", "hr": "hrvatski",
	"hu": "magyar", "it": "italiano", "ja": "日本語", "ko": "한국어", "ml": "മലയാളം", "nl": "Nederlands", "nn": "nynorsk",
	"no": "norsk", "pl": "polski", "pt": "português", "ru": "русский", "sk": "slovenčina", "sl": "slovenščina",
	"te": "తెలుగు", "tr": "Türkçe", "uk": "українська", "ur": "اردو", "vi": "Tiếng Việt", "zh": "中文",
}

// accents makes Latin letters plain.
var accents = strings.NewReplacer(
	"à", "a", "á", "a", "â", "a", "ã", "a", "ä", "a", "å", "a", "ç", "c", "è", "e", "é", "e", "ê", "e", "ë", "e", "ì", "i",
	"í", "i", "î", "i", "ï", "i", "ñ", "n", "ò", "o", "ó", "o", "ô", "o", "õ", "o", "ö", "o", "ø", "o", "ù", "u", "ú", "u",
	"û", "u", "ü", "u", "ý", "y", "ÿ", "y", "č", "c", "š", "s", "ž", "z", "ř", "r", "ě", "e", "ł", "l", "ś", "s", "ő", "o", "ű", "u",
)
