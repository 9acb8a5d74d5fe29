-- How long the partitioned records are kept. Months that are wholly older leave as partitions; old rows that lie in a default partition are
-- deleted. Held messages stay (74-holds.sql), events stay until every relay has published them, audit events until they are sealed.
-- Dropping a partition needs its parent for a moment without anybody else: all slow work is done before, one parent is taken in each
-- transaction (two could meet a writer that holds the one and waits for the other), and who cannot have it within 2 seconds leaves it for the next run.

CREATE FUNCTION radscheduler.set_retention(record text, keep interval) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET intervalstyle = 'postgres' SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_column
DECLARE
    v_old interval;
BEGIN
    IF NOT radscheduler.sees_every_site() THEN
        RAISE EXCEPTION 'retention concerns every site, and this role was granted only some' USING ERRCODE = 'insufficient_privilege',
            HINT = 'Ask a role that may use all sites.';
    ELSIF set_retention.keep > interval '1000 years' THEN
        RAISE EXCEPTION 'records cannot be kept for more than 1000 years' USING ERRCODE = 'invalid_parameter_value', HINT = 'NULL keeps them for ever.';
    ELSIF set_retention.keep < interval '1 month' THEN
        RAISE EXCEPTION 'records are kept for one month at least' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give an interval such as ''13 months'', or NULL to keep them for ever.';
    END IF;
    SELECT r.keep INTO v_old FROM radscheduler.retention r WHERE r.record = set_retention.record FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no retention for "%"', set_retention.record USING ERRCODE = 'invalid_parameter_value', HINT = 'Use hl7_message, event_log or audit_event.';
    END IF;
    UPDATE radscheduler.retention r SET keep = set_retention.keep WHERE r.record = set_retention.record;
    PERFORM radscheduler.audit(0, 'retention.set', set_retention.record, NULL, jsonb_build_object('keep', jsonb_build_array(v_old, set_retention.keep)));
END
$$;
COMMENT ON FUNCTION radscheduler.set_retention(text, interval) IS
    'Sets how long hl7_message, event_log or audit_event is kept in all sites, at least one month; NULL is for ever. maintain() removes what is older. Raises 42501 for a role that may not use every site, 22023 for another name or a shorter time.';

CREATE FUNCTION radscheduler.expired_months(p_parent text, p_before timestamptz) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
    AS $$
BEGIN
    RETURN ARRAY(
        SELECT n.name
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
             LATERAL (SELECT c.relname::text, CASE WHEN c.relname ~ ('^' || p_parent || '_\d{6}$') THEN to_date(right(c.relname, 6), 'YYYYMM')::timestamptz END) n(name, month)
        WHERE i.inhparent = format('radscheduler.%I', p_parent)::regclass AND n.month + interval '1 month' <= p_before
          AND pg_get_expr(c.relpartbound, c.oid) = format('FOR VALUES FROM (%L) TO (%L)', n.month, n.month + interval '1 month')
        ORDER BY n.name);
END
$$;
COMMENT ON FUNCTION radscheduler.expired_months(text, timestamptz) IS
    'Monthly partitions (parent_YYYYMM, UTC) of a table that lie wholly before an instant, oldest first. A partition whose bounds are not those of its name is not ours and not listed.';

CREATE FUNCTION radscheduler.kept_messages(p_partition regclass, p_sites integer[], p_before timestamptz) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site  integer;
    v_holds record;
    v_some  bigint[];
    v_kept  bigint[] := '{}';
BEGIN
    FOREACH v_site IN ARRAY p_sites LOOP
        SELECT * INTO v_holds FROM radscheduler.holds_in_force(v_site);
        CONTINUE WHEN v_holds.patients = '{}';
        EXECUTE format('SELECT array_agg(m.message_id) FROM %s m
                        LEFT JOIN radscheduler.sender x ON x.site_id = m.site_id AND x.sender_id = m.sender_id
                        LEFT JOIN radscheduler.site t ON t.site_id = m.site_id,
                        LATERAL radscheduler.message_subjects(m.site_id, m.appointment_id, m.message_code, m.raw, radscheduler.sender_profile(x.profile, t.default_profile) ->> ''charset'', $2) s
                        WHERE m.site_id = $1 AND m.received_at < $4 AND (s.trouble IS NOT NULL OR (s.patients || s.doubtful) && $3)', p_partition)
            INTO v_some USING v_site, v_holds.identifiers, v_holds.patients, p_before;
        v_kept := v_kept || v_some;
    END LOOP;
    RETURN v_kept;
END
$$;
COMMENT ON FUNCTION radscheduler.kept_messages(regclass, integer[], timestamptz) IS
    'Ids of the messages in a partition of hl7_message, received before an instant at some sites, that a hold on a patient keeps: those about him, and those that cannot be told to be another''s.';

CREATE FUNCTION radscheduler.delete_expired_messages(p_partition regclass, p_label text, p_sites integer[], p_before timestamptz, p_kept bigint[]) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_rows bigint;
BEGIN
    EXECUTE format('WITH gone AS (DELETE FROM %s m WHERE m.site_id = ANY ($1) AND m.received_at < $2 AND m.message_id <> ALL ($3)
                                  RETURNING m.site_id, m.message_id, m.sender_id, m.control_id, m.raw_sha256),
                    keys AS (DELETE FROM radscheduler.message_key k USING gone g
                             WHERE k.site_id = g.site_id AND k.sender_id = g.sender_id AND k.control_id = coalesce(g.control_id, '''')
                               AND k.body_sha256 = g.raw_sha256 AND k.message_id = g.message_id)
                    SELECT count(*) FROM gone', p_partition) INTO v_rows USING p_sites, p_before, p_kept;
    IF v_rows > 0 THEN
        PERFORM radscheduler.audit(0, 'retention.delete', 'hl7_message', NULL, jsonb_build_object('month', p_label, 'rows', v_rows));
    END IF;
    RETURN v_rows;
END
$$;
COMMENT ON FUNCTION radscheduler.delete_expired_messages(regclass, text, integer[], timestamptz, bigint[]) IS
    'Deletes from a partition of hl7_message, with their duplicate keys, what was received before an instant at some sites, except the ids to keep; returns how many and audits it (retention.delete, month = p_label).';

CREATE FUNCTION radscheduler.drop_months(p_parent text, p_months text[], p_kept bigint[]) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
    AS $$
DECLARE
    v_name    text;
    v_month   timestamptz;
    v_rows    bigint;
    v_columns text;
BEGIN
    FOREACH v_name IN ARRAY p_months LOOP
        v_month := to_date(right(v_name, 6), 'YYYYMM')::timestamptz;
        EXECUTE format('SELECT count(*) FROM radscheduler.%I', v_name) INTO v_rows;
        IF p_parent = 'hl7_message' THEN
            EXECUTE format('SELECT $2 - count(*) FROM radscheduler.%I m WHERE m.message_id = ANY ($1)', v_name) INTO v_rows USING p_kept, v_rows;
            DELETE FROM radscheduler.message_key k
                WHERE k.received_at >= v_month AND k.received_at < v_month + interval '1 month' AND k.message_id <> ALL (p_kept);
        END IF;
        PERFORM radscheduler.audit(0, 'retention.drop', p_parent, NULL, jsonb_build_object('month', to_char(v_month, 'YYYY-MM'), 'rows', v_rows));
    END LOOP;
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO v_columns
        FROM pg_attribute a WHERE a.attrelid = format('radscheduler.%I', p_parent)::regclass AND a.attnum > 0 AND NOT a.attisdropped;
    -- From here to the end of the transaction nobody else has the table.
    EXECUTE format('LOCK TABLE ONLY radscheduler.%I IN ACCESS EXCLUSIVE MODE', p_parent);
    FOREACH v_name IN ARRAY p_months LOOP
        EXECUTE format('ALTER TABLE radscheduler.%I DETACH PARTITION radscheduler.%I', p_parent, v_name);
        IF p_kept <> '{}' THEN
            EXECUTE format('INSERT INTO radscheduler.%1$I (%3$s) SELECT %3$s FROM radscheduler.%2$I m WHERE m.message_id = ANY ($1)', p_parent, v_name, v_columns) USING p_kept;
        END IF;
        EXECUTE format('DROP TABLE radscheduler.%I', v_name);
    END LOOP;
    RETURN true;
EXCEPTION WHEN lock_not_available OR deadlock_detected OR dependent_objects_still_exist THEN
    RETURN false;
END
$$;
COMMENT ON FUNCTION radscheduler.drop_months(text, text[], bigint[]) IS
    'Detaches and drops partitions of a table, all or none, and audits each (retention.drop, {month: YYYY-MM, rows: how many were removed}). Messages to keep go back into the parent, which puts them into its default partition; the duplicate keys of the others go. False when a lock could not be had in time or something of the site''s own depends on one.';

CREATE FUNCTION radscheduler.expire_messages(p_before timestamptz, OUT dropped text[], OUT postponed text[]) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_most  CONSTANT integer := 5000;
    v_sites integer[] := ARRAY(SELECT s.site_id FROM radscheduler.site s ORDER BY s.site_id);
    v_free  integer[];
    v_held  integer[];
    v_name  text;
    v_table regclass;
    v_kept  bigint[];
    v_back  bigint[] := '{}';
    v_is_held boolean;
BEGIN
    dropped := '{}';
    postponed := '{}';
    PERFORM radscheduler.lock_keys(ARRAY(SELECT radscheduler.hold_lock_name(s) FROM unnest(v_sites) s));
    v_held := ARRAY(SELECT DISTINCT h.site_id FROM radscheduler.legal_hold h WHERE h.lifted_at IS NULL AND h.patient_id IS NULL);
    v_free := ARRAY(SELECT s FROM unnest(v_sites) s WHERE s <> ALL (v_held));
    v_table := 'radscheduler.hl7_message_default'::regclass;
    PERFORM radscheduler.delete_expired_messages(v_table, 'default', v_free, p_before, radscheduler.kept_messages(v_table, v_free, p_before));
    FOREACH v_name IN ARRAY radscheduler.expired_months('hl7_message', p_before) LOOP
        v_table := format('radscheduler.%I', v_name)::regclass;
        EXECUTE format('SELECT EXISTS (SELECT FROM unnest($1) s WHERE EXISTS (SELECT FROM %s m WHERE m.site_id = s))', v_table) INTO v_is_held USING v_held;
        v_kept := radscheduler.kept_messages(v_table, v_free, 'infinity');
        IF v_is_held OR cardinality(v_kept) > c_most THEN
            -- Too much of the month is held to be moved: it loses its other rows and stays until the hold is lifted.
            PERFORM radscheduler.delete_expired_messages(v_table, right(v_name, 6), v_free, 'infinity', v_kept);
        ELSE
            dropped := dropped || v_name;
            v_back := v_back || v_kept;
        END IF;
    END LOOP;
    IF dropped <> '{}' AND NOT radscheduler.drop_months('hl7_message', dropped, v_back) THEN
        postponed := dropped;
        dropped := '{}';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.expire_messages(timestamptz) IS
    'Removes messages received in months wholly before an instant, and older rows of the default partition. Held ones stay: a few go back into the default partition, a month with many, or with rows of a site under a hold, stays and loses its other rows.';

CREATE FUNCTION radscheduler.expire_events(p_before timestamptz, OUT dropped text[], OUT postponed text[]) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_name    text;
    v_waiting boolean;
    v_rows    bigint;
BEGIN
    dropped := '{}';
    postponed := '{}';
    DELETE FROM radscheduler.event_log_default e
        WHERE e.recorded_at < p_before AND NOT EXISTS (SELECT FROM radscheduler.relay_cursor c WHERE (c.xid, c.seq) < (e.xid, e.seq));
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    IF v_rows > 0 THEN
        PERFORM radscheduler.audit(0, 'retention.delete', 'event_log', NULL, jsonb_build_object('month', 'default', 'rows', v_rows));
    END IF;
    FOREACH v_name IN ARRAY radscheduler.expired_months('event_log', p_before) LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM (SELECT e.xid, e.seq FROM radscheduler.%I e ORDER BY e.xid DESC, e.seq DESC LIMIT 1) l
                                       JOIN radscheduler.relay_cursor c ON (c.xid, c.seq) < (l.xid, l.seq))', v_name) INTO v_waiting;
        IF v_waiting THEN
            postponed := postponed || v_name;
        ELSE
            dropped := dropped || v_name;
        END IF;
    END LOOP;
    IF dropped <> '{}' AND NOT radscheduler.drop_months('event_log', dropped, '{}') THEN
        postponed := postponed || dropped;
        dropped := '{}';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.expire_events(timestamptz) IS
    'Removes events of months wholly before an instant, and older rows of the default partition, except what a relay in relay_cursor has still to publish.';

CREATE FUNCTION radscheduler.expire_audit(p_before timestamptz, OUT dropped text[], OUT postponed text[]) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_name text;
BEGIN
    dropped := '{}';
    postponed := '{}';
    FOREACH v_name IN ARRAY radscheduler.expired_months('audit_event', p_before) LOOP
        IF radscheduler.audit_is_sealed(format('radscheduler.%I', v_name)::regclass) THEN
            dropped := dropped || v_name;
        ELSE
            postponed := postponed || v_name;
        END IF;
    END LOOP;
    IF dropped <> '{}' AND NOT radscheduler.drop_months('audit_event', dropped, '{}') THEN
        postponed := postponed || dropped;
        dropped := '{}';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.expire_audit(timestamptz) IS 'Removes audit events of months wholly before an instant once all of them are sealed; never rows of the default partition.';

CREATE FUNCTION radscheduler.drop_expired(OUT dropped text[], OUT postponed text[]) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET lock_timeout = '2s' SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_rule   record;
    v_result record;
    v_months text[];
BEGIN
    dropped := '{}';
    postponed := '{}';
    FOR v_rule IN SELECT r.record, now() - r.keep AS before FROM radscheduler.retention r WHERE r.keep IS NOT NULL ORDER BY r.record DESC LOOP
        v_months := radscheduler.expired_months(v_rule.record, v_rule.before);
        IF dropped <> '{}' THEN
            postponed := postponed || v_months;
            CONTINUE;
        END IF;
        BEGIN
            CASE v_rule.record
                WHEN 'hl7_message' THEN SELECT * INTO v_result FROM radscheduler.expire_messages(v_rule.before);
                WHEN 'event_log'   THEN SELECT * INTO v_result FROM radscheduler.expire_events(v_rule.before);
                ELSE                    SELECT * INTO v_result FROM radscheduler.expire_audit(v_rule.before);
            END CASE;
            dropped := v_result.dropped;
            postponed := postponed || v_result.postponed;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            postponed := postponed || v_months;
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.drop_expired() IS
    'Removes what is older than radscheduler.retention says: dropped are the partitions that went, of one table in each call; postponed those that are due and wait for the next call (a lock was not to be had within 2 seconds, another table went first), for a relay or for a seal. A month that a hold keeps is in neither. Call it last in a transaction and end that soon: until then nobody else has the table. maintain() does.';
