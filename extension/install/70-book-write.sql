-- A booking written: locks in the order of 42-locks.sql, the row and its parts, its time, and what is in its way. place_booking() writes first and asks
-- afterwards: whether it may stay is the exclusion constraint's and the rules' to say, about rows that are there. Who is refused takes it back (70-book.sql).

CREATE FUNCTION radscheduler.write_booking(p_wish radscheduler.booking_wish, p_patient bigint, p_status radscheduler.appointment_status, p_until timestamptz DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_id bigint := nextval('radscheduler.appointment_appointment_id_seq');
BEGIN
    WITH booked AS (
        INSERT INTO radscheduler.appointment (site_id, appointment_id, patient_id, status, starts_at, ends_at, modality, study_code, study_text, referring_physician, urgency, notes,
                                              source, booked_at, is_pooled, holds_time, hold_until)
        VALUES (p_wish.site_id, v_id, p_patient, p_status, p_wish.starts_at, p_wish.ends_at, p_wish.modality, p_wish.study_code, p_wish.study_text, p_wish.referring_physician,
                p_wish.urgency, p_wish.notes, 'SQL', now(), p_wish.is_pooled, p_status = 'PENDING', p_until)
    ), exam AS (
        INSERT INTO radscheduler.appointment_service (site_id, appointment_id, position, code, name, starts_at, ends_at)
        SELECT p_wish.site_id, v_id, 1, p_wish.study_code, p_wish.study_text, p_wish.starts_at, p_wish.ends_at WHERE p_wish.study_code IS NOT NULL OR p_wish.study_text IS NOT NULL
    )
    INSERT INTO radscheduler.appointment_resource (site_id, appointment_id, position, segment, resource_id, starts_at, ends_at)
        SELECT p_wish.site_id, v_id, u.place, 'BOOK', u.id, p_wish.starts_at, p_wish.ends_at FROM unnest(p_wish.resource_ids) WITH ORDINALITY u(id, place);
    RETURN v_id;
END
$$;
COMMENT ON FUNCTION radscheduler.write_booking(radscheduler.booking_wish, bigint, radscheduler.appointment_status, timestamptz) IS
    'Writes a new appointment with its exam and resources, in one statement, without its time; returns its id. A PENDING one holds time, until p_until where it is a hold.';

CREATE FUNCTION radscheduler.take_over_hold(p_wish radscheduler.booking_wish, p_patient bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    UPDATE radscheduler.appointment a SET patient_id = p_patient, status = 'SCHEDULED', hold_until = NULL, holds_time = false, starts_at = p_wish.starts_at, ends_at = p_wish.ends_at,
           modality = p_wish.modality, study_code = p_wish.study_code, study_text = p_wish.study_text, referring_physician = p_wish.referring_physician,
           urgency = p_wish.urgency, notes = p_wish.notes, created_at = now(), updated_at = now(),
           -- What was not held is claimed from now on.
           moved_at = CASE WHEN a.hold_until > clock_timestamp() AND (a.starts_at, a.ends_at) = (p_wish.starts_at, p_wish.ends_at)
                                AND NOT EXISTS (SELECT FROM unnest(p_wish.resource_ids) u(id) WHERE NOT EXISTS (SELECT FROM radscheduler.appointment_resource ar
                                    WHERE ar.site_id = p_wish.site_id AND ar.appointment_id = p_wish.hold_id AND ar.resource_id = u.id)) THEN a.moved_at ELSE now() END
        WHERE a.site_id = p_wish.site_id AND a.appointment_id = p_wish.hold_id;
    DELETE FROM radscheduler.appointment_service s WHERE s.site_id = p_wish.site_id AND s.appointment_id = p_wish.hold_id;
    DELETE FROM radscheduler.appointment_resource ar WHERE ar.site_id = p_wish.site_id AND ar.appointment_id = p_wish.hold_id;
    INSERT INTO radscheduler.appointment_service (site_id, appointment_id, position, code, name, starts_at, ends_at)
        SELECT p_wish.site_id, p_wish.hold_id, 1, p_wish.study_code, p_wish.study_text, p_wish.starts_at, p_wish.ends_at WHERE p_wish.study_code IS NOT NULL OR p_wish.study_text IS NOT NULL;
    INSERT INTO radscheduler.appointment_resource (site_id, appointment_id, position, segment, resource_id, starts_at, ends_at)
        SELECT p_wish.site_id, p_wish.hold_id, u.place, 'BOOK', u.id, p_wish.starts_at, p_wish.ends_at FROM unnest(p_wish.resource_ids) WITH ORDINALITY u(id, place);
END
$$;
COMMENT ON FUNCTION radscheduler.take_over_hold(radscheduler.booking_wish, bigint) IS 'Makes a hold the appointment that is asked for, under its number; its time stays taken where both are the same.';

CREATE FUNCTION radscheduler.lock_wish(p_wish radscheduler.booking_wish, OUT patient_id bigint, OUT hold_id bigint) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_resources bigint[] := p_wish.resource_ids;
    v_patients  bigint[];
BEGIN
    PERFORM radscheduler.lock_keys(ARRAY[CASE WHEN p_wish.patient_key IS NOT NULL THEN 'patient/' || p_wish.site_id || '/' || p_wish.patient_key END]);
    IF p_wish.patient_key IS NOT NULL THEN
        -- As find_patient() finds one by a number without authority.
        SELECT i.patient_id INTO lock_wish.patient_id FROM radscheduler.patient_identifier i
            WHERE i.site_id = p_wish.site_id AND i.value = p_wish.patient_key AND i.type = 'MR' ORDER BY i.authority = '' DESC, i.patient_id LIMIT 1;
        v_patients := ARRAY[lock_wish.patient_id];
    END IF;
    IF p_wish.is_pooled OR p_wish.hold_id IS NOT NULL THEN
        v_resources := v_resources || radscheduler.pool_scanners(p_wish.site_id, ARRAY[CASE WHEN p_wish.is_pooled THEN p_wish.modality END], ARRAY[p_wish.hold_id]);
    END IF;
    IF p_wish.hold_id IS NOT NULL THEN
        v_resources := v_resources || ARRAY(SELECT ar.resource_id FROM radscheduler.appointment_resource ar WHERE ar.site_id = p_wish.site_id AND ar.appointment_id = p_wish.hold_id);
        v_patients := v_patients || ARRAY(SELECT a.patient_id FROM radscheduler.appointment a WHERE a.site_id = p_wish.site_id AND a.appointment_id = p_wish.hold_id);
    END IF;
    PERFORM radscheduler.lock_subjects(p_wish.site_id, v_resources, v_patients);
    IF p_wish.hold_id IS NOT NULL THEN
        SELECT a.appointment_id INTO lock_wish.hold_id FROM radscheduler.appointment a
            WHERE a.site_id = p_wish.site_id AND a.appointment_id = p_wish.hold_id AND a.hold_until IS NOT NULL FOR UPDATE;
        IF NOT FOUND AND EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p_wish.site_id AND a.appointment_id = p_wish.hold_id) THEN
            RAISE EXCEPTION 'appointment % is not a hold', p_wish.hold_id USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'It may have been booked already with this hold; radscheduler.reschedule() and the like change it.';
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.lock_wish(radscheduler.booking_wish) IS
    'Takes the locks of a booking, names first, then subjects; returns the patient as known under them (NULL for a new one) and the hold, whose row is locked; NULL when it is no longer there. Raises 55000 for a hold that has become an appointment.';

CREATE FUNCTION radscheduler.book_patient(p_wish radscheduler.booking_wish, p_patient bigint, OUT patient_id bigint, OUT event text, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_item radscheduler.ingest_item;
    v_row  record;
BEGIN
    warnings := '[]';
    book_patient.patient_id := p_patient;
    IF p_patient IS NOT NULL AND num_nonnulls(p_wish.patient_name, p_wish.patient_phone) = 0 THEN
        RETURN;
    ELSIF p_patient IS NULL AND p_wish.patient_name IS NULL THEN
        RAISE EXCEPTION 'this site does not know the patient' USING ERRCODE = 'not_null_violation', HINT = 'The first booking of a patient needs patient_name.';
    END IF;
    IF p_patient IS NOT NULL THEN
        SELECT p.display_name, p.phone, p.phone_as_sent INTO v_row FROM radscheduler.patient p WHERE p.site_id = p_wish.site_id AND p.patient_id = p_patient;
        IF upper(v_row.display_name) <> upper(p_wish.patient_name) THEN
            -- Who is on the telephone may be somebody else.
            warnings := '[{"code": "PATIENT_NAME_DIFFERS", "text": "This identifier belongs to a patient of another name, who was booked under the name on record."}]';
        END IF;
        IF p_wish.patient_phone IS NULL OR p_wish.patient_phone IN (v_row.phone, v_row.phone_as_sent) THEN
            RETURN;
        END IF;
    END IF;
    v_item.ordinal := 1;
    v_item.site_id := p_wish.site_id;
    v_item.at := now();
    v_item.reading := jsonb_build_object('patient', jsonb_build_object('identifiers', jsonb_build_array(jsonb_build_object('value', p_wish.patient_key)))
        || CASE WHEN p_wish.patient_name IS NULL THEN '{}' ELSE jsonb_build_object('display_if_new', p_wish.patient_name) END
        || CASE WHEN p_wish.patient_phone IS NULL THEN '{}' ELSE jsonb_build_object('phones', jsonb_build_array(jsonb_build_object('value', p_wish.patient_phone))) END);
    v_item.context := jsonb_build_object('facility', '', 'region', (SELECT s.phone_region FROM radscheduler.site s WHERE s.site_id = p_wish.site_id));
    SELECT q.patient_id, q.event INTO book_patient.patient_id, book_patient.event FROM radscheduler.resolve_patients(ARRAY[v_item]) q;
    IF p_wish.patient_phone IS NOT NULL AND (SELECT p.phone IS NULL FROM radscheduler.patient p WHERE p.site_id = p_wish.site_id AND p.patient_id = book_patient.patient_id) THEN
        warnings := warnings || '[{"code": "PHONE_UNUSABLE", "text": "The phone number cannot be completed to one that can be called; it is kept as written."}]'::jsonb;
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.book_patient(radscheduler.booking_wish, bigint) IS
    'The patient of a booking: as known, with the phone given; a new one is recorded under the name given. A name is never changed here, only told of when it differs. event is the caller''s to audit. Raises 23502 for a new patient without a name.';

CREATE FUNCTION radscheduler.place_booking(p_wish radscheduler.booking_wish, p_override text, p_reason text) RETURNS radscheduler.booking_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site   integer := p_wish.site_id;
    v_wish   radscheduler.booking_wish := p_wish;
    v_locked record;
    v_person record;
    v_id     bigint;
    v_moved  bigint[];
    r        radscheduler.booking_result;
BEGIN
    v_locked := radscheduler.lock_wish(v_wish);
    v_person := radscheduler.book_patient(v_wish, v_locked.patient_id);
    r.warnings := v_person.warnings;
    IF v_wish.hold_id IS NOT NULL AND v_locked.hold_id IS NULL THEN
        r.warnings := r.warnings || '[{"code": "HOLD_ENDED", "text": "The hold had run out or was released; its time was booked as anybody else''s."}]'::jsonb;
    END IF;
    IF v_locked.hold_id IS NOT NULL THEN
        v_id := v_locked.hold_id;
        PERFORM radscheduler.take_over_hold(v_wish, v_person.patient_id);
    ELSE
        v_id := radscheduler.write_booking(v_wish, v_person.patient_id, 'SCHEDULED');
    END IF;
    v_moved := radscheduler.occupy(v_site, v_id, v_locked.hold_id IS NULL);
    r.outcome := 'booked';
    r.appointment_id := v_id;
    r.version := CASE WHEN v_locked.hold_id IS NULL THEN 1 ELSE (SELECT a.version FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = v_id) END;
    r.status := 'SCHEDULED';
    r.conflicts := '[]';
    r.alternatives := '[]';
    IF radscheduler.settle(v_site, ARRAY[v_id], v_moved) IS NOT NULL THEN
        r := radscheduler.judge_booking(v_site, v_id, p_override, r);
        IF r.outcome = 'refused' THEN
            r.appointment_id := NULL;
            r.version := NULL;
            r.status := NULL;
            RETURN r;
        END IF;
    END IF;
    IF v_person.event IS NOT NULL THEN
        PERFORM radscheduler.audit(v_site, v_person.event, 'patient', v_person.patient_id, '{}');
    END IF;
    PERFORM radscheduler.record_version(v_site, v_id, 'appointment.created', NULL, '{}', coalesce(nullif(btrim(p_reason), ''), nullif(btrim(p_override), '')));
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.place_booking(radscheduler.booking_wish, text, text) IS
    'Books what is asked for, or says why not: then everything stands written, and the caller takes it back.';
