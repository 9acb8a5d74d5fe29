-- The one way in for HTTP: the daemon names a function and hands over the request; what comes of it is an answer, errors included. The functions
-- raise as all others do, and here a problem (RFC 9457) is made of it. What only PostgreSQL can have caused is left to be an error.

CREATE FUNCTION radscheduler.sentence(p_text text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN upper(left(p_text, 1)) || substr(p_text, 2) || CASE WHEN p_text ~ '[.!?]$' THEN '' ELSE '.' END;
END
$$;
COMMENT ON FUNCTION radscheduler.sentence(text) IS 'An error message as a sentence: a capital, and a full stop.';

CREATE FUNCTION radscheduler.problem_of_error(request jsonb, p_state text, p_message text, p_detail text, p_hint text, p_column text, p_constraint text) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_text text := radscheduler.sentence(p_message);
    v_more jsonb := CASE WHEN p_hint <> '' THEN jsonb_build_object('hint', p_hint) ELSE '{}' END;
BEGIN
    IF p_state = '23P01' THEN
        RETURN radscheduler.problem(409, 'conflict', 'The time is taken', concat_ws(' ', v_text, nullif(p_detail, '')),
            v_more || CASE WHEN p_constraint <> '' THEN jsonb_build_object('conflict', p_constraint) ELSE '{}' END);
    ELSIF p_state = '23505' THEN
        RETURN radscheduler.problem(409, 'already_exists', 'Exists already', CASE WHEN p_constraint <> '' THEN 'Something with this key exists already at the site.' ELSE v_text END, v_more);
    ELSIF p_state IN ('23503', '23001') THEN
        RETURN radscheduler.problem(422, 'unknown_reference', 'Not all of it is known', CASE WHEN p_constraint <> '' THEN 'The request names something that is not there, or takes away what is still in use.' ELSE v_text END, v_more);
    ELSIF p_state IN ('P0002', '42704') THEN
        RETURN radscheduler.problem(404, 'not_found', 'Not found', v_text, v_more);
    ELSIF p_state = '42501' THEN
        RETURN radscheduler.problem(403, 'forbidden', 'Not allowed', v_text, v_more);
    ELSIF p_state = '55000' THEN
        RETURN radscheduler.problem(409, 'not_possible_now', 'Not possible as things are', v_text, v_more);
    ELSIF p_column <> '' AND request -> 'query' ? p_column THEN
        RETURN radscheduler.problem(400, 'invalid_parameter', 'Bad parameter', v_text, v_more || jsonb_build_object('parameter', p_column));
    ELSIF p_column <> '' AND p_state = '22023' THEN
        RETURN radscheduler.problem(422, 'invalid_field', 'Bad field', v_text,
            v_more || jsonb_build_object('errors', jsonb_build_array(jsonb_build_object('pointer', '/' || replace(replace(p_column, '~', '~0'), '/', '~1'), 'detail', v_text))));
    END IF;
    IF p_constraint <> '' THEN
        v_text := 'A value is outside of what the records take (' || p_constraint || ').';
    END IF;
    RETURN radscheduler.problem(CASE WHEN request ? 'body' THEN 422 ELSE 400 END, 'invalid_request', 'Bad request', v_text, v_more);
END
$$;
COMMENT ON FUNCTION radscheduler.problem_of_error(jsonb, text, text, text, text, text, text) IS
    'The problem for an error of a function of the API: 23P01 409, 23505 409, 23503 422, P0002 404, 42501 403, 55000 409, a bad query parameter 400, a bad field or body 422. Texts of PostgreSQL''s own constraints are not passed on, nor their DETAIL, which holds rows.';

CREATE FUNCTION radscheduler.not_modified(request jsonb, p_reply radscheduler.http_reply) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN coalesce(p_reply.status = 200 AND p_reply.headers ? 'ETag'
                AND (request ->> 'if_none_match' = '*' OR p_reply.headers ->> 'ETag' = ANY (regexp_split_to_array(regexp_replace(request ->> 'if_none_match', 'W/"', '"', 'g'), '\s*,\s*'))), false);
END
$$;
COMMENT ON FUNCTION radscheduler.not_modified(jsonb, radscheduler.http_reply) IS 'Whether If-None-Match names what would be answered (RFC 9110, 13.1.2; weak comparison).';

CREATE FUNCTION radscheduler.api_call(p_function text, request jsonb, p_body bytea DEFAULT NULL, p_key text DEFAULT NULL, p_principal text DEFAULT NULL) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_function   oid := (SELECT p.oid FROM pg_proc p WHERE p.proname = p_function AND p.pronamespace = 'radscheduler'::regnamespace
                             AND p.pronargs = 1 AND p.proargtypes[0] = 'jsonb'::regtype AND p.prorettype = 'radscheduler.http_reply'::regtype);
    v_hash       bytea := CASE WHEN p_key IS NOT NULL THEN sha256(convert_to(p_function || ' ' || (request ->> 'path') || ' ', 'UTF8') || coalesce(p_body, '')) END;
    v_site       integer;
    v_reply      radscheduler.http_reply;
    v_is_read    boolean := false;
    v_state      text;
    v_message    text;
    v_detail     text;
    v_hint       text;
    v_column     text;
    v_constraint text;
BEGIN
    IF p_function !~ '^api_[a-z0-9_]+$' OR v_function IS NULL THEN
        RAISE EXCEPTION 'this is no function of the API' USING ERRCODE = 'undefined_function', HINT = 'Daemon and extension may be of different versions: ALTER EXTENSION radscheduler UPDATE, or install the daemon that belongs to it.';
    ELSIF NOT has_function_privilege(radscheduler.caller(), v_function, 'EXECUTE') THEN
        RETURN radscheduler.problem(403, 'forbidden', 'Not allowed', 'The database role of this daemon may not do this, whatever the credential says. A DBA can allow it: radscheduler.grant_role() (docs/security.md).');
    END IF;
    IF p_key IS NOT NULL THEN
        v_site := radscheduler.api_site();
        v_reply := radscheduler.kept_reply(v_site, p_principal, p_key, v_hash);
        IF v_reply.status IS NOT NULL THEN
            RETURN v_reply;
        END IF;
    END IF;
    BEGIN
        IF length(p_body) > 0 THEN
            request := request || jsonb_build_object('body', convert_from(p_body, 'UTF8')::jsonb);
        END IF;
        v_is_read := true;
        EXECUTE format('SELECT * FROM radscheduler.%I($1)', p_function) INTO v_reply USING request;
    EXCEPTION WHEN integrity_constraint_violation OR data_exception OR no_data_found OR insufficient_privilege OR object_not_in_prerequisite_state
                OR undefined_object OR feature_not_supported OR program_limit_exceeded THEN
        IF NOT v_is_read THEN
            RETURN radscheduler.problem(400, 'invalid_json', 'Not JSON', 'The body is not JSON in UTF-8 (RFC 8259), or has the character U+0000. Check quotes, commas and braces.');
        END IF;
        GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT, v_detail = PG_EXCEPTION_DETAIL, v_hint = PG_EXCEPTION_HINT,
            v_column = COLUMN_NAME, v_constraint = CONSTRAINT_NAME;
        RETURN radscheduler.problem_of_error(request, v_state, v_message, v_detail, v_hint, v_column, v_constraint);
    END;
    IF radscheduler.not_modified(request, v_reply) THEN
        RETURN ROW(304, NULL, NULL, v_reply.headers)::radscheduler.http_reply;
    -- A secret is answered once and kept nowhere.
    ELSIF p_key IS NOT NULL AND v_reply.status BETWEEN 200 AND 299 AND p_function <> 'api_v1_api_keys_create' THEN
        PERFORM radscheduler.keep_reply(v_site, p_principal, p_key, v_hash, v_reply);
    END IF;
    RETURN v_reply;
END
$$;
COMMENT ON FUNCTION radscheduler.api_call(text, jsonb, bytea, text, text) IS
    'For the daemon: asks a function of the API (api_…) with a request {params, query, if_match, if_none_match, scopes, path} and a body of JSON bytes, with an Idempotency-Key of a principal where one was sent. A function that the caller may not call itself is a 403. Raises only what is no fault of the request: 40001, 40P01, 57014, 53xxx and bugs.';
