-- Requests (SRM^S01 to S11): here this system is the filler and decides. A request is the schedule it asks for, applied by the core that applies messages
-- (63-apply.sql) as the SIU event that would tell it (S01 is S12, S11 is S22), and refused where a booking made here would be: what was found out on the
-- way is undone then, and only the message is kept. The answer is an SRR with the appointment as it was booked, or with times that are free.

CREATE FUNCTION radscheduler.asked_event(p_trigger text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 'S' || (pg_catalog.substr(p_trigger, 2)::integer + 11)::text;
COMMENT ON FUNCTION radscheduler.asked_event(text) IS 'The SIU event that tells what a request (S01 to S11) asks for: S12 to S22.';

CREATE FUNCTION radscheduler.requested_appointment(p_item radscheduler.ingest_item) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_schedule CONSTANT jsonb := p_item.reading -> 'schedule';
BEGIN
    IF c_schedule ->> 'filler_namespace' = 'RADSCHEDULER' AND p_item.trigger_event <> 'S01' THEN
        RETURN (SELECT a.appointment_id FROM radscheduler.appointment a
                WHERE a.site_id = p_item.site_id AND c_schedule ->> 'filler_id' ~ '^\d{1,18}$' AND a.appointment_id = (c_schedule ->> 'filler_id')::bigint
                  AND (a.sender_id IS NULL OR a.sender_id = p_item.sender_id) AND a.hold_until IS NULL);
    ELSIF p_item.filler_id IS NOT NULL AND p_item.trigger_event <> 'S01' THEN
        RETURN (SELECT a.appointment_id FROM radscheduler.appointment a
                WHERE a.site_id = p_item.site_id AND a.sender_id = p_item.sender_id AND a.filler_id = p_item.filler_id ORDER BY a.generation DESC LIMIT 1);
    END IF;
    RETURN (SELECT a.appointment_id FROM radscheduler.appointment a
            WHERE a.site_id = p_item.site_id AND a.sender_id = p_item.sender_id AND a.placer_id = p_item.placer_id ORDER BY a.generation DESC, a.appointment_id DESC LIMIT 1);
END
$$;
COMMENT ON FUNCTION radscheduler.requested_appointment(radscheduler.ingest_item) IS
    'The appointment that a request is about: by ARQ-2, our number in the namespace RADSCHEDULER (of this sender or of nobody) or a filler''s of this sender, else by ARQ-1; a new booking (S01) by ARQ-1 alone. NULL when there is none.';

CREATE FUNCTION radscheduler.request_fault(p_item radscheduler.ingest_item, p_appointment bigint, p_status radscheduler.appointment_status, p_owner bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_trigger CONSTANT text := p_item.trigger_event;
    c_key     CONSTANT text := CASE WHEN p_item.filler_id IS NULL OR c_trigger = 'S01' THEN 'ARQ-1' ELSE 'ARQ-2' END;
    v_found   record;
    v_part    jsonb;
    v_patient bigint := (radscheduler.find_patient(p_item.site_id, p_item.reading #> '{patient,identifiers}', p_item.context ->> 'facility')).patient_id;
BEGIN
    IF c_trigger = 'S01' THEN
        IF p_appointment IS NOT NULL AND NOT radscheduler.is_closed(p_status) THEN
            RETURN jsonb_build_object('code', '205', 'path', c_key, 'text', format('This number is booked already, as appointment %s. Ask for a change (S02, S03), or send another number.', p_appointment));
        ELSIF coalesce(p_item.reading #> '{patient,identifiers,0}', 'null') = 'null' THEN
            RETURN '{"code": "101", "path": "PID-3", "text": "An appointment needs a patient identifier in PID-3. Send at least one."}';
        END IF;
    ELSIF p_appointment IS NULL THEN
        RETURN jsonb_build_object('code', '204', 'path', c_key, 'text', 'No appointment of this sender has this number, and none that was booked here. Ask for a new one (S01).');
    ELSIF radscheduler.is_closed(p_status) AND NOT (c_trigger = 'S06' AND p_status <> 'COMPLETED') THEN
        RETURN jsonb_build_object('code', '207', 'path', c_key, 'text', format('The appointment is over (%s) and cannot be changed any more. Ask for a new one (S01).', p_status));
    ELSIF p_item.reading #> '{patient,identifiers,0}' IS NOT NULL AND v_patient IS DISTINCT FROM p_owner THEN
        RETURN '{"code": "204", "path": "PID-3", "text": "The appointment is another patient''s. Check its number and the patient identifiers."}';
    END IF;
    v_found := radscheduler.find_resources(p_item.site_id, p_item.reading -> 'resources');
    IF v_found.missing THEN
        FOR v_part IN SELECT e FROM jsonb_array_elements(p_item.reading -> 'resources') e LOOP
            IF (radscheduler.find_resources(p_item.site_id, jsonb_build_array(v_part))).missing THEN
                RETURN jsonb_build_object('code', '103', 'path', (v_part ->> 'path') || CASE WHEN v_part ->> 'path' LIKE '%-3%' THEN '' ELSE '-3' END,
                                          'text', 'This resource is not known here. Leave it out, or name one that is.');
            END IF;
        END LOOP;
    END IF;
    IF c_trigger IN ('S08', 'S09', 'S10', 'S11') THEN
        v_part := (SELECT e.item FROM jsonb_array_elements(p_item.reading -> 'services') e(item)
                   WHERE e.item ? 'code' AND NOT EXISTS (SELECT FROM radscheduler.appointment_service s WHERE s.site_id = p_item.site_id AND s.appointment_id = p_appointment
                                                         AND s.code = e.item ->> 'code' AND s.status IS NULL) LIMIT 1);
        IF v_part IS NULL AND c_trigger <> 'S08' THEN
            v_part := (SELECT e.item FROM jsonb_array_elements(p_item.reading -> 'resources') WITH ORDINALITY e(item, place)
                       WHERE v_found.resource_ids[e.place] IS NOT NULL
                         AND NOT EXISTS (SELECT FROM radscheduler.appointment_resource ar WHERE ar.site_id = p_item.site_id AND ar.appointment_id = p_appointment
                                         AND ar.resource_id = v_found.resource_ids[e.place] AND ar.status IS NULL) LIMIT 1);
        END IF;
        IF v_part IS NOT NULL THEN
            RETURN jsonb_build_object('code', '204', 'path', (v_part ->> 'path') || CASE WHEN v_part ->> 'path' LIKE '%-3%' THEN '' ELSE '-3' END,
                                      'text', 'The appointment has no such exam or resource. Name one that it has.');
        END IF;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.request_fault(radscheduler.ingest_item, bigint, radscheduler.appointment_status, bigint) IS
    'Why a request cannot be taken at all, as an error {code, path, text}: number taken or unknown, appointment over, another patient''s, a resource that is not known, an exam or resource to be changed that it does not have. NULL when it can.';

CREATE FUNCTION radscheduler.request_conflict(p_item radscheduler.ingest_item) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (
        SELECT jsonb_build_object('code', '207', 'text', format(radscheduler.conflict_text(c.site_id, c.code, c.subject_id, k.text), coalesce(r.name, radscheduler.rule_subject(c.site_id, c.code, c.appointment_id))),
                   'path', coalesce((SELECT (e.item ->> 'path') || CASE WHEN e.item ->> 'path' LIKE '%-3%' THEN '' ELSE '-3' END
                                     FROM jsonb_array_elements(p_item.reading -> 'resources') WITH ORDINALITY e(item, place)
                                     WHERE c.axis = 'resource' AND p_item.resource_ids[e.place] = c.subject_id ORDER BY e.place LIMIT 1),
                                    CASE c.code WHEN 'PATIENT_DOUBLE_BOOKED' THEN 'PID-3' ELSE 'ARQ-11' END))
        FROM radscheduler.conflict c LEFT JOIN radscheduler.conflict_kind k ON k.code = c.code
        LEFT JOIN radscheduler.resource r ON c.axis = 'resource' AND r.site_id = c.site_id AND r.resource_id = c.subject_id
        WHERE c.site_id = p_item.site_id AND c.state = 'open' AND (c.severity = 'critical' OR c.code = 'CAPACITY_EXCEEDED')
          AND (c.appointment_id = p_item.appointment_id OR c.other_appointment_id = p_item.appointment_id)
        ORDER BY c.appointment_id = p_item.appointment_id DESC, radscheduler.is_rule(c.code) OR k.code IS NULL, c.conflict_id LIMIT 1);
END
$$;
COMMENT ON FUNCTION radscheduler.request_conflict(radscheduler.ingest_item) IS
    'Why what a request asks for may not stand: an open critical conflict on either side of its appointment, or a modality without a scanner left, as an error at the AIx that asks for the resource, at the patient, or at the time. NULL when nothing is in the way.';

CREATE FUNCTION radscheduler.place_request(p_item radscheduler.ingest_item, p_appointment bigint) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_site     CONSTANT integer := p_item.site_id;
    c_zone     CONSTANT text := p_item.context ->> 'zone';
    c_named    CONSTANT bigint[] := (radscheduler.find_resources(c_site, p_item.reading -> 'resources')).resource_ids;
    c_patient  CONSTANT bigint := (radscheduler.find_patient(c_site, p_item.reading #> '{patient,identifiers}', p_item.context ->> 'facility')).patient_id;
    v_old      record;
    v_modality text := radscheduler.modality_of(c_site, p_item.reading, c_named);
    v_windows  tstzmultirange;
    v_starts   timestamptz;
    v_minutes  integer;
    v_scanners record;
    v_free     record;
    r          radscheduler.ingest_item := p_item;
BEGIN
    SELECT a.modality, a.patient_id, (extract(epoch FROM a.ends_at - a.starts_at) / 60)::integer AS minutes INTO v_old
        FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = p_appointment AND p_item.trigger_event <> 'S01';
    v_modality := coalesce(v_modality, v_old.modality);
    IF v_modality IS NULL THEN
        r.error := '{"code": "103", "path": "AIS-3", "text": "Neither the exam nor its resources tell a modality that is known here. Send an exam code of this site, or a scanner."}';
        RETURN r;
    END IF;
    v_minutes := coalesce((r.reading #>> '{schedule,duration_minutes}')::integer, v_old.minutes, radscheduler.duration_of(c_site, r.reading, v_modality));
    v_starts := radscheduler.to_instant(r.reading #>> '{schedule,starts_at}', c_zone);
    v_windows := CASE WHEN v_starts IS NULL THEN radscheduler.request_windows(r.reading, c_zone) ELSE tstzmultirange(tstzrange(v_starts, v_starts, '[]')) END;
    SELECT * INTO v_scanners FROM radscheduler.request_scanners(c_site, r.reading, c_named, CASE WHEN p_item.trigger_event <> 'S01' THEN p_appointment END, v_modality);
    -- All that the booking may concern, in one call: what is found free then cannot be taken by another before it is booked.
    PERFORM radscheduler.lock_subjects(c_site, c_named || v_scanners.resources || radscheduler.pool_scanners(c_site, ARRAY[v_modality], ARRAY[p_appointment])
            || ARRAY(SELECT ar.resource_id FROM radscheduler.appointment_resource ar WHERE ar.site_id = c_site AND ar.appointment_id = p_appointment),
        ARRAY[c_patient, v_old.patient_id]);
    IF isempty(v_windows) THEN
        r.error := '{"code": "101", "path": "ARQ-11", "text": "The request does not say when. Send a range in ARQ-11, or a start in AIS-4."}';
        v_starts := now();
    ELSIF upper(v_windows) < p_item.received_at THEN
        r.error := jsonb_build_object('code', '207', 'path', 'ARQ-11', 'text', 'The time that is asked for lies in the past.');
        v_starts := now();
    ELSE
        v_free := radscheduler.first_free(c_site, v_windows, r.reading -> 'request', c_zone, v_scanners.resources, v_scanners.preferred, coalesce(c_patient, v_old.patient_id), v_minutes, p_appointment);
        IF v_starts IS NULL THEN
            v_starts := v_free.starts_at;
        END IF;
        IF v_starts IS NULL THEN
            r.error := jsonb_build_object('code', '207', 'path', 'ARQ-11', 'text', 'Nothing is free in the time that is asked for.');
            v_starts := lower(v_windows);
        ELSE
            -- The scanner is the filler's to choose where the request names none.
            IF v_free.resource IS NOT NULL AND c_named IS NULL AND (p_item.trigger_event = 'S01' OR NOT EXISTS (
                   SELECT FROM radscheduler.appointment_resource ar JOIN radscheduler.resource x ON x.site_id = ar.site_id AND x.resource_id = ar.resource_id
                   WHERE ar.site_id = c_site AND ar.appointment_id = p_appointment AND ar.status IS NULL AND x.kind <> 'staff')) THEN
                r.reading := jsonb_set(r.reading, '{resources}', (r.reading -> 'resources') || (
                    SELECT jsonb_build_array(jsonb_build_object('path', 'AIG[1]', 'segment', CASE x.kind WHEN 'room' THEN 'AIL' ELSE 'AIG' END, 'group', 1, 'code', x.code))
                    FROM radscheduler.resource x WHERE x.site_id = c_site AND x.code = v_free.resource AND x.resource_id = ANY (v_scanners.resources) LIMIT 1));
            END IF;
            r.reading := jsonb_set(r.reading, '{schedule}', ((r.reading -> 'schedule') - '{ends_at,end_sent}'::text[]) || jsonb_build_object('duration_minutes', v_minutes,
                'starts_at', CASE WHEN length(r.reading #>> '{schedule,starts_at}') > 10 THEN r.reading #>> '{schedule,starts_at}'
                                  ELSE to_char(timezone('UTC', v_starts), 'YYYY-MM-DD"T"HH24:MI:SS') || '+00:00' END));
        END IF;
    END IF;
    r.best := jsonb_build_object('from', v_starts, 'minutes', v_minutes, 'resources', v_scanners.resources, 'patient', coalesce(c_patient, v_old.patient_id));
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.place_request(radscheduler.ingest_item, bigint) IS
    'A request that asks for time, its subjects locked, with the start that is to be booked in its reading and, where it names none, the scanner that is free then; or with the error. In best: what alternatives are to be looked for with.';

CREATE FUNCTION radscheduler.refused_reply(p_item radscheduler.ingest_item, p_alternatives jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_zone     CONSTANT text := radscheduler.site_zone(p_item.site_id);
    c_schedule CONSTANT jsonb := p_item.reading -> 'schedule';
    v_slots    jsonb;
BEGIN
    IF p_alternatives = '[]' THEN
        RETURN '[]';
    END IF;
    v_slots := (SELECT jsonb_agg(jsonb_build_object('set', a.place::text, 'starts', radscheduler.hl7_stamp((a.slot ->> 'start')::timestamptz, c_zone),
                                                    'ends', radscheduler.hl7_stamp((a.slot ->> 'end')::timestamptz, c_zone),
                                                    'minutes', radscheduler.minutes_text((a.slot ->> 'start')::timestamptz, (a.slot ->> 'end')::timestamptz),
                                                    'code', x.code, 'name', x.name, 'type', coalesce(x.modality, x.kind::text), 'segment', CASE x.kind WHEN 'room' THEN 'AIL' WHEN 'staff' THEN 'AIP' ELSE 'AIG' END) ORDER BY a.place)
                FROM jsonb_array_elements(p_alternatives) WITH ORDINALITY a(slot, place)
                LEFT JOIN LATERAL (SELECT r.* FROM radscheduler.resource r WHERE r.site_id = p_item.site_id AND r.code = a.slot ->> 'resource' ORDER BY r.kind LIMIT 1) x ON true);
    RETURN jsonb_build_array(radscheduler.segment_of('SCH', jsonb_build_object(
               '1', radscheduler.field_of(c_schedule ->> 'placer_id', c_schedule ->> 'placer_namespace'), '2', radscheduler.field_of(c_schedule ->> 'filler_id', c_schedule ->> 'filler_namespace'),
               '6', radscheduler.field_of('', 'Alternatives'), '9', v_slots #>> '{0,minutes}', '10', radscheduler.field_of('MIN'),
               '11', (SELECT jsonb_agg(radscheduler.field_of('', '', 'M' || (s ->> 'minutes'), s ->> 'starts', s ->> 'ends') -> 0) FROM jsonb_array_elements(v_slots) s),
               '16', radscheduler.field_of('RADSCHEDULER'), '20', radscheduler.field_of('RADSCHEDULER'))))
        || (SELECT jsonb_agg(radscheduler.segment_of('TQ1', jsonb_build_object('1', s ->> 'set', '7', s ->> 'starts', '8', s ->> 'ends'))) FROM jsonb_array_elements(v_slots) s)
        || (SELECT jsonb_agg(x.segment ORDER BY s.place, x.place) FROM jsonb_array_elements(v_slots) WITH ORDINALITY s(slot, place),
                LATERAL (VALUES (1, radscheduler.segment_of('RGS', jsonb_build_object('1', s.slot ->> 'set'))),
                                (2, radscheduler.resource_segment(s.slot ->> 'segment', s.slot ->> 'code', s.slot ->> 'name', s.slot ->> 'type', NULL, 1, NULL,
                                        s.slot ->> 'starts', (s.slot ->> 'minutes')::integer, NULL))) x(place, segment));
END
$$;
COMMENT ON FUNCTION radscheduler.refused_reply(radscheduler.ingest_item, jsonb) IS
    'The segments of a refusal that offers other times: SCH with the number that was asked for and one repetition of SCH-11 for each, a TQ1 for each, and a group (RGS) for each with the scanner. No SCH-25: nothing is booked. [] where there is nothing to offer.';

CREATE FUNCTION radscheduler.apply_request(p_item radscheduler.ingest_item) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_site     CONSTANT integer := p_item.site_id;
    c_event    CONSTANT text := radscheduler.asked_event(p_item.trigger_event);
    c_override CONSTANT text := coalesce(p_item.reading #>> '{request,overrides,0,value}', p_item.reading #>> '{request,overrides,0,name}');
    c_may      CONSTANT boolean := coalesce((p_item.context #>> '{profile,override_requests}')::boolean, false);
    v_id       bigint := radscheduler.requested_appointment(p_item);
    v_old      record;
    v_done     radscheduler.ingest_item;
    v_wanted   jsonb;
    v_overridden boolean := false;
    r          radscheduler.ingest_item := p_item;
BEGIN
    PERFORM radscheduler.lock_keys_at_once(radscheduler.appointment_lock_names(c_site, v_id));
    SELECT a.sender_id, a.status, a.patient_id INTO v_old FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = v_id;
    IF (c_event, v_old.status) IN (('S15', 'CANCELLED'), ('S16', 'DISCONTINUED'), ('S17', 'DELETED')) THEN
        r.appointment_id := v_id;
        r.outcome := 'ignored'; -- it is so already
        r.reply := radscheduler.schedule_segments(c_site, radscheduler.snapshot_of(c_site, v_id), radscheduler.site_zone(c_site), 'U');
        RETURN r;
    END IF;
    r.error := radscheduler.request_fault(r, v_id, v_old.status, v_old.patient_id);
    IF r.error IS NULL AND (c_event IN ('S12', 'S13') OR c_event = 'S14' AND (r.reading #>> '{schedule,starts_at}' IS NOT NULL OR r.reading #> '{request,windows}' <> '[]')) THEN
        r := radscheduler.place_request(r, v_id);
        v_wanted := r.best;
        r.best := NULL;
        IF r.error IS NOT NULL THEN
            r.reply := radscheduler.refused_reply(r, radscheduler.request_alternatives(c_site, (v_wanted ->> 'from')::timestamptz,
                ARRAY(SELECT e::bigint FROM jsonb_array_elements_text(v_wanted -> 'resources') e), (v_wanted ->> 'patient')::bigint, (v_wanted ->> 'minutes')::integer, v_id));
        END IF;
    END IF;
    IF r.error IS NOT NULL THEN
        r.code := 'AE';
        r.outcome := 'error';
        r.appointment_id := v_id;
        RETURN r;
    END IF;

    -- Applied as the message that would tell it, at the moment it came: requests are done in the order they come in.
    v_done := r;
    v_done.trigger_event := c_event;
    v_done.context := r.context || jsonb_build_object('source', 'SRM', 'header', (r.context -> 'header') || jsonb_build_object('trigger_event', c_event),
        'profile', ((r.context -> 'profile') - '{event_map,on_conflict,unknown_resource_change}'::text[]) || '{"event_map": {"S14": "MODIFY"}}');
    v_done.at := r.received_at;
    v_done.appointment_id := v_id;
    v_done.filler_id := CASE WHEN c_event <> 'S12' AND r.reading #>> '{schedule,filler_namespace}' IS DISTINCT FROM 'RADSCHEDULER' THEN r.filler_id END;
    IF c_event <> 'S12' THEN
        v_done.placer_id := NULL; -- the number by which it was booked stays its number
    END IF;
    v_done := (radscheduler.apply_items(ARRAY[v_done]))[1];
    r.reading := v_done.reading;
    r.appointment_id := v_done.appointment_id;
    r.patient_id := v_done.patient_id;
    r.patient_event := v_done.patient_event;
    r.event := v_done.event;
    r.event_data := v_done.event_data;
    r.warnings := v_done.warnings;
    r.outcome := v_done.outcome;
    r.code := v_done.code;
    r.error := v_done.error || jsonb_build_object('path', replace(v_done.error ->> 'path', 'SCH', 'ARQ'));
    IF r.error IS NULL AND v_done.outcome = 'flagged' AND v_done.asks_time THEN
        r.error := radscheduler.request_conflict(v_done);
        r.conflicts := radscheduler.conflicts_of(c_site, r.appointment_id);
        IF r.error IS NOT NULL AND c_may AND c_override IS NOT NULL THEN
            r.error := NULL;
            r.warnings := r.warnings || radscheduler.warning('CONFLICT_OVERRIDDEN', 'APR-5');
            v_overridden := true;
        ELSIF r.error IS NOT NULL THEN
            IF c_override IS NOT NULL THEN
                r.warnings := r.warnings || radscheduler.warning('OVERRIDE_NOT_ALLOWED', 'APR-5');
            END IF;
            r.code := 'AE';
            r.outcome := 'error';
            r.reply := radscheduler.refused_reply(r, radscheduler.alternatives(c_site, r.appointment_id));
            r.appointment_id := v_id;
        END IF;
    END IF;
    IF r.error IS NULL THEN
        PERFORM radscheduler.queue_siu(c_site, ARRAY[r.appointment_id], ARRAY[r.event]);
        -- Why is what the message says; the audit log names only the message.
        IF v_overridden AND r.appointment_id = ANY (radscheduler.accept_open(c_site, r.appointment_id, NULL, 'conflict.overridden', format('APR-5 of message %s', r.message_id))) THEN
            UPDATE radscheduler.appointment a SET version = a.version + 1, updated_at = now() WHERE a.site_id = c_site AND a.appointment_id = r.appointment_id;
            PERFORM radscheduler.record_version(c_site, r.appointment_id, 'appointment.modified', r.message_id, '{"reason": "CONFLICT_ACCEPTED"}');
            r.conflicts := radscheduler.conflicts_of(c_site, r.appointment_id);
        END IF;
        r.reply := radscheduler.schedule_segments(c_site, radscheduler.snapshot_of(c_site, r.appointment_id), radscheduler.site_zone(c_site), CASE c_event WHEN 'S12' THEN 'A' ELSE 'U' END);
    END IF;
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.apply_request(radscheduler.ingest_item) IS
    'Does what a request asks for: S01 books, S02 moves, S03 modifies, S04 cancels, S05 discontinues, S06 deletes an appointment, S07 to S11 add, change and take out single exams and resources. With error set it may not be: the caller undoes everything then. reply holds the segments of the SRR. Call it under the locks of lock_names().';
