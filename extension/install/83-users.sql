-- People who sign in. The daemon hashes and compares passwords; the database keeps the hashes, counts wrong ones and says who is still somebody.

CREATE FUNCTION radscheduler.create_user(login text, name text, password_hash text, scopes text[]) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer := radscheduler.current_site();
    v_id   bigint;
BEGIN
    IF (lower(create_user.login) ~ '^[a-z0-9][a-z0-9._@-]{1,79}$') IS NOT TRUE THEN
        RAISE EXCEPTION 'a login has 2 to 80 letters, digits or . _ @ -' USING ERRCODE = 'invalid_parameter_value', HINT = 'For example rivera or rivera@hospital.example.';
    ELSIF (length(create_user.name) BETWEEN 1 AND 200) IS NOT TRUE THEN
        RAISE EXCEPTION 'a user needs a name of 1 to 200 characters' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the name that people know them by.';
    ELSIF (create_user.password_hash ~ '^\$(y|2[abxy]|7|6)\$') IS NOT TRUE THEN
        RAISE EXCEPTION 'this is not the hash of a password' USING ERRCODE = 'invalid_parameter_value', HINT = 'radschedulerd user add asks for the password and hashes it.';
    END IF;
    PERFORM radscheduler.check_scopes(create_user.scopes);
    INSERT INTO radscheduler.app_user AS u (site_id, login, name, password_hash, scopes)
        VALUES (v_site, lower(create_user.login), create_user.name, create_user.password_hash, create_user.scopes)
        ON CONFLICT DO NOTHING RETURNING u.user_id INTO v_id;
    IF v_id IS NULL THEN
        RAISE EXCEPTION 'this site has a user of that login already' USING ERRCODE = 'unique_violation', HINT = 'radscheduler.set_user() changes one.';
    END IF;
    PERFORM radscheduler.audit(v_site, 'user.created', 'app_user', v_id, jsonb_build_object('scopes', create_user.scopes));
    RETURN v_id;
END
$$;
COMMENT ON FUNCTION radscheduler.create_user(text, text, text, text[]) IS
    'Records somebody who may sign in at the session''s site; password_hash as crypt(3) writes it. Returns user_id. Raises 22023 for a bad login, name, hash or scope, 23505 where the login is taken.';

CREATE FUNCTION radscheduler.set_user(login text, name text DEFAULT NULL, password_hash text DEFAULT NULL, scopes text[] DEFAULT NULL, active boolean DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer := radscheduler.current_site();
    v_id   bigint;
BEGIN
    IF set_user.password_hash !~ '^\$(y|2[abxy]|7|6)\$' THEN
        RAISE EXCEPTION 'this is not the hash of a password' USING ERRCODE = 'invalid_parameter_value', HINT = 'radschedulerd user password asks for the password and hashes it.';
    ELSIF length(set_user.name) NOT BETWEEN 1 AND 200 THEN
        RAISE EXCEPTION 'a user needs a name of 1 to 200 characters' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the name that people know them by.';
    ELSIF set_user.scopes IS NOT NULL THEN
        PERFORM radscheduler.check_scopes(set_user.scopes);
    END IF;
    UPDATE radscheduler.app_user u
        SET name = coalesce(set_user.name, u.name), password_hash = coalesce(set_user.password_hash, u.password_hash), scopes = coalesce(set_user.scopes, u.scopes),
            is_active = coalesce(set_user.active, u.is_active),
            -- Whoever's password, scopes or standing changed signs in anew.
            token_version = u.token_version + CASE WHEN num_nonnulls(set_user.password_hash, set_user.scopes, set_user.active) > 0 THEN 1 ELSE 0 END,
            failures = CASE WHEN set_user.password_hash IS NOT NULL THEN 0 ELSE u.failures END,
            closed_until = CASE WHEN set_user.password_hash IS NOT NULL THEN NULL ELSE u.closed_until END
        WHERE u.site_id = v_site AND u.login = lower(set_user.login) RETURNING u.user_id INTO v_id;
    IF v_id IS NULL THEN
        RAISE EXCEPTION 'this site has no user of that login' USING ERRCODE = 'no_data_found', HINT = 'SELECT login, name FROM radscheduler.app_user;';
    END IF;
    PERFORM radscheduler.audit(v_site, 'user.changed', 'app_user', v_id, jsonb_build_object('columns', array_remove(ARRAY[
        CASE WHEN set_user.name IS NOT NULL THEN 'name' END, CASE WHEN set_user.password_hash IS NOT NULL THEN 'password_hash' END,
        CASE WHEN set_user.scopes IS NOT NULL THEN 'scopes' END, CASE WHEN set_user.active IS NOT NULL THEN 'is_active' END], NULL)));
END
$$;
COMMENT ON FUNCTION radscheduler.set_user(text, text, text, text[], boolean) IS
    'Changes what is given of a user of the session''s site, NULL leaves. A new password, new scopes or active make earlier tokens count no longer; a new password also opens a login that was closed. Raises P0002 where there is none, 22023 for a bad value.';

CREATE FUNCTION radscheduler.login_of(p_login text, p_site text, OUT user_id bigint, OUT site text, OUT login text, OUT password_hash text, OUT scopes text[],
                                      OUT token_version integer, OUT closed_for integer) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT u.user_id, s.code, u.login, u.password_hash, u.scopes, u.token_version,
                        greatest(0, ceil(extract(epoch FROM u.closed_until - clock_timestamp())))::integer
        FROM radscheduler.app_user u JOIN radscheduler.site s ON s.site_id = u.site_id
        WHERE u.login = lower(p_login) AND u.is_active AND (p_site IS NULL OR s.code = p_site) AND u.site_id = ANY (radscheduler.visible_sites())
        ORDER BY u.site_id LIMIT 2;
END
$$;
COMMENT ON FUNCTION radscheduler.login_of(text, text) IS
    'For the daemon: who signs in under a login, at a site (code) or any; two rows where it must be asked which. closed_for: seconds until a password is looked at again.';

CREATE FUNCTION radscheduler.note_login(p_site text, p_user bigint, p_succeeded boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer := radscheduler.named_site(p_site);
BEGIN
    PERFORM radscheduler.require_site(v_site);
    UPDATE radscheduler.app_user u
        SET failures = CASE WHEN p_succeeded THEN 0 ELSE u.failures + 1 END,
            last_login_at = CASE WHEN p_succeeded THEN now() ELSE u.last_login_at END,
            closed_until = CASE WHEN NOT p_succeeded AND u.failures >= 4 THEN clock_timestamp() + least(interval '15 minutes', interval '2 seconds' * 2 ^ least(u.failures - 4, 20)) END
        WHERE u.site_id = v_site AND u.user_id = p_user;
    PERFORM radscheduler.audit(v_site, CASE WHEN p_succeeded THEN 'login.succeeded' ELSE 'login.failed' END, 'app_user', p_user, '{}');
END
$$;
COMMENT ON FUNCTION radscheduler.note_login(text, bigint, boolean) IS
    'For the daemon: a password was right or wrong. The fifth wrong one in a row closes the login for 2 seconds, each further one for twice as long, up to 15 minutes.';

CREATE FUNCTION radscheduler.act_as(p_site text, p_actor text, p_login text, p_version integer, p_trace text DEFAULT NULL) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
BEGIN
    IF p_login IS NOT NULL AND NOT EXISTS (
        SELECT FROM radscheduler.app_user u JOIN radscheduler.site s ON s.site_id = u.site_id
        WHERE s.code = p_site AND u.login = p_login AND u.is_active AND u.token_version = p_version) THEN
        RETURN false;
    END IF;
    IF p_site IS NOT NULL THEN
        PERFORM set_config('radscheduler.site', p_site, true);
    END IF;
    IF p_actor IS NOT NULL THEN
        PERFORM set_config('radscheduler.actor', p_actor, true);
    END IF;
    IF p_trace IS NOT NULL THEN
        PERFORM set_config('radscheduler.trace_id', p_trace, true);
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION radscheduler.act_as(text, text, text, integer, text) IS
    'For the daemon: confines the transaction to a site (code) and names the actor and the trace (W3C trace-id) for the audit log. For somebody who signed in (p_login) only while that user is active and has this token version; false, and nothing set, otherwise.';
