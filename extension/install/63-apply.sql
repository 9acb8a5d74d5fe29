-- One reading applied to the schedule: found, judged by event_rule, written, placed, settled, told. HL7 and the API's JSON both end here.
-- Locks in the order of 42-locks.sql: the caller has taken the names; this takes the subjects, then the rows.

CREATE FUNCTION radscheduler.find_appointment(p_site integer, p_sender bigint, p_filler text, p_placer text) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_id bigint;
BEGIN
    IF p_filler IS NOT NULL THEN
        SELECT a.appointment_id INTO v_id FROM radscheduler.appointment a
            WHERE a.site_id = p_site AND a.sender_id = p_sender AND a.filler_id = p_filler ORDER BY a.generation DESC LIMIT 1;
    END IF;
    IF v_id IS NULL AND p_placer IS NOT NULL THEN
        SELECT a.appointment_id INTO v_id FROM radscheduler.appointment a
            WHERE a.site_id = p_site AND a.sender_id = p_sender AND a.placer_id = p_placer
              AND (p_filler IS NULL OR a.filler_id IS NULL) ORDER BY a.generation DESC LIMIT 1;
    END IF;
    RETURN v_id;
END
$$;
COMMENT ON FUNCTION radscheduler.find_appointment(integer, bigint, text, text) IS
    'Latest generation of the appointment a sender means: by filler id (SCH-2), else by placer id (SCH-1); NULL when there is none.';

CREATE FUNCTION radscheduler.apply_reading(p_context jsonb, p_reading jsonb, p_message bigint, p_at timestamptz,
        OUT outcome text, OUT code text, OUT error jsonb, OUT appointment_id bigint, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    c_site      CONSTANT integer := (p_context ->> 'site_id')::integer;
    c_sender    CONSTANT bigint := (p_context ->> 'sender_id')::bigint;
    c_zone      CONSTANT text := p_context ->> 'zone';
    c_trigger   CONSTANT text := p_context ->> 'trigger_event';
    c_sequence  CONSTANT bigint := (p_context ->> 'sequence')::bigint;
    v_schedule  jsonb := p_reading -> 'schedule';
    v_filler    text := v_schedule ->> 'filler_id' || coalesce('^' || nullif(v_schedule ->> 'filler_namespace', ''), '');
    v_placer    text := v_schedule ->> 'placer_id' || coalesce('^' || nullif(v_schedule ->> 'placer_namespace', ''), '');
    v_id        bigint;
    v_old       radscheduler.appointment;
    v_new       radscheduler.appointment;
    v_rule      record;
    v_action    text;
    v_sent      radscheduler.appointment_status;
    v_status    radscheduler.appointment_status;
    v_resources bigint[];
    v_held      bigint[];
    v_patient   bigint;
    v_more      jsonb;
    v_shift     interval;
    v_worst     radscheduler.severity;
    v_is_new    boolean;
    v_has_services boolean := jsonb_array_length(p_reading -> 'services') > 0;
    v_segments  text[];
BEGIN
    warnings := '[]';
    code := 'AA';
    outcome := 'applied';

    -- What it is about and what its event does to it.
    v_id := radscheduler.find_appointment(c_site, c_sender, v_filler, v_placer);
    SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = v_id;
    apply_reading.appointment_id := v_id;
    SELECT * INTO v_rule FROM radscheduler.event_rule r
        WHERE r.trigger_event = c_trigger
          AND r.state = CASE WHEN v_id IS NULL THEN 'unknown' WHEN radscheduler.is_closed(v_old.status) THEN v_old.status::text ELSE 'active' END;
    v_action := v_rule.action;
    v_sent := radscheduler.status_of(v_schedule -> 'status');
    IF v_sent IS NULL AND jsonb_array_length(v_schedule -> 'status') > 0 THEN
        warnings := warnings || radscheduler.warning('STATUS_UNKNOWN', 'SCH-25');
    END IF;

    IF v_id IS NOT NULL AND (p_at, coalesce(c_sequence, 0)) < (v_old.message_time, coalesce(v_old.message_sequence, 0)) THEN
        IF NOT (radscheduler.is_closed(v_old.status) AND v_old.patient_id IS NULL AND p_reading ? 'patient') THEN
            outcome := 'stale';
            warnings := warnings || radscheduler.warning('STALE', 'MSH-7');
            RETURN;
        END IF;
        v_action := 'fill';
    ELSIF c_trigger = 'S14' AND v_sent IS NULL AND NOT v_has_services AND jsonb_array_length(p_reading -> 'resources') = 0
          AND NOT v_schedule ? 'starts_at' AND NOT v_schedule ? 'duration_minutes' AND v_id IS NOT NULL THEN
        outcome := 'ignored';
        warnings := warnings || radscheduler.warning('S14_EMPTY_POSSIBLE_LEGACY_CANCEL', 'SCH');
        RETURN;
    ELSE
        IF v_action = 'amend' AND v_sent <> v_old.status THEN
            IF v_old.status <> 'COMPLETED' AND p_at > v_old.message_time AND NOT radscheduler.is_closed(v_sent) THEN
                v_action := 'revive';
            ELSE
                v_sent := NULL;
                warnings := warnings || radscheduler.warning('CLOSED_APPOINTMENT', 'SCH-25');
            END IF;
        END IF;
        IF v_action IN ('create', 'renew') AND radscheduler.is_closed(v_sent) THEN
            v_action := CASE WHEN v_id IS NULL THEN 'tombstone' ELSE 'keep' END;
        ELSIF v_action IN ('update', 'revive') AND radscheduler.is_closed(v_sent) THEN
            v_action := CASE WHEN v_action = 'update' THEN 'close' ELSE 'keep' END;
        ELSIF v_action IN ('close', 'tombstone') AND NOT radscheduler.is_closed(v_sent) THEN
            warnings := warnings || radscheduler.warning('STATUS_DISAGREES', 'SCH-25');
            v_sent := NULL;
        END IF;
        v_status := CASE WHEN c_trigger = 'S17' AND v_action IN ('close', 'tombstone') THEN 'DELETED'
                         ELSE coalesce(v_sent, v_rule.default_status) END;
    END IF;
    IF v_rule.warning IS NOT NULL AND v_action <> 'fill' THEN
        warnings := warnings || radscheduler.warning(v_rule.warning, 'SCH');
    END IF;
    IF v_action = 'keep' THEN
        outcome := 'ignored';
        RETURN;
    END IF;

    IF v_action = 'amend' THEN
        -- What is over is over: notes, people and orders may be mended, time and exams may not.
        v_schedule := v_schedule - ARRAY['starts_at', 'ends_at', 'duration_minutes'];
        v_has_services := false;
        p_reading := p_reading || jsonb_build_object('schedule', v_schedule, 'services', '[]'::jsonb, 'resources', '[]'::jsonb);
    END IF;

    -- Who and what. A closing needs neither.
    IF v_action <> 'close' THEN
        IF p_reading ? 'patient' THEN
            SELECT p.patient_id, p.warnings INTO v_patient, v_more
                FROM radscheduler.resolve_patient(c_site, p_reading -> 'patient', p_context ->> 'facility', p_context ->> 'region') p;
            warnings := warnings || v_more;
        END IF;
        IF jsonb_array_length(p_reading -> 'resources') > 0 THEN
            SELECT r.resource_ids, r.warnings INTO v_resources, v_more FROM radscheduler.resolve_resources(c_site, p_reading) r;
            warnings := warnings || v_more;
            SELECT array_agg(DISTINCT item ->> 'segment') INTO v_segments FROM jsonb_array_elements(p_reading -> 'resources') item;
        END IF;
        IF v_action = 'update' AND c_trigger = 'S12' AND v_patient <> v_old.patient_id THEN
            v_action := 'renew';
            v_status := 'PENDING_REVIEW';
            warnings := warnings || radscheduler.warning('ID_REUSED', 'SCH-2');
        END IF;
    END IF;
    v_is_new := v_id IS NULL OR v_action = 'renew';
    IF v_id IS NOT NULL AND v_action <> 'renew' THEN
        SELECT array_agg(ar.resource_id) INTO v_held FROM radscheduler.appointment_resource ar WHERE ar.site_id = c_site AND ar.appointment_id = v_id;
    END IF;
    PERFORM radscheduler.lock_subjects(c_site, v_resources || v_held, ARRAY[v_patient, v_old.patient_id]);
    IF v_id IS NOT NULL THEN
        SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = v_id FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the appointment was removed while the message waited for it' USING ERRCODE = 'serialization_failure', HINT = 'Send the message again.';
        END IF;
    END IF;
    IF NOT v_is_new THEN
        v_new := v_old;
        v_new.version := v_old.version + 1;
        IF v_old.review_reason = 'CONFLICT' AND v_old.status = 'PENDING_REVIEW' THEN
            v_new.status := v_old.resume_status;
            v_new.review_reason := NULL;
            v_new.resume_status := NULL;
        END IF;
    ELSE
        v_new.site_id := c_site;
        v_new.sender_id := c_sender;
        v_new.generation := CASE WHEN v_action = 'renew' THEN v_old.generation + 1 ELSE 1 END;
        v_new.source := p_context ->> 'source';
        v_new.is_test := (p_context ->> 'is_test')::boolean;
        v_new.reschedule_count := 0;
        v_new.version := 1;
        v_new.urgency := 'routine';
        v_new.created_at := now();
        IF v_action = 'renew' AND v_status = 'PENDING_REVIEW' THEN
            v_new.review_reason := 'ID_REUSED';
        END IF;
    END IF;
    v_new.updated_at := now();
    v_new.message_id := p_message;
    IF v_action <> 'fill' THEN
        v_new.status := coalesce(v_status, v_new.status);
        v_new.message_time := p_at;
        v_new.message_sequence := c_sequence;
        IF NOT v_is_new AND v_old.review_reason = 'ID_REUSED' AND v_old.status = 'PENDING_REVIEW' AND v_new.status IN ('SCHEDULED', 'CONFIRMED') THEN
            v_new.status := 'PENDING_REVIEW'; -- a person decides that, not the next message
        END IF;
    END IF;
    IF v_new.status <> 'PENDING_REVIEW' THEN
        v_new.review_reason := NULL;
    END IF;

    -- Closing: the rest of the time goes back.
    IF v_action = 'close' THEN
        v_new.event_reason := coalesce(v_schedule #>> '{event_reason,text}', v_schedule #>> '{event_reason,code}', v_old.event_reason);
        UPDATE radscheduler.appointment a SET status = v_new.status, review_reason = NULL, resume_status = NULL, event_reason = v_new.event_reason,
               version = v_new.version, message_id = p_message, message_time = p_at, message_sequence = c_sequence, updated_at = now()
            WHERE a.site_id = c_site AND a.appointment_id = v_id;
        PERFORM radscheduler.vacate(c_site, v_id, CASE WHEN v_new.status IN ('COMPLETED', 'DISCONTINUED', 'NO_SHOW') THEN p_at END);
        PERFORM radscheduler.settle(c_site, v_id, v_held, ARRAY[v_old.patient_id], p_message);
        PERFORM radscheduler.record_version(c_site, v_id, radscheduler.event_name(v_old.status, v_new.status, false), p_message);
        RETURN;
    END IF;

    -- Fields: sent overwrites, the HL7 null clears, not sent keeps.
    v_new.filler_id := coalesce(v_filler, v_new.filler_id);
    v_new.placer_id := coalesce(v_placer, v_new.placer_id);
    v_new.patient_id := coalesce(v_patient, v_new.patient_id);
    v_new.notes := CASE WHEN v_schedule ? 'notes' THEN v_schedule ->> 'notes' ELSE v_new.notes END;
    v_new.reason := CASE WHEN v_schedule ? 'reason' THEN coalesce(v_schedule #>> '{reason,text}', v_schedule #>> '{reason,code}') ELSE v_new.reason END;
    v_new.event_reason := CASE WHEN v_schedule ? 'event_reason' THEN coalesce(v_schedule #>> '{event_reason,text}', v_schedule #>> '{event_reason,code}') ELSE v_new.event_reason END;
    v_new.urgency := CASE WHEN v_schedule ? 'priority' THEN radscheduler.urgency_of(v_schedule ->> 'priority') ELSE v_new.urgency END;
    v_new.referring_physician := CASE WHEN p_reading -> 'visit' ? 'referring' THEN p_reading #>> '{visit,referring}' ELSE v_new.referring_physician END;
    v_new.visit_number := coalesce(p_reading #>> '{visit,visit_number}', v_new.visit_number);
    IF v_schedule ? 'placer_orders' THEN
        v_new.placer_orders := ARRAY(SELECT jsonb_array_elements_text(v_schedule -> 'placer_orders'));
    END IF;
    IF v_schedule ? 'filler_orders' THEN
        v_new.filler_orders := ARRAY(SELECT jsonb_array_elements_text(v_schedule -> 'filler_orders'));
    END IF;
    IF v_has_services THEN
        SELECT item ->> 'code' INTO v_new.study_code FROM jsonb_array_elements(p_reading -> 'services') item LIMIT 1;
        SELECT string_agg(coalesce(item ->> 'text', item ->> 'alt_text', item ->> 'code'), ' + ' ORDER BY place) INTO v_new.study_text
            FROM jsonb_array_elements(p_reading -> 'services') WITH ORDINALITY s(item, place);
    END IF;
    v_new.study_text := coalesce(v_new.study_text, v_schedule #>> '{reason,text}', v_schedule #>> '{reason,code}', v_schedule #>> '{type,text}');
    IF v_has_services OR v_resources IS NOT NULL OR v_new.modality IS NULL THEN
        v_new.modality := coalesce(radscheduler.modality_of(c_site, p_reading, v_resources), nullif(v_new.modality, 'OT'), 'OT');
        IF v_new.modality = 'OT' THEN
            warnings := warnings || radscheduler.warning('MODALITY_UNKNOWN', 'AIS-3');
        END IF;
    END IF;

    -- Time.
    IF v_schedule ->> 'starts_at' IS NOT NULL THEN
        IF length(v_schedule ->> 'starts_at') = 10 THEN
            warnings := warnings || radscheduler.warning('DATE_ONLY', 'SCH-11.4');
            v_new.status := CASE WHEN radscheduler.is_closed(v_new.status) THEN v_new.status ELSE 'WAITLISTED' END;
            v_new.starts_at := NULL;
            v_new.ends_at := NULL;
        ELSE
            v_more := radscheduler.warning(radscheduler.clock_doubt(v_schedule ->> 'starts_at', c_zone), 'SCH-11.4');
            warnings := warnings || coalesce(v_more, '[]');
            v_new.starts_at := radscheduler.to_instant(v_schedule ->> 'starts_at', c_zone);
            v_new.ends_at := radscheduler.to_instant(v_schedule ->> 'ends_at', c_zone);
            IF v_new.ends_at IS NULL OR v_new.ends_at <= v_new.starts_at THEN
                v_new.ends_at := v_new.starts_at + coalesce(make_interval(mins => nullif(greatest((v_schedule ->> 'duration_minutes')::integer, 0), 0)),
                                                            v_old.ends_at - v_old.starts_at);
                IF v_new.ends_at IS NULL THEN
                    v_new.ends_at := v_new.starts_at + make_interval(mins => radscheduler.duration_of(c_site, p_reading, v_new.modality));
                    warnings := warnings || radscheduler.warning('DURATION_ASSUMED', 'SCH-9');
                END IF;
            END IF;
        END IF;
    ELSIF v_new.starts_at IS NOT NULL AND (v_schedule ->> 'duration_minutes')::integer > 0 THEN
        v_new.ends_at := v_new.starts_at + make_interval(mins => (v_schedule ->> 'duration_minutes')::integer);
    END IF;
    IF NOT radscheduler.is_closed(v_new.status) THEN
        IF v_new.patient_id IS NULL OR v_new.starts_at IS NULL AND v_new.status NOT IN ('PENDING', 'WAITLISTED') THEN
            code := 'AE';
            outcome := 'error';
            error := CASE
                WHEN c_trigger = 'S14' AND v_id IS NULL THEN jsonb_build_object('code', '204', 'path', 'SCH-2', 'text',
                    'This modification is about an appointment that is not known here and does not carry enough to create it (patient and start). Send the booking (S12) first.')
                WHEN v_new.patient_id IS NULL THEN jsonb_build_object('code', '101', 'path', 'PID-3', 'text',
                    'An appointment needs a patient identifier in PID-3. Send at least one.')
                ELSE jsonb_build_object('code', '101', 'path', 'SCH-11.4', 'text',
                    'No start time was found in TQ1-7, SCH-11.4 or any AIS, AIL, AIG or AIP. Send one of them.') END;
            RETURN;
        END IF;
    END IF;
    IF NOT v_is_new AND v_old.starts_at IS NOT NULL AND v_new.starts_at <> v_old.starts_at THEN
        v_shift := v_new.starts_at - v_old.starts_at;
        v_new.reschedule_count := v_old.reschedule_count + 1;
        v_new.original_starts_at := coalesce(v_old.original_starts_at, v_old.starts_at);
    END IF;

    -- Rows.
    IF v_is_new THEN
        INSERT INTO radscheduler.appointment AS a (site_id, sender_id, filler_id, placer_id, generation, patient_id, status, review_reason, starts_at, ends_at,
                modality, study_code, study_text, referring_physician, urgency, notes, reason, event_reason, visit_number, placer_orders, filler_orders,
                source, is_test, message_time, message_sequence, message_id)
            VALUES (c_site, c_sender, v_new.filler_id, v_new.placer_id, v_new.generation, v_new.patient_id, v_new.status, v_new.review_reason, v_new.starts_at, v_new.ends_at,
                v_new.modality, v_new.study_code, v_new.study_text, v_new.referring_physician, v_new.urgency, v_new.notes, v_new.reason, v_new.event_reason,
                v_new.visit_number, v_new.placer_orders, v_new.filler_orders, v_new.source, v_new.is_test, v_new.message_time, v_new.message_sequence, p_message)
            RETURNING a.appointment_id INTO v_id;
    ELSE
        UPDATE radscheduler.appointment a SET filler_id = v_new.filler_id, placer_id = v_new.placer_id, patient_id = v_new.patient_id, status = v_new.status,
                review_reason = v_new.review_reason, resume_status = v_new.resume_status, starts_at = v_new.starts_at, ends_at = v_new.ends_at, modality = v_new.modality,
                study_code = v_new.study_code, study_text = v_new.study_text, referring_physician = v_new.referring_physician, urgency = v_new.urgency,
                notes = v_new.notes, reason = v_new.reason, event_reason = v_new.event_reason, visit_number = v_new.visit_number,
                placer_orders = v_new.placer_orders, filler_orders = v_new.filler_orders, reschedule_count = v_new.reschedule_count,
                original_starts_at = v_new.original_starts_at, version = v_new.version, message_time = v_new.message_time,
                message_sequence = v_new.message_sequence, message_id = p_message, updated_at = v_new.updated_at
            WHERE a.site_id = c_site AND a.appointment_id = v_id;
        DELETE FROM radscheduler.appointment_service s WHERE v_has_services AND s.site_id = c_site AND s.appointment_id = v_id;
        DELETE FROM radscheduler.appointment_resource r WHERE r.site_id = c_site AND r.appointment_id = v_id AND r.segment = ANY (v_segments);
        PERFORM radscheduler.shift_rows(c_site, v_id, v_shift, v_old.ends_at, v_new.ends_at);
    END IF;
    apply_reading.appointment_id := v_id;
    IF v_has_services THEN
        PERFORM radscheduler.write_services(c_site, v_id, p_reading, c_zone, v_new.starts_at, v_new.ends_at);
    END IF;
    IF v_resources IS NOT NULL THEN
        PERFORM radscheduler.write_resources(c_site, v_id, p_reading, v_resources, c_zone, v_new.starts_at, v_new.ends_at);
    END IF;
    IF v_new.starts_at IS NOT NULL THEN
        warnings := warnings || radscheduler.distrusted_times(p_reading, c_zone, v_new.starts_at, v_new.ends_at);
    END IF;

    -- Time taken, conflicts found or healed, review opened, all of it told.
    PERFORM radscheduler.occupy(c_site, v_id, v_is_new);
    v_worst := radscheduler.settle(c_site, v_id, v_resources || v_held, ARRAY[v_new.patient_id, v_old.patient_id], p_message);
    IF v_worst = 'critical' AND v_new.status IN ('SCHEDULED', 'CONFIRMED') THEN
        UPDATE radscheduler.appointment a SET status = 'PENDING_REVIEW', review_reason = 'CONFLICT', resume_status = v_new.status
            WHERE a.site_id = c_site AND a.appointment_id = v_id;
    END IF;
    IF v_worst IS NOT NULL THEN
        outcome := 'flagged';
    END IF;
    PERFORM radscheduler.record_version(c_site, v_id,
        radscheduler.event_name(CASE WHEN NOT v_is_new THEN v_old.status END, v_new.status, v_shift IS NOT NULL), p_message);
END
$$;
COMMENT ON FUNCTION radscheduler.apply_reading(jsonb, jsonb, bigint, timestamptz) IS
    'Applies a reading (siu_parse shape) to the schedule. context: {site_id, sender_id, zone, region, facility, trigger_event, sequence, source, is_test}; p_at orders it against other messages of the same appointment. Returns outcome, MSA-1, error {code, path, text}, appointment and warnings. Call it under lock_keys() on the appointment''s and the patient''s names.';
