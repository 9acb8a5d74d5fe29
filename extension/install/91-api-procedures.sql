-- /api/v1/procedures: the exams of the site, by code.

CREATE FUNCTION radscheduler.api_procedure_seen(p_site integer, p_code text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row jsonb := radscheduler.configuration_procedure(p_site, p_code);
BEGIN
    IF v_row IS NULL THEN
        RAISE EXCEPTION 'this site has no procedure of that code' USING ERRCODE = 'no_data_found', HINT = 'GET /api/v1/procedures lists them; aliases are none.';
    END IF;
    RETURN v_row;
END
$$;
COMMENT ON FUNCTION radscheduler.api_procedure_seen(integer, text) IS 'A procedure as in a configuration document; raises P0002 where there is none.';

CREATE FUNCTION radscheduler.api_procedure_item(p_site integer, p_body jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_word text := radscheduler.api_text(p_body, 'modality');
BEGIN
    RETURN p_body || CASE WHEN v_word IS NULL THEN '{}' ELSE jsonb_build_object('modality', radscheduler.api_modality(p_site, 'modality', v_word)) END;
END
$$;
COMMENT ON FUNCTION radscheduler.api_procedure_item(integer, jsonb) IS 'A body as the item of a configuration document: the modality by code, whatever word was sent.';

CREATE FUNCTION radscheduler.api_v1_procedures_list(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_site     integer := radscheduler.api_enter();
    v_limit    integer := radscheduler.api_limit(request);
    v_after    text := radscheduler.api_after(request, '{string}') ->> 0;
    v_modality text := radscheduler.api_modality(v_site, 'modality', radscheduler.api_word(request, 'modality'));
    v_contrast text[] := radscheduler.api_words(request, 'contrast');
    v_q        text := upper(radscheduler.api_word(request, 'q'));
    v_codes    text[];
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{after,contrast,limit,modality,q}', 'parameter');
    IF NOT v_contrast <@ '{none,with,with_and_without,unknown}' THEN
        PERFORM radscheduler.api_fault('contrast', 'is not known', 'Use none, with, with_and_without or unknown.');
    END IF;
    v_codes := ARRAY(SELECT p.code FROM radscheduler.procedure p
        WHERE p.site_id = v_site AND (v_modality IS NULL OR p.modality = v_modality) AND (v_contrast IS NULL OR p.contrast = ANY (v_contrast)) AND (v_after IS NULL OR p.code COLLATE "C" > v_after)
          AND (v_q IS NULL OR strpos(upper(p.code), v_q) > 0 OR strpos(upper(p.name), v_q) > 0
               OR EXISTS (SELECT FROM radscheduler.procedure_alias a WHERE a.site_id = v_site AND a.code = p.code AND strpos(upper(a.alias), v_q) > 0))
        ORDER BY p.code COLLATE "C" LIMIT v_limit + 1);
    RETURN radscheduler.api_page(request,
        (SELECT coalesce(jsonb_agg(radscheduler.configuration_procedure(v_site, u.code) ORDER BY u.place), '[]') FROM unnest(v_codes[1:v_limit]) WITH ORDINALITY u(code, place)),
        CASE WHEN cardinality(v_codes) > v_limit THEN radscheduler.api_cursor(jsonb_build_array(v_codes[v_limit])) END);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_procedures_list(jsonb) IS 'GET /api/v1/procedures: by code. Filters: modality, contrast (several times), q (part of code, name or alias); limit, after.';

CREATE FUNCTION radscheduler.api_v1_procedures_get(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    RETURN radscheduler.api_tagged(200, radscheduler.api_procedure_seen(v_site, request #>> '{params,code}'));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_procedures_get(jsonb) IS 'GET /api/v1/procedures/{code}: one procedure.';

CREATE FUNCTION radscheduler.api_v1_procedures_create(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_body jsonb := radscheduler.api_body(request, '{aliases,code,contrast,minutes,modality,name,prep}');
    v_code text := radscheduler.api_text(v_body, 'code');
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    PERFORM radscheduler.api_configuring();
    IF EXISTS (SELECT FROM radscheduler.procedure p WHERE p.site_id = v_site AND p.code = v_code) THEN
        RAISE EXCEPTION 'this site has a procedure of that code already' USING ERRCODE = 'unique_violation', HINT = 'PATCH it, or take another code.';
    END IF;
    PERFORM radscheduler.api_configure(v_site, 'procedures', radscheduler.api_procedure_item(v_site, v_body));
    RETURN radscheduler.api_tagged(201, radscheduler.api_procedure_seen(v_site, v_code), '/api/v1/procedures/' || radscheduler.url_encoded(v_code));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_procedures_create(jsonb) IS 'POST /api/v1/procedures: code, name and modality, and minutes, contrast, prep, aliases. 201; 409 where the code is taken.';

CREATE FUNCTION radscheduler.api_v1_procedures_patch(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site  integer := radscheduler.api_enter();
    v_code  text := request #>> '{params,code}';
    v_body  jsonb := radscheduler.api_body(request, '{aliases,contrast,minutes,modality,name,prep}');
    v_stale radscheduler.http_reply;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    PERFORM radscheduler.api_configuring();
    v_stale := radscheduler.api_outdated(request, 'procedure', radscheduler.api_procedure_seen(v_site, v_code));
    IF v_stale.status IS NOT NULL THEN
        RETURN v_stale;
    END IF;
    PERFORM radscheduler.api_configure(v_site, 'procedures', radscheduler.api_procedure_item(v_site, v_body) || jsonb_build_object('code', v_code));
    RETURN radscheduler.api_tagged(200, radscheduler.api_procedure_seen(v_site, v_code));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_procedures_patch(jsonb) IS 'PATCH /api/v1/procedures/{code}, with If-Match: what is given changes, null clears minutes and prep, aliases are replaced as a whole. What is booked keeps what it has.';
