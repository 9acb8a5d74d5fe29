-- /api/v1/users: people who may sign in at the site. A hash comes in as crypt(3) writes it and is never shown.

CREATE FUNCTION radscheduler.api_user_seen(p_site integer, p_user bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
    AS $$
DECLARE
    v_row jsonb := (SELECT to_jsonb(u) - '{site_id,user_id,password_hash,token_version}'::text[] || jsonb_build_object('id', u.user_id)
                    FROM radscheduler.app_user u WHERE u.site_id = p_site AND u.user_id = p_user);
BEGIN
    IF v_row IS NULL THEN
        RAISE EXCEPTION 'there is no user % at this site', p_user USING ERRCODE = 'no_data_found', HINT = 'GET /api/v1/users lists them.';
    END IF;
    RETURN v_row;
END
$$;
COMMENT ON FUNCTION radscheduler.api_user_seen(integer, bigint) IS 'A user as /api/v1 shows one; raises P0002 where there is none.';

CREATE FUNCTION radscheduler.api_v1_users_list(request jsonb) RETURNS radscheduler.http_reply
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
    SELECT coalesce(jsonb_agg(radscheduler.api_user_seen(v_site, u.user_id) ORDER BY u.login COLLATE "C"), '[]') INTO v_items
        FROM (SELECT x.user_id, x.login FROM radscheduler.app_user x
              WHERE x.site_id = v_site AND (v_active IS NULL OR x.is_active = v_active) AND (v_after IS NULL OR x.login COLLATE "C" > v_after) ORDER BY x.login COLLATE "C" LIMIT v_limit + 1) u;
    RETURN radscheduler.api_page(request, v_items - v_limit, CASE WHEN jsonb_array_length(v_items) > v_limit THEN radscheduler.api_cursor(jsonb_build_array(v_items -> (v_limit - 1) -> 'login')) END);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_users_list(jsonb) IS 'GET /api/v1/users: by login. Filter: active (true, false); limit, after.';

CREATE FUNCTION radscheduler.api_v1_users_get(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    RETURN radscheduler.api_tagged(200, radscheduler.api_user_seen(v_site, radscheduler.api_id(request)), NULL, '{failures,closed_until,last_login_at}');
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_users_get(jsonb) IS 'GET /api/v1/users/{id}: one user.';

CREATE FUNCTION radscheduler.api_v1_users_create(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_body jsonb := radscheduler.api_body(request, '{login,name,password_hash,scopes}');
    v_id   bigint;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    v_id := radscheduler.create_user(radscheduler.api_text(v_body, 'login'), radscheduler.api_text(v_body, 'name'), radscheduler.api_text(v_body, 'password_hash'), radscheduler.api_texts(v_body, 'scopes'));
    RETURN radscheduler.api_tagged(201, radscheduler.api_user_seen(v_site, v_id), '/api/v1/users/' || v_id, '{failures,closed_until,last_login_at}');
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_users_create(jsonb) IS 'POST /api/v1/users: create_user() with login, name, scopes and password_hash (as crypt(3) writes it). 201; 409 where the login is taken.';

CREATE FUNCTION radscheduler.api_v1_users_patch(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    c_passing CONSTANT text[] := '{failures,closed_until,last_login_at}';
    v_site    integer := radscheduler.api_enter();
    v_id      bigint := radscheduler.api_id(request);
    v_body    jsonb := radscheduler.api_body(request, '{is_active,name,password_hash,scopes}');
    v_old     jsonb;
    v_stale   radscheduler.http_reply;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    PERFORM FROM radscheduler.app_user u WHERE u.site_id = v_site AND u.user_id = v_id FOR UPDATE;
    v_old := radscheduler.api_user_seen(v_site, v_id);
    v_stale := radscheduler.api_outdated(request, 'user', v_old, c_passing);
    IF v_stale.status IS NOT NULL THEN
        RETURN v_stale;
    END IF;
    PERFORM radscheduler.set_user(v_old ->> 'login', radscheduler.api_text(v_body, 'name'), radscheduler.api_text(v_body, 'password_hash'), radscheduler.api_texts(v_body, 'scopes'), radscheduler.api_flag(v_body, 'is_active'));
    RETURN radscheduler.api_tagged(200, radscheduler.api_user_seen(v_site, v_id), NULL, c_passing);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_users_patch(jsonb) IS
    'PATCH /api/v1/users/{id}, with If-Match: set_user() with name, scopes, is_active and password_hash (as crypt(3) writes it). All but a new name makes earlier tokens count no longer.';
