-- Double bookings: caught by the exclusion constraint, flagged on both sides, healed when one side leaves.
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE FUNCTION pg_temp.send(event text, control text, filler text, mrn text, start text, at text, rest text DEFAULT '', status text DEFAULT '')
    RETURNS TABLE (code text, outcome text, conflicts jsonb, ack text) LANGUAGE sql AS $$
SELECT r.code, r.outcome, jsonb_path_query_array(r.conflicts, '$[*].code'), convert_from(r.ack, 'UTF8') FROM radscheduler.ingest(convert_to(concat_ws(E'\r',
    format('MSH|^~\&|CON|CONFLICTS|RADSCHED|RAD|%s||SIU^%s^SIU_S12|%s|P|2.5', at, event, control),
    format('SCH||%s|||||||%s|MIN|^^^%s||||||||||||||%s', filler, CASE WHEN start = '' THEN '' ELSE '30' END, start, status),
    format('PID|1||%s||TEST^%s', mrn, mrn), nullif(rest, '')), 'UTF8')) r $$;
CREATE VIEW pg_temp.board AS
SELECT a.filler_id, a.status, a.review_reason AS review, timezone('America/New_York', a.starts_at)::time AS starts,
       (SELECT string_agg(o.lane::text, ',' ORDER BY o.axis, o.occupancy_id) FROM radscheduler.occupancy o WHERE o.site_id = a.site_id AND o.appointment_id = a.appointment_id) AS lanes,
       (SELECT string_agg(format('%s %s with %s', c ->> 'severity', c ->> 'code', (SELECT string_agg(w ->> 'external_id', '+' ORDER BY w ->> 'external_id') FROM jsonb_array_elements(c -> 'with') w)), '; ')
        FROM jsonb_array_elements(radscheduler.conflicts_of(a.site_id, a.appointment_id)) c) AS conflicts
FROM radscheduler.appointment a JOIN radscheduler.sender s USING (site_id, sender_id) WHERE s.sending_application = 'CON' ORDER BY a.filler_id;
SELECT radscheduler.add_resource('CT-A', 'CT scanner A', 'equipment', 'CT', setup_minutes => 5, turnover_minutes => 10, aliases => '{CTA1,"Scanner A"}') > 0 AS added;
SELECT radscheduler.add_resource('US-2', 'Ultrasound bay with two beds', 'room', 'US', capacity => 2) > 0 AS added;
-- Same scanner by two of its names, buffers included: 10:00-10:30 and 10:40-11:10 need 5 + 10 minutes between them.
SELECT code, outcome, conflicts FROM pg_temp.send('S12', 'a1', 'A1', 'CM1', '203108041000', '20260101080000', 'AIG|1|A|CT-A');
SELECT code, outcome, conflicts, ack LIKE '%ERR|%|W|%CT scanner A is booked twice%' AS told FROM pg_temp.send('S12', 'a2', 'A2', 'CM2', '203108041040', '20260101080100', 'AIG|1|A|scanner a');
SELECT * FROM pg_temp.board;
SELECT c ->> 'overlap_min' AS overlap, c ->> 'resource' AS resource, c ->> 'axis' AS axis, c -> 'alternatives' AS alternatives
FROM radscheduler.appointment a, jsonb_array_elements(radscheduler.conflicts_of(a.site_id, a.appointment_id)) c WHERE a.filler_id IN ('A1', 'A2') ORDER BY a.filler_id;
-- Back to back with the buffers is no conflict; cancelling one side heals the other.
SELECT code, outcome, conflicts FROM pg_temp.send('S12', 'a3', 'A3', 'CM3', '203108041125', '20260101080200', 'AIG|1|A|CT-A');
SELECT code, outcome FROM pg_temp.send('S15', 'a4', 'A1', 'CM1', '', '20260101080300');
SELECT * FROM pg_temp.board;
SELECT event, snapshot #>> '{appointment,status}' AS status FROM radscheduler.appointment_history h JOIN radscheduler.appointment a USING (site_id, appointment_id) WHERE a.filler_id = 'A2' ORDER BY h.version;
-- A third booking sees an overbooked one although lane 0 is free beneath it.
SELECT code, outcome, conflicts FROM pg_temp.send('S12', 'b1', 'B1', 'CM11', '203108051000', '20260101080000', 'AIL|1|A|ROOM1');
SELECT code, outcome, conflicts FROM pg_temp.send('S12', 'b2', 'B2', 'CM12', '203108051015', '20260101080100', 'AIL|1|A|ROOM1');
SELECT code, outcome, conflicts FROM pg_temp.send('S12', 'b3', 'B3', 'CM13', '203108051030', '20260101080200', 'AIL|1|A|ROOM1');
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'B%';
-- Moving the second away heals the third; moving it back onto the first flags it again.
SELECT code, outcome FROM pg_temp.send('S13', 'b4', 'B2', 'CM12', '203108051400', '20260101080300', 'AIL|1|A|ROOM1');
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'B%';
SELECT code, outcome FROM pg_temp.send('S13', 'b5', 'B2', 'CM12', '203108051000', '20260101080400', 'AIL|1|A|ROOM1');
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'B%';
-- Capacity two: the third is one too many; when one of the two leaves, it moves down.
SELECT n, s.outcome FROM generate_series(1, 3) n, pg_temp.send('S12', 'c' || n, 'C' || n, 'CM2' || n, '203108061000', '2026010108000' || n, 'AIL|1|A|US-2') s;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'C%';
SELECT code, outcome FROM pg_temp.send('S15', 'c4', 'C1', 'CM21', '', '20260101080010');
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'C%';
-- Never more than two at once, though no bed is free for all of the last one's time: they change beds, nobody is flagged. One more at the fullest moment is.
SELECT n, s.outcome FROM (VALUES (1, '1000'), (2, '1020'), (3, '1050'), (4, '1040'), (5, '1045')) v(n, start), pg_temp.send('S12', 'v' || n, 'V' || n, 'CM5' || n, '20310812' || start, '2026010108000' || n, 'AIL|1||US-2') s ORDER BY n;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'V%';
-- Same patient on two scanners; same technologist in two rooms; a radiologist on diagnostic exams.
SELECT code, outcome, conflicts FROM pg_temp.send('S12', 'd1', 'D1', 'CM31', '203108071000', '20260101080000', 'AIS|1|A|MRI001^MRI BRAIN');
SELECT code, outcome, conflicts FROM pg_temp.send('S12', 'd2', 'D2', 'CM31', '203108071015', '20260101080100', 'AIS|1|A|CT002^CT CHEST');
SELECT code, outcome, conflicts FROM pg_temp.send('S12', 'd3', 'D3', 'CM33', '203108081000', '20260101080200', E'AIS|1|A|MRI001^MRI BRAIN\rAIP|1|A|T7^SHAW^ANNA|TECHNOLOGIST\rAIP|2|A|R7^REED^MAY|RADIOLOGIST');
SELECT code, outcome, conflicts FROM pg_temp.send('S12', 'd4', 'D4', 'CM34', '203108081015', '20260101080300', E'AIS|1|A|CT002^CT CHEST\rAIP|1|A|T7^SHAW^ANNA|TECHNOLOGIST');
SELECT code, outcome, conflicts FROM pg_temp.send('S12', 'd5', 'D5', 'CM35', '203108081020', '20260101080400', E'AIS|1|A|XR003^CHEST XRAY\rAIP|1|A|R7^REED^MAY|RADIOLOGIST');
SELECT code, outcome, conflicts FROM pg_temp.send('S12', 'd6', 'D6', 'CM36', '203108081010', '20260101080500', E'AIS|1|A|XA1^ANGIOGRAM\rAIP|1|A|R7^REED^MAY|RADIOLOGIST');
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'D%';
-- A sender whose profile refuses conflicts gets AE at the field, and nothing is booked.
UPDATE radscheduler.sender SET profile = '{"on_conflict": "reject"}' WHERE sending_application = 'CON';
SELECT code, outcome, ack LIKE '%ERR||AIL^1^3|207%' AS at_the_field FROM pg_temp.send('S12', 'e1', 'E1', 'CM41', '203108051400', '20260101080000', 'AIL|1|A|ROOM1');
SELECT code, outcome, ack LIKE '%ERR||AIL^1^3|207%' AS at_the_field FROM pg_temp.send('S12', 'e2', 'E2', 'CM42', '203108051415', '20260101080000', 'AIL|1|A|ROOM1');
SELECT count(*) AS booked FROM radscheduler.appointment WHERE filler_id = 'E2' AND starts_at > '2031-08-01' AND sender_id = (SELECT sender_id FROM radscheduler.sender WHERE sending_application = 'CON');
SELECT m.outcome, m.error ->> 'code' AS error FROM radscheduler.hl7_message m JOIN radscheduler.sender s USING (site_id, sender_id) WHERE s.sending_application = 'CON' AND m.control_id = 'e2';
UPDATE radscheduler.sender SET profile = '{}' WHERE sending_application = 'CON';
-- The constraint itself: no way around it for whoever inserts directly.
\set VERBOSITY sqlstate
INSERT INTO radscheduler.occupancy (site_id, axis, subject_id, lane, during, buffered, appointment_id)
SELECT site_id, axis, subject_id, lane, during, buffered, appointment_id FROM radscheduler.occupancy LIMIT 1;
\set VERBOSITY default
-- Counted without the constraint: nowhere do more than capacity overlap in legal lanes, and every overbooked lane has an unresolved conflict.
SELECT count(*) AS overlaps FROM radscheduler.occupancy a JOIN radscheduler.occupancy b
    ON a.site_id = b.site_id AND a.axis = b.axis AND a.subject_id = b.subject_id AND a.lane = b.lane AND a.occupancy_id < b.occupancy_id
   AND lower(a.buffered) < upper(b.buffered) AND lower(b.buffered) < upper(a.buffered);
SELECT count(*) AS unflagged FROM radscheduler.occupancy o LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
WHERE o.lane >= coalesce(r.capacity, 1)
  AND NOT EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = o.site_id AND c.axis = o.axis AND c.subject_id = o.subject_id AND c.state <> 'resolved'
                  AND o.appointment_id IN (c.appointment_id, c.other_appointment_id));
