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
                     'warning_kind', 'conflict_kind', 'phone_region')
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
    PERFORM radscheduler.detach_records();
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION radscheduler.migrate() IS
    'Applies the storage steps that this database lacks, all in the calling transaction; returns how many. Safe to call again and by several sessions.';

CREATE FUNCTION radscheduler.maintain() RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_parent  text;
    v_month   timestamptz;
    v_name    text;
    v_key     text;
    v_until   timestamptz;
    v_created text[] := '{}';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('radscheduler.maintain'));
    FOREACH v_parent IN ARRAY ARRAY['hl7_message', 'event_log'] LOOP
        FOR v_month IN SELECT timezone('UTC', g) FROM generate_series(date_trunc('month', timezone('UTC', now())),
                                                  date_trunc('month', timezone('UTC', now())) + interval '3 months', interval '1 month') g LOOP
            v_name := format('%s_%s', v_parent, to_char(timezone('UTC', v_month), 'YYYYMM'));
            IF to_regclass(format('radscheduler.%I', v_name)) IS NULL THEN
                v_until := timezone('UTC', timezone('UTC', v_month) + interval '1 month');
                v_key := CASE v_parent WHEN 'hl7_message' THEN 'received_at' ELSE 'recorded_at' END;
                EXECUTE format('CREATE TABLE radscheduler.%I (LIKE radscheduler.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)', v_name, v_parent);
                EXECUTE format('WITH moved AS (DELETE FROM radscheduler.%I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO radscheduler.%I SELECT * FROM moved',
                               v_parent || '_default', v_key, v_month, v_key, v_until, v_name);
                EXECUTE format('ALTER TABLE radscheduler.%I ATTACH PARTITION radscheduler.%I FOR VALUES FROM (%L) TO (%L)', v_parent, v_name, v_month, v_until);
                EXECUTE format('COMMENT ON TABLE radscheduler.%I IS %L', v_name, format('Rows of %s of one month (UTC).', v_parent));
                v_created := v_created || v_name;
            END IF;
        END LOOP;
    END LOOP;
    RETURN jsonb_build_object('partitions_created', to_jsonb(v_created));
END
$$;
COMMENT ON FUNCTION radscheduler.maintain() IS
    'Makes the monthly partitions of hl7_message and event_log for this and the next three months, and moves into them what had to wait in the default partition. The sidecar calls it hourly; without the sidecar call it from cron at least monthly. Returns {partitions_created}.';

CREATE FUNCTION radscheduler.provision() RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF current_setting('row_security') = 'off' OR NOT coalesce(current_setting('radscheduler.auto_provision', true), 'on')::boolean THEN
        RETURN false;
    ELSIF radscheduler.storage_version() > 0 THEN
        RAISE EXCEPTION 'this database has radscheduler records already'
            USING ERRCODE = 'duplicate_object', HINT = 'SELECT radscheduler.migrate(); brings them up to this version.';
    END IF;
    PERFORM radscheduler.migrate();
    PERFORM radscheduler.maintain();
    PERFORM radscheduler.create_site('MAIN', 'Main site', NULL);
    PERFORM radscheduler.detach_records();
    RETURN true;
END
$$;
COMMENT ON FUNCTION radscheduler.provision() IS
    'Creates the records with one site, MAIN; CREATE EXTENSION calls it. Does nothing in a restore (row_security = off, as pg_dump and pg_restore set it) or when radscheduler.auto_provision is off. Fails rather than adopt tables that are already there.';
