-- A message's whole fate in one call and one transaction: logged, read, applied, checked, answered.
-- ingest() pins planner settings: every statement under it looks up a few rows by index; a plan made while the tables were empty and
-- never analysed must not become a scan of them that lasts as long as the session; planning each statement anew would cost more than
-- running it, and compiling it a thousand times more.

CREATE FUNCTION radscheduler.ack_stamp(p_zone text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_local  timestamp := timezone(p_zone, now());
    v_offset integer := extract(epoch FROM v_local - timezone('UTC', now())) / 60;
BEGIN
    RETURN to_char(v_local, 'YYYYMMDDHH24MISS') || CASE WHEN v_offset < 0 THEN '-' ELSE '+' END
           || lpad((abs(v_offset) / 60)::text, 2, '0') || lpad((abs(v_offset) % 60)::text, 2, '0');
END
$$;
COMMENT ON FUNCTION radscheduler.ack_stamp(text) IS 'Now as an HL7 time with offset, in a zone.';

CREATE FUNCTION radscheduler.answer(p_bytes bytea, p_code text, p_message bigint, p_zone text, p_error jsonb, p_conflicts jsonb, p_charset text) RETURNS bytea
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_codes text[] := '{}'; v_paths text[] := '{}'; v_severities text[] := '{}'; v_texts text[] := '{}';
BEGIN
    IF p_error IS NOT NULL THEN
        v_codes := ARRAY[p_error ->> 'code'];
        v_paths := ARRAY[coalesce(p_error ->> 'path', '')];
        v_severities := ARRAY['E'];
        v_texts := ARRAY[p_error ->> 'text'];
    ELSIF p_conflicts <> '[]' THEN
        SELECT array_agg('0'::text), array_agg('SCH'::text), array_agg('W'::text), array_agg(format('%s With appointment %s.', c ->> 'message', c #>> '{with,0,appointment_id}'))
            INTO v_codes, v_paths, v_severities, v_texts
            FROM (SELECT e FROM jsonb_array_elements(p_conflicts) e LIMIT 3) l(c);
    END IF;
    RETURN radscheduler.hl7_answer(p_bytes, p_code, 'RS' || p_message, radscheduler.ack_stamp(p_zone),
                                   coalesce(p_error ->> 'text', CASE WHEN p_conflicts <> '[]' THEN 'Accepted with conflict, see ERR' END),
                                   v_codes, v_paths, v_severities, v_texts, p_charset);
END
$$;
COMMENT ON FUNCTION radscheduler.answer(bytea, text, bigint, text, jsonb, jsonb, text) IS
    'The acknowledgement of a message by its number here: an error as ERR severity E, conflicts of an accepted booking as ERR severity W.';

CREATE FUNCTION radscheduler.log_message(p_context jsonb, p_bytes bytea, p_message bigint, p_result radscheduler.ingest_result,
                                         p_error jsonb, p_duplicate_of bigint, p_received timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_header jsonb := p_context -> 'header';
BEGIN
    -- An acknowledgement promises that the message is kept, whatever the session would rather have.
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    INSERT INTO radscheduler.hl7_message (site_id, message_id, received_at, channel, peer, raw, raw_sha256, sender_id, message_code, trigger_event, control_id,
                                          processing_id, version_id, message_time, outcome, code, warnings, error, ack, appointment_id, duplicate_of)
        VALUES ((p_context ->> 'site_id')::integer, p_message, p_received, p_context ->> 'channel', p_context ->> 'peer', p_bytes, sha256(p_bytes),
                (p_context ->> 'sender_id')::bigint, v_header ->> 'message_code', v_header ->> 'trigger_event', v_header ->> 'control_id',
                v_header ->> 'processing_id', v_header ->> 'version', radscheduler.to_instant(v_header ->> 'message_time', p_context ->> 'zone'),
                (p_result).outcome, (p_result).code, (p_result).warnings, p_error, (p_result).ack, (p_result).appointment_id, p_duplicate_of);
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
        VALUES ((p_context ->> 'site_id')::integer,
                CASE (p_result).outcome WHEN 'duplicate' THEN 'hl7.duplicate' WHEN 'error' THEN 'hl7.rejected' WHEN 'rejected' THEN 'hl7.rejected' ELSE 'hl7.processed' END,
                (p_result).appointment_id, p_message,
                jsonb_strip_nulls(jsonb_build_object('outcome', (p_result).outcome, 'code', (p_result).code, 'trigger_event', v_header ->> 'trigger_event',
                                                     'warnings', jsonb_array_length((p_result).warnings), 'error', p_error ->> 'code')));
    PERFORM radscheduler.audit((p_context ->> 'site_id')::integer, 'message.received', 'hl7_message', p_message,
        jsonb_build_object('channel', p_context ->> 'channel', 'outcome', (p_result).outcome, 'appointment_id', (p_result).appointment_id));
END
$$;
COMMENT ON FUNCTION radscheduler.log_message(jsonb, bytea, bigint, radscheduler.ingest_result, jsonb, bigint, timestamptz) IS
    'Keeps a received message with what became of it, and tells it in event_log and the audit log.';

CREATE FUNCTION radscheduler.message_context(p_header jsonb, p_channel text, p_peer text) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_sender record;
    v_site   record;
    v_zone   text;
    v_warnings jsonb := '[]';
BEGIN
    IF p_channel IS NULL OR p_channel !~ '^[a-z][a-z0-9_]{0,19}$' OR length(p_peer) > 100 THEN
        RAISE EXCEPTION 'the channel is a word such as mllp, http or sql, and the peer a network address' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Both are kept in logs: at most 20 and 100 characters.';
    END IF;
    SELECT * INTO v_sender FROM radscheduler.sender_of(coalesce(p_header ->> 'sending_application', ''), coalesce(p_header ->> 'sending_facility', ''));
    SELECT s.timezone, s.phone_region INTO v_site FROM radscheduler.site s WHERE s.site_id = v_sender.site_id;
    v_zone := coalesce(v_sender.profile ->> 'timezone', v_site.timezone, radscheduler.default_zone());
    IF v_sender.is_new THEN
        v_warnings := v_warnings || radscheduler.warning('SENDER_UNKNOWN', 'MSH-3');
    END IF;
    IF v_sender.profile ->> 'timezone' IS NULL AND v_site.timezone IS NULL THEN
        v_warnings := v_warnings || radscheduler.warning('ZONE_ASSUMED', 'MSH-7');
    END IF;
    RETURN jsonb_build_object('site_id', v_sender.site_id, 'sender_id', v_sender.sender_id, 'profile', v_sender.profile, 'zone', v_zone,
                              'region', v_site.phone_region, 'facility', coalesce(p_header ->> 'sending_facility', ''),
                              'trigger_event', p_header ->> 'trigger_event', 'sequence', p_header -> 'sequence_number',
                              'is_test', coalesce(p_header ->> 'processing_id', 'P') <> 'P', 'source', 'HL7',
                              'channel', p_channel, 'peer', p_peer, 'header', p_header, 'warnings', v_warnings);
END
$$;
COMMENT ON FUNCTION radscheduler.message_context(jsonb, text, text) IS
    'What a message is read in the light of: site, sender, profile, zone (sender, else site, else radscheduler.default_timezone), phone region.';

CREATE FUNCTION radscheduler.ingest_message(p_bytes bytea, p_channel text, p_peer text) RETURNS radscheduler.ingest_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_message  bigint := nextval('radscheduler.hl7_message_id_seq');
    v_received timestamptz := clock_timestamp();
    v_head     jsonb := radscheduler.hl7_header(p_bytes);
    v_header   jsonb := v_head -> 'header';
    v_context  jsonb := radscheduler.message_context(v_header, p_channel, p_peer);
    v_site     integer := (v_context ->> 'site_id')::integer;
    v_sender   bigint := (v_context ->> 'sender_id')::bigint;
    v_sha256   bytea := sha256(p_bytes);
    v_reading  jsonb;
    v_error    jsonb := v_head -> 'error';
    v_applied  record;
    v_key      record;
    v_first    record;
    v_at       timestamptz;
    r          radscheduler.ingest_result;
BEGIN
    r.message_id := v_message;
    r.code := 'AA';
    r.warnings := v_context -> 'warnings';
    r.conflicts := '[]';

    -- Can it be read, and is it for us?
    IF v_error IS NOT NULL THEN
        r.code := 'AR';
    ELSIF coalesce(v_header ->> 'control_id', '') = '' THEN
        r.code := 'AE';
        v_error := '{"code": "101", "path": "MSH-10", "text": "The message has no control id (MSH-10), so its acknowledgement could not be told from another. Send one."}';
    ELSIF coalesce(v_header ->> 'message_code', '') <> 'SIU' THEN
        r.code := 'AR';
        v_error := '{"code": "200", "path": "MSH-9.1", "text": "Only scheduling messages (SIU) are taken here. The message is kept."}';
    ELSIF NOT EXISTS (SELECT FROM radscheduler.event_rule e WHERE e.trigger_event = v_header ->> 'trigger_event') THEN
        r.code := 'AR';
        v_error := '{"code": "201", "path": "MSH-9.2", "text": "This trigger event is not taken here: send S12, S13, S14, S15, S16, S17 or S26. The message is kept."}';
    ELSE
        v_reading := radscheduler.siu_read(p_bytes, coalesce(v_context #>> '{profile,repair}', 'lenient') <> 'strict',
                                           coalesce(v_context #>> '{profile,start_source}', 'appointment'),
                                           coalesce(v_context #>> '{profile,charset}', ''));
        r.warnings := r.warnings || (v_reading -> 'warnings');
        v_error := v_reading -> 'error';
        IF v_error IS NOT NULL THEN
            r.code := 'AE';
        ELSIF v_reading -> 'warnings' @> '[{"code": "EXTRA_SEGMENT", "path": "MSH[2]"}]' THEN
            r.code := 'AR';
            v_error := '{"code": "100", "path": "MSH[2]", "text": "These bytes hold more than one message, and one acknowledgement cannot answer several. Send each message by itself. All bytes are kept."}';
        END IF;
    END IF;

    IF v_error IS NULL THEN
        -- Order key: the message's own time, unless its clock runs ahead or it has none.
        v_at := coalesce(radscheduler.to_instant(v_header ->> 'message_time', v_context ->> 'zone'), v_received);
        IF v_at > v_received + interval '5 minutes' THEN
            v_at := v_received;
            r.warnings := r.warnings || radscheduler.warning('CLOCK_SKEW', 'MSH-7');
        END IF;
        PERFORM radscheduler.lock_keys(ARRAY[
                    'appointment/' || v_sender || '/F/' || (v_reading #>> '{schedule,filler_id}'),
                    'appointment/' || v_sender || '/P/' || (v_reading #>> '{schedule,placer_id}')]
                    || radscheduler.patient_lock_names(v_site, v_reading -> 'patient'));

        -- The duplicate guard, before anything else is written.
        INSERT INTO radscheduler.message_key AS k (site_id, sender_id, control_id, body_sha256, message_id, received_at)
            VALUES (v_site, v_sender, v_header ->> 'control_id', v_sha256, v_message, v_received)
            ON CONFLICT DO NOTHING
            RETURNING EXISTS (SELECT FROM radscheduler.message_key o
                              WHERE o.site_id = k.site_id AND o.sender_id = k.sender_id AND o.control_id = k.control_id) AS is_reused
            INTO v_key;
        IF v_key.is_reused IS NULL THEN
            SELECT m.message_id, m.ack, m.code, m.appointment_id, m.warnings INTO v_first
                FROM radscheduler.message_key k
                JOIN radscheduler.hl7_message m ON m.site_id = k.site_id AND m.received_at = k.received_at AND m.message_id = k.message_id
                WHERE k.site_id = v_site AND k.sender_id = v_sender
                  AND k.control_id = v_header ->> 'control_id' AND k.body_sha256 = v_sha256;
            IF FOUND THEN
                r.outcome := 'duplicate';
                r.ack := v_first.ack;
                r.code := v_first.code;
                r.appointment_id := v_first.appointment_id;
                r.warnings := v_first.warnings;
                r.conflicts := radscheduler.conflicts_of(v_site, r.appointment_id);
                PERFORM radscheduler.log_message(v_context, p_bytes, v_message, r, NULL, v_first.message_id, v_received);
                RETURN r;
            END IF;
            -- The answer went with an old partition: the message is taken anew, and its state in the schedule decides.
            UPDATE radscheduler.message_key k SET message_id = v_message, received_at = v_received
                WHERE k.site_id = v_site AND k.sender_id = v_sender
                  AND k.control_id = v_header ->> 'control_id' AND k.body_sha256 = v_sha256;
        END IF;
        IF v_key.is_reused THEN
            r.warnings := r.warnings || radscheduler.warning('CONTROL_ID_REUSED', 'MSH-10');
        END IF;

        SELECT * INTO v_applied FROM radscheduler.apply_reading(v_context, v_reading, v_message, v_at);
        r.outcome := v_applied.outcome;
        r.code := v_applied.code;
        r.appointment_id := v_applied.appointment_id;
        r.warnings := r.warnings || v_applied.warnings;
        IF v_applied.error IS NOT NULL THEN
            -- What was found out on the way (a patient, a resource) is not kept for a message that was not applied.
            RAISE EXCEPTION 'the message was not applied' USING ERRCODE = 'RS003', DETAIL = jsonb_build_object('error', v_applied.error, 'warnings', r.warnings,
                'appointment_id', v_applied.appointment_id)::text;
        END IF;
        IF r.outcome = 'flagged' THEN
            r.conflicts := radscheduler.conflicts_of(v_site, r.appointment_id);
            IF v_context #>> '{profile,on_conflict}' = 'reject' AND r.conflicts @> '[{"severity": "critical"}]' THEN
                RAISE EXCEPTION 'the sender''s profile refuses bookings that conflict' USING ERRCODE = 'RS001', DETAIL = r.conflicts::text;
            END IF;
        END IF;
    END IF;

    IF v_error IS NOT NULL THEN
        r.outcome := CASE WHEN r.code = 'AR' THEN 'rejected' ELSE 'error' END;
        DELETE FROM radscheduler.message_key k
            WHERE k.site_id = v_site AND k.sender_id = v_sender
              AND k.control_id = v_header ->> 'control_id' AND k.body_sha256 = v_sha256;
    END IF;
    r.ack := radscheduler.answer(p_bytes, r.code, v_message, v_context ->> 'zone', v_error, r.conflicts, v_context #>> '{profile,charset}');
    PERFORM radscheduler.log_message(v_context, p_bytes, v_message, r, v_error, NULL, v_received);
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.ingest_message(bytea, text, text) IS
    'ingest() without its safety net: an unexpected error is raised.';

CREATE FUNCTION radscheduler.ingest(bytes bytea, channel text DEFAULT 'sql', peer text DEFAULT NULL) RETURNS radscheduler.ingest_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    v_state      text;
    v_constraint text;
    v_detail     text;
    v_conflict   jsonb;
    v_head       jsonb;
    v_context    jsonb;
    v_error      jsonb;
    r            radscheduler.ingest_result;
BEGIN
    IF bytes IS NULL THEN
        RAISE EXCEPTION 'ingest needs the bytes of a message, not NULL' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    BEGIN
        RETURN radscheduler.ingest_message(bytes, channel, peer);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_constraint = CONSTRAINT_NAME, v_detail = PG_EXCEPTION_DETAIL;
        IF left(v_state, 2) IN ('08', '40', '53', '55', '57', '58') OR v_state IN ('42501', '42P01') THEN
            RAISE;
        END IF;
    END;
    IF v_state = 'RS001' THEN
        SELECT c INTO v_conflict FROM jsonb_array_elements(v_detail::jsonb) c WHERE c ->> 'severity' = 'critical' LIMIT 1;
        v_error := jsonb_build_object('code', '207', 'path', CASE v_conflict ->> 'axis' WHEN 'patient' THEN 'PID-3' WHEN 'staff' THEN 'AIP-3' WHEN 'room' THEN 'AIL-3' ELSE 'AIG-3' END,
                                      'text', format('%s Appointment %s holds that time.', v_conflict ->> 'message', v_conflict #>> '{with,0,appointment_id}'));
    ELSIF v_state = 'RS003' THEN
        v_error := v_detail::jsonb -> 'error';
    ELSE
        v_error := jsonb_build_object('code', '207', 'path', '', 'text',
            format('The message could not be applied (SQLSTATE %s%s). It is kept and can be sent again once the cause is mended.', v_state,
                   coalesce(', constraint ' || nullif(v_constraint, ''), '')));
    END IF;
    v_head := radscheduler.hl7_header(bytes);
    v_context := radscheduler.message_context(v_head -> 'header', channel, peer);
    r.message_id := nextval('radscheduler.hl7_message_id_seq');
    r.code := 'AE';
    r.outcome := 'error';
    r.warnings := CASE WHEN v_state = 'RS003' THEN v_detail::jsonb -> 'warnings' ELSE v_context -> 'warnings' END;
    r.appointment_id := CASE WHEN v_state = 'RS003' THEN (v_detail::jsonb ->> 'appointment_id')::bigint END;
    r.conflicts := CASE WHEN v_state = 'RS001' THEN v_detail::jsonb ELSE '[]' END;
    r.ack := radscheduler.answer(bytes, r.code, r.message_id, v_context ->> 'zone', v_error, '[]', v_context #>> '{profile,charset}');
    PERFORM radscheduler.log_message(v_context, bytes, r.message_id, r, v_error, NULL, clock_timestamp());
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.ingest(bytea, text, text) IS
    'Takes the bytes of one HL7 v2 message as received: logs them, applies them and returns the acknowledgement to send, in the caller''s transaction. Bad messages are values (AE, AR), never errors; it raises only for what trying again may cure (SQLSTATE classes 08, 40, 53, 55, 57, 58) or for missing rights. channel: mllp, http, sql; peer: network address. Repeated bytes return the stored acknowledgement. A sender in enhanced mode (MSH-15, MSH-16) is answered CA, CE or CR where it asks for that, else AA, AE or AR; no bytes where it asks for nothing.';
