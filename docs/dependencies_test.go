package docs

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

var dependencyRules = []rule{
	{"dependencies are explained", dependencies, map[string]tree{
		"docs/dependencies.md does not explain example.com/a": {"go.mod": "module m\n\nrequire example.com/a v1.0.0\n"},
		"docs/dependencies.md does not explain example.com/b": {"b/go.mod": "module b\n\nrequire (\n\texample.com/b v1.0.0\n)\n"},
		"docs/dependencies.md does not explain example.com/c": {"go.mod": "tool example.com/c/cmd/c\n\nrequire (\n\texample.com/c v1.0.0 // indirect\n)\n"},
		"docs/dependencies.md does not explain @d/e":          {"d/package.json": `{"dependencies": {"@d/e": "1.0.0"}}`},
		"no module needs example.com/f":                       {"docs/dependencies.md": "| `example.com/f` | why | MIT |\n"},
		"there is no dependency":                              {},
	}},
}

var (
	requirement = regexp.MustCompile(`(?m)^(?:require |\t)(\S+) v\S+( // indirect)?$`)
	toolLine    = regexp.MustCompile(`(?m)^(?:tool |\t)(\S+)$`)
	npmPackage  = regexp.MustCompile(`(?s)"(?:devD|d)ependencies": \{(.*?)\}`)
	quotedName  = regexp.MustCompile(`"([^"]+)":`)
	explained   = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| .+ \\| [A-Za-z0-9.-]+ \\|$")
)

// needed are the modules that go.mod files name, other than those of this
// repository, and the packages that package.json files name. A tool needs the
// module that it is in.
func needed(t tree) map[string]bool {
	found := map[string]bool{}
	for _, name := range t.names("go.mod", "*/go.mod", "*/*/go.mod") {
		tools := toolLine.FindAllStringSubmatch(t[name], -1)
		for _, r := range requirement.FindAllStringSubmatch(t[name], -1) {
			isTool := slices.ContainsFunc(tools, func(tool []string) bool { return strings.HasPrefix(tool[1]+"/", r[1]+"/") })
			if r[1] != module && (r[2] == "" || isTool) {
				found[r[1]] = true
			}
		}
	}
	for _, name := range t.names("*/package.json", "*/*/package.json") {
		for _, block := range npmPackage.FindAllStringSubmatch(t[name], -1) {
			for _, p := range quotedName.FindAllStringSubmatch(block[1], -1) {
				found[p[1]] = true
			}
		}
	}
	return found
}

func dependencies(t tree) (f faults) {
	needs, rows := needed(t), map[string]bool{}
	for _, row := range explained.FindAllStringSubmatch(t["docs/dependencies.md"], -1) {
		rows[row[1]] = true
		f.unless(needs[row[1]], "no module needs %s", row[1])
	}
	for _, name := range slices.Sorted(maps.Keys(needs)) {
		f.unless(rows[name], "docs/dependencies.md does not explain %s", name)
	}
	f.unless(len(needs) > 0, "there is no dependency")
	return f
}
