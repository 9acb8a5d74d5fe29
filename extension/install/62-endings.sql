-- How an appointment came to its end, kept so that late messages find their place. appointment.ending is an array: first what was told before
-- it was closed ({status, at, sequence, reason}; missing in a tombstone that never had a booking), then every closing since ({event, status if
-- one was sent, at, sequence, reason, is_forced}). It is NULL while nothing has closed the appointment. What the appointment is follows from
-- it in the order of MSH-7, whatever order the messages came in.

CREATE FUNCTION radscheduler.is_before(p_one jsonb, p_other jsonb) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ((p_one ->> 'at')::timestamptz, coalesce((p_one ->> 'sequence')::bigint, 0)) < ((p_other ->> 'at')::timestamptz, coalesce((p_other ->> 'sequence')::bigint, 0));
END
$$;
COMMENT ON FUNCTION radscheduler.is_before(jsonb, jsonb) IS 'Whether one message''s order key (at, sequence) is older than another''s; NULL when one has none.';

CREATE FUNCTION radscheduler.is_before_told(p_entry jsonb, p_ending jsonb) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN coalesce(NOT p_ending -> 0 ? 'event' AND radscheduler.is_before(p_entry, p_ending -> 0), false);
END
$$;
COMMENT ON FUNCTION radscheduler.is_before_told(jsonb, jsonb) IS 'Whether a message is older than what an ending begins with: what was told of the open appointment.';

CREATE FUNCTION radscheduler.said_otherwise(p_ending jsonb, p_item radscheduler.ingest_item, p_differs boolean) RETURNS timestamptz
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT max((e ->> 'at')::timestamptz) FROM jsonb_array_elements(p_ending) e
            WHERE (e ? 'event' OR p_differs) AND NOT radscheduler.is_before(jsonb_build_object('at', p_item.at, 'sequence', p_item.sequence), e));
END
$$;
COMMENT ON FUNCTION radscheduler.said_otherwise(jsonb, radscheduler.ingest_item, boolean) IS
    'Latest MSH-7 of what an ending holds that is older than a message and said otherwise: every closing, and what was told where that differs. NULL when nothing did.';

CREATE FUNCTION radscheduler.entry_of(p_item radscheduler.ingest_item, p_status radscheduler.appointment_status, p_is_closing boolean) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN jsonb_strip_nulls(jsonb_build_object('at', p_item.at, 'sequence', p_item.sequence, 'status', p_status,
        'reason', coalesce(p_item.reading #>> '{schedule,event_reason,text}', p_item.reading #>> '{schedule,event_reason,code}'),
        'event', CASE WHEN p_is_closing THEN p_item.trigger_event END,
        'is_forced', CASE WHEN p_is_closing AND (p_item.context #>> '{profile,no_show_after_arrival}')::boolean THEN true END));
END
$$;
COMMENT ON FUNCTION radscheduler.entry_of(radscheduler.ingest_item, radscheduler.appointment_status, boolean) IS
    'A message as an entry of appointment.ending: a closing (p_status is what SCH-25 said, if that closes), or what was told of an open appointment.';

CREATE FUNCTION radscheduler.told_of(p_at timestamptz, p_sequence bigint, p_status radscheduler.appointment_status, p_reason text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('at', p_at, 'sequence', p_sequence, 'status', p_status, 'reason', p_reason)));
END
$$;
COMMENT ON FUNCTION radscheduler.told_of(timestamptz, bigint, radscheduler.appointment_status, text) IS 'The ending an open appointment begins with when it is closed: what was last told of it.';

CREATE FUNCTION radscheduler.ending_with(p_ending jsonb, p_entry jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_entry ? 'event' THEN
        RETURN CASE WHEN p_ending @> jsonb_build_array(p_entry) THEN p_ending ELSE coalesce(p_ending, '[]') || p_entry END;
    END IF;
    RETURN (SELECT CASE WHEN count(*) > 0 THEN jsonb_build_array(p_entry) || jsonb_agg(e ORDER BY n) END
            FROM jsonb_array_elements(p_ending) WITH ORDINALITY x(e, n) WHERE e ? 'event' AND radscheduler.is_before(p_entry, e));
END
$$;
COMMENT ON FUNCTION radscheduler.ending_with(jsonb, jsonb) IS
    'An ending once one more message is known: a closing is added; what is told of the open appointment replaces what was told before and drops the closings that were older. NULL when no closing is left.';

CREATE FUNCTION radscheduler.ended(p_ending jsonb, OUT status radscheduler.appointment_status, OUT at timestamptz, OUT reason text) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_entry  jsonb;
    v_closed radscheduler.appointment_status;
BEGIN
    FOR v_entry IN SELECT e FROM jsonb_array_elements(p_ending) WITH ORDINALITY x(e, n)
                   ORDER BY e ? 'event', (e ->> 'at')::timestamptz, coalesce((e ->> 'sequence')::bigint, 0), n
    LOOP
        IF NOT v_entry ? 'event' THEN
            status := v_entry ->> 'status';
            reason := v_entry ->> 'reason';
            CONTINUE;
        END IF;
        v_closed := CASE WHEN v_entry ->> 'event' = 'S17' THEN 'DELETED'
                         ELSE coalesce((v_entry ->> 'status')::radscheduler.appointment_status,
                                       (SELECT r.default_status FROM radscheduler.event_rule r WHERE r.trigger_event = v_entry ->> 'event' AND r.state = 'unknown')) END;
        IF (CASE WHEN radscheduler.is_closed(status) THEN
                     EXISTS (SELECT FROM radscheduler.event_rule r WHERE r.trigger_event = v_entry ->> 'event' AND r.state = ended.status::text AND r.action = 'close')
                 ELSE NOT coalesce(v_closed = 'NO_SHOW' AND status IN ('ARRIVED', 'IN_PROGRESS') AND NOT v_entry ? 'is_forced', false) END) THEN
            status := v_closed;
            at := (v_entry ->> 'at')::timestamptz;
            reason := coalesce(v_entry ->> 'reason', reason);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.ended(jsonb, OUT radscheduler.appointment_status, OUT timestamptz, OUT text) IS
    'What an ending comes to: the status, since when, and why. The first closing counts, except that a deletion may follow a cancellation or no-show, and that a no-show after arrival needs the profile''s leave.';
