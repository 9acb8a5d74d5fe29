-- The clinical rules about two exams of one patient: contrast again too soon, an exam that spoils a later one, the same exam twice. The later one is flagged, the earlier one
-- told. An exam that was completed still counts as the earlier one: what was given or swallowed is in the patient.

CREATE FUNCTION radscheduler.clinical_neighbours(p_site integer, p_appointments bigint[], p_within interval) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- By patient, whatever the planner makes of the times: a patient has few appointments, a week has thousands.
    RETURN ARRAY(
        SELECT DISTINCT q.appointment_id
        FROM unnest(p_appointments) u(id)
        JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = u.id AND a.starts_at IS NOT NULL
        CROSS JOIN LATERAL (SELECT x.appointment_id, x.starts_at, x.ends_at, x.status, x.holds_time FROM radscheduler.appointment x
                            WHERE x.site_id = p_site AND x.patient_id = a.patient_id OFFSET 0) q
        WHERE q.appointment_id <> a.appointment_id AND q.starts_at < a.ends_at + p_within AND q.ends_at > a.starts_at - p_within
          AND (radscheduler.takes_time(q.status, q.holds_time) OR q.status = 'COMPLETED'));
END
$$;
COMMENT ON FUNCTION radscheduler.clinical_neighbours(integer, bigint[], interval) IS 'Other exams of the same patients, booked or completed, that lie less than an interval before or after some appointments.';

CREATE FUNCTION radscheduler.clinical_pairs(p_cases radscheduler.clinical_case[], p_appointments bigint[], p_rules jsonb)
    RETURNS TABLE (code text, appointment_id bigint, other_appointment_id bigint, patient_id bigint, overlap tstzrange, verdict text, sentence text, inputs jsonb)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH seen AS MATERIALIZED (
        SELECT * FROM unnest(p_cases) c
    ), pair AS MATERIALIZED (
        SELECT l.appointment_id, l.patient_id, l.starts_at, l.contrast, l.codes, l.words, l.modality, l.is_own,
               e.appointment_id AS other_id, e.ends_at AS other_ends, e.contrast AS other_contrast, e.codes AS other_codes, e.words AS other_words, e.modality AS other_modality
        FROM seen l JOIN seen e ON e.patient_id = l.patient_id AND e.appointment_id <> l.appointment_id AND (e.starts_at, e.appointment_id) < (l.starts_at, l.appointment_id)
        WHERE l.takes_time AND (e.takes_time OR e.is_done) AND (l.appointment_id = ANY (p_appointments) OR e.appointment_id = ANY (p_appointments))
    ), found AS (
        SELECT 'REPEAT_CONTRAST' AS code, p.*, radscheduler.both_so(p.contrast, p.other_contrast) AS verdict, make_interval(mins => (60 * (r.parameters ->> 'hours')::numeric)::integer) AS least,
               CASE radscheduler.both_so(p.contrast, p.other_contrast) WHEN 'fail' THEN 'Another exam with contrast lies only shortly before.'
                    ELSE 'Another exam lies only shortly before, and both may need contrast.' END AS sentence, NULL::text AS name
        FROM pair p, jsonb_to_record(p_rules -> 'REPEAT_CONTRAST') r(parameters jsonb)
        UNION ALL
        SELECT 'DUPLICATE_EXAM', p.*, CASE WHEN p.codes && p.other_codes THEN 'fail' ELSE 'pass' END, make_interval(hours => (24 * (r.parameters ->> 'days')::numeric)::integer),
               'The patient has the same exam only shortly before.', NULL
        FROM pair p, jsonb_to_record(p_rules -> 'DUPLICATE_EXAM') r(parameters jsonb)
        UNION ALL
        SELECT 'PREP_CLASH', p.*,
               CASE WHEN g.first_contrast THEN radscheduler.both_so(p.other_contrast, 'yes') ELSE 'fail' END,
               make_interval(mins => CASE WHEN r.parameters -> 'gaps' ? g.name THEN (r.parameters -> 'gaps' ->> g.name)::numeric::integer ELSE g.minutes END), g.reason, g.name
        FROM pair p, jsonb_to_record(p_rules -> 'PREP_CLASH') r(parameters jsonb), radscheduler.exam_gap g
        WHERE (g.first_modalities IS NULL OR p.other_modality IS NULL OR p.other_modality = ANY (g.first_modalities)) AND (g.second_modalities IS NULL OR p.modality IS NULL OR p.modality = ANY (g.second_modalities))
          AND (g.first_words IS NULL AND p.other_modality IS NOT NULL OR p.other_words ~* g.first_words) AND (g.second_words IS NULL AND p.modality IS NOT NULL OR p.words ~* g.second_words)
    )
    SELECT f.code, f.appointment_id, f.other_id, f.patient_id, tstzrange(f.starts_at, max(f.other_ends + f.least)), CASE WHEN bool_or(f.verdict = 'fail') THEN 'fail' ELSE 'unknown' END,
           (array_agg(f.sentence ORDER BY f.verdict, f.least DESC, f.name))[1],
           jsonb_strip_nulls(jsonb_build_object('minutes_between', round(extract(epoch FROM f.starts_at - min(f.other_ends)) / 60), 'least_minutes', round(extract(epoch FROM max(f.least)) / 60),
                                                'gaps', CASE WHEN count(f.name) > 0 THEN jsonb_agg(f.name ORDER BY f.name) END))
    FROM found f
    WHERE f.verdict <> 'pass' AND f.starts_at < f.other_ends + f.least
    GROUP BY f.code, f.appointment_id, f.other_id, f.patient_id, f.starts_at;
END
$$;
COMMENT ON FUNCTION radscheduler.clinical_pairs(radscheduler.clinical_case[], bigint[], jsonb) IS
    'Pairs of exams among some cases, with one of p_appointments on either side, that break a rule of p_rules ({code: {parameters}}) or of which it cannot tell: appointment_id is the later one, which takes time; other_appointment_id the earlier one, booked or completed.';
