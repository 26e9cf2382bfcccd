package problems_test

import (
	"testing"

	"github.com/apivideo/api.video-go-oauth2/internal/problems"
	"github.com/stretchr/testify/assert"
)

func TestByID(t *testing.T) {
	p, ok := problems.ByID(problems.SuspendedAccount)
	assert.True(t, ok)
	assert.Equal(t, problems.Problem{ID: problems.SuspendedAccount, Status: 403, Title: "Suspended account"}, p)
	assert.Equal(t, "https://docs.api.video/reference/authorization-suspended-account", p.Type())
	_, ok = problems.ByID("made-up")
	assert.False(t, ok)
}

func TestIDOfAnAnswer(t *testing.T) {
	const title = "The user credentials were incorrect."
	for _, c := range []struct{ kind, title, want string }{
		{"https://docs.api.video/reference/made-up", title, "made-up"},
		{"https://docs.api.video/reference/made-up//", title, "made-up"},
		{"made-up", "", "made-up"},
		{"/", title, ""},
		{"", title, problems.InvalidUserCredentials}, // not the legacy one
		{"", "", ""},
	} {
		assert.Equal(t, c.want, problems.ID(c.kind, c.title), "%q, %q", c.kind, c.title)
	}
}

func TestMethodNotAllowedHasType(t *testing.T) {
	p, ok := problems.ByID(problems.MethodNotAllowed)
	assert.True(t, ok)
	assert.Equal(t, 405, p.Status)
	assert.Equal(t, "https://docs.api.video/reference/method-not-allowed", p.Type())
}
