-- /api/v1/hl7/quarantine: frames that never became a message. Somebody looks, then hands the bytes in as a message, or drops them.

CREATE FUNCTION radscheduler.api_frame_rows(p_site integer, p_ids bigint[]) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
    AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('id', q.quarantine_id, 'received_at', q.received_at, 'listener', q.listener, 'peer', q.peer, 'reason', q.reason,
                'stream_offset', q.stream_offset, 'frame_bytes', q.frame_bytes, 'kept_bytes', length(q.raw)) ORDER BY u.place), '[]')
        FROM unnest(p_ids) WITH ORDINALITY u(id, place) JOIN radscheduler.hl7_quarantine q ON q.site_id = p_site AND q.quarantine_id = u.id);
END
$$;
COMMENT ON FUNCTION radscheduler.api_frame_rows(integer, bigint[]) IS 'Frames of the quarantine as /api/v1 shows them, in the order of their ids given. Not their bytes.';

CREATE FUNCTION radscheduler.api_frame_seen(p_site integer, p_frame bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row jsonb := radscheduler.api_frame_rows(p_site, ARRAY[p_frame]) -> 0;
BEGIN
    IF v_row IS NULL THEN
        RAISE EXCEPTION 'there is no frame % in quarantine at this site', p_frame USING ERRCODE = 'no_data_found', HINT = 'It may have been handed in or dropped: GET /api/v1/hl7/quarantine lists those there are.';
    END IF;
    RETURN v_row;
END
$$;
COMMENT ON FUNCTION radscheduler.api_frame_seen(integer, bigint) IS 'One frame of the quarantine; raises P0002 where there is none.';

CREATE FUNCTION radscheduler.api_v1_quarantine_list(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET plan_cache_mode = force_custom_plan
    AS $$
DECLARE
    v_site    integer := radscheduler.api_enter();
    v_zone    text := radscheduler.site_zone(v_site);
    v_limit   integer := radscheduler.api_limit(request);
    v_after   jsonb := radscheduler.api_after(request, '{string,number}');
    v_from    timestamptz := coalesce(radscheduler.api_instant('from', request #> '{query,from}', v_zone), '-infinity');
    v_to      timestamptz := coalesce(radscheduler.api_instant('to', request #> '{query,to}', v_zone), 'infinity');
    v_reasons text[] := radscheduler.api_words(request, 'reason');
    v_ids     bigint[];
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{after,from,limit,reason,to}', 'parameter');
    v_ids := ARRAY(SELECT q.quarantine_id FROM radscheduler.hl7_quarantine q
        WHERE q.site_id = v_site AND q.received_at >= v_from AND q.received_at < v_to AND (v_reasons IS NULL OR q.reason = ANY (v_reasons))
          AND (v_after IS NULL OR (q.received_at, q.quarantine_id) < ((v_after ->> 0)::timestamptz, (v_after ->> 1)::bigint))
        ORDER BY q.received_at DESC, q.quarantine_id DESC LIMIT v_limit + 1);
    RETURN radscheduler.api_page(request, radscheduler.api_frame_rows(v_site, v_ids[1:v_limit]),
        CASE WHEN cardinality(v_ids) > v_limit THEN (SELECT radscheduler.api_cursor(jsonb_build_array(q.received_at, q.quarantine_id)) FROM radscheduler.hl7_quarantine q
            WHERE q.site_id = v_site AND q.quarantine_id = v_ids[v_limit]) END);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_quarantine_list(jsonb) IS 'GET /api/v1/hl7/quarantine: the newest first. Filters: from and to (reception), reason (several times); limit, after. No bytes.';

CREATE FUNCTION radscheduler.api_v1_quarantine_get(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    RETURN radscheduler.reply(200, radscheduler.api_frame_seen(v_site, radscheduler.api_id(request)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_quarantine_get(jsonb) IS 'GET /api/v1/hl7/quarantine/{id}: one frame, without its bytes.';

CREATE FUNCTION radscheduler.api_v1_quarantine_raw(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_id   bigint := radscheduler.api_id(request);
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    PERFORM radscheduler.api_frame_seen(v_site, v_id);
    PERFORM radscheduler.audit(v_site, 'read', 'hl7_quarantine', v_id, '{}');
    RETURN (SELECT radscheduler.reply(200, jsonb_build_object('id', v_id, 'is_cut', q.frame_bytes > length(q.raw)) || radscheduler.api_bytes(q.raw, NULL))
            FROM radscheduler.hl7_quarantine q WHERE q.site_id = v_site AND q.quarantine_id = v_id);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_quarantine_raw(jsonb) IS 'GET /api/v1/hl7/quarantine/{id}/raw: the bytes that were kept (base64), and as text. Audited.';

CREATE FUNCTION radscheduler.message_of_frame(p_bytes bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT btrim(p_bytes, '\x0b1c0d0a')
$$;
COMMENT ON FUNCTION radscheduler.message_of_frame(bytea) IS 'Bytes without the marks of a frame (0B, 1C) and line ends around them.';

CREATE FUNCTION radscheduler.is_at_home(p_site integer, p_bytes bytea) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_message radscheduler.hl7 := radscheduler.readable_message(p_bytes, NULL);
    v_app     text := coalesce(radscheduler.hl7_get(v_message, 'MSH-3'), '');
    v_place   text := coalesce(radscheduler.hl7_get(v_message, 'MSH-4'), '');
BEGIN
    RETURN v_message IS NULL OR NOT EXISTS (SELECT FROM radscheduler.sender s WHERE s.site_id <> p_site AND s.sending_application = v_app AND s.sending_facility = v_place)
        OR EXISTS (SELECT FROM radscheduler.sender s WHERE s.site_id = p_site AND s.sending_application = v_app AND s.sending_facility = v_place);
END
$$;
COMMENT ON FUNCTION radscheduler.is_at_home(integer, bytea) IS
    'Whether a message may be handed in at a site: its sender is known there, or at no other one. Frames are kept at one of the sites of a daemon that serves several, because nobody could read whose they are.';

CREATE FUNCTION radscheduler.api_v1_quarantine_ingest(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site   integer := radscheduler.api_enter();
    v_id     bigint := radscheduler.api_id(request);
    v_row    radscheduler.hl7_quarantine;
    v_bytes  bytea;
    v_result radscheduler.ingest_result;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    PERFORM radscheduler.api_body(request, '{}');
    SELECT q.* INTO v_row FROM radscheduler.hl7_quarantine q WHERE q.site_id = v_site AND q.quarantine_id = v_id FOR UPDATE;
    PERFORM radscheduler.api_frame_seen(v_site, v_id);
    v_bytes := radscheduler.message_of_frame(v_row.raw);
    IF v_row.frame_bytes > length(v_row.raw) THEN
        RAISE EXCEPTION 'of this frame only the first % bytes were kept', length(v_row.raw) USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Let the sender send it again, in parts or without what makes it so large.';
    ELSIF NOT radscheduler.is_at_home(v_site, v_bytes) THEN
        RAISE EXCEPTION 'the sender of this frame is known at another site, and not at this one' USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Copy the bytes and hand them in with a credential of that site, POST /api/hl7/raw; then drop the frame here.';
    END IF;
    v_result := radscheduler.ingest(v_bytes, 'mllp', v_row.peer);
    IF v_result.code = 'AA' THEN
        DELETE FROM radscheduler.hl7_quarantine q WHERE q.site_id = v_site AND q.quarantine_id = v_id;
    END IF;
    PERFORM radscheduler.audit(v_site, 'message.handed_in', 'hl7_quarantine', v_id, jsonb_build_object('message_id', v_result.message_id, 'code', v_result.code));
    RETURN radscheduler.reply(200, jsonb_build_object('id', v_id, 'left', v_result.code = 'AA', 'outcome', v_result.outcome, 'code', v_result.code, 'message_id', v_result.message_id,
        'appointment_id', v_result.appointment_id, 'warnings', v_result.warnings, 'conflicts', v_result.conflicts,
        'error', (SELECT m.error FROM radscheduler.hl7_message m WHERE m.site_id = v_site AND m.message_id = v_result.message_id)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_quarantine_ingest(jsonb) IS
    'POST /api/v1/hl7/quarantine/{id}/replay: ingest() of the bytes without the marks of the frame, as if they came now. When the message is taken (AA) the frame leaves the quarantine. 409 for a frame of which only a part was kept, or whose sender is at home elsewhere.';

CREATE FUNCTION radscheduler.api_v1_quarantine_drop(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_id   bigint := radscheduler.api_id(request);
    v_row  jsonb := radscheduler.api_frame_seen(v_site, v_id);
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    IF EXISTS (SELECT FROM radscheduler.legal_hold h WHERE h.site_id = v_site AND h.lifted_at IS NULL) THEN
        RAISE EXCEPTION 'a legal hold is in force at this site, and nobody can tell whose this frame is' USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Drop it when the hold was lifted.';
    END IF;
    DELETE FROM radscheduler.hl7_quarantine q WHERE q.site_id = v_site AND q.quarantine_id = v_id;
    PERFORM radscheduler.audit(v_site, 'message.dropped', 'hl7_quarantine', v_id, jsonb_build_object('reason', v_row -> 'reason'));
    RETURN ROW(204, NULL, NULL, NULL)::radscheduler.http_reply;
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_quarantine_drop(jsonb) IS 'DELETE /api/v1/hl7/quarantine/{id}: throws a frame away; 204. 409 while a legal hold is in force at the site.';
