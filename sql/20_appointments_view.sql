-- The guide's table: columns, writing, and the refusal of a double booking.
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'radscheduler' AND table_name = 'appointments' ORDER BY ordinal_position;
SET search_path = radscheduler, public;
INSERT INTO appointments (patient_id, patient_name, patient_phone, modality, study_type, datetime, referring_physician, urgency, notes)
VALUES ('VM1', 'Ada Lovelace', '(617) 555-0199', 'MRI', 'MRI KNEE', '2031-09-01 10:00', 'Dr. Smith', 'urgent', 'left knee')
RETURNING patient_id, patient_name, patient_phone, modality, study_type, datetime, duration, status, referring_physician, urgency, notes, conflicts, source;
SELECT id AS first FROM appointments WHERE patient_id = 'VM1' \gset
INSERT INTO appointments (patient_id, patient_name, modality, datetime, duration) VALUES ('VM2', 'Charles Babbage', 'ct', '2031-09-01 10:00', 20), ('VM3', 'Mary Somerville', 'X-Ray', '2031-09-01 10:00', 10);
SELECT patient_id, modality, duration, status FROM appointments WHERE patient_id IN ('VM2', 'VM3') ORDER BY 1;
-- A double booking fails and names the other one.
DO $$
DECLARE v_state text; v_message text; v_detail text; v_hint text; v_constraint text;
BEGIN
    INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, datetime) VALUES ('VM1', 'Ada Lovelace', 'US', '2031-09-01 10:15');
EXCEPTION WHEN exclusion_violation THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT, v_detail = PG_EXCEPTION_DETAIL, v_hint = PG_EXCEPTION_HINT, v_constraint = CONSTRAINT_NAME;
    RAISE WARNING '% | % | % | % | %', v_state, v_message, regexp_replace(v_detail, 'appointment \d+', 'appointment N'), v_hint, v_constraint;
    IF v_detail NOT LIKE '%appointment ' || (SELECT id FROM radscheduler.appointments WHERE patient_id = 'VM1') || ' %' THEN
        RAISE WARNING 'the other appointment is not named';
    END IF;
END $$;
\set VERBOSITY terse
SELECT count(*) AS still_one FROM appointments WHERE patient_id = 'VM1';
-- UPDATE moves and changes, and is refused where it would double-book.
UPDATE appointments SET datetime = '2031-09-01 11:00', notes = 'right knee' WHERE id = :first RETURNING datetime, duration, notes, status;
INSERT INTO appointments (patient_id, patient_name, modality, datetime) VALUES ('VM1', 'Ada Lovelace', 'US', '2031-09-01 10:15');
UPDATE appointments SET datetime = '2031-09-01 10:30' WHERE id = :first;
UPDATE appointments SET status = 'COMPLETED' WHERE id = :first RETURNING status;
UPDATE appointments SET duration = 45 WHERE patient_id = 'VM2' RETURNING duration;
UPDATE appointments SET patient_name = 'Ada King', patient_phone = '+442071234567' WHERE id = :first RETURNING patient_name, patient_phone;
-- Pointing an appointment at another patient does not rename that patient; a row without time can still be annotated.
INSERT INTO appointments (patient_id, patient_name, modality, datetime) VALUES ('VM4', 'Alice One', 'CT', '2031-09-02 10:00'), ('VM5', 'Bert Two', 'CT', '2031-09-02 12:00');
UPDATE appointments SET patient_id = 'VM5' WHERE patient_id = 'VM4' RETURNING patient_id, patient_name;
INSERT INTO appointments (patient_id, patient_name, modality, status) VALUES ('VM6', 'Carol Three', 'CT', 'WAITLISTED') RETURNING datetime, status;
UPDATE appointments SET notes = 'any day' WHERE patient_id = 'VM6' RETURNING datetime, status, notes;
UPDATE appointments SET datetime = '2031-09-02 14:00', status = 'SCHEDULED' WHERE patient_id = 'VM6' RETURNING datetime, status;
-- DELETE cancels: the time is free, the row says so.
DELETE FROM appointments WHERE patient_id = 'VM2';
SELECT status, (SELECT count(*) FROM occupancy o WHERE o.appointment_id = v.id) AS occupies FROM appointments v WHERE patient_id = 'VM2';
-- What cannot be is a sentence.
INSERT INTO appointments (patient_id, patient_name, modality, datetime) VALUES ('VM9', 'Nobody', 'TELEPATHY', '2031-09-01 10:00');
INSERT INTO appointments (patient_id, patient_name, modality, datetime, duration) VALUES ('VM9', 'Nobody', 'CT', '2031-09-01 10:00', -5);
INSERT INTO appointments (patient_id, patient_name, modality, datetime, status) VALUES ('VM9', 'Nobody', 'CT', '2031-09-01 10:00', 'LEVITATING');
INSERT INTO appointments (patient_id, patient_name, modality, datetime, urgency) VALUES ('VM9', 'Nobody', 'CT', '2031-09-01 10:00', 'whenever');
INSERT INTO appointments (patient_name, modality, datetime) VALUES ('Nobody', 'CT', '2031-09-01 10:00');
INSERT INTO appointments (patient_id, patient_name, modality, datetime) VALUES (' ', 'Nobody', 'CT', '2031-09-01 10:00');
INSERT INTO appointments (patient_id, patient_name, modality) VALUES ('VM9', 'Nobody', 'CT');
UPDATE appointments SET id = 99999 WHERE id = :first;
UPDATE appointments SET conflicts = '[1]' WHERE id = :first;
SELECT count(*) AS nobody FROM appointments WHERE patient_id = 'VM9';
-- Every write has its version and its event.
SELECT event FROM appointment_history WHERE appointment_id = :first ORDER BY version;
-- Two sites: the session must say which.
RESET search_path;
SELECT radscheduler.create_site('SOUTH', 'South campus', 'Europe/London') > 0 AS created;
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, datetime) VALUES ('VM1', 'Ada Lovelace', 'CT', '2031-09-01 11:00');
SET radscheduler.site = 'SOUTH';
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, datetime) VALUES ('VM1', 'Ada Lovelace', 'CT', '2031-09-01 11:00') RETURNING status, datetime;
SELECT starts_at FROM radscheduler.appointment WHERE site_id = radscheduler.current_site();
SET radscheduler.site = 'NOWHERE';
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, datetime) VALUES ('VM1', 'Ada Lovelace', 'CT', '2031-09-01 12:00');
RESET radscheduler.site;
SELECT radscheduler.create_site('EAST', 'East campus', 'Mars/Olympus');
DELETE FROM radscheduler.site WHERE code = 'SOUTH';
