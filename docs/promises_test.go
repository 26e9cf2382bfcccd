package docs

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPromisesBySection(t *testing.T) {
	comment := func(names ...string) (text string) {
		text = "package a\n"
		for _, name := range names {
			text += "\n// Promise: Of " + name + ".\n// Promise: Of all.\nfunc " + name + "() {}\n"
		}
		return text
	}
	assert.Equal(t, preface+`
## APIKey

| promise | tests |
|---|---|
| Of TestAPIKeyFails. | `+"`TestAPIKeyFails`"+` |

## Key

| promise | tests |
|---|---|
| Of all. | `+"`TestAPIKeyFails`, `TestKeyFile`, `TestKey401`, `FuzzB`"+` |
| Of TestKeyFile. | `+"`TestKeyFile`"+` |
| Of TestKey401. | `+"`TestKey401`"+` |

## b/c

| promise | tests |
|---|---|
| Of FuzzB. | `+"`FuzzB`"+` |
`, promises(tree{"a_test.go": comment("TestAPIKeyFails", "TestKeyFile", "TestKey401"), "b/c/b_test.go": comment("FuzzB")}))
}
