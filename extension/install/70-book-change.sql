-- Changing what is booked: moved, ended, opened again. Who read the appointment says which version he read, and is told when it is another now.

CREATE FUNCTION radscheduler.lock_booking(p_site integer, p_appointment bigint, p_resources bigint[], p_with bigint[], p_version integer) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_ids       bigint[] := p_appointment || p_with;
    v_resources bigint[];
    v_patients  bigint[];
    v_modality  text;
    v_row       radscheduler.appointment;
BEGIN
    PERFORM radscheduler.lock_keys(radscheduler.appointment_lock_names(p_site, p_appointment) || format('appointment/%s/%s', p_site, p_appointment));
    v_resources := ARRAY(SELECT ar.resource_id FROM radscheduler.appointment_resource ar WHERE ar.site_id = p_site AND ar.appointment_id = ANY (v_ids));
    v_patients := ARRAY(SELECT a.patient_id FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (v_ids) ORDER BY a.appointment_id);
    IF NOT EXISTS (SELECT FROM unnest(coalesce(p_resources, v_resources)) u(id) JOIN radscheduler.resource r ON r.site_id = p_site AND r.resource_id = u.id AND r.kind <> 'staff') THEN
        v_modality := (SELECT a.modality FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment);
    END IF;
    PERFORM radscheduler.lock_subjects(p_site, v_resources || p_resources || radscheduler.pool_scanners(p_site, ARRAY[v_modality], v_ids), v_patients);
    SELECT * INTO v_row FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment AND a.hold_until IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no appointment % at this site', p_appointment USING ERRCODE = 'no_data_found', HINT = 'Look again: it may have been purged, or belong to another site.';
    ELSIF v_row.version <> p_version THEN
        RAISE EXCEPTION 'appointment % has changed: it is at version % now, not %', p_appointment, v_row.version, p_version
            USING ERRCODE = 'serialization_failure', HINT = 'Read it again, decide again, and give the version that you read.';
    ELSIF v_row.patient_id <> ALL (v_patients) THEN
        RAISE EXCEPTION 'appointment % passed to another patient while this change waited for it', p_appointment USING ERRCODE = 'serialization_failure', HINT = 'Read it again, and decide again.';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.lock_booking(integer, bigint, bigint[], bigint[], integer) IS
    'Takes the locks of a change to an appointment: its names, its subjects and those of p_resources, which it is to have, and of the appointments p_with; then its row. Raises P0002 for one that is not there, 40001 for one whose version is not p_version.';

CREATE FUNCTION radscheduler.changed_result(p_site integer, p_appointment bigint, p_outcome text) RETURNS radscheduler.booking_result
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    r radscheduler.booking_result;
BEGIN
    SELECT a.version, a.status INTO r.version, r.status FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment;
    r.outcome := p_outcome;
    r.appointment_id := p_appointment;
    r.conflicts := radscheduler.conflicts_of(p_site, p_appointment);
    r.alternatives := '[]';
    r.warnings := '[]';
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.changed_result(integer, bigint, text) IS 'An appointment as it stands, as the result of a change.';

CREATE FUNCTION radscheduler.move_booking(p_appointment bigint, p_starts timestamptz, p_minutes integer, p_resources text[], p_version integer,
                                          p_override text, p_actor text, p_reason text) RETURNS radscheduler.booking_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site   integer := radscheduler.current_site();
    v_ids    bigint[];
    v_old    radscheduler.appointment;
    v_starts timestamptz;
    v_ends   timestamptz;
    v_status radscheduler.appointment_status;
    v_moved  bigint[];
    v_before text;
    r        radscheduler.booking_result;
BEGIN
    PERFORM radscheduler.check_booking_texts(NULL, NULL, NULL, NULL, NULL, NULL, greatest(p_reason, p_override));
    IF p_minutes NOT BETWEEN 1 AND 1440 THEN
        RAISE EXCEPTION 'a duration of % minutes is not possible', p_minutes USING ERRCODE = 'invalid_parameter_value', HINT = 'Give 1 to 1440 minutes.';
    ELSIF p_starts NOT BETWEEN '1900-01-01Z' AND '2200-01-01Z' THEN
        RAISE EXCEPTION 'starts_at lies outside the years 1900 to 2199' USING ERRCODE = 'datetime_field_overflow', HINT = 'Give the date and time of the exam.';
    END IF;
    IF p_resources IS NOT NULL THEN
        v_ids := (radscheduler.read_resources(v_site, p_resources)).ids;
    END IF;
    PERFORM radscheduler.lock_booking(v_site, p_appointment, v_ids, NULL, p_version);
    SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = p_appointment;
    v_starts := coalesce(p_starts, v_old.starts_at);
    IF radscheduler.is_closed(v_old.status) OR v_old.status IN ('ARRIVED', 'IN_PROGRESS') THEN
        RAISE EXCEPTION 'appointment % is %, and is not moved', p_appointment, v_old.status USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'radscheduler.set_status() opens one again that was closed or arrived by mistake; radscheduler.book() makes a new one.';
    ELSIF v_starts IS NULL THEN
        RAISE EXCEPTION 'appointment % has no time yet', p_appointment USING ERRCODE = 'not_null_violation', HINT = 'Give starts_at.';
    END IF;
    v_ends := v_starts + coalesce(make_interval(mins => p_minutes), v_old.ends_at - v_old.starts_at,
                                  make_interval(mins => (SELECT m.default_minutes::integer FROM radscheduler.modality m WHERE m.site_id = v_site AND m.code = v_old.modality)), interval '30 minutes');
    IF (v_starts, v_ends) IS NOT DISTINCT FROM (v_old.starts_at, v_old.ends_at)
       AND (v_ids IS NULL OR NOT EXISTS (
           SELECT FROM (SELECT ar.resource_id AS id FROM radscheduler.appointment_resource ar WHERE ar.site_id = v_site AND ar.appointment_id = p_appointment AND ar.status IS NULL) h
           FULL JOIN unnest(v_ids) w(id) ON w.id = h.id WHERE h.id IS NULL OR w.id IS NULL)) THEN
        RETURN radscheduler.changed_result(v_site, p_appointment, 'unchanged');
    END IF;
    v_before := radscheduler.act_for(p_actor);
    -- A review for a conflict is decided anew; what had no time is booked by getting one.
    v_status := CASE WHEN v_old.review_reason = 'CONFLICT' THEN coalesce(v_old.resume_status, 'SCHEDULED')
                     WHEN v_old.status IN ('PENDING', 'WAITLISTED') AND v_old.starts_at IS NULL THEN 'SCHEDULED' ELSE v_old.status END;
    UPDATE radscheduler.appointment a SET status = v_status, review_reason = CASE WHEN v_status = 'PENDING_REVIEW' THEN a.review_reason END, resume_status = NULL,
           starts_at = v_starts, ends_at = v_ends, time_fault = NULL,
           reschedule_count = a.reschedule_count + CASE WHEN v_starts <> a.starts_at THEN 1 ELSE 0 END,
           original_starts_at = CASE WHEN v_starts <> a.starts_at THEN coalesce(a.original_starts_at, a.starts_at) ELSE a.original_starts_at END,
           moved_at = now(), ending = NULL, version = a.version + 1, updated_at = now()
        WHERE a.site_id = v_site AND a.appointment_id = p_appointment;
    PERFORM radscheduler.shift_rows(v_site, p_appointment, v_starts - v_old.starts_at, v_old.ends_at, v_ends);
    IF v_ids IS NOT NULL THEN
        DELETE FROM radscheduler.appointment_resource ar WHERE ar.site_id = v_site AND ar.appointment_id = p_appointment;
        INSERT INTO radscheduler.appointment_resource (site_id, appointment_id, position, segment, resource_id, starts_at, ends_at)
            SELECT v_site, p_appointment, u.place, 'BOOK', u.id, v_starts, v_ends FROM unnest(v_ids) WITH ORDINALITY u(id, place);
    END IF;
    r.outcome := 'changed';
    r.appointment_id := p_appointment;
    r.version := v_old.version + 1;
    r.status := v_status;
    r.conflicts := '[]';
    r.alternatives := '[]';
    r.warnings := '[]';
    v_moved := radscheduler.occupy(v_site, p_appointment, false);
    IF radscheduler.settle(v_site, ARRAY[p_appointment], v_moved) IS NOT NULL THEN
        r := radscheduler.judge_booking(v_site, p_appointment, p_override, r);
        IF r.outcome = 'refused' THEN
            r.version := v_old.version;
            r.status := v_old.status;
            RETURN r;
        END IF;
    END IF;
    PERFORM radscheduler.record_version(v_site, p_appointment, radscheduler.event_name(v_old.status, r.status, v_starts <> v_old.starts_at), NULL, '{}',
                                        coalesce(nullif(btrim(p_reason), ''), nullif(btrim(p_override), '')));
    PERFORM set_config('radscheduler.actor', v_before, true);
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.move_booking(bigint, timestamptz, integer, text[], integer, text, text, text) IS
    'What reschedule() and try_reschedule() do. A refusal comes back as a result, with everything still written.';

CREATE FUNCTION radscheduler.reschedule(appointment_id bigint, starts_at timestamptz, duration_minutes integer DEFAULT NULL, resources text[] DEFAULT NULL, version integer DEFAULT NULL,
        override_reason text DEFAULT NULL, actor text DEFAULT NULL, reason text DEFAULT NULL) RETURNS radscheduler.booking_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    r radscheduler.booking_result := radscheduler.move_booking(appointment_id, starts_at, duration_minutes, resources, version, override_reason, actor, reason);
BEGIN
    IF r.outcome = 'refused' THEN
        PERFORM radscheduler.raise_refusal(r.error);
    END IF;
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.reschedule(bigint, timestamptz, integer, text[], integer, text, text, text) IS
    'Moves an appointment to another start, with starts_at NULL only its duration or resources; resources replaces all of them, by any of their names. version is the one that was read: 40001 when it is another now. A critical conflict at the new time is refused with 23P01 as by book(), and everything stays as it was; override_reason moves it there all the same. Raises P0002 for an appointment that is not there, 55000 for one that is closed, arrived or in progress.';

CREATE FUNCTION radscheduler.try_reschedule(appointment_id bigint, starts_at timestamptz, duration_minutes integer DEFAULT NULL, resources text[] DEFAULT NULL, version integer DEFAULT NULL,
        override_reason text DEFAULT NULL, actor text DEFAULT NULL, reason text DEFAULT NULL) RETURNS radscheduler.booking_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    v_state text;
    v_text  text;
    v_hint  text;
    r       radscheduler.booking_result;
BEGIN
    r := radscheduler.move_booking(appointment_id, starts_at, duration_minutes, resources, version, override_reason, actor, reason);
    IF r.outcome = 'refused' THEN
        RAISE EXCEPTION 'taken back' USING ERRCODE = 'RS006';
    END IF;
    RETURN r;
EXCEPTION
    WHEN SQLSTATE 'RS006' THEN
        RETURN r; -- which says why
    WHEN invalid_parameter_value OR not_null_violation OR datetime_field_overflow OR string_data_right_truncation OR object_not_in_prerequisite_state OR no_data_found OR serialization_failure THEN
        GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_text = MESSAGE_TEXT, v_hint = PG_EXCEPTION_HINT;
        RETURN radscheduler.refused_for(v_state, v_text, v_hint);
END
$$;
COMMENT ON FUNCTION radscheduler.try_reschedule(bigint, timestamptz, integer, text[], integer, text, text, text) IS
    'reschedule() that raises nothing: outcome changed, unchanged, or refused with error {code, sqlstate, text, detail, hint}, the conflicts and free times; then the appointment is as it was.';
