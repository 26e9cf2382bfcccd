package pgstore

import "strings"

// inCatalog names the operators of a query with their schema. The server looks up
// others in the search_path, where another role may have made one. IN, BETWEEN,
// NULLIF, USING and the short form of CASE hide an operator: no query has them.
func inCatalog(query string) string {
	for _, operator := range []string{"=", "<>", ">", "<=", ">=", "->>"} {
		query = strings.ReplaceAll(query, " "+operator+" ", " OPERATOR(pg_catalog."+operator+") ")
	}
	return query
}

// checkQuery looks only at the server's catalogs, since a query that names the
// table may run its owner's code. It says why the table is not safe to use.
//
// A role is trusted if this role may act as it, if it owns the schema or the
// database, or if it is a superuser. The server calls a superuser a member of
// every role, and the roles that it predefines are for everybody: both do not
// count. In PostgreSQL 16 and later, a member may be no more than the
// administrator of a role.
//
// The parts of a table, such as triggers, rules, policies, defaults, constraints
// and indexes, depend on it. They also depend on the functions, operators and
// types that they use. A foreign key to the table can run triggers of another
// one. TRIGGER and REFERENCES are the privileges to add a trigger or a foreign
// key later.
var checkQuery = inCatalog(`WITH RECURSIVE place AS (
	SELECT n.nspname, n.nspowner, d.oid AS database, d.datdba, c.oid AS relation, c.relowner, c.relkind, c.relacl
	FROM pg_catalog.pg_namespace n
	JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
	LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = 'apivideo_tokens'
	WHERE n.nspname = pg_catalog.current_schema()
), member(role) AS (
	SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
	UNION
	SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN member ON member.role = m.member
	CROSS JOIN LATERAL pg_catalog.to_jsonb(m) AS options
	WHERE m.roleid >= 16384::pg_catalog.oid
		AND (COALESCE((options ->> 'set_option')::boolean, true) OR COALESCE((options ->> 'inherit_option')::boolean, true))
), trusted(role) AS (
	SELECT role FROM member
	UNION ALL SELECT nspowner FROM place
	UNION ALL SELECT datdba FROM place
	UNION ALL SELECT oid FROM pg_catalog.pg_roles WHERE rolsuper
), part(class, object) AS (
	SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, relation FROM place
	UNION
	SELECT d.classid, d.objid FROM pg_catalog.pg_depend d JOIN part ON part.class = d.refclassid AND part.object = d.refobjid
	WHERE d.deptype <> 'n'
), used(class, object) AS (
	SELECT class, object FROM part
	UNION SELECT d.refclassid, d.refobjid FROM pg_catalog.pg_depend d JOIN part ON part.class = d.classid AND part.object = d.objid
	UNION SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, f.conrelid
		FROM pg_catalog.pg_constraint f JOIN place ON place.relation = f.confrelid
), owned(class, object, role) AS (
	SELECT used.class, used.object, COALESCE(c.relowner, p.proowner, s.refobjid)
	FROM used CROSS JOIN place
	LEFT JOIN pg_catalog.pg_class c ON c.oid = used.object AND c.tableoid = used.class
	LEFT JOIN pg_catalog.pg_proc p ON p.oid = used.object AND p.tableoid = used.class
	LEFT JOIN pg_catalog.pg_shdepend s
		ON s.classid = used.class AND s.objid = used.object AND s.dbid = place.database AND s.deptype = 'o'
), granted(role, privilege) AS (
	SELECT a.grantee, a.privilege_type FROM place CROSS JOIN LATERAL pg_catalog.aclexplode(relacl) a
	UNION ALL
	SELECT a.grantee, a.privilege_type FROM place JOIN pg_catalog.pg_attribute t ON t.attrelid = relation
	CROSS JOIN LATERAL pg_catalog.aclexplode(t.attacl) a
), fault(rank, text) AS (
	SELECT 1, pg_catalog.format('it belongs to the role %I; drop it, or make a role that you trust its owner', pg_catalog.pg_get_userbyid(relowner))
	FROM place WHERE relowner <> ALL (SELECT t.role FROM trusted t)
	UNION ALL
	SELECT 2, 'it is not an ordinary table; drop it' FROM place WHERE relkind <> 'r'
	UNION ALL
	SELECT 3, pg_catalog.format('%s belongs to the role %I; drop the table', pg_catalog.pg_describe_object(class, object, 0), pg_catalog.pg_get_userbyid(role))
	FROM owned WHERE role <> ALL (SELECT t.role FROM trusted t)
	UNION ALL
	SELECT 4, pg_catalog.format('the role %s has the privilege %s; revoke it',
		CASE WHEN role = 0::pg_catalog.oid THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(role)) END, privilege)
	FROM granted WHERE privilege = ANY (ARRAY['TRIGGER', 'REFERENCES']) AND role <> ALL (SELECT t.role FROM trusted t)
)
SELECT pg_catalog.current_setting('transaction_read_only') = 'on',
	CASE WHEN nspname IS NOT NULL THEN pg_catalog.format('%I.apivideo_tokens', nspname) END, COALESCE(relation, 0::pg_catalog.oid)::bigint,
	(SELECT text FROM fault ORDER BY rank, text LIMIT 1)
FROM (SELECT 1) AS always LEFT JOIN place ON true`)
