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
    v_table  regclass;
    v_role   text;
    v_column text;
BEGIN
    -- Made aside and attached: that holds up neither writers nor readers of the parent.
    EXECUTE format('CREATE TABLE radscheduler.%I (LIKE radscheduler.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)', p_name, p_parent);
    v_table := format('radscheduler.%I', p_name)::regclass;
    EXECUTE format('COMMENT ON TABLE %s IS %L', v_table, p_comment);
    -- Rights that ALTER DEFAULT PRIVILEGES hands out are nobody's here.
    FOR v_role IN SELECT DISTINCT CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END
                  FROM pg_class c, aclexplode(c.relacl) x WHERE c.oid = v_table AND x.grantee <> c.relowner LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', v_table, v_role);
    END LOOP;
    FOR v_column IN SELECT a.attname FROM pg_attribute a
                    WHERE a.attrelid = format('radscheduler.%I', p_parent)::regclass AND a.attnum > 0 AND a.attstattarget = 0 LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS 0', v_table, v_column);
    END LOOP;
    PERFORM radscheduler.secure_table(v_table);
    IF p_parent = 'audit_event' THEN
        PERFORM radscheduler.make_append_only(v_table, false);
    ELSE
        PERFORM radscheduler.audit_partition(v_table);
    END IF;
    EXECUTE format('ALTER TABLE radscheduler.%I ATTACH PARTITION %s %s', p_parent, v_table, p_bounds);
END
$$;
COMMENT ON FUNCTION radscheduler.make_partition(text, text, text, text) IS 'Makes one partition with its policy and triggers and attaches it; p_bounds is DEFAULT or FOR VALUES …';

CREATE FUNCTION radscheduler.make_partitions(p_parent text) RETURNS text[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
    AS $$
DECLARE
    v_start   timestamptz := date_trunc('month', now());
    v_month   timestamptz;
    v_missing timestamptz[];
    v_waiting boolean;
    v_name    text;
    v_columns text;
    v_made    text[] := '{}';
BEGIN
    v_missing := ARRAY(SELECT m FROM generate_series(v_start, v_start + interval '3 months', interval '1 month') m
                       WHERE to_regclass(format('radscheduler.%I', p_parent || to_char(m, '_YYYYMM'))) IS NULL ORDER BY m);
    IF cardinality(v_missing) = 0 THEN
        RETURN v_made;
    END IF;
    -- Rows of these months that had to wait in the default partition: it is taken off, a new one is made, and the old one is poured into the parent.
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
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO v_columns
            FROM pg_attribute a WHERE a.attrelid = format('radscheduler.%I', p_parent)::regclass AND a.attnum > 0 AND NOT a.attisdropped;
        EXECUTE format('INSERT INTO radscheduler.%1$I (%3$s) SELECT %3$s FROM radscheduler.%2$I', p_parent, p_parent || '_waiting', v_columns);
        EXECUTE format('DROP TABLE radscheduler.%I', p_parent || '_waiting');
    END IF;
    RETURN v_made;
END
$$;
COMMENT ON FUNCTION radscheduler.make_partitions(text) IS 'Makes the monthly partitions (UTC) of a table for this and the next three months where they are missing; returns their names.';

CREATE FUNCTION radscheduler.make_next_partitions(OUT created text[], OUT postponed text[]) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
    AS $$
DECLARE
    v_parent text;
BEGIN
    created := '{}';
    postponed := '{}';
    FOREACH v_parent IN ARRAY ARRAY['hl7_message', 'event_log', 'audit_event'] LOOP
        IF created <> '{}' THEN
            EXIT; -- its locks are held to the end: the next table has its turn in the next call
        END IF;
        BEGIN
            created := radscheduler.make_partitions(v_parent);
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            postponed := postponed || v_parent;
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.make_next_partitions() IS
    'Makes the missing partitions of the first table that lacks some; postponed names tables whose lock was not to be had within 2 seconds.';

CREATE FUNCTION radscheduler.maintain() RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_sealed  bigint;
    v_made    record;
    v_dropped text[] := '{}';
    v_later   text[] := '{}';
    v_holds   integer := 0;
    v_freed   integer := 0;
BEGIN
    LOCK TABLE radscheduler.retention IN SHARE ROW EXCLUSIVE MODE; -- one at a time
    PERFORM radscheduler.begin_event_epoch();
    v_sealed := radscheduler.audit_seal_pending();
    SELECT * INTO v_made FROM radscheduler.make_next_partitions();
    -- Exclusive locks on one table in one transaction: two would meet with a message that needs both.
    IF v_made.created = '{}' THEN
        SELECT d.dropped, d.postponed INTO v_dropped, v_later FROM radscheduler.drop_expired() d;
        IF v_dropped = '{}' THEN
            v_holds := radscheduler.reap_holds(); -- who waits for its locks may hold others that those of a partition wait for
            IF v_holds = 0 THEN
                v_freed := radscheduler.release_reserved();
            END IF;
        END IF;
    END IF;
    PERFORM radscheduler.expire_quarantine();
    PERFORM radscheduler.expire_replies();
    DELETE FROM radscheduler.task t WHERE t.state = 'done' AND t.updated_at < now() - interval '30 days';
    RETURN jsonb_build_object('partitions_created', to_jsonb(v_made.created), 'partitions_dropped', to_jsonb(v_dropped),
                              'postponed', to_jsonb(v_made.postponed || v_later), 'audit_events_sealed', v_sealed, 'holds_expired', v_holds, 'reservations_released', v_freed);
END
$$;
COMMENT ON FUNCTION radscheduler.maintain() IS
    'Seals the audit log, makes monthly partitions of hl7_message, event_log and audit_event for this and the next three months, and drops those older than set_retention() says; of one table in each call. Takes away holds that have run out, heals who was flagged for time that was kept for others and is no more (where no hold ran out), takes away tasks that were done 30 days ago, and rejected frames after 90 days. The sidecar calls it every few minutes; without it let pg_cron call it, or by hand, several times a day. Returns {partitions_created, partitions_dropped, postponed, audit_events_sealed, holds_expired, reservations_released}.';
