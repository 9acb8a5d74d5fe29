-- GET /api/v1/events: the log of events from a place on, in its order, for whoever asks now and then instead of listening. The cursor of an event is
-- that of the stream, of WebSockets and of Redis.

CREATE FUNCTION radscheduler.api_v1_events_list(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET plan_cache_mode = force_custom_plan SET jit = off
    AS $$
DECLARE
    v_site  integer := radscheduler.api_enter();
    v_code  text := current_setting('radscheduler.site');
    v_epoch text := radscheduler.event_epoch();
    v_limit integer := radscheduler.api_limit(request);
    v_after text := radscheduler.api_word(request, 'after');
    v_place text := coalesce(regexp_replace(v_after, '^.*:', ''), '0-0');
    v_types text[] := radscheduler.api_words(request, 'type');
    v_of    bigint := radscheduler.api_count(request, 'appointment');
    v_items jsonb;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{after,appointment,limit,type}', 'parameter');
    IF v_after !~ '^([0-9]{1,20}-[0-9]{1,9}-[0-9]{1,10}:)?[0-9]{1,19}-[0-9]{1,18}$' THEN
        PERFORM radscheduler.api_fault('after', 'is no cursor of an event', 'Give "next", or epoch, a colon and cursor of the last event that you have.');
    END IF;
    PERFORM FROM radscheduler.events_after(v_after, 1); -- 55000 for a cursor that cannot be followed any more
    SELECT coalesce(jsonb_agg(e.payload::jsonb ORDER BY e.xid, e.seq), '[]') INTO v_items
        FROM (SELECT l.xid, l.seq, radscheduler.event_envelope(v_epoch, l.xid, l.seq, v_code, l.type, l.recorded_at, l.appointment_id, l.message_id, l.data, l.trace_id) AS payload FROM radscheduler.event_log l
              WHERE l.site_id = v_site AND (l.xid, l.seq) > (split_part(v_place, '-', 1)::xid8, split_part(v_place, '-', 2)::bigint)
                AND l.xid < pg_snapshot_xmin(pg_current_snapshot()) -- of later ones some may be still to come
                AND (v_types IS NULL OR l.type = ANY (v_types) OR split_part(l.type, '.', 1) = ANY (v_types)) AND (v_of IS NULL OR l.appointment_id = v_of)
              ORDER BY l.xid, l.seq LIMIT v_limit + 1) e;
    RETURN radscheduler.api_page(request, v_items - v_limit, CASE WHEN jsonb_array_length(v_items) > v_limit THEN v_epoch || ':' || (v_items -> (v_limit - 1) ->> 'cursor') END);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_events_list(jsonb) IS
    'GET /api/v1/events: what happened, the first first, as CloudEvents without patient data. after is next, or epoch:cursor of the last event seen; type a type or a family (appointment), several times; appointment; limit. next is null when there is no more now; go on later after the last event. 409 for a cursor of another epoch, or of events that are no longer kept.';
