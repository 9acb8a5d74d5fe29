-- What the daemon's relay needs beside relay_fetch(): where an event goes in Redis, how far behind a relay is and who holds it up, and the aggregates
-- that other programs may read from Redis instead of asking.

CREATE FUNCTION radscheduler.relay_page(relay text, max_events integer DEFAULT 500, OUT cursor text, OUT key text, OUT epoch_mark text, OUT type text, OUT payload text) RETURNS SETOF record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_column
DECLARE
    v_mark text;
BEGIN
    v_mark := nullif(radscheduler.event_epoch_number() || '-' || radscheduler.event_timeline(), '1-1');
    RETURN QUERY
    SELECT f.cursor, split_part(f.channel, ':ch:', 1), v_mark, f.payload::jsonb ->> 'type', f.payload FROM radscheduler.relay_fetch(relay_page.relay, relay_page.max_events) f;
END
$$;
COMMENT ON FUNCTION radscheduler.relay_page(text, integer) IS
    'relay_fetch() for the daemon: key is the site''s in Redis (radsched:{site}), epoch_mark what its stream is called after in an epoch that is not the first of a log (number of clusters and timeline), NULL in that.';

CREATE FUNCTION radscheduler.relay_lag(relay text, OUT waiting bigint, OUT lag interval, OUT held bigint, OUT held_lag interval, OUT holder_pid integer, OUT holder_kind text,
                                       OUT holder_database text, OUT holder_age interval) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET plan_cache_mode = force_custom_plan SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    c_most  CONSTANT integer := 100000;
    v_xmin  xid8 := pg_snapshot_xmin(pg_current_snapshot());
    v_short bigint := (pg_snapshot_xmin(pg_current_snapshot())::text::numeric % 4294967296)::bigint;
    v_now   timestamptz := clock_timestamp();
    v_xid   xid8;
    v_seq   bigint;
BEGIN
    PERFORM radscheduler.require_every_site('the relay');
    SELECT c.xid, c.seq INTO v_xid, v_seq FROM radscheduler.relay_cursor c WHERE c.relay = relay_lag.relay;
    v_xid := coalesce(v_xid, '0');
    v_seq := coalesce(v_seq, 0);
    SELECT count(*), coalesce(v_now - min(w.recorded_at), '0'), count(*) FILTER (WHERE w.xid >= v_xmin), coalesce(v_now - min(w.recorded_at) FILTER (WHERE w.xid >= v_xmin), '0')
        INTO waiting, lag, held, held_lag
        FROM (SELECT e.xid, e.recorded_at FROM radscheduler.event_log e WHERE (e.xid, e.seq) > (v_xid, v_seq) ORDER BY e.xid, e.seq LIMIT c_most) w;
    SELECT h.pid, h.kind, h.database, v_now - h.since INTO holder_pid, holder_kind, holder_database, holder_age
        FROM (SELECT a.pid, 'session' AS kind, a.datname::text AS database, a.xact_start AS since FROM pg_stat_activity a WHERE a.backend_xid::text::bigint = v_short
              UNION ALL
              SELECT NULL, 'prepared transaction', p.database::text, p.prepared FROM pg_prepared_xacts p WHERE p.transaction::text::bigint = v_short) h
        LIMIT 1;
END
$$;
COMMENT ON FUNCTION radscheduler.relay_lag(text) IS
    'How far a relay is behind: waiting events (100,000 at most are counted) and the age of the oldest; held are those of them that may not be handed out yet, because a transaction that writes has run since before them. The holder is the oldest such transaction of the whole cluster, whichever database it works in: its pid (pg_terminate_backend() ends it; NULL for a prepared one, see pg_prepared_xacts), database and age; NULL when none runs.';

CREATE FUNCTION radscheduler.relay_aggregates(keys text[] DEFAULT NULL, OUT key text, OUT value text) RETURNS SETOF record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.site = ''
    AS $$
#variable_conflict use_column
DECLARE
    v_site record;
BEGIN
    PERFORM radscheduler.require_every_site('the relay');
    FOR v_site IN SELECT s.site_id, s.code, format('radsched:{%s}', s.code) AS key FROM radscheduler.site s ORDER BY s.code LOOP
        CONTINUE WHEN v_site.key <> ALL (relay_aggregates.keys);
        PERFORM set_config('radscheduler.site', v_site.code, true);
        key := v_site.key || ':cache:dashboard';
        value := (SELECT r.body::jsonb || jsonb_build_object('cached', jsonb_build_object('mark', radscheduler.aggregate_mark(v_site.site_id), 'seconds', floor(extract(epoch FROM now()))::bigint))
                  FROM radscheduler.api_dashboard('{}') r);
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.relay_aggregates(text[]) IS
    'For the daemon: what it keeps in Redis for programs that show figures, by key: radsched:{site}:cache:dashboard is the body of GET /api/analytics/dashboard, which has no patient data, with "cached" beside: its mark (aggregate_mark()) and when it was made, in seconds since 1970. Of all sites, or of those with these keys (radsched:{site}).';

INSERT INTO radscheduler.role_right (kind, object, rights)
SELECT 'ingest', o || '()', 'EXECUTE' FROM unnest(ARRAY['relay_page', 'relay_lag', 'relay_aggregates']) o UNION ALL SELECT 'admin', 'relay_lag()', 'EXECUTE';
