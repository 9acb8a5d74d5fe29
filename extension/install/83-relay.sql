-- Following event_log without losing an event: read below the horizon of running transactions, remember the cursor.

CREATE FUNCTION radscheduler.relay_fetch(relay text, max_events integer DEFAULT 500, OUT cursor text, OUT channel text, OUT payload text) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_column
BEGIN
    PERFORM radscheduler.require_every_site('the relay');
    RETURN QUERY
SELECT e.xid::text || '-' || e.seq,
       format('radsched:{%s}:ch:%s', s.code, split_part(e.type, '.', 1)),
       jsonb_strip_nulls(jsonb_build_object('specversion', '1.0', 'id', e.xid::text || '-' || e.seq, 'source', '/radscheduler/' || s.code,
           'type', e.type, 'subject', coalesce('appointment/' || e.appointment_id, 'message/' || e.message_id), 'time', e.recorded_at,
           'datacontenttype', 'application/json', 'site', s.code, 'cursor', e.xid::text || '-' || e.seq,
           'data', e.data || jsonb_build_object('appointment_id', e.appointment_id, 'message_id', e.message_id)))::text
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
