-- Lists of the HTTP API: {"items": […], "next": cursor or null}, with the next page as Link too. A cursor is where the last page ended, in the
-- list's own order; nothing is counted off, so a list that grows meanwhile shows nothing twice and leaves nothing out.

CREATE FUNCTION radscheduler.url_encoded(p_text text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT coalesce(string_agg(CASE WHEN c ~ '^[A-Za-z0-9._~-]$' THEN c ELSE regexp_replace(upper(encode(convert_to(c, 'UTF8'), 'hex')), '(..)', '%\1', 'g') END, '' ORDER BY n), '')
FROM regexp_split_to_table(p_text, '') WITH ORDINALITY u(c, n) WHERE c <> ''
$$;
COMMENT ON FUNCTION radscheduler.url_encoded(text) IS 'A text as it stands in a query (RFC 3986).';

CREATE FUNCTION radscheduler.api_cursor(p_place jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN rtrim(translate(encode(convert_to(p_place::text, 'UTF8'), 'base64'), E'+/\n', '-_'), '=');
END
$$;
COMMENT ON FUNCTION radscheduler.api_cursor(jsonb) IS 'A place in a list as an opaque word for URLs.';

CREATE FUNCTION radscheduler.api_after(request jsonb, p_types text[]) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_word  text := radscheduler.api_word(request, 'after');
    v_place jsonb;
BEGIN
    IF v_word IS NULL THEN
        RETURN NULL;
    END IF;
    BEGIN
        v_place := convert_from(decode(translate(v_word, '-_', '+/') || repeat('=', (4 - length(v_word) % 4) % 4), 'base64'), 'UTF8')::jsonb;
    EXCEPTION WHEN data_exception THEN
        v_place := NULL;
    END;
    IF jsonb_typeof(v_place) IS DISTINCT FROM 'array' OR ARRAY(SELECT jsonb_typeof(e) FROM jsonb_array_elements(v_place) e) <> p_types THEN
        PERFORM radscheduler.api_fault('after', 'is no cursor of this list', 'Give what "next" of the page before said, unchanged.');
    END IF;
    RETURN v_place;
END
$$;
COMMENT ON FUNCTION radscheduler.api_after(jsonb, text[]) IS 'The place that the parameter after names, an array of these JSON types; NULL for the first page. Raises 22023 for what is no cursor.';

CREATE FUNCTION radscheduler.api_limit(request jsonb) RETURNS integer
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_limit bigint := coalesce(radscheduler.api_count(request, 'limit'), 50);
BEGIN
    IF v_limit NOT BETWEEN 1 AND 500 THEN
        PERFORM radscheduler.api_fault('limit', 'must be 1 to 500', 'Follow "next" for more.');
    END IF;
    RETURN v_limit::integer;
END
$$;
COMMENT ON FUNCTION radscheduler.api_limit(jsonb) IS 'How many items a page has: the parameter limit, 1 to 500, else 50.';

CREATE FUNCTION radscheduler.api_page(request jsonb, items jsonb, next text) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_query text;
BEGIN
    IF next IS NULL THEN
        RETURN radscheduler.reply(200, jsonb_build_object('items', items, 'next', NULL));
    END IF;
    SELECT string_agg(radscheduler.url_encoded(q.key) || '=' || radscheduler.url_encoded(v.word), '&' ORDER BY q.key, v.place) INTO v_query
        FROM jsonb_each((coalesce(request -> 'query', '{}') - 'after') || jsonb_build_object('after', next)) q,
             LATERAL jsonb_array_elements_text(CASE jsonb_typeof(q.value) WHEN 'array' THEN q.value ELSE jsonb_build_array(q.value) END) WITH ORDINALITY v(word, place)
        WHERE v.word IS NOT NULL;
    RETURN radscheduler.reply(200, jsonb_build_object('items', items, 'next', next), jsonb_build_object('Link', format('<%s?%s>; rel="next"', request ->> 'path', v_query)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_page(jsonb, jsonb, text) IS 'A page of a list: its items, the cursor of the next one (NULL at the end), and Link. For lists read by POST there is no Link to follow; the cursor goes into the body.';
