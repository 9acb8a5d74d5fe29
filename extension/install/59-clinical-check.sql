-- Whom the clinical rules are asked for, and what they find. A site holds to them as site.clinical_rules says: known, the default, tells a danger that somebody has recorded and is
-- silent about what nobody has, because a RIS sends no laboratory and checks itself; bookings and all tell what is missing too. One row of rule_setting or site_rule asks its rule
-- for everybody. Where nothing is to be asked, doubtful() finds that out with the row of the site that it reads anyway.

CREATE FUNCTION radscheduler.clinical_scope(p_site integer) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT CASE WHEN EXISTS (SELECT FROM radscheduler.rule_setting r WHERE r.site_id = p_site AND r.severity <> 'off' AND radscheduler.is_clinical_rule(r.code))
                          OR EXISTS (SELECT FROM radscheduler.site_rule o WHERE o.site_id = p_site AND o.severity <> 'off') THEN 'all'
                        ELSE s.clinical_rules END FROM radscheduler.site s WHERE s.site_id = p_site);
END
$$;
COMMENT ON FUNCTION radscheduler.clinical_scope(integer) IS 'Which appointments of a site a clinical rule may concern: all, bookings (and all of patients with facts), known (of patients with facts), off.';

CREATE FUNCTION radscheduler.clinical_settings(p_site integer)
    RETURNS TABLE (code text, severity radscheduler.severity, if_unknown radscheduler.severity, needs_fact boolean, chosen text, parameters jsonb)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 14 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT k.code, coalesce(nullif(s.severity, 'off')::radscheduler.severity, k.severity), coalesce(s.if_unknown::radscheduler.severity, k.if_unknown), k.needs_fact, s.severity,
           k.parameters || coalesce(s.parameters, '{}')
           -- How old an eGFR may be is said once.
           || CASE WHEN k.code IN ('EGFR_LOW', 'METFORMIN') THEN jsonb_build_object('max_days', coalesce(
                (SELECT l.parameters -> 'max_days' FROM radscheduler.rule_setting l WHERE l.site_id = p_site AND l.code = 'CONTRAST_LAB_MISSING'),
                (SELECT l.parameters -> 'max_days' FROM radscheduler.rule_kind l WHERE l.code = 'CONTRAST_LAB_MISSING'))) ELSE '{}' END
    FROM radscheduler.rule_kind k LEFT JOIN radscheduler.rule_setting s ON s.site_id = p_site AND s.code = k.code
    WHERE k.question IS NOT NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.clinical_settings(integer) IS 'The clinical rules as a site has them: severities, what it chose (rule_setting.severity, NULL for nothing), parameters.';

CREATE FUNCTION radscheduler.judge(p_code text, p_case radscheduler.clinical_case, p_parameters jsonb) RETURNS radscheduler.clinical_verdict
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN CASE p_code
        WHEN 'CONTRAST_UNKNOWN' THEN radscheduler.judge_contrast_unknown(p_case, p_parameters)
        WHEN 'CONTRAST_LAB_MISSING' THEN radscheduler.judge_contrast_lab(p_case, p_parameters)
        WHEN 'EGFR_LOW' THEN radscheduler.judge_egfr(p_case, p_parameters)
        WHEN 'CONTRAST_ALLERGY' THEN radscheduler.judge_allergy(p_case, p_parameters)
        WHEN 'METFORMIN' THEN radscheduler.judge_metformin(p_case, p_parameters)
        WHEN 'REPEAT_CONTRAST' THEN radscheduler.judge_contrast_given(p_case, p_parameters)
        WHEN 'PREP_CLASH' THEN radscheduler.judge_fasting(p_case, p_parameters)
        WHEN 'DURATION_TOO_SHORT' THEN radscheduler.judge_duration(p_case, p_parameters)
        WHEN 'PREGNANCY' THEN radscheduler.judge_pregnancy(p_case, p_parameters)
        WHEN 'MR_SAFETY' THEN radscheduler.judge_implants(p_case, p_parameters)
        WHEN 'WEIGHT_LIMIT' THEN radscheduler.judge_weight(p_case, p_parameters)
        WHEN 'ORDER_MISSING' THEN radscheduler.judge_order(p_case, p_parameters)
        WHEN 'AUTH_MISSING' THEN radscheduler.judge_authorization(p_case, p_parameters)
        ELSE ('pass', NULL, 'No such exam shortly before.', '{}')::radscheduler.clinical_verdict END;
END
$$;
COMMENT ON FUNCTION radscheduler.judge(text, radscheduler.clinical_case, jsonb) IS 'What one clinical rule finds about one appointment by itself; rules about two exams pass here, see clinical_pairs().';

CREATE FUNCTION radscheduler.clinical_findings(p_site integer, p_appointments bigint[], p_everything boolean)
    RETURNS TABLE (appointment_id bigint, code text, verdict text, severity radscheduler.severity, axis radscheduler.axis, subject_id bigint, other_appointment_id bigint,
                   overlap tstzrange, sentence text, inputs jsonb)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 2 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_level  text;
    v_scope  text := radscheduler.clinical_scope(p_site);
    v_some   bigint[];
    v_all    bigint[];
    v_silent text[];
    v_within interval;
    v_pairs  jsonb;
    v_gap    integer;
    v_facts  boolean;
    v_cases  radscheduler.clinical_case[];
    v_rules  jsonb;
BEGIN
    SELECT s.clinical_rules INTO v_level FROM radscheduler.site s WHERE s.site_id = p_site;
    -- With known, only who has facts is looked at.
    v_some := ARRAY(SELECT DISTINCT a.appointment_id FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments)
                    AND (p_everything OR v_scope = 'all' OR v_scope = 'bookings' AND a.sender_id IS NULL
                         OR v_scope IN ('known', 'bookings') AND EXISTS (SELECT FROM radscheduler.patient_fact f WHERE f.site_id = a.site_id AND f.patient_id = a.patient_id)
                         -- What happens to an exam that was made elsewhere concerns the bookings around it.
                         OR v_scope = 'bookings' AND EXISTS (SELECT FROM radscheduler.appointment q WHERE q.site_id = a.site_id AND q.patient_id = a.patient_id AND q.sender_id IS NULL)));
    IF v_some = '{}' THEN
        RETURN;
    END IF;
    SELECT max(o.gap_minutes), bool_or(o.gap_minutes IS NOT NULL AND o.fact_kind IS NOT NULL) INTO v_gap, v_facts FROM radscheduler.site_rule o WHERE o.site_id = p_site AND (p_everything OR o.severity <> 'off');
    SELECT jsonb_object_agg(s.code, to_jsonb(s)) INTO v_rules FROM radscheduler.clinical_settings(p_site) s;
    v_silent := ARRAY(SELECT jsonb_array_elements_text(v_rules #> '{CONTRAST_UNKNOWN,parameters,modalities}'));
    SELECT coalesce(jsonb_object_agg(r.key, jsonb_build_object('parameters', r.value -> 'parameters')), '{}') INTO v_pairs FROM jsonb_each(v_rules) r
        WHERE r.key IN ('REPEAT_CONTRAST', 'PREP_CLASH', 'DUPLICATE_EXAM')
          AND (r.value ->> 'chosen' <> 'off' OR r.value ->> 'chosen' IS NULL AND v_level IN ('bookings', 'all') OR p_everything);
    v_within := greatest(make_interval(mins => (60 * (v_pairs #>> '{REPEAT_CONTRAST,parameters,hours}')::numeric)::integer), make_interval(hours => (24 * (v_pairs #>> '{DUPLICATE_EXAM,parameters,days}')::numeric)::integer),
        CASE WHEN v_pairs ? 'PREP_CLASH' THEN (SELECT make_interval(mins => max(coalesce((v_pairs #>> ARRAY['PREP_CLASH', 'parameters', 'gaps', g.name])::numeric, g.minutes))::integer) FROM radscheduler.exam_gap g) END,
        make_interval(mins => v_gap));
    v_all := v_some || CASE WHEN v_within IS NOT NULL THEN radscheduler.clinical_neighbours(p_site, v_some, v_within) END;
    v_cases := ARRAY(SELECT c FROM radscheduler.clinical_cases(p_site, v_all, CASE WHEN v_facts THEN v_all ELSE v_some END, v_silent) c);
    RETURN QUERY
    WITH rule AS MATERIALIZED (
        SELECT r.key AS code, (r.value ->> 'severity')::radscheduler.severity AS severity, (r.value ->> 'if_unknown')::radscheduler.severity AS if_unknown,
               (r.value ->> 'needs_fact')::boolean AS needs_fact, r.value ->> 'chosen' AS chosen, r.value -> 'parameters' AS parameters
        FROM jsonb_each(v_rules) r
    ), seen AS MATERIALIZED (
        SELECT c.appointment_id, c.starts_at, c.ends_at, c.takes_time, c.limit_resource, c.ordinality AS place,
               CASE WHEN v_level = 'bookings' AND NOT c.is_own THEN 'known' WHEN v_level = 'bookings' THEN 'all' ELSE v_level END AS level
        FROM unnest(v_cases) WITH ORDINALITY c
    ), found AS (
        SELECT c.appointment_id, r.code, x.verdict, x.severity, CASE WHEN r.code = 'WEIGHT_LIMIT' THEN coalesce(c.limit_resource, 0) ELSE 0 END AS subject_id, NULL::bigint AS other_id,
               'resource'::radscheduler.axis AS axis, tstzrange(c.starts_at, c.ends_at) AS overlap, x.sentence, x.inputs, c.level, c.takes_time
        FROM seen c
        JOIN rule r ON p_everything OR r.chosen IS DISTINCT FROM 'off' AND (r.chosen IS NOT NULL OR c.level = 'all' OR c.level = 'known' AND r.needs_fact)
        CROSS JOIN LATERAL radscheduler.judge(r.code, v_cases[c.place], r.parameters) x
        WHERE c.appointment_id = ANY (v_some) AND (c.takes_time OR p_everything)
        UNION ALL
        SELECT p.appointment_id, p.code, p.verdict, NULL, p.patient_id, p.other_appointment_id, 'patient', p.overlap, p.sentence, p.inputs, c.level, c.takes_time
        FROM radscheduler.clinical_pairs(v_cases, v_some, v_pairs) p
        JOIN seen c ON c.appointment_id = p.appointment_id
        WHERE cardinality(v_cases) > 1
    )
    SELECT f.appointment_id, f.code, f.verdict,
           CASE WHEN f.verdict = 'pass' OR r.chosen = 'off' OR NOT f.takes_time OR r.chosen IS NULL AND f.level = 'off' THEN NULL
                WHEN r.chosen IS NULL AND f.level = 'known' THEN CASE WHEN r.needs_fact AND f.verdict = 'fail' AND f.other_id IS NULL THEN coalesce(f.severity, r.severity) END
                -- The absence of an eGFR is told once.
                WHEN f.code = 'EGFR_LOW' AND f.verdict = 'unknown' AND (f.inputs ->> 'egfr')::numeric < greatest((f.inputs ->> 'critical_below')::numeric, (f.inputs ->> 'warning_below')::numeric) IS NOT TRUE AND EXISTS (SELECT FROM found l WHERE l.appointment_id = f.appointment_id AND l.code = 'CONTRAST_LAB_MISSING' AND l.verdict <> 'pass')
                     AND EXISTS (SELECT FROM rule l WHERE l.code = 'CONTRAST_LAB_MISSING' AND (l.chosen <> 'off' OR l.chosen IS NULL AND f.level = 'all')) THEN NULL
                WHEN f.verdict = 'unknown' THEN r.if_unknown
                WHEN r.chosen IS NOT NULL THEN r.severity
                ELSE coalesce(f.severity, r.severity) END,
           -- What cannot be told is another conflict than what is told: who accepted the one has not accepted the other.
           f.axis, CASE WHEN f.verdict = 'unknown' THEN -greatest(f.subject_id, 1) ELSE f.subject_id END, f.other_id, f.overlap, f.sentence, f.inputs
    FROM found f JOIN rule r ON r.code = f.code
    UNION ALL
    -- Two exams of which each is too close to the other are one pair.
    (SELECT DISTINCT ON (s.code, least(s.appointment_id, s.other_appointment_id), greatest(s.appointment_id, s.other_appointment_id), s.other_appointment_id IS NULL) s.*
     FROM radscheduler.site_findings(p_site, v_cases, v_some, p_everything) s
     ORDER BY s.code, least(s.appointment_id, s.other_appointment_id), greatest(s.appointment_id, s.other_appointment_id), s.other_appointment_id IS NULL,
              s.severity DESC NULLS LAST, s.verdict, s.appointment_id DESC);
END
$$;
COMMENT ON FUNCTION radscheduler.clinical_findings(integer, bigint[], boolean) IS
    'What the clinical rules and the site''s own find about some appointments: verdict, and the severity at which it is told; severity is NULL where it is not (pass, off, or not told at this site). subject_id is negative where a rule cannot tell. Rules about two exams have the earlier one as other_appointment_id, and are found with either of them in p_appointments. p_everything: rules that are off, and appointments that take no time, too.';

CREATE FUNCTION radscheduler.conflict_text(p_site integer, p_code text, p_subject bigint, p_text text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_text text;
BEGIN
    IF p_text IS NOT NULL THEN
        RETURN CASE WHEN p_subject < 0 THEN coalesce((SELECT k.unknown_text FROM radscheduler.rule_kind k WHERE k.code = p_code), p_text) ELSE p_text END;
    END IF;
    SELECT o.text INTO v_text FROM radscheduler.site_rule o WHERE o.site_id = p_site AND o.code = p_code;
    RETURN CASE WHEN v_text IS NULL THEN 'A rule that the site has taken back.' WHEN p_subject < 0 THEN 'Something that this rule asks is not recorded: ' ELSE '' END || coalesce(replace(v_text, '%', '%%'), '');
END
$$;
COMMENT ON FUNCTION radscheduler.conflict_text(integer, text, bigint, text) IS
    'The sentence of a conflict for format(): that of its kind (p_text), the other one of a clinical rule that cannot tell (p_subject is negative), or that of a rule the site added (p_text is NULL).';

CREATE FUNCTION radscheduler.is_about_time(p_code text, p_other bigint) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN p_other IS NOT NULL OR radscheduler.is_conflict_kind(p_code) AND NOT radscheduler.is_clinical_rule(p_code);
END
$$;
COMMENT ON FUNCTION radscheduler.is_about_time(text, bigint) IS 'Whether another time may help against a conflict: not where a rule is about the exam and the patient alone.';

CREATE FUNCTION radscheduler.clinical_conflicts(p_site integer, p_appointments bigint[])
    RETURNS TABLE (appointment_id bigint, code text, severity radscheduler.severity, axis radscheduler.axis, subject_id bigint, other_appointment_id bigint, overlap tstzrange)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT f.appointment_id, f.code, f.severity, f.axis, f.subject_id, f.other_appointment_id, f.overlap
        FROM radscheduler.clinical_findings(p_site, p_appointments, false) f WHERE f.severity IS NOT NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.clinical_conflicts(integer, bigint[]) IS 'What of clinical_findings() is told, as rows of conflict; a part of rule_conflicts().';
