-- What the clinical rules look at, gathered once for some appointments: the exam as its text and the catalogue tell it, and what is recorded about the patient.
-- A fact dated in the future is not past: it never answers a rule as safe, and what it warns of makes the answer unknown.

CREATE TYPE radscheduler.clinical_fact AS (
    kind        text,
    code        text,
    value       numeric,
    unit        text,
    severity    text,
    observed_at timestamptz,
    is_past     boolean
);
COMMENT ON TYPE radscheduler.clinical_fact IS 'A fact of patient_fact as the clinical rules see it: code and severity in upper case, unit in lower; is_past is false for one dated in the future.';

CREATE TYPE radscheduler.clinical_case AS (
    appointment_id   bigint,
    patient_id       bigint,
    is_own           boolean,
    takes_time       boolean,
    is_done          boolean,
    starts_at        timestamptz,
    ends_at          timestamptz,
    wall_time        time,
    modality         text,
    words            text,
    codes            text[],
    contrast         text,
    contrast_doubt   text,
    contrast_meant   text,
    contrast_listed  text,
    fasts            boolean,
    usual_minutes    integer,
    counts_contrast  boolean,
    is_sedated       boolean,
    sex              text,
    age              integer,
    orders           text[],
    authorization_no text,
    limit_kg         integer,
    limit_resource   bigint,
    resources        text[],
    facts            radscheduler.clinical_fact[]
);
COMMENT ON TYPE radscheduler.clinical_case IS 'An appointment as the clinical rules see it. contrast: whether it needs a contrast agent (yes, no, unknown); contrast_doubt: why that is to be looked at (silent, words, contradiction; NULL: it is not).';

CREATE TYPE radscheduler.clinical_verdict AS (
    verdict  text,
    severity radscheduler.severity,
    sentence text,
    inputs   jsonb
);
COMMENT ON TYPE radscheduler.clinical_verdict IS 'What a clinical rule found: pass, fail or unknown; its own severity where that is graded; a sentence without the patient''s values; the values it looked at.';

CREATE FUNCTION radscheduler.contrast_need(p_meant text, p_listed text, p_is_listed_name boolean, p_may_be_silent boolean, OUT need text, OUT doubt text) RETURNS record
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- A text that is the catalogue's own name was judged when the catalogue was written.
    v_meant CONSTANT text := CASE WHEN p_is_listed_name AND p_listed <> 'unknown' THEN 'none' ELSE p_meant END;
BEGIN
    IF v_meant IN ('with', 'both') AND p_listed = 'none' OR v_meant = 'without' AND p_listed IN ('with', 'with_and_without') THEN
        need := 'unknown'; doubt := 'contradiction';
    ELSIF v_meant = 'unknown' THEN
        need := CASE WHEN p_listed IN ('with', 'with_and_without') THEN 'yes' ELSE 'unknown' END; doubt := 'words';
    ELSIF v_meant IN ('with', 'both') THEN
        need := 'yes';
    ELSIF v_meant = 'without' THEN
        need := 'no';
    ELSIF p_listed IN ('with', 'with_and_without') THEN
        need := 'yes';
    ELSIF p_listed = 'none' OR NOT p_may_be_silent THEN
        need := 'no';
    ELSE
        need := 'unknown'; doubt := 'silent';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.contrast_need(text, text, boolean, boolean) IS
    'Whether an exam needs a contrast agent (yes, no, unknown), and why somebody must look (contradiction: text and catalogue say the opposite; words: what the text says is not understood; silent: neither says anything in a modality where contrast is given). p_meant as contrast_meant() says it, p_listed as procedure.contrast, NULL where the catalogue has no such exam.';

CREATE FUNCTION radscheduler.clinical_facts(p_site integer, p_patient bigint, p_now timestamptz) RETURNS radscheduler.clinical_fact[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ARRAY(
        SELECT (f.kind, f.code, f.value, f.unit, f.severity, f.observed_at, f.is_past)::radscheduler.clinical_fact
        FROM (SELECT x.kind, upper(x.code) AS code, x.value, lower(x.unit) AS unit, upper(x.severity) AS severity, x.observed_at, coalesce(x.observed_at <= p_now, true) AS is_past
              FROM radscheduler.patient_fact x WHERE x.site_id = p_site AND x.patient_id = p_patient) f
        ORDER BY f.observed_at DESC NULLS LAST);
END
$$;
COMMENT ON FUNCTION radscheduler.clinical_facts(integer, bigint, timestamptz) IS 'What is recorded about a patient, newest first; is_past is false for what is dated later than p_now.';

CREATE FUNCTION radscheduler.clinical_cases(p_site integer, p_appointments bigint[], p_with_facts bigint[], p_silent text[])
    RETURNS SETOF radscheduler.clinical_case
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 2 SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_zone text := radscheduler.site_zone(p_site);
    v_now  timestamptz := clock_timestamp();
BEGIN
    RETURN QUERY
    WITH booked AS MATERIALIZED (
        SELECT a.* FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) AND a.starts_at IS NOT NULL AND a.patient_id IS NOT NULL
    ), exam AS MATERIALIZED (
        SELECT b.appointment_id, b.modality, s.code, s.name
        FROM booked b JOIN radscheduler.appointment_service s ON s.site_id = p_site AND s.appointment_id = b.appointment_id AND s.status IS NULL
        UNION ALL
        SELECT b.appointment_id, b.modality, b.study_code, b.study_text FROM booked b
        WHERE NOT EXISTS (SELECT FROM radscheduler.appointment_service s WHERE s.site_id = p_site AND s.appointment_id = b.appointment_id AND s.status IS NULL)
    ), told AS MATERIALIZED (
        SELECT e.appointment_id, e.code, e.name, p.code AS listed_code, coalesce(p.modality, nullif(e.modality, 'OT')) AS modality, p.minutes, p.contrast AS listed, p.prep,
               radscheduler.contrast_meant(e.name) AS meant, coalesce(upper(btrim(e.name)) = upper(p.name), false) AS is_listed_name, p.name AS listed_name
        FROM exam e
        LEFT JOIN LATERAL radscheduler.procedure_of(p_site, e.code, e.name) f ON true
        LEFT JOIN LATERAL (SELECT q.* FROM radscheduler.procedure q WHERE q.site_id = p_site AND q.code = f.code
                           UNION ALL
                           (SELECT q.* FROM radscheduler.procedure q WHERE f.code IS NULL AND q.site_id = p_site AND upper(q.name) = upper(btrim(e.name)) ORDER BY q.code LIMIT 1)) p ON true
    ), study AS MATERIALIZED (
        -- Of several exams one that needs contrast is enough, and one that is in doubt.
        SELECT t.appointment_id,
               CASE WHEN bool_or(n.need = 'yes') THEN 'yes' WHEN bool_or(n.need = 'unknown') THEN 'unknown' ELSE 'no' END AS need,
               (array_agg(n.doubt ORDER BY n.doubt) FILTER (WHERE n.doubt IS NOT NULL))[1] AS doubt,
               string_agg(t.meant, ', ') AS meant, string_agg(coalesce(t.listed, 'not listed'), ', ') AS listed,
               array_agg(coalesce(t.listed_code, upper(btrim(t.code)), upper(btrim(t.name)))) AS codes,
               upper(string_agg(concat_ws(' ', t.code, t.name, t.listed_name), ' + ')) AS words,
               bool_or(coalesce(t.prep ~* '(nothing to eat|fasting)', false)) AS fasts,
               CASE WHEN bool_and(coalesce(t.modality IN ('CR', 'DX', 'MG', 'BMD'), false)) THEN max(coalesce(t.minutes, m.default_minutes)) ELSE sum(coalesce(t.minutes, m.default_minutes)) END::integer AS minutes,
               bool_and(coalesce(t.listed IN ('with', 'with_and_without') AND t.minutes IS NOT NULL OR n.need <> 'yes', false)) AS counts_contrast
        FROM told t
        LEFT JOIN radscheduler.modality m ON m.site_id = p_site AND m.code = t.modality
        CROSS JOIN LATERAL radscheduler.contrast_need(t.meant, t.listed, t.is_listed_name, coalesce(t.modality = ANY (p_silent), true)) n
        GROUP BY t.appointment_id
    )
    SELECT b.appointment_id, b.patient_id, b.sender_id IS NULL, radscheduler.takes_time(b.status, b.holds_time), b.status = 'COMPLETED', b.starts_at, b.ends_at,
           timezone(v_zone, b.starts_at)::time, nullif(b.modality, 'OT'), s.words, s.codes, s.need, s.doubt, s.meant, s.listed, s.fasts, s.minutes, s.counts_contrast,
           coalesce(concat_ws(' ', s.words, b.notes, b.reason) ~* '(\msedat|an(a)?esthe)', false),
           p.sex, extract(year FROM age(timezone(v_zone, b.starts_at)::date, p.birth_date))::integer,
           b.placer_orders || b.filler_orders, b.authorization_no, l.weight_limit_kg::integer, l.resource_id,
           ARRAY(SELECT r.code FROM radscheduler.occupancy o JOIN radscheduler.resource r ON r.site_id = p_site AND r.resource_id = o.subject_id
                 WHERE o.site_id = p_site AND o.appointment_id = b.appointment_id AND o.axis = 'resource' ORDER BY r.code),
           CASE WHEN b.appointment_id = ANY (p_with_facts) THEN radscheduler.clinical_facts(p_site, b.patient_id, v_now) END
    FROM booked b
    JOIN study s ON s.appointment_id = b.appointment_id
    JOIN radscheduler.patient p ON p.site_id = p_site AND p.patient_id = b.patient_id
    LEFT JOIN LATERAL (
        SELECT r.weight_limit_kg, r.resource_id FROM radscheduler.occupancy o
        JOIN radscheduler.resource r ON r.site_id = p_site AND r.resource_id = o.subject_id AND r.kind <> 'staff'
        WHERE o.site_id = p_site AND o.appointment_id = b.appointment_id AND o.axis = 'resource' ORDER BY r.weight_limit_kg NULLS LAST, r.resource_id LIMIT 1) l ON true;
END
$$;
COMMENT ON FUNCTION radscheduler.clinical_cases(integer, bigint[], bigint[], text[]) IS
    'Appointments as the clinical rules see them: those that have a time and a patient. p_with_facts: those whose patient''s facts are fetched; p_silent: modalities in which an exam that says nothing about contrast may get some.';
