-- Drift: a sender's export beside the schedule here. And S27 through ingest(), which mends it.
SET client_min_messages = error;
SELECT current_database() AS regress \gset
DROP DATABASE IF EXISTS radscheduler_drift;
DROP ROLE IF EXISTS rs_test_drift;
CREATE DATABASE radscheduler_drift ENCODING 'UTF8' TEMPLATE template0;
\c radscheduler_drift
SET client_min_messages = error;
CREATE EXTENSION radscheduler CASCADE;
SET timezone = 'UTC';
SET datestyle = 'ISO';
UPDATE radscheduler.site SET timezone = 'America/New_York', phone_region = 'US' WHERE code = 'MAIN';
CREATE FUNCTION public.msg(event text, control text, filler text, mrn text, start text, at text, rest text DEFAULT '', status text DEFAULT '', sender text DEFAULT 'DRIFT|APART') RETURNS bytea LANGUAGE sql AS $$
SELECT convert_to(concat_ws(E'\r', format('MSH|^~\&|%s|RADSCHED|RAD|%s||SIU^%s^SIU_S12|%s|P|2.5', sender, at, event, control),
    format('SCH||%s|||||||%s|MIN|^^^%s||||||||||||||%s', filler, CASE WHEN start = '' THEN '' ELSE '30' END, start, status),
    CASE WHEN mrn <> '' THEN format('PID|1||%s||DRIFTER^%s', mrn, mrn) END, nullif(rest, '')), 'UTF8') $$;
\set ct 'E''AIS|1||CT002^CT CHEST\\rAIG|1||CT-A\\rAIP|1||T7^SHAW^ANNA|TECHNOLOGIST\\rAIP|2||R7^REED^MAY|REFERRING'''
-- Booked here: nine of this sender, one of another.
SELECT radscheduler.add_resource('CT-A', 'CT scanner A', 'equipment', 'CT', aliases => '{"Scanner A"}') > 0 AS added;
SELECT n, r.outcome FROM unnest('{same,moved,gone,over,late,mine,person,day}'::text[]) WITH ORDINALITY u(id, n),
    LATERAL radscheduler.ingest(msg('S12', id, id, 'DRIFTM' || n, to_char(timestamp '2031-08-04 07:00' + n * interval '1 hour', 'YYYYMMDDHH24MI'), '20260101080000', :ct)) r ORDER BY n;
SELECT (radscheduler.ingest(msg('S12', 'far', 'far', 'DRIFTM10', '203108201000', '20260101080000', :ct))).outcome;
SELECT (radscheduler.ingest(msg('S12', 'other1', 'other', 'DRIFTM20', '203108041000', '20260101080000', 'AIS|1||US004^ABDOMEN', '', 'OTHER|RIS'))).outcome;
SELECT (radscheduler.ingest(msg('S13', 'late2', 'late', 'DRIFTM5', '203108051200', '20260201080000'))).outcome;
UPDATE radscheduler.appointments SET datetime = '2031-08-04 17:00' WHERE patient_id = 'DRIFTM6';
CREATE FUNCTION public.export() RETURNS bytea[] LANGUAGE sql AS $$
SELECT ARRAY[
    msg('S27', 'x1', 'same', 'DRIFTM1', '203108040800', '20260115080000', E'AIS|1||CT002^CT CHEST\rAIG|1||Scanner A\rAIP|1||T7^SHAW^ANNA|TECHNOLOGIST', 'Booked'),
    msg('S27', 'x2', 'moved', 'DRIFTM2', '203108040930', '20260115080000', E'AIS|1||MRI001^MRI BRAIN\rAIG|1||MR-9', 'Arrived'),
    msg('S27', 'x3', 'gone', 'DRIFTM3', '203108041000', '20260115080000', '', 'Cancelled'),
    msg('S27', 'x4', 'over', 'DRIFTM4', '203108041100', '20260115080000', '', 'Booked'),
    msg('S27', 'x5', 'late', 'DRIFTM5', '203108041200', '20260115080000'),
    msg('S27', 'x6', 'mine', 'DRIFTM6', '203108041300', '20260115080000'),
    msg('S27', 'x7', 'person', 'DRIFTM77', '203108041400', '20260115080000'),
    msg('S27', 'x8', 'news', 'DRIFTM8', '203108041600', '20260115080000', 'AIS|1||US004^ABDOMEN'),
    msg('S27', 'x9', 'past', 'DRIFTM9', '203108041630', '20260115080000', '', 'Cancelled')] $$;
SELECT (radscheduler.ingest(msg('S15', 'over2', 'over', '', '', '20260102080000'))).outcome;
CREATE FUNCTION public.counts() RETURNS TABLE (record text, n bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOR record IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'radscheduler'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1 LOOP
        EXECUTE format('SELECT count(*) FROM radscheduler.%I', record) INTO n;
        RETURN NEXT;
    END LOOP;
END $$;
CREATE TABLE public.before AS SELECT * FROM public.counts();
\pset format unaligned
-- What does not agree, and what to do about it. The day of the export is 4 August: what is booked here on that day and not in it is missing there.
SELECT kind, external_id, appointment_id IS NOT NULL AS known, field, ours, theirs, suggestion FROM radscheduler.drift_report(public.export());
-- Over a longer period more is missing there; another sender's bookings never are.
SELECT kind, external_id, ours FROM radscheduler.drift_report(public.export(), '[2031-08-01,2031-09-01)') WHERE kind = 'missing_there';
SELECT kind, external_id, ours FROM radscheduler.drift_report(public.export(), '[2031-08-05 00:00-04,)') WHERE kind = 'missing_there';
-- The same as one batch file, and as messages behind each other; what is no message, or tells of no appointment, says so.
SELECT count(*) AS differences FROM (SELECT kind, external_id, field, ours, theirs FROM radscheduler.drift_report(convert_to(E'FHS|^~\\&\rBHS|^~\\&\r', 'UTF8')
    || (SELECT string_agg(m || '\x0d'::bytea, '' ORDER BY n) FROM unnest(public.export()) WITH ORDINALITY u(m, n)) || convert_to(E'BTS|9\rFTS|1\r', 'UTF8'))
    EXCEPT SELECT kind, external_id, field, ours, theirs FROM radscheduler.drift_report(public.export())) d;
SELECT kind, external_id, field, suggestion FROM radscheduler.drift_report(ARRAY[convert_to('no message', 'UTF8'), msg('S23', 'y1', 'block', '', '203108041000', '20260115080000'), msg('S27', 'y2', '', 'DRIFTM1', '203108041000', '20260115080000'),
    msg('S27', 'y3', 'bad', 'DRIFTM1', '203102301000', '20260115080000'), msg('S27', 'y4', 'strange', 'DRIFTM1', '203108041000', '20260115080000', '', '', 'ABSENT|KIOSK')]);
-- Said twice in an export, the later counts.
SELECT kind, field, ours, theirs FROM radscheduler.drift_report(ARRAY[msg('S27', 'z2', 'same', 'DRIFTM1', '203108040845', '20260115090000'), msg('S27', 'z1', 'same', 'DRIFTM1', '203108040815', '20260115080000')], '[2031-08-04 08:00-04,2031-08-04 08:30-04)');
-- Nothing was changed or recorded by looking, a new sender or scanner included.
SELECT b.record, c.n - b.n AS more FROM public.before b JOIN public.counts() c USING (record) WHERE b.n <> c.n;
SELECT DISTINCT action, object, detail FROM radscheduler.audit_event WHERE detail ? 'drift' ORDER BY detail;
-- Rows, of which only what they tell is compared.
SELECT kind, external_id, field, ours, theirs, suggestion FROM radscheduler.drift_report($$[
    {"external_id": "same", "patient_id": "DRIFTM1", "start": "2031-08-04T08:00", "duration": 30, "modality": "CT", "status": "Booked", "resource": ["T7", "scanner a"]},
    {"external_id": "moved", "start": "2031-08-04 13:00:00Z", "duration": 45, "modality": "HOLOGRAM", "resource": "CT-9"},
    {"external_id": "gone"}, {"external_id": "mine", "start": null}, {"external_id": "person", "status": "No Show"},
    {"external_id": "day", "start": "4 August"}, {"external_id": "day2", "duration": "long"}, {"external_id": "day3", "status": "Perhaps"}, {"external_id": "day4", "room": "CT-A"}, {"start": "2031-08-04T08:00"}, 7
    ]$$, 'DRIFT|APART', '[2031-08-04 00:00-04,2031-08-05 00:00-04)');
-- A table of the sender's is such rows; an empty one says that nothing is booked there.
CREATE TABLE public.theirs (external_id text, start timestamp, status text);
INSERT INTO public.theirs VALUES ('same', '2031-08-04 08:00', 'Booked'), ('moved', '2031-08-04 09:45', 'Confirmed');
SELECT kind, external_id, field, ours, theirs FROM radscheduler.drift_report((SELECT jsonb_agg(to_jsonb(t)) FROM public.theirs t), 'DRIFT|APART', '[2031-08-04 07:00-04,2031-08-04 10:00-04)');
SELECT kind, external_id, ours FROM radscheduler.drift_report('[]', 'DRIFT|APART', '[2031-08-04 07:00-04,2031-08-04 10:00-04)');
-- Without a start nobody knows what the export covers: nothing is missing there.
SELECT kind, external_id FROM radscheduler.drift_report('[{"external_id": "same"}, {"external_id": "unheard"}]', sender => 'DRIFT|APART');
-- The times of a sender in another zone are its own.
SELECT radscheduler.set_sender('DRIFT', 'APART', '{"timezone": "America/Chicago"}') IS NOT NULL AS moved;
SELECT kind, external_id, field, ours, theirs FROM radscheduler.drift_report('[{"external_id": "same", "start": "2031-08-04T07:00"}]', 'DRIFT|APART', '[2031-08-04 08:00-04,2031-08-04 08:30-04)');
SELECT radscheduler.set_sender('DRIFT', 'APART', '{"timezone": null}') IS NOT NULL AS back;
\pset format aligned
-- S27 books what is not known and brings the rest up to date; what is newer here stays. Then only that is left.
SELECT i.n, r.outcome, jsonb_path_query_array(r.warnings, '$[*].code ? (@ != "RESOURCE_UNKNOWN" && @ != "MODALITY_UNKNOWN")') AS warnings FROM unnest(public.export()) WITH ORDINALITY i(message, n), LATERAL radscheduler.ingest(i.message) r ORDER BY i.n;
SELECT kind, external_id, field, ours, theirs FROM radscheduler.drift_report(public.export());
-- Refused; and who may.
\set VERBOSITY terse
SELECT * FROM radscheduler.drift_report(NULL::bytea[]);
SELECT * FROM radscheduler.drift_report(ARRAY['x', NULL]::bytea[]);
SELECT * FROM radscheduler.drift_report(public.export(), 'empty');
SELECT * FROM radscheduler.drift_report('{}'::jsonb, 'DRIFT|APART');
SELECT * FROM radscheduler.drift_report('[]'::jsonb, 'DRIFT|APART');
SELECT * FROM radscheduler.drift_report('[]'::jsonb, 'ABSENT|KIOSK');
CREATE ROLE rs_test_drift;
SELECT radscheduler.create_site('SECOND', 'Another site', 'UTC') > 0 AS created;
SELECT radscheduler.grant_role('reader', 'rs_test_drift'), radscheduler.grant_site('rs_test_drift', 'SECOND') \g /dev/null
GRANT EXECUTE ON FUNCTION public.export, public.msg TO PUBLIC;
SET ROLE rs_test_drift;
SELECT DISTINCT kind, ours IS NULL AS nothing_told FROM radscheduler.drift_report(public.export());
SELECT * FROM radscheduler.drift_report('[{"external_id": "same"}]'::jsonb, 'DRIFT|APART');
RESET ROLE;
SELECT radscheduler.revoke_role('reader', 'rs_test_drift'), radscheduler.grant_role('ingest', 'rs_test_drift') \g /dev/null
SET ROLE rs_test_drift;
SELECT * FROM radscheduler.drift_report(public.export());
RESET ROLE;
\c :regress
DROP DATABASE radscheduler_drift;
DROP ROLE rs_test_drift;
