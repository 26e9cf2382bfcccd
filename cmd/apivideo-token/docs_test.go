package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var shellBlock = regexp.MustCompile("(?s)```(?:sh|bash)\n(.*?)```")

// The documents pass the token to curl through a pipe: an argument would be
// visible in ps.
func TestDocsExamplesKeepTokensOutOfPS(t *testing.T) {
	documents, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	shown := 0
	for _, document := range append(documents, "../../README.md", "main.go") {
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		assert.NotRegexp(t, `curl[^|\n]*\$\(apivideo-token`, string(text), document)
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "apivideo-token -header |") {
				shown++
				assert.Contains(t, line, "| curl --fail-with-body -H @- ", document)
			}
		}
		for _, block := range shellBlock.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(block[1], "apivideo-token -header |") {
				assert.Regexp(t, `(?s)set -o pipefail.*apivideo-token -header \|`, block[1], document)
			}
		}
	}
	assert.GreaterOrEqual(t, shown, 2)
}
