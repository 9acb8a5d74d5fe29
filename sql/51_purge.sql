-- The end of records: holds, purging a patient or a period, retention of the partitioned logs.
SET client_min_messages = warning;
SET timezone = 'UTC';
\set SHOW_CONTEXT never
SELECT radscheduler.create_site('PURGE-A', 'Purge A', 'UTC') AS site_a \gset
SELECT radscheduler.create_site('PURGE-B', 'Purge B', 'UTC') AS site_b \gset
CREATE FUNCTION pg_temp.send(event text, control text, filler text, pid3 text, start text, rest text DEFAULT '') RETURNS text LANGUAGE sql AS $$
SELECT r.outcome FROM radscheduler.ingest(convert_to(concat_ws(E'\r',
    format('MSH|^~\&|%s|PURGEHOSP|RADSCHED|RAD|20260101080000||%s^SIU_S12|%s|P|2.5', current_setting('radscheduler.site'), event, control),
    CASE WHEN filler <> '' THEN format('SCH||%s|||||||%s|MIN|^^^%s', filler, CASE WHEN start = '' THEN '' ELSE '30' END, start) END,
    CASE WHEN pid3 <> '-' THEN format('PID|1||%s||PURGED^PAT', pid3) END, nullif(rest, '')), 'UTF8')) r $$;
CREATE VIEW pg_temp.left_over AS
SELECT s.code AS site, (SELECT count(*) FROM radscheduler.patient x WHERE x.site_id = s.site_id) AS patients,
       (SELECT count(*) FROM radscheduler.patient_identifier x WHERE x.site_id = s.site_id) AS identifiers,
       (SELECT count(*) FROM radscheduler.appointment x WHERE x.site_id = s.site_id) AS appointments,
       (SELECT count(*) FROM radscheduler.appointment_service x WHERE x.site_id = s.site_id) AS services,
       (SELECT count(*) FROM radscheduler.appointment_resource x WHERE x.site_id = s.site_id) AS resources,
       (SELECT count(*) FROM radscheduler.appointment_history x WHERE x.site_id = s.site_id) AS history,
       (SELECT count(*) FROM radscheduler.occupancy x WHERE x.site_id = s.site_id) AS occupancy,
       (SELECT count(*) FROM radscheduler.conflict x WHERE x.site_id = s.site_id) AS conflicts,
       (SELECT count(*) FROM radscheduler.hl7_message x WHERE x.site_id = s.site_id) AS messages,
       (SELECT count(*) FROM radscheduler.message_key x WHERE x.site_id = s.site_id) AS keys
FROM radscheduler.site s WHERE s.code LIKE 'PURGE-_' ORDER BY s.code;
CREATE VIEW pg_temp.controls AS
SELECT string_agg(coalesce(m.control_id, '(' || coalesce(m.message_code, 'none') || ')'), ' ' ORDER BY m.message_id) AS kept
FROM radscheduler.hl7_message m WHERE m.site_id = (SELECT s.site_id FROM radscheduler.site s WHERE s.code = current_setting('radscheduler.site'));

-- The same person and numbers at two sites. At A: 12 has the scanner, 123 and 124 are overbooked by him, 55 is a number of two authorities.
SET radscheduler.site = 'PURGE-B';
SELECT pg_temp.send('SIU^S12', 'b1', 'X1', '12^^^HOSP', '203109011000', 'AIG|1|A|PSCAN') AS b1, pg_temp.send('ADT^A01', 'b2', '', '12^^^HOSP', '') AS b2;
SET radscheduler.site = 'PURGE-A';
SELECT n, pg_temp.send('SIU^S12', 'a' || n, 'X' || n, p, s, E'AIS|1|A|CT002^CT CHEST\rAIG|1|A|PSCAN') AS outcome
FROM (VALUES (1, '12^^^HOSP~777^^^CARD^PI', '203109011000'), (2, '123^^^HOSP', '203109011015'), (3, '124^^^HOSP', '203109011020'),
             (4, '12^^^HOSP', '203109021000'), (5, '55^^^NORTH', '203109031000'), (6, '55^^^SOUTH', '203109041000')) v(n, p, s);
SELECT pg_temp.send('SIU^S15', 'a7', 'X4', '-', '') AS cancelled;
-- Messages about 12 that made no appointment: his numbers alone and among others, in a second PID, in a charset, as JSON; and those that are not about him.
SELECT pg_temp.send('ADT^A01', 'm1', '', '12^^^HOSP', '') AS m1, pg_temp.send('ADT^A08', 'm2', '', 'ZZ9^^^ELSEWHERE~777^^^CARD^PI', '') AS m2,
       pg_temp.send('ADT^A40', 'm3', '', '900^^^HOSP', '', E'MRG|901^^^HOSP\rPID|2||12^^^HOSP||PURGED^PAT') AS m3,
       pg_temp.send('ADT^A08', 'm4', '', '123^^^HOSP', '') AS m4, pg_temp.send('ADT^A08', 'm5', '', '1^^^HOSP~2^^^HOSP', '') AS m5,
       pg_temp.send('ADT^A08', 'm6', '', '', '') AS no_number, pg_temp.send('ADT^A08', 'm7', '', '55', '') AS two_have_it,
       pg_temp.send('ADT^A08', 'm8', '', '12', '') AS without_authority;
SELECT r.outcome FROM radscheduler.ingest(convert_to(E'MSH|^~\\&|L1|PURGEHOSP|RADSCHED|RAD|20260101080000||ADT^A01|m9|P|2.5||||||8859/1\rPID|1||12^^^HOSP||M', 'UTF8') || '\xdc4c4c4552'::bytea) r;
SELECT r.outcome FROM radscheduler.ingest(convert_to('no message at all', 'UTF8')) r;
SELECT n, r.outcome FROM (VALUES (1, '777'), (2, '123'), (3, '1')) v(n, p), radscheduler.ingest_json(jsonb_build_object('patientId', p, 'patientName', 'Pat Purged', 'modality', 'CT',
    'studyType', 'CT CHEST', 'datetime', CASE WHEN n > 1 THEN '2031-09-05T1' || n || ':00:00Z' ELSE 'soon' END, 'referringPhysician', 'Welby'), NULL, 'http') r;
SELECT r.outcome FROM radscheduler.ingest_json('null', '\x7b', 'http') r;
SELECT a.filler_id, a.status, a.review_reason AS review FROM radscheduler.appointment a WHERE a.site_id = :site_a AND a.filler_id IS NOT NULL ORDER BY 1;
-- An appointment that was his and was moved to 123: the version that is about him goes, the appointment stays.
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, datetime) VALUES ('HOSP|12', 'Somebody Else', 'CT', '2031-09-06 08:00'), ('12', 'Pat Purged', 'CT', '2031-09-07 08:00');
UPDATE radscheduler.appointments SET patient_id = '123' WHERE patient_id = '12' AND datetime = '2031-09-07 08:00' RETURNING patient_id;
SELECT * FROM pg_temp.left_over;
SELECT * FROM pg_temp.controls;

-- What cannot be asked for. No sentence repeats what was given.
\set VERBOSITY default
SELECT radscheduler.purge(' ', '12');
SELECT radscheduler.purge('test');
SELECT radscheduler.purge('test', '12', '2015-01-01');
SELECT radscheduler.purge('test', before => now() + interval '1 minute');
SELECT radscheduler.purge('test', 'NOBODY^7');
SELECT radscheduler.purge('test', '55');
SELECT radscheduler.purge('test', 'NORTH|PI|55');
SELECT radscheduler.purge('test', 'HOSP|12');
SELECT radscheduler.place_hold('');
SELECT radscheduler.place_hold('test', '');
SELECT radscheduler.place_hold('test', '55');

-- A hold on the patient, a hold on the site: nothing goes. The site next door is not concerned.
SELECT radscheduler.place_hold('case 1', 'CARD|777') AS hold \gset
SELECT radscheduler.purge('test', '12');
SELECT radscheduler.purge('test', '12', dry_run => false);
SELECT radscheduler.lift_hold(:hold, 'case 1 closed');
DO $$ BEGIN PERFORM radscheduler.lift_hold((SELECT max(h.hold_id) FROM radscheduler.legal_hold h), 'again'); EXCEPTION WHEN object_not_in_prerequisite_state THEN RAISE WARNING 'lifted before: %', SQLSTATE; END $$;
SELECT radscheduler.place_hold('case 2') AS hold \gset
SELECT radscheduler.purge('test', '12', dry_run => false);
SET radscheduler.site = 'PURGE-B';
SELECT radscheduler.purge('test', '12') - 'unreadable_messages' AS next_door;
\set VERBOSITY sqlstate
SELECT radscheduler.lift_hold(:hold, 'not ours');
SELECT radscheduler.lift_hold(:hold, '');
\set VERBOSITY default
SET radscheduler.site = 'PURGE-A';
SELECT radscheduler.lift_hold(:hold, 'case 2 closed');
SELECT h.reason, h.patient_id IS NULL AS whole_site, h.placed_by = session_user AS placed, h.lifted_by = session_user AS lifted, h.lift_reason FROM radscheduler.legal_hold h WHERE h.site_id = :site_a ORDER BY h.hold_id;
SELECT * FROM pg_temp.left_over;

-- A dry run tells what the real one then does, and keeps everything.
SELECT radscheduler.purge('test', 'HOSP|MR|12') AS dry \gset
SELECT :'dry'::jsonb;
SELECT * FROM pg_temp.left_over;
SELECT a.filler_id, a.status FROM radscheduler.appointment a WHERE a.site_id = :site_a AND a.filler_id IN ('X1', 'X2') ORDER BY 1;
SELECT p.patient_id AS his FROM radscheduler.patient_identifier p WHERE p.site_id = :site_a AND p.value = '777' AND p.authority = 'CARD' \gset
SELECT radscheduler.purge('case 3: erasure asked for', 'HOSP|MR|12', dry_run => false) AS done \gset
SELECT :'done'::jsonb - 'dry_run' = :'dry'::jsonb - 'dry_run' AS same_counts, :'done'::jsonb -> 'dry_run' AS dry_run;
SELECT * FROM pg_temp.left_over;
SELECT * FROM pg_temp.controls;
SELECT count(*) AS of_his FROM radscheduler.appointment_history h WHERE h.site_id = :site_a AND h.snapshot #>> '{appointment,patient_id}' = :'his';
-- Whoever he had overbooked is healed, as after a cancellation: 123 has the scanner, 124 is now in conflict with 123.
SELECT a.filler_id, a.status, a.review_reason AS review, (SELECT o.lane FROM radscheduler.occupancy o WHERE o.site_id = a.site_id AND o.appointment_id = a.appointment_id AND o.axis = 'resource') AS lane,
       (SELECT string_agg(w ->> 'external_id', '+') FROM jsonb_array_elements(radscheduler.conflicts_of(a.site_id, a.appointment_id)) c, jsonb_array_elements(c -> 'with') w) AS conflicts
FROM radscheduler.appointment a WHERE a.site_id = :site_a AND a.filler_id IN ('X2', 'X3') ORDER BY 1;
SELECT e.type, count(*), bool_and(e.appointment_id IS NOT NULL) AS named, bool_or((e.data - '{conflict_id,with}'::text[])::text ~ '12|777|PURGED') AS leaks FROM radscheduler.event_log e
WHERE e.site_id = :site_a AND e.type IN ('appointment.purged', 'conflict.resolved') GROUP BY e.type ORDER BY e.type;
SELECT e.object, e.object_id = :his AS his, e.detail ->> 'reason' AS reason, e.detail -> 'counts' = :'done'::jsonb - 'dry_run' AS counts
FROM radscheduler.audit_event e WHERE e.site_id = :site_a AND e.action = 'purge';
\set VERBOSITY terse
SELECT radscheduler.purge('again', 'HOSP|MR|12');
\set VERBOSITY default
-- One number, two authorities: what says which goes with it, what does not say stays for a person to look at.
SELECT radscheduler.purge('case 3b', 'NORTH|55', dry_run => false);
SELECT * FROM pg_temp.controls;
-- The same bytes again are a new message: the duplicate guard has forgotten them.
SELECT pg_temp.send('SIU^S12', 'a1', 'X1', '12^^^HOSP~777^^^CARD^PI', '203109011000', E'AIS|1|A|CT002^CT CHEST\rAIG|1|A|PSCAN') AS again;
-- A message that is also about somebody under a hold stays, and is counted.
SELECT pg_temp.send('ADT^A08', 'h1', '', '12^^^HOSP~123^^^HOSP', '') AS both;
SELECT radscheduler.place_hold('case 4', '123') AS hold \gset
SELECT radscheduler.purge('test', '777', dry_run => false) -> 'held' AS held;
SELECT count(*) AS kept FROM radscheduler.hl7_message m WHERE m.site_id = :site_a AND m.control_id = 'h1';
SELECT radscheduler.lift_hold(:hold, 'case 4 closed');

-- A period. Everything there is becomes old, but for what is said; then what ended before 2016 goes.
UPDATE radscheduler.patient SET created_at = '2015-01-01' WHERE site_id IN (:site_a, :site_b);
UPDATE radscheduler.hl7_message SET received_at = received_at - (date_trunc('day', now()) - '2015-06-01') WHERE site_id IN (:site_a, :site_b);
UPDATE radscheduler.message_key SET received_at = received_at - (date_trunc('day', now()) - '2015-06-01') WHERE site_id IN (:site_a, :site_b);
SELECT pg_temp.send('SIU^S12', 'p' || n, 'P' || n, p, s) FROM (VALUES (1, 'P1^^^HOSP', '201503011000'), (2, 'P2^^^HOSP', '201503011000'), (3, 'P2^^^HOSP', '203108011000'),
    (4, 'P4^^^HOSP', '203108021000'), (5, 'P5^^^HOSP', '20150301'), (6, 'P6^^^HOSP', '201503011000')) v(n, p, s);
SELECT pg_temp.send('SIU^S15', 'p7', 'P4', '-', '') AS cancelled, pg_temp.send('SIU^S15', 'p8', 'P8', '-', '') AS tombstone, pg_temp.send('ADT^A08', 'p9', '', 'P6^^^HOSP', '') AS about_p6;
UPDATE radscheduler.appointment SET updated_at = '2015-07-01' WHERE site_id = :site_a AND filler_id IN ('P4', 'P5', 'P8');
UPDATE radscheduler.patient SET created_at = '2015-01-01' WHERE site_id = :site_a AND mrn IN ('P1', 'P2', 'P4', 'P6');
UPDATE radscheduler.hl7_message SET received_at = '2015-07-01' WHERE site_id = :site_a AND control_id IN ('p1', 'p6', 'p9');
UPDATE radscheduler.message_key SET received_at = '2015-07-01' WHERE site_id = :site_a AND control_id IN ('p1', 'p6');
SELECT a.filler_id, a.status, a.ends_at FROM radscheduler.appointment a WHERE a.site_id = :site_a AND a.filler_id LIKE 'P%' ORDER BY 1;
SELECT radscheduler.place_hold('case 5') AS hold \gset
SELECT radscheduler.purge('ten years', before => '2016-01-01', dry_run => false) AS all_held;
SELECT radscheduler.lift_hold(:hold, 'case 5 closed');
SELECT radscheduler.place_hold('case 6', 'P6') AS hold \gset
SELECT radscheduler.purge('ten years', before => '2016-01-01') AS dry \gset
SELECT :'dry'::jsonb;
SELECT radscheduler.purge('ten years', before => '2016-01-01', dry_run => false) - 'dry_run' = :'dry'::jsonb - 'dry_run' AS same_counts;
SELECT a.filler_id, a.status FROM radscheduler.appointment a WHERE a.site_id = :site_a AND a.filler_id LIKE 'P%' ORDER BY 1;
SELECT string_agg(p.mrn, ' ' ORDER BY p.mrn) AS patients FROM radscheduler.patient p WHERE p.site_id = :site_a;
SELECT * FROM pg_temp.controls;
SELECT radscheduler.lift_hold(:hold, 'case 6 closed');
SELECT radscheduler.purge('ten years', before => '2016-01-01', dry_run => false) AS without_hold;
SELECT * FROM pg_temp.left_over;
SELECT e.object, e.object_id, e.detail ->> 'reason' AS reason, e.detail ? 'before' AS has_instant FROM radscheduler.audit_event e WHERE e.site_id = :site_a AND e.action = 'purge' ORDER BY e.audit_id DESC LIMIT 1;
-- More than one call takes: the rest is told.
INSERT INTO radscheduler.patient (site_id, mrn, display_name, created_at) SELECT :site_a, 'MANY' || n, 'Many', '2015-01-01' FROM generate_series(1, 501) n;
SELECT c -> 'patients' AS patients, c -> 'remaining' AS remaining FROM radscheduler.purge('many', before => '2016-01-01', dry_run => false) c;
SELECT c -> 'patients' AS patients, c -> 'remaining' AS remaining FROM radscheduler.purge('many', before => '2016-01-01', dry_run => false) c;

-- Retention. Everything below is taken back at the end.
SELECT r.record, r.keep FROM radscheduler.retention r ORDER BY r.record;
BEGIN;
SAVEPOINT s;
SELECT radscheduler.set_retention('patient', '2 years');
ROLLBACK TO s;
SELECT radscheduler.set_retention('event_log', '29 days');
ROLLBACK TO s;
CREATE ROLE regress_radscheduler_local;
GRANT USAGE ON SCHEMA radscheduler TO regress_radscheduler_local;
GRANT EXECUTE ON FUNCTION radscheduler.set_retention(text, interval) TO regress_radscheduler_local;
SAVEPOINT t;
SET ROLE regress_radscheduler_local;
SELECT radscheduler.set_retention('event_log', NULL);
ROLLBACK TO t;
SELECT radscheduler.set_retention('hl7_message', '2 years'), radscheduler.set_retention('event_log', '2 years'), radscheduler.set_retention('audit_event', '10 years');
-- Months of 2015, one whose bounds are not those of its name, and old rows in the default partitions.
DELETE FROM radscheduler.relay_cursor;
CREATE TABLE radscheduler.hl7_message_201501 PARTITION OF radscheduler.hl7_message FOR VALUES FROM ('2015-01-01') TO ('2015-02-01');
CREATE TABLE radscheduler.hl7_message_201502 PARTITION OF radscheduler.hl7_message FOR VALUES FROM ('2015-02-01') TO ('2015-03-01');
CREATE TABLE radscheduler.hl7_message_201503 PARTITION OF radscheduler.hl7_message FOR VALUES FROM ('2015-03-02') TO ('2015-04-01');
CREATE TABLE radscheduler.event_log_201501 PARTITION OF radscheduler.event_log FOR VALUES FROM ('2015-01-01') TO ('2015-02-01');
CREATE TABLE radscheduler.event_log_201502 PARTITION OF radscheduler.event_log FOR VALUES FROM ('2015-02-01') TO ('2015-03-01');
CREATE TABLE radscheduler.audit_event_201501 PARTITION OF radscheduler.audit_event FOR VALUES FROM ('2015-01-01') TO ('2015-02-01');
SELECT n, pg_temp.send(e, 'r' || n, f, p, s) AS outcome
FROM (VALUES (1, 'SIU^S12', 'R1', 'R1^^^HOSP', '203110011000'), (2, 'SIU^S12', 'R2', 'R2^^^HOSP', '203110021000'), (3, 'ADT^A08', '', 'R1^^^HOSP', ''), (4, 'ADT^A08', '', 'R2^^^HOSP', ''),
             (5, 'SIU^S12', 'R5', 'R2^^^HOSP', '203110031000'), (6, 'SIU^S12', 'R6', 'R1^^^HOSP', '203110041000'), (7, 'SIU^S12', 'R7', 'R2^^^HOSP', '203110051000')) v(n, e, f, p, s);
UPDATE radscheduler.hl7_message m SET received_at = d.day FROM (VALUES ('r1', '2015-01-10'::timestamptz), ('r2', '2015-01-11'), ('r3', '2015-01-12'), ('r4', '2015-01-13'), ('r5', '2015-02-10'), ('r6', '2014-05-05'), ('r7', '2014-05-06')) d(control, day)
    WHERE m.site_id = :site_a AND m.control_id = d.control;
UPDATE radscheduler.message_key k SET received_at = m.received_at FROM radscheduler.hl7_message m WHERE m.site_id = k.site_id AND m.message_id = k.message_id AND k.site_id = :site_a;
INSERT INTO radscheduler.event_log (site_id, type, recorded_at) VALUES (:site_a, 'test.one', '2015-01-15'), (:site_a, 'test.two', '2015-02-15'), (:site_a, 'test.default', '2014-01-01');
SELECT radscheduler.place_hold('case 7', 'R1') AS hold \gset
-- Messages first: what is about R1 stays, in the default partition.
SELECT * FROM radscheduler.drop_expired();
SELECT m.control_id, m.tableoid::regclass AS lies_in, EXISTS (SELECT FROM radscheduler.message_key k WHERE k.site_id = m.site_id AND k.message_id = m.message_id AND k.received_at = m.received_at) AS is_guarded
FROM radscheduler.hl7_message m WHERE m.site_id = :site_a AND m.control_id LIKE 'r_' ORDER BY 1;
SELECT string_agg(k.control_id, ' ' ORDER BY k.control_id) AS keys FROM radscheduler.message_key k WHERE k.site_id = :site_a AND k.control_id LIKE 'r_';
-- Events wait for a relay that has not published them, in the month and in the default partition; an audit log not sealed waits too.
INSERT INTO radscheduler.relay_cursor (relay, xid, seq) SELECT 'purge', e.xid, e.seq FROM radscheduler.event_log e WHERE e.site_id = :site_a AND e.type = 'test.one';
SELECT * FROM radscheduler.drop_expired();
SELECT e.type FROM radscheduler.event_log e WHERE e.site_id = :site_a AND e.type LIKE 'test.%' ORDER BY 1;
UPDATE radscheduler.relay_cursor c SET seq = (SELECT max(e.seq) FROM radscheduler.event_log e);
SELECT * FROM radscheduler.drop_expired();
SELECT e.type FROM radscheduler.event_log e WHERE e.site_id = :site_a AND e.type LIKE 'test.%' ORDER BY 1;
SAVEPOINT u;
CREATE OR REPLACE FUNCTION radscheduler.audit_is_sealed(p_partition regclass) RETURNS boolean LANGUAGE sql AS 'SELECT false';
SELECT * FROM radscheduler.drop_expired();
ROLLBACK TO u;
SELECT * FROM radscheduler.drop_expired();
SELECT * FROM radscheduler.drop_expired();
SELECT e.action, e.object, e.object_id, e.detail FROM radscheduler.audit_event e WHERE e.site_id = 0 AND e.action LIKE 'retention.%' AND e.xid = pg_current_xact_id() ORDER BY e.audit_id;
-- A month with rows of a site under a hold stays, and loses its other rows.
CREATE TABLE radscheduler.hl7_message_201504 PARTITION OF radscheduler.hl7_message FOR VALUES FROM ('2015-04-01') TO ('2015-05-01');
SELECT pg_temp.send('ADT^A08', 'w1', '', 'R2^^^HOSP', '') AS w1;
SET LOCAL radscheduler.site = 'PURGE-B';
SELECT pg_temp.send('ADT^A08', 'w2', '', 'R2^^^HOSP', '') AS w2;
SELECT radscheduler.place_hold('case 8') AS site_hold \gset
UPDATE radscheduler.hl7_message SET received_at = '2015-04-04' WHERE site_id IN (:site_a, :site_b) AND control_id IN ('w1', 'w2');
SELECT * FROM radscheduler.drop_expired();
SELECT m.control_id, m.tableoid::regclass AS lies_in FROM radscheduler.hl7_message m WHERE m.site_id IN (:site_a, :site_b) AND m.control_id IN ('w1', 'w2');
SELECT radscheduler.lift_hold(:site_hold, 'case 8 closed');
SELECT * FROM radscheduler.drop_expired();
-- Something of the site's own hangs on a month: it is not taken away.
CREATE TABLE radscheduler.hl7_message_201504 PARTITION OF radscheduler.hl7_message FOR VALUES FROM ('2015-04-01') TO ('2015-05-01');
CREATE VIEW pg_temp.of_april AS SELECT message_id FROM radscheduler.hl7_message_201504;
SELECT * FROM radscheduler.drop_expired();
ROLLBACK;
SELECT r.record, r.keep FROM radscheduler.retention r ORDER BY r.record;

-- Nothing of these sites is left for the tests that follow.
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['legal_hold', 'appointment', 'patient', 'hl7_message', 'message_key', 'event_log', 'resource_hours', 'resource', 'procedure', 'modality_alias', 'modality', 'sender', 'site'] LOOP
        EXECUTE format('DELETE FROM radscheduler.%I x WHERE x.site_id IN (SELECT s.site_id FROM radscheduler.site s WHERE s.code IN (''PURGE-A'', ''PURGE-B''))', v_table);
    END LOOP;
END $$;
RESET radscheduler.site;

-- A hold stays with what was the patient's: giving the appointment to somebody else does not free it.
SELECT radscheduler.create_site('PURGE-C', 'Purge C', 'UTC') > 0 AS made;
SET radscheduler.site = 'PURGE-C';
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, datetime) VALUES ('HELD-1', 'Held Person', 'CT', '2031-09-20 10:00');
SELECT radscheduler.place_hold('case 9', 'HELD-1') > 0 AS placed;
UPDATE radscheduler.appointments SET patient_id = 'OTHER-1', patient_name = 'Other Person' WHERE patient_id = 'HELD-1';
SELECT radscheduler.purge('test', 'OTHER-1', dry_run => false);
SELECT radscheduler.lift_hold(hold_id, 'over') FROM radscheduler.legal_hold WHERE lifted_at IS NULL AND reason = 'case 9' \g /dev/null
SELECT radscheduler.purge('test', 'OTHER-1', dry_run => false) -> 'history' AS history;
SELECT action, count(*) FROM radscheduler.audit_event WHERE site_id = radscheduler.current_site() AND action LIKE '%purge%' GROUP BY 1 ORDER BY 1;
SELECT radscheduler.set_retention('event_log', '200000 years');
RESET radscheduler.site;
