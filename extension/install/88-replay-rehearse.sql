-- Messages read again. A message stands on those before it, so what is read again is the appointment: every message about it that is still
-- kept, in order of arrival, from nothing. replay_lines() collects them, replay_rehearse() applies them in a subtransaction that replay()
-- (89-replay.sql) takes back: the outcome is what the schedule would be had today's profile and catalogues always been in force.

CREATE TYPE radscheduler.replay_line AS (
    item            radscheduler.ingest_item,
    is_selected     boolean,
    was_outcome     text,
    was_code        text,
    was_appointment bigint,
    shown           jsonb,
    origin          bigint,
    origin_version  integer,
    is_kept         boolean,
    target          jsonb,
    target_shown    jsonb
);
COMMENT ON TYPE radscheduler.replay_line IS
    'A message on its way through replay(): the item as read today; whether it was asked for; what became of it when it came; the appointment after it (shown_snapshot()); the appointment that stands for it now and its version; whether that is left alone; and on the last message of an appointment the state that appointment is brought to.';

CREATE FUNCTION radscheduler.reopen_message(p_site integer, p_message bigint) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_message radscheduler.hl7_message;
    v_read    record;
    r         radscheduler.ingest_item;
BEGIN
    SELECT * INTO v_message FROM radscheduler.hl7_message m WHERE m.site_id = p_site AND m.message_id = p_message;
    IF v_message.message_code = 'JSON' THEN
        r.received_at := v_message.received_at;
        r.raw := v_message.raw;
        r.raw_sha256 := v_message.raw_sha256;
        r.context := radscheduler.message_context(jsonb_build_object('sending_application', 'API', 'message_code', 'JSON', 'trigger_event', 'S12'), v_message.channel, v_message.peer)
                     || jsonb_build_object('source', 'API');
        r.site_id := (r.context ->> 'site_id')::integer;
        r.sender_id := (r.context ->> 'sender_id')::bigint;
        r.warnings := '[]';
        r.conflicts := '[]';
        r.trigger_event := 'S12';
        r.action := 'schedule';
        SELECT * INTO v_read FROM radscheduler.json_reading(r.site_id, coalesce(radscheduler.body_json(v_message.raw), 'null'));
        r.reading := v_read.reading;
        r.error := v_read.error;
        r.code := CASE WHEN r.error IS NULL THEN 'AA' ELSE 'AE' END;
        r.outcome := CASE WHEN r.error IS NOT NULL THEN 'error' END;
        r.at := v_message.received_at;
        r.filler_id := radscheduler.appointment_key(r.reading -> 'schedule', 'filler');
    ELSE
        r := radscheduler.open_message(v_message.raw, v_message.channel, v_message.peer, NULL, v_message.received_at);
    END IF;
    r.ordinal := 1;
    r.message_id := p_message;
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.reopen_message(integer, bigint) IS
    'A kept message, HL7 or JSON, opened as if it came now, but under its own number and ordered by when it came.';

CREATE FUNCTION radscheduler.replay_appointments(p_site integer, p_lines radscheduler.replay_line[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ARRAY(
        WITH named AS (
            SELECT a.sender_id, a.filler_id, a.placer_id FROM unnest(p_lines) l JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = l.was_appointment
            UNION
            SELECT (l.item).sender_id, (l.item).filler_id, (l.item).placer_id FROM unnest(p_lines) l WHERE (l.item).action = 'schedule'
        )
        SELECT a.appointment_id FROM named n JOIN radscheduler.appointment a ON a.site_id = p_site AND a.sender_id = n.sender_id AND a.filler_id = n.filler_id
        UNION
        SELECT a.appointment_id FROM named n JOIN radscheduler.appointment a ON a.site_id = p_site AND a.sender_id = n.sender_id AND a.placer_id = n.placer_id
        WHERE n.filler_id IS NULL OR a.filler_id IS NULL
        UNION
        SELECT a.appointment_id FROM unnest(p_lines) l JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = l.was_appointment
        ORDER BY 1);
END
$$;
COMMENT ON FUNCTION radscheduler.replay_appointments(integer, radscheduler.replay_line[]) IS
    'The appointments that messages are about: by what was noted when they came, and by the keys they give today; every generation.';

CREATE FUNCTION radscheduler.replay_lock_names(p_site integer, p_lines radscheduler.replay_line[]) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ARRAY(SELECT n FROM unnest(p_lines) l, unnest(radscheduler.lock_names(l.item)) n WHERE n IS NOT NULL AND (l.item).outcome IS NULL
                 UNION SELECT n FROM unnest(radscheduler.replay_appointments(p_site, p_lines)) u(id), unnest(radscheduler.appointment_lock_names(p_site, u.id)) n WHERE n IS NOT NULL);
END
$$;
COMMENT ON FUNCTION radscheduler.replay_lock_names(integer, radscheduler.replay_line[]) IS 'Names for lock_keys() of messages that are read again and of the appointments they are about.';

CREATE FUNCTION radscheduler.replay_lines(p_site integer, p_messages bigint[]) RETURNS radscheduler.replay_line[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_wanted  bigint[] := p_messages;
    v_opened  bigint[] := '{}';
    v_about   bigint[];
    v_lines   radscheduler.replay_line[] := '{}';
    v_line    radscheduler.replay_line;
    v_message record;
BEGIN
    WHILE cardinality(v_wanted) > 0 LOOP
        FOR v_message IN
            SELECT m.message_id, m.appointment_id, coalesce(m.replay_outcome, m.outcome) AS outcome, coalesce(m.replay_code, m.code) AS code
            FROM radscheduler.hl7_message m WHERE m.site_id = p_site AND m.message_id = ANY (v_wanted) ORDER BY m.message_id
        LOOP
            v_line := NULL;
            v_line.item := radscheduler.reopen_message(p_site, v_message.message_id);
            v_line.is_selected := v_message.message_id = ANY (p_messages);
            v_line.was_outcome := v_message.outcome;
            v_line.was_code := v_message.code;
            v_line.was_appointment := v_message.appointment_id;
            v_line.is_kept := false;
            v_lines := v_lines || v_line;
        END LOOP;
        v_opened := v_opened || v_wanted;
        v_about := radscheduler.replay_appointments(p_site, v_lines);
        v_wanted := ARRAY(SELECT m.message_id FROM radscheduler.hl7_message m
                          WHERE m.site_id = p_site AND m.appointment_id = ANY (v_about)
                            AND m.outcome <> 'duplicate' AND m.message_code IS DISTINCT FROM 'SRM' AND m.message_id <> ALL (v_opened));
    END LOOP;
    RETURN ARRAY(SELECT l::radscheduler.replay_line FROM unnest(v_lines) l ORDER BY (l.item).received_at, (l.item).message_id);
END
$$;
COMMENT ON FUNCTION radscheduler.replay_lines(integer, bigint[]) IS
    'These messages, and every other one about the same appointments, opened anew and in order of arrival.';

CREATE FUNCTION radscheduler.whole_appointments(p_site integer, p_appointments bigint[], p_messages bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ARRAY(
        SELECT unnest(q.ids) FROM (
            SELECT array_agg(a.appointment_id) AS ids
            FROM radscheduler.appointment a
            LEFT JOIN radscheduler.appointment_history h ON h.site_id = a.site_id AND h.appointment_id = a.appointment_id AND h.version = 1
            WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments)
            -- Generations stand on each other: all of them, or none.
            GROUP BY a.sender_id, coalesce('F' || a.filler_id, 'P' || a.placer_id, 'A' || a.appointment_id)
            HAVING bool_and(coalesce(h.message_id = ANY (p_messages), false))) q);
END
$$;
COMMENT ON FUNCTION radscheduler.whole_appointments(integer, bigint[], bigint[]) IS
    'Those appointments whose first message is among these, so that they can be read again from nothing.';

CREATE FUNCTION radscheduler.is_apart(p_item radscheduler.ingest_item) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- An arrival is about one appointment, and part of what becomes of it.
    RETURN coalesce(p_item.action IN ('block', 'order') OR p_item.action = 'patient' AND p_item.appointment_id IS NULL, false);
END
$$;
COMMENT ON FUNCTION radscheduler.is_apart(radscheduler.ingest_item) IS
    'Whether a message is about no single appointment (blocks, demographics, merges, orders), so that it is applied again in its place and not as part of one.';

CREATE FUNCTION radscheduler.failed_item(p_item radscheduler.ingest_item, p_state text, p_constraint text, p_detail text) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    r radscheduler.ingest_item := p_item;
BEGIN
    r.code := 'AE';
    r.outcome := 'error';
    IF p_state IN ('RS001', 'RS003') THEN
        r.error := p_detail::jsonb -> 'error';
        r.warnings := p_detail::jsonb -> 'warnings';
        r.conflicts := coalesce(p_detail::jsonb -> 'conflicts', '[]');
    ELSE
        r.error := jsonb_build_object('code', '207', 'path', '', 'text',
            format('The message could not be applied (SQLSTATE %s%s).', p_state, coalesce(', constraint ' || nullif(p_constraint, ''), '')));
    END IF;
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.failed_item(radscheduler.ingest_item, text, text, text) IS 'An item that was not applied, with the error that process_items() raised for it.';

CREATE FUNCTION radscheduler.apply_again(p_item radscheduler.ingest_item) RETURNS radscheduler.ingest_item
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_items      radscheduler.ingest_item[];
    v_state      text;
    v_constraint text;
    v_detail     text;
BEGIN
    IF p_item.outcome IS NOT NULL THEN
        RETURN p_item;
    END IF;
    v_items := radscheduler.process_items(ARRAY[p_item]);
    RETURN v_items[1];
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_constraint = CONSTRAINT_NAME, v_detail = PG_EXCEPTION_DETAIL;
    IF radscheduler.is_passing(v_state) THEN
        RAISE;
    END IF;
    RETURN radscheduler.failed_item(p_item, v_state, v_constraint, v_detail);
END
$$;
COMMENT ON FUNCTION radscheduler.apply_again(radscheduler.ingest_item) IS
    'One opened message applied, without the guard against duplicates and without a log row; what fails is undone and becomes its error. Raises only what is_passing().';

CREATE FUNCTION radscheduler.replay_rehearse(p_site integer, p_lines radscheduler.replay_line[]) RETURNS radscheduler.replay_line[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_lines   radscheduler.replay_line[] := p_lines;
    v_line    radscheduler.replay_line;
    c_all     CONSTANT bigint[] := radscheduler.replay_appointments(p_site, p_lines);
    c_whole   CONSTANT bigint[] := radscheduler.whole_appointments(p_site, c_all, ARRAY(SELECT (l.item).message_id FROM unnest(p_lines) l));
    v_names   jsonb := '{}';
    v_versions jsonb;
    v_name    text;
    v_used    bigint[] := '{}';
    v_kept    bigint[];
    v_made    record;
BEGIN
    SELECT coalesce(jsonb_object_agg(a.appointment_id, a.version), '{}') INTO v_versions FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (c_all);
    -- What is read again from nothing gives up its time and its keys, as if it had never been.
    IF c_whole <> '{}' THEN
        PERFORM radscheduler.release_appointments(p_site, c_whole, '{}');
        UPDATE radscheduler.appointment a SET filler_id = NULL, placer_id = NULL, visit_number = NULL, visit_group = NULL, placer_orders = NULL, filler_orders = NULL
            WHERE a.site_id = p_site AND a.appointment_id = ANY (c_whole);
    END IF;
    FOR k IN 1 .. cardinality(v_lines) LOOP
        v_line := v_lines[k];
        v_name := (v_line.item).sender_id || '/' || ((v_line.item).context #>> '{header,control_id}') || '/' || encode((v_line.item).raw_sha256, 'hex');
        IF (v_line.item).outcome IS NULL AND v_names ? v_name THEN
            v_line.item.outcome := 'duplicate';
            v_line.item.appointment_id := (v_names ->> v_name)::bigint;
        ELSE
            v_line.item := radscheduler.apply_again(v_line.item);
            IF (v_line.item).code = 'AA' AND v_name IS NOT NULL THEN
                v_names := v_names || jsonb_build_object(v_name, (v_line.item).appointment_id);
            END IF;
        END IF;
        v_line.shown := radscheduler.shown_snapshot(p_site, radscheduler.snapshot_of(p_site, (v_line.item).appointment_id));
        v_lines[k] := v_line;
    END LOOP;

    -- Which appointment of now stands for which of the rehearsal: the one its first message made.
    FOR v_made IN
        SELECT (l.item).appointment_id AS id, min(l.ordinality) AS first, max(l.ordinality) AS last,
               array_agg(l.was_appointment ORDER BY l.ordinality) FILTER (WHERE l.was_appointment IS NOT NULL) AS were
        FROM unnest(v_lines) WITH ORDINALITY l WHERE (l.item).code = 'AA' AND (l.item).appointment_id IS NOT NULL GROUP BY 1 ORDER BY 2
    LOOP
        v_line := NULL;
        v_line.origin := CASE WHEN v_made.id = ANY (c_all) THEN v_made.id
                              ELSE (SELECT u.id FROM unnest(v_made.were) WITH ORDINALITY u(id, place) WHERE u.id = ANY (c_whole) AND u.id <> ALL (v_used) ORDER BY u.place LIMIT 1) END;
        v_used := v_used || v_line.origin;
        -- A booking that a message opens beside one whose beginning is no longer kept: nobody knows which it would be.
        v_line.is_kept := v_line.origin IS NULL AND EXISTS (SELECT FROM unnest(v_made.were) u(id) WHERE u.id = ANY (c_all) AND u.id <> ALL (c_whole));
        FOR k IN v_made.first .. v_made.last LOOP
            IF (v_lines[k].item).appointment_id = v_made.id THEN
                v_lines[k].origin := v_line.origin;
                v_lines[k].origin_version := (v_versions ->> v_line.origin::text)::integer;
                v_lines[k].is_kept := v_line.is_kept;
            END IF;
        END LOOP;
        v_lines[v_made.last].target := radscheduler.snapshot_of(p_site, v_made.id);
        v_lines[v_made.last].target_shown := radscheduler.shown_snapshot(p_site, v_lines[v_made.last].target);
    END LOOP;
    -- Nothing that was taken is lost because it is read more strictly now.
    v_kept := ARRAY(SELECT l.was_appointment FROM unnest(v_lines) l WHERE l.was_outcome IN ('applied', 'flagged') AND (l.item).code <> 'AA' AND l.was_appointment IS NOT NULL
                    UNION SELECT u.id FROM unnest(c_whole) u(id) WHERE u.id <> ALL (v_used));
    v_kept := ARRAY(SELECT DISTINCT (l.item).appointment_id FROM unnest(v_lines) l WHERE l.was_appointment = ANY (v_kept) OR l.origin = ANY (v_kept)) || v_kept;
    FOR k IN 1 .. cardinality(v_lines) LOOP
        IF v_lines[k].was_outcome IN ('applied', 'flagged') AND (v_lines[k].item).code <> 'AA' OR v_lines[k].was_appointment = ANY (v_kept) OR v_lines[k].origin = ANY (v_kept) OR (v_lines[k].item).appointment_id = ANY (v_kept) THEN
            v_lines[k].is_kept := true;
        END IF;
    END LOOP;
    RETURN v_lines;
END
$$;
COMMENT ON FUNCTION radscheduler.replay_rehearse(integer, radscheduler.replay_line[]) IS
    'Applies messages again, in their order, on a schedule without the appointments they made, and tells what came of each. Call it in a subtransaction and take that back.';
