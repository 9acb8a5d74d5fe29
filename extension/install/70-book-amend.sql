-- What is told of an appointment without moving it: notes, who referred, how urgent, what exam it is called. The appointments view does the same for
-- SQL; here the caller says which version he read, and several changes can be one request under the locks of the first (70-book-change.sql).

CREATE FUNCTION radscheduler.amend_booking(p_appointment bigint, p_changes jsonb, p_reason text) RETURNS radscheduler.booking_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site integer := radscheduler.current_site();
    v_old  radscheduler.appointment;
    v_new  radscheduler.appointment;
BEGIN
    PERFORM radscheduler.check_booking_texts(NULL, NULL, NULL, p_changes ->> 'study_type', p_changes ->> 'referring_physician', p_changes ->> 'notes', p_reason);
    IF p_changes ? 'urgency' AND coalesce(lower(p_changes ->> 'urgency'), '') NOT IN ('routine', 'urgent', 'stat', 'emergency') THEN
        RAISE EXCEPTION 'urgency "%" is not known', left(coalesce(p_changes ->> 'urgency', 'null'), 100) USING ERRCODE = 'invalid_parameter_value', HINT = 'Use routine, urgent or stat (emergency).';
    END IF;
    PERFORM radscheduler.lock_booking(v_site, p_appointment, NULL, NULL, NULL);
    SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = p_appointment;
    IF v_old.status = 'DELETED' THEN
        RAISE EXCEPTION 'appointment % was deleted', p_appointment USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'It was entered by mistake and stays deleted; a new one is booked instead.';
    END IF;
    v_new := v_old;
    v_new.notes := CASE WHEN p_changes ? 'notes' THEN nullif(p_changes ->> 'notes', '') ELSE v_old.notes END;
    v_new.referring_physician := CASE WHEN p_changes ? 'referring_physician' THEN nullif(btrim(p_changes ->> 'referring_physician'), '') ELSE v_old.referring_physician END;
    v_new.study_text := CASE WHEN p_changes ? 'study_type' THEN nullif(btrim(p_changes ->> 'study_type'), '') ELSE v_old.study_text END;
    v_new.urgency := CASE WHEN p_changes ? 'urgency' THEN radscheduler.urgency_of(p_changes ->> 'urgency') ELSE v_old.urgency END;
    IF v_new IS NOT DISTINCT FROM v_old THEN
        RETURN radscheduler.changed_result(v_site, p_appointment, 'unchanged');
    END IF;
    UPDATE radscheduler.appointment a SET notes = v_new.notes, referring_physician = v_new.referring_physician, study_text = v_new.study_text, urgency = v_new.urgency,
           version = a.version + 1, updated_at = now()
        WHERE a.site_id = v_site AND a.appointment_id = p_appointment;
    -- Rules read what the exam is called and how urgent it is. Nobody is moved, so nothing is refused: what comes of it is flagged.
    IF (v_new.study_text, v_new.urgency) IS DISTINCT FROM (v_old.study_text, v_old.urgency) THEN
        PERFORM radscheduler.settle(v_site, ARRAY[p_appointment], NULL);
    END IF;
    PERFORM radscheduler.record_version(v_site, p_appointment, 'appointment.modified', NULL, '{}', nullif(btrim(p_reason), ''));
    RETURN radscheduler.changed_result(v_site, p_appointment, 'changed');
END
$$;
COMMENT ON FUNCTION radscheduler.amend_booking(bigint, jsonb, text) IS
    'Changes notes, referring_physician, study_type and urgency of an appointment, those that p_changes names (null empties; urgency has no null); the result is changed, or unchanged when all is so already. Raises P0002 for one that is not there, 55000 for a deleted one, 22023 and 22001 for values that cannot be.';
