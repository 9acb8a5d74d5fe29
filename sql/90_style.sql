-- Rules of the house, checked on the catalogues. Each query lists offenders; all must be empty.
-- Members and records without COMMENT.
SELECT pg_describe_object(d.classid, d.objid, 0) AS without_comment
FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
WHERE d.deptype = 'e' AND e.extname = 'radscheduler' AND NOT EXISTS (SELECT FROM pg_description c WHERE c.classoid = d.classid AND c.objoid = d.objid AND c.objsubid = 0)
  AND NOT (d.classid = 'pg_type'::regclass AND (SELECT t.typelem <> 0 OR t.typrelid <> 0 FROM pg_type t WHERE t.oid = d.objid))
UNION ALL
SELECT pg_describe_object('pg_class'::regclass, c.oid, 0) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'radscheduler' AND c.relkind IN ('r', 'p', 'v') AND NOT EXISTS (SELECT FROM pg_description d WHERE d.classoid = 'pg_class'::regclass AND d.objoid = c.oid AND d.objsubid = 0)
UNION ALL
SELECT format('column %s of %s', a.attname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname = 'radscheduler' AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
  AND NOT EXISTS (SELECT FROM pg_description d WHERE d.classoid = 'pg_class'::regclass AND d.objoid = c.oid AND d.objsubid = a.attnum)
ORDER BY 1;
-- Functions in PL/pgSQL or SQL without pinned search_path (an inlinable SQL body is bound at creation and needs none).
SELECT p.oid::regprocedure AS unpinned FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE n.nspname = 'radscheduler' AND l.lanname IN ('sql', 'plpgsql') AND p.prosqlbody IS NULL AND NOT coalesce(p.proconfig::text, '') LIKE '%search_path=pg_catalog, pg_temp%' ORDER BY 1;
-- Functions whose definition in the installed script does not say volatility and parallel safety: the catalogue cannot tell a choice from a default.
WITH script AS (
    SELECT pg_read_file(format('%s/extension/radscheduler--%s.sql', (SELECT setting FROM pg_config() WHERE name = 'SHAREDIR'), extversion)) AS text
    FROM pg_extension WHERE extname = 'radscheduler'
), head AS (
    SELECT m[1] AS name, m[2] AS words FROM script, regexp_matches(text, 'CREATE FUNCTION radscheduler\.(\w+)\((.*?)(?:AS \$|;\n)', 'g') m
)
SELECT name AS unlabelled FROM head WHERE words !~ '\m(VOLATILE|STABLE|IMMUTABLE)\M' OR words !~ '\mPARALLEL (SAFE|RESTRICTED|UNSAFE)\M' ORDER BY 1;
-- Volatile functions that call themselves parallel safe.
SELECT p.oid::regprocedure AS mislabelled FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE n.nspname = 'radscheduler' AND p.provolatile = 'v' AND p.proparallel = 's' AND l.lanname = 'plpgsql' ORDER BY 1;
-- Functions that catch errors, which no parallel query may, and call themselves parallel safe.
SELECT p.oid::regprocedure AS mislabelled FROM pg_proc p WHERE p.pronamespace = 'radscheduler'::regnamespace AND p.prosrc ~ 'EXCEPTION\s+WHEN' AND p.proparallel <> 'u' ORDER BY 1;
-- SECURITY DEFINER functions that anybody may call and that do not ask whose session it is.
SELECT p.oid::regprocedure AS unguarded FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'radscheduler' AND p.prosecdef AND has_function_privilege('public', p.oid, 'EXECUTE') AND p.prosrc !~ 'radscheduler\.caller\(\)' ORDER BY 1;
-- Functions open to everybody that are neither reading HL7 nor listed as public.
SELECT p.oid::regprocedure AS open_to_all FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'radscheduler' AND has_function_privilege('public', p.oid, 'EXECUTE') AND p.proname NOT LIKE 'hl7%'
  AND NOT EXISTS (SELECT FROM radscheduler.role_right r WHERE r.kind = 'public' AND r.object = p.proname || '()') ORDER BY 1;
-- Rights of kinds that name what does not exist.
SELECT r.kind, r.object AS missing FROM radscheduler.role_right r
WHERE CASE WHEN r.object LIKE '%()' THEN NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'radscheduler'::regnamespace AND p.proname || '()' = r.object)
           ELSE to_regclass('radscheduler.' || quote_ident(r.object)) IS NULL END ORDER BY 1, 2;
-- Record tables with site_id that no policy guards, or only for others than the owner; and record tables nobody audits.
SELECT c.relname AS unguarded FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'radscheduler' AND c.relkind IN ('r', 'p') AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'site_id' AND NOT a.attisdropped)
  AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)) ORDER BY 1;
SELECT c.relname AS unaudited FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'radscheduler' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname NOT IN ('schema_version', 'relay_cursor', 'lock_secret')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname IN ('audit_change', 'append_only')) ORDER BY 1;
-- Views that lend their owner's rights.
SELECT c.relname AS lending FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('radscheduler', 'radscheduler_bi') AND c.relkind = 'v' AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false) ORDER BY 1;
-- Keys and exclusion constraints of record tables that do not lead with site_id.
SELECT c.conrelid::regclass AS record, c.conname AS not_led_by_site
FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname = 'radscheduler' AND c.contype IN ('p', 'u', 'x', 'f') AND c.conparentid = 0
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = t.oid AND d.deptype = 'e')
  AND t.relname NOT IN ('schema_version', 'relay_cursor', 'role_grant', 'retention', 'audit_era', 'event_epoch', 'lock_secret')
  AND (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = c.conkey[1]) <> 'site_id'
  AND NOT (t.relname = 'site' AND c.contype = 'u') ORDER BY 1, 2;
-- Members that are tables of records.
SELECT name AS record_in_extension FROM radscheduler.storage_objects() WHERE NOT is_code;
-- Files that no schedule names: sources missing from the installed script, tests without expected output and the other way round.
\set in_no_script `for f in "$PG_ABS_SRCDIR"/extension/install/*.sql "$PG_ABS_SRCDIR"/extension/storage/*.sql; do grep -qxF -e "$(head -n 1 "$f")" "$PG_ABS_SRCDIR"/extension/radscheduler--"$(sed -n "s/^default_version = '\(.*\)'/\1/p" "$PG_ABS_SRCDIR"/extension/radscheduler.control)".sql || basename "$f"; done`
\set unpaired `cd "$PG_ABS_SRCDIR" && { ls sql | sed 's/\.sql$//'; ls expected | sed 's/\.out$//'; } | sort | uniq -u`
\set specs `cd "$PG_ABS_SRCDIR"/test && { ls specs | sed 's/\.spec$//'; ls expected | sed 's/\.out$//'; } | sort | uniq -u`
SELECT :'in_no_script' AS in_no_script, :'unpaired' AS unpaired, :'specs' AS unpaired_specs;
-- C symbols that SQL names and the library does not show, or shows and nobody names.
\set symbols `nm -D --defined-only "$(pg_config --pkglibdir)/radscheduler.so" | sed -n 's/.* T \(rad_[a-z0-9_]*\|[A-Z].*\|_PG.*\)$/\1/p' | tr '\n' ' '`
SELECT coalesce(p.prosrc, x.name) AS off_the_list FROM (SELECT DISTINCT p.prosrc FROM pg_proc p WHERE p.probin LIKE '%radscheduler') p
    FULL JOIN regexp_split_to_table(btrim(:'symbols'), ' ') x(name) ON x.name = p.prosrc
WHERE p.prosrc IS NULL AND x.name NOT IN ('Pg_magic_func', '_PG_init', 'rad_wake_worker_main') OR x.name IS NULL ORDER BY 1;
