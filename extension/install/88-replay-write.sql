-- The schedule brought to where messages read again lead (88-replay-rehearse.sql): each appointment in one new version, through the same
-- placing, settling and telling as any other change. What was changed here by hand since, or by messages about other things, and still
-- holds, is kept.

CREATE FUNCTION radscheduler.plain_row(p_appointment jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    a radscheduler.appointment;
BEGIN
    SELECT * INTO a FROM jsonb_populate_record(NULL::radscheduler.appointment, p_appointment);
    -- A review for a conflict comes and goes with the conflict; settle() sees to it.
    IF a.status = 'PENDING_REVIEW' AND a.review_reason = 'CONFLICT' THEN
        a.status := coalesce(a.resume_status, 'SCHEDULED');
        a.review_reason := NULL;
    END IF;
    RETURN to_jsonb(a) - '{site_id,appointment_id,version,created_at,updated_at,resume_status,is_pooled,source,message_id}'::text[];
END
$$;
COMMENT ON FUNCTION radscheduler.plain_row(jsonb) IS
    'The row of a snapshot without what follows from others or is bookkeeping, times spelled in the session''s zone, so that two can be compared.';

CREATE FUNCTION radscheduler.jsonb_changes(p_old jsonb, p_new jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT jsonb_object_agg(n.key, jsonb_build_array(p_old -> n.key, n.value)) FROM jsonb_each(p_new) n
WHERE p_old IS NOT NULL AND n.key NOT IN ('id', 'source') AND n.value IS DISTINCT FROM p_old -> n.key
$$;
COMMENT ON FUNCTION radscheduler.jsonb_changes(jsonb, jsonb) IS 'What differs between two rows for people: {column: [old, new]}; NULL when nothing does, or one of them is not there.';

CREATE FUNCTION radscheduler.local_columns(p_site integer, p_appointment bigint, p_messages bigint[] DEFAULT NULL) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_columns text[];
BEGIN
    v_columns := ARRAY(
        WITH version AS (
            SELECT h.version, h.message_id, radscheduler.plain_row(h.snapshot -> 'appointment') AS plain FROM radscheduler.appointment_history h
            WHERE h.site_id = p_site AND h.appointment_id = p_appointment
        ), step AS (
            SELECT v.version, v.message_id, v.plain, lag(v.plain) OVER (ORDER BY v.version) AS before FROM version v
        ), last AS (
            SELECT DISTINCT ON (e.key) e.key, s.message_id FROM step s, jsonb_each(s.plain) e
            WHERE s.before IS NOT NULL AND e.value IS DISTINCT FROM s.before -> e.key ORDER BY e.key, s.version DESC
        )
        SELECT l.key FROM last l WHERE l.message_id IS NULL OR l.message_id <> ALL (p_messages) ORDER BY l.key);
    IF v_columns && '{starts_at,ends_at}' THEN
        v_columns := v_columns || '{starts_at,ends_at,original_starts_at,reschedule_count,moved_at,booked_at,services,resources}'::text[];
    END IF;
    RETURN v_columns;
END
$$;
COMMENT ON FUNCTION radscheduler.local_columns(integer, bigint, bigint[]) IS
    'Columns of an appointment whose last change was made here and not by a message, or by another one than these (an order that tells of its completion, a merge of patients); with its time go its exams and resources.';

CREATE FUNCTION radscheduler.replay_target(p_site integer, p_origin bigint, p_target jsonb, p_messages bigint[], OUT target jsonb, OUT kept text[]) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_now jsonb := radscheduler.snapshot_of(p_site, p_origin);
BEGIN
    IF p_origin IS NULL THEN
        kept := '{}';
        target := jsonb_set(p_target, '{appointment}', (p_target -> 'appointment') || radscheduler.plain_row(p_target -> 'appointment') || '{"resume_status": null}');
        RETURN;
    END IF;
    kept := ARRAY(SELECT u.name FROM unnest(radscheduler.local_columns(p_site, p_origin, p_messages)) u(name)
                  WHERE CASE WHEN u.name IN ('services', 'resources') THEN v_now -> u.name <> p_target -> u.name
                             ELSE radscheduler.plain_row(v_now -> 'appointment') -> u.name <> radscheduler.plain_row(p_target -> 'appointment') -> u.name END);
    target := jsonb_build_object(
        'appointment', (v_now -> 'appointment') || radscheduler.plain_row(p_target -> 'appointment') || '{"resume_status": null}'
                       || coalesce((SELECT jsonb_object_agg(u.name, radscheduler.plain_row(v_now -> 'appointment') -> u.name) FROM unnest(kept) u(name) WHERE u.name NOT IN ('services', 'resources')), '{}'),
        'services', CASE WHEN 'services' = ANY (kept) THEN v_now -> 'services' ELSE p_target -> 'services' END,
        'resources', CASE WHEN 'resources' = ANY (kept) THEN v_now -> 'resources' ELSE p_target -> 'resources' END);
END
$$;
COMMENT ON FUNCTION radscheduler.replay_target(integer, bigint, jsonb, bigint[]) IS
    'The snapshot that an appointment (NULL: a new one) is brought to: that of the rehearsal of these messages, but for columns that were changed otherwise since; kept names those that differ.';

CREATE FUNCTION radscheduler.write_target(p_site integer, p_appointment bigint, p_target jsonb, p_message bigint) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_id    bigint := coalesce(p_appointment, nextval('radscheduler.appointment_appointment_id_seq'));
    v_new   radscheduler.appointment;
    v_names text := (SELECT string_agg(quote_ident(c.attname), ', ' ORDER BY c.attnum) FROM pg_attribute c
                     WHERE c.attrelid = 'radscheduler.appointment'::regclass AND c.attnum > 0 AND NOT c.attisdropped AND c.attname NOT IN ('site_id', 'appointment_id'));
BEGIN
    SELECT * INTO v_new FROM jsonb_populate_record(NULL::radscheduler.appointment, p_target -> 'appointment');
    v_new.site_id := p_site;
    v_new.appointment_id := v_id;
    v_new.message_id := p_message;
    v_new.updated_at := now();
    IF p_appointment IS NULL THEN
        v_new.created_at := now();
        v_new.version := 1;
        v_new.is_pooled := false;
        INSERT INTO radscheduler.appointment SELECT (v_new).*;
    ELSE
        v_new.version := v_new.version + 1;
        -- By name, so that a column that is added later comes along.
        EXECUTE format('UPDATE radscheduler.appointment a SET (%1$s) = (SELECT %1$s FROM (SELECT ($1).*) n) WHERE a.site_id = $2 AND a.appointment_id = $3', v_names)
            USING v_new, p_site, v_id;
        DELETE FROM radscheduler.appointment_service s WHERE s.site_id = p_site AND s.appointment_id = v_id;
        DELETE FROM radscheduler.appointment_resource r WHERE r.site_id = p_site AND r.appointment_id = v_id;
    END IF;
    INSERT INTO radscheduler.appointment_service
        SELECT (s).* FROM (SELECT jsonb_populate_record(NULL::radscheduler.appointment_service, e || jsonb_build_object('site_id', p_site, 'appointment_id', v_id)) AS s
                           FROM jsonb_array_elements(p_target -> 'services') e OFFSET 0) q;
    INSERT INTO radscheduler.appointment_resource
        SELECT (r).* FROM (SELECT jsonb_populate_record(NULL::radscheduler.appointment_resource, e || jsonb_build_object('site_id', p_site, 'appointment_id', v_id)) AS r
                           FROM jsonb_array_elements(p_target -> 'resources') e OFFSET 0) q;
    RETURN v_id;
END
$$;
COMMENT ON FUNCTION radscheduler.write_target(integer, bigint, jsonb, bigint) IS
    'Writes the rows of an appointment (a new one for NULL) as a snapshot has them, in its next version and named after a message; returns its id. bring_to() takes the time and tells it.';

CREATE FUNCTION radscheduler.bring_to(p_site integer, p_appointments bigint[], p_targets jsonb[], p_messages bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_ids      bigint[] := '{}';
    v_olds     radscheduler.appointment[] := '{}';
    v_old      radscheduler.appointment;
    v_statuses radscheduler.appointment_status[] := '{}';
    v_moved    bigint[];
    v_events   text[];
BEGIN
    FOR k IN 1 .. cardinality(p_appointments) LOOP
        v_old := NULL;
        SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointments[k];
        v_olds := v_olds || v_old;
        v_ids := v_ids || radscheduler.write_target(p_site, p_appointments[k], p_targets[k], p_messages[k]);
        v_statuses := v_statuses || (p_targets[k] #>> '{appointment,status}')::radscheduler.appointment_status;
    END LOOP;
    -- What is over keeps the time it took: taken as while it lasted, then given back from its end.
    UPDATE radscheduler.appointment a SET status = 'SCHEDULED'
        WHERE a.site_id = p_site AND a.appointment_id = ANY (v_ids) AND a.status IN ('COMPLETED', 'DISCONTINUED', 'NO_SHOW') AND a.starts_at IS NOT NULL AND a.patient_id IS NOT NULL;
    v_moved := radscheduler.occupy(p_site, v_ids, array_remove(p_appointments, NULL));
    FOR k IN 1 .. cardinality(v_ids) LOOP
        IF v_statuses[k] IN ('COMPLETED', 'DISCONTINUED', 'NO_SHOW') THEN
            UPDATE radscheduler.appointment a SET status = v_statuses[k] WHERE a.site_id = p_site AND a.appointment_id = v_ids[k];
            v_moved := v_moved || radscheduler.vacate(p_site, v_ids[k], (SELECT a.message_time FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = v_ids[k]));
        END IF;
    END LOOP;
    PERFORM radscheduler.lock_settling(p_site, true);
    PERFORM radscheduler.settle(p_site, v_ids, v_moved, p_messages);
    SELECT array_agg(radscheduler.event_name((v_olds[u.ordinality]).status, a.status, coalesce(a.starts_at <> (v_olds[u.ordinality]).starts_at, false)) ORDER BY u.ordinality) INTO v_events
        FROM unnest(v_ids) WITH ORDINALITY u(id) JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = u.id;
    PERFORM radscheduler.record_versions(p_site, v_ids, v_events, p_messages, array_fill('{"replay": true}'::jsonb, ARRAY[cardinality(v_ids)]));
    RETURN v_ids;
END
$$;
COMMENT ON FUNCTION radscheduler.bring_to(integer, bigint[], jsonb[], bigint[]) IS
    'Makes appointments (new ones for NULL) what snapshots say, all in one step and each as one version named after a message: rows, time taken, conflicts, history, events; returns their ids. The caller holds the locks.';

CREATE FUNCTION radscheduler.set_claim(p_site integer, p_appointment bigint, p_row jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_new  radscheduler.appointment;
    v_rows bigint[];
BEGIN
    SELECT * INTO v_new FROM jsonb_populate_record(NULL::radscheduler.appointment, p_row);
    UPDATE radscheduler.appointment a SET message_time = v_new.message_time, message_sequence = v_new.message_sequence, booked_at = v_new.booked_at, moved_at = v_new.moved_at, ending = v_new.ending
        WHERE a.site_id = p_site AND a.appointment_id = p_appointment
          AND (a.message_time, a.message_sequence, a.booked_at, a.moved_at, a.ending) IS DISTINCT FROM (v_new.message_time, v_new.message_sequence, v_new.booked_at, v_new.moved_at, v_new.ending);
    IF FOUND THEN
        v_rows := radscheduler.overlapping(p_site, ARRAY[p_appointment]);
        IF v_rows IS NOT NULL THEN
            PERFORM radscheduler.settle(p_site, '{}', radscheduler.reseat(p_site, v_rows));
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.set_claim(integer, bigint, jsonb) IS
    'Sets the order key, the age of the claim and the memory of endings of an appointment that stays what it is; no version of its own. Who then comes first changes places.';

CREATE FUNCTION radscheduler.replay_write(p_site integer, p_lines radscheduler.replay_line[]) RETURNS radscheduler.replay_line[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_lines     radscheduler.replay_line[] := p_lines;
    v_line      radscheduler.replay_line;
    v_found     record;
    v_patients  jsonb := '{}';
    v_resources jsonb := '{}';
    c_claim     CONSTANT text[] := '{message_time,message_sequence,booked_at,moved_at,ending}';
    c_messages  CONSTANT bigint[] := ARRAY(SELECT (l.item).message_id FROM unnest(p_lines) l);
    v_target    jsonb;
    v_made      bigint[] := '{}';
    v_origins   bigint[] := '{}';
    v_targets   jsonb[] := '{}';
    v_messages  bigint[] := '{}';
    v_ids       jsonb := '{}';
BEGIN
    -- Patients and resources that the rehearsal had to make were taken back with it.
    FOR k IN 1 .. cardinality(v_lines) LOOP
        v_line := v_lines[k];
        CONTINUE WHEN v_line.is_kept OR (v_line.item).outcome NOT IN ('applied', 'flagged') OR radscheduler.is_apart(v_line.item);
        IF (v_line.item).patient_id IS NOT NULL THEN
            SELECT r.patient_id, r.event INTO v_found FROM radscheduler.resolve_patients(ARRAY[v_line.item]) r;
            IF v_found.event IS NOT NULL THEN
                PERFORM radscheduler.audit(p_site, v_found.event, 'patient', v_found.patient_id, '{}');
            END IF;
            v_patients := v_patients || jsonb_build_object((v_line.item).patient_id, v_found.patient_id);
        END IF;
        IF (v_line.item).resource_ids IS NOT NULL THEN
            v_found := radscheduler.resolve_resources(v_line.item);
            v_resources := v_resources || (SELECT coalesce(jsonb_object_agg(u.was, u.id), '{}') FROM unnest((v_line.item).resource_ids, v_found.resource_ids) u(was, id) WHERE u.was IS NOT NULL);
        END IF;
    END LOOP;
    FOR k IN 1 .. cardinality(v_lines) LOOP
        CONTINUE WHEN v_lines[k].target IS NULL OR v_lines[k].is_kept;
        v_target := v_lines[k].target;
        v_lines[k].target := jsonb_build_object('services', v_target -> 'services',
            'appointment', (v_target -> 'appointment') || jsonb_build_object('patient_id', coalesce(v_patients -> (v_target #>> '{appointment,patient_id}'), v_target #> '{appointment,patient_id}')),
            'resources', (SELECT coalesce(jsonb_agg(e.item || jsonb_build_object('resource_id', coalesce(v_resources -> (e.item ->> 'resource_id'), e.item -> 'resource_id')) ORDER BY e.place), '[]')
                          FROM jsonb_array_elements(v_target -> 'resources') WITH ORDINALITY e(item, place)));
    END LOOP;
    PERFORM radscheduler.lock_subjects(p_site,
        ARRAY(SELECT (e ->> 'resource_id')::bigint FROM unnest(v_lines) l, jsonb_array_elements(l.target -> 'resources') e WHERE NOT l.is_kept)
        || ARRAY(SELECT r.resource_id FROM unnest(v_lines) l JOIN radscheduler.appointment_resource r ON r.site_id = p_site AND r.appointment_id = l.origin),
        ARRAY(SELECT (l.target #>> '{appointment,patient_id}')::bigint FROM unnest(v_lines) l WHERE NOT l.is_kept)
        || ARRAY(SELECT a.patient_id FROM unnest(v_lines) l JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = l.origin));
    PERFORM FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id IN (SELECT l.origin FROM unnest(v_lines) l) ORDER BY a.appointment_id FOR UPDATE;
    IF EXISTS (SELECT FROM unnest(v_lines) l LEFT JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = l.origin
               WHERE l.origin IS NOT NULL AND a.version IS DISTINCT FROM l.origin_version) THEN
        RAISE EXCEPTION 'an appointment changed while its messages were read again' USING ERRCODE = 'serialization_failure', HINT = 'Run it again.';
    END IF;

    FOR k IN 1 .. cardinality(v_lines) LOOP
        v_line := v_lines[k];
        IF radscheduler.is_apart(v_line.item) AND NOT v_line.is_kept AND (v_line.item).outcome IN ('applied', 'flagged') THEN
            -- Applied once more in its place, as it stands.
            v_line.item.outcome := NULL;
            v_line.item.warnings := (v_line.item).context -> 'warnings';
            v_line.item := radscheduler.apply_again(v_line.item);
            v_lines[k].item := v_line.item;
        END IF;
        CONTINUE WHEN v_line.target IS NULL OR v_line.is_kept;
        SELECT t.target INTO v_target FROM radscheduler.replay_target(p_site, v_line.origin, v_line.target, c_messages) t;
        v_ids := v_ids || jsonb_build_object((v_line.item).appointment_id, v_line.origin);
        IF v_line.origin IS NULL OR (SELECT radscheduler.plain_row(s -> 'appointment') - c_claim <> radscheduler.plain_row(v_target -> 'appointment') - c_claim
                                            OR s - 'appointment' <> v_target - 'appointment' FROM radscheduler.snapshot_of(p_site, v_line.origin) s) THEN
            v_made := v_made || (v_line.item).appointment_id;
            v_origins := v_origins || v_line.origin;
            v_targets := v_targets || v_target;
            v_messages := v_messages || (v_line.target #>> '{appointment,message_id}')::bigint;
        ELSE
            PERFORM radscheduler.set_claim(p_site, v_line.origin, v_target -> 'appointment');
        END IF;
    END LOOP;
    IF v_made <> '{}' THEN
        v_origins := radscheduler.bring_to(p_site, v_origins, v_targets, v_messages);
        v_ids := v_ids || (SELECT jsonb_object_agg(u.made, u.id) FROM unnest(v_made, v_origins) u(made, id));
    END IF;
    FOR k IN 1 .. cardinality(v_lines) LOOP
        v_lines[k].item.appointment_id := coalesce((v_ids ->> (v_lines[k].item).appointment_id::text)::bigint, (v_lines[k].item).appointment_id);
    END LOOP;
    RETURN v_lines;
END
$$;
COMMENT ON FUNCTION radscheduler.replay_write(integer, radscheduler.replay_line[]) IS
    'Makes the schedule what a rehearsal found, but for appointments to be kept; returns the messages with the appointments they are about now. Call it under lock_keys() on the names of all of them. Raises 40001 when an appointment changed meanwhile.';
