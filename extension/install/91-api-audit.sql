-- GET /api/v1/audit: who did or saw what. Reading it is one of its events.

CREATE FUNCTION radscheduler.api_v1_audit_list(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET plan_cache_mode = force_custom_plan SET jit = off
    AS $$
DECLARE
    v_site    integer := radscheduler.api_enter();
    v_zone    text := radscheduler.site_zone(v_site);
    v_limit   integer := radscheduler.api_limit(request);
    v_after   jsonb := radscheduler.api_after(request, '{string,number}');
    v_to      timestamptz := radscheduler.api_instant('to', request #> '{query,to}', v_zone);
    v_from    timestamptz := radscheduler.api_instant('from', request #> '{query,from}', v_zone);
    v_object  text := radscheduler.api_word(request, 'object');
    v_of      bigint := radscheduler.api_count(request, 'object_id');
    v_actor   text := radscheduler.api_word(request, 'actor');
    v_trace   text := radscheduler.api_word(request, 'trace_id');
    v_actions text[] := radscheduler.api_words(request, 'action');
    v_items   jsonb;
    v_last    jsonb;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{action,actor,after,from,limit,object,object_id,to,trace_id}', 'parameter');
    IF v_of IS NOT NULL AND v_object IS NULL THEN
        PERFORM radscheduler.api_fault('object_id', 'needs object', 'Say whose number it is: object=appointment&object_id=12.');
    ELSIF v_to <= v_from THEN
        PERFORM radscheduler.api_fault('to', 'must come after from', 'Leave one of them out, or give a later one.');
    END IF;
    -- The log is large and has an index for objects only; without one a week is looked through.
    v_from := coalesce(v_from, CASE WHEN v_of IS NULL THEN coalesce(v_to, now()) - interval '7 days' ELSE '-infinity' END);
    SELECT coalesce(jsonb_agg(jsonb_build_object('id', e.audit_id, 'recorded_at', e.recorded_at, 'role', e.role_name, 'login', e.login_name, 'actor', e.actor, 'purpose', e.purpose, 'trace_id', e.trace_id,
               'action', e.action, 'object', e.object, 'object_id', e.object_id, 'detail', e.detail) ORDER BY e.recorded_at DESC, e.audit_id DESC), '[]') INTO v_items
        FROM (SELECT a.* FROM radscheduler.audit_event a
              WHERE a.site_id = v_site AND a.recorded_at >= v_from AND (v_to IS NULL OR a.recorded_at < v_to) AND a.recorded_at <= coalesce((v_after ->> 0)::timestamptz, 'infinity')
                AND (v_after IS NULL OR (a.recorded_at, a.audit_id) < ((v_after ->> 0)::timestamptz, (v_after ->> 1)::bigint))
                AND (v_object IS NULL OR a.object = v_object) AND (v_of IS NULL OR a.object_id = v_of) AND (v_actor IS NULL OR a.actor = v_actor)
                AND (v_trace IS NULL OR a.trace_id = v_trace) AND (v_actions IS NULL OR a.action = ANY (v_actions))
              ORDER BY a.recorded_at DESC, a.audit_id DESC LIMIT v_limit + 1) e;
    PERFORM radscheduler.audit(v_site, 'read', 'audit_event', NULL, jsonb_strip_nulls(jsonb_build_object('from', nullif(v_from, '-infinity'), 'to', v_to, 'object', v_object, 'object_id', v_of,
        'rows', least(jsonb_array_length(v_items), v_limit))));
    v_last := v_items -> (v_limit - 1);
    RETURN radscheduler.api_page(request, v_items - v_limit,
        CASE WHEN jsonb_array_length(v_items) > v_limit THEN radscheduler.api_cursor(jsonb_build_array(v_last -> 'recorded_at', v_last -> 'id')) END);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_audit_list(jsonb) IS
    'GET /api/v1/audit: the newest first. Filters: from and to (the last 7 days unless object_id is given), action (several times), object and object_id, actor, trace_id; limit, after. No patient data; audited.';
