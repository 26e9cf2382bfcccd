//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pages are the help of every command, "" being the program's own.
func (u *user) pages() map[string]string {
	pages := map[string]string{"": u.ok("help")}
	for _, cmd := range newApp().command().Commands {
		pages[cmd.Name] = u.ok("help", cmd.Name)
	}
	pages["completion"] = u.ok("help", "completion") // the library adds it later
	return pages
}

func TestHelpNeedsNoKey(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	delete(u.env, keyVariable)
	pages := u.pages()
	assert.Len(t, pages, 10)
	for name, page := range pages {
		assert.Equal(t, page, u.ok(strings.Fields(name+" -h")...))
		assert.Equal(t, page, u.ok(strings.Fields(name+" --help")...))
		assert.Regexp(t, `^(.{0,80}\n)+$`, page, name)
		if name != "" {
			assert.Contains(t, pages[""], "\n  "+name+" ", "in the list of commands")
		}
	}
	assert.Contains(t, pages[""], "give up after "+defaultTimeout.String()+", the default")
	for _, status := range []int{0, statusOther, statusUsage, statusTemporary, statusRejected, statusSettings} {
		assert.Regexp(t, fmt.Sprintf(`(?m)^  %d  `, status), pages[""])
	}
	for _, status := range []int{statusNotExecutable, statusNotFound, statusSignal} {
		assert.Contains(t, pages["run"], fmt.Sprint(status))
	}
}

var example = regexp.MustCompile(`(?m)^Examples:\n\n((?:  .*\n)+)`)

// examples are those of the help, as one script for each command.
func (u *user) examples() map[string]string {
	scripts := map[string]string{}
	for name, page := range u.pages() {
		if found := example.FindStringSubmatch(page); found != nil {
			scripts[name] = found[1]
		}
	}
	return scripts
}

func TestHelpExamplesKeepTokensOutOfPS(t *testing.T) {
	t.Parallel()
	scripts := newUser(t).examples()
	assert.Len(t, scripts, 5)
	for name, script := range scripts {
		assert.NotRegexp(t, `curl[^|\n]*\$\(apivideo-token`, script, name)
		assert.NotRegexp(t, `curl (?:[^-]|-[^-])*-H "`, script, name)
		assert.Equal(t, strings.Count(script, "curl "), strings.Count(script, "curl --fail-with-body -"), name)
		if strings.Contains(script, "-header") {
			assert.Regexp(t, `set -o pipefail(?s:.*)-header`, script)
		}
	}
}

// The programs that the examples name are played by functions.
func TestHelpExamplesRun(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.keyFile(u.key())
	dir := t.TempDir()
	for _, name := range []string{"python", "upload.sh"} {
		require.NoError(t, writeExecutable(filepath.Join(dir, name), "#!/bin/sh\nexit 0\n"))
	}
	require.NoError(t, exec.Command("ln", "-s", binary, filepath.Join(dir, "apivideo-token")).Run())
	u.env["PATH"] = dir + ":/usr/bin:/bin"
	for name, script := range u.examples() {
		script = strings.ReplaceAll(script, "/run/secrets/apivideo", u.env[keyFileVariable])
		script = strings.ReplaceAll(script, "/run/apivideo.sock", filepath.Join(dir, "sock"))
		script = strings.ReplaceAll(script, "127.0.0.1:8787", "127.0.0.1:0")
		script = strings.ReplaceAll(script, "-secret-file ~/secret", "-secret-file ~/secret &")
		const preamble = "set -e; curl() { cat; }; jq() { cat; }; man() { cat; }\n"
		const epilogue = "\nfor job in $(jobs -p); do kill $job; done; wait\n"
		cmd := u.command()
		bash, err := exec.LookPath("bash")
		require.NoError(t, err)
		cmd.Path, cmd.Args, cmd.Dir = bash, []string{"bash", "-c", preamble + script + epilogue}, dir
		var failure bytes.Buffer
		cmd.Stderr = &failure
		assert.NoError(t, cmd.Run(), "%s\n%s", name, &failure)
		assert.NotContains(t, failure.String(), "apivideo-token:")
	}
}

func TestManPageHasAllOfTheHelp(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	page := u.ok("man")
	macro := regexp.MustCompile(`^\.(TH|SH|SS|PP|TP|RS|RE|nf|fi)\b`)
	for line := range strings.Lines(page) {
		assert.True(t, !strings.HasPrefix(line, ".") || macro.MatchString(line), line)
		assert.False(t, strings.HasPrefix(line, "'"), line)
	}
	plain := strings.NewReplacer(`\-`, "-", `\e`, `\`, `\fB`, "", `\fR`, "", `\&`, "").Replace(page)
	words := strings.Fields(plain)
	for name, help := range u.pages() {
		for _, word := range strings.Fields(help) {
			known := slices.Contains(words, word) || strings.HasSuffix(word, ":")
			assert.True(t, known, "%s: %s", name, word)
		}
	}
}

// Promise: A flag of the program works before the name of a command too; one without a meaning for the command is refused, and is not in its help.
func TestHelpHasFlagsThatGo(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	flag := regexp.MustCompile(`(?m)^  (-[a-z-]+)(?:  | [A-Z0-9])`)
	for name, want := range map[string]string{
		"run": "-allow -audit -intercept -sandbox -no-cache -v -h", "check": "-timeout -sandbox -no-cache -v -h", "status": "-json -sandbox -no-cache -v -h",
		"ready": "-listen -timeout -h", "logout": "-h", "man": "-h", "help": "-h", "completion": "-h",
	} {
		page, _, _ := strings.Cut(u.ok("help", name), "\n\nExamples")
		var got []string
		for _, f := range flag.FindAllStringSubmatch(page, -1) {
			got = append(got, f[1])
		}
		assert.Equal(t, want, strings.Join(got, " "), name)
		assert.NotContains(t, page, "`")
	}
}

func TestCompletionScripts(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	for _, shell := range []string{"bash", "zsh", "fish"} {
		assert.Contains(t, u.ok("completion", shell), "apivideo-token")
	}
	assert.Contains(t, u.ok("--generate-shell-completion"), "serve:serve the local proxy until SIGTERM\n")
	assert.Contains(t, u.ok("help", "--generate-shell-completion"), "serve:serve the local proxy until SIGTERM\n")
	assert.Contains(t, u.ok("run", "-al", "--generate-shell-completion"), "-allow:allow what matches PATTERN and nothing else; repeatable\n")
	marker := filepath.Join(t.TempDir(), "ran")
	assert.Empty(t, u.ok("run", "--", "touch", marker, "--generate-shell-completion"))
	assert.Empty(t, u.ok("run", "touch", marker, "-", "--generate-shell-completion"))
	assert.NoFileExists(t, marker, "nothing is run to complete a line")
	assert.Zero(t, u.srv.Counters().AuthCalls)
}

// tab returns what bash offers for a line, without the package bash-completion.
func (u *user) tab(words ...string) string {
	u.t.Helper()
	cmd := u.command()
	bash, err := exec.LookPath("bash")
	require.NoError(u.t, err)
	const script = `eval "$(apivideo-token completion bash)"
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _apivideo_token apivideo-token; echo "${COMPREPLY[*]}"`
	cmd.Path, cmd.Args = bash, append([]string{"bash", "--norc", "-c", script, "bash"}, words...)
	var out, failure bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failure
	require.NoError(u.t, cmd.Run())
	assert.Empty(u.t, failure.String())
	return strings.TrimSuffix(out.String(), "\n")
}

// Promise: Completion in bash needs no other package, and evaluates nothing in the line.
func TestCompletionInBash(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	dir := filepath.Join(u.env["HOME"], "bin")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.Symlink(binary, filepath.Join(dir, "apivideo-token")))
	u.env["PATH"] = dir + ":/usr/bin:/bin"
	marker := filepath.Join(u.env["HOME"], "ran")
	for line, want := range map[string]string{
		"apivideo-token st":                         "status",
		"~/bin/apivideo-token st":                   "status",
		"apivideo-token -no":                        "-no-cache",
		"apivideo-token check -t":                   "-timeout",
		"apivideo-token help ser":                   "serve",
		"apivideo-token completion ba":              "bash",
		"apivideo-token run -allow $(touch|MARK) -": "-allow -audit -intercept -sandbox -no-cache -v -h",
	} {
		words := strings.Split(strings.ReplaceAll(line, "|MARK", "\x00"+marker), " ")
		for i := range words {
			words[i] = strings.ReplaceAll(words[i], "\x00", " ")
		}
		assert.Equal(t, want, u.tab(words...), line)
	}
	assert.NoFileExists(t, marker, "the line is not evaluated")
}
