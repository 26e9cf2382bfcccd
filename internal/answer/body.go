package answer

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
)

// Read reads the body of an answer, up to a byte more than limit. See [Plain]. It
// closes the body when ctx ends: some bodies ignore the context. The body of a 101
// has no end and is not read.
func Read(ctx context.Context, resp *http.Response, limit int) ([]byte, error) {
	if resp.StatusCode < http.StatusOK {
		return nil, nil
	}
	ended := context.AfterFunc(ctx, func() {
		guard.Go(func() (struct{}, error) { return struct{}{}, resp.Body.Close() })
	})
	defer ended()
	data, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	return Plain(data, limit), err
}

// Plain returns data decompressed, up to a byte more than limit, and without a
// byte order mark. Data that no gzip stream begins stays as it is, whatever the
// header says: no JSON and no page begins so. Other compressions than gzip, which
// package net/http knows too, are not understood.
func Plain(data []byte, limit int) []byte {
	if r, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
		data, _ = io.ReadAll(io.LimitReader(r, int64(limit)+1)) // of a broken one, the part before
	}
	return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
}

// maxTokens is how many tokens an answer may have. To take out more takes long.
const maxTokens = 16

// Tokens returns the tokens in an answer: in JSON, all strings at or below a name
// with "token" in it, at any depth, also in JSON within a string. ok is false if
// there are too many.
func Tokens(data []byte) (tokens []string, ok bool) {
	tokens = appendTokens(nil, data)
	return tokens, len(tokens) <= maxTokens
}

// level is an object or a list around the current place in JSON.
type level struct {
	object bool
	value  bool // of an object: the name was read
	within bool // all strings are tokens
	token  bool // the next value is a token, or has some
}

func appendTokens(tokens []string, data []byte) []string {
	dec := json.NewDecoder(bytes.NewReader(data[max(bytes.IndexAny(data, "{["), 0):]))
	levels := []level{{}}
	for len(tokens) <= maxTokens {
		part, err := dec.Token()
		if err != nil {
			break
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
			tokens = append(tokens, text)
		case isText:
			tokens = appendTokens(tokens, []byte(text))
		}
		at.value = false
		if _, opens := part.(json.Delim); opens {
			levels = append(levels, level{object: part == json.Delim('{'), within: at.token, token: at.token})
		}
	}
	return tokens
}
