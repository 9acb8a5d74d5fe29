-- Keys of programs: rsk_<8 letters and digits>_<43 letters and digits>. The first part finds the row, the hash of the second proves it.

CREATE FUNCTION radscheduler.random_word(p_length integer) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_letters CONSTANT text := '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
    v_bytes   bytea;
    v_word    text := '';
BEGIN
    WHILE length(v_word) < p_length LOOP
        -- Three of them have 366 random bits: a hash of 256 loses none that counts.
        v_bytes := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
        FOR i IN 0 .. 31 LOOP
            -- 248 is four times 62: every letter is as likely as another.
            CONTINUE WHEN get_byte(v_bytes, i) >= 248;
            v_word := v_word || substr(c_letters, get_byte(v_bytes, i) % 62 + 1, 1);
        END LOOP;
    END LOOP;
    RETURN left(v_word, p_length);
END
$$;
COMMENT ON FUNCTION radscheduler.random_word(integer) IS 'Random letters and digits, 5.95 bits each, from the system''s strong source.';

CREATE FUNCTION radscheduler.create_api_key(name text, scopes text[], expires_in interval DEFAULT NULL, networks cidr[] DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site   integer := radscheduler.current_site();
    v_id     text := radscheduler.random_word(8);
    v_secret text := radscheduler.random_word(43);
BEGIN
    IF create_api_key.name IS NULL OR length(create_api_key.name) NOT BETWEEN 1 AND 100 THEN
        RAISE EXCEPTION 'a key needs a name of 1 to 100 characters' USING ERRCODE = 'invalid_parameter_value', HINT = 'Say what it is for, for example ''Mirth channel''.';
    ELSIF create_api_key.expires_in <= interval '0' THEN
        RAISE EXCEPTION 'the key would have expired already' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a time to live such as ''90 days'', or NULL for none.';
    ELSIF cardinality(create_api_key.networks) = 0 THEN
        RAISE EXCEPTION 'no network is in the list' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give networks such as ''10.1.0.0/16'', or NULL for anywhere.';
    END IF;
    PERFORM radscheduler.check_scopes(create_api_key.scopes);
    INSERT INTO radscheduler.api_key AS k (site_id, key_id, name, secret_hash, scopes, networks, expires_at, created_by)
        VALUES (v_site, v_id, create_api_key.name, sha256(convert_to(v_secret, 'UTF8')), create_api_key.scopes, create_api_key.networks,
                now() + create_api_key.expires_in, pg_get_userbyid(radscheduler.caller()));
    PERFORM radscheduler.audit(v_site, 'key.created', 'api_key', NULL, jsonb_build_object('key', v_id, 'scopes', create_api_key.scopes));
    RETURN 'rsk_' || v_id || '_' || v_secret;
END
$$;
COMMENT ON FUNCTION radscheduler.create_api_key(text, text[], interval, cidr[]) IS
    'Makes a key for the HTTP API at the session''s site and returns it, this once: only its hash is kept. scopes are words of api_scope; expires_in NULL is never; networks NULL is from anywhere. Raises 22023 for a bad name, scope, time to live or network list.';

CREATE FUNCTION radscheduler.revoke_api_key(key_id text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer := radscheduler.current_site();
BEGIN
    UPDATE radscheduler.api_key k SET revoked_at = coalesce(k.revoked_at, now()) WHERE k.site_id = v_site AND k.key_id = revoke_api_key.key_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this site has no API key "%"', left(revoke_api_key.key_id, 20) USING ERRCODE = 'no_data_found',
            HINT = 'Give the eight characters after rsk_: SELECT key_id, name FROM radscheduler.api_key;';
    END IF;
    PERFORM radscheduler.audit(v_site, 'key.revoked', 'api_key', NULL, jsonb_build_object('key', revoke_api_key.key_id));
END
$$;
COMMENT ON FUNCTION radscheduler.revoke_api_key(text) IS 'Makes a key of the session''s site count no longer, from its next request on. Raises P0002 where there is none.';

CREATE FUNCTION radscheduler.admit_api_key(p_key text, p_hash bytea, p_peer inet, OUT site text, OUT scopes text[]) RETURNS SETOF record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_column
DECLARE
    v_row record;
BEGIN
    SELECT k.site_id, k.scopes, k.last_used_at, s.code INTO v_row
        FROM radscheduler.api_key k JOIN radscheduler.site s ON s.site_id = k.site_id
        WHERE k.key_id = p_key AND k.secret_hash = p_hash AND k.revoked_at IS NULL AND (k.expires_at > now()) IS NOT FALSE
          AND (k.networks IS NULL OR EXISTS (SELECT FROM unnest(k.networks) n WHERE p_peer <<= n))
          AND k.site_id = ANY (radscheduler.visible_sites());
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF (v_row.last_used_at > now() - interval '1 minute') IS NOT TRUE THEN
        UPDATE radscheduler.api_key k SET last_used_at = now() WHERE k.site_id = v_row.site_id AND k.key_id = p_key;
    END IF;
    site := v_row.code;
    admit_api_key.scopes := v_row.scopes;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION radscheduler.admit_api_key(text, bytea, inet) IS
    'For the daemon: the site and scopes of a key, by its first part and the SHA-256 of its second, when it counts now and from this address; no row otherwise, whatever the reason.';
