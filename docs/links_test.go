package docs

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

var linkRules = []rule{
	{"links lead somewhere", links, map[string]tree{
		"README.md links to docs/a.md": {"README.md": "[a](docs/a.md)"},
		"README.md links to #b":        {"README.md": "# A\n[b](#b)"},
		"docs/a.md links to b.md#c":    {"docs/a.md": "[c](b.md#c)", "docs/b.md": "# B"},
		"there is no link":             {},
	}},
	{"snippets are examples", snippets, map[string]tree{
		"README.md has code that is in no example": {"README.md": "```go\na()\nb()\n```\n", "example_test.go": "\ta()\n\tc()\n"},
		"there is no snippet":                      {},
	}},
	{"the map matches the files", chart, map[string]tree{
		"a.go is not in the map": {"CONTRIBUTING.md": where, "a.go": "package a"},
		"b/ is not in the map":   {"CONTRIBUTING.md": where, "b/b.go": "package b"},
		"the map names c.go":     {"CONTRIBUTING.md": where + "| `c.go` | c |\n"},
		"the map names c/":       {"CONTRIBUTING.md": where + "| `c/` | c |\n", "c": ""},
		"there is no map":        {},
	}},
	{"documents name existing tests", namedTests, map[string]tree{
		"README.md names TestA":                {"README.md": "`TestA`", "b_test.go": "package a\nfunc TestB(*testing.T) {}\n"},
		"no document names a test":             {},
		"integration/README.md names FuzzA":    {"integration/README.md": "FuzzA"},
		"integration/README.md names TestLong": {"integration/README.md": "TestLong", "a.go": "package a\nfunc TestLong() {}\n"},
	}},
	{"commands are run", commands, map[string]tree{
		"README.md has a command that is not run: go version":            {".ci/run": runsDocs, "README.md": "```sh\ngo version # now\n```\n"},
		"README.md has a command that is not run: go run ./x -n N":       {".ci/run": runsDocs + "go run ./y -n 1\n", "README.md": "```sh\ngo run ./x \\\n  -n 7\n```\n"},
		"docs/a.md has a command that is not run: go -C integration run": {".ci/run": runsDocs, "docs/a.md": "```sh\ngo -C integration run\n```\n"},
		".ci/run does not call .ci/docs":                                 {},
		"there is no command":                                            {".ci/run": runsDocs},
	}},
	{"tokens stay out of ps", noTokenInPS, map[string]tree{
		"docs/a.md has a token in an argument":     {"docs/a.md": "curl -H \"$(apivideo-token -header)\""},
		"docs/a.md does not pass a token to curl":  {"docs/a.md": "apivideo-token -header | cat"},
		"docs/a.md does not set pipefail":          {"docs/a.md": "```sh\napivideo-token -header | curl --fail-with-body -H @- x\n```\n"},
		"no document passes a token to a program":  {},
		"cmd/apivideo-token/main.go has a token":   {"cmd/apivideo-token/main.go": "package main // curl -d $(apivideo-token)"},
		"README.md does not pass a token to curl ": {"README.md": "apivideo-token -header | curl -v x"},
	}},
}

var notInAnchors = regexp.MustCompile(`[^a-z0-9 _-]`)

func links(t tree) (f faults) {
	anchors := map[string]bool{}
	for _, name := range t.documents() {
		for _, h := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(t[name], -1) {
			anchors[name+"#"+strings.ReplaceAll(notInAnchors.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")] = true
		}
	}
	count := 0
	for _, name := range t.documents() {
		for _, l := range link.FindAllStringSubmatch(fence.ReplaceAllString(t[name], ""), -1) {
			if strings.Contains(l[2], "://") {
				continue
			}
			count++
			file, anchor, _ := strings.Cut(l[2], "#")
			target := name
			if file != "" {
				target = path.Join(path.Dir(name), file)
			}
			_, isFile := t[target]
			f.unless(isFile || t.folder(target), "%s links to %s", name, l[2])
			f.unless(anchor == "" || anchors[target+"#"+anchor], "%s links to %s", name, l[2])
		}
	}
	f.unless(count > 0, "there is no link")
	return f
}

var leading = regexp.MustCompile(`(?m)^\s+`)

// blocks returns the code of a document in a language, by its order.
func blocks(text, language string) (found []string) {
	for _, block := range fence.FindAllStringSubmatch(text, -1) {
		if block[1] == language {
			found = append(found, block[2])
		}
	}
	return found
}

// Every Go snippet of a document is part of an example, which a test runs.
func snippets(t tree) (f faults) {
	var code string
	for _, name := range t.names("example*_test.go", "*/example*_test.go", "examples/*/main.go") {
		code += leading.ReplaceAllString(t[name], "")
	}
	count := 0
	for _, name := range t.documents() {
		for _, block := range blocks(t[name], "go") {
			count++
			snippet := strings.TrimPrefix(leading.ReplaceAllString(block, ""), "import ")
			f.unless(strings.Contains(code, snippet), "%s has code that is in no example:\n%s", name, block)
		}
	}
	f.unless(count > 0, "there is no snippet")
	return f
}

const where = "\n## Where things are\n\n| file | holds |\n|---|---|\n"

var (
	firstCell = regexp.MustCompile(`(?m)^\| (.*?) \|`)
	quoted    = regexp.MustCompile("`([^`]*)`")
)

// The map of CONTRIBUTING.md names each file of the root package, and each
// folder with Go code or a folder above it. It names nothing that does not exist.
func chart(t tree) (f faults) {
	_, table, ok := strings.Cut(t["CONTRIBUTING.md"], where[:len("\n## Where things are\n")])
	if !ok {
		return faults{"there is no map"}
	}
	table, _, _ = strings.Cut(table, "\n## ")
	named := map[string]bool{}
	for _, row := range firstCell.FindAllStringSubmatch(table, -1) {
		for _, name := range quoted.FindAllStringSubmatch(row[1], -1) {
			named[name[1]] = true
			folder, isFolder := strings.CutSuffix(name[1], "/")
			_, isFile := t[name[1]]
			f.unless(isFile || isFolder && t.folder(folder), "the map names %s", name[1])
		}
	}
	missing := map[string]bool{}
	for name := range t {
		if path.Ext(name) != ".go" || path.Dir(name) == "." && strings.HasSuffix(name, "_test.go") {
			continue
		}
		entry, found := name, named[name]
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			entry, found = path.Dir(name)+"/", found || named[dir+"/"]
		}
		missing[entry] = !found
	}
	for _, entry := range slices.Sorted(maps.Keys(missing)) {
		f.unless(!missing[entry], "%s is not in the map", entry)
	}
	return f
}

// What follows a dot is a function of a package, as storetest.TestStore.
var testName = regexp.MustCompile(`(?:^|[^.\w])((?:Test|Fuzz|Benchmark)[A-Z]\w*)`)

func namedTests(t tree) (f faults) {
	declared := map[string]bool{}
	for _, test := range t.tests() {
		declared[test.FuncDecl.Name.Name] = true
	}
	count := 0
	for _, name := range t.documents() {
		for _, n := range testName.FindAllStringSubmatch(t[name], -1) {
			count++
			f.unless(declared[n[1]], "%s names %s", name, n[1])
		}
	}
	f.unless(count > 0, "no document names a test")
	return f
}

const runsDocs = "#!/bin/sh\nbash .ci/docs >log\n"

var (
	continued = regexp.MustCompile(`(\\|\|)\n\s*`)
	number    = regexp.MustCompile(`\b[0-9][0-9a-z]*\b`)
)

// lines returns the commands of a script, with N for each number.
func lines(script string) (found []string) {
	script = continued.ReplaceAllString(script, "$1 ")
	for line := range strings.SplitSeq(strings.ReplaceAll(script, `\ `, ""), "\n") {
		line, _, _ = strings.Cut(line, " #")
		line = number.ReplaceAllString(strings.Join(strings.Fields(line), " "), "N")
		if line != "" && !strings.HasPrefix(line, "#") {
			found = append(found, line)
		}
	}
	return found
}

// Every command of the documents is in .ci/run, or in .ci/docs, which .ci/run
// calls, perhaps with further options. The numbers may differ.
func commands(t tree) (f faults) {
	f.unless(strings.Contains(t[".ci/run"], "\nbash .ci/docs "), ".ci/run does not call .ci/docs")
	ran := "\n" + strings.Join(append(lines(t[".ci/run"]), lines(t[".ci/docs"])...), "\n") + "\n"
	if strings.Contains(ran, `go -C "$N" test -race`) { // for each module
		ran += "go -C integration test ./...\n"
	}
	count := 0
	for _, name := range t.documents() {
		for _, block := range blocks(t[name], "sh") {
			for _, line := range lines(block) {
				count++
				f.unless(strings.Contains(ran, "\n"+line+"\n") || strings.Contains(ran, "\n"+line+" "),
					"%s has a command that is not run: %s", name, line)
			}
		}
	}
	f.unless(count > 0, "there is no command")
	return f
}

var (
	tokenInArgument = regexp.MustCompile(`curl[^|\n]*\$\(apivideo-token`)
	withPipefail    = regexp.MustCompile(`(?s)set -o pipefail.*apivideo-token -header \|`)
)

// The documents pass the token to curl through a pipe: an argument would be
// visible in ps.
func noTokenInPS(t tree) (f faults) {
	const passes = "apivideo-token -header |"
	count := 0
	for _, name := range append(t.documents(), t.names("cmd/apivideo-token/main.go")...) {
		f.unless(!tokenInArgument.MatchString(t[name]), "%s has a token in an argument", name)
		for line := range strings.Lines(t[name]) {
			if strings.Contains(line, passes) {
				count++
				f.unless(strings.Contains(line, passes+" curl --fail-with-body -H @- "), "%s does not pass a token to curl as it should: %s", name, line)
			}
		}
		for _, block := range append(blocks(t[name], "sh"), blocks(t[name], "bash")...) {
			f.unless(!strings.Contains(block, passes) || withPipefail.MatchString(block), "%s does not set pipefail", name)
		}
	}
	f.unless(count > 0, "no document passes a token to a program")
	return f
}
