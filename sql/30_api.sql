-- What HTTP answers are made of, without HTTP.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET radscheduler.site = 'MAIN';
CREATE FUNCTION pg_temp.b(text) RETURNS bytea LANGUAGE sql AS $$ SELECT convert_to($1, 'UTF8') $$;
\set body '{"patientId": "AM1", "patientName": "Grace Hopper", "patientPhone": "+1234567890", "modality": "MRI", "studyType": "Brain w/o contrast", "datetime": "2031-10-15T14:00:00Z", "referringPhysician": "Dr. Smith", "urgency": "routine"}'
SELECT status, content_type, body::jsonb - 'appointmentId' - 'messageId' AS body FROM radscheduler.api_hl7_appointment(pg_temp.b(:'body'));
SELECT patient_id, patient_name, patient_phone, modality, study_type, datetime, duration, status, referring_physician, urgency, source FROM radscheduler.appointments WHERE patient_id = 'AM1';
-- The same body again while it stands: the same appointment. After it is cancelled: a new one.
SELECT status, body::jsonb ->> 'outcome' AS outcome FROM radscheduler.api_hl7_appointment(pg_temp.b(:'body'));
DELETE FROM radscheduler.appointments WHERE patient_id = 'AM1';
SELECT status, body::jsonb ->> 'outcome' AS outcome FROM radscheduler.api_hl7_appointment(pg_temp.b(:'body'));
SELECT status FROM radscheduler.appointments WHERE patient_id = 'AM1' ORDER BY id;
-- A conflict is taken and told.
SELECT status, body::jsonb #> '{conflicts,hasConflicts}' AS has, body::jsonb #> '{conflicts,severity}' AS severity, jsonb_array_length(body::jsonb #> '{conflicts,alternativeSlots}') AS alternatives, body::jsonb ->> 'message' AS message
FROM radscheduler.api_hl7_appointment(pg_temp.b(replace(:'body', 'Brain', 'Spine')));
-- What is wrong is named.
SELECT status, content_type, body::jsonb ->> 'code' AS code, body::jsonb ->> 'detail' AS detail FROM (VALUES
    ('this is not JSON'), ('[]'), ('{"patientId": "AM2"}'),
    ((:'body'::jsonb - 'patientName')::text), (jsonb_set(:'body', '{datetime}', '"tomorrow"')::text), (jsonb_set(:'body', '{datetime}', '"2031-02-30T10:00:00Z"')::text),
    (jsonb_set(:'body', '{modality}', '"TELEPATHY"')::text), (jsonb_set(:'body', '{patientPhone}', '"call me"')::text), (jsonb_set(:'body', '{urgency}', '"whenever"')::text),
    (jsonb_set(:'body', '{patientId}', '{"x": 1}')::text), (jsonb_set(:'body', '{notes}', '[1]', true)::text),
    (jsonb_set(:'body', '{duration}', '"-5"', true)::text)) t(b), radscheduler.api_hl7_appointment(pg_temp.b(b::text));
SELECT status, body::jsonb ->> 'code' AS code FROM radscheduler.api_hl7_appointment('\xff00'::bytea);
SELECT count(*) AS kept FROM radscheduler.hl7_message WHERE message_code = 'JSON' AND outcome = 'error';
-- Raw HL7 as text, as JSON, with the acknowledgement as answer.
\set raw 'MSH|^~\\&|HTTP|API|RADSCHED|RAD|20260101||SIU^S12|r1|P|2.5\rSCH||R1|||||||30|MIN|^^30^203110161000\rPID|1||AM5||HOPPER^GRACE\rAIS|1|A|CT002^CT CHEST'
SELECT status, body::jsonb ->> 'message' AS message, body::jsonb ->> 'acknowledgement' AS ack FROM radscheduler.api_hl7_raw(pg_temp.b(replace(:'raw', '\r', E'\n')), 'text/plain', '');
SELECT status, body::jsonb ->> 'outcome' AS outcome FROM radscheduler.api_hl7_raw(pg_temp.b(to_jsonb(replace(:'raw', '\r', E'\r'))::text), 'application/json', '*/*');
SELECT status, body::jsonb ->> 'outcome' AS outcome FROM radscheduler.api_hl7_raw(pg_temp.b(jsonb_build_object('message', replace(:'raw', '\r', E'\r'))::text), 'application/json; charset=utf-8', '');
SELECT status, content_type, substring(body from 'MSA[^\r]*') AS msa FROM radscheduler.api_hl7_raw(pg_temp.b(replace(:'raw', '\r', E'\r')), 'application/hl7-v2', 'application/hl7-v2');
SELECT status, content_type, substring(body from 'MSA[|]A.') AS msa FROM radscheduler.api_hl7_raw('garbage', 'text/plain', 'application/hl7-v2');
SELECT status, content_type, body::jsonb ->> 'code' AS code, body::jsonb ->> 'hl7Path' AS path FROM radscheduler.api_hl7_raw(pg_temp.b(replace(replace(:'raw', '203110161000', '203113161000'), '\r', E'\r')), 'text/plain', '');
SELECT status, body::jsonb ->> 'code' AS code FROM radscheduler.api_hl7_raw('{"no": "message"}', 'application/json', '');
-- Simulation with and without what the guide's two bodies give.
SELECT status, body::jsonb #>> '{result,appointment,patient_id}' AS patient, body::jsonb #>> '{result,appointment,patient_name}' AS name, body::jsonb #>> '{result,appointment,study_type}' AS study,
       body::jsonb #>> '{result,appointment,referring_physician}' AS referring, body::jsonb #>> '{result,appointment,datetime}' AS datetime, body::jsonb #>> '{result,acknowledgement}' AS ack
FROM radscheduler.api_hl7_simulate(pg_temp.b('{"patientId": "MRN|1^2&3", "patientName": "John O\\Neil", "patientPhone": "+1234567890", "modality": "MRI", "studyType": "Brain w/o contrast", "datetime": "2024-01-15T10:00:00Z", "referringPhysician": "Dr. Smith", "urgency": "routine"}'));
SELECT status, body::jsonb #>> '{result,appointment,patient_id}' LIKE 'SIM-%' AS made_up, body::jsonb #>> '{result,appointment,duration}' AS minutes FROM radscheduler.api_hl7_simulate(pg_temp.b('{"patientName": "Test Patient", "modality": "MRI", "datetime": "2024-01-16T10:00:00Z"}'));
SELECT status, body::jsonb ->> 'success' AS success FROM radscheduler.api_hl7_simulate('{}');
SELECT status, body::jsonb ->> 'code' AS code, body::jsonb ? 'messageId' AS kept FROM radscheduler.api_hl7_simulate('not json');
SELECT status, body::jsonb ->> 'detail' AS detail FROM radscheduler.api_hl7_simulate('{"scenario": "apocalypse"}');
SELECT status, body::jsonb ->> 'detail' AS detail FROM radscheduler.api_hl7_simulate('{"datetime": "soon"}');
-- The list by site-local day, and the dashboard from the records.
SELECT status, body::jsonb -> 'count' AS count, body::jsonb #>> '{appointments,0,patient_id}' AS first FROM radscheduler.api_appointments('{"date": "2031-10-16", "modality": "ct"}');
SELECT status, body::jsonb ->> 'detail' AS detail FROM (VALUES ('{"date": "2031-02-30"}'), ('{"date": "x"}'), ('{"modality": "TELEPATHY"}'), ('{"status": "LEVITATING"}')) p(j), radscheduler.api_appointments(j::jsonb);
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, datetime) VALUES ('AM7', 'Today Patient', 'US', date_trunc('day', timezone('America/New_York', now())) + interval '12 hours');
SELECT (d #>> '{overview,totalToday}')::integer = (SELECT count(*) FROM radscheduler.appointments WHERE datetime::date = timezone('America/New_York', now())::date) AS total_is_real,
       jsonb_path_exists(d, '$.trends.modality[*] ? (@.modality == "US")') AS modality_is_real, jsonb_path_exists(d, '$.trends.hourly[*] ? (@.hour == "12:00")') AS hour_is_real, d #> '{realtime,activeUsers}' AS unknown
FROM radscheduler.api_dashboard('{}') r, LATERAL (SELECT r.body::jsonb -> 'dashboard') x(d);
