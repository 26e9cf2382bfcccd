package answer

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

const (
	// maxTokens is how many tokens an answer may have. To take out more takes long.
	maxTokens = 16
	// maxStarts is how often JSON may begin in an answer.
	maxStarts = 1000
)

// named is a token in text that is no JSON: after a name with "token" in it, or,
// if it is no ordinary word, also without a colon after one or after "Bearer".
var named = regexp.MustCompile(`(?i:token[\w"'\\]*\s*[:=]\s*["'\\]*)(` + inWord + `+)` +
	`|(?i:(?:token\w*|bearer)\s+)(` + inWord + `*[^a-z\s"'\\,;&<>{}]` + inWord + `*)`)

const inWord = `[^\s"'\\,;&<>{}]`

var unquote = strings.NewReplacer(`\"`, `"`, `\\`, `\`)

// Tokens returns the tokens in an answer, or in an error that quotes one: in JSON,
// all strings at or below a name with "token" in it, at any depth, also in JSON
// within a string or after other text; elsewhere, the word after such a name or
// after "Bearer". ok is false if there are too many.
func Tokens(data []byte) (tokens []string, ok bool) {
	f := new(finder)
	f.find(data)
	if bytes.Contains(data, []byte(`\"`)) { // JSON that an error quotes
		f.find([]byte(unquote.Replace(string(data))))
	}
	for _, m := range named.FindAllSubmatch(data, maxTokens+1) {
		if word := strings.TrimRight(string(m[1])+string(m[2]), ".)]"); !slices.Contains(f.tokens, word) {
			f.tokens = append(f.tokens, word)
		}
	}
	return f.tokens, !f.full()
}

// finder finds the tokens in JSON.
type finder struct {
	tokens []string
	starts int // how often JSON began
}

func (f *finder) full() bool { return len(f.tokens) > maxTokens || f.starts > maxStarts }

// find reads the JSON in data. Where that is broken, it goes on behind.
func (f *finder) find(data []byte) {
	for !f.full() {
		start := bytes.IndexAny(data, "{[")
		if start < 0 {
			return
		}
		f.starts++
		dec := json.NewDecoder(bytes.NewReader(data[start:]))
		f.read(dec)
		data = data[start+int(dec.InputOffset()):]
	}
}

// level is an object or a list around the current place in JSON.
type level struct {
	object bool
	value  bool // of an object: the name was read
	within bool // all strings are tokens
	token  bool // the next value is a token, or has some
}

// read reads JSON up to its end, or to the first error.
func (f *finder) read(dec *json.Decoder) {
	levels := []level{{}}
	for !f.full() {
		part, err := dec.Token()
		if err != nil {
			return
		}
		at := &levels[len(levels)-1]
		text, isText := part.(string)
		switch {
		case part == json.Delim('}'), part == json.Delim(']'):
			levels = levels[:len(levels)-1]
			continue
		case at.object && !at.value:
			at.value, at.token = true, at.within || strings.Contains(strings.ToLower(text), "token")
			continue
		case isText && at.token:
			f.tokens = append(f.tokens, text)
		case isText:
			f.find([]byte(text))
		}
		at.value = false
		if _, opens := part.(json.Delim); opens {
			levels = append(levels, level{object: part == json.Delim('{'), within: at.token, token: at.token})
		}
	}
}
