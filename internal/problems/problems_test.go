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

func TestByTitlePrefersTheCurrentIdentifier(t *testing.T) {
	p, ok := problems.ByTitle("The user credentials were incorrect.")
	assert.True(t, ok)
	assert.Equal(t, problems.InvalidUserCredentials, p.ID)
	_, ok = problems.ByTitle("")
	assert.False(t, ok)
}

func TestMethodNotAllowedHasType(t *testing.T) {
	p, ok := problems.ByTitle("Method is not allowed for this route.")
	assert.True(t, ok)
	assert.Equal(t, 405, p.Status)
	assert.Equal(t, "https://docs.api.video/reference/method-not-allowed", p.Type())
}
