package main

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"
)

// bashScript needs no package bash-completion. Unlike the library's script it
// does not evaluate the line, which may have a command substitution.
//
//go:embed completion.bash
var bashScript string

// completion adjusts the library's command, which prints a script for a shell.
func (a *app) completion(cmd *cli.Command) {
	cmd.Hidden = false
	cmd.Usage = "print a completion script for bash, zsh or fish"
	cmd.UsageText = "apivideo-token completion bash|zsh|fish"
	cmd.ArgsUsage = "SHELL"
	a.finish(cmd)
	cmd.Action = a.action(func(context.Context, *cli.Command) error {
		return usage("completion takes the name of a shell: bash, zsh or fish")
	})
	cmd.Command("bash").Action = func(context.Context, *cli.Command) error {
		a.out.WriteString(bashScript)
		return nil
	}
}

// complete prints what may follow in the line, one a line, each with its
// meaning: flags after a hyphen, else commands.
func (a *app) complete(_ context.Context, cmd *cli.Command) {
	words := cmd.Commands
	if cmd.ArgsUsage == "COMMAND" {
		words = cmd.Root().Commands
	}
	switch last, arg := a.args[len(a.args)-2], cmd.Args().First(); { // behind last is the flag that asks for this
	case arg != "" && arg[0] != '-': // an argument, or the program of run and its own
	case strings.HasPrefix(last, "-"):
		for _, f := range flagsOf(cmd) {
			name, _, _ := strings.Cut(f.name, " ")
			fmt.Fprintf(&a.out, "%s:%s\n", name, f.usage)
		}
	default:
		for _, c := range words {
			fmt.Fprintf(&a.out, "%s:%s\n", c.Name, c.Usage)
		}
	}
}
