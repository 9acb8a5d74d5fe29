-- The guide's routes about appointments, in its envelopes: {"success": true, …}, camel case in, rows of the appointments view out. They book, move and
-- cancel as /api/v1 does; unlike /api/hl7/appointment they refuse what would double-book.

CREATE FUNCTION radscheduler.api_guide_row(request jsonb, p_appointment bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT to_jsonb(v) || CASE WHEN radscheduler.api_sees_patients(request) THEN '{}' ELSE '{"patient_id": null, "patient_name": null, "patient_phone": null, "referring_physician": null, "notes": null}'::jsonb END
            FROM radscheduler.appointments v WHERE v.id = p_appointment);
END
$$;
COMMENT ON FUNCTION radscheduler.api_guide_row(jsonb, bigint) IS 'A row of the appointments view; without who it is for where the caller may not see patients.';

CREATE FUNCTION radscheduler.api_guide_shown(request jsonb, p_site integer, p_appointment bigint, p_more jsonb DEFAULT '{}') RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM radscheduler.audit(p_site, 'read', 'appointment', p_appointment, '{}');
    RETURN radscheduler.reply(200, jsonb_build_object('success', true, 'appointment', radscheduler.api_guide_row(request, p_appointment)) || p_more,
        (SELECT jsonb_build_object('ETag', format('"%s"', a.version)) FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment));
END
$$;
COMMENT ON FUNCTION radscheduler.api_guide_shown(jsonb, integer, bigint, jsonb) IS 'The guide''s answer that is one appointment, with its version as ETag; the read is audited.';

CREATE FUNCTION radscheduler.api_schedule(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site  integer := radscheduler.api_enter();
    v_body  jsonb := coalesce(request -> 'body', 'null');
    v_error jsonb := (radscheduler.json_reading(v_site, v_body)).error;
    v_exam  record;
    v_shown radscheduler.http_reply;
    r       radscheduler.booking_result;
BEGIN
    IF v_error IS NULL AND jsonb_typeof(v_body -> 'overrideReason') NOT IN ('string', 'null') THEN
        v_error := '{"code": "invalid_field", "path": "overrideReason", "text": "\"overrideReason\" must be a text."}';
    END IF;
    IF v_error IS NOT NULL THEN
        RETURN radscheduler.problem(400, v_error ->> 'code', 'The appointment cannot be taken', v_error ->> 'text',
            jsonb_build_object('errors', jsonb_build_array(jsonb_build_object('pointer', '/' || (v_error ->> 'path'), 'detail', v_error ->> 'text'))));
    END IF;
    PERFORM radscheduler.api_check_override(request, jsonb_build_object('override_reason', v_body -> 'overrideReason'));
    -- What the study is called may be an exam of the site, which then has its usual minutes.
    SELECT p.code, p.modality INTO v_exam FROM radscheduler.procedure_of(v_site, v_body ->> 'studyType', v_body ->> 'studyType') p;
    r := radscheduler.try_book(v_body ->> 'patientId', radscheduler.to_instant(radscheduler.json_time(v_body ->> 'datetime'), radscheduler.site_zone(v_site)), modality => v_body ->> 'modality',
        procedure => CASE WHEN v_exam.modality = radscheduler.modality_code(v_site, v_body ->> 'modality') THEN v_exam.code END, duration_minutes => (v_body ->> 'duration')::integer,
        resources => CASE WHEN nullif(v_body ->> 'resource', '') IS NOT NULL THEN ARRAY[v_body ->> 'resource'] END, patient_name => v_body ->> 'patientName', patient_phone => v_body ->> 'patientPhone',
        referring_physician => v_body ->> 'referringPhysician', urgency => v_body ->> 'urgency', notes => v_body ->> 'notes', study_type => v_body ->> 'studyType', override_reason => v_body ->> 'overrideReason');
    IF r.outcome = 'refused' THEN
        -- As in alternativeSlots of the guide's envelope.
        RETURN radscheduler.api_refusal(r, jsonb_build_object('conflicts', radscheduler.api_conflicts(r.conflicts) || jsonb_build_object('alternativeSlots', r.alternatives)));
    END IF;
    v_shown := radscheduler.api_guide_shown(request, v_site, r.appointment_id, jsonb_build_object('appointmentId', r.appointment_id, 'message', 'Appointment scheduled',
        'conflicts', radscheduler.api_conflicts(r.conflicts), 'warnings', r.warnings));
    v_shown.status := 201;
    v_shown.headers := v_shown.headers || jsonb_build_object('Location', '/api/appointments/' || r.appointment_id);
    RETURN v_shown;
END
$$;
COMMENT ON FUNCTION radscheduler.api_schedule(jsonb) IS
    'POST /api/schedule and POST /api/appointments: books the guide''s JSON (that of /api/hl7/appointment, and overrideReason) through try_book(). 201 with the appointment; 409 with the conflicts and alternativeSlots, and nothing is kept.';

CREATE FUNCTION radscheduler.api_appointment(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
BEGIN
    PERFORM radscheduler.api_seen(v_site, radscheduler.api_id(request));
    RETURN radscheduler.api_guide_shown(request, v_site, radscheduler.api_id(request));
END
$$;
COMMENT ON FUNCTION radscheduler.api_appointment(jsonb) IS 'GET /api/appointments/{id}: {success, appointment}.';

CREATE FUNCTION radscheduler.api_appointment_latest(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_id   bigint := (SELECT a.appointment_id FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.status <> 'DELETED' AND a.hold_until IS NULL AND a.patient_id IS NOT NULL
                      ORDER BY a.appointment_id DESC LIMIT 1);
BEGIN
    IF v_id IS NULL THEN
        RETURN radscheduler.reply(200, '{"success": true, "appointment": null}');
    END IF;
    RETURN radscheduler.api_guide_shown(request, v_site, v_id);
END
$$;
COMMENT ON FUNCTION radscheduler.api_appointment_latest(jsonb) IS 'GET /api/appointments/latest: the appointment that was recorded last; null where there is none.';

CREATE FUNCTION radscheduler.api_appointment_patch(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site   integer := radscheduler.api_enter();
    v_id     bigint := radscheduler.api_id(request);
    v_body   jsonb := jsonb_strip_nulls(radscheduler.api_body(request, '{datetime,duration,notes,overrideReason,reason,referringPhysician,resource,status,studyType,urgency}'));
    v_names  text[] := CASE WHEN v_body ? 'resource' THEN ARRAY[radscheduler.api_text(v_body, 'resource')] END;
    v_status text := radscheduler.api_text(v_body, 'status');
    v_first  boolean;
    v_answer radscheduler.http_reply;
    r        radscheduler.booking_result;
BEGIN
    PERFORM radscheduler.api_text(v_body, k) FROM unnest('{notes,overrideReason,reason,referringPhysician,studyType,urgency}'::text[]) k;
    PERFORM radscheduler.api_check_override(request, jsonb_build_object('override_reason', v_body -> 'overrideReason'));
    PERFORM radscheduler.api_seen(v_site, v_id);
    PERFORM radscheduler.lock_booking(v_site, v_id, CASE WHEN v_names IS NOT NULL THEN (radscheduler.read_resources(v_site, v_names)).ids END, NULL, NULL);
    v_answer := radscheduler.api_stale(request, v_site, v_id);
    IF v_answer.status IS NOT NULL THEN
        RETURN v_answer;
    END IF;
    -- One that is opened again is so before it moves; one that is closed is closed where it is to be.
    v_first := v_status IS NOT NULL AND (SELECT radscheduler.is_closed(a.status) FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = v_id);
    IF v_first THEN
        PERFORM radscheduler.set_status(v_id, v_status, reason => v_body ->> 'reason');
    END IF;
    IF v_body ?| '{datetime,duration,resource}' THEN
        r := radscheduler.try_reschedule(v_id, radscheduler.api_instant('datetime', v_body -> 'datetime', radscheduler.site_zone(v_site)), radscheduler.api_minutes(v_body, 'duration'), v_names,
            NULL, v_body ->> 'overrideReason', NULL, v_body ->> 'reason');
        IF r.outcome = 'refused' AND v_first THEN
            PERFORM radscheduler.raise_refusal(r.error); -- takes back the change of state
        ELSIF r.outcome = 'refused' THEN
            RETURN radscheduler.api_refusal(r, jsonb_build_object('conflicts', radscheduler.api_conflicts(r.conflicts) || jsonb_build_object('alternativeSlots', r.alternatives)));
        END IF;
    END IF;
    IF v_body ?| '{notes,referringPhysician,studyType,urgency}' THEN
        PERFORM radscheduler.amend_booking(v_id, jsonb_strip_nulls(jsonb_build_object('notes', v_body -> 'notes', 'referring_physician', v_body -> 'referringPhysician',
            'study_type', v_body -> 'studyType', 'urgency', v_body -> 'urgency')), v_body ->> 'reason');
    END IF;
    IF v_status IS NOT NULL AND NOT v_first THEN
        PERFORM radscheduler.set_status(v_id, v_status, reason => v_body ->> 'reason');
    END IF;
    RETURN radscheduler.api_guide_shown(request, v_site, v_id);
END
$$;
COMMENT ON FUNCTION radscheduler.api_appointment_patch(jsonb) IS
    'PATCH /api/appointments/{id}: status, datetime, notes (and duration, resource, studyType, urgency, referringPhysician), all or nothing; null leaves what is there. Moves are refused like bookings: 409. If-Match is heeded, not asked for.';

CREATE FUNCTION radscheduler.api_appointment_cancel(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site   integer := radscheduler.api_enter();
    v_id     bigint := radscheduler.api_id(request);
    v_answer radscheduler.http_reply;
BEGIN
    PERFORM radscheduler.api_seen(v_site, v_id);
    PERFORM radscheduler.lock_booking(v_site, v_id, NULL, NULL, NULL);
    v_answer := radscheduler.api_stale(request, v_site, v_id);
    IF v_answer.status IS NOT NULL THEN
        RETURN v_answer;
    END IF;
    PERFORM radscheduler.cancel(v_id);
    RETURN radscheduler.api_guide_shown(request, v_site, v_id, '{"message": "Appointment cancelled"}');
END
$$;
COMMENT ON FUNCTION radscheduler.api_appointment_cancel(jsonb) IS 'DELETE /api/appointments/{id}: cancel(); the row stays with status CANCELLED. If-Match is heeded, not asked for.';

CREATE FUNCTION radscheduler.api_stats_today(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET jit = off
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_zone text := radscheduler.site_zone(v_site);
    v_day  timestamp := date_trunc('day', timezone(v_zone, now()));
BEGIN
    RETURN (
        SELECT radscheduler.reply(200, jsonb_build_object('success', true, 'stats', jsonb_build_object('date', v_day::date, 'total', count(*),
            'completed', count(*) FILTER (WHERE a.status = 'COMPLETED'), 'scheduled', count(*) FILTER (WHERE a.status IN ('SCHEDULED', 'CONFIRMED')),
            'cancelled', count(*) FILTER (WHERE a.status = 'CANCELLED'), 'avg_duration', round(avg(extract(epoch FROM a.ends_at - a.starts_at) / 60), 1))))
        FROM radscheduler.appointment a
        WHERE a.site_id = v_site AND a.starts_at >= timezone(v_zone, v_day) AND a.starts_at < timezone(v_zone, v_day + interval '1 day')
          AND a.status <> 'DELETED' AND a.hold_until IS NULL AND a.patient_id IS NOT NULL AND NOT a.is_test);
END
$$;
COMMENT ON FUNCTION radscheduler.api_stats_today(jsonb) IS 'GET /api/appointments/stats/today: counted today at the site, without test messages; avg_duration in minutes, null without appointments.';
