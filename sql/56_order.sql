-- What orders messages of one appointment: MSH-7, then MSH-13, then arrival. Clocks that run ahead, messages without a time, repeats.
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT radscheduler.create_site('ORDERSITE', 'Order of messages', 'UTC') > 0 AS made;
SET radscheduler.site = 'ORDERSITE';
CREATE FUNCTION pg_temp.send(event text, control text, filler text, at text, note text, sequence text DEFAULT '', patient text DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    SELECT i.* INTO r FROM radscheduler.ingest(convert_to(concat_ws(E'\r', format('MSH|^~\&|ORDERRIS|ORDERHOSP|RADSCHED|RAD|%s||SIU^%s|%s|P|2.5|%s', at, event, control, sequence),
        format('SCH||%s|||||||30|MIN|^^^203110071000||||||||||||||SCHEDULED', filler), 'NTE|1||' || note,
        format('PID|1||%s^^^ORDERHOSP^MR||ORDERLY^OLIVER', coalesce(patient, 'PAT-' || filler)), 'AIS|1||BMD1^DEXA HIP'), 'UTF8')) i;
    RETURN concat_ws(' ', r.code, r.outcome, (SELECT string_agg(w ->> 'code', ' ' ORDER BY w ->> 'code') FROM jsonb_array_elements(r.warnings) w
                                             WHERE w ->> 'code' NOT IN ('SENDER_UNKNOWN')));
END
$$;
CREATE FUNCTION pg_temp.note(filler text) RETURNS text LANGUAGE sql AS
    $$ SELECT notes FROM radscheduler.appointment WHERE filler_id = filler AND site_id = radscheduler.current_site() ORDER BY generation DESC LIMIT 1 $$;
-- By MSH-7; equal times by arrival.
SELECT pg_temp.send('S12', 'o1', 'O1', '20260101100000', 'first') AS booked, pg_temp.send('S14', 'o2', 'O1', '20260101100200', 'third') AS newer,
       pg_temp.send('S14', 'o3', 'O1', '20260101100100', 'second') AS late, pg_temp.note('O1') AS note;
SELECT pg_temp.send('S14', 'o4', 'O1', '20260101100200', 'same time, later') AS equal, pg_temp.note('O1') AS note;
-- Equal times by MSH-13, whichever comes first.
SELECT pg_temp.send('S12', 's1', 'O2', '20260101100000', 'two', '2') AS booked, pg_temp.send('S14', 's2', 'O2', '20260101100000', 'one', '1') AS lower, pg_temp.note('O2') AS note,
       pg_temp.send('S14', 's3', 'O2', '20260101100000', 'three', '3') AS higher, pg_temp.note('O2') AS note_after;
-- A clock that runs ahead does not freeze the appointment for ever: its message counts from its arrival, and only what was sent before that is late.
SELECT pg_temp.send('S12', 'k1', 'O3', '20990101000000', 'ahead') AS ahead, pg_temp.send('S14', 'k2', 'O3', '20990101000000', 'ahead again') AS again, pg_temp.note('O3') AS note,
       pg_temp.send('S14', 'k3', 'O3', '20260101000000', 'long ago') AS earlier, pg_temp.note('O3') AS note_after;
-- No time, or none that can be read: arrival.
SELECT pg_temp.send('S12', 't1', 'O4', '', 'no time') AS none, pg_temp.send('S14', 't2', 'O4', 'yesterday', 'no time either') AS unreadable, pg_temp.note('O4') AS note;
-- An engine that rewrites MSH-7: the profile takes the order of arrival.
SELECT whole_profile ->> 'order_by' AS order_by FROM radscheduler.set_sender('ORDERRIS', 'ORDERHOSP', '{"order_by": "arrival"}');
SELECT pg_temp.send('S12', 'a1', 'O5', '20260101100200', 'arrives first') AS booked, pg_temp.send('S14', 'a2', 'O5', '20260101100000', 'arrives second') AS older, pg_temp.note('O5') AS note;
SELECT own_profile FROM radscheduler.set_sender('ORDERRIS', 'ORDERHOSP', '{"order_by": null}');
-- Repeats: the same bytes get the stored answer; the same content under another control id changes nothing; a control id that is used again is told and processed.
SELECT pg_temp.send('S12', 'r1', 'O6', '20260101100000', 'once') AS first, pg_temp.send('S12', 'r1', 'O6', '20260101100000', 'once') AS same_bytes,
       pg_temp.send('S12', 'r2', 'O6', '20260101100000', 'once') AS sent_again, pg_temp.send('S14', 'r1', 'O6', '20260101100100', 'twice') AS control_id_again, pg_temp.note('O6') AS note;
SELECT count(*) AS appointments, max(generation) AS generation FROM radscheduler.appointment WHERE filler_id = 'O6' AND site_id = radscheduler.current_site();
-- After AE the same bytes are processed anew: what was wrong may have been mended.
SELECT pg_temp.send('S20', 'e1', 'O7', '20260101100000', 'too soon') AS refused;
SELECT pg_temp.send('S12', 'e2', 'O7', '20260101090000', 'booked') AS booked, pg_temp.send('S20', 'e1', 'O7', '20260101100000', 'too soon') AS sent_again;
RESET radscheduler.site;
