package main

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
)

// pageOf is the command that prints the help of cmd.
func pageOf(cmd *cli.Command) string {
	if cmd == cmd.Root() {
		return "apivideo-token -h"
	}
	return "apivideo-token help " + cmd.Name
}

// wrongArgument is the error of an argument that cmd does not take. It does not
// repeat the argument: somebody may have passed an API key.
func wrongArgument(cmd *cli.Command) error {
	if cmd == cmd.Root() {
		if meant := nearest(cmd.Args().First(), commandNames(cmd)); meant != "" {
			return usage("unknown command; did you mean %s? See %s", meant, pageOf(cmd))
		}
	}
	return usage("unknown command or argument; see apivideo-token -h")
}

var (
	flagInError = regexp.MustCompile(`^(?:flag provided but not defined: -|flag needs an argument: -{1,2}|(?s:invalid value ".*") for flag -)([A-Za-z][a-z]*(?:-[a-z]+)*)(?:$|: )`)
	flagName    = regexp.MustCompile(`^[A-Za-z-]{1,20}$`) // an API key does not look like this
)

// wrongFlag turns an error of the library into one that names the flag but
// repeats nothing else: somebody may have passed an API key.
func wrongFlag(_ context.Context, cmd *cli.Command, err error, _ bool) error {
	at := pageOf(cmd)
	found := flagInError.FindStringSubmatch(err.Error())
	switch text := err.Error(); {
	case found == nil || !flagName.MatchString(found[1]):
		return usage("unknown flag or bad value; see %s", at)
	case strings.HasPrefix(text, "flag provided"):
		return unknownFlag(cmd, found[1])
	case strings.HasPrefix(text, "flag needs"):
		return usage("-%s needs a value; see %s", found[1], at)
	case found[1] == "min-ttl" || found[1] == "timeout":
		return usage("-%s must be a time like 30s or 10m; see %s", found[1], at)
	default:
		return usage("-%s takes no such value; see %s", found[1], at)
	}
}

// unknownFlag is the error of a flag that cmd does not have.
func unknownFlag(cmd *cli.Command, name string) error {
	known := flagNames(cmd)
	if cmd == cmd.Root() {
		if owners := ownersOf(cmd, name); len(owners) > 0 {
			return usage("-%s goes after its command: %s; see apivideo-token help %s", name, strings.Join(owners, " or "), owners[0])
		}
		for _, sub := range cmd.Commands {
			known = append(known, flagNames(sub)...)
		}
	}
	if meant := nearest(name, known); meant != "" {
		return usage("unknown flag -%s; did you mean -%s? See %s", name, meant, pageOf(cmd))
	}
	return usage("unknown flag -%s; see %s", name, pageOf(cmd))
}

// ownersOf are the commands that have a flag.
func ownersOf(root *cli.Command, flag string) (owners []string) {
	for _, sub := range root.Commands {
		if slices.Contains(flagNames(sub), flag) {
			owners = append(owners, sub.Name)
		}
	}
	return owners
}

func flagNames(cmd *cli.Command) (names []string) {
	for _, f := range flagsOf(cmd) {
		name, _, _ := strings.Cut(f.name, " ")
		names = append(names, strings.TrimPrefix(name, "-"))
	}
	return names
}

func commandNames(root *cli.Command) (names []string) {
	for _, sub := range root.Commands {
		names = append(names, sub.Name)
	}
	return names
}

// nearest returns the known word that a mistyped one stands for, or "". A third
// of the letters may be wrong.
func nearest(word string, known []string) (best string) {
	least := (len(word) + 2) / 3
	for _, w := range known {
		if d := typos(word, w); d > 0 && d <= least {
			best, least = w, d-1 // the first of equals
		}
	}
	return best
}

// typos is how many letters must be inserted, deleted, changed, or swapped with
// the next one to turn a into b.
func typos(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			changed := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				changed++
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, changed)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
