-- /api/v1/senders: who sends messages, how they are read, and what they send. set_sender() and sender_report() do the work.

CREATE FUNCTION radscheduler.api_sender_row(p_site integer, p_sender bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('id', s.sender_id, 'application', s.sending_application, 'facility', s.sending_facility, 'is_registered', s.is_registered,
                'profile', s.profile, 'whole_profile', radscheduler.sender_profile(s.profile, t.default_profile), 'created_at', s.created_at)
            FROM radscheduler.sender s JOIN radscheduler.site t ON t.site_id = s.site_id WHERE s.site_id = p_site AND s.sender_id = p_sender);
END
$$;
COMMENT ON FUNCTION radscheduler.api_sender_row(integer, bigint) IS 'A sender as /api/v1 shows it: its own profile and the whole one (preset written out, over the site''s); NULL when there is none.';

CREATE FUNCTION radscheduler.api_sender_seen(p_site integer, p_sender bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row jsonb := radscheduler.api_sender_row(p_site, p_sender);
BEGIN
    IF v_row IS NULL THEN
        RAISE EXCEPTION 'there is no sender % at this site', p_sender USING ERRCODE = 'no_data_found', HINT = 'GET /api/v1/senders lists them.';
    END IF;
    RETURN v_row;
END
$$;
COMMENT ON FUNCTION radscheduler.api_sender_seen(integer, bigint) IS 'api_sender_row(); raises P0002 where there is none.';

CREATE FUNCTION radscheduler.api_put_sender(p_site integer, p_application text, p_facility text, p_body jsonb) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
    AS $$
DECLARE
    v_registered boolean := radscheduler.api_flag(p_body, 'is_registered');
BEGIN
    IF jsonb_typeof(p_body -> 'profile') NOT IN ('object', 'null') THEN
        PERFORM radscheduler.api_fault('profile', 'must be an object', 'Send {"profile": {"timezone": "America/New_York"}}; a key that is null is removed.');
    END IF;
    IF v_registered AND NOT EXISTS (SELECT FROM radscheduler.sender s WHERE s.site_id = p_site AND s.sending_application = p_application AND s.sending_facility = p_facility AND s.is_registered) THEN
        PERFORM radscheduler.api_refuse_registering(p_site);
    END IF;
    RETURN (radscheduler.set_sender(p_application, p_facility, coalesce(nullif(p_body -> 'profile', 'null'), '{}'), v_registered, coalesce(radscheduler.api_flag(p_body, 'replace'), false))).sender_id;
END
$$;
COMMENT ON FUNCTION radscheduler.api_put_sender(integer, text, text, jsonb) IS 'set_sender() with profile, replace and is_registered of a body; returns the sender''s id. Raises 42501 for a registration that a credential may not make.';

CREATE FUNCTION radscheduler.api_v1_senders_list(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_site  integer := radscheduler.api_enter();
    v_limit integer := radscheduler.api_limit(request);
    v_after bigint := (radscheduler.api_after(request, '{number}') ->> 0)::bigint;
    v_known boolean := radscheduler.api_truth(request, 'registered');
    v_ids   bigint[];
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{after,limit,registered}', 'parameter');
    v_ids := ARRAY(SELECT s.sender_id FROM radscheduler.sender s
        WHERE s.site_id = v_site AND (v_after IS NULL OR s.sender_id > v_after) AND (v_known IS NULL OR s.is_registered = v_known) ORDER BY s.sender_id LIMIT v_limit + 1);
    RETURN radscheduler.api_page(request,
        (SELECT coalesce(jsonb_agg(radscheduler.api_sender_row(v_site, u.id) ORDER BY u.place), '[]') FROM unnest(v_ids[1:v_limit]) WITH ORDINALITY u(id, place)),
        CASE WHEN cardinality(v_ids) > v_limit THEN radscheduler.api_cursor(jsonb_build_array(v_ids[v_limit])) END);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_senders_list(jsonb) IS 'GET /api/v1/senders: the first recorded first. Filter: registered (true, false); limit, after.';

CREATE FUNCTION radscheduler.api_v1_senders_get(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    RETURN radscheduler.api_tagged(200, radscheduler.api_sender_seen(v_site, radscheduler.api_id(request)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_senders_get(jsonb) IS 'GET /api/v1/senders/{id}: one sender with its profile.';

CREATE FUNCTION radscheduler.api_v1_senders_create(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site     integer := radscheduler.api_enter();
    v_body     jsonb := radscheduler.api_body(request, '{application,facility,is_registered,profile}');
    v_app      text := coalesce(radscheduler.api_text(v_body, 'application'), '');
    v_facility text := coalesce(radscheduler.api_text(v_body, 'facility'), '');
    v_id       bigint;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    PERFORM radscheduler.api_configuring();
    IF EXISTS (SELECT FROM radscheduler.sender s WHERE s.site_id = v_site AND s.sending_application = v_app AND s.sending_facility = v_facility) THEN
        RAISE EXCEPTION 'this site has a sender of that application and facility already' USING ERRCODE = 'unique_violation', HINT = 'PATCH it.';
    END IF;
    v_id := radscheduler.api_put_sender(v_site, v_app, v_facility, jsonb_build_object('is_registered', radscheduler.api_may_register(v_site)) || v_body);
    RETURN radscheduler.api_tagged(201, radscheduler.api_sender_seen(v_site, v_id), '/api/v1/senders/' || v_id);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_senders_create(jsonb) IS
    'POST /api/v1/senders: application (MSH-3), facility (MSH-4), profile. Registered where the site is the only one, else not: 403 for is_registered then. 201; 409 where the pair is known.';

CREATE FUNCTION radscheduler.api_v1_senders_patch(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site  integer := radscheduler.api_enter();
    v_id    bigint := radscheduler.api_id(request);
    v_body  jsonb := radscheduler.api_body(request, '{is_registered,profile,replace}');
    v_old   jsonb;
    v_stale radscheduler.http_reply;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    PERFORM radscheduler.api_configuring();
    v_old := radscheduler.api_sender_seen(v_site, v_id);
    v_stale := radscheduler.api_outdated(request, 'sender', v_old);
    IF v_stale.status IS NOT NULL THEN
        RETURN v_stale;
    END IF;
    PERFORM radscheduler.api_put_sender(v_site, v_old ->> 'application', v_old ->> 'facility', v_body);
    RETURN radscheduler.api_tagged(200, radscheduler.api_sender_seen(v_site, v_id));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_senders_patch(jsonb) IS
    'PATCH /api/v1/senders/{id}, with If-Match: keys of profile are set, null removes one, replace: true makes the profile exactly this; is_registered. Past messages are not read again: POST /api/v1/hl7/messages/replay does that.';

CREATE FUNCTION radscheduler.api_v1_senders_report(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site   integer := radscheduler.api_enter();
    v_zone   text := radscheduler.site_zone(v_site);
    v_row    jsonb := radscheduler.api_sender_seen(v_site, radscheduler.api_id(request));
    v_until  timestamptz := coalesce(radscheduler.api_instant('to', request #> '{query,to}', v_zone), now());
    v_since  timestamptz := coalesce(radscheduler.api_instant('from', request #> '{query,from}', v_zone), v_until - interval '30 days');
    v_sample bigint := coalesce(radscheduler.api_count(request, 'sample'), 500);
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{from,sample,to}', 'parameter');
    IF v_until <= v_since THEN
        PERFORM radscheduler.api_fault('to', 'must come after from', 'Without them the last 30 days are meant.');
    ELSIF v_sample NOT BETWEEN 1 AND 5000 THEN
        PERFORM radscheduler.api_fault('sample', 'must be 1 to 5000', 'So many of the newest messages are read field by field.');
    END IF;
    RETURN radscheduler.reply(200, jsonb_build_object('sender', v_row, 'from', v_since, 'to', v_until, 'items',
        (SELECT coalesce(jsonb_agg(jsonb_build_object('section', r.section, 'item', r.item, 'count', r.n, 'share', r.share, 'detail', r.detail, 'setting', r.setting) ORDER BY r.place), '[]')
         FROM radscheduler.sender_report(concat_ws('|', v_row ->> 'application', v_row ->> 'facility'), v_since, v_until, v_sample::integer)
              WITH ORDINALITY r(site, sender_name, section, item, n, share, detail, setting, place))));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_senders_report(jsonb) IS
    'GET /api/v1/senders/{id}/report: sender_report() of messages received from and to (the last 30 days), sample of them field by field. Shapes and codes, no values of patients.';
