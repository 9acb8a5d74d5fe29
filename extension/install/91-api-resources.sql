-- /api/v1/resources: rooms, scanners and staff. A resource that is no longer used becomes inactive: what was booked on it stays readable.

CREATE FUNCTION radscheduler.api_resource_row(p_site integer, p_resource bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
    AS $$
BEGIN
    RETURN (SELECT radscheduler.configuration_resource(p_site, r.resource_id) - '{hours,blocks,days,reserved}'::text[]
                   || jsonb_build_object('id', r.resource_id, 'created_at', r.created_at,
                                         'has_own_hours', EXISTS (SELECT FROM radscheduler.resource_hours h WHERE h.site_id = p_site AND h.resource_id = r.resource_id))
            FROM radscheduler.resource r WHERE r.site_id = p_site AND r.resource_id = p_resource);
END
$$;
COMMENT ON FUNCTION radscheduler.api_resource_row(integer, bigint) IS 'A resource as /api/v1 shows it: as in a configuration document, with id, created_at and has_own_hours, without its times; NULL when there is none.';

CREATE FUNCTION radscheduler.api_resource_seen(p_site integer, p_resource bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row jsonb := radscheduler.api_resource_row(p_site, p_resource);
BEGIN
    IF v_row IS NULL THEN
        RAISE EXCEPTION 'there is no resource % at this site', p_resource USING ERRCODE = 'no_data_found', HINT = 'GET /api/v1/resources lists them.';
    END IF;
    RETURN v_row;
END
$$;
COMMENT ON FUNCTION radscheduler.api_resource_seen(integer, bigint) IS 'api_resource_row(); raises P0002 where there is none.';

CREATE FUNCTION radscheduler.api_resource_item(p_site integer, p_body jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_word text := radscheduler.api_text(p_body, 'modality');
BEGIN
    RETURN p_body || CASE WHEN v_word IS NULL THEN '{}' ELSE jsonb_build_object('modality', radscheduler.api_modality(p_site, 'modality', v_word)) END
        || CASE WHEN p_body -> 'modalities' IS NULL THEN '{}' ELSE jsonb_build_object('modalities',
               (SELECT coalesce(jsonb_agg(radscheduler.api_modality(p_site, 'modalities', w.word) ORDER BY w.place), '[]') FROM unnest(radscheduler.api_texts(p_body, 'modalities')) WITH ORDINALITY w(word, place))) END;
END
$$;
COMMENT ON FUNCTION radscheduler.api_resource_item(integer, jsonb) IS 'A body as the item of a configuration document: modalities by code, whatever word was sent.';

CREATE FUNCTION radscheduler.api_v1_resources_list(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_site     integer := radscheduler.api_enter();
    v_limit    integer := radscheduler.api_limit(request);
    v_after    jsonb := radscheduler.api_after(request, '{string,number}');
    v_kinds    text[] := radscheduler.api_words(request, 'kind');
    v_modality text := radscheduler.api_modality(v_site, 'modality', radscheduler.api_word(request, 'modality'));
    v_active   boolean := radscheduler.api_truth(request, 'active');
    v_known    boolean := radscheduler.api_truth(request, 'registered');
    v_ids      bigint[];
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{active,after,kind,limit,modality,registered}', 'parameter');
    IF NOT v_kinds <@ enum_range(NULL::radscheduler.resource_kind)::text[] THEN
        PERFORM radscheduler.api_fault('kind', 'is none of resources', 'Use equipment, room or staff.');
    END IF;
    v_ids := ARRAY(SELECT r.resource_id FROM radscheduler.resource r
        WHERE r.site_id = v_site AND (v_kinds IS NULL OR r.kind::text = ANY (v_kinds)) AND (v_active IS NULL OR r.is_active = v_active) AND (v_known IS NULL OR r.is_registered = v_known)
          AND (v_modality IS NULL OR r.modality = v_modality OR v_modality = ANY (r.modalities))
          AND (v_after IS NULL OR (r.code COLLATE "C", r.resource_id) > (v_after ->> 0, (v_after ->> 1)::bigint))
        ORDER BY r.code COLLATE "C", r.resource_id LIMIT v_limit + 1);
    RETURN radscheduler.api_page(request,
        (SELECT coalesce(jsonb_agg(radscheduler.api_resource_row(v_site, u.id) ORDER BY u.place), '[]') FROM unnest(v_ids[1:v_limit]) WITH ORDINALITY u(id, place)),
        CASE WHEN cardinality(v_ids) > v_limit THEN (SELECT radscheduler.api_cursor(jsonb_build_array(r.code, r.resource_id)) FROM radscheduler.resource r
            WHERE r.site_id = v_site AND r.resource_id = v_ids[v_limit]) END);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_resources_list(jsonb) IS 'GET /api/v1/resources: by code. Filters: kind (several times), modality, active and registered (true, false); limit, after.';

CREATE FUNCTION radscheduler.api_v1_resources_get(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    RETURN radscheduler.api_tagged(200, radscheduler.api_resource_seen(v_site, radscheduler.api_id(request)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_resources_get(jsonb) IS 'GET /api/v1/resources/{id}: one resource.';

CREATE FUNCTION radscheduler.api_v1_resources_create(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_body jsonb := radscheduler.api_body(request, '{aliases,campus,capacity,code,is_active,is_registered,kind,location,modalities,modality,name,role,setup_minutes,turnover_minutes,weight_limit_kg}');
    v_code text := radscheduler.api_text(v_body, 'code');
    v_kind text := radscheduler.api_text(v_body, 'kind');
    v_id   bigint;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    PERFORM radscheduler.api_configuring();
    IF EXISTS (SELECT FROM radscheduler.resource r WHERE r.site_id = v_site AND r.kind::text = v_kind AND r.code = v_code) THEN
        RAISE EXCEPTION 'this site has a resource of that kind and code already' USING ERRCODE = 'unique_violation', HINT = 'PATCH it, or take another code.';
    END IF;
    PERFORM radscheduler.api_configure(v_site, 'resources', radscheduler.api_resource_item(v_site, v_body));
    v_id := (SELECT r.resource_id FROM radscheduler.resource r WHERE r.site_id = v_site AND r.kind::text = v_kind AND r.code = v_code);
    RETURN radscheduler.api_tagged(201, radscheduler.api_resource_seen(v_site, v_id), '/api/v1/resources/' || v_id);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_resources_create(jsonb) IS 'POST /api/v1/resources: code, kind and name, and what else a resource of a configuration document has but its times. 201; 409 where kind and code are taken.';

CREATE FUNCTION radscheduler.api_v1_resources_patch(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site  integer := radscheduler.api_enter();
    v_id    bigint := radscheduler.api_id(request);
    v_body  jsonb := radscheduler.api_body(request, '{aliases,campus,capacity,is_active,is_registered,location,modalities,modality,name,role,setup_minutes,turnover_minutes,weight_limit_kg}');
    v_old   jsonb;
    v_stale radscheduler.http_reply;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    PERFORM radscheduler.api_configuring();
    v_old := radscheduler.api_resource_seen(v_site, v_id);
    v_stale := radscheduler.api_outdated(request, 'resource', v_old);
    IF v_stale.status IS NOT NULL THEN
        RETURN v_stale;
    END IF;
    PERFORM radscheduler.api_configure(v_site, 'resources', radscheduler.api_resource_item(v_site, v_body) || jsonb_build_object('code', v_old -> 'code', 'kind', v_old -> 'kind'));
    RETURN radscheduler.api_tagged(200, radscheduler.api_resource_seen(v_site, v_id));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_resources_patch(jsonb) IS
    'PATCH /api/v1/resources/{id}, with If-Match: what is given changes, aliases and modalities as a whole. What is booked is not looked at again: POST /api/v1/conflicts/recheck does that.';
