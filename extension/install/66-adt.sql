-- Messages about patients (ADT). Demographics of somebody known are brought up to date, by the rules that hold for bookings too (60-patients.sql); a
-- patient without appointment or order is not recorded, hospitals tell of everybody. Where the sender's profile says so (arrival_events), a
-- registration marks the appointment of that visit as arrived. Merges are in 67-merge.sql.

INSERT INTO radscheduler.warning_kind VALUES
    ('PATIENT_UNKNOWN', 'Nobody here has this identifier, and a patient without appointment or order is not recorded; nothing was changed.'),
    ('PATIENT_AMBIGUOUS', 'An identifier was sent without assigning authority, and several patients here have it; nothing was changed.'),
    ('ARRIVAL_UNMATCHED', 'No appointment of this patient and visit is expected on that day; nobody was marked as arrived.');

CREATE FUNCTION radscheduler.is_arrival(p_item radscheduler.ingest_item) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN coalesce(p_item.context #> '{profile,arrival_events}' ? p_item.trigger_event, false);
END
$$;
COMMENT ON FUNCTION radscheduler.is_arrival(radscheduler.ingest_item) IS 'Whether an event means, by the profile of its sender (arrival_events), that the patient has arrived.';

CREATE FUNCTION radscheduler.expected_on_day(p_item radscheduler.ingest_item, OUT appointment_id bigint, OUT status radscheduler.appointment_status) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    c_visits CONSTANT text[] := array_remove(ARRAY[p_item.reading #>> '{visit,visit_number}', p_item.reading #>> '{visit,alternate_visit_id}'], NULL);
    v_zone   text;
    v_day    timestamp;
BEGIN
    IF c_visits = '{}' THEN
        RETURN;
    END IF;
    v_zone := radscheduler.site_zone(p_item.site_id);
    v_day := date_trunc('day', timezone(v_zone, p_item.at));
    RETURN QUERY
    SELECT a.appointment_id, a.status
    FROM radscheduler.find_patient(p_item.site_id, p_item.reading #> '{patient,identifiers}', p_item.context ->> 'facility') f
    JOIN radscheduler.appointment a ON a.site_id = p_item.site_id AND a.patient_id = f.patient_id
    WHERE a.visit_number = ANY (c_visits) AND NOT radscheduler.is_closed(a.status)
      AND a.starts_at >= timezone(v_zone, v_day) AND a.starts_at < timezone(v_zone, v_day + interval '1 day')
    ORDER BY radscheduler.status_rank(a.status) >= 2, greatest(a.starts_at - p_item.at, p_item.at - a.starts_at), a.appointment_id;
END
$$;
COMMENT ON FUNCTION radscheduler.expected_on_day(radscheduler.ingest_item) IS
    'The open appointments of a message''s patient and visit (PV1-19 or PV1-50) on the day of the message by the site''s clock: those not yet arrived first, the nearest in time first.';

CREATE FUNCTION radscheduler.tell_patient(p_site integer, p_patient bigint, p_columns text[], p_message bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
    SELECT a.site_id, 'patient.updated', a.appointment_id, p_message, jsonb_build_object('columns', to_jsonb(p_columns))
    FROM radscheduler.appointment a
    WHERE a.site_id = p_site AND a.patient_id = p_patient AND NOT radscheduler.is_closed(a.status) AND coalesce(a.ends_at > now(), true)
    ORDER BY a.appointment_id;
END
$$;
COMMENT ON FUNCTION radscheduler.tell_patient(integer, bigint, text[], bigint) IS
    'Tells listeners of every open appointment of a patient that is still to come that these columns of the patient have changed. Names of columns, no values.';

CREATE FUNCTION radscheduler.changed_columns(p_old jsonb, p_new jsonb) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT array_agg(o.key ORDER BY o.key COLLATE "C") FROM jsonb_each(p_old) o
            WHERE o.value <> p_new -> o.key AND o.key NOT IN ('patient_id', 'created_at', 'updated_at', 'message_time'));
END
$$;
COMMENT ON FUNCTION radscheduler.changed_columns(jsonb, jsonb) IS 'Names of the columns in which two versions of a patient, as jsonb, differ, but for times of their recording; NULL when in none.';

CREATE FUNCTION radscheduler.arrive(p_item radscheduler.ingest_item) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    r          radscheduler.ingest_item := p_item;
    v_expected record;
    v_names    text[];
    v_held     text[] := '{}';
BEGIN
    -- The appointment is not named by the message: under its names it is looked for again.
    LOOP
        v_names := array_remove(ARRAY(SELECT unnest(radscheduler.appointment_lock_names(p_item.site_id, e.appointment_id)) FROM radscheduler.expected_on_day(p_item) e), NULL);
        EXIT WHEN v_names <@ v_held;
        PERFORM radscheduler.lock_keys_at_once(v_names);
        v_held := v_held || v_names;
    END LOOP;
    SELECT e.appointment_id, e.status, a.sender_id, a.filler_id, a.placer_id, a.holds_time INTO v_expected
        FROM radscheduler.expected_on_day(p_item) e
        JOIN radscheduler.appointment a ON a.site_id = p_item.site_id AND a.appointment_id = e.appointment_id LIMIT 1;
    IF v_expected.appointment_id IS NULL THEN
        r.outcome := 'ignored';
        r.warnings := r.warnings || radscheduler.warning('ARRIVAL_UNMATCHED', 'PV1-19');
        RETURN r;
    END IF;
    r.appointment_id := v_expected.appointment_id;
    IF radscheduler.status_rank(v_expected.status) >= 2 THEN
        r.outcome := 'ignored';
        RETURN r;
    END IF;
    -- Said in the words of the appointment's own sender: rank, order and everything that follows are those of an S14 with that status.
    r.sender_id := v_expected.sender_id;
    r.filler_id := v_expected.filler_id;
    r.placer_id := v_expected.placer_id;
    r.trigger_event := 'S14';
    r.patient_id := NULL;
    r.context := p_item.context || jsonb_build_object('profile', jsonb_build_object('pending_occupies', v_expected.holds_time));
    r.reading := jsonb_build_object('schedule', '{"status": ["ARRIVED"]}'::jsonb, 'services', '[]'::jsonb, 'resources', '[]'::jsonb)
                 || CASE WHEN p_item.reading #>> '{visit,patient_class}' IS NULL THEN '{}'
                         ELSE jsonb_build_object('visit', jsonb_build_object('patient_class', p_item.reading #>> '{visit,patient_class}')) END;
    r := (radscheduler.apply_items(ARRAY[r]))[1];
    IF r.outcome = 'flagged' THEN
        r.outcome := 'applied';
    END IF;
    IF r.event IS NOT NULL THEN
        INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data) VALUES (r.site_id, r.event, r.appointment_id, r.message_id, r.event_data);
        PERFORM radscheduler.audit(r.site_id, r.event, 'appointment', r.appointment_id, jsonb_build_object('message_id', r.message_id, 'version', r.event_data -> 'version'));
    END IF;
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.arrive(radscheduler.ingest_item) IS
    'Marks the appointment that a message''s patient has come for as ARRIVED: the nearest of that visit and day. Sets outcome (ignored when there is none or it has arrived before), appointment and warnings. Its conflicts are not the message''s.';

CREATE FUNCTION radscheduler.apply_adt(p_context jsonb, p_reading jsonb, p_message bigint, p_at timestamptz,
        OUT outcome text, OUT code text, OUT error jsonb, OUT appointment_id bigint, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item    radscheduler.ingest_item := radscheduler.item_of(p_context, p_reading, p_message, p_at);
    v_patient bigint;
    v_old     radscheduler.patient;
    v_new     radscheduler.patient;
    v_columns text[];
BEGIN
    outcome := 'applied';
    code := 'AA';
    warnings := '[]';
    IF p_reading ? 'merges' THEN
        SELECT m.outcome, m.error, m.warnings INTO apply_adt.outcome, apply_adt.error, apply_adt.warnings FROM radscheduler.merge_all(v_item) m;
    ELSIF coalesce(p_reading #> '{patient,identifiers,0}', 'null') = 'null' THEN
        error := '{"code": "101", "path": "PID-3", "text": "A message about a patient needs an identifier in PID-3. Send at least one."}';
    END IF;
    IF error IS NOT NULL THEN
        outcome := 'error';
        code := 'AE';
    END IF;
    IF error IS NOT NULL OR p_reading ? 'merges' THEN
        RETURN;
    END IF;

    SELECT f.patient_id INTO v_patient FROM radscheduler.find_patient(v_item.site_id, p_reading #> '{patient,identifiers}', p_context ->> 'facility') f;
    IF v_patient IS NULL OR radscheduler.is_ambiguous(v_item.site_id, p_context ->> 'facility', p_reading #> '{patient,identifiers}') THEN
        outcome := 'ignored';
        warnings := warnings || radscheduler.warning(CASE WHEN v_patient IS NULL THEN 'PATIENT_UNKNOWN' ELSE 'PATIENT_AMBIGUOUS' END, 'PID-3');
        RETURN;
    END IF;
    SELECT p.* INTO v_old FROM radscheduler.patient p WHERE p.site_id = v_item.site_id AND p.patient_id = v_patient FOR UPDATE;
    SELECT p.warnings INTO apply_adt.warnings FROM radscheduler.resolve_patient(v_item.site_id, p_reading -> 'patient', p_context ->> 'facility', p_context ->> 'region', p_at) p;
    SELECT p.* INTO v_new FROM radscheduler.patient p WHERE p.site_id = v_item.site_id AND p.patient_id = v_patient;
    v_columns := radscheduler.changed_columns(to_jsonb(v_old), to_jsonb(v_new));
    IF v_columns IS NOT NULL THEN
        PERFORM radscheduler.tell_patient(v_item.site_id, v_patient, v_columns, p_message);
    ELSIF v_old.message_time > p_at AND NOT radscheduler.is_arrival(v_item) THEN
        outcome := 'stale';
        warnings := warnings || radscheduler.warning('STALE', 'MSH-7');
    END IF;
    IF radscheduler.is_arrival(v_item) THEN
        v_item := radscheduler.arrive(v_item);
        appointment_id := v_item.appointment_id;
        warnings := warnings || v_item.warnings;
        outcome := CASE WHEN v_item.outcome = 'applied' OR v_columns IS NOT NULL THEN 'applied' ELSE v_item.outcome END;
    END IF;
    -- Settled once: with an appointment that has arrived, his other bookings are looked at too.
    IF v_columns && '{sex,birth_date}' AND (appointment_id IS NULL OR v_item.outcome <> 'applied') THEN
        PERFORM radscheduler.recheck_patient(v_item.site_id, v_patient);
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.apply_adt(jsonb, jsonb, bigint, timestamptz) IS
    'Applies a message about a patient: demographics (newer ones win), arrival where the sender''s profile says so, merges. Somebody unknown is not recorded (PATIENT_UNKNOWN). Context and reading as apply_reading() takes them. Call it under lock_keys() on lock_names() of the message.';
