package docs

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// generators make files of the repository from its code, by the files' names.
var generators = map[string]func(tree) string{
	"docs/comparison.md":    comparison,
	"docs/promises.md":      promises,
	"docs/testdata/api.txt": api,
}

var generatedRules = []rule{
	{"generated files are up to date", upToDate, map[string]tree{
		"docs/comparison.md is out of date":    {resultsFile: `{"lines": [{"name": "cold start"}]}`},
		"docs/promises.md is out of date":      {"a_test.go": "package a\n\n// Promise: It works.\nfunc TestA() {}\n"},
		"docs/testdata/api.txt is out of date": {"a.go": "package a\n\nfunc A() {}\n"},
	}},
	{"comparison is about the current versions", comparedVersions, map[string]tree{
		"results.json is not about the version of x/y": {
			resultsFile:    `{"peers": [{"name": "y", "module": "x/y", "version": "v1.2.3"}]}`,
			"bench/go.mod": "require (\n\tx/y v1.2.4\n)\n",
		},
	}},
	{"promises are sentences above tests", placedPromises, map[string]tree{
		"a_test.go:3: a promise is not above a test": {"a_test.go": "package a\n\n// Promise: It works.\n\nfunc TestA() {}\n"},
		"a_test.go:4: a promise is not above a test": {"a_test.go": "package a\n\nfunc TestA() {\n// Promise: It works.\n}\n"},
		"a.go:3: a promise is not above a test":      {"a.go": "package a\n\n// Promise: It works.\nfunc TestA() {}\n"},
		`"… always." is not a sentence in one line`:  {"a_test.go": "package a\n\n// Promise: … always.\nfunc TestA() {}\n"},
		`"It is either | or." is not a sentence`:     {"a_test.go": "package a\n\n// Promise: It is either | or.\nfunc TestA() {}\n"},
		`"It works" is not a sentence in one line`:   {"a_test.go": "package a\n\n// Promise: It works\n// always.\nfunc TestA() {}\n"},
		"a_test.go:5: text after a promise":          {"a_test.go": "package a\n\n// Promise: It works.\n//\n// Always, that is.\nfunc TestA() {}\n"},
	}},
}

func upToDate(t tree) (f faults) {
	for name, generate := range generators {
		f.unless(t[name] == generate(t), "%s is out of date, run: go -C docs test -update", name)
	}
	return f
}

const mark = "// Promise: "

// promised are the promises of a test.
func (t test) promised() (found []string) {
	for _, line := range t.comment() {
		if text, ok := strings.CutPrefix(line.Text, mark); ok {
			found = append(found, text)
		}
	}
	return found
}

// comment returns the lines above a test.
func (t test) comment() []*ast.Comment {
	if t.FuncDecl.Doc == nil {
		return nil
	}
	return t.FuncDecl.Doc.List
}

var firstWord = regexp.MustCompile(`^(Test|Fuzz|Benchmark|Example)_?([A-Z]*[a-z]*)`)

// section is the first word of the name of a test of the root package, else the
// folder of the test.
func (t test) section() string {
	if t.folder != "." {
		return t.folder
	}
	return firstWord.FindStringSubmatch(t.FuncDecl.Name.Name)[2]
}

// promises writes the promises above the tests, in sections. A promise that
// several tests hold is in the section that most of them have.
func promises(t tree) string {
	holders, order := map[string][]test{}, []string{}
	for _, test := range t.tests() {
		for _, p := range test.promised() {
			if holders[p] == nil {
				order = append(order, p)
			}
			holders[p] = append(holders[p], test)
		}
	}
	rows := map[string]string{}
	for _, p := range order {
		var names []string
		count, section := map[string]int{}, holders[p][0].section()
		for _, test := range holders[p] {
			names = append(names, "`"+test.FuncDecl.Name.Name+"`")
			if count[test.section()]++; count[test.section()] > count[section] {
				section = test.section()
			}
		}
		rows[section] += fmt.Sprintf("| %s | %s |\n", p, strings.Join(names, ", "))
	}
	text := preface
	for _, section := range slices.Sorted(maps.Keys(rows)) {
		text += "\n## " + section + "\n\n| promise | tests |\n|---|---|\n" + rows[section]
	}
	return text
}

const preface = `# Promises and their tests

Each row is a promise of the library, with the tests that fail if somebody breaks it. The tests check every number, limit
and exception of the row. A section has the tests of a folder; those of the root package are sorted by the first word of
their names.

This file is generated: each promise is a comment above its tests. If you change a behavior, change the comment, and check
that the test fails when you break the code.
`

// Promises stand at the end of the comment of a test, each a sentence in a line.
func placedPromises(t tree) (f faults) {
	placed := map[string]bool{}
	for _, test := range t.tests() {
		after := false
		for _, line := range test.comment() {
			text, ok := strings.CutPrefix(line.Text, mark)
			at := test.at(line)
			placed[at] = true
			f.unless(ok || !after, "%s: text after a promise", at)
			after = after || ok
			sentence := strings.HasSuffix(text, ".") && !strings.HasPrefix(text, "…") && !strings.Contains(text, "|")
			f.unless(!ok || sentence, "%s: %q is not a sentence in one line", at, text)
		}
	}
	for _, s := range t.sources() {
		for _, comment := range s.Comments {
			for _, line := range comment.List {
				f.unless(!strings.HasPrefix(line.Text, mark) || placed[s.at(line)], "%s: a promise is not above a test", s.at(line))
			}
		}
	}
	return f
}

func (s source) at(n ast.Node) string {
	at := s.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", at.Filename, at.Line)
}

// api lists the exported declarations of the packages that programs import,
// sorted by name and without comments.
func api(t tree) string {
	linux := build.Default
	linux.GOOS = "linux"
	linux.OpenFile = func(name string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(t[name])), nil }
	packages := map[string][]source{}
	for _, s := range t.code() {
		built, err := linux.MatchFile(s.folder, path.Base(s.name))
		if err == nil && built && !strings.Contains(s.folder, "/") && s.folder != "bench" {
			packages[s.folder] = append(packages[s.folder], s)
		}
	}
	var b strings.Builder
	for _, folder := range slices.Sorted(maps.Keys(packages)) {
		writeAPI(&b, packages[folder])
	}
	return b.String()
}

// writeAPI writes the exported declarations of a package.
func writeAPI(b *strings.Builder, sources []source) {
	fset, files := token.NewFileSet(), []*ast.File{}
	for _, s := range sources {
		file, _ := parser.ParseFile(fset, s.name, s.text, 0) // the tree has parsed it before
		files = append(files, file)
	}
	p, err := doc.NewFromFiles(fset, files, sources[0].folder)
	if err != nil {
		panic(err)
	}
	declare := func(decl ast.Decl) {
		if f, ok := decl.(*ast.FuncDecl); ok {
			f.Body = nil
		}
		var text strings.Builder
		format.Node(&text, fset, decl) // a strings.Builder does not fail
		b.WriteString(strings.ReplaceAll(text.String(), "\n\n", "\n") + "\n")
	}
	members := func(values []*doc.Value, funcs ...*doc.Func) {
		for _, v := range values {
			declare(v.Decl)
		}
		for _, f := range funcs {
			declare(f.Decl)
		}
	}
	b.WriteString("# " + p.Name + "\n")
	members(slices.Concat(p.Consts, p.Vars), p.Funcs...)
	for _, kind := range p.Types {
		declare(kind.Decl)
		members(slices.Concat(kind.Consts, kind.Vars), slices.Concat(kind.Funcs, kind.Methods)...)
	}
}
