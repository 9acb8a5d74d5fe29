-- /api/v1/blocks: times at which a resource is not there, made here or told by a sender. block_resource() and unblock_resource() do the work.

CREATE FUNCTION radscheduler.api_block_rows(p_site integer, p_ids bigint[], p_reasons boolean) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
    AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('id', b.block_id, 'resource', r.code, 'resource_id', r.resource_id, 'kind', b.kind, 'starts_at', lower(b.during), 'ends_at', upper(b.during),
                'origin', CASE WHEN b.sender_block_id IS NULL THEN 'here' ELSE 'sender' END, 'created_at', b.created_at)
                || CASE WHEN p_reasons THEN jsonb_build_object('reason', b.reason) ELSE '{}' END ORDER BY u.place), '[]')
        FROM unnest(p_ids) WITH ORDINALITY u(id, place)
        JOIN radscheduler.resource_block b ON b.site_id = p_site AND b.block_id = u.id
        JOIN radscheduler.resource r ON r.site_id = p_site AND r.resource_id = b.resource_id);
END
$$;
COMMENT ON FUNCTION radscheduler.api_block_rows(integer, bigint[], boolean) IS
    'Blocks as /api/v1 shows them, in the order of their ids given. p_reasons: with the reason, which a sender may have filled with notes.';

CREATE FUNCTION radscheduler.api_block_seen(request jsonb, p_site integer, p_block bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row jsonb := radscheduler.api_block_rows(p_site, ARRAY[p_block], radscheduler.api_sees_patients(request)) -> 0;
BEGIN
    IF v_row IS NULL THEN
        RAISE EXCEPTION 'there is no block % at this site', p_block USING ERRCODE = 'no_data_found', HINT = 'It may have been lifted: GET /api/v1/blocks lists those there are.';
    END IF;
    RETURN v_row;
END
$$;
COMMENT ON FUNCTION radscheduler.api_block_seen(jsonb, integer, bigint) IS 'One block as the caller of a request may see it; raises P0002 where there is none.';

CREATE FUNCTION radscheduler.api_v1_blocks_list(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET plan_cache_mode = force_custom_plan
    AS $$
DECLARE
    v_site   integer := radscheduler.api_enter();
    v_zone   text := radscheduler.site_zone(v_site);
    v_limit  integer := radscheduler.api_limit(request);
    v_after  jsonb := radscheduler.api_after(request, '{string,number}');
    v_from   timestamptz := radscheduler.api_instant('from', request #> '{query,from}', v_zone);
    v_to     timestamptz := radscheduler.api_instant('to', request #> '{query,to}', v_zone);
    v_kinds  text[] := radscheduler.api_words(request, 'kind');
    v_places bigint[] := (radscheduler.read_resources(v_site, radscheduler.api_words(request, 'resource'))).ids;
    v_ids    bigint[];
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{after,from,kind,limit,resource,to}', 'parameter');
    IF NOT v_kinds <@ '{block,maintenance,downtime}' THEN
        PERFORM radscheduler.api_fault('kind', 'is none of blocks', 'Use block, maintenance or downtime.');
    ELSIF v_to <= v_from THEN
        PERFORM radscheduler.api_fault('to', 'must come after from', 'Leave one of them out, or give a later one.');
    END IF;
    v_ids := ARRAY(SELECT b.block_id FROM radscheduler.resource_block b
        WHERE b.site_id = v_site AND b.during && tstzrange(v_from, v_to) AND (v_kinds IS NULL OR b.kind = ANY (v_kinds)) AND (v_places = '{}' OR b.resource_id = ANY (v_places))
          AND (v_after IS NULL OR (lower(b.during), b.block_id) > ((v_after ->> 0)::timestamptz, (v_after ->> 1)::bigint))
        ORDER BY lower(b.during), b.block_id LIMIT v_limit + 1);
    RETURN radscheduler.api_page(request, radscheduler.api_block_rows(v_site, v_ids[1:v_limit], radscheduler.api_sees_patients(request)),
        CASE WHEN cardinality(v_ids) > v_limit THEN (SELECT radscheduler.api_cursor(jsonb_build_array(lower(b.during), b.block_id)) FROM radscheduler.resource_block b
            WHERE b.site_id = v_site AND b.block_id = v_ids[v_limit]) END);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_blocks_list(jsonb) IS 'GET /api/v1/blocks: by the time they begin. Filters: from and to (time they touch), resource and kind (each several times); limit, after.';

CREATE FUNCTION radscheduler.api_v1_blocks_get(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    RETURN radscheduler.api_tagged(200, radscheduler.api_block_seen(request, v_site, radscheduler.api_id(request)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_blocks_get(jsonb) IS 'GET /api/v1/blocks/{id}: one block.';

CREATE FUNCTION radscheduler.api_v1_blocks_create(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site     integer := radscheduler.api_enter();
    v_zone     text := radscheduler.site_zone(v_site);
    v_body     jsonb := radscheduler.api_body(request, '{ends_at,kind,reason,resource,starts_at}');
    v_resource text := radscheduler.api_text(v_body, 'resource');
    v_made     record;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    IF v_resource IS NULL THEN
        PERFORM radscheduler.api_fault('resource', 'is missing', 'Name what is blocked: {"resource": "MRI1", …}.');
    END IF;
    v_made := radscheduler.block_resource(v_resource, radscheduler.api_instant('starts_at', v_body -> 'starts_at', v_zone), radscheduler.api_instant('ends_at', v_body -> 'ends_at', v_zone),
                                          radscheduler.api_text(v_body, 'reason'), coalesce(radscheduler.api_text(v_body, 'kind'), 'block'));
    RETURN radscheduler.api_tagged(201, radscheduler.api_block_seen(request, v_site, v_made.block_id) || jsonb_build_object('appointments', v_made.appointments),
                                   '/api/v1/blocks/' || v_made.block_id, '{appointments}');
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_blocks_create(jsonb) IS
    'POST /api/v1/blocks: block_resource() with resource (any of its names), starts_at, ends_at, kind (block, maintenance, downtime) and reason. 201; appointments says how many are concerned, which are flagged.';

CREATE FUNCTION radscheduler.api_v1_blocks_lift(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_id   bigint := radscheduler.api_id(request);
    v_from timestamptz := radscheduler.api_instant('from', request #> '{query,from}', radscheduler.site_zone(v_site));
    v_n    integer;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{from}', 'parameter');
    PERFORM radscheduler.api_block_seen(request, v_site, v_id);
    v_n := radscheduler.unblock_resource(v_id, v_from);
    RETURN radscheduler.reply(200, jsonb_build_object('id', v_id, 'appointments', v_n,
        'block', radscheduler.api_block_rows(v_site, ARRAY[v_id], radscheduler.api_sees_patients(request)) -> 0));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_blocks_lift(jsonb) IS
    'DELETE /api/v1/blocks/{id}: unblock_resource(), from a time (query parameter from) or whole. Answers how many appointments lie in the time that is free again, and what is left of the block, or null.';
