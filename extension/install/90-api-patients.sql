-- Finding a patient. By POST only, because URLs end in logs; the log says which fields were asked for and who was shown, not what was typed.

CREATE FUNCTION radscheduler.api_v1_patients_search(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET plan_cache_mode = force_custom_plan SET jit = off
    AS $$
DECLARE
    v_site   integer := radscheduler.api_enter();
    v_body   jsonb := radscheduler.api_body(request, '{after,birth_date,identifier,limit,name,phone}');
    v_number text := nullif(btrim(radscheduler.api_text(v_body, 'identifier')), '');
    v_phone  text := nullif(btrim(radscheduler.api_text(v_body, 'phone')), '');
    v_words  text[] := array_remove(regexp_split_to_array(upper(btrim(radscheduler.api_text(v_body, 'name'))), '[\s,]+'), '');
    v_limit  integer := radscheduler.api_limit(jsonb_build_object('query', jsonb_strip_nulls(jsonb_build_object('limit', radscheduler.api_number(v_body, 'limit')::text))));
    v_after  bigint := coalesce((radscheduler.api_after(jsonb_build_object('query', jsonb_strip_nulls(jsonb_build_object('after', radscheduler.api_text(v_body, 'after')))), '{number}') ->> 0)::bigint, 0);
    v_born   date;
    v_ids    bigint[];
    v_rows   jsonb;
BEGIN
    IF radscheduler.api_text(v_body, 'birth_date') IS NOT NULL THEN
        BEGIN
            IF v_body ->> 'birth_date' !~ '^\d{4}-\d\d-\d\d$' THEN
                RAISE datetime_field_overflow;
            END IF;
            v_born := (v_body ->> 'birth_date')::date;
        EXCEPTION WHEN data_exception THEN
            PERFORM radscheduler.api_fault('birth_date', 'is no date', 'Send {"birth_date": "1980-02-29"}.');
        END;
    END IF;
    IF num_nonnulls(v_number, v_phone, v_born, v_words[1]) = 0 THEN
        RAISE EXCEPTION 'a search needs identifier, name, birth_date or phone' USING ERRCODE = 'invalid_parameter_value', HINT = 'Send {"identifier": "…"}, or a name of which each word may be only begun.';
    ELSIF num_nonnulls(v_number, v_phone, v_born) = 0 AND length(array_to_string(v_words, '')) < 2 THEN
        PERFORM radscheduler.api_fault('name', 'is too short to search for', 'Give two letters at least, or birth_date with it.');
    ELSIF cardinality(v_words) > 10 THEN
        PERFORM radscheduler.api_fault('name', 'has too many words', 'Give ten at most.');
    END IF;
    v_ids := ARRAY(SELECT p.patient_id FROM radscheduler.patient p
        WHERE p.site_id = v_site AND p.patient_id > v_after
          AND (v_number IS NULL OR p.patient_id IN (SELECT i.patient_id FROM radscheduler.patient_identifier i WHERE i.site_id = v_site AND i.value = v_number))
          AND (v_born IS NULL OR p.birth_date = v_born)
          AND (v_phone IS NULL OR p.phone = coalesce(radscheduler.e164(v_phone, (SELECT s.phone_region FROM radscheduler.site s WHERE s.site_id = v_site)), v_phone) OR p.phone_as_sent = v_phone)
          AND NOT EXISTS (SELECT FROM unnest(v_words) w WHERE strpos(' ' || upper(translate(p.display_name, ',-', '  ')), ' ' || translate(w, '-', ' ')) = 0)
        ORDER BY p.patient_id LIMIT v_limit + 1);
    SELECT coalesce(jsonb_agg(jsonb_build_object('record', p.patient_id, 'patient_id', p.mrn, 'name', p.display_name, 'birth_date', p.birth_date, 'sex', p.sex,
               'phone', coalesce(p.phone, p.phone_as_sent), 'is_deceased', p.is_deceased,
               'identifiers', (SELECT coalesce(jsonb_agg(jsonb_build_object('value', i.value, 'authority', i.authority, 'type', i.type) ORDER BY i.value, i.authority, i.type), '[]')
                               FROM radscheduler.patient_identifier i WHERE i.site_id = v_site AND i.patient_id = p.patient_id AND i.merged_at IS NULL),
               'next_appointment', (SELECT jsonb_build_object('id', a.appointment_id, 'starts_at', a.starts_at) FROM radscheduler.appointment a
                                    WHERE a.site_id = v_site AND a.patient_id = p.patient_id AND a.starts_at >= now() AND a.hold_until IS NULL AND radscheduler.is_occupying(a.status)
                                    ORDER BY a.starts_at, a.appointment_id LIMIT 1)) ORDER BY p.patient_id), '[]') INTO v_rows
        FROM radscheduler.patient p WHERE p.site_id = v_site AND p.patient_id = ANY (v_ids[1:v_limit]);
    PERFORM radscheduler.audit(v_site, 'read', 'patient', NULL, jsonb_build_object('searched', ARRAY(SELECT k FROM jsonb_object_keys(v_body) k WHERE k NOT IN ('after', 'limit') ORDER BY k), 'patients', v_ids[1:v_limit]));
    RETURN radscheduler.reply(200, jsonb_build_object('items', v_rows, 'next', CASE WHEN cardinality(v_ids) > v_limit THEN radscheduler.api_cursor(jsonb_build_array(v_ids[v_limit])) END));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_patients_search(jsonb) IS
    'POST /api/v1/patients/search: patients of the site by identifier (any of theirs), phone, birth_date and the beginnings of the words of their name, all that is given; limit and after are fields too. record is what GET /api/v1/appointments?patient= takes.';
