-- Readings applied to the schedule, many at a time, each about an appointment of its own: found, judged, resolved, written, placed, settled, told.
-- One statement per table for all of them. HL7, the API's JSON and batches end here. Locks in the order of 42-locks.sql: the caller has
-- taken the names; this takes the subjects, then the rows.

CREATE FUNCTION radscheduler.apply_items(p_items radscheduler.ingest_item[]) RETURNS radscheduler.ingest_item[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_items     radscheduler.ingest_item[] := radscheduler.match_items(p_items);
    v_item      radscheduler.ingest_item;
    v_olds      radscheduler.appointment[];
    v_old       radscheduler.appointment;
    v_new       radscheduler.appointment;
    v_modality  text;
    v_resources bigint[];
    v_patients  bigint[];
    v_pooled    boolean[];
    v_pools     text[];
    v_row       record;
    v_study     record;
    v_schedule  jsonb;
    v_visit     jsonb;
    v_closes    bigint[] := '{}';
    v_inserts   radscheduler.appointment[] := '{}';
    v_updates   radscheduler.appointment[] := '{}';
    v_known     bigint[] := '{}';
    v_snapshots radscheduler.ingest_item[] := '{}';
    v_cleared   radscheduler.ingest_item[] := '{}';
    v_acting    radscheduler.ingest_item[] := '{}';
    v_late      radscheduler.ingest_item[] := '{}';
    v_live      radscheduler.ingest_item[] := '{}';
    v_placed    bigint[] := '{}';
    v_changed   bigint[] := '{}';
    v_moved     bigint[];
    v_heard     record;
    v_tells     boolean := false;
    v_events    text[] := '{}';
    v_messages  bigint[] := '{}';
    v_ordinals  integer[] := '{}';
    v_told      jsonb[];
    v_shift     interval;
    v_claims    boolean;
    v_ending    jsonb;
    c_site      CONSTANT integer := (p_items[1]).site_id;
BEGIN
    FOREACH v_item IN ARRAY v_items LOOP
        v_patients := v_patients || v_item.patient_id;
        IF v_item.best IS NOT NULL THEN
            v_live := v_live || v_item;
        END IF;
        v_resources := v_resources || v_item.resource_ids;
        v_tells := v_tells OR v_item.reading ? 'facts';
        IF v_item.is_heeded THEN
            v_late := v_late || v_item;
        END IF;
        IF v_item.appointment_id IS NOT NULL AND (v_item.outcome IS NULL OR v_item.outcome = 'stale' OR v_item.entry IS NOT NULL) THEN
            v_known := v_known || v_item.appointment_id;
        END IF;
    END LOOP;
    -- The rows as they are once nobody else is at work on them.
    IF v_known <> '{}' THEN
        v_resources := v_resources || ARRAY(SELECT ar.resource_id FROM radscheduler.appointment_resource ar WHERE ar.site_id = c_site AND ar.appointment_id = ANY (v_known));
        v_patients := v_patients || ARRAY(SELECT a.patient_id FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = ANY (v_known));
    END IF;
    v_pooled := radscheduler.name_no_place(v_items);
    IF true = ANY (v_pooled) OR v_known <> '{}' AND EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = ANY (v_known) AND a.is_pooled) THEN
        FOR k IN 1 .. cardinality(v_items) LOOP
            v_item := v_items[k];
            -- One that is known and keeps its scanner is in no pool; those that stand in one are found by pool_scanners().
            IF v_pooled[k] AND v_item.outcome IS NULL AND v_item.action <> 'close'
               AND (v_item.appointment_id IS NULL OR v_item.resource_ids IS NOT NULL OR v_item.action = 'renew'
                    OR EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = v_item.appointment_id AND a.is_pooled)) THEN
                v_pools := v_pools || radscheduler.modality_of(c_site, v_item.reading, v_item.resource_ids);
            END IF;
        END LOOP;
        v_resources := v_resources || radscheduler.pool_scanners(c_site, v_pools, v_known);
    END IF;
    PERFORM radscheduler.lock_subjects(c_site, v_resources, v_patients);
    IF cardinality(v_late) > 0 AND cardinality(v_items) > 1 THEN
        PERFORM radscheduler.lock_settling(c_site, true); -- each late one settles by itself
    END IF;
    IF v_known <> '{}' THEN
        FOR v_old IN SELECT * FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = ANY (v_known) ORDER BY a.appointment_id FOR UPDATE LOOP
            FOR k IN 1 .. cardinality(v_items) LOOP
                IF v_items[k].appointment_id = v_old.appointment_id THEN
                    v_olds[k] := v_old;
                    v_known := array_remove(v_known, v_old.appointment_id);
                END IF;
            END LOOP;
        END LOOP;
        IF v_known <> '{}' THEN
            RAISE EXCEPTION 'the appointment was removed while the message waited for it' USING ERRCODE = 'serialization_failure', HINT = 'Send the message again.';
        END IF;
    END IF;
    -- A patient's row only when he is locked: two messages can know him by different identifiers. One who is new here is known to nobody else yet.
    IF v_live <> '{}' THEN
        FOR v_row IN SELECT * FROM radscheduler.resolve_patients(v_live) LOOP
            v_item := v_items[v_row.ordinal];
            v_item.patient_id := v_row.patient_id;
            v_item.patient_event := v_row.event;
            v_item.best := NULL;
            v_item.warnings := v_item.warnings || v_row.warnings;
            v_items[v_row.ordinal] := v_item;
        END LOOP;
    END IF;

    -- What is told about patients, before their bookings are judged.
    IF v_tells THEN
        v_heard := radscheduler.keep_facts(v_items);
        v_items := v_heard.items;
        v_moved := v_heard.bookings;
    END IF;

    -- The new rows.
    v_known := '{}';
    FOR k IN 1 .. cardinality(v_items) LOOP
        v_item := v_items[k];
        v_old := v_olds[k];
        v_ending := v_old.ending;
        IF v_item.entry IS NOT NULL AND v_old.appointment_id IS NOT NULL THEN
            v_ending := coalesce(v_ending, radscheduler.told_of(coalesce(v_old.message_time, v_old.updated_at), v_old.message_sequence,
                CASE v_old.review_reason WHEN 'CONFLICT' THEN v_old.resume_status ELSE v_old.status END, v_old.event_reason));
            IF v_item.outcome IN ('stale', 'ignored') AND NOT radscheduler.is_before_told(v_item.entry, v_ending) THEN
                -- It closes nothing now, but may when other messages have come.
                UPDATE radscheduler.appointment a SET ending = radscheduler.ending_with(v_ending, v_item.entry)
                    WHERE a.site_id = c_site AND a.appointment_id = v_old.appointment_id;
            END IF;
        END IF;
        CONTINUE WHEN v_item.outcome IS NOT NULL;
        v_schedule := v_item.reading -> 'schedule';
        v_shift := NULL;
        IF v_item.appointment_id IS NOT NULL AND v_item.action <> 'renew' THEN
            v_new := v_old;
            v_new.version := v_old.version + 1;
            IF v_old.review_reason = 'CONFLICT' AND v_old.status = 'PENDING_REVIEW' THEN
                v_new.status := v_old.resume_status;
                v_new.review_reason := NULL;
            END IF;
            v_new.resume_status := NULL;
        ELSE
            v_new := NULL;
            v_new.site_id := c_site;
            v_new.appointment_id := nextval('radscheduler.appointment_appointment_id_seq');
            v_new.sender_id := v_item.sender_id;
            v_new.generation := CASE WHEN v_item.action = 'renew' THEN v_old.generation + 1 ELSE 1 END;
            v_new.source := v_item.context ->> 'source';
            v_new.is_test := (v_item.context ->> 'is_test')::boolean;
            v_new.reschedule_count := 0;
            v_new.version := 1;
            v_new.urgency := 'routine';
            v_new.created_at := now();
            v_new.is_overbook := false;
            v_new.is_pooled := false;
            v_new.moved_at := CASE WHEN v_item.action = 'renew' THEN coalesce(radscheduler.said_otherwise(v_old.ending, v_item, true), v_old.message_time) END;
        END IF;
        v_new.updated_at := now();
        v_new.message_id := v_item.message_id;
        v_new.booked_at := least(v_new.booked_at, v_item.at);
        v_new.holds_time := coalesce((v_item.context #>> '{profile,pending_occupies}')::boolean, false);
        v_new.status := coalesce(v_item.status, v_new.status);
        IF v_item.action NOT IN ('close', 'fill') OR (v_item.at, coalesce(v_item.sequence, 0)) >= (v_old.message_time, coalesce(v_old.message_sequence, 0)) IS NOT FALSE THEN
            v_new.message_time := v_item.at;
            v_new.message_sequence := v_item.sequence;
        END IF;
        IF v_item.action <> 'fill' THEN
            IF v_item.review_reason IS NOT NULL THEN
                v_new.review_reason := v_item.review_reason;
            ELSIF v_old.status = 'PENDING_REVIEW' AND v_old.review_reason = 'ID_REUSED' AND v_item.action <> 'renew' AND v_new.status IN ('SCHEDULED', 'CONFIRMED') THEN
                v_new.status := 'PENDING_REVIEW'; -- a person decides that, not the next message
            END IF;
        END IF;
        IF v_new.status <> 'PENDING_REVIEW' THEN
            v_new.review_reason := NULL;
        END IF;
        IF v_item.entry IS NOT NULL THEN
            v_new.ending := radscheduler.ending_with(v_ending, v_item.entry);
        ELSIF v_new.ending IS NOT NULL AND v_item.action <> 'amend' THEN
            v_new.ending := radscheduler.ending_with(v_ending, radscheduler.entry_of(v_item, v_new.status, false));
        END IF;
        IF v_item.action = 'close' THEN
            v_new.event_reason := (radscheduler.ended(v_new.ending)).reason;
            IF radscheduler.is_closed(v_old.status) THEN
                v_placed := v_placed || v_new.appointment_id;
                v_known := v_known || v_new.appointment_id;
            ELSE
                v_closes := v_closes || v_new.appointment_id;
            END IF;
            v_updates := v_updates || v_new;
            v_changed := v_changed || v_new.appointment_id;
            v_messages := v_messages || v_item.message_id;
            v_events := v_events || radscheduler.event_name(v_old.status, v_new.status, false);
            v_ordinals := v_ordinals || k;
            v_items[k].outcome := 'applied';
            CONTINUE;
        END IF;

        -- Fields: sent overwrites, the HL7 null clears, not sent keeps.
        v_new.filler_id := coalesce(v_item.filler_id, v_new.filler_id);
        v_new.placer_id := coalesce(v_item.placer_id, v_new.placer_id);
        v_new.patient_id := coalesce(v_item.patient_id, v_new.patient_id);
        v_new.is_overbook := coalesce(v_item.is_overbook, v_new.is_overbook);
        v_study := radscheduler.study_of(v_item.reading, v_new.study_code, v_new.study_text);
        v_new.study_code := v_study.code;
        v_new.study_text := v_study.text;
        v_visit := v_item.reading -> 'visit';
        IF v_visit IS NOT NULL THEN
            v_new.referring_physician := CASE WHEN v_visit ? 'referring' THEN v_visit ->> 'referring' ELSE v_new.referring_physician END;
            v_new.patient_class := coalesce(v_visit ->> 'patient_class', v_new.patient_class);
            v_new.visit_number := coalesce(v_visit ->> 'visit_number', v_new.visit_number);
        END IF;
        IF v_schedule ? 'priority' THEN
            v_new.urgency := radscheduler.urgency_of(v_schedule ->> 'priority');
        END IF;
        -- Most messages send none of these.
        IF v_schedule ?| '{notes,reason,event_reason,visit_group,parent_filler_id,parent_placer_id,placer_orders,filler_orders}' THEN
            v_new.notes := CASE WHEN v_schedule ? 'notes' THEN v_schedule ->> 'notes' ELSE v_new.notes END;
            v_new.reason := CASE WHEN v_schedule ? 'reason' THEN coalesce(v_schedule #>> '{reason,text}', v_schedule #>> '{reason,code}') ELSE v_new.reason END;
            v_new.event_reason := CASE WHEN v_schedule ? 'event_reason' THEN coalesce(v_schedule #>> '{event_reason,text}', v_schedule #>> '{event_reason,code}') ELSE v_new.event_reason END;
            v_new.visit_group := CASE WHEN v_schedule ? 'visit_group' THEN v_schedule ->> 'visit_group' ELSE v_new.visit_group END;
            v_new.parent_filler_id := coalesce(v_schedule ->> 'parent_filler_id', v_new.parent_filler_id);
            v_new.parent_placer_id := coalesce(v_schedule ->> 'parent_placer_id', v_new.parent_placer_id);
            IF v_schedule ? 'placer_orders' THEN
                v_new.placer_orders := ARRAY(SELECT jsonb_array_elements_text(v_schedule -> 'placer_orders'));
            END IF;
            IF v_schedule ? 'filler_orders' THEN
                v_new.filler_orders := ARRAY(SELECT jsonb_array_elements_text(v_schedule -> 'filler_orders'));
            END IF;
        END IF;
        IF num_nonnulls(v_new.placer_orders, v_new.filler_orders) > 0 THEN
            SELECT * INTO v_row FROM radscheduler.said_by_orders(c_site, v_new.patient_id, v_new.placer_orders, v_new.filler_orders);
            v_new.accession := coalesce(v_new.accession, v_row.accession);
            v_new.modality := coalesce(nullif(v_new.modality, 'OT'), v_row.modality, v_new.modality);
            IF NOT coalesce(v_item.reading -> 'visit' ? 'referring', false) THEN
                v_new.referring_physician := coalesce(v_new.referring_physician, v_row.ordered_by);
            END IF;
        END IF;
        IF v_new.ending IS NOT NULL AND v_item.entry IS NOT NULL THEN
            v_new.event_reason := (radscheduler.ended(v_new.ending)).reason;
        END IF;
        IF v_item.reading -> 'services' <> '[]' OR v_item.resource_ids IS NOT NULL OR v_new.modality IS NULL THEN
            v_modality := radscheduler.modality_of(c_site, v_item.reading, v_item.resource_ids);
            v_new.modality := coalesce(v_modality, nullif(v_new.modality, 'OT'), 'OT');
            IF v_modality IS NULL AND v_new.modality = 'OT' THEN
                v_item.warnings := v_item.warnings || radscheduler.warning('MODALITY_UNKNOWN', 'AIS-3');
            END IF;
        END IF;

        -- Time.
        IF length(v_schedule ->> 'starts_at') = 10 THEN
            v_item.warnings := v_item.warnings || radscheduler.warning('DATE_ONLY', 'SCH-11.4');
            v_new.status := CASE WHEN radscheduler.is_closed(v_new.status) OR v_new.status = 'PENDING' THEN v_new.status ELSE 'WAITLISTED' END;
            v_new.review_reason := NULL;
            v_new.starts_at := NULL;
            v_new.ends_at := NULL;
        ELSIF v_schedule ->> 'starts_at' IS NOT NULL THEN
            v_row := radscheduler.schedule_span(v_schedule, v_item.context ->> 'zone');
            v_new.starts_at := v_row.starts_at;
            v_new.ends_at := coalesce(v_row.ends_at, v_row.starts_at + CASE WHEN v_item.action <> 'renew' THEN v_old.ends_at - v_old.starts_at END);
            v_new.time_fault := CASE WHEN v_row.doubt = 'TIME_IN_DST_GAP' THEN 'gap'
                WHEN v_item.warnings @? '$[*] ? (@.code == "END_NOT_AFTER_START" && (@.path starts with "SCH" || @.path starts with "TQ1"))' THEN 'end'
                WHEN v_item.warnings @? '$[*] ? (@.code == "DURATION_IMPLAUSIBLE" && (@.path starts with "SCH" || @.path starts with "TQ1"))' THEN 'length' END;
            IF v_row.doubt IS NOT NULL THEN
                v_item.warnings := v_item.warnings || radscheduler.warning(v_row.doubt, 'SCH-11.4');
            END IF;
            IF v_new.ends_at IS NULL THEN
                v_new.ends_at := v_new.starts_at + make_interval(mins => radscheduler.duration_of(c_site, v_item.reading, v_new.modality));
                v_item.warnings := v_item.warnings || radscheduler.warning('DURATION_ASSUMED', 'SCH-9');
            END IF;
        ELSIF v_new.starts_at IS NOT NULL AND (v_schedule ->> 'duration_minutes')::integer > 0 THEN
            v_new.ends_at := v_new.starts_at + make_interval(mins => (v_schedule ->> 'duration_minutes')::integer);
        END IF;

        -- Since when it claims this time, and whether it moved.
        IF v_item.appointment_id IS NULL OR v_item.action = 'renew' THEN
            v_item.asks_time := true;
            v_new.is_pooled := v_pooled[k] AND v_new.starts_at IS NOT NULL AND radscheduler.takes_time(v_new.status, v_new.holds_time);
            v_inserts := v_inserts || v_new;
            v_events := v_events || radscheduler.event_name(NULL, v_new.status, false);
        ELSE
            v_claims := v_item.action <> 'amend' AND ((v_new.starts_at, v_new.ends_at) IS DISTINCT FROM (v_old.starts_at, v_old.ends_at)
                                                      OR radscheduler.other_resources(c_site, v_old.appointment_id, v_item));
            v_item.asks_time := v_claims OR radscheduler.is_closed(v_old.status);
            IF v_old.ending IS NOT NULL AND v_item.action <> 'amend' THEN
                v_new.moved_at := greatest(v_old.moved_at, radscheduler.said_otherwise(v_old.ending, v_item, v_claims));
            ELSIF (v_claims OR radscheduler.is_closed(v_old.status)) AND v_item.action NOT IN ('fill', 'amend') THEN
                v_new.moved_at := coalesce(v_old.message_time, v_old.updated_at);
            END IF;
            v_shift := nullif(v_new.starts_at - v_old.starts_at, interval '0');
            IF v_shift IS NOT NULL THEN
                v_new.reschedule_count := v_old.reschedule_count + 1;
                v_new.original_starts_at := coalesce(v_old.original_starts_at, v_old.starts_at);
            END IF;
            v_updates := v_updates || v_new;
            PERFORM radscheduler.shift_rows(c_site, v_new.appointment_id, v_shift, v_old.ends_at, v_new.ends_at);
            v_known := CASE v_item.action WHEN 'amend' THEN v_known ELSE v_known || v_new.appointment_id END;
            v_events := v_events || radscheduler.event_name(v_old.status, v_new.status, v_shift IS NOT NULL);
        END IF;
        v_item.appointment_id := v_new.appointment_id;
        v_item.outcome := 'applied';
        v_items[k] := v_item;
        v_changed := v_changed || v_new.appointment_id;
        v_messages := v_messages || v_item.message_id;
        v_ordinals := v_ordinals || k;
        CONTINUE WHEN v_item.action = 'amend'; -- its time and its parts stay what they are
        v_placed := v_placed || v_new.appointment_id;
        IF v_new.appointment_id <> ALL (v_known) THEN
            v_snapshots := v_snapshots || v_item;
        ELSIF radscheduler.part_mode(v_item) = 'action' THEN
            v_acting := v_acting || v_item;
        ELSE
            v_snapshots := v_snapshots || v_item;
            v_cleared := v_cleared || v_item;
        END IF;
    END LOOP;

    -- Rows.
    IF v_updates <> '{}' THEN
        UPDATE radscheduler.appointment a SET filler_id = n.filler_id, placer_id = n.placer_id, patient_id = n.patient_id, status = n.status,
               review_reason = n.review_reason, resume_status = n.resume_status, starts_at = n.starts_at, ends_at = n.ends_at, modality = n.modality,
               study_code = n.study_code, study_text = n.study_text, referring_physician = n.referring_physician, urgency = n.urgency,
               notes = n.notes, reason = n.reason, event_reason = n.event_reason, visit_number = n.visit_number, visit_group = n.visit_group,
               patient_class = n.patient_class, is_overbook = n.is_overbook, time_fault = n.time_fault,
               parent_filler_id = n.parent_filler_id, parent_placer_id = n.parent_placer_id, holds_time = n.holds_time,
               placer_orders = n.placer_orders, filler_orders = n.filler_orders, accession = n.accession, reschedule_count = n.reschedule_count,
               original_starts_at = n.original_starts_at, booked_at = n.booked_at, moved_at = n.moved_at, ending = n.ending, version = n.version,
               message_time = n.message_time, message_sequence = n.message_sequence, message_id = n.message_id, updated_at = n.updated_at
            FROM unnest(v_updates) n WHERE a.site_id = c_site AND a.appointment_id = ANY (v_changed) AND a.appointment_id = n.appointment_id;
    END IF;
    IF v_inserts <> '{}' THEN
        INSERT INTO radscheduler.appointment SELECT * FROM unnest(v_inserts);
    END IF;
    IF v_cleared <> '{}' THEN
        PERFORM radscheduler.clear_parts(v_cleared);
    END IF;
    IF v_snapshots <> '{}' THEN
        PERFORM radscheduler.write_parts(v_snapshots);
    END IF;
    FOREACH v_item IN ARRAY v_acting LOOP
        v_items[v_item.ordinal].warnings := v_items[v_item.ordinal].warnings || radscheduler.act_on_parts(v_item);
    END LOOP;

    -- Time given back and taken, conflicts found or healed, all of it told.
    FOR k IN 1 .. cardinality(v_closes) LOOP
        SELECT v_moved || radscheduler.vacate(c_site, a.appointment_id, CASE WHEN a.status IN ('COMPLETED', 'DISCONTINUED', 'NO_SHOW') THEN (radscheduler.ended(a.ending)).at END) INTO v_moved
            FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = v_closes[k];
    END LOOP;
    IF v_placed <> '{}' THEN
        v_moved := v_moved || radscheduler.occupy(c_site, v_placed, v_known);
    END IF;
    IF v_changed <> '{}' THEN
        v_placed := radscheduler.settle(c_site, v_changed, v_moved, v_messages);
        v_told := radscheduler.write_history(c_site, v_changed, v_events, v_messages);
        FOR k IN 1 .. cardinality(v_changed) LOOP
            v_item := v_items[v_ordinals[k]];
            v_item.event := v_events[k];
            v_item.event_data := v_told[k];
            IF v_item.outcome = 'applied' AND v_item.appointment_id = ANY (v_placed) THEN
                v_item.outcome := 'flagged';
            END IF;
            v_items[v_ordinals[k]] := v_item;
        END LOOP;
    ELSIF v_moved <> '{}' THEN
        PERFORM radscheduler.settle(c_site, '{}', v_moved);
    END IF;
    FOREACH v_item IN ARRAY v_late LOOP
        PERFORM radscheduler.heed_late(v_item);
    END LOOP;
    RETURN v_items;
END
$$;
COMMENT ON FUNCTION radscheduler.apply_items(radscheduler.ingest_item[]) IS
    'Applies readings to the schedule of one site, each about an appointment of its own, and returns them with appointment, code, outcome, error and warnings, and with what log_items() tells of appointment and patient. Call it under lock_keys() on the names of appointments and patients.';

CREATE FUNCTION radscheduler.apply_reading(p_context jsonb, p_reading jsonb, p_message bigint, p_at timestamptz) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    r radscheduler.ingest_item;
BEGIN
    r.ordinal := 1;
    r.context := p_context;
    r.site_id := (p_context ->> 'site_id')::integer;
    r.sender_id := (p_context ->> 'sender_id')::bigint;
    r.message_id := p_message;
    r.reading := p_reading;
    r.trigger_event := p_context ->> 'trigger_event';
    r.at := p_at;
    r.sequence := (p_context ->> 'sequence')::bigint;
    r.filler_id := radscheduler.appointment_key(p_reading -> 'schedule', 'filler');
    r.placer_id := radscheduler.appointment_key(p_reading -> 'schedule', 'placer');
    r.warnings := '[]';
    RETURN (radscheduler.apply_items(ARRAY[r]))[1];
END
$$;
COMMENT ON FUNCTION radscheduler.apply_reading(jsonb, jsonb, bigint, timestamptz) IS
    'apply_items() of one reading (siu_parse shape) in a context (see message_context()); p_at orders it against other messages of the same appointment.';
