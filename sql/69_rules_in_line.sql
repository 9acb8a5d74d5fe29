-- Whatever happens to bookings, patients and facts, the unresolved conflicts of the clinical rules and of a site's own are exactly what a look at everything finds: random bookings of both
-- doors, moves, cancellations, completions and facts, under each scope; after each, every appointment is looked at.
SET client_min_messages = warning;
SET timezone = 'UTC';
BEGIN;
SELECT radscheduler.create_site('RULELINE', 'Rules in line', 'UTC') AS site \gset
SET LOCAL radscheduler.site = 'RULELINE';
SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL join_collapse_limit = 1; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL jit = off;
DELETE FROM radscheduler.resource_hours WHERE site_id = :site;
SELECT (radscheduler.set_sender('RIS', 'RULELINE')).is_new;
SELECT count(radscheduler.add_resource(code, name, 'equipment', modality, 1000)) AS added FROM (VALUES ('CT1', 'CT scanner 1', 'CT'), ('MR1', 'MR scanner 1', 'MR')) v(code, name, modality);
UPDATE radscheduler.resource SET weight_limit_kg = 150 WHERE site_id = :site AND code = 'CT1';
CREATE FUNCTION pg_temp.one_of(VARIADIC words text[]) RETURNS text LANGUAGE sql AS $$ SELECT words[1 + floor(random() * cardinality(words))::integer] $$;
CREATE FUNCTION pg_temp.faults(p_site integer) RETURNS SETOF text LANGUAGE sql AS $$
    WITH due AS (SELECT r.* FROM radscheduler.rule_conflicts(p_site, ARRAY(SELECT appointment_id FROM radscheduler.appointment WHERE site_id = p_site)) r),
    found AS (SELECT c.appointment_id, c.code, c.severity, c.axis, c.subject_id, c.other_appointment_id, c.overlap FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.state <> 'resolved' AND c.code NOT LIKE '%DOUBLE_BOOKED')
    (SELECT 'missing ' || d.code FROM (SELECT * FROM due EXCEPT ALL SELECT * FROM found) d) UNION ALL (SELECT 'too much ' || f.code FROM (SELECT * FROM found EXCEPT ALL SELECT * FROM due) f)
    UNION ALL
    SELECT 'state ' || a.status FROM radscheduler.appointment a WHERE a.site_id = p_site AND (a.status IN ('SCHEDULED', 'CONFIRMED') OR a.review_reason = 'CONFLICT')
        AND (a.status = 'PENDING_REVIEW') <> EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.appointment_id = a.appointment_id AND c.state = 'open' AND c.severity = 'critical') $$;
CREATE FUNCTION pg_temp.step(p_site integer, n integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    c_who   CONSTANT text := 'LINE' || floor(random() * 3)::integer;
    c_study CONSTANT text := pg_temp.one_of('CT CHEST W CONTRAST', 'CT CHEST', 'CT HEAD WITHOUT CONTRAST', 'MRI BRAIN W CONTRAST', 'MRI KNEE', 'BARIUM ESOPHAGRAM', 'CT ABDOMEN W CONTRAST', 'NM THYROID UPTAKE', 'NM BONE SCAN');
    c_start CONSTANT timestamp := current_date + 2 + make_interval(hours => floor(random() * 60)::integer);
    v_id    bigint := (SELECT a.appointment_id FROM radscheduler.appointment a WHERE a.site_id = p_site AND radscheduler.takes_time(a.status, a.holds_time) ORDER BY random() LIMIT 1);
BEGIN
    CASE floor(random() * 10)::integer
        WHEN 0, 1, 2 THEN
            PERFORM radscheduler.ingest(convert_to(concat_ws(E'\r', format('MSH|^~\&|RIS|RULELINE|RADSCHED|RAD|20260101080000||SIU^%s|%s|P|2.5', pg_temp.one_of('S12', 'S12', 'S13'), n),
                format('SCH||F%s|||||||%s|MIN|^^^%s|||||||||||||||%s', floor(random() * 8)::integer, pg_temp.one_of('10', '30', '60'), to_char(c_start, 'YYYYMMDDHH24MI'), pg_temp.one_of('', 'P1')),
                format('PID|1||%s||LINE^%s||%s|%s', c_who, c_who, pg_temp.one_of('19800101', '19500101'), pg_temp.one_of('F', 'M', 'F')), 'AIS|1||^' || c_study, nullif(pg_temp.one_of('AIG|1||CT1', 'AIG|1||MR1', ''), '')), 'UTF8'));
        WHEN 3, 4 THEN
            INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, study_type, datetime) VALUES (c_who, 'Line ' || c_who, pg_temp.one_of('CT', 'MRI'), c_study, c_start);
        WHEN 5 THEN
            PERFORM radscheduler.ingest(convert_to(concat_ws(E'\r', format('MSH|^~\&|RIS|RULELINE|RADSCHED|RAD|20260101080000||ADT^A08|A%s|P|2.5', n), 'EVN|A08|20260101080000',
                format('PID|1||%s||LINE^%s||%s|%s', c_who, c_who, pg_temp.one_of('19800101', '19500101', ''), pg_temp.one_of('F', 'M', 'U'))), 'UTF8'));
        WHEN 6 THEN
            UPDATE radscheduler.appointments SET datetime = c_start WHERE id = v_id;
        WHEN 7 THEN
            UPDATE radscheduler.appointments SET status = pg_temp.one_of('CANCELLED', 'COMPLETED', 'NO_SHOW', 'CONFIRMED'), study_type = CASE WHEN random() < 0.5 THEN study_type ELSE c_study END WHERE id = v_id;
        ELSE
            IF EXISTS (SELECT FROM radscheduler.patient p WHERE p.site_id = p_site AND p.mrn = c_who) THEN
                PERFORM radscheduler.record_fact(c_who, k.kind, k.code, k.value, NULL, pg_temp.one_of('SV', 'MI', NULL), now() - make_interval(days => floor(random() * 40)::integer - 1))
                    FROM (VALUES ('egfr', NULL, 20), ('egfr', NULL, 40), ('egfr', NULL, 90), ('allergy', 'iodinated contrast', NULL), ('allergy', 'none', NULL), ('medication', 'metformin', NULL), ('medication', 'none', NULL), ('implant', 'pacemaker', NULL), ('implant', 'none', NULL),
                        ('pregnancy', 'pregnant', NULL), ('pregnancy', 'not_pregnant', NULL), ('weight', NULL, 80), ('weight', NULL, 180), ('contrast_given', NULL, NULL), ('claustrophobia', 'yes', NULL)) k(kind, code, value) ORDER BY random() LIMIT 1;
            END IF;
    END CASE;
EXCEPTION WHEN exclusion_violation OR object_not_in_prerequisite_state THEN
    NULL;
END $$;
CREATE FUNCTION pg_temp.run(p_site integer, p_scope text, p_steps integer, OUT steps integer, OUT faults text[], OUT has_found boolean) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM radscheduler.set_clinical_rules(p_scope);
    PERFORM radscheduler.recheck_conflicts(now(), now() + interval '10 days');
    steps := 0;
    FOR n IN 1 .. p_steps LOOP
        PERFORM pg_temp.step(p_site, hashtext(p_scope || n));
        faults := ARRAY(SELECT DISTINCT f FROM pg_temp.faults(p_site) f ORDER BY f);
        EXIT WHEN faults <> '{}';
        steps := n;
    END LOOP;
    has_found := EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = p_site AND radscheduler.is_clinical_rule(c.code));
END $$;
SELECT setseed(0.31);
-- One to begin with, so that every scope has something to tell.
SELECT r.code FROM radscheduler.ingest(convert_to(concat_ws(E'\r', 'MSH|^~\&|RIS|RULELINE|RADSCHED|RAD|20260101080000||SIU^S12|FIRST|P|2.5', format('SCH||FIRST|||||||30|MIN|^^^%s', to_char(current_date + 3 + time '10:00', 'YYYYMMDDHH24MI')),
    'PID|1||LINE0||LINE^LINE0||19800101|F', 'AIS|1||^CT CHEST W CONTRAST'), 'UTF8')) r;
SELECT radscheduler.record_fact('LINE0', 'egfr', value => 20, observed_at => now() - interval '1 day') > 0 AS recorded;
SELECT * FROM pg_temp.run(:site, 'known', 25);
SELECT * FROM pg_temp.run(:site, 'bookings', 30);
SELECT * FROM pg_temp.run(:site, 'all', 60);
INSERT INTO radscheduler.site_rule (site_id, code, severity, text, study, gap_minutes, gap_order, other_contrast, fact_kind, fact_test) VALUES (:site, 'CLAUSTRO_GAP', 'critical', 'Rest.', '%MRI%', 600, 'either', true, 'claustrophobia', 'recorded');
INSERT INTO radscheduler.site_rule (site_id, code, severity, text, applies_to, modalities, contrast) VALUES (:site, 'OWN_CT', 'info', 'Own CT.', 'bookings', '{CT}', true);
INSERT INTO radscheduler.rule_setting (site_id, code, severity) VALUES (:site, 'REPEAT_CONTRAST', 'critical');
SELECT * FROM pg_temp.run(:site, 'off', 30);
-- Nearly every rule had something to say.
SELECT count(DISTINCT c.code) > 10 AS codes, count(*) FILTER (WHERE c.state = 'resolved') > 50 AS resolved FROM radscheduler.conflict c WHERE c.site_id = :site;
ROLLBACK;
