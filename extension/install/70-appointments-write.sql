-- Writing to the appointments view. Bookings made here are refused when they would double-book; the RIS's are flagged instead (64-ingest.sql).

CREATE FUNCTION radscheduler.raise_conflict(p_site integer, p_appointment bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_zone     text := radscheduler.site_zone(p_site);
    v_conflict record;
BEGIN
    SELECT c.code, radscheduler.is_rule(c.code) OR k.code IS NULL AS is_rule, radscheduler.conflict_text(p_site, c.code, c.subject_id, k.text) AS text, r.name, o.appointment_id AS other_appointment_id, o.starts_at, o.ends_at, c.alternatives INTO v_conflict
        FROM radscheduler.conflict c
        LEFT JOIN radscheduler.conflict_kind k ON k.code = c.code
        LEFT JOIN radscheduler.appointment o ON o.site_id = c.site_id AND o.appointment_id = CASE c.appointment_id WHEN p_appointment THEN c.other_appointment_id ELSE c.appointment_id END
        LEFT JOIN radscheduler.resource r ON c.axis = 'resource' AND r.site_id = c.site_id AND r.resource_id = c.subject_id
        WHERE c.site_id = p_site AND p_appointment IN (c.appointment_id, c.other_appointment_id) AND c.state = 'open' AND c.severity = 'critical'
        ORDER BY c.other_appointment_id IS NULL, c.conflict_id LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RAISE EXCEPTION '%', format(v_conflict.text, coalesce(v_conflict.name, radscheduler.rule_subject(p_site, v_conflict.code, p_appointment)))
        USING ERRCODE = 'exclusion_violation', SCHEMA = 'radscheduler', TABLE = CASE WHEN v_conflict.is_rule THEN 'conflict' ELSE 'occupancy' END,
              CONSTRAINT = CASE WHEN v_conflict.is_rule THEN '' ELSE 'occupancy_no_overlap' END,
              DETAIL = CASE WHEN v_conflict.other_appointment_id IS NULL THEN format('%s: rule of this site.', v_conflict.code)
                  ELSE format('%s: appointment %s holds %s to %s (%s).', v_conflict.code, v_conflict.other_appointment_id,
                              to_char(timezone(v_zone, v_conflict.starts_at), 'YYYY-MM-DD HH24:MI'),
                              to_char(timezone(v_zone, v_conflict.ends_at), 'HH24:MI'), v_zone) END,
              HINT = coalesce('Free instead: ' || (SELECT string_agg(format('%s on %s', to_char(timezone(v_zone, (a ->> 'start')::timestamptz), 'YYYY-MM-DD HH24:MI'), a ->> 'resource'), ', ')
                                                   FROM jsonb_array_elements(v_conflict.alternatives) a) || '.',
                              CASE WHEN radscheduler.is_about_time(v_conflict.code, v_conflict.other_appointment_id) THEN 'Choose another time; radscheduler.find_slots() lists free ones.'
                                   ELSE 'Another time does not help. Record what the rule asks, or have it looked at; docs/rules.md lists the rules.' END);
END
$$;
COMMENT ON FUNCTION radscheduler.raise_conflict(integer, bigint) IS
    'Refuses a booking that has a critical conflict, on either side of it: raises 23P01 with the other appointment in DETAIL and free times in HINT. No patient data.';

CREATE FUNCTION radscheduler.appointment_lock_names(p_site integer, p_appointment bigint) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- In a series a number may follow the identifier (appointment_key()), which messages do not lock.
    RETURN (SELECT ARRAY[CASE WHEN a.sender_id IS NULL THEN format('appointment/%s/%s', p_site, p_appointment) END,
                         'appointment/' || a.sender_id || '/F/' || split_part(a.filler_id, '^', 1), 'appointment/' || a.sender_id || '/P/' || split_part(a.placer_id, '^', 1),
                         'appointment/' || a.sender_id || '/F/' || regexp_replace(split_part(a.filler_id, '^', 1), '#[^#]*$', ''),
                         'appointment/' || a.sender_id || '/P/' || regexp_replace(split_part(a.placer_id, '^', 1), '#[^#]*$', '')]
    FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment);
END
$$;
COMMENT ON FUNCTION radscheduler.appointment_lock_names(integer, bigint) IS 'Names for lock_keys() under which messages about an appointment wait for a change made here: the sender''s numbers of it, its own where it has no sender.';

CREATE FUNCTION radscheduler.check_appointment_values(p_site integer, p_modality text, p_duration integer, p_status text, p_urgency text,
                                                      OUT modality text, OUT status radscheduler.appointment_status, OUT urgency text) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    modality := radscheduler.modality_code(p_site, p_modality);
    IF modality IS NULL THEN
        RAISE EXCEPTION 'modality "%" is not known at this site', p_modality
            USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.modality_alias lists the words that are, for example MRI, CT, XRAY, US.';
    END IF;
    IF p_duration NOT BETWEEN 1 AND 1440 THEN
        RAISE EXCEPTION 'a duration of % minutes is not possible', p_duration USING ERRCODE = 'invalid_parameter_value', HINT = 'Give 1 to 1440 minutes.';
    END IF;
    status := radscheduler.status_of(jsonb_build_array(p_status));
    IF status IS NULL OR status IN ('PENDING', 'WAITLISTED') AND upper(p_status) NOT IN ('PENDING', 'WAITLISTED') THEN
        RAISE EXCEPTION 'status "%" is not one of the life cycle', p_status
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use SCHEDULED, CONFIRMED, ARRIVED, IN_PROGRESS, COMPLETED, CANCELLED, NO_SHOW or another state of radscheduler.appointment_status.';
    END IF;
    IF lower(p_urgency) NOT IN ('routine', 'urgent', 'stat', 'emergency') THEN
        RAISE EXCEPTION 'urgency "%" is not known', p_urgency USING ERRCODE = 'invalid_parameter_value', HINT = 'Use routine, urgent or stat (emergency).';
    END IF;
    urgency := radscheduler.urgency_of(p_urgency);
END
$$;
COMMENT ON FUNCTION radscheduler.check_appointment_values(integer, text, integer, text, text) IS
    'The words of an appointment written in SQL as stored values; raises 22023 with a hint for one that cannot be.';

CREATE FUNCTION radscheduler.appointments_write() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    v_site      integer := CASE WHEN TG_OP = 'INSERT' THEN radscheduler.current_site() END;
    v_zone      text;
    v_id        bigint;
    v_old       radscheduler.appointment;
    v_values    record;
    v_modality  text;
    v_fault     text;
    v_patient   bigint := NULL;
    v_owner     bigint;
    v_starts    timestamptz;
    v_ends      timestamptz;
    v_resources bigint[];
    v_status    radscheduler.appointment_status;
    v_shift     interval;
    v_moved     bigint[];
    v_warnings  jsonb := '[]';
    v_pending   boolean := false;
BEGIN
    -- What is asked for, in stored values.
    IF TG_OP <> 'DELETE' THEN
        NEW.patient_id := nullif(btrim(NEW.patient_id), '');
        NEW.patient_name := nullif(btrim(NEW.patient_name), '');
        IF NEW.patient_id IS NULL OR NEW.patient_name IS NULL OR NEW.modality IS NULL
           OR NEW.datetime IS NULL AND coalesce(NEW.status, 'SCHEDULED') NOT IN ('PENDING', 'WAITLISTED', 'CANCELLED') THEN
            RAISE EXCEPTION 'an appointment needs %', CASE WHEN NEW.patient_id IS NULL THEN 'patient_id' WHEN NEW.patient_name IS NULL THEN 'patient_name'
                                                           WHEN NEW.modality IS NULL THEN 'modality' ELSE 'datetime' END
                USING ERRCODE = 'not_null_violation', HINT = 'patient_id, patient_name, modality and datetime must be given; only PENDING, WAITLISTED and CANCELLED rows go without datetime.';
        END IF;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM radscheduler.check_booking_texts(NEW.patient_id, NEW.patient_name, NEW.patient_phone, NEW.study_type, NEW.referring_physician, NEW.notes, NULL);
    END IF;
    IF TG_OP <> 'DELETE' AND NOT (NEW.datetime >= '1990-01-01' AND NEW.datetime < '2101-01-01') THEN
        RAISE EXCEPTION 'datetime lies outside the years 1990 to 2100' USING ERRCODE = 'datetime_field_overflow', HINT = 'Give the local date and time of the exam.';
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT a.site_id INTO v_site FROM radscheduler.appointment a WHERE a.appointment_id = OLD.id;
        PERFORM radscheduler.require_site(v_site);
    END IF;
    v_zone := radscheduler.site_zone(v_site);
    IF TG_OP <> 'DELETE' THEN
        SELECT * INTO v_values FROM radscheduler.check_appointment_values(v_site, NEW.modality, coalesce(NEW.duration, 30), coalesce(NEW.status, 'SCHEDULED'), coalesce(NEW.urgency, 'routine'));
        v_starts := radscheduler.to_instant(to_char(NEW.datetime, 'YYYY-MM-DD"T"HH24:MI:SS.US'), v_zone);
        v_ends := v_starts + make_interval(mins => coalesce(NEW.duration, 30));
        v_status := v_values.status;
        IF TG_OP = 'INSERT' AND v_status = 'DELETED' THEN
            RAISE EXCEPTION 'an appointment cannot begin as DELETED' USING ERRCODE = 'invalid_parameter_value', HINT = 'Leave the row out; DELETED takes one that is there out of sight.';
        END IF;
        v_modality := v_values.modality;
        v_fault := CASE WHEN radscheduler.clock_doubt(to_char(NEW.datetime, 'YYYY-MM-DD"T"HH24:MI:SS.US'), v_zone) = 'TIME_IN_DST_GAP' THEN 'gap' END;
    ELSE
        v_status := 'CANCELLED';
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.id IS DISTINCT FROM OLD.id OR NEW.conflicts IS DISTINCT FROM OLD.conflicts OR NEW.source IS DISTINCT FROM OLD.source) THEN
        RAISE EXCEPTION 'the columns id, conflicts and source of appointments cannot be updated'
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Conflicts follow from the bookings: move or cancel one of them.';
    END IF;

    -- Locks in the one order, then the row as it is now.
    PERFORM radscheduler.lock_keys(radscheduler.appointment_lock_names(v_site, CASE WHEN TG_OP <> 'INSERT' THEN OLD.id END)
                                   || CASE WHEN TG_OP <> 'DELETE' THEN format('patient/%s/%s', v_site, NEW.patient_id) END);
    IF TG_OP <> 'DELETE' THEN
        v_patient := (radscheduler.find_patient(v_site, jsonb_build_array(jsonb_build_object('value', NEW.patient_id)), '')).patient_id;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        v_id := OLD.id;
        SELECT array_agg(ar.resource_id) INTO v_resources FROM radscheduler.appointment_resource ar WHERE ar.site_id = v_site AND ar.appointment_id = v_id;
        SELECT a.patient_id INTO v_owner FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = v_id;
        PERFORM radscheduler.lock_subjects(v_site, v_resources || radscheduler.pool_scanners(v_site, ARRAY[CASE WHEN v_resources IS NULL THEN v_modality END], ARRAY[v_id]), ARRAY[v_patient, v_owner]);
        SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = v_id FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the appointment was removed while this change waited for it' USING ERRCODE = 'serialization_failure', HINT = 'Look again, it is no longer there.';
        ELSIF v_old.patient_id <> v_owner THEN
            RAISE EXCEPTION 'the appointment passed to another patient while this change waited for it' USING ERRCODE = 'serialization_failure', HINT = 'Run it again.';
        END IF;
    ELSE
        PERFORM radscheduler.lock_subjects(v_site, radscheduler.pool_scanners(v_site, ARRAY[v_modality], NULL), ARRAY[v_patient]);
    END IF;
    v_patient := NULL;
    IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' AND (NEW.patient_id, NEW.patient_name, NEW.patient_phone) IS DISTINCT FROM (OLD.patient_id, OLD.patient_name, OLD.patient_phone) THEN
        SELECT p.patient_id, p.warnings INTO v_patient, v_warnings FROM radscheduler.resolve_patient(v_site,
            jsonb_build_object('identifiers', jsonb_build_array(jsonb_build_object('value', NEW.patient_id)),
                               CASE WHEN TG_OP = 'INSERT' OR NEW.patient_name <> OLD.patient_name THEN 'display' ELSE 'display_if_new' END, NEW.patient_name)
            || CASE WHEN TG_OP = 'INSERT' AND NEW.patient_phone IS NULL OR TG_OP = 'UPDATE' AND NEW.patient_phone IS NOT DISTINCT FROM OLD.patient_phone THEN '{}'
                    WHEN NEW.patient_phone IS NULL THEN '{"phones": []}'
                    ELSE jsonb_build_object('phones', jsonb_build_array(jsonb_build_object('value', NEW.patient_phone))) END,
            '', (SELECT s.phone_region FROM radscheduler.site s WHERE s.site_id = v_site)) p;
    END IF;

    -- The row.
    IF TG_OP = 'INSERT' THEN
        INSERT INTO radscheduler.appointment AS a (site_id, patient_id, status, starts_at, ends_at, modality, study_text, referring_physician, urgency, notes, source, booked_at, time_fault, is_pooled)
            VALUES (v_site, v_patient, v_status, v_starts, v_ends, v_values.modality, NEW.study_type, NEW.referring_physician, v_values.urgency, NEW.notes, coalesce(NEW.source, 'SQL'), now(), v_fault,
                    v_starts IS NOT NULL AND radscheduler.takes_time(v_status, false))
            RETURNING a.appointment_id INTO v_id;
    ELSIF TG_OP = 'UPDATE' THEN
        v_shift := nullif(v_starts - v_old.starts_at, interval '0');
        IF NEW.status = OLD.status THEN
            v_status := CASE WHEN v_old.review_reason = 'CONFLICT' THEN coalesce(v_old.resume_status, v_old.status) ELSE v_old.status END;
        END IF;
        UPDATE radscheduler.appointment a SET patient_id = coalesce(v_patient, a.patient_id), status = v_status,
               review_reason = CASE WHEN v_status = 'PENDING_REVIEW' THEN a.review_reason END, resume_status = NULL,
               starts_at = v_starts, ends_at = v_ends, time_fault = CASE WHEN (v_starts, v_ends) IS DISTINCT FROM (a.starts_at, a.ends_at) THEN v_fault ELSE a.time_fault END, modality = v_values.modality, study_text = NEW.study_type,
               referring_physician = NEW.referring_physician, urgency = v_values.urgency, notes = NEW.notes,
               reschedule_count = a.reschedule_count + CASE WHEN v_shift IS NULL THEN 0 ELSE 1 END,
               original_starts_at = CASE WHEN v_shift IS NULL THEN a.original_starts_at ELSE coalesce(a.original_starts_at, a.starts_at) END,
               moved_at = CASE WHEN (v_starts, v_ends) IS DISTINCT FROM (a.starts_at, a.ends_at) OR radscheduler.is_closed(a.status) THEN now() ELSE a.moved_at END,
               ending = NULL, version = a.version + 1, updated_at = now()
            WHERE a.site_id = v_site AND a.appointment_id = v_id;
        PERFORM radscheduler.shift_rows(v_site, v_id, v_shift, v_old.ends_at, v_ends);
    ELSE
        IF v_old.status = 'COMPLETED' THEN
            RAISE NOTICE 'an appointment that has taken place is not cancelled' USING HINT = 'UPDATE … SET status = ''DELETED'' takes one out of sight that was entered in error.';
        END IF;
        IF radscheduler.is_closed(v_old.status) THEN
            RETURN NULL; -- nothing is done, and nothing counted
        END IF;
        UPDATE radscheduler.appointment a SET status = 'CANCELLED', review_reason = NULL, resume_status = NULL, ending = NULL, version = a.version + 1, updated_at = now()
            WHERE a.site_id = v_site AND a.appointment_id = v_id;
    END IF;

    -- Its time, and whether that may be.
    IF radscheduler.takes_time(v_status, coalesce(v_old.holds_time, false)) THEN
        v_moved := radscheduler.occupy(v_site, v_id, TG_OP = 'INSERT');
    ELSIF TG_OP <> 'INSERT' THEN
        v_moved := radscheduler.vacate(v_site, v_id, CASE WHEN v_status IN ('COMPLETED', 'DISCONTINUED', 'NO_SHOW') THEN now() END);
    END IF;
    IF radscheduler.settle(v_site, ARRAY[v_id], v_moved) IS NOT NULL
       AND (TG_OP = 'INSERT' OR v_shift IS NOT NULL OR v_ends > v_old.ends_at OR v_patient <> v_old.patient_id OR NOT radscheduler.is_occupying(v_old.status)) THEN
        v_pending := EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = v_site AND v_id IN (c.appointment_id, c.other_appointment_id) AND c.state = 'open' AND c.severity = 'critical');
        IF v_pending THEN
            -- Another row of the statement may clear it: the end of the statement decides.
            INSERT INTO radscheduler.unsettled_write (site_id, appointment_id) VALUES (v_site, v_id) ON CONFLICT DO NOTHING;
        END IF;
    END IF;
    PERFORM radscheduler.warn_of_write(v_ends, v_status, TG_OP = 'INSERT' OR TG_OP = 'UPDATE' AND v_ends IS DISTINCT FROM v_old.ends_at, v_warnings);
    PERFORM radscheduler.record_version(v_site, v_id, radscheduler.event_name(v_old.status, v_status, v_shift IS NOT NULL), NULL);
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF v_status <> 'DELETED' THEN
        SELECT v.* INTO NEW FROM radscheduler.appointments v WHERE v.id = v_id;
    END IF;
    IF v_pending THEN
        -- As it will stand when the statement does.
        NEW.status := v_status;
        NEW.conflicts := jsonb_path_query_array(NEW.conflicts, '$[*] ? (@.severity != "critical")');
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION radscheduler.appointments_write() IS
    'INSTEAD OF trigger of the appointments view: INSERT books at the session''s site, UPDATE moves or changes, DELETE cancels. A critical conflict that stands at the end of the statement is refused with 23P01 (appointments_statement()); a change that leaves an already flagged booking where it is stays flagged.';
