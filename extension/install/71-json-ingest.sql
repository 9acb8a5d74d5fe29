-- The integration guide's JSON: the same core, the same log.

CREATE FUNCTION radscheduler.json_time(value text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN regexp_replace(replace(value, ' ', 'T'), '([+-]\d\d)(\d\d)$', '\1:\2');
END
$$;
COMMENT ON FUNCTION radscheduler.json_time(text) IS 'An ISO 8601 time of a JSON body in the one form to_instant() reads: T between date and time, a colon in the offset.';

CREATE FUNCTION radscheduler.json_reading(p_site integer, p_body jsonb, OUT reading jsonb, OUT error jsonb) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_key   text;
    v_names text[];
    v_at    text := p_body ->> 'datetime';
    v_bad   text;
    v_text  text;
BEGIN
    IF jsonb_typeof(p_body) <> 'object' THEN
        error := '{"code": "invalid_body", "path": "", "text": "The body must be a JSON object with patientId, patientName, modality, studyType, datetime and referringPhysician."}';
        RETURN;
    END IF;
    FOREACH v_key IN ARRAY ARRAY['patientId', 'patientName', 'modality', 'studyType', 'datetime', 'referringPhysician'] LOOP
        IF jsonb_typeof(p_body -> v_key) IS DISTINCT FROM 'string' OR btrim(p_body ->> v_key) = '' THEN
            error := jsonb_build_object('code', 'missing_field', 'path', v_key, 'text', format('"%s" is required and must be a text that is not empty.', v_key));
            RETURN;
        END IF;
    END LOOP;
    SELECT k.key INTO v_bad FROM jsonb_each_text(p_body) k WHERE length(k.value) > CASE k.key WHEN 'notes' THEN 20000 ELSE 500 END LIMIT 1;
    IF v_bad IS NOT NULL THEN
        error := jsonb_build_object('code', 'invalid_field', 'path', v_bad, 'text', format('"%s" is too long.', left(v_bad, 40)));
        RETURN;
    END IF;
    SELECT k.key INTO v_bad FROM jsonb_each(p_body) k
        WHERE k.key IN ('patientPhone', 'urgency', 'notes', 'appointmentId', 'resource') AND jsonb_typeof(k.value) NOT IN ('string', 'null') LIMIT 1;
    IF v_bad IS NOT NULL THEN
        v_text := format('"%s" must be a text.', v_bad);
    ELSIF p_body ->> 'patientPhone' !~ '^\+?[0-9 ().-]{2,30}$' THEN
        v_bad := 'patientPhone'; v_text := '"patientPhone" must be a phone number, for example +16175550123.';
    ELSIF v_at !~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?$' THEN
        v_bad := 'datetime'; v_text := '"datetime" must be an ISO 8601 date and time, for example 2024-01-15T10:00:00Z.';
    ELSIF radscheduler.modality_code(p_site, p_body ->> 'modality') IS NULL THEN
        v_bad := 'modality'; v_text := '"modality" is not one this site knows. Use for example MRI, CT, XRAY or US.';
    ELSIF p_body ? 'urgency' AND lower(p_body ->> 'urgency') NOT IN ('routine', 'urgent', 'emergency', 'stat') THEN
        v_bad := 'urgency'; v_text := '"urgency" must be routine, urgent or emergency.';
    ELSIF p_body ? 'duration' AND (p_body ->> 'duration' !~ '^\d{1,4}$' OR (p_body ->> 'duration')::integer NOT BETWEEN 1 AND 1440) THEN
        v_bad := 'duration'; v_text := '"duration" must be whole minutes from 1 to 1440.';
    ELSE
        BEGIN
            PERFORM v_at::timestamptz;
        EXCEPTION WHEN data_exception THEN
            v_bad := 'datetime'; v_text := '"datetime" names a moment that does not exist. Give an ISO 8601 date and time, for example 2024-01-15T10:00:00Z.';
        END;
    END IF;
    IF v_bad IS NOT NULL THEN
        error := jsonb_build_object('code', 'invalid_field', 'path', v_bad, 'text', v_text);
        RETURN;
    END IF;
    v_names := regexp_split_to_array(btrim(p_body ->> 'patientName'), '\s+');
    reading := jsonb_build_object(
        'header', jsonb_build_object('message_code', 'JSON', 'trigger_event', 'S12'),
        'schedule', jsonb_strip_nulls(jsonb_build_object(
            'filler_id', p_body ->> 'appointmentId', 'starts_at', radscheduler.json_time(v_at),
            'duration_minutes', (p_body ->> 'duration')::integer, 'priority', p_body ->> 'urgency', 'notes', p_body ->> 'notes',
            'modality', p_body ->> 'modality')),
        'patient', jsonb_build_object('identifiers', jsonb_build_array(jsonb_build_object('value', p_body ->> 'patientId')),
            'display', btrim(p_body ->> 'patientName'), 'family', v_names[cardinality(v_names)], 'given', array_to_string(v_names[1:cardinality(v_names) - 1], ' '))
            || CASE WHEN p_body ->> 'patientPhone' IS NULL THEN '{}' ELSE jsonb_build_object('phones', jsonb_build_array(jsonb_build_object('value', p_body ->> 'patientPhone'))) END,
        'visit', jsonb_build_object('referring', p_body ->> 'referringPhysician'),
        'services', jsonb_build_array(jsonb_build_object('path', 'studyType', 'group', 1, 'text', p_body ->> 'studyType')),
        'resources', CASE WHEN coalesce(p_body ->> 'resource', '') = '' THEN '[]'
                          ELSE jsonb_build_array(jsonb_build_object('path', 'resource', 'segment', 'AIG', 'group', 1, 'code', p_body ->> 'resource')) END);
END
$$;
COMMENT ON FUNCTION radscheduler.json_reading(integer, jsonb) IS
    'The guide''s JSON body as a reading of siu_parse shape, or what is wrong with it: {code, path (the key), text}. Beyond the guide it takes appointmentId (the caller''s own id), resource (a scanner''s name), duration, notes.';

CREATE FUNCTION radscheduler.log_json(p_context jsonb, p_bytes bytea, p_result radscheduler.ingest_result, p_error jsonb, p_duplicate_of bigint, p_received timestamptz, p_applied radscheduler.ingest_item DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item radscheduler.ingest_item := p_applied;
BEGIN
    v_item.context := p_context;
    v_item.site_id := (p_context ->> 'site_id')::integer;
    v_item.sender_id := (p_context ->> 'sender_id')::bigint;
    v_item.message_id := p_result.message_id;
    v_item.received_at := p_received;
    v_item.raw := p_bytes;
    v_item.raw_sha256 := sha256(p_bytes);
    v_item.outcome := p_result.outcome;
    v_item.code := p_result.code;
    v_item.warnings := p_result.warnings;
    v_item.ack := p_result.ack;
    v_item.appointment_id := p_result.appointment_id;
    v_item.error := p_error;
    v_item.duplicate_of := p_duplicate_of;
    PERFORM radscheduler.log_items(ARRAY[v_item]);
END
$$;
COMMENT ON FUNCTION radscheduler.log_json(jsonb, bytea, radscheduler.ingest_result, jsonb, bigint, timestamptz, radscheduler.ingest_item) IS 'log_items() of one JSON body and what became of it; p_applied is what apply_reading() made of it.';

CREATE FUNCTION radscheduler.ingest_json(body jsonb, raw bytea DEFAULT NULL, channel text DEFAULT 'sql', peer text DEFAULT NULL) RETURNS radscheduler.ingest_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    v_bytes    bytea := coalesce(raw, convert_to(body::text, 'UTF8'));
    v_received timestamptz := clock_timestamp();
    v_context  jsonb := radscheduler.message_context(jsonb_build_object('sending_application', 'API', 'message_code', 'JSON', 'trigger_event', 'S12'), channel, peer)
                        || jsonb_build_object('source', 'API');
    v_site     integer := (v_context ->> 'site_id')::integer;
    v_sender   bigint := (v_context ->> 'sender_id')::bigint;
    v_read     record;
    v_applied  radscheduler.ingest_item;
    v_first    record;
    v_error    jsonb;
    r          radscheduler.ingest_result;
BEGIN
    r.message_id := nextval('radscheduler.hl7_message_id_seq');
    r.warnings := '[]';
    r.conflicts := '[]';
    SELECT * INTO v_read FROM radscheduler.json_reading(v_site, body);
    v_error := v_read.error;
    IF v_error IS NULL THEN
        PERFORM radscheduler.lock_keys(ARRAY['appointment/' || v_sender || '/F/' || (v_read.reading #>> '{schedule,filler_id}'), 'body/' || encode(sha256(v_bytes), 'hex')]
                                       || radscheduler.patient_lock_names(v_site, v_read.reading -> 'patient'));
        INSERT INTO radscheduler.message_key (site_id, sender_id, control_id, body_sha256, message_id, received_at)
            VALUES (v_site, v_sender, '', sha256(v_bytes), r.message_id, v_received) ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            SELECT m.message_id, m.code, m.ack, m.appointment_id INTO v_first
                FROM radscheduler.message_key k
                JOIN radscheduler.hl7_message m ON m.site_id = k.site_id AND m.received_at = k.received_at AND m.message_id = k.message_id
                JOIN radscheduler.appointment a ON a.site_id = m.site_id AND a.appointment_id = m.appointment_id AND NOT radscheduler.is_closed(a.status)
                WHERE k.site_id = v_site AND k.sender_id = v_sender AND k.control_id = '' AND k.body_sha256 = sha256(v_bytes);
            IF FOUND THEN
                r.outcome := 'duplicate';
                r.code := v_first.code;
                r.ack := v_first.ack;
                r.appointment_id := v_first.appointment_id;
                r.conflicts := radscheduler.conflicts_of(v_site, r.appointment_id);
                PERFORM radscheduler.log_json(v_context, v_bytes, r, NULL, v_first.message_id, v_received);
                RETURN r;
            END IF;
            UPDATE radscheduler.message_key k SET message_id = r.message_id, received_at = v_received
                WHERE k.site_id = v_site AND k.sender_id = v_sender AND k.control_id = '' AND k.body_sha256 = sha256(v_bytes);
        END IF;
        v_applied := radscheduler.apply_reading(v_context, v_read.reading, r.message_id, v_received);
        v_error := v_applied.error;
        r.outcome := v_applied.outcome;
        r.appointment_id := v_applied.appointment_id;
        r.warnings := v_applied.warnings;
        r.conflicts := radscheduler.conflicts_of(v_site, r.appointment_id);
    END IF;
    r.code := CASE WHEN v_error IS NULL THEN 'AA' ELSE 'AE' END;
    r.outcome := CASE WHEN v_error IS NULL THEN r.outcome ELSE 'error' END;
    r.ack := convert_to(jsonb_strip_nulls(jsonb_build_object('code', r.code, 'message_id', r.message_id, 'appointment_id', r.appointment_id, 'error', v_error))::text, 'UTF8');
    PERFORM radscheduler.log_json(v_context, v_bytes, r, v_error, NULL, v_received, v_applied);
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.ingest_json(jsonb, bytea, text, text) IS
    'Takes an appointment in the guide''s JSON form, as ingest() takes HL7; raw are the bytes as received (default the body as text). A body repeated byte for byte while its appointment is open is a duplicate. Errors stand in hl7_message.error as {code, path, text}.';
