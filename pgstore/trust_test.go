//go:build unix

package pgstore_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/pgstore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// site is a database with two roles: the application's, and a stranger's, which
// may create in the schema public. The stranger's functions count their calls.
type site struct {
	t                    *testing.T
	app, stranger        string // the names of the roles
	admin, appDB, intern *sql.DB
	s                    *pgstore.Store // of the application
}

// The sequence keeps its value when a transaction is rolled back.
const strangersCode = `CREATE SEQUENCE calls; GRANT USAGE ON calls TO PUBLIC;
CREATE FUNCTION called() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM nextval('public.calls'); RETURN NEW; END$$;
CREATE FUNCTION called(x anyelement) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM nextval('public.calls'); RETURN true; END$$;
CREATE FUNCTION called(x bytea, y bytea) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM nextval('public.calls'); RETURN true; END$$`

// plainTable is the table as the store makes it.
const plainTable = `CREATE TABLE public.apivideo_tokens (key text PRIMARY KEY, value bytea NOT NULL, expires_at timestamptz NOT NULL);`

func newSite(t *testing.T) *site {
	t.Helper()
	server, database := newDatabase(t)
	c := &site{t: t, app: database + "_app", stranger: database + "_stranger", admin: open(t, server.url(database))}
	as := func(role string) *sql.DB {
		return open(t, strings.Replace(server.url(database), "postgres@", role+"@", 1))
	}
	c.do(c.admin, "CREATE ROLE APP LOGIN; CREATE ROLE STRANGER LOGIN; GRANT CREATE ON SCHEMA public TO APP, STRANGER")
	c.appDB, c.intern = as(c.app), as(c.stranger)
	c.do(c.intern, strangersCode)
	c.s = pgstore.New(c.appDB)
	return c
}

// do executes statements that name the roles in capitals.
func (c *site) do(db *sql.DB, statements string) {
	c.t.Helper()
	mustExec(c.t, db, strings.NewReplacer("APP", c.app, "STRANGER", c.stranger).Replace(statements))
}

// refused expects that the store fails with a reason, and that nothing of the
// stranger's runs.
func (c *site) refused(reason string) {
	c.t.Helper()
	reason = "pgstore: the table public.apivideo_tokens is not safe to use: " +
		strings.NewReplacer("APP", c.app, "STRANGER", c.stranger).Replace(reason)
	_, err := c.s.Load(c.t.Context(), key)
	assert.EqualError(c.t, err, reason)
	assert.EqualError(c.t, c.s.Update(c.t.Context(), key, never(c.t)), reason)
	c.untouched()
}

// untouched expects that nothing of the stranger's has run.
func (c *site) untouched() {
	c.t.Helper()
	assert.False(c.t, scan[bool](c.t, c.admin, "SELECT is_called FROM calls"), "a stranger's code ran")
}

const (
	withTrigger = plainTable + `CREATE TRIGGER t BEFORE INSERT OR UPDATE OR DELETE ON apivideo_tokens FOR EACH ROW EXECUTE FUNCTION called();
GRANT ALL ON apivideo_tokens TO PUBLIC;`
	strangerOwns = "it belongs to the role STRANGER; drop it, or make a role that you trust its owner"
)

// The attack: another role makes the table first.
//
// Promise: Pgstore: no code of another role runs: requests are served without the store.
func TestTableOfAStranger(t *testing.T) {
	t.Parallel()
	c := newSite(t)
	c.do(c.intern, withTrigger)
	srv := newService(t)
	conf := srv.Config()
	conf.Store = c.s
	src := conf.Source(t.Context())
	for range 3 {
		tok, err := src.Renew(t.Context())
		require.NoError(t, err)
		assert.True(t, srv.Valid(tok.AccessToken))
	}
	assert.Positive(t, src.Stats().StoreFailures)
	c.refused(strangerOwns)

	c.do(c.admin, "DROP TABLE apivideo_tokens")
	_, err := src.Renew(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, scan[int](t, c.admin, "SELECT count(*) FROM apivideo_tokens"), "the token is shared again")
	c.untouched()
}

// Promise: pgstore runs no code of another role by a trigger, rule, policy, default, constraint, index, operator or type of an adopted table, nor by a view or foreign key.
// Promise: Pgstore runs no code of another role by a trigger, rule, policy, default, constraint, index, operator or type of an adopted table, nor by a view or foreign key.
func TestTableRefused(t *testing.T) {
	t.Parallel()
	owned := plainTable + "ALTER TABLE apivideo_tokens OWNER TO APP;"
	for name, c := range map[string]struct{ setup, reason string }{
		"view": {"CREATE VIEW apivideo_tokens AS SELECT ''::text AS key, ''::bytea AS value, now() AS expires_at; ALTER VIEW apivideo_tokens OWNER TO APP",
			"it is not an ordinary table; drop it"},
		"partitioned": {"CREATE TABLE apivideo_tokens (key text PRIMARY KEY, value bytea, expires_at timestamptz) PARTITION BY LIST (key); ALTER TABLE apivideo_tokens OWNER TO APP",
			"it is not an ordinary table; drop it"},
		"trigger allowed":    {owned + "GRANT TRIGGER ON apivideo_tokens TO STRANGER", "the role STRANGER has the privilege TRIGGER; revoke it"},
		"triggers for all":   {owned + "GRANT TRIGGER ON apivideo_tokens TO PUBLIC", "the role PUBLIC has the privilege TRIGGER; revoke it"},
		"references allowed": {owned + "GRANT REFERENCES (key) ON apivideo_tokens TO STRANGER", "the role STRANGER has the privilege REFERENCES; revoke it"},
		"foreign key": {owned + "CREATE TABLE f (key text REFERENCES apivideo_tokens ON DELETE CASCADE); ALTER TABLE f OWNER TO STRANGER",
			"table f belongs to the role STRANGER; drop the table"},
		"trigger": {owned + "CREATE TRIGGER t BEFORE INSERT ON apivideo_tokens FOR EACH ROW EXECUTE FUNCTION called()",
			"function called() belongs to the role STRANGER; drop the table"},
		"rule": {owned + "CREATE RULE r AS ON DELETE TO apivideo_tokens DO ALSO SELECT called(old.key)",
			"function called(anyelement) belongs to the role STRANGER; drop the table"},
		"policy": {owned + "CREATE POLICY p ON apivideo_tokens USING (called(key)); ALTER TABLE apivideo_tokens FORCE ROW LEVEL SECURITY",
			"function called(anyelement) belongs to the role STRANGER; drop the table"},
		"default": {owned + "ALTER TABLE apivideo_tokens ADD extra boolean; ALTER TABLE apivideo_tokens ALTER extra SET DEFAULT called(1)",
			"function called(anyelement) belongs to the role STRANGER; drop the table"},
		"check": {owned + "ALTER TABLE apivideo_tokens ADD CHECK (called(key))",
			"function called(anyelement) belongs to the role STRANGER; drop the table"},
		"generated column": {owned + "ALTER TABLE apivideo_tokens ADD extra boolean GENERATED ALWAYS AS (called(key)) STORED",
			"function called(anyelement) belongs to the role STRANGER; drop the table"},
		"index": {owned + "CREATE INDEX ON apivideo_tokens (called(key))",
			"function called(anyelement) belongs to the role STRANGER; drop the table"},
		"operator": {owned + "CREATE OPERATOR public.=== (FUNCTION = called, LEFTARG = bytea, RIGHTARG = bytea); ALTER OPERATOR public.=== (bytea, bytea) OWNER TO STRANGER;" +
			"ALTER TABLE apivideo_tokens ADD CHECK (value OPERATOR(public.===) value)",
			"operator ===(bytea,bytea) belongs to the role STRANGER; drop the table"},
		"type": {owned + "CREATE DOMAIN d AS bytea CHECK (called(value)); ALTER DOMAIN d OWNER TO STRANGER; ALTER TABLE apivideo_tokens ALTER value TYPE d",
			"type d belongs to the role STRANGER; drop the table"},
		"code of a predefined role": {owned + "CREATE TRIGGER t BEFORE INSERT ON apivideo_tokens FOR EACH ROW EXECUTE FUNCTION called(); ALTER FUNCTION called() OWNER TO pg_monitor",
			"function called() belongs to the role pg_monitor; drop the table"},
		"predefined role": {plainTable + "ALTER TABLE apivideo_tokens OWNER TO pg_monitor; GRANT pg_monitor TO APP",
			"it belongs to the role pg_monitor; drop it, or make a role that you trust its owner"},
		"superuser": {plainTable + "ALTER TABLE apivideo_tokens OWNER TO STRANGER; ALTER ROLE APP SUPERUSER", strangerOwns},
		"administered role": {"ALTER ROLE APP CREATEROLE; DROP OWNED BY STRANGER; DROP ROLE STRANGER; SET ROLE APP; CREATE ROLE STRANGER; RESET ROLE;" +
			strangersCode + ";" + plainTable + "ALTER TABLE apivideo_tokens OWNER TO STRANGER", strangerOwns},
		"member of this role": {plainTable + "ALTER TABLE apivideo_tokens OWNER TO STRANGER; GRANT APP TO STRANGER", strangerOwns},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := newSite(t)
			site.do(site.admin, c.setup)
			if scan[bool](t, site.admin, "SELECT is_called FROM calls") { // by the setup
				mustExec(t, site.admin, "ALTER SEQUENCE calls RESTART")
			}
			site.refused(c.reason)
		})
	}
}

// Promise: pgstore's table may belong to its own role, a role that it may act as, the owner of the schema or of the database, or a superuser.
// Promise: Pgstore's table may belong to its own role, a role that it may act as, the owner of the schema or of the database, or a superuser.
func TestTableAccepted(t *testing.T) {
	t.Parallel()
	const use = "GRANT SELECT, INSERT, UPDATE, DELETE ON apivideo_tokens TO APP;"
	for name, setup := range map[string]string{
		"none":              "",
		"of this role":      plainTable + "ALTER TABLE apivideo_tokens OWNER TO APP",
		"of a superuser":    plainTable + use + "ALTER TABLE apivideo_tokens OWNER TO STRANGER; ALTER ROLE STRANGER SUPERUSER",
		"of the schema":     plainTable + use + "ALTER TABLE apivideo_tokens OWNER TO STRANGER; ALTER SCHEMA public OWNER TO STRANGER",
		"of the database":   plainTable + use + "ALTER TABLE apivideo_tokens OWNER TO STRANGER; DO $$BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' OWNER TO STRANGER'; END$$",
		"of a group":        plainTable + "ALTER TABLE apivideo_tokens OWNER TO STRANGER; GRANT STRANGER TO APP",
		"of a group's":      plainTable + "ALTER TABLE apivideo_tokens OWNER TO STRANGER; CREATE ROLE APP2; GRANT STRANGER TO APP2; GRANT APP2 TO APP",
		"of a group to set": plainTable + use + "ALTER TABLE apivideo_tokens OWNER TO STRANGER; ALTER ROLE APP NOINHERIT; GRANT STRANGER TO APP",
		"with grants":       plainTable + use + "GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON apivideo_tokens TO PUBLIC; GRANT ALL ON apivideo_tokens TO APP",
		"with a trigger": plainTable + use + "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;" +
			"CREATE TRIGGER t BEFORE INSERT ON apivideo_tokens FOR EACH ROW EXECUTE FUNCTION audit()",
		"with a view":  plainTable + use + "CREATE VIEW v AS SELECT called(key) FROM apivideo_tokens; ALTER VIEW v OWNER TO STRANGER",
		"with a child": plainTable + use + "CREATE TABLE child (CHECK (called(key))) INHERITS (apivideo_tokens); INSERT INTO child VALUES ('00ff', 'x', now() + interval '1 h'); ALTER SEQUENCE calls RESTART",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newSite(t)
			c.do(c.admin, setup)
			expect(t, c.s, "")
			store(t, c.s, "value")
			expect(t, c.s, "value")
			c.untouched()
		})
	}
}

// Whoever owned the first table dropped it while the program runs.
//
// Promise: pgstore runs no code of another role by a table that replaces the one in use.
// Promise: Pgstore runs no code of another role by a table that replaces the one in use.
func TestTableReplacedByAStranger(t *testing.T) {
	t.Parallel()
	for name, missed := range map[string]bool{"not noticed": false, "noticed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newSite(t)
			store(t, c.s, "value")
			c.do(c.appDB, "DROP TABLE apivideo_tokens")
			if missed {
				value, err := c.s.Load(t.Context(), key)
				assert.NoError(t, err)
				assert.Nil(t, value)
			}
			c.do(c.intern, withTrigger)
			if !missed { // an update notices it before a read
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				assert.ErrorContains(t, c.s.Update(ctx, key, never(t)), "is not safe to use: it belongs to the role "+c.stranger)
			}
			c.refused(strangerOwns)
			c.do(c.admin, "DROP TABLE apivideo_tokens")
			store(t, c.s, "new")
			expect(t, c.s, "new")
			c.untouched()
		})
	}
}
