-- PENDING_REVIEW for a conflict is a state that comes and goes with the conflict; history and events tell each change.

CREATE FUNCTION radscheduler.record_version(p_site integer, p_appointment bigint, p_event text, p_message bigint, p_details jsonb DEFAULT '{}') RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO radscheduler.appointment_history (site_id, appointment_id, version, event, message_id, actor, snapshot)
    SELECT a.site_id, a.appointment_id, a.version, p_event, p_message, pg_get_userbyid(radscheduler.caller()),
           jsonb_build_object('appointment', to_jsonb(a),
               'services', coalesce((SELECT jsonb_agg(to_jsonb(s) - 'site_id' - 'appointment_id' ORDER BY s.position) FROM radscheduler.appointment_service s
                                     WHERE s.site_id = a.site_id AND s.appointment_id = a.appointment_id), '[]'),
               'resources', coalesce((SELECT jsonb_agg(to_jsonb(r) - 'site_id' - 'appointment_id' ORDER BY r.position) FROM radscheduler.appointment_resource r
                                      WHERE r.site_id = a.site_id AND r.appointment_id = a.appointment_id), '[]'))
    FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment;
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
    SELECT a.site_id, p_event, a.appointment_id, p_message,
           jsonb_strip_nulls(jsonb_build_object('version', a.version, 'status', a.status, 'modality', a.modality, 'starts_at', a.starts_at, 'ends_at', a.ends_at)) || p_details
    FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment;
    PERFORM radscheduler.audit(p_site, p_event, 'appointment', p_appointment, jsonb_build_object('message_id', p_message, 'version',
        (SELECT a.version FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment)));
END
$$;
COMMENT ON FUNCTION radscheduler.record_version(integer, bigint, text, bigint, jsonb) IS
    'Writes the present version of an appointment to its history and tells it in event_log and the audit log, without patient data there.';

CREATE FUNCTION radscheduler.lift_reviews(p_site integer, p_appointments bigint[], p_message bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_id bigint;
BEGIN
    FOR v_id IN
        UPDATE radscheduler.appointment a
        SET status = coalesce(a.resume_status, 'SCHEDULED'), review_reason = NULL, resume_status = NULL,
            version = a.version + 1, updated_at = now()
        WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments)
          AND a.status = 'PENDING_REVIEW' AND a.review_reason = 'CONFLICT'
          AND NOT EXISTS (SELECT FROM radscheduler.conflict c
                          WHERE c.site_id = a.site_id AND c.appointment_id = a.appointment_id AND c.state = 'open' AND c.severity = 'critical')
        RETURNING a.appointment_id
    LOOP
        PERFORM radscheduler.record_version(p_site, v_id, 'appointment.modified', p_message, '{"reason": "CONFLICT_RESOLVED"}');
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.lift_reviews(integer, bigint[], bigint) IS
    'Returns appointments from a PENDING_REVIEW whose conflicts have gone to the status they had.';

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
               'message', g.message, 'detected_at', g.detected_at, 'state', g.state, 'alternatives', g.alternatives) ORDER BY g.severity DESC, g.first_id), '[]')
    FROM (
        SELECT c.code, max(c.severity) AS severity, k.axis, r.code AS resource, min(c.conflict_id) AS first_id,
               jsonb_agg(jsonb_build_object('appointment_id', o.appointment_id, 'external_id', coalesce(o.filler_id, o.placer_id),
                                            'start', o.starts_at, 'end', o.ends_at) ORDER BY o.starts_at, o.appointment_id) AS partners,
               round(max(extract(epoch FROM upper(c.overlap) - lower(c.overlap)) / 60))::integer AS overlap_min,
               format(k.text, r.name) AS message, min(c.detected_at) AS detected_at, min(c.state)::text AS state,
               coalesce((array_agg(c.alternatives ORDER BY c.conflict_id) FILTER (WHERE c.appointment_id = p_appointment))[1], '[]') AS alternatives
        FROM (SELECT x.*, x.other_appointment_id AS partner_id FROM radscheduler.conflict x
              WHERE x.site_id = p_site AND x.appointment_id = p_appointment AND x.state <> 'resolved'
              UNION ALL
              SELECT x.*, x.appointment_id FROM radscheduler.conflict x
              WHERE x.site_id = p_site AND x.other_appointment_id = p_appointment AND x.state <> 'resolved') c
        JOIN radscheduler.appointment o ON o.site_id = c.site_id AND o.appointment_id = c.partner_id
        JOIN radscheduler.conflict_kind k ON k.code = c.code
        LEFT JOIN radscheduler.resource r ON c.axis = 'resource' AND r.site_id = c.site_id AND r.resource_id = c.subject_id
        GROUP BY c.code, k.axis, k.text, r.code, r.name, c.subject_id
    ) g);
END
$$;
COMMENT ON FUNCTION radscheduler.conflicts_of(integer, bigint) IS
    'Unresolved conflicts of an appointment, from either side: [{code, severity, axis, resource, with: [{appointment_id, external_id, start, end}], overlap_min, message, detected_at, state, alternatives}], worst first; [] when there is none, or none at a site the caller may use.';
