-- /api/v1/hl7/messages: what was received and what became of it, the bytes themselves, and trying a message without keeping anything. Lists hold
-- no patient data; whoever looks at the bytes is audited.

CREATE FUNCTION radscheduler.api_message_rows(p_site integer, p_ids bigint[]) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
    AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('id', m.message_id, 'received_at', m.received_at, 'channel', m.channel, 'peer', m.peer, 'bytes', length(m.raw),
                'sender', CASE WHEN s.sender_id IS NOT NULL THEN jsonb_build_object('id', s.sender_id, 'application', s.sending_application, 'facility', s.sending_facility) END,
                'message_code', m.message_code, 'trigger_event', m.trigger_event, 'control_id', m.control_id, 'processing_id', m.processing_id, 'version_id', m.version_id,
                'message_time', m.message_time, 'outcome', m.outcome, 'code', m.code, 'warnings', m.warnings, 'error', m.error, 'appointment_id', m.appointment_id,
                'duplicate_of', m.duplicate_of, 'replay', CASE WHEN m.replayed_at IS NOT NULL THEN jsonb_build_object('at', m.replayed_at, 'outcome', m.replay_outcome, 'code', m.replay_code,
                    'warnings', m.replay_warnings, 'error', m.replay_error) END) ORDER BY u.place), '[]')
        FROM unnest(p_ids) WITH ORDINALITY u(id, place)
        JOIN radscheduler.hl7_message m ON m.site_id = p_site AND m.message_id = u.id
        LEFT JOIN radscheduler.sender s ON s.site_id = p_site AND s.sender_id = m.sender_id);
END
$$;
COMMENT ON FUNCTION radscheduler.api_message_rows(integer, bigint[]) IS 'Messages as /api/v1 shows them, in the order of their ids given: where from, what, what became of it. Not their bytes.';

CREATE FUNCTION radscheduler.api_message_seen(p_site integer, p_message bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row jsonb := radscheduler.api_message_rows(p_site, ARRAY[p_message]) -> 0;
BEGIN
    IF v_row IS NULL THEN
        RAISE EXCEPTION 'there is no message % at this site', p_message USING ERRCODE = 'no_data_found', HINT = 'GET /api/v1/hl7/messages lists them; old ones leave by retention.';
    END IF;
    RETURN v_row;
END
$$;
COMMENT ON FUNCTION radscheduler.api_message_seen(integer, bigint) IS 'One message as /api/v1 shows it; raises P0002 where there is none.';

CREATE FUNCTION radscheduler.api_bytes(p_bytes bytea, p_charset text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN jsonb_build_object('bytes', length(p_bytes), 'base64', replace(encode(p_bytes, 'base64'), E'\n', ''),
                              'text', coalesce(radscheduler.hl7_text(radscheduler.readable_message(p_bytes, p_charset)), radscheduler.body_text(p_bytes)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_bytes(bytea, text) IS
    'Bytes for people and programs: as they are (base64), and as text: an HL7 message in its charset (or the sender''s) with segments ended by CR, else UTF-8, else ISO 8859-1.';

CREATE FUNCTION radscheduler.api_v1_messages_list(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET plan_cache_mode = force_custom_plan SET jit = off
    AS $$
DECLARE
    v_site     integer := radscheduler.api_enter();
    v_zone     text := radscheduler.site_zone(v_site);
    v_limit    integer := radscheduler.api_limit(request);
    v_after    jsonb := radscheduler.api_after(request, '{string,number}');
    v_from     timestamptz := coalesce(radscheduler.api_instant('from', request #> '{query,from}', v_zone), '-infinity');
    v_to       timestamptz := coalesce(radscheduler.api_instant('to', request #> '{query,to}', v_zone), 'infinity');
    v_sender   bigint := radscheduler.api_count(request, 'sender');
    v_of       bigint := radscheduler.api_count(request, 'appointment');
    v_control  text := radscheduler.api_word(request, 'control_id');
    v_outcomes text[] := radscheduler.api_words(request, 'outcome');
    v_codes    text[] := radscheduler.api_words(request, 'code');
    v_triggers text[] := radscheduler.api_words(request, 'trigger');
    v_at       timestamptz := (v_after ->> 0)::timestamptz;
    v_id       bigint := (v_after ->> 1)::bigint;
    v_ids      bigint[];
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{after,appointment,code,control_id,from,limit,outcome,sender,to,trigger}', 'parameter');
    IF NOT v_outcomes <@ '{applied,flagged,duplicate,stale,ignored,error,rejected}' THEN
        PERFORM radscheduler.api_fault('outcome', 'is none of messages', 'Use applied, flagged, duplicate, stale, ignored, error or rejected.');
    ELSIF NOT v_codes <@ '{AA,AE,AR}' THEN
        PERFORM radscheduler.api_fault('code', 'is none of messages', 'Use AA, AE or AR.');
    END IF;
    v_ids := ARRAY(SELECT m.message_id FROM radscheduler.hl7_message m
        WHERE m.site_id = v_site AND m.received_at >= v_from AND m.received_at < v_to AND m.received_at <= coalesce(v_at, 'infinity')
          AND (v_at IS NULL OR (m.received_at, m.message_id) < (v_at, v_id))
          AND (v_sender IS NULL OR m.sender_id = v_sender) AND (v_of IS NULL OR m.appointment_id = v_of) AND (v_control IS NULL OR m.control_id = v_control)
          AND (v_outcomes IS NULL OR m.outcome = ANY (v_outcomes)) AND (v_codes IS NULL OR m.code = ANY (v_codes)) AND (v_triggers IS NULL OR m.trigger_event = ANY (v_triggers))
        ORDER BY m.received_at DESC, m.message_id DESC LIMIT v_limit + 1);
    RETURN radscheduler.api_page(request, radscheduler.api_message_rows(v_site, v_ids[1:v_limit]),
        CASE WHEN cardinality(v_ids) > v_limit THEN (SELECT radscheduler.api_cursor(jsonb_build_array(m.received_at, m.message_id)) FROM radscheduler.hl7_message m
            WHERE m.site_id = v_site AND m.message_id = v_ids[v_limit]) END);
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_messages_list(jsonb) IS
    'GET /api/v1/hl7/messages: the newest first. Filters: from and to (reception), outcome, code (AA, AE, AR), trigger (S12; each several times), sender and appointment (their numbers), control_id; limit, after. No patient data.';

CREATE FUNCTION radscheduler.api_v1_messages_get(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    RETURN radscheduler.api_tagged(200, radscheduler.api_message_seen(v_site, radscheduler.api_id(request)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_messages_get(jsonb) IS 'GET /api/v1/hl7/messages/{id}: what became of one message; not its bytes.';

CREATE FUNCTION radscheduler.api_v1_messages_raw(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC'
    AS $$
DECLARE
    v_site integer := radscheduler.api_enter();
    v_id   bigint := radscheduler.api_id(request);
    v_row  record;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    PERFORM radscheduler.api_message_seen(v_site, v_id);
    SELECT m.raw, m.raw_sha256, m.ack, m.received_at, radscheduler.sender_profile(s.profile, t.default_profile) ->> 'charset' AS charset INTO v_row
        FROM radscheduler.hl7_message m JOIN radscheduler.site t ON t.site_id = m.site_id LEFT JOIN radscheduler.sender s ON s.site_id = m.site_id AND s.sender_id = m.sender_id
        WHERE m.site_id = v_site AND m.message_id = v_id;
    PERFORM radscheduler.audit(v_site, 'read', 'hl7_message', v_id, '{}');
    RETURN radscheduler.reply(200, jsonb_build_object('id', v_id, 'received_at', v_row.received_at, 'sha256', encode(v_row.raw_sha256, 'hex'))
        || radscheduler.api_bytes(v_row.raw, v_row.charset) || jsonb_build_object('ack', radscheduler.body_text(v_row.ack)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_messages_raw(jsonb) IS 'GET /api/v1/hl7/messages/{id}/raw: the bytes as received (base64), as text, their SHA-256, and the acknowledgement as it was sent. Audited.';

CREATE FUNCTION radscheduler.api_message_bytes(p_body jsonb) RETURNS bytea
    LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_text   text := radscheduler.api_text(p_body, 'message');
    v_base64 text := radscheduler.api_text(p_body, 'base64');
BEGIN
    IF num_nonnulls(v_text, v_base64) <> 1 THEN
        PERFORM radscheduler.api_fault('message', 'or "base64" must be there, and not both', 'Send {"message": "MSH|…"} with \r between segments, or {"base64": "…"} for bytes in another charset than UTF-8.');
    ELSIF v_text IS NOT NULL THEN
        RETURN convert_to(v_text, 'UTF8');
    END IF;
    BEGIN
        RETURN decode(v_base64, 'base64');
    EXCEPTION WHEN invalid_parameter_value THEN
        PERFORM radscheduler.api_fault('base64', 'is not base64', 'Use the alphabet of RFC 4648, section 4.');
    END;
END
$$;
COMMENT ON FUNCTION radscheduler.api_message_bytes(jsonb) IS 'The message of a body, as text (message) or bytes (base64).';

CREATE FUNCTION radscheduler.api_without_patient(p_shown jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT CASE WHEN jsonb_typeof(p_shown) = 'object' THEN
    p_shown - '{external_id,patient_id,patient_name,patient_phone,referring_physician,notes,reason,event_reason,visit_number,placer_orders,filler_orders}'::text[] ELSE p_shown END
$$;
COMMENT ON FUNCTION radscheduler.api_without_patient(jsonb) IS 'A row of shown_snapshot(), or changes of one, for those who may not see patients.';

CREATE FUNCTION radscheduler.api_v1_messages_try(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site  integer := radscheduler.api_enter();
    v_body  jsonb := radscheduler.api_body(request, '{base64,message}');
    v_tried radscheduler.dry_run_result;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    v_tried := radscheduler.dry_run(radscheduler.api_message_bytes(v_body), 'http');
    IF radscheduler.api_sees_patients(request) AND v_tried.appointment IS NOT NULL THEN
        PERFORM radscheduler.audit(v_site, 'read', 'appointment', v_tried.appointment_id, '{"dry_run": true}');
    ELSE
        v_tried.appointment := radscheduler.api_without_patient(v_tried.appointment);
    END IF;
    RETURN radscheduler.reply(200, to_jsonb(v_tried) - 'ack' || jsonb_build_object('ack', radscheduler.body_text(v_tried.ack)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_messages_try(jsonb) IS
    'POST /api/v1/hl7/messages/dry-run: dry_run() of message (text) or base64: what it would do, with nothing kept. 200 whatever it would be answered; the appointment without its patient for callers who may not see patients.';
