-- Links and their tasks: what is booked here is told to whoever asks, in the transaction of the change, as an SIU that says the same appointment.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET search_path = radscheduler, public;
SELECT create_site('TELLER', 'Telling others', 'America/New_York') > 0 AS created;
SET radscheduler.site = 'TELLER';
SELECT add_resource('LMR1', 'Magnet of links', 'equipment', 'MR') IS NOT NULL AND add_resource('LROOM', 'Room of links', 'room') IS NOT NULL
   AND add_resource('L5^NORTH', 'Tina Linker', 'staff', role => 'TECHNOLOGIST') IS NOT NULL AS ready;
-- Nobody asks: nothing is queued.
INSERT INTO appointments (patient_id, patient_name, modality, datetime) VALUES ('LK0', 'Aaron Abbott', 'CT', '2031-10-01 09:00');
SELECT count(*) AS tasks FROM task t WHERE t.site_id = current_site();
INSERT INTO link (site_id, name, receiving_application, receiving_facility) VALUES (current_site(), 'PACS', 'PACSAPP', 'PACSFAC');
INSERT INTO link (site_id, name, events, version_id) VALUES (current_site(), 'BILLING', '{S15,S26}', '2.6');
-- What a link cannot be.
CREATE FUNCTION public.attempt(p_statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE v_hint text;
BEGIN
    EXECUTE p_statement;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', SQLSTATE, regexp_replace(SQLERRM, 'task \d+', 'task N'), nullif(v_hint, ''));
END $$;
\set VERBOSITY terse
INSERT INTO link (site_id, name) VALUES (current_site(), 'PACS');
INSERT INTO link (site_id, name, events) VALUES (current_site(), 'ODD', '{S12,A08}');
INSERT INTO link (site_id, name, events) VALUES (current_site(), 'ODD', '{}');
INSERT INTO link (site_id, name, kind) VALUES (current_site(), 'ODD', 'fax');
INSERT INTO link (site_id, name) VALUES (current_site(), 'odd name');
\set VERBOSITY default
CREATE VIEW public.queued AS SELECT o.link, o.event, (SELECT p.mrn FROM appointment a JOIN patient p USING (site_id, patient_id) WHERE a.site_id = current_site() AND a.appointment_id = o.appointment_id) AS mrn,
       o.version, o.state, o.attempts, o.next_at <= now() AS is_due, o.note FROM outbox o WHERE o.site = 'TELLER' ORDER BY o.task_id;
-- Booked, changed, moved, arrived, cancelled, not come, deleted.
INSERT INTO appointments (patient_id, patient_name, patient_phone, modality, study_type, datetime, referring_physician, urgency, notes)
    VALUES ('LK1', 'Betty Baldwin', '(617) 555-0101', 'MRI', 'MRI KNEE', '2031-10-01 10:00', 'Dr. Brown', 'urgent', E'left | right\nand ^ up');
UPDATE appointments SET notes = 'left knee' WHERE patient_id = 'LK1';
UPDATE appointments SET datetime = '2031-10-01 11:00' WHERE patient_id = 'LK1';
UPDATE appointments SET status = 'ARRIVED' WHERE patient_id = 'LK1';
INSERT INTO appointments (patient_id, patient_name, modality, datetime) VALUES ('LK2', 'Clara Carlson', 'CT', '2031-10-01 12:00'), ('LK3', 'David Dawson', 'CT', '2031-10-02 12:00');
DELETE FROM appointments WHERE patient_id = 'LK2';
UPDATE appointments SET status = 'NO_SHOW' WHERE patient_id = 'LK3';
SELECT * FROM public.queued;
SELECT id AS lk1 FROM appointments WHERE patient_id = 'LK1' \gset
-- And by the functions of booking; a time that is only held is nobody's appointment.
SELECT r.outcome, r.appointment_id AS lk6 FROM try_book('LK6', '2031-10-06 10:00-04', modality => 'CT', patient_name => 'Henry Hudson') r \gset
SELECT (try_reschedule(:lk6, '2031-10-06 11:00-04')).outcome AS moved, (set_status(:lk6, 'CONFIRMED')).status AS confirmed, hold('2031-10-06 15:00-04', modality => 'CT') IS NOT NULL AS held;
SELECT (cancel(:lk6)).outcome AS cancelled;
SELECT link, event, version FROM public.queued WHERE mrn = 'LK6';
SELECT count(*) FILTER (WHERE mrn IS NULL) AS of_holds FROM public.queued;
-- A change that fails, or is taken back, tells nothing.
BEGIN;
UPDATE appointments SET notes = 'never' WHERE patient_id = 'LK1';
ROLLBACK;
SELECT count(*) AS of_never FROM public.queued WHERE mrn = 'LK1' AND version > 4;
-- What a RIS has told is not told back, but a request that was booked here is.
SELECT set_sender('LRIS', 'NORTHL', '{}') IS NOT NULL AS registered;
SELECT code FROM ingest(convert_to(E'MSH|^~\\&|LRIS|NORTHL|||20260101||SIU^S12|l1|P|2.5\rSCH||LF1|||||||30|MIN|^^30^203110031000\rPID|1||LK4||EATON^ELLEN\rAIS|1|A|CT001^CT CHEST', 'UTF8'));
SELECT code FROM ingest(convert_to(E'MSH|^~\\&|LRIS|NORTHL|||20260101||SRM^S01|l2|P|2.5\rARQ|LP1^LRIS||||||^pain^L||30|MIN|20311003120000\rNTE|1||one\rNTE|2||two\rPID|1||LK5^^^NORTHL^MR~777^^^STATE^SS||FARMER^FRANK^J^III||19600203|M|||||617-555-0105\rPV1|1|O||||||^Quinn\rRGS|1\rAIS|1|A|MRI001^MRI BRAIN\rAIS|2|A|MRI009^MRI NECK^L\rAIG|1|A|LMR1\rAIL|1|A|LROOM\rAIP|1|A|L5^LINKER^TINA^^^^^^NORTH|TECHNOLOGIST', 'UTF8'));
SELECT code FROM ingest(convert_to(E'MSH|^~\\&|LRIS|NORTHL|||20260101||SRM^S02|l3|P|2.5\rARQ|LP1^LRIS||||||||||20311003130000', 'UTF8'));
SELECT * FROM public.queued WHERE mrn IN ('LK4', 'LK5');
-- The message: the version that was queued, not the present one; the same number each time.
SELECT m ->> 'MSH-9' AS msh9, m ->> 'MSH-5' AS to_application, m ->> 'MSH-6' AS to_facility, m ->> 'MSH-4' AS of_facility, m ->> 'MSH-12' AS version, m ->> 'MSH-10' = 'RST' || o.task_id AS numbered, m ->> 'SCH-25' AS status, m ->> 'TQ1-7' AS start, hl7_get_all(m, 'NTE[*]-3') AS notes
    FROM outbox o, LATERAL task_message(o.task_id) m WHERE o.link = 'PACS' AND o.site = 'TELLER' AND o.appointment_id = :lk1 ORDER BY o.task_id;
SELECT m ->> 'MSH-9.2' AS event, m ->> 'MSH-12' AS version, m ->> 'SCH-25' AS status FROM outbox o, LATERAL task_message(o.task_id) m WHERE o.link = 'BILLING' AND o.site = 'TELLER' ORDER BY o.task_id;
-- Nothing that a validator finds wrong.
SELECT DISTINCT m ->> 'MSH-9.2' AS event, v.severity, v.path, v.sentence FROM outbox o, LATERAL task_message(o.task_id) m, LATERAL hl7_validate(m) v WHERE o.site = 'TELLER' AND v.severity = 'error' ORDER BY 1, 3;
-- Read back at another site it is the same appointment: patient, times, exams, resources, notes. What has no exam text is told by its modality.
CREATE TABLE public.told AS SELECT o.task_id, task_message(o.task_id) AS message FROM outbox o WHERE o.site = 'TELLER' AND o.link = 'PACS';
CREATE TABLE public.here AS
    SELECT v.patient_id, v.patient_name, v.patient_phone, v.modality, v.study_type, v.datetime, v.duration, v.status, v.referring_physician, v.urgency, v.notes, a.reason, a.placer_id, a.filler_orders, a.placer_orders,
           (SELECT jsonb_agg(jsonb_build_array(s.group_no, s.code, s.name, s.starts_at, s.ends_at) ORDER BY s.position) FROM appointment_service s WHERE s.site_id = a.site_id AND s.appointment_id = a.appointment_id) AS services,
           (SELECT jsonb_agg(jsonb_build_array(r.code, ar.segment, CASE r.kind WHEN 'staff' THEN ar.role END, ar.starts_at, ar.ends_at) ORDER BY r.code) FROM appointment_resource ar JOIN resource r USING (site_id, resource_id) WHERE ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id) AS resources,
           (SELECT jsonb_agg(jsonb_build_array(i.value, i.authority, i.type) ORDER BY i.value) FROM patient_identifier i WHERE i.site_id = a.site_id AND i.patient_id = a.patient_id AND i.authority <> '') AS identifiers, v.id::text || '^RADSCHEDULER' AS number
    FROM appointments v JOIN appointment a ON a.appointment_id = v.id WHERE a.site_id = current_site() AND v.patient_id IN ('LK1', 'LK2', 'LK3', 'LK5');
SELECT create_site('HEARER', 'Being told', 'America/New_York') > 0 AS created;
SET radscheduler.site = 'HEARER';
UPDATE site SET phone_region = 'US' WHERE code = 'HEARER';
SELECT add_resource('LMR1', 'Magnet of links', 'equipment', 'MR') IS NOT NULL AND add_resource('LROOM', 'Room of links', 'room') IS NOT NULL
   AND add_resource('L5^NORTH', 'Tina Linker', 'staff', role => 'TECHNOLOGIST') IS NOT NULL AS ready;
SELECT set_sender('RADSCHEDULER', 'TELLER', '{"order_by": "arrival"}') IS NOT NULL AS registered;
SELECT count(*) AS told, count(*) FILTER (WHERE i.code = 'AA') AS taken, array_agg(DISTINCT w ->> 'code') FILTER (WHERE w IS NOT NULL) AS warnings
    FROM (SELECT i.code, i.warnings FROM (SELECT * FROM public.told ORDER BY task_id) t, LATERAL ingest(convert_to(t.message::text, 'UTF8')) i) i LEFT JOIN LATERAL jsonb_array_elements(i.warnings) w ON true;
CREATE TABLE public.there AS
    SELECT v.patient_id, v.patient_name, v.patient_phone, v.modality, v.study_type, v.datetime, v.duration, v.status, v.referring_physician, v.urgency, v.notes, a.reason, a.placer_id, a.filler_orders, a.placer_orders,
           (SELECT jsonb_agg(jsonb_build_array(s.group_no, s.code, s.name, s.starts_at, s.ends_at) ORDER BY s.position) FROM appointment_service s WHERE s.site_id = a.site_id AND s.appointment_id = a.appointment_id) AS services,
           (SELECT jsonb_agg(jsonb_build_array(r.code, ar.segment, CASE r.kind WHEN 'staff' THEN ar.role END, ar.starts_at, ar.ends_at) ORDER BY r.code) FROM appointment_resource ar JOIN resource r USING (site_id, resource_id) WHERE ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id) AS resources,
           (SELECT jsonb_agg(jsonb_build_array(i.value, i.authority, i.type) ORDER BY i.value) FROM patient_identifier i WHERE i.site_id = a.site_id AND i.patient_id = a.patient_id AND i.authority NOT IN ('', 'TELLER')) AS identifiers, a.filler_id AS number
    FROM appointments v JOIN appointment a ON a.appointment_id = v.id WHERE a.site_id = current_site() AND v.patient_id LIKE 'LK%';
SELECT count(*) AS appointments FROM public.there;
SELECT h.key, h.value AS told, t.value AS understood FROM public.here x, LATERAL jsonb_each(to_jsonb(x)) h JOIN LATERAL (SELECT e.value FROM public.there y, LATERAL jsonb_each(to_jsonb(y)) e WHERE y.patient_id = x.patient_id AND e.key = h.key) t ON true
    WHERE h.value IS DISTINCT FROM t.value AND NOT (h.key IN ('services', 'identifiers') AND h.value = 'null') ORDER BY x.patient_id, h.key;
SET radscheduler.site = 'TELLER';
-- siu_build() without a link: any event, any version.
SELECT siu_build(:lk1, 'S14') ->> 'SCH-11.4' AS now, siu_build(:lk1, 'S12', 1) ->> 'SCH-11.4' AS first, siu_build(:lk1, 'S12', 1) ->> 'SCH-2.2' AS namespace;
SELECT hl7_get(siu_build(appointment_id, 'S12'), 'SCH-2') AS of_the_ris FROM appointment WHERE filler_id = 'LF1' AND site_id = current_site();
SELECT public.attempt(format('SELECT siu_build(%s, %L)', :lk1, e)) FROM (VALUES ('A08'), ('S18'), (NULL)) v(e);
SELECT public.attempt('SELECT siu_build(0, ''S12'')') AS nobody, public.attempt(format('SELECT siu_build(%s, ''S12'', 99)', :lk1)) AS no_version;
-- Given up, and taken back; nothing of the patient stands in a task.
SELECT min(task_id) AS first FROM task t WHERE t.site_id = current_site() \gset
SELECT v.statement, public.attempt(format(v.statement, :first)) FROM (VALUES (1, 'SELECT retry_task(%s)'), (2, 'SELECT drop_task(%s, '''')'), (3, 'SELECT drop_task(%s, ''the archive is away'')'),
    (4, 'SELECT drop_task(%s, ''twice'')'), (5, 'SELECT task_message(0)'), (6, 'SELECT drop_task(0, ''no such'')')) v(place, statement) ORDER BY v.place;
SELECT link, event, state, note FROM public.queued WHERE state = 'dead';
SELECT public.attempt(format('SELECT retry_task(%s)', :first)) AS retried;
SELECT state, note FROM task WHERE task_id = :first;
UPDATE task SET state = 'unknown', attempts = 1 WHERE task_id = :first;
SELECT public.attempt(format('SELECT retry_task(%s)', :first)) AS retried;
SELECT state, attempts FROM task WHERE task_id = :first;
SELECT count(*) AS patient_data FROM task t, LATERAL jsonb_each_text(to_jsonb(t)) e WHERE t.site_id = current_site() AND e.value ~* 'LK1|Baldwin|knee|0101';
SELECT action, count(*) FROM audit_event WHERE site_id = current_site() AND action LIKE 'task.%' GROUP BY 1 ORDER BY 1;
-- Another site has no part in it.
SET radscheduler.site = 'HEARER';
SELECT public.attempt(format('SELECT task_message(%s)', :first)) AS elsewhere, public.attempt(format('SELECT siu_build(%s, ''S12'')', :lk1)) AS nor_appointment;
SELECT count(*) AS tasks FROM outbox WHERE site = 'HEARER';
SET radscheduler.site = 'TELLER';
-- Links are configuration: exported, taken over, merged by name; one that is not named stays.
SELECT jsonb_pretty(s -> 'links') AS links FROM jsonb_array_elements(configuration_export() -> 'sites') s WHERE s ->> 'code' = 'TELLER';
SELECT site, action, changes FROM configuration_import('{"format": "radscheduler.configuration", "version": 1, "sites": [{"code": "TELLER", "links": [{"name": "BILLING", "is_enabled": false}, {"name": "WARD", "events": ["S12"], "receiving_facility": "WARD1"}]}]}', dry_run => false) WHERE item = 'site';
SELECT name, is_enabled, events, receiving_application, receiving_facility, version_id FROM link WHERE site_id = current_site() ORDER BY name;
SELECT action FROM configuration_import(configuration_export(), dry_run => false) WHERE item = 'site' AND site = 'TELLER';
SELECT public.attempt(format('SELECT configuration_import(%L)', '{"format": "radscheduler.configuration", "version": 1, "sites": [{"code": "TELLER", "links": [' || v.link || ']}]}'))
    FROM (VALUES ('{"name": "two words"}'), ('{"name": "WARD", "events": ["S12", "A08"]}'), ('{"name": "WARD", "version_id": "2.3"}'), ('{"name": "WARD", "colour": "red"}')) v(link);
-- Off: nothing is queued. Purged: its tasks are gone with it. Done a month ago: removed.
UPDATE link SET is_enabled = false WHERE site_id = current_site();
UPDATE appointments SET notes = 'silent' WHERE id = :lk1 RETURNING notes;
SELECT count(*) AS of_notes FROM public.queued WHERE mrn = 'LK1' AND event = 'S14';
SELECT purge('asked for', patient => 'LK3') IS NOT NULL AS purged;
SELECT count(*) AS left FROM public.queued WHERE mrn IS NULL;
UPDATE task SET state = 'done', updated_at = now() - interval '31 days' WHERE task_id = :first;
SELECT maintain() IS NOT NULL AS maintained;
SELECT count(*) AS still FROM task WHERE task_id = :first;
DELETE FROM link WHERE site_id = current_site() AND name = 'PACS';
SELECT DISTINCT link FROM public.queued;
DROP VIEW public.queued;
DROP FUNCTION public.attempt(text);
DROP TABLE public.told, public.here, public.there;
RESET radscheduler.site;
