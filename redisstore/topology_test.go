package redisstore_test

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
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

// newCluster starts a cluster of one server. Like any cluster, it checks that the
// keys of a script share a slot.
func newCluster(t *testing.T) *redis.ClusterClient {
	t.Helper()
	bus, err := freePort()
	require.NoError(t, err)
	s := newRedis(t, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus), "--cluster-announce-ip", "127.0.0.1")
	require.NoError(t, s.client(t).ClusterAddSlotsRange(t.Context(), 0, 16383).Err())
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{s.addr}})
	t.Cleanup(func() { client.Close() })
	require.Eventually(t, func() bool {
		return strings.Contains(client.ClusterInfo(t.Context()).Val(), "cluster_state:ok")
	}, patience, 50*time.Millisecond)
	return client
}

// newReplica starts a replica of a server.
func newReplica(t *testing.T, of *redisServer) *redisServer {
	t.Helper()
	host, port, _ := net.SplitHostPort(of.addr)
	return newRedis(t, "--replicaof", host, port)
}

// newSentinel starts a Sentinel that watches a server under the name fleet.
func newSentinel(t *testing.T, watched *redisServer) *redisServer {
	t.Helper()
	host, port, _ := net.SplitHostPort(watched.addr)
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	require.NoError(t, os.WriteFile(conf, []byte("sentinel monitor fleet "+host+" "+port+" 1\n"), 0o600))
	return newRedis(t, conf, "--sentinel")
}

// A cluster rejects a script whose keys are in two slots.
func TestStoreOverCluster(t *testing.T) {
	t.Parallel()
	client := newCluster(t)
	storetest.TestStore(t, func() apivideo.Store { return redisstore.New(client) })
}

func TestFleetSurvivesSentinelFailover(t *testing.T) {
	t.Parallel()
	srv, primary := newService(t), newRedis(t)
	replica := newReplica(t, primary)
	sentinel := newSentinel(t, primary)
	client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "fleet", SentinelAddrs: []string{sentinel.addr}})
	t.Cleanup(func() { client.Close() })
	conf := sharing(srv, client)
	assert.Equal(t, 1, coldStart(t, conf, 20))
	require.Eventually(t, func() bool { return replica.client(t).DBSize(t.Context()).Val() == 1 },
		patience, 50*time.Millisecond, "the value was replicated")

	watch := redis.NewSentinelClient(&redis.Options{Addr: sentinel.addr})
	t.Cleanup(func() { watch.Close() })
	require.Eventually(t, func() bool { return watch.Failover(t.Context(), "fleet").Err() == nil },
		patience, 500*time.Millisecond, "the failover began")
	require.Eventually(t, func() bool { return client.Get(t.Context(), "nothing").Err() == redis.Nil && replicates(t, primary) },
		patience, 50*time.Millisecond, "the failover ended")
	assert.Equal(t, 1, coldStart(t, conf, 20))
	assert.Equal(t, oneExchange, srv.Counters())
	_, err := conf.Source(t.Context()).Renew(t.Context())
	assert.NoError(t, err)
	assert.Equal(t, 1, coldStart(t, conf, 20))
	assert.Equal(t, 1, srv.Counters().Refreshed)
}

// replicates reports whether the server is a replica by now.
func replicates(t *testing.T, s *redisServer) bool {
	return strings.Contains(s.client(t).Info(t.Context(), "replication").Val(), "role:slave")
}
