//go:build unix

package redisstore_test

import "testing"

func TestWhileRedisHangsNoRequestFailsOrWaits(t *testing.T) {
	t.Parallel()
	server := newRedis(t)
	outage(t, server, server.freeze, server.thaw)
}
