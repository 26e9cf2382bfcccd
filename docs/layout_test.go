package docs

import (
	"go/ast"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// The most lines of code in the root package, in the token cache, in the fake service,
// in each other internal package, in a file, and in a function; the most files of the root
// package, and the most characters of a test's name on average.
const (
	rootLines     = 1660
	rootFiles     = 11
	rootTests     = 20
	cacheLines    = 2100
	standinLines  = 3300
	internalLines = 250
	fileLines     = 250
	functionLines = 40
	nameLength    = 30
)

var layoutRules = []rule{
	{"files are short", shortFiles, map[string]tree{
		"a/a.go: 251 lines": {"a/a.go": "package a\n" + strings.Repeat("\n", 250)},
	}},
	{"functions are short", shortFunctions, map[string]tree{
		"a/a.go:2: 41 lines": {"a/a.go": "package a\nfunc f() {" + strings.Repeat("\n", 40) + "}\n"},
	}},
	{"packages are small", smallPackages, map[string]tree{
		"the root package has 1661 lines":        {"a.go": "package a\n" + strings.Repeat("\n", 1660), "a_test.go": "package a\n"},
		"the root package has 12 files":          manyFiles(12, "%.go"),
		"the root package has 21 files of tests": manyFiles(21, "%_test.go"),
		"internal/tokencache has 2101 lines":     {"internal/tokencache/a.go": "package a\n" + strings.Repeat("\n", 2100)},
		"internal/b has 251 lines":               {"internal/b/a.go": "package a\n\n", "internal/b/b.go": "package a\n" + strings.Repeat("\n", 248)},
	}},
	{"names of tests are short", shortNames, map[string]tree{
		"names of tests have 31.0 characters on average": {"a_test.go": "package a\nfunc Test" + strings.Repeat("A", 27) + "()\n"},
		"there is no test": {},
	}},
	{"arrows between packages", arrows, map[string]tree{
		"internal/a/a.go imports the root package":                      {"internal/a/a.go": importing("")},
		"internal/a/a.go imports filestore":                             {"internal/a/a.go": importing("/filestore")},
		"internal/a/a.go imports internal/b":                            {"internal/a/a.go": importing("/internal/b")},
		"internal/guard/b/a.go imports internal/journal":                {"internal/guard/b/a.go": importing("/internal/journal"), "internal/guard/a.go": importing("/internal/guard/b")},
		"internal/guard/a.go imports internal/journal":                  {"internal/guard/a.go": importing("/internal/journal")},
		"internal/seal/a.go imports internal/tokencache":                {"internal/seal/a.go": importing("/internal/tokencache")},
		"internal/tokencache needs net/http":                            {"internal/tokencache/a.go": importing("/internal/guard"), "internal/guard/a.go": "package a\nimport \"net/http\"\n"},
		"redisstore/a.go imports internal/guard":                        {"redisstore/go.mod": "", "redisstore/a.go": importing("/internal/guard")},
		"cmd/apivideo-token/internal/proxy/a.go imports internal/guard": {"cmd/apivideo-token/go.mod": "", "cmd/apivideo-token/internal/proxy/a.go": importing("/internal/guard")},
	}},
}

func manyFiles(n int, pattern string) tree {
	t := tree{}
	for i := range n {
		t[strings.ReplaceAll(pattern, "%", strconv.Itoa(i))] = "package a\n"
	}
	return t
}

func importing(folder string) string { return "package a\nimport \"" + module + folder + "\"\n" }

func (s source) lines() int { return strings.Count(s.text, "\n") }

func shortFiles(t tree) (f faults) {
	for _, s := range t.code() {
		f.unless(s.lines() <= fileLines, "%s: %d lines", s.name, s.lines())
	}
	return f
}

func shortFunctions(t tree) (f faults) {
	for _, s := range t.code() {
		for _, decl := range s.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok {
				first, last := s.fset.Position(fn.Pos()).Line, s.fset.Position(fn.End()).Line
				f.unless(last-first < functionLines, "%s:%d: %d lines in %s", s.name, first, last-first+1, fn.Name.Name)
			}
		}
	}
	return f
}

func smallPackages(t tree) (f faults) {
	lines, files := map[string]int{}, map[string]int{}
	for _, s := range t.code() {
		lines[s.folder] += s.lines()
		files[s.folder]++
	}
	f.unless(lines["."] <= rootLines, "the root package has %d lines", lines["."])
	f.unless(files["."] <= rootFiles, "the root package has %d files", files["."])
	tests := len(t.names("*_test.go"))
	f.unless(tests <= rootTests, "the root package has %d files of tests", tests)
	for _, folder := range slices.Sorted(maps.Keys(lines)) {
		most := internalLines
		switch folder {
		case "internal/tokencache":
			most = cacheLines
		case "internal/standin": // no part of the library
			most = standinLines
		}
		f.unless(path.Dir(folder) != "internal" || lines[folder] <= most, "%s has %d lines", folder, lines[folder])
	}
	return f
}

// The average is that of the whole repository.
func shortNames(t tree) (f faults) {
	characters, count := 0, 0
	for _, test := range t.tests() {
		if strings.HasPrefix(test.FuncDecl.Name.Name, "Test") {
			characters += len(test.FuncDecl.Name.Name)
			count++
		}
	}
	if count == 0 {
		return faults{"there is no test"}
	}
	average := float64(characters) / float64(count)
	f.unless(average <= nameLength, "names of tests have %.1f characters on average", average)
	return f
}

const module = "github.com/apivideo/api.video-go-oauth2"

// bases are the internal packages that other internal packages may import. They
// import no others themselves. A package below an internal package counts as a part
// of it.
var bases = []string{"internal/guard", "internal/journal", "internal/redact", "internal/problems"}

// Internal packages import the bases only, and the token cache imports seal. The
// token cache does not depend on the network. Modules that are released apart
// from the root import none of its internal packages.
func arrows(t tree) (f faults) {
	imports := map[string][]string{}
	for _, s := range t.code() {
		for _, spec := range s.Imports {
			target, _ := strconv.Unquote(spec.Path.Value)
			inside, ok := strings.CutPrefix(target+"/", module+"/")
			if ok {
				target = strings.TrimSuffix(inside, "/")
			}
			imports[s.folder] = append(imports[s.folder], target)
			f.unless(!ok || mayImport(t, s.folder, target), "%s imports %s", s.name, shown(target))
		}
	}
	f.unless(!needs(imports, "internal/tokencache", "net/http"), "internal/tokencache needs net/http")
	return f
}

func shown(folder string) string {
	if folder == "" {
		return "the root package"
	}
	return folder
}

// mayImport tells whether a package may import another one of the repository.
func mayImport(t tree, folder, target string) bool {
	switch {
	case strings.HasPrefix(folder, "internal/"):
		folder, target = top(folder), top(target)
		return folder == target || slices.Contains(bases, target) && !slices.Contains(bases, folder) ||
			folder == "internal/tokencache" && target == "internal/seal"
	case t.moduleOf(folder) != ".":
		return !strings.HasPrefix(target, "internal/") || !slices.Contains(versioned, t.moduleOf(folder))
	}
	return true
}

// top is the internal package that a package is, or is a part of.
func top(folder string) string {
	parts := strings.SplitN(folder, "/", 3)
	return strings.Join(parts[:min(len(parts), 2)], "/")
}

// versioned are the nested modules that are released.
var versioned = []string{"redisstore", "pgstore", "cmd/apivideo-token"}

// moduleOf returns the folder of the module that a package is in.
func (t tree) moduleOf(folder string) string {
	for ; folder != "."; folder = path.Dir(folder) {
		if _, ok := t[folder+"/go.mod"]; ok {
			break
		}
	}
	return folder
}

// needs tells whether a package imports another one, perhaps through others.
func needs(imports map[string][]string, folder, target string) bool {
	return slices.ContainsFunc(imports[folder], func(next string) bool {
		return next == target || needs(imports, next, target)
	})
}
