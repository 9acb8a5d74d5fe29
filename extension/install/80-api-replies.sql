-- What HTTP answers are made of. The sidecar passes bytes in and answers out; what they say is decided here.

CREATE FUNCTION radscheduler.api_site() RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_sites integer[] := array_remove(radscheduler.visible_sites(), 0);
    v_site  integer;
BEGIN
    IF cardinality(v_sites) = 1 THEN
        RETURN v_sites[1];
    ELSIF v_sites = '{}' THEN
        RETURN radscheduler.current_site(); -- which says why there is none
    END IF;
    SELECT s.site_id INTO v_site FROM radscheduler.sender s
        WHERE s.sending_application = 'API' AND s.sending_facility = '' AND s.site_id = ANY (v_sites)
        ORDER BY s.is_registered DESC, s.sender_id LIMIT 1;
    RETURN coalesce(v_site, (SELECT min(v) FROM unnest(v_sites) v));
END
$$;
COMMENT ON FUNCTION radscheduler.api_site() IS
    'The site HTTP works for: the setting radscheduler.site of the daemon''s role, else the one of its sites where the sender API is registered, else the first of them.';

CREATE FUNCTION radscheduler.problem(status integer, code text, title text, detail text, more jsonb DEFAULT '{}', headers jsonb DEFAULT NULL) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ROW(status, 'application/problem+json',
           (jsonb_build_object('type', 'urn:radscheduler:problem:' || code, 'title', title, 'status', status, 'detail', detail, 'code', code,
                               'success', false, 'error', detail) || more)::text, headers)::radscheduler.http_reply;
END
$$;
COMMENT ON FUNCTION radscheduler.problem(integer, text, text, text, jsonb, jsonb) IS
    'An error answer: application/problem+json (RFC 9457) with a stable code, and success and error for clients of the guide''s API; more is joined to the body, headers go beside it.';

CREATE FUNCTION radscheduler.reply(status integer, body jsonb, headers jsonb DEFAULT NULL) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ROW(status, 'application/json', body::text, headers)::radscheduler.http_reply;
END
$$;
COMMENT ON FUNCTION radscheduler.reply(integer, jsonb, jsonb) IS 'A JSON answer; headers as in http_reply.';

CREATE FUNCTION radscheduler.body_text(bytes bytea) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN convert_from(bytes, 'UTF8');
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
    RETURN convert_from(decode(replace(encode(bytes, 'hex'), '00', '20'), 'hex'), 'LATIN1');
END
$$;
COMMENT ON FUNCTION radscheduler.body_text(bytea) IS 'Bytes as text: UTF-8, else ISO 8859-1.';

CREATE FUNCTION radscheduler.body_json(bytes bytea) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN convert_from(bytes, 'UTF8')::jsonb;
EXCEPTION WHEN data_exception OR statement_too_complex THEN
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.body_json(bytea) IS 'Bytes as JSON; NULL when they are none.';

CREATE FUNCTION radscheduler.api_conflicts(conflicts jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN jsonb_build_object('hasConflicts', conflicts <> '[]', 'severity', conflicts #> '{0,severity}', 'conflicts', conflicts,
                          'alternativeSlots', coalesce((SELECT c -> 'alternatives' FROM jsonb_array_elements(conflicts) c WHERE c -> 'alternatives' <> '[]' LIMIT 1), '[]'));
END
$$;
COMMENT ON FUNCTION radscheduler.api_conflicts(jsonb) IS 'Conflicts (conflicts_of shape) in the guide''s envelope: {hasConflicts, severity, conflicts, alternativeSlots}.';
