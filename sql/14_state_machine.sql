-- The state machine, cell by cell: each trigger event on each state of the appointment, with and without a status of its own, newer and older.
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SEQUENCE pg_temp.cell;
CREATE FUNCTION pg_temp.msg(event text, control text, filler text, at text, status text, start text) RETURNS bytea
    LANGUAGE sql AS $$
SELECT convert_to(concat_ws(E'\r', format('MSH|^~\&|CELL|STATES|RADSCHED|RAD|%s||SIU^%s^SIU_S12|%s|P|2.5', at, event, control),
    format('SCH||%s|||||||30|MIN|^^^%s||||||||||||||%s', filler, start, status), format('PID|1||%s^^^STATES^MR||CELL^%s', filler, filler),
    'RGS|1', 'AIS|1||BMD1^DEXA HIP', 'AIG|1||CELL-' || filler || '^Scanner'), 'UTF8') $$;
-- Brings an appointment into a state, sends the event, and tells: outcome, status, generations, intervals held, warnings.
CREATE FUNCTION pg_temp.cell(event text, state text, status text DEFAULT '', at text DEFAULT '20210101120000') RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    n text := 'CELL' || nextval('pg_temp.cell');
    r record;
BEGIN
    IF state <> 'unknown' THEN
        PERFORM radscheduler.ingest(pg_temp.msg('S12', n || 'a', n, '20210101080000', '', '203101021000'));
        IF state NOT IN ('SCHEDULED') THEN
            PERFORM radscheduler.ingest(pg_temp.msg(CASE state WHEN 'CANCELLED' THEN 'S15' WHEN 'DISCONTINUED' THEN 'S16' WHEN 'NO_SHOW' THEN 'S26' WHEN 'DELETED' THEN 'S17' ELSE 'S14' END,
                n || 'b', n, '20210101090000', CASE WHEN state IN ('CANCELLED', 'DISCONTINUED', 'NO_SHOW', 'DELETED') THEN '' ELSE state END, '203101021000'));
        END IF;
    END IF;
    SELECT i.code, i.outcome, i.warnings INTO r FROM radscheduler.ingest(pg_temp.msg(event, n || 'c', n, at, status, '203101021100')) i;
    RETURN (SELECT concat_ws(' ', r.code, r.outcome, '->', coalesce(a.status::text, 'none'),
                             CASE WHEN a.generation > 1 THEN 'generation ' || a.generation END,
                             CASE WHEN o.n > 0 THEN 'holds ' || o.n END, to_char(timezone('UTC', a.starts_at), 'HH24:MI'), w.words)
        FROM (SELECT 1) one
        LEFT JOIN LATERAL (SELECT * FROM radscheduler.appointment x WHERE x.filler_id = n ORDER BY x.generation DESC LIMIT 1) a ON true
        LEFT JOIN LATERAL (SELECT nullif(count(*), 0) AS n FROM radscheduler.occupancy x WHERE x.site_id = a.site_id AND x.appointment_id = a.appointment_id) o ON true
        LEFT JOIN LATERAL (SELECT string_agg(e ->> 'code', ' ' ORDER BY e ->> 'code') AS words FROM jsonb_array_elements(r.warnings) e
                           WHERE e ->> 'code' NOT IN ('RESOURCE_UNKNOWN', 'SENDER_UNKNOWN', 'CLOCK_SKEW', 'ZONE_ASSUMED')) w ON true);
END
$$;
\pset format unaligned
CREATE FUNCTION pg_temp.row_of(event text, status text DEFAULT '', at text DEFAULT '20210101120000') RETURNS TABLE (state text, becomes text)
    LANGUAGE sql AS $$
SELECT s, pg_temp.cell(event, s, status, at) FROM unnest(ARRAY['unknown', 'PENDING', 'SCHEDULED', 'CONFIRMED', 'ARRIVED', 'IN_PROGRESS', 'COMPLETED',
    'CANCELLED', 'DISCONTINUED', 'NO_SHOW', 'DELETED']) s $$;
-- S12, new.
SELECT * FROM pg_temp.row_of('S12');
-- S13, reschedule.
SELECT * FROM pg_temp.row_of('S13');
-- S14, modify.
SELECT * FROM pg_temp.row_of('S14');
-- S15, cancel.
SELECT * FROM pg_temp.row_of('S15');
-- S16, discontinue.
SELECT * FROM pg_temp.row_of('S16');
-- S17, delete.
SELECT * FROM pg_temp.row_of('S17');
-- S18, add a resource.
SELECT * FROM pg_temp.row_of('S18');
-- S19, modify a resource.
SELECT * FROM pg_temp.row_of('S19');
-- S20, cancel a resource.
SELECT * FROM pg_temp.row_of('S20');
-- S21, discontinue a resource.
SELECT * FROM pg_temp.row_of('S21');
-- S22, delete a resource.
SELECT * FROM pg_temp.row_of('S22');
-- S26, no-show.
SELECT * FROM pg_temp.row_of('S26');
-- S27, broadcast.
SELECT * FROM pg_temp.row_of('S27');
-- An older message is stale in every state, and a booking does not open what was closed before it arrived.
SELECT e AS event, s.* FROM unnest(ARRAY['S12', 'S14', 'S15']) e, pg_temp.row_of(e, '', '20210101070000') s WHERE s.state <> 'unknown';
-- An explicit status wins over the event.
SELECT e AS event, w AS sch_25, pg_temp.cell(e, 'SCHEDULED', w) AS becomes FROM unnest(ARRAY['S12', 'S13', 'S14']) WITH ORDINALITY u(e, n),
    unnest(ARRAY['Pending', 'Waitlist', 'Booked', 'Confirmed', 'Overbook', 'Arrived', 'Started', 'Complete', 'Cancelled', 'Dc', 'Noshow', 'Deleted', 'Rumpled']) WITH ORDINALITY v(w, m) ORDER BY n, m;
SELECT e AS event, w AS sch_25, pg_temp.cell(e, 'SCHEDULED', w) AS becomes FROM unnest(ARRAY['S15', 'S16', 'S17', 'S26']) WITH ORDINALITY u(e, n),
    unnest(ARRAY['Booked', 'Cancelled', 'Dc', 'Noshow', 'Complete']) WITH ORDINALITY v(w, m) ORDER BY n, m;
-- It goes back only by a newer message that says so.
SELECT s AS state, w AS sch_25, pg_temp.cell('S14', s, w) AS newer, pg_temp.cell('S14', s, w, '20210101090000') AS at_the_same_time
    FROM unnest(ARRAY['CONFIRMED', 'ARRIVED', 'IN_PROGRESS']) WITH ORDINALITY u(s, n), unnest(ARRAY['Booked', 'Arrived', 'Started']) WITH ORDINALITY v(w, m) ORDER BY n, m;
-- A no-show after arrival is recorded where the profile allows it.
UPDATE radscheduler.sender SET profile = '{"no_show_after_arrival": true}' WHERE sending_application = 'CELL';
SELECT pg_temp.cell('S26', 'ARRIVED') AS allowed, pg_temp.cell('S26', 'ARRIVED', '', '20210101090000') AS not_newer;
-- S13, S14 and S15 by the older naming: S14 cancels, unless its status says that the appointment is open.
UPDATE radscheduler.sender SET profile = '{"preset": "seed_naming"}' WHERE sending_application = 'CELL';
SELECT e AS event, w AS sch_25, pg_temp.cell(e, 'SCHEDULED', w) AS becomes FROM unnest(ARRAY['S13', 'S14', 'S15']) WITH ORDINALITY u(e, n),
    unnest(ARRAY['', 'Booked', 'Arrived', 'Cancelled']) WITH ORDINALITY v(w, m) ORDER BY n, m;
SELECT pg_temp.cell('S14', 'unknown') AS unknown, pg_temp.cell('S14', 'unknown', 'Booked') AS unknown_booked, pg_temp.cell('S14', 'CANCELLED', 'Booked') AS cancelled_booked;
-- Events left alone, pending appointments that hold their time, changes of unknown appointments let pass, test messages.
UPDATE radscheduler.sender SET profile = '{"event_map": {"S12": "IGNORE"}}' WHERE sending_application = 'CELL';
SELECT pg_temp.cell('S12', 'unknown') AS left_alone;
UPDATE radscheduler.sender SET profile = '{"pending_occupies": true, "unknown_resource_change": "ignore"}' WHERE sending_application = 'CELL';
SELECT pg_temp.cell('S12', 'unknown', 'Pending') AS pending, pg_temp.cell('S20', 'unknown') AS unknown_change;
\pset format aligned
