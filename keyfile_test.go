package apivideo_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const fileKey = "aMadeUpKeyOfAFile0123456789"

// utf16le is how PowerShell's > writes a file.
func utf16le(s string) string {
	b := []byte("\xff\xfe")
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

func newKeyFile(t *testing.T, content string) string {
	name := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

func TestKeyFileAsPeopleHaveThem(t *testing.T) {
	for _, content := range []string{fileKey, fileKey + "\n", fileKey + "\r\n", fileKey + "\n\n", "\xef\xbb\xbf" + fileKey + "\r\n"} {
		key, err := apivideo.KeyFile(newKeyFile(t, content))(t.Context())
		require.NoError(t, err, "%q", content)
		assert.Equal(t, fileKey, key)
	}
}

// eachMistake are the mistakes that people make with API keys, by what the
// error says of them.
var eachMistake = map[string][]string{
	"has an invisible character (U+200B); copy the key again":   {fileKey + "\u200b", "\u200b" + fileKey, fileKey[:5] + "\u200b" + fileKey[5:]},
	"has an invisible character (U+FEFF)":                       {fileKey[:5] + "\ufeff" + fileKey[5:]},
	"has quotes around it; remove them":                         {`"` + fileKey + `"`, "'" + fileKey + "'", "“" + fileKey + "”", "`" + fileKey + "`"},
	"has the name of a variable before the key; remove all":     {"APIVIDEO_API_KEY=" + fileKey, "export API_KEY=" + fileKey, "apiKey=" + fileKey, `APIVIDEO_API_KEY="` + fileKey + `"`},
	"has spaces around it; remove them":                         {" " + fileKey, fileKey + " ", "\u00a0" + fileKey},
	"has a space in it; an API key has none":                    {fileKey[:5] + " " + fileKey[5:], fileKey[:5] + "\u00a0" + fileKey[5:]},
	"has a character that no API key has (U+00E9)":              {fileKey + "é"},
	"is UTF-16; write it as plain text (UTF-8)":                 {utf16le(fileKey), utf16le(fileKey)[2:]},
	"has control characters, perhaps a line break; remove them": {fileKey + "\n" + fileKey, fileKey + "\x00", "\x1b[1m" + fileKey, fileKey + "\xff"},
}

// The messages say where the key is from and show no part of it. Nothing is
// sent.
func TestAPIKeyMistakes(t *testing.T) {
	ctx := through(t.Context(), func(*http.Request) (*http.Response, error) {
		t.Error("something was sent")
		return answer(500, "", ""), nil
	})
	for want, keys := range eachMistake {
		for _, key := range keys {
			name := newKeyFile(t, key+"\n")
			for place, conf := range map[string]apivideo.Config{
				"Config.APIKey":                 {APIKey: key},
				"Config.APIKeyFunc":             {APIKeyFunc: func(context.Context) (string, error) { return key, nil }},
				"of the key file " + name + " ": {APIKeyFunc: apivideo.KeyFile(name)},
			} {
				for call, f := range map[string]func() error{
					"Config": func() error { _, err := conf.Token(ctx); return err },
					"Source": func() error { _, err := conf.Source(ctx).Token(); return err },
				} {
					err := f()
					assert.ErrorIs(t, err, apivideo.ErrInvalidConfig, "%q: %s", key, call)
					require.ErrorContains(t, err, want, "%q", key)
					assert.ErrorContains(t, err, place)
					assert.NotContains(t, err.Error(), fileKey[:5])
				}
			}
		}
	}
}

func TestKeyFileThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{
		filepath.Join(dir, "missing"):     "cannot be read: no such file",
		dir:                               "cannot be read: is a directory",
		newKeyFile(t, ""):                 "is empty; put the API key into it",
		newKeyFile(t, "\xef\xbb\xbf\r\n"): "is empty",
		newKeyFile(t, strings.Repeat("x", 4<<10+1)):      "is too long for an API key",
		newKeyFile(t, strings.Repeat("x", 4<<10)+"\n\n"): "is too long for an API key",
	} {
		_, err := apivideo.KeyFile(name)(t.Context())
		assert.ErrorIs(t, err, apivideo.ErrInvalidConfig)
		assert.ErrorContains(t, err, "the key file "+name+" "+want)
	}
}

// A pipe that nobody writes to, or a network file system that hangs.
func TestKeyFileThatBlocks(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		key := w.conf.APIKey
		released, blocked := make(chan struct{}), false
		defer close(released)
		w.conf.APIKey, w.conf.APIKeyFunc = "", func(context.Context) (string, error) {
			if blocked {
				<-released
			}
			return key, nil
		}
		src, _ := w.warm(t)
		blocked = true
		_, took := mustRenew(t, src)
		assert.Equal(t, 5*time.Second, took, "then the last key is used")
		start := time.Now()
		_, err := w.conf.Token(w.ctx)
		assert.EqualError(t, err, "apivideo: getting the API key: no answer within 5s")
		assert.Equal(t, 5*time.Second, time.Since(start))
	})
}
