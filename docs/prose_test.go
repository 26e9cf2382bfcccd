package docs

import (
	"go/ast"
	"go/token"
	"regexp"
	"strings"
)

var proseRules = []rule{
	{"documents are short", shortDocuments, map[string]tree{
		"README.md: 201 lines":       {"README.md": strings.Repeat("line\n", 201)},
		"CONTRIBUTING.md: 151 lines": {"CONTRIBUTING.md": strings.Repeat("line\n", 151)},
		"README.md: 1501 words":      {"README.md": strings.Repeat("word ", 1501)},
	}},
	{"sentences are short", shortSentences, map[string]tree{
		"17.0 words":  {"docs/a.md": strings.Repeat("word ", 17) + ". " + strings.Repeat("word ", 17) + "."},
		"no sentence": {},
	}},
	{"words are clear", clearWords, map[string]tree{
		`README.md: "foo bar"`:             {"README.md": "It is to foo\nbar.", "docs/words.txt": "foo bar\n"},
		`cmd/x/text/help.txt: "foo bar"`:   {"cmd/x/text/help.txt": "It is to foo bar.", "docs/words.txt": "foo bar\n"},
		`a/a.go:2:1: "foo bar"`:            {"a/a.go": "package a\n// It is to foo\n// bar.\n", "docs/words.txt": "foo bar\n"},
		`a/a.go:2:11: "foo bar"`:           {"a/a.go": "package a\nconst a = `to foo bar`\n", "docs/words.txt": "foo bar\n"},
		"docs/words.txt has no expression": {},
	}},
}

var (
	fence  = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	inline = regexp.MustCompile("`[^`\n]+`")
	link   = regexp.MustCompile(`!?\[([^\]]*)\]\(([^)]*)\)`)
)

func shortDocuments(t tree) (f faults) {
	for name, most := range map[string]struct{ lines, words int }{"README.md": {200, 1500}, "CONTRIBUTING.md": {150, 1500}} {
		lines, words := strings.Count(t[name], "\n"), len(strings.Fields(t[name]))
		f.unless(lines <= most.lines, "%s: %d lines", name, lines)
		f.unless(words <= most.words, "%s: %d words", name, words)
	}
	return f
}

var (
	noProse  = regexp.MustCompile(`(?m)^(\||#).*$`)
	listItem = regexp.MustCompile(`(?m)^(- |\d\. )`)
	fullStop = regexp.MustCompile(`[.?!](\*\*)?\s+`)
)

// prose returns the sentences of a document, without code, tables and headings.
// A list item and a paragraph end a sentence.
func prose(text string) (sentences []string) {
	text = link.ReplaceAllString(fence.ReplaceAllString(text, ""), "$1")
	text = listItem.ReplaceAllString(noProse.ReplaceAllString(text, "\n"), "\n\n")
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		for _, s := range fullStop.Split(strings.TrimSpace(paragraph)+" ", -1) {
			if strings.TrimSpace(s) != "" {
				sentences = append(sentences, s)
			}
		}
	}
	return sentences
}

// Sentences have 16 words at most, on average.
func shortSentences(t tree) (f faults) {
	var words, sentences int
	for _, name := range t.documents() {
		here := prose(t[name])
		words += len(strings.Fields(strings.Join(here, " ")))
		sentences += len(here)
	}
	if sentences == 0 {
		return faults{"there is no sentence"}
	}
	average := float64(words) / float64(sentences)
	f.unless(average <= 16, "sentences have %.1f words on average", average)
	return f
}

// Documents, help texts, and the comments and strings of Go files have none of
// the expressions of words.txt, which are hard to read. Write plain words
// instead, for example "can be replayed", "the current token" or "only".
func clearWords(t tree) (f faults) {
	expressions := strings.TrimSpace(t["docs/words.txt"])
	if expressions == "" {
		return faults{"docs/words.txt has no expression"}
	}
	unclear := regexp.MustCompile(`(?i)\b(` + strings.ReplaceAll(expressions, "\n", "|") + `)\b`)
	check := func(place, text string) {
		for _, found := range unclear.FindAllString(strings.Join(strings.Fields(text), " "), -1) {
			f.add("%s: %q is not plain English", place, found)
		}
	}
	for _, name := range append(t.documents(), t.names("cmd/*/text/*.txt")...) {
		check(name, inline.ReplaceAllString(fence.ReplaceAllString(t[name], ""), ""))
	}
	for _, s := range t.sources() {
		at := func(p token.Pos) string { return s.fset.Position(p).String() }
		for _, comment := range s.Comments {
			check(at(comment.Pos()), comment.Text())
		}
		ast.Inspect(s.File, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				check(at(l.Pos()), l.Value)
			}
			return true
		})
	}
	return f
}
