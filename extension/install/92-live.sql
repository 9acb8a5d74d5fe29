-- Live events as the daemon reads them, once for all who follow: below the horizon of running transactions, in the order of the cursor, with
-- what filters ask about beside them. Payloads are thin; live_expand() adds what a follower may see.

CREATE FUNCTION radscheduler.live_facet(p_site integer, p_modality text, p_resources bigint[], p_from timestamptz, p_to timestamptz) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_zone text := radscheduler.site_zone(p_site);
BEGIN
    RETURN jsonb_strip_nulls(jsonb_build_object(
        'm', (SELECT jsonb_agg(w) FROM (SELECT upper(p_modality) WHERE p_modality IS NOT NULL UNION SELECT a.alias FROM radscheduler.modality_alias a WHERE a.site_id = p_site AND a.code = p_modality) u(w)),
        'r', (SELECT jsonb_agg(DISTINCT n.word) FROM radscheduler.resource r
              CROSS JOIN LATERAL (SELECT r.resource_id::text UNION ALL SELECT upper(r.code)
                                  UNION ALL SELECT a.alias FROM radscheduler.resource_alias a WHERE a.site_id = p_site AND a.resource_id = r.resource_id) n(word)
              WHERE r.site_id = p_site AND r.resource_id = ANY (p_resources)),
        'l', (SELECT jsonb_agg(DISTINCT upper(r.location)) FROM radscheduler.resource r WHERE r.site_id = p_site AND r.resource_id = ANY (p_resources) AND r.location IS NOT NULL),
        'f', CASE WHEN isfinite(p_from) THEN floor(extract(epoch FROM p_from) * 1000)::bigint END,
        't', CASE WHEN isfinite(p_to) THEN floor(extract(epoch FROM p_to) * 1000)::bigint END,
        'a', CASE WHEN isfinite(p_from) THEN to_char(timezone(v_zone, p_from), 'YYYY-MM-DD') END,
        'b', CASE WHEN isfinite(p_to) THEN to_char(timezone(v_zone, greatest(p_from, p_to - interval '1 microsecond')), 'YYYY-MM-DD') END));
END
$$;
COMMENT ON FUNCTION radscheduler.live_facet(integer, text, bigint[], timestamptz, timestamptz) IS
    'What a filter can ask of one side of an event: m names of its modality, r names and numbers of its resources, l their locations, f and t its time in milliseconds, a and b its first and last day at the site. What there is none of is left out.';

CREATE FUNCTION radscheduler.live_facets(p_site integer, p_appointment bigint, p_data jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off
    AS $$
BEGIN
    RETURN coalesce((SELECT jsonb_agg(f.facet) FROM (
        SELECT radscheduler.live_facet(p_site, h.snapshot #>> '{appointment,modality}', ARRAY(SELECT (r ->> 'resource_id')::bigint FROM jsonb_array_elements(h.snapshot -> 'resources') r),
                                       (h.snapshot #>> '{appointment,starts_at}')::timestamptz, (h.snapshot #>> '{appointment,ends_at}')::timestamptz) AS facet
        FROM radscheduler.appointment_history h
        WHERE p_data ? 'version' AND h.site_id = p_site AND h.appointment_id = p_appointment AND h.version BETWEEN (p_data ->> 'version')::integer - 1 AND (p_data ->> 'version')::integer
        UNION ALL
        SELECT radscheduler.live_facet(p_site, a.modality, ARRAY(SELECT r.resource_id FROM radscheduler.appointment_resource r WHERE r.site_id = p_site AND r.appointment_id = a.appointment_id),
                                       a.starts_at, a.ends_at)
        FROM radscheduler.appointment a
        WHERE NOT p_data ? 'version' AND a.site_id = p_site AND a.appointment_id IN (p_appointment, (p_data ->> 'with')::bigint)
        UNION ALL
        SELECT radscheduler.live_facet(p_site, (SELECT r.modality FROM radscheduler.resource r WHERE r.site_id = p_site AND r.resource_id = (p_data ->> 'resource_id')::bigint),
                                       ARRAY[(p_data ->> 'resource_id')::bigint], (p_data ->> 'from')::timestamptz, (p_data ->> 'until')::timestamptz)
        WHERE p_data ? 'resource_id'
        UNION ALL
        SELECT radscheduler.live_facet(p_site, p_data ->> 'modality', '{}', NULL, NULL) WHERE p_appointment IS NULL AND p_data ? 'modality') f), '[]');
END
$$;
COMMENT ON FUNCTION radscheduler.live_facets(integer, bigint, jsonb) IS
    'The sides of an event (live_facet shape): of an appointment its new version and the one before, so that whoever follows a scanner hears of what leaves it; of a conflict both appointments; of a block its resource. Empty for what lies nowhere in the schedule.';

CREATE FUNCTION radscheduler.live_events(after text, max_events integer, with_facets boolean, at_site integer DEFAULT NULL,
    OUT cursor text, OUT site_id integer, OUT type text, OUT appointment_id bigint, OUT conflict_id bigint, OUT payload text, OUT facets text) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET plan_cache_mode = force_custom_plan SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    v_xid   xid8 := split_part(live_events.after, '-', 1)::xid8;
    v_seq   bigint := split_part(live_events.after, '-', 2)::bigint;
    v_sites integer[] := radscheduler.visible_sites();
    v_epoch text := radscheduler.event_epoch();
BEGIN
    RETURN QUERY
    SELECT e.xid::text || '-' || e.seq, e.site_id, e.type, e.appointment_id, (e.data ->> 'conflict_id')::bigint,
           radscheduler.event_envelope(v_epoch, e.xid, e.seq, s.code, e.type, e.recorded_at, e.appointment_id, e.message_id, e.data),
           CASE WHEN live_events.with_facets THEN radscheduler.live_facets(e.site_id, e.appointment_id, e.data)::text END
    FROM (SELECT l.* FROM radscheduler.event_log l
          WHERE (l.xid, l.seq) > (v_xid, v_seq) AND l.xid < pg_snapshot_xmin(pg_current_snapshot())
            AND l.site_id = ANY (v_sites) AND (live_events.at_site IS NULL OR l.site_id = live_events.at_site)
          ORDER BY l.xid, l.seq LIMIT live_events.max_events) e
    JOIN radscheduler.site s ON s.site_id = e.site_id
    ORDER BY e.xid, e.seq;
END
$$;
COMMENT ON FUNCTION radscheduler.live_events(text, integer, boolean, integer) IS
    'For the daemon: the events after a cursor, of its sites or one of them, in order, as CloudEvents 1.0 JSON without patient data; with_facets adds what filters ask about (live_facets()).';

CREATE FUNCTION radscheduler.live_backlog(p_epoch text, p_cursor text, p_site integer, OUT state text, OUT behind integer) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET jit = off
    AS $$
DECLARE
    c_most CONSTANT integer := 100000;
    v_xid  xid8 := split_part(p_cursor, '-', 1)::xid8;
    v_seq  bigint := split_part(p_cursor, '-', 2)::bigint;
BEGIN
    PERFORM radscheduler.require_site(p_site);
    behind := 0;
    IF p_epoch <> radscheduler.event_epoch() OR v_xid >= pg_snapshot_xmax(pg_current_snapshot()) THEN
        state := 'epoch_changed';
    ELSIF EXISTS (SELECT FROM radscheduler.event_log e WHERE (e.xid, e.seq) <= (v_xid, v_seq))
        -- Somebody who began when there was nothing has missed nothing as long as the first event of all is there.
        OR v_xid = '0' AND coalesce((SELECT e.seq FROM radscheduler.event_log e ORDER BY e.xid, e.seq LIMIT 1), 1) = 1 THEN
        behind := (SELECT count(*) FROM (SELECT FROM radscheduler.event_log e WHERE (e.xid, e.seq) > (v_xid, v_seq) AND e.site_id = p_site LIMIT c_most + 1) u);
        state := CASE WHEN behind > c_most THEN 'cursor_expired' ELSE 'ok' END;
    ELSE
        state := 'cursor_expired';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.live_backlog(text, text, integer) IS
    'Whether a site''s events can be followed from a cursor on without a gap: ok, and how many there are; cursor_expired when some after it may have been dropped (set_retention()) or there are more than 100,000; epoch_changed when it is of another cluster or from before a restore. A NULL epoch is not compared.';

CREATE FUNCTION radscheduler.live_expand(p_scopes text[], p_appointments bigint[], p_conflicts bigint[]) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site    integer := radscheduler.api_enter();
    v_request jsonb := jsonb_build_object('scopes', to_jsonb(coalesce(p_scopes, '{}')));
    v_rows    jsonb := '[]';
    v_clashes jsonb := '[]';
BEGIN
    IF radscheduler.api_may(v_request, 'appointments:read') THEN
        v_rows := radscheduler.api_appointment_rows(v_site, p_appointments, radscheduler.api_sees_patients(v_request));
        v_clashes := radscheduler.api_conflict_rows(v_site, p_conflicts);
        PERFORM radscheduler.audit(v_site, 'read', 'appointment', (r ->> 'id')::bigint, '{"channel": "events"}') FROM jsonb_array_elements(v_rows) r;
    END IF;
    RETURN jsonb_build_object('appointments', (SELECT coalesce(jsonb_object_agg(r ->> 'id', r), '{}') FROM jsonb_array_elements(v_rows) r),
                              'conflicts', (SELECT coalesce(jsonb_object_agg(c ->> 'id', c), '{}') FROM jsonb_array_elements(v_clashes) c));
END
$$;
COMMENT ON FUNCTION radscheduler.live_expand(text[], bigint[], bigint[]) IS
    'For the daemon, in the name of a follower with these scopes: appointments and conflicts of the site by id, as they are now and as /api/v1 shows them to that follower; nothing without appointments:read. Every appointment shown is audited as read.';

INSERT INTO radscheduler.role_right (kind, object, rights)
SELECT 'ingest', o || '()', 'EXECUTE' FROM unnest(ARRAY['create_stream_ticket', 'redeem_stream_ticket', 'live_enter', 'live_lapsed', 'live_events', 'live_backlog']) o
UNION ALL
SELECT k.kind, 'live_expand()', 'EXECUTE' FROM (VALUES ('reader'), ('scheduler'), ('admin')) k(kind);
