-- Conflicts by /api/v1: what is open, and the three ways out: somebody accepts it, overrides all of an appointment, or the flagged appointment goes
-- where it is free. accept_conflict(), override_conflict(), reschedule() and cancel() do the work.

CREATE FUNCTION radscheduler.api_v1_conflicts_list(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET plan_cache_mode = force_custom_plan SET jit = off
    AS $$
DECLARE
    v_site     integer := radscheduler.api_enter();
    v_zone     text := radscheduler.site_zone(v_site);
    v_limit    integer := radscheduler.api_limit(request);
    v_after    bigint := (radscheduler.api_after(request, '{number}') ->> 0)::bigint;
    v_from     timestamptz := radscheduler.api_instant('from', request #> '{query,from}', v_zone);
    v_to       timestamptz := radscheduler.api_instant('to', request #> '{query,to}', v_zone);
    v_of       bigint := radscheduler.api_count(request, 'appointment');
    v_states   text[] := coalesce(radscheduler.api_words(request, 'state'), '{open}');
    v_severity text[] := radscheduler.api_words(request, 'severity');
    v_codes    text[] := radscheduler.api_words(request, 'code');
    v_ids      bigint[];
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{after,appointment,code,from,limit,severity,state,to}', 'parameter');
    IF NOT v_states <@ enum_range(NULL::radscheduler.conflict_state)::text[] THEN
        PERFORM radscheduler.api_fault('state', 'is none of a conflict', 'Use open (as without it), accepted or resolved.');
    ELSIF NOT v_severity <@ enum_range(NULL::radscheduler.severity)::text[] THEN
        PERFORM radscheduler.api_fault('severity', 'is not known', 'Use critical, warning or info.');
    END IF;
    v_ids := ARRAY(SELECT c.conflict_id FROM radscheduler.conflict c
        WHERE c.site_id = v_site AND c.state::text = ANY (v_states) AND (v_after IS NULL OR c.conflict_id < v_after)
          AND (v_severity IS NULL OR c.severity::text = ANY (v_severity)) AND (v_codes IS NULL OR c.code = ANY (v_codes))
          AND (v_of IS NULL OR v_of IN (c.appointment_id, c.other_appointment_id)) AND c.overlap && tstzrange(v_from, v_to)
        ORDER BY c.conflict_id DESC LIMIT v_limit + 1);
    RETURN radscheduler.api_page(request, radscheduler.api_conflict_rows(v_site, v_ids[1:v_limit]),
        CASE WHEN cardinality(v_ids) > v_limit THEN radscheduler.api_cursor(jsonb_build_array(v_ids[v_limit])) END);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_conflicts_list(jsonb) IS
    'GET /api/v1/conflicts: the latest found first. Filters: state (open unless given), severity, code (each several times), from and to (the time it concerns), appointment (either side); limit, after. No patient data.';

CREATE FUNCTION radscheduler.api_v1_conflicts_get(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC'
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_row  jsonb := radscheduler.api_conflict_rows(v_site, ARRAY[radscheduler.api_id(request)]) -> 0;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    IF v_row IS NULL THEN
        RAISE EXCEPTION 'there is no conflict % at this site', radscheduler.api_id(request) USING ERRCODE = 'no_data_found', HINT = 'GET /api/v1/conflicts lists them.';
    END IF;
    RETURN radscheduler.reply(200, v_row);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_conflicts_get(jsonb) IS 'GET /api/v1/conflicts/{id}: one conflict, whatever became of it.';

CREATE FUNCTION radscheduler.api_decided(request jsonb, p_site integer, p_conflict bigint, p_appointment bigint) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM radscheduler.audit(p_site, 'read', 'appointment', p_appointment, '{}');
    RETURN radscheduler.reply(200, jsonb_build_object('conflict', radscheduler.api_conflict_rows(p_site, ARRAY[p_conflict]) -> 0,
        'appointment', radscheduler.api_appointment_rows(p_site, ARRAY[p_appointment], radscheduler.api_sees_patients(request)) -> 0));
END
$$;
COMMENT ON FUNCTION radscheduler.api_decided(jsonb, integer, bigint, bigint) IS 'An answer that is a conflict and the appointment it flagged, as they stand after a decision.';

CREATE FUNCTION radscheduler.api_v1_conflicts_accept(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_id   bigint := radscheduler.api_id(request);
    v_body jsonb := radscheduler.api_body(request, '{reason}');
BEGIN
    RETURN radscheduler.api_decided(request, v_site, v_id, (radscheduler.accept_conflict(v_id, radscheduler.api_text(v_body, 'reason'))).appointment_id);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_conflicts_accept(jsonb) IS 'POST /api/v1/conflicts/{id}/accept: accept_conflict(), this one, for a reason.';

CREATE FUNCTION radscheduler.api_flagged(p_site integer, p_conflict bigint) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row record;
BEGIN
    SELECT c.appointment_id, c.state INTO v_row FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.conflict_id = p_conflict;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no conflict % at this site', p_conflict USING ERRCODE = 'no_data_found', HINT = 'GET /api/v1/conflicts lists them.';
    ELSIF v_row.state = 'resolved' THEN
        RAISE EXCEPTION 'conflict % no longer exists', p_conflict USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'It was resolved when its cause went; nothing is left to do.';
    END IF;
    RETURN v_row.appointment_id;
END
$$;
COMMENT ON FUNCTION radscheduler.api_flagged(integer, bigint) IS 'The appointment that an unresolved conflict flags. Raises P0002 for no conflict, 55000 for one that is resolved.';

CREATE FUNCTION radscheduler.api_v1_conflicts_override(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_id   bigint := radscheduler.api_id(request);
    v_body jsonb := radscheduler.api_body(request, '{reason}');
BEGIN
    RETURN radscheduler.api_decided(request, v_site, v_id, (radscheduler.override_conflict(radscheduler.api_flagged(v_site, v_id), radscheduler.api_text(v_body, 'reason'))).appointment_id);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_conflicts_override(jsonb) IS 'POST /api/v1/conflicts/{id}/override: override_conflict() of the flagged appointment: all its open critical conflicts, for a reason.';

CREATE FUNCTION radscheduler.exchanged_resources(p_site integer, p_appointment bigint, p_for text) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_new record;
BEGIN
    SELECT r.resource_id, r.kind INTO v_new FROM radscheduler.resource r WHERE r.site_id = p_site AND r.code = p_for ORDER BY r.kind = 'staff', r.resource_id LIMIT 1;
    IF v_new.resource_id IS NULL OR EXISTS (SELECT FROM radscheduler.appointment_resource ar WHERE ar.site_id = p_site AND ar.appointment_id = p_appointment AND ar.resource_id = v_new.resource_id AND ar.status IS NULL) THEN
        RETURN NULL;
    END IF;
    RETURN ARRAY(SELECT r.kind || ':' || r.code FROM radscheduler.appointment_resource ar JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id
                 WHERE ar.site_id = p_site AND ar.appointment_id = p_appointment AND ar.status IS NULL AND r.kind <> v_new.kind ORDER BY ar.position) || (v_new.kind || ':' || p_for);
END
$$;
COMMENT ON FUNCTION radscheduler.exchanged_resources(integer, bigint, text) IS
    'The resources of an appointment with another scanner, room or person in place of those of its kind, as reschedule() takes them; NULL when it is among them, or there is none of this code.';

CREATE FUNCTION radscheduler.api_v1_conflicts_resolve(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site   integer := radscheduler.api_enter();
    v_id     bigint := radscheduler.api_id(request);
    v_body   jsonb := radscheduler.api_body(request, '{alternative,cancel,duration_minutes,reason,resources,starts_at}');
    v_of     bigint := radscheduler.api_flagged(v_site, v_id);
    v_number bigint := radscheduler.api_number(v_body, 'alternative');
    v_starts timestamptz := radscheduler.api_instant('starts_at', v_body -> 'starts_at', radscheduler.site_zone(v_site));
    v_names  text[] := radscheduler.api_texts(v_body, 'resources');
    v_choice jsonb;
    r        radscheduler.booking_result;
BEGIN
    PERFORM radscheduler.api_text(v_body, 'reason');
    IF jsonb_typeof(v_body -> 'cancel') NOT IN ('boolean', 'null') THEN
        PERFORM radscheduler.api_fault('cancel', 'must be true or false', 'Send {"cancel": true}.');
    ELSIF (v_body -> 'cancel' IS NOT DISTINCT FROM 'true')::integer + (v_number IS NOT NULL)::integer + (v_starts IS NOT NULL OR v_names IS NOT NULL OR v_body ->> 'duration_minutes' IS NOT NULL)::integer <> 1 THEN
        RAISE EXCEPTION 'say how the conflict is to be resolved, in one way' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Send alternative (1, 2 or 3: one of the conflict''s own), or starts_at, duration_minutes, resources, or cancel: true.';
    ELSIF v_body -> 'cancel' IS NOT DISTINCT FROM 'true' THEN
        PERFORM radscheduler.cancel(v_of, reason => v_body ->> 'reason');
        RETURN radscheduler.api_decided(request, v_site, v_id, v_of);
    ELSIF v_number IS NOT NULL THEN
        v_choice := (SELECT c.alternatives -> (v_number - 1)::integer FROM radscheduler.conflict c WHERE c.site_id = v_site AND c.conflict_id = v_id AND v_number BETWEEN 1 AND 100);
        IF v_choice IS NULL THEN
            RAISE EXCEPTION 'conflict % has no alternative of that number', v_id USING ERRCODE = 'invalid_parameter_value', HINT = 'GET it: alternatives are counted from 1. POST /api/v1/slots/search finds others.';
        END IF;
        v_starts := (v_choice ->> 'start')::timestamptz;
        v_names := radscheduler.exchanged_resources(v_site, v_of, v_choice ->> 'resource');
    END IF;
    r := radscheduler.try_reschedule(v_of, v_starts, radscheduler.api_minutes(v_body, 'duration_minutes'), v_names, NULL, NULL, NULL, v_body ->> 'reason');
    IF r.outcome = 'refused' THEN
        RETURN radscheduler.api_refusal(r);
    END IF;
    RETURN radscheduler.api_decided(request, v_site, v_id, v_of);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_conflicts_resolve(jsonb) IS
    'POST /api/v1/conflicts/{id}/resolve: the flagged appointment moves to one of the alternatives by number, or to starts_at and resources, or is cancelled. 409 when that time is taken by now.';

CREATE FUNCTION radscheduler.api_v1_conflicts_recheck(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_zone text := radscheduler.site_zone(v_site);
    v_body jsonb := radscheduler.api_body(request, '{from,to}');
BEGIN
    RETURN radscheduler.reply(200, (SELECT to_jsonb(c) FROM radscheduler.recheck_conflicts(coalesce(radscheduler.api_instant('from', v_body -> 'from', v_zone), now()),
                                                                                            radscheduler.api_instant('to', v_body -> 'to', v_zone)) c));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_conflicts_recheck(jsonb) IS 'POST /api/v1/conflicts/recheck: recheck_conflicts(), after hours, blocks or rules were changed by hand: {checked, opened, resolved}.';
