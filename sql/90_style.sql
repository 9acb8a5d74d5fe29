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
-- Functions that write and are marked parallel safe, or immutable ones that read tables, cannot be told from the catalogue; unlabelled ones can.
SELECT p.oid::regprocedure AS unlabelled FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE n.nspname = 'radscheduler' AND p.provolatile = 'v' AND p.proparallel = 's' AND l.lanname = 'plpgsql' ORDER BY 1;
-- Keys and exclusion constraints of record tables that do not lead with site_id.
SELECT c.conrelid::regclass AS record, c.conname AS not_led_by_site
FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname = 'radscheduler' AND c.contype IN ('p', 'u', 'x', 'f') AND c.conparentid = 0
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = t.oid AND d.deptype = 'e')
  AND t.relname NOT IN ('schema_version', 'relay_cursor')
  AND (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = c.conkey[1]) <> 'site_id'
  AND NOT (t.relname = 'site' AND c.contype = 'u') ORDER BY 1, 2;
-- Members that are tables of records.
SELECT name AS record_in_extension FROM radscheduler.storage_objects() WHERE NOT is_code;
