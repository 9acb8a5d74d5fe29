-- The clinical rules: for each what passes, what fails, what cannot be told, how it is switched off and tuned. Times are counted from now, as facts of the past are about coming exams;
-- nothing printed depends on them. At a site of its own; nothing is kept.
SET client_min_messages = warning;
SET timezone = 'UTC';
BEGIN;
SELECT radscheduler.create_site('CLINIC', 'Clinical rules', 'UTC') AS site \gset
SET LOCAL radscheduler.site = 'CLINIC';
DELETE FROM radscheduler.resource_hours WHERE site_id = :site;
SELECT count(radscheduler.add_resource(code, name, 'equipment', modality, 1000)) AS added FROM (VALUES ('CT1', 'CT scanner 1', 'CT'), ('MR1', 'MR scanner 1', 'MR')) v(code, name, modality);
SELECT (radscheduler.set_sender('RIS', 'CLINIC')).is_new;
-- An exam some days from now at a wall time that the RIS tells of, a fact about its patient, and what a rule says.
CREATE FUNCTION pg_temp.exam(who text, day integer, at time, study text, minutes integer DEFAULT 30, rest text DEFAULT '', gender text DEFAULT 'F', years integer DEFAULT 40, notes text DEFAULT '', filler text DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v_id bigint;
BEGIN
    SELECT i.appointment_id INTO v_id FROM radscheduler.ingest(convert_to(concat_ws(E'\r', format('MSH|^~\&|RIS|CLINIC|RADSCHED|RAD|20260101080000||SIU^S12|%s|P|2.5', md5(random()::text)),
        format('SCH||%s|||||||%s|MIN|^^^%s', coalesce(filler, who || '-' || day || to_char(at, 'HH24MI')), minutes, to_char(current_date + day + at, 'YYYYMMDDHH24MI')), nullif('NTE|1||' || notes, 'NTE|1||'),
        format('PID|1||%s||TESTER^%s||%s|%s', who, who, to_char(current_date - make_interval(years => years), 'YYYYMMDD'), gender), 'AIS|1||^' || study, nullif(rest, '')), 'UTF8')) i;
    RETURN v_id;
END $$;
CREATE FUNCTION pg_temp.fact(who text, kind text, code text DEFAULT NULL, value numeric DEFAULT NULL, unit text DEFAULT NULL, severity text DEFAULT NULL, ago interval DEFAULT '1 day') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM radscheduler.record_fact(who, kind, code, value, unit, severity, now() - ago);
END $$;
CREATE FUNCTION pg_temp.ask(id bigint, rule text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', e.verdict, coalesce(e.severity::text, 'not told'), CASE WHEN e.other_appointment_id IS NOT NULL THEN 'with another' END, '-', e.sentence) FROM radscheduler.explain_rules(id) e WHERE e.code = rule ORDER BY 1 $$;
CREATE FUNCTION pg_temp.told(id bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', c ->> 'severity', c ->> 'code', c ->> 'state'), ', ' ORDER BY c ->> 'code', c ->> 'severity') FROM radscheduler.appointments a, jsonb_array_elements(a.conflicts) c WHERE a.id = told.id $$;

-- A new site tells what somebody has recorded, and no more.
SELECT clinical_rules FROM radscheduler.site WHERE site_id = :site;
SELECT pg_temp.exam('KNOWN1', 1, '08:00', 'CT CHEST W CONTRAST') AS known \gset
SELECT pg_temp.told(:known) AS told;
SELECT code, origin, verdict, severity FROM radscheduler.explain_rules(:known) ORDER BY origin, code;
SELECT pg_temp.fact('KNOWN1', 'egfr', NULL, 25);
SELECT pg_temp.told(:known) AS told, (SELECT status FROM radscheduler.appointments WHERE id = :known) AS status;
SELECT pg_temp.fact('KNOWN1', 'egfr', NULL, 80, ago => '1 minute');
SELECT pg_temp.told(:known) AS told, (SELECT status FROM radscheduler.appointments WHERE id = :known) AS status;

-- One call asks them for everybody, or for those booked here.
SELECT radscheduler.set_clinical_rules() AS before;
SELECT checked > 0 AS checked, opened > 0 AS opened FROM radscheduler.recheck_conflicts(now(), now() + interval '3 days');
SELECT pg_temp.told(:known) AS told;

-- Of one rule about many exams: the exam tomorrow at ten, what is recorded, and what the rule says.
CREATE FUNCTION pg_temp.case_of(who text, rule text, study text, facts jsonb DEFAULT '[]', gender text DEFAULT 'F', years integer DEFAULT 40, minutes integer DEFAULT 60, notes text DEFAULT '', rest text DEFAULT '', at time DEFAULT '10:00')
    RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    v_id   bigint := pg_temp.exam(who, 1, at, study, minutes, rest, gender, years, notes);
    v_fact jsonb;
BEGIN
    FOR v_fact IN SELECT * FROM jsonb_array_elements(facts) LOOP
        PERFORM pg_temp.fact(who, v_fact ->> 'kind', v_fact ->> 'code', (v_fact ->> 'value')::numeric, v_fact ->> 'unit', v_fact ->> 'severity', coalesce((v_fact ->> 'ago')::interval, '1 day'));
    END LOOP;
    RETURN QUERY SELECT * FROM pg_temp.ask(v_id, rule);
END $$;

-- CONTRAST_UNKNOWN: what the text and the catalogue say; contradicting each other is critical, saying nothing where contrast is given cannot be told.
SELECT count(radscheduler.add_procedure(code, 'Odd exam ' || code, 'CT', 30, contrast, aliases => aliases::text[])) AS added FROM (VALUES ('ODD1', 'with', '{ODD WITHOUT CONTRAST}'), ('ODD2', 'none', '{ODD WITH CONTRAST}'), ('ODD3', 'with', '{ODD QUIETLY}'), ('ODD4', 'none', '{ODD SILENTLY}')) v(code, contrast, aliases);
SELECT n, study, x AS answer FROM (VALUES (1, 'CT CHEST W CONTRAST'), (2, 'CT HEAD WITHOUT CONTRAST'), (3, 'CT CHEST'), (4, 'MRI KNEE'), (5, 'ULTRASOUND KIDNEYS'), (6, 'ODD WITHOUT CONTRAST'),
        (7, 'ODD WITH CONTRAST'), (8, 'ODD QUIETLY'), (9, 'ODD SILENTLY'), (10, ''), (11, 'SOMETHING'), (12, 'CT HEAD W/WO CONTRAST')) v(n, study), LATERAL pg_temp.case_of('CU' || n, 'CONTRAST_UNKNOWN', study) x ORDER BY n;

-- CONTRAST_LAB_MISSING and EGFR_LOW: value, age, a date in the future, and what only may need contrast. The absence of an eGFR is told once.
SELECT n, rule, x AS answer FROM (VALUES (1, 'CT CHEST W CONTRAST', '[]'), (2, 'CT CHEST W CONTRAST', '[{"kind": "egfr", "value": 72}]'), (3, 'CT CHEST W CONTRAST', '[{"kind": "egfr", "value": 72, "ago": "30 days"}]'),
        (4, 'CT CHEST W CONTRAST', '[{"kind": "egfr", "value": 29.9}]'), (5, 'CT CHEST W CONTRAST', '[{"kind": "egfr", "value": 30}]'), (6, 'CT CHEST W CONTRAST', '[{"kind": "egfr", "value": 44.9}]'), (7, 'CT CHEST W CONTRAST', '[{"kind": "egfr", "value": 45}]'),
        (8, 'CT CHEST W CONTRAST', '[{"kind": "egfr", "value": 20, "ago": "400 days"}]'), (9, 'CT CHEST W CONTRAST', '[{"kind": "egfr", "value": 72, "ago": "-2 hours"}]'), (10, 'CT CHEST', '[{"kind": "egfr", "value": 20}]'),
        (11, 'CT CHEST', '[]'), (12, 'CT HEAD WITHOUT CONTRAST', '[{"kind": "egfr", "value": 20}]'), (13, 'CT CHEST W CONTRAST', '[{"kind": "egfr", "value": 20, "ago": "5 days"}, {"kind": "egfr", "value": 50}]'),
        (14, 'CT CHEST W CONTRAST', '[{"kind": "egfr", "code": "<", "value": 60}]'), (15, 'CT CHEST W CONTRAST', '[{"kind": "egfr", "code": "<", "value": 30}]'), (16, 'CT CHEST W CONTRAST', '[{"kind": "egfr", "code": ">", "value": 60}]'), (17, 'CT CHEST W CONTRAST', '[{"kind": "egfr", "code": ">", "value": 20}]')) v(n, study, facts),
    (VALUES ('CONTRAST_LAB_MISSING'), ('EGFR_LOW')) r(rule), LATERAL pg_temp.case_of('LAB' || n || left(rule, 1), rule, study, facts::jsonb) x ORDER BY n, rule;

-- CONTRAST_ALLERGY: severity by that of the allergy; iodine is not gadolinium; an allergy to something else is no answer, and a date in the future none either.
SELECT n, x AS answer FROM (VALUES (1, 'CT CHEST W CONTRAST', '[]'), (2, 'CT CHEST W CONTRAST', '[{"kind": "allergy", "code": "iodinated contrast", "severity": "SV"}]'), (3, 'CT CHEST W CONTRAST', '[{"kind": "allergy", "code": "iodinated contrast", "severity": "MI"}]'),
        (4, 'CT CHEST W CONTRAST', '[{"kind": "allergy", "code": "iodinated contrast"}]'), (5, 'CT CHEST W CONTRAST', '[{"kind": "allergy", "code": "penicillin", "severity": "SV"}]'), (6, 'CT CHEST W CONTRAST', '[{"kind": "allergy", "code": "none"}]'),
        (7, 'CT CHEST W CONTRAST', '[{"kind": "allergy", "code": "none", "ago": "800 days"}]'), (8, 'CT CHEST W CONTRAST', '[{"kind": "allergy", "code": "none"}, {"kind": "allergy", "code": "Omnipaque", "severity": "MO", "ago": "900 days"}]'),
        (9, 'CT CHEST W CONTRAST', '[{"kind": "allergy", "code": "none"}, {"kind": "allergy", "code": "iodinated contrast", "ago": "-2 hours"}]'), (10, 'MRI BRAIN W CONTRAST', '[{"kind": "allergy", "code": "iohexol", "severity": "SV"}]'),
        (11, 'MRI BRAIN W CONTRAST', '[{"kind": "allergy", "code": "gadobutrol", "severity": "SV"}]'), (12, 'CT CHEST', '[{"kind": "allergy", "code": "contrast", "severity": "SV"}]'), (13, 'CT HEAD WITHOUT CONTRAST', '[{"kind": "allergy", "code": "contrast", "severity": "SV"}]')) v(n, study, facts),
    LATERAL pg_temp.case_of('ALL' || n, 'CONTRAST_ALLERGY', study, facts::jsonb) x ORDER BY n;

-- METFORMIN: iodine agents only.
SELECT n, x AS answer FROM (VALUES (1, 'CT CHEST W CONTRAST', '[]'), (2, 'CT CHEST W CONTRAST', '[{"kind": "medication", "code": "metformin 500 mg"}]'), (3, 'CT CHEST W CONTRAST', '[{"kind": "medication", "code": "aspirin"}]'), (4, 'CT CHEST W CONTRAST', '[{"kind": "medication", "code": "none"}]'),
        (5, 'MRI BRAIN W CONTRAST', '[{"kind": "medication", "code": "metformin"}]'), (6, 'CT CHEST', '[{"kind": "medication", "code": "metformin"}]'), (7, 'CT CHEST W CONTRAST', '[{"kind": "medication", "code": "metformin", "ago": "-1 hour"}, {"kind": "medication", "code": "aspirin"}]')) v(n, study, facts),
    LATERAL pg_temp.case_of('MET' || n, 'METFORMIN', study, facts::jsonb) x ORDER BY n;

-- PREGNANCY: radiation, sex, age, how old an answer is.
SELECT n, x AS answer FROM (VALUES (1, 'CT', 'F', 40, '[]'), (2, 'CT', 'M', 40, '[]'), (3, 'CT', 'F', 70, '[]'), (4, 'CT', 'F', 8, '[]'), (5, 'CT', NULL, 40, '[]'), (6, 'CT', 'F', NULL, '[]'), (7, 'CT', 'O', 70, '[]'), (8, 'MR', 'F', 30, '[{"kind": "pregnancy", "code": "pregnant"}]'),
        (9, 'CT', 'F', 30, '[{"kind": "pregnancy", "code": "pregnant"}]'), (10, 'CT', 'F', 30, '[{"kind": "pregnancy", "code": "not_pregnant"}]'), (11, 'CT', 'F', 30, '[{"kind": "pregnancy", "code": "not_pregnant", "ago": "20 days"}]'), (12, 'CT', 'F', 30, '[{"kind": "pregnancy", "code": "pregnant", "ago": "400 days"}]'),
        (13, 'CT', 'F', 30, '[{"kind": "pregnancy", "code": "pregnant", "ago": "5 days"}, {"kind": "pregnancy", "code": "not_pregnant"}]'), (14, 'CT', 'F', 30, '[{"kind": "pregnancy", "code": "not_pregnant", "ago": "-3 hours"}]'), (15, 'CT', 'F', 12, '[]'), (16, 'CT', 'F', 55, '[]'), (17, 'CT', 'F', 56, '[]')) v(n, mod, gender, years, facts),
    LATERAL pg_temp.case_of('PRG' || n, 'PREGNANCY', mod || ' HEAD WITHOUT CONTRAST', facts::jsonb, coalesce(gender, ''), years) x ORDER BY n;

-- MR_SAFETY: an implant that is recorded outweighs the answer that there is none; a safe one must have healed.
SELECT n, x AS answer FROM (VALUES (1, 'MR', '[]'), (2, 'MR', '[{"kind": "implant", "code": "pacemaker"}]'), (3, 'MR', '[{"kind": "implant", "code": "none"}]'), (4, 'MR', '[{"kind": "implant", "code": "none", "ago": "400 days"}]'), (5, 'MR', '[{"kind": "implant", "code": "none"}, {"kind": "implant", "code": "pacemaker", "ago": "9 years"}]'),
        (6, 'MR', '[{"kind": "implant", "code": "hip prosthesis, MR safe", "ago": "1 year"}]'), (7, 'MR', '[{"kind": "implant", "code": "hip prosthesis, MR safe", "ago": "10 days"}]'), (8, 'CT', '[{"kind": "implant", "code": "pacemaker"}]'), (9, 'MR', '[{"kind": "implant", "code": "none"}, {"kind": "implant", "code": "pacemaker", "ago": "-1 day"}]'),
        (10, 'OTHERWISE', '[{"kind": "implant", "code": "pacemaker"}]')) v(n, mod, facts), LATERAL pg_temp.case_of('IMP' || n, 'MR_SAFETY', mod || ' BRAIN WITHOUT CONTRAST', facts::jsonb) x ORDER BY n;

-- WEIGHT_LIMIT: what the scanner carries, in kilograms or pounds; without a limit only the heavy are told of.
CREATE FUNCTION pg_temp.weighed(who text, kg numeric, unit text, ago interval) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT x FROM pg_temp.case_of(who, 'WEIGHT_LIMIT', 'CT HEAD WITHOUT CONTRAST', CASE WHEN kg IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object('kind', 'weight', 'value', kg, 'unit', unit, 'ago', ago)) END, rest => 'AIG|1||CT1') x $$;
SELECT n, x AS answer FROM (VALUES (1, 80, 'kg', interval '1 day'), (2, NULL, NULL, NULL), (3, 160, 'kg', '1 day'), (4, 400, 'lb', '1 day')) v(n, kg, unit, ago), pg_temp.weighed('WGT' || n, kg, unit, ago) x ORDER BY n;
UPDATE radscheduler.resource SET weight_limit_kg = 200 WHERE site_id = :site AND code = 'CT1';
SELECT n, x AS answer FROM (VALUES (5, 80, 'kg', interval '1 day'), (6, NULL, NULL, NULL), (7, 200.5, 'kg', '1 day'), (8, 450, 'lb', '1 day'), (9, 80, 'kg', '500 days'), (10, 220, 'kg', '500 days'), (12, 80, 'kg', '-1 hour')) v(n, kg, unit, ago),
    pg_temp.weighed('WGT' || n, kg, unit, ago) x ORDER BY n;

-- DURATION_TOO_SHORT: three quarters of the usual minutes, more for contrast that they do not count in and for sedation.
SELECT n, x AS answer FROM (VALUES (1, 'CT HEAD WITHOUT CONTRAST', 12, ''), (2, 'CT HEAD WITHOUT CONTRAST', 11, ''), (3, 'CT CHEST W CONTRAST', 23, ''), (4, 'CT WRIST WITH CONTRAST', 37, ''), (5, 'CT WRIST WITH CONTRAST', 38, ''),
        (6, 'CT HEAD WITHOUT CONTRAST', 41, 'in sedation'), (7, 'CT HEAD WITHOUT CONTRAST', 42, 'in sedation')) v(n, study, minutes, notes), LATERAL pg_temp.case_of('DUR' || n, 'DURATION_TOO_SHORT', study, minutes => minutes, notes => notes) x ORDER BY n;

-- ORDER_MISSING and AUTH_MISSING.
SELECT n, r.rule, x AS answer FROM (VALUES (1, 'CT'), (2, 'US')) v(n, mod), (VALUES ('ORDER_MISSING'), ('AUTH_MISSING')) r(rule), LATERAL pg_temp.case_of('ORD' || n || left(rule, 1), rule, mod || ' HEAD WITHOUT CONTRAST') x ORDER BY n, rule;
SELECT i.appointment_id AS ordered FROM radscheduler.ingest(convert_to(concat_ws(E'\r', 'MSH|^~\&|RIS|CLINIC|RADSCHED|RAD|20260101080000||SIU^S12|O1|P|2.5', format('SCH||ORDERED|||||||30|MIN|^^^%s|||||||||||||||P77|F77', to_char(current_date + 1 + time '10:00', 'YYYYMMDDHH24MI')),
    'PID|1||ORDERED||TESTER^ORDERED||19800101|M', 'AIS|1||CT-HEAD-WO^CT HEAD WITHOUT CONTRAST'), 'UTF8')) i \gset
SELECT pg_temp.ask(:ordered, 'ORDER_MISSING') AS answer;
SELECT radscheduler.authorize(:ordered, ' A-4711 ') AS version, radscheduler.authorize(:ordered, 'A-4711') AS unchanged;
SELECT pg_temp.ask(:ordered, 'AUTH_MISSING') AS answer, pg_temp.told(:ordered) LIKE '%AUTH%' AS told, (SELECT authorization_no FROM radscheduler.appointment WHERE appointment_id = :ordered);
SELECT radscheduler.authorize(:ordered, '') AS version, pg_temp.told(:ordered) LIKE '%AUTH%' AS told;

CREATE FUNCTION pg_temp.soon(who text, study text, facts jsonb) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    v_start timestamp := now() + interval '3 hours';
    v_id    bigint := pg_temp.exam(who, v_start::date - current_date, v_start::time, study);
BEGIN
    PERFORM pg_temp.fact(who, f ->> 'kind', f ->> 'code', ago => (f ->> 'ago')::interval) FROM jsonb_array_elements(facts) f;
    RETURN QUERY SELECT * FROM pg_temp.ask(v_id, 'REPEAT_CONTRAST');
END $$;

-- REPEAT_CONTRAST: what was given, and what is booked; the later exam is flagged, the earlier one told; completed exams count, cancelled ones do not.
SELECT n, x AS answer FROM (VALUES (1, 'CT CHEST W CONTRAST', '[{"kind": "contrast_given", "code": "iohexol", "ago": "5 minutes"}]'), (2, 'CT HEAD WITHOUT CONTRAST', '[{"kind": "contrast_given", "ago": "5 minutes"}]'), (3, 'CT CHEST', '[{"kind": "contrast_given", "ago": "5 minutes"}]'),
        (4, 'CT CHEST W CONTRAST', '[{"kind": "contrast_given", "ago": "3 days"}]'), (5, 'CT CHEST W CONTRAST', '[{"kind": "contrast_given", "ago": "-2 hours"}]')) v(n, study, facts),
    LATERAL pg_temp.soon('REP' || n, study, facts::jsonb) x ORDER BY n;
SELECT pg_temp.exam('PAIR1', 10, '09:00', 'CT CHEST W CONTRAST') AS first \gset
SELECT pg_temp.exam('PAIR1', 10, '15:00', 'MRI BRAIN W CONTRAST') AS second \gset
SELECT pg_temp.exam('PAIR1', 11, '16:00', 'CT CHEST') AS third \gset
SELECT v.name, x AS answer FROM (VALUES (1, 'first', :first), (2, 'second', :second), (3, 'third', :third)) v(n, name, id), LATERAL pg_temp.ask(v.id, 'REPEAT_CONTRAST') x ORDER BY n;
SELECT c ->> 'severity' AS severity, c ->> 'state' AS state, c ->> 'axis' AS axis, jsonb_array_length(c -> 'with') AS partners, c ->> 'overlap_min' AS minutes, c ->> 'message' AS message
    FROM radscheduler.appointment a, jsonb_array_elements(radscheduler.conflicts_of(a.site_id, a.appointment_id)) c WHERE a.appointment_id = :second AND c ->> 'code' = 'REPEAT_CONTRAST';
UPDATE radscheduler.appointments SET status = 'COMPLETED' WHERE id = :first;
SELECT pg_temp.told(:second) LIKE '%REPEAT_CONTRAST%' AS after_completion;
UPDATE radscheduler.appointments SET status = 'CANCELLED' WHERE id = :first;
SELECT pg_temp.told(:second) LIKE '%REPEAT_CONTRAST%' AS after_cancellation;
UPDATE radscheduler.appointments SET datetime = datetime - interval '6 days' WHERE id = :third;
SELECT pg_temp.told(:second) LIKE '%REPEAT_CONTRAST%' AS with_the_third_moved, pg_temp.told(:third) LIKE '%REPEAT_CONTRAST%' AS third;

-- An acceptance covers what was accepted; nearer, the conflict is open again.
SELECT pg_temp.exam('PAIR2', 10, '09:00', 'CT CHEST W CONTRAST') AS first \gset
SELECT pg_temp.exam('PAIR2', 10, '15:00', 'MRI BRAIN W CONTRAST') AS second \gset
UPDATE radscheduler.conflict SET state = 'accepted', accepted_by = 'R. Sample' WHERE site_id = :site AND code = 'REPEAT_CONTRAST' AND appointment_id = :second;
UPDATE radscheduler.appointments SET datetime = datetime + interval '2 hours' WHERE id = :second;
SELECT c.state, c.accepted_by FROM radscheduler.conflict c WHERE c.site_id = :site AND c.code = 'REPEAT_CONTRAST' AND c.appointment_id = :second;
UPDATE radscheduler.appointments SET datetime = datetime + interval '3 hours' WHERE id = :first;
SELECT c.state, c.accepted_by FROM radscheduler.conflict c WHERE c.site_id = :site AND c.code = 'REPEAT_CONTRAST' AND c.appointment_id = :second;

-- Who accepted that nobody knows has not accepted what then turns out.
SELECT pg_temp.exam('ACCEPT1', 10, '09:00', 'CT CHEST W CONTRAST') AS unsure \gset
UPDATE radscheduler.conflict SET state = 'accepted', accepted_by = 'R. Sample' WHERE site_id = :site AND code = 'METFORMIN' AND appointment_id = :unsure;
SELECT pg_temp.fact('ACCEPT1', 'medication', 'metformin');
SELECT c ->> 'severity' AS severity, c ->> 'state' AS state, c ->> 'by' AS by, c ->> 'message' AS message FROM radscheduler.appointment a, jsonb_array_elements(radscheduler.conflicts_of(a.site_id, a.appointment_id)) c WHERE a.appointment_id = :unsure AND c ->> 'code' = 'METFORMIN';
SELECT c.state, c.accepted_by FROM radscheduler.conflict c WHERE c.site_id = :site AND c.code = 'METFORMIN' AND c.appointment_id = :unsure ORDER BY c.conflict_id;
-- Sentences of conflicts, told and not known.
SELECT DISTINCT c ->> 'code' AS code, c ->> 'axis' AS axis, c ->> 'message' AS message FROM radscheduler.appointment a, jsonb_array_elements(radscheduler.conflicts_of(a.site_id, a.appointment_id)) c WHERE a.site_id = :site AND NOT c ->> 'code' LIKE '%DOUBLE%' ORDER BY 1, 3;

-- PREP_CLASH: exams that spoil a later one, in this order only.
SELECT name, first_modalities, second_modalities, minutes FROM radscheduler.exam_gap ORDER BY name;
CREATE FUNCTION pg_temp.pair(who text, one text, two text, hours integer) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    v_one bigint := pg_temp.exam(who, 20, '09:00', one, 60);
    v_two bigint := pg_temp.exam(who, 20 + (9 + hours) / 24, make_time((9 + hours) % 24, 30, 0), two, 60);
BEGIN
    RETURN QUERY SELECT * FROM pg_temp.ask(v_two, 'PREP_CLASH');
END $$;
SELECT n, x AS answer FROM (VALUES (1, 'BARIUM ESOPHAGRAM', 'CT ABDOMEN W CONTRAST', 48), (2, 'CT ABDOMEN W CONTRAST', 'BARIUM ESOPHAGRAM', 48), (3, 'BARIUM ESOPHAGRAM', 'CT ABDOMEN W CONTRAST', 170), (4, 'BARIUM ESOPHAGRAM', 'CT HEAD WITHOUT CONTRAST', 48),
        (5, 'CT CHEST W CONTRAST', 'NM THYROID UPTAKE', 600), (6, 'CT HEAD WITHOUT CONTRAST', 'NM THYROID UPTAKE', 600), (7, 'CT CHEST', 'NM THYROID UPTAKE', 600), (8, 'NM BONE SCAN', 'NM LUNG VQ', 24), (9, 'PET CT FDG', 'NM BONE SCAN', 5),
        (10, 'MRI BRAIN W CONTRAST', 'NM BONE SCAN', 5), (11, 'US BREAST BIOPSY', 'MAMMOGRAM SCREENING', 3), (12, 'MAMMOGRAM SCREENING', 'US BREAST BIOPSY', 3), (13, 'FLUORO ENEMA', 'ULTRASOUND ABDOMEN', 3), (14, 'BARIUM ESOPHAGRAM', 'NM BONE SCAN', 30)) v(n, one, two, hours),
    LATERAL pg_temp.pair('GAP' || n, one, two, hours) x ORDER BY n;
-- ... and a diabetic who would fast until late.
SELECT n, x AS answer FROM (VALUES (1, '10:45', '[{"kind": "diagnosis", "code": "E11.9"}]'), (2, '11:00', '[{"kind": "diagnosis", "code": "E11.9"}]'), (3, '13:00', '[{"kind": "diagnosis", "code": "C34.1"}]'), (4, '13:00', '[]'), (5, '13:00', '[{"kind": "medication", "code": "insulin"}]'), (6, '13:00', '[{"kind": "diagnosis", "code": "no diabetes"}]')) v(n, at, facts),
    LATERAL pg_temp.case_of('FAST' || n, 'PREP_CLASH', 'CT CHEST W CONTRAST', facts::jsonb, at => at::time) x ORDER BY n;

-- DUPLICATE_EXAM: information only.
SELECT pg_temp.exam('TWICE1', 30, '09:00', 'CT HEAD WITHOUT CONTRAST') AS first \gset
SELECT pg_temp.exam('TWICE1', 33, '09:00', 'CT HEAD WO') AS second \gset
SELECT pg_temp.exam('TWICE1', 45, '09:00', 'CT HEAD WO') AS third \gset
SELECT v.name, x AS answer FROM (VALUES (1, 'first', :first), (2, 'second', :second), (3, 'third', :third)) v(n, name, id), LATERAL pg_temp.ask(v.id, 'DUPLICATE_EXAM') x ORDER BY n;

-- Every rule off, and tuned: the site's numbers and severities.
SELECT pg_temp.exam('TUNE1', 1, '10:00', 'CT CHEST W CONTRAST', 45) AS tuned \gset
SELECT count(pg_temp.fact('TUNE1', kind, code, value, severity => severity)) AS facts FROM (VALUES ('egfr', NULL, 50, NULL), ('allergy', 'iodinated contrast', NULL, 'MI'), ('medication', 'metformin', NULL, NULL), ('contrast_given', NULL, NULL, NULL), ('weight', NULL, 120, NULL), ('pregnancy', 'pregnant', NULL, NULL)) v(kind, code, value, severity);
SELECT code, verdict, severity FROM radscheduler.explain_rules(:tuned) WHERE origin = 'clinical' ORDER BY code;
INSERT INTO radscheduler.rule_setting (site_id, code, severity, if_unknown, parameters) VALUES
    (:site, 'EGFR_LOW', NULL, NULL, '{"critical_below": 40, "warning_below": 60}'), (:site, 'CONTRAST_ALLERGY', NULL, NULL, '{"severities": {"MI": "info"}}'), (:site, 'METFORMIN', NULL, NULL, '{"safe_egfr": 45}'),
    (:site, 'REPEAT_CONTRAST', NULL, NULL, '{"hours": 72}'), (:site, 'WEIGHT_LIMIT', NULL, 'critical', '{"heavy_kg": 100}'), (:site, 'PREGNANCY', 'warning', NULL, '{"max_age": 39}'), (:site, 'DURATION_TOO_SHORT', 'critical', NULL, '{"minutes": {"CT002": 50}}'),
    (:site, 'CONTRAST_LAB_MISSING', NULL, NULL, '{"max_days": 0}'), (:site, 'MR_SAFETY', NULL, NULL, '{"modalities": ["MR", "CT"]}'), (:site, 'ORDER_MISSING', NULL, NULL, '{"modalities": ["MR"]}'), (:site, 'AUTH_MISSING', 'warning', NULL, '{"modalities": []}'),
    (:site, 'CONTRAST_UNKNOWN', NULL, 'critical', '{"modalities": ["MR"]}'), (:site, 'PREP_CLASH', NULL, NULL, '{"fasting_after": "09:30", "gaps": {"NM_BEFORE_NM": null}}'), (:site, 'DUPLICATE_EXAM', 'warning', NULL, '{"days": 20}');
SELECT code, verdict, severity FROM radscheduler.explain_rules(:tuned) WHERE origin = 'clinical' ORDER BY code;
SELECT pg_temp.exam('TUNE5', 1, '10:00', 'CT CHEST W CONTRAST', 60) AS five \gset
SELECT pg_temp.fact('TUNE5', 'medication', 'metformin'), pg_temp.fact('TUNE5', 'egfr', NULL, 50);
UPDATE radscheduler.rule_setting SET parameters = '{"max_days": 10}' WHERE site_id = :site AND code = 'CONTRAST_LAB_MISSING';
SELECT pg_temp.ask(:five, 'METFORMIN') AS answer;
SELECT x AS answer FROM pg_temp.case_of('TUNE2', 'CONTRAST_UNKNOWN', 'CT CHEST') x UNION ALL SELECT x FROM pg_temp.case_of('TUNE3', 'CONTRAST_UNKNOWN', 'MRI KNEE') x UNION ALL SELECT x FROM pg_temp.ask(:third, 'DUPLICATE_EXAM') x
    UNION ALL SELECT x FROM pg_temp.pair('TUNE4', 'NM BONE SCAN', 'NM LUNG VQ', 24) x;
DELETE FROM radscheduler.rule_setting WHERE site_id = :site;
INSERT INTO radscheduler.rule_setting (site_id, code, severity) SELECT :site, k.code, 'off' FROM radscheduler.rule_kind k WHERE radscheduler.is_clinical_rule(k.code);
SELECT verdict, severity, count(*) FROM radscheduler.explain_rules(:tuned) WHERE origin = 'clinical' GROUP BY 1, 2;
SELECT resolved > 50 AS resolved FROM radscheduler.recheck_conflicts(now(), now() + interval '80 days');
SELECT count(*) FROM radscheduler.conflict c WHERE c.site_id = :site AND c.state <> 'resolved';
-- Off for all, one switched on by its row.
SELECT radscheduler.set_clinical_rules('off') AS before;
DELETE FROM radscheduler.rule_setting WHERE site_id = :site;
SELECT checked > 0 AS checked, opened FROM radscheduler.recheck_conflicts(now(), now() + interval '80 days');
SELECT DISTINCT verdict, severity FROM radscheduler.explain_rules(:tuned) WHERE origin = 'clinical';
INSERT INTO radscheduler.rule_setting (site_id, code, severity) VALUES (:site, 'PREGNANCY', 'critical');
SELECT checked > 0 AS checked, opened > 10 AS opened FROM radscheduler.recheck_conflicts(now(), now() + interval '80 days');
SELECT c.code, c.severity, count(*) > 0 AS found FROM radscheduler.conflict c WHERE c.site_id = :site AND c.state <> 'resolved' GROUP BY 1, 2 ORDER BY 1, 2;
DELETE FROM radscheduler.rule_setting WHERE site_id = :site;
-- Values that are none are refused.
\set VERBOSITY terse
SAVEPOINT before;
INSERT INTO radscheduler.rule_setting (site_id, code, parameters) VALUES (:site, 'EGFR_LOW', '{"critical_below": "thirty"}');
ROLLBACK TO before;
INSERT INTO radscheduler.rule_setting (site_id, code, if_unknown) VALUES (:site, 'OUTSIDE_HOURS', 'warning');
ROLLBACK TO before;
INSERT INTO radscheduler.rule_setting (site_id, code, if_unknown) VALUES (:site, 'PREGNANCY', 'info');
ROLLBACK TO before;
INSERT INTO radscheduler.rule_setting (site_id, code) VALUES (:site, 'PREGNANCY');
ROLLBACK TO before;
SELECT radscheduler.set_clinical_rules('sometimes');
ROLLBACK TO before;
SELECT * FROM radscheduler.explain_rules(-1);
ROLLBACK TO before;
SELECT code, parameters, radscheduler.rule_parameters_fault(code, parameters) AS fault FROM (VALUES ('EGFR_LOW', '{"critical_below": 0}'::jsonb), ('EGFR_LOW', '{"below": 30}'), ('EGFR_LOW', '[]'), ('METFORMIN', '{"safe_egfr": null}'), ('PREP_CLASH', '{"gaps": {"BARIUM": 3}}'),
    ('PREP_CLASH', '{"gaps": {"NM_BEFORE_NM": null, "PET_BEFORE_NM": 60}, "fasting_after": null}'), ('PREP_CLASH', '{"fasting_after": "25:00"}'), ('CONTRAST_ALLERGY', '{"severities": {"SV": "dire"}}'), ('CONTRAST_ALLERGY', '{"iodine": ["IOD", 3]}'), ('OUTSIDE_HOURS', '{"days": 3}')) v(code, parameters);

-- Bookings made here are asked at once, and refused where it is critical; what the RIS tells of only where a danger is recorded.
SELECT radscheduler.set_clinical_rules('bookings') AS before;
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, study_type, datetime) VALUES ('OWN1', 'Tester One', 'CT', 'CT CHEST W CONTRAST', current_date + 50 + time '09:00') RETURNING id AS own \gset
SELECT pg_temp.exam('FED1', 50, '09:00', 'CT CHEST W CONTRAST') AS fed \gset
SELECT pg_temp.told(:own) AS own, pg_temp.told(:fed) AS fed;
SELECT pg_temp.fact('OWN1', 'egfr', NULL, 25), pg_temp.fact('FED1', 'egfr', NULL, 25);
SELECT pg_temp.told(:own) AS own, pg_temp.told(:fed) AS fed;
SAVEPOINT before;
\set VERBOSITY default
\set SHOW_CONTEXT never
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, study_type, datetime) VALUES ('OWN1', 'Tester One', 'CT', 'CT HEAD WITH CONTRAST', current_date + 55 + time '09:00');
ROLLBACK TO before;
-- The functions say the same as values: why, and that another time does not help; a reason overrides it.
SELECT c.code, c.severity, c.message FROM radscheduler.check_conflicts('OWN1', current_date + 56 + time '09:00', 'CT', 'CT002') c WHERE radscheduler.is_clinical_rule(c.code) ORDER BY c.code;
SELECT b.outcome, b.error ->> 'code' AS code, b.error ->> 'text' AS text, b.error ->> 'detail' AS detail, b.error ->> 'hint' AS hint, b.alternatives FROM radscheduler.try_book('OWN1', current_date + 56 + time '09:00', 'CT', 'CT002') b;
SELECT b.outcome, b.status, (SELECT string_agg(concat_ws(' ', c ->> 'code', c ->> 'state'), ', ' ORDER BY c ->> 'code') FROM jsonb_array_elements(b.conflicts) c WHERE c ->> 'severity' = 'critical') AS critical
    FROM radscheduler.try_book('OWN1', current_date + 56 + time '09:00', 'CT', 'CT002', override_reason => 'dialysis is arranged') b;
-- An exam that the RIS moves close to a booking made here is seen from there.
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, study_type, datetime) VALUES ('OWN2', 'Tester Two', 'CT', 'CT CHEST W CONTRAST', current_date + 60 + time '09:00') RETURNING id AS own \gset
SELECT pg_temp.exam('OWN2', 40, '09:00', 'MRI BRAIN W CONTRAST', filler => 'MOVES') AS fed \gset
SELECT pg_temp.told(:own) LIKE '%REPEAT%' AS before;
SELECT pg_temp.exam('OWN2', 59, '15:00', 'MRI BRAIN W CONTRAST', filler => 'MOVES') = :fed AS same;
SELECT pg_temp.told(:own) LIKE '%REPEAT%' AS after;

-- A sender whose profile refuses conflicts is refused, and told in words without the patient.
SELECT (radscheduler.set_sender('RIS', 'CLINIC', '{"on_conflict": "reject"}')).is_new;
SELECT r.code, regexp_replace(e, 'appointment \d+', 'appointment N') AS err FROM radscheduler.ingest(convert_to(concat_ws(E'\r', 'MSH|^~\&|RIS|CLINIC|RADSCHED|RAD|20260101090000||SIU^S12|REFUSE1|P|2.5', format('SCH||REFUSE1|||||||30|MIN|^^^%s', to_char(current_date + 58 + time '09:00', 'YYYYMMDDHH24MI')),
    'PID|1||FED1||TESTER^FED1||19800101|M', 'AIS|1||^CT CHEST W CONTRAST'), 'UTF8')) r, regexp_split_to_table(convert_from(r.ack, 'UTF8'), E'\r') e WHERE e LIKE 'ERR%';
ROLLBACK;
