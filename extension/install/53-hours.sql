-- When a resource is open: hours by weekday in the site's wall time (resource_hours), and single days that are otherwise (calendar_day). What counts
-- on a day: an exception of the resource, else a holiday, else its own hours, else the site's.

CREATE FUNCTION radscheduler.are_hours(opens time[], closes time[]) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN opens IS NOT NULL AND closes IS NOT NULL AND cardinality(opens) = cardinality(closes)
       AND NOT EXISTS (SELECT FROM unnest(opens, closes) u(o, c) WHERE o < c IS NOT TRUE);
END
$$;
COMMENT ON FUNCTION radscheduler.are_hours(time[], time[]) IS 'Whether two lists, side by side, are opening and closing times, each closing after its opening.';

CREATE FUNCTION radscheduler.open_hours(p_site integer, p_resource bigint, p_from timestamptz, p_until timestamptz, p_always boolean DEFAULT false) RETURNS tstzmultirange
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_zone   CONSTANT text := radscheduler.site_zone(p_site);
    v_window CONSTANT tstzrange := tstzrange(p_from, p_until);
    v_first  CONSTANT date := timezone(v_zone, p_from)::date;
    v_last   CONSTANT date := timezone(v_zone, p_until)::date;
    v_own    boolean := EXISTS (SELECT FROM radscheduler.resource_hours h WHERE h.site_id = p_site AND h.resource_id = p_resource);
    v_days   date[] := '{}';
    v_there  tstzmultirange := '{}';
    v_open   tstzmultirange;
BEGIN
    IF EXISTS (SELECT FROM radscheduler.calendar_day c WHERE c.site_id = p_site AND c.day BETWEEN v_first AND v_last) THEN
        SELECT coalesce(array_agg(DISTINCT e.day), '{}'), coalesce(range_agg(tstzrange(timezone(v_zone, e.day + u.opens), timezone(v_zone, e.day + u.closes)))
                   FILTER (WHERE timezone(v_zone, e.day + u.opens) < timezone(v_zone, e.day + u.closes)), '{}') * tstzmultirange(v_window)
            INTO v_days, v_there
            FROM (SELECT DISTINCT ON (c.day) c.day, c.opens, c.closes FROM radscheduler.calendar_day c
                  WHERE c.site_id = p_site AND c.day BETWEEN v_first AND v_last AND (c.resource_id = p_resource OR c.resource_id IS NULL AND (v_own OR NOT p_always))
                  ORDER BY c.day, c.resource_id NULLS LAST) e
            LEFT JOIN LATERAL unnest(e.opens, e.closes) u(opens, closes) ON true;
    END IF;
    IF p_always AND NOT v_own THEN
        RETURN v_there + (tstzmultirange(v_window)
            - (SELECT coalesce(range_agg(tstzrange(timezone(v_zone, d::timestamp), timezone(v_zone, (d + 1)::timestamp))), '{}') FROM unnest(v_days) d));
    END IF;
    v_open := (SELECT coalesce(range_agg(tstzrange(timezone(v_zone, d.day + h.opens), timezone(v_zone, d.day + h.closes))), '{}') * tstzmultirange(v_window)
        FROM generate_series(v_first::timestamp, v_last, interval '1 day') g(day),
             LATERAL (SELECT g.day::date AS day) d
        JOIN radscheduler.resource_hours h ON h.site_id = p_site AND h.weekday = extract(isodow FROM d.day) AND h.valid @> d.day
        WHERE (v_own AND h.resource_id = p_resource OR NOT v_own AND h.resource_id IS NULL) AND d.day <> ALL (v_days)
          -- Where clocks are put forward over the opening, it may come to lie after the closing.
          AND timezone(v_zone, d.day + h.opens) < timezone(v_zone, d.day + h.closes));
    RETURN CASE WHEN isempty(v_there) THEN v_open ELSE v_open + v_there END;
END
$$;
COMMENT ON FUNCTION radscheduler.open_hours(integer, bigint, timestamptz, timestamptz, boolean) IS
    'When a resource (NULL: the site) is open within a window, as instants: by the day''s exception or holiday, else its own hours where it has any, else the site''s. p_always: without hours of its own it is there at any time but for its exceptions, as staff are. On a day whose clocks skip the opening, hours that would end before they begin are none.';
