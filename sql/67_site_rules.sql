-- Rules that a site adds as rows: each condition, pass, fail and what cannot be told; gaps to another exam; refusals. At a site of its own; nothing is kept.
SET client_min_messages = warning;
SET timezone = 'UTC';
BEGIN;
SELECT radscheduler.create_site('OWNRULES', 'Own rules', 'UTC') AS site \gset
SET LOCAL radscheduler.site = 'OWNRULES';
DELETE FROM radscheduler.resource_hours WHERE site_id = :site;
SELECT count(radscheduler.add_resource(code, name, 'equipment', modality, 1000)) AS added FROM (VALUES ('CT1', 'CT scanner 1', 'CT'), ('MR1', 'MR scanner 1', 'MR'), ('MR2', 'MR scanner 2', 'MR')) v(code, name, modality);
SELECT (radscheduler.set_sender('RIS', 'OWNRULES')).is_new;
SELECT radscheduler.set_clinical_rules('off') AS before;
CREATE FUNCTION pg_temp.exam(who text, day integer, at time, study text, scanner text DEFAULT NULL, gender text DEFAULT 'F', years integer DEFAULT 40, filler text DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v_id bigint;
BEGIN
    SELECT i.appointment_id INTO v_id FROM radscheduler.ingest(convert_to(concat_ws(E'\r', format('MSH|^~\&|RIS|OWNRULES|RADSCHED|RAD|20260101080000||SIU^S12|%s|P|2.5', md5(random()::text)),
        format('SCH||%s|||||||30|MIN|^^^%s', coalesce(filler, who || '-' || day || to_char(at, 'HH24MI')), to_char(current_date + day + at, 'YYYYMMDDHH24MI')),
        format('PID|1||%s||TESTER^%s||%s|%s', who, who, to_char(current_date - make_interval(years => years), 'YYYYMMDD'), gender), 'AIS|1||^' || study, 'AIG|1||' || scanner), 'UTF8')) i;
    RETURN v_id;
END $$;
CREATE FUNCTION pg_temp.told(id bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', c ->> 'severity', c ->> 'code', c ->> 'axis', CASE WHEN c #> '{with,0}' IS NOT NULL THEN 'with another' END, '-', c ->> 'message'), ', ' ORDER BY c ->> 'code', c ->> 'severity') FROM radscheduler.appointment a, jsonb_array_elements(radscheduler.conflicts_of(a.site_id, a.appointment_id)) c WHERE a.appointment_id = told.id $$;
CREATE FUNCTION pg_temp.ask(id bigint) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', e.code, e.verdict, coalesce(e.severity::text, 'not told'), CASE WHEN e.other_appointment_id IS NOT NULL THEN 'with another' END) FROM radscheduler.explain_rules(id) e WHERE e.origin = 'site' ORDER BY 1 $$;

-- Without rules nothing is asked; a rule counts for appointments as they change, recheck_conflicts() applies it to those that are there.
SELECT pg_temp.exam('PLAIN1', 2, '09:00', 'MRI HEART WITHOUT CONTRAST', 'MR1') AS heart \gset
SELECT pg_temp.told(:heart) AS told;
INSERT INTO radscheduler.site_rule (site_id, code, severity, text, modalities, study) VALUES (:site, 'HEART_MR_REVIEW', 'critical', 'MRI of the heart is planned by the cardiac team.', '{MR}', '%heart%');
SELECT checked, opened FROM radscheduler.recheck_conflicts();
SELECT pg_temp.told(:heart) AS told, (SELECT status FROM radscheduler.appointments WHERE id = :heart) AS status;
UPDATE radscheduler.site_rule SET severity = 'off' WHERE site_id = :site AND code = 'HEART_MR_REVIEW';
SELECT checked, resolved FROM radscheduler.recheck_conflicts();
SELECT pg_temp.told(:heart) AS told, (SELECT status FROM radscheduler.appointments WHERE id = :heart) AS status, pg_temp.ask(:heart) AS explained;
DELETE FROM radscheduler.site_rule WHERE site_id = :site;

-- Modality, text, contrast.
INSERT INTO radscheduler.site_rule (site_id, code, severity, text, modalities, study, contrast, if_unknown) VALUES (:site, 'KNEE_CONTRAST', 'warning', 'Knees are done without contrast here.', '{MR,CT}', '%KNEE%', true, 'critical');
SELECT n, study, pg_temp.ask(e.id) AS answer FROM (VALUES (1, 'MRI KNEE WITH CONTRAST'), (2, 'MRI KNEE WITHOUT CONTRAST'), (3, 'MRI KNEE'), (4, 'MRI HIP WITH CONTRAST'), (5, 'ULTRASOUND KNEE WITH CONTRAST'), (6, 'KNEE WITH CONTRAST'), (7, '')) v(n, study), LATERAL pg_temp.exam('KNEE' || n, 2, '09:00', study) e(id) ORDER BY n;
DELETE FROM radscheduler.site_rule WHERE site_id = :site;
-- Age, sex, scanner.
INSERT INTO radscheduler.site_rule (site_id, code, severity, text, min_age, max_age) VALUES (:site, 'CHILDREN', 'info', 'A child: the play room is booked too.', 2, 12);
INSERT INTO radscheduler.site_rule (site_id, code, severity, text, sex, resource) VALUES (:site, 'WOMEN_ON_TWO', 'warning', 'Scanner two has no changing room for women.', 'F', 'mr_');
SELECT n, pg_temp.ask(e.id) AS answer FROM (VALUES (1, 'F', 1, 'MR1'), (2, 'M', 2, 'MR1'), (3, 'M', 12, 'MR2'), (4, 'F', 13, NULL), (5, '', NULL, 'MR1'), (6, 'O', 40, 'CT1')) v(n, gender, years, scanner),
    LATERAL pg_temp.exam('WHO' || n, 2, '09:00', CASE WHEN scanner LIKE 'CT%' THEN 'CT' ELSE 'MRI' END || ' KNEE WITHOUT CONTRAST', scanner, gender, years) e(id) ORDER BY n, answer;
DELETE FROM radscheduler.site_rule WHERE site_id = :site;
-- Facts: present, recorded, missing, below, above; their age, and a date in the future.
INSERT INTO radscheduler.site_rule (site_id, code, severity, text, fact_kind, fact_code, fact_test, fact_value, fact_days) VALUES
    (:site, 'A_PRESENT', 'warning', 'Claustrophobia.', 'claustrophobia', NULL, 'present', NULL, NULL), (:site, 'B_RECORDED', 'warning', 'Claustrophobia.', 'claustrophobia', NULL, 'recorded', NULL, NULL),
    (:site, 'C_MISSING', 'warning', 'No height.', 'height', NULL, 'missing', NULL, 90), (:site, 'D_BELOW', 'warning', 'Small.', 'height', NULL, 'below', 150, NULL), (:site, 'E_ABOVE', 'warning', 'Tall.', 'height', NULL, 'above', 200, NULL),
    (:site, 'F_LATEX', 'critical', 'Latex.', 'allergy', '%latex%', 'present', NULL, NULL);
SELECT pg_temp.exam('FACT' || n, 2, '09:00', 'MRI KNEE WITHOUT CONTRAST') > 0 AS booked FROM generate_series(1, 4) n;
SELECT count(radscheduler.record_fact('FACT' || n, kind, code, value, observed_at => now() - ago::interval)) AS facts FROM (VALUES (2, 'claustrophobia', 'none', NULL, '1 day'), (2, 'height', NULL, 140, '1 day'), (2, 'allergy', 'penicillin', NULL, '1 day'),
    (3, 'claustrophobia', 'severe', NULL, '1 day'), (3, 'height', NULL, 205, '100 days'), (3, 'allergy', 'natural latex rubber', NULL, '1 year'), (4, 'claustrophobia', 'severe', NULL, '-2 hours'), (4, 'height', NULL, 205, '-2 hours'), (4, 'allergy', 'latex', NULL, '-2 hours')) v(n, kind, code, value, ago);
SELECT a.mrn, pg_temp.ask(a.appointment_id) AS answer FROM (SELECT p.mrn, a.appointment_id FROM radscheduler.appointment a JOIN radscheduler.patient p USING (site_id, patient_id) WHERE a.site_id = :site AND p.mrn LIKE 'FACT_' ORDER BY p.mrn) a;
SELECT DISTINCT a.status, pg_temp.told(a.appointment_id) AS told FROM radscheduler.appointment a JOIN radscheduler.patient p USING (site_id, patient_id) WHERE a.site_id = :site AND p.mrn = 'FACT3';
DELETE FROM radscheduler.site_rule WHERE site_id = :site;

-- A gap to another exam, in one order or either; a row for each pair, told on both sides, gone with its cause.
INSERT INTO radscheduler.site_rule (site_id, code, severity, text, study, gap_minutes, gap_order, other_study) VALUES (:site, 'SEDATION_REST', 'warning', 'After sedation a patient rests for two hours.', NULL, 120, 'after', '%SEDATION%');
INSERT INTO radscheduler.site_rule (site_id, code, severity, text, modalities, gap_minutes, gap_order, other_modalities, other_contrast) VALUES (:site, 'MR_AROUND_CT', 'info', 'MRI and CT with contrast on different days.', '{MR}', 720, 'either', '{CT}', true);
SELECT pg_temp.exam('GAP1', 5, '08:00', 'MRI BRAIN IN SEDATION WITHOUT CONTRAST') AS first \gset
SELECT pg_temp.exam('GAP1', 5, '10:00', 'ULTRASOUND LIVER') AS second \gset
SELECT pg_temp.exam('GAP1', 5, '15:00', 'CT CHEST W CONTRAST') AS third \gset
SELECT pg_temp.exam('GAP1', 5, '20:00', 'CT CHEST', filler => 'LATE') AS fourth \gset
SELECT v.name, pg_temp.told(v.id) AS told FROM (VALUES (1, 'first', :first), (2, 'second', :second), (3, 'third', :third), (4, 'fourth', :fourth)) v(n, name, id) ORDER BY n;
SELECT pg_temp.ask(:first) AS first;
UPDATE radscheduler.appointments SET datetime = datetime + interval '31 minutes' WHERE id = :second;
SELECT pg_temp.told(:second) AS second;
UPDATE radscheduler.appointments SET status = 'CANCELLED' WHERE id = :third;
SELECT pg_temp.told(:first) AS first;
DELETE FROM radscheduler.site_rule WHERE site_id = :site;

-- Bookings made here only; refused in the site's own words.
INSERT INTO radscheduler.site_rule (site_id, code, severity, text, applies_to, modalities) VALUES (:site, 'PHONE_ONLY', 'critical', 'PET is booked by telephone.', 'bookings', '{PT}');
SELECT pg_temp.told(pg_temp.exam('PHONE1', 3, '09:00', 'PET CT FDG')) AS fed;
\set SHOW_CONTEXT never
SAVEPOINT before;
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, study_type, datetime) VALUES ('PHONE2', 'Tester Two', 'PET', 'PET CT FDG', current_date + 3 + time '10:00');
ROLLBACK TO before;

-- Rows that are no rules. Nothing of a row is run: a pattern is compared, whatever it says.
\set VERBOSITY terse
INSERT INTO radscheduler.site_rule (site_id, code, severity, text, modalities) VALUES (:site, 'EGFR_LOW', 'info', 'Taken.', '{CT}');
ROLLBACK TO before;
INSERT INTO radscheduler.site_rule (site_id, code, severity, text, modalities) VALUES (:site, 'lower', 'info', 'Lower case.', '{CT}');
ROLLBACK TO before;
INSERT INTO radscheduler.site_rule (site_id, code, severity, text) VALUES (:site, 'ALWAYS', 'info', 'Asks nothing.');
ROLLBACK TO before;
INSERT INTO radscheduler.site_rule (site_id, code, severity, text, fact_kind, fact_test) VALUES (:site, 'HALF', 'info', 'No number.', 'weight', 'above');
ROLLBACK TO before;
INSERT INTO radscheduler.site_rule (site_id, code, severity, text, fact_kind, fact_test) VALUES (:site, 'NO_KIND', 'info', 'No such kind.', 'shoe size', 'present');
ROLLBACK TO before;
INSERT INTO radscheduler.site_rule (site_id, code, severity, text, gap_minutes, gap_order, other_study) VALUES (:site, 'ESCAPE', 'info', 'Escape.', 10, 'after', E'abc\\');
ROLLBACK TO before;
INSERT INTO radscheduler.site_rule (site_id, code, severity, text, other_study, modalities) VALUES (:site, 'NO_GAP', 'info', 'Other without gap.', '%', '{CT}');
ROLLBACK TO before;
INSERT INTO radscheduler.site_rule (site_id, code, severity, text, study) VALUES (:site, 'QUOTED', 'info', '%s %I ''; DROP TABLE radscheduler.site; --', '''; DROP TABLE radscheduler.site; --%');
SELECT pg_temp.told(pg_temp.exam('QUOTE1', 4, '09:00', '''; DROP TABLE radscheduler.site; -- MRI')) AS told;
ROLLBACK;
