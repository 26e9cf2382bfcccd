package proxy

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A transport may read late from the body of an attempt that has failed.
func TestStreamOnlyLatestReads(t *testing.T) {
	s := &stream{from: strings.NewReader("the video")}
	first, err := s.open()
	require.NoError(t, err)
	require.NoError(t, first.Close())
	second, err := s.open()
	require.NoError(t, err)
	_, err = first.Read(make([]byte, 1))
	assert.ErrorIs(t, err, errRead)
	body, err := io.ReadAll(second)
	require.NoError(t, err)
	assert.Equal(t, "the video", string(body))
	_, err = s.open()
	assert.ErrorIs(t, err, errRead)
}
