-- Dry runs: what ingest() would do, told in full, and nothing kept.
SET client_min_messages = error;
SELECT current_database() AS regress \gset
DROP DATABASE IF EXISTS radscheduler_dry_run;
DROP ROLE IF EXISTS rs_test_dry_send;
DROP ROLE IF EXISTS rs_test_dry_read;
CREATE DATABASE radscheduler_dry_run ENCODING 'UTF8' TEMPLATE template0;
\c radscheduler_dry_run
SET client_min_messages = error;
CREATE EXTENSION radscheduler CASCADE;
SET timezone = 'UTC';
UPDATE radscheduler.site SET timezone = 'America/New_York', phone_region = 'US' WHERE code = 'MAIN';
CREATE FUNCTION public.msg(event text, control text, filler text, mrn text, start text, at text, rest text DEFAULT '', status text DEFAULT '') RETURNS bytea LANGUAGE sql AS $$
SELECT convert_to(concat_ws(E'\r', format('MSH|^~\&|DRY|RUNS|RADSCHED|RAD|%s||SIU^%s^SIU_S12|%s|P|2.5', at, event, control),
    format('SCH||%s|||||||%s|MIN|^^^%s||||||||||||||%s', filler, CASE WHEN start = '' THEN '' ELSE '30' END, start, status),
    CASE WHEN mrn <> '' THEN format('PID|1||%s||TESTER^%s||||||||617-555-0123', mrn, mrn) END, nullif(rest, '')), 'UTF8') $$;
\set exam 'E''AIS|1|A|CT002^CT CHEST\\rAIG|1|A|CT-A^CT scanner A\\rAIP|1|A|T7^SHAW^ANNA|TECHNOLOGIST'''
-- How many rows every record table holds; sequences aside, this is what a dry run must leave as it was.
CREATE FUNCTION public.counts() RETURNS TABLE (record text, n bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOR record IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'radscheduler'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1 LOOP
        EXECUTE format('SELECT count(*) FROM radscheduler.%I', record) INTO n;
        RETURN NEXT;
    END LOOP;
END $$;
CREATE TABLE public.before AS SELECT * FROM public.counts();
-- Nothing is known yet: sender, patient, scanner and technologist would be recorded.
SELECT outcome, code, appointment_id, is_new, conflicts, error, jsonb_path_query_array(warnings, '$[*].code') AS warnings FROM radscheduler.dry_run(msg('S12', 'a1', 'A1', 'DRYM1', '203108041000', '20260101080000', :exam));
SELECT jsonb_pretty(appointment) FROM radscheduler.dry_run(msg('S12', 'a1', 'A1', 'DRYM1', '203108041000', '20260101080000', :exam));
SELECT e ->> 'type' AS type, e -> 'appointment_id' AS appointment, (e -> 'data') - '{starts_at,ends_at}'::text[] AS data
FROM radscheduler.dry_run(msg('S12', 'a1', 'A1', 'DRYM1', '203108041000', '20260101080000', :exam)) d, jsonb_array_elements(d.events) e;
SELECT regexp_replace(convert_from(ack, 'UTF8'), '(RAD\|DRY\|RUNS\|)[^|]*(\|\|.*\|)RS\d+', '\1*\2RS*') AS ack FROM radscheduler.dry_run(msg('S12', 'a1', 'A1', 'DRYM1', '203108041000', '20260101080000', :exam));
-- No row and no lock; test/specs/wake.spec shows that nobody is told.
SELECT b.record, b.n AS before, c.n AS after FROM public.before b JOIN public.counts() c USING (record) WHERE b.n <> c.n;
BEGIN;
SELECT outcome FROM radscheduler.dry_run(msg('S12', 'a1', 'A1', 'DRYM1', '203108041000', '20260101080000', :exam));
SELECT count(*) AS locks FROM pg_locks WHERE pid = pg_backend_pid() AND locktype IN ('advisory', 'tuple');
COMMIT;
SELECT current_setting('synchronous_commit') AS synchronous_commit;
-- The real thing comes out the same.
SELECT r.outcome, r.code, r.conflicts, jsonb_path_query_array(r.warnings, '$[*].code') AS warnings FROM radscheduler.ingest(msg('S12', 'a1', 'A1', 'DRYM1', '203108041000', '20260101080000', :exam)) r;
SET datestyle = 'ISO';
SELECT patient_id, patient_name, patient_phone, modality, study_type, datetime, duration, status FROM radscheduler.appointments;
DROP TABLE public.before;
CREATE TABLE public.before AS SELECT * FROM public.counts();
-- Each outcome tells itself: duplicate, conflict, stale, nothing to do, AE of three kinds, AR of three kinds.
CREATE FUNCTION public.dry(bytes bytea) RETURNS TABLE (outcome text, code text, of text, status text, conflicts jsonb, warnings jsonb, error text, msa text) LANGUAGE sql AS $$
SELECT d.outcome, d.code, CASE WHEN d.is_new THEN 'new' ELSE d.appointment ->> 'external_id' END, d.appointment ->> 'status', jsonb_path_query_array(d.conflicts, '$[*].code'),
       jsonb_path_query_array(d.warnings, '$[*].code'), concat_ws(' ', d.error ->> 'code', d.error ->> 'path'), substring(convert_from(d.ack, 'UTF8') from 'MSA\|([A-Z]+)') FROM radscheduler.dry_run(bytes) d $$;
SELECT * FROM public.dry(msg('S12', 'a1', 'A1', 'DRYM1', '203108041000', '20260101080000', :exam));
SELECT * FROM public.dry(msg('S12', 'a2', 'A2', 'DRYM2', '203108041015', '20260101080000', E'AIS|1|A|CT002^CT CHEST\rAIG|1|A|CT-A'));
SELECT * FROM public.dry(msg('S13', 'a3', 'A1', 'DRYM1', '203108051000', '20250101080000'));
SELECT * FROM public.dry(msg('S14', 'a4', 'A1', '', '', '20260101090000'));
SELECT * FROM public.dry(msg('S15', 'a5', 'A1', '', '', '20260101090000'));
SELECT * FROM public.dry(msg('S12', 'a6', '', 'DRYM2', '203108041015', '20260101080000'));
SELECT * FROM public.dry(msg('S12', 'a7', 'A7', 'DRYM2', '203102301015', '20260101080000'));
SELECT * FROM public.dry(msg('S20', 'a8', 'A8', 'DRYM2', '', '20260101080000'));
SELECT * FROM public.dry(convert_to('no message at all', 'UTF8'));
SELECT * FROM public.dry(msg('S99', 'a9', 'A1', 'DRYM1', '', '20260101080000'));
SELECT radscheduler.set_sender('DRY', 'RUNS', '{"on_conflict": "reject"}') IS NOT NULL AS rejecting;
SELECT * FROM public.dry(msg('S12', 'b1', 'B1', 'DRYM2', '203108041015', '20260101080000', E'AIS|1|A|CT002^CT CHEST\rAIG|1|A|CT-A'));
UPDATE radscheduler.site SET unknown_senders = 'refuse';
SELECT * FROM public.dry(convert_to(replace(convert_from(msg('S12', 'b2', 'B2', 'DRYM2', '203108041300', '20260101080000'), 'UTF8'), 'RUNS', 'AWAY'), 'UTF8'));
UPDATE radscheduler.site SET unknown_senders = 'accept';
SELECT radscheduler.set_sender('DRY', 'RUNS', '{"on_conflict": null}') IS NOT NULL AS flagging;
SELECT b.record, b.n AS before, c.n AS after FROM public.before b JOIN public.counts() c USING (record) WHERE b.n <> c.n AND b.record <> 'audit_event';
-- What else would change is among the events: a cancellation heals whoever waits.
SELECT (radscheduler.ingest(msg('S12', 'c1', 'C1', 'DRYM3', '203108041015', '20260101080100', E'AIS|1|A|CT002^CT CHEST\rAIG|1|A|CT-A'))).outcome;
SELECT e ->> 'type' AS type, (SELECT a.filler_id FROM radscheduler.appointment a WHERE a.appointment_id = (e ->> 'appointment_id')::bigint) AS about, e #>> '{data,status}' AS status
FROM radscheduler.dry_run(msg('S15', 'c2', 'A1', '', '', '20260101090000')) d, jsonb_array_elements(d.events) e;
SELECT patient_id, status FROM radscheduler.appointments ORDER BY 1;
-- A history: each message on what those before it would have left.
SELECT row_number() OVER () AS n, outcome, is_new, appointment ->> 'datetime' AS datetime, appointment ->> 'status' AS status, jsonb_path_query_array(conflicts, '$[*].code') AS conflicts FROM radscheduler.dry_run_batch(ARRAY[
    msg('S12', 'd1', 'D1', 'DRYM4', '203108061000', '20260101080000', E'AIS|1|A|CT002^CT CHEST\rAIG|1|A|CT-A'), msg('S13', 'd2', 'D1', 'DRYM4', '203108061100', '20260101080100'),
    msg('S12', 'd3', 'D2', 'DRYM5', '203108061115', '20260101080200', E'AIS|1|A|CT002^CT CHEST\rAIG|1|A|CT-A'), msg('S15', 'd4', 'D1', '', '', '20260101080300'),
    msg('S12', 'd1', 'D1', 'DRYM4', '203108061000', '20260101080000', E'AIS|1|A|CT002^CT CHEST\rAIG|1|A|CT-A')]);
SELECT count(*) AS kept FROM radscheduler.appointment WHERE filler_id LIKE 'D%';
\set VERBOSITY terse
SELECT radscheduler.dry_run(NULL);
SELECT radscheduler.dry_run('x', 'No Channel');
SELECT * FROM radscheduler.dry_run_batch(ARRAY['x', NULL]::bytea[]);
SELECT * FROM radscheduler.dry_run_batch(array_fill('x'::bytea, ARRAY[1001]));
SELECT count(*) FROM radscheduler.dry_run_batch('{}');
\set VERBOSITY default
-- Who only sends learns what ingest() says, and not what is known of the patient; who reads as well sees the row.
CREATE ROLE rs_test_dry_send;
CREATE ROLE rs_test_dry_read;
SELECT radscheduler.grant_role(k, r), radscheduler.grant_site(r, 'MAIN') FROM (VALUES ('ingest', 'rs_test_dry_send'), ('ingest', 'rs_test_dry_read'), ('reader', 'rs_test_dry_read')) g(k, r) \g /dev/null
GRANT EXECUTE ON FUNCTION public.msg TO PUBLIC;
SET ROLE rs_test_dry_send;
SELECT outcome, appointment IS NULL AS hidden FROM radscheduler.dry_run(msg('S14', 'e1', 'A1', '', '', '20260101090000', 'NTE|1||films', 'ARRIVED'));
SET ROLE rs_test_dry_read;
SELECT outcome, appointment ->> 'patient_name' AS patient, appointment ->> 'notes' AS notes FROM radscheduler.dry_run(msg('S14', 'e1', 'A1', '', '', '20260101090000', 'NTE|1||films', 'ARRIVED'));
RESET ROLE;
SELECT radscheduler.revoke_role('ingest', 'rs_test_dry_read');
SET ROLE rs_test_dry_read;
SELECT outcome FROM radscheduler.dry_run('x');
RESET ROLE;
SELECT count(*) AS notes FROM radscheduler.appointments WHERE notes IS NOT NULL;
\c :regress
DROP DATABASE radscheduler_dry_run;
DROP ROLE rs_test_dry_send;
DROP ROLE rs_test_dry_read;
