-- The schedule as it was known at a moment, out of appointment_history: what was recorded by then and not what became of it. Names, numbers
-- and phones belong to the patient and are today's, of the one kept where two were merged; everything else is that of the version. Functions
-- here read only, but for the audit log.

CREATE TYPE radscheduler.appointment_then AS (
    id                  bigint,
    patient_id          text,
    patient_name        text,
    patient_phone       text,
    modality            text,
    study_type          text,
    datetime            timestamp,
    duration            integer,
    status              text,
    referring_physician text,
    urgency             text,
    notes               text,
    conflicts           jsonb,
    source              text,
    created_at          timestamp,
    updated_at          timestamp,
    version             integer,
    recorded_at         timestamptz
);
COMMENT ON TYPE radscheduler.appointment_then IS
    'A row of the appointments view as it was at a moment, column for column, with the version that was in force and when that was recorded.';

CREATE FUNCTION radscheduler.snapshot_start(snapshot jsonb) RETURNS timestamptz
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (snapshot #>> '{appointment,starts_at}')::timestamptz;
END
$$;
COMMENT ON FUNCTION radscheduler.snapshot_start(jsonb) IS
    'Start of the appointment in a snapshot of appointment_history. Immutable, because a time in jsonb carries its offset: no setting changes what it means.';

CREATE FUNCTION radscheduler.snapshot_of(p_site integer, p_appointment bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('appointment', to_jsonb(a),
               'services', (SELECT coalesce(jsonb_agg(to_jsonb(s) - '{site_id,appointment_id}'::text[] ORDER BY s.position), '[]') FROM radscheduler.appointment_service s
                            WHERE s.site_id = a.site_id AND s.appointment_id = a.appointment_id),
               'resources', (SELECT coalesce(jsonb_agg(to_jsonb(r) - '{site_id,appointment_id}'::text[] ORDER BY r.position), '[]') FROM radscheduler.appointment_resource r
                             WHERE r.site_id = a.site_id AND r.appointment_id = a.appointment_id))
        FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment);
END
$$;
COMMENT ON FUNCTION radscheduler.snapshot_of(integer, bigint) IS 'An appointment as it stands now, in the form in which record_versions() keeps its versions.';

CREATE FUNCTION radscheduler.shown_snapshot(p_site integer, p_snapshot jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_zone CONSTANT text := radscheduler.site_zone(p_site);
BEGIN
    RETURN (
        SELECT jsonb_build_object('id', a.appointment_id, 'external_id', coalesce(a.filler_id, a.placer_id), 'generation', a.generation,
                   'patient_id', p.mrn, 'patient_name', p.display_name, 'patient_phone', coalesce(p.phone, p.phone_as_sent),
                   'modality', coalesce(m.label, a.modality), 'study_type', a.study_text,
                   'datetime', timezone(c_zone, a.starts_at), 'duration', (extract(epoch FROM a.ends_at - a.starts_at) / 60)::integer,
                   'status', a.status, 'review_reason', a.review_reason, 'referring_physician', a.referring_physician, 'urgency', a.urgency,
                   'notes', a.notes, 'reason', a.reason, 'event_reason', a.event_reason, 'visit_number', a.visit_number,
                   'placer_orders', a.placer_orders, 'filler_orders', a.filler_orders, 'is_test', a.is_test, 'source', a.source)
               || jsonb_build_object(
                   'services', (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('group', s.group_no, 'code', s.code, 'name', s.name,
                                           'start', timezone(c_zone, s.starts_at), 'end', timezone(c_zone, s.ends_at), 'status', s.status)) ORDER BY s.position), '[]')
                                FROM jsonb_populate_recordset(NULL::radscheduler.appointment_service, p_snapshot -> 'services') s),
                   'resources', (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('group', r.group_no, 'kind', x.kind, 'code', x.code, 'name', x.name, 'role', r.role,
                                           'start', timezone(c_zone, r.starts_at), 'end', timezone(c_zone, r.ends_at), 'status', r.status)) ORDER BY r.position), '[]')
                                 FROM jsonb_populate_recordset(NULL::radscheduler.appointment_resource, p_snapshot -> 'resources') r
                                 LEFT JOIN radscheduler.resource x ON x.site_id = p_site AND x.resource_id = r.resource_id))
        FROM jsonb_populate_record(NULL::radscheduler.appointment, p_snapshot -> 'appointment') a
        LEFT JOIN radscheduler.patient p ON p.site_id = p_site AND p.patient_id = radscheduler.patient_now(p_site, a.patient_id)
        LEFT JOIN radscheduler.modality m ON m.site_id = p_site AND m.code = a.modality
        WHERE a.appointment_id IS NOT NULL);
END
$$;
COMMENT ON FUNCTION radscheduler.shown_snapshot(integer, jsonb) IS
    'A snapshot for people: the columns of the appointments view but conflicts and the times of recording, the sender''s key (external_id), what else a message sets, and services and resources by name, all times local to the site. Codes and names of patients and resources are today''s.';

CREATE FUNCTION radscheduler.conflicts_as_of(p_site integer, p_appointment bigint, p_at timestamptz) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object(
               'code', g.code, 'severity', g.severity, 'axis', g.axis, 'resource', g.resource, 'with', g.partners, 'overlap_min', g.overlap_min,
               'message', g.message, 'detected_at', g.detected_at, 'state', g.state, 'alternatives', g.alternatives) ORDER BY g.severity DESC, g.first_id), '[]')
    FROM (
        SELECT c.code, max(c.severity) AS severity, CASE coalesce(k.axis, 'rule') WHEN 'rule' THEN coalesce(r.kind::text, 'rule') ELSE k.axis END AS axis, r.code AS resource, min(c.conflict_id) AS first_id,
               coalesce(jsonb_agg(jsonb_build_object('appointment_id', o.appointment_id, 'external_id', coalesce(o.filler_id, o.placer_id),
                                                     'start', o.starts_at, 'end', o.ends_at) ORDER BY o.starts_at, o.appointment_id)
                            FILTER (WHERE o.appointment_id IS NOT NULL), '[]') AS partners,
               round(max(extract(epoch FROM upper(c.overlap) - lower(c.overlap)) / 60))::integer AS overlap_min,
               format(radscheduler.conflict_text(p_site, c.code, c.subject_id, k.text), coalesce(r.name, radscheduler.rule_subject(p_site, c.code, p_appointment))) AS message, min(c.detected_at) AS detected_at,
               min(CASE c.state WHEN 'resolved' THEN 'open' ELSE c.state END)::text AS state,
               coalesce((array_agg(c.alternatives ORDER BY c.conflict_id) FILTER (WHERE c.appointment_id = p_appointment))[1], '[]') AS alternatives
        FROM (SELECT x.*, x.other_appointment_id AS partner_id FROM radscheduler.conflict x WHERE x.site_id = p_site AND x.appointment_id = p_appointment
              UNION ALL
              SELECT x.*, x.appointment_id FROM radscheduler.conflict x WHERE x.site_id = p_site AND x.other_appointment_id = p_appointment) c
        LEFT JOIN LATERAL (
            SELECT v.* FROM radscheduler.appointment_history h, jsonb_populate_record(NULL::radscheduler.appointment, h.snapshot -> 'appointment') v
            WHERE h.site_id = p_site AND h.appointment_id = c.partner_id AND h.recorded_at <= p_at ORDER BY h.version DESC LIMIT 1) o ON true
        LEFT JOIN radscheduler.conflict_kind k ON k.code = c.code
        LEFT JOIN radscheduler.resource r ON c.axis = 'resource' AND r.site_id = c.site_id AND r.resource_id = c.subject_id
        WHERE c.detected_at <= p_at AND (c.resolved_at IS NULL OR c.resolved_at > p_at)
        GROUP BY c.code, k.axis, k.text, r.code, r.name, r.kind, c.subject_id
    ) g);
END
$$;
COMMENT ON FUNCTION radscheduler.conflicts_as_of(integer, bigint, timestamptz) IS
    'conflicts_of() as it would have answered at a moment. A conflict that was accepted shows as accepted from its beginning, and one that changed its overlap with the last one: only coming and going are recorded.';

CREATE FUNCTION radscheduler.rows_as_of(p_site integer, p_at timestamptz, p_appointments bigint[], p_from timestamptz, p_until timestamptz) RETURNS SETOF radscheduler.appointment_then
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100 SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_zone CONSTANT text := radscheduler.site_zone(p_site);
BEGIN
    RETURN QUERY
        SELECT a.appointment_id, p.mrn, p.display_name, coalesce(p.phone, p.phone_as_sent), coalesce(m.label, a.modality), a.study_text,
               timezone(c_zone, a.starts_at), (extract(epoch FROM a.ends_at - a.starts_at) / 60)::integer, a.status::text, a.referring_physician, a.urgency, a.notes,
               radscheduler.conflicts_as_of(p_site, a.appointment_id, p_at), a.source, timezone(c_zone, a.created_at), timezone(c_zone, a.updated_at), h.version, h.recorded_at
        FROM (SELECT u.id FROM unnest(p_appointments) u(id)
              UNION ALL
              -- Every appointment that ever lay in the period may have lain there then.
              SELECT DISTINCT v.appointment_id FROM radscheduler.appointment_history v
              WHERE p_appointments IS NULL AND p_from IS NOT NULL AND v.site_id = p_site AND v.recorded_at <= p_at
                AND radscheduler.snapshot_start(v.snapshot) >= p_from AND radscheduler.snapshot_start(v.snapshot) < p_until
              UNION ALL
              SELECT x.appointment_id FROM radscheduler.appointment x WHERE p_appointments IS NULL AND p_from IS NULL AND x.site_id = p_site) c(id)
        CROSS JOIN LATERAL (SELECT y.* FROM radscheduler.appointment_history y
                            WHERE y.site_id = p_site AND y.appointment_id = c.id AND y.recorded_at <= p_at ORDER BY y.version DESC LIMIT 1) h
        CROSS JOIN LATERAL jsonb_populate_record(NULL::radscheduler.appointment, h.snapshot -> 'appointment') a
        LEFT JOIN radscheduler.patient p ON p.site_id = p_site AND p.patient_id = radscheduler.patient_now(p_site, a.patient_id)
        LEFT JOIN radscheduler.modality m ON m.site_id = p_site AND m.code = a.modality
        WHERE a.status <> 'DELETED' AND a.patient_id IS NOT NULL AND (p_from IS NULL OR a.starts_at >= p_from AND a.starts_at < p_until)
        ORDER BY a.starts_at NULLS LAST, a.appointment_id;
END
$$;
COMMENT ON FUNCTION radscheduler.rows_as_of(integer, timestamptz, bigint[], timestamptz, timestamptz) IS
    'Appointments as they were known at a moment: those given, else those that began in a period then, else all of the site.';

CREATE FUNCTION radscheduler.schedule_as_of(ts timestamptz, site text DEFAULT NULL, days daterange DEFAULT NULL) RETURNS SETOF radscheduler.appointment_then
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    AS $$
DECLARE
    v_site integer := CASE WHEN schedule_as_of.site IS NULL THEN radscheduler.current_site()
                           ELSE coalesce((SELECT s.site_id FROM radscheduler.site s WHERE s.code = schedule_as_of.site), -1) END;
    v_zone text := radscheduler.site_zone(v_site);
    v_rows radscheduler.appointment_then[];
BEGIN
    PERFORM radscheduler.require_site(v_site);
    IF ts IS NULL THEN
        RAISE EXCEPTION 'schedule_as_of needs a moment' USING ERRCODE = 'null_value_not_allowed', HINT = 'Give one such as now() - interval ''1 day''.';
    ELSIF isempty(days) OR lower_inf(days) OR upper_inf(days) THEN
        RAISE EXCEPTION 'the days must be a range with both ends' USING ERRCODE = 'invalid_parameter_value', HINT = 'Write days => ''[2031-08-04,2031-08-05]'', or leave them out for the whole schedule.';
    END IF;
    v_rows := ARRAY(SELECT r FROM radscheduler.rows_as_of(v_site, ts, NULL, timezone(v_zone, lower(days)::timestamp), timezone(v_zone, upper(days)::timestamp)) r);
    PERFORM radscheduler.audit(v_site, 'read', 'appointment', NULL, jsonb_strip_nulls(jsonb_build_object('as_of', ts, 'days', days, 'count', cardinality(v_rows),
        'appointments', CASE WHEN cardinality(v_rows) <= 1000 THEN (SELECT jsonb_agg(r.id ORDER BY r.id) FROM unnest(v_rows) r) END)));
    RETURN QUERY SELECT * FROM unnest(v_rows);
END
$$;
COMMENT ON FUNCTION radscheduler.schedule_as_of(timestamptz, text, daterange) IS
    'The schedule as it was known at a moment: rows of the appointments view as they were, with version and recorded_at, in order of time. site is a code, by default the session''s site; days are calendar days of the site (by the start that was known then), by default all. Patients'' names and phones are today''s, those of the patient kept where two were merged; conflicts are those that were open. What purge() removed does not come back. A version counts from when it was written, a moment before its transaction committed. The read is audited, with ids up to 1,000 rows.';

CREATE FUNCTION radscheduler.appointment_as_of(id bigint, ts timestamptz) RETURNS SETOF radscheduler.appointment_then
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    AS $$
DECLARE
    v_site integer := (SELECT a.site_id FROM radscheduler.appointment a WHERE a.appointment_id = appointment_as_of.id AND a.site_id = ANY (radscheduler.visible_sites()));
    v_row  radscheduler.appointment_then;
BEGIN
    IF ts IS NULL THEN
        RAISE EXCEPTION 'appointment_as_of needs a moment' USING ERRCODE = 'null_value_not_allowed', HINT = 'Give one such as now() - interval ''1 day''.';
    ELSIF v_site IS NULL THEN
        RETURN;
    END IF;
    FOR v_row IN SELECT * FROM radscheduler.rows_as_of(v_site, ts, ARRAY[appointment_as_of.id], NULL, NULL) LOOP
        PERFORM radscheduler.audit(v_site, 'read', 'appointment', v_row.id, jsonb_build_object('as_of', ts, 'version', v_row.version));
        RETURN NEXT v_row;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.appointment_as_of(bigint, timestamptz) IS
    'One appointment as it was known at a moment, as schedule_as_of() gives it. No row: there was none by then, it was deleted, or it is at a site the caller may not use. The read is audited.';
