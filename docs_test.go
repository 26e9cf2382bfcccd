package apivideo_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// documents returns the texts of all documents, by file name.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "bench/*.md", "integration/*.md", "cmd/*/*.md"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			texts[filepath.ToSlash(file)] = string(text)
		}
	}
	require.Greater(t, len(texts), 8)
	return texts
}

var (
	fence  = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	inline = regexp.MustCompile("`[^`\n]+`")
	link   = regexp.MustCompile(`!?\[([^\]]*)\]\(([^)]*)\)`)
)

func TestDocsAreShort(t *testing.T) {
	docs := documents(t)
	lines := func(text string) int { return strings.Count(text, "\n") }
	assert.LessOrEqual(t, lines(docs["README.md"]), 200)
	assert.LessOrEqual(t, len(strings.Fields(docs["README.md"])), 1500)
	assert.LessOrEqual(t, lines(docs["CONTRIBUTING.md"]), 150)
}

// prose returns the sentences of a document, without code, tables and headings.
// A list item and a paragraph end a sentence.
func prose(text string) (sentences []string) {
	text = fence.ReplaceAllString(text, "")
	text = link.ReplaceAllString(text, "$1")
	text = regexp.MustCompile(`(?m)^(\||#).*$`).ReplaceAllString(text, "\n")
	text = regexp.MustCompile(`(?m)^(- |\d\. )`).ReplaceAllString(text, "\n\n")
	end := regexp.MustCompile(`[.?!](\*\*)?\s+`)
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		for _, s := range end.Split(strings.TrimSpace(paragraph)+" ", -1) {
			if strings.TrimSpace(s) != "" {
				sentences = append(sentences, s)
			}
		}
	}
	return sentences
}

func TestDocsSentencesAreShort(t *testing.T) {
	var words, sentences int
	for name, text := range documents(t) {
		here := prose(text)
		n := len(strings.Fields(strings.Join(here, " ")))
		t.Logf("%s: %d sentences of %.1f words", name, len(here), float64(n)/float64(max(len(here), 1)))
		words, sentences = words+n, sentences+len(here)
	}
	require.Greater(t, sentences, 200)
	assert.LessOrEqual(t, float64(words)/float64(sentences), 16.0)
}

// Documents and help texts. TestWordsInGoAreClear checks the code.
func TestDocsWordsAreClear(t *testing.T) {
	docs := documents(t)
	help, err := filepath.Glob("cmd/apivideo-token/text/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, help)
	for _, file := range help {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		docs[file] = string(text)
	}
	for name, text := range docs {
		text = inline.ReplaceAllString(fence.ReplaceAllString(text, ""), "")
		assert.Empty(t, unclear.FindAllString(strings.Join(strings.Fields(text), " "), -1), name)
	}
}

func TestDocsLinksLeadSomewhere(t *testing.T) {
	docs := documents(t)
	notInAnchors := regexp.MustCompile(`[^a-z0-9 _-]`)
	anchors := func(text string) (found []string) {
		for _, h := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
			found = append(found, strings.ReplaceAll(notInAnchors.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-"))
		}
		return found
	}
	links := 0
	for name, text := range docs {
		for _, l := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			if strings.Contains(l[2], "://") {
				continue
			}
			links++
			path, anchor, _ := strings.Cut(l[2], "#")
			target := name
			if path != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(name), path))
			}
			_, err := os.Stat(target)
			assert.NoError(t, err, "%s links to %s", name, l[2])
			if anchor != "" {
				assert.Contains(t, anchors(docs[target]), anchor, "%s links to %s", name, l[2])
			}
		}
	}
	assert.Greater(t, links, 15)
}

var (
	verb   = regexp.MustCompile(`%(\.\d+)?[a-zA-Z]`)
	number = regexp.MustCompile(`\b[0-9][0-9a-z]*\b`)
)

// plainMessage is a message as the documents show it.
func plainMessage(format string) string {
	format = verb.ReplaceAllString(strings.TrimPrefix(format, "apivideo: "), "…")
	return strings.TrimRight(format, ": ")
}

// messages returns the string literals of the library, without its tests.
// required are those that must have an entry: mistakes in the settings,
// sentinels, and log lines.
func messages(t *testing.T) (all map[string]bool, required []string) {
	t.Helper()
	all = map[string]bool{}
	for _, pattern := range []string{
		"*.go", "internal/*/*.go", "filestore/*.go", "redisstore/*.go", "pgstore/*.go",
		"cmd/apivideo-token/*.go", "cmd/apivideo-token/internal/*/*.go",
	} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			require.NoError(t, err)
			ast.Inspect(tree, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.BasicLit:
					if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
						all[plainMessage(text)] = true
					}
				case *ast.CallExpr:
					if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "configErrorf" {
						required = append(required, literal(n.Args[0]))
					}
				case *ast.ValueSpec:
					if name := n.Names[0].Name; strings.HasPrefix(name, "Message") || strings.HasPrefix(name, "ErrInvalid") || name == "ErrAccountSuspended" {
						required = append(required, literal(n.Values[0]))
					}
				}
				return true
			})
		}
	}
	return all, slices.DeleteFunc(required, func(s string) bool { return s == "" })
}

// literal is the message that an expression has: itself, or its first argument.
func literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value)
		return plainMessage(text)
	case *ast.CallExpr:
		return literal(e.Args[0])
	}
	return ""
}

func TestDocsTroubleshootingHasEveryMessage(t *testing.T) {
	text := documents(t)["docs/troubleshooting.md"]
	all, required := messages(t)
	var listed []string
	for section := range strings.SplitSeq(text, "\n## ") {
		if strings.HasPrefix(section, "Without a message") {
			continue
		}
		for _, row := range regexp.MustCompile("(?m)^\\| `([^`]*)` \\|").FindAllStringSubmatch(section, -1) {
			listed = append(listed, row[1])
			assert.True(t, all[strings.TrimRight(row[1], ": …")] || all[row[1]] || all[strings.TrimSuffix(row[1], ": …")+": …"],
				"the library does not print %q", row[1])
		}
	}
	assert.Greater(t, len(listed), 60)
	assert.Greater(t, len(required), 35)
	for _, message := range required {
		assert.True(t, slices.ContainsFunc(listed, func(entry string) bool { return entry == message }), "no entry for %q", message)
	}
	for _, sentinel := range []string{"ErrInvalidAPIKey", "ErrInvalidRefreshToken", "ErrAccountSuspended", "ErrInvalidConfig"} {
		assert.Contains(t, text, "`"+sentinel+"`")
	}
}

// The SQL of the operations document is that of pgstore, which a test runs.
func TestDocsMigrationIsPgstores(t *testing.T) {
	source, err := os.ReadFile("pgstore/pgstore.go")
	require.NoError(t, err)
	code := leading.ReplaceAllString(strings.ReplaceAll(string(source), "//", ""), "")
	for _, block := range fence.FindAllStringSubmatch(documents(t)["docs/operations.md"], -1) {
		if block[1] == "sql" {
			assert.Contains(t, code, leading.ReplaceAllString(block[2], ""))
			return
		}
	}
	assert.Fail(t, "there is no SQL")
}

// Every command of the documents is in .ci/run, or in .ci/docs, which .ci/run
// calls. The numbers may differ.
func TestDocsCommandsAreRun(t *testing.T) {
	ran := map[string]bool{}
	script, err := os.ReadFile(".ci/run")
	require.NoError(t, err)
	assert.Contains(t, string(script), "\nbash .ci/docs ")
	if strings.Contains(string(script), `go -C "$1" test -race`) { // for each module
		ran["go -C integration test ./..."] = true
	}
	commands := func(script string) (lines []string) {
		script = regexp.MustCompile(`(\\|\|)\n\s*`).ReplaceAllString(script, "$1 ")
		for line := range strings.SplitSeq(strings.ReplaceAll(script, `\ `, ""), "\n") {
			line, _, _ = strings.Cut(line, " #")
			line = number.ReplaceAllString(strings.Join(strings.Fields(line), " "), "N")
			if line != "" && !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	for _, file := range []string{".ci/run", ".ci/docs"} {
		script, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, line := range commands(string(script)) {
			ran[line] = true
		}
	}
	has := func(command string) bool { // perhaps with further options
		for line := range ran {
			if line == command || strings.HasPrefix(line, command+" ") {
				return true
			}
		}
		return false
	}
	count := 0
	for name, text := range documents(t) {
		for _, block := range fence.FindAllStringSubmatch(text, -1) {
			if block[1] != "sh" {
				continue
			}
			for _, line := range commands(block[2]) {
				count++
				assert.True(t, has(line), "%s has a command that is not run: %s", name, line)
			}
		}
	}
	assert.Greater(t, count, 15)
}
