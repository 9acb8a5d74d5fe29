-- Every path that frees time heals: whoever waited is booked again, the conflict is resolved and told. What was accepted stays accepted until it is worse.
SET client_min_messages = warning;
SET timezone = 'UTC';
BEGIN;
SELECT radscheduler.create_site('HEAL', 'Healing hospital', 'UTC') AS site \gset
SET LOCAL radscheduler.site = 'HEAL';
SELECT (radscheduler.set_sender('RIS', 'HEAL')).is_new;
SELECT count(radscheduler.add_resource(code, name, kind::radscheduler.resource_kind, modality, capacity => capacity)) AS added FROM (VALUES
    ('MR1', 'MR scanner 1', 'equipment', 'MR', 1), ('MR2', 'MR scanner 2', 'equipment', 'MR', 1), ('BEDS', 'Two beds', 'room', 'US', 2)) v(code, name, kind, modality, capacity);
CREATE FUNCTION pg_temp.send(event text, filler text, at text, start text DEFAULT '', rest text DEFAULT '', minutes text DEFAULT '30', mrn text DEFAULT NULL, priority text DEFAULT '', state text DEFAULT '') RETURNS text LANGUAGE sql AS $$
SELECT r.outcome FROM radscheduler.ingest(convert_to(concat_ws(E'\r', format('MSH|^~\&|RIS|HEAL|RADSCHED|RAD|202601010%s||SIU^%s|%s|P|2.5', at, event, md5(event || filler || at)),
    format('SCH||%s|||||||%s|MIN|^^^%s^^%s||||||||||||||%s', filler, CASE WHEN start <> '' THEN minutes END, CASE WHEN start <> '' THEN '20310303' || start END, priority, state), format('PID|1||%s||HEALED^%s', coalesce(mrn, 'LM' || filler), filler),
    nullif(rest, '')), 'UTF8')) r $$;
CREATE VIEW pg_temp.board AS
SELECT a.filler_id, a.status, timezone('UTC', a.starts_at)::time AS starts, (SELECT string_agg(format('%s %s %s %s', c ->> 'state', c ->> 'severity', c ->> 'code', (SELECT string_agg(w ->> 'external_id', '+' ORDER BY w ->> 'external_id') FROM jsonb_array_elements(c -> 'with') w)), '; ' ORDER BY c ->> 'code')
    FROM jsonb_array_elements(radscheduler.conflicts_of(a.site_id, a.appointment_id)) c) AS conflicts
FROM radscheduler.appointment a WHERE a.site_id = (SELECT site_id FROM radscheduler.site WHERE code = 'HEAL') ORDER BY a.filler_id;
CREATE FUNCTION pg_temp.two(name text, start text, resource text DEFAULT 'AIG|1||MR1') RETURNS text LANGUAGE sql AS $$
SELECT pg_temp.send('S12', name || '1', '80001', start, resource) || ' ' || pg_temp.send('S12', name || '2', '80002', lpad((start::integer + 15)::text, 4, '0'), resource) $$;
-- Cancelled, moved, shortened, sent to another scanner, ended early, not come, entered in error.
SELECT pg_temp.two(n, start) AS booked FROM (VALUES ('A', '0700'), ('B', '0800'), ('C', '0900'), ('D', '1000'), ('E', '1100'), ('F', '1200'), ('G', '1300')) v(n, start);
SELECT pg_temp.send('S15', 'A1', '90000') AS a, pg_temp.send('S13', 'B1', '90000', '1600', 'AIG|1||MR1') AS b, pg_temp.send('S13', 'C1', '90000', '0900', 'AIG|1||MR1', '15') AS c, pg_temp.send('S14', 'D1', '90000', '1000', 'AIG|1||MR2') AS d,
       pg_temp.send('S14', 'E1', '90000', '1100', 'AIG|1||MR1', '30', NULL, '', 'Complete') AS e, pg_temp.send('S26', 'F1', '90000') AS f, pg_temp.send('S17', 'G1', '90000') AS g;
SELECT * FROM pg_temp.board;
SELECT count(*) FILTER (WHERE c.state = 'resolved' AND c.resolved_at IS NOT NULL) AS resolved, count(*) FILTER (WHERE c.state <> 'resolved') AS left FROM radscheduler.conflict c WHERE c.site_id = :site;
-- Each found and each healed is told once, to listeners and to the audit log; who was healed has a version for it.
SELECT e.type, count(*), count(DISTINCT e.data ->> 'conflict_id') AS conflicts, count(e.message_id) AS by_message FROM radscheduler.event_log e WHERE e.site_id = :site AND e.type LIKE 'conflict.%' GROUP BY 1 ORDER BY 1;
SELECT u.action, count(*) FROM radscheduler.audit_event u WHERE u.site_id = :site AND u.action LIKE 'conflict.%' GROUP BY 1 ORDER BY 1;
SELECT h.version, h.event, h.snapshot #>> '{appointment,status}' AS status FROM radscheduler.appointment_history h JOIN radscheduler.appointment a USING (site_id, appointment_id) WHERE a.site_id = :site AND a.filler_id = 'A2' ORDER BY 1;
-- One who leaves heals one and not the other: three on one scanner, the second moves up, the third waits for it.
SELECT pg_temp.send('S12', 'H' || n, '8000' || n, '1400', 'AIG|1||MR1') AS booked FROM generate_series(1, 3) n;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'H%';
SELECT pg_temp.send('S15', 'H1', '90000') AS cancelled;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'H%';
-- Out of a view, by hand and for good: DELETE, UPDATE, purge.
SELECT pg_temp.two(n, start, 'AIG|1||MR2') AS booked FROM (VALUES ('I', '1300'), ('J', '1400'), ('K', '1500')) v(n, start);
DELETE FROM radscheduler.appointments v USING radscheduler.appointment a WHERE a.appointment_id = v.id AND a.site_id = :site AND a.filler_id = 'I1';
UPDATE radscheduler.appointments v SET duration = 15 FROM radscheduler.appointment a WHERE a.appointment_id = v.id AND a.site_id = :site AND a.filler_id = 'J1';
SELECT p -> 'appointments' AS purged FROM radscheduler.purge('test', 'LMK1', dry_run => false) p;
SELECT * FROM pg_temp.board WHERE filler_id ~ '^[IJK]';
-- A block lifted, in part and whole; a block in the middle flags both who are there, for their own part.
SELECT pg_temp.send('S12', 'L1', '80001', '1000', 'AIL|1||BEDS', '60') AS l1, pg_temp.send('S12', 'L2', '80001', '1030', 'AIL|1||BEDS', '60') AS l2;
SELECT block_id AS block, appointments FROM radscheduler.block_resource('beds', '2031-03-03 10:15Z', '2031-03-03 12:00Z') \gset
SELECT :appointments AS concerned;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'L%';
SELECT radscheduler.unblock_resource(:block, '2031-03-03 10:20Z') AS concerned;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'L%';
SELECT radscheduler.unblock_resource(:block) AS concerned;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'L%';
-- Capacity, buffers, hours and blocks written by hand: from then on for what comes, and for what is there when told to look again.
SELECT pg_temp.send('S12', 'M' || n, '8000' || n, '1200', 'AIL|1||BEDS') AS booked FROM generate_series(1, 4) n;
UPDATE radscheduler.resource SET capacity = 3 WHERE site_id = :site AND code = 'BEDS';
SELECT checked > 20 AS checked, opened, resolved FROM radscheduler.recheck_conflicts('2031-03-01Z', '2031-03-31Z');
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'M%';
UPDATE radscheduler.resource SET capacity = 1, turnover_minutes = 20 WHERE site_id = :site AND code = 'BEDS';
INSERT INTO radscheduler.resource_block (site_id, resource_id, during) SELECT :site, resource_id, '[2031-03-03 08:00Z, 2031-03-03 08:20Z)' FROM radscheduler.resource WHERE site_id = :site AND code = 'MR1';
UPDATE radscheduler.resource_hours SET closes = '16:15' WHERE site_id = :site AND resource_id IS NULL AND weekday = 1;
SELECT opened, resolved FROM radscheduler.recheck_conflicts('2031-03-01Z', '2031-03-31Z');
SELECT * FROM pg_temp.board WHERE conflicts IS NOT NULL;
UPDATE radscheduler.resource SET capacity = 4, turnover_minutes = 0 WHERE site_id = :site AND code = 'BEDS';
DELETE FROM radscheduler.resource_block WHERE site_id = :site;
UPDATE radscheduler.resource_hours SET closes = '19:00' WHERE site_id = :site AND resource_id IS NULL AND weekday = 1;
SELECT opened, resolved FROM radscheduler.recheck_conflicts('2031-03-01Z', '2031-03-31Z');
SELECT count(*) AS flagged FROM pg_temp.board WHERE conflicts IS NOT NULL AND filler_id !~ '^H';
-- The same twice finds nothing.
SELECT opened, resolved FROM radscheduler.recheck_conflicts('2031-03-01Z', '2031-03-31Z');
-- Made urgent, an exam out of hours is a matter of information; made routine again, a warning.
SELECT pg_temp.send('S12', 'N1', '80001', '1930', 'AIG|1||MR1') AS booked, pg_temp.send('S14', 'N1', '80002', '1930', 'AIG|1||MR1', '30', NULL, 'STAT') AS urgent;
SELECT * FROM pg_temp.board WHERE filler_id = 'N1';
SELECT pg_temp.send('S14', 'N1', '80003', '1930', 'AIG|1||MR1', '30', NULL, 'R') AS routine;
SELECT count(*), count(DISTINCT c.conflict_id) AS conflicts FROM radscheduler.event_log e JOIN radscheduler.conflict c ON c.conflict_id = (e.data ->> 'conflict_id')::bigint JOIN radscheduler.appointment a ON a.appointment_id = c.appointment_id
    WHERE a.site_id = :site AND a.filler_id = 'N1' AND e.type = 'conflict.detected';
-- Accepted by somebody: no review, and it stays so when the conflict gets milder or is only touched; at another time or worse it is open again.
SELECT pg_temp.two('P', '1700') AS booked;
UPDATE radscheduler.conflict c SET state = 'accepted', accepted_by = 'Nurse in charge' FROM radscheduler.appointment a WHERE a.site_id = :site AND a.filler_id = 'P2' AND c.appointment_id = a.appointment_id AND c.state = 'open';
SELECT pg_temp.send('S14', 'P2', '90000', '1715', 'AIG|1||MR1', '30', NULL, 'STAT') AS touched, pg_temp.send('S13', 'P1', '90000', '1700', 'AIG|1||MR1', '20') AS shorter;
SELECT b.*, c ->> 'by' AS accepted_by FROM pg_temp.board b JOIN radscheduler.appointment a USING (filler_id), jsonb_array_elements(radscheduler.conflicts_of(a.site_id, a.appointment_id)) c WHERE a.site_id = :site AND filler_id LIKE 'P%' ORDER BY 1;
SELECT pg_temp.send('S13', 'P1', '90001', '1705', 'AIG|1||MR1', '25') AS longer;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'P%';
-- What was completed is in nobody's way, however it overlapped.
SELECT pg_temp.two('Q', '1500', 'AIL|1||ROOM7') AS booked;
SELECT pg_temp.send('S14', 'Q2', '90000', '1515', '', '30', NULL, '', 'Complete') AS completed;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'Q%';
ROLLBACK;
