-- Booking, moving and changing by /api/v1. Every one of them is book(), reschedule(), set_status() and the like, with the same refusals; what is
-- added here is how HTTP says it: If-Match against the version, 409 with free times, 412 with the appointment as it is now.

CREATE FUNCTION radscheduler.api_check_override(request jsonb, p_body jsonb) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF nullif(btrim(p_body ->> 'override_reason'), '') IS NOT NULL AND NOT radscheduler.api_may(request, 'conflicts:override') THEN
        RAISE EXCEPTION 'booking over a conflict needs the scope conflicts:override' USING ERRCODE = 'insufficient_privilege', HINT = 'Leave override_reason out, or use a credential that has the scope.';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.api_check_override(jsonb, jsonb) IS 'Raises 42501 for a body with override_reason from a caller without the scope conflicts:override.';

CREATE FUNCTION radscheduler.api_stale(request jsonb, p_site integer, p_appointment bigint) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_version integer;
BEGIN
    SELECT a.version INTO v_version FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment;
    IF request ->> 'if_match' IS NULL OR request ->> 'if_match' IN ('*', v_version::text) THEN
        RETURN NULL;
    END IF;
    RETURN radscheduler.problem(412, 'precondition_failed', 'The appointment has changed',
        format('Appointment %s is at version %s now. Look at it as it is, decide again, and give that version.', p_appointment, v_version),
        jsonb_build_object('current', radscheduler.api_appointment_rows(p_site, ARRAY[p_appointment], radscheduler.api_sees_patients(request)) -> 0),
        jsonb_build_object('ETag', format('"%s"', v_version)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_stale(jsonb, integer, bigint) IS
    'The answer 412, with the appointment as it is, when If-Match names another version than the present one; NULL when it names that, any (*), or there is none. Ask it under the lock of the row.';

CREATE FUNCTION radscheduler.api_v1_appointments_book(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_body jsonb := radscheduler.api_body(request, '{duration_minutes,hold,resources,starts_at}', '{modality,notes,override_reason,patient_id,patient_name,patient_phone,procedure,reason,referring_physician,study_type,urgency}');
    r      radscheduler.booking_result;
BEGIN
    PERFORM radscheduler.api_check_override(request, v_body);
    r := radscheduler.try_book(v_body ->> 'patient_id', radscheduler.api_instant('starts_at', v_body -> 'starts_at', radscheduler.site_zone(v_site)),
        v_body ->> 'modality', v_body ->> 'procedure', radscheduler.api_minutes(v_body, 'duration_minutes'), radscheduler.api_texts(v_body, 'resources'),
        v_body ->> 'patient_name', v_body ->> 'patient_phone', v_body ->> 'referring_physician', v_body ->> 'urgency',
        v_body ->> 'notes', v_body ->> 'study_type', radscheduler.api_number(v_body, 'hold'), v_body ->> 'override_reason', NULL, v_body ->> 'reason');
    IF r.outcome = 'refused' THEN
        RETURN radscheduler.api_refusal(r);
    ELSIF radscheduler.api_prefers_minimal(request) THEN
        RETURN radscheduler.reply(201, jsonb_build_object('id', r.appointment_id, 'version', r.version, 'status', r.status, 'warnings', r.warnings),
            jsonb_build_object('ETag', format('"%s"', r.version), 'Location', '/api/v1/appointments/' || r.appointment_id, 'Preference-Applied', 'return=minimal'));
    END IF;
    RETURN radscheduler.api_shown(request, v_site, r.appointment_id, 201, jsonb_build_object('warnings', r.warnings));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_appointments_book(jsonb) IS
    'POST /api/v1/appointments: try_book() with its arguments as fields; 201 with the appointment, with Prefer: return=minimal as try_book() says it (id, version, status, warnings), 409 with the conflicts and free times. override_reason (scope conflicts:override) books all the same.';

CREATE FUNCTION radscheduler.api_v1_appointments_patch(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site   integer := radscheduler.api_enter();
    v_id     bigint := radscheduler.api_id(request);
    v_body   jsonb := radscheduler.api_body(request, '{duration_minutes,resources,starts_at}', '{notes,override_reason,reason,referring_physician,study_type,urgency}');
    v_names  text[] := radscheduler.api_texts(v_body, 'resources');
    v_amends jsonb := v_body - '{duration_minutes,override_reason,reason,resources,starts_at}'::text[];
    v_answer radscheduler.http_reply;
    r        radscheduler.booking_result;
BEGIN
    PERFORM radscheduler.api_check_override(request, v_body);
    PERFORM radscheduler.api_seen(v_site, v_id);
    PERFORM radscheduler.lock_booking(v_site, v_id, CASE WHEN v_names IS NOT NULL THEN (radscheduler.read_resources(v_site, v_names)).ids END, NULL, NULL);
    v_answer := radscheduler.api_stale(request, v_site, v_id);
    IF v_answer.status IS NOT NULL THEN
        RETURN v_answer;
    END IF;
    IF v_body ?| '{starts_at,duration_minutes,resources}' THEN
        r := radscheduler.try_reschedule(v_id, radscheduler.api_instant('starts_at', v_body -> 'starts_at', radscheduler.site_zone(v_site)), radscheduler.api_minutes(v_body, 'duration_minutes'),
            v_names, NULL, v_body ->> 'override_reason', NULL, v_body ->> 'reason');
        IF r.outcome = 'refused' THEN
            RETURN radscheduler.api_refusal(r);
        END IF;
    END IF;
    IF v_amends <> '{}' THEN
        PERFORM radscheduler.amend_booking(v_id, v_amends, v_body ->> 'reason');
    END IF;
    RETURN radscheduler.api_shown(request, v_site, v_id, 200);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_appointments_patch(jsonb) IS
    'PATCH /api/v1/appointments/{id}, with If-Match: moves (starts_at, duration_minutes, resources) and changes notes, referring_physician, study_type, urgency, all or nothing. 409 as in booking, 412 with the present one.';

CREATE FUNCTION radscheduler.api_v1_appointments_status(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site   integer := radscheduler.api_enter();
    v_id     bigint := radscheduler.api_id(request);
    v_body   jsonb := radscheduler.api_body(request, '{reason}');
    v_action text := regexp_replace(request ->> 'path', '^.*/', '');
    v_status text;
    v_answer radscheduler.http_reply;
BEGIN
    v_status := CASE v_action WHEN 'confirm' THEN 'CONFIRMED' WHEN 'arrive' THEN 'ARRIVED' WHEN 'start' THEN 'IN_PROGRESS' WHEN 'complete' THEN 'COMPLETED'
                              WHEN 'discontinue' THEN 'DISCONTINUED' WHEN 'no-show' THEN 'NO_SHOW' WHEN 'cancel' THEN 'CANCELLED' WHEN 'reopen' THEN 'SCHEDULED' END;
    IF v_status IS NULL THEN
        RAISE EXCEPTION 'nothing is done to an appointment by that name' USING ERRCODE = 'no_data_found', HINT = 'confirm, arrive, start, complete, discontinue, no-show, cancel, reopen.';
    END IF;
    PERFORM radscheduler.api_seen(v_site, v_id);
    PERFORM radscheduler.lock_booking(v_site, v_id, NULL, NULL, NULL);
    v_answer := radscheduler.api_stale(request, v_site, v_id);
    IF v_answer.status IS NOT NULL THEN
        RETURN v_answer;
    END IF;
    IF v_status = 'CANCELLED' THEN
        PERFORM radscheduler.cancel(v_id, reason => radscheduler.api_text(v_body, 'reason'));
    ELSE
        PERFORM radscheduler.set_status(v_id, v_status, reason => radscheduler.api_text(v_body, 'reason'));
    END IF;
    RETURN radscheduler.api_shown(request, v_site, v_id, 200);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_appointments_status(jsonb) IS
    'POST /api/v1/appointments/{id}/confirm, arrive, start, complete, discontinue, no-show, cancel, reopen: cancel() and set_status(), with a reason where there is one. If-Match is heeded, not asked for: done twice is done once.';

CREATE FUNCTION radscheduler.api_v1_appointments_override(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_id   bigint := radscheduler.api_id(request);
    v_body jsonb := radscheduler.api_body(request, '{reason}');
BEGIN
    PERFORM radscheduler.api_seen(v_site, v_id);
    PERFORM radscheduler.override_conflict(v_id, radscheduler.api_text(v_body, 'reason'));
    RETURN radscheduler.api_shown(request, v_site, v_id, 200);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_appointments_override(jsonb) IS 'POST /api/v1/appointments/{id}/override: override_conflict(), every open critical conflict of an appointment accepted for a reason.';

CREATE FUNCTION radscheduler.api_v1_appointments_check(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site  integer := radscheduler.api_enter();
    v_id    bigint := CASE WHEN request -> 'params' ? 'id' THEN radscheduler.api_id(request) END;
    v_body  jsonb := radscheduler.api_body(request, CASE WHEN v_id IS NULL THEN '{duration_minutes,hold,modality,patient_id,procedure,resources,starts_at,study_type,urgency}'
                                                         ELSE '{duration_minutes,resources,starts_at}' END::text[]);
    v_found jsonb;
BEGIN
    IF v_id IS NOT NULL THEN
        PERFORM radscheduler.api_seen(v_site, v_id);
    END IF;
    SELECT coalesce(jsonb_agg(to_jsonb(c) - 'place' ORDER BY c.place), '[]') INTO v_found
        FROM radscheduler.check_conflicts(radscheduler.api_text(v_body, 'patient_id'), radscheduler.api_instant('starts_at', v_body -> 'starts_at', radscheduler.site_zone(v_site)),
            radscheduler.api_text(v_body, 'modality'), radscheduler.api_text(v_body, 'procedure'), radscheduler.api_minutes(v_body, 'duration_minutes'), radscheduler.api_texts(v_body, 'resources'),
            radscheduler.api_text(v_body, 'urgency'), radscheduler.api_text(v_body, 'study_type'), radscheduler.api_number(v_body, 'hold'), v_id)
            WITH ORDINALITY c(code, severity, axis, resource, other_appointment_id, starts_at, ends_at, message, place);
    RETURN radscheduler.reply(200, jsonb_build_object('bookable', NOT v_found @> '[{"severity": "critical"}]', 'conflicts', v_found));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_appointments_check(jsonb) IS
    'POST /api/v1/appointments/check and /{id}/check: check_conflicts(), what would be in the way of a booking, or of an appointment elsewhere; nothing is kept. bookable: nothing critical is.';
