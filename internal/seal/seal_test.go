package seal_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/internal/seal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	key  = "made-up-key-of-an-account"
	base = "https://ws.api.video:443"
)

func newBox(t *testing.T, key, base, name string) *seal.Box {
	box, err := seal.New(key, base, name)
	require.NoError(t, err)
	return box
}

func TestNameIsOfTheKeyAndTheURL(t *testing.T) {
	names := map[string]bool{}
	for _, account := range [][2]string{{key, base}, {key, "https://sandbox.api.video:443"}, {"another-key-of-an-account", base}} {
		name, err := seal.Name(account[0], account[1])
		require.NoError(t, err)
		assert.Regexp(t, "^[0-9a-f]{64}$", name)
		names[name] = true
		again, _ := seal.Name(account[0], account[1])
		assert.Equal(t, name, again)
	}
	assert.Len(t, names, 3)
}

func TestBoxOpensOnlyItsOwn(t *testing.T) {
	box := newBox(t, key, base, "name")
	for _, plain := range [][]byte{{}, []byte("made-up token"), bytes.Repeat([]byte("x"), 1<<16)} {
		sealed := box.Seal(plain)
		assert.Equal(t, plain, append([]byte{}, box.Open(sealed)...))
		assert.NotEqual(t, sealed, box.Seal(plain), "the nonce is random")
		for _, other := range []*seal.Box{
			newBox(t, "another-key-of-an-account", base, "name"), newBox(t, key, "https://sandbox.api.video:443", "name"), newBox(t, key, base, "other"),
		} {
			assert.Nil(t, other.Open(sealed))
		}
		for _, i := range []int{0, 1, 13, len(sealed) / 2, len(sealed) - 1} {
			altered := bytes.Clone(sealed)
			altered[i] ^= 1
			assert.Nil(t, box.Open(altered), "byte %d", i)
		}
		assert.Nil(t, box.Open(sealed[:len(sealed)-1]))
	}
	for _, value := range [][]byte{nil, {}, {1}, {2}, []byte("nonsense")} {
		assert.Nil(t, box.Open(value))
	}
}

func TestBoxPrintsNoKey(t *testing.T) {
	box := newBox(t, key, base, "name")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		text := fmt.Sprintf(verb, *box)
		assert.NotContains(t, text, key)
		assert.NotContains(t, text, fmt.Sprintf("%x", key))
	}
}

func FuzzOpen(f *testing.F) {
	box, err := seal.New(key, base, "name")
	require.NoError(f, err)
	f.Add(box.Seal([]byte("made-up")))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, data []byte) {
		if plain := box.Open(data); plain != nil {
			assert.Equal(t, "made-up", string(plain), "only what was sealed is opened")
		}
	})
}
