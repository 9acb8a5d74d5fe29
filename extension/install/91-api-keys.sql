-- /api/v1/api-keys: keys of programs. A key is shown once, when it is made; what is kept is a hash, which is never shown.

CREATE FUNCTION radscheduler.api_key_seen(p_site integer, p_key text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
    AS $$
DECLARE
    v_row jsonb := (SELECT jsonb_build_object('id', k.key_id, 'name', k.name, 'scopes', k.scopes, 'networks', k.networks, 'expires_at', k.expires_at, 'revoked_at', k.revoked_at,
                               'last_used_at', k.last_used_at, 'created_by', k.created_by, 'created_at', k.created_at) FROM radscheduler.api_key k WHERE k.site_id = p_site AND k.key_id = p_key);
BEGIN
    IF v_row IS NULL THEN
        RAISE EXCEPTION 'this site has no API key of that id' USING ERRCODE = 'no_data_found', HINT = 'Give the eight characters after rsk_; GET /api/v1/api-keys lists them.';
    END IF;
    RETURN v_row;
END
$$;
COMMENT ON FUNCTION radscheduler.api_key_seen(integer, text) IS 'An API key as /api/v1 shows one, without its secret; raises P0002 where there is none.';

CREATE FUNCTION radscheduler.api_v1_api_keys_list(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_site   integer := radscheduler.api_enter();
    v_limit  integer := radscheduler.api_limit(request);
    v_after  text := radscheduler.api_after(request, '{string}') ->> 0;
    v_active boolean := radscheduler.api_truth(request, 'active');
    v_items  jsonb;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{active,after,limit}', 'parameter');
    SELECT coalesce(jsonb_agg(radscheduler.api_key_seen(v_site, k.key_id) ORDER BY k.key_id COLLATE "C"), '[]') INTO v_items
        FROM (SELECT x.key_id FROM radscheduler.api_key x
              WHERE x.site_id = v_site AND (v_after IS NULL OR x.key_id COLLATE "C" > v_after)
                AND (v_active IS NULL OR (x.revoked_at IS NULL AND (x.expires_at > now()) IS NOT FALSE) = v_active)
              ORDER BY x.key_id COLLATE "C" LIMIT v_limit + 1) k;
    RETURN radscheduler.api_page(request, v_items - v_limit, CASE WHEN jsonb_array_length(v_items) > v_limit THEN radscheduler.api_cursor(jsonb_build_array(v_items -> (v_limit - 1) -> 'id')) END);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_api_keys_list(jsonb) IS 'GET /api/v1/api-keys: by id. Filter: active (neither revoked nor expired: true, false); limit, after. No secrets.';

CREATE FUNCTION radscheduler.api_v1_api_keys_get(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    RETURN radscheduler.reply(200, radscheduler.api_key_seen(v_site, request #>> '{params,id}'));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_api_keys_get(jsonb) IS 'GET /api/v1/api-keys/{id}: one key, without its secret.';

CREATE FUNCTION radscheduler.api_v1_api_keys_create(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site     integer := radscheduler.api_enter();
    v_body     jsonb := radscheduler.api_body(request, '{expires_at,name,networks,scopes}');
    v_expires  timestamptz := radscheduler.api_instant('expires_at', v_body -> 'expires_at', radscheduler.site_zone(v_site));
    v_networks cidr[];
    v_key      text;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    BEGIN
        v_networks := radscheduler.api_texts(v_body, 'networks')::cidr[];
    EXCEPTION WHEN invalid_text_representation THEN
        PERFORM radscheduler.api_fault('networks', 'must be a list of networks', 'Send {"networks": ["10.1.0.0/16"]}, with no bits set to the right of the mask; without it the key counts from anywhere.');
    END;
    v_key := radscheduler.create_api_key(radscheduler.api_text(v_body, 'name'), radscheduler.api_texts(v_body, 'scopes'), v_expires - now(), v_networks);
    RETURN radscheduler.reply(201, radscheduler.api_key_seen(v_site, split_part(v_key, '_', 2)) || jsonb_build_object('key', v_key),
                              jsonb_build_object('Location', '/api/v1/api-keys/' || split_part(v_key, '_', 2)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_api_keys_create(jsonb) IS
    'POST /api/v1/api-keys: create_api_key() with name, scopes, expires_at, networks. 201 with the key itself, this once; under an Idempotency-Key, too, it is made anew, as its answer is not kept.';

CREATE FUNCTION radscheduler.api_v1_api_keys_revoke(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_id   text := request #>> '{params,id}';
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    PERFORM radscheduler.api_key_seen(v_site, v_id);
    PERFORM radscheduler.revoke_api_key(v_id);
    RETURN radscheduler.reply(200, radscheduler.api_key_seen(v_site, v_id));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_api_keys_revoke(jsonb) IS 'DELETE /api/v1/api-keys/{id}: revoke_api_key(). The key stays in the list, with the time; 200.';
