//go:build unix

package pgstore_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/pgstore"
	"github.com/apivideo/api.video-go-oauth2/storetest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStoreTableCreatedByManyAtOnce(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	value, err := pgstore.New(db).Load(t.Context(), key)
	require.NoError(t, err, "no table is no value")
	assert.Nil(t, value)
	together(20, func(i int) {
		assert.NoError(t, pgstore.New(db).Update(t.Context(), strings.Repeat("0", i), returns([]byte("value"), nil)))
	})
	assert.Equal(t, 20, scan[int](t, db, "SELECT count(*) FROM apivideo_tokens"))
}

// CREATE TABLE IF NOT EXISTS fails if another session commits the same.
func TestStoreTableCreatedMeanwhile(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	s := pgstore.New(db)
	tx, err := db.Begin()
	require.NoError(t, err)
	_, err = tx.Exec(plainTable)
	require.NoError(t, err)
	updated := make(chan error, 1)
	go func() { updated <- s.Update(t.Context(), key, returns([]byte("value"), nil)) }()
	require.Eventually(t, func() bool {
		return scan[int](t, db, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 1
	}, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, tx.Commit())
	require.NoError(t, <-updated)
	expect(t, s, "value")
}

// migration is the SQL of docs/operations.md, for a role.
func migration(t *testing.T, role string) string {
	text, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	ddl := regexp.MustCompile("(?s)```sql\n(CREATE TABLE apivideo_tokens.*?)```").FindSubmatch(text)
	require.NotNil(t, ddl)
	source, err := os.ReadFile("pgstore.go")
	require.NoError(t, err)
	require.Contains(t, strings.ReplaceAll(string(source), "//\t", ""), string(ddl[1]), "the package's documentation differs")
	return strings.ReplaceAll(string(ddl[1]), "my_app", role)
}

// The role has the rights that the documents name, and no others.
//
// Promise: The documented SQL for pgstore gives the least rights, and fails if another role has made the table.
func TestStoreTableCreatedByMigration(t *testing.T) {
	t.Parallel()
	s, database := newDatabase(t)
	owner, role := open(t, s.url(database)), database+"_app"
	mustExec(t, owner, fmt.Sprintf(`CREATE ROLE %s LOGIN; REVOKE ALL ON SCHEMA public FROM PUBLIC; REVOKE ALL ON DATABASE %s FROM PUBLIC;
GRANT CONNECT ON DATABASE %[2]s TO %[1]s; GRANT USAGE ON SCHEMA public TO %[1]s`, role, database))
	url := strings.Replace(s.url(database), "postgres@", role+"@", 1)
	app := pgstore.New(open(t, url))
	_, err := app.Load(t.Context(), key)
	assert.NoError(t, err)
	assert.ErrorContains(t, app.Update(t.Context(), key, never(t)),
		"pgstore: creating the table apivideo_tokens: ERROR: permission denied for schema public")

	mustExec(t, owner, migration(t, role))
	storetest.TestStore(t, func() apivideo.Store { return pgstore.New(open(t, url)) })
	store(t, app, "value")
	expect(t, app, "value")
	assert.Equal(t, "DELETE, INSERT, SELECT, UPDATE", scan[string](t, owner,
		"SELECT string_agg(privilege_type, ', ' ORDER BY privilege_type) FROM information_schema.table_privileges WHERE grantee = $1", role))
	assert.False(t, scan[bool](t, owner, "SELECT has_schema_privilege($1, 'public', 'CREATE')", role))

	columns := "SELECT string_agg(column_name || ' ' || data_type || ' ' || is_nullable, ', ') FROM information_schema.columns " +
		"WHERE table_name = 'apivideo_tokens'"
	created := newDB(t)
	store(t, pgstore.New(created), "value")
	assert.Equal(t, scan[string](t, created, columns), scan[string](t, owner, columns))
}

// A migration fails if another role has made the table before.
//
// Promise: The documented SQL for pgstore gives the least rights, and fails if another role has made the table.
func TestMigrationAfterAStranger(t *testing.T) {
	t.Parallel()
	c := newSite(t)
	c.do(c.intern, plainTable)
	_, err := c.admin.Exec(migration(t, c.app))
	assert.ErrorContains(t, err, "already exists")
}

// Promise: pgstore's table is in the first schema of the search_path, whatever its name.
// Promise: Pgstore's table is in the first schema of the search_path, whatever its name.
func TestTableInQuotedSchema(t *testing.T) {
	t.Parallel()
	server, database := newDatabase(t)
	admin := open(t, server.url(database))
	mustExec(t, admin, `CREATE SCHEMA "It's ""odd"""`)
	s := pgstore.New(open(t, server.url(database, "search_path=%22It's%20%22%22odd%22%22%22,public")))
	store(t, s, "value")
	expect(t, s, "value")
	assert.Equal(t, 1, scan[int](t, admin, `SELECT count(*) FROM "It's ""odd""".apivideo_tokens`))

	none := pgstore.New(open(t, server.url(database, "search_path=missing")))
	assert.ErrorContains(t, none.Update(t.Context(), key, never(t)), "the search_path has no schema")
}
