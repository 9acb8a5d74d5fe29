-- /api/v1/hours and /api/v1/resources/{id}/hours: when the site is open, its holidays and hours that are kept for some exams, and a resource's own.

CREATE FUNCTION radscheduler.api_hours_row(p_site integer, p_resource bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_own jsonb := CASE WHEN p_resource IS NULL THEN radscheduler.configuration_site(p_site) ELSE radscheduler.configuration_resource(p_site, p_resource) END;
BEGIN
    RETURN jsonb_build_object('resource', (SELECT r.code FROM radscheduler.resource r WHERE r.site_id = p_site AND r.resource_id = p_resource),
        'timezone', radscheduler.site_zone(p_site), 'hours', v_own -> 'hours', 'days', v_own -> 'days', 'reserved', v_own -> 'reserved')
        || CASE WHEN p_resource IS NULL THEN '{}' ELSE jsonb_build_object('in_force', CASE WHEN v_own -> 'hours' = '[]' THEN radscheduler.configuration_site(p_site) -> 'hours' ELSE v_own -> 'hours' END) END;
END
$$;
COMMENT ON FUNCTION radscheduler.api_hours_row(integer, bigint) IS
    'Opening hours, days that are otherwise and kept hours as /api/v1 shows them: of the site (resource NULL), or a resource''s own, with the hours in force for it, which are the site''s where it has none.';

CREATE FUNCTION radscheduler.api_hours_of(request jsonb, p_site integer) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    IF request #> '{params,id}' IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM radscheduler.api_resource_seen(p_site, radscheduler.api_id(request));
    RETURN radscheduler.api_id(request);
END
$$;
COMMENT ON FUNCTION radscheduler.api_hours_of(jsonb, integer) IS 'The resource whose hours a request is about; NULL for the site''s own. Raises P0002 for one that is not there.';

CREATE FUNCTION radscheduler.api_v1_hours_get(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
BEGIN
    RETURN radscheduler.api_tagged(200, radscheduler.api_hours_row(v_site, radscheduler.api_hours_of(request, v_site)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_hours_get(jsonb) IS 'GET /api/v1/hours and /api/v1/resources/{id}/hours: hours, days and reserved as a configuration document has them, in the site''s wall time.';

CREATE FUNCTION radscheduler.api_v1_hours_put(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site  integer := radscheduler.api_enter();
    v_of    bigint := radscheduler.api_hours_of(request, v_site);
    v_body  jsonb := radscheduler.api_body(request, '{days,hours,reserved}');
    v_stale radscheduler.http_reply;
BEGIN
    IF v_body = '{}' THEN
        PERFORM radscheduler.api_fault('hours', 'is missing, and so are "days" and "reserved"', 'Send {"hours": [{"weekday": 1, "opens": "07:00", "closes": "19:00"}, …]}; an empty list means never open, or for a resource the hours of the site.');
    END IF;
    PERFORM radscheduler.api_configuring();
    v_stale := radscheduler.api_outdated(request, 'list of hours', radscheduler.api_hours_row(v_site, v_of));
    IF v_stale.status IS NOT NULL THEN
        RETURN v_stale;
    ELSIF v_of IS NULL THEN
        PERFORM radscheduler.api_configure(v_site, NULL, v_body);
    ELSE
        PERFORM radscheduler.api_configure(v_site, 'resources', v_body || (SELECT jsonb_build_object('code', r.code, 'kind', r.kind) FROM radscheduler.resource r
                                                                         WHERE r.site_id = v_site AND r.resource_id = v_of));
    END IF;
    RETURN radscheduler.api_tagged(200, radscheduler.api_hours_row(v_site, v_of));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_hours_put(jsonb) IS
    'PUT /api/v1/hours and /api/v1/resources/{id}/hours, with If-Match: replaces each list that is given. What is booked is not looked at again: POST /api/v1/conflicts/recheck does that.';
