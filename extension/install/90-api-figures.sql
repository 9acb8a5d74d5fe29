-- GET /api/analytics/utilization and /performance: counted from the records. What nothing here measures is null, never invented.

CREATE FUNCTION radscheduler.utilization_of(p_site integer, p_from date, p_until date, p_modality text DEFAULT NULL)
    RETURNS TABLE (day date, resource_id bigint, code text, name text, kind radscheduler.resource_kind, modality text, booked_minutes integer, available_minutes integer)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100 SET search_path = pg_catalog, pg_temp SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    v_zone text := radscheduler.site_zone(p_site);
BEGIN
    RETURN QUERY
    SELECT d.day::date, r.resource_id, r.code, r.name, r.kind, r.modality, coalesce(b.minutes, 0)::integer,
           (r.capacity * (SELECT coalesce(sum(extract(epoch FROM upper(o) - lower(o))) / 60, 0)
                          FROM unnest(radscheduler.open_hours(p_site, r.resource_id, w.opens, w.closes)
                                      - coalesce((SELECT range_agg(k.during) FROM radscheduler.resource_block k WHERE k.site_id = p_site AND k.resource_id = r.resource_id AND k.during && tstzrange(w.opens, w.closes)), '{}')) o))::integer
    FROM generate_series(p_from::timestamp, p_until::timestamp, interval '1 day') d(day),
         LATERAL (SELECT timezone(v_zone, d.day) AS opens, timezone(v_zone, d.day + interval '1 day') AS closes) w
    CROSS JOIN radscheduler.resource r
    LEFT JOIN LATERAL (
        SELECT sum(extract(epoch FROM least(upper(o.during), w.closes) - greatest(lower(o.during), w.opens))) / 60 AS minutes
        FROM radscheduler.occupancy o JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.appointment_id = o.appointment_id AND a.hold_until IS NULL AND NOT a.is_test
        WHERE o.site_id = p_site AND o.axis = 'resource' AND o.subject_id = r.resource_id AND o.buffered && tstzrange(w.opens, w.closes) AND o.during && tstzrange(w.opens, w.closes)) b ON true
    WHERE r.site_id = p_site AND r.is_active AND r.kind IN ('equipment', 'room') AND r.modality IS NOT NULL
      AND (p_modality IS NULL OR r.modality = p_modality OR p_modality = ANY (r.modalities))
    ORDER BY 1, 3, 2;
END
$$;
COMMENT ON FUNCTION radscheduler.utilization_of(integer, date, date, text) IS
    'For each scanner and each room of a modality, and each calendar day of the site: minutes booked (without set-up and turnover, holds and test messages; what is over counts as long as it lasted) and minutes available: opening hours minus blocks, times its capacity.';

CREATE FUNCTION radscheduler.api_utilization(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET jit = off
    AS $$
DECLARE
    v_site     integer := radscheduler.api_enter();
    v_zone     text := radscheduler.site_zone(v_site);
    v_day      date := timezone(v_zone, coalesce(radscheduler.api_instant('date', request #> '{query,date}', v_zone), now()))::date;
    v_from     timestamptz := timezone(v_zone, v_day::timestamp);
    v_until    timestamptz := timezone(v_zone, v_day::timestamp + interval '1 day');
    v_word     text := radscheduler.api_word(request, 'modality');
    v_modality text := radscheduler.modality_code(v_site, v_word);
    v_row      record;
    v_waits    numeric;
    v_done     bigint;
BEGIN
    IF v_word IS NOT NULL AND v_modality IS NULL THEN
        PERFORM radscheduler.api_fault('modality', 'is not known at this site', 'Use for example MRI, CT, XRAY or US.');
    END IF;
    SELECT coalesce(jsonb_agg(jsonb_build_object('resource', u.code, 'name', u.name, 'modality', u.modality, 'bookedMinutes', u.booked_minutes, 'availableMinutes', u.available_minutes,
               'utilization', round(100.0 * u.booked_minutes / nullif(u.available_minutes, 0), 1)) ORDER BY u.code, u.resource_id), '[]') AS rows,
           round(100.0 * sum(u.booked_minutes) / nullif(sum(u.available_minutes), 0), 1) AS used, coalesce(sum(u.booked_minutes), 0) AS booked, coalesce(sum(u.available_minutes), 0) AS available
        INTO v_row FROM radscheduler.utilization_of(v_site, v_day, v_day, v_modality) u;
    SELECT count(*) FILTER (WHERE a.status = 'COMPLETED'),
           round((avg(extract(epoch FROM s.at - r.at)) FILTER (WHERE s.at >= r.at) / 60)::numeric, 1) INTO v_done, v_waits
        FROM radscheduler.appointment a
        LEFT JOIN LATERAL (SELECT min(h.recorded_at) AS at FROM radscheduler.appointment_history h WHERE h.site_id = a.site_id AND h.appointment_id = a.appointment_id AND h.event = 'appointment.arrived') r ON true
        LEFT JOIN LATERAL (SELECT min(h.recorded_at) AS at FROM radscheduler.appointment_history h WHERE h.site_id = a.site_id AND h.appointment_id = a.appointment_id AND h.event = 'appointment.started') s ON true
        WHERE a.site_id = v_site AND a.starts_at >= v_from AND a.starts_at < v_until AND a.status <> 'DELETED' AND a.hold_until IS NULL AND NOT a.is_test AND (v_modality IS NULL OR a.modality = v_modality);
    RETURN radscheduler.reply(200, jsonb_build_object('success', true, 'metrics', jsonb_build_object('date', v_day, 'timezone', v_zone, 'modality', v_modality,
        'utilization', jsonb_build_object('current', v_row.used, 'target', NULL, 'improvement', NULL, 'bookedMinutes', v_row.booked, 'availableMinutes', v_row.available),
        'efficiency', jsonb_build_object('waitTime', v_waits, 'throughput', v_done, 'satisfaction', NULL),
        'financial', jsonb_build_object('dailyRevenue', NULL, 'costPerSlot', NULL, 'profitMargin', NULL), 'resources', v_row.rows)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_utilization(jsonb) IS
    'GET /api/analytics/utilization: {date, modality}, both optional. Percent of available minutes that are booked, in all and for each scanner and room; waitTime: minutes from arrival to start, on average; throughput: exams completed. Targets, satisfaction and money are null: nobody records them.';

CREATE FUNCTION radscheduler.api_performance(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET jit = off
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_zone text := radscheduler.site_zone(v_site);
    v_day  timestamp := date_trunc('day', timezone(v_zone, now()));
    v_news record;
    v_rows record;
BEGIN
    SELECT count(*) AS n, count(*) FILTER (WHERE m.code = 'AA') AS taken,
           (SELECT count(*) FROM radscheduler.hl7_message h WHERE h.site_id = v_site AND h.received_at > now() - interval '1 hour') AS hour INTO v_news
        FROM radscheduler.hl7_message m WHERE m.site_id = v_site AND m.received_at >= timezone(v_zone, v_day);
    SELECT count(*) FILTER (WHERE a.starts_at >= timezone(v_zone, v_day) AND a.status NOT IN ('CANCELLED', 'DISCONTINUED', 'NO_SHOW')) AS booked,
           round(100.0 * count(*) FILTER (WHERE a.status = 'NO_SHOW') / nullif(count(*) FILTER (WHERE a.status IN ('NO_SHOW', 'COMPLETED')), 0), 1) AS missed INTO v_rows
        FROM radscheduler.appointment a
        WHERE a.site_id = v_site AND a.starts_at >= timezone(v_zone, v_day - interval '30 days') AND a.starts_at < timezone(v_zone, v_day + interval '1 day')
          AND a.status <> 'DELETED' AND a.hold_until IS NULL AND a.patient_id IS NOT NULL AND NOT a.is_test;
    RETURN radscheduler.reply(200, jsonb_build_object('success', true, 'performance', jsonb_build_object('date', v_day::date, 'timezone', v_zone,
        'processing', jsonb_build_object('messagesProcessed', v_news.n, 'averageTime', NULL, 'successRate', round(100.0 * v_news.taken / nullif(v_news.n, 0), 1),
                                         'errorRate', round(100.0 * (v_news.n - v_news.taken) / nullif(v_news.n, 0), 1)),
        'system', jsonb_build_object('uptime', NULL, 'responseTime', NULL, 'throughput', round(v_news.hour / 60.0, 2),
            'activeConnections', (SELECT count(*) FROM pg_stat_activity p WHERE p.datname = current_database() AND p.application_name LIKE 'radschedulerd%')),
        'business', jsonb_build_object('appointmentsScheduled', v_rows.booked, 'noShowRate', v_rows.missed, 'noShowReduction', NULL, 'revenueIncrease', NULL, 'satisfactionScore', NULL))));
END
$$;
COMMENT ON FUNCTION radscheduler.api_performance(jsonb) IS
    'GET /api/analytics/performance: messages of today at the site with the share that was taken (AA), messages a minute in the last hour, the daemon''s connections, appointments of today, and of the last 30 days the share of patients who did not come. Times of processing and uptime are the daemon''s to tell (/metrics, /health), what nobody records is null.';
