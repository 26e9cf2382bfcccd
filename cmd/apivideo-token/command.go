package main

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/urfave/cli/v3"
)

// defaultTimeout is as long as the auth calls of one renewal may take.
const defaultTimeout = 30 * time.Second

// options are the flags. What a command does not have stays zero.
type options struct {
	began    time.Time // when this run began
	reporter *reporter // nil without -v

	help, verbose, sandbox, noCache        bool
	header, json, refresh, reject, version bool
	minTTL, timeout                        time.Duration
	allow                                  []string
	listen, secretFile, audit              string
	intercept                              bool
}

// The library's help repeats arguments, which may be secrets. The variable is
// global, so command does not set it: several may run at the same time.
func init() { cli.HelpFlag = nil }

// command returns the tree of commands. A flag has one or two hyphens.
func (a *app) command() *cli.Command {
	o := &a.opts
	root := &cli.Command{
		Name:      "apivideo-token",
		Usage:     "print an api.video access token, or run programs that need one",
		UsageText: "apivideo-token [flags]\napivideo-token COMMAND [flags]",
		Flags: []cli.Flag{
			local("header", `print "Authorization: Bearer TOKEN"`, &o.header),
			local("json", "print access_token, token_type and expiry as JSON", &o.json),
			duration("min-ttl", "get a new token if the cached one lives less than `10m`", &o.minTTL, 0),
			local("refresh", "get a token issued after this run began", &o.refresh),
			local("reject", "read a refused token from standard input, print another", &o.reject),
			duration("timeout", "give up after `30s`, the default", &o.timeout, defaultTimeout),
			local("version", "print the version", &o.version),
			global("sandbox", "use the sandbox, which has its own API keys", &o.sandbox),
			global("no-cache", "neither read nor write the cache", &o.noCache),
			global("v", "log the use of the cache and the auth calls", &o.verbose),
			&cli.BoolFlag{Name: "h", Aliases: []string{"help"}, Usage: "print this help", Destination: &o.help},
		},
		Action:                          a.action(a.printToken),
		Commands:                        a.commands(),
		Writer:                          &a.out,
		ErrWriter:                       a.stderr,
		HideHelp:                        true,
		HideVersion:                     true,
		DisableSliceFlagSeparator:       true,
		EnableShellCompletion:           true,
		ConfigureShellCompletionCommand: a.completion,
		ExitErrHandler:                  func(context.Context, *cli.Command, error) {},
	}
	finish(root)
	return root
}

func (a *app) commands() []*cli.Command {
	return append(a.proxyCommands(), a.otherCommands()...)
}

func (a *app) proxyCommands() []*cli.Command {
	o := &a.opts
	return []*cli.Command{
		{
			Name: "run", Usage: "run a program behind a local proxy that holds the API key",
			UsageText: "apivideo-token run [flags] [--] PROGRAM [ARGUMENTS]", ArgsUsage: "PROGRAM",
			Flags: []cli.Flag{
				allowFlag(o), auditFlag(o),
				local("intercept", "serve clients that use their default URL, too", &o.intercept),
			},
			Action: a.action(a.runProgram), StopOnNthArg: new(1),
		},
		{
			Name: "serve", Usage: "serve the local proxy until SIGTERM",
			UsageText: "apivideo-token serve -secret-file FILE [flags]",
			Flags: []cli.Flag{
				listenFlag(o, "listen at `ADDRESS`: 127.0.0.1:8787 (default) or unix:/path"),
				&cli.StringFlag{Name: "secret-file", Usage: "`FILE` with the clients' secret; made if it does not exist", Destination: &o.secretFile, Local: true},
				allowFlag(o), auditFlag(o),
			},
			Action: a.action(a.serve),
		},
		{
			Name: "ready", Usage: "ask serve whether the API would serve a request now",
			UsageText: "apivideo-token ready [-listen ADDRESS]",
			Flags: []cli.Flag{
				listenFlag(o, "the `ADDRESS` of serve: 127.0.0.1:8787 (default) or unix:/path"),
				duration("timeout", "give up after `10s`, the default", &o.timeout, readyTimeout),
			},
			Action: a.action(a.ready),
		},
	}
}

func (a *app) otherCommands() []*cli.Command {
	o := &a.opts
	return []*cli.Command{
		{
			Name: "status", Usage: "show the account, the key and the cache; makes no call",
			UsageText: "apivideo-token status [flags]",
			Flags:     []cli.Flag{local("json", "print it as JSON", &o.json)},
			Action:    a.action(a.status),
		},
		{
			Name: "check", Usage: "check the key, the service, the clock and the cache",
			UsageText: "apivideo-token check [flags]",
			Flags:     []cli.Flag{duration("timeout", "give up after `30s`, the default", &o.timeout, defaultTimeout)},
			Action:    a.action(a.check),
		},
		{
			Name: "logout", Usage: "delete all tokens from the cache",
			UsageText: "apivideo-token logout",
			Action:    a.action(a.logout),
		},
		{
			Name: "help", Usage: "print help, for a command if one is named",
			UsageText: "apivideo-token help [COMMAND]", ArgsUsage: "COMMAND",
			Action: a.action(a.help),
		},
		{
			Name: "man", Usage: "print this manual as a man page",
			UsageText: "apivideo-token man",
			Action:    a.action(a.man),
		},
	}
}

// finish sets the common fields of cmd and the commands below it.
func finish(cmd *cli.Command) {
	cmd.Description = textOf(cmd.Name)
	cmd.OnUsageError = wrongFlag
	for _, sub := range cmd.Commands {
		finish(sub)
	}
}

// completion adjusts the library's command, which prints a script for a shell.
func (a *app) completion(cmd *cli.Command) {
	cmd.Hidden = false
	cmd.Usage = "print a completion script for bash, zsh or fish"
	cmd.UsageText = "apivideo-token completion bash|zsh|fish"
	cmd.ArgsUsage = "SHELL"
	finish(cmd)
	cmd.Action = a.action(func(context.Context, *cli.Command) error {
		return usage("completion takes the name of a shell: bash, zsh or fish")
	})
}

// action does the common part of all commands, then f.
func (a *app) action(f cli.ActionFunc) cli.ActionFunc {
	return func(ctx context.Context, cmd *cli.Command) error {
		root := cmd.Root()
		if a.opts.help {
			a.out.WriteString(helpText(cmd))
			return nil
		}
		if cmd.Args().Present() && cmd.ArgsUsage == "" {
			return usage("unknown command or argument; see apivideo-token -h")
		}
		if cmd != root {
			for _, f := range root.Flags {
				if l, ok := f.(cli.LocalFlag); ok && l.IsLocal() && f.IsSet() {
					return usage("-%s does not go with %s; see apivideo-token help %s", f.Names()[0], cmd.Name, cmd.Name)
				}
			}
		}
		return f(ctx, cmd)
	}
}

func global(name, usage string, to *bool) cli.Flag {
	return &cli.BoolFlag{Name: name, Usage: usage, Destination: to}
}

func local(name, usage string, to *bool) cli.Flag {
	return &cli.BoolFlag{Name: name, Usage: usage, Destination: to, Local: true}
}

func duration(name, usage string, to *time.Duration, value time.Duration) cli.Flag {
	return &cli.DurationFlag{Name: name, Usage: usage, Value: value, Destination: to, Local: true}
}

func allowFlag(o *options) cli.Flag {
	return &cli.StringSliceFlag{Name: "allow", Usage: "allow what matches `PATTERN` and nothing else; repeatable", Destination: &o.allow, Local: true}
}

func auditFlag(o *options) cli.Flag {
	return &cli.StringFlag{Name: "audit", Usage: "write a line of JSON to `FILE` for each request", Destination: &o.audit, Local: true}
}

func listenFlag(o *options, usage string) cli.Flag {
	return &cli.StringFlag{Name: "listen", Usage: usage, Value: "127.0.0.1:8787", Destination: &o.listen, Local: true}
}

var (
	flagInError = regexp.MustCompile(`^(?:flag provided but not defined: -|flag needs an argument: -{1,2}|(?s:invalid value ".*") for flag -)([A-Za-z][a-z]*(?:-[a-z]+)*)(?:$|: )`)
	flagName    = regexp.MustCompile(`^[A-Za-z-]{1,20}$`) // an API key does not look like this
)

// wrongFlag turns an error of the library into one that names the flag but
// repeats nothing else: somebody may have passed an API key.
func wrongFlag(_ context.Context, cmd *cli.Command, err error, _ bool) error {
	at := "apivideo-token -h"
	if cmd != cmd.Root() {
		at = "apivideo-token help " + cmd.Name
	}
	found := flagInError.FindStringSubmatch(err.Error())
	switch text := err.Error(); {
	case found == nil || !flagName.MatchString(found[1]):
		return usage("unknown flag or bad value; see %s", at)
	case strings.HasPrefix(text, "flag provided"):
		return usage("unknown flag -%s; see %s", found[1], at)
	case strings.HasPrefix(text, "flag needs"):
		return usage("-%s needs a value; see %s", found[1], at)
	case found[1] == "min-ttl" || found[1] == "timeout":
		return usage("-%s must be a time like 30s or 10m; see %s", found[1], at)
	default:
		return usage("-%s takes no such value; see %s", found[1], at)
	}
}
