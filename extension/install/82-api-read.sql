-- GET /api/appointments and /api/analytics/dashboard; what /health asks.

-- By index from row to row: a thousand rows at most, whatever the planner thinks of the size of the table.
CREATE FUNCTION radscheduler.api_appointments(params jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    AS $$
DECLARE
    v_site     integer := radscheduler.api_site();
    v_zone     text := radscheduler.site_zone(v_site);
    v_date     date;
    v_modality text;
    v_status   text := upper(params ->> 'status');
    v_rows     jsonb;
    v_ids      bigint[];
BEGIN
    IF params ->> 'date' IS NOT NULL THEN
        BEGIN
            IF params ->> 'date' !~ '^\d{4}-\d\d-\d\d' THEN
                RAISE datetime_field_overflow;
            END IF;
            v_date := left(params ->> 'date', 10)::date;
        EXCEPTION WHEN data_exception THEN
            RETURN radscheduler.problem(400, 'invalid_field', 'Not a date', '"date" must be a calendar day such as 2024-01-15.');
        END;
    END IF;
    IF params ->> 'modality' IS NOT NULL THEN
        v_modality := radscheduler.modality_code(v_site, params ->> 'modality');
        IF v_modality IS NULL THEN
            RETURN radscheduler.problem(400, 'invalid_field', 'Unknown modality', '"modality" is not one this site knows. Use for example MRI, CT, XRAY or US.');
        END IF;
    END IF;
    IF v_status IS NOT NULL AND NOT v_status = ANY (enum_range(NULL::radscheduler.appointment_status)::text[]) THEN
        RETURN radscheduler.problem(400, 'invalid_field', 'Unknown status', '"status" must be a life cycle state, for example SCHEDULED, COMPLETED or CANCELLED.');
    END IF;
    SELECT coalesce(jsonb_agg(to_jsonb(v) ORDER BY v.datetime, v.id), '[]'), array_agg(v.id ORDER BY v.id) INTO v_rows, v_ids
        FROM (SELECT a.appointment_id FROM radscheduler.appointment a
              WHERE a.site_id = v_site AND a.status <> 'DELETED' AND a.hold_until IS NULL AND a.patient_id IS NOT NULL
                AND (v_date IS NULL OR a.starts_at >= timezone(v_zone, v_date::timestamp) AND a.starts_at < timezone(v_zone, (v_date + 1)::timestamp))
                AND (v_modality IS NULL OR a.modality = v_modality)
                AND (v_status IS NULL OR a.status::text = v_status)
              ORDER BY a.starts_at DESC NULLS LAST, a.appointment_id LIMIT 1000) k
        JOIN radscheduler.appointments v ON v.id = k.appointment_id;
    PERFORM radscheduler.audit(v_site, 'read', 'appointment', NULL, jsonb_strip_nulls(jsonb_build_object('appointments', v_ids)));
    RETURN radscheduler.reply(200, jsonb_build_object('success', true, 'count', jsonb_array_length(v_rows), 'appointments', v_rows));
END
$$;
COMMENT ON FUNCTION radscheduler.api_appointments(jsonb) IS
    'GET /api/appointments: {date, modality, status}, each optional; date is a calendar day of the site. At most 1,000 rows, the latest ones, in order of time. The read is audited with the ids of the rows.';

CREATE FUNCTION radscheduler.api_dashboard(params jsonb) RETURNS radscheduler.http_reply
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET jit = off
    AS $$
WITH day AS (
    SELECT s.site_id, z.zone, timezone(z.zone, now())::date AS date,
           timezone(z.zone, date_trunc('day', timezone(z.zone, now()))) AS opens, timezone(z.zone, date_trunc('day', timezone(z.zone, now())) + interval '1 day') AS closes
    FROM (SELECT radscheduler.api_site() AS site_id) s, LATERAL (SELECT radscheduler.site_zone(s.site_id)) z(zone)
), today AS MATERIALIZED (
    SELECT a.status, coalesce(m.label, a.modality) AS modality, extract(hour FROM timezone(d.zone, a.starts_at))::integer AS hour
    FROM day d
    JOIN radscheduler.appointment a ON a.site_id = d.site_id AND a.starts_at >= d.opens AND a.starts_at < d.closes AND a.status <> 'DELETED' AND a.hold_until IS NULL AND NOT a.is_test
    LEFT JOIN radscheduler.modality m ON m.site_id = a.site_id AND m.code = a.modality
)
SELECT radscheduler.reply(200, jsonb_build_object('success', true, 'dashboard', jsonb_build_object(
    'date', (SELECT d.date FROM day d),
    'timezone', (SELECT d.zone FROM day d),
    'overview', (SELECT jsonb_build_object('totalToday', count(*), 'completed', count(*) FILTER (WHERE t.status = 'COMPLETED'),
                     'scheduled', count(*) FILTER (WHERE t.status IN ('SCHEDULED', 'CONFIRMED')), 'cancelled', count(*) FILTER (WHERE t.status = 'CANCELLED'),
                     'pendingReview', count(*) FILTER (WHERE t.status = 'PENDING_REVIEW'), 'noShow', count(*) FILTER (WHERE t.status = 'NO_SHOW')) FROM today t),
    'realtime', jsonb_build_object(
        'processingNow', (SELECT count(*) FROM pg_stat_activity p WHERE p.datname = current_database() AND p.application_name LIKE 'radschedulerd%' AND p.state = 'active' AND p.pid <> pg_backend_pid()),
        'messagesLastHour', (SELECT count(*) FROM day d JOIN radscheduler.hl7_message h ON h.site_id = d.site_id AND h.received_at > now() - interval '1 hour'),
        'openConflicts', (SELECT count(*) FROM day d JOIN radscheduler.conflict c ON c.site_id = d.site_id AND c.state = 'open'),
        'queueLength', NULL, 'activeUsers', NULL),
    'trends', jsonb_build_object(
        'hourly', (SELECT coalesce(jsonb_agg(jsonb_build_object('hour', h.hour || ':00', 'appointments', h.n) ORDER BY h.hour), '[]')
                   FROM (SELECT t.hour, count(*) AS n FROM today t GROUP BY t.hour) h),
        'modality', (SELECT coalesce(jsonb_agg(jsonb_build_object('modality', m.modality, 'count', m.n, 'percentage', round(100.0 * m.n / m.total, 1)) ORDER BY m.n DESC, m.modality), '[]')
                     FROM (SELECT t.modality, count(*) AS n, sum(count(*)) OVER () AS total FROM today t GROUP BY t.modality) m)))))
$$;
COMMENT ON FUNCTION radscheduler.api_dashboard(jsonb) IS
    'GET /api/analytics/dashboard: today at the site, counted from the records. queueLength and activeUsers are null: nothing here measures them yet.';

CREATE FUNCTION radscheduler.health() RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
BEGIN
    IF radscheduler.storage_version() = 0 THEN
        RAISE EXCEPTION 'this database has no radscheduler records' USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'SELECT radscheduler.provision();';
    ELSIF EXISTS (SELECT FROM radscheduler.storage_step s WHERE s.version > radscheduler.storage_version()) THEN
        RAISE EXCEPTION 'the records of this database are of an older version' USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'SELECT radscheduler.migrate();';
    END IF;
    RETURN jsonb_build_object('extension', (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'radscheduler'),
                              'schema_version', radscheduler.storage_version(), 'time', now());
END
$$;
COMMENT ON FUNCTION radscheduler.health() IS 'What a health probe asks: {extension, schema_version, time}. Raises 55000 when the records are missing, or older than the code (a dump of an earlier version was restored): migrate() brings them up.';
