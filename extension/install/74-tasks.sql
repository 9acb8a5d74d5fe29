-- Telling others (storage step 022): what is booked, moved, changed or closed here becomes a task for every link that asks for it, in the transaction of the
-- change. Only appointments that are this system's own are told, those made in SQL and by requests (SRM): what a RIS has told, it knows.

CREATE TYPE radscheduler.task_row AS (
    site_id        integer,
    task_id        bigint,
    link_id        bigint,
    event          text,
    appointment_id bigint,
    version        integer,
    message_id     bigint,
    state          text
);
COMMENT ON TYPE radscheduler.task_row IS 'A task as the functions below take it up.';

CREATE FUNCTION radscheduler.siu_event(p_event text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE p_event WHEN 'appointment.created' THEN 'S12' WHEN 'appointment.rescheduled' THEN 'S13' WHEN 'appointment.cancelled' THEN 'S15'
                        WHEN 'appointment.discontinued' THEN 'S16' WHEN 'appointment.deleted' THEN 'S17' WHEN 'appointment.noshow' THEN 'S26'
                        WHEN 'appointment.purged' THEN NULL ELSE CASE WHEN p_event LIKE 'appointment.%' THEN 'S14' END END;
COMMENT ON FUNCTION radscheduler.siu_event(text) IS 'The trigger event that tells a type of event_log; NULL for one that is not told.';

CREATE FUNCTION radscheduler.queue_siu(p_site integer, p_appointments bigint[], p_events text[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- Most sites have no link, and most changes are told by a RIS.
    IF EXISTS (SELECT FROM radscheduler.link l WHERE l.site_id = p_site AND l.is_enabled AND l.kind = 'hl7_out') THEN
        INSERT INTO radscheduler.task (site_id, kind, queue, link_id, event, appointment_id, version)
            SELECT p_site, 'hl7_out', 'link/' || l.link_id, l.link_id, radscheduler.siu_event(u.event), a.appointment_id, a.version
            FROM unnest(p_appointments, p_events) WITH ORDINALITY u(id, event, place)
            JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = u.id AND (a.sender_id IS NULL OR a.source = 'SRM')
            JOIN radscheduler.link l ON l.site_id = p_site AND l.is_enabled AND l.kind = 'hl7_out' AND radscheduler.siu_event(u.event) = ANY (l.events)
            ORDER BY u.place, l.link_id;
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.queue_siu(integer, bigint[], text[]) IS
    'Makes the tasks of links for the present versions of appointments, side by side with types of event_log. Appointments that a sender''s messages tell make none.';

CREATE FUNCTION radscheduler.queue_copies(p_items radscheduler.ingest_item[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF EXISTS (SELECT FROM radscheduler.link l WHERE l.kind = 'hl7_copy' AND l.is_enabled) THEN
        INSERT INTO radscheduler.task (site_id, kind, queue, link_id, event, message_id)
            SELECT i.site_id, 'hl7_out', 'link/' || l.link_id, l.link_id, coalesce(h.trigger_event, h.message_code), i.message_id
            FROM unnest(p_items) WITH ORDINALITY i
            CROSS JOIN LATERAL (SELECT i.context #>> '{header,message_code}' AS message_code, i.context #>> '{header,trigger_event}' AS trigger_event,
                                       concat(i.context #>> '{header,sending_application}', '|', i.context #>> '{header,sending_facility}') AS sender) h
            JOIN radscheduler.link l ON l.site_id = i.site_id AND l.kind = 'hl7_copy' AND l.is_enabled AND (l.copy_senders IS NULL OR h.sender = ANY (l.copy_senders))
                                        AND (l.copy_triggers IS NULL OR h.message_code = ANY (l.copy_triggers) OR h.message_code || '^' || h.trigger_event = ANY (l.copy_triggers))
            WHERE i.code = 'AA' AND i.outcome <> 'duplicate' AND h.message_code <> 'JSON'
            ORDER BY i.ordinality, l.link_id;
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.queue_copies(radscheduler.ingest_item[]) IS
    'Makes the tasks of links that get a copy of what is received: messages that were taken, once. What was refused, repeats of a message, and bodies in JSON are not copied.';

CREATE FUNCTION radscheduler.own_task(p_task bigint, p_do text) RETURNS radscheduler.task_row
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    r radscheduler.task_row;
BEGIN
    SELECT t.site_id, t.task_id, t.link_id, t.event, t.appointment_id, t.version, t.message_id, t.state INTO r
        FROM radscheduler.task t WHERE t.task_id = p_task AND t.site_id = ANY (radscheduler.visible_sites()) FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no task % at the sites of this session', p_task USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.outbox lists those that are not done.';
    ELSIF p_do = 'retry' AND r.state NOT IN ('dead', 'unknown') OR p_do = 'drop' AND r.state NOT IN ('ready', 'unknown') THEN
        RAISE EXCEPTION 'task % is % and cannot be %', p_task, r.state, CASE p_do WHEN 'retry' THEN 'tried again' ELSE 'given up' END
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = CASE p_do WHEN 'retry' THEN 'Only one that is dead or unknown can.' ELSE 'Only one that is ready or unknown can; a lease ends by itself at lease_until.' END;
    END IF;
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.own_task(bigint, text) IS 'The task of a site of the caller, locked, for look, retry or drop. Raises 22023 when there is none, 55000 when its state does not allow that.';

CREATE FUNCTION radscheduler.message_of_task(p_task radscheduler.task_row, p_detail jsonb) RETURNS bytea
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_task.message_id IS NOT NULL THEN
        PERFORM radscheduler.audit(p_task.site_id, 'read', 'hl7_message', p_task.message_id, p_detail);
        RETURN (SELECT m.raw FROM radscheduler.hl7_message m WHERE m.site_id = p_task.site_id AND m.message_id = p_task.message_id);
    END IF;
    PERFORM radscheduler.audit(p_task.site_id, 'read', 'appointment', p_task.appointment_id, p_detail || jsonb_build_object('version', p_task.version));
    RETURN convert_to(radscheduler.siu_message(p_task.site_id, (SELECT h.snapshot FROM radscheduler.appointment_history h
            WHERE h.site_id = p_task.site_id AND h.appointment_id = p_task.appointment_id AND h.version = p_task.version), p_task.event, 'RST' || p_task.task_id,
        (SELECT to_jsonb(l) FROM radscheduler.link l WHERE l.site_id = p_task.site_id AND l.link_id = p_task.link_id))::text, 'UTF8');
END
$$;
COMMENT ON FUNCTION radscheduler.message_of_task(radscheduler.task_row, jsonb) IS
    'The bytes that a task sends, without framing: the appointment as the version was, the patient as he is now, MSH-10 the same each time; or the received message as it came. NULL when the message is no longer kept. The read is audited with p_detail.';

CREATE FUNCTION radscheduler.task_message(task bigint) RETURNS radscheduler.hl7
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_task radscheduler.task_row := radscheduler.own_task(task, 'look');
BEGIN
    IF v_task.appointment_id IS NULL AND v_task.message_id IS NULL THEN
        RAISE EXCEPTION 'task % sends no message', task USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Only tasks of the kind hl7_out do.';
    END IF;
    RETURN radscheduler.hl7(radscheduler.message_of_task(v_task, jsonb_build_object('task_id', task)));
END
$$;
COMMENT ON FUNCTION radscheduler.task_message(bigint) IS
    'The message of a task: the appointment as the version was, the patient as he is now; MSH-10 is the same each time. Of a copy, the message that was received; NULL when it is no longer kept. The read is audited. Raises 22023 for a task that is not at the caller''s sites.';

CREATE FUNCTION radscheduler.retry_task(task bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_task radscheduler.task_row := radscheduler.own_task(task, 'retry');
BEGIN
    PERFORM radscheduler.move_task(v_task.site_id, v_task.task_id, 'retried', now());
    PERFORM radscheduler.audit(v_task.site_id, 'task.retried', 'task', v_task.task_id, '{}');
END
$$;
COMMENT ON FUNCTION radscheduler.retry_task(bigint) IS
    'Puts a task that is dead or unknown back into the queue, at its old place. Raises 22023 for one that is not at the caller''s sites, 55000 for one in another state.';

CREATE FUNCTION radscheduler.drop_task(task bigint, reason text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_task radscheduler.task_row := radscheduler.own_task(task, 'drop');
BEGIN
    IF coalesce(btrim(reason), '') = '' OR length(reason) > 1000 THEN
        RAISE EXCEPTION 'giving up a task needs a reason, of at most 1000 characters' USING ERRCODE = 'invalid_parameter_value', HINT = 'Say why, without the patient''s name or number.';
    END IF;
    PERFORM radscheduler.move_task(v_task.site_id, v_task.task_id, 'dropped', now(), reason);
    PERFORM radscheduler.audit(v_task.site_id, 'task.dropped', 'task', v_task.task_id, '{}');
END
$$;
COMMENT ON FUNCTION radscheduler.drop_task(bigint, text) IS
    'Gives up a task that is ready or unknown: it is dead, and those behind it can be sent; retry_task() takes it back. The reason must not contain the patient''s name or number. Raises 22023 without a reason or for a task that is not at the caller''s sites, 55000 for one in another state.';
