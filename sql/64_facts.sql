-- Facts about patients: recorded, told in messages, told again, corrected, withdrawn; they go with their patient. At a site of its own; nothing is kept.
SET client_min_messages = warning;
SET timezone = 'UTC';
BEGIN;
SELECT radscheduler.create_site('FACTS', 'Facts', 'UTC') AS site \gset
SET LOCAL radscheduler.site = 'FACTS';
DELETE FROM radscheduler.resource_hours WHERE site_id = :site;
SELECT (radscheduler.set_sender('RIS', 'FACTS')).is_new;
CREATE FUNCTION pg_temp.send(event text, sent text, who text, facts text, key text DEFAULT NULL, rest text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', i.code, i.outcome, (SELECT string_agg(concat_ws('@', w ->> 'code', w ->> 'path'), ' ' ORDER BY w ->> 'code', w ->> 'path') FROM jsonb_array_elements(i.warnings) w))
    FROM radscheduler.ingest(convert_to(concat_ws(E'\r', format('MSH|^~\&|RIS|FACTS|RADSCHED|RAD|%s||%s|%s|P|2.5', sent, event, md5(random()::text)),
        CASE WHEN key IS NOT NULL THEN format('SCH||%s|||||||30|MIN|^^^203103101000', key) END, format('PID|1||%s||TESTER^%s||19800101|F', who, who), rest, facts), 'UTF8')) i $$;
CREATE FUNCTION pg_temp.known(who text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', kind, code, value, unit, severity, to_char(observed_at, 'YYYY-MM-DD HH24:MI'), source) FROM radscheduler.facts_of(who) $$;
-- What a statement is refused with.
CREATE FUNCTION pg_temp.refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE v_hint text;
BEGIN
    EXECUTE statement;
    RETURN 'not refused';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_hint = PG_EXCEPTION_HINT;
    RETURN SQLSTATE || ' ' || SQLERRM || ' - ' || v_hint;
END $$;

-- What an exam's text says of contrast; the first lines are those that a pattern of WITH alone takes for exams without.
SELECT text, radscheduler.contrast_meant(text) AS meant FROM (VALUES (1, 'WITH AND WITHOUT CONTRAST'), (2, 'W WO CONTRAST'), (3, 'W/ & W/O CONTRAST'), (4, 'W/ AND W/O GAD'), (5, 'W IV CONTRAST'), (6, 'W+W/O'), (7, 'CT HEAD W/O'),
    (8, 'CT CHEST'), (9, 'CT ABDOMEN CONTRAST IF NEEDED'), (10, 'MRI BRAIN WITH SEDATION'), (11, 'CTA CHEST'), (12, ''), (13, NULL)) v(n, text) ORDER BY n;
SELECT p.provolatile, p.proisstrict, p.proparallel FROM pg_proc p WHERE p.oid = 'radscheduler.contrast_meant(text)'::regprocedure;

-- Recorded by people: numbers in the unit of their kind.
INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, study_type, datetime) VALUES ('HAND1', 'Hanna Tester', 'CT', 'CT HEAD WITHOUT CONTRAST', '2031-03-10 10:00');
SELECT count(radscheduler.record_fact('HAND1', kind, code, value, unit, severity, ('2031-01-0' || n || ' 08:00')::timestamptz)) AS recorded FROM (VALUES (1, 'creatinine', NULL, 88.42, 'umol/L', NULL), (2, 'weight', NULL, 176, 'lb', NULL),
    (3, 'height', NULL, 1.72, 'm', NULL), (4, 'egfr', NULL, 62, ' mL/min/1.73m2', NULL), (5, 'allergy', ' latex ', NULL, NULL, 'mo'), (6, 'pregnancy', 'not_pregnant', NULL, NULL, NULL), (7, 'contrast_given', NULL, NULL, NULL, NULL)) v(n, kind, code, value, unit, severity);
SELECT * FROM pg_temp.known('HAND1');
SELECT pg_temp.refused(format('SELECT radscheduler.record_fact(%s)', call)) AS refused FROM (VALUES (1, '''HAND1'', ''mood'', ''good'''), (2, '''HAND1'', ''egfr'''), (3, '''HAND1'', ''allergy'', '' '''), (4, '''HAND1'', ''weight'', NULL, 80, ''stone'''),
    (5, '''HAND1'', ''weight'', NULL, 8000'), (6, '''HAND1'', ''pregnancy'', ''perhaps'''), (7, '''HAND1'', ''allergy'', ''latex'', NULL, NULL, ''bad'''), (8, '''NOBODY9'', ''egfr'', NULL, 60'),
    (9, '''HAND1'', ''egfr'', NULL, 60, NULL, NULL, ''infinity''')) v(n, call) ORDER BY n;
SELECT bool_and(radscheduler.retract_fact(f.fact_id)) AS retracted, bool_or(radscheduler.retract_fact(f.fact_id)) AS again FROM radscheduler.facts_of('HAND1') f WHERE f.kind IN ('weight', 'height');
SELECT * FROM pg_temp.known('HAND1');
SELECT e.action, count(*), bool_and(e.detail - '{patient_id,facts,message_id}'::text[] = '{}') AS holds_ids_only FROM radscheduler.audit_event e WHERE e.site_id = :site AND e.action LIKE 'fact%' GROUP BY 1 ORDER BY 1;

-- Told with a booking. Told again, nothing is doubled; without a time of their own values get no younger.
\set lab 'OBX|1|NM|33914-3^GFR^LN||62|mL/min/1.73m2|||||F|||20310105083000'
SELECT pg_temp.send('SIU^S12', '20260101080000', 'TOLD1', concat_ws(E'\r', :'lab', 'OBX|2|NM|29463-7^Weight^LN||80|kg', 'AL1|1|DA|^Iodinated contrast|MO||20290301', 'DG1|1||E11.9^Diabetes^I10'), 'T1');
SELECT * FROM pg_temp.known('TOLD1');
SELECT pg_temp.send('SIU^S14', '20260102080000', 'TOLD1', concat_ws(E'\r', :'lab', 'OBX|2|NM|29463-7^Weight^LN||80|kg', 'AL1|1|DA|^IODINATED CONTRAST|MO||20290301', 'DG1|1||E11.9^Diabetes^I10'), 'T1');
SELECT count(*) FROM pg_temp.known('TOLD1');
-- A new weight is a new fact; a corrected result replaces the one of its time; a graver allergy is graver.
SELECT pg_temp.send('SIU^S14', '20260103080000', 'TOLD1', E'OBX|1|NM|33914-3^GFR^LN||58|mL/min/1.73m2|||||C|||20310105083000\rOBX|2|NM|29463-7^Weight^LN||79|kg\rAL1|1|DA|^Iodinated contrast|SV', 'T1');
SELECT * FROM pg_temp.known('TOLD1');
-- What comes late adds, and changes nothing that is there.
SELECT pg_temp.send('SIU^S14', '20260101120000', 'TOLD1', concat_ws(E'\r', :'lab', 'OBX|2|NM|2160-0^Creatinine^LN||1.1|mg/dL|||||F|||20310104', 'AL1|1|DA|^Iodinated contrast|MI'), 'T1');
SELECT * FROM pg_temp.known('TOLD1') WHERE known ~ '^(egfr|creatinine|allergy)';
-- Withdrawn: that one goes, the others stay.
SELECT pg_temp.send('ADT^A08', '20260104080000', 'TOLD1', E'OBX|1|NM|33914-3^GFR^LN||58||||||D|||20310105083000\rDG1|1||E11.9^Diabetes^I10||||||||||||||||||D');
SELECT * FROM pg_temp.known('TOLD1');
-- Two formulas of one sample: the lower value; a bound says so; what is not understood is remarked.
SELECT pg_temp.send('ADT^A08', '20260105080000', 'TOLD1', E'OBX|1|NM|48642-3^GFR^LN||66||||||F|||20310201\rOBX|2|NM|48643-1^GFR^LN||55||||||F|||20310201\rOBX|3|ST|33914-3^GFR^LN||>90||||||F|||20310202');
SELECT * FROM pg_temp.known('TOLD1') WHERE known LIKE 'egfr%';
SELECT pg_temp.send('ADT^A08', '20260106080000', 'TOLD1', E'OBX|1|NM|33914-3^GFR^LN||62|furlong\rOBX|2|NM|29463-7^Weight^LN||8000|kg\rOBX|3|NM|33914-3^GFR^LN||50||||||P\rOBX|4|NM|2160-0^Creatinine^LN||HIGH\rAL1|1||LATEX||Hives|NEVER');
SELECT * FROM pg_temp.known('TOLD1') WHERE known ~ '(8000|LATEX|furlong)';
-- Orders tell; a patient whom nobody knows is not recorded for the sake of his facts.
SELECT pg_temp.send('ORM^O01', '20260107080000', 'ORDER1', E'ORC|NW|P1\rOBR|1|P1||CT1^CT CHEST\rOBX|1|CE|82810-3^Pregnancy status^LN||77386006^Pregnant^SCT');
SELECT * FROM pg_temp.known('ORDER1');
SELECT pg_temp.send('ADT^A08', '20260107080000', 'STRANGER1', :'lab') AS stranger;

-- A danger that a message tells flags the booking in the same message, and those that were there.
SELECT pg_temp.send('SIU^S12', '20260108080000', 'RISK1', NULL, 'R1', E'AIS|1||^CT CHEST W CONTRAST') AS before, pg_temp.send('ADT^A08', '20260109080000', 'RISK1', 'OBX|1|NM|33914-3^GFR^LN||20||||||F|||20260109') AS told;
SELECT a.status, c ->> 'code' AS code, c ->> 'severity' AS severity FROM radscheduler.appointments a, jsonb_array_elements(a.conflicts) c WHERE a.patient_id = 'RISK1';
SELECT pg_temp.send('SIU^S12', '20260108080000', 'RISK2', 'OBX|1|NM|33914-3^GFR^LN||20||||||F|||20260107', 'R2', E'AIS|1||^CT CHEST W CONTRAST') AS with_it;
SELECT pg_temp.send('ADT^A08', '20260109080000', 'RISK2', 'OBX|1|NM|33914-3^GFR^LN||20||||||D|||20260107') AS withdrawn, (SELECT a.status FROM radscheduler.appointments a WHERE a.patient_id = 'RISK2') AS status_before;
SELECT a.status, c ->> 'code' AS code, c ->> 'state' AS state FROM radscheduler.appointments a LEFT JOIN LATERAL jsonb_array_elements(a.conflicts) c ON true WHERE a.patient_id = 'RISK2';

-- A merge takes them along, and the bookings of the patient kept are looked at anew.
SELECT pg_temp.send('SIU^S12', '20260110080000', 'KEPT1', NULL, 'K1', E'AIS|1||^CT CHEST W CONTRAST') AS kept, pg_temp.send('SIU^S12', '20260110080000', 'GIVEN1', 'AL1|1||^Iodinated contrast|SV', 'K2', E'AIS|1||^US THYROID') AS given;
SELECT pg_temp.send('ADT^A40', '20260111080000', 'KEPT1', 'MRG|GIVEN1') AS merged;
SELECT * FROM pg_temp.known('KEPT1');
SELECT a.study_type, a.status, c ->> 'code' AS code FROM radscheduler.appointments a LEFT JOIN LATERAL jsonb_array_elements(a.conflicts) c ON c ->> 'code' LIKE 'CONTRAST%' WHERE a.patient_id = 'KEPT1' ORDER BY 1;

-- A purge takes them with their patient; dry runs leave none.
SELECT count(*) > 0 AS there FROM radscheduler.patient_fact f WHERE f.site_id = :site;
SELECT (SELECT d.outcome FROM radscheduler.dry_run(convert_to(E'MSH|^~\\&|RIS|FACTS|RADSCHED|RAD|20260112||ADT^A08|D1|P|2.5\rPID|1||KEPT1||TESTER^KEPT1\rAL1|1||LATEX', 'UTF8')) d) AS outcome, count(*) AS latex FROM radscheduler.facts_of('KEPT1') f WHERE f.code = 'LATEX';
SELECT radscheduler.purge('test of facts', 'KEPT1', dry_run => false) ->> 'patients' AS patients;
SELECT count(*) AS of_nobody FROM radscheduler.patient_fact f WHERE f.site_id = :site AND NOT EXISTS (SELECT FROM radscheduler.patient p WHERE p.site_id = f.site_id AND p.patient_id = f.patient_id);
SELECT pg_temp.refused('SELECT radscheduler.facts_of(''KEPT1'')') AS facts_of_nobody;

-- Who may see them.
SELECT kind, object, rights FROM radscheduler.role_right WHERE object IN ('patient_fact', 'record_fact()', 'retract_fact()', 'facts_of()') ORDER BY object COLLATE "C", kind COLLATE "C";
ROLLBACK;
