-- Removing records for good: everything of one patient, or everything of a site that ended before an instant. Locks in the order of
-- 42-locks.sql: all names (appointments, patients, holds) in one call, then subjects, then rows; what was read before the locks is read again.
-- Time that is given back heals the conflicts of others exactly as a cancellation does. What is under a hold (74-holds.sql) stays.
-- event_log and the audit log hold ids only and stay. Whoever was merged into a patient is that patient.

CREATE FUNCTION radscheduler.has_ended(status radscheduler.appointment_status, ends_at timestamptz, updated_at timestamptz, before timestamptz) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE(ends_at < before, false) OR (radscheduler.is_closed(status) OR ends_at IS NULL) AND updated_at < before;
COMMENT ON FUNCTION radscheduler.has_ended(radscheduler.appointment_status, timestamptz, timestamptz, timestamptz) IS
    'Whether an appointment was over before an instant: its time was, or it was closed and not touched since; one without time counts by its last change.';

CREATE FUNCTION radscheduler.patient_names(p_site integer, p_patients bigint[]) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ARRAY(SELECT format('patient/%s/%s', p_site, i.value) FROM radscheduler.patient_identifier i WHERE i.site_id = p_site AND i.patient_id = ANY (p_patients)
                 UNION
                 SELECT format('patient/%s/%s', p_site, p.mrn) FROM radscheduler.patient p WHERE p.site_id = p_site AND p.patient_id = ANY (p_patients));
END
$$;
COMMENT ON FUNCTION radscheduler.patient_names(integer, bigint[]) IS 'Names for lock_keys() of patients that are known, as patient_lock_names() gives them for a reading.';

CREATE FUNCTION radscheduler.release_appointments(p_site integer, p_appointments bigint[], p_patients bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_moved bigint[];
BEGIN
    PERFORM radscheduler.lock_subjects(p_site, radscheduler.pool_scanners(p_site, NULL, p_appointments) ||
        ARRAY(SELECT r.resource_id FROM radscheduler.appointment_resource r WHERE r.site_id = p_site AND r.appointment_id = ANY (p_appointments)),
        p_patients || ARRAY(SELECT a.patient_id FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments)));
    PERFORM FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) ORDER BY a.appointment_id FOR UPDATE;
    -- All of them leave before the first is settled: none is healed by another that leaves with it.
    UPDATE radscheduler.appointment a SET status = 'DELETED', review_reason = NULL, resume_status = NULL, is_pooled = false
        WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) AND NOT radscheduler.is_closed(a.status);
    v_moved := radscheduler.give_back(p_site, ARRAY(SELECT o.occupancy_id FROM radscheduler.occupancy o WHERE o.site_id = p_site AND o.appointment_id = ANY (p_appointments)), NULL);
    PERFORM radscheduler.settle(p_site, p_appointments, ARRAY(SELECT m FROM unnest(v_moved) m WHERE m <> ALL (p_appointments)));
END
$$;
COMMENT ON FUNCTION radscheduler.release_appointments(integer, bigint[], bigint[]) IS
    'Locks the subjects (those patients too) and rows of appointments that are about to be deleted, gives back all their time and heals whoever was in conflict with them. Call it under lock_keys() on their names.';

CREATE FUNCTION radscheduler.delete_appointments(p_site integer, p_appointments bigint[], OUT appointments bigint, OUT history bigint) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id) SELECT p_site, 'appointment.purged', u.id FROM unnest(p_appointments) u(id);
    PERFORM radscheduler.audit(p_site, 'appointment.purged', 'appointment', u.id, '{}') FROM unnest(p_appointments) u(id);
    DELETE FROM radscheduler.appointment_history h WHERE h.site_id = p_site AND h.appointment_id = ANY (p_appointments);
    GET DIAGNOSTICS history = ROW_COUNT;
    DELETE FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments);
    GET DIAGNOSTICS appointments = ROW_COUNT;
END
$$;
COMMENT ON FUNCTION radscheduler.delete_appointments(integer, bigint[]) IS
    'Deletes appointments with everything that hangs on them and tells it as appointment.purged, to listeners and to the audit log; returns how many, and how many versions. Call release_appointments() before.';

CREATE FUNCTION radscheduler.is_held(p_site integer, p_appointment bigint, p_patient bigint, p_held bigint[]) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN p_held <> '{}'
       AND (coalesce(p_patient = ANY (p_held), false)
            OR EXISTS (SELECT FROM radscheduler.appointment_history h WHERE h.site_id = p_site AND h.appointment_id = p_appointment
                       AND (h.snapshot #>> '{appointment,patient_id}')::bigint = ANY (p_held)));
END
$$;
COMMENT ON FUNCTION radscheduler.is_held(integer, bigint, bigint, bigint[]) IS
    'Whether an appointment is, or in any version was, of a patient under a hold: moving it to another patient does not end the hold.';

CREATE FUNCTION radscheduler.purge_patient(p_site integer, p_patient bigint) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_names    text[];
    v_own      bigint[];
    v_values   text[];
    v_holds    record;
    v_messages record;
    v_deleted  record;
    v_patients bigint;
    v_orders   bigint;
    v_ids      text[];
    v_history  bigint;
    v_others   bigint;
    v_kept     bigint;
BEGIN
    FOR v_round IN 1..2 LOOP
        v_own := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.patient_id = p_patient ORDER BY a.appointment_id);
        v_values := ARRAY(SELECT i.value FROM radscheduler.patient_identifier i WHERE i.site_id = p_site AND i.patient_id = p_patient);
        IF v_round = 1 THEN
            v_names := radscheduler.hold_lock_name(p_site) || radscheduler.patient_names(p_site, ARRAY[p_patient]) || radscheduler.order_names(p_site, ARRAY[p_patient], NULL)
                       || ARRAY(SELECT n FROM unnest(v_own) u(id), unnest(radscheduler.appointment_lock_names(p_site, u.id)) n);
            PERFORM radscheduler.lock_keys(v_names);
        ELSIF NOT EXISTS (SELECT FROM radscheduler.patient p WHERE p.site_id = p_site AND p.patient_id = p_patient)
              OR NOT v_names @> (radscheduler.patient_names(p_site, ARRAY[p_patient]) || radscheduler.order_names(p_site, ARRAY[p_patient], NULL)
                                 || ARRAY(SELECT n FROM unnest(v_own) u(id), unnest(radscheduler.appointment_lock_names(p_site, u.id)) n WHERE n IS NOT NULL)) THEN
            RAISE EXCEPTION 'the patient''s records changed while they were being locked' USING ERRCODE = 'serialization_failure', HINT = 'Run it again.';
        END IF;
    END LOOP;
    SELECT * INTO v_holds FROM radscheduler.holds_in_force(p_site);
    IF v_holds.is_site_held OR p_patient = ANY (v_holds.patients) THEN
        RAISE EXCEPTION '% is under a legal hold and nothing was removed', CASE WHEN v_holds.is_site_held THEN 'this site' ELSE 'this patient' END
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'radscheduler.legal_hold lists the holds; radscheduler.lift_hold() ends one.';
    END IF;

    SELECT coalesce(array_agg(u.id) FILTER (WHERE NOT radscheduler.is_held(p_site, u.id, p_patient, v_holds.patients)), '{}'),
           count(*) FILTER (WHERE radscheduler.is_held(p_site, u.id, p_patient, v_holds.patients)) INTO v_own, v_kept FROM unnest(v_own) u(id);
    IF v_kept > 0 THEN
        RAISE EXCEPTION 'appointments of this patient were of a patient under a legal hold, and nothing was removed' USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'radscheduler.legal_hold lists the holds; radscheduler.lift_hold() ends one.';
    END IF;

    -- Messages first: whom they are about is told by appointments and identifiers that are still there.
    SELECT coalesce(array_agg(q.message_id) FILTER (WHERE q.is_his AND NOT q.is_held), '{}') AS his,
           count(*) FILTER (WHERE q.is_his AND q.is_held) AS held,
           count(*) FILTER (WHERE q.trouble = 'unreadable') AS unreadable,
           count(*) FILTER (WHERE NOT q.is_his AND (q.trouble = 'unclear' OR q.is_doubtful)) AS unclear
        INTO v_messages
        FROM (SELECT m.message_id, s.trouble, p_patient = ANY (s.patients) AS is_his, p_patient = ANY (s.doubtful) AS is_doubtful,
                     (s.patients || s.doubtful) && v_holds.patients AS is_held
              FROM radscheduler.hl7_message m
              LEFT JOIN radscheduler.sender x ON x.site_id = m.site_id AND x.sender_id = m.sender_id
              LEFT JOIN radscheduler.site t ON t.site_id = m.site_id,
              LATERAL radscheduler.message_subjects(m.site_id, m.appointment_id, m.message_code, m.raw, radscheduler.sender_profile(x.profile, t.default_profile) ->> 'charset', v_values || v_holds.identifiers) s
              WHERE m.site_id = p_site) q;
    PERFORM radscheduler.release_appointments(p_site, v_own, ARRAY[p_patient]);
    SELECT * INTO v_deleted FROM radscheduler.delete_appointments(p_site, v_own);
    DELETE FROM radscheduler.message_key k WHERE k.site_id = p_site AND k.message_id = ANY (v_messages.his);
    DELETE FROM radscheduler.hl7_message m WHERE m.site_id = p_site AND m.message_id = ANY (v_messages.his);
    PERFORM radscheduler.audit(p_site, 'message.purged', 'hl7_message', NULL, jsonb_build_object('messages', v_messages.his)) WHERE v_messages.his <> '{}';
    v_orders := radscheduler.delete_orders(p_site, ARRAY(SELECT o.order_id FROM radscheduler.imaging_order o WHERE o.site_id = p_site AND o.patient_id = p_patient ORDER BY o.order_id));
    -- Appointments that are another's now and were his once: those versions are about him.
    v_ids := p_patient::text || ARRAY(SELECT m.merged_id::text FROM radscheduler.patient_merge m WHERE m.site_id = p_site AND m.patient_id = p_patient);
    SELECT count(*) INTO v_others FROM radscheduler.appointment_history h JOIN radscheduler.appointment a ON a.site_id = h.site_id AND a.appointment_id = h.appointment_id
        WHERE h.site_id = p_site AND h.snapshot #>> '{appointment,patient_id}' = ANY (v_ids) AND a.patient_id = ANY (v_holds.patients);
    PERFORM radscheduler.audit(p_site, 'history.purged', 'appointment', h.appointment_id, jsonb_build_object('version', h.version))
        FROM radscheduler.appointment_history h JOIN radscheduler.appointment a ON a.site_id = h.site_id AND a.appointment_id = h.appointment_id
        WHERE h.site_id = p_site AND h.snapshot #>> '{appointment,patient_id}' = ANY (v_ids) AND NOT coalesce(a.patient_id = ANY (v_holds.patients), false);
    DELETE FROM radscheduler.appointment_history h USING radscheduler.appointment a
        WHERE h.site_id = p_site AND h.snapshot #>> '{appointment,patient_id}' = ANY (v_ids)
          AND a.site_id = h.site_id AND a.appointment_id = h.appointment_id AND NOT coalesce(a.patient_id = ANY (v_holds.patients), false);
    GET DIAGNOSTICS v_history = ROW_COUNT;
    DELETE FROM radscheduler.patient p WHERE p.site_id = p_site AND p.patient_id = p_patient;
    GET DIAGNOSTICS v_patients = ROW_COUNT;
    RETURN jsonb_build_object('patients', v_patients, 'appointments', v_deleted.appointments, 'orders', v_orders, 'messages', cardinality(v_messages.his),
                              'history', v_deleted.history + v_history, 'held', v_messages.held + v_others,
                              'unreadable_messages', v_messages.unreadable, 'unclear_messages', v_messages.unclear, 'remaining', 0);
END
$$;
COMMENT ON FUNCTION radscheduler.purge_patient(integer, bigint) IS
    'Removes a patient, his appointments, his orders and the messages about him; returns the counts as purge() does. held counts messages and versions kept because they are also about a patient under a hold. Raises 55000 when he or the site is under a hold, 40001 when his records changed while they were being locked.';

CREATE FUNCTION radscheduler.purge_period(p_site integer, p_before timestamptz) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_batch    CONSTANT integer := 500;
    v_names    text[];
    v_own      bigint[];
    v_orders   bigint[];
    v_gone     bigint[];
    v_holds    record;
    v_kept     record;
    v_deleted  record;
    v_held     bigint;
    v_messages bigint := 0;
    v_ended    bigint;
    v_patients bigint;
    v_remaining bigint;
BEGIN
    FOR v_round IN 1..2 LOOP
        SELECT * INTO v_holds FROM radscheduler.holds_in_force(p_site);
        IF v_round = 1 THEN
            v_own := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a
                WHERE a.site_id = p_site AND NOT v_holds.is_site_held AND radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before)
                  AND NOT radscheduler.is_held(a.site_id, a.appointment_id, a.patient_id, v_holds.patients) ORDER BY a.appointment_id LIMIT c_batch);
            v_orders := ARRAY(SELECT o.order_id FROM radscheduler.ended_orders(p_site, p_before) e(id) JOIN radscheduler.imaging_order o ON o.site_id = p_site AND o.order_id = e.id
                WHERE NOT v_holds.is_site_held AND NOT coalesce(o.patient_id = ANY (v_holds.patients), false)
                ORDER BY o.order_id LIMIT c_batch);
            v_gone := ARRAY(SELECT p.patient_id FROM radscheduler.patient p
                WHERE p.site_id = p_site AND NOT v_holds.is_site_held AND p.created_at < p_before AND NOT p.patient_id = ANY (v_holds.patients)
                  AND NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p.site_id AND a.patient_id = p.patient_id AND NOT a.appointment_id = ANY (v_own))
                  AND NOT EXISTS (SELECT FROM radscheduler.imaging_order o WHERE o.site_id = p.site_id AND o.patient_id = p.patient_id AND NOT o.order_id = ANY (v_orders))
                ORDER BY p.patient_id LIMIT c_batch);
            v_names := radscheduler.hold_lock_name(p_site) || radscheduler.patient_names(p_site, v_gone) || radscheduler.order_names(p_site, NULL, v_orders)
                       || ARRAY(SELECT n FROM unnest(v_own) u(id), unnest(radscheduler.appointment_lock_names(p_site, u.id)) n);
            PERFORM radscheduler.lock_keys(v_names);
        ELSE
            -- What has changed meanwhile waits for the next call.
            v_own := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a
                WHERE a.site_id = p_site AND a.appointment_id = ANY (v_own) AND NOT v_holds.is_site_held
                  AND radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before) AND NOT radscheduler.is_held(a.site_id, a.appointment_id, a.patient_id, v_holds.patients)
                  AND array_remove(radscheduler.appointment_lock_names(a.site_id, a.appointment_id), NULL) <@ v_names ORDER BY a.appointment_id);
            v_orders := ARRAY(SELECT o.order_id FROM radscheduler.ended_orders(p_site, p_before, v_orders) e(id) JOIN radscheduler.imaging_order o ON o.site_id = p_site AND o.order_id = e.id
                WHERE NOT v_holds.is_site_held AND NOT coalesce(o.patient_id = ANY (v_holds.patients), false)
                  AND radscheduler.order_names(p_site, NULL, ARRAY[o.order_id]) <@ v_names ORDER BY o.order_id);
        END IF;
    END LOOP;

    SELECT coalesce(array_agg(q.message_id), '{}') AS ids, count(*) FILTER (WHERE q.trouble IS NULL) AS held,
           count(*) FILTER (WHERE q.trouble = 'unreadable') AS unreadable, count(*) FILTER (WHERE q.trouble = 'unclear') AS unclear
        INTO v_kept
        FROM (SELECT m.message_id, s.trouble
              FROM radscheduler.hl7_message m
              LEFT JOIN radscheduler.sender x ON x.site_id = m.site_id AND x.sender_id = m.sender_id
              LEFT JOIN radscheduler.site t ON t.site_id = m.site_id,
              LATERAL radscheduler.message_subjects(m.site_id, m.appointment_id, m.message_code, m.raw, radscheduler.sender_profile(x.profile, t.default_profile) ->> 'charset', v_holds.identifiers) s
              WHERE m.site_id = p_site AND m.received_at < p_before AND v_holds.patients <> '{}' AND NOT v_holds.is_site_held
                AND (s.trouble IS NOT NULL OR (s.patients || s.doubtful) && v_holds.patients)) q;
    SELECT v_kept.held
           + (SELECT count(*) FROM radscheduler.hl7_message m WHERE m.site_id = p_site AND m.received_at < p_before AND v_holds.is_site_held)
           + (SELECT count(*) FROM radscheduler.appointment a WHERE a.site_id = p_site AND radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before)
                AND (v_holds.is_site_held OR radscheduler.is_held(a.site_id, a.appointment_id, a.patient_id, v_holds.patients)))
           + (SELECT count(*) FROM radscheduler.ended_orders(p_site, p_before) e(id) JOIN radscheduler.imaging_order o ON o.site_id = p_site AND o.order_id = e.id
                WHERE v_holds.is_site_held OR o.patient_id = ANY (v_holds.patients))
           + (SELECT count(*) FROM radscheduler.patient p WHERE p.site_id = p_site AND p.created_at < p_before AND (v_holds.is_site_held OR p.patient_id = ANY (v_holds.patients))
                AND NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p.site_id AND a.patient_id = p.patient_id
                                AND NOT radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before)))
        INTO v_held;
    IF NOT v_holds.is_site_held THEN
        DELETE FROM radscheduler.message_key k WHERE k.site_id = p_site AND k.received_at < p_before AND k.message_id <> ALL (v_kept.ids);
        DELETE FROM radscheduler.hl7_message m WHERE m.site_id = p_site AND m.received_at < p_before AND m.message_id <> ALL (v_kept.ids);
        GET DIAGNOSTICS v_messages = ROW_COUNT;
        -- Whose these are nobody can tell: any hold keeps them all.
        DELETE FROM radscheduler.hl7_quarantine q WHERE q.site_id = p_site AND q.received_at < p_before AND v_holds.patients = '{}';
    END IF;
    PERFORM radscheduler.release_appointments(p_site, v_own, v_gone);
    SELECT * INTO v_deleted FROM radscheduler.delete_appointments(p_site, v_own);
    v_ended := radscheduler.delete_orders(p_site, v_orders);
    v_gone := ARRAY(SELECT p.patient_id FROM radscheduler.patient p
        WHERE p.site_id = p_site AND p.patient_id = ANY (v_gone) AND NOT v_holds.is_site_held AND NOT p.patient_id = ANY (v_holds.patients)
          AND NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p.site_id AND a.patient_id = p.patient_id)
          AND NOT EXISTS (SELECT FROM radscheduler.imaging_order o WHERE o.site_id = p.site_id AND o.patient_id = p.patient_id)
          AND radscheduler.patient_names(p.site_id, ARRAY[p.patient_id]) <@ v_names);
    PERFORM radscheduler.audit(p_site, 'patient.purged', 'patient', u.id, '{}') FROM unnest(v_gone) u(id);
    DELETE FROM radscheduler.patient p WHERE p.site_id = p_site AND p.patient_id = ANY (v_gone);
    GET DIAGNOSTICS v_patients = ROW_COUNT;
    SELECT (SELECT count(*) FROM radscheduler.appointment a WHERE a.site_id = p_site AND radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before)
              AND NOT radscheduler.is_held(a.site_id, a.appointment_id, a.patient_id, v_holds.patients))
           + (SELECT count(*) FROM radscheduler.ended_orders(p_site, p_before) e(id) JOIN radscheduler.imaging_order o ON o.site_id = p_site AND o.order_id = e.id
                WHERE NOT coalesce(o.patient_id = ANY (v_holds.patients), false))
           + (SELECT count(*) FROM radscheduler.patient p WHERE p.site_id = p_site AND p.created_at < p_before AND NOT p.patient_id = ANY (v_holds.patients)
                AND NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p.site_id AND a.patient_id = p.patient_id)
                AND NOT EXISTS (SELECT FROM radscheduler.imaging_order o WHERE o.site_id = p.site_id AND o.patient_id = p.patient_id))
        INTO v_remaining WHERE NOT v_holds.is_site_held;
    RETURN jsonb_build_object('patients', v_patients, 'appointments', v_deleted.appointments, 'orders', v_ended, 'messages', v_messages, 'history', v_deleted.history, 'held', v_held,
                              'unreadable_messages', v_kept.unreadable, 'unclear_messages', v_kept.unclear, 'remaining', coalesce(v_remaining, 0));
END
$$;
COMMENT ON FUNCTION radscheduler.purge_period(integer, timestamptz) IS
    'Removes what ended or arrived before an instant and is not held: all messages, at most 500 appointments, 500 orders and 500 patients, because each takes locks until the transaction ends; returns the counts as purge() does. While a patient is held, messages that cannot be told to be another''s stay too.';

CREATE FUNCTION radscheduler.purge(reason text, patient text DEFAULT NULL, before timestamptz DEFAULT NULL, dry_run boolean DEFAULT true) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site    integer := radscheduler.current_site();
    v_dry     boolean := coalesce(dry_run, true);
    v_patient bigint;
    v_counts  jsonb;
BEGIN
    IF coalesce(btrim(reason), '') = '' THEN
        RAISE EXCEPTION 'a purge needs a reason' USING ERRCODE = 'invalid_parameter_value', HINT = 'Say why, without the patient''s name or number: it is kept in the audit log.';
    ELSIF length(reason) > 1000 THEN
        RAISE EXCEPTION 'the reason is longer than 1000 characters' USING ERRCODE = 'invalid_parameter_value', HINT = 'It is kept in the audit log: a sentence or a case number.';
    ELSIF num_nonnulls(patient, before) <> 1 THEN
        RAISE EXCEPTION 'a purge needs either a patient or an instant' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give patient => an identifier, or before => the instant before which records have ended.';
    ELSIF before > now() THEN
        RAISE EXCEPTION 'the instant of a purge must not lie in the future' USING ERRCODE = 'invalid_parameter_value', HINT = 'Only what is over can be removed as a period.';
    END IF;
    BEGIN
        IF patient IS NOT NULL THEN
            v_patient := radscheduler.patient_by_identifier(v_site, patient);
            v_counts := radscheduler.purge_patient(v_site, v_patient);
        ELSE
            v_counts := radscheduler.purge_period(v_site, before);
        END IF;
        IF v_dry THEN
            RAISE EXCEPTION 'dry run' USING ERRCODE = 'RS002';
        END IF;
        PERFORM radscheduler.audit(v_site, 'purge', CASE WHEN v_patient IS NULL THEN 'period' ELSE 'patient' END, v_patient,
                                   jsonb_strip_nulls(jsonb_build_object('reason', reason, 'before', before, 'counts', v_counts)));
    EXCEPTION WHEN SQLSTATE 'RS002' THEN
        NULL; -- Everything is as it was; the counts are kept in the variable.
    END;
    RETURN jsonb_build_object('dry_run', v_dry) || v_counts;
END
$$;
COMMENT ON FUNCTION radscheduler.purge(text, text, timestamptz, boolean) IS
    'Removes for good, at the session''s site, a patient with everything about him (patient: an identifier, value or authority|value), or what ended before an instant (before). Without dry_run => false it only counts: it does everything and takes it back. Nothing under a hold is removed. The reason goes into the audit log and must not contain the patient''s name or number; nobody checks that. Returns {dry_run, patients, appointments, orders, messages, history, held, unreadable_messages, unclear_messages, remaining}: unreadable and unclear messages (a person without number, a number that several have) were kept and are for a person to look at; repeat a period until remaining is 0. Raises 22023 for wrong arguments, 55000 for a patient under a hold, 40001 when the patient''s records changed meanwhile.';
