-- The rules that a site added (site_rule): every column that is filled is one condition, and a rule is broken when all hold. One that does not hold makes it pass;
-- one that cannot be told, when no other fails, makes it unknown. Patterns are those of LIKE: they are compared, never run.

CREATE FUNCTION radscheduler.all_so(p_conditions text[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN 'no' = ANY (p_conditions) THEN 'no' WHEN 'unknown' = ANY (p_conditions) THEN 'unknown' ELSE 'yes' END;
COMMENT ON FUNCTION radscheduler.all_so(text[]) IS 'Conditions put together with AND: no where one is no, else unknown where one is unknown, else yes. NULL is a condition that nobody asked.';

CREATE FUNCTION radscheduler.is_fact_kind(kind text) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM radscheduler.fact_kind k WHERE k.kind = is_fact_kind.kind);
END
$$;
COMMENT ON FUNCTION radscheduler.is_fact_kind(text) IS 'Whether fact_kind has this kind; what site_rule may ask for.';

CREATE FUNCTION radscheduler.yes_no(p_is boolean) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN p_is THEN 'yes' WHEN NOT p_is THEN 'no' ELSE 'unknown' END;
COMMENT ON FUNCTION radscheduler.yes_no(boolean) IS 'A condition as a word: yes, no, or unknown for NULL.';

CREATE FUNCTION radscheduler.exam_is(c radscheduler.clinical_case, p_modalities text[], p_study text, p_contrast boolean) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN radscheduler.all_so(ARRAY[
        CASE WHEN p_modalities IS NOT NULL THEN radscheduler.yes_no(c.modality = ANY (p_modalities)) END,
        CASE WHEN p_study IS NOT NULL THEN radscheduler.yes_no(nullif(btrim(c.words), '') ILIKE p_study OR EXISTS (SELECT FROM unnest(c.codes) k WHERE k ILIKE p_study)) END,
        CASE WHEN p_contrast IS NOT NULL THEN CASE c.contrast WHEN 'unknown' THEN 'unknown' ELSE radscheduler.yes_no((c.contrast = 'yes') = p_contrast) END END]);
END
$$;
COMMENT ON FUNCTION radscheduler.exam_is(radscheduler.clinical_case, text[], text, boolean) IS 'Whether an exam is what a site''s rule asks: modality, pattern of its code or text, contrast; NULL: not asked.';

CREATE FUNCTION radscheduler.fact_is(c radscheduler.clinical_case, p_kind text, p_code text, p_test text, p_value numeric, p_days integer) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_fact     radscheduler.clinical_fact;
    v_found    boolean := false;
    v_answered boolean := false;
    v_coming   boolean := false;
    v_last     numeric;
    v_matches  boolean;
BEGIN
    FOREACH v_fact IN ARRAY coalesce(c.facts, '{}') LOOP
        CONTINUE WHEN v_fact.kind <> p_kind OR v_fact.observed_at < c.starts_at - make_interval(days => p_days);
        v_matches := CASE WHEN p_code IS NULL THEN NOT radscheduler.is_negative_fact(v_fact.code) ELSE coalesce(v_fact.code ILIKE p_code, false) END;
        IF NOT v_fact.is_past OR v_fact.observed_at >= c.ends_at THEN
            v_coming := v_coming OR v_matches;
        ELSE
            v_answered := true;
            v_found := v_found OR v_matches;
            v_last := coalesce(v_last, CASE WHEN v_matches THEN v_fact.value END);
        END IF;
    END LOOP;
    RETURN CASE p_test
        WHEN 'present' THEN CASE WHEN v_found THEN 'yes' WHEN v_coming OR NOT v_answered THEN 'unknown' ELSE 'no' END
        WHEN 'recorded' THEN radscheduler.yes_no(v_found)
        WHEN 'missing' THEN radscheduler.yes_no(NOT v_found)
        WHEN 'below' THEN radscheduler.yes_no(v_last < p_value)
        WHEN 'above' THEN radscheduler.yes_no(v_last > p_value) END;
END
$$;
COMMENT ON FUNCTION radscheduler.fact_is(radscheduler.clinical_case, text, text, text, numeric, integer) IS 'Whether what is recorded about the patient is what a site''s rule asks (site_rule.fact_test).';

CREATE FUNCTION radscheduler.site_findings(p_site integer, p_cases radscheduler.clinical_case[], p_appointments bigint[], p_everything boolean)
    RETURNS TABLE (appointment_id bigint, code text, verdict text, severity radscheduler.severity, axis radscheduler.axis, subject_id bigint, other_appointment_id bigint,
                   overlap tstzrange, sentence text, inputs jsonb)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1 SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    r        record;
    c        radscheduler.clinical_case;
    o        radscheduler.clinical_case;
    v_first  text;
    v_so     text;
    v_earlier boolean;
BEGIN
    FOR r IN SELECT * FROM radscheduler.site_rule s WHERE s.site_id = p_site AND (p_everything OR s.severity <> 'off') ORDER BY s.code LOOP
        FOREACH c IN ARRAY p_cases LOOP
            CONTINUE WHEN NOT (c.takes_time OR p_everything) OR r.applies_to = 'bookings' AND NOT c.is_own OR r.gap_minutes IS NULL AND c.appointment_id <> ALL (p_appointments);
            v_first := radscheduler.all_so(ARRAY[
                radscheduler.exam_is(c, r.modalities, r.study, r.contrast),
                CASE WHEN num_nonnulls(r.min_age, r.max_age) > 0 THEN radscheduler.yes_no(c.age >= coalesce(r.min_age, 0) AND c.age <= coalesce(r.max_age, 1000)) END,
                CASE WHEN r.sex IS NOT NULL THEN CASE WHEN c.sex IN ('F', 'M') THEN radscheduler.yes_no(c.sex = r.sex) ELSE 'unknown' END END,
                CASE WHEN r.resource IS NOT NULL THEN CASE WHEN c.resources = '{}' THEN 'unknown' ELSE radscheduler.yes_no(EXISTS (SELECT FROM unnest(c.resources) n WHERE n ILIKE r.resource)) END END,
                CASE WHEN r.fact_kind IS NOT NULL THEN radscheduler.fact_is(c, r.fact_kind, r.fact_code, r.fact_test, r.fact_value, r.fact_days) END]);
            axis := 'resource'; subject_id := 0; other_appointment_id := NULL; overlap := tstzrange(c.starts_at, c.ends_at);
            v_so := v_first;
            IF r.gap_minutes IS NOT NULL THEN
                v_so := 'no';
                FOREACH o IN ARRAY p_cases LOOP
                    CONTINUE WHEN v_first = 'no' OR o.appointment_id = c.appointment_id OR o.patient_id <> c.patient_id OR NOT (o.takes_time OR o.is_done)
                        OR c.appointment_id <> ALL (p_appointments) AND o.appointment_id <> ALL (p_appointments);
                    v_earlier := (o.starts_at, o.appointment_id) < (c.starts_at, c.appointment_id);
                    CONTINUE WHEN r.gap_order = CASE WHEN v_earlier THEN 'before' ELSE 'after' END
                        OR CASE WHEN v_earlier THEN c.starts_at - o.ends_at ELSE o.starts_at - c.ends_at END >= make_interval(mins => r.gap_minutes);
                    v_so := radscheduler.all_so(ARRAY[v_first, radscheduler.exam_is(o, r.other_modalities, r.other_study, r.other_contrast)]);
                    CONTINUE WHEN v_so = 'no';
                    verdict := CASE v_so WHEN 'yes' THEN 'fail' ELSE 'unknown' END;
                    appointment_id := c.appointment_id; code := r.code; axis := 'patient'; subject_id := CASE v_so WHEN 'yes' THEN c.patient_id ELSE -c.patient_id END; other_appointment_id := o.appointment_id; sentence := r.text;
                    overlap := CASE WHEN v_earlier THEN tstzrange(c.starts_at, o.ends_at + make_interval(mins => r.gap_minutes)) ELSE tstzrange(o.starts_at, c.ends_at + make_interval(mins => r.gap_minutes)) END;
                    severity := CASE WHEN r.severity = 'off' OR NOT c.takes_time THEN NULL WHEN v_so = 'unknown' THEN r.if_unknown ELSE r.severity END;
                    inputs := jsonb_build_object('this_exam', v_first, 'minutes_between', round(extract(epoch FROM CASE WHEN v_earlier THEN c.starts_at - o.ends_at ELSE o.starts_at - c.ends_at END) / 60));
                    RETURN NEXT;
                END LOOP;
                v_so := 'no'; axis := 'resource'; subject_id := 0; other_appointment_id := NULL; overlap := tstzrange(c.starts_at, c.ends_at);
            END IF;
            CONTINUE WHEN c.appointment_id <> ALL (p_appointments) OR v_so = 'no' AND NOT p_everything;
            appointment_id := c.appointment_id; code := r.code; sentence := r.text;
            verdict := CASE v_so WHEN 'yes' THEN 'fail' WHEN 'no' THEN 'pass' ELSE 'unknown' END;
            subject_id := CASE v_so WHEN 'unknown' THEN -1 ELSE 0 END;
            severity := CASE WHEN r.severity = 'off' OR v_so = 'no' OR NOT c.takes_time THEN NULL WHEN v_so = 'unknown' THEN r.if_unknown ELSE r.severity END;
            inputs := jsonb_strip_nulls(jsonb_build_object('modality', c.modality, 'contrast', CASE WHEN r.contrast IS NOT NULL THEN c.contrast END,
                'age', CASE WHEN num_nonnulls(r.min_age, r.max_age) > 0 THEN c.age END, 'sex', CASE WHEN r.sex IS NOT NULL THEN c.sex END, 'resources', CASE WHEN r.resource IS NOT NULL THEN to_jsonb(c.resources) END,
                'facts', CASE WHEN r.fact_kind IS NOT NULL THEN (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('code', f.code, 'value', f.value, 'observed_at', f.observed_at))), '[]')
                    FROM unnest(c.facts) f WHERE f.kind = r.fact_kind) END));
            RETURN NEXT;
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.site_findings(integer, radscheduler.clinical_case[], bigint[], boolean) IS
    'What the rules a site added find among some cases, in the shape of clinical_findings(). A rule with a gap gives one row for each other exam that is too close, with either of the two in p_appointments.';
