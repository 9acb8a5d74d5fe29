-- Free times, and times held, by /api/v1: find_slots(), hold(), release(). A search goes by POST, because it may name a patient.

CREATE FUNCTION radscheduler.api_v1_slots_search(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET jit = off
    AS $$
DECLARE
    v_site  integer := radscheduler.api_enter();
    v_zone  text := radscheduler.site_zone(v_site);
    v_body  jsonb := radscheduler.api_body(request, '{constraints,duration_minutes,earliest,latest,limit,modality,patient_id,procedure,resource,without}');
    v_limit bigint := coalesce(radscheduler.api_number(v_body, 'limit'), 10);
    v_rows  jsonb;
BEGIN
    IF v_limit NOT BETWEEN 1 AND 500 THEN
        PERFORM radscheduler.api_fault('limit', 'must be 1 to 500', 'For more, search again from a later time (earliest).');
    END IF;
    SELECT coalesce(jsonb_agg(jsonb_build_object('resource', f.resource_code, 'starts_at', f.starts_at, 'ends_at', f.ends_at, 'staff', coalesce(to_jsonb(f.staff), '[]'),
                                                 'score', f.score, 'reasons', coalesce(f.reasons, '[]')) ORDER BY f.place), '[]') INTO v_rows
        FROM radscheduler.find_slots(radscheduler.api_text(v_body, 'modality'), radscheduler.api_text(v_body, 'resource'),
            coalesce(radscheduler.api_instant('earliest', v_body -> 'earliest', v_zone), now()), radscheduler.api_instant('latest', v_body -> 'latest', v_zone),
            radscheduler.api_minutes(v_body, 'duration_minutes'), v_limit, radscheduler.api_text(v_body, 'patient_id'), radscheduler.api_number(v_body, 'without'),
            radscheduler.api_text(v_body, 'procedure'), nullif(v_body -> 'constraints', 'null'))
            WITH ORDINALITY f(resource_code, starts_at, ends_at, datetime, staff, score, reasons, place);
    RETURN radscheduler.reply(200, jsonb_build_object('items', v_rows, 'timezone', v_zone));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_slots_search(jsonb) IS
    'POST /api/v1/slots/search: find_slots() with its arguments as fields (limit for max_slots); its best offers, which can be booked as they are.';

CREATE FUNCTION radscheduler.api_hold_rows(p_site integer, p_ids bigint[], p_patients boolean) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET plan_cache_mode = force_generic_plan
    AS $$
BEGIN
    RETURN (
        SELECT coalesce(jsonb_agg(jsonb_build_object('id', a.appointment_id, 'starts_at', a.starts_at, 'ends_at', a.ends_at, 'expires_at', a.hold_until, 'modality', a.modality,
            'procedure', a.study_code, 'patient', CASE WHEN a.patient_id IS NOT NULL THEN jsonb_build_object('record', a.patient_id) || CASE WHEN p_patients THEN jsonb_build_object('patient_id', p.mrn, 'name', p.display_name) ELSE '{}' END END,
            'resources', (SELECT coalesce(jsonb_agg(r.code ORDER BY ar.position), '[]') FROM radscheduler.appointment_resource ar
                          JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id WHERE ar.site_id = p_site AND ar.appointment_id = a.appointment_id),
            'created_at', a.created_at) ORDER BY u.place), '[]')
        FROM unnest(p_ids) WITH ORDINALITY u(id, place)
        JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = u.id
        LEFT JOIN radscheduler.patient p ON p.site_id = p_site AND p.patient_id = a.patient_id);
END
$$;
COMMENT ON FUNCTION radscheduler.api_hold_rows(integer, bigint[], boolean) IS 'Holds as /api/v1 shows them, in the order of their ids given.';

CREATE FUNCTION radscheduler.api_v1_holds_create(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_body jsonb := radscheduler.api_body(request, '{duration_minutes,minutes,modality,patient_id,procedure,reason,resources,starts_at}');
    v_hold record;
BEGIN
    SELECT h.hold_id, h.expires_at INTO v_hold FROM radscheduler.hold(radscheduler.api_instant('starts_at', v_body -> 'starts_at', radscheduler.site_zone(v_site)),
        radscheduler.api_texts(v_body, 'resources'), radscheduler.api_text(v_body, 'modality'), radscheduler.api_text(v_body, 'procedure'),
        radscheduler.api_minutes(v_body, 'duration_minutes'), radscheduler.api_text(v_body, 'patient_id'), coalesce(radscheduler.api_minutes(v_body, 'minutes'), 10), NULL,
        radscheduler.api_text(v_body, 'reason')) h;
    RETURN radscheduler.reply(201, radscheduler.api_hold_rows(v_site, ARRAY[v_hold.hold_id], radscheduler.api_sees_patients(request)) -> 0,
        jsonb_build_object('Location', '/api/v1/holds/' || v_hold.hold_id));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_holds_create(jsonb) IS 'POST /api/v1/holds: hold() with its arguments as fields; 201 with the hold, whose id goes into the field hold of a booking.';

CREATE FUNCTION radscheduler.api_live_hold(p_site integer, p_hold bigint) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_hold AND a.hold_until > clock_timestamp()) THEN
        RAISE EXCEPTION 'there is no hold % at this site', p_hold USING ERRCODE = 'no_data_found', HINT = 'It ran out, was released, or has been booked.';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.api_live_hold(integer, bigint) IS 'Raises P0002 for a hold that is not there, or no longer.';

CREATE FUNCTION radscheduler.api_v1_holds_get(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC'
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_id   bigint := radscheduler.api_id(request);
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    PERFORM radscheduler.api_live_hold(v_site, v_id);
    PERFORM radscheduler.audit(v_site, 'read', 'appointment', v_id, '{}');
    RETURN radscheduler.reply(200, radscheduler.api_hold_rows(v_site, ARRAY[v_id], radscheduler.api_sees_patients(request)) -> 0);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_holds_get(jsonb) IS 'GET /api/v1/holds/{id}: a hold that has not run out.';

CREATE FUNCTION radscheduler.api_v1_holds_list(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET jit = off
    AS $$
DECLARE
    v_site  integer := radscheduler.api_enter();
    v_limit integer := radscheduler.api_limit(request);
    v_after bigint := coalesce((radscheduler.api_after(request, '{number}') ->> 0)::bigint, 0);
    v_ids   bigint[];
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{after,limit}', 'parameter');
    v_ids := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.hold_until > clock_timestamp() AND a.appointment_id > v_after
                   ORDER BY a.appointment_id LIMIT v_limit + 1);
    PERFORM radscheduler.audit(v_site, 'read', 'appointment', NULL, jsonb_build_object('holds', v_ids[1:v_limit]));
    RETURN radscheduler.api_page(request, radscheduler.api_hold_rows(v_site, v_ids[1:v_limit], radscheduler.api_sees_patients(request)),
        CASE WHEN cardinality(v_ids) > v_limit THEN radscheduler.api_cursor(jsonb_build_array(v_ids[v_limit])) END);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_holds_list(jsonb) IS 'GET /api/v1/holds: the holds that have not run out, the oldest first.';

CREATE FUNCTION radscheduler.api_v1_holds_release(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_id   bigint := radscheduler.api_id(request);
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    PERFORM radscheduler.api_live_hold(v_site, v_id);
    PERFORM radscheduler.release(v_id);
    RETURN ROW(204, NULL, NULL, NULL)::radscheduler.http_reply;
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_holds_release(jsonb) IS 'DELETE /api/v1/holds/{id}: release(); 204.';
