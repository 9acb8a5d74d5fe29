-- Appointments and conflicts as /api/v1 shows them: snake case, times as RFC 3339 in UTC, empty values as null. Who may not see patients gets the
-- schedule without them: no name, number, phone, notes, nor numbers of other systems.

CREATE FUNCTION radscheduler.api_appointment_rows(p_site integer, p_ids bigint[], p_patients boolean) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
BEGIN
    RETURN (
        SELECT coalesce(jsonb_agg(
            jsonb_build_object('id', a.appointment_id, 'version', a.version, 'status', a.status, 'review_reason', a.review_reason,
                'starts_at', a.starts_at, 'ends_at', a.ends_at, 'duration_minutes', (extract(epoch FROM a.ends_at - a.starts_at) / 60)::integer,
                'timezone', coalesce(t.timezone, radscheduler.default_zone()), 'modality', a.modality, 'modality_label', coalesce(m.label, a.modality),
                'procedure', a.study_code, 'study_type', a.study_text, 'urgency', a.urgency, 'source', a.source, 'is_test', a.is_test,
                'reschedule_count', a.reschedule_count, 'original_starts_at', a.original_starts_at,
                'patient', jsonb_build_object('record', a.patient_id) || CASE WHEN p_patients THEN jsonb_build_object('patient_id', p.mrn, 'name', p.display_name,
                    'phone', coalesce(p.phone, p.phone_as_sent), 'birth_date', p.birth_date, 'sex', p.sex) ELSE '{}' END,
                'services', (SELECT coalesce(jsonb_agg(jsonb_build_object('code', s.code, 'name', s.name, 'starts_at', s.starts_at, 'ends_at', s.ends_at) ORDER BY s.position), '[]')
                             FROM radscheduler.appointment_service s WHERE s.site_id = p_site AND s.appointment_id = a.appointment_id AND s.status IS NULL),
                'resources', (SELECT coalesce(jsonb_agg(jsonb_build_object('code', r.code, 'name', r.name, 'kind', r.kind, 'role', ar.role) ORDER BY ar.position), '[]')
                              FROM radscheduler.appointment_resource ar JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id
                              WHERE ar.site_id = p_site AND ar.appointment_id = a.appointment_id AND ar.status IS NULL),
                'conflicts', radscheduler.conflicts_of(p_site, a.appointment_id), 'created_at', a.created_at, 'updated_at', a.updated_at)
            || CASE WHEN p_patients THEN jsonb_build_object('referring_physician', a.referring_physician, 'notes', a.notes, 'reason', a.reason,
                'external_ids', jsonb_build_object('filler_id', a.filler_id, 'placer_id', a.placer_id, 'accession', a.accession, 'visit_number', a.visit_number,
                    'placer_orders', coalesce(to_jsonb(a.placer_orders), '[]'), 'filler_orders', coalesce(to_jsonb(a.filler_orders), '[]'))) ELSE '{}' END
            ORDER BY u.place), '[]')
        FROM unnest(p_ids) WITH ORDINALITY u(id, place)
        JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = u.id
        JOIN radscheduler.site t ON t.site_id = p_site
        LEFT JOIN radscheduler.patient p ON p.site_id = p_site AND p.patient_id = a.patient_id
        LEFT JOIN radscheduler.modality m ON m.site_id = p_site AND m.code = a.modality);
END
$$;
COMMENT ON FUNCTION radscheduler.api_appointment_rows(integer, bigint[], boolean) IS 'Appointments as /api/v1 shows them, in the order of their ids given; p_patients: with who it is for.';

CREATE FUNCTION radscheduler.api_shown(request jsonb, p_site integer, p_appointment bigint, p_status integer, p_more jsonb DEFAULT '{}') RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row jsonb := radscheduler.api_appointment_rows(p_site, ARRAY[p_appointment], radscheduler.api_sees_patients(request)) -> 0;
BEGIN
    IF p_status <> 201 THEN -- who made it has an event that says so
        PERFORM radscheduler.audit(p_site, 'read', 'appointment', p_appointment, '{}');
    END IF;
    RETURN radscheduler.reply(p_status, v_row || p_more, jsonb_build_object('ETag', format('"%s"', v_row ->> 'version'))
        || CASE WHEN p_status = 201 THEN jsonb_build_object('Location', '/api/v1/appointments/' || p_appointment) ELSE '{}' END);
END
$$;
COMMENT ON FUNCTION radscheduler.api_shown(jsonb, integer, bigint, integer, jsonb) IS 'An answer that is one appointment, and more beside it, with its version as ETag (and Location where it is new); the read is audited, unless the appointment is new: then the event of its making tells who saw it.';

CREATE FUNCTION radscheduler.api_conflict_rows(p_site integer, p_ids bigint[]) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
BEGIN
    RETURN (
        SELECT coalesce(jsonb_agg(jsonb_build_object('id', c.conflict_id, 'code', c.code, 'severity', c.severity, 'state', c.state, 'axis', c.axis, 'resource', r.code,
            'appointment_id', c.appointment_id, 'other_appointment_id', nullif(c.other_appointment_id, c.appointment_id),
            'starts_at', lower(c.overlap), 'ends_at', upper(c.overlap), 'message', radscheduler.conflict_sentence(p_site, c.code, c.subject_id, c.axis, c.appointment_id),
            'alternatives', c.alternatives, 'detected_at', c.detected_at, 'resolved_at', c.resolved_at, 'accepted_by', c.accepted_by) ORDER BY u.place), '[]')
        FROM unnest(p_ids) WITH ORDINALITY u(id, place)
        JOIN radscheduler.conflict c ON c.site_id = p_site AND c.conflict_id = u.id
        LEFT JOIN radscheduler.resource r ON c.axis = 'resource' AND r.site_id = p_site AND r.resource_id = c.subject_id);
END
$$;
COMMENT ON FUNCTION radscheduler.api_conflict_rows(integer, bigint[]) IS 'Conflicts as /api/v1 shows them, in the order of their ids given: appointment_id is the one that is flagged. No patient data.';

CREATE FUNCTION radscheduler.api_refusal(p_result radscheduler.booking_result, p_more jsonb DEFAULT '{}') RETURNS radscheduler.http_reply
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_result.error ->> 'sqlstate' <> '23P01' THEN
        RAISE EXCEPTION '%', p_result.error ->> 'text' USING ERRCODE = p_result.error ->> 'sqlstate', HINT = coalesce(p_result.error ->> 'hint', '');
    END IF;
    RETURN radscheduler.problem(409, 'conflict', 'The time is taken', concat_ws(' ', p_result.error ->> 'text', p_result.error ->> 'detail'),
        jsonb_build_object('conflict', p_result.error ->> 'code', 'conflicts', p_result.conflicts, 'alternatives', p_result.alternatives) || p_more);
END
$$;
COMMENT ON FUNCTION radscheduler.api_refusal(radscheduler.booking_result, jsonb) IS
    'What try_book() or try_reschedule() refused, as an answer: 409 with the conflicts and free times; what was refused for another reason is raised as the error it was.';
