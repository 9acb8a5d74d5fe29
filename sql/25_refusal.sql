-- A sender whose profile says on_conflict reject is answered AE, at the field that asked for what is taken, and nothing is kept but the bytes.
SET client_min_messages = warning;
SET timezone = 'UTC';
BEGIN;
SELECT radscheduler.create_site('REFUSE', 'Refusing hospital', 'UTC') AS site \gset
SET LOCAL radscheduler.site = 'REFUSE';
SELECT (radscheduler.set_sender('RIS', 'REFUSE', '{"on_conflict": "reject"}')).own_profile, (radscheduler.set_sender('OTHER', 'REFUSE')).own_profile AS other;
SELECT count(radscheduler.add_resource(code, name, kind::radscheduler.resource_kind, modality, role => role)) AS added FROM (VALUES
    ('MR1', 'MR scanner 1', 'equipment', 'MR', NULL), ('CT1', 'CT scanner 1', 'equipment', 'CT', NULL), ('ROOM1', 'Room 1', 'room', NULL, NULL), ('T1', 'Shaw, Anna', 'staff', NULL, 'TECHNOLOGIST')) v(code, name, kind, modality, role);
CREATE FUNCTION pg_temp.siu(event text, filler text, mrn text, start text, rest text, at text DEFAULT '080000', sender text DEFAULT 'RIS', minutes text DEFAULT '30') RETURNS bytea LANGUAGE sql AS $$
SELECT convert_to(concat_ws(E'\r', format('MSH|^~\&|%s|REFUSE|RADSCHED|RAD|20260101%s||SIU^%s|%s|P|2.5', sender, at, event, md5(event || filler || start || at || rest)),
    format('SCH||%s|||||||%s|MIN|^^^%s', filler, CASE WHEN start <> '' THEN minutes END, start), format('PID|1||%s||REFUSED^%s', mrn, mrn), nullif(rest, '')), 'UTF8') $$;
CREATE FUNCTION pg_temp.told(r radscheduler.ingest_result) RETURNS TABLE (code text, outcome text, err text) LANGUAGE sql AS $$
SELECT (r).code, (r).outcome, (SELECT string_agg(regexp_replace(e, 'ppointment \d+', 'ppointment N', 'g'), ' ') FROM regexp_split_to_table(convert_from((r).ack, 'UTF8'), E'\r') e WHERE e LIKE 'ERR%') $$;
CREATE FUNCTION pg_temp.kept() RETURNS TABLE (appointments bigint, patients bigint, resources bigint, occupied bigint, conflicts bigint, messages bigint, keys bigint) LANGUAGE sql AS $$
SELECT (SELECT count(*) FROM radscheduler.appointment a WHERE a.site_id = s.site_id), (SELECT count(*) FROM radscheduler.patient a WHERE a.site_id = s.site_id), (SELECT count(*) FROM radscheduler.resource a WHERE a.site_id = s.site_id),
       (SELECT count(*) FROM radscheduler.occupancy a WHERE a.site_id = s.site_id), (SELECT count(*) FROM radscheduler.conflict a WHERE a.site_id = s.site_id), (SELECT count(*) FROM radscheduler.hl7_message a WHERE a.site_id = s.site_id),
       (SELECT count(*) FROM radscheduler.message_key a WHERE a.site_id = s.site_id) FROM radscheduler.site s WHERE s.code = 'REFUSE' $$;
SELECT t.* FROM pg_temp.told(radscheduler.ingest(pg_temp.siu('S12', 'R1', 'RM1', '203103031000', E'AIG|1||MR1\rAIL|1||ROOM1\rAIP|1||T1^SHAW^ANNA'))) t;
SELECT * FROM pg_temp.kept();
-- Each field by what is taken: scanner, room, person, patient. The partner is named by our number and, as it is the same sender's, by its own.
SELECT n, t.* FROM (VALUES (1, 'RM2', E'AIL|1||ROOM2\rAIG|1||CT1\rAIG|2||MR1'), (2, 'RM2', E'AIS|1||CT002^CT CHEST\rAIG|1||CT1\rAIL|1||ROOM1'), (3, 'RM2', E'AIG|1||CT1\rAIP|1||T9^NEWMAN^JANE|TECHNOLOGIST\rAIP|2||T1^SHAW^ANNA'), (4, 'RM1', 'AIG|1||CT1')) v(n, mrn, rest),
    pg_temp.told(radscheduler.ingest(pg_temp.siu('S12', 'N' || n, mrn, '203103031015', rest))) t ORDER BY n;
SELECT * FROM pg_temp.kept();
-- Rules: at the scanner for what is about it, at the time for what is about that. Warnings refuse nothing.
SELECT appointments FROM radscheduler.block_resource('CT1', '2031-03-03 12:00Z', '2031-03-03 13:00Z', 'table', 'downtime');
INSERT INTO radscheduler.rule_setting VALUES (:site, 'OUTSIDE_HOURS', 'critical');
SELECT n, t.* FROM (VALUES (1, '203103031200', 'AIG|1||CT1'), (2, '203103031400', E'AIS|1||CT002^CT CHEST\rAIG|1||MR1'), (3, '203103032300', 'AIS|1||CT002^CT CHEST'), (4, '203103031400^203103031300', 'AIG|1||CT1')) v(n, start, rest),
    pg_temp.told(radscheduler.ingest(pg_temp.siu('S12', 'U' || n, 'RM2', start, rest, minutes => CASE n WHEN 4 THEN '' ELSE '30' END))) t ORDER BY n;
DELETE FROM radscheduler.rule_setting WHERE site_id = :site;
SELECT t.* FROM pg_temp.told(radscheduler.ingest(pg_temp.siu('S12', 'U3', 'RM2', '203103032300', 'AIS|1||CT002^CT CHEST'))) t;
-- Taking another's place by an older claim is refused too: the partner may not be pushed. Another sender's identifiers are not told.
SELECT t.* FROM pg_temp.told(radscheduler.ingest(pg_temp.siu('S12', 'O1', 'RM5', '203103041000', 'AIG|1||MR1', '090000', 'OTHER'))) t;
SELECT t.* FROM pg_temp.told(radscheduler.ingest(pg_temp.siu('S12', 'P1', 'RM6', '203103041000', 'AIG|1||MR1', '080000'))) t;
-- The same bytes again after the time has come free: taken.
SELECT t.* FROM pg_temp.told(radscheduler.ingest(pg_temp.siu('S15', 'O1', 'RM5', '', '', '100000', 'OTHER'))) t;
SELECT t.* FROM pg_temp.told(radscheduler.ingest(pg_temp.siu('S12', 'P1', 'RM6', '203103041000', 'AIG|1||MR1', '080000'))) t;
-- A conflict that another sender makes is flagged; this sender's messages that ask for no time are then taken, those that ask are not.
SELECT t.* FROM pg_temp.told(radscheduler.ingest(pg_temp.siu('S12', 'O2', 'RM7', '203103041010', 'AIG|1||MR1', '110000', 'OTHER'))) t;
SELECT n, t.* FROM (VALUES (1, 'S14', '203103041000', 'AIG|1||MR1', '120001'), (2, 'S13', '203103041005', 'AIG|1||MR1', '120002'), (3, 'S14', '', 'AIG|1||CT1', '120003'), (4, 'S15', '', '', '120004')) v(n, event, start, rest, at),
    pg_temp.told(radscheduler.ingest(pg_temp.siu(event, 'P1', 'RM6', start, rest, at))) t ORDER BY n;
SELECT a.filler_id, a.status, timezone('UTC', a.starts_at)::time AS starts FROM radscheduler.appointment a WHERE a.site_id = :site AND a.filler_id IN ('P1', 'O2') ORDER BY 1;
-- In a batch: the one is refused, the others are what they would be alone.
SELECT b.ordinality, t.* FROM radscheduler.ingest_batch(ARRAY[pg_temp.siu('S12', 'B1', 'RM11', '203103051000', 'AIG|1||MR1'), pg_temp.siu('S12', 'B2', 'RM12', '203103051015', 'AIG|1||MR1'), pg_temp.siu('S12', 'B3', 'RM13', '203103051015', 'AIG|1||CT1'),
        pg_temp.siu('S13', 'B1', 'RM11', '203103051100', 'AIG|1||MR1', '080001'), pg_temp.siu('S12', 'B4', 'RM14', '203103051015', 'AIG|1||MR1', '080002')]) WITH ORDINALITY b, pg_temp.told((b.message_id, b.ack, b.code, b.outcome, b.appointment_id, b.warnings, b.conflicts)::radscheduler.ingest_result) t ORDER BY 1;
SELECT a.filler_id, a.status, timezone('UTC', a.starts_at)::time AS starts FROM radscheduler.appointment a WHERE a.site_id = :site AND a.filler_id LIKE 'B%' ORDER BY 1;
-- What a caller in SQL learns besides, and what the log keeps: the conflicts as they would have been, no patient.
SELECT r.appointment_id IS NULL AS none, r.conflicts #>> '{0,code}' AS conflict, r.conflicts #>> '{0,with,0,external_id}' AS partner FROM radscheduler.ingest(pg_temp.siu('S12', 'L1', 'RM15', '203103051015', 'AIG|1||MR1')) r;
SELECT m.outcome, m.code, m.error ->> 'code' AS error, m.error ->> 'path' AS path, m.raw IS NOT NULL AS bytes FROM radscheduler.hl7_message m WHERE m.site_id = :site AND m.control_id = md5('S12L120310305101508' || '0000AIG|1||MR1');
SELECT count(*) AS told FROM radscheduler.hl7_message m WHERE m.site_id = :site AND m.error::text ~ 'RM\d|REFUSED';
ROLLBACK;
