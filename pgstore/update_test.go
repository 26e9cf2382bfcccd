//go:build unix

package pgstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/pgstore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// It may be a token whose refresh token is spent by now.
func TestUpdateStoresThoughItsCallerLeft(t *testing.T) {
	t.Parallel()
	s := pgstore.New(newDB(t))
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, s.Update(ctx, key, func(ctx context.Context, _ []byte) ([]byte, error) {
		cancel()
		time.Sleep(2500 * time.Millisecond) // the lock is held on
		assert.Equal(t, context.Canceled, context.Cause(ctx))
		return []byte("value"), nil
	}))
	expect(t, s, "value")
}

func TestUpdateReportsFailedWrite(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	s := pgstore.New(db)
	store(t, s, "old")
	mustExec(t, db, "ALTER TABLE apivideo_tokens ADD CHECK (value <> 'new')")
	assert.ErrorContains(t, s.Update(t.Context(), key, returns([]byte("new"), nil)), "pgstore: storing the value: ")
	expect(t, s, "old")
}

// A stricter isolation level, which a role may have as its default, would make
// the write fail.
func TestUpdateInSerializableSession(t *testing.T) {
	t.Parallel()
	server, database := newDatabase(t)
	db := open(t, server.url(database, "default_transaction_isolation=serializable"))
	s := pgstore.New(db)
	store(t, s, "old")
	require.NoError(t, s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) {
		mustExec(t, db, "UPDATE apivideo_tokens SET expires_at = expires_at + interval '1 second'")
		return []byte("new"), nil
	}))
	expect(t, s, "new")
}

func TestUpdateEndsWhileServerHangs(t *testing.T) {
	t.Parallel()
	for name, value := range map[string][]byte{"leaves": nil, "stores": []byte("new")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t)
			db := open(t, server.url("postgres"))
			s := pgstore.New(db)
			store(t, s, "old")
			ended := make(chan error, 1)
			go func() {
				ended <- s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) {
					server.freeze(t)
					return value, nil
				})
			}()
			select {
			case err := <-ended:
				assert.Equal(t, value == nil, err == nil, "%v", err)
			case <-time.After(2 * time.Minute):
				t.Error("Update does not return")
			}
			server.thaw()
		})
	}
}
