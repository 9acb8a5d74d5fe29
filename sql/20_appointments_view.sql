-- The guide's table: columns, writing, and the refusal of a double booking.
SET client_min_messages = notice;
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
-- Rows of one statement: INSERT … SELECT, COPY, many at once, each with what it becomes.
INSERT INTO appointments (patient_id, patient_name, modality, study_type, datetime)
    SELECT 'VS' || n, 'Selected Person', CASE n % 2 WHEN 0 THEN 'US' ELSE 'CT' END, 'EXAM ' || n, '2031-09-03 08:00'::timestamp + n * interval '1 hour' FROM generate_series(1, 4) n
    RETURNING patient_id, modality, study_type, datetime, duration, status, urgency, conflicts, source;
COPY appointments (patient_id, patient_name, modality, datetime, duration, status, notes) FROM stdin;
VC1	Copied One	MRI	2031-09-03 09:00	20	SCHEDULED	first\nsecond
VC2	Copied Two	MRI	2031-09-03 10:00	\N	\N	\N
VC3	Copied Three	CT	\N	15	WAITLISTED	\N
\.
SELECT patient_id, modality, datetime, duration, status, notes FROM appointments WHERE patient_id LIKE 'VC%' ORDER BY 1;
-- One that cannot be undoes them all.
COPY appointments (patient_id, patient_name, modality, datetime) FROM stdin;
VC4	Copied Four	MRI	2031-09-04 09:00
VC5	Copied Five	SMELL	2031-09-04 10:00
\.
INSERT INTO appointments (patient_id, patient_name, modality, datetime) VALUES ('VC6', 'Six Copies', 'MRI', '2031-09-04 09:00'), ('VC6', 'Six Copies', 'CT', '2031-09-04 09:10');
SELECT count(*) AS none FROM appointments WHERE patient_id IN ('VC4', 'VC5', 'VC6');
-- The table of the guide, taken over with its own numbers and times: those are given anew.
CREATE TEMP TABLE guide_appointments (id serial PRIMARY KEY, patient_id varchar(50) NOT NULL, patient_name varchar(200) NOT NULL, patient_phone varchar(20), modality varchar(50) NOT NULL, study_type varchar(200), datetime timestamp NOT NULL,
    duration integer DEFAULT 30, status varchar(50) DEFAULT 'SCHEDULED', referring_physician varchar(200), urgency varchar(20) DEFAULT 'routine', notes text, conflicts jsonb, source varchar(50) DEFAULT 'RIS', created_at timestamp DEFAULT '2020-01-01', updated_at timestamp DEFAULT '2020-01-01');
INSERT INTO guide_appointments (id, patient_id, patient_name, patient_phone, modality, study_type, datetime, status) VALUES (900001, 'VG1', 'Gina Guide', '+16175550123', 'MRI', 'MRI BRAIN', '2031-09-05 09:00', 'CONFIRMED'), (900002, 'VG2', 'Gerd Guide', NULL, 'XRAY', 'CHEST', '2031-09-05 09:00', 'CANCELLED');
INSERT INTO appointments SELECT * FROM guide_appointments RETURNING id BETWEEN 900001 AND 900002 AS kept_number, patient_id, patient_phone, modality, study_type, datetime, status, conflicts, source, created_at > '2025-01-01' AS recorded_now;
-- A whole day moved by half an hour: rows pass over one another on the way, the statement as a whole is judged.
INSERT INTO appointments (patient_id, patient_name, modality, datetime) SELECT 'VD', 'Dora Day', 'US', '2031-09-08 09:00'::timestamp + n * interval '30 minutes' FROM generate_series(0, 3) n;
UPDATE appointments SET datetime = datetime + interval '30 minutes' WHERE patient_id = 'VD' RETURNING datetime, status, conflicts;
SELECT array_agg(datetime::time ORDER BY datetime) AS times, array_agg(DISTINCT status) AS states, bool_and(conflicts = '[]') AS clear FROM appointments WHERE patient_id = 'VD';
UPDATE appointments SET datetime = '2031-09-08 12:00' WHERE patient_id = 'VD' AND datetime < '2031-09-08 10:30';
SELECT array_agg(datetime::time ORDER BY datetime) AS still FROM appointments WHERE patient_id = 'VD';
SELECT count(*) AS unsettled FROM unsettled_write;
-- Two change places, in one statement.
UPDATE appointments SET notes = 'was ' || datetime::time WHERE patient_id = 'VD';
UPDATE appointments v SET datetime = w.datetime FROM appointments w WHERE v.patient_id = 'VD' AND w.patient_id = 'VD' AND (v.datetime, w.datetime) IN (('2031-09-08 09:30', '2031-09-08 10:00'), ('2031-09-08 10:00', '2031-09-08 09:30'));
SELECT datetime::time, notes, status FROM appointments WHERE patient_id = 'VD' ORDER BY datetime;
-- Many changed, many cancelled, joined to other tables; what is over already is neither done nor counted again.
UPDATE appointments SET status = 'CONFIRMED', urgency = 'STAT' WHERE patient_id LIKE 'VS%' AND modality = 'CT' RETURNING patient_id, status, urgency;
WITH gone AS (DELETE FROM appointments v USING (VALUES ('VS1'), ('VS2')) x(mrn) WHERE v.patient_id = x.mrn RETURNING v.patient_id, v.status) SELECT patient_id, status AS was FROM gone ORDER BY 1;
WITH gone AS (DELETE FROM appointments WHERE patient_id IN ('VS1', 'VS2', 'VS3') RETURNING patient_id) SELECT count(*) AS cancelled_now FROM gone;
UPDATE appointments SET status = 'COMPLETED' WHERE patient_id = 'VS4' RETURNING status;
DELETE FROM appointments WHERE patient_id = 'VS4' RETURNING status;
UPDATE appointments SET status = 'DELETED' WHERE patient_id = 'VS4' RETURNING patient_id, status;
SELECT count(*) AS out_of_sight FROM appointments WHERE patient_id = 'VS4';
-- What PostgreSQL itself does not do on such a view.
INSERT INTO appointments (patient_id, patient_name, modality, datetime) VALUES ('VM9', 'Nobody', 'CT', '2031-09-01 10:00') ON CONFLICT (id) DO NOTHING;
TRUNCATE appointments;
-- Each row of the table in docs/integrator.md, written as it says there.
\set integrator `cat "$PG_ABS_SRCDIR"/docs/integrator.md`
CREATE FUNCTION public.attempt(p_column text, p_value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE v_columns text[] := '{patient_id,patient_name,modality,datetime}'; v_values text[] := ARRAY['''VW' || md5(p_column || p_value) || '''', '''Written Person''', '''CT''', '''2031-09-15 10:00'''];
        v_place integer := array_position(v_columns, p_column); v_row radscheduler.appointments; v_hint text;
BEGIN
    IF v_place IS NULL THEN v_columns := v_columns || p_column; v_values := v_values || p_value; ELSE v_values[v_place] := p_value; END IF;
    EXECUTE format('INSERT INTO radscheduler.appointments (%s) VALUES (%s) RETURNING *', array_to_string(v_columns, ', '), array_to_string(v_values, ', ')) INTO v_row;
    DELETE FROM radscheduler.appointments v WHERE v.id = v_row.id;
    RETURN 'kept as ' || coalesce(to_jsonb(v_row) ->> p_column, 'NULL');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_hint = PG_EXCEPTION_HINT;
    RETURN 'refused, ' || SQLSTATE || CASE WHEN v_hint = '' THEN ', without a hint' ELSE '' END;
END $$;
CREATE TEMP TABLE claim AS SELECT row_number() OVER () AS place, m[1] AS column_name, m[2] AS value, m[3] AS claimed FROM regexp_matches(:'integrator', '\n\| `([a-z_]+)` \| `([^`]+)` \| (refused, [0-9A-Z]{5}|kept as [^|,]+|kept as [^|,]+, with a warning) \|', 'g') m;
SELECT count(*) AS claims, count(DISTINCT column_name) AS columns FROM claim;
SELECT c.column_name, c.value, c.claimed, c.claimed = public.attempt(c.column_name, c.value) || ', with a warning' AS is_so FROM claim c WHERE c.claimed LIKE '%warning' ORDER BY c.place;
SELECT c.column_name, c.value, c.claimed, a.becomes FROM claim c, LATERAL public.attempt(c.column_name, c.value) a(becomes) WHERE c.claimed NOT LIKE '%warning' AND a.becomes <> c.claimed ORDER BY c.place;
DROP FUNCTION public.attempt(text, text);
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
