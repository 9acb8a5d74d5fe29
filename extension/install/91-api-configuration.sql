-- /api/v1/configuration: the whole configuration of the site as one document, and bringing one in.

CREATE FUNCTION radscheduler.api_v1_configuration_export(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
BEGIN
    PERFORM radscheduler.api_enter();
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    RETURN radscheduler.api_tagged(200, radscheduler.configuration_export(), NULL, '{exported_at}');
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_configuration_export(jsonb) IS 'GET /api/v1/configuration: configuration_export() of the site.';

CREATE FUNCTION radscheduler.api_v1_configuration_import(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET client_min_messages = warning
    AS $$
DECLARE
    v_site   integer := radscheduler.api_enter();
    v_dry    boolean := coalesce(radscheduler.api_truth(request, 'dry_run'), true);
    v_body   jsonb := coalesce(request -> 'body', 'null');
    v_report jsonb;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{dry_run}', 'parameter');
    IF jsonb_typeof(v_body) <> 'object' THEN
        RAISE EXCEPTION 'the body must be a configuration document' USING ERRCODE = 'invalid_parameter_value', HINT = 'Send what GET /api/v1/configuration answers, or one like it.';
    END IF;
    -- A sender of the document that is, or by default becomes, registered, and is not yet.
    IF EXISTS (SELECT FROM jsonb_path_query(v_body, 'strict $.sites[*].senders[*] ? (@.type() == "object")', '{}', true) s(item)
               WHERE NOT EXISTS (SELECT FROM radscheduler.sender r WHERE r.site_id = v_site AND r.sending_application = s.item ->> 'sending_application'
                                   AND r.sending_facility = s.item ->> 'sending_facility' AND (r.is_registered OR NOT s.item ? 'is_registered'))
                 AND s.item -> 'is_registered' IS DISTINCT FROM 'false') THEN
        PERFORM radscheduler.api_refuse_registering(v_site);
    END IF;
    v_report := (SELECT coalesce(jsonb_agg(to_jsonb(r) - 'ordinality' ORDER BY r.ordinality), '[]') FROM radscheduler.configuration_import(v_body, v_dry) WITH ORDINALITY r);
    RETURN radscheduler.reply(200, jsonb_build_object('dry_run', v_dry, 'items', v_report, 'summary',
        (SELECT jsonb_build_object('insert', count(*) FILTER (WHERE i ->> 'action' = 'insert'), 'update', count(*) FILTER (WHERE i ->> 'action' = 'update'),
                                   'unchanged', count(*) FILTER (WHERE i ->> 'action' = 'unchanged')) FROM jsonb_array_elements(v_report) i)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_configuration_import(jsonb) IS
    'POST /api/v1/configuration/import: configuration_import() of the body, one row for each item. Nothing is kept unless dry_run=false is in the query. 403 for another site, and for registering a sender where there are several sites; 422 names the place in the document.';
