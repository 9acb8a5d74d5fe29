-- POST /api/hl7/*: the guide's three doors for messages.

CREATE FUNCTION radscheduler.api_hl7_appointment(body bytea) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_json  jsonb := radscheduler.body_json(body);
    v_error jsonb;
    r       radscheduler.ingest_result;
BEGIN
    r := radscheduler.ingest_json(coalesce(v_json, 'null'), body, 'http');
    IF v_json IS NULL THEN
        RETURN radscheduler.problem(400, 'invalid_json', 'Not JSON', 'The body is not JSON in UTF-8. Send a JSON object with content type application/json.',
                                    jsonb_build_object('messageId', r.message_id));
    ELSIF r.code <> 'AA' THEN
        SELECT m.error INTO v_error FROM radscheduler.hl7_message m WHERE m.message_id = r.message_id;
        RETURN radscheduler.problem(400, v_error ->> 'code', 'The appointment cannot be taken', v_error ->> 'text',
                                    jsonb_build_object('messageId', r.message_id, 'errors', jsonb_build_array(jsonb_build_object('pointer', '/' || (v_error ->> 'path'), 'detail', v_error ->> 'text'))));
    END IF;
    RETURN radscheduler.reply(201, jsonb_build_object('success', true, 'appointmentId', r.appointment_id, 'conflicts', radscheduler.api_conflicts(r.conflicts),
        'message', CASE r.outcome WHEN 'duplicate' THEN 'Appointment was already taken' WHEN 'flagged' THEN 'Appointment taken with conflicts, please review' ELSE 'Appointment taken' END,
        'messageId', r.message_id, 'outcome', r.outcome, 'warnings', r.warnings));
END
$$;
COMMENT ON FUNCTION radscheduler.api_hl7_appointment(bytea) IS 'POST /api/hl7/appointment: the guide''s JSON appointment. 201 with the guide''s envelope, 400 problem+json that names the field.';

CREATE FUNCTION radscheduler.api_hl7_raw(body bytea, content_type text, accept text) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_bytes bytea := body;
    v_json  jsonb;
    v_error jsonb;
    r       radscheduler.ingest_result;
BEGIN
    IF content_type ILIKE 'application/json%' THEN
        v_json := radscheduler.body_json(body);
        v_json := CASE WHEN jsonb_typeof(v_json) = 'object' THEN v_json -> 'message' ELSE v_json END;
        IF jsonb_typeof(v_json) IS DISTINCT FROM 'string' THEN
            r := radscheduler.ingest(body, 'http');
            RETURN radscheduler.problem(400, 'invalid_json', 'Not an HL7 message in JSON', 'With content type application/json the body must be a JSON string, or an object whose "message" is one.',
                                        jsonb_build_object('messageId', r.message_id));
        END IF;
        v_bytes := convert_to(v_json #>> '{}', 'UTF8');
    END IF;
    r := radscheduler.ingest(v_bytes, 'http');
    IF accept ILIKE '%application/hl7-v2%' OR accept ILIKE '%x-application/hl7-v2+er7%' THEN
        RETURN ROW(CASE r.code WHEN 'AA' THEN 200 WHEN 'AE' THEN 422 ELSE 400 END, 'application/hl7-v2', radscheduler.body_text(r.ack), NULL)::radscheduler.http_reply;
    ELSIF r.code <> 'AA' THEN
        SELECT m.error INTO v_error FROM radscheduler.hl7_message m WHERE m.message_id = r.message_id;
        RETURN radscheduler.problem(CASE r.code WHEN 'AE' THEN 422 ELSE 400 END, 'hl7_' || (v_error ->> 'code'), 'The HL7 message was not applied', v_error ->> 'text',
                                    jsonb_build_object('hl7Path', v_error ->> 'path', 'acknowledgement', r.code, 'messageId', r.message_id));
    END IF;
    RETURN radscheduler.reply(201, jsonb_build_object('success', true, 'message', 'HL7 message processed', 'appointmentId', r.appointment_id, 'acknowledgement', r.code,
        'messageId', r.message_id, 'outcome', r.outcome, 'warnings', r.warnings, 'conflicts', radscheduler.api_conflicts(r.conflicts)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_hl7_raw(bytea, text, text) IS
    'POST /api/hl7/raw: an HL7 message as text, as application/hl7-v2, or as JSON (a string or {"message"}). 201, or 422 (AE) or 400 (AR) as problem+json; with Accept: application/hl7-v2 the acknowledgement itself.';

CREATE FUNCTION radscheduler.simulated_message(p_site integer, p_body jsonb, p_is_known boolean) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_zone   text := radscheduler.site_zone(p_site);
    v_token  text := upper(substr(replace(gen_random_uuid()::text, '-', ''), 1, 12));
    v_names  text[] := regexp_split_to_array(btrim(coalesce(nullif(btrim(p_body ->> 'patientName'), ''), CASE WHEN p_is_known THEN '' ELSE 'Test Patient' END)), '\s+');
    v_iso    text := radscheduler.json_time(p_body ->> 'datetime');
    v_start  timestamptz := coalesce(radscheduler.to_instant(v_iso, v_zone), date_trunc('minute', now()) + interval '1 hour');
    v_start_hl7 text := to_char(timezone('UTC', v_start), 'YYYYMMDDHH24MI') || '+0000';
    v_minutes text := coalesce(p_body ->> 'duration', '');
    v_modality text := coalesce(nullif(btrim(p_body ->> 'modality'), ''), 'MRI');
    v_code   text := radscheduler.modality_code(p_site, v_modality);
BEGIN
    RETURN concat_ws(E'\r',
        format('MSH|^~\&|SIMULATOR|%s|RADSCHED|RAD|%s||SIU^S12^SIU_S12|SIM%s|P|2.5', radscheduler.hl7_escape((SELECT s.code FROM radscheduler.site s WHERE s.site_id = p_site)),
               radscheduler.ack_stamp(v_zone), v_token),
        format('SCH||SIM-%s|||||||%s|MIN|^^%s^%s^^%s||||||||||||||SCHEDULED', v_token, v_minutes, v_minutes, v_start_hl7,
               CASE lower(coalesce(p_body ->> 'urgency', 'routine')) WHEN 'emergency' THEN 'S' WHEN 'stat' THEN 'S' WHEN 'urgent' THEN 'A' ELSE 'R' END),
        CASE WHEN p_body ->> 'notes' IS NOT NULL THEN format('NTE|1||%s', radscheduler.hl7_escape(p_body ->> 'notes')) END,
        format('PID|1||%s||%s^%s||||||||%s', radscheduler.hl7_escape(coalesce(nullif(p_body ->> 'patientId', ''), 'SIM-' || v_token)),
               radscheduler.hl7_escape(v_names[cardinality(v_names)]), radscheduler.hl7_escape(array_to_string(v_names[1:cardinality(v_names) - 1], ' ')),
               radscheduler.hl7_escape(coalesce(p_body ->> 'patientPhone', ''))),
        CASE WHEN p_body ->> 'referringPhysician' IS NOT NULL THEN format('PV1|1|O||||||^%s', radscheduler.hl7_escape(p_body ->> 'referringPhysician')) END,
        'RGS|1|A',
        format('AIS|1|A|%s^%s|%s', v_code, radscheduler.hl7_escape(coalesce(nullif(p_body ->> 'studyType', ''), 'Routine Study')), v_start_hl7),
        CASE WHEN p_body ->> 'resource' IS NOT NULL THEN format('AIG|1|A|%s', radscheduler.hl7_escape(p_body ->> 'resource')) END);
END
$$;
COMMENT ON FUNCTION radscheduler.simulated_message(integer, jsonb, boolean) IS 'An SIU^S12 made from the guide''s JSON, with a new control id and appointment id; without patientId the patient is SIM-….';

CREATE FUNCTION radscheduler.api_hl7_simulate(body bytea) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_json  jsonb := radscheduler.body_json(body);
    v_site  integer := radscheduler.api_site();
    v_check record;
    v_error jsonb;
    v_is_known boolean;
    r       radscheduler.ingest_result;
BEGIN
    IF jsonb_typeof(v_json) IS DISTINCT FROM 'object' THEN
        r := radscheduler.ingest_json('null', body, 'http');
        RETURN radscheduler.problem(400, 'invalid_json', 'Not JSON', 'The body is not a JSON object in UTF-8.', jsonb_build_object('messageId', r.message_id));
    END IF;
    IF v_json ? 'scenario' AND coalesce(v_json ->> 'scenario', '') NOT IN ('dramatic_save', 'efficiency_boost', 'bulk_processing') THEN
        RETURN radscheduler.problem(400, 'invalid_field', 'The simulation cannot be run', '"scenario" must be dramatic_save, efficiency_boost or bulk_processing.');
    END IF;
    SELECT * INTO v_check FROM radscheduler.json_reading(v_site,
        '{"patientId": "SIM", "patientName": "Test Patient", "modality": "MRI", "studyType": "Routine Study", "datetime": "2024-01-15T10:00:00Z", "referringPhysician": "-"}'
        || jsonb_strip_nulls(v_json));
    IF v_check.error IS NOT NULL THEN
        RETURN radscheduler.problem(400, v_check.error ->> 'code', 'The simulation cannot be run', v_check.error ->> 'text');
    END IF;
    -- Whoever may only send gets back what he sent, not what is known of the patient; and a name is made up for nobody who has one.
    v_is_known := EXISTS (SELECT FROM radscheduler.patient_identifier i WHERE i.site_id = v_site AND i.value = v_json ->> 'patientId');
    r := radscheduler.ingest(convert_to(radscheduler.simulated_message(v_site, v_json, v_is_known), 'UTF8'), 'http');
    IF r.code <> 'AA' THEN
        SELECT m.error INTO v_error FROM radscheduler.hl7_message m WHERE m.message_id = r.message_id;
        RETURN radscheduler.problem(422, 'hl7_' || (v_error ->> 'code'), 'The simulated message was not applied', v_error ->> 'text', jsonb_build_object('messageId', r.message_id));
    END IF;
    PERFORM radscheduler.audit(v_site, 'read', 'appointment', r.appointment_id, '{}');
    RETURN radscheduler.reply(201, jsonb_build_object('success', true, 'message', 'Simulated HL7 processed', 'result', jsonb_build_object(
        'appointment', (SELECT to_jsonb(a) || jsonb_build_object('patient_name', CASE WHEN v_is_known THEN v_json -> 'patientName' ELSE to_jsonb(a.patient_name) END,
                                                                 'patient_phone', CASE WHEN v_is_known THEN v_json -> 'patientPhone' ELSE to_jsonb(a.patient_phone) END)
                        FROM radscheduler.appointments a WHERE a.id = r.appointment_id),
        'conflicts', radscheduler.api_conflicts(r.conflicts), 'messageId', r.message_id, 'acknowledgement', r.code)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_hl7_simulate(bytea) IS 'POST /api/hl7/simulate: builds a real SIU^S12 from JSON and sends it through ingest(). Everything in the body is optional.';
