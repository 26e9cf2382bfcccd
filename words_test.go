package apivideo_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// unclear are expressions that are hard to read. Write plain words instead, for
// example "can be replayed", "the current token", "only" or "recovers".
var unclear = regexp.MustCompile(`(?i)\b(` + strings.Join([]string{
	`be had`, `at hand`, `of (its|their|his|one's) own`, `who (has|have|had)`, `(is|are|was|were) told of`,
	`alone`, `whom(ever)?`, `thereof`, `growing distances`, `heal(s|ed|ing)?`, `go(es|ing)? on without`,
	`what( [\w'\[\]]+){1,3} (has|have)`, `all but`, `lest`, `likewise`, `exclude each other`, `and its siblings`,
	`never think of tokens`,
}, "|") + `)\b`)

// Comments and strings of the Go files of all modules, except the command's.
func TestWordsInGoAreClear(t *testing.T) {
	files := 0
	require.NoError(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".gen.go") {
			return err
		}
		path = filepath.ToSlash(path)
		if path == "words_test.go" || path == "docs_test.go" {
			return nil
		}
		files++
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		require.NoError(t, err)
		check := func(at token.Pos, text string) {
			for _, found := range unclear.FindAllString(strings.Join(strings.Fields(text), " "), -1) {
				t.Errorf("%s: %q is not plain English", fset.Position(at), found)
			}
		}
		for _, comment := range file.Comments {
			check(comment.Pos(), comment.Text())
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.BasicLit); ok && s.Kind == token.STRING {
				check(s.Pos(), s.Value)
			}
			return true
		})
		return nil
	}))
	assert.Greater(t, files, 150)
}
