// Package docs checks the documents, the layout of the repository, and what is
// generated from its code. It is a module, so that go test ./... in the root
// tests only code. From this folder:
//
//	go test          # check
//	go test -update  # write comparison.md, promises.md and testdata/api.txt again
package docs

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the generated files again")

// A rule returns the places of a tree that break it. Each rule has trees that
// do, with a part of the fault that is found.
type rule struct {
	name   string
	check  func(tree) faults
	broken map[string]tree
}

var rules = slices.Concat(proseRules, linkRules, messageRules, layoutRules, generatedRules, dependencyRules)

func TestRepositoryKeepsRules(t *testing.T) {
	files := repository(t)
	if *update {
		for name, generate := range generators {
			files[name] = generate(files)
			require.NoError(t, os.WriteFile(filepath.Join("..", name), []byte(files[name]), 0o644))
		}
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			for _, fault := range r.check(files) {
				t.Error(fault)
			}
		})
	}
}

// A rule that finds nothing might look at nothing.
func TestRulesFindFaults(t *testing.T) {
	for _, r := range rules {
		assert.NotEmpty(t, r.broken, r.name)
		for want, broken := range r.broken {
			assert.Contains(t, strings.Join(r.check(broken), "\n"), want, r.name)
		}
	}
}

var isTest = regexp.MustCompile(`^(Test|Fuzz|Benchmark|Example)([A-Z_]|$)`)
