package mask_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/mask"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const token = "made-up/token+of=the.account"

func stars(s string) string { return strings.Repeat("*", len(s)) }

func TestTextMasksAllForms(t *testing.T) {
	set := mask.New(token, "another-secret", "short")
	for in, want := range map[string]string{
		"":                                      "",
		"nothing":                               "nothing",
		token:                                   stars(token),
		"a" + token + token + "b":               "a" + stars(token+token) + "b",
		`{"a":"made-up\/token+of=the.account"}`: `{"a":"` + stars(token) + `*"}`,
		"made-up%2Ftoken%2Bof%3Dthe.account":    stars("made-up%2Ftoken%2Bof%3Dthe.account"),
		"made-up/" + token:                      "made-up/" + stars(token),
		"xanother-secrety":                      "x" + stars("another-secret") + "y",
		"short":                                 "short",
		token[:len(token)-1]:                    token[:len(token)-1],
	} {
		assert.Equal(t, want, set.Text(in), in)
		assert.Equal(t, want != in, set.Has(in), in)
	}
}

// plain is what a simple search makes of text.
func plain(text, secret string) string { return strings.ReplaceAll(text, secret, stars(secret)) }

func TestReaderMasksAtEverySplit(t *testing.T) {
	text := "abc" + token + "made-up/made-up/token" + token + "x" + token[:9]
	for size := 1; size < len(text); size++ {
		for _, room := range []int{1, len(token), len(token) + 1, 1000} { // of the caller
			body := mask.New(token).Reader(io.NopCloser(&splitReader{strings.NewReader(text), size}), size%2 == 0)
			got, err := io.ReadAll(&splitReader{body, room})
			require.NoError(t, err)
			assert.Equal(t, plain(text, token), string(got), size)
		}
	}
	got, err := io.ReadAll(iotest.OneByteReader(mask.New(token).Reader(io.NopCloser(iotest.DataErrReader(strings.NewReader(text))), true)))
	require.NoError(t, err)
	assert.Equal(t, plain(text, token), string(got))
}

// splitReader reads at most size bytes at once.
type splitReader struct {
	io.Reader
	size int
}

func (r *splitReader) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), r.size)]) }

func TestReaderMasksWhereverItStands(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		secret := randomText(r, 8+r.IntN(900))
		text := randomText(r, r.IntN(100_000)) + secret + randomText(r, r.IntN(2000))
		got, err := io.ReadAll(mask.New(secret).Reader(io.NopCloser(strings.NewReader(text)), true))
		require.NoError(t, err)
		require.Equal(t, plain(text, secret), string(got))
	}
}

// randomText has few letters, so that parts of a secret are everywhere.
func randomText(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "abc"[r.IntN(3)]
	}
	return string(b)
}

func TestReaderHandsOutAtOnce(t *testing.T) {
	out, in := io.Pipe()
	body := mask.New(token).Reader(out, true)
	go io.WriteString(in, `{"event":1}`+"\n"+token[:5])
	got := make([]byte, 100)
	n, err := body.Read(got)
	require.NoError(t, err)
	assert.Equal(t, `{"event":1}`+"\n", string(got[:n]), "only the end waits")
	broken := errors.New("broken")
	go in.CloseWithError(broken)
	rest, err := io.ReadAll(body)
	assert.Equal(t, token[:5], string(rest))
	assert.ErrorIs(t, err, broken)
	require.NoError(t, body.Close())
}

// escape has one of the escapes for each byte of a text.
func escape(r *rand.Rand, text string, escapes ...string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		format := escapes[r.IntN(len(escapes))]
		if c == '/' && r.IntN(2) == 0 {
			format = `\%c`
		}
		fmt.Fprintf(&b, format, c)
	}
	return b.String()
}

func TestReaderMasksEscapes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		form := escape(r, token, "%c", `\u%04x`, `\u%04X`)
		text := strings.Repeat(`100 % of \u00e9 \u002 made-up`, r.IntN(200)) + form + "%2F\\" + token[:20]
		for _, room := range []int{1, 100, 7 * len(token), 32 << 10} {
			body := mask.New(token).Reader(io.NopCloser(&splitReader{strings.NewReader(text), 1 + r.IntN(300)}), true)
			got, err := io.ReadAll(&splitReader{body, room})
			require.NoError(t, err)
			require.Equal(t, strings.ReplaceAll(text, form, stars(form)), string(got))
		}
		assert.True(t, mask.New(token).Has(escape(r, token, "%c", `\u%04x`, "%%%02x", "%%%02X")))
	}
}

func TestHasFoldIgnoresCase(t *testing.T) {
	set := mask.New("made-up-KEY")
	assert.True(t, set.HasFold("X-Made-Up-Key-2"))
	assert.False(t, set.HasFold("X-Made-Up-Ke"))
}

func FuzzReader(f *testing.F) {
	f.Add("abcabcab", "xxabcabcabcabyy", 3)
	f.Fuzz(func(t *testing.T, secret, text string, size int) {
		if len(secret) < 8 || strings.ContainsAny(secret, "*") || strings.Contains(text, "*") {
			return
		}
		body := &splitReader{strings.NewReader(text), 1 + (size & 0xff)}
		got, err := io.ReadAll(mask.New(secret).Reader(io.NopCloser(body), false))
		require.NoError(t, err)
		assert.Len(t, got, len(text))
		assert.NotContains(t, string(got), secret)
	})
}

// The search is a small part of what a copy through a socket costs.
func BenchmarkReader(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	secret := make([]byte, 900)
	for i := range secret {
		secret[i] = byte('A' + r.IntN(26))
	}
	text := bytes.Repeat([]byte(`{"videoId":"vi4k0jvEUuaTdRAEjQ4Jfrgz","title":"Maths video","public":true},`), 1<<20/76)
	for name, set := range map[string]mask.Set{
		"plain": mask.New(), "token": mask.New(string(secret)), "token and key": mask.New(string(secret), string(secret[:40])),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				io.Copy(io.Discard, struct{ io.Reader }{set.Reader(io.NopCloser(struct{ io.Reader }{bytes.NewReader(text)}), true)})
			}
		})
	}
}
