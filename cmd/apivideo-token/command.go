package main

import (
	"context"
	"slices"
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
			boolean("header", `print "Authorization: Bearer TOKEN"`, &o.header),
			boolean("json", "print JSON", &o.json),
			duration("min-ttl", "get a new token if the cached one lives less than `10m`", &o.minTTL, 0),
			boolean("refresh", "get a token issued after this run began", &o.refresh),
			boolean("reject", "read a refused token from standard input, print another", &o.reject),
			duration("timeout", "give up after `30s`, the default", &o.timeout, defaultTimeout),
			boolean("version", "print the version", &o.version),
			boolean("sandbox", "use the sandbox, which has its own API keys", &o.sandbox),
			boolean("no-cache", "neither read nor write the cache", &o.noCache),
			boolean("v", "log the use of the cache and the auth calls", &o.verbose),
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
	a.finish(root)
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
				&cli.BoolFlag{Name: "intercept", Usage: "serve clients that use their default URL, too", Destination: &o.intercept, Local: true},
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
			Name: "ready", Usage: "ask serve whether it has a token that the API takes",
			UsageText: "apivideo-token ready [-listen ADDRESS]",
			Flags: []cli.Flag{
				listenFlag(o, "the `ADDRESS` of serve: 127.0.0.1:8787 (default) or unix:/path"),
			},
			Action: a.action(a.ready),
		},
	}
}

func (a *app) otherCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "status", Usage: "show the account, the key and the cache; makes no call",
			UsageText: "apivideo-token status [flags]",
			Action:    a.action(a.status),
		},
		{
			Name: "check", Usage: "check the key, the service, the clock and the cache",
			UsageText: "apivideo-token check [flags]",
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

// ofAccount are the flags of the program that every command with an account takes.
var ofAccount = []string{"sandbox", "no-cache", "v"}

// taken are the flags of the program that a command takes too, before or after
// its name. Each command takes -h.
var taken = map[string][]string{
	"run":    ofAccount,
	"serve":  ofAccount,
	"ready":  {"timeout"},
	"status": append([]string{"json"}, ofAccount...),
	"check":  append([]string{"timeout"}, ofAccount...),
}

// takes reports whether a command takes a flag of the program.
func takes(cmd *cli.Command, flag string) bool {
	return cmd == cmd.Root() || flag == "h" || slices.Contains(taken[cmd.Name], flag)
}

// finish sets the common fields of cmd and the commands below it.
func (a *app) finish(cmd *cli.Command) {
	cmd.Description = textOf(cmd.Name)
	cmd.OnUsageError = wrongFlag
	cmd.ShellComplete = a.complete
	for _, sub := range cmd.Commands {
		a.finish(sub)
	}
}

// action does the common part of all commands, then f.
func (a *app) action(f cli.ActionFunc) cli.ActionFunc {
	return func(ctx context.Context, cmd *cli.Command) error {
		if a.opts.help {
			a.out.WriteString(helpText(cmd))
			return nil
		}
		if cmd.Args().Present() && cmd.ArgsUsage == "" {
			return wrongArgument(cmd)
		}
		for _, f := range cmd.Root().Flags {
			if name := f.Names()[0]; f.IsSet() && !takes(cmd, name) {
				return usage("-%s does not go with %s; see %s", name, cmd.Name, pageOf(cmd))
			}
		}
		for _, f := range cmd.Flags {
			if text, ok := f.(*cli.StringFlag); ok && f.IsSet() && *text.Destination == "" {
				return usage("-%s is empty; see %s", text.Name, pageOf(cmd))
			}
		}
		if a.opts.timeout <= 0 {
			return usage("-timeout must be a time like 30s or 10m; see %s", pageOf(cmd))
		}
		return f(ctx, cmd)
	}
}

func boolean(name, usage string, to *bool) cli.Flag {
	return &cli.BoolFlag{Name: name, Usage: usage, Destination: to}
}

func duration(name, usage string, to *time.Duration, value time.Duration) cli.Flag {
	return &cli.DurationFlag{Name: name, Usage: usage, Value: value, Destination: to}
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
