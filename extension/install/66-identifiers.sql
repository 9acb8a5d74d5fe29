-- Whom identifiers mean once patients have been merged: those given up (patient_identifier.merged_at) and earlier ids (patient_merge) lead to the
-- patient kept. Stricter than find_patient(): where several could be meant, nobody is.

CREATE FUNCTION radscheduler.identifiers_known(p_site integer, p_facility text, p_identifiers jsonb,
        OUT sent jsonb, OUT value text, OUT authority text, OUT type text, OUT patient_id bigint, OUT merged_at timestamptz, OUT is_ambiguous boolean) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 2 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT e.x, coalesce(q.value, e.x ->> 'value'), coalesce(q.authority, e.x ->> 'authority', p_facility), coalesce(q.type, e.x ->> 'type', 'MR'), q.patient_id, q.merged_at,
           coalesce(q.is_shared AND NOT q.is_exact, false)
    FROM jsonb_array_elements(p_identifiers) WITH ORDINALITY e(x, place)
    LEFT JOIN LATERAL (
        SELECT i.*, i.authority = coalesce(e.x ->> 'authority', p_facility) AS is_exact, min(i.patient_id) OVER () <> max(i.patient_id) OVER () AS is_shared
        FROM radscheduler.patient_identifier i
        WHERE i.site_id = p_site AND i.value = e.x ->> 'value' AND i.type = coalesce(e.x ->> 'type', 'MR')
          AND (i.authority IN (coalesce(e.x ->> 'authority', p_facility), '') OR NOT e.x ? 'authority')
        ORDER BY is_exact DESC, i.patient_id LIMIT 1) q ON true
    ORDER BY e.place;
END
$$;
COMMENT ON FUNCTION radscheduler.identifiers_known(integer, text, jsonb) IS
    'Identifiers as sent, each with the row of patient_identifier that find_patient() would find by it; patient_id is NULL for one that is not known. is_ambiguous: it was sent without authority, and several people have it under others.';

CREATE FUNCTION radscheduler.patients_named(p_site integer, p_facility text, p_identifiers jsonb) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ARRAY(SELECT DISTINCT k.patient_id FROM radscheduler.identifiers_known(p_site, p_facility, p_identifiers) k WHERE k.patient_id IS NOT NULL ORDER BY 1);
END
$$;
COMMENT ON FUNCTION radscheduler.patients_named(integer, text, jsonb) IS 'Everybody at a site who has one of these identifiers.';

CREATE FUNCTION radscheduler.patient_now(p_site integer, p_patient bigint) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN coalesce((SELECT m.patient_id FROM radscheduler.patient_merge m WHERE m.site_id = p_site AND m.merged_id = p_patient), p_patient);
END
$$;
COMMENT ON FUNCTION radscheduler.patient_now(integer, bigint) IS 'Who a patient of an earlier version is now: the one he was merged into, else himself.';

CREATE FUNCTION radscheduler.is_ambiguous(p_site integer, p_facility text, p_identifiers jsonb) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM radscheduler.identifiers_known(p_site, p_facility, p_identifiers) k WHERE k.is_ambiguous);
END
$$;
COMMENT ON FUNCTION radscheduler.is_ambiguous(integer, text, jsonb) IS
    'Whether one of these identifiers could be that of several people. A booking is taken for one of them and can be mended; demographics and merges are not, so they change nothing.';

CREATE FUNCTION radscheduler.is_given_up(p_site integer, p_patient bigint, p_value text) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM radscheduler.patient_identifier i WHERE i.site_id = p_site AND i.value = p_value AND i.patient_id = p_patient AND i.merged_at IS NOT NULL)
       AND NOT EXISTS (SELECT FROM radscheduler.patient_identifier i WHERE i.site_id = p_site AND i.value = p_value AND i.patient_id = p_patient AND i.merged_at IS NULL AND i.authority <> '');
END
$$;
COMMENT ON FUNCTION radscheduler.is_given_up(integer, bigint, text) IS 'Whether a patient has this identifier only by a merge that gave it up: he is not shown under it.';
