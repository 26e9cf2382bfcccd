package apivideo_test

import (
	"bytes"
	"flag"
	"go/ast"
	"go/build"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write testdata/api.txt again")

// publicPackages returns the folders of the packages that programs import.
func publicPackages(t *testing.T) []string {
	dirs := []string{"."}
	found, err := filepath.Glob("*/*.go")
	require.NoError(t, err)
	for _, file := range found {
		if dir := filepath.Dir(file); dir != "bench" && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// The exported API matches testdata/api.txt. After a deliberate change, run
//
//	go test -run TestAPI -update .
func TestAPIMatchesGoldenFile(t *testing.T) {
	const golden = "testdata/api.txt"
	var api bytes.Buffer
	for _, dir := range publicPackages(t) {
		writeAPI(t, &api, dir)
	}
	if *update {
		require.NoError(t, os.WriteFile(golden, api.Bytes(), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), api.String(), "if the change is deliberate: go test -run TestAPI -update .")
}

// writeAPI writes the exported declarations of a package, sorted by name and
// without comments.
func writeAPI(t *testing.T, w *bytes.Buffer, dir string) {
	pkg, err := build.ImportDir(dir, 0)
	require.NoError(t, err)
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range pkg.GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, 0)
		require.NoError(t, err)
		files = append(files, file)
	}
	p, err := doc.NewFromFiles(fset, files, dir)
	require.NoError(t, err)

	declare := func(decl ast.Decl) {
		var text bytes.Buffer
		require.NoError(t, format.Node(&text, fset, decl))
		w.Write(bytes.ReplaceAll(text.Bytes(), []byte("\n\n"), []byte("\n")))
		w.WriteByte('\n')
	}
	values := func(lists ...[]*doc.Value) {
		for _, list := range lists {
			for _, v := range list {
				declare(v.Decl)
			}
		}
	}
	funcs := func(lists ...[]*doc.Func) {
		for _, list := range lists {
			for _, f := range list {
				f.Decl.Body = nil
				declare(f.Decl)
			}
		}
	}
	w.WriteString("# " + p.Name + "\n")
	values(p.Consts, p.Vars)
	funcs(p.Funcs)
	for _, kind := range p.Types {
		declare(kind.Decl)
		values(kind.Consts, kind.Vars)
		funcs(kind.Funcs, kind.Methods)
	}
}
