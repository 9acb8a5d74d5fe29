-- Booking in SQL. book() refuses with an error, try_book() with a value; both do the same otherwise. What is refused leaves nothing behind.

CREATE FUNCTION radscheduler.request_booking(patient_id text, starts_at timestamptz, modality text, procedure text, duration_minutes integer, resources text[], patient_name text,
        patient_phone text, referring_physician text, urgency text, notes text, study_type text, hold bigint, override_reason text, actor text, reason text) RETURNS radscheduler.booking_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_variable
DECLARE
    v_site   integer := radscheduler.current_site();
    v_before text;
    v_wish   radscheduler.booking_wish;
    r        radscheduler.booking_result;
BEGIN
    PERFORM radscheduler.check_booking_texts(patient_id, patient_name, patient_phone, study_type, referring_physician, notes, greatest(reason, override_reason));
    IF nullif(btrim(patient_id), '') IS NULL THEN
        RAISE EXCEPTION 'a booking needs patient_id' USING ERRCODE = 'not_null_violation', HINT = 'Give the identifier the patient is known by at this site, such as the medical record number.';
    END IF;
    v_wish := radscheduler.read_wish(v_site, starts_at, modality, procedure, duration_minutes, resources, study_type, urgency);
    v_wish.patient_key := btrim(patient_id);
    v_wish.patient_name := nullif(btrim(patient_name), '');
    v_wish.patient_phone := nullif(btrim(patient_phone), '');
    v_wish.referring_physician := nullif(btrim(referring_physician), '');
    v_wish.notes := nullif(notes, '');
    v_wish.hold_id := hold;
    v_before := radscheduler.act_for(actor);
    r := radscheduler.place_booking(v_wish, override_reason, reason);
    PERFORM set_config('radscheduler.actor', v_before, true);
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.request_booking(text, timestamptz, text, text, integer, text[], text, text, text, text, text, text, bigint, text, text, text) IS
    'What book() and try_book() do: reads what is asked for, and books it for the actor. A refusal comes back as a result, with everything still written.';

CREATE FUNCTION radscheduler.book(patient_id text, starts_at timestamptz, modality text DEFAULT NULL, procedure text DEFAULT NULL, duration_minutes integer DEFAULT NULL,
        resources text[] DEFAULT NULL, patient_name text DEFAULT NULL, patient_phone text DEFAULT NULL, referring_physician text DEFAULT NULL, urgency text DEFAULT NULL,
        notes text DEFAULT NULL, study_type text DEFAULT NULL, hold bigint DEFAULT NULL, override_reason text DEFAULT NULL, actor text DEFAULT NULL, reason text DEFAULT NULL)
    RETURNS radscheduler.booking_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    r radscheduler.booking_result := radscheduler.request_booking(patient_id, starts_at, modality, procedure, duration_minutes, resources, patient_name, patient_phone,
        referring_physician, urgency, notes, study_type, hold, override_reason, actor, reason);
BEGIN
    IF r.outcome = 'refused' THEN
        PERFORM radscheduler.raise_refusal(r.error);
    END IF;
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.book(text, timestamptz, text, text, integer, text[], text, text, text, text, text, text, bigint, text, text, text) IS
    'Books an exam at the session''s site. What it needs: the patient''s identifier (patient_name too for a new patient), the start, and one of modality, procedure (code, alias or name) and resources (scanner, room, staff by any of their names). Minutes are those given, else the exam''s, else the modality''s. hold is a hold() that becomes the booking. A critical conflict is refused: 23P01, the other appointment by id in DETAIL, free times in HINT; override_reason books over it and accepts the conflict. actor and reason are kept in history and audit. Raises 22023, 22001, 22008, 23502 for what cannot be booked.';

CREATE FUNCTION radscheduler.try_book(patient_id text, starts_at timestamptz, modality text DEFAULT NULL, procedure text DEFAULT NULL, duration_minutes integer DEFAULT NULL,
        resources text[] DEFAULT NULL, patient_name text DEFAULT NULL, patient_phone text DEFAULT NULL, referring_physician text DEFAULT NULL, urgency text DEFAULT NULL,
        notes text DEFAULT NULL, study_type text DEFAULT NULL, hold bigint DEFAULT NULL, override_reason text DEFAULT NULL, actor text DEFAULT NULL, reason text DEFAULT NULL)
    RETURNS radscheduler.booking_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    v_state text;
    v_text  text;
    v_hint  text;
    r       radscheduler.booking_result;
BEGIN
    r := radscheduler.request_booking(patient_id, starts_at, modality, procedure, duration_minutes, resources, patient_name, patient_phone,
        referring_physician, urgency, notes, study_type, hold, override_reason, actor, reason);
    IF r.outcome = 'refused' THEN
        RAISE EXCEPTION 'taken back' USING ERRCODE = 'RS006';
    END IF;
    RETURN r;
EXCEPTION
    WHEN SQLSTATE 'RS006' THEN
        RETURN r; -- which says why
    WHEN invalid_parameter_value OR not_null_violation OR datetime_field_overflow OR string_data_right_truncation OR object_not_in_prerequisite_state THEN
        GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_text = MESSAGE_TEXT, v_hint = PG_EXCEPTION_HINT;
        RETURN radscheduler.refused_for(v_state, v_text, v_hint);
END
$$;
COMMENT ON FUNCTION radscheduler.try_book(text, timestamptz, text, text, integer, text[], text, text, text, text, text, text, bigint, text, text, text) IS
    'book() that raises nothing: outcome booked, or refused with error {code, sqlstate, text, detail, hint}, the conflicts and up to three free times. What is refused leaves nothing behind.';
