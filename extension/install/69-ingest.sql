-- A message's whole fate in one call and one transaction: logged, read, applied, checked, answered.
-- ingest() pins planner settings: every statement under it looks up a few rows by index; a plan made while the tables were empty and
-- never analysed must not become a scan of them that lasts as long as the session; planning each statement anew would cost more than
-- running it, and compiling it a thousand times more.

CREATE FUNCTION radscheduler.guard_items(p_items radscheduler.ingest_item[]) RETURNS radscheduler.ingest_item[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_items radscheduler.ingest_item[] := p_items;
    v_item  radscheduler.ingest_item;
    v_row   record;
    v_first record;
BEGIN
    FOR v_row IN
        WITH made AS (
            INSERT INTO radscheduler.message_key AS k (site_id, sender_id, control_id, body_sha256, message_id, received_at)
            SELECT i.site_id, i.sender_id, i.context #>> '{header,control_id}', i.raw_sha256, i.message_id, i.received_at FROM unnest(p_items) i
            ON CONFLICT DO NOTHING
            RETURNING k.message_id
        )
        SELECT i.ordinality AS place, m.message_id IS NULL AS is_known,
               EXISTS (SELECT FROM radscheduler.message_key o WHERE o.site_id = i.site_id AND o.sender_id = i.sender_id
                       AND o.control_id = i.context #>> '{header,control_id}' AND o.body_sha256 <> i.raw_sha256) AS is_reused
        FROM unnest(p_items) WITH ORDINALITY i LEFT JOIN made m ON m.message_id = i.message_id
    LOOP
        CONTINUE WHEN NOT v_row.is_known AND NOT v_row.is_reused;
        v_item := v_items[v_row.place];
        IF v_row.is_known THEN
            SELECT m.message_id, m.ack, m.code, m.appointment_id, m.warnings INTO v_first
                FROM radscheduler.message_key k
                JOIN radscheduler.hl7_message m ON m.site_id = k.site_id AND m.received_at = k.received_at AND m.message_id = k.message_id
                WHERE k.site_id = v_item.site_id AND k.sender_id = v_item.sender_id
                  AND k.control_id = v_item.context #>> '{header,control_id}' AND k.body_sha256 = v_item.raw_sha256;
            IF FOUND THEN
                v_item.outcome := 'duplicate';
                v_item.ack := v_first.ack;
                v_item.code := v_first.code;
                v_item.appointment_id := v_first.appointment_id;
                v_item.warnings := v_first.warnings;
                v_item.duplicate_of := v_first.message_id;
                v_item.conflicts := radscheduler.conflicts_of(v_item.site_id, v_item.appointment_id);
            ELSE
                -- The answer went with an old partition: the message is taken anew, and its state in the schedule decides.
                UPDATE radscheduler.message_key k SET message_id = v_item.message_id, received_at = v_item.received_at
                    WHERE k.site_id = v_item.site_id AND k.sender_id = v_item.sender_id
                      AND k.control_id = v_item.context #>> '{header,control_id}' AND k.body_sha256 = v_item.raw_sha256;
            END IF;
        END IF;
        IF v_row.is_reused AND v_item.duplicate_of IS NULL THEN
            v_item.warnings := v_item.warnings || radscheduler.warning('CONTROL_ID_REUSED', 'MSH-10');
        END IF;
        v_items[v_row.place] := v_item;
    END LOOP;
    RETURN v_items;
END
$$;
COMMENT ON FUNCTION radscheduler.guard_items(radscheduler.ingest_item[]) IS
    'The duplicate guard, before anything else is written: sender, control id and SHA-256 of the bytes. A message known already gets outcome duplicate and the stored answer. No two of the items may be the same message.';

CREATE FUNCTION radscheduler.refuse_conflict(p_item radscheduler.ingest_item) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_conflict record;
BEGIN
    SELECT c.axis, c.subject_id, c.code,
           format(radscheduler.conflict_text(c.site_id, c.code, c.subject_id, k.text), coalesce(r.name, radscheduler.rule_subject(c.site_id, c.code, c.appointment_id))) || CASE WHEN o.appointment_id IS NULL THEN ''
               ELSE format(' Appointment %s%s %s.', o.appointment_id,
                           CASE WHEN o.sender_id = p_item.sender_id THEN format(' (%s)', coalesce('SCH-2 ' || o.filler_id, 'SCH-1 ' || o.placer_id)) ELSE '' END,
                           CASE WHEN k.code IS NULL OR c.code IN ('PATIENT_TRAVEL', 'REPEAT_CONTRAST', 'PREP_CLASH', 'DUPLICATE_EXAM') THEN 'is too close' ELSE 'holds that time' END) END AS text
        INTO v_conflict
        FROM radscheduler.conflict c LEFT JOIN radscheduler.conflict_kind k ON k.code = c.code
        LEFT JOIN radscheduler.resource r ON c.axis = 'resource' AND r.site_id = c.site_id AND r.resource_id = c.subject_id
        LEFT JOIN radscheduler.appointment o ON o.site_id = c.site_id AND o.appointment_id = CASE c.appointment_id WHEN p_item.appointment_id THEN c.other_appointment_id ELSE c.appointment_id END
        WHERE c.site_id = p_item.site_id AND c.state = 'open' AND c.severity = 'critical'
          AND (c.appointment_id = p_item.appointment_id OR c.other_appointment_id = p_item.appointment_id)
        ORDER BY c.appointment_id = p_item.appointment_id DESC, radscheduler.is_rule(c.code) OR k.code IS NULL, c.conflict_id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the sender''s profile refuses bookings that conflict' USING ERRCODE = 'RS001', DETAIL = jsonb_build_object(
            'error', jsonb_build_object('code', '207', 'text', v_conflict.text, 'path', coalesce(
                (SELECT (e.item ->> 'path') || CASE WHEN e.item ->> 'path' LIKE '%-3%' THEN '' ELSE '-3' END
                 FROM jsonb_array_elements(p_item.reading -> 'resources') WITH ORDINALITY e(item, place)
                 WHERE v_conflict.axis = 'resource' AND p_item.resource_ids[e.place] = v_conflict.subject_id ORDER BY e.place LIMIT 1),
                CASE v_conflict.code WHEN 'PATIENT_DOUBLE_BOOKED' THEN 'PID-3' ELSE 'SCH-11' END)),
            'warnings', p_item.warnings, 'conflicts', radscheduler.conflicts_of(p_item.site_id, p_item.appointment_id))::text;
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.refuse_conflict(radscheduler.ingest_item) IS
    'For senders whose profile says on_conflict reject: raises RS001 when the appointment of a message that asks for time has a critical conflict, with the error to answer (at the AIx field that asked for the resource, at the patient, or at the time), warnings and conflicts as DETAIL.';

CREATE FUNCTION radscheduler.process_items(p_items radscheduler.ingest_item[]) RETURNS radscheduler.ingest_item[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_items   radscheduler.ingest_item[] := p_items;
    v_item    radscheduler.ingest_item;
    v_applied record;
BEGIN
    IF v_items[1].action = 'schedule' THEN
        v_items := radscheduler.apply_items(v_items);
    ELSIF v_items[1].action = 'request' THEN
        v_items[1] := radscheduler.apply_request(v_items[1]);
        IF v_items[1].error IS NOT NULL THEN
            RAISE EXCEPTION 'the request was refused' USING ERRCODE = 'RS003', DETAIL = jsonb_build_object('error', v_items[1].error, 'warnings', v_items[1].warnings,
                'appointment_id', v_items[1].appointment_id, 'conflicts', v_items[1].conflicts, 'reply', v_items[1].reply)::text;
        END IF;
    ELSE
        v_item := v_items[1];
        CASE v_item.action
            WHEN 'block' THEN SELECT * INTO v_applied FROM radscheduler.apply_block(v_item.context, v_item.reading, v_item.message_id, v_item.at);
            WHEN 'patient' THEN SELECT * INTO v_applied FROM radscheduler.apply_adt(v_item.context, v_item.reading, v_item.message_id, v_item.at);
            WHEN 'order' THEN SELECT * INTO v_applied FROM radscheduler.apply_order(v_item.context, v_item.reading, v_item.message_id, v_item.at);
        END CASE;
        v_item.code := v_applied.code;
        v_item.outcome := v_applied.outcome;
        v_item.error := v_applied.error;
        v_item.appointment_id := v_applied.appointment_id;
        v_item.warnings := v_item.warnings || v_applied.warnings;
        v_items[1] := v_item;
        IF v_item.error IS NOT NULL THEN
            -- What was found out on the way (a patient, a resource) is not kept for a message that was not applied.
            RAISE EXCEPTION 'the message was not applied' USING ERRCODE = 'RS003', DETAIL = jsonb_build_object('error', v_item.error, 'warnings', v_item.warnings,
                'appointment_id', v_item.appointment_id)::text;
        END IF;
    END IF;
    FOR k IN 1 .. cardinality(v_items) LOOP
        IF v_items[k].outcome = 'flagged' THEN
            IF v_items[k].context #>> '{profile,on_conflict}' = 'reject' AND v_items[k].asks_time THEN
                PERFORM radscheduler.refuse_conflict(v_items[k]);
            END IF;
            v_items[k].conflicts := radscheduler.conflicts_of(v_items[k].site_id, v_items[k].appointment_id);
        END IF;
    END LOOP;
    RETURN v_items;
END
$$;
COMMENT ON FUNCTION radscheduler.process_items(radscheduler.ingest_item[]) IS
    'Applies opened messages that may go together (see waves()), by the handler that their action names; nothing is logged here.';

CREATE FUNCTION radscheduler.waves(p_items radscheduler.ingest_item[]) RETURNS integer[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item   radscheduler.ingest_item;
    v_waves  integer[] := '{}';
    v_wave   integer := 1;
    v_before radscheduler.ingest_item;
    v_used   text[] := '{}';
    v_names  text[];
BEGIN
    FOREACH v_item IN ARRAY p_items LOOP
        v_names := ARRAY['K/' || v_item.sender_id || '/' || (v_item.context #>> '{header,control_id}') || '/' || encode(v_item.raw_sha256, 'hex'),
                         'F/' || v_item.sender_id || '/' || (v_item.reading #>> '{schedule,filler_id}'), 'P/' || v_item.sender_id || '/' || (v_item.reading #>> '{schedule,placer_id}')];
        IF cardinality(v_waves) > 0 AND (v_used && array_remove(v_names, NULL) OR v_item.site_id <> v_before.site_id
                                         OR v_item.outcome IS NULL AND (v_item.action <> 'schedule' OR v_before.action IS DISTINCT FROM 'schedule')) THEN
            v_wave := v_wave + 1;
            v_used := '{}';
        END IF;
        v_used := v_used || array_remove(v_names, NULL);
        v_waves := v_waves || v_wave;
        IF v_item.outcome IS NULL OR v_before IS NULL THEN
            v_before := v_item;
        END IF;
    END LOOP;
    RETURN v_waves;
END
$$;
COMMENT ON FUNCTION radscheduler.waves(radscheduler.ingest_item[]) IS
    'Numbers messages by the wave they are applied in, in their order: within a wave each is about an appointment of its own at one site; messages about blocks, patients and orders go alone.';

CREATE FUNCTION radscheduler.ingest_many(p_messages bytea[], p_channel text, p_peers text[]) RETURNS radscheduler.ingest_item[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_items radscheduler.ingest_item[] := '{}';
    v_done  radscheduler.ingest_item[] := '{}';
    v_wave  radscheduler.ingest_item[];
    v_apart radscheduler.ingest_item[];
    v_known radscheduler.ingest_item[];
    v_item  radscheduler.ingest_item;
    v_names text[];
    v_waves integer[];
    v_order integer[];
BEGIN
    IF cardinality(p_messages) > 1 THEN
        PERFORM radscheduler.lock_new_senders(p_messages);
    END IF;
    FOR k IN 1 .. cardinality(p_messages) LOOP
        v_item := radscheduler.open_message(p_messages[k], p_channel, p_peers[k], v_item.context);
        v_item.ordinal := k;
        v_items := v_items || v_item;
        IF v_item.outcome IS NULL THEN
            v_names := v_names || radscheduler.lock_names(v_item);
        END IF;
    END LOOP;
    PERFORM radscheduler.lock_keys(v_names);
    v_waves := CASE WHEN cardinality(v_items) = 1 THEN '{1}' ELSE radscheduler.waves(v_items) END;
    IF v_waves[cardinality(v_waves)] > 1 THEN
        PERFORM radscheduler.lock_ahead(v_items);
    END IF;
    FOR w IN 1 .. v_waves[cardinality(v_waves)] LOOP
        v_apart := '{}';
        v_wave := '{}';
        FOR k IN 1 .. cardinality(v_items) LOOP
            IF v_waves[k] = w AND v_items[k].outcome IS NULL THEN
                v_wave := v_wave || v_items[k];
            ELSIF v_waves[k] = w THEN
                v_apart := v_apart || v_items[k];
            END IF;
        END LOOP;
        IF cardinality(v_wave) > 0 THEN
            v_known := radscheduler.guard_items(v_wave);
            v_wave := '{}';
            FOREACH v_item IN ARRAY v_known LOOP
                IF v_item.outcome IS NULL THEN
                    v_wave := v_wave || v_item;
                ELSE
                    v_apart := v_apart || v_item;
                END IF;
            END LOOP;
        END IF;
        -- Within a wave messages are numbered by their place there; their places in the batch they have again afterwards.
        v_order := ARRAY(SELECT i.ordinal FROM unnest(v_apart || v_wave) WITH ORDINALITY i ORDER BY i.ordinality);
        IF cardinality(v_wave) > 0 THEN
            v_wave := radscheduler.process_items(v_wave);
        END IF;
        v_known := v_apart || v_wave;
        v_wave := '{}';
        FOREACH v_item IN ARRAY v_known LOOP
            v_item.ordinal := v_order[cardinality(v_wave) + 1];
            IF v_item.ack IS NULL THEN
                v_item.ack := radscheduler.answer(v_item.raw, v_item.code, v_item.message_id, v_item.context ->> 'zone', v_item.error,
                                                  v_item.conflicts, v_item.context #>> '{profile,charset}', v_item.warnings,
                                                  CASE WHEN v_item.action = 'request' THEN coalesce(v_item.reply, '[]') END);
            END IF;
            IF v_item.error IS NOT NULL THEN
                DELETE FROM radscheduler.message_key m WHERE m.site_id = v_item.site_id AND m.sender_id = v_item.sender_id AND m.message_id = v_item.message_id
                    AND m.control_id = v_item.context #>> '{header,control_id}' AND m.body_sha256 = v_item.raw_sha256;
            END IF;
            v_wave := v_wave || v_item;
        END LOOP;
        PERFORM radscheduler.log_items(v_wave);
        v_done := v_done || v_wave;
    END LOOP;
    RETURN v_done;
END
$$;
COMMENT ON FUNCTION radscheduler.ingest_many(bytea[], text, text[]) IS
    'ingest_batch() without its safety net: an unexpected error is raised. Items come back numbered by their place, not in order.';

CREATE FUNCTION radscheduler.is_passing(p_state text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN pg_catalog.left(p_state, 2) IN ('08', '40', '53', '55', '57', '58') OR p_state IN ('42501', '42P01');
COMMENT ON FUNCTION radscheduler.is_passing(text) IS
    'Whether an SQLSTATE tells of something that trying again, or a grant, may cure (classes 08, 40, 53, 55, 57, 58; 42501, 42P01): no message is answered AE for it.';

CREATE FUNCTION radscheduler.ingest_one(p_bytes bytea, p_channel text, p_peer text) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_state      text;
    v_constraint text;
    v_detail     text;
    v_items      radscheduler.ingest_item[];
    r            radscheduler.ingest_item;
BEGIN
    FOR v_attempt IN 1..10 LOOP
        BEGIN
            v_items := radscheduler.ingest_many(ARRAY[p_bytes], p_channel, ARRAY[p_peer]);
            RETURN v_items[1];
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_constraint = CONSTRAINT_NAME, v_detail = PG_EXCEPTION_DETAIL;
            IF radscheduler.is_passing(v_state) THEN
                RAISE;
            END IF;
        END;
        -- Somebody else was quicker (lock_keys_at_once()): the locks are let go, and it begins anew.
        EXIT WHEN v_state <> 'RS004';
    END LOOP;
    IF v_state = 'RS004' THEN
        RAISE EXCEPTION 'the records changed each time while the message waited for them' USING ERRCODE = 'serialization_failure', HINT = 'Send the message again.';
    END IF;
    r.message_id := nextval('radscheduler.hl7_message_id_seq');
    r.received_at := clock_timestamp();
    r.raw := p_bytes;
    r.raw_sha256 := sha256(p_bytes);
    r.context := radscheduler.message_context(radscheduler.hl7_header(p_bytes) -> 'header', p_channel, p_peer);
    r.site_id := (r.context ->> 'site_id')::integer;
    r.sender_id := (r.context ->> 'sender_id')::bigint;
    r.code := 'AE';
    r.outcome := 'error';
    r.warnings := r.context -> 'warnings';
    r.conflicts := '[]';
    IF v_state IN ('RS001', 'RS003') THEN
        r.error := v_detail::jsonb -> 'error';
        r.warnings := v_detail::jsonb -> 'warnings';
        r.conflicts := coalesce(v_detail::jsonb -> 'conflicts', '[]');
        r.appointment_id := (v_detail::jsonb ->> 'appointment_id')::bigint;
    ELSE
        r.error := jsonb_build_object('code', '207', 'path', '', 'text',
            format('The message could not be applied (SQLSTATE %s%s). It is kept and can be sent again once the cause is mended.', v_state,
                   coalesce(', constraint ' || nullif(v_constraint, ''), '')));
    END IF;
    r.ack := radscheduler.answer(p_bytes, r.code, r.message_id, r.context ->> 'zone', r.error, '[]', r.context #>> '{profile,charset}', '[]',
                                 CASE WHEN radscheduler.message_kind(r.context #>> '{header,message_code}', r.context ->> 'trigger_event') = 'request'
                                      THEN coalesce(CASE WHEN v_state = 'RS003' THEN nullif(v_detail::jsonb -> 'reply', 'null') END, '[]') END);
    PERFORM radscheduler.log_items(ARRAY[r]);
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.ingest_one(bytea, text, text) IS
    'One message with the safety net: what goes wrong inside is undone, the bytes are kept and answered AE. Raises only what is_passing().';

CREATE FUNCTION radscheduler.ingest(bytes bytea, channel text DEFAULT 'sql', peer text DEFAULT NULL) RETURNS radscheduler.ingest_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
BEGIN
    IF bytes IS NULL THEN
        RAISE EXCEPTION 'ingest needs the bytes of a message, not NULL' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    RETURN radscheduler.result_of(radscheduler.ingest_one(bytes, channel, peer));
END
$$;
COMMENT ON FUNCTION radscheduler.ingest(bytea, text, text) IS
    'Takes the bytes of one HL7 v2 message as received: logs them, applies them and returns the acknowledgement to send, in the caller''s transaction. Bad messages are values (AE, AR), never errors; it raises only for what trying again may cure (SQLSTATE classes 08, 40, 53, 55, 57, 58) or for missing rights. channel: mllp, http, sql; peer: network address. Repeated bytes return the stored acknowledgement. A sender in enhanced mode (MSH-15, MSH-16) is answered CA, CE or CR where it asks for that, else AA, AE or AR; no bytes where it asks for nothing.';

CREATE FUNCTION radscheduler.ingest_batch(messages bytea[], channel text, peers text[]) RETURNS SETOF radscheduler.ingest_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 50 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    v_items radscheduler.ingest_item[];
    v_state text;
BEGIN
    IF messages IS NULL OR array_position(messages, NULL) IS NOT NULL OR array_ndims(messages) > 1 THEN
        RAISE EXCEPTION 'ingest_batch needs a one-dimensional array of messages, none of them NULL' USING ERRCODE = 'null_value_not_allowed';
    ELSIF cardinality(messages) > 1000 THEN
        RAISE EXCEPTION 'a batch of % messages is too large', cardinality(messages)
            USING ERRCODE = 'program_limit_exceeded', HINT = 'Give at most 1000 messages at a time; 50 to 200 is where it is fastest.';
    ELSIF cardinality(messages) = 0 THEN
        RETURN;
    END IF;
    BEGIN
        v_items := radscheduler.ingest_many(messages, channel, peers);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE;
        IF radscheduler.is_passing(v_state) THEN
            RAISE;
        END IF;
        v_items := NULL;
    END;
    IF v_items IS NOT NULL THEN
        RETURN QUERY SELECT i.message_id, i.ack, i.code, i.outcome, i.appointment_id, i.warnings, i.conflicts FROM unnest(v_items) i ORDER BY i.ordinal;
    ELSE
        -- One of them failed: each goes alone, and only that one is answered AE. Their locks are taken together all the same.
        PERFORM radscheduler.lock_batch(messages, channel, NULL);
        FOR k IN 1 .. cardinality(messages) LOOP
            RETURN NEXT radscheduler.result_of(radscheduler.ingest_one(messages[k], channel, peers[k]));
        END LOOP;
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.ingest_batch(bytea[], text, text[]) IS
    'ingest_batch() of messages that came from several network addresses: the peers, one for each message.';

CREATE FUNCTION radscheduler.ingest_batch(messages bytea[], channel text DEFAULT 'sql', peer text DEFAULT NULL) RETURNS SETOF radscheduler.ingest_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 50 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
BEGIN
    RETURN QUERY SELECT r.* FROM radscheduler.ingest_batch(messages, channel, array_fill(peer, ARRAY[coalesce(cardinality(messages), 0)])) r;
END
$$;
COMMENT ON FUNCTION radscheduler.ingest_batch(bytea[], text, text) IS
    'ingest() of several messages in one transaction, in their order, with one statement per table for all of them: results come in that order. What becomes of each is what ingest() would make of it. At most 1000.';
