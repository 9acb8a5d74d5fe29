-- Which exam of the site a free study text means. It proposes: nothing here books or writes. Rather none than a wrong one: below a score of 0.6,
-- where two exams are as good, where the text and the exam disagree about contrast, side or modality, or where one has a part of the body or
-- a technique that the other has not, there is no match.

-- Bodies of SQL that the planner puts in place: they are asked for each exam that has a word of the text.
CREATE FUNCTION radscheduler.contrast_factor(p_text text, p_exam text, p_own_words text) RETURNS real
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN p_text = 'unknown' THEN CASE p_exam WHEN 'unknown' THEN 0.75 ELSE 0.6 END
                WHEN p_text = 'none' THEN CASE WHEN p_exam = 'unknown' OR p_own_words = 'none' THEN 1 ELSE 0.75 END
                WHEN p_exam = 'unknown' THEN 0.75
                WHEN p_text = CASE p_exam WHEN 'none' THEN 'without' WHEN 'with_and_without' THEN 'both' ELSE p_exam END THEN 1
                -- CT UROGRAM implies an agent; its exam is done without and with, under that very word.
                WHEN p_text = 'with' AND p_exam = 'with_and_without' AND p_own_words = 'with' THEN 1
                ELSE 0.3 END;
COMMENT ON FUNCTION radscheduler.contrast_factor(text, text, text) IS
    'By what the score of an exam is multiplied for what a text says about contrast (contrast_meant()), what the exam is done with (procedure.contrast), and what its own words say: 1 agree, 0.3 contradict, between where one leaves it open.';

CREATE FUNCTION radscheduler.contrast_told(p_text text, p_exam text, p_own_words text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN p_text = 'unknown' THEN 'contrast: the text does not say clearly'
                WHEN p_text = 'none' THEN CASE WHEN p_exam = 'unknown' OR p_own_words = 'none' THEN 'contrast: not told' ELSE 'contrast: the text does not say, the exam does' END
                WHEN p_exam = 'unknown' THEN 'contrast: ' || p_text || ', the exam leaves it open'
                ELSE 'contrast: ' || p_text END;
COMMENT ON FUNCTION radscheduler.contrast_told(text, text, text) IS 'contrast_factor() in words.';

CREATE TYPE radscheduler.study_match AS (code text, name text, modality text, score numeric, is_whole boolean, contradicts boolean, why text[]);
COMMENT ON TYPE radscheduler.study_match IS 'An exam that a study text may mean: its score from 0 to 1, whether the text is its code, alias or name as a whole, whether they contradict each other, and why it was found.';
COMMENT ON COLUMN radscheduler.study_match.code IS 'Code of the exam.';
COMMENT ON COLUMN radscheduler.study_match.name IS 'Its name.';
COMMENT ON COLUMN radscheduler.study_match.modality IS 'Its modality.';
COMMENT ON COLUMN radscheduler.study_match.score IS 'How well it fits, 0 to 1.';
COMMENT ON COLUMN radscheduler.study_match.is_whole IS 'Whether the text is its code, alias or name.';
COMMENT ON COLUMN radscheduler.study_match.contradicts IS 'Whether contrast, side or modality contradict the text.';
COMMENT ON COLUMN radscheduler.study_match.why IS 'Why it was found, and what lowered the score.';

CREATE FUNCTION radscheduler.match_candidates(p_site integer, p_text text, p_modality text)
    RETURNS SETOF radscheduler.study_match
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    v_plain    text := upper(btrim(regexp_replace(p_text, '\s+', ' ', 'g')));
    v_contrast text := radscheduler.contrast_meant(p_text);
    v_said     text := radscheduler.modality_guess(p_site, '{}', ARRAY[p_text]);
    v_told     text := coalesce(p_modality, v_said);
    v_words    text[] := radscheduler.study_words(p_text);
    v_side     text := radscheduler.study_side(p_text);
BEGIN
    RETURN QUERY
    WITH variant AS MATERIALIZED (
        SELECT p.code, p.name, p.modality, p.contrast, v.kind, v.text, m.is_read, w.text AS told, coalesce(radscheduler.study_words(w.text), '{}') AS words
        FROM radscheduler.procedure p
        -- Of exams of another modality only what is written the same matters.
        CROSS JOIN LATERAL (SELECT v_told IS NULL OR p.modality = v_told AS is_read) m
        CROSS JOIN LATERAL (SELECT 'code' AS kind, upper(p.code) AS text UNION ALL SELECT 'name', upper(p.name)
                            UNION ALL SELECT 'alias', a.alias FROM radscheduler.procedure_alias a WHERE a.site_id = p.site_id AND a.code = p.code) v
        -- A whole code has no words.
        CROSS JOIN LATERAL (SELECT CASE WHEN m.is_read AND (v.kind = 'name' OR v.kind = 'alias' AND strpos(v.text, ' ') > 0) THEN v.text END AS text OFFSET 0) w
        WHERE p.site_id = p_site
    ), vocabulary AS MATERIALIZED (
        SELECT DISTINCT w.word FROM variant v, unnest(v.words) w(word)
    ), word AS MATERIALIZED (
        -- A word that no exam has is read as the one it is most like.
        SELECT w.word AS sent, coalesce(n.word, w.word) AS word, n.word IS NOT NULL AS is_misspelt
        FROM unnest(v_words) w(word)
        LEFT JOIN LATERAL (SELECT o.word FROM vocabulary o
                           WHERE length(w.word) >= 5 AND length(o.word) >= 5 AND NOT radscheduler.has_deciding_word(ARRAY[w.word]) AND radscheduler.text_similarity(w.word, o.word) >= 0.45
                             AND NOT EXISTS (SELECT FROM vocabulary x WHERE x.word = w.word)
                           ORDER BY radscheduler.text_similarity(w.word, o.word) DESC, o.word COLLATE "C" LIMIT 1) n ON true
    ), study AS (
        SELECT coalesce(array_agg(DISTINCT w.word COLLATE "C"), '{}') AS words, count(*) FILTER (WHERE w.is_misspelt) AS misspelt FROM word w
    ), compared AS (
        SELECT v.*, v.text = v_plain AS is_same, s.misspelt, radscheduler.contrast_factor(v_contrast, v.contrast, radscheduler.contrast_meant(v.text)) AS contrast_factor,
               radscheduler.contrast_told(v_contrast, v.contrast, radscheduler.contrast_meant(v.text)) AS contrast_told,
               -- An alias without a side stands for an exam that has one all the same.
               coalesce(radscheduler.study_side(v.told), CASE WHEN v.is_read THEN radscheduler.study_side(v.name) END) AS side,
               -- Both lists are in order.
               ARRAY(SELECT w FROM unnest(v.words) w WHERE w = ANY (s.words)) AS common,
               ARRAY(SELECT w FROM unnest(v.words) w WHERE w <> ALL (s.words)) AS lacking, ARRAY(SELECT w FROM unnest(s.words) w WHERE w <> ALL (v.words)) AS surplus,
               radscheduler.text_similarity(array_to_string(v.words, ' '), array_to_string(s.words, ' ')) AS likeness
        FROM variant v CROSS JOIN study s
        WHERE v.text = v_plain OR v.words && s.words
    ), scored AS (
        SELECT c.*, CASE WHEN c.is_same THEN 1 ELSE 0.95 ^ c.misspelt * (0.7 * 2 * cardinality(c.common) / (2 * cardinality(c.common) + 0.5 * cardinality(c.lacking || c.surplus)) + 0.3 * c.likeness) END
                    * CASE WHEN NOT c.is_same AND radscheduler.has_deciding_word(c.lacking || c.surplus) THEN 0.5 ELSE 1 END
                    * CASE WHEN v_told IS NULL AND NOT c.is_same THEN 0.85 ELSE 1 END AS alike,
               v_side IS NOT NULL AND c.side IS NOT NULL AND c.side <> v_side AND NOT (c.side = 'one' AND v_side IN ('left', 'right')) AS other_side,
               coalesce(c.modality <> v_told OR v_said <> p_modality, false) AS other_modality
        FROM compared c
    )
    SELECT DISTINCT ON (s.code) s.code, s.name, s.modality,
           round((s.alike * s.contrast_factor * CASE WHEN s.other_side OR s.other_modality THEN 0.3 WHEN s.side IS NOT NULL AND v_side IS NULL AND NOT s.is_same THEN 0.8 ELSE 1 END)::numeric, 3) AS score,
           s.is_same, s.other_side OR s.other_modality OR s.contrast_factor < 0.5,
           array_remove(ARRAY[CASE WHEN s.is_same THEN s.kind ELSE 'words: ' || lower(array_to_string(s.common, ' ')) END,
                              CASE WHEN NOT s.is_same AND s.lacking <> '{}' THEN 'only the exam: ' || lower(array_to_string(s.lacking, ' ')) END,
                              CASE WHEN NOT s.is_same AND s.surplus <> '{}' THEN 'only the text: ' || lower(array_to_string(s.surplus, ' ')) END,
                              CASE WHEN NOT s.is_same AND s.misspelt > 0 THEN (SELECT 'read as: ' || lower(string_agg(w.word, ' ' ORDER BY w.word COLLATE "C")) FROM word w WHERE w.is_misspelt) END,
                              s.contrast_told,
                              CASE WHEN v_side IS NOT NULL THEN 'laterality: ' || v_side || CASE WHEN s.side IS NULL THEN ', the exam has none' ELSE '' END END,
                              CASE WHEN v_told IS NULL THEN 'modality: not told' ELSE 'modality: ' || v_told END], NULL)
    FROM scored s
    ORDER BY s.code, 4 DESC, s.is_same DESC, CASE s.kind WHEN 'code' THEN 1 WHEN 'alias' THEN 2 ELSE 3 END, s.text COLLATE "C";
END
$$;
COMMENT ON FUNCTION radscheduler.match_candidates(integer, text, text) IS
    'The exams of a site that have something in common with a study text, each with its best score, whether the text is its code, alias or name, whether text and exam contradict each other (contrast, side, modality), and why.';

CREATE FUNCTION radscheduler.match_procedure(study text, modality text DEFAULT NULL, OUT code text, OUT name text, OUT score numeric, OUT why text[],
                                             OUT runner_up text, OUT runner_up_name text, OUT runner_up_score numeric) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_column
DECLARE
    v_site     integer := radscheduler.current_site();
    v_modality text := radscheduler.modality_code(v_site, match_procedure.modality);
    v_one      radscheduler.study_match;
    v_best     radscheduler.study_match;
    v_next     radscheduler.study_match;
BEGIN
    IF coalesce(match_procedure.modality, '') <> '' AND v_modality IS NULL THEN
        RAISE EXCEPTION 'modality "%" is not known at this site', match_procedure.modality
            USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.modality_alias lists the words that are.';
    ELSIF length(study) > 500 THEN
        RAISE EXCEPTION 'a study text has 500 characters at most' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the text of AIS-3 or OBR-4 alone.';
    ELSIF coalesce(btrim(study), '') = '' THEN
        why := ARRAY['no text'];
        RETURN;
    END IF;
    FOR v_one IN SELECT c.* FROM radscheduler.match_candidates(v_site, study, v_modality) c ORDER BY c.contradicts, c.score DESC, c.is_whole DESC, c.code COLLATE "C" LOOP
        IF v_best.code IS NULL THEN
            v_best := v_one;
        ELSIF v_next.code IS NULL OR v_one.score > v_next.score THEN
            v_next := v_one;
        END IF;
    END LOOP;
    IF v_best.code IS NULL THEN
        why := ARRAY['no exam has these words'];
        RETURN;
    END IF;
    IF v_best.contradicts OR v_best.score < 0.6 OR NOT v_best.is_whole AND v_best.score - coalesce(v_next.score, 0) < 0.02 THEN
        -- Nobody is chosen; who comes nearest is the runner-up.
        why := ARRAY[CASE WHEN v_best.contradicts THEN 'exams that are alike contradict the text' WHEN v_best.score < 0.6 THEN 'no exam is near enough' ELSE 'two exams are as good' END] || v_best.why;
        runner_up := v_best.code;
        runner_up_name := v_best.name;
        runner_up_score := v_best.score;
        RETURN;
    END IF;
    code := v_best.code;
    name := v_best.name;
    score := v_best.score;
    why := v_best.why;
    runner_up := v_next.code;
    runner_up_name := v_next.name;
    runner_up_score := v_next.score;
END
$$;
COMMENT ON FUNCTION radscheduler.match_procedure(text, text) IS
    'The exam of the session''s site that a study text means, with a score from 0 to 1, why (code, alias, name or words; contrast, laterality, modality), and the runner-up. code is NULL where none is near enough, two are as good, or the text contradicts all that are alike; the runner-up is then who comes nearest. Below 0.8 somebody should look. Raises 22023 for a modality that is not known.';
