-- Two patients are one (ADT A18, A30, A34, A40): PID names the one kept, MRG the one given up. Appointments, orders, facts, holds and identifiers of the
-- latter pass to the former; identifiers given up stay as other names, so that messages which still use them find the right person, in
-- whatever order they arrive. A merge that a newer one has overtaken changes nothing: merged_at of an identifier says by which it was given up.

INSERT INTO radscheduler.warning_kind VALUES
    ('MERGE_WITH_ITSELF', 'The patient given up (MRG-1) is the one kept (PID-3); nothing was changed.');

CREATE FUNCTION radscheduler.merge_lock_names(p_site integer, p_facility text, p_merges jsonb) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_kept  bigint[] := ARRAY(SELECT unnest(radscheduler.patients_named(p_site, p_facility, m #> '{into,identifiers}')) FROM jsonb_array_elements(p_merges) m);
    v_given bigint[] := ARRAY(SELECT unnest(radscheduler.patients_named(p_site, p_facility, m #> '{from,identifiers}')) FROM jsonb_array_elements(p_merges) m);
BEGIN
    RETURN array_remove(
        radscheduler.hold_lock_name(p_site)
        || ARRAY(SELECT unnest(radscheduler.patient_lock_names(p_site, m -> 'into') || radscheduler.patient_lock_names(p_site, m -> 'from')) FROM jsonb_array_elements(p_merges) m)
        || radscheduler.patient_names(p_site, v_kept || v_given) || radscheduler.order_names(p_site, v_given, NULL)
        || ARRAY(SELECT unnest(radscheduler.appointment_lock_names(a.site_id, a.appointment_id)) FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.patient_id = ANY (v_given)),
        NULL);
END
$$;
COMMENT ON FUNCTION radscheduler.merge_lock_names(integer, text, jsonb) IS
    'Names for lock_keys() of merges: the holds of the site, every identifier of all patients concerned, the appointments and orders of those given up.';

CREATE FUNCTION radscheduler.move_patient_time(p_site integer, p_from bigint, p_into bigint) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row    record;
    v_placed bigint[] := '{}';
BEGIN
    FOR v_row IN
        WITH gone AS (
            DELETE FROM radscheduler.occupancy o WHERE o.site_id = p_site AND o.axis = 'patient' AND o.subject_id = p_from
            RETURNING o.occupancy_id, o.during, o.buffered, o.appointment_id)
        SELECT * FROM gone g ORDER BY g.occupancy_id
    LOOP
        v_placed := v_placed || (radscheduler.place(p_site, 'patient', p_into, v_row.during, v_row.buffered, v_row.appointment_id)).occupancy_id;
    END LOOP;
    RETURN radscheduler.reseat(p_site, v_placed);
END
$$;
COMMENT ON FUNCTION radscheduler.move_patient_time(integer, bigint, bigint) IS
    'Gives the time that one patient is booked for to another, first come first served between the bookings of both; returns the appointments whose lanes changed. Follow it with settle().';

CREATE FUNCTION radscheduler.merge_patient(p_site integer, p_from bigint, p_into bigint, p_message bigint, p_at timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_own   bigint[];
    v_moved bigint[];
    v_hold  bigint;
BEGIN
    WITH moved AS (
        UPDATE radscheduler.appointment a SET patient_id = p_into, version = a.version + 1, updated_at = now()
            WHERE a.site_id = p_site AND a.patient_id = p_from RETURNING a.appointment_id)
    SELECT coalesce(array_agg(m.appointment_id ORDER BY m.appointment_id), '{}') INTO v_own FROM moved m;
    -- What was in conflict stays the same conflict, accepted or not.
    UPDATE radscheduler.conflict c SET subject_id = p_into
        WHERE c.site_id = p_site AND c.axis = 'patient' AND c.subject_id = p_from AND c.appointment_id = ANY (v_own);
    v_moved := radscheduler.move_patient_time(p_site, p_from, p_into);
    UPDATE radscheduler.imaging_order o SET patient_id = p_into WHERE o.site_id = p_site AND o.patient_id = p_from;
    UPDATE radscheduler.patient_fact f SET patient_id = p_into WHERE f.site_id = p_site AND f.patient_id = p_from;
    IF FOUND THEN
        v_moved := v_moved || radscheduler.patient_bookings(p_site, ARRAY[p_into]);
    END IF;
    UPDATE radscheduler.patient_identifier i SET patient_id = p_into WHERE i.site_id = p_site AND i.patient_id = p_from;
    FOR v_hold IN UPDATE radscheduler.legal_hold h SET patient_id = p_into WHERE h.site_id = p_site AND h.patient_id = p_from AND h.lifted_at IS NULL RETURNING h.hold_id LOOP
        PERFORM radscheduler.audit(p_site, 'hold.moved', 'patient', p_into, jsonb_build_object('hold_id', v_hold, 'merged_id', p_from));
    END LOOP;
    UPDATE radscheduler.patient_merge m SET patient_id = p_into WHERE m.site_id = p_site AND m.patient_id = p_from;
    INSERT INTO radscheduler.patient_merge (site_id, merged_id, patient_id, merged_at, message_id) VALUES (p_site, p_from, p_into, p_at, p_message);
    -- What was told last holds, as if it had been told of one person from the beginning.
    UPDATE radscheduler.patient k
        SET family_name = coalesce(g.family_name, k.family_name), given_name = coalesce(g.given_name, k.given_name), middle_name = coalesce(g.middle_name, k.middle_name),
            suffix = coalesce(g.suffix, k.suffix), display_name = coalesce(nullif(g.display_name, ''), k.display_name), birth_date = coalesce(g.birth_date, k.birth_date),
            sex = coalesce(g.sex, k.sex), phone = CASE WHEN g.phone_as_sent IS NULL THEN k.phone ELSE g.phone END, phone_as_sent = coalesce(g.phone_as_sent, k.phone_as_sent),
            message_time = g.message_time, updated_at = now()
        FROM radscheduler.patient g
        WHERE k.site_id = p_site AND k.patient_id = p_into AND g.site_id = p_site AND g.patient_id = p_from AND coalesce(g.message_time > k.message_time, k.message_time IS NULL);
    UPDATE radscheduler.patient k SET is_deceased = true
        FROM radscheduler.patient g WHERE k.site_id = p_site AND k.patient_id = p_into AND g.site_id = p_site AND g.patient_id = p_from AND g.is_deceased AND NOT k.is_deceased;
    DELETE FROM radscheduler.patient p WHERE p.site_id = p_site AND p.patient_id = p_from;

    IF v_own <> '{}' THEN
        PERFORM radscheduler.settle(p_site, v_own, v_moved, array_fill(p_message, ARRAY[cardinality(v_own)]));
        PERFORM radscheduler.record_versions(p_site, v_own, array_fill('appointment.modified'::text, ARRAY[cardinality(v_own)]),
            array_fill(p_message, ARRAY[cardinality(v_own)]), array_fill('{"reason": "PATIENT_MERGED"}'::jsonb, ARRAY[cardinality(v_own)]));
    ELSIF v_moved <> '{}' THEN
        PERFORM radscheduler.settle(p_site, '{}', v_moved);
    END IF;
    INSERT INTO radscheduler.event_log (site_id, type, message_id, data)
        VALUES (p_site, 'patient.merged', p_message, jsonb_build_object('patient_id', p_into, 'merged_id', p_from, 'appointments', cardinality(v_own)));
    PERFORM radscheduler.audit(p_site, 'patient.merged', 'patient', p_into, jsonb_build_object('merged_id', p_from, 'message_id', p_message, 'appointments', cardinality(v_own)));
END
$$;
COMMENT ON FUNCTION radscheduler.merge_patient(integer, bigint, bigint, bigint, timestamptz) IS
    'Makes one patient of two: everything of the first passes to the second, whose conflicts are looked at anew, and the first row goes; each appointment gets a version. p_at is the time of the merge, p_message its message. The caller holds the locks of merge_lock_names(), of both patients and their resources, and of the rows of the first one''s appointments.';

CREATE FUNCTION radscheduler.merge_fault(p_merges jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_merges = '[]' THEN
        RETURN '{"code": "101", "path": "MRG-1", "text": "A merge names the patient given up in MRG-1. Send an MRG segment after the PID of the patient kept."}';
    END IF;
    RETURN (SELECT CASE WHEN coalesce(m #> '{into,identifiers}', '[]') = '[]' THEN
                jsonb_build_object('code', '101', 'path', coalesce(nullif(m #>> '{into,path}', ''), 'PID') || '-3', 'text', 'A merge needs an identifier of the patient kept in PID-3. Send at least one.')
                ELSE jsonb_build_object('code', '101', 'path', (m #>> '{from,path}') || '-1', 'text', 'A merge needs an identifier of the patient given up in MRG-1. Send at least one.') END
        FROM jsonb_array_elements(p_merges) WITH ORDINALITY e(m, place)
        WHERE '[]' IN (coalesce(m #> '{into,identifiers}', '[]'), coalesce(m #> '{from,identifiers}', '[]')) ORDER BY place LIMIT 1);
END
$$;
COMMENT ON FUNCTION radscheduler.merge_fault(jsonb) IS 'What merges lack, {code, path, text}; NULL when nothing.';

CREATE FUNCTION radscheduler.keep_patient(p_item radscheduler.ingest_item, p_into jsonb, p_given bigint[], OUT patient_id bigint, OUT mrn text, OUT is_changed boolean, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_old     radscheduler.patient;
    v_new     radscheduler.patient;
    v_columns text[];
    v_full    boolean := coalesce(p_item.reading #> '{patient,identifiers}' = p_into, false);
BEGIN
    SELECT f.best ->> 'value', f.patient_id INTO keep_patient.mrn, keep_patient.patient_id FROM radscheduler.find_patient(p_item.site_id, p_into, p_item.context ->> 'facility') f;
    SELECT p.* INTO v_old FROM radscheduler.patient p WHERE p.site_id = p_item.site_id AND p.patient_id = keep_patient.patient_id FOR UPDATE;
    -- Of two people nobody here knows, the numbers are kept, nothing else: one of them may be booked under either.
    v_full := v_full AND (v_old.patient_id IS NOT NULL OR p_given <> '{}');
    SELECT r.patient_id, r.warnings INTO keep_patient.patient_id, keep_patient.warnings
        FROM radscheduler.resolve_patient(p_item.site_id, CASE WHEN v_full THEN p_item.reading -> 'patient' ELSE jsonb_build_object('identifiers', p_into) END,
                                          p_item.context ->> 'facility', p_item.context ->> 'region', p_item.at) r;
    IF NOT v_full THEN
        UPDATE radscheduler.patient p SET message_time = v_old.message_time WHERE p.site_id = p_item.site_id AND p.patient_id = keep_patient.patient_id;
    END IF;
    IF v_old.patient_id IS NULL AND p_given <> '{}' THEN
        UPDATE radscheduler.patient k
            SET (family_name, given_name, middle_name, suffix, display_name) = (
                    SELECT n.family_name, n.given_name, n.middle_name, n.suffix, n.display_name FROM (SELECT k.* UNION ALL SELECT g.*) n ORDER BY n.display_name = '' LIMIT 1),
                birth_date = coalesce(k.birth_date, g.birth_date), sex = coalesce(k.sex, g.sex),
                phone = CASE WHEN k.phone_as_sent IS NULL THEN g.phone ELSE k.phone END, phone_as_sent = coalesce(k.phone_as_sent, g.phone_as_sent)
            FROM radscheduler.patient g
            WHERE k.site_id = p_item.site_id AND k.patient_id = keep_patient.patient_id AND g.site_id = k.site_id AND g.patient_id = p_given[1];
    ELSIF v_old.patient_id IS NOT NULL THEN
        SELECT p.* INTO v_new FROM radscheduler.patient p WHERE p.site_id = p_item.site_id AND p.patient_id = keep_patient.patient_id;
        v_columns := radscheduler.changed_columns(to_jsonb(v_old), to_jsonb(v_new));
        IF v_columns IS NOT NULL THEN
            PERFORM radscheduler.tell_patient(p_item.site_id, patient_id, v_columns, p_item.message_id);
        END IF;
    END IF;
    is_changed := v_old.patient_id IS NULL OR v_columns IS NOT NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.keep_patient(radscheduler.ingest_item, jsonb, bigint[]) IS
    'The patient whom a merge keeps, by the identifiers of its PID: brought up to date, or recorded. One who is new takes what PID does not say from the first of those given up; where there are none either, only the identifiers are recorded.';

CREATE FUNCTION radscheduler.merge_pair(p_item radscheduler.ingest_item, p_into jsonb, p_from jsonb, OUT outcome text, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    c_site     CONSTANT integer := p_item.site_id;
    c_facility CONSTANT text := p_item.context ->> 'facility';
    v_from     jsonb;
    v_given    bigint[];
    v_kept     record;
    v_overtaken boolean;
    v_changes  integer;
BEGIN
    outcome := 'ignored';
    warnings := '[]';
    IF radscheduler.is_ambiguous(c_site, c_facility, p_into || p_from) THEN
        warnings := warnings || radscheduler.warning('PATIENT_AMBIGUOUS', 'PID-3');
        RETURN;
    END IF;
    -- A number on both sides says nothing.
    SELECT coalesce(jsonb_agg(f.sent), '[]') INTO v_from FROM radscheduler.identifiers_known(c_site, c_facility, p_from) f
        WHERE NOT EXISTS (SELECT FROM radscheduler.identifiers_known(c_site, c_facility, p_into) i WHERE (i.value, i.authority, i.type) = (f.value, f.authority, f.type));
    IF v_from = '[]' THEN
        warnings := warnings || radscheduler.warning('MERGE_WITH_ITSELF', 'MRG-1');
        RETURN;
    END IF;
    SELECT coalesce(jsonb_agg(f.sent), '[]') INTO v_from FROM radscheduler.identifiers_known(c_site, c_facility, v_from) f WHERE coalesce(f.merged_at <= p_item.at, true);
    IF v_from = '[]' THEN
        outcome := 'stale';
        warnings := warnings || radscheduler.warning('STALE', 'MSH-7');
        RETURN;
    END IF;

    -- Was the one kept given up by a newer merge? Then whoever kept him keeps this one too, and his number does not come back.
    v_overtaken := EXISTS (SELECT FROM radscheduler.identifiers_known(c_site, c_facility, p_into) i WHERE i.merged_at > p_item.at);
    IF NOT v_overtaken THEN
        UPDATE radscheduler.patient_identifier n SET merged_at = NULL FROM radscheduler.identifiers_known(c_site, c_facility, p_into) i
            WHERE n.site_id = c_site AND (n.value, n.authority, n.type) = (i.value, i.authority, i.type) AND n.merged_at IS NOT NULL;
    END IF;
    v_given := radscheduler.patients_named(c_site, c_facility, v_from);
    SELECT * INTO v_kept FROM radscheduler.keep_patient(p_item, p_into, v_given);
    warnings := warnings || v_kept.warnings;
    v_given := array_remove(v_given, v_kept.patient_id);
    IF v_overtaken THEN
        SELECT coalesce(jsonb_agg(f.sent), '[]') INTO v_from FROM radscheduler.identifiers_known(c_site, c_facility, v_from) f WHERE f.patient_id IS DISTINCT FROM v_kept.patient_id;
    END IF;
    FOR k IN 1 .. cardinality(v_given) LOOP
        PERFORM radscheduler.merge_patient(c_site, v_given[k], v_kept.patient_id, p_item.message_id, p_item.at);
    END LOOP;

    WITH given AS (
        INSERT INTO radscheduler.patient_identifier AS n (site_id, authority, type, value, patient_id, merged_at)
        SELECT DISTINCT c_site, f.authority, f.type, f.value, v_kept.patient_id, p_item.at
        FROM radscheduler.identifiers_known(c_site, c_facility, v_from) f
        ON CONFLICT (site_id, value, authority, type) DO UPDATE SET merged_at = excluded.merged_at WHERE n.merged_at IS NULL OR n.merged_at < excluded.merged_at
        RETURNING 1
    )
    SELECT count(*) INTO v_changes FROM given;
    -- Nobody is shown under a number that was given up, not even by a message that came before.
    UPDATE radscheduler.patient p SET mrn = v_kept.mrn
        WHERE p.site_id = c_site AND p.patient_id = v_kept.patient_id AND NOT v_overtaken AND p.mrn <> v_kept.mrn AND radscheduler.is_given_up(c_site, p.patient_id, p.mrn);
    IF v_changes > 0 AND v_given = '{}' THEN
        PERFORM radscheduler.audit(c_site, 'patient.updated', 'patient', v_kept.patient_id, '{"columns": ["identifiers"]}');
    END IF;
    IF v_given <> '{}' OR v_changes > 0 OR v_kept.is_changed THEN
        outcome := 'applied';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.merge_pair(radscheduler.ingest_item, jsonb, jsonb) IS
    'One pair of a merge: identifiers of the patient kept and of the one given up. outcome is applied, ignored (they were one already) or stale.';

CREATE FUNCTION radscheduler.merge_all(p_item radscheduler.ingest_item, OUT outcome text, OUT error jsonb, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_site     CONSTANT integer := p_item.site_id;
    c_facility CONSTANT text := p_item.context ->> 'facility';
    c_merges   CONSTANT jsonb := p_item.reading -> 'merges';
    v_names    text[];
    v_locked   text[] := '{}';
    v_given    bigint[];
    v_people   bigint[];
    v_pair     record;
    v_outcomes text[] := '{}';
BEGIN
    outcome := 'error';
    warnings := '[]';
    error := radscheduler.merge_fault(c_merges);
    IF error IS NOT NULL THEN
        RETURN;
    END IF;
    LOOP
        v_names := radscheduler.merge_lock_names(c_site, c_facility, c_merges);
        EXIT WHEN v_names <@ v_locked;
        PERFORM radscheduler.lock_keys_at_once(v_names);
        v_locked := v_locked || v_names;
    END LOOP;
    v_given := ARRAY(SELECT unnest(radscheduler.patients_named(c_site, c_facility, m #> '{from,identifiers}')) FROM jsonb_array_elements(c_merges) m);
    -- What both are booked on, too: when lanes change, so do conflicts with others on the same resources.
    v_people := v_given || ARRAY(SELECT unnest(radscheduler.patients_named(c_site, c_facility, m #> '{into,identifiers}')) FROM jsonb_array_elements(c_merges) m);
    PERFORM radscheduler.lock_subjects(c_site,
        ARRAY(SELECT ar.resource_id FROM radscheduler.appointment a JOIN radscheduler.appointment_resource ar ON ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id
              WHERE a.site_id = c_site AND a.patient_id = ANY (v_people) AND NOT radscheduler.is_closed(a.status)), v_people);
    PERFORM FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.patient_id = ANY (v_given) ORDER BY a.appointment_id FOR UPDATE;
    FOR v_pair IN
        SELECT e.m FROM jsonb_array_elements(c_merges) WITH ORDINALITY e(m, place) ORDER BY e.place
    LOOP
        SELECT q.outcome, merge_all.warnings || q.warnings INTO merge_all.outcome, merge_all.warnings
            FROM radscheduler.merge_pair(p_item, v_pair.m #> '{into,identifiers}', v_pair.m #> '{from,identifiers}') q;
        v_outcomes := v_outcomes || outcome;
    END LOOP;
    outcome := CASE WHEN 'applied' = ANY (v_outcomes) THEN 'applied' WHEN 'stale' = ANY (v_outcomes) THEN 'stale' ELSE 'ignored' END;
END
$$;
COMMENT ON FUNCTION radscheduler.merge_all(radscheduler.ingest_item) IS
    'Applies every pair of a merge message in its order, under the locks that all of them need. Sets outcome, error and warnings.';
