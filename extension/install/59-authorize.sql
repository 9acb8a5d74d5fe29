-- Recording the payer's authorization of an exam (AUTH_MISSING). It is the one thing a rule asks that belongs to the appointment and that no message brings.

CREATE FUNCTION radscheduler.authorize(appointment_id bigint, number text) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_variable
DECLARE
    v_number text := nullif(btrim(number), '');
    v_site   integer;
    v_row    radscheduler.appointment;
BEGIN
    SELECT a.site_id INTO v_site FROM radscheduler.appointment a WHERE a.site_id = ANY (radscheduler.visible_sites()) AND a.appointment_id = authorize.appointment_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no appointment % at a site of this session', appointment_id USING ERRCODE = 'no_data_found',
            HINT = 'The number is appointments.id; the setting radscheduler.site narrows what a session sees.';
    END IF;
    PERFORM radscheduler.lock_keys(radscheduler.appointment_lock_names(v_site, appointment_id));
    PERFORM radscheduler.lock_subjects(v_site, '{}', ARRAY(SELECT a.patient_id FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = authorize.appointment_id));
    SELECT * INTO v_row FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = authorize.appointment_id FOR UPDATE;
    IF v_row.authorization_no IS DISTINCT FROM v_number THEN
        UPDATE radscheduler.appointment a SET authorization_no = v_number, version = a.version + 1, updated_at = now()
            WHERE a.site_id = v_site AND a.appointment_id = authorize.appointment_id RETURNING a.version INTO v_row.version;
        PERFORM radscheduler.settle(v_site, ARRAY[appointment_id], '{}');
        PERFORM radscheduler.record_version(v_site, appointment_id, 'appointment.modified', NULL);
    END IF;
    RETURN v_row.version;
END
$$;
COMMENT ON FUNCTION radscheduler.authorize(bigint, text) IS
    'Records the number of the payer''s authorization for an appointment, or takes it back (NULL or empty); returns the appointment''s version. Conflicts AUTH_MISSING follow. Raises P0002 for an appointment that is not at a site of the session.';
