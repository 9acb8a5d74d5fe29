-- GET /api/v1/appointments and what hangs below one of them. Every read is audited with the ids of what was shown.

CREATE FUNCTION radscheduler.api_v1_appointments_list(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET plan_cache_mode = force_custom_plan SET jit = off
    AS $$
DECLARE
    v_site   integer := radscheduler.api_enter();
    v_zone   text := radscheduler.site_zone(v_site);
    v_limit  integer := radscheduler.api_limit(request);
    v_sort   text := coalesce(radscheduler.api_word(request, 'sort'), 'starts_at');
    v_after  jsonb := radscheduler.api_after(request, '{string,number}');
    v_from   timestamptz := coalesce(radscheduler.api_instant('from', request #> '{query,from}', v_zone), '-infinity');
    v_to     timestamptz := coalesce(radscheduler.api_instant('to', request #> '{query,to}', v_zone), 'infinity');
    v_date   timestamptz := radscheduler.api_instant('date', request #> '{query,date}', v_zone);
    v_record bigint := radscheduler.api_count(request, 'patient');
    v_open   text := radscheduler.api_word(request, 'conflicts');
    v_words  text[];
    v_states radscheduler.appointment_status[];
    v_kinds  text[];
    v_places bigint[];
    v_at     timestamptz := (v_after ->> 0)::timestamptz;
    v_id     bigint := (v_after ->> 1)::bigint;
    v_ids    bigint[];
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{after,conflicts,date,from,limit,modality,patient,resource,sort,status,to}', 'parameter');
    IF v_sort NOT IN ('starts_at', '-starts_at') THEN
        PERFORM radscheduler.api_fault('sort', 'is no order of this list', 'Use starts_at or -starts_at (the latest first).');
    ELSIF v_open <> 'open' THEN
        PERFORM radscheduler.api_fault('conflicts', 'must be open', 'conflicts=open leaves those with an open conflict; without it all are listed.');
    ELSIF v_date IS NOT NULL THEN
        v_from := greatest(v_from, timezone(v_zone, date_trunc('day', timezone(v_zone, v_date))));
        v_to := least(v_to, timezone(v_zone, date_trunc('day', timezone(v_zone, v_date)) + interval '1 day'));
    END IF;
    v_words := radscheduler.api_words(request, 'status');
    IF NOT ARRAY(SELECT upper(w) FROM unnest(v_words) w) <@ enum_range(NULL::radscheduler.appointment_status)::text[] THEN
        PERFORM radscheduler.api_fault('status', 'is no state of the life cycle', 'Use SCHEDULED, CONFIRMED, ARRIVED, IN_PROGRESS, COMPLETED, CANCELLED, NO_SHOW, PENDING_REVIEW or another one.');
    END IF;
    v_states := ARRAY(SELECT upper(w)::radscheduler.appointment_status FROM unnest(v_words) w);
    v_words := radscheduler.api_words(request, 'modality');
    v_kinds := ARRAY(SELECT radscheduler.modality_code(v_site, w) FROM unnest(v_words) w);
    IF array_position(v_kinds, NULL) IS NOT NULL THEN
        PERFORM radscheduler.api_fault('modality', 'is not known at this site', 'Use for example MRI, CT, XRAY or US.');
    END IF;
    v_places := (radscheduler.read_resources(v_site, radscheduler.api_words(request, 'resource'))).ids;
    IF v_sort = 'starts_at' THEN
        v_ids := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a
            WHERE a.site_id = v_site AND a.starts_at >= greatest(v_from, v_at) AND a.starts_at < v_to AND (v_at IS NULL OR (a.starts_at, a.appointment_id) > (v_at, v_id))
              AND a.status <> 'DELETED' AND a.hold_until IS NULL AND a.patient_id IS NOT NULL
              AND (v_states = '{}' OR a.status = ANY (v_states)) AND (v_kinds = '{}' OR a.modality = ANY (v_kinds)) AND (v_record IS NULL OR a.patient_id = v_record)
              AND (v_places = '{}' OR EXISTS (SELECT FROM radscheduler.appointment_resource ar WHERE ar.site_id = v_site AND ar.appointment_id = a.appointment_id AND ar.resource_id = ANY (v_places) AND ar.status IS NULL))
              AND (v_open IS NULL OR EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = v_site AND c.appointment_id = a.appointment_id AND c.state = 'open'))
            ORDER BY a.starts_at, a.appointment_id LIMIT v_limit + 1);
    ELSE
        v_ids := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a
            WHERE a.site_id = v_site AND a.starts_at >= v_from AND a.starts_at < v_to AND a.starts_at <= coalesce(v_at, 'infinity') AND (v_at IS NULL OR (a.starts_at, a.appointment_id) < (v_at, v_id))
              AND a.status <> 'DELETED' AND a.hold_until IS NULL AND a.patient_id IS NOT NULL
              AND (v_states = '{}' OR a.status = ANY (v_states)) AND (v_kinds = '{}' OR a.modality = ANY (v_kinds)) AND (v_record IS NULL OR a.patient_id = v_record)
              AND (v_places = '{}' OR EXISTS (SELECT FROM radscheduler.appointment_resource ar WHERE ar.site_id = v_site AND ar.appointment_id = a.appointment_id AND ar.resource_id = ANY (v_places) AND ar.status IS NULL))
              AND (v_open IS NULL OR EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = v_site AND c.appointment_id = a.appointment_id AND c.state = 'open'))
            ORDER BY a.starts_at DESC, a.appointment_id DESC LIMIT v_limit + 1);
    END IF;
    PERFORM radscheduler.audit(v_site, 'read', 'appointment', NULL, jsonb_build_object('appointments', v_ids[1:v_limit]));
    RETURN radscheduler.api_page(request, radscheduler.api_appointment_rows(v_site, v_ids[1:v_limit], radscheduler.api_sees_patients(request)),
        CASE WHEN cardinality(v_ids) > v_limit THEN radscheduler.api_cursor((SELECT jsonb_build_array(a.starts_at, a.appointment_id) FROM radscheduler.appointment a
            WHERE a.site_id = v_site AND a.appointment_id = v_ids[v_limit])) END);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_appointments_list(jsonb) IS
    'GET /api/v1/appointments: those with a time, by it. Filters: from, to (start), date (a day of the site), modality, status, resource (each several times), patient (the record number of an answer), conflicts=open; sort starts_at or -starts_at; limit, after.';

CREATE FUNCTION radscheduler.api_seen(p_site integer, p_appointment bigint) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment
                   AND a.status <> 'DELETED' AND a.hold_until IS NULL AND a.patient_id IS NOT NULL) THEN
        RAISE EXCEPTION 'there is no appointment % at this site', p_appointment USING ERRCODE = 'no_data_found', HINT = 'Look again: it may have been purged or deleted, or belong to another site.';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.api_seen(integer, bigint) IS 'Raises P0002 for an appointment that a site does not show: deleted, a hold, a cancellation that came before its booking, or none.';

CREATE FUNCTION radscheduler.api_v1_appointments_get(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC'
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    PERFORM radscheduler.api_seen(v_site, radscheduler.api_id(request));
    RETURN radscheduler.api_shown(request, v_site, radscheduler.api_id(request), 200);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_appointments_get(jsonb) IS 'GET /api/v1/appointments/{id}: one appointment; its version is the ETag.';

CREATE FUNCTION radscheduler.api_version_shown(p_site integer, p_snapshot jsonb, p_patients boolean) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
    AS $$
BEGIN
    RETURN (
        SELECT jsonb_build_object('status', a.status, 'review_reason', a.review_reason, 'starts_at', a.starts_at, 'ends_at', a.ends_at, 'modality', a.modality,
                   'procedure', a.study_code, 'study_type', a.study_text, 'urgency', a.urgency,
                   'patient', radscheduler.patient_now(p_site, a.patient_id),
                   'resources', (SELECT coalesce(jsonb_agg(x.code ORDER BY r.position), '[]') FROM jsonb_populate_recordset(NULL::radscheduler.appointment_resource, p_snapshot -> 'resources') r
                                 JOIN radscheduler.resource x ON x.site_id = p_site AND x.resource_id = r.resource_id WHERE r.status IS NULL))
               || CASE WHEN p_patients THEN jsonb_build_object('referring_physician', a.referring_physician, 'notes', a.notes) ELSE '{}' END
        FROM jsonb_populate_record(NULL::radscheduler.appointment, p_snapshot -> 'appointment') a
        WHERE p_snapshot IS NOT NULL);
END
$$;
COMMENT ON FUNCTION radscheduler.api_version_shown(integer, jsonb, boolean) IS 'A version out of appointment_history as /api/v1 shows it; patient is the record number of whoever that is now.';

CREATE FUNCTION radscheduler.api_v1_appointments_history(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET jit = off
    AS $$
DECLARE
    v_site  integer := radscheduler.api_enter();
    v_id    bigint := radscheduler.api_id(request);
    v_limit integer := radscheduler.api_limit(request);
    v_after integer := coalesce((radscheduler.api_after(request, '{number}') ->> 0)::integer, 0);
    v_names boolean := radscheduler.api_sees_patients(request);
    v_items jsonb;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{after,limit}', 'parameter');
    IF NOT EXISTS (SELECT FROM radscheduler.appointment_history h WHERE h.site_id = v_site AND h.appointment_id = v_id) THEN
        PERFORM radscheduler.api_seen(v_site, v_id);
    END IF;
    SELECT coalesce(jsonb_agg(q.item ORDER BY q.version), '[]') INTO v_items
    FROM (SELECT h.version, jsonb_build_object('version', h.version, 'recorded_at', h.recorded_at, 'event', h.event, 'message_id', h.message_id, 'role', h.actor, 'actor', h.person,
                     'reason', CASE WHEN v_names THEN h.reason END, 'appointment', s.shown,
                     'changes', radscheduler.jsonb_changes(radscheduler.api_version_shown(v_site, b.snapshot, v_names), s.shown)) AS item
          FROM radscheduler.appointment_history h
          LEFT JOIN radscheduler.appointment_history b ON b.site_id = h.site_id AND b.appointment_id = h.appointment_id AND b.version = h.version - 1,
               LATERAL (SELECT radscheduler.api_version_shown(v_site, h.snapshot, v_names)) s(shown)
          WHERE h.site_id = v_site AND h.appointment_id = v_id AND h.version > v_after
          ORDER BY h.version LIMIT v_limit + 1) q;
    PERFORM radscheduler.audit(v_site, 'read', 'appointment_history', v_id, '{}');
    RETURN radscheduler.api_page(request, CASE WHEN jsonb_array_length(v_items) > v_limit THEN v_items - v_limit ELSE v_items END,
        CASE WHEN jsonb_array_length(v_items) > v_limit THEN radscheduler.api_cursor(jsonb_build_array(v_items -> (v_limit - 1) -> 'version')) END);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_appointments_history(jsonb) IS
    'GET /api/v1/appointments/{id}/history: every version, the first first: what happened, on whose behalf and why, how the appointment stood then, and changes {field: [before, after]}.';

CREATE FUNCTION radscheduler.api_v1_appointments_conflicts(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC'
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_id   bigint := radscheduler.api_id(request);
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    PERFORM radscheduler.api_seen(v_site, v_id);
    RETURN radscheduler.api_page(request, radscheduler.api_conflict_rows(v_site, ARRAY(
        SELECT c.conflict_id FROM radscheduler.conflict c WHERE c.site_id = v_site AND c.appointment_id = v_id AND c.state <> 'resolved'
        UNION SELECT c.conflict_id FROM radscheduler.conflict c WHERE c.site_id = v_site AND c.other_appointment_id = v_id AND c.state <> 'resolved' ORDER BY 1)), NULL);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_appointments_conflicts(jsonb) IS 'GET /api/v1/appointments/{id}/conflicts: the conflicts of an appointment that are not resolved, from either side.';

CREATE FUNCTION radscheduler.api_v1_appointments_rules(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC'
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_id   bigint := radscheduler.api_id(request);
    v_rows jsonb;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    PERFORM radscheduler.api_seen(v_site, v_id);
    SELECT coalesce(jsonb_agg(to_jsonb(x) - 'place' ORDER BY x.place), '[]') INTO v_rows
        FROM radscheduler.explain_rules(v_id) WITH ORDINALITY x(code, origin, verdict, severity, other_appointment_id, sentence, inputs, place);
    PERFORM radscheduler.audit(v_site, 'read', 'appointment', v_id, '{"rules": true}');
    RETURN radscheduler.api_page(request, v_rows, NULL);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_appointments_rules(jsonb) IS 'GET /api/v1/appointments/{id}/rules: explain_rules(), what every rule says about an appointment and what it looked at.';
