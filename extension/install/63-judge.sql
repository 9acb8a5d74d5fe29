-- What one message does to its appointment: event_rule by trigger event and present state, then what the status sent, the order of messages and
-- the sender's profile make of that. No row is read or written here: the same facts give the same judgement.

CREATE FUNCTION radscheduler.judge(p_item radscheduler.ingest_item, p_rule radscheduler.event_rule, p_sent radscheduler.appointment_status,
                                   p_old_status radscheduler.appointment_status, p_old_at timestamptz, p_old_sequence bigint,
                                   p_old_has_patient boolean, p_old_has_time boolean, p_ending jsonb DEFAULT NULL) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_known    CONSTANT boolean := p_rule.state <> 'unknown';
    c_schedule CONSTANT jsonb := p_item.reading -> 'schedule';
    c_key      CONSTANT text := CASE WHEN p_item.filler_id IS NULL AND p_item.placer_id IS NOT NULL THEN 'SCH-1' ELSE 'SCH-2' END;
    c_mapped   CONSTANT boolean := p_item.trigger_event <> p_item.context #>> '{header,trigger_event}';
    -- An event_map that names the event says what is meant by it.
    c_said     CONSTANT boolean := p_item.context #> ARRAY['profile', 'event_map', p_item.context #>> '{header,trigger_event}'] IS NOT NULL;
    v_newer    boolean := true;
    v_sent     radscheduler.appointment_status := p_sent;
    v_will     radscheduler.appointment_status;
    v_entry    jsonb;
    v_ending   jsonb;
    v_status   radscheduler.appointment_status;
    r          radscheduler.ingest_item := p_item;
BEGIN
    r.code := 'AA';
    r.action := p_rule.action;
    IF v_sent IS NULL AND jsonb_array_length(c_schedule -> 'status') > 0 THEN
        r.warnings := r.warnings || radscheduler.warning('STATUS_UNKNOWN', 'SCH-25');
    END IF;

    IF radscheduler.is_closed(v_sent) THEN
        r.entry := radscheduler.entry_of(p_item, v_sent, true);
    ELSIF p_item.trigger_event IN ('S15', 'S16', 'S17', 'S26') AND NOT (c_mapped AND p_item.trigger_event = 'S15' AND v_sent IS NOT NULL) THEN
        r.entry := radscheduler.entry_of(p_item, NULL, true);
    END IF;

    -- Between messages that closed it: what comes of all of them in the order of MSH-7.
    IF c_known AND p_ending IS NOT NULL THEN
        v_entry := coalesce(r.entry, radscheduler.entry_of(p_item, CASE WHEN length(c_schedule ->> 'starts_at') = 10 THEN 'WAITLISTED' ELSE coalesce(v_sent, 'SCHEDULED') END, false));
        IF NOT radscheduler.is_before_told(v_entry, p_ending)
           AND (r.entry IS NOT NULL OR p_item.trigger_event IN ('S12', 'S13', 'S14', 'S27') AND (c_schedule ->> 'starts_at' IS NOT NULL OR NOT p_old_has_patient AND p_item.reading ? 'patient')) THEN
            v_ending := radscheduler.ending_with(p_ending, v_entry);
            v_status := (radscheduler.ended(v_ending)).status;
            IF r.entry IS NULL AND v_ending IS NOT NULL
               OR radscheduler.ended(v_ending) IS DISTINCT FROM radscheduler.ended(p_ending) AND r.entry IS NOT NULL THEN
                r.action := CASE WHEN NOT radscheduler.is_closed(v_status) THEN 'revive'
                                 WHEN r.entry IS NULL OR NOT p_old_has_patient AND p_item.reading ? 'patient' THEN 'fill' ELSE 'close' END;
                r.status := v_status;
                r.entry := v_entry;
                RETURN r;
            END IF;
        END IF;
    END IF;

    -- Late, or saying nothing.
    IF c_known THEN
        IF (p_item.at, coalesce(p_item.sequence, 0)) < (p_old_at, coalesce(p_old_sequence, 0)) OR radscheduler.is_before_told(v_entry, p_ending) THEN
            IF radscheduler.is_closed(p_old_status) AND NOT p_old_has_patient AND p_item.reading ? 'patient' THEN
                r.action := 'fill';
                RETURN r;
            END IF;
            r.action := CASE WHEN p_rule.action = 'close' OR radscheduler.is_closed(v_sent) THEN 'late_close' ELSE 'late' END;
            r.outcome := 'stale';
            r.warnings := r.warnings || radscheduler.warning('STALE', 'MSH-7');
            RETURN r;
        END IF;
        v_newer := (p_item.at, coalesce(p_item.sequence, 0)) > (p_old_at, coalesce(p_old_sequence, 0)) OR p_old_at IS NULL;
        IF p_item.trigger_event = 'S14' AND NOT c_said AND v_sent IS NULL AND p_item.reading -> 'services' = '[]' AND p_item.reading -> 'resources' = '[]'
           AND NOT c_schedule ? 'starts_at' AND NOT c_schedule ? 'duration_minutes' THEN
            r.outcome := 'ignored';
            r.warnings := r.warnings || radscheduler.warning('S14_EMPTY_POSSIBLE_LEGACY_CANCEL', 'SCH');
            RETURN r;
        END IF;
    END IF;

    -- What SCH-25 makes of the event: an explicit status wins over the trigger.
    IF c_mapped AND p_item.trigger_event = 'S15' AND NOT radscheduler.is_closed(v_sent) THEN
        r.action := CASE WHEN c_known AND radscheduler.is_closed(p_old_status) THEN 'keep' WHEN c_known THEN 'update' ELSE 'create' END;
        r.warnings := r.warnings || radscheduler.warning('CANCEL_DISPUTED', 'SCH-25');
        r.review_reason := 'DISPUTED';
        v_sent := 'PENDING_REVIEW';
    ELSIF r.action = 'amend' AND v_sent <> p_old_status THEN
        IF v_newer AND NOT radscheduler.is_closed(v_sent) THEN
            r.action := 'revive';
            r.warnings := r.warnings || radscheduler.warning('REVIVED', 'SCH-25');
        ELSE
            v_sent := NULL;
            r.warnings := r.warnings || radscheduler.warning('CLOSED_APPOINTMENT', 'SCH-25');
        END IF;
    END IF;
    IF r.action IN ('create', 'renew', 'update', 'revive') AND radscheduler.is_closed(v_sent) THEN
        r.action := CASE r.action WHEN 'create' THEN 'tombstone' WHEN 'update' THEN 'close' ELSE 'keep' END;
    ELSIF r.action IN ('close', 'tombstone') AND NOT radscheduler.is_closed(v_sent) THEN
        r.warnings := r.warnings || radscheduler.warning('STATUS_DISAGREES', 'SCH-25');
        v_sent := NULL;
    END IF;
    r.status := CASE WHEN p_item.trigger_event = 'S17' AND r.action IN ('close', 'tombstone') THEN 'DELETED' ELSE coalesce(v_sent, p_rule.default_status) END;
    IF r.action = 'close' AND r.status = 'NO_SHOW' AND p_old_status IN ('ARRIVED', 'IN_PROGRESS')
       AND NOT (v_newer AND coalesce((p_item.context #>> '{profile,no_show_after_arrival}')::boolean, false)) THEN
        r.action := 'keep';
        r.warnings := r.warnings || radscheduler.warning('NO_SHOW_AFTER_ARRIVAL', 'SCH-25');
    ELSIF r.action = 'update' AND r.review_reason IS NULL AND radscheduler.status_rank(r.status) < radscheduler.status_rank(p_old_status) AND NOT (v_newer AND v_sent IS NOT NULL) THEN
        IF v_sent IS NOT NULL THEN
            r.warnings := r.warnings || radscheduler.warning('STATUS_BACKWARD', 'SCH-25');
        END IF;
        r.status := NULL;
    END IF;

    IF r.action = 'keep' THEN
        r.outcome := 'ignored';
    ELSIF r.action = 'refuse' THEN
        IF p_item.context #>> '{profile,unknown_resource_change}' = 'ignore' THEN
            r.outcome := 'ignored';
            r.warnings := r.warnings || radscheduler.warning('UNKNOWN_APPOINTMENT', 'SCH-2');
        ELSE
            r.error := jsonb_build_object('code', '204', 'path', c_key, 'text', 'This change of resources is about an appointment that is not known here. Send the booking (S12) first.');
        END IF;
    ELSIF r.action = 'amend' THEN
        -- What is over is over: notes, people and orders may be mended, time and exams may not.
        r.reading := r.reading || jsonb_build_object('schedule', c_schedule - '{starts_at,ends_at,duration_minutes}'::text[], 'services', '[]'::jsonb, 'resources', '[]'::jsonb);
    ELSIF r.action IN ('create', 'update', 'revive', 'renew') THEN
        v_will := coalesce(r.status, p_old_status);
        IF NOT (coalesce(p_item.reading #> '{patient,identifiers,0}', 'null') <> 'null' OR p_old_has_patient AND r.action <> 'renew')
           OR NOT (c_schedule ->> 'starts_at' IS NOT NULL OR p_old_has_time AND r.action <> 'renew' OR v_will IN ('PENDING', 'WAITLISTED')) THEN
            r.error := CASE
                WHEN p_item.trigger_event IN ('S14', 'S18', 'S19') AND NOT c_known THEN jsonb_build_object('code', '204', 'path', c_key, 'text',
                    'This modification is about an appointment that is not known here and does not carry enough to create it (patient and start). Send the booking (S12) first.')
                WHEN NOT (coalesce(p_item.reading #> '{patient,identifiers,0}', 'null') <> 'null' OR p_old_has_patient AND r.action <> 'renew') THEN
                    jsonb_build_object('code', '101', 'path', 'PID-3', 'text', 'An appointment needs a patient identifier in PID-3. Send at least one.')
                ELSE jsonb_build_object('code', '101', 'path', 'SCH-11.4', 'text',
                    'No start time was found in TQ1-7, SCH-11.4 or any AIS, AIL, AIG or AIP. Send one of them.') END;
        END IF;
    END IF;
    IF r.error IS NOT NULL THEN
        r.code := 'AE';
        r.outcome := 'error';
    ELSIF p_rule.warning IS NOT NULL AND r.review_reason IS NULL THEN
        r.warnings := r.warnings || radscheduler.warning(p_rule.warning, 'SCH');
    END IF;
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.judge(radscheduler.ingest_item, radscheduler.event_rule, radscheduler.appointment_status, radscheduler.appointment_status,
                                       timestamptz, bigint, boolean, boolean, jsonb) IS
    'Decides what a message does: sets action (event_rule''s, or fill, late, late_close), status (NULL keeps the present one), entry, warnings, and for a message that ends here its outcome and error. Facts of the present appointment: status, order key of its last message, whether it has a patient and a time, and its ending.';
