-- What would be in the way, asked without booking: the booking is written, looked at and taken back, so that the answer is the one a booking would get.
-- Nothing of it can be seen by anybody else, and nothing is kept.

CREATE FUNCTION radscheduler.conflicts_now(p_site integer, p_appointment bigint) RETURNS radscheduler.conflict_found[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_clinical text := radscheduler.clinical_scope(p_site);
    v_plain    boolean;
BEGIN
    IF v_clinical <> 'all' AND radscheduler.doubtful(p_site, ARRAY[p_appointment]) IS NULL THEN
        RETURN '{}';
    END IF;
    -- Where the clinical rules are asked of everybody, mostly nothing else is in doubt, and to ask the other rules takes longer than to find that out.
    v_plain := v_clinical = 'off' OR radscheduler.doubtful(p_site, ARRAY[p_appointment], false) IS NOT NULL;
    RETURN ARRAY(
        SELECT ROW(f.code, f.severity, f.axis, r.code, CASE f.appointment_id WHEN p_appointment THEN f.other_appointment_id ELSE f.appointment_id END, lower(f.overlap), upper(f.overlap),
                   radscheduler.conflict_sentence(p_site, f.code, f.subject_id, f.axis, p_appointment))::radscheduler.conflict_found
        FROM (SELECT * FROM radscheduler.conflict_pairs(p_site, ARRAY[p_appointment]) WHERE v_plain
              UNION ALL
              SELECT * FROM radscheduler.rule_conflicts(p_site, ARRAY[p_appointment]) WHERE v_plain
              UNION ALL
              SELECT * FROM radscheduler.clinical_conflicts(p_site, ARRAY[p_appointment]) WHERE NOT v_plain) f
        LEFT JOIN radscheduler.resource r ON f.axis = 'resource' AND r.site_id = p_site AND r.resource_id = f.subject_id
        ORDER BY f.severity DESC, f.code, r.code, f.overlap, f.other_appointment_id);
END
$$;
COMMENT ON FUNCTION radscheduler.conflicts_now(integer, bigint) IS 'The conflicts of an appointment as its rows, lanes and rules say now, worst first, whatever the table conflict says.';

CREATE FUNCTION radscheduler.rehearse(p_wish radscheduler.booking_wish, p_appointment bigint, p_starts timestamptz, p_minutes integer, p_resources bigint[]) RETURNS radscheduler.conflict_found[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_id     bigint := p_appointment;
    v_locked record;
    v_site   integer := p_wish.site_id;
    v_old    radscheduler.appointment;
    v_starts timestamptz;
    v_ends   timestamptz;
    v_found  radscheduler.conflict_found[];
BEGIN
    IF v_id IS NULL THEN
        v_locked := radscheduler.lock_wish(p_wish);
        IF v_locked.hold_id IS NOT NULL THEN
            PERFORM radscheduler.vacate(v_site, v_locked.hold_id, NULL);
        END IF;
        v_id := radscheduler.write_booking(p_wish, v_locked.patient_id, CASE WHEN v_locked.patient_id IS NULL THEN 'PENDING' ELSE 'SCHEDULED' END::radscheduler.appointment_status);
        PERFORM radscheduler.occupy(v_site, v_id, true);
    ELSE
        PERFORM radscheduler.lock_booking(v_site, v_id, p_resources, NULL, NULL);
        SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = v_id;
        v_starts := coalesce(p_starts, v_old.starts_at);
        v_ends := v_starts + coalesce(make_interval(mins => p_minutes), v_old.ends_at - v_old.starts_at, interval '30 minutes');
        UPDATE radscheduler.appointment a SET starts_at = v_starts, ends_at = v_ends, time_fault = NULL, moved_at = now(), ending = NULL,
               status = CASE WHEN radscheduler.takes_time(a.status, a.holds_time) THEN a.status ELSE 'SCHEDULED' END
            WHERE a.site_id = v_site AND a.appointment_id = v_id;
        PERFORM radscheduler.shift_rows(v_site, v_id, v_starts - v_old.starts_at, v_old.ends_at, v_ends);
        IF p_resources IS NOT NULL THEN
            DELETE FROM radscheduler.appointment_resource ar WHERE ar.site_id = v_site AND ar.appointment_id = v_id;
            INSERT INTO radscheduler.appointment_resource (site_id, appointment_id, position, segment, resource_id, starts_at, ends_at)
                SELECT v_site, v_id, u.place, 'BOOK', u.id, v_starts, v_ends FROM unnest(p_resources) WITH ORDINALITY u(id, place);
        END IF;
        PERFORM radscheduler.occupy(v_site, v_id, false);
    END IF;
    v_found := radscheduler.conflicts_now(v_site, v_id);
    RAISE EXCEPTION 'taken back' USING ERRCODE = 'RS006';
EXCEPTION WHEN SQLSTATE 'RS006' THEN
    RETURN v_found;
END
$$;
COMMENT ON FUNCTION radscheduler.rehearse(radscheduler.booking_wish, bigint, timestamptz, integer, bigint[]) IS
    'The conflicts that a booking would have, or with p_appointment that one at another time and on other resources. Everything is taken back, the locks too.';

CREATE FUNCTION radscheduler.check_conflicts(patient_id text DEFAULT NULL, starts_at timestamptz DEFAULT NULL, modality text DEFAULT NULL, procedure text DEFAULT NULL,
        duration_minutes integer DEFAULT NULL, resources text[] DEFAULT NULL, urgency text DEFAULT NULL, study_type text DEFAULT NULL, hold bigint DEFAULT NULL,
        appointment_id bigint DEFAULT NULL) RETURNS SETOF radscheduler.conflict_found
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 2 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
#variable_conflict use_variable
DECLARE
    v_site integer := radscheduler.current_site();
    v_wish radscheduler.booking_wish;
    v_ids  bigint[];
BEGIN
    PERFORM radscheduler.check_booking_texts(patient_id, NULL, NULL, study_type, NULL, NULL, NULL);
    IF appointment_id IS NULL THEN
        v_wish := radscheduler.read_wish(v_site, starts_at, modality, procedure, duration_minutes, resources, study_type, urgency);
        v_wish.patient_key := nullif(btrim(patient_id), '');
        v_wish.hold_id := hold;
        RETURN QUERY SELECT * FROM unnest(radscheduler.rehearse(v_wish, NULL, NULL, NULL, NULL));
        RETURN;
    ELSIF num_nonnulls(patient_id, modality, procedure, urgency, study_type, hold) > 0 THEN
        RAISE EXCEPTION 'an appointment is checked at another time or with other resources, as the patient''s and the exam it is'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Beside appointment_id give starts_at, duration_minutes and resources only.';
    ELSIF NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = check_conflicts.appointment_id AND a.hold_until IS NULL) THEN
        RAISE EXCEPTION 'there is no appointment % at this site', appointment_id USING ERRCODE = 'no_data_found', HINT = 'Look again: it may have been purged, or belong to another site.';
    ELSIF duration_minutes NOT BETWEEN 1 AND 1440 THEN
        RAISE EXCEPTION 'a duration of % minutes is not possible', duration_minutes USING ERRCODE = 'invalid_parameter_value', HINT = 'Give 1 to 1440 minutes.';
    END IF;
    IF num_nonnulls(starts_at, duration_minutes, resources) = 0 THEN
        RETURN QUERY SELECT * FROM unnest(radscheduler.conflicts_now(v_site, appointment_id));
        RETURN;
    END IF;
    IF resources IS NOT NULL THEN
        v_ids := (radscheduler.read_resources(v_site, resources)).ids;
    END IF;
    v_wish.site_id := v_site;
    RETURN QUERY SELECT * FROM unnest(radscheduler.rehearse(v_wish, appointment_id, starts_at, duration_minutes, v_ids));
END
$$;
COMMENT ON FUNCTION radscheduler.check_conflicts(text, timestamptz, text, text, integer, text[], text, text, bigint, bigint) IS
    'The conflicts that book() with the same arguments would meet, worst first; none when it would be booked cleanly. With appointment_id those of an appointment as it stands, or as it would stand at another time, with another duration or other resources. A patient who is not known yet is taken as free. Keeps nothing. Waits for whoever is booking the same resources; raises as book() does for what cannot be understood, P0002 for an appointment that is not there.';
