-- The life cycle by HL7's own meaning of the events, in any order of arrival.
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE FUNCTION pg_temp.siu(event text, control text, filler text, mrn text, start text, at text, rest text DEFAULT '', status text DEFAULT '') RETURNS bytea
    LANGUAGE sql AS $$
SELECT convert_to(concat_ws(E'\r',
    format('MSH|^~\&|EVT|EVENTS|RADSCHED|RAD|%s||SIU^%s^SIU_S12|%s|P|2.5', at, event, control),
    format('SCH||%s|||||||%s|MIN|^^^%s||||||||||||||%s', filler, CASE WHEN start = '' THEN '' ELSE '30' END, start, status),
    CASE WHEN mrn <> '' THEN format('PID|1||%s||TEST^%s', mrn, mrn) END, nullif(rest, '')), 'UTF8') $$;
CREATE FUNCTION pg_temp.state(filler text) RETURNS TABLE (generation integer, status radscheduler.appointment_status, starts timestamp, minutes integer, moves integer, version integer, occupies bigint)
    LANGUAGE sql AS $$
SELECT a.generation, a.status, timezone(radscheduler.site_zone(a.site_id), a.starts_at), (extract(epoch FROM a.ends_at - a.starts_at) / 60)::integer, a.reschedule_count, a.version,
       (SELECT count(*) FROM radscheduler.occupancy o WHERE o.site_id = a.site_id AND o.appointment_id = a.appointment_id)
FROM radscheduler.appointment a WHERE a.filler_id = filler ORDER BY a.generation $$;
CREATE FUNCTION pg_temp.send(event text, control text, filler text, mrn text, start text, at text, rest text DEFAULT '', status text DEFAULT '') RETURNS TABLE (code text, outcome text, warnings jsonb)
    LANGUAGE sql AS $$
SELECT r.code, r.outcome, jsonb_path_query_array(r.warnings, '$[*].code ? (@ != "RESOURCE_UNKNOWN" && @ != "SENDER_UNKNOWN" && @ != "MODALITY_UNKNOWN")')
FROM radscheduler.ingest(pg_temp.siu(event, control, filler, mrn, start, at, rest, status)) r $$;
-- Book, move (S13 without resources shifts what it holds), modify, arrive, complete.
SELECT * FROM pg_temp.send('S12', 'e1', 'E1', 'EM1', '203107011000', '20260101080000', E'AIS|1|A|CT1^CT HEAD\rAIG|1|A|CTROOM');
SELECT * FROM pg_temp.send('S13', 'e2', 'E1', 'EM1', '203107011400', '20260101080100');
SELECT * FROM pg_temp.state('E1');
SELECT r.starts_at, r.ends_at FROM radscheduler.appointment_resource r JOIN radscheduler.appointment a USING (site_id, appointment_id) WHERE a.filler_id = 'E1';
SELECT * FROM pg_temp.send('S14', 'e3', 'E1', 'EM1', '', '20260101080200', 'NTE|1||bring films', 'ARRIVED');
SELECT * FROM pg_temp.send('S14', 'e4', 'E1', 'EM1', '', '20260101080300', '', 'COMPLETED');
SELECT * FROM pg_temp.state('E1');
-- What is over is over: a modification mends who asked for it, not its time or its state.
SELECT * FROM pg_temp.send('S14', 'e4b', 'E1', 'EM1', '203107011800', '20260101080330', 'PV1|1|O||||||77^WELBY^MARCUS');
SELECT * FROM pg_temp.state('E1');
SELECT referring_physician FROM radscheduler.appointments WHERE patient_id = 'EM1';
-- A completed appointment is not cancelled, deleted or missed any more; a newer reschedule, or a status that says so, opens it again.
SELECT e, s.* FROM unnest(ARRAY['S15', 'S16', 'S17', 'S26']) WITH ORDINALITY u(e, n), pg_temp.send(e, 'e5' || n, 'E1', 'EM1', '203107011500', '2026010108040' || n) s;
SELECT * FROM pg_temp.state('E1');
SELECT * FROM pg_temp.send('S13', 'e6', 'E1', 'EM1', '203107011500', '20260101080410');
SELECT * FROM pg_temp.send('S14', 'e7', 'E1', 'EM1', '', '20260101080411', '', 'COMPLETED');
SELECT * FROM pg_temp.send('S14', 'e8', 'E1', 'EM1', '', '20260101080412', '', 'Booked');
SELECT * FROM pg_temp.state('E1');
-- S15 cancels, S16 discontinues, S17 deletes, S26 is a no-show; each gives its time back.
SELECT e, s.code, t.status, t.occupies FROM unnest(ARRAY['S15', 'S16', 'S17', 'S26']) WITH ORDINALITY u(e, n),
    LATERAL (SELECT * FROM pg_temp.send('S12', 'f' || n, 'F' || n, 'FM' || n, '203107021000', '20260101090000', 'AIS|1|A|CT1^CT HEAD')) b,
    LATERAL (SELECT * FROM pg_temp.send(e, 'g' || n, 'F' || n, 'FM' || n, '', '20260101090100')) s,
    LATERAL (SELECT * FROM pg_temp.state('F' || n)) t;
-- An explicit status wins over the event that carries it, and the event over a status that contradicts a closing.
SELECT * FROM pg_temp.send('S12', 'h1', 'H1', 'HM1', '203107031000', '20260101090000');
SELECT * FROM pg_temp.send('S14', 'h2', 'H1', 'HM1', '', '20260101090100', '', 'Cancelled');
SELECT status FROM pg_temp.state('H1');
SELECT * FROM pg_temp.send('S12', 'h3', 'H2', 'HM2', '203107031000', '20260101090000');
SELECT * FROM pg_temp.send('S15', 'h4', 'H2', 'HM2', '', '20260101090100', '', 'NOSHOW');
SELECT status FROM pg_temp.state('H2');
SELECT * FROM pg_temp.send('S12', 'h5', 'H3', 'HM3', '203107031000', '20260101090000');
SELECT * FROM pg_temp.send('S15', 'h6', 'H3', 'HM3', '', '20260101090100', '', 'Booked');
SELECT status FROM pg_temp.state('H3');
-- Late messages: stale is kept and not applied; a change before its booking creates; a cancellation before its booking holds.
SELECT * FROM pg_temp.send('S13', 'i2', 'I1', 'IM1', '203107041400', '20260101090200');
SELECT * FROM pg_temp.send('S12', 'i1', 'I1', 'IM1', '203107041000', '20260101090100');
SELECT * FROM pg_temp.state('I1');
SELECT * FROM pg_temp.send('S15', 'i4', 'I2', '', '', '20260101090200');
SELECT * FROM pg_temp.send('S12', 'i3', 'I2', 'IM2', '203107041000', '20260101090100', E'AIS|1|A|CT1^CT HEAD\rAIG|1|A|CTROOM');
SELECT * FROM pg_temp.state('I2');
SELECT p.mrn FROM radscheduler.appointment a JOIN radscheduler.patient p USING (site_id, patient_id) WHERE a.filler_id = 'I2';
-- Booking again after a cancellation opens a new generation and keeps the old one; an identifier used for another patient goes to review.
SELECT * FROM pg_temp.send('S12', 'j1', 'F1', 'FM1', '203107051000', '20260101100000');
SELECT * FROM pg_temp.state('F1');
SELECT * FROM pg_temp.send('S12', 'j2', 'F1', 'FM9', '203107061000', '20260101100100');
SELECT generation, status FROM pg_temp.state('F1');
SELECT * FROM pg_temp.send('S13', 'j3', 'F1', 'FM9', '203107061100', '20260101100200');
SELECT generation, status FROM pg_temp.state('F1');
UPDATE radscheduler.appointments SET status = 'SCHEDULED' WHERE patient_id = 'FM9' RETURNING status, datetime;
-- An unknown key that cannot be created, a modification that says nothing, a modification of nothing to change.
SELECT * FROM pg_temp.send('S14', 'k1', 'K1', '', '', '20260101100000');
SELECT m.error ->> 'code' AS error, m.error ->> 'path' AS path FROM radscheduler.hl7_message m WHERE m.control_id = 'k1';
SELECT * FROM pg_temp.send('S14', 'k2', 'I1', '', '', '20260101100000');
-- HL7 null clears, empty keeps.
SELECT * FROM pg_temp.send('S12', 'l1', 'L1', 'LM1', '203107071000', '20260101090000', E'PV1|1|O||||||77^WELBY^MARCUS\rAIS|1|A|CT1^CT HEAD');
SELECT * FROM pg_temp.send('S14', 'l2', 'L1', 'LM1', '', '20260101090100', 'AIS|1|A|CT2^CT CHEST');
SELECT referring_physician, study_type FROM radscheduler.appointments WHERE patient_id = 'LM1';
SELECT * FROM pg_temp.send('S14', 'l3', 'L1', 'LM1', '', '20260101090200', E'PV1|1|O||||||""\rAIS|1|A|CT2^CT CHEST');
SELECT referring_physician, study_type FROM radscheduler.appointments WHERE patient_id = 'LM1';
-- The clock: put forward, put back, a date without time.
SELECT * FROM pg_temp.send('S12', 'm1', 'M1', 'MM1', '203103090230', '20260101090000');
SELECT * FROM pg_temp.send('S12', 'm2', 'M2', 'MM2', '203111020130', '20260101090000');
SELECT * FROM pg_temp.send('S12', 'm3', 'M3', 'MM3', '20310701', '20260101090000');
SELECT filler_id, status, starts_at FROM radscheduler.appointment WHERE filler_id IN ('M1', 'M2', 'M3') ORDER BY filler_id;
-- Every rule of the table is one of these actions, and each event knows each state.
SELECT trigger_event, count(*) AS states FROM radscheduler.event_rule GROUP BY trigger_event ORDER BY trigger_event;
