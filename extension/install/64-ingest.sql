-- Messages read, answered and logged; what comes before and after the schedule (63-apply.sql). ingest() itself is in 69-ingest.sql.

CREATE FUNCTION radscheduler.ack_stamp(p_zone text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN radscheduler.hl7_stamp(now(), p_zone);
END
$$;
COMMENT ON FUNCTION radscheduler.ack_stamp(text) IS 'Now as an HL7 time with offset, in a zone.';

CREATE FUNCTION radscheduler.answer(p_bytes bytea, p_code text, p_message bigint, p_zone text, p_error jsonb, p_conflicts jsonb, p_charset text, p_warnings jsonb DEFAULT '[]',
                                    p_reply jsonb DEFAULT NULL) RETURNS bytea
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- Where the sender may believe in a cancellation that has not taken place here.
    c_told  CONSTANT jsonpath := '$[*] ? (@.code == "CANCEL_DISPUTED" || @.code == "S14_EMPTY_POSSIBLE_LEGACY_CANCEL")';
    v_told  jsonb := CASE WHEN p_error IS NULL AND p_warnings <> '[]' THEN jsonb_path_query_array(p_warnings, c_told) ELSE '[]' END;
    v_codes text[] := '{}'; v_paths text[] := '{}'; v_severities text[] := '{}'; v_texts text[] := '{}';
BEGIN
    IF p_error IS NOT NULL THEN
        v_codes := ARRAY[p_error ->> 'code'];
        v_paths := ARRAY[coalesce(p_error ->> 'path', '')];
        v_severities := ARRAY['E'];
        v_texts := ARRAY[p_error ->> 'text'];
    ELSIF p_conflicts <> '[]' THEN
        SELECT array_agg('0'::text), array_agg(CASE WHEN p_reply IS NULL THEN 'SCH' ELSE 'ARQ' END), array_agg(CASE c ->> 'severity' WHEN 'info' THEN 'I' ELSE 'W' END),
               array_agg(concat(c ->> 'message', ' With appointment ' || (c #>> '{with,0,appointment_id}') || '.'))
            INTO v_codes, v_paths, v_severities, v_texts
            FROM (SELECT e FROM jsonb_array_elements(p_conflicts) e WHERE e ->> 'state' = 'open' LIMIT 3) l(c);
    END IF;
    IF v_told <> '[]' THEN
        SELECT v_codes || array_agg('0'::text), v_paths || array_agg(w ->> 'path'), v_severities || array_agg('W'::text), v_texts || array_agg(w ->> 'text')
            INTO v_codes, v_paths, v_severities, v_texts FROM jsonb_array_elements(v_told) w;
    END IF;
    IF p_reply IS NOT NULL THEN
        RETURN radscheduler.hl7_response(p_bytes, p_code, 'RS' || p_message, radscheduler.ack_stamp(p_zone),
                                         coalesce(p_error ->> 'text', CASE WHEN p_conflicts <> '[]' THEN 'Accepted with conflict, see ERR' END),
                                         v_codes, v_paths, v_severities, v_texts, p_charset, 'SRR', 'SRR_S01',
                                         (string_to_array(radscheduler.hl7_build('[["MSH", "|", "^~\\&"]]'::jsonb || p_reply)::text, chr(13)))[2 : jsonb_array_length(p_reply) + 1]);
    END IF;
    RETURN radscheduler.hl7_answer(p_bytes, p_code, 'RS' || p_message, radscheduler.ack_stamp(p_zone),
                                   coalesce(p_error ->> 'text', CASE WHEN p_conflicts <> '[]' THEN 'Accepted with conflict, see ERR' WHEN v_told <> '[]' THEN 'Accepted with warning, see ERR' END),
                                   v_codes, v_paths, v_severities, v_texts, p_charset);
END
$$;
COMMENT ON FUNCTION radscheduler.answer(bytea, text, bigint, text, jsonb, jsonb, text, jsonb, jsonb) IS
    'The acknowledgement of a message by its number here: an error as ERR severity E; open conflicts of an accepted booking as ERR severity W (I for one that only informs), and as W the warnings that tell of a cancellation which has not taken place. With p_reply, segments in the form of hl7_to_jsonb(), it is an SRR with these.';

CREATE FUNCTION radscheduler.log_items(p_items radscheduler.ingest_item[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item     radscheduler.ingest_item;
    v_sites    integer[] := '{}';
    v_types    text[] := '{}';
    v_bookings bigint[] := '{}';
    v_messages bigint[] := '{}';
    v_told     jsonb[] := '{}';
    v_owners   integer[] := '{}';
    v_actions  text[] := '{}';
    v_objects  text[] := '{}';
    v_ids      bigint[] := '{}';
    v_details  jsonb[] := '{}';
BEGIN
    -- An acknowledgement promises that the message is kept, whatever the session would rather have.
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    INSERT INTO radscheduler.hl7_message (site_id, message_id, received_at, channel, peer, raw, raw_sha256, sender_id, message_code, trigger_event, control_id,
                                          processing_id, version_id, message_time, outcome, code, warnings, error, ack, appointment_id, duplicate_of)
        SELECT i.site_id, i.message_id, i.received_at, i.context ->> 'channel', i.context ->> 'peer', i.raw, i.raw_sha256, i.sender_id,
               i.context #>> '{header,message_code}', i.context #>> '{header,trigger_event}', i.context #>> '{header,control_id}',
               i.context #>> '{header,processing_id}', i.context #>> '{header,version}',
               CASE WHEN i.context #>> '{header,message_time}' IS NOT NULL THEN radscheduler.to_instant(i.context #>> '{header,message_time}', i.context ->> 'zone') END,
               i.outcome, i.code, i.warnings, i.error, i.ack, i.appointment_id, i.duplicate_of
        FROM unnest(p_items) i;
    FOREACH v_item IN ARRAY p_items LOOP
        IF v_item.patient_event IS NOT NULL THEN
            v_owners := v_owners || v_item.site_id;
            v_actions := v_actions || v_item.patient_event;
            v_objects := v_objects || 'patient'::text;
            v_ids := v_ids || v_item.patient_id;
            v_details := v_details || '{}'::jsonb;
        END IF;
        IF v_item.event IS NOT NULL THEN
            v_sites := v_sites || v_item.site_id;
            v_types := v_types || v_item.event;
            v_bookings := v_bookings || v_item.appointment_id;
            v_messages := v_messages || v_item.message_id;
            v_told := v_told || v_item.event_data;
            v_owners := v_owners || v_item.site_id;
            v_actions := v_actions || v_item.event;
            v_objects := v_objects || 'appointment'::text;
            v_ids := v_ids || v_item.appointment_id;
            v_details := v_details || jsonb_build_object('message_id', v_item.message_id, 'version', v_item.event_data -> 'version');
        END IF;
        v_sites := v_sites || v_item.site_id;
        v_types := v_types || CASE v_item.outcome WHEN 'duplicate' THEN 'hl7.duplicate' WHEN 'error' THEN 'hl7.rejected' WHEN 'rejected' THEN 'hl7.rejected' ELSE 'hl7.processed' END;
        v_bookings := v_bookings || v_item.appointment_id;
        v_messages := v_messages || v_item.message_id;
        v_told := v_told || jsonb_strip_nulls(jsonb_build_object('outcome', v_item.outcome, 'code', v_item.code, 'trigger_event', v_item.context #> '{header,trigger_event}',
                                                                 'warnings', jsonb_array_length(v_item.warnings), 'error', v_item.error -> 'code'));
        v_owners := v_owners || v_item.site_id;
        v_actions := v_actions || 'message.received'::text;
        v_objects := v_objects || 'hl7_message'::text;
        v_ids := v_ids || v_item.message_id;
        v_details := v_details || jsonb_build_object('channel', v_item.context -> 'channel', 'outcome', v_item.outcome, 'appointment_id', v_item.appointment_id);
    END LOOP;
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
        SELECT u.* FROM unnest(v_sites, v_types, v_bookings, v_messages, v_told) u;
    PERFORM radscheduler.audit_many(v_owners, v_actions, v_objects, v_ids, v_details);
    PERFORM radscheduler.queue_copies(p_items);
END
$$;
COMMENT ON FUNCTION radscheduler.log_items(radscheduler.ingest_item[]) IS
    'Keeps received messages with what became of them, and tells it in event_log and the audit log: the patient, the appointment, the message. Queues copies for links that get them.';

CREATE FUNCTION radscheduler.result_of(p_item radscheduler.ingest_item) RETURNS radscheduler.ingest_result
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ROW(p_item.message_id, p_item.ack, p_item.code, p_item.outcome, p_item.appointment_id, p_item.warnings, p_item.conflicts)::radscheduler.ingest_result;
END
$$;
COMMENT ON FUNCTION radscheduler.result_of(radscheduler.ingest_item) IS 'What a caller of ingest() is told of a message.';

CREATE FUNCTION radscheduler.sender_context(p_application text, p_facility text, p_channel text, p_peer text) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_sender record;
    v_site   record;
BEGIN
    IF p_channel IS NULL OR p_channel !~ '^[a-z][a-z0-9_]{0,19}$' OR length(p_peer) > 100 THEN
        RAISE EXCEPTION 'the channel is a word such as mllp, http or sql, and the peer a network address' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Both are kept in logs: at most 20 and 100 characters.';
    END IF;
    v_sender := radscheduler.sender_of(p_application, p_facility);
    SELECT s.timezone, s.phone_region INTO v_site FROM radscheduler.site s WHERE s.site_id = v_sender.site_id;
    RETURN jsonb_build_object('site_id', v_sender.site_id, 'sender_id', v_sender.sender_id, 'profile', v_sender.profile,
        'zone', coalesce(v_sender.profile ->> 'timezone', v_site.timezone, radscheduler.default_zone()),
        'is_zone_assumed', coalesce(v_sender.profile ->> 'timezone', v_site.timezone) IS NULL,
        'region', coalesce(v_sender.profile ->> 'phone_region', v_site.phone_region), 'facility', coalesce(v_sender.profile ->> 'default_authority', p_facility),
        'is_refused', v_sender.is_refused, 'is_new', v_sender.is_new, 'source', 'HL7', 'channel', p_channel, 'peer', p_peer);
END
$$;
COMMENT ON FUNCTION radscheduler.sender_context(text, text, text, text) IS
    'What messages of a sender (MSH-3, MSH-4) that come in by a channel are read in the light of: {site_id, sender_id, profile, zone (sender, else site, else radscheduler.default_timezone), is_zone_assumed (neither of the first two), region (phone numbers), facility (assigning authority to assume), is_refused, is_new, source, channel, peer}.';

CREATE FUNCTION radscheduler.offset_zone(p_time text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_offset text := substring(p_time from '[+-]\d\d:\d\d$');
BEGIN
    -- POSIX counts west of Greenwich as positive.
    RETURN '<' || v_offset || '>' || translate(v_offset, '+-', '-+');
END
$$;
COMMENT ON FUNCTION radscheduler.offset_zone(text) IS 'The fixed zone of an ISO time that ends in an offset, as a POSIX zone that timezone() takes; NULL for one without.';

CREATE FUNCTION radscheduler.message_context(p_header jsonb, p_channel text, p_peer text, p_sender jsonb DEFAULT NULL) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_sender jsonb := coalesce(p_sender, radscheduler.sender_context(coalesce(p_header ->> 'sending_application', ''), coalesce(p_header ->> 'sending_facility', ''), p_channel, p_peer));
    v_zone   text := CASE WHEN (v_sender ->> 'is_zone_assumed')::boolean THEN radscheduler.offset_zone(p_header ->> 'message_time') END;
BEGIN
    RETURN v_sender || jsonb_build_object(
        'zone', CASE WHEN (v_sender ->> 'is_zone_assumed')::boolean THEN coalesce(v_zone, radscheduler.default_zone()) ELSE v_sender ->> 'zone' END,
        'trigger_event', radscheduler.event_meant(v_sender -> 'profile', p_header ->> 'trigger_event'), 'sequence', p_header -> 'sequence_number',
        'is_test', coalesce(p_header ->> 'processing_id', 'P') <> 'P', 'header', p_header,
        'warnings', '[]'::jsonb || CASE WHEN v_zone IS NOT NULL THEN radscheduler.warning('ZONE_OF_MESSAGE', 'MSH-7') WHEN (v_sender ->> 'is_zone_assumed')::boolean THEN radscheduler.warning('ZONE_ASSUMED', 'MSH-7') ELSE '[]' END
                    || CASE WHEN (v_sender ->> 'is_new')::boolean THEN radscheduler.warning('SENDER_UNKNOWN', 'MSH-3') ELSE '[]' END);
END
$$;
COMMENT ON FUNCTION radscheduler.message_context(jsonb, text, text, jsonb) IS
    'sender_context() of a message (or the one given), with trigger_event (the standard''s, by the sender''s event_map), sequence (MSH-13), is_test (MSH-11 is not P), header and all warnings so far. Where neither sender nor site names a zone it is that of MSH-7.';

CREATE FUNCTION radscheduler.open_message(p_bytes bytea, p_channel text, p_peer text, p_before jsonb DEFAULT NULL, p_received timestamptz DEFAULT NULL) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_head   jsonb := radscheduler.hl7_header(p_bytes);
    v_header jsonb := v_head -> 'header';
    r        radscheduler.ingest_item;
BEGIN
    r.message_id := nextval('radscheduler.hl7_message_id_seq');
    r.received_at := coalesce(p_received, clock_timestamp());
    r.raw := p_bytes;
    r.raw_sha256 := sha256(p_bytes);
    -- Messages of one batch mostly come from one sender.
    r.context := radscheduler.message_context(v_header, p_channel, p_peer,
        CASE WHEN p_before #>> '{header,sending_application}' = v_header ->> 'sending_application' AND p_before #>> '{header,sending_facility}' = v_header ->> 'sending_facility'
             THEN p_before || jsonb_build_object('is_new', false, 'peer', p_peer) END);
    r.site_id := (r.context ->> 'site_id')::integer;
    r.sender_id := (r.context ->> 'sender_id')::bigint;
    r.code := 'AA';
    r.warnings := r.context -> 'warnings';
    r.conflicts := '[]';
    r.trigger_event := r.context ->> 'trigger_event';
    r.sequence := (r.context ->> 'sequence')::bigint;

    -- Can it be read, and is it for us?
    r.error := v_head -> 'error';
    IF r.error IS NOT NULL THEN
        r.code := 'AR';
    ELSIF (r.context ->> 'is_refused')::boolean THEN
        r.code := 'AR';
        r.error := '{"code": "207", "path": "MSH-3", "text": "This site takes messages of registered senders only, and this pair of sending application and facility is not registered. The message is kept."}';
    ELSIF coalesce(v_header ->> 'control_id', '') = '' THEN
        r.code := 'AE';
        r.error := '{"code": "101", "path": "MSH-10", "text": "The message has no control id (MSH-10), so its acknowledgement could not be told from another. Send one."}';
    ELSE
        r.action := radscheduler.message_kind(v_header ->> 'message_code', r.trigger_event);
        IF r.action IS NULL THEN
            r.code := 'AR';
            r.error := CASE WHEN v_header ->> 'message_code' IN ('SIU', 'ADT', 'SRM') THEN
                jsonb_build_object('code', '201', 'path', 'MSH-9.2', 'text', 'This trigger event is not taken here. The message is kept.')
                ELSE '{"code": "200", "path": "MSH-9.1", "text": "Only scheduling (SIU, SRM), patient (ADT) and order messages (ORM^O01, OMI^O23) are taken here. The message is kept."}' END;
        END IF;
    END IF;
    IF r.error IS NULL AND (r.context ->> 'is_test')::boolean AND r.context #>> '{profile,test_messages}' IN ('ignore', 'refuse') THEN
        IF r.context #>> '{profile,test_messages}' = 'refuse' THEN
            r.code := 'AR';
            r.error := '{"code": "202", "path": "MSH-11", "text": "This sender''s test messages (MSH-11 other than P) are refused here. The message is kept."}';
        ELSE
            r.outcome := 'ignored';
            r.warnings := r.warnings || radscheduler.warning('TEST_MESSAGE', 'MSH-11');
        END IF;
    ELSIF r.error IS NULL AND r.action = 'ignore' THEN
        r.outcome := 'ignored';
    END IF;
    IF r.error IS NULL AND r.outcome IS NULL THEN
        r.reading := radscheduler.siu_read(p_bytes, r.context -> 'profile');
        r.warnings := r.warnings || (r.reading -> 'warnings');
        r.error := r.reading -> 'error';
        IF r.error IS NOT NULL THEN
            r.code := 'AE';
        ELSIF r.reading -> 'warnings' @> '[{"code": "EXTRA_SEGMENT", "path": "MSH[2]"}]' THEN
            r.code := 'AR';
            r.error := '{"code": "100", "path": "MSH[2]", "text": "These bytes hold more than one message, and one acknowledgement cannot answer several. Send each message by itself. All bytes are kept."}';
        END IF;
    END IF;
    IF r.error IS NOT NULL THEN
        r.outcome := CASE WHEN r.code = 'AR' THEN 'rejected' ELSE 'error' END;
    END IF;
    IF r.outcome IS NULL THEN
        -- Order key: the message's own time, unless its clock runs ahead or it has none.
        r.at := r.received_at;
        IF r.context #>> '{profile,order_by}' IS DISTINCT FROM 'arrival' THEN
            r.at := coalesce(radscheduler.to_instant(v_header ->> 'message_time', r.context ->> 'zone'), r.received_at);
            IF r.at > r.received_at + interval '5 minutes' THEN
                r.at := r.received_at;
                r.warnings := r.warnings || radscheduler.warning('CLOCK_SKEW', 'MSH-7');
            END IF;
        END IF;
        r.filler_id := radscheduler.appointment_key(r.reading -> 'schedule', 'filler');
        r.placer_id := radscheduler.appointment_key(r.reading -> 'schedule', 'placer');
    END IF;
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.open_message(bytea, text, text, jsonb, timestamptz) IS
    'One message opened (p_before is the context of the one before, if any; p_received when it came, if that was not now): header, sender and site, reading, order key and appointment key, the kind of handling it needs in action; outcome and error for one that ends here.';

CREATE FUNCTION radscheduler.message_kind(p_message_code text, p_trigger text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN CASE
        WHEN p_trigger = 'IGNORE' THEN 'ignore'
        WHEN p_message_code = 'SIU' AND p_trigger IN ('S23', 'S24') THEN 'block'
        WHEN p_message_code = 'SIU' AND p_trigger ~ '^S(1[2-9]|2[0-2]|26|27)$' THEN 'schedule'
        WHEN p_message_code = 'SRM' AND p_trigger ~ '^S(0[1-9]|1[01])$' THEN 'request'
        WHEN p_message_code = 'ADT' AND p_trigger IN ('A01', 'A04', 'A08', 'A10', 'A18', 'A30', 'A31', 'A34', 'A40') THEN 'patient'
        WHEN p_message_code = 'ORM' AND p_trigger = 'O01' OR p_message_code = 'OMI' AND p_trigger = 'O23' THEN 'order' END;
END
$$;
COMMENT ON FUNCTION radscheduler.message_kind(text, text) IS
    'Who handles a message by MSH-9.1 and its event: schedule, block, request, patient, order, ignore; NULL for what is not taken.';

CREATE FUNCTION radscheduler.lock_names(p_item radscheduler.ingest_item) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN coalesce(nullif(array_remove(ARRAY['appointment/' || p_item.sender_id || '/F/' || (p_item.reading #>> '{schedule,filler_id}'),
                 'appointment/' || p_item.sender_id || '/P/' || (p_item.reading #>> '{schedule,placer_id}')]
           || radscheduler.patient_lock_names(p_item.site_id, p_item.reading -> 'patient')
           || CASE WHEN p_item.action <> 'schedule' THEN radscheduler.other_lock_names(p_item) END, NULL), '{}'),
        -- One that names nobody waits at least for itself.
        ARRAY['message/' || p_item.sender_id || '/' || (p_item.context #>> '{header,control_id}') || '/' || encode(p_item.raw_sha256, 'hex')]);
END
$$;
COMMENT ON FUNCTION radscheduler.lock_names(radscheduler.ingest_item) IS 'Names for lock_keys() of a message: its appointment by either key, every patient it names, and what other_lock_names() says; itself where that is nothing.';
