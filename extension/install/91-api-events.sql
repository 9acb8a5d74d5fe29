-- GET /api/v1/events: the log of events from a place on, in its order, for whoever asks now and then instead of listening. The cursor of an event is
-- that of the stream, of WebSockets and of Redis.

CREATE FUNCTION radscheduler.api_v1_events_list(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET plan_cache_mode = force_custom_plan SET jit = off
    AS $$
DECLARE
    v_site  integer := radscheduler.api_enter();
    v_code  text := current_setting('radscheduler.site');
    v_limit integer := radscheduler.api_limit(request);
    v_after text := coalesce(radscheduler.api_word(request, 'after'), '0-0');
    v_types text[] := radscheduler.api_words(request, 'type');
    v_of    bigint := radscheduler.api_count(request, 'appointment');
    v_items jsonb;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{after,appointment,limit,type}', 'parameter');
    IF v_after !~ '^[0-9]{1,19}-[0-9]{1,18}$' THEN
        PERFORM radscheduler.api_fault('after', 'is no cursor of an event', 'Give the "cursor" of the last event that you have, unchanged.');
    END IF;
    SELECT coalesce(jsonb_agg(jsonb_build_object('specversion', '1.0', 'id', e.cursor, 'source', '/radscheduler/' || v_code, 'type', e.type,
               'subject', coalesce('appointment/' || e.appointment_id, 'message/' || e.message_id), 'time', e.recorded_at, 'datacontenttype', 'application/json', 'site', v_code,
               'cursor', e.cursor, 'data', e.data || jsonb_build_object('appointment_id', e.appointment_id, 'message_id', e.message_id)) ORDER BY e.xid, e.seq), '[]') INTO v_items
        FROM (SELECT l.xid, l.seq, l.xid::text || '-' || l.seq AS cursor, l.type, l.appointment_id, l.message_id, l.recorded_at, l.data FROM radscheduler.event_log l
              WHERE l.site_id = v_site AND (l.xid, l.seq) > (split_part(v_after, '-', 1)::xid8, split_part(v_after, '-', 2)::bigint)
                AND l.xid < pg_snapshot_xmin(pg_current_snapshot()) -- of later ones some may be still to come
                AND (v_types IS NULL OR l.type = ANY (v_types) OR split_part(l.type, '.', 1) = ANY (v_types)) AND (v_of IS NULL OR l.appointment_id = v_of)
              ORDER BY l.xid, l.seq LIMIT v_limit + 1) e;
    RETURN radscheduler.api_page(request, v_items - v_limit, CASE WHEN jsonb_array_length(v_items) > v_limit THEN v_items -> (v_limit - 1) ->> 'cursor' END);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_events_list(jsonb) IS
    'GET /api/v1/events: what happened, the first first, as CloudEvents without patient data. after is the cursor of the last event seen; type a type or a family (appointment), several times; appointment; limit. next is null when there is no more now; go on later after the last cursor.';
