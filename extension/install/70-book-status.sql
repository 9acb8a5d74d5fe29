-- The way of an appointment through its states, by hand. Messages go their own way (event_rule); a person is held to what can follow.

CREATE FUNCTION radscheduler.status_after(status radscheduler.appointment_status) RETURNS radscheduler.appointment_status[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN status IN ('PENDING'::radscheduler.appointment_status, 'WAITLISTED')
            THEN '{PENDING,WAITLISTED,SCHEDULED,CONFIRMED,CANCELLED,DELETED}'::radscheduler.appointment_status[]
        WHEN status IN ('SCHEDULED'::radscheduler.appointment_status, 'CONFIRMED', 'PENDING_REVIEW')
            THEN '{PENDING,WAITLISTED,SCHEDULED,CONFIRMED,PENDING_REVIEW,ARRIVED,IN_PROGRESS,COMPLETED,CANCELLED,DISCONTINUED,NO_SHOW,DELETED}'::radscheduler.appointment_status[]
        WHEN status = 'ARRIVED'::radscheduler.appointment_status THEN '{SCHEDULED,CONFIRMED,IN_PROGRESS,COMPLETED,CANCELLED,DISCONTINUED,NO_SHOW}'::radscheduler.appointment_status[]
        WHEN status = 'IN_PROGRESS'::radscheduler.appointment_status THEN '{ARRIVED,COMPLETED,DISCONTINUED}'::radscheduler.appointment_status[]
        WHEN status = 'COMPLETED'::radscheduler.appointment_status THEN '{IN_PROGRESS,DISCONTINUED}'::radscheduler.appointment_status[]
        WHEN status = 'DISCONTINUED'::radscheduler.appointment_status THEN '{IN_PROGRESS,COMPLETED,DELETED}'::radscheduler.appointment_status[]
        WHEN status IN ('CANCELLED'::radscheduler.appointment_status, 'NO_SHOW') THEN '{SCHEDULED,CONFIRMED,ARRIVED,CANCELLED,NO_SHOW,DELETED}'::radscheduler.appointment_status[]
        ELSE '{}'::radscheduler.appointment_status[] END;
COMMENT ON FUNCTION radscheduler.status_after(radscheduler.appointment_status) IS
    'The states that a person may bring an appointment to from this one. What has begun is completed or discontinued, never cancelled; what was closed by mistake is opened again; what was deleted stays so.';

CREATE FUNCTION radscheduler.change_status(p_appointment bigint, p_status radscheduler.appointment_status, p_version integer, p_actor text, p_reason text) RETURNS radscheduler.booking_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site   integer := radscheduler.current_site();
    v_old    radscheduler.appointment;
    v_takes  boolean;
    v_moved  bigint[];
    v_before text;
    v_open   bigint[];
    r        radscheduler.booking_result;
BEGIN
    PERFORM radscheduler.check_booking_texts(NULL, NULL, NULL, NULL, NULL, NULL, p_reason);
    PERFORM radscheduler.lock_booking(v_site, p_appointment, NULL, NULL, p_version);
    SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = p_appointment;
    IF p_status = (CASE WHEN v_old.review_reason = 'CONFLICT' AND p_status <> 'PENDING_REVIEW' THEN v_old.resume_status ELSE v_old.status END) THEN
        RETURN radscheduler.changed_result(v_site, p_appointment, 'unchanged');
    ELSIF p_status <> ALL (radscheduler.status_after(v_old.status)) THEN
        RAISE EXCEPTION 'appointment % is %, and cannot become %', p_appointment, v_old.status, p_status USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = CASE v_old.status WHEN 'DELETED' THEN 'It was entered by mistake and stays deleted; radscheduler.book() makes a new one.'
                   ELSE format('What can follow: %s.', array_to_string(array_remove(radscheduler.status_after(v_old.status), v_old.status), ', ')) END;
    ELSIF v_old.starts_at IS NULL AND p_status NOT IN ('PENDING', 'WAITLISTED', 'CANCELLED', 'DISCONTINUED', 'NO_SHOW', 'DELETED') THEN
        RAISE EXCEPTION 'appointment % has no time yet', p_appointment USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'radscheduler.reschedule() gives it one.';
    END IF;
    v_before := radscheduler.act_for(p_actor);
    v_takes := radscheduler.takes_time(v_old.status, v_old.holds_time);
    UPDATE radscheduler.appointment a SET status = p_status, review_reason = NULL, resume_status = NULL, ending = NULL,
           event_reason = CASE WHEN radscheduler.is_closed(p_status) THEN coalesce(nullif(btrim(p_reason), ''), a.event_reason) ELSE a.event_reason END,
           moved_at = CASE WHEN NOT v_takes THEN now() ELSE a.moved_at END, version = a.version + 1, updated_at = now()
        WHERE a.site_id = v_site AND a.appointment_id = p_appointment;
    IF radscheduler.takes_time(p_status, v_old.holds_time) THEN
        v_moved := radscheduler.occupy(v_site, p_appointment, false);
    ELSE
        v_moved := radscheduler.vacate(v_site, p_appointment, CASE WHEN p_status IN ('COMPLETED', 'DISCONTINUED', 'NO_SHOW') THEN now() END);
    END IF;
    v_open := radscheduler.settle(v_site, ARRAY[p_appointment], v_moved);
    r := radscheduler.changed_result(v_site, p_appointment, 'changed');
    IF v_open IS NOT NULL AND NOT v_takes THEN
        -- It comes back to a time that may be somebody else's by now.
        r := radscheduler.judge_booking(v_site, p_appointment, NULL, r);
        IF r.outcome = 'refused' THEN
            PERFORM radscheduler.raise_refusal(r.error || jsonb_build_object('hint', 'radscheduler.reschedule() cannot move what is closed: book it anew at another time, or free this one.'));
        END IF;
    END IF;
    PERFORM radscheduler.record_version(v_site, p_appointment, radscheduler.event_name(v_old.status, r.status, false), NULL, '{}', nullif(btrim(p_reason), ''));
    PERFORM set_config('radscheduler.actor', v_before, true);
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.change_status(bigint, radscheduler.appointment_status, integer, text, text) IS
    'What set_status() and cancel() do. One that comes back to a time that is taken is refused with 23P01.';

CREATE FUNCTION radscheduler.cancel(appointment_id bigint, version integer DEFAULT NULL, actor text DEFAULT NULL, reason text DEFAULT NULL) RETURNS radscheduler.booking_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
BEGIN
    RETURN radscheduler.change_status(appointment_id, 'CANCELLED', version, actor, reason);
END
$$;
COMMENT ON FUNCTION radscheduler.cancel(bigint, integer, text, text) IS
    'Cancels an appointment and gives back its time; whoever waited for it moves up. reason becomes its event_reason. Cancelled already: unchanged. version: 40001 when it is another now. Raises P0002 for one that is not there, 55000 for one that has begun or is over.';

CREATE FUNCTION radscheduler.set_status(appointment_id bigint, status text, version integer DEFAULT NULL, actor text DEFAULT NULL, reason text DEFAULT NULL) RETURNS radscheduler.booking_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    v_status radscheduler.appointment_status := (SELECT s.status FROM radscheduler.status_alias s WHERE s.alias = regexp_replace(upper(set_status.status), '[^A-Z0-9]', '', 'g'));
BEGIN
    IF v_status IS NULL OR v_status IN ('PENDING', 'WAITLISTED') AND upper(set_status.status) NOT IN ('PENDING', 'WAITLISTED') THEN
        RAISE EXCEPTION 'status "%" is not one of the life cycle', left(set_status.status, 100)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use SCHEDULED, CONFIRMED, ARRIVED, IN_PROGRESS, COMPLETED, CANCELLED, NO_SHOW or another state of radscheduler.appointment_status.';
    END IF;
    RETURN radscheduler.change_status(appointment_id, v_status, version, actor, reason);
END
$$;
COMMENT ON FUNCTION radscheduler.set_status(bigint, text, integer, text, text) IS
    'Brings an appointment to a state of its life cycle (or a word for one, such as checked-in). COMPLETED, DISCONTINUED and NO_SHOW keep the time that has passed, CANCELLED and DELETED give back all. One that is flagged stays in review until its conflict has gone or is accepted. version: 40001 when it is another now. Raises 55000 with the states that can follow, 23P01 for one that comes back to a time that is taken, P0002 and 22023.';
