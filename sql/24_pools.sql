-- Exams that name no scanner share those of their modality: counted with the exams that name one, in the order of their claims, healed when a place is free.
SET client_min_messages = warning;
SET timezone = 'UTC';
BEGIN;
SELECT radscheduler.create_site('POOLS', 'Pools hospital', 'UTC') AS site \gset
SET LOCAL radscheduler.site = 'POOLS';
SELECT (radscheduler.set_sender('RIS', 'POOLS')).is_new;
CREATE FUNCTION pg_temp.siu(event text, filler text, at text, start text DEFAULT '', rest text DEFAULT '', minutes text DEFAULT '30', priority text DEFAULT '') RETURNS bytea LANGUAGE sql AS $$
SELECT convert_to(concat_ws(E'\r', format('MSH|^~\&|RIS|POOLS|RADSCHED|RAD|202601010%s||SIU^%s|%s|P|2.5', at, event, md5(event || filler || at)),
    format('SCH||%s|||||||%s|MIN|^^^%s^^%s', filler, CASE WHEN start <> '' THEN minutes END, CASE WHEN start <> '' THEN '20310303' || start END, priority), format('PID|1||PM%s||POOLER^%s', filler, filler),
    nullif(CASE WHEN start <> '' AND rest !~ '^AIS' THEN E'AIS|1||MRI001^MRI BRAIN\r' ELSE '' END || rest, '')), 'UTF8') $$;
CREATE FUNCTION pg_temp.send(event text, filler text, at text, start text DEFAULT '', rest text DEFAULT '', minutes text DEFAULT '30', priority text DEFAULT '') RETURNS text LANGUAGE sql AS $$
SELECT r.outcome || ' ' || r.code FROM radscheduler.ingest(pg_temp.siu(event, filler, at, start, rest, minutes, priority)) r $$;
CREATE VIEW pg_temp.board AS
SELECT a.filler_id, a.status, a.is_pooled AS pooled, timezone('UTC', a.starts_at)::time AS starts, (SELECT string_agg(format('%s %s %s-%s %s', c.severity, c.code, timezone('UTC', lower(c.overlap))::time(0), timezone('UTC', upper(c.overlap))::time(0), c.state), '; ')
    FROM radscheduler.conflict c WHERE c.site_id = a.site_id AND c.appointment_id = a.appointment_id AND c.state <> 'resolved') AS conflicts
FROM radscheduler.appointment a WHERE a.site_id = (SELECT site_id FROM radscheduler.site WHERE code = 'POOLS') ORDER BY a.filler_id;
-- No scanner of the modality is registered: nothing is known, nothing is counted, whatever scanners messages name.
SELECT pg_temp.send('S12', 'A' || n, '8000' || n, '0900', CASE WHEN n = 1 THEN 'AIG|1||SOMEWHERE' ELSE '' END) AS sent FROM generate_series(1, 4) n;
SELECT count(radscheduler.add_resource('MR' || n, 'MR scanner ' || n, 'equipment', 'MR')) AS scanners FROM generate_series(1, 2) n;
-- Two scanners: the third at once is one too many, a warning; the fourth is more than half as many again, critical. Who comes later has no place, though he comes first.
SELECT pg_temp.send('S12', 'B3', '80003', '1000') AS b3, pg_temp.send('S12', 'B2', '80002', '1015') AS b2, pg_temp.send('S12', 'B4', '80004', '1010') AS b4, pg_temp.send('S12', 'B1', '80001', '1000') AS b1;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'B%';
SELECT c ->> 'message' AS message, c ->> 'axis' AS axis, c -> 'with' AS partners, jsonb_array_length(c -> 'alternatives') AS alternatives FROM radscheduler.appointment a, jsonb_array_elements(radscheduler.conflicts_of(a.site_id, a.appointment_id)) c
    WHERE a.site_id = :site AND a.filler_id IN ('B3', 'B4') ORDER BY a.filler_id;
-- A place comes free: the next in line has it, and the other is less far beyond.
SELECT pg_temp.send('S15', 'B1', '90000') AS cancelled;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'B%';
-- Exams on a scanner stand before those that name none, however late; an overbooked one has no place itself, so it takes none.
SELECT pg_temp.send('S12', 'C1', '80001', '1100') AS c1, pg_temp.send('S12', 'C2', '80002', '1100') AS c2, pg_temp.send('S12', 'C3', '80003', '1100', 'AIG|1||MR1') AS c3, pg_temp.send('S12', 'C4', '80004', '1100', 'AIG|1||MR1') AS c4;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'C%';
-- Naming the other scanner takes a place of its own; the pool is full, and the first in line is flagged as well. Moving one away frees it.
SELECT pg_temp.send('S13', 'C4', '90000', '1100', 'AIG|1||MR2') AS c4;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'C%';
SELECT pg_temp.send('S13', 'C3', '90000', '1400', 'AIG|1||MR1') AS c3;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'C%';
-- Naming a scanner at last, waiting for another modality, getting shorter: each leaves the pool.
SELECT pg_temp.send('S12', 'D' || n, '8000' || n, '1200', '', '60') AS sent FROM generate_series(1, 3) n;
SELECT pg_temp.send('S13', 'D3', '90000', '1200', 'AIG|1||ELSEWHERE', '60') AS named;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'D%';
SELECT pg_temp.send('S13', 'D3', '90001', '1200', 'AIG|1||MR1', '60') AS named;
SELECT pg_temp.send('S14', 'D1', '90002', '1200', E'AIS|1||CT002^CT CHEST', '60') AS other;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'D%';
SELECT pg_temp.send('S14', 'D1', '90003', '1200', '', '60') AS back, pg_temp.send('S13', 'D1', '90004', '1200', '', '10') AS shorter, pg_temp.send('S13', 'D2', '90004', '1210', '', '20') AS later;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'D%';
-- The same exam made urgent is excused to a warning, and leaves the review.
SELECT pg_temp.send('S12', 'E' || n, '8000' || n, '1300') AS sent FROM generate_series(1, 4) n;
SELECT pg_temp.send('S14', 'E4', '90000', '1300', '', '30', 'STAT') AS urgent;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'E%';
-- A scanner that is blocked is not there; unblocked it is.
SELECT pg_temp.send('S12', 'F' || n, '8000' || n, '1500') AS sent FROM generate_series(1, 2) n;
SELECT block_id AS block, appointments FROM radscheduler.block_resource('MR2', '2031-03-03 15:10Z', '2031-03-03 18:00Z', kind => 'downtime') \gset
SELECT :appointments AS concerned;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'F%';
SELECT radscheduler.unblock_resource(:block, '2031-03-03 15:20Z') AS concerned;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'F%';
SELECT radscheduler.unblock_resource(:block) AS concerned;
SELECT * FROM pg_temp.board WHERE filler_id LIKE 'F%';
-- A third scanner, written by hand: told to look again, everybody is healed. Without any, the count ends.
SELECT radscheduler.add_resource('MR3', 'MR scanner 3', 'equipment', 'MR') > 0 AS third;
SELECT checked > 15 AS checked, opened, resolved FROM radscheduler.recheck_conflicts('2031-03-01Z', '2031-04-01Z');
SELECT * FROM pg_temp.board WHERE conflicts IS NOT NULL;
UPDATE radscheduler.resource SET is_active = false WHERE site_id = :site AND code LIKE 'MR%';
SELECT opened, resolved FROM radscheduler.recheck_conflicts('2031-03-01Z', '2031-04-01Z');
UPDATE radscheduler.resource SET is_active = true WHERE site_id = :site AND code LIKE 'MR%';
-- Rooms are the pool where there is no scanner, each with as many places as it has; bookings made in SQL are refused where it is far beyond.
SELECT radscheduler.add_resource('BAY', 'Ultrasound bay', 'room', 'US', capacity => 2) > 0 AS bay;
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, datetime) SELECT 'UP' || n, 'Pooler Ultra', 'US', '2031-03-04 10:00' FROM generate_series(1, 3) n;
SELECT patient_id, status, jsonb_path_query_array(conflicts, '$[*].code') AS conflicts FROM radscheduler.appointments WHERE patient_id LIKE 'UP%' ORDER BY 1;
SAVEPOINT before;
\set VERBOSITY terse
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, datetime) VALUES ('UP4', 'Pooler Ultra', 'US', '2031-03-04 10:15');
\set VERBOSITY default
ROLLBACK TO before;
DELETE FROM radscheduler.appointments WHERE patient_id = 'UP1';
SELECT patient_id, status, jsonb_path_query_array(conflicts, '$[*].code') AS conflicts FROM radscheduler.appointments WHERE patient_id LIKE 'UP%' ORDER BY 1;
-- What the search offers can be booked: a time whose last place an exam without scanner has is not offered.
SELECT radscheduler.add_resource('CT1', 'CT scanner 1', 'equipment', 'CT') > 0 AS scanner;
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, datetime, duration) VALUES ('UP5', 'Pooler Tomo', 'CT', '2031-03-05 07:15', 30);
SELECT s.datetime::time AS offered FROM radscheduler.find_slots('CT', earliest => '2031-03-05 07:00Z', latest => '2031-03-05 09:00Z', duration_minutes => 15, max_slots => 3) s;
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, datetime, duration) VALUES ('UP6', 'Pooler Tomo', 'CT', '2031-03-05 07:00', 15), ('UP7', 'Pooler Tomo', 'CT', '2031-03-05 07:45', 15);
SELECT patient_id, status, jsonb_path_query_array(conflicts, '$[*].code') AS conflicts FROM radscheduler.appointments WHERE patient_id IN ('UP5', 'UP6', 'UP7') ORDER BY 1;
-- Whatever the order of arrival, and in one batch or one by one, the end is the same.
CREATE FUNCTION pg_temp.ends(p_seed integer, p_batch boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE m bytea[]; v_end text;
BEGIN
    m := ARRAY(SELECT pg_temp.siu(event, filler, at, start, rest, minutes) FROM (VALUES
        ('S12', 'Z1', '80001', '1000', '', '60'), ('S12', 'Z2', '80002', '1030', '', '30'), ('S12', 'Z3', '80003', '1015', 'AIG|1||MR1', '30'), ('S12', 'Z4', '80004', '1040', '', '60'),
        ('S13', 'Z2', '80005', '1050', '', '30'), ('S12', 'Z5', '80006', '1020', 'AIG|1||MR2', '60'), ('S13', 'Z3', '80007', '1045', 'AIG|1||MR1', '15'), ('S12', 'Z6', '80008', '1000', '', '90'), ('S15', 'Z1', '80009', '', '', ''),
        ('S12', 'Z7', '80010', '1055', 'AIG|1||MR3', '30')) v(event, filler, at, start, rest, minutes) ORDER BY md5(p_seed || event || filler || at));
    BEGIN
        DELETE FROM radscheduler.appointment WHERE site_id = (SELECT site_id FROM radscheduler.site WHERE code = 'POOLS');
        IF p_batch THEN PERFORM radscheduler.ingest_batch(m);
        ELSE FOR k IN 1 .. cardinality(m) LOOP PERFORM radscheduler.ingest(m[k]); END LOOP; END IF;
        v_end := (SELECT string_agg(format('%s %s %s', b.filler_id, b.status, coalesce(b.conflicts, '-')), E'\n' ORDER BY filler_id) FROM pg_temp.board b);
        RAISE EXCEPTION USING ERRCODE = 'RSUND';
    EXCEPTION WHEN SQLSTATE 'RSUND' THEN NULL;
    END;
    RETURN v_end;
END $$;
SELECT pg_temp.ends(0, false);
SELECT count(DISTINCT pg_temp.ends(n, n % 3 = 0)) AS different FROM generate_series(0, 29) n;
ROLLBACK;
