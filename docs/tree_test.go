package docs

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A tree is the text of each file of the repository, by its path.
type tree map[string]string

// repository reads the repository.
func repository(t *testing.T) tree {
	t.Helper()
	files, root := tree{}, os.DirFS("..")
	require.NoError(t, fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules") {
			return cmp.Or(err, fs.SkipDir)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		files[name] = string(text)
		return err
	}))
	return files
}

// names returns the names of the files that match one of the patterns of
// [path.Match], sorted.
func (t tree) names(patterns ...string) (found []string) {
	for _, name := range slices.Sorted(maps.Keys(t)) {
		if slices.ContainsFunc(patterns, func(p string) bool { ok, _ := path.Match(p, name); return ok }) {
			found = append(found, name)
		}
	}
	return found
}

// documents returns the names of the documents.
func (t tree) documents() []string {
	return t.names("*.md", "docs/*.md", "bench/*.md", "integration/*.md")
}

// folder tells whether there are files below a folder.
func (t tree) folder(name string) bool {
	for file := range t {
		if strings.HasPrefix(file, name+"/") {
			return true
		}
	}
	return false
}

// source is a Go file that nobody generated.
type source struct {
	name, folder, text string
	test               bool
	fset               *token.FileSet
	*ast.File
}

// sources parses the Go files.
func (t tree) sources() (found []source) {
	for _, name := range slices.Sorted(maps.Keys(t)) {
		if path.Ext(name) != ".go" {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, t[name], parser.ParseComments)
		if err != nil {
			panic(err)
		}
		if !ast.IsGenerated(file) {
			found = append(found, source{name, path.Dir(name), t[name], strings.HasSuffix(name, "_test.go"), fset, file})
		}
	}
	return found
}

// code returns the sources that are no tests.
func (t tree) code() []source {
	return slices.DeleteFunc(t.sources(), func(s source) bool { return s.test })
}

// tests returns the functions that go test runs, with their sources.
func (t tree) tests() (found []test) {
	for _, s := range t.sources() {
		for _, decl := range s.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && s.test && f.Recv == nil && isTest.MatchString(f.Name.Name) {
				found = append(found, test{s, f})
			}
		}
	}
	return found
}

type test struct {
	source
	*ast.FuncDecl
}

// faults are what a rule finds.
type faults []string

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

// unless adds a fault where ok is false.
func (f *faults) unless(ok bool, format string, args ...any) {
	if !ok {
		f.add(format, args...)
	}
}
