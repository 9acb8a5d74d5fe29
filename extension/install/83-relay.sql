-- Following event_log without losing an event: read below the horizon of running transactions, remember the cursor.

CREATE FUNCTION radscheduler.event_envelope(p_epoch text, p_xid xid8, p_seq bigint, p_site text, p_type text, p_recorded_at timestamptz, p_appointment bigint, p_message bigint,
                                            p_data jsonb) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN jsonb_strip_nulls(jsonb_build_object('specversion', '1.0', 'id', p_xid::text || '-' || p_seq, 'source', '/radscheduler/' || p_site,
        'type', p_type, 'subject', coalesce('appointment/' || p_appointment, 'message/' || p_message), 'time', p_recorded_at,
        'datacontenttype', 'application/json', 'site', p_site, 'cursor', p_xid::text || '-' || p_seq, 'epoch', p_epoch, 'schemaver', '1',
        'data', p_data || jsonb_build_object('appointment_id', p_appointment, 'message_id', p_message)));
END
$$;
COMMENT ON FUNCTION radscheduler.event_envelope(text, xid8, bigint, text, text, timestamptz, bigint, bigint, jsonb) IS
    'An event as CloudEvents 1.0 JSON without patient data. Its id is unique within its epoch; schemaver changes when members of data change their meaning.';

CREATE FUNCTION radscheduler.relay_fetch(relay text, max_events integer DEFAULT 500, OUT cursor text, OUT channel text, OUT payload text) RETURNS SETOF record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_column
DECLARE
    v_epoch text := radscheduler.event_epoch();
BEGIN
    PERFORM radscheduler.require_every_site('the relay');
    PERFORM radscheduler.begin_event_epoch();
    RETURN QUERY
SELECT e.xid::text || '-' || e.seq,
       format('radsched:{%s}:ch:%s', s.code, split_part(e.type, '.', 1)),
       radscheduler.event_envelope(v_epoch, e.xid, e.seq, s.code, e.type, e.recorded_at, e.appointment_id, e.message_id, e.data)
FROM radscheduler.event_log e
JOIN radscheduler.site s ON s.site_id = e.site_id
WHERE (e.xid, e.seq) > (coalesce((SELECT c.xid FROM radscheduler.relay_cursor c WHERE c.relay = relay_fetch.relay), '0'::xid8),
                        coalesce((SELECT c.seq FROM radscheduler.relay_cursor c WHERE c.relay = relay_fetch.relay), 0))
  AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY e.xid, e.seq
LIMIT relay_fetch.max_events;
END
$$;
COMMENT ON FUNCTION radscheduler.relay_fetch(text, integer) IS
    'The next events for a relay, in order: cursor, Redis channel radsched:{site}:ch:family, CloudEvents 1.0 JSON without patient data. Publish them, then call relay_advance() with the last cursor; a crash between the two repeats, it does not lose.';

CREATE FUNCTION radscheduler.relay_advance(relay text, cursor text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_column
BEGIN
    PERFORM radscheduler.require_every_site('the relay');
    IF cursor !~ '^[0-9]{1,19}-[0-9]{1,18}$' OR split_part(cursor, '-', 1)::xid8 >= pg_snapshot_xmax(pg_current_snapshot()) THEN
        RAISE EXCEPTION 'this is no cursor of an event that was published' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the cursor of the last event that relay_fetch() returned.';
    END IF;
    INSERT INTO radscheduler.relay_cursor AS c (relay, xid, seq) VALUES (relay_advance.relay, split_part(cursor, '-', 1)::xid8, split_part(cursor, '-', 2)::bigint)
    ON CONFLICT (relay) DO UPDATE SET xid = excluded.xid, seq = excluded.seq, updated_at = now()
    WHERE (c.xid, c.seq) < (excluded.xid, excluded.seq);
END
$$;
COMMENT ON FUNCTION radscheduler.relay_advance(text, text) IS 'Remembers that a relay has published everything up to a cursor; never goes back.';

CREATE FUNCTION radscheduler.event_head(OUT epoch text, OUT cursor text) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_column
BEGIN
    epoch := radscheduler.event_epoch();
    SELECT e.xid::text || '-' || e.seq INTO cursor FROM radscheduler.event_log e WHERE e.xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY e.xid DESC, e.seq DESC LIMIT 1;
    cursor := coalesce(cursor, '0-0');
END
$$;
COMMENT ON FUNCTION radscheduler.event_head() IS
    'Where event_log ends now: the cursor of the last event that nothing can come before any more, and its epoch. Ask it before you read the schedule, then follow by events_after(epoch || '':'' || cursor).';

CREATE FUNCTION radscheduler.events_after(after text DEFAULT NULL, max_events integer DEFAULT 500,
    OUT cursor text, OUT epoch text, OUT site text, OUT type text, OUT payload text) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET plan_cache_mode = force_custom_plan SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    v_epoch text := radscheduler.event_epoch();
    v_sites integer[] := radscheduler.visible_sites();
    v_place text[] := regexp_match(events_after.after, '^(?:([0-9]{1,20}-[0-9]{1,9}-[0-9]{1,10}):)?([0-9]{1,19})-([0-9]{1,18})$');
    v_xid   xid8;
    v_seq   bigint;
BEGIN
    IF events_after.after IS NOT NULL AND v_place IS NULL THEN
        RAISE EXCEPTION 'this is no cursor of an event' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'A cursor is <xid>-<seq>, best with its epoch before it (epoch:xid-seq), as events_after() and event_head() return them; NULL begins with the oldest event kept.';
    ELSIF events_after.max_events IS NULL OR events_after.max_events NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION 'max_events must be from 1 to 10000' USING ERRCODE = 'invalid_parameter_value', HINT = 'Fetch more in another call, after the last cursor of this one.';
    END IF;
    v_xid := coalesce(v_place[2], '0')::xid8;
    v_seq := coalesce(v_place[3], '0')::bigint;
    IF v_place[1] <> v_epoch OR v_xid >= pg_snapshot_xmax(pg_current_snapshot()) THEN
        RAISE EXCEPTION 'this cursor is of another epoch of the log' USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = format('The log is in epoch %s: the records were restored or recovered, or a standby was promoted.', v_epoch),
            HINT = 'Ask event_head(), read the schedule anew, and follow from there.';
    ELSIF v_xid > '0' AND NOT EXISTS (SELECT FROM radscheduler.event_log e WHERE (e.xid, e.seq) <= (v_xid, v_seq)) THEN
        RAISE EXCEPTION 'events after this cursor are no longer kept' USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Ask event_head(), read the schedule anew, and follow from there. set_retention() says how long events are kept.';
    END IF;
    RETURN QUERY
    SELECT e.xid::text || '-' || e.seq, v_epoch, s.code, e.type, radscheduler.event_envelope(v_epoch, e.xid, e.seq, s.code, e.type, e.recorded_at, e.appointment_id, e.message_id, e.data)
    FROM radscheduler.event_log e
    JOIN radscheduler.site s ON s.site_id = e.site_id
    WHERE (e.xid, e.seq) > (v_xid, v_seq) AND e.xid < pg_snapshot_xmin(pg_current_snapshot()) AND e.site_id = ANY (v_sites)
    ORDER BY e.xid, e.seq
    LIMIT events_after.max_events;
END
$$;
COMMENT ON FUNCTION radscheduler.events_after(text, integer) IS
    'The events after a cursor, of the sites of the caller, in order, as CloudEvents 1.0 JSON without patient data; the caller keeps the cursor. NULL begins with the oldest. Raises 55000 when the cursor is of another epoch or events after it were dropped, so that nothing is left out unnoticed.';

INSERT INTO radscheduler.role_right (kind, object, rights)
SELECT k.kind, o || '()', 'EXECUTE' FROM (VALUES ('ingest'), ('reader'), ('scheduler'), ('admin')) k(kind), unnest(ARRAY['event_epoch', 'event_head', 'events_after']) o;
