-- PENDING_REVIEW for a conflict is a state that comes and goes with the conflict; history and events tell each change.

CREATE FUNCTION radscheduler.write_history(p_site integer, p_appointments bigint[], p_events text[], p_messages bigint[], p_reason text DEFAULT NULL) RETURNS jsonb[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row       radscheduler.appointment;
    v_services  jsonb;
    v_resources jsonb;
    v_versions  integer[];
    v_snapshots jsonb[];
    v_told      jsonb[];
    v_actor     text := pg_get_userbyid(radscheduler.caller());
    v_person    text := nullif(current_setting('radscheduler.actor', true), '');
BEGIN
    FOR k IN 1 .. cardinality(p_appointments) LOOP
        SELECT * INTO v_row FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointments[k];
        SELECT coalesce(jsonb_agg(to_jsonb(s) - '{site_id,appointment_id}'::text[] ORDER BY s.position), '[]') INTO v_services
            FROM radscheduler.appointment_service s WHERE s.site_id = p_site AND s.appointment_id = p_appointments[k];
        SELECT coalesce(jsonb_agg(to_jsonb(r) - '{site_id,appointment_id}'::text[] ORDER BY r.position), '[]') INTO v_resources
            FROM radscheduler.appointment_resource r WHERE r.site_id = p_site AND r.appointment_id = p_appointments[k];
        v_versions := v_versions || v_row.version;
        v_snapshots := v_snapshots || jsonb_build_object('appointment', to_jsonb(v_row), 'services', v_services, 'resources', v_resources);
        v_told := v_told || jsonb_strip_nulls(jsonb_build_object('version', v_row.version, 'status', v_row.status, 'modality', v_row.modality,
                                                                 'starts_at', v_row.starts_at, 'ends_at', v_row.ends_at));
    END LOOP;
    INSERT INTO radscheduler.appointment_history (site_id, appointment_id, version, event, message_id, actor, person, reason, snapshot)
        SELECT p_site, u.id, u.version, u.event, u.message, v_actor, v_person, p_reason, u.snapshot
        FROM unnest(p_appointments, v_versions, p_events, p_messages, v_snapshots) u(id, version, event, message, snapshot);
    RETURN v_told;
END
$$;
COMMENT ON FUNCTION radscheduler.write_history(integer, bigint[], text[], bigint[], text) IS
    'Writes the present versions of appointments to their history, and returns for each what event_log tells of it: {version, status, modality, starts_at, ends_at}, no patient data. Arrays side by side: appointment, type of event, message that caused it; p_reason is why, for all of them.';

CREATE FUNCTION radscheduler.record_versions(p_site integer, p_appointments bigint[], p_events text[], p_messages bigint[], p_details jsonb[], p_reason text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_told jsonb[] := radscheduler.write_history(p_site, p_appointments, p_events, p_messages, p_reason);
BEGIN
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
        SELECT p_site, u.event, u.id, u.message, u.told || coalesce(u.details, '{}')
        FROM unnest(p_appointments, p_events, p_messages, v_told, p_details) u(id, event, message, told, details);
    PERFORM radscheduler.audit_all(p_site, p_events, 'appointment', p_appointments, ARRAY(
        SELECT jsonb_build_object('message_id', u.message, 'version', u.told -> 'version') || CASE WHEN p_reason IS NULL THEN '{}' ELSE jsonb_build_object('reason', p_reason) END
        FROM unnest(p_messages, v_told) WITH ORDINALITY u(message, told, place) ORDER BY u.place));
    PERFORM radscheduler.queue_siu(p_site, p_appointments, p_events);
END
$$;
COMMENT ON FUNCTION radscheduler.record_versions(integer, bigint[], text[], bigint[], jsonb[], text) IS
    'write_history(), told in event_log, the audit log and to links that ask for it (queue_siu()). Arrays side by side: appointment, type of event, message that caused it, details for the event; p_reason is why, for history and audit.';

CREATE FUNCTION radscheduler.record_version(p_site integer, p_appointment bigint, p_event text, p_message bigint, p_details jsonb DEFAULT '{}', p_reason text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM radscheduler.record_versions(p_site, ARRAY[p_appointment], ARRAY[p_event], ARRAY[p_message], ARRAY[p_details], p_reason);
END
$$;
COMMENT ON FUNCTION radscheduler.record_version(integer, bigint, text, bigint, jsonb, text) IS 'record_versions() of one appointment.';

CREATE FUNCTION radscheduler.review(p_site integer, p_appointments bigint[], p_own bigint[], p_message bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row record;
BEGIN
    FOR v_row IN
        WITH judged AS (
            SELECT a.appointment_id, a.status,
                   EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = a.site_id AND c.appointment_id = a.appointment_id
                           AND c.state = 'open' AND c.severity = 'critical') AS is_critical
            FROM radscheduler.appointment a
            WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments)
              AND (a.status IN ('SCHEDULED', 'CONFIRMED') OR a.status = 'PENDING_REVIEW' AND a.review_reason = 'CONFLICT')
        )
        UPDATE radscheduler.appointment a SET
            status        = CASE WHEN j.is_critical THEN 'PENDING_REVIEW' ELSE coalesce(a.resume_status, 'SCHEDULED') END,
            review_reason = CASE WHEN j.is_critical THEN 'CONFLICT' END,
            resume_status = CASE WHEN j.is_critical THEN a.status END,
            version       = a.version + CASE WHEN a.appointment_id = ANY (p_own) THEN 0 ELSE 1 END,
            updated_at    = now()
        FROM judged j
        WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) AND a.appointment_id = j.appointment_id AND j.is_critical <> (j.status = 'PENDING_REVIEW')
        RETURNING a.appointment_id, j.is_critical
    LOOP
        IF v_row.appointment_id <> ALL (coalesce(p_own, '{}')) THEN
            PERFORM radscheduler.record_version(p_site, v_row.appointment_id, 'appointment.modified', p_message,
                jsonb_build_object('reason', CASE WHEN v_row.is_critical THEN 'CONFLICT' ELSE 'CONFLICT_RESOLVED' END));
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.review(integer, bigint[], bigint[], bigint) IS
    'Sends booked appointments with an open critical conflict of their own to PENDING_REVIEW, and returns those whose conflicts have gone to the status they had. p_own are those whose versions the caller counts and records himself.';

CREATE FUNCTION radscheduler.conflicts_of(p_site integer, p_appointment bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM radscheduler.conflict x WHERE x.site_id = p_site AND x.appointment_id = p_appointment AND x.state <> 'resolved')
       AND NOT EXISTS (SELECT FROM radscheduler.conflict x WHERE x.site_id = p_site AND x.other_appointment_id = p_appointment AND x.state <> 'resolved')
       OR NOT p_site = ANY (radscheduler.visible_sites()) THEN
        RETURN '[]';
    END IF;
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object(
               'code', g.code, 'severity', g.severity, 'axis', g.axis, 'resource', g.resource, 'with', g.partners, 'overlap_min', g.overlap_min,
               'message', g.message, 'detected_at', g.detected_at, 'state', g.state, 'by', g.by, 'alternatives', g.alternatives) ORDER BY g.severity DESC, g.first_id), '[]')
    FROM (
        SELECT c.code, max(c.severity) AS severity, CASE coalesce(k.axis, 'rule') WHEN 'rule' THEN coalesce(r.kind::text, 'rule') ELSE k.axis END AS axis, r.code AS resource, min(c.conflict_id) AS first_id,
               coalesce(jsonb_agg(jsonb_build_object('appointment_id', o.appointment_id, 'external_id', coalesce(o.filler_id, o.placer_id),
                                                     'start', o.starts_at, 'end', o.ends_at) ORDER BY o.starts_at, o.appointment_id)
                            FILTER (WHERE o.appointment_id IS NOT NULL), '[]') AS partners,
               round(max(extract(epoch FROM upper(c.overlap) - lower(c.overlap)) / 60))::integer AS overlap_min,
               format(radscheduler.conflict_text(p_site, c.code, c.subject_id, k.text), coalesce(r.name, radscheduler.rule_subject(p_site, c.code, p_appointment))) AS message, min(c.detected_at) AS detected_at, min(c.state)::text AS state,
               CASE WHEN min(c.state) = 'accepted' THEN max(c.accepted_by) END AS by,
               coalesce((array_agg(c.alternatives ORDER BY c.conflict_id) FILTER (WHERE c.appointment_id = p_appointment))[1], '[]') AS alternatives
        FROM (SELECT x.*, x.other_appointment_id AS partner_id FROM radscheduler.conflict x
              WHERE x.site_id = p_site AND x.appointment_id = p_appointment AND x.state <> 'resolved'
              UNION ALL
              SELECT x.*, x.appointment_id FROM radscheduler.conflict x
              WHERE x.site_id = p_site AND x.other_appointment_id = p_appointment AND x.state <> 'resolved') c
        LEFT JOIN radscheduler.appointment o ON o.site_id = c.site_id AND o.appointment_id = c.partner_id
        LEFT JOIN radscheduler.conflict_kind k ON k.code = c.code
        LEFT JOIN radscheduler.resource r ON c.axis = 'resource' AND r.site_id = c.site_id AND r.resource_id = c.subject_id
        GROUP BY c.code, k.axis, k.text, r.code, r.name, r.kind, c.subject_id
    ) g);
END
$$;
COMMENT ON FUNCTION radscheduler.conflicts_of(integer, bigint) IS
    'Unresolved conflicts of an appointment, from either side: [{code, severity, axis, resource, with: [{appointment_id, external_id, start, end}], overlap_min, message, detected_at, state, by, alternatives}], worst first; by is who accepted it; [] when there is none, or none at a site the caller may use.';
