-- Reading a request of the HTTP API: {params, query, body, if_match, scopes, path}. What is not understood is refused with a sentence that
-- names the parameter or field (and is its COLUMN), never passed over: a filter that does not filter shows too much.

CREATE FUNCTION radscheduler.api_enter() RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site integer := radscheduler.api_site();
BEGIN
    -- A daemon without credentials may serve several sites; book() and the like ask the session which.
    PERFORM set_config('radscheduler.site', (SELECT s.code FROM radscheduler.site s WHERE s.site_id = v_site), true);
    RETURN v_site;
END
$$;
COMMENT ON FUNCTION radscheduler.api_enter() IS 'The site HTTP works for (api_site()), to which the rest of the transaction is confined.';

CREATE FUNCTION radscheduler.api_may(request jsonb, scope text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN coalesce(request -> 'scopes' ?| ARRAY[scope, split_part(scope, ':', 1) || ':*', 'admin:*', '*'], false);
END
$$;
COMMENT ON FUNCTION radscheduler.api_may(jsonb, text) IS 'Whether the caller of a request has a scope: itself, all of its area, or everything. A request without scopes has none.';

CREATE FUNCTION radscheduler.api_sees_patients(request jsonb) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN radscheduler.api_may(request, 'appointments:read') OR radscheduler.api_may(request, 'phi:read');
END
$$;
COMMENT ON FUNCTION radscheduler.api_sees_patients(jsonb) IS 'Whether names, numbers, phones and notes are shown to the caller of a request.';

CREATE FUNCTION radscheduler.api_prefers_minimal(request jsonb) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN coalesce(request ->> 'prefer' ~* '(^|[,;])\s*return\s*=\s*"?minimal"?\s*($|[,;])', false);
END
$$;
COMMENT ON FUNCTION radscheduler.api_prefers_minimal(jsonb) IS 'Whether the caller of a request wants to be told only what has become of it: Prefer: return=minimal (RFC 7240, 4.2).';

CREATE FUNCTION radscheduler.api_fault(p_name text, p_text text, p_hint text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RAISE EXCEPTION '"%" %', left(p_name, 60), p_text USING ERRCODE = 'invalid_parameter_value', HINT = p_hint, COLUMN = left(p_name, 60);
END
$$;
COMMENT ON FUNCTION radscheduler.api_fault(text, text, text) IS 'Raises 22023 for a parameter or field: which (COLUMN too), what is wrong with it, what to send.';

CREATE FUNCTION radscheduler.api_known(p_given jsonb, p_known text[], p_what text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_key text := (SELECT min(k) FROM jsonb_object_keys(coalesce(p_given, '{}')) k WHERE k <> ALL (p_known));
BEGIN
    IF v_key IS NOT NULL THEN
        PERFORM radscheduler.api_fault(v_key, format('is no %s of this request', p_what),
            coalesce('Did you mean "' || radscheduler.nearest_word(v_key, p_known) || '"? ', '') ||
            CASE WHEN p_known = '{}' THEN 'It takes none.' ELSE 'Known are ' || array_to_string(p_known, ', ') || '.' END);
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.api_known(jsonb, text[], text) IS 'Raises 22023 for the first key that is not among those known; p_what is parameter or field.';

CREATE FUNCTION radscheduler.api_id(request jsonb) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF request #>> '{params,id}' ~ '^[1-9][0-9]{0,17}$' THEN
        RETURN (request #>> '{params,id}')::bigint;
    END IF;
    RAISE EXCEPTION 'there is nothing of this number: ids are whole numbers' USING ERRCODE = 'no_data_found', HINT = 'Use the id of an answer.';
END
$$;
COMMENT ON FUNCTION radscheduler.api_id(jsonb) IS 'The id in the path of a request; P0002 for what can be none.';

CREATE FUNCTION radscheduler.api_words(request jsonb, p_name text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_value jsonb := request -> 'query' -> p_name;
BEGIN
    RETURN CASE WHEN v_value IS NULL OR v_value IN ('null', '""') THEN NULL
                WHEN jsonb_typeof(v_value) = 'array' THEN ARRAY(SELECT jsonb_array_elements_text(v_value))
                ELSE ARRAY[v_value #>> '{}'] END;
END
$$;
COMMENT ON FUNCTION radscheduler.api_words(jsonb, text) IS 'A query parameter that may be given several times, as an array; NULL when it is absent or empty.';

CREATE FUNCTION radscheduler.api_word(request jsonb, p_name text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_words text[] := radscheduler.api_words(request, p_name);
BEGIN
    IF cardinality(v_words) > 1 THEN
        PERFORM radscheduler.api_fault(p_name, 'was given more than once', 'Give it once.');
    END IF;
    RETURN v_words[1];
END
$$;
COMMENT ON FUNCTION radscheduler.api_word(jsonb, text) IS 'A query parameter that may be given once.';

CREATE FUNCTION radscheduler.api_count(request jsonb, p_name text) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_word text := radscheduler.api_word(request, p_name);
BEGIN
    IF v_word !~ '^[0-9]{1,18}$' THEN
        PERFORM radscheduler.api_fault(p_name, 'must be a whole number', 'Give digits only.');
    END IF;
    RETURN v_word::bigint;
END
$$;
COMMENT ON FUNCTION radscheduler.api_count(jsonb, text) IS 'A query parameter that is a whole number.';

CREATE FUNCTION radscheduler.api_instant(p_name text, p_value jsonb, p_zone text) RETURNS timestamptz
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_text text := p_value #>> '{}';
BEGIN
    IF v_text IS NULL THEN
        RETURN NULL;
    ELSIF v_text ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$' THEN
        RETURN v_text::timestamptz; -- as programs write it
    END IF;
    -- A plus that was not written %2B arrives as a space.
    v_text := regexp_replace(v_text, '(:\d\d(\.\d+)?) (\d\d:\d\d)$', '\1+\3');
    IF jsonb_typeof(p_value) <> 'string' OR v_text !~ '^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?([Zz]|[+-]\d\d:?\d\d)?)?$' THEN
        PERFORM radscheduler.api_fault(p_name, 'is no time', 'Send RFC 3339 such as 2031-01-15T10:00:00-05:00; without offset it is the site''s wall time, a day alone its midnight.');
    END IF;
    RETURN CASE length(v_text) WHEN 10 THEN timezone(p_zone, v_text::timestamp) ELSE radscheduler.to_instant(upper(radscheduler.json_time(v_text)), p_zone) END;
EXCEPTION WHEN datetime_field_overflow OR invalid_datetime_format OR invalid_time_zone_displacement_value THEN
    PERFORM radscheduler.api_fault(p_name, 'names a moment that does not exist', 'Send RFC 3339 such as 2031-01-15T10:00:00-05:00.');
END
$$;
COMMENT ON FUNCTION radscheduler.api_instant(text, jsonb, text) IS 'A time of a request: RFC 3339; without offset in the zone given, a day alone is its midnight. NULL for null.';

CREATE FUNCTION radscheduler.api_text(p_body jsonb, p_name text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF jsonb_typeof(p_body -> p_name) NOT IN ('string', 'null') THEN
        PERFORM radscheduler.api_fault(p_name, 'must be a text', format('Send {"%s": "…"}.', p_name));
    END IF;
    RETURN p_body ->> p_name;
END
$$;
COMMENT ON FUNCTION radscheduler.api_text(jsonb, text) IS 'A text of a body, or NULL.';

-- Texts here rather than one by one: a booking has eleven of them.
CREATE FUNCTION radscheduler.api_body(request jsonb, p_known text[], p_texts text[] DEFAULT '{}') RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_body   jsonb := coalesce(request -> 'body', 'null');
    v_strays boolean;
    v_wrong  text;
BEGIN
    IF jsonb_typeof(v_body) = 'null' THEN
        v_body := '{}';
    ELSIF jsonb_typeof(v_body) <> 'object' THEN
        RAISE EXCEPTION 'the body must be a JSON object' USING ERRCODE = 'invalid_parameter_value', HINT = 'Send {"key": value, …}.';
    END IF;
    SELECT bool_or(e.key <> ALL (p_known) AND e.key <> ALL (p_texts)), min(e.key) FILTER (WHERE e.key = ANY (p_texts) AND jsonb_typeof(e.value) NOT IN ('string', 'null'))
        INTO v_strays, v_wrong FROM jsonb_each(v_body) e;
    IF v_strays THEN
        PERFORM radscheduler.api_known(v_body, ARRAY(SELECT k FROM unnest(p_known || p_texts) k ORDER BY k), 'field');
    ELSIF v_wrong IS NOT NULL THEN
        PERFORM radscheduler.api_text(v_body, v_wrong);
    END IF;
    RETURN v_body;
END
$$;
COMMENT ON FUNCTION radscheduler.api_body(jsonb, text[], text[]) IS 'The body of a request, an object with known fields only, of which p_texts (known too) are texts or null; without a body {}. Raises 22023.';

CREATE FUNCTION radscheduler.api_number(p_body jsonb, p_name text) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF jsonb_typeof(p_body -> p_name) NOT IN ('number', 'null') OR p_body ->> p_name !~ '^-?[0-9]{1,18}$' THEN
        PERFORM radscheduler.api_fault(p_name, 'must be a whole number', format('Send {"%s": 30}.', p_name));
    END IF;
    RETURN (p_body ->> p_name)::bigint;
END
$$;
COMMENT ON FUNCTION radscheduler.api_number(jsonb, text) IS 'A whole number of a body, or NULL.';

CREATE FUNCTION radscheduler.api_minutes(p_body jsonb, p_name text) RETURNS integer
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_minutes bigint := radscheduler.api_number(p_body, p_name);
BEGIN
    IF v_minutes NOT BETWEEN 1 AND 1440 THEN
        PERFORM radscheduler.api_fault(p_name, 'must be 1 to 1440 minutes', format('Send {"%s": 30}.', p_name));
    END IF;
    RETURN v_minutes;
END
$$;
COMMENT ON FUNCTION radscheduler.api_minutes(jsonb, text) IS 'Minutes of a body, 1 to 1440, or NULL.';

CREATE FUNCTION radscheduler.api_texts(p_body jsonb, p_name text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_list jsonb := p_body -> p_name;
BEGIN
    IF v_list IS NULL OR v_list = 'null' THEN
        RETURN NULL;
    ELSIF jsonb_typeof(v_list) <> 'array' OR EXISTS (SELECT FROM jsonb_array_elements(v_list) e WHERE jsonb_typeof(e) <> 'string') OR jsonb_array_length(v_list) > 50 THEN
        PERFORM radscheduler.api_fault(p_name, 'must be a list of texts', format('Send {"%s": ["…", "…"]}, 50 at most.', p_name));
    END IF;
    RETURN ARRAY(SELECT jsonb_array_elements_text(v_list));
END
$$;
COMMENT ON FUNCTION radscheduler.api_texts(jsonb, text) IS 'A list of texts of a body, or NULL.';
