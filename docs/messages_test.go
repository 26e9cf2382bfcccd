package docs

import (
	"go/ast"
	"go/token"
	"go/types"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var messageRules = []rule{
	{"troubleshooting has every message", troubleshooting, map[string]tree{
		`no entry for "log in"`: {"a.go": "package a\nvar ErrInvalidAPIKey = errors.New(\"apivideo: log in\")\n"},
		`no entry for "no key"`: {"internal/apikey/a.go": "package a\nvar _ = errors.New(\"no key\")\n"},
		`no entry for "set … to one of …"`: {
			"a.go":                    "package a\nvar _ = configErrorf(\"set %s to one of %.2f: \", a, b)\n",
			"docs/troubleshooting.md": "\n## Without a message\n\n| `set … to one of …` |\n",
		},
		`the library does not print "log out"`:                {"docs/troubleshooting.md": "| `log out` | why |\n"},
		`docs/troubleshooting.md does not name ErrInvalidAPI`: {},
	}},
	{"the log table has all lines", logTable, map[string]tree{
		"docs/logs.md and testdata/logs.txt differ: a line | Debug | `op`": {"testdata/logs.txt": "a line | Debug | `op`\n"},
		"docs/logs.md and testdata/logs.txt differ: b | Info |":            {"docs/logs.md": "| `b` | Info | when | |\n"},
		"a message of tokencache is not in docs/logs.md: c":                {"internal/tokencache/log.go": "package a\nconst MessageC = \"c\"\n"},
		"docs/logs.md does not explain op":                                 {"docs/logs.md": "| `b` | Info | when | `op` |\n- of `op`: no\n"},
		"there is no log line":                                             {},
	}},
	{"the migration is that of pgstore", migration, map[string]tree{
		"docs/operations.md has SQL that is not in pgstore": {
			"docs/operations.md": "```sql\nSELECT 1;\n```\n", "pgstore/pgstore.go": "// SELECT 2;\npackage pgstore\n",
		},
		"there is no SQL": {},
	}},
}

var verb = regexp.MustCompile(`%(\.\d+)?[a-zA-Z]`)

// plain is a message as the documents show it.
func plain(format string) string {
	format = verb.ReplaceAllString(strings.TrimPrefix(format, "apivideo: "), "…")
	return strings.TrimRight(format, ": ")
}

// literal is the message that an expression has: itself, or its first argument.
func literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value)
		return plain(text)
	case *ast.CallExpr:
		return literal(e.Args[0])
	}
	return ""
}

// released are the folders of the code that users get.
var released = regexp.MustCompile(`^(\.|internal/\w+(/\w+)?|filestore|redisstore|pgstore|cmd/apivideo-token(/internal/\w+)?)$`)

// messages returns the strings of the released code. required are those that
// must have an entry: mistakes in the settings, sentinels, and log lines.
func messages(t tree) (all map[string]bool, required []string) {
	all = map[string]bool{}
	for _, s := range t.code() {
		if !released.MatchString(s.folder) {
			continue
		}
		ast.Inspect(s.File, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if n.Kind == token.STRING {
					all[literal(n)] = true
				}
			case *ast.CallExpr:
				if mistake.MatchString(s.folder + " " + types.ExprString(n.Fun)) {
					required = append(required, literal(n.Args[0]))
				}
			case *ast.ValueSpec:
				if isRequired.MatchString(n.Names[0].Name) && len(n.Values) > 0 {
					required = append(required, literal(n.Values[0]))
				}
			}
			return true
		})
	}
	return all, slices.DeleteFunc(required, func(s string) bool { return s == "" })
}

var (
	// mistake matches the calls that make errors about the settings, by folder
	// and function.
	mistake    = regexp.MustCompile(`configErrorf$|^internal/(apikey|endpoint) (errors\.New|fmt\.Errorf)$`)
	isRequired = regexp.MustCompile(`^(Message\w*|ErrInvalid\w+|ErrAccountSuspended)$`)
	entry      = regexp.MustCompile("(?m)^\\| `([^`]*)` \\|")
)

// The tables of troubleshooting.md have every message that they must have, and
// none that the library does not print.
func troubleshooting(t tree) (f faults) {
	text := t["docs/troubleshooting.md"]
	all, required := messages(t)
	listed := map[string]bool{}
	for section := range strings.SplitSeq(text, "\n## ") {
		if strings.HasPrefix(section, "Without a message") {
			continue
		}
		for _, row := range entry.FindAllStringSubmatch(section, -1) {
			listed[row[1]] = true
			f.unless(all[row[1]] || all[strings.TrimRight(row[1], ": …")], "the library does not print %q", row[1])
		}
	}
	for _, message := range required {
		f.unless(listed[message], "no entry for %q", message)
	}
	for _, sentinel := range []string{"ErrInvalidAPIKey", "ErrInvalidRefreshToken", "ErrAccountSuspended", "ErrInvalidConfig"} {
		f.unless(strings.Contains(text, "`"+sentinel+"`"), "docs/troubleshooting.md does not name %s", sentinel)
	}
	return f
}

var logRow = regexp.MustCompile("(?m)^\\| `([^`]*)` \\| ([^|]*) \\| [^|]* \\| ?([^|]*?) ?\\|$")

// The table of logs.md has the lines of testdata/logs.txt, which a test compares
// with what is logged, and every message of the token cache. It explains each
// attribute.
func logTable(t tree) (f faults) {
	var rows, messages []string
	for _, row := range logRow.FindAllStringSubmatch(t["docs/logs.md"], -1) {
		messages = append(messages, row[1])
		rows = append(rows, strings.TrimSpace(strings.Join(row[1:], " | ")))
		for _, name := range quoted.FindAllStringSubmatch(row[3], -1) {
			explained := regexp.MustCompile("(?m)^- (`\\w+`, )*`" + name[1] + "`( of [^:]*)?(, `\\w+`)*:")
			f.unless(explained.MatchString(t["docs/logs.md"]), "docs/logs.md does not explain %s", name[1])
		}
	}
	lines := strings.Split(strings.TrimSpace(t["testdata/logs.txt"]), "\n")
	for _, line := range slices.Concat(rows, lines) {
		f.unless(line == "" || slices.Contains(rows, line) && slices.Contains(lines, line), "docs/logs.md and testdata/logs.txt differ: %s", line)
	}
	for _, s := range t.code() {
		if s.folder != "internal/tokencache" {
			continue
		}
		for name, object := range s.Scope.Objects {
			if spec, ok := object.Decl.(*ast.ValueSpec); ok && strings.HasPrefix(name, "Message") {
				f.unless(slices.Contains(messages, literal(spec.Values[0])), "a message of tokencache is not in docs/logs.md: %s", literal(spec.Values[0]))
			}
		}
	}
	f.unless(len(rows) > 0, "there is no log line")
	return f
}

// The SQL of operations.md is in a comment of pgstore, whose tests run it.
func migration(t tree) (f faults) {
	var code string
	for _, name := range t.names("pgstore/*.go") {
		code += leading.ReplaceAllString(strings.ReplaceAll(t[name], "//", ""), "")
	}
	sql := blocks(t["docs/operations.md"], "sql")
	for _, block := range sql {
		f.unless(strings.Contains(code, leading.ReplaceAllString(block, "")), "docs/operations.md has SQL that is not in pgstore:\n%s", block)
	}
	f.unless(len(sql) > 0, "there is no SQL")
	return f
}
