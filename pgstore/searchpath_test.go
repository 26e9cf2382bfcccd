//go:build unix

package pgstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/pgstore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// overloads makes functions and operators in the schema traps: those of the
// server with the same names and types, and those that take text, which the
// server prefers for a parameter without a type. Each counts its calls.
const overloads = `SET check_function_bodies = off; CREATE SCHEMA traps; CREATE SEQUENCE traps.calls;
GRANT USAGE ON SCHEMA traps TO PUBLIC; GRANT ALL ON SEQUENCE traps.calls TO PUBLIC;
CREATE TYPE traps.text AS ENUM ('trap'); CREATE TYPE traps.bytea AS ENUM ('trap');
CREATE TYPE traps.timestamptz AS ENUM ('trap'); CREATE TYPE traps.oid AS ENUM ('trap'); CREATE TYPE traps.regclass AS ENUM ('trap');
DO $do$
DECLARE
	f record;
	trap text := ' LANGUAGE plpgsql AS $$BEGIN PERFORM pg_catalog.nextval(''traps.calls''); RETURN NULL; END$$';
BEGIN
	FOR f IN SELECT proname, pg_get_function_identity_arguments(oid) AS args, pronargs, format_type(prorettype, NULL) AS result
		FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY (string_to_array('NAMES', ','))
	LOOP
		BEGIN
			EXECUTE format('CREATE FUNCTION traps.%I(%s) RETURNS %s', f.proname, f.args, f.result) || trap;
		EXCEPTION WHEN OTHERS THEN NULL; -- a result that plpgsql does not have
		END;
		BEGIN
			EXECUTE format('CREATE FUNCTION traps.%I(%s) RETURNS text', f.proname,
				array_to_string(array_fill('pg_catalog.text'::text, ARRAY[f.pronargs]), ',')) || trap;
		EXCEPTION WHEN OTHERS THEN NULL; -- there is one already
		END;
	END LOOP;
	FOR f IN SELECT oprname, format_type(oprleft, NULL) AS l, format_type(oprright, NULL) AS r, format_type(oprresult, NULL) AS result
		FROM pg_operator WHERE oprkind = 'b' AND oprname = ANY ('{=,<>,<,>,<=,>=,+,->>,||,~~}')
	LOOP
		BEGIN
			EXECUTE format('CREATE FUNCTION traps.operate(%s, %s) RETURNS %s', f.l, f.r, f.result) || trap;
		EXCEPTION WHEN OTHERS THEN NULL;
		END;
		BEGIN
			EXECUTE format('CREATE OPERATOR traps.%s (FUNCTION = traps.operate, LEFTARG = %s, RIGHTARG = %s)', f.oprname, f.l, f.r);
		EXCEPTION WHEN OTHERS THEN NULL;
		END;
	END LOOP;
END $do$`

// calls are the names before a parenthesis in the package's code.
func calls(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		code, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, name := range regexp.MustCompile(`(\w+)\(`).FindAllStringSubmatch(string(code), -1) {
			names = append(names, name[1])
		}
	}
	return strings.Join(names, ",")
}

// Promise: pgstore runs no function, operator or type of another role in the search_path.
// Promise: Pgstore runs no function, operator or type of another role in the search_path.
func TestStoreRunsNoOverload(t *testing.T) {
	t.Parallel()
	server, database := newDatabase(t)
	admin := open(t, server.url(database))
	role := database + "_app"
	mustExec(t, admin, fmt.Sprintf("CREATE ROLE %s LOGIN; CREATE ROLE %[1]s_group; GRANT pg_monitor, %[1]s_group TO %[1]s; GRANT CREATE ON SCHEMA public TO %[1]s", role))
	mustExec(t, admin, strings.ReplaceAll(overloads, "NAMES", calls(t)))
	require.Greater(t, scan[int](t, admin, "SELECT count(*) FROM pg_proc WHERE pronamespace = 'traps'::regnamespace"), 50)
	require.Greater(t, scan[int](t, admin, "SELECT count(*) FROM pg_operator WHERE oprnamespace = 'traps'::regnamespace"), 50)
	for _, path := range []string{"public,traps", "public,traps,pg_catalog"} {
		for _, mode := range []string{"cache_statement", "exec", "simple_protocol"} {
			url := strings.Replace(server.url(database, "search_path="+path, "default_query_exec_mode="+mode), "postgres@", role+"@", 1)
			s := pgstore.New(open(t, url))
			store(t, s, path+mode)
			expect(t, s, path+mode)
			mustExec(t, admin, "UPDATE apivideo_tokens SET expires_at = now() - interval '1 hour'")
			expect(t, s, "")
			store(t, s, "again")
			mustExec(t, admin, "GRANT TRIGGER ON apivideo_tokens TO pg_monitor")
			_, err := pgstore.New(open(t, url)).Load(t.Context(), key)
			assert.ErrorContains(t, err, "the role pg_monitor has the privilege TRIGGER")
			mustExec(t, admin, "DROP TABLE apivideo_tokens")
			expect(t, s, "")
		}
	}
	assert.False(t, scan[bool](t, admin, "SELECT is_called FROM traps.calls"), "another role's function ran")
}
