-- The audit log as evidence. Writers only insert. What they committed is sealed afterwards in batches: a seal keeps the id and digest of
-- every event of its batch and chains to the seal before it, one chain for each site. A batch holds events of one month (so that retention
-- drops whole batches), below the horizon of running transactions (so that none can still turn up in between).
-- Transaction ids mean something in one cluster only: after a restore elsewhere a new era begins, behind a barrier of event ids.

CREATE FUNCTION radscheduler.audit_digest(e jsonb) RETURNS bytea
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN pg_catalog.sha256(pg_catalog.convert_to(e::text, 'UTF8'));
COMMENT ON FUNCTION radscheduler.audit_digest(jsonb) IS 'SHA-256 of an event in its canonical form, see audit_canonical().';

CREATE FUNCTION radscheduler.audit_canonical(site_id integer, audit_id bigint, xid xid8, recorded_at timestamptz, role_name text, login_name text, actor text,
                                             purpose text, trace_id text, action text, object text, object_id bigint, detail jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN pg_catalog.jsonb_build_array(site_id, audit_id, xid::text, EXTRACT(epoch FROM recorded_at), role_name, login_name, actor, purpose, trace_id, action,
                                        object, object_id, detail);
COMMENT ON FUNCTION radscheduler.audit_canonical(integer, bigint, xid8, timestamptz, text, text, text, text, text, text, text, bigint, jsonb) IS
    'Every column of an audit event in a fixed order: the form that is digested. Independent of zone and of later columns.';

CREATE FUNCTION radscheduler.seal_digest(p_previous bytea, p_site integer, p_seal bigint, p_month date, p_era integer, p_horizon xid8, p_next xid8, p_sealed timestamptz,
                                         p_events bigint[], p_digests bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN pg_catalog.sha256(COALESCE(p_previous, '\x'::bytea)
        OPERATOR(pg_catalog.||) pg_catalog.convert_to(pg_catalog.jsonb_build_array(p_site, p_seal, EXTRACT(epoch FROM p_month), p_era, p_horizon::text, p_next::text,
                                                                                             EXTRACT(epoch FROM p_sealed), pg_catalog.to_jsonb(p_events))::text, 'UTF8')
        OPERATOR(pg_catalog.||) p_digests);
COMMENT ON FUNCTION radscheduler.seal_digest(bytea, integer, bigint, date, integer, xid8, xid8, timestamptz, bigint[], bytea) IS 'SHA-256 that a seal carries: of the seal before it and of everything it states.';

CREATE FUNCTION radscheduler.full_xid(p_xid xid, p_next xid8) RETURNS xid8
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (p_next::text::numeric - pg_catalog.mod(pg_catalog.mod(p_next::text::numeric - p_xid::text::numeric, 4294967296) + 4294967296, 4294967296))::text::xid8;
COMMENT ON FUNCTION radscheduler.full_xid(xid, xid8) IS 'The full id of a past transaction of which a row holds the lower 32 bits (xmin); p_next is one that has not begun.';

CREATE FUNCTION radscheduler.audit_era() RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_cluster text := (SELECT c.system_identifier::text FROM pg_control_system() c);
    v_next    xid8;
    v_era     record;
BEGIN
    SELECT e.era, e.cluster_id INTO v_era FROM radscheduler.audit_era e ORDER BY e.era DESC LIMIT 1;
    IF v_era.cluster_id = v_cluster THEN
        RETURN v_era.era;
    END IF;
    -- What was restored belongs to the past. Events written here since then have the transaction id of a transaction that came after the one that
    -- restored this very table, and that stored them, itself or in a subtransaction. Writers wait a moment, so that one event id parts the two.
    LOCK TABLE radscheduler.audit_event IN SHARE MODE;
    v_next := pg_snapshot_xmax(pg_current_snapshot());
    INSERT INTO radscheduler.audit_era (era, cluster_id, barrier, horizon)
        SELECT coalesce(v_era.era, 0) + 1, v_cluster, coalesce(max(a.audit_id), 0), pg_snapshot_xmin(pg_current_snapshot())
        FROM radscheduler.audit_event a
        WHERE a.xid <= (SELECT radscheduler.full_xid(e.xmin, v_next) FROM radscheduler.audit_era e ORDER BY 1 DESC LIMIT 1)
           OR a.xid > radscheduler.full_xid(a.xmin, v_next);
    PERFORM radscheduler.audit(0, 'audit.era', 'audit_era', e.era, jsonb_build_object('cluster_id', e.cluster_id, 'barrier', e.barrier, 'begun_at', extract(epoch FROM e.begun_at)))
        FROM radscheduler.audit_era e WHERE e.era = coalesce(v_era.era, 0) + 1;
    RETURN coalesce(v_era.era, 0) + 1;
END
$$;
COMMENT ON FUNCTION radscheduler.audit_era() IS 'Number of the era in this cluster (pg_control_system); begins a new one after a restore into another. Call it under the lock of audit_seal_pending().';

CREATE FUNCTION radscheduler.audit_seal_pending() RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC'
    AS $$
DECLARE
    c_batch   constant integer := 5000;
    v_before  integer;
    v_era     integer;
    v_begin   record;
    v_horizon xid8;
    v_next    xid8;
    v_now     timestamptz;
    v_is_first boolean;
    v_group   record;
    v_last    record;
    v_sealed  bigint := 0;
BEGIN
    LOCK TABLE radscheduler.audit_era IN SHARE ROW EXCLUSIVE MODE; -- one sealer at a time; nobody else has a right on this table
    SELECT max(e.era) INTO v_before FROM radscheduler.audit_era e;
    v_era := radscheduler.audit_era();
    SELECT e.barrier, e.horizon INTO v_begin FROM radscheduler.audit_era e WHERE e.era = v_era;
    -- Everything sealed here was committed by now; a transaction with a later id than ours, which we take only now, numbers its events later.
    v_is_first := pg_current_xact_id_if_assigned() IS NULL;
    SELECT pg_snapshot_xmin(pg_current_snapshot()), clock_timestamp() INTO v_horizon, v_now;
    v_next := CASE WHEN v_is_first THEN pg_current_xact_id() ELSE '4611686018427387904'::xid8 END;
    FOR v_group IN
        WITH seen AS (
            SELECT DISTINCT ON (s.site_id) s.site_id, s.horizon FROM radscheduler.audit_seal s WHERE s.era = v_era ORDER BY s.site_id, s.seal_no DESC
        ), pending AS (
            SELECT a.site_id, a.audit_id, a.recorded_at,
                   radscheduler.audit_digest(radscheduler.audit_canonical(a.site_id, a.audit_id, a.xid, a.recorded_at, a.role_name, a.login_name, a.actor,
                                                                          a.purpose, a.trace_id, a.action, a.object, a.object_id, a.detail)) AS digest
            FROM radscheduler.audit_event a LEFT JOIN seen n ON n.site_id = a.site_id
            WHERE v_era = v_before AND a.audit_id > v_begin.barrier AND a.xid >= coalesce(n.horizon, v_begin.horizon) AND a.xid < v_horizon
            UNION ALL
            -- A new era begins: whatever no era has sealed.
            SELECT a.site_id, a.audit_id, a.recorded_at,
                   radscheduler.audit_digest(radscheduler.audit_canonical(a.site_id, a.audit_id, a.xid, a.recorded_at, a.role_name, a.login_name, a.actor,
                                                                          a.purpose, a.trace_id, a.action, a.object, a.object_id, a.detail))
            FROM radscheduler.audit_event a
            WHERE v_era > v_before AND (a.audit_id <= v_begin.barrier OR a.xid < v_horizon)
              AND NOT EXISTS (SELECT FROM (SELECT unnest(s.event_ids) FROM radscheduler.audit_seal s) k(id) WHERE k.id = a.audit_id)
        ), numbered AS (
            SELECT p.*, date_trunc('month', p.recorded_at)::date AS month,
                   (row_number() OVER (PARTITION BY p.site_id, date_trunc('month', p.recorded_at) ORDER BY p.audit_id) - 1) / c_batch AS batch
            FROM pending p
        )
        SELECT n.site_id, n.month, array_agg(n.audit_id ORDER BY n.audit_id) AS events, string_agg(n.digest, ''::bytea ORDER BY n.audit_id) AS digests
        FROM numbered n GROUP BY n.site_id, n.month, n.batch ORDER BY n.site_id, n.month, n.batch
    LOOP
        SELECT s.seal_no, s.digest INTO v_last FROM radscheduler.audit_seal s WHERE s.site_id = v_group.site_id ORDER BY s.seal_no DESC LIMIT 1;
        INSERT INTO radscheduler.audit_seal (site_id, seal_no, month, era, horizon, next_xid, sealed_at, event_ids, event_digests, previous_digest, digest)
            VALUES (v_group.site_id, coalesce(v_last.seal_no, 0) + 1, v_group.month, v_era, v_horizon, v_next, v_now, v_group.events, v_group.digests, v_last.digest,
                    radscheduler.seal_digest(v_last.digest, v_group.site_id, coalesce(v_last.seal_no, 0) + 1, v_group.month, v_era, v_horizon, v_next, v_now, v_group.events, v_group.digests));
        v_sealed := v_sealed + cardinality(v_group.events);
    END LOOP;
    RETURN v_sealed;
END
$$;
COMMENT ON FUNCTION radscheduler.audit_seal_pending() IS
    'Seals the audit events that were committed since the last time; returns how many. Writers neither wait for it nor for each other. maintain() calls it.';

CREATE FUNCTION radscheduler.audit_is_sealed(p_partition regclass) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_open boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %s a WHERE NOT EXISTS (SELECT FROM (SELECT unnest(s.event_ids) FROM radscheduler.audit_seal s) k(id) WHERE k.id = a.audit_id))', p_partition)
        INTO v_open;
    RETURN NOT v_open;
END
$$;
COMMENT ON FUNCTION radscheduler.audit_is_sealed(regclass) IS 'Whether every event of a partition of audit_event is in a seal, so that retention may drop it.';

CREATE FUNCTION radscheduler.audit_head(OUT site_id integer, OUT seal_no bigint, OUT digest text, OUT sealed_at timestamptz, OUT pending bigint) RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
SELECT s.site_id, s.seal_no, encode(s.digest, 'hex'), s.sealed_at,
       (SELECT count(*) FROM radscheduler.audit_event a
        WHERE a.site_id = s.site_id AND a.audit_id > (SELECT max(e.barrier) FROM radscheduler.audit_era e) AND a.xid >= s.horizon)
FROM (SELECT DISTINCT ON (x.site_id) x.* FROM radscheduler.audit_seal x
      WHERE x.site_id = ANY (radscheduler.visible_sites()) ORDER BY x.site_id, x.seal_no DESC) s
ORDER BY s.site_id
$$;
COMMENT ON FUNCTION radscheduler.audit_head() IS
    'The last seal of each site the caller may see, and how many events wait for the next one. Note it down outside the database: audit_verify() then also finds a log that was cut off at its end.';

CREATE FUNCTION radscheduler.audit_verify(anchors jsonb DEFAULT '[]', OUT site_id integer, OUT seal_no bigint, OUT audit_id bigint, OUT problem text) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC'
    AS $$
#variable_conflict use_column
DECLARE
    v_sites   integer[] := radscheduler.visible_sites();
    v_era     record;
    v_here    boolean;
    v_dropped date[];
BEGIN
    SELECT e.era, e.barrier, e.cluster_id INTO v_era FROM radscheduler.audit_era e ORDER BY e.era DESC LIMIT 1;
    -- Restored elsewhere and not sealed there yet: transaction ids of new events cannot be compared with the horizon of the old era.
    v_here := v_era.cluster_id = (SELECT c.system_identifier::text FROM pg_control_system() c);
    -- A month that retention says it dropped: over for a month by then, and gone as a whole.
    v_dropped := ARRAY(SELECT k.month FROM radscheduler.audit_event a, LATERAL (SELECT (a.detail ->> 'month' || '-01')::date) k(month)
                       WHERE a.site_id = 0 AND a.action = 'retention.drop' AND a.object = 'audit_event' AND a.recorded_at >= k.month + interval '2 months'
                         AND NOT EXISTS (SELECT FROM radscheduler.audit_event x WHERE x.recorded_at >= k.month AND x.recorded_at < k.month + interval '1 month'));
    RETURN QUERY
    WITH seal AS MATERIALIZED (
        SELECT s.*, lag(s.digest) OVER w AS digest_before, lag(s.seal_no) OVER w AS number_before
        FROM radscheduler.audit_seal s WHERE s.site_id = ANY (v_sites) WINDOW w AS (PARTITION BY s.site_id ORDER BY s.seal_no)
    ), sealed AS MATERIALIZED (
        SELECT s.site_id, s.seal_no, s.month, u.id, substring(s.event_digests FROM (32 * (u.place - 1) + 1)::integer FOR 32) AS digest
        FROM seal s, unnest(s.event_ids) WITH ORDINALITY u(id, place)
    ), present AS MATERIALIZED (
        SELECT a.site_id, a.audit_id AS id, a.xid, a.recorded_at,
               radscheduler.audit_digest(radscheduler.audit_canonical(a.site_id, a.audit_id, a.xid, a.recorded_at, a.role_name, a.login_name, a.actor,
                                                                      a.purpose, a.trace_id, a.action, a.object, a.object_id, a.detail)) AS digest
        FROM radscheduler.audit_event a WHERE a.site_id = ANY (v_sites)
    ), run AS (
        -- One run of the sealer in one era of a site: what was sealed by then, and what the clocks said.
        SELECT s.site_id, s.era, min(s.seal_no) AS first_no, max(s.seal_no) AS last_no, s.horizon, s.next_xid, max(s.sealed_at) AS sealed_at,
               max((SELECT max(e) FROM unnest(s.event_ids) e)) AS last_id
        FROM seal s GROUP BY s.site_id, s.era, s.horizon, s.next_xid
    ), step AS (
        SELECT r.*, lag(r.horizon) OVER w AS horizon_before, lag(r.next_xid) OVER w AS next_before, lag(r.sealed_at) OVER w AS sealed_before, lag(r.last_id) OVER w AS id_before
        FROM run r WINDOW w AS (PARTITION BY r.site_id, r.era ORDER BY r.last_no)
    ), edge AS (
        SELECT DISTINCT ON (r.site_id, r.era) r.site_id, r.era, r.horizon, r.next_xid, r.sealed_at, r.last_id FROM run r ORDER BY r.site_id, r.era, r.last_no DESC
    ), placed AS (
        -- Each event beside the run before it, of the era it was written in: what a new era took over belongs to the one before. The first run of
        -- an era comes after everything of the one before, whatever transaction ids say.
        SELECT p.site_id, e.seal_no, p.id, p.xid, p.recorded_at, e.id IS NULL AS is_pending, b.is_old AND p.recorded_at < l.at - interval '1 hour' AS is_late,
               CASE WHEN b.is_old THEN o.horizon WHEN t.id_before IS NOT NULL THEN t.horizon_before WHEN e.id IS NULL AND v_here THEN g.horizon END AS horizon,
               CASE WHEN b.is_old THEN o.next_xid WHEN t.id_before IS NOT NULL THEN t.next_before WHEN e.id IS NULL AND v_here THEN g.next_xid ELSE '0'::xid8 END AS next_xid,
               CASE WHEN b.is_old THEN o.sealed_at WHEN t.id_before IS NOT NULL THEN t.sealed_before WHEN e.id IS NULL AND v_here THEN g.sealed_at ELSE o.sealed_at END AS sealed_at,
               CASE WHEN b.is_old THEN o.last_id WHEN t.id_before IS NOT NULL THEN t.id_before WHEN e.id IS NULL AND v_here THEN g.last_id ELSE o.last_id END AS last_id
        FROM present p
        LEFT JOIN sealed e ON e.id = p.id AND e.site_id = p.site_id
        LEFT JOIN step t ON t.site_id = e.site_id AND e.seal_no BETWEEN t.first_no AND t.last_no
        LEFT JOIN radscheduler.audit_era w ON w.era = coalesce(t.era, v_era.era)
        CROSS JOIN LATERAL (SELECT p.id <= w.barrier AND w.era > 1) b(is_old)
        LEFT JOIN edge g ON g.site_id = p.site_id AND g.era = w.era
        LEFT JOIN edge o ON o.site_id = p.site_id AND o.era = w.era - 1
        LEFT JOIN LATERAL (SELECT max(r.sealed_at) AS at FROM edge r WHERE r.site_id = p.site_id AND r.era < w.era) l ON true
    ), found AS (
        SELECT s.site_id, s.seal_no, NULL::bigint AS id, 'the seal was altered' AS what FROM seal s
        WHERE s.digest IS DISTINCT FROM radscheduler.seal_digest(s.previous_digest, s.site_id, s.seal_no, s.month, s.era, s.horizon, s.next_xid, s.sealed_at, s.event_ids, s.event_digests)
           OR octet_length(s.event_digests) IS DISTINCT FROM 32 * cardinality(s.event_ids)
        UNION ALL
        SELECT s.site_id, s.seal_no, NULL, 'the seal does not follow the one before it: a seal was removed, replaced or reordered' FROM seal s
        WHERE s.previous_digest IS DISTINCT FROM s.digest_before OR s.seal_no IS DISTINCT FROM coalesce(s.number_before, 0) + 1
        UNION ALL
        SELECT e.site_id, e.seal_no, e.id, CASE WHEN p.id IS NULL THEN 'the event was removed' ELSE 'the event was altered' END
        FROM sealed e LEFT JOIN present p ON p.id = e.id AND p.site_id = e.site_id
        WHERE p.digest IS DISTINCT FROM e.digest AND NOT (p.id IS NULL AND e.month = ANY (v_dropped))
        UNION ALL
        SELECT p.site_id, p.seal_no, p.id, 'the event was inserted into the past' FROM placed p
        WHERE p.is_pending AND v_here AND p.id <= v_era.barrier
           OR p.is_late OR p.xid < p.horizon
           OR p.xid >= p.next_xid AND (p.id <= p.last_id OR p.recorded_at < p.sealed_at - interval '5 minutes')
        UNION ALL
        SELECT 0, NULL, NULL, format('era %s of the audit log is not told in it', e.era) FROM radscheduler.audit_era e
        WHERE e.era > 1 AND 0 = ANY (v_sites)
          AND NOT EXISTS (SELECT FROM radscheduler.audit_event a WHERE a.site_id = 0 AND a.action = 'audit.era' AND a.object_id = e.era
                          AND a.detail = jsonb_build_object('cluster_id', e.cluster_id, 'barrier', e.barrier, 'begun_at', extract(epoch FROM e.begun_at)))
        UNION ALL
        SELECT (k ->> 'site_id')::integer, (k ->> 'seal_no')::bigint, NULL, 'the seal noted outside is missing or differs: the log was cut off or replaced'
        FROM jsonb_array_elements(anchors) k
        WHERE (k ->> 'site_id')::integer = ANY (v_sites)
          AND NOT EXISTS (SELECT FROM seal s WHERE s.site_id = (k ->> 'site_id')::integer AND s.seal_no = (k ->> 'seal_no')::bigint AND encode(s.digest, 'hex') = k ->> 'digest')
    )
    SELECT f.site_id, f.seal_no, f.id, f.what FROM found f ORDER BY f.site_id, f.seal_no NULLS LAST, f.id;
END
$$;
COMMENT ON FUNCTION radscheduler.audit_verify(jsonb) IS
    'Compares the audit log of the caller''s sites with its seals; no rows when it is whole. One row for each event altered, removed or inserted, and for each seal altered, removed or reordered. An event is held against the seal before it as well: written by a later transaction it must have a later number and time. anchors: what audit_head() gave earlier, as a JSON array [{site_id, seal_no, digest}]; those of other sites are passed over. Events of months that retention dropped are not missed.';
