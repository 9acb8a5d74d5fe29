-- The clinical rules about contrast agents, one function each: an appointment and the rule's parameters in, a verdict out. A danger that needs contrast is a fail
-- where both are so, a pass where either is not, and unknown else.

CREATE FUNCTION radscheduler.both_so(p_one text, p_other text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN p_one = 'no' OR p_other = 'no' THEN 'pass' WHEN p_one = 'yes' AND p_other = 'yes' THEN 'fail' ELSE 'unknown' END;
COMMENT ON FUNCTION radscheduler.both_so(text, text) IS 'Verdict on two conditions (yes, no, unknown) of which both must hold for a rule to be broken.';

CREATE FUNCTION radscheduler.contrast_in(c radscheduler.clinical_case, p_modalities jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN CASE WHEN c.modality IS NULL OR p_modalities ? c.modality THEN c.contrast ELSE 'no' END;
END
$$;
COMMENT ON FUNCTION radscheduler.contrast_in(radscheduler.clinical_case, jsonb) IS 'Whether an exam needs contrast (yes, no, unknown) in one of some modalities; one of unknown modality may be of any.';

CREATE FUNCTION radscheduler.has_word(p_code text, p_words jsonb) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM jsonb_array_elements_text(p_words) w WHERE strpos(p_code, upper(w)) > 0);
END
$$;
COMMENT ON FUNCTION radscheduler.has_word(text, jsonb) IS 'Whether a code in upper case has one of some words in it.';

CREATE FUNCTION radscheduler.is_negative_fact(p_code text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE(pg_catalog.upper(p_code) ~ '^(NONE|NIL|NKA|NKDA|NO|NEGATIVE|NO[ _].*|NOT[ _].*|716186003|409137002)$', false);
COMMENT ON FUNCTION radscheduler.is_negative_fact(text) IS 'Whether the code of a fact says that there is nothing of its kind: none, NKA, "no known allergies" and the like.';

CREATE FUNCTION radscheduler.last_egfr(c radscheduler.clinical_case) RETURNS radscheduler.clinical_fact
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_fact radscheduler.clinical_fact;
BEGIN
    FOREACH v_fact IN ARRAY coalesce(c.facts, '{}') LOOP
        IF v_fact.kind = 'egfr' AND v_fact.is_past AND v_fact.value IS NOT NULL AND v_fact.observed_at < c.ends_at THEN
            RETURN v_fact;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.last_egfr(radscheduler.clinical_case) IS 'The last eGFR before the end of the exam that is not dated in the future; NULL when there is none.';

CREATE FUNCTION radscheduler.judge_contrast_unknown(c radscheduler.clinical_case, p jsonb) RETURNS radscheduler.clinical_verdict
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (CASE c.contrast_doubt WHEN 'contradiction' THEN 'fail' WHEN 'words' THEN 'unknown' WHEN 'silent' THEN 'unknown' ELSE 'pass' END, NULL::radscheduler.severity,
            CASE c.contrast_doubt WHEN 'contradiction' THEN 'The text of the exam and the catalogue contradict each other about contrast; somebody must look.'
                 WHEN 'words' THEN 'What the text of the exam says about contrast is not understood; somebody must look.'
                 WHEN 'silent' THEN 'Neither the text of the exam nor the catalogue says whether contrast is given; somebody must look.'
                 ELSE CASE c.contrast WHEN 'yes' THEN 'The exam is done with contrast.' ELSE 'The exam is done without contrast.' END END,
            jsonb_build_object('contrast', c.contrast, 'text', c.contrast_meant, 'catalogue', c.contrast_listed));
END
$$;
COMMENT ON FUNCTION radscheduler.judge_contrast_unknown(radscheduler.clinical_case, jsonb) IS 'CONTRAST_UNKNOWN.';

CREATE FUNCTION radscheduler.judge_contrast_lab(c radscheduler.clinical_case, p jsonb) RETURNS radscheduler.clinical_verdict
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_need    text := radscheduler.contrast_in(c, p -> 'modalities');
    v_lab     radscheduler.clinical_fact := radscheduler.last_egfr(c);
    v_is_old  boolean := v_lab.observed_at < c.starts_at - make_interval(hours => (24 * (p ->> 'max_days')::numeric)::integer);
    v_verdict text := radscheduler.both_so(v_need, CASE WHEN v_is_old THEN 'yes' WHEN v_lab.value IS NULL THEN 'yes' ELSE 'no' END);
BEGIN
    RETURN (v_verdict, NULL::radscheduler.severity,
            CASE WHEN v_need = 'no' THEN 'No contrast that the kidneys must clear.' WHEN v_verdict = 'pass' THEN 'A recent eGFR is recorded.'
                 WHEN v_lab.value IS NULL THEN CASE v_need WHEN 'yes' THEN 'The exam needs contrast, and no eGFR is recorded.' ELSE 'The exam may need contrast, and no eGFR is recorded.' END
                 ELSE CASE v_need WHEN 'yes' THEN 'The exam needs contrast, and the last eGFR is too old.' ELSE 'The exam may need contrast, and the last eGFR is too old.' END END,
            jsonb_strip_nulls(jsonb_build_object('contrast', v_need, 'observed_at', v_lab.observed_at, 'days', round(extract(epoch FROM c.starts_at - v_lab.observed_at) / 86400, 1), 'max_days', p -> 'max_days')));
END
$$;
COMMENT ON FUNCTION radscheduler.judge_contrast_lab(radscheduler.clinical_case, jsonb) IS 'CONTRAST_LAB_MISSING.';

CREATE FUNCTION radscheduler.judge_egfr(c radscheduler.clinical_case, p jsonb) RETURNS radscheduler.clinical_verdict
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_need    text := radscheduler.contrast_in(c, p -> 'modalities');
    v_lab     radscheduler.clinical_fact := radscheduler.last_egfr(c);
    v_is_old  boolean := v_lab.observed_at < c.starts_at - make_interval(hours => (24 * (p ->> 'max_days')::numeric)::integer);
    -- Code < or >: the laboratory told a bound only. Below 60 may be anything, below 30 is low; above 60 is good, above 20 may be anything.
    v_least   numeric := (p ->> 'warning_below')::numeric;
    v_grade   radscheduler.severity := CASE WHEN v_lab.code = '>' THEN NULL
        WHEN v_lab.value < (p ->> 'critical_below')::numeric OR v_lab.code = '<' AND v_lab.value = (p ->> 'critical_below')::numeric THEN 'critical'
        WHEN v_lab.value < v_least OR v_lab.code = '<' AND v_lab.value = v_least THEN 'warning' END;
    -- A low value of long ago is still a danger that is known; a good one of long ago says nothing.
    v_verdict text := radscheduler.both_so(v_need, CASE WHEN v_grade IS NOT NULL THEN 'yes' WHEN v_lab.value IS NULL OR v_is_old OR v_lab.code = '<' OR v_lab.code = '>' AND v_lab.value < v_least THEN 'unknown' ELSE 'no' END);
BEGIN
    RETURN (v_verdict, CASE v_verdict WHEN 'fail' THEN v_grade END,
            CASE WHEN v_need = 'no' THEN 'No contrast that the kidneys must clear.' WHEN v_verdict = 'pass' THEN 'The last eGFR is high enough for contrast.'
                 WHEN v_grade IS NOT NULL THEN CASE v_need WHEN 'yes' THEN 'The last eGFR is too low for contrast.' ELSE 'The last eGFR is too low for contrast, which the exam may need.' END
                 WHEN v_lab.value IS NULL THEN 'No eGFR is recorded.' WHEN v_is_old THEN 'The last eGFR is too old to count.' ELSE 'The last eGFR is only known to be below or above a bound that does not tell.' END,
            jsonb_strip_nulls(jsonb_build_object('contrast', v_need, 'egfr', v_lab.value, 'bound', v_lab.code, 'observed_at', v_lab.observed_at, 'critical_below', p -> 'critical_below', 'warning_below', p -> 'warning_below')));
END
$$;
COMMENT ON FUNCTION radscheduler.judge_egfr(radscheduler.clinical_case, jsonb) IS 'EGFR_LOW; its parameter max_days is that of CONTRAST_LAB_MISSING.';

CREATE FUNCTION radscheduler.judge_allergy(c radscheduler.clinical_case, p jsonb) RETURNS radscheduler.clinical_verdict
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_words   jsonb := (p -> 'any_agent') || CASE WHEN c.modality IS NULL THEN (p -> 'iodine') || (p -> 'gadolinium') WHEN c.modality = 'MR' THEN p -> 'gadolinium' ELSE p -> 'iodine' END;
    v_fact    radscheduler.clinical_fact;
    v_grade   radscheduler.severity;
    v_is_told boolean := false;
    v_is_free boolean := false;
    v_coming  boolean := false;
    v_verdict text;
BEGIN
    FOREACH v_fact IN ARRAY coalesce(c.facts, '{}') LOOP
        CONTINUE WHEN v_fact.kind <> 'allergy';
        IF radscheduler.is_negative_fact(v_fact.code) THEN
            v_is_free := v_is_free OR v_fact.is_past AND v_fact.observed_at < c.ends_at
                AND v_fact.observed_at >= c.starts_at - make_interval(hours => (24 * (p ->> 'answer_days')::numeric)::integer);
        ELSIF radscheduler.has_word(v_fact.code, v_words) THEN
            IF v_fact.is_past THEN
                v_is_told := true;
                v_grade := greatest(v_grade, coalesce((p -> 'severities' ->> v_fact.severity)::radscheduler.severity, 'critical'));
            ELSE
                v_coming := true;
            END IF;
        END IF;
    END LOOP;
    v_verdict := radscheduler.both_so(c.contrast, CASE WHEN v_is_told THEN 'yes' WHEN v_is_free AND NOT v_coming THEN 'no' ELSE 'unknown' END);
    RETURN (v_verdict, CASE v_verdict WHEN 'fail' THEN v_grade END,
            CASE WHEN c.contrast = 'no' THEN 'No contrast is given.' WHEN v_verdict = 'pass' THEN 'No allergy to contrast agents, as recorded.'
                 WHEN v_is_told THEN CASE c.contrast WHEN 'yes' THEN 'An allergy to the contrast agent is recorded.' ELSE 'An allergy to a contrast agent is recorded, and the exam may need one.' END
                 WHEN v_coming THEN 'An allergy to the contrast agent is recorded with a date in the future; somebody must look.'
                 ELSE 'Nobody has recorded whether there is an allergy to contrast agents.' END,
            jsonb_build_object('contrast', c.contrast, 'allergies', (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('code', f.code, 'severity', f.severity, 'observed_at', f.observed_at))), '[]')
                FROM unnest(c.facts) f WHERE f.kind = 'allergy')));
END
$$;
COMMENT ON FUNCTION radscheduler.judge_allergy(radscheduler.clinical_case, jsonb) IS
    'CONTRAST_ALLERGY. Iodine agents and gadolinium are apart: an allergy to one says nothing about the other. An allergy to something else is no answer. A recorded allergy outweighs any answer that there is none.';

CREATE FUNCTION radscheduler.judge_metformin(c radscheduler.clinical_case, p jsonb) RETURNS radscheduler.clinical_verdict
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_need    text := radscheduler.contrast_in(c, p -> 'modalities');
    v_lab     radscheduler.clinical_fact := radscheduler.last_egfr(c);
    v_fact    radscheduler.clinical_fact;
    v_takes   boolean := false;
    v_answers boolean := false;
    v_coming  boolean := false;
    v_verdict text;
BEGIN
    FOREACH v_fact IN ARRAY coalesce(c.facts, '{}') LOOP
        CONTINUE WHEN v_fact.kind <> 'medication';
        IF radscheduler.has_word(v_fact.code, p -> 'words') THEN
            v_takes := v_takes OR v_fact.is_past;
            v_coming := v_coming OR NOT v_fact.is_past;
        ELSE
            v_answers := v_answers OR v_fact.is_past AND v_fact.observed_at < c.ends_at
                AND v_fact.observed_at >= c.starts_at - make_interval(hours => (24 * (p ->> 'answer_days')::numeric)::integer);
        END IF;
    END LOOP;
    IF v_lab.value >= (p ->> 'safe_egfr')::numeric AND v_lab.code IS DISTINCT FROM '<' AND v_lab.observed_at >= c.starts_at - make_interval(hours => (24 * (p ->> 'max_days')::numeric)::integer) THEN
        v_verdict := 'pass';
    ELSE
        v_verdict := radscheduler.both_so(v_need, CASE WHEN v_takes THEN 'yes' WHEN v_answers AND NOT v_coming THEN 'no' ELSE 'unknown' END);
    END IF;
    RETURN (v_verdict, NULL::radscheduler.severity,
            CASE WHEN v_need = 'no' THEN 'No iodine agent is given.' WHEN v_verdict = 'pass' AND v_takes THEN 'The kidneys are good enough for metformin and contrast.' WHEN v_verdict = 'pass' THEN 'The patient takes no metformin, as recorded.'
                 WHEN v_takes THEN CASE v_need WHEN 'yes' THEN 'The patient takes metformin, which must be paused around an iodine agent.' ELSE 'The patient takes metformin, and the exam may need an iodine agent.' END
                 WHEN v_coming THEN 'Metformin is recorded with a date in the future; somebody must look.'
                 ELSE 'Nobody has recorded whether the patient takes metformin.' END,
            jsonb_strip_nulls(jsonb_build_object('contrast', v_need, 'metformin', CASE WHEN v_takes THEN true WHEN v_answers THEN false END, 'egfr', CASE WHEN p ->> 'safe_egfr' IS NOT NULL THEN v_lab.value END)));
END
$$;
COMMENT ON FUNCTION radscheduler.judge_metformin(radscheduler.clinical_case, jsonb) IS 'METFORMIN; its parameter max_days is that of CONTRAST_LAB_MISSING.';

CREATE FUNCTION radscheduler.judge_contrast_given(c radscheduler.clinical_case, p jsonb) RETURNS radscheduler.clinical_verdict
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_last    timestamptz;
    v_verdict text;
BEGIN
    SELECT max(f.observed_at) INTO v_last FROM unnest(c.facts) f WHERE f.kind = 'contrast_given' AND f.is_past AND f.observed_at < c.starts_at AND NOT radscheduler.is_negative_fact(f.code);
    -- Contrast is given here or told by a message: that nothing is recorded is no gap in the record, as other exams are looked at too.
    v_verdict := radscheduler.both_so(c.contrast, CASE WHEN v_last > c.starts_at - make_interval(mins => (60 * (p ->> 'hours')::numeric)::integer) THEN 'yes' ELSE 'no' END);
    RETURN (v_verdict, NULL::radscheduler.severity,
            CASE WHEN c.contrast = 'no' THEN 'No contrast is given.' WHEN v_verdict = 'pass' THEN 'No contrast was given shortly before, as recorded.'
                 WHEN v_verdict = 'fail' THEN 'Contrast was given only shortly before.' ELSE 'Contrast was given only shortly before, and the exam may need it again.' END,
            jsonb_strip_nulls(jsonb_build_object('contrast', c.contrast, 'given_at', v_last, 'hours', p -> 'hours')));
END
$$;
COMMENT ON FUNCTION radscheduler.judge_contrast_given(radscheduler.clinical_case, jsonb) IS 'REPEAT_CONTRAST, as far as contrast that was recorded as given goes; other exams are in clinical_pairs().';
