-- What ingest() would make of messages, with nothing kept: the real thing runs in a subtransaction that is taken back, so it cannot differ.
-- What was found out is carried out in variables, never in an error text. With the subtransaction go its rows, its locks and what it would
-- have told listeners; numbers that it drew from sequences stay unused.

CREATE TYPE radscheduler.dry_run_result AS (
    outcome        text,
    code           text,
    appointment_id bigint,
    is_new         boolean,
    appointment    jsonb,
    conflicts      jsonb,
    warnings       jsonb,
    error          jsonb,
    events         jsonb,
    ack            bytea
);
COMMENT ON TYPE radscheduler.dry_run_result IS
    'What ingest() would make of a message: outcome, code, the appointment (NULL where it would be a new one, which is_new says), its row as it would be (shown_snapshot(); NULL for a caller who may not read appointments), conflicts, warnings, error, the events that listeners would be told [{type, appointment_id, data}], and the acknowledgement.';

CREATE FUNCTION radscheduler.rehearse(p_messages bytea[], p_channel text, p_peer text) RETURNS SETOF radscheduler.dry_run_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10 SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- Whoever may only send gets back what ingest() gives, not what is known of the patient.
    c_shows   CONSTANT boolean := has_table_privilege(radscheduler.caller(), 'radscheduler.appointments', 'SELECT');
    v_item    radscheduler.ingest_item;
    v_results radscheduler.dry_run_result[] := '{}';
    v_sites   integer[] := '{}';
    v_new     bigint[];
    v_seq     bigint;
    r         radscheduler.dry_run_result;
BEGIN
    BEGIN
        FOR k IN 1 .. cardinality(p_messages) LOOP
            v_seq := coalesce((SELECT max(e.seq) FROM radscheduler.event_log e WHERE e.xid = pg_current_xact_id()), 0);
            v_item := radscheduler.ingest_one(p_messages[k], p_channel, p_peer);
            r.outcome := v_item.outcome;
            r.code := v_item.code;
            r.appointment_id := v_item.appointment_id;
            r.appointment := CASE WHEN c_shows THEN radscheduler.shown_snapshot(v_item.site_id, radscheduler.snapshot_of(v_item.site_id, v_item.appointment_id)) END;
            r.conflicts := v_item.conflicts;
            r.warnings := v_item.warnings;
            r.error := v_item.error;
            r.events := (SELECT jsonb_agg(jsonb_build_object('type', e.type, 'appointment_id', e.appointment_id, 'data', e.data) ORDER BY e.seq)
                         FROM radscheduler.event_log e WHERE e.xid = pg_current_xact_id() AND e.seq > v_seq);
            r.ack := v_item.ack;
            v_results := v_results || r;
            v_sites := v_sites || v_item.site_id;
        END LOOP;
        RAISE EXCEPTION 'dry run' USING ERRCODE = 'RS002';
    EXCEPTION WHEN SQLSTATE 'RS002' THEN
        NULL; -- Everything is as it was.
    END;
    v_new := ARRAY(SELECT u.appointment_id FROM unnest(v_results) WITH ORDINALITY u
                   WHERE NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = v_sites[u.ordinality] AND a.appointment_id = u.appointment_id));
    FOR k IN 1 .. cardinality(v_results) LOOP
        r := v_results[k];
        r.is_new := coalesce(r.appointment_id = ANY (v_new), false);
        IF r.is_new THEN
            -- Its number is nobody's once the subtransaction is gone.
            r.appointment := r.appointment || '{"id": null}';
            r.appointment_id := NULL;
        END IF;
        r.events := (SELECT jsonb_agg(CASE WHEN (e.item ->> 'appointment_id')::bigint = ANY (v_new) THEN e.item || '{"appointment_id": null}' ELSE e.item END ORDER BY e.place)
                     FROM jsonb_array_elements(r.events) WITH ORDINALITY e(item, place));
        RETURN NEXT r;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.rehearse(bytea[], text, text) IS 'dry_run() of messages one after the other, each on what those before it would have left.';

CREATE FUNCTION radscheduler.dry_run(bytes bytea, channel text DEFAULT 'sql', peer text DEFAULT NULL) RETURNS radscheduler.dry_run_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    r radscheduler.dry_run_result;
BEGIN
    IF bytes IS NULL THEN
        RAISE EXCEPTION 'dry_run needs the bytes of a message, not NULL' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    SELECT * INTO r FROM radscheduler.rehearse(ARRAY[bytes], channel, peer);
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.dry_run(bytea, text, text) IS
    'What ingest() would do with the bytes of one HL7 v2 message, exactly, with nothing kept: no message, no key against duplicates, no sender, patient, resource, event, audit event or NOTIFY. Returns outcome, code, appointment_id, is_new, appointment (the row as it would be, with services and resources; NULL for a caller who may not read appointments), conflicts, warnings, error, events, ack. Bad messages are values (AE, AR); it raises what ingest() raises. MSH-10 of the acknowledgement is a number that will not come again.';

CREATE FUNCTION radscheduler.dry_run_batch(messages bytea[], channel text DEFAULT 'sql', peer text DEFAULT NULL) RETURNS SETOF radscheduler.dry_run_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
BEGIN
    IF messages IS NULL OR array_position(messages, NULL) IS NOT NULL OR array_ndims(messages) > 1 THEN
        RAISE EXCEPTION 'dry_run_batch needs a one-dimensional array of messages, none of them NULL' USING ERRCODE = 'null_value_not_allowed';
    ELSIF cardinality(messages) > 1000 THEN
        RAISE EXCEPTION 'a batch of % messages is too large', cardinality(messages)
            USING ERRCODE = 'program_limit_exceeded', HINT = 'Give at most 1000 messages at a time: until the last is read, the locks of all are held.';
    END IF;
    RETURN QUERY SELECT * FROM radscheduler.rehearse(messages, channel, peer);
END
$$;
COMMENT ON FUNCTION radscheduler.dry_run_batch(bytea[], text, text) IS
    'dry_run() of several messages in their order, each on what those before it would have left: results come in that order. At most 1000. A booking of the batch that another one is in conflict with is named by a number that will not come again.';
