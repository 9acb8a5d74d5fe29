-- Order messages applied: each order of a message by itself, the newest message of an order wins (MSH-7, MSH-13). An older one only fills in what an
-- order is about when its cancellation came first.

CREATE FUNCTION radscheduler.find_order(p_item radscheduler.ingest_item, p_order jsonb, OUT order_id bigint, OUT is_reused boolean) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    c_names CONSTANT boolean := coalesce(p_item.reading #> '{patient,identifiers,0}', 'null') <> 'null';
BEGIN
    SELECT (array_agg(o.order_id ORDER BY o.filler_id = p_order ->> 'filler_id' DESC NULLS LAST, o.patient_id IS NULL, o.message_time DESC, o.order_id DESC)
                FILTER (WHERE NOT c_names OR o.patient_id IS NULL OR o.patient_id = p_item.patient_id))[1],
           coalesce(bool_or(c_names AND o.patient_id <> coalesce(p_item.patient_id, 0)), false)
        INTO find_order.order_id, find_order.is_reused
        FROM radscheduler.imaging_order o
        WHERE o.site_id = p_item.site_id AND o.sender_id = p_item.sender_id
          AND (o.filler_id = p_order ->> 'filler_id' OR o.placer_id = p_order ->> 'placer_id' AND (p_order ->> 'filler_id' IS NULL OR o.filler_id IS NULL));
END
$$;
COMMENT ON FUNCTION radscheduler.find_order(radscheduler.ingest_item, jsonb) IS
    'The order that a sender means, by filler number, else by placer number; NULL when it is not known. A number belongs to a patient: of another one''s order it says nothing (is_reused). The patient is resolved and the names of the order are locked.';

CREATE FUNCTION radscheduler.order_modality(p_site integer, p_order jsonb) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN coalesce(radscheduler.modality_code(p_site, p_order ->> 'modality'),
        (SELECT p.modality FROM radscheduler.procedure p WHERE p.site_id = p_site AND p.code = p_order ->> 'code'),
        radscheduler.modality_guess(p_site, ARRAY[p_order ->> 'code'], ARRAY[p_order ->> 'text']));
END
$$;
COMMENT ON FUNCTION radscheduler.order_modality(integer, jsonb) IS 'DICOM modality of an order: said outright (OBR-24, IPC-5), by procedure table, by the letters or words of the exam; NULL when nothing tells.';

CREATE FUNCTION radscheduler.apply_one_order(p_item radscheduler.ingest_item, p_order jsonb, OUT outcome text, OUT order_id bigint, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_old  radscheduler.imaging_order;
    v_new  radscheduler.imaging_order;
    v_found record;
    v_late boolean;
    v_zone text := p_item.context ->> 'zone';
BEGIN
    SELECT * INTO v_found FROM radscheduler.find_order(p_item, p_order);
    SELECT o.* INTO v_old FROM radscheduler.imaging_order o WHERE o.site_id = p_item.site_id AND o.order_id = v_found.order_id;
    v_new := v_old;
    v_late := coalesce((p_item.at, coalesce(p_item.sequence, 0)) < (v_old.message_time, coalesce(v_old.message_sequence, 0)), false);
    warnings := '[]';
    outcome := 'applied';
    order_id := v_old.order_id;
    IF v_late THEN
        outcome := 'stale';
        warnings := warnings || radscheduler.warning('STALE', 'MSH-7');
        IF v_old.code IS NOT NULL OR v_old.text IS NOT NULL THEN
            RETURN;
        END IF;
    END IF;
    -- Sent overwrites, the HL7 null clears, not sent keeps.
    v_new.filler_id := coalesce(p_order ->> 'filler_id', v_old.filler_id);
    v_new.placer_id := coalesce(p_order ->> 'placer_id', v_old.placer_id);
    v_new.group_id := CASE WHEN p_order ? 'group_id' THEN p_order ->> 'group_id' ELSE v_old.group_id END;
    v_new.code := CASE WHEN p_order ? 'code' THEN p_order ->> 'code' ELSE v_old.code END;
    v_new.text := CASE WHEN p_order ? 'text' THEN p_order ->> 'text' ELSE v_old.text END;
    v_new.accession := CASE WHEN p_order ? 'accession' THEN p_order ->> 'accession' ELSE v_old.accession END;
    v_new.modality := CASE WHEN p_order ?| '{modality,code,text}' THEN coalesce(radscheduler.order_modality(p_item.site_id, p_order), v_old.modality) ELSE v_old.modality END;
    v_new.urgency := CASE WHEN p_order ? 'priority' THEN radscheduler.urgency_of(p_order ->> 'priority') ELSE coalesce(v_old.urgency, 'routine') END;
    v_new.ordered_by := CASE WHEN p_order ? 'ordered_by' THEN p_order ->> 'ordered_by' ELSE v_old.ordered_by END;
    v_new.reason := CASE WHEN p_order ? 'reason' THEN p_order ->> 'reason' ELSE v_old.reason END;
    IF p_order ? 'wanted_at' THEN
        v_new.wanted_at := radscheduler.to_instant(p_order ->> 'wanted_at', v_zone);
        v_new.wanted_on := coalesce(timezone(radscheduler.site_zone(p_item.site_id), v_new.wanted_at)::date, left(p_order ->> 'wanted_at', 10)::date);
    END IF;
    v_new.patient_id := coalesce(p_item.patient_id, v_old.patient_id);
    IF v_old.order_id IS NULL AND v_found.is_reused THEN
        warnings := warnings || radscheduler.warning('ORDER_NUMBER_REUSED', (p_order ->> 'path') || '-2');
    END IF;
    v_new.updated_at := now();
    IF NOT v_late THEN
        v_new.status := radscheduler.order_status(p_order ->> 'control', p_order ->> 'status', v_old.status);
        v_new.control := coalesce(p_order ->> 'control', v_old.control);
        v_new.message_time := p_item.at;
        v_new.message_sequence := p_item.sequence;
        v_new.message_id := p_item.message_id;
        IF p_order ->> 'control' IS NOT NULL AND NOT EXISTS (SELECT FROM radscheduler.order_rule r WHERE r.field = 'ORC-1' AND r.word = upper(p_order ->> 'control')) THEN
            warnings := warnings || radscheduler.warning('ORDER_CONTROL_UNKNOWN', (p_order ->> 'path') || '-1');
        END IF;
    END IF;

    IF v_old.order_id IS NULL THEN
        v_new.site_id := p_item.site_id;
        v_new.sender_id := p_item.sender_id;
        v_new.is_test := coalesce((p_item.context ->> 'is_test')::boolean, false);
        INSERT INTO radscheduler.imaging_order AS o (site_id, sender_id, placer_id, filler_id, group_id, patient_id, status, control, code, text, accession, modality, urgency,
                wanted_at, wanted_on, ordered_by, reason, is_test, message_time, message_sequence, message_id)
            VALUES (v_new.site_id, v_new.sender_id, v_new.placer_id, v_new.filler_id, v_new.group_id, v_new.patient_id, v_new.status, v_new.control, v_new.code, v_new.text, v_new.accession,
                v_new.modality, v_new.urgency, v_new.wanted_at, v_new.wanted_on, v_new.ordered_by, v_new.reason, v_new.is_test, v_new.message_time, v_new.message_sequence, v_new.message_id)
            RETURNING o.order_id INTO apply_one_order.order_id;
    ELSE
        UPDATE radscheduler.imaging_order o
            SET placer_id = v_new.placer_id, filler_id = v_new.filler_id, group_id = v_new.group_id, patient_id = v_new.patient_id, status = v_new.status, control = v_new.control,
                code = v_new.code, text = v_new.text, accession = v_new.accession, modality = v_new.modality, urgency = v_new.urgency, wanted_at = v_new.wanted_at,
                wanted_on = v_new.wanted_on, ordered_by = v_new.ordered_by, reason = v_new.reason, message_time = v_new.message_time,
                message_sequence = v_new.message_sequence, message_id = v_new.message_id, updated_at = v_new.updated_at
            WHERE o.site_id = v_old.site_id AND o.order_id = v_old.order_id;
    END IF;
    INSERT INTO radscheduler.event_log (site_id, type, message_id, data)
        VALUES (p_item.site_id, radscheduler.order_event(v_old.status, v_new.status), p_item.message_id,
                jsonb_strip_nulls(jsonb_build_object('order_id', order_id, 'status', v_new.status, 'control', v_new.control, 'modality', v_new.modality)));
    PERFORM radscheduler.audit(p_item.site_id, radscheduler.order_event(v_old.status, v_new.status), 'imaging_order', order_id, jsonb_build_object('message_id', p_item.message_id));
END
$$;
COMMENT ON FUNCTION radscheduler.apply_one_order(radscheduler.ingest_item, jsonb) IS
    'Applies one order of a message whose patient is resolved, and tells it. outcome is applied or stale. The caller has locked the names of the order.';

CREATE FUNCTION radscheduler.order_event(p_old text, p_new text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 'order.' || CASE WHEN p_old IS NULL AND p_new NOT IN ('CANCELLED', 'DISCONTINUED', 'COMPLETED', 'REPLACED', 'REFUSED') THEN 'created'
                            WHEN p_new IS DISTINCT FROM p_old AND p_new <> 'REQUESTED' THEN pg_catalog.lower(p_new) ELSE 'modified' END;
COMMENT ON FUNCTION radscheduler.order_event(text, text) IS 'Type of the event that a change of an order is told as; the old status is NULL for a new one.';

CREATE FUNCTION radscheduler.apply_order(p_context jsonb, p_reading jsonb, p_message bigint, p_at timestamptz,
        OUT outcome text, OUT code text, OUT error jsonb, OUT appointment_id bigint, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item     radscheduler.ingest_item := radscheduler.item_of(p_context, p_reading, p_message, p_at);
    v_order    jsonb;
    v_known    record;
    v_applied  record;
    v_other    record;
    v_orders   bigint[] := '{}';
    v_outcomes text[] := '{}';
    v_person   record;
BEGIN
    outcome := 'error';
    code := 'AE';
    warnings := '[]';
    IF coalesce(p_reading -> 'orders', '[]') = '[]' THEN
        error := '{"code": "101", "path": "ORC", "text": "The message holds no order. Send an ORC or an OBR segment for each."}';
    END IF;
    SELECT f.patient_id INTO v_item.patient_id FROM radscheduler.find_patient(v_item.site_id, p_reading #> '{patient,identifiers}', p_context ->> 'facility') f;
    FOR v_order IN SELECT e.o FROM jsonb_array_elements(p_reading -> 'orders') WITH ORDINALITY e(o, place) ORDER BY e.place LOOP
        SELECT max(o.patient_id) AS patient_id, max(o.status) AS status INTO v_known
            FROM radscheduler.find_order(v_item, v_order) f JOIN radscheduler.imaging_order o ON o.site_id = v_item.site_id AND o.order_id = f.order_id;
        IF num_nonnulls(v_order ->> 'placer_id', v_order ->> 'filler_id') = 0 THEN
            error := jsonb_build_object('code', '101', 'path', (v_order ->> 'path') || '-2', 'text', 'An order needs a number. Send the placer''s in ORC-2 or the filler''s in ORC-3.');
        ELSIF coalesce(p_reading #> '{patient,identifiers,0}', 'null') = 'null' AND v_known.patient_id IS NULL
              AND radscheduler.order_status(v_order ->> 'control', v_order ->> 'status', v_known.status) NOT IN ('CANCELLED', 'DISCONTINUED', 'REPLACED', 'REFUSED') THEN
            error := '{"code": "101", "path": "PID-3", "text": "An order needs a patient identifier in PID-3. Send at least one."}';
        END IF;
        EXIT WHEN error IS NOT NULL;
    END LOOP;
    IF error IS NOT NULL THEN
        RETURN;
    END IF;

    code := 'AA';
    -- Whom it concerns is locked before the first row is written.
    v_other := radscheduler.other_subjects(ARRAY[v_item], v_item.site_id);
    PERFORM radscheduler.lock_subjects(v_item.site_id, v_other.resources, v_other.patients);
    SELECT p.sex, p.birth_date INTO v_person FROM radscheduler.patient p WHERE p.site_id = v_item.site_id AND p.patient_id = v_item.patient_id;
    SELECT r.patient_id, r.warnings INTO v_item.patient_id, apply_order.warnings
        FROM radscheduler.resolve_patient(v_item.site_id, p_reading -> 'patient', p_context ->> 'facility', p_context ->> 'region', p_at) r;
    FOR v_order IN SELECT e.o FROM jsonb_array_elements(p_reading -> 'orders') WITH ORDINALITY e(o, place) ORDER BY e.place LOOP
        SELECT * INTO v_applied FROM radscheduler.apply_one_order(v_item, v_order);
        v_outcomes := v_outcomes || v_applied.outcome;
        v_orders := v_orders || v_applied.order_id;
        warnings := warnings || v_applied.warnings;
    END LOOP;
    -- Settled once: with the appointments that changed, his other bookings are looked at too.
    IF radscheduler.complete_appointments(v_item.site_id, v_orders, p_message) = '{}'
       AND EXISTS (SELECT FROM radscheduler.patient p WHERE p.site_id = v_item.site_id AND p.patient_id = v_item.patient_id AND (p.sex, p.birth_date) IS DISTINCT FROM (v_person.sex, v_person.birth_date)) THEN
        PERFORM radscheduler.recheck_patient(v_item.site_id, v_item.patient_id);
    END IF;
    outcome := CASE WHEN 'applied' = ANY (v_outcomes) THEN 'applied' ELSE 'stale' END;
END
$$;
COMMENT ON FUNCTION radscheduler.apply_order(jsonb, jsonb, bigint, timestamptz) IS
    'Applies an order message: every order of it is kept, and appointments for it take from it what they lack. Context and reading as apply_reading() takes them; p_at orders it against other messages of the same orders. Call it under lock_keys() on lock_names() of the message.';
