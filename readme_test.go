package apivideo_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var leading = regexp.MustCompile(`(?m)^\s+`)

func TestEverySnippetOfTheREADMEIsAnExample(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	files, err := filepath.Glob("*/example_test.go")
	require.NoError(t, err)
	var code string
	for _, file := range append(files, "example_test.go") {
		examples, err := os.ReadFile(file)
		require.NoError(t, err)
		code += leading.ReplaceAllString(string(examples), "")
	}
	snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	assert.GreaterOrEqual(t, len(snippets), 7)
	for _, s := range snippets {
		assert.True(t, strings.Contains(code, leading.ReplaceAllString(s[1], "")), "not in example_test.go:\n%s", s[1])
	}
}

func TestEveryFileIsInTheMap(t *testing.T) {
	guide, err := os.ReadFile("CONTRIBUTING.md")
	require.NoError(t, err)
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, f := range files {
		if name := f.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			assert.Contains(t, string(guide), "`"+name+"`")
		}
	}
}
