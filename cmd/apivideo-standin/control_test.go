package main

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Promise: `/_control` revokes, suspends, breaks and slows calls, and resets; mistakes change nothing.
func TestControlRevokesAndSuspends(t *testing.T) {
	g := newRig(t, options{})
	token := g.login()
	bearer := []string{"Authorization", "Bearer " + token.Access}
	require.Equal(t, 200, g.call("GET", "/videos", "", bearer...).status)
	assert.Equal(t, 204, g.call("POST", "/_control/revoke", "").status)
	assert.Equal(t, 401, g.call("GET", "/videos", "", bearer...).status)
	renewed := g.call("POST", "/auth/refresh", `{"refreshToken":"`+token.Refresh+`"}`)
	assert.Equal(t, 200, renewed.status)
	g.call("POST", "/_control/revoke?refresh=true", "")
	assert.Equal(t, 401, g.call("POST", "/auth/refresh", `{"refreshToken":"`+renewed.Refresh+`"}`).status)

	g.call("POST", "/_control/suspend", "")
	assert.Equal(t, "Suspended account", g.call("GET", "/videos", "").Title)
	g.call("POST", "/_control/suspend?suspended=false", "")
	assert.Equal(t, 200, g.call("GET", "/videos", "").status)
}

// Promise: `/_control` revokes, suspends, breaks and slows calls, and resets; mistakes change nothing.
func TestControlDownAndLatency(t *testing.T) {
	g := newRig(t, options{})
	status := func() []int {
		return []int{
			g.call("GET", "/videos", "").status,
			g.call("POST", "/auth/api-key", `{"apiKey":"`+g.s.key+`"}`).status,
		}
	}
	g.call("POST", "/_control/down?status=502&for=1h", "")
	assert.Equal(t, []int{502, 502}, status())
	g.call("POST", "/_control/down?for=1h&calls=auth", "")
	assert.Equal(t, []int{200, 503}, status())
	g.call("POST", "/_control/down?for=1h&calls=api", "")
	assert.Equal(t, []int{503, 200}, status())
	assert.Contains(t, g.call("GET", "/videos", "").body, "<html>", "as from a CDN")
	g.call("POST", "/_control/down?for=1ms", "")
	time.Sleep(2 * time.Millisecond)
	assert.Equal(t, []int{200, 200}, status())

	g.call("POST", "/_control/latency?auth=50ms", "")
	begun := time.Now()
	g.login()
	assert.GreaterOrEqual(t, time.Since(begun), 50*time.Millisecond)
	g.call("POST", "/_control/latency?api=1h", "")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", g.url+"/videos", nil)
	_, err := http.DefaultClient.Do(req)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

// Promise: `/_control` revokes, suspends, breaks and slows calls, and resets; mistakes change nothing.
func TestControlKeysAndReset(t *testing.T) {
	g := newRig(t, options{})
	added := g.call("POST", "/_control/keys", "").APIKey
	require.NotEmpty(t, added)
	assert.Equal(t, 204, g.call("POST", "/_control/keys?delete="+g.s.key, "").status)
	assert.Equal(t, 401, g.call("GET", "/videos", "").status)
	assert.Equal(t, 200, g.call("POST", "/auth/api-key", `{"apiKey":"`+added+`"}`).status)

	g.call("POST", "/_control/down?for=1h", "")
	g.call("POST", "/_control/reset", "")
	assert.Empty(t, g.call("GET", "/_control/requests", "").Requests)
	assert.Equal(t, 3, g.call("GET", "/videos", "").Pagination.ItemsTotal, "the first key and the seed are there again")
	g.call("POST", "/videos", `{"title":"A"}`)
	assert.Equal(t, 4, g.call("GET", "/videos", "").Pagination.ItemsTotal)
	g.call("POST", "/_control/reset", "")
	assert.Equal(t, 3, g.call("GET", "/videos", "").Pagination.ItemsTotal)
}

// Promise: `/_control` revokes, suspends, breaks and slows calls, and resets; mistakes change nothing.
func TestControlRefusal(t *testing.T) {
	g := newRig(t, options{})
	refused := func() (statuses []any) {
		for path, body := range map[string]string{"/auth/api-key": `{"apiKey":"x"}`, "/auth/refresh": `{"refreshToken":"x"}`} {
			r := g.call("POST", path, body)
			statuses = append(statuses, r.status)
			if r.status == 400 {
				assert.Equal(t, "The user credentials were incorrect.", r.Title)
			}
		}
		return statuses
	}
	assert.Equal(t, []any{401, 401}, refused())
	assert.Equal(t, 204, g.call("POST", "/_control/keys?refusal=400", "").status, "no key is added")
	assert.Equal(t, []any{400, 400}, refused())
	g.login()
	g.call("POST", "/_control/keys?refusal=401", "")
	assert.Equal(t, []any{401, 401}, refused())
	g.call("POST", "/_control/keys?refusal=400&delete="+g.s.key, "")
	assert.Equal(t, []any{400, 400}, refused())
	g.call("POST", "/_control/reset", "")
	assert.Equal(t, []any{401, 401}, refused())
}

// Promise: `/_control` revokes, suspends, breaks and slows calls, and resets; mistakes change nothing.
func TestControlMistakesChangeNothing(t *testing.T) {
	g := newRig(t, options{})
	for query, want := range map[string]string{
		"down?status=200":        "status=200: it must be from 400 to 599",
		"down?status=x":          `status=x: strconv.Atoi: parsing "x": invalid syntax`,
		"down?for=soon":          `for=soon: time: invalid duration "soon"`,
		"down?calls=some":        "calls=some: it must be auth or api",
		"down?until=now":         `there is no parameter "until"`,
		"latency?auth=2":         `auth=2: time: missing unit in duration "2"`,
		"revoke?refresh=x":       `refresh=x: strconv.ParseBool: parsing "x": invalid syntax`,
		"suspend?for=10s":        `there is no parameter "for"`,
		"keys?delete=made-up":    "there is no such key",
		"keys?refusal=403":       "refusal=403: it must be 400 or 401",
		"keys?refusal=x":         `refusal=x: strconv.Atoi: parsing "x": invalid syntax`,
		"keys?remove=" + g.s.key: `there is no parameter "remove"`,
		"reset?all=true":         `there is no parameter "all"`,
	} {
		r := g.call("POST", "/_control/"+query, "")
		assert.Equal(t, []any{400, want}, []any{r.status, r.Title})
	}
	assert.Equal(t, 200, g.call("GET", "/videos", "").status)
	assert.Equal(t, 405, g.call("GET", "/_control/reset", "").status)
	assert.Equal(t, 404, g.call("POST", "/_control/made-up", "").status)
}
