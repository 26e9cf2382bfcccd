package redisstore_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/redisstore"
	"github.com/apivideo/api.video-go-oauth2/storetest"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A cluster rejects a script whose keys are in two slots, even if it has only one
// server.
func TestStoreOverCluster(t *testing.T) {
	t.Parallel()
	_, bus, _ := net.SplitHostPort(freeAddr())
	server := newRedis(t, "--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-announce-ip", "127.0.0.1")
	require.NoError(t, server.client(t).ClusterAddSlotsRange(t.Context(), 0, 16383).Err())
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{server.addr}})
	t.Cleanup(func() { client.Close() })
	require.Eventually(t, func() bool {
		return strings.Contains(client.ClusterInfo(t.Context()).Val(), "cluster_state:ok")
	}, patience, 50*time.Millisecond)
	storetest.TestStore(t, func() apivideo.Store { return redisstore.New(client) })
}

func TestFleetSurvivesSentinelFailover(t *testing.T) {
	t.Parallel()
	srv, primary := newService(t), newRedis(t)
	host, port, _ := net.SplitHostPort(primary.addr)
	replica := newRedis(t, "--replicaof", host, port)
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	require.NoError(t, os.WriteFile(config, []byte("sentinel monitor fleet "+host+" "+port+" 1\n"), 0o600))
	sentinel := newRedis(t, config, "--sentinel")
	client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "fleet", SentinelAddrs: []string{sentinel.addr}})
	t.Cleanup(func() { client.Close() })
	require.Eventually(t, func() bool { return client.Get(t.Context(), "nothing").Err() == redis.Nil },
		patience, 50*time.Millisecond, "the client is connected: a Source gives its Store only a second")
	conf := sharing(srv, client)
	assert.Equal(t, 1, coldStart(t, conf, 20))
	require.Eventually(t, func() bool { return replica.client(t).DBSize(t.Context()).Val() == 1 },
		patience, 50*time.Millisecond, "the value was replicated")

	watch := redis.NewSentinelClient(&redis.Options{Addr: sentinel.addr})
	t.Cleanup(func() { watch.Close() })
	require.Eventually(t, func() bool { return watch.Failover(t.Context(), "fleet").Err() == nil },
		patience, 500*time.Millisecond, "the failover began")
	require.Eventually(t, func() bool {
		info := primary.client(t).Info(t.Context(), "replication").Val()
		return strings.Contains(info, "role:slave") && client.Get(t.Context(), "nothing").Err() == redis.Nil
	}, 5*patience, 50*time.Millisecond, "the failover ended, which a sentinel puts off by 30 s if it has not run for 2 s")
	assert.Equal(t, 1, coldStart(t, conf, 20))
	assert.Equal(t, oneExchange, srv.Counters())
	_, err := conf.Source(t.Context()).Renew(t.Context())
	assert.NoError(t, err)
	assert.Equal(t, 1, coldStart(t, conf, 20))
	assert.Equal(t, 1, srv.Counters().Refreshed)
}
