-- When a request (SRM) can be had: ranges of ARQ-11 as instants, and the first free time in them that suits APR. Free times come from the same search
-- as find_slots(), so that what is chosen here can be booked.

CREATE FUNCTION radscheduler.request_windows(p_reading jsonb, p_zone text) RETURNS tstzmultirange
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_window  jsonb;
    v_from    timestamptz;
    v_until   timestamptz;
    v_windows tstzmultirange := '{}';
BEGIN
    FOR v_window IN SELECT w FROM jsonb_array_elements(p_reading #> '{request,windows}') w LOOP
        v_from := radscheduler.to_instant(CASE length(v_window ->> 'from') WHEN 10 THEN (v_window ->> 'from') || 'T00:00:00' ELSE v_window ->> 'from' END, p_zone);
        v_until := CASE WHEN v_window ->> 'until' IS NULL AND length(v_window ->> 'from') > 10 THEN v_from
                        WHEN length(coalesce(v_window ->> 'until', v_window ->> 'from')) > 10 THEN radscheduler.to_instant(v_window ->> 'until', p_zone)
                        ELSE timezone(p_zone, (coalesce(v_window ->> 'until', v_window ->> 'from')::date + 1)::timestamp) - interval '1 second' END;
        IF v_from <= v_until THEN
            v_windows := v_windows + tstzmultirange(tstzrange(v_from, v_until, '[]'));
        END IF;
    END LOOP;
    RETURN v_windows;
END
$$;
COMMENT ON FUNCTION radscheduler.request_windows(jsonb, text) IS 'The ranges in which a request wants to start (ARQ-11), as instants, ends included; a date is that whole day in the zone.';

CREATE FUNCTION radscheduler.clock_of(p_value text) RETURNS time
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_parts text[] := regexp_match(upper(p_value), '^([01]?\d|2[0-3]):?([0-5]\d)\s*(AM|PM)?$');
BEGIN
    IF v_parts IS NULL OR v_parts[3] IS NOT NULL AND v_parts[1]::integer NOT BETWEEN 1 AND 12 THEN
        RETURN NULL;
    END IF;
    RETURN make_time(CASE WHEN v_parts[3] IS NULL THEN v_parts[1]::integer ELSE v_parts[1]::integer % 12 + CASE v_parts[3] WHEN 'PM' THEN 12 ELSE 0 END END, v_parts[2]::integer, 0);
END
$$;
COMMENT ON FUNCTION radscheduler.clock_of(text) IS 'The time of day that a preference names: 0800, 8:00, 0800AM; NULL for anything else.';

CREATE FUNCTION radscheduler.suits(p_request jsonb, p_local timestamp) RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_day   CONSTANT text := upper(to_char(p_local, 'DY'));
    v_item  jsonb;
    v_name  text;
    v_value text;
    v_days  text[] := '{}';
    v_rank  integer := 0;
BEGIN
    FOR v_item IN SELECT t FROM jsonb_array_elements(p_request -> 'times') t LOOP
        v_name := upper(v_item ->> 'name');
        v_value := upper(coalesce(v_item ->> 'value', 'OK'));
        IF v_name IN ('MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN') THEN
            IF v_value IN ('N', 'NO') THEN
                IF v_name = c_day THEN
                    RETURN NULL;
                END IF;
            ELSE
                v_days := v_days || v_name;
            END IF;
        ELSIF v_name = 'PREFSTART' AND p_local::time < radscheduler.clock_of(v_value) OR v_name = 'PREFEND' AND p_local::time > radscheduler.clock_of(v_value) THEN
            v_rank := v_rank + 1;
        END IF;
    END LOOP;
    RETURN v_rank + CASE WHEN v_days = '{}' OR c_day = ANY (v_days) THEN 0 ELSE 2 END;
END
$$;
COMMENT ON FUNCTION radscheduler.suits(jsonb, timestamp) IS
    'How well a local start suits the time criteria of a request (APR-1, HL7 table 0294): 0 in every way, more where the day (2) or the time of day (1 each for PREFSTART, PREFEND) is not what is preferred, NULL on a day that it rules out (MON^NO).';

CREATE FUNCTION radscheduler.request_scanners(p_site integer, p_reading jsonb, p_named bigint[], p_appointment bigint, p_modality text, OUT resources bigint[], OUT preferred bigint[]) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    preferred := ARRAY(SELECT a.resource_id FROM jsonb_array_elements(coalesce(p_reading #> '{request,resources}', '[]') || coalesce(p_reading #> '{request,locations}', '[]')) c
                       JOIN radscheduler.resource_alias a ON a.site_id = p_site AND a.alias = upper(c ->> 'value'));
    SELECT coalesce(array_agg(r.resource_id) FILTER (WHERE r.kind = 'equipment'), array_agg(r.resource_id)) INTO resources
        FROM radscheduler.resource r
        WHERE r.site_id = p_site AND r.kind IN ('equipment', 'room')
          AND r.resource_id = ANY (coalesce(p_named, ARRAY(SELECT ar.resource_id FROM radscheduler.appointment_resource ar
                                                           WHERE ar.site_id = p_site AND ar.appointment_id = p_appointment AND ar.status IS NULL)));
    resources := coalesce(resources, ARRAY(SELECT r.resource_id FROM radscheduler.resource r
        WHERE r.site_id = p_site AND r.is_active AND r.kind IN ('equipment', 'room') AND (r.modality = p_modality OR p_modality = ANY (r.modalities))));
END
$$;
COMMENT ON FUNCTION radscheduler.request_scanners(integer, jsonb, bigint[], bigint, text) IS
    'Where a request may be booked: the scanners (else rooms) it names, else those its appointment has, else all of its modality; and those it prefers (APR-2, APR-3).';

CREATE FUNCTION radscheduler.first_free(p_site integer, p_windows tstzmultirange, p_request jsonb, p_zone text, p_resources bigint[], p_preferred bigint[],
                                        p_patient bigint, p_minutes integer, p_without bigint, OUT starts_at timestamptz, OUT resource text) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    SELECT f.starts_at, f.resource_code INTO starts_at, resource
        FROM unnest(p_windows * tstzmultirange(tstzrange(now(), NULL))) w,
             LATERAL radscheduler.free_slots(p_site => p_site, p_resources => p_resources, p_patients => ARRAY[p_patient], p_from => lower(w),
                                             p_until => least(upper(w), lower(w) + interval '90 days') + make_interval(mins => p_minutes),
                                             p_minutes => p_minutes, p_limit => 500, p_without => p_without) f
        JOIN radscheduler.resource r ON r.site_id = p_site AND r.code = f.resource_code AND r.resource_id = ANY (p_resources)
        WHERE f.starts_at <@ w AND radscheduler.suits(p_request, timezone(p_zone, f.starts_at)) IS NOT NULL
        ORDER BY radscheduler.suits(p_request, timezone(p_zone, f.starts_at)), (r.resource_id = ANY (p_preferred)) IS TRUE DESC, f.starts_at, f.resource_code LIMIT 1;
END
$$;
COMMENT ON FUNCTION radscheduler.first_free(integer, tstzmultirange, jsonb, text, bigint[], bigint[], bigint, integer, bigint) IS
    'The first free start within ranges, and the scanner it is free on: what suits the request best comes first, then preferred scanners, then the earliest. Within each range the first 500 free times of 90 days are looked at; none that has passed.';

CREATE FUNCTION radscheduler.request_alternatives(p_site integer, p_from timestamptz, p_resources bigint[], p_patient bigint, p_minutes integer, p_without bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('start', f.starts_at, 'end', f.ends_at, 'resource', f.resource_code) ORDER BY f.starts_at, f.resource_code), '[]')
            FROM radscheduler.free_slots(p_site => p_site, p_resources => p_resources, p_patients => ARRAY[p_patient], p_from => greatest(p_from, date_trunc('minute', now())),
                                         p_until => greatest(p_from, now()) + interval '14 days', p_minutes => p_minutes, p_limit => 3, p_without => p_without) f);
END
$$;
COMMENT ON FUNCTION radscheduler.request_alternatives(integer, timestamptz, bigint[], bigint, integer, bigint) IS
    'Up to three free times from an instant on, within 14 days, as alternatives() gives them, for a request that cannot be booked as it was asked for.';
