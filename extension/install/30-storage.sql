-- Records live outside the extension: provision() creates them, migrate() moves them on, both detach them, so that pg_dump keeps
-- every row, index and policy and DROP EXTENSION refuses while they are there. The steps themselves follow this file in the built script.

CREATE TABLE radscheduler.storage_step (
    version integer PRIMARY KEY,
    topic   text NOT NULL,
    script  text NOT NULL
);
COMMENT ON TABLE  radscheduler.storage_step IS 'The numbered migrations of the records, as this version of the extension ships them.';
COMMENT ON COLUMN radscheduler.storage_step.version IS 'Order; schema_version holds those applied.';
COMMENT ON COLUMN radscheduler.storage_step.topic IS 'What the step lays out.';
COMMENT ON COLUMN radscheduler.storage_step.script IS 'SQL statements of the step.';

CREATE FUNCTION radscheduler.storage_objects(OUT kind text, OUT name text, OUT is_code boolean) RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END,
       c.relname::text,
       c.relname IN ('storage_step', 'modality_catalogue', 'procedure_catalogue', 'status_alias', 'event_rule',
                     'warning_kind', 'conflict_kind', 'rule_kind', 'rule_parameter', 'exam_gap', 'fact_kind', 'fact_unit', 'order_rule', 'phone_region', 'role_right', 'api_scope', 'profile_key', 'profile_preset', 'task_kind', 'task_step')
FROM pg_depend d
JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
WHERE d.deptype = 'e' AND e.extname = 'radscheduler' AND c.relkind IN ('r', 'p', 'v', 'S')
$$;
COMMENT ON FUNCTION radscheduler.storage_objects() IS 'Tables, views and sequences that are members of the extension; is_code marks the code tables that must be.';

CREATE FUNCTION radscheduler.detach_records() RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_object record;
    v_count  integer := 0;
BEGIN
    FOR v_object IN SELECT o.kind, o.name FROM radscheduler.storage_objects() o WHERE NOT o.is_code ORDER BY o.kind, o.name LOOP
        EXECUTE format('ALTER EXTENSION radscheduler DROP %s radscheduler.%I', v_object.kind, v_object.name);
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION radscheduler.detach_records() IS 'Takes records that an extension script created out of the extension; returns how many.';

CREATE FUNCTION radscheduler.attach_view(p_view text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM radscheduler.storage_objects() o WHERE o.name = p_view) THEN
        EXECUTE format('ALTER EXTENSION radscheduler ADD VIEW radscheduler.%I', p_view);
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.attach_view(text) IS
    'Takes a view of the records into the extension for as long as migrate() runs: an update script may replace only what belongs to the extension, and dropping the view would take the site''s own views with it.';

CREATE FUNCTION radscheduler.storage_version() RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_version integer;
BEGIN
    IF to_regclass('radscheduler.schema_version') IS NULL THEN
        RETURN 0;
    END IF;
    SELECT coalesce(max(s.version), 0) INTO v_version FROM radscheduler.schema_version s;
    RETURN v_version;
END
$$;
COMMENT ON FUNCTION radscheduler.storage_version() IS 'Last storage step applied in this database; 0 when there are no records yet.';

CREATE FUNCTION radscheduler.migrate() RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_step    record;
    v_current integer;
    v_count   integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('radscheduler.migrate'));
    v_current := radscheduler.storage_version();
    IF v_current = 0 THEN
        CREATE TABLE radscheduler.schema_version (
            version    integer     PRIMARY KEY,
            topic      text        NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT pg_catalog.now()
        );
        COMMENT ON TABLE  radscheduler.schema_version IS 'Storage steps applied to these records.';
        COMMENT ON COLUMN radscheduler.schema_version.version IS 'Step, see storage_step.';
        COMMENT ON COLUMN radscheduler.schema_version.topic IS 'What it laid out.';
        COMMENT ON COLUMN radscheduler.schema_version.applied_at IS 'When.';
    END IF;
    FOR v_step IN SELECT s.version, s.topic, s.script FROM radscheduler.storage_step s WHERE s.version > v_current ORDER BY s.version LOOP
        EXECUTE v_step.script;
        INSERT INTO radscheduler.schema_version (version, topic) VALUES (v_step.version, v_step.topic);
        v_count := v_count + 1;
    END LOOP;
    IF v_count > 0 THEN
        PERFORM radscheduler.make_partitions(p.parent) FROM unnest(ARRAY['hl7_message', 'event_log', 'audit_event']) p(parent);
    END IF;
    PERFORM radscheduler.detach_records();
    PERFORM radscheduler.renew_append_only();
    PERFORM radscheduler.apply_grants();
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION radscheduler.migrate() IS
    'Applies the storage steps that this database lacks, all in the calling transaction, and renews the rights of roles; returns how many steps. Safe to call again, to interrupt, and by several sessions.';

CREATE FUNCTION radscheduler.is_restoring() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT current_setting('row_security') = 'off'
    OR EXISTS (SELECT FROM pg_settings s WHERE s.name = 'xmloption' AND s.source = 'session')
$$;
COMMENT ON FUNCTION radscheduler.is_restoring() IS
    'Whether this session runs a dump: pg_dump and pg_restore begin every session with SET row_security = off (but not with --enable-row-security) and SET xmloption, which nobody else does.';

CREATE FUNCTION radscheduler.provision() RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF radscheduler.is_restoring() OR NOT coalesce(current_setting('radscheduler.auto_provision', true), 'on')::boolean THEN
        RETURN false;
    ELSIF radscheduler.storage_version() > 0 THEN
        RAISE EXCEPTION 'this database has radscheduler records already'
            USING ERRCODE = 'duplicate_object', HINT = 'SELECT radscheduler.migrate(); brings them up to this version.';
    END IF;
    PERFORM radscheduler.migrate();
    PERFORM radscheduler.revoke_default_privileges();
    PERFORM radscheduler.create_site('MAIN', 'Main site', NULL);
    PERFORM radscheduler.detach_records();
    RETURN true;
END
$$;
COMMENT ON FUNCTION radscheduler.provision() IS
    'Creates the records with one site, MAIN; CREATE EXTENSION calls it. Does nothing in a restore (see is_restoring()) or when radscheduler.auto_provision is off. Fails rather than adopt tables that are already there.';

CREATE FUNCTION radscheduler.destroy_records(database text) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_object record;
    v_count  integer := 0;
BEGIN
    IF destroy_records.database IS DISTINCT FROM current_database()::text THEN
        RAISE EXCEPTION 'the records of this database stay' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'To destroy every appointment, message and audit event, give the name of this very database.';
    END IF;
    PERFORM radscheduler.require_every_site('destroying the records');
    IF EXISTS (SELECT FROM radscheduler.legal_hold h WHERE h.lifted_at IS NULL) THEN
        RAISE EXCEPTION 'records of this database are under legal hold' USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'SELECT * FROM radscheduler.legal_hold WHERE lifted_at IS NULL; lift_hold() lifts them.';
    END IF;
    FOR v_object IN
        SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind, c.oid::regclass AS name
        FROM pg_class c
        WHERE c.relnamespace = 'radscheduler'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        ORDER BY c.relkind = 'v' DESC, c.relname
    LOOP
        EXECUTE format('DROP %s IF EXISTS %s CASCADE', v_object.kind, v_object.name);
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION radscheduler.destroy_records(text) IS
    'Drops every table and view of schema radscheduler that is not code, with what depends on them; returns how many. Only after this can the extension be dropped. Give the name of the database, so that nobody does it in the wrong one; refused under legal hold.';

CREATE FUNCTION radscheduler.drop_guard() RETURNS event_trigger
    AS 'MODULE_PATHNAME', 'rad_drop_guard' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION radscheduler.drop_guard() IS 'Event trigger: raises 2BP01 for DROP EXTENSION or DROP SCHEMA radscheduler, CASCADE too, while records exist.';

CREATE EVENT TRIGGER radscheduler_drop_guard ON ddl_command_start WHEN TAG IN ('DROP EXTENSION', 'DROP SCHEMA', 'DROP OWNED')
    EXECUTE FUNCTION radscheduler.drop_guard();
COMMENT ON EVENT TRIGGER radscheduler_drop_guard IS 'Keeps the extension and its schema from being dropped under records.';
