package standin_test

import (
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/internal/standin"
	"github.com/apivideo/api.video-go-oauth2/internal/standin/operations"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each operation of the OpenAPI file is served, with the status that the file
// has, and is in the README. There are no exceptions.
//
// Promise: `apivideo-standin` and `apivideotest` serve all 59 operations of the OpenAPI file, with its statuses.
func TestOperationsAreAllServed(t *testing.T) {
	service := standin.New(nil, nil)
	service.AddKey("made-up-key")
	srv := httptest.NewServer(service)
	defer srv.Close()
	readme, err := os.ReadFile("../../cmd/apivideo-standin/README.md")
	require.NoError(t, err)

	steps := operations.Steps()
	walker := operations.New(srv.URL, "made-up-key", srv.Client())
	var names []string
	for _, step := range steps {
		resp, body, err := walker.Take(step)
		require.NoError(t, err)
		assert.Equal(t, step.Status, resp.StatusCode, "%s: %s", step.Op, body)
		assert.Equal(t, 1, strings.Count(string(readme), "`"+step.Op+"`"), "%s in the README", step.Op)
		if resp.StatusCode != 204 && resp.StatusCode != 202 {
			assert.Equal(t, "application/json", resp.Header.Get("Content-Type"), step.Op)
		}
		names = append(names, step.Op)
	}
	slices.Sort(names)
	assert.Len(t, slices.Compact(names), 59)
	assert.Equal(t, 57, strings.Count(string(readme), "| yes"), "the two auth calls are not in the table")
}
