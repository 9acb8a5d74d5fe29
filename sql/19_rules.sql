-- Rules that no constraint can hold: opening hours, blocks, what a scanner can do, ways between places, times that cannot be. At a site of its own; nothing is kept.
SET client_min_messages = warning;
SET timezone = 'UTC';
BEGIN;
SELECT radscheduler.create_site('RULES', 'Rules hospital', 'America/New_York') AS site \gset
SET LOCAL radscheduler.site = 'RULES';
SELECT (radscheduler.set_sender('RIS', 'RULES')).is_new;
CREATE FUNCTION pg_temp.send(event text, filler text, mrn text, start text, minutes text, rest text DEFAULT '', state text DEFAULT '', priority text DEFAULT '', at text DEFAULT '080000')
    RETURNS TABLE (code text, outcome text, status text, told text) LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
    SELECT i.* INTO r FROM radscheduler.ingest(convert_to(concat_ws(E'\r',
        format('MSH|^~\&|RIS|RULES|RADSCHED|RAD|20260101%s||SIU^%s|%s|P|2.5', at, event, md5(event || filler || start || at || rest)),
        format('SCH||%s|||||||%s|MIN|^^^%s^^%s||||||||||||||%s', filler, minutes, start, priority, state), format('PID|1||%s||TESTER^%s', mrn, mrn), nullif(rest, '')), 'UTF8')) i;
    RETURN QUERY SELECT r.code, r.outcome, a.status::text,
        (SELECT string_agg(format('%s %s %s%s, %s min%s', c ->> 'severity', c ->> 'code', c ->> 'axis', coalesce(' ' || (c ->> 'resource'), ''), c ->> 'overlap_min',
                coalesce(' with ' || (c #>> '{with,0,external_id}'), '')), '; ' ORDER BY c ->> 'code', c ->> 'resource') FROM jsonb_array_elements(radscheduler.conflicts_of(a.site_id, a.appointment_id)) c)
        FROM (SELECT 1) one LEFT JOIN radscheduler.appointment a ON a.appointment_id = r.appointment_id;
END $$;
SELECT count(radscheduler.add_resource(code, name, kind::radscheduler.resource_kind, modality, role => role)) AS added FROM (VALUES
    ('MR1', 'MR scanner 1', 'equipment', 'MR', NULL), ('MR2', 'MR scanner 2', 'equipment', 'MR', NULL), ('CT1', 'CT scanner 1', 'equipment', 'CT', NULL), ('PETCT', 'PET/CT scanner', 'equipment', 'PT', NULL),
    ('NIGHT', 'Night scanner', 'equipment', 'MR', NULL), ('XR1', 'X-ray room 1', 'room', 'CR', NULL), ('T1', 'Shaw, Anna', 'staff', NULL, 'TECHNOLOGIST'), ('T2', 'Reed, May', 'staff', NULL, 'TECHNOLOGIST')) v(code, name, kind, modality, role);

-- Opening hours are the site's (Monday to Friday, 07:00 to 19:00), in its wall-clock time: a warning. 2031-03-03 is a Monday.
SELECT n, s.* FROM (VALUES (1, '203103030700', '720'), (2, '203103040630', '60'), (3, '203103041830', '60'), (4, '203103080900', '30'), (5, '203103051859', '1')) v(n, start, minutes),
    pg_temp.send('S12', 'H' || n, 'HM' || n, start, minutes, 'AIG|1||MR1') s ORDER BY n;
-- Who is urgent or an inpatient comes when it must: information only, and no message is flagged for it.
SELECT n, s.* FROM (VALUES (1, '', 'STAT'), (2, E'PV1|1|I\r', ''), (3, E'PV1|1|E\r', ''), (4, E'PV1|1|O\r', '')) v(n, pv1, priority),
    pg_temp.send('S12', 'U' || n, 'UM' || n, '2031030810' || n || '0', '5', pv1 || 'AIG|1||MR1', '', priority) s ORDER BY n;
SELECT convert_from(r.ack, 'UTF8') !~ 'ERR' AS silent, r.conflicts FROM radscheduler.ingest(convert_to(E'MSH|^~\\&|RIS|RULES|RADSCHED|RAD|20260101080000||SIU^S12|u9|P|2.5\rSCH||U9|||||||5|MIN|^^^203103081100^^STAT\rPID|1||UM9||TESTER^NINE\rAIG|1||MR1', 'UTF8')) r;
-- An exam that names neither scanner nor room keeps the site's hours, staff keep their own where they have any; a room that the site does not know keeps them too.
INSERT INTO radscheduler.resource_hours (site_id, resource_id, weekday, opens, closes) SELECT :site, resource_id, 1, '08:00', '12:00' FROM radscheduler.resource WHERE site_id = :site AND code = 'T2';
SELECT n, s.* FROM (VALUES (1, '203103100600', E'AIS|1||MRI001^MRI BRAIN'), (2, '203103100600', 'AIL|1||ROOM9'), (3, '203103101230', E'AIG|1||MR1\rAIP|1||T1^SHAW^ANNA'), (4, '203103101330', E'AIG|1||MR1\rAIP|1||T2^REED^MAY'), (5, '203103100800', E'AIG|1||MR1\rAIP|1||T2^REED^MAY')) v(n, start, rest),
    pg_temp.send('S12', 'W' || n, 'WM' || n, start, '30', rest) s ORDER BY n;
-- Own hours of a scanner, over midnight and on the days when clocks change: two rows that meet are one time, and minutes are counted as they pass.
INSERT INTO radscheduler.resource_hours (site_id, resource_id, weekday, opens, closes)
    SELECT :site, resource_id, h.* FROM radscheduler.resource, (VALUES (5, time '18:00', time '24:00'), (6, '00:00', '06:00'), (7, '00:00', '04:00')) h WHERE site_id = :site AND code = 'NIGHT';
UPDATE radscheduler.resource SET capacity = 2 WHERE site_id = :site AND code = 'NIGHT';
SELECT n, s.* FROM (VALUES (1, '203103142330', '60'), (2, '203103150530', '60'), (3, '203103090130', '60'), (4, '203103090330', '60'), (5, '203111020130', '180'), (6, '203111020130', '240'), (7, '203103101000', '30')) v(n, start, minutes),
    pg_temp.send('S12', 'N' || n, 'NM' || n, start, minutes, 'AIG|1||NIGHT') s ORDER BY n;
-- A holiday: the row ends before it, another begins after it.
UPDATE radscheduler.resource_hours SET valid = '(,2031-07-04)' WHERE site_id = :site AND resource_id IS NULL AND weekday = 5;
INSERT INTO radscheduler.resource_hours (site_id, weekday, opens, closes, valid) VALUES (:site, 5, '07:00', '19:00', '[2031-07-05,)');
SELECT n, s.* FROM (VALUES (1, '203106270900'), (2, '203107040900'), (3, '203107110900')) v(n, start), pg_temp.send('S12', 'F' || n, 'FM' || n, start, '30', 'AIG|1||MR1') s ORDER BY n;

-- Blocks by kind. Overbook in SCH-25 says that the sender knows: it excuses a block, not a scanner that is out of service.
SELECT (radscheduler.block_resource('mr1', '2031-03-17 14:00Z', '2031-03-17 16:00Z', 'physics')).appointments AS a, (radscheduler.block_resource('MR2', '2031-03-17 14:00Z', '2031-03-17 16:00Z', 'helium', 'maintenance')).appointments AS b;
SELECT n, s.* FROM (VALUES (1, '203103170945', 'MR1', ''), (2, '203103171030', 'MR2', ''), (3, '203103171115', 'MR1', 'Overbook'), (4, '203103171100', 'MR2', 'Overbook'), (5, '203103170930', 'MR1', ''), (6, '203103171200', 'MR1', '')) v(n, start, scanner, status),
    pg_temp.send('S12', 'B' || n, 'BM' || n, start, CASE n WHEN 3 THEN '30' WHEN 5 THEN '15' ELSE '30' END, 'AIG|1||' || scanner, status) s ORDER BY n;

-- What a scanner can do: its modality, and more by the site's word; of several exams each scanner needs one of its own group. A scanner nobody has registered can do anything.
UPDATE radscheduler.resource SET modalities = '{CT}' WHERE site_id = :site AND code = 'PETCT';
SELECT n, s.* FROM (VALUES (1, E'AIS|1||CT002^CT CHEST\rAIG|1||MR1'), (2, E'AIS|1||CT002^CT CHEST\rAIG|1||PETCT'), (3, E'AIS|1||MRI001^MRI BRAIN\rAIG|1||PETCT'), (4, E'AIS|1||MRI001^MRI BRAIN\rAIG|1||ELSEWHERE'),
        (5, E'RGS|1\rAIS|1||CT002^CT CHEST\rAIG|1||CT1\rRGS|2\rAIS|1||MRI001^MRI BRAIN\rAIG|1||MR1'), (6, E'RGS|1\rAIS|1||CT002^CT CHEST\rAIG|1||MR1\rRGS|2\rAIS|1||MRI001^MRI BRAIN\rAIG|1||CT1'),
        (7, E'AIS|1||CT002^CT CHEST\rAIG|1||CT1\rAIL|1||XR1\rAIP|1||T1^SHAW^ANNA')) v(n, rest),
    pg_temp.send('S12', 'M' || n, 'MM' || n, '203103181' || n || '00', '30', rest) s ORDER BY n;

-- Ways: none are asked for until the site says how long they take. One visit (SCH-4) is planned by somebody who knows the way.
SELECT s.* FROM pg_temp.send('S12', 'T1', 'TM1', '203103191000', '30', 'AIG|1||MR1') s;
SELECT s.* FROM pg_temp.send('S12', 'T2', 'TM1', '203103191035', '30', 'AIG|1||CT1') s;
UPDATE radscheduler.site SET travel_minutes = 15, campus_minutes = 60 WHERE site_id = :site;
UPDATE radscheduler.resource SET location = CASE WHEN code IN ('MR1', 'MR2') THEN 'Basement' ELSE 'Ground floor' END, campus = CASE code WHEN 'PETCT' THEN 'North' WHEN 'CT1' THEN 'South' WHEN 'MR1' THEN 'South' WHEN 'MR2' THEN 'South' END WHERE site_id = :site AND kind <> 'staff';
SELECT s.* FROM pg_temp.send('S12', 'T3', 'TM2', '203103211000', '30', 'AIG|1||MR1') s;
SELECT s.* FROM pg_temp.send('S12', 'T4', 'TM2', '203103211035', '25', 'AIG|1||CT1') s;
SELECT s.* FROM pg_temp.send('S12', 'T5', 'TM2', '203103211115', '10', 'AIG|1||CT1') s;
SELECT s.* FROM pg_temp.send('S12', 'T6', 'TM2', '203103211150', '30', E'AIS|1||CT002^CT CHEST\rAIG|1||PETCT') s;
SELECT s.* FROM pg_temp.send('S12', 'T7', 'TM2', '203103210935', '15', 'AIS|1||MRI001^MRI BRAIN') s;
SELECT s.* FROM pg_temp.send('S12', 'T8', 'TM3', '203103211100', '30', 'AIG|1||MR2') s;
SELECT r.outcome, r.conflicts FROM radscheduler.ingest(convert_to(replace(E'MSH|^~\\&|RIS|RULES|RADSCHED|RAD|20260101080000||SIU^S12|v1|P|2.5\rSCH||V1||VISIT|||||30|MIN|^^^203103201000\rPID|1||VM1||TESTER^VISIT\rAIG|1||MR1', E'\n', ''), 'UTF8')) r;
SELECT r.outcome, r.conflicts FROM radscheduler.ingest(convert_to(E'MSH|^~\\&|RIS|RULES|RADSCHED|RAD|20260101080000||SIU^S12|v2|P|2.5\rSCH||V2||VISIT|||||30|MIN|^^^203103201030\rPID|1||VM1||TESTER^VISIT\rAIG|1||CT1', 'UTF8')) r;
UPDATE radscheduler.site SET travel_minutes = 0, campus_minutes = 0 WHERE site_id = :site;

-- Times that cannot be: more than a day, or an end before the start, is critical; a start that clocks skip only warns. The next message that makes sense heals.
SELECT n, s.* FROM (VALUES (1, '203103240800', '1441'), (2, '203103240800', '1440'), (3, '203103090215', '30'), (4, '203103241000^203103240900', '')) v(n, start, minutes), pg_temp.send('S12', 'I' || n, 'IM' || n, start, minutes, 'AIG|1||ANY' || n) s ORDER BY n;
SELECT c ->> 'message' AS message FROM radscheduler.appointment a, jsonb_array_elements(radscheduler.conflicts_of(a.site_id, a.appointment_id)) c WHERE a.site_id = :site AND a.filler_id IN ('I1', 'I3', 'I4') AND c ->> 'code' = 'INVALID_TIME' ORDER BY a.filler_id;

SELECT s.* FROM pg_temp.send('S13', 'I4', 'IM4', '203103241000^203103241030', '', 'AIG|1||ANY4', '', '', '080100') s;
-- A site's own view of a rule: worse, milder, or not at all; a word that is no rule is refused.
INSERT INTO radscheduler.rule_setting VALUES (:site, 'OUTSIDE_HOURS', 'critical'), (:site, 'MODALITY_MISMATCH', 'info'), (:site, 'INVALID_TIME', 'off');
SELECT n, s.* FROM (VALUES (1, '203103300900', '30', 'AIG|1||MR1'), (2, '203103310900', '30', E'AIS|1||CT002^CT CHEST\rAIG|1||MR2'), (3, '203103310900', '1500', 'AIG|1||ANY4')) v(n, start, minutes, rest), pg_temp.send('S12', 'S' || n, 'SM' || n, start, minutes, rest) s ORDER BY n;
\set VERBOSITY sqlstate
SAVEPOINT before;
INSERT INTO radscheduler.rule_setting VALUES (:site, 'OPENING_HOURS', 'off');
\set VERBOSITY default
ROLLBACK TO before;
-- The shape of a conflict, whole, and what the sender is told of it.
SELECT jsonb_pretty((c - 'detected_at') || jsonb_build_object('alternatives', jsonb_array_length(c -> 'alternatives'))) AS conflict FROM radscheduler.appointment a, jsonb_array_elements(radscheduler.conflicts_of(a.site_id, a.appointment_id)) c WHERE a.site_id = :site AND a.filler_id = 'B2';
SELECT regexp_replace(e, 'appointment \d+', 'appointment N') AS err FROM radscheduler.ingest(convert_to(E'MSH|^~\\&|RIS|RULES|RADSCHED|RAD|20260101080000||SIU^S12|b9|P|2.5\rSCH||B9|||||||30|MIN|^^^203103171030\rPID|1||BM9||TESTER^NINE\rAIG|1||MR2', 'UTF8')) r,
    regexp_split_to_table(convert_from(r.ack, 'UTF8'), E'\r') e WHERE e LIKE 'ERR%';
ROLLBACK;
