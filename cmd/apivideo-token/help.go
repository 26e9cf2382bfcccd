package main

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
)

// texts are the descriptions of the commands, from which both the help and the
// man page are made.
//
//go:embed text
var texts embed.FS

// textOf is the description of a command; not every one has one.
func textOf(name string) string {
	text, _ := texts.ReadFile("text/" + name + ".txt")
	return string(text)
}

// help prints the help of the command that is named.
func (a *app) help(_ context.Context, cmd *cli.Command) error {
	about := cmd.Root()
	if name := cmd.Args().First(); name != "" {
		about = about.Command(name)
	}
	if about == nil || cmd.Args().Len() > 1 {
		if meant := nearest(cmd.Args().First(), commandNames(cmd.Root())); meant != "" {
			return usage("there is no help about that; did you mean apivideo-token help %s?", meant)
		}
		return usage("there is no help about that; see apivideo-token -h")
	}
	a.out.WriteString(helpText(about))
	return nil
}

// man prints the manual in the language of man.
func (a *app) man(_ context.Context, cmd *cli.Command) error {
	a.out.WriteString(manPage(cmd.Root()))
	return nil
}

// item is a line of a list: a flag or a command, and what it does.
type item struct{ name, usage string }

// flagsOf are the flags that cmd takes: its own, then those of the program.
func flagsOf(cmd *cli.Command) (items []item) {
	root := cmd.Root()
	flags := root.VisibleFlags()
	if cmd != root {
		flags = slices.DeleteFunc(flags, func(f cli.Flag) bool { return !takes(cmd, f.Names()[0]) })
		flags = append(cmd.VisibleFlags(), flags...)
	}
	for _, f := range flags {
		usage := f.(cli.DocGenerationFlag).GetUsage()
		name := "-" + f.Names()[0]
		if quoted := strings.Split(usage, "`"); len(quoted) == 3 { // its value, as in package flag
			name += " " + quoted[1]
			usage = strings.Join(quoted, "")
		}
		items = append(items, item{name, usage})
	}
	return items
}

func commandsOf(cmd *cli.Command) (items []item) {
	if cmd.Root() == cmd {
		for _, sub := range cmd.Commands {
			items = append(items, item{sub.Name, sub.Usage})
		}
	}
	return items
}

// helpText is the help of a command.
func helpText(cmd *cli.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n", cmd.FullName(), cmd.Usage)
	for line := range strings.Lines(cmp.Or(cmd.UsageText, cmd.FullName())) {
		b.WriteString("  " + strings.TrimSuffix(line, "\n") + "\n")
	}
	list := func(title string, items []item) {
		if len(items) == 0 {
			return
		}
		width := 0
		for _, it := range items {
			width = max(width, len(it.name))
		}
		b.WriteString("\n" + title + ":\n\n")
		for _, it := range items {
			fmt.Fprintf(&b, "  %-*s  %s\n", width, it.name, it.usage)
		}
	}
	list("Commands", commandsOf(cmd))
	list("Flags", flagsOf(cmd))
	if cmd.Description != "" {
		b.WriteString("\n" + cmd.Description)
	}
	return b.String()
}
