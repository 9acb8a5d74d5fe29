-- replay(): what past messages would make of the schedule read with today's profile and catalogues, and on request the schedule brought there.
-- A message is a legal record: what the sender was told stays in outcome, code, warnings, error and ack; the replay stands beside it
-- (replayed_at, replay_…), and every replay of it in the audit log. A rehearsal holds locks on everything it touches, so it goes in batches.

CREATE FUNCTION radscheduler.replay_selection(p_site integer, p_messages bigint[], p_period tstzrange, p_sender text, p_after bigint, p_limit integer,
                                              OUT ids bigint[], OUT remaining bigint) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_sender bigint := (SELECT s.sender_id FROM radscheduler.sender s WHERE s.site_id = p_site AND concat_ws('|', s.sending_application, s.sending_facility) = p_sender);
BEGIN
    IF p_sender IS NOT NULL AND v_sender IS NULL THEN
        RAISE EXCEPTION 'this site has no sender "%"', left(p_sender, 100) USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give MSH-3 and MSH-4 with a bar between them, such as ''RIS|NORTH''; radscheduler.sender lists them.';
    END IF;
    SELECT coalesce(array_agg(q.message_id) FILTER (WHERE q.place <= p_limit), '{}'), count(*) FILTER (WHERE q.place > p_limit) INTO ids, remaining
        FROM (SELECT m.message_id, row_number() OVER (ORDER BY m.message_id) AS place FROM radscheduler.hl7_message m
              WHERE m.site_id = p_site AND m.message_id > p_after AND m.outcome <> 'duplicate' AND m.message_code IS DISTINCT FROM 'SRM'
                AND (p_messages IS NULL OR m.message_id = ANY (p_messages)) AND (v_sender IS NULL OR m.sender_id = v_sender)
                AND (p_period IS NULL OR m.received_at <@ p_period
                     AND m.received_at >= coalesce(lower(p_period), '-infinity') AND m.received_at <= coalesce(upper(p_period), 'infinity'))) q;
END
$$;
COMMENT ON FUNCTION radscheduler.replay_selection(integer, bigint[], tstzrange, text, bigint, integer) IS
    'The messages of a site that a replay is asked for, by number, and how many more there are. Duplicates are left out: their first reception stands for them; and requests (SRM): whoever asked was answered, and what was refused then is not booked now.';

CREATE FUNCTION radscheduler.replay_note(p_site integer, p_lines radscheduler.replay_line[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    UPDATE radscheduler.hl7_message m
        SET replayed_at = now(), replay_outcome = (l.item).outcome, replay_code = (l.item).code, replay_warnings = (l.item).warnings, replay_error = (l.item).error,
            appointment_id = coalesce((l.item).appointment_id, m.appointment_id)
        FROM unnest(p_lines) l
        WHERE m.site_id = p_site AND m.received_at = (l.item).received_at AND m.message_id = (l.item).message_id AND NOT l.is_kept
          AND NOT (radscheduler.is_apart(l.item) AND (l.item).outcome IN ('stale', 'ignored')); -- what it did then is done
    PERFORM radscheduler.audit_all(p_site, array_agg('message.replayed'::text ORDER BY l.ordinality), 'hl7_message', array_agg((l.item).message_id ORDER BY l.ordinality),
                                   array_agg(jsonb_build_object('was', l.was_outcome, 'outcome', (l.item).outcome, 'appointment_id', (l.item).appointment_id) ORDER BY l.ordinality))
        FROM unnest(p_lines) WITH ORDINALITY l WHERE NOT l.is_kept HAVING count(*) > 0;
END
$$;
COMMENT ON FUNCTION radscheduler.replay_note(integer, radscheduler.replay_line[]) IS 'Notes on messages what a replay that is kept made of them, and audits it.';

CREATE FUNCTION radscheduler.replay_batch(p_site integer, p_messages bigint[], p_dry boolean,
        OUT message_id bigint, OUT received_at timestamptz, OUT trigger_event text, OUT selected boolean, OUT appointment_id bigint, OUT verdict text,
        OUT was_code text, OUT was_outcome text, OUT code text, OUT outcome text, OUT before jsonb, OUT after jsonb, OUT changes jsonb, OUT effect jsonb,
        OUT warnings jsonb, OUT error jsonb) RETURNS SETOF record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_lines  radscheduler.replay_line[];
    v_line   radscheduler.replay_line;
    v_ids    bigint[];
    v_now    jsonb;
    v_before jsonb[] := '{}';
    v_merged record;
    v_shown  jsonb;
    v_effects jsonb;
BEGIN
    IF NOT p_dry THEN
        v_lines := radscheduler.replay_lines(p_site, p_messages);
        PERFORM radscheduler.lock_keys(radscheduler.replay_lock_names(p_site, v_lines));
        v_ids := ARRAY(SELECT (l.item).message_id FROM unnest(v_lines) l);
    END IF;
    BEGIN
        v_lines := radscheduler.replay_lines(p_site, p_messages);
        IF p_dry THEN
            PERFORM radscheduler.lock_keys(radscheduler.replay_lock_names(p_site, v_lines));
        ELSIF v_ids <> ARRAY(SELECT (l.item).message_id FROM unnest(v_lines) l) THEN
            RAISE EXCEPTION 'a message about one of the appointments came while they were being locked' USING ERRCODE = 'serialization_failure', HINT = 'Run it again.';
        END IF;
        v_lines := radscheduler.replay_rehearse(p_site, v_lines);
        RAISE EXCEPTION 'dry run' USING ERRCODE = 'RS002';
    EXCEPTION WHEN SQLSTATE 'RS002' THEN
        NULL; -- The schedule is as it was.
    END;
    v_now := (SELECT jsonb_object_agg(l.origin, radscheduler.shown_snapshot(p_site, radscheduler.snapshot_of(p_site, l.origin))) FROM unnest(v_lines) l
              WHERE l.origin IS NOT NULL AND l.target IS NOT NULL);
    FOR k IN 1 .. cardinality(v_lines) LOOP
        v_line := v_lines[k];
        v_before[k] := radscheduler.shown_snapshot(p_site, (SELECT h.snapshot FROM radscheduler.appointment_history h
            WHERE h.site_id = p_site AND h.appointment_id = v_line.was_appointment AND h.message_id = (v_line.item).message_id ORDER BY h.version LIMIT 1));
        IF v_line.is_kept THEN
            v_line.item.warnings := (v_line.item).warnings || radscheduler.warning('REPLAY_KEPT');
        ELSIF v_line.target IS NOT NULL AND v_line.origin IS NOT NULL THEN
            SELECT * INTO v_merged FROM radscheduler.replay_target(p_site, v_line.origin, v_line.target, ARRAY(SELECT (l.item).message_id FROM unnest(v_lines) l));
            IF cardinality(v_merged.kept) > 0 THEN
                v_line.item.warnings := (v_line.item).warnings || radscheduler.warning('REPLAY_LOCAL');
            END IF;
            IF p_dry THEN
                -- Whom and what the rehearsal had to record is known by its own view only.
                v_shown := radscheduler.shown_snapshot(p_site, v_merged.target);
                v_line.target_shown := v_shown || (SELECT jsonb_object_agg(c.name, v_line.target_shown -> c.name)
                    FROM (VALUES ('patient_id', 'patient_id'), ('patient_name', 'patient_id'), ('patient_phone', 'patient_id'), ('resources', 'resources'),
                                 ('status', 'status'), ('review_reason', 'status'), ('id', '')) c(name, guard)
                    -- A conflict that a person has accepted is a new one to the rehearsal.
                    WHERE c.guard <> ALL (v_merged.kept) AND NOT (c.guard = 'status' AND EXISTS (SELECT FROM radscheduler.conflict x
                        WHERE x.site_id = p_site AND x.state = 'accepted' AND v_line.origin IN (x.appointment_id, x.other_appointment_id))))
                    || jsonb_build_object('id', v_line.origin);
            END IF;
        END IF;
        v_lines[k] := v_line;
    END LOOP;
    IF NOT p_dry THEN
        v_lines := radscheduler.replay_write(p_site, v_lines);
        PERFORM radscheduler.replay_note(p_site, v_lines);
    END IF;
    v_effects := (SELECT coalesce(jsonb_object_agg(q.origin, q.effect) FILTER (WHERE q.effect IS NOT NULL), '{}')
        FROM (SELECT l.origin, radscheduler.jsonb_changes(v_now -> l.origin::text, CASE WHEN p_dry THEN l.target_shown
                                   ELSE radscheduler.shown_snapshot(p_site, radscheduler.snapshot_of(p_site, l.origin)) END) AS effect
              FROM unnest(v_lines) l WHERE l.target IS NOT NULL AND l.origin IS NOT NULL AND NOT l.is_kept) q);
    FOR k IN 1 .. cardinality(v_lines) LOOP
        v_line := v_lines[k];
        message_id := (v_line.item).message_id;
        received_at := (v_line.item).received_at;
        trigger_event := (v_line.item).context #>> '{header,trigger_event}';
        selected := v_line.is_selected;
        appointment_id := CASE WHEN p_dry OR v_line.is_kept THEN coalesce(v_line.origin, v_line.was_appointment) ELSE (v_line.item).appointment_id END;
        was_code := v_line.was_code;
        was_outcome := v_line.was_outcome;
        code := (v_line.item).code;
        outcome := (v_line.item).outcome;
        before := v_before[k];
        after := v_line.shown || jsonb_build_object('id', appointment_id);
        changes := radscheduler.jsonb_changes(before, after);
        effect := CASE WHEN v_line.target IS NOT NULL THEN v_effects -> v_line.origin::text END;
        verdict := CASE WHEN v_line.is_kept THEN 'kept'
                        WHEN radscheduler.is_apart(v_line.item) AND was_code = 'AA' THEN CASE WHEN outcome IN ('applied', 'flagged') THEN 'again' ELSE 'same' END
                        WHEN outcome IN ('applied', 'flagged') AND v_line.origin IS NULL AND v_line.shown IS NOT NULL THEN 'new'
                        -- A conflict with what came later is no news: effect tells what it does.
                        WHEN replace(outcome, 'flagged', 'applied') <> replace(was_outcome, 'flagged', 'applied') OR v_effects ? v_line.origin::text AND (changes IS NOT NULL OR effect IS NOT NULL) THEN 'changed' ELSE 'same' END;
        warnings := (v_line.item).warnings;
        error := (v_line.item).error;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.replay_batch(integer, bigint[], boolean) IS 'replay() of one batch: these messages with all others about the same appointments.';

CREATE FUNCTION radscheduler.replay(message_ids bigint[] DEFAULT NULL, period tstzrange DEFAULT NULL, sender text DEFAULT NULL, dry boolean DEFAULT true,
                                    after_message bigint DEFAULT 0, at_most integer DEFAULT 500)
    RETURNS TABLE (message_id bigint, received_at timestamptz, trigger_event text, selected boolean, appointment_id bigint, verdict text,
                   was_code text, was_outcome text, code text, outcome text, before jsonb, after jsonb, changes jsonb, effect jsonb, warnings jsonb, error jsonb)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    c_batch   CONSTANT integer := 200;
    v_site    integer := radscheduler.current_site();
    v_dry     boolean := coalesce(dry, true);
    v_limit   integer := CASE WHEN v_dry THEN 10000 ELSE 1000 END;
    v_chosen  record;
    v_todo    bigint[];
    v_batch   bigint[];
    v_row     record;
    v_done    bigint[] := '{}';
    v_changed bigint := 0;
BEGIN
    IF num_nonnulls(message_ids, period, replay.sender) = 0 THEN
        RAISE EXCEPTION 'a replay needs messages, a period or a sender' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give message_ids, period => tstzrange(…) (of reception), sender => ''RIS|NORTH'', or several of them.';
    ELSIF at_most IS NULL OR at_most NOT BETWEEN 1 AND v_limit THEN
        RAISE EXCEPTION 'at_most is 1 to 10000 for a dry run, and 1 to 1000 for one that is kept' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'What is kept holds its locks until the transaction ends: go on with after_message => the last message_id, in a transaction of its own.';
    END IF;
    SELECT * INTO v_chosen FROM radscheduler.replay_selection(v_site, message_ids, period, replay.sender, coalesce(after_message, 0), at_most);
    v_todo := v_chosen.ids;
    WHILE cardinality(v_todo) > 0 LOOP
        v_batch := CASE WHEN v_dry THEN v_todo[1:c_batch] ELSE v_todo END;
        FOR v_row IN SELECT * FROM radscheduler.replay_batch(v_site, v_batch, v_dry) LOOP
            -- Another message of the appointment stood in an earlier batch: it was read again there.
            CONTINUE WHEN v_row.message_id = ANY (v_done);
            v_done := v_done || v_row.message_id;
            v_changed := v_changed + (v_row.verdict NOT IN ('same', 'again'))::integer;
            message_id := v_row.message_id; received_at := v_row.received_at; trigger_event := v_row.trigger_event; selected := v_row.message_id = ANY (v_chosen.ids);
            appointment_id := v_row.appointment_id; verdict := v_row.verdict; was_code := v_row.was_code; was_outcome := v_row.was_outcome; code := v_row.code;
            outcome := v_row.outcome; before := v_row.before; after := v_row.after; changes := v_row.changes; effect := v_row.effect; warnings := v_row.warnings; error := v_row.error;
            RETURN NEXT;
        END LOOP;
        v_todo := ARRAY(SELECT u.id FROM unnest(v_todo) WITH ORDINALITY u(id, place) WHERE u.id <> ALL (v_done) AND u.id <> ALL (v_batch) ORDER BY u.place);
        IF cardinality(v_todo) > 0 THEN
            RAISE NOTICE 'replay: % of % messages read again', cardinality(v_chosen.ids) - cardinality(v_todo), cardinality(v_chosen.ids);
        END IF;
    END LOOP;
    IF v_chosen.remaining > 0 THEN
        RAISE NOTICE 'replay: % more messages were asked for', v_chosen.remaining USING HINT = format('Go on with after_message => %s.', v_chosen.ids[cardinality(v_chosen.ids)]);
    END IF;
    PERFORM radscheduler.audit(v_site, CASE WHEN v_dry THEN 'read' ELSE 'replay' END, 'hl7_message', NULL, jsonb_strip_nulls(jsonb_build_object('replay', v_dry,
        'sender', replay.sender, 'period', period, 'messages', cardinality(v_done), 'changed', v_changed, 'first', v_chosen.ids[1], 'last', v_chosen.ids[cardinality(v_chosen.ids)])));
END
$$;
COMMENT ON FUNCTION radscheduler.replay(bigint[], tstzrange, text, boolean, bigint, integer) IS
    'Past messages of the session''s site read again with today''s profile and catalogues: those of message_ids, of a period of reception, of a sender (''application|facility''), or all of these together. Requests (SRM) are not read again. Each comes with the others about the same appointment (selected tells), because a message stands on those before it. A row per message: verdict (same, changed, new: an appointment there was not, kept: it would now be refused or tell of another appointment, so that appointment is left alone, again: about no single appointment, and applied once more in its place), code and outcome before and now, the appointment after it then (before) and now (after), changes {column: [old, new]} between the two, and on the last message of an appointment effect: what changes on it as it stands today. Nothing is kept unless dry => false: then each appointment gets one new version that names the message, events and audit events are written, and hl7_message.replay_… tells what came of each; what the sender was told stays. What was changed here by hand since, or by messages about other things, is kept (warning REPLAY_LOCAL). at_most messages are taken, by number, after a given one; a notice tells how to go on. Raises 22023 for wrong arguments, 40001 when something changed meanwhile.';
