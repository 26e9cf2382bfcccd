package apivideo_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var leading = regexp.MustCompile(`(?m)^\s+`)

func TestDocsSnippetsAreExamples(t *testing.T) {
	var code string
	for _, pattern := range []string{"example*_test.go", "*/example*_test.go", "examples/*/main.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			examples, err := os.ReadFile(file)
			require.NoError(t, err)
			code += leading.ReplaceAllString(string(examples), "")
		}
	}
	snippets := 0
	for name, text := range documents(t) {
		for _, block := range fence.FindAllStringSubmatch(text, -1) {
			if block[1] == "go" {
				snippets++
				s := strings.TrimPrefix(leading.ReplaceAllString(block[2], ""), "import ")
				assert.True(t, strings.Contains(code, s), "%s has code that is in no example:\n%s", name, block[2])
			}
		}
	}
	assert.GreaterOrEqual(t, snippets, 7)
}

// The map of CONTRIBUTING.md names each file of this package, and each folder
// with Go code or a folder above it. It names nothing that does not exist.
func TestDocsMapMatchesTheFiles(t *testing.T) {
	guide, err := os.ReadFile("CONTRIBUTING.md")
	require.NoError(t, err)
	_, chart, _ := strings.Cut(string(guide), "\n## Where things are\n")
	chart, _, _ = strings.Cut(chart, "\n## ")
	named := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| (.*?) \|`).FindAllStringSubmatch(chart, -1) {
		for _, name := range regexp.MustCompile("`(.*?)`").FindAllStringSubmatch(row[1], -1) {
			named[name[1]] = true
			info, err := os.Stat(name[1])
			if assert.NoError(t, err, "the map names %s", name[1]) {
				assert.Equal(t, info.IsDir(), strings.HasSuffix(name[1], "/"), name[1])
			}
		}
	}
	assert.Greater(t, len(named), 15)
	require.NoError(t, filepath.WalkDir(".", func(file string, _ fs.DirEntry, err error) error {
		file = filepath.ToSlash(file)
		dir := path.Dir(file)
		if err != nil || !strings.HasSuffix(file, ".go") || dir == "." && strings.HasSuffix(file, "_test.go") {
			return err
		}
		found := named[file]
		for ; dir != "."; dir = path.Dir(dir) {
			found = found || named[dir+"/"]
		}
		assert.True(t, found, "%s is not in the map", file)
		return nil
	}))
}

// tokencache does not depend on the network, and seal does not depend on
// tokencache. Neither depends on this package.
func TestDocsArrowsBetweenPackages(t *testing.T) {
	const root = "github.com/apivideo/api.video-go-oauth2"
	for dir, foreign := range map[string][]string{
		"tokencache": {root, "net/http"},
		"seal":       {root, "net/http", root + "/internal/tokencache"},
	} {
		list, err := exec.Command("go", "list", "-deps", "./internal/"+dir).Output()
		require.NoError(t, err)
		deps := strings.Fields(string(list))
		assert.True(t, slices.Contains(deps, root+"/internal/"+dir))
		for _, pkg := range foreign {
			assert.False(t, slices.Contains(deps, pkg), "internal/%s imports %s", dir, pkg)
		}
	}
}

func TestDocsNameExistingTests(t *testing.T) {
	declaration := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	declared := map[string]bool{}
	require.NoError(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		code, err := os.ReadFile(path)
		for _, d := range declaration.FindAllStringSubmatch(string(code), -1) {
			declared[d[1]] = true
		}
		return err
	}))
	// What follows a dot is a function of a package, as storetest.TestStore.
	name := regexp.MustCompile(`(?:^|[^.\w])((?:Test|Fuzz|Benchmark)[A-Z]\w*)`)
	for document, text := range documents(t) {
		named := name.FindAllStringSubmatch(text, -1)
		switch document {
		case "docs/promises.md":
			assert.Greater(t, len(named), 100, document)
		case "integration/README.md":
			assert.Greater(t, len(named), 30, document)
		}
		for _, n := range named {
			assert.True(t, declared[n[1]], "%s names %s", document, n[1])
		}
	}
}
