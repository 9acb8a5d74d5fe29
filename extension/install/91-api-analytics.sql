-- /api/v1/analytics: figures counted from the records, without patients. Holds and test messages are never counted. Days are the site's.

CREATE FUNCTION radscheduler.api_days(request jsonb, p_zone text, p_before integer, p_most integer, OUT first date, OUT last date) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_name text;
    v_word text;
BEGIN
    FOREACH v_name IN ARRAY '{from,to}'::text[] LOOP
        v_word := radscheduler.api_word(request, v_name);
        IF v_word !~ '^\d{4}-\d\d-\d\d$' THEN
            PERFORM radscheduler.api_fault(v_name, 'is no day', 'Give a day of the site such as 2031-01-15.');
        END IF;
        PERFORM radscheduler.api_instant(v_name, request -> 'query' -> v_name, p_zone); -- there is such a day
    END LOOP;
    last := coalesce(radscheduler.api_word(request, 'to')::date, greatest(timezone(p_zone, now())::date, radscheduler.api_word(request, 'from')::date));
    first := coalesce(radscheduler.api_word(request, 'from')::date, last - p_before);
    IF last < first OR last - first >= p_most THEN
        PERFORM radscheduler.api_fault('to', format('must be from or one of the %s days after it', p_most - 1), format('Ask for at most %s days at a time; the last one counts.', p_most));
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.api_days(jsonb, text, integer, integer) IS
    'The days that from and to name, both counted: to is today without it, from so many days before. Raises 22023 for no days, and for more than p_most.';

CREATE FUNCTION radscheduler.api_v1_analytics_utilization(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET jit = off
    AS $$
DECLARE
    v_site     integer := radscheduler.api_enter();
    v_zone     text := radscheduler.site_zone(v_site);
    v_days     record := radscheduler.api_days(request, v_zone, 6, 31);
    v_modality text := radscheduler.api_modality(v_site, 'modality', radscheduler.api_word(request, 'modality'));
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{from,modality,to}', 'parameter');
    RETURN radscheduler.reply(200, (SELECT jsonb_build_object('from', v_days.first, 'to', v_days.last, 'timezone', v_zone, 'booked_minutes', coalesce(sum(u.booked_minutes), 0),
            'available_minutes', coalesce(sum(u.available_minutes), 0), 'utilization', round(100.0 * sum(u.booked_minutes) / nullif(sum(u.available_minutes), 0), 1),
            'items', coalesce(jsonb_agg(jsonb_build_object('day', u.day, 'resource', u.code, 'resource_id', u.resource_id, 'name', u.name, 'kind', u.kind, 'modality', u.modality,
                'booked_minutes', u.booked_minutes, 'available_minutes', u.available_minutes, 'utilization', round(100.0 * u.booked_minutes / nullif(u.available_minutes, 0), 1))
                ORDER BY u.day, u.code, u.resource_id), '[]'))
        FROM radscheduler.utilization_of(v_site, v_days.first, v_days.last, v_modality) u));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_analytics_utilization(jsonb) IS
    'GET /api/v1/analytics/utilization: utilization_of() from and to (days, at most 31; a week without them), of a modality: percent of available minutes that are booked, in all and for each day and scanner or room.';

CREATE FUNCTION radscheduler.api_v1_analytics_appointments(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET plan_cache_mode = force_custom_plan SET jit = off
    AS $$
DECLARE
    v_site     integer := radscheduler.api_enter();
    v_zone     text := radscheduler.site_zone(v_site);
    v_days     record := radscheduler.api_days(request, v_zone, 6, 366);
    v_modality text := radscheduler.api_modality(v_site, 'modality', radscheduler.api_word(request, 'modality'));
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{from,modality,to}', 'parameter');
    RETURN radscheduler.reply(200, jsonb_build_object('from', v_days.first, 'to', v_days.last, 'timezone', v_zone, 'items', (
        SELECT coalesce(jsonb_agg(jsonb_build_object('day', d.day, 'modality', d.modality, 'count', d.n, 'by_status', d.states, 'moved', d.moved, 'urgent', d.urgent,
                   'no_show_rate', round(100.0 * d.missed / nullif(d.missed + d.done, 0), 1)) ORDER BY d.day, d.modality COLLATE "C"), '[]')
        FROM (SELECT s.day, s.modality, sum(s.n) AS n, jsonb_object_agg(s.status, s.n) AS states, sum(s.moved) AS moved, sum(s.urgent) AS urgent,
                     coalesce(sum(s.n) FILTER (WHERE s.status = 'NO_SHOW'), 0) AS missed, coalesce(sum(s.n) FILTER (WHERE s.status = 'COMPLETED'), 0) AS done
              FROM (SELECT timezone(v_zone, a.starts_at)::date AS day, coalesce(m.label, a.modality, '') AS modality, a.status, count(*) AS n,
                           count(*) FILTER (WHERE a.reschedule_count > 0) AS moved, count(*) FILTER (WHERE a.urgency <> 'routine') AS urgent
                    FROM radscheduler.appointment a LEFT JOIN radscheduler.modality m ON m.site_id = a.site_id AND m.code = a.modality
                    WHERE a.site_id = v_site AND a.starts_at >= timezone(v_zone, v_days.first::timestamp) AND a.starts_at < timezone(v_zone, (v_days.last + 1)::timestamp)
                      AND a.status <> 'DELETED' AND a.hold_until IS NULL AND a.patient_id IS NOT NULL AND NOT a.is_test AND (v_modality IS NULL OR a.modality = v_modality)
                    GROUP BY 1, 2, 3) s
              GROUP BY s.day, s.modality) d)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_analytics_appointments(jsonb) IS
    'GET /api/v1/analytics/appointments: how many from and to (days, at most 366; a week without them), by day and modality: count, by_status, moved (at least once), urgent (not routine), and no_show_rate of those that came or did not.';

CREATE FUNCTION radscheduler.api_v1_analytics_messages(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET plan_cache_mode = force_custom_plan SET jit = off
    AS $$
DECLARE
    v_site   integer := radscheduler.api_enter();
    v_zone   text := radscheduler.site_zone(v_site);
    v_days   record := radscheduler.api_days(request, v_zone, 6, 92);
    v_sender bigint := radscheduler.api_count(request, 'sender');
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{from,sender,to}', 'parameter');
    RETURN radscheduler.reply(200, jsonb_build_object('from', v_days.first, 'to', v_days.last, 'timezone', v_zone, 'items', (
        SELECT coalesce(jsonb_agg(jsonb_build_object('day', d.day, 'sender', d.sender_id, 'application', s.sending_application, 'facility', s.sending_facility, 'count', d.n, 'by_outcome', d.outcomes,
                   'taken', round(100.0 * d.taken / d.n, 1)) ORDER BY d.day, d.sender_id), '[]')
        FROM (SELECT o.day, o.sender_id, sum(o.n) AS n, sum(o.taken) AS taken, jsonb_object_agg(o.outcome, o.n) AS outcomes
              FROM (SELECT timezone(v_zone, m.received_at)::date AS day, m.sender_id, m.outcome, count(*) AS n, count(*) FILTER (WHERE m.code = 'AA') AS taken FROM radscheduler.hl7_message m
                    WHERE m.site_id = v_site AND m.received_at >= timezone(v_zone, v_days.first::timestamp) AND m.received_at < timezone(v_zone, (v_days.last + 1)::timestamp)
                      AND (v_sender IS NULL OR m.sender_id = v_sender) AND m.processing_id IS DISTINCT FROM 'T'
                    GROUP BY 1, 2, 3) o
              GROUP BY o.day, o.sender_id) d
        LEFT JOIN radscheduler.sender s ON s.site_id = v_site AND s.sender_id = d.sender_id)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_analytics_messages(jsonb) IS
    'GET /api/v1/analytics/messages: how many were received from and to (days, at most 92; a week without them), by day and sender: count, by_outcome, and taken: percent answered AA.';

CREATE FUNCTION radscheduler.api_v1_analytics_third_next(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC'
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_zone text := radscheduler.site_zone(v_site);
    v_from timestamptz := coalesce(radscheduler.api_instant('from', request #> '{query,from}', v_zone), now());
    v_long bigint := radscheduler.api_count(request, 'duration_minutes');
    v_row  record;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{duration_minutes,from,modality,procedure,resource}', 'parameter');
    IF v_long NOT BETWEEN 1 AND 1440 THEN
        PERFORM radscheduler.api_fault('duration_minutes', 'must be 1 to 1440', 'Leave it out for the usual length.');
    END IF;
    v_row := radscheduler.third_next_available(radscheduler.api_word(request, 'modality'), radscheduler.api_word(request, 'procedure'), radscheduler.api_word(request, 'resource'), v_from, v_long::integer);
    RETURN radscheduler.reply(200, jsonb_build_object('from', v_from, 'resource', v_row.resource_code, 'starts_at', v_row.starts_at, 'ends_at', v_row.ends_at, 'days', v_row.days));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_analytics_third_next(jsonb) IS
    'GET /api/v1/analytics/third-next-available: third_next_available() for a modality, procedure or resource, from a time on: the third free time and the days until it; null where there is none.';
