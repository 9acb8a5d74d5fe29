-- The schedule as it was known at a moment.
SET client_min_messages = error;
SELECT current_database() AS regress \gset
DROP DATABASE IF EXISTS radscheduler_as_of;
DROP ROLE IF EXISTS rs_test_as_of;
CREATE DATABASE radscheduler_as_of ENCODING 'UTF8' TEMPLATE template0;
\c radscheduler_as_of
SET client_min_messages = error;
CREATE EXTENSION radscheduler CASCADE;
SET timezone = 'UTC';
SET datestyle = 'ISO';
UPDATE radscheduler.site SET timezone = 'America/New_York', phone_region = 'US' WHERE code = 'MAIN';
CREATE FUNCTION public.send(event text, control text, filler text, mrn text, start text, at text, rest text DEFAULT '', status text DEFAULT '') RETURNS text LANGUAGE sql AS $$
SELECT (radscheduler.ingest(convert_to(concat_ws(E'\r', format('MSH|^~\&|ASOF|THEN|RADSCHED|RAD|%s||SIU^%s^SIU_S12|%s|P|2.5', at, event, control),
    format('SCH||%s|||||||%s|MIN|^^^%s||||||||||||||%s', filler, CASE WHEN start = '' THEN '' ELSE '30' END, start, status),
    CASE WHEN mrn <> '' THEN format('PID|1||%s||EARLIER^%s||||||||617-555-0123', mrn, mrn) END, nullif(rest, '')), 'UTF8'))).outcome $$;
-- Moments between the changes, by name.
CREATE TABLE public.moment (name text PRIMARY KEY, at timestamptz);
CREATE FUNCTION public.mark(name text) RETURNS void LANGUAGE sql AS $$ INSERT INTO public.moment VALUES ($1, clock_timestamp()) $$;
CREATE FUNCTION public.at(name text) RETURNS timestamptz LANGUAGE sql AS $$ SELECT m.at FROM public.moment m WHERE m.name = $1 $$;
CREATE FUNCTION public.board(moment text, days daterange DEFAULT NULL) RETURNS TABLE (patient_id text, datetime timestamp, duration integer, modality text, status text, notes text, conflicts jsonb, version integer) LANGUAGE sql AS $$
SELECT s.patient_id, s.datetime, s.duration, s.modality, s.status, s.notes, jsonb_path_query_array(s.conflicts, '$[*].code'), s.version FROM radscheduler.schedule_as_of(public.at(moment), days => days) s $$;

SELECT public.mark('empty');
SELECT public.send('S12', 'a1', 'A', 'ASOFM1', '203108041000', '20260101080000', E'AIS|1|A|CT002^CT CHEST\rAIG|1|A|CT-A'), public.send('S12', 'c1', 'C', 'ASOFM3', '203108050900', '20260101080000', 'AIS|1|A|MRI001^MRI BRAIN');
SELECT public.mark('booked');
SELECT public.send('S12', 'b1', 'B', 'ASOFM2', '203108041015', '20260101080100', E'AIS|1|A|CT002^CT CHEST\rAIG|1|A|CT-A');
SELECT public.mark('overbooked');
SELECT public.send('S13', 'a2', 'A', 'ASOFM1', '203108051400', '20260101080200', E'AIG|1|A|CT-A');
SELECT public.mark('moved');
UPDATE radscheduler.appointments SET notes = 'fasting' WHERE patient_id = 'ASOFM1';
SELECT public.send('S15', 'b2', 'B', 'ASOFM2', '', '20260101080300'), public.send('S17', 'c2', 'C', 'ASOFM3', '', '20260101080300');
SELECT public.send('S15', 'd1', 'D', '', '', '20260101080300');
SELECT public.mark('closed');
-- What was known then.
SELECT * FROM public.board('empty');
SELECT * FROM public.board('booked');
SELECT * FROM public.board('overbooked');
SELECT * FROM public.board('moved');
SELECT * FROM public.board('closed');
-- One day as it was known: who lay in it then, and not who does now.
SELECT patient_id, datetime FROM public.board('overbooked', '[2031-08-04,2031-08-04]');
SELECT patient_id, datetime FROM public.board('moved', '[2031-08-04,2031-08-04]');
SELECT patient_id, datetime FROM public.board('moved', '[2031-08-05,2031-08-06)');
SELECT patient_id, datetime FROM public.board('closed', '[2031-08-05,2031-08-06)');
-- The other side of a conflict is told where it was then.
SELECT c ->> 'severity' AS severity, c ->> 'state' AS state, w ->> 'external_id' AS with, (w ->> 'start')::timestamptz AS start FROM radscheduler.schedule_as_of(public.at('overbooked')) s, jsonb_array_elements(s.conflicts) c, jsonb_array_elements(c -> 'with') w ORDER BY 3;
-- Column for column the view; now it is the view, row for row.
SELECT v.attname AS column, format_type(v.atttypid, NULL) AS in_view, format_type(t.atttypid, NULL) AS here FROM pg_attribute v FULL JOIN pg_attribute t ON t.attnum = v.attnum AND t.attname = v.attname AND t.attrelid = 'radscheduler.appointment_then'::regclass
WHERE v.attrelid = 'radscheduler.appointments'::regclass AND v.attnum > 0 AND v.atttypid IS DISTINCT FROM t.atttypid;
SELECT attname FROM pg_attribute WHERE attrelid = 'radscheduler.appointment_then'::regclass AND attnum > 16 ORDER BY attnum;
SELECT to_jsonb(s) - '{version,recorded_at,updated_at}'::text[] FROM radscheduler.schedule_as_of(now()) s EXCEPT SELECT to_jsonb(v) - 'updated_at' FROM radscheduler.appointments v;
SELECT to_jsonb(v) - 'updated_at' FROM radscheduler.appointments v EXCEPT SELECT to_jsonb(s) - '{version,recorded_at,updated_at}'::text[] FROM radscheduler.schedule_as_of(now()) s;
-- One appointment through its life. Before it was, and once it was deleted, there is none.
SELECT m.name, a.datetime, a.status, a.notes, a.version, a.recorded_at <= m.at AS known FROM public.moment m LEFT JOIN LATERAL radscheduler.appointment_as_of((SELECT appointment_id FROM radscheduler.appointment WHERE filler_id = 'A'), m.at) a ON true ORDER BY m.at;
SELECT m.name, a.status FROM public.moment m LEFT JOIN LATERAL radscheduler.appointment_as_of((SELECT appointment_id FROM radscheduler.appointment WHERE filler_id = 'C'), m.at) a ON true ORDER BY m.at;
SELECT count(*) FROM radscheduler.appointment_as_of(999999, now());
-- A clock of another zone sees the same: days are the site's.
SET timezone = 'Asia/Tokyo';
SELECT patient_id, datetime FROM public.board('booked', '[2031-08-04,2031-08-04]');
SET timezone = 'UTC';
-- A day is found by its index, whatever session wrote the versions.
SET timezone = 'Asia/Kolkata';
SELECT public.send('S12', 'e1', 'E', 'ASOFM5', '203108062300', '20260101080000', 'AIS|1|A|US004^ABDOMEN');
SET timezone = 'UTC';
SELECT patient_id, datetime FROM radscheduler.schedule_as_of(now(), days => '[2031-08-06,2031-08-06]');
SET enable_seqscan = off;
CREATE TABLE public.plan (line text);
DO $$
DECLARE v_line text;
BEGIN
    FOR v_line IN EXECUTE 'EXPLAIN SELECT DISTINCT v.appointment_id FROM radscheduler.appointment_history v WHERE v.site_id = 1 AND radscheduler.snapshot_start(v.snapshot) >= ''2031-08-04'' AND radscheduler.snapshot_start(v.snapshot) < ''2031-08-05''' LOOP
        INSERT INTO public.plan VALUES (v_line);
    END LOOP;
END $$;
SELECT count(*) > 0 AS by_index FROM public.plan WHERE line LIKE '%appointment_history_starts%';
RESET enable_seqscan;
-- Reads are written down, by whom and of what.
SELECT a.action, a.object, a.object_id IS NOT NULL AS of_one, a.detail - '{as_of,appointments}'::text[] AS detail, jsonb_array_length(a.detail -> 'appointments') AS ids
FROM radscheduler.audit_event a WHERE a.action = 'read' AND a.object = 'appointment' ORDER BY a.audit_id DESC LIMIT 2;
-- Merged since: earlier moments show the patient kept.
SELECT (radscheduler.ingest(convert_to(E'MSH|^~\\&|ASOF|THEN|RADSCHED|RAD|20260101090000||ADT^A40|m1|P|2.5\rPID|1||ASOFM9||KEPT^KARLA\rMRG|ASOFM3', 'UTF8'))).outcome;
SELECT patient_id, patient_name, datetime FROM radscheduler.schedule_as_of(public.at('booked')) ORDER BY 1;
-- What was purged does not come back.
SELECT radscheduler.purge('test', patient => 'ASOFM2', dry_run => false) ->> 'appointments' AS purged;
SELECT patient_id FROM public.board('overbooked');
-- Refused.
\set VERBOSITY terse
SELECT * FROM radscheduler.schedule_as_of(NULL);
SELECT * FROM radscheduler.schedule_as_of(now(), days => '[2031-08-04,)');
SELECT * FROM radscheduler.schedule_as_of(now(), days => 'empty');
SELECT * FROM radscheduler.schedule_as_of(now(), 'NOWHERE');
SELECT * FROM radscheduler.appointment_as_of(1, NULL);
-- Sites are kept apart.
SELECT radscheduler.create_site('SECOND', 'Another site', 'UTC') > 0 AS created;
SELECT count(*) FROM radscheduler.schedule_as_of(now());
SELECT count(*) FROM radscheduler.schedule_as_of(now(), 'MAIN');
CREATE ROLE rs_test_as_of;
SELECT radscheduler.grant_role('reader', 'rs_test_as_of'), radscheduler.grant_site('rs_test_as_of', 'SECOND') \g /dev/null
SET ROLE rs_test_as_of;
SELECT count(*) FROM radscheduler.schedule_as_of(now());
SELECT count(*) FROM radscheduler.schedule_as_of(now(), 'MAIN');
SELECT count(*) FROM generate_series(1, 10) n, radscheduler.appointment_as_of(n, now());
RESET ROLE;
SELECT radscheduler.revoke_role('reader', 'rs_test_as_of'), radscheduler.grant_role('ingest', 'rs_test_as_of') \g /dev/null
SET ROLE rs_test_as_of;
SELECT count(*) FROM radscheduler.schedule_as_of(now());
RESET ROLE;
\c :regress
DROP DATABASE radscheduler_as_of;
DROP ROLE rs_test_as_of;
