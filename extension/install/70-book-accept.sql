-- Somebody allows what the rules call critical, and says why. The conflict stays, told on both appointments, and no longer asks for a decision; an
-- acceptance covers the time and the severity it was given for (51-conflicts.sql).

CREATE FUNCTION radscheduler.accept_open(p_site integer, p_appointment bigint, p_conflict bigint, p_event text, p_reason text) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_by      text := coalesce(nullif(current_setting('radscheduler.actor', true), ''), pg_get_userbyid(radscheduler.caller()));
    v_row     record;
    v_flagged bigint[] := '{}';
BEGIN
    FOR v_row IN
        UPDATE radscheduler.conflict c SET state = 'accepted', accepted_by = v_by
            WHERE c.site_id = p_site AND c.state = 'open' AND (c.appointment_id = p_appointment OR c.other_appointment_id = p_appointment)
              AND CASE WHEN p_conflict IS NULL THEN c.severity = 'critical' ELSE c.conflict_id = p_conflict END
            RETURNING c.conflict_id, c.code, c.severity, c.appointment_id, c.other_appointment_id
    LOOP
        INSERT INTO radscheduler.event_log (site_id, type, appointment_id, data)
            VALUES (p_site, p_event, v_row.appointment_id, jsonb_strip_nulls(jsonb_build_object('conflict_id', v_row.conflict_id, 'code', v_row.code,
                        'severity', v_row.severity, 'with', v_row.other_appointment_id)));
        PERFORM radscheduler.audit(p_site, p_event, 'conflict', v_row.conflict_id, jsonb_build_object('appointment_id', p_appointment, 'code', v_row.code, 'reason', p_reason));
        v_flagged := v_flagged || v_row.appointment_id;
    END LOOP;
    IF v_flagged <> '{}' THEN
        PERFORM radscheduler.review(p_site, v_flagged, v_flagged || p_appointment, NULL);
        FOR v_row IN UPDATE radscheduler.appointment a SET version = a.version + 1, updated_at = now()
            WHERE a.site_id = p_site AND a.appointment_id = ANY (v_flagged) AND a.appointment_id <> p_appointment RETURNING a.appointment_id
        LOOP
            PERFORM radscheduler.record_version(p_site, v_row.appointment_id, 'appointment.modified', NULL, '{"reason": "CONFLICT_ACCEPTED"}', p_reason);
        END LOOP;
    END IF;
    RETURN v_flagged;
END
$$;
COMMENT ON FUNCTION radscheduler.accept_open(integer, bigint, bigint, text, text) IS
    'Accepts one open conflict of an appointment, or with NULL all critical ones on either side of it, for a reason; tells it in event_log and the audit log under p_event and lifts reviews that have no other reason. Returns the appointments that were flagged. Others than p_appointment get a version that says so; the caller holds the subjects'' locks, counts the version of p_appointment and records it.';

CREATE FUNCTION radscheduler.decide_conflicts(p_appointment bigint, p_conflict bigint, p_event text, p_reason text, p_version integer, p_actor text) RETURNS radscheduler.booking_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site   integer := radscheduler.current_site();
    v_before text;
    v_done   bigint[];
    r        radscheduler.booking_result;
BEGIN
    IF nullif(btrim(p_reason), '') IS NULL THEN
        RAISE EXCEPTION 'accepting a conflict needs a reason' USING ERRCODE = 'not_null_violation', HINT = 'Say why both may stand; it is kept in the history and in the audit log.';
    END IF;
    PERFORM radscheduler.check_booking_texts(NULL, NULL, NULL, NULL, NULL, NULL, p_reason);
    v_before := radscheduler.act_for(p_actor);
    PERFORM radscheduler.lock_booking(v_site, p_appointment, NULL, ARRAY(SELECT u.id FROM radscheduler.conflict c, LATERAL unnest(ARRAY[c.appointment_id, c.other_appointment_id]) u(id)
        WHERE c.site_id = v_site AND c.state = 'open' AND p_appointment IN (c.appointment_id, c.other_appointment_id)), p_version);
    PERFORM radscheduler.lock_settling(v_site, false);
    PERFORM FROM radscheduler.appointment a
        WHERE a.site_id = v_site AND a.appointment_id IN (SELECT c.appointment_id FROM radscheduler.conflict c WHERE c.site_id = v_site AND c.state = 'open' AND c.other_appointment_id = p_appointment)
        ORDER BY a.appointment_id FOR NO KEY UPDATE;
    v_done := radscheduler.accept_open(v_site, p_appointment, p_conflict, p_event, p_reason);
    r.outcome := 'unchanged';
    r.version := (SELECT a.version FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = p_appointment);
    IF p_appointment = ANY (v_done) THEN
        UPDATE radscheduler.appointment a SET version = a.version + 1, updated_at = now() WHERE a.site_id = v_site AND a.appointment_id = p_appointment RETURNING a.version INTO r.version;
        PERFORM radscheduler.record_version(v_site, p_appointment, 'appointment.modified', NULL, '{"reason": "CONFLICT_ACCEPTED"}', p_reason);
    END IF;
    IF v_done <> '{}' THEN
        r.outcome := 'changed';
    END IF;
    r.appointment_id := p_appointment;
    r.status := (SELECT a.status FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = p_appointment);
    r.conflicts := radscheduler.conflicts_of(v_site, p_appointment);
    r.alternatives := '[]';
    r.warnings := '[]';
    PERFORM set_config('radscheduler.actor', v_before, true);
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.decide_conflicts(bigint, bigint, text, text, integer, text) IS
    'What accept_conflict() and override_conflict() do: one open conflict of an appointment, or with NULL all critical ones, accepted under locks and recorded as a version of each appointment that was flagged.';

CREATE FUNCTION radscheduler.accept_conflict(conflict_id bigint, reason text, version integer DEFAULT NULL, actor text DEFAULT NULL) RETURNS radscheduler.booking_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site        integer := radscheduler.current_site();
    v_appointment bigint;
    v_state       radscheduler.conflict_state;
BEGIN
    SELECT c.appointment_id, c.state INTO v_appointment, v_state FROM radscheduler.conflict c WHERE c.site_id = v_site AND c.conflict_id = accept_conflict.conflict_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no conflict % at this site', accept_conflict.conflict_id USING ERRCODE = 'no_data_found', HINT = 'radscheduler.conflict lists them.';
    ELSIF v_state = 'resolved' THEN
        RAISE EXCEPTION 'conflict % no longer exists', accept_conflict.conflict_id USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'It was resolved when its cause went; nothing needs to be accepted.';
    END IF;
    RETURN radscheduler.decide_conflicts(v_appointment, accept_conflict.conflict_id, 'conflict.accepted', reason, version, actor);
END
$$;
COMMENT ON FUNCTION radscheduler.accept_conflict(bigint, text, integer, text) IS
    'Accepts one conflict for a reason: it is told as accepted on both appointments, and the flagged one leaves review when no other critical conflict holds it there. version is the flagged appointment''s; 40001 when it is another now. Returns the flagged appointment; unchanged when the conflict was accepted already. Raises P0002, 55000, 23502.';

CREATE FUNCTION radscheduler.override_conflict(appointment_id bigint, reason text, version integer DEFAULT NULL, actor text DEFAULT NULL) RETURNS radscheduler.booking_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
BEGIN
    RETURN radscheduler.decide_conflicts(override_conflict.appointment_id, NULL, 'conflict.overridden', reason, version, actor);
END
$$;
COMMENT ON FUNCTION radscheduler.override_conflict(bigint, text, integer, text) IS
    'Accepts every open critical conflict of an appointment, whichever side it is on, for a reason: it stands where it is, and leaves review. version: 40001 when it is another now. Returns the appointment; unchanged when there was nothing to accept. Raises P0002 and 23502.';
