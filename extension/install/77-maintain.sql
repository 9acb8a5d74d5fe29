-- What has to be done now and then, by the daemon, by pg_cron or by hand: seal the audit log, make partitions ahead, drop what is older than
-- the site keeps. Each part can be repeated and interrupted.

CREATE FUNCTION radscheduler.partition_key(p_parent text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN CASE p_parent WHEN 'hl7_message' THEN 'received_at' ELSE 'recorded_at' END;
COMMENT ON FUNCTION radscheduler.partition_key(text) IS 'Column by which a record table is partitioned.';

CREATE FUNCTION radscheduler.make_partition(p_parent text, p_name text, p_bounds text, p_comment text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_column record;
BEGIN
    EXECUTE format('CREATE TABLE radscheduler.%I PARTITION OF radscheduler.%I %s', p_name, p_parent, p_bounds);
    EXECUTE format('COMMENT ON TABLE radscheduler.%I IS %L', p_name, p_comment);
    FOR v_column IN SELECT a.attname, col_description(a.attrelid, a.attnum) AS text FROM pg_attribute a
                    WHERE a.attrelid = format('radscheduler.%I', p_parent)::regclass AND a.attnum > 0 AND NOT a.attisdropped LOOP
        EXECUTE format('COMMENT ON COLUMN radscheduler.%I.%I IS %L', p_name, v_column.attname, v_column.text);
    END LOOP;
    PERFORM radscheduler.secure_table(format('radscheduler.%I', p_name)::regclass);
    IF p_parent = 'audit_event' THEN
        PERFORM radscheduler.make_append_only(format('radscheduler.%I', p_name)::regclass, false);
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.make_partition(text, text, text, text) IS 'Makes one partition with its policy and triggers; p_bounds is DEFAULT or FOR VALUES …';

CREATE FUNCTION radscheduler.make_partitions(p_parent text) RETURNS text[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
    AS $$
DECLARE
    v_start   timestamptz := date_trunc('month', now());
    v_month   timestamptz;
    v_missing timestamptz[];
    v_waiting boolean;
    v_name    text;
    v_made    text[] := '{}';
BEGIN
    v_missing := ARRAY(SELECT m FROM generate_series(v_start, v_start + interval '3 months', interval '1 month') m
                       WHERE to_regclass(format('radscheduler.%I', p_parent || to_char(m, '_YYYYMM'))) IS NULL ORDER BY m);
    IF cardinality(v_missing) = 0 THEN
        RETURN v_made;
    END IF;
    -- Rows of these months that had to wait in the default partition: a new default is made, and the old one is poured into the parent.
    EXECUTE format('SELECT EXISTS (SELECT FROM radscheduler.%I WHERE %I >= $1 AND %2$I < $2)', p_parent || '_default', radscheduler.partition_key(p_parent))
        INTO v_waiting USING v_missing[1], v_missing[cardinality(v_missing)] + interval '1 month';
    IF v_waiting THEN
        EXECUTE format('ALTER TABLE radscheduler.%I DETACH PARTITION radscheduler.%I', p_parent, p_parent || '_default');
        EXECUTE format('ALTER TABLE radscheduler.%I RENAME TO %I', p_parent || '_default', p_parent || '_waiting');
    END IF;
    FOREACH v_month IN ARRAY v_missing LOOP
        v_name := p_parent || to_char(v_month, '_YYYYMM');
        PERFORM radscheduler.make_partition(p_parent, v_name, format('FOR VALUES FROM (%L) TO (%L)', v_month, v_month + interval '1 month'),
                                            format('Rows of %s of one month (UTC).', p_parent));
        v_made := v_made || v_name;
    END LOOP;
    IF v_waiting THEN
        PERFORM radscheduler.make_partition(p_parent, p_parent || '_default', 'DEFAULT',
                                            obj_description(format('radscheduler.%I', p_parent || '_waiting')::regclass, 'pg_class'));
        EXECUTE format('INSERT INTO radscheduler.%I SELECT * FROM radscheduler.%I', p_parent, p_parent || '_waiting');
        EXECUTE format('DROP TABLE radscheduler.%I', p_parent || '_waiting');
    END IF;
    RETURN v_made;
END
$$;
COMMENT ON FUNCTION radscheduler.make_partitions(text) IS 'Makes the monthly partitions (UTC) of a table for this and the next three months where they are missing; returns their names.';

CREATE FUNCTION radscheduler.maintain() RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_created text[] := '{}';
    v_sealed  bigint;
    v_expired record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('radscheduler.maintain'));
    v_sealed := radscheduler.audit_seal_pending();
    v_created := radscheduler.make_partitions('hl7_message') || radscheduler.make_partitions('event_log') || radscheduler.make_partitions('audit_event');
    SELECT * INTO v_expired FROM radscheduler.drop_expired();
    RETURN jsonb_build_object('partitions_created', to_jsonb(v_created), 'partitions_dropped', to_jsonb(v_expired.dropped),
                              'postponed', to_jsonb(v_expired.postponed), 'audit_events_sealed', v_sealed);
END
$$;
COMMENT ON FUNCTION radscheduler.maintain() IS
    'Seals the audit log, makes the monthly partitions of hl7_message, event_log and audit_event for this and the next three months, and drops those older than set_retention() says. The sidecar calls it every few minutes; without it let pg_cron call it, or by hand, at least daily. Returns {partitions_created, partitions_dropped, postponed, audit_events_sealed}.';
