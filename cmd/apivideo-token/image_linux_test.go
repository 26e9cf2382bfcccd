package main

import (
	"debug/elf"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// image is what the Dockerfile makes, without a container engine: the commands of
// its first stage run on this machine instead of in the image golang.
type image struct {
	root       string // the folder that is the image
	user       string
	labels     map[string]string
	entrypoint []string
}

// built builds the image once for all tests.
var built = sync.OnceValues(func() (*image, error) {
	file, err := os.ReadFile("Dockerfile")
	if err != nil {
		return nil, err
	}
	b := &builder{dir: filepath.Join(filepath.Dir(binary), "image"), stages: map[string]string{}}
	text := regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(string(file), "")
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		if name, rest, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			if err := b.do(name, strings.TrimSpace(rest)); err != nil {
				return nil, err
			}
		}
	}
	b.image.root = b.stage
	return &b.image, nil
})

func newImage(t *testing.T) *image {
	t.Helper()
	i, err := built()
	require.NoError(t, err)
	return i
}

// builder follows the instructions of a Dockerfile.
type builder struct {
	dir     string            // has a folder for each stage
	stages  map[string]string // by name
	stage   string
	workdir string
	image   image
}

func (b *builder) do(instruction, rest string) error {
	words := strings.Fields(rest)
	switch instruction {
	case "FROM":
		b.image, b.workdir = image{labels: map[string]string{}}, "/"
		b.stage = filepath.Join(b.dir, words[len(words)-1])
		b.stages[words[len(words)-1]] = b.stage
		return os.MkdirAll(b.stage, 0o755)
	case "WORKDIR":
		b.workdir = rest
		return os.MkdirAll(filepath.Join(b.stage, rest), 0o755)
	case "COPY":
		if rest == ". ." {
			return copyContext(filepath.Join(b.stage, b.workdir))
		}
		from, source, target := strings.TrimPrefix(words[0], "--from="), words[1], words[2]
		return copyFile(filepath.Join(b.stages[from], source), filepath.Join(b.stage, target))
	case "RUN":
		cmd := exec.Command("sh", "-c", strings.ReplaceAll(rest, "/out/", filepath.Join(b.stage, "out")+"/"))
		cmd.Dir, cmd.Stderr = filepath.Join(b.stage, b.workdir), os.Stderr
		return cmd.Run()
	case "LABEL":
		for _, l := range regexp.MustCompile(`(\S+)="(.*?)"`).FindAllStringSubmatch(rest, -1) {
			b.image.labels[l[1]] = l[2]
		}
		return nil
	case "USER":
		b.image.user = rest
		return nil
	case "ENTRYPOINT":
		return json.Unmarshal([]byte(rest), &b.image.entrypoint)
	}
	return &fs.PathError{Op: "build", Path: instruction, Err: fs.ErrInvalid}
}

// copyContext copies the files of a clone, without those in .dockerignore.
func copyContext(to string) error {
	ignored, err := os.ReadFile("Dockerfile.dockerignore")
	if err != nil {
		return err
	}
	list := exec.Command("git", "ls-files", "-z")
	list.Dir = "../.."
	files, err := list.Output()
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.Trim(string(files), "\x00"), "\x00") {
		if !ignores(string(ignored), name) {
			if err := copyFile(filepath.Join("../..", name), filepath.Join(to, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// ignores reports whether a pattern names the file or a folder above it.
func ignores(patterns, name string) bool {
	for pattern := range strings.Lines(patterns) {
		pattern, anywhere := strings.CutPrefix(strings.TrimSpace(pattern), "**/")
		for at := name; at != "."; at = path.Dir(at) {
			part := at
			if anywhere {
				part = path.Base(at)
			}
			if ok, _ := path.Match(pattern, part); ok {
				return true
			}
		}
	}
	return false
}

// copyFile makes a link where it can: a program that was just written may not
// start, while another test's process still has the file open.
func copyFile(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, info.Mode().Perm())
}

// Promise: The image has one static program, a numeric user and no shell.
func TestImageIsSmallAndSafe(t *testing.T) {
	t.Parallel()
	i := newImage(t)
	assert.Equal(t, []string{"/apivideo-token"}, i.entrypoint)
	assert.Regexp(t, `^[1-9]\d*:[1-9]\d*$`, i.user, "Kubernetes checks runAsNonRoot by the number")
	for _, label := range []string{"title", "description", "source", "licenses"} {
		assert.NotEmpty(t, i.labels["org.opencontainers.image."+label], label)
	}
	entries, err := os.ReadDir(i.root)
	require.NoError(t, err)
	require.Len(t, entries, 1, "no shell, no other program")
	f, err := elf.Open(filepath.Join(i.root, entries[0].Name()))
	require.NoError(t, err)
	defer f.Close()
	for _, p := range f.Progs {
		assert.NotEqual(t, elf.PT_INTERP, p.Type, "what needs no dynamic linker runs in an empty image")
	}
	_, n := roots() // such an image has none
	assert.Greater(t, n, 100)
}

func TestImageCommandOfDocument(t *testing.T) {
	t.Parallel()
	assert.Regexp(t, `^docker build -f cmd/apivideo-token/Dockerfile -t \S+ \.\n$`, deployment(t, "An image of the command")[0])
	_, err := os.Stat("../../cmd/apivideo-token/Dockerfile")
	assert.NoError(t, err)
}

// Promise: The image has one static program, a numeric user and no shell.
func TestImageContextIsClean(t *testing.T) {
	t.Parallel()
	ignored, err := os.ReadFile("Dockerfile.dockerignore")
	require.NoError(t, err)
	for name, want := range map[string]bool{
		".git/config": true, "integration/node/node_modules/a/b.js": true, "cmd/apivideo-token/main_test.go": true,
		"docs/logs.md": true, "testdata/api.txt": true, "go.mod": false, "cmd/apivideo-token/main.go": false,
		"cmd/apivideo-token/text/run.txt": false,
	} {
		assert.Equal(t, want, ignores(string(ignored), name), name)
	}
}
