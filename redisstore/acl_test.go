package redisstore_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The user that docs/operations.md recommends may do all that Stores do, and no
// more.
func TestACLOfDocsSuffices(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	var command []any
	for _, word := range strings.Fields(regexp.MustCompile(`(?m)^ACL SETUSER .*$`).FindString(string(text))) {
		command = append(command, word)
	}
	require.NotEmpty(t, command)
	server := newRedis(t)
	admin := server.client(t)
	require.NoError(t, admin.Do(t.Context(), command...).Err())

	client := redis.NewClient(&redis.Options{Addr: server.addr, Username: "apivideo", Password: "change-me"})
	defer client.Close()
	srv := newService(t)
	srv.SetAuthLatency(1500 * time.Millisecond) // longer than it takes until the lock is extended
	assert.Equal(t, 1, coldStart(t, sharing(srv, client), 2))
	together(2, func(int) {
		src := sharing(srv, client).Source(t.Context()) // a Store for each, as in two processes
		_, err := src.Renew(t.Context())
		assert.NoError(t, err)
		assert.Zero(t, src.Stats().StoreFailures)
	})
	assert.Empty(t, denied(t, admin))
	assert.Error(t, client.Get(t.Context(), "other").Err())
	assert.Equal(t, []string{"get"}, denied(t, admin))
}

// denied returns the commands that a user was denied, except that with which
// the client names itself: not every Redis knows it.
func denied(t *testing.T, admin *redis.Client) (commands []string) {
	entries, err := admin.ACLLog(t.Context(), 100).Result()
	require.NoError(t, err)
	for _, e := range entries {
		if !strings.HasPrefix(e.Object, "client") {
			commands = append(commands, e.Object)
		}
	}
	return commands
}
