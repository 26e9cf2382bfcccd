package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"
)

// manPage is the manual of all commands, in the macros of man(7).
func manPage(root *cli.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"%s\" \"api.video\"\n", strings.ToUpper(root.Name), roff(version()))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.nf\n%s\n.fi\n", roff(root.Name), roff(root.Usage), roff(root.UsageText))
	b.WriteString(".SH DESCRIPTION\n" + manText(root.Description))
	b.WriteString(".SH OPTIONS\n" + manList(flagsOf(root)))
	b.WriteString(".SH COMMANDS\n")
	for _, cmd := range root.Commands {
		fmt.Fprintf(&b, ".SS %s\n.nf\n%s\n.fi\n.PP\n%s\n.PP\n%s", roff(cmd.Name), roff(cmd.UsageText), roff(cmd.Usage), manText(cmd.Description))
		b.WriteString(manList(flagsOf(cmd)))
	}
	return b.String()
}

func manList(items []item) string {
	var b strings.Builder
	for _, it := range items {
		fmt.Fprintf(&b, ".TP\n\\fB%s\\fR\n%s\n", roff(it.name), roff(it.usage))
	}
	return b.String()
}

// manText turns a description into paragraphs. Its indented lines stay as they
// are.
func manText(text string) string {
	var b strings.Builder
	literal := false
	for line := range strings.Lines(text) {
		indented := strings.HasPrefix(line, "  ")
		if line == "\n" {
			if !literal {
				b.WriteString(".PP\n")
			}
			continue
		}
		if indented != literal {
			literal = indented
			b.WriteString(map[bool]string{true: ".RS\n.nf\n", false: ".fi\n.RE\n.PP\n"}[literal])
		}
		b.WriteString(roff(strings.TrimPrefix(line, "  ")))
	}
	if literal {
		b.WriteString(".fi\n.RE\n")
	}
	return b.String()
}

// roff escapes text: readers must be able to copy the hyphens of flags, and a
// line must not begin like a macro.
func roff(text string) string {
	lines := strings.Split(strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
