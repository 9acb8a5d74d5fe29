-- Readings applied to the schedule, many at a time, each about an appointment of its own: found, judged, resolved, written, placed, settled, told.
-- One statement per table for all of them. HL7, the API's JSON and batches end here. Locks in the order of 42-locks.sql: the caller has
-- taken the names; this takes the subjects, then the rows.

CREATE FUNCTION radscheduler.appointment_key(p_schedule jsonb, p_kind text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN p_schedule ->> (p_kind || '_id') || coalesce('^' || nullif(p_schedule ->> (p_kind || '_namespace'), ''), '')
           || CASE WHEN p_schedule ? 'occurrence' AND (p_schedule ? 'parent_filler_id' OR p_schedule ? 'parent_placer_id') THEN '#' || (p_schedule ->> 'occurrence') ELSE '' END;
END
$$;
COMMENT ON FUNCTION radscheduler.appointment_key(jsonb, text) IS
    'A sender''s key of an appointment, kind filler or placer: SCH-2.1 or SCH-1.1, namespace after a caret, and in a series (SCH-23, SCH-24) the occurrence number (SCH-3) after a #.';

CREATE FUNCTION radscheduler.study_of(p_reading jsonb, p_old_code text, p_old_text text, OUT code text, OUT text text) RETURNS record
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    SELECT (array_agg(coalesce(item ->> 'code', item ->> 'alt_code') ORDER BY place))[1],
           string_agg(coalesce(item ->> 'text', item ->> 'alt_text', item ->> 'code', item ->> 'alt_code'), ' + ' ORDER BY place)
        INTO study_of.code, study_of.text FROM jsonb_array_elements(p_reading -> 'services') WITH ORDINALITY s(item, place) WHERE NOT item ? 'is_out';
    IF study_of.text IS NULL THEN
        study_of.code := coalesce(p_old_code, CASE WHEN p_old_text IS NULL THEN p_reading #>> '{schedule,reason,code}' END);
        study_of.text := coalesce(p_old_text, p_reading #>> '{schedule,reason,text}', p_reading #>> '{schedule,reason,code}', p_reading #>> '{schedule,type,text}');
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.study_of(jsonb, text, text) IS
    'Exam of a reading: the code of its first service and the texts of all joined with " + ", those that are taken out apart; else what was there before, else reason (SCH-7) or type (SCH-8).';

CREATE FUNCTION radscheduler.apply_items(p_items radscheduler.ingest_item[]) RETURNS radscheduler.ingest_item[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_items     radscheduler.ingest_item[] := p_items;
    v_item      radscheduler.ingest_item;
    v_olds      radscheduler.appointment[];
    v_old       radscheduler.appointment;
    v_new       radscheduler.appointment;
    v_rules     radscheduler.event_rule[];
    v_sents     radscheduler.appointment_status[];
    v_overbooks boolean[];
    v_modalities text[];
    v_row       record;
    v_schedule  jsonb;
    v_live      radscheduler.ingest_item[] := '{}';
    v_held      jsonb := '{}';
    v_closes    bigint[] := '{}';
    v_inserts   radscheduler.appointment[] := '{}';
    v_updates   radscheduler.appointment[] := '{}';
    v_known     bigint[] := '{}';
    v_snapshots radscheduler.ingest_item[] := '{}';
    v_cleared   radscheduler.ingest_item[] := '{}';
    v_acting    radscheduler.ingest_item[] := '{}';
    v_late      radscheduler.ingest_item[] := '{}';
    v_placed    bigint[] := '{}';
    v_changed   bigint[] := '{}';
    v_moved     bigint[];
    v_events    text[] := '{}';
    v_messages  bigint[] := '{}';
    v_shift     interval;
    v_claims    boolean;
    c_site      CONSTANT integer := (p_items[1]).site_id;
BEGIN
    -- What each is about and what its event does to it.
    SELECT array_agg(f.a ORDER BY i.ordinality), array_agg(r ORDER BY i.ordinality), array_agg(s.status ORDER BY i.ordinality), array_agg(s.is_overbook ORDER BY i.ordinality)
        INTO v_olds, v_rules, v_sents, v_overbooks
        FROM unnest(p_items) WITH ORDINALITY i
        LEFT JOIN LATERAL (
            SELECT u.a FROM (
                (SELECT a, 1 AS preference, a.generation FROM radscheduler.appointment a
                 WHERE a.site_id = i.site_id AND a.sender_id = i.sender_id AND a.filler_id = i.filler_id ORDER BY a.generation DESC LIMIT 1)
                UNION ALL
                (SELECT a, 2, a.generation FROM radscheduler.appointment a
                 WHERE a.site_id = i.site_id AND a.sender_id = i.sender_id AND a.placer_id = i.placer_id AND (i.filler_id IS NULL OR a.filler_id IS NULL)
                 ORDER BY a.generation DESC LIMIT 1)) u ORDER BY u.preference LIMIT 1) f ON true
        LEFT JOIN radscheduler.event_rule r ON r.trigger_event = i.trigger_event
             AND r.state = CASE WHEN (f.a).appointment_id IS NULL THEN 'unknown' WHEN radscheduler.is_closed((f.a).status) THEN (f.a).status::text ELSE 'active' END
        LEFT JOIN LATERAL (
            SELECT (array_agg(s.status ORDER BY w.place))[1] AS status, bool_or(s.alias = 'OVERBOOK') AS is_overbook
            FROM jsonb_array_elements_text(i.reading #> '{schedule,status}') WITH ORDINALITY w(word, place)
            JOIN radscheduler.status_alias s ON s.alias = regexp_replace(upper(w.word), '[^A-Z0-9]', '', 'g')) s ON true;
    FOR k IN 1 .. cardinality(v_items) LOOP
        v_old := v_olds[k];
        v_item := v_items[k];
        v_item.appointment_id := v_old.appointment_id;
        v_item := radscheduler.judge(v_item, v_rules[k], v_sents[k], v_old.status, v_old.message_time, v_old.message_sequence, v_old.patient_id IS NOT NULL, v_old.starts_at IS NOT NULL);
        v_items[k] := v_item;
        IF v_item.outcome IS NULL AND v_item.action <> 'close' THEN
            v_item.ordinal := k;
            v_live := v_live || v_item;
        ELSIF v_item.action IN ('late', 'late_close') AND v_item.outcome = 'stale' AND NOT radscheduler.is_closed(v_old.status) THEN
            v_late := v_late || v_item;
        END IF;
    END LOOP;

    -- Who and what. A closing needs neither.
    FOR v_row IN SELECT * FROM radscheduler.resolve_patients(v_live) LOOP
        v_items[v_row.ordinal].patient_id := v_row.patient_id;
        v_items[v_row.ordinal].warnings := v_items[v_row.ordinal].warnings || v_row.warnings;
    END LOOP;
    FOR v_row IN SELECT * FROM radscheduler.resolve_resources(v_live) LOOP
        v_items[v_row.ordinal].resource_ids := v_row.resource_ids;
        v_items[v_row.ordinal].warnings := v_items[v_row.ordinal].warnings || v_row.warnings;
    END LOOP;
    FOR k IN 1 .. cardinality(v_items) LOOP
        IF v_items[k].action = 'update' AND v_items[k].outcome IS NULL AND v_items[k].trigger_event = 'S12' AND v_items[k].patient_id <> v_olds[k].patient_id THEN
            v_items[k].action := 'renew';
            v_items[k].status := 'PENDING_REVIEW';
            v_items[k].review_reason := 'ID_REUSED';
            v_items[k].warnings := v_items[k].warnings || radscheduler.warning('ID_REUSED', 'SCH-2');
        END IF;
    END LOOP;
    -- The rows as they are once nobody else is at work on them.
    v_known := ARRAY(SELECT i.appointment_id FROM unnest(v_items) i WHERE i.appointment_id IS NOT NULL AND (i.outcome IS NULL OR i.outcome = 'stale'));
    IF v_known <> '{}' THEN
        SELECT coalesce(jsonb_object_agg(q.appointment_id, q.ids), '{}') INTO v_held
            FROM (SELECT ar.appointment_id, jsonb_agg(ar.resource_id ORDER BY ar.resource_id) AS ids FROM radscheduler.appointment_resource ar
                  WHERE ar.site_id = c_site AND ar.appointment_id = ANY (v_known) GROUP BY ar.appointment_id) q;
    END IF;
    PERFORM radscheduler.lock_subjects(c_site,
        ARRAY(SELECT unnest(i.resource_ids) FROM unnest(v_items) i) || ARRAY(SELECT e::bigint FROM jsonb_each(v_held) h, jsonb_array_elements_text(h.value) e),
        ARRAY(SELECT i.patient_id FROM unnest(v_items) i) || ARRAY(SELECT o.patient_id FROM unnest(v_olds) o WHERE o.appointment_id = ANY (v_known)));
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
    IF v_live <> '{}' THEN
        SELECT array_agg(CASE WHEN i.outcome IS NULL AND i.action <> 'close' THEN radscheduler.modality_of(i.site_id, i.reading, i.resource_ids) END ORDER BY i.ordinality)
            INTO v_modalities FROM unnest(v_items) WITH ORDINALITY i;
    END IF;

    -- The new rows.
    v_known := '{}';
    FOR k IN 1 .. cardinality(v_items) LOOP
        v_item := v_items[k];
        CONTINUE WHEN v_item.outcome IS NOT NULL;
        v_old := v_olds[k];
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
            v_new.appointment_id := nextval(pg_get_serial_sequence('radscheduler.appointment', 'appointment_id'));
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
            v_new.moved_at := CASE WHEN v_item.action = 'renew' THEN v_old.message_time END;
        END IF;
        v_new.updated_at := now();
        v_new.message_id := v_item.message_id;
        v_new.booked_at := least(v_new.booked_at, v_item.at);
        v_new.holds_time := coalesce((v_item.context #>> '{profile,pending_occupies}')::boolean, false);
        IF v_item.action <> 'fill' THEN
            v_new.status := coalesce(v_item.status, v_new.status);
            v_new.message_time := v_item.at;
            v_new.message_sequence := v_item.sequence;
            IF v_item.review_reason IS NOT NULL THEN
                v_new.review_reason := v_item.review_reason;
            ELSIF v_old.status = 'PENDING_REVIEW' AND v_old.review_reason = 'ID_REUSED' AND v_item.action <> 'renew' AND v_new.status IN ('SCHEDULED', 'CONFIRMED') THEN
                v_new.status := 'PENDING_REVIEW'; -- a person decides that, not the next message
            END IF;
        END IF;
        IF v_new.status <> 'PENDING_REVIEW' THEN
            v_new.review_reason := NULL;
        END IF;
        IF v_item.action = 'close' THEN
            v_new.event_reason := coalesce(v_schedule #>> '{event_reason,text}', v_schedule #>> '{event_reason,code}', v_old.event_reason);
            v_closes := v_closes || v_new.appointment_id;
            v_updates := v_updates || v_new;
            v_changed := v_changed || v_new.appointment_id;
            v_messages := v_messages || v_item.message_id;
            v_events := v_events || radscheduler.event_name(v_old.status, v_new.status, false);
            v_items[k].outcome := 'applied';
            CONTINUE;
        END IF;

        -- Fields: sent overwrites, the HL7 null clears, not sent keeps.
        v_new.filler_id := coalesce(v_item.filler_id, v_new.filler_id);
        v_new.placer_id := coalesce(v_item.placer_id, v_new.placer_id);
        v_new.patient_id := coalesce(v_item.patient_id, v_new.patient_id);
        v_new.notes := CASE WHEN v_schedule ? 'notes' THEN v_schedule ->> 'notes' ELSE v_new.notes END;
        v_new.reason := CASE WHEN v_schedule ? 'reason' THEN coalesce(v_schedule #>> '{reason,text}', v_schedule #>> '{reason,code}') ELSE v_new.reason END;
        v_new.event_reason := CASE WHEN v_schedule ? 'event_reason' THEN coalesce(v_schedule #>> '{event_reason,text}', v_schedule #>> '{event_reason,code}') ELSE v_new.event_reason END;
        v_new.urgency := CASE WHEN v_schedule ? 'priority' THEN radscheduler.urgency_of(v_schedule ->> 'priority') ELSE v_new.urgency END;
        v_new.referring_physician := CASE WHEN v_item.reading -> 'visit' ? 'referring' THEN v_item.reading #>> '{visit,referring}' ELSE v_new.referring_physician END;
        v_new.patient_class := coalesce(v_item.reading #>> '{visit,patient_class}', v_new.patient_class);
        v_new.is_overbook := CASE WHEN v_sents[k] IS NOT NULL THEN v_overbooks[k] ELSE v_new.is_overbook END;
        v_new.visit_number := coalesce(v_item.reading #>> '{visit,visit_number}', v_new.visit_number);
        v_new.visit_group := CASE WHEN v_schedule ? 'visit_group' THEN v_schedule ->> 'visit_group' ELSE v_new.visit_group END;
        v_new.parent_filler_id := coalesce(v_schedule ->> 'parent_filler_id', v_new.parent_filler_id);
        v_new.parent_placer_id := coalesce(v_schedule ->> 'parent_placer_id', v_new.parent_placer_id);
        IF v_schedule ? 'placer_orders' THEN
            v_new.placer_orders := ARRAY(SELECT jsonb_array_elements_text(v_schedule -> 'placer_orders'));
        END IF;
        IF v_schedule ? 'filler_orders' THEN
            v_new.filler_orders := ARRAY(SELECT jsonb_array_elements_text(v_schedule -> 'filler_orders'));
        END IF;
        SELECT s.code, s.text INTO v_new.study_code, v_new.study_text FROM radscheduler.study_of(v_item.reading, v_new.study_code, v_new.study_text) s;
        IF v_item.reading -> 'services' <> '[]' OR v_item.resource_ids IS NOT NULL OR v_new.modality IS NULL THEN
            v_new.modality := coalesce(v_modalities[k], nullif(v_new.modality, 'OT'), 'OT');
            IF v_new.modality = 'OT' THEN
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
            SELECT * INTO v_row FROM radscheduler.schedule_span(v_schedule, v_item.context ->> 'zone');
            v_new.starts_at := v_row.starts_at;
            v_new.ends_at := coalesce(v_row.ends_at, v_row.starts_at + CASE WHEN v_item.action <> 'renew' THEN v_old.ends_at - v_old.starts_at END);
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
            v_inserts := v_inserts || v_new;
            v_events := v_events || radscheduler.event_name(NULL, v_new.status, false);
        ELSE
            v_claims := (v_new.starts_at, v_new.ends_at) IS DISTINCT FROM (v_old.starts_at, v_old.ends_at) OR radscheduler.is_closed(v_old.status)
                        OR radscheduler.other_resources(c_site, v_old.appointment_id, v_item);
            IF v_claims AND v_item.action <> 'fill' THEN
                v_new.moved_at := coalesce(v_old.message_time, v_old.updated_at);
            END IF;
            v_shift := nullif(v_new.starts_at - v_old.starts_at, interval '0');
            IF v_shift IS NOT NULL THEN
                v_new.reschedule_count := v_old.reschedule_count + 1;
                v_new.original_starts_at := coalesce(v_old.original_starts_at, v_old.starts_at);
            END IF;
            v_updates := v_updates || v_new;
            PERFORM radscheduler.shift_rows(c_site, v_new.appointment_id, v_shift, v_old.ends_at, v_new.ends_at);
            v_known := v_known || v_new.appointment_id;
            v_events := v_events || radscheduler.event_name(v_old.status, v_new.status, v_shift IS NOT NULL);
        END IF;
        v_item.appointment_id := v_new.appointment_id;
        v_item.outcome := 'applied';
        v_items[k] := v_item;
        v_placed := v_placed || v_new.appointment_id;
        v_changed := v_changed || v_new.appointment_id;
        v_messages := v_messages || v_item.message_id;
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
               patient_class = n.patient_class, is_overbook = n.is_overbook,
               parent_filler_id = n.parent_filler_id, parent_placer_id = n.parent_placer_id, holds_time = n.holds_time,
               placer_orders = n.placer_orders, filler_orders = n.filler_orders, reschedule_count = n.reschedule_count,
               original_starts_at = n.original_starts_at, booked_at = n.booked_at, moved_at = n.moved_at, version = n.version,
               message_time = n.message_time, message_sequence = n.message_sequence, message_id = n.message_id, updated_at = n.updated_at
            FROM unnest(v_updates) n WHERE a.site_id = n.site_id AND a.appointment_id = n.appointment_id;
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
        SELECT v_moved || radscheduler.vacate(c_site, a.appointment_id, CASE WHEN a.status IN ('COMPLETED', 'DISCONTINUED', 'NO_SHOW') THEN a.message_time END) INTO v_moved
            FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = v_closes[k];
    END LOOP;
    IF v_placed <> '{}' THEN
        v_moved := v_moved || radscheduler.occupy(c_site, v_placed, v_known);
    END IF;
    IF v_changed <> '{}' THEN
        v_placed := radscheduler.settle(c_site, v_changed, v_moved, v_messages);
        IF v_placed IS NOT NULL THEN
            FOR k IN 1 .. cardinality(v_items) LOOP
                IF v_items[k].outcome = 'applied' AND v_items[k].appointment_id = ANY (v_placed) THEN
                    v_items[k].outcome := 'flagged';
                END IF;
            END LOOP;
        END IF;
        PERFORM radscheduler.record_versions(c_site, v_changed, v_events, v_messages, NULL);
    END IF;
    FOREACH v_item IN ARRAY v_late LOOP
        PERFORM radscheduler.heed_late(v_item);
    END LOOP;
    RETURN v_items;
END
$$;
COMMENT ON FUNCTION radscheduler.apply_items(radscheduler.ingest_item[]) IS
    'Applies readings to the schedule of one site, each about an appointment of its own, and returns them with appointment, code, outcome, error and warnings. Call it under lock_keys() on the names of appointments and patients.';

CREATE FUNCTION radscheduler.apply_reading(p_context jsonb, p_reading jsonb, p_message bigint, p_at timestamptz,
        OUT outcome text, OUT code text, OUT error jsonb, OUT appointment_id bigint, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item radscheduler.ingest_item;
BEGIN
    v_item.ordinal := 1;
    v_item.context := p_context;
    v_item.site_id := (p_context ->> 'site_id')::integer;
    v_item.sender_id := (p_context ->> 'sender_id')::bigint;
    v_item.message_id := p_message;
    v_item.reading := p_reading;
    v_item.trigger_event := p_context ->> 'trigger_event';
    v_item.at := p_at;
    v_item.sequence := (p_context ->> 'sequence')::bigint;
    v_item.filler_id := radscheduler.appointment_key(p_reading -> 'schedule', 'filler');
    v_item.placer_id := radscheduler.appointment_key(p_reading -> 'schedule', 'placer');
    v_item.warnings := '[]';
    SELECT i.outcome, i.code, i.error, i.appointment_id, i.warnings
        INTO apply_reading.outcome, apply_reading.code, apply_reading.error, apply_reading.appointment_id, apply_reading.warnings
        FROM unnest(radscheduler.apply_items(ARRAY[v_item])) i;
END
$$;
COMMENT ON FUNCTION radscheduler.apply_reading(jsonb, jsonb, bigint, timestamptz) IS
    'apply_items() of one reading (siu_parse shape) in a context (see message_context()); p_at orders it against other messages of the same appointment.';
