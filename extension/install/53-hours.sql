-- When a resource is open: hours by weekday in the site's wall time.

CREATE FUNCTION radscheduler.open_hours(p_site integer, p_resource bigint, p_from timestamptz, p_until timestamptz) RETURNS tstzmultirange
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_zone text := radscheduler.site_zone(p_site);
BEGIN
    RETURN (SELECT coalesce(range_agg(tstzrange(timezone(v_zone, d.day + h.opens), timezone(v_zone, d.day + h.closes))), '{}') * tstzmultirange(tstzrange(p_from, p_until))
        FROM generate_series(timezone(v_zone, p_from)::date, timezone(v_zone, p_until)::date, interval '1 day') g(day),
             LATERAL (SELECT g.day::date AS day) d
        JOIN radscheduler.resource_hours h ON h.site_id = p_site AND h.weekday = extract(isodow FROM d.day) AND h.valid @> d.day
        WHERE (h.resource_id = p_resource
               OR h.resource_id IS NULL AND NOT EXISTS (SELECT FROM radscheduler.resource_hours own WHERE own.site_id = p_site AND own.resource_id = p_resource))
          -- Where clocks are put forward over the opening, it may come to lie after the closing.
          AND timezone(v_zone, d.day + h.opens) < timezone(v_zone, d.day + h.closes));
END
$$;
COMMENT ON FUNCTION radscheduler.open_hours(integer, bigint, timestamptz, timestamptz) IS
    'When a resource is open within a window, as instants: its own hours where it has any, else the site''s. On a day whose clocks skip the opening, hours that would end before they begin are none.';
