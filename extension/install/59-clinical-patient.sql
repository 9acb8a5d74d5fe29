-- The clinical rules about the patient and the booking, one function each: an appointment and the rule's parameters in, a verdict out.

CREATE FUNCTION radscheduler.judge_pregnancy(c radscheduler.clinical_case, p jsonb) RETURNS radscheduler.clinical_verdict
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_is_asked boolean := c.modality IS NULL OR p -> 'modalities' ? c.modality;
    v_fact     radscheduler.clinical_fact;
    v_last     radscheduler.clinical_fact;
    v_coming   boolean := false;
    v_state    text;
BEGIN
    -- The newest fact counts: a pregnancy ends.
    FOREACH v_fact IN ARRAY coalesce(c.facts, '{}') LOOP
        CONTINUE WHEN v_fact.kind <> 'pregnancy';
        IF NOT v_fact.is_past OR v_fact.observed_at >= c.ends_at THEN
            v_coming := v_coming OR NOT radscheduler.is_negative_fact(v_fact.code);
        ELSIF v_last.kind IS NULL THEN
            v_last := v_fact;
        END IF;
    END LOOP;
    v_state := CASE WHEN NOT v_is_asked OR c.sex = 'M' OR c.sex = 'F' AND c.age NOT BETWEEN (p ->> 'min_age')::numeric AND (p ->> 'max_age')::numeric THEN 'no'
        WHEN radscheduler.is_negative_fact(v_last.code) THEN
            CASE WHEN NOT v_coming AND v_last.observed_at >= c.starts_at - make_interval(hours => (24 * (p ->> 'answer_days')::numeric)::integer) THEN 'no' ELSE 'unknown' END
        WHEN v_last.observed_at >= c.starts_at - make_interval(hours => (24 * (p ->> 'pregnant_days')::numeric)::integer) THEN 'yes' ELSE 'unknown' END;
    RETURN (CASE v_state WHEN 'yes' THEN CASE WHEN c.modality IS NULL THEN 'unknown' ELSE 'fail' END WHEN 'no' THEN 'pass' ELSE 'unknown' END, NULL::radscheduler.severity,
            CASE WHEN NOT v_is_asked THEN 'No radiation.' WHEN v_state = 'yes' AND c.modality IS NULL THEN 'A pregnancy is recorded, and the exam may use radiation.' WHEN v_state = 'yes' THEN 'A pregnancy is recorded, and the exam uses radiation.'
                 WHEN v_state = 'no' THEN 'A pregnancy is excluded.' WHEN c.sex IS DISTINCT FROM 'F' OR c.age IS NULL THEN 'Sex or age of the patient is not known, so that a pregnancy is not excluded before radiation.'
                 ELSE 'Nobody has excluded a pregnancy before radiation.' END,
            jsonb_strip_nulls(jsonb_build_object('modality', c.modality, 'sex', c.sex, 'age', c.age, 'pregnancy', v_last.code, 'observed_at', v_last.observed_at, 'answer_days', p -> 'answer_days')));
END
$$;
COMMENT ON FUNCTION radscheduler.judge_pregnancy(radscheduler.clinical_case, jsonb) IS 'PREGNANCY. Only M and F in PID-8 say something; another word or no birth date is unknown.';

CREATE FUNCTION radscheduler.judge_implants(c radscheduler.clinical_case, p jsonb) RETURNS radscheduler.clinical_verdict
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_fact    radscheduler.clinical_fact;
    v_is_told boolean := false;
    v_is_free boolean := false;
    v_coming  boolean := false;
    v_state   text;
BEGIN
    FOREACH v_fact IN ARRAY coalesce(c.facts, '{}') LOOP
        CONTINUE WHEN v_fact.kind <> 'implant';
        IF radscheduler.is_negative_fact(v_fact.code) THEN
            v_is_free := v_is_free OR v_fact.is_past AND v_fact.observed_at < c.ends_at
                AND v_fact.observed_at >= c.starts_at - make_interval(hours => (24 * (p ->> 'answer_days')::numeric)::integer);
        ELSIF NOT v_fact.is_past THEN
            v_coming := true;
        ELSIF radscheduler.has_word(v_fact.code, p -> 'safe') AND v_fact.observed_at < c.starts_at - make_interval(hours => (24 * (p ->> 'recent_days')::numeric)::integer) THEN
            v_is_free := true;
        ELSE
            v_is_told := true;
        END IF;
    END LOOP;
    v_state := CASE WHEN v_is_told THEN 'yes' WHEN v_is_free AND NOT v_coming THEN 'no' ELSE 'unknown' END;
    v_state := radscheduler.both_so(CASE WHEN c.modality IS NULL THEN 'unknown' WHEN p -> 'modalities' ? c.modality THEN 'yes' ELSE 'no' END, v_state);
    RETURN (v_state, NULL::radscheduler.severity,
            CASE WHEN NOT p -> 'modalities' ? c.modality THEN 'No magnet.' WHEN v_state = 'pass' THEN 'No implant that speaks against the magnet, as recorded.'
                 WHEN v_is_told THEN CASE v_state WHEN 'fail' THEN 'An implant is recorded that is not known to be safe in the magnet, or was placed only lately.' ELSE 'An implant is recorded, and the exam may be one in a magnet.' END
                 WHEN v_coming THEN 'An implant is recorded with a date in the future; somebody must look.'
                 ELSE 'Nobody has recorded whether the patient has an implant.' END,
            jsonb_strip_nulls(jsonb_build_object('modality', c.modality, 'implants', (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('code', f.code, 'observed_at', f.observed_at))), '[]')
                FROM unnest(c.facts) f WHERE f.kind = 'implant'))));
END
$$;
COMMENT ON FUNCTION radscheduler.judge_implants(radscheduler.clinical_case, jsonb) IS 'MR_SAFETY. A recorded implant outweighs any answer that there is none.';

CREATE FUNCTION radscheduler.judge_weight(c radscheduler.clinical_case, p jsonb) RETURNS radscheduler.clinical_verdict
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_fact   radscheduler.clinical_fact;
    v_at     timestamptz;
    v_kg     numeric;
    v_is_old boolean;
    v_state  text;
BEGIN
    FOREACH v_fact IN ARRAY coalesce(c.facts, '{}') LOOP
        IF v_fact.kind = 'weight' AND v_fact.is_past AND v_fact.observed_at < c.ends_at THEN
            v_kg := v_fact.value * CASE WHEN v_fact.unit IS NULL OR v_fact.unit IN ('kg', 'kilogram', 'kilograms') THEN 1 WHEN v_fact.unit IN ('lb', 'lbs', '[lb_av]', 'pound', 'pounds') THEN 0.45359237 WHEN v_fact.unit = 'g' THEN 0.001 END;
            v_at := v_fact.observed_at;
            v_is_old := v_at < c.starts_at - make_interval(hours => (24 * (p ->> 'answer_days')::numeric)::integer);
            EXIT;
        END IF;
    END LOOP;
    -- Someone who was too heavy long ago is still told of; someone who was not may have become so.
    v_state := CASE WHEN c.limit_kg IS NULL THEN CASE WHEN v_kg >= (p ->> 'heavy_kg')::numeric THEN 'unknown' ELSE 'pass' END
                    WHEN v_kg > c.limit_kg THEN 'fail' WHEN v_kg IS NULL OR v_is_old THEN 'unknown' ELSE 'pass' END;
    RETURN (v_state, NULL::radscheduler.severity,
            CASE WHEN c.limit_kg IS NULL THEN CASE v_state WHEN 'pass' THEN 'No limit is recorded, and no great weight.' ELSE 'The patient is heavy, and no limit of a table is recorded.' END
                 WHEN v_state = 'fail' THEN 'The recorded weight is above the limit of the table.' WHEN v_state = 'pass' THEN 'The table carries the patient.'
                 WHEN v_kg IS NULL THEN 'No weight is recorded, and the table has a limit.' ELSE 'The recorded weight is too old to count, and the table has a limit.' END,
            jsonb_strip_nulls(jsonb_build_object('weight_kg', round(v_kg, 1), 'observed_at', v_at, 'limit_kg', c.limit_kg)));
END
$$;
COMMENT ON FUNCTION radscheduler.judge_weight(radscheduler.clinical_case, jsonb) IS 'WEIGHT_LIMIT, for the scanner or room of the appointment with the lowest limit. A weight in a unit that is not understood is none.';

CREATE FUNCTION radscheduler.judge_fasting(c radscheduler.clinical_case, p jsonb) RETURNS radscheduler.clinical_verdict
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_is_late boolean := c.fasts AND c.wall_time >= (p ->> 'fasting_after')::time;
    v_state   text;
BEGIN
    IF v_is_late IS NOT TRUE THEN
        v_state := 'no';
    ELSE
        -- Only who says so is none: another diagnosis says nothing of this one.
        SELECT CASE WHEN bool_or(f.is_past AND f.is_diabetes) THEN 'yes' WHEN bool_or(f.is_past AND f.is_denied) AND NOT bool_or(f.is_diabetes) THEN 'no' ELSE 'unknown' END INTO v_state
            FROM (SELECT x.is_past, d.is_denied, NOT d.is_denied AND (x.kind = 'diagnosis' AND x.code ~ '(^E(08|09|10|11|13)|DIABET)' OR x.kind = 'medication' AND x.code ~ '(METFORMIN|INSULIN|GLUCOPHAGE)') AS is_diabetes
                  FROM unnest(c.facts) x, LATERAL (SELECT x.kind = 'diagnosis' AND x.code ~ '^(NO|NOT|NON)[ _-]*DIABET') d(is_denied) WHERE x.kind IN ('diagnosis', 'medication')) f;
    END IF;
    RETURN (CASE v_state WHEN 'yes' THEN 'fail' WHEN 'no' THEN 'pass' ELSE 'unknown' END, NULL::radscheduler.severity,
            CASE WHEN v_is_late IS NOT TRUE THEN 'Nobody fasts long for it.' WHEN v_state = 'no' THEN 'The patient is not diabetic, as recorded.'
                 WHEN v_state = 'yes' THEN 'A diabetic would fast until late; do the exam earlier in the day.' ELSE 'The patient would fast until late, and nobody has recorded whether he is diabetic.' END,
            jsonb_strip_nulls(jsonb_build_object('fasts', c.fasts, 'wall_time', to_char(c.wall_time, 'HH24:MI'), 'fasting_after', p -> 'fasting_after', 'diabetic', CASE WHEN v_is_late THEN v_state END)));
END
$$;
COMMENT ON FUNCTION radscheduler.judge_fasting(radscheduler.clinical_case, jsonb) IS 'PREP_CLASH, as far as fasting goes: exams whose preparation (procedure.prep) is to eat nothing. The diagnosis NO DIABETES (NOT, NON) tells that the patient is none; any other tells nothing. Exams that spoil each other are in clinical_pairs().';

CREATE FUNCTION radscheduler.judge_duration(c radscheduler.clinical_case, p jsonb) RETURNS radscheduler.clinical_verdict
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_booked integer := round(extract(epoch FROM c.ends_at - c.starts_at) / 60);
    v_own    boolean := (SELECT bool_or(p -> 'minutes' ? k) FROM unnest(c.codes) k);
    v_least  integer;
    v_off    boolean := (SELECT bool_or(p -> 'minutes' -> k = 'null') FROM unnest(c.codes) k);
    v_state  text;
BEGIN
    v_least := CASE WHEN v_own THEN (SELECT sum((p -> 'minutes' ->> k)::numeric) FROM unnest(c.codes) k)
        ELSE ceil(c.usual_minutes * (p ->> 'percent')::numeric / 100) + CASE WHEN c.contrast = 'yes' AND NOT c.counts_contrast THEN (p ->> 'contrast_minutes')::numeric ELSE 0 END
             + CASE WHEN c.is_sedated THEN (p ->> 'sedation_minutes')::numeric ELSE 0 END END;
    v_state := CASE WHEN v_off THEN 'pass' WHEN v_booked < v_least THEN 'fail' WHEN v_least IS NULL THEN 'unknown' ELSE 'pass' END;
    RETURN (v_state, NULL::radscheduler.severity,
            CASE v_state WHEN 'fail' THEN 'Less time is booked than the exam takes at least.' WHEN 'pass' THEN 'The time is enough.' ELSE 'Nobody has recorded how long the exam takes.' END,
            jsonb_strip_nulls(jsonb_build_object('booked_minutes', v_booked, 'least_minutes', v_least, 'usual_minutes', c.usual_minutes, 'contrast', c.contrast, 'sedation', c.is_sedated)));
END
$$;
COMMENT ON FUNCTION radscheduler.judge_duration(radscheduler.clinical_case, jsonb) IS 'DURATION_TOO_SHORT. Exams that follow each other add up, X-rays, mammographies and densitometries are done in one.';

CREATE FUNCTION radscheduler.judge_order(c radscheduler.clinical_case, p jsonb) RETURNS radscheduler.clinical_verdict
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_is_asked boolean := p -> 'modalities' = '[]' OR c.modality IS NULL OR p -> 'modalities' ? c.modality;
    v_has      boolean := coalesce(array_to_string(c.orders, '') <> '', false);
BEGIN
    RETURN (CASE WHEN NOT v_is_asked OR v_has THEN 'pass' ELSE 'fail' END, NULL::radscheduler.severity,
            CASE WHEN NOT v_is_asked THEN 'No order is asked for.' WHEN v_has THEN 'The appointment names its order.' ELSE 'The appointment names no order.' END,
            jsonb_build_object('orders', coalesce(to_jsonb(c.orders), '[]')));
END
$$;
COMMENT ON FUNCTION radscheduler.judge_order(radscheduler.clinical_case, jsonb) IS 'ORDER_MISSING.';

CREATE FUNCTION radscheduler.judge_authorization(c radscheduler.clinical_case, p jsonb) RETURNS radscheduler.clinical_verdict
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_is_asked boolean := p -> 'modalities' = '[]' OR c.modality IS NULL OR p -> 'modalities' ? c.modality;
BEGIN
    RETURN (CASE WHEN NOT v_is_asked OR c.authorization_no IS NOT NULL THEN 'pass' ELSE 'fail' END, NULL::radscheduler.severity,
            CASE WHEN NOT v_is_asked THEN 'No authorization is asked for.' WHEN c.authorization_no IS NOT NULL THEN 'The authorization is recorded.' ELSE 'No authorization of the payer is recorded.' END,
            jsonb_build_object('authorization_recorded', c.authorization_no IS NOT NULL));
END
$$;
COMMENT ON FUNCTION radscheduler.judge_authorization(radscheduler.clinical_case, jsonb) IS 'AUTH_MISSING.';
