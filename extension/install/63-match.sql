-- What messages are about and what they do to it, before anything of the schedule is written: the appointment found, the event judged, the
-- patient looked up and the resources resolved. What is found here may change until the locks are taken; apply_items() (63-apply.sql) reads it again then.

CREATE FUNCTION radscheduler.match_items(p_items radscheduler.ingest_item[]) RETURNS radscheduler.ingest_item[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_items  radscheduler.ingest_item[] := p_items;
    v_item   radscheduler.ingest_item;
    v_owners bigint[] := '{}';
    v_old    radscheduler.appointment;
    v_rule   radscheduler.event_rule;
    v_sent   record;
    v_row    record;
    v_live   radscheduler.ingest_item[] := '{}';
    c_site   CONSTANT integer := (p_items[1]).site_id;
BEGIN
    -- What each is about and what its event does to it.
    FOR k IN 1 .. cardinality(v_items) LOOP
        v_item := v_items[k];
        v_old := NULL;
        IF v_item.action = 'request' THEN
            -- apply_request() has found it.
            SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = v_item.appointment_id;
        ELSIF v_item.filler_id IS NOT NULL THEN
            SELECT * INTO v_old FROM radscheduler.appointment a
                WHERE a.site_id = c_site AND a.sender_id = v_item.sender_id AND a.filler_id = v_item.filler_id ORDER BY a.generation DESC LIMIT 1;
        END IF;
        IF v_old.appointment_id IS NULL AND v_item.placer_id IS NOT NULL AND v_item.action IS DISTINCT FROM 'request' THEN
            SELECT * INTO v_old FROM radscheduler.appointment a
                WHERE a.site_id = c_site AND a.sender_id = v_item.sender_id AND a.placer_id = v_item.placer_id AND (v_item.filler_id IS NULL OR a.filler_id IS NULL)
                ORDER BY a.generation DESC LIMIT 1;
        END IF;
        v_owners[k] := v_old.patient_id;
        v_item.appointment_id := v_old.appointment_id;
        SELECT * INTO v_rule FROM radscheduler.event_rule r
            WHERE r.trigger_event = v_item.trigger_event
              AND r.state = CASE WHEN v_old.appointment_id IS NULL THEN 'unknown' WHEN radscheduler.is_closed(v_old.status) THEN v_old.status::text ELSE 'active' END;
        v_sent := radscheduler.status_sent(v_item.reading #> '{schedule,status}');
        v_item := radscheduler.judge(v_item, v_rule, v_sent.status, v_old.status, v_old.message_time, v_old.message_sequence, v_old.patient_id IS NOT NULL, v_old.starts_at IS NOT NULL, v_old.ending);
        v_item.ordinal := k;
        v_item.is_overbook := CASE WHEN NOT radscheduler.is_closed(v_sent.status) THEN v_sent.is_overbook END;
        IF v_item.outcome IS NULL AND v_item.action <> 'close' THEN
            v_live := v_live || v_item;
        ELSIF v_item.outcome = 'stale' AND (v_old.ending IS NULL AND NOT radscheduler.is_closed(v_old.status)
                                            OR radscheduler.is_before_told(jsonb_build_object('at', v_item.at, 'sequence', v_item.sequence), v_old.ending)) THEN
            v_item.is_heeded := true;
        END IF;
        v_items[k] := v_item;
    END LOOP;

    -- Who and what. A closing needs neither.
    FOREACH v_item IN ARRAY v_live LOOP
        IF v_item.reading #> '{patient,identifiers,0}' IS NOT NULL THEN
            v_row := radscheduler.find_patient(c_site, v_item.reading #> '{patient,identifiers}', v_item.context ->> 'facility');
            v_item.patient_id := v_row.patient_id;
            v_item.best := v_row.best;
            v_item.is_complete := v_row.is_complete;
        END IF;
        v_row := radscheduler.resolve_resources(v_item);
        v_item.resource_ids := v_row.resource_ids;
        v_item.warnings := v_item.warnings || v_row.warnings;
        IF v_item.action = 'update' AND v_item.trigger_event = 'S12' AND v_item.best IS NOT NULL AND coalesce(v_item.patient_id, 0) <> v_owners[v_item.ordinal] THEN
            v_item.action := 'renew';
            v_item.status := 'PENDING_REVIEW';
            v_item.review_reason := 'ID_REUSED';
            v_item.warnings := v_item.warnings || radscheduler.warning('ID_REUSED', 'SCH-2');
        END IF;
        v_items[v_item.ordinal] := v_item;
    END LOOP;
    RETURN v_items;
END
$$;
COMMENT ON FUNCTION radscheduler.match_items(radscheduler.ingest_item[]) IS
    'For messages about appointments of one site: the appointment meant (appointment_id), what is to be done with it (judge()), the patient where he is known, and resources, recorded when they are new. is_heeded marks a late message that still tells something (heed_late()).';
