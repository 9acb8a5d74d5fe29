-- How far the schedule here and the sender's own have drifted apart: an export of the sender (messages such as S27, or rows) beside what is
-- booked here. Both sides are brought to one shape, drift_row, and compared; nothing is written but the audit log.

CREATE TYPE radscheduler.drift_row AS (
    place       integer,
    sender_id   bigint,
    external_id text,
    filler_id   text,
    placer_id   text,
    told_at     timestamptz,
    patient_ids text[],
    starts_at   timestamptz,
    minutes     integer,
    modality    text,
    status      radscheduler.appointment_status,
    is_said     boolean,
    resources   jsonb,
    fault_field text,
    fault       text
);
COMMENT ON TYPE radscheduler.drift_row IS
    'One appointment of an export: its keys, and of what it tells only what was sent (NULL: not told). is_said: the status was sent and does not just follow from the event. resources: [{id, code, kind}], id NULL for one not known here. fault: what could not be read, and where.';

CREATE FUNCTION radscheduler.drift_message(p_site integer, p_place integer, p_bytes bytea) RETURNS radscheduler.drift_row
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_head    jsonb := radscheduler.hl7_header(p_bytes);
    v_header  jsonb := v_head -> 'header';
    v_site    record;
    v_profile jsonb;
    v_zone    text;
    v_trigger text;
    v_span    record;
    v_item    radscheduler.ingest_item;
    r         radscheduler.drift_row;
BEGIN
    r.place := p_place;
    SELECT s.timezone, s.default_profile INTO v_site FROM radscheduler.site s WHERE s.site_id = p_site;
    SELECT s.sender_id, s.profile INTO r.sender_id, v_profile FROM radscheduler.sender s
        WHERE s.site_id = p_site AND s.sending_application = coalesce(v_header ->> 'sending_application', '') AND s.sending_facility = coalesce(v_header ->> 'sending_facility', '');
    v_profile := radscheduler.sender_profile(coalesce(v_profile, '{}'), v_site.default_profile);
    v_zone := coalesce(v_profile ->> 'timezone', v_site.timezone, radscheduler.offset_zone(v_header ->> 'message_time'), radscheduler.default_zone());
    v_trigger := radscheduler.event_meant(v_profile, v_header ->> 'trigger_event');
    IF v_head ? 'error' THEN
        r.fault := v_head #>> '{error,text}';
        r.fault_field := v_head #>> '{error,path}';
        RETURN r;
    ELSIF radscheduler.message_kind(v_header ->> 'message_code', v_trigger) IS DISTINCT FROM 'schedule' THEN
        r.fault := 'This is no scheduling message that tells of an appointment.';
        r.fault_field := 'MSH-9';
        RETURN r;
    END IF;
    v_item.site_id := p_site;
    v_item.reading := radscheduler.siu_read(p_bytes, v_profile);
    r.filler_id := radscheduler.appointment_key(v_item.reading -> 'schedule', 'filler');
    r.placer_id := radscheduler.appointment_key(v_item.reading -> 'schedule', 'placer');
    r.external_id := coalesce(r.filler_id, r.placer_id);
    IF v_item.reading ? 'error' THEN
        r.fault := v_item.reading #>> '{error,text}';
        r.fault_field := v_item.reading #>> '{error,path}';
        RETURN r;
    END IF;
    r.told_at := radscheduler.to_instant(v_header ->> 'message_time', v_zone);
    r.patient_ids := ARRAY(SELECT i ->> 'value' FROM jsonb_array_elements(v_item.reading #> '{patient,identifiers}') i);
    SELECT * INTO v_span FROM radscheduler.schedule_span(v_item.reading -> 'schedule', v_zone);
    r.starts_at := v_span.starts_at;
    r.minutes := extract(epoch FROM v_span.ends_at - v_span.starts_at) / 60;
    v_item.resource_ids := (radscheduler.find_resources(p_site, v_item.reading -> 'resources')).resource_ids;
    r.modality := radscheduler.modality_of(p_site, v_item.reading, v_item.resource_ids);
    r.resources := (SELECT jsonb_agg(DISTINCT jsonb_build_object('id', x.resource_id, 'code', coalesce(x.code, n.code), 'kind', coalesce(x.kind, n.kind)))
        FROM jsonb_array_elements(v_item.reading -> 'resources') WITH ORDINALITY e(item, place)
        CROSS JOIN LATERAL radscheduler.resource_name_of(e.item) n
        LEFT JOIN radscheduler.resource x ON x.site_id = p_site AND x.resource_id = v_item.resource_ids[e.place]
        WHERE n.code IS NOT NULL AND NOT radscheduler.is_referrer(n.role));
    r.status := radscheduler.status_of(v_item.reading #> '{schedule,status}');
    r.is_said := r.status IS NOT NULL OR v_trigger IN ('S15', 'S16', 'S17', 'S26');
    r.status := coalesce(r.status, (SELECT e.default_status FROM radscheduler.event_rule e WHERE e.trigger_event = v_trigger AND e.state = 'active'), 'SCHEDULED');
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.drift_message(integer, integer, bytea) IS
    'A message of an export as a drift_row, read by its sender''s profile at a site. Unlike ingestion it records nothing, a sender or resource that is not known included.';

CREATE FUNCTION radscheduler.drift_entry(p_site integer, p_sender bigint, p_zone text, p_place integer, p_row jsonb) RETURNS radscheduler.drift_row
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_keys CONSTANT text[] := '{external_id,patient_id,start,duration,modality,status,resource}';
    v_key  text;
    r      radscheduler.drift_row;
BEGIN
    r.place := p_place;
    r.sender_id := p_sender;
    IF jsonb_typeof(p_row) <> 'object' THEN
        r.fault := 'A row must be an object with external_id and what is known of ' || array_to_string(c_keys[2:], ', ') || '.';
        RETURN r;
    END IF;
    r.external_id := nullif(btrim(p_row ->> 'external_id'), '');
    r.filler_id := r.external_id;
    r.placer_id := r.external_id;
    SELECT k INTO v_key FROM jsonb_object_keys(p_row) k WHERE k <> ALL (c_keys) ORDER BY k LIMIT 1;
    IF r.external_id IS NULL THEN
        r.fault_field := 'external_id';
        r.fault := 'The row does not name its appointment.';
    ELSIF v_key IS NOT NULL THEN
        r.fault_field := left(v_key, 40);
        r.fault := 'This key is not known; use ' || array_to_string(c_keys, ', ') || '.';
    ELSIF p_row ->> 'duration' !~ '^\d{1,4}$' THEN
        r.fault_field := 'duration';
        r.fault := 'The duration must be whole minutes.';
    ELSIF p_row ->> 'status' IS NOT NULL AND radscheduler.status_of(jsonb_build_array(p_row -> 'status')) IS NULL THEN
        r.fault_field := 'status';
        r.fault := 'This status is not in radscheduler.status_alias.';
    ELSE
        BEGIN
            r.starts_at := radscheduler.to_instant(radscheduler.json_time(p_row ->> 'start'), p_zone);
        EXCEPTION WHEN data_exception THEN
            r.starts_at := NULL;
        END;
        IF r.starts_at IS NULL AND p_row ->> 'start' IS NOT NULL THEN
            r.fault_field := 'start';
            r.fault := 'The start must be a date and time such as 2031-03-10T10:00, local to the sender, or with an offset.';
        END IF;
    END IF;
    IF r.fault IS NOT NULL THEN
        RETURN r;
    END IF;
    r.patient_ids := array_remove(ARRAY[p_row ->> 'patient_id'], NULL);
    r.minutes := (p_row ->> 'duration')::integer;
    r.modality := coalesce(radscheduler.modality_code(p_site, p_row ->> 'modality'), p_row ->> 'modality');
    r.status := coalesce(radscheduler.status_of(jsonb_build_array(p_row -> 'status')), 'SCHEDULED');
    r.is_said := p_row ->> 'status' IS NOT NULL;
    r.resources := (SELECT jsonb_agg(DISTINCT jsonb_build_object('id', x.resource_id, 'code', coalesce(x.code, w.word), 'kind', x.kind))
        FROM jsonb_array_elements_text(CASE jsonb_typeof(p_row -> 'resource') WHEN 'array' THEN p_row -> 'resource' WHEN 'string' THEN jsonb_build_array(p_row -> 'resource') ELSE '[]' END) w(word)
        LEFT JOIN LATERAL (SELECT y.* FROM radscheduler.resource_alias a JOIN radscheduler.resource y ON y.site_id = a.site_id AND y.resource_id = a.resource_id
                           WHERE a.site_id = p_site AND a.alias = upper(btrim(w.word)) ORDER BY a.kind = 'equipment' DESC, a.kind LIMIT 1) x ON true);
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.drift_entry(integer, bigint, text, integer, jsonb) IS
    'A row of an export {external_id, patient_id, start, duration, modality, status, resource} as a drift_row; a start without offset is local to p_zone.';

CREATE FUNCTION radscheduler.drift_fields(p_site integer, p_zone text, p_theirs radscheduler.drift_row, p_appointment bigint) RETURNS TABLE (field text, ours text, theirs text, columns text[])
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    a        radscheduler.appointment;
    v_kinds  text[] := ARRAY(SELECT e ->> 'kind' FROM jsonb_array_elements(p_theirs.resources) e WHERE e ->> 'kind' IS NOT NULL);
    v_status radscheduler.appointment_status;
    v_ours   text;
    v_theirs text;
BEGIN
    SELECT * INTO a FROM radscheduler.appointment x WHERE x.site_id = p_site AND x.appointment_id = p_appointment;
    -- Review is a state of ours; the sender knows the one behind it.
    v_status := CASE WHEN a.status = 'PENDING_REVIEW' THEN coalesce(a.resume_status, 'SCHEDULED') ELSE a.status END;
    IF radscheduler.is_closed(v_status) <> radscheduler.is_closed(p_theirs.status) OR p_theirs.is_said AND v_status <> p_theirs.status THEN
        RETURN QUERY SELECT 'status', a.status::text, p_theirs.status::text, ARRAY['status'];
    END IF;
    IF radscheduler.is_closed(v_status) OR radscheduler.is_closed(p_theirs.status) THEN
        RETURN;
    END IF;
    IF p_theirs.patient_ids <> '{}' AND NOT EXISTS (SELECT FROM radscheduler.patient_identifier i WHERE i.site_id = p_site AND i.value = ANY (p_theirs.patient_ids) AND i.patient_id = a.patient_id) THEN
        RETURN QUERY SELECT 'patient_id', (SELECT p.mrn FROM radscheduler.patient p WHERE p.site_id = p_site AND p.patient_id = a.patient_id), p_theirs.patient_ids[1], ARRAY['patient_id'];
    END IF;
    IF p_theirs.starts_at <> a.starts_at OR p_theirs.starts_at IS NOT NULL AND a.starts_at IS NULL THEN
        RETURN QUERY SELECT 'start', to_char(timezone(p_zone, a.starts_at), 'YYYY-MM-DD HH24:MI'), to_char(timezone(p_zone, p_theirs.starts_at), 'YYYY-MM-DD HH24:MI'), ARRAY['starts_at'];
    END IF;
    IF p_theirs.minutes <> round(extract(epoch FROM a.ends_at - a.starts_at) / 60) THEN
        RETURN QUERY SELECT 'duration', round(extract(epoch FROM a.ends_at - a.starts_at) / 60)::text, p_theirs.minutes::text, ARRAY['ends_at'];
    END IF;
    IF p_theirs.modality IS DISTINCT FROM a.modality AND p_theirs.modality IS NOT NULL THEN
        RETURN QUERY SELECT 'modality', a.modality, p_theirs.modality, ARRAY['modality'];
    END IF;
    v_theirs := (SELECT string_agg(e ->> 'code', ', ' ORDER BY e ->> 'code') FROM jsonb_array_elements(p_theirs.resources) e);
    v_ours := (SELECT string_agg(DISTINCT x.code, ', ' ORDER BY x.code) FROM radscheduler.appointment_resource r JOIN radscheduler.resource x ON x.site_id = r.site_id AND x.resource_id = r.resource_id
               WHERE r.site_id = p_site AND r.appointment_id = p_appointment AND r.status IS NULL AND (v_kinds = '{}' OR x.kind::text = ANY (v_kinds)));
    IF v_theirs IS DISTINCT FROM v_ours AND v_theirs IS NOT NULL THEN
        RETURN QUERY SELECT 'resource', v_ours, v_theirs, ARRAY['resources'];
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.drift_fields(integer, text, radscheduler.drift_row, bigint) IS
    'In which fields an appointment differs from what an export tells of it, with our columns. Only what the export tells is compared, resources by the kinds it names; of an appointment that is over on either side only the status.';

CREATE FUNCTION radscheduler.drift_rows(p_site integer, p_senders bigint[], p_theirs radscheduler.drift_row[], p_period tstzrange)
    RETURNS TABLE (kind text, external_id text, appointment_id bigint, field text, ours text, theirs text, suggestion text)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    c_zone   CONSTANT text := radscheduler.site_zone(p_site);
    v_period tstzrange := coalesce(p_period, (SELECT tstzrange(timezone(c_zone, date_trunc('day', timezone(c_zone, min(t.starts_at)))),
                                                               timezone(c_zone, date_trunc('day', timezone(c_zone, max(t.starts_at))) + interval '1 day')) FROM unnest(p_theirs) t
                                              HAVING min(t.starts_at) IS NOT NULL));
    v_row    record;
    v_field  record;
    v_local  text[];
    v_seen   bigint[] := '{}';
BEGIN
    FOR v_row IN
        SELECT t, (t).external_id AS name, (t).fault AS fault, f.appointment_id AS id, f.message_time FROM (
            -- The last that the export says of each.
            SELECT DISTINCT ON (u.sender_id, coalesce(u.external_id, '?' || u.place)) u FROM unnest(p_theirs) u ORDER BY u.sender_id, coalesce(u.external_id, '?' || u.place), u.told_at DESC NULLS LAST, u.place DESC) q(t)
        LEFT JOIN LATERAL (
            SELECT x.appointment_id, x.message_time FROM (
                (SELECT a.appointment_id, a.message_time, 1 AS preference FROM radscheduler.appointment a
                 WHERE a.site_id = p_site AND a.sender_id = (t).sender_id AND a.filler_id = (t).filler_id ORDER BY a.generation DESC LIMIT 1)
                UNION ALL
                (SELECT a.appointment_id, a.message_time, 2 FROM radscheduler.appointment a
                 WHERE a.site_id = p_site AND a.sender_id = (t).sender_id AND a.placer_id = (t).placer_id ORDER BY a.generation DESC LIMIT 1)) x ORDER BY x.preference LIMIT 1) f ON true
        ORDER BY (t).starts_at NULLS LAST, (t).external_id, (t).place
    LOOP
        external_id := v_row.name;
        appointment_id := v_row.id;
        field := NULL; ours := NULL; theirs := NULL;
        v_seen := v_seen || array_remove(ARRAY[v_row.id], NULL);
        IF v_row.fault IS NOT NULL THEN
            kind := 'unreadable';
            field := (v_row.t).fault_field;
            suggestion := v_row.fault;
            RETURN NEXT;
        ELSIF v_row.id IS NULL THEN
            CONTINUE WHEN radscheduler.is_closed((v_row.t).status);
            kind := 'missing_here';
            theirs := concat_ws(' ', to_char(timezone(c_zone, (v_row.t).starts_at), 'YYYY-MM-DD HH24:MI'), (v_row.t).modality);
            suggestion := CASE WHEN (v_row.t).sender_id IS NULL THEN 'This sender is not known at this site: register it with set_sender(), then let it send the booking.'
                               ELSE 'Ask for the booking (S12), or give an S27 of it to ingest(): it books what is not known.' END;
            RETURN NEXT;
        ELSE
            kind := 'differs';
            v_local := NULL;
            FOR v_field IN SELECT * FROM radscheduler.drift_fields(p_site, c_zone, v_row.t, v_row.id) LOOP
                v_local := coalesce(v_local, radscheduler.local_columns(p_site, v_row.id));
                field := v_field.field; ours := v_field.ours; theirs := v_field.theirs;
                suggestion := CASE
                    WHEN v_field.columns && v_local THEN 'It was changed here by hand, and the sender does not know: tell it there, or take back the change.'
                    WHEN (v_row.t).told_at < v_row.message_time THEN 'The export is older than the last message that was applied here.'
                    WHEN v_field.field = 'resource' AND (v_row.t).resources @> '[{"id": null}]' THEN 'The export names a resource that is not known here: if it is one of these by another name, add that to resource_alias.'
                    WHEN v_field.field = 'modality' AND NOT EXISTS (SELECT FROM radscheduler.modality m WHERE m.site_id = p_site AND m.code = v_field.theirs) THEN 'The export names a modality that is not known here: add the word to modality_alias.'
                    WHEN v_field.field = 'status' AND radscheduler.is_closed(v_field.theirs::radscheduler.appointment_status) THEN 'It is over there: a closing message is missing here. Ask for it; until then the time is taken.'
                    WHEN v_field.field = 'status' AND radscheduler.is_closed(v_field.ours::radscheduler.appointment_status) THEN 'It is over here and not there. Ask which is right.'
                    ELSE 'A change is missing here: give an S27 of it to ingest(), or ask for it again.' END;
                RETURN NEXT;
            END LOOP;
        END IF;
    END LOOP;
    kind := 'missing_there'; field := NULL; theirs := NULL;
    suggestion := 'It is booked here and not in the export. If it is cancelled there, ask for the S15; until then it holds its time.';
    FOR v_row IN
        SELECT a.appointment_id AS id, coalesce(a.filler_id, a.placer_id) AS name, concat_ws(' ', to_char(timezone(c_zone, a.starts_at), 'YYYY-MM-DD HH24:MI'), a.modality) AS what
        FROM radscheduler.appointment a
        WHERE a.site_id = p_site AND a.sender_id = ANY (p_senders) AND a.starts_at <@ v_period
          AND a.starts_at >= coalesce(lower(v_period), '-infinity') AND a.starts_at <= coalesce(upper(v_period), 'infinity')
          AND NOT radscheduler.is_closed(a.status) AND a.appointment_id <> ALL (v_seen)
        ORDER BY a.starts_at, a.appointment_id
    LOOP
        appointment_id := v_row.id; external_id := v_row.name; ours := v_row.what;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.drift_rows(integer, bigint[], radscheduler.drift_row[], tstzrange) IS 'drift_report() of an export in the shape of drift_row; without a period it covers the days of its first to its last start, and where it names no start nothing is missing there.';

CREATE FUNCTION radscheduler.drift_report(messages bytea[], period tstzrange DEFAULT NULL)
    RETURNS TABLE (kind text, external_id text, appointment_id bigint, field text, ours text, theirs text, suggestion text)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 50 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    v_site   integer := radscheduler.current_site();
    v_theirs radscheduler.drift_row[];
BEGIN
    IF messages IS NULL OR array_position(messages, NULL) IS NOT NULL OR array_ndims(messages) > 1 THEN
        RAISE EXCEPTION 'drift_report needs a one-dimensional array of messages, none of them NULL' USING ERRCODE = 'null_value_not_allowed',
            HINT = 'For a batch file give its bytes as they are; for rows give them as jsonb, with the sender.';
    ELSIF isempty(period) THEN
        RAISE EXCEPTION 'the period of the export is empty' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the time that the export covers, or leave it out for the days of its appointments.';
    END IF;
    v_theirs := ARRAY(SELECT radscheduler.drift_message(v_site, u.ordinality::integer, u.message) FROM unnest(messages) WITH ORDINALITY u(message));
    PERFORM radscheduler.audit(v_site, 'read', 'appointment', NULL, jsonb_strip_nulls(jsonb_build_object('drift', cardinality(v_theirs), 'period', period)));
    RETURN QUERY SELECT d.* FROM radscheduler.drift_rows(v_site, ARRAY(SELECT DISTINCT t.sender_id FROM unnest(v_theirs) t), v_theirs, period) d;
END
$$;
COMMENT ON FUNCTION radscheduler.drift_report(bytea[], tstzrange) IS
    'Compares an export of scheduling messages (such as S27, one for each appointment) with the schedule of the session''s site. A row for each thing that does not agree: kind missing_here (not known here), missing_there (booked here by a sender of the export, in its period, and not in it), differs (field, ours, theirs), unreadable; with the sender''s key, the appointment, and what to do. Only what a message tells is compared; times are local to the site. Without a period the days from the first to the last start of the export are taken. Of several messages about one appointment the last by MSH-7 counts. Nothing is changed; the read is audited.';

CREATE FUNCTION radscheduler.drift_report(export bytea, period tstzrange DEFAULT NULL)
    RETURNS TABLE (kind text, external_id text, appointment_id bigint, field text, ours text, theirs text, suggestion text)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 50 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT d.* FROM radscheduler.drift_report(ARRAY(SELECT b.body FROM radscheduler.hl7_split_batch(export) b WHERE b.kind = 'message' ORDER BY b.message), period) d;
END
$$;
COMMENT ON FUNCTION radscheduler.drift_report(bytea, tstzrange) IS
    'drift_report() of a batch file (FHS, BHS, messages, BTS, FTS), of messages joined without envelope, or of one message.';

CREATE FUNCTION radscheduler.drift_report(snapshot jsonb, sender text, period tstzrange DEFAULT NULL)
    RETURNS TABLE (kind text, external_id text, appointment_id bigint, field text, ours text, theirs text, suggestion text)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 50 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    v_site   integer := radscheduler.current_site();
    v_sender record;
    v_theirs radscheduler.drift_row[];
BEGIN
    SELECT s.sender_id, coalesce(radscheduler.sender_profile(s.profile, t.default_profile) ->> 'timezone', t.timezone, radscheduler.default_zone()) AS zone INTO v_sender
        FROM radscheduler.sender s JOIN radscheduler.site t ON t.site_id = s.site_id
        WHERE s.site_id = v_site AND concat_ws('|', s.sending_application, s.sending_facility) = drift_report.sender;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this site has no sender "%"', left(drift_report.sender, 100) USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give MSH-3 and MSH-4 with a bar between them, such as ''RIS|NORTH''; radscheduler.sender lists them.';
    ELSIF jsonb_typeof(snapshot) IS DISTINCT FROM 'array' THEN
        RAISE EXCEPTION 'the rows of an export are an array of objects' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'SELECT jsonb_agg(to_jsonb(r)) FROM your_rows r makes one; the keys are external_id, patient_id, start, duration, modality, status, resource.';
    ELSIF isempty(period) OR period IS NULL AND snapshot = '[]' THEN
        RAISE EXCEPTION 'the period of the export is empty' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give the time that the export covers; it may be left out only where appointments with a start tell the days.';
    END IF;
    v_theirs := ARRAY(SELECT radscheduler.drift_entry(v_site, v_sender.sender_id, v_sender.zone, e.place::integer, e.item) FROM jsonb_array_elements(snapshot) WITH ORDINALITY e(item, place));
    PERFORM radscheduler.audit(v_site, 'read', 'appointment', NULL, jsonb_strip_nulls(jsonb_build_object('drift', cardinality(v_theirs), 'sender', drift_report.sender, 'period', period)));
    RETURN QUERY SELECT d.* FROM radscheduler.drift_rows(v_site, ARRAY[v_sender.sender_id], v_theirs, period) d;
END
$$;
COMMENT ON FUNCTION radscheduler.drift_report(jsonb, text, tstzrange) IS
    'drift_report() of rows of a sender (''application|facility''): [{external_id, patient_id, start, duration, modality, status, resource}], of which only external_id must be there; the others are compared where they are. external_id is SCH-2 or SCH-1 as appointment.filler_id and placer_id hold it; a start without offset is local to the sender; resource is a name or a list of names.';
