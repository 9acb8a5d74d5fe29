-- The rows of conflict that rules make, kept in line with what rule_conflicts() says: by settle() for what changed, by recheck_conflicts() after
-- somebody changed hours, blocks or settings by hand. Exams that name no scanner share a pool, so one change can concern others: rule_neighbours().

CREATE FUNCTION radscheduler.lock_pools(p_site integer, p_alone text[], p_shared text[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_pool record;
BEGIN
    FOR v_pool IN
        SELECT hashtext(format('%s/%s', p_site, m.code)) AS key, bool_or(m.is_alone) AS is_alone
        FROM (SELECT a, true FROM unnest(p_alone) a UNION ALL SELECT s, false FROM unnest(p_shared) s) m(code, is_alone)
        WHERE m.code IS NOT NULL GROUP BY 1 ORDER BY 1
    LOOP
        IF v_pool.is_alone THEN
            PERFORM pg_advisory_xact_lock(7421004, v_pool.key);
        ELSE
            PERFORM pg_advisory_xact_lock_shared(7421004, v_pool.key);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.lock_pools(integer, text[], text[]) IS
    'After the subjects, before rows: takes transaction locks on the pools of modalities, in ascending order of their keys. Alone for exams that name no scanner or room (they decide about each other), shared for those that do (they only take from the pool), so that ordinary bookings do not wait for each other. The keys need no secret: a modality is nobody''s.';

CREATE FUNCTION radscheduler.mark_pooled(p_site integer, p_appointments bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    UPDATE radscheduler.appointment a SET is_pooled = NOT a.is_pooled
        WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments)
          AND a.is_pooled IS DISTINCT FROM (
              a.starts_at IS NOT NULL AND a.modality IS NOT NULL AND radscheduler.takes_time(a.status, a.holds_time)
              AND NOT EXISTS (SELECT FROM radscheduler.appointment_resource ar
                              JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id AND r.kind IN ('room', 'equipment')
                              WHERE ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id AND ar.status IS NULL));
END
$$;
COMMENT ON FUNCTION radscheduler.mark_pooled(integer, bigint[]) IS 'Keeps appointment.is_pooled: takes time, and names neither a scanner nor a room. Writes only where that has changed.';

CREATE FUNCTION radscheduler.rule_neighbours(p_site integer, p_appointments bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- Without exams that name no scanner there is nobody a change could concern.
    IF NOT EXISTS (SELECT FROM radscheduler.appointment q WHERE q.site_id = p_site AND q.is_pooled) THEN
        RETURN NULL;
    END IF;
    RETURN (WITH changed AS (
            SELECT a.appointment_id, a.modality, tstzrange(a.starts_at, a.ends_at) AS during
            FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) AND a.starts_at IS NOT NULL
        ), pool AS (
            SELECT c.modality, c.during FROM changed c
            UNION
            SELECT m.code, o.during
            FROM changed c
            JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.appointment_id = c.appointment_id AND o.axis = 'resource'
            JOIN radscheduler.resource r ON r.site_id = p_site AND r.resource_id = o.subject_id,
            LATERAL unnest(r.modality || r.modalities) m(code)
        ), before AS (
            -- Its last two versions: the present one may or may not have been recorded yet.
            SELECT tstzrange((h.snapshot #>> '{appointment,starts_at}')::timestamptz, (h.snapshot #>> '{appointment,ends_at}')::timestamptz) AS during
            FROM unnest(p_appointments) u(id),
                 LATERAL (SELECT v.snapshot FROM radscheduler.appointment_history v
                          WHERE v.site_id = p_site AND v.appointment_id = u.id ORDER BY v.version DESC LIMIT 2) h
            WHERE EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.state <> 'resolved' AND c.code = 'CAPACITY_EXCEEDED')
              AND h.snapshot #>> '{appointment,starts_at}' IS NOT NULL
            UNION
            SELECT c.during FROM changed c
        )
        SELECT array_agg(DISTINCT n.id) FROM (
            SELECT q.appointment_id FROM pool p
            JOIN radscheduler.appointment q ON q.site_id = p_site AND q.modality = p.modality AND q.is_pooled AND tstzrange(q.starts_at, q.ends_at) && p.during
            UNION ALL
            SELECT c.appointment_id FROM radscheduler.conflict c
            WHERE c.site_id = p_site AND c.state <> 'resolved' AND c.code = 'CAPACITY_EXCEEDED' AND EXISTS (SELECT FROM before b WHERE b.during && c.overlap)
        ) n(id) WHERE n.id <> ALL (p_appointments));
END
$$;
COMMENT ON FUNCTION radscheduler.rule_neighbours(integer, bigint[]) IS
    'Other appointments whose rule conflicts may change because these changed: exams without scanner in the pools they take from now, and those over capacity at a time these had. NULL in the ordinary case. (Ways between rooms need no neighbours: rule_conflicts() tells a pair from either side.)';

CREATE FUNCTION radscheduler.settle_rules(p_site integer, p_changed bigint[], p_moved bigint[], p_messages bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_all      bigint[] := p_changed || p_moved;
    v_suspects bigint[];
    v_near     bigint[];
    v_touched  bigint[];
    v_gone     bigint[];
    v_told     bigint[];
    v_opened   bigint[];
BEGIN
    v_suspects := radscheduler.rule_suspects(p_site, v_all);
    IF v_suspects IS NOT NULL THEN
        PERFORM radscheduler.mark_pooled(p_site, v_suspects);
    END IF;
    v_near := radscheduler.rule_neighbours(p_site, v_all);
    IF v_suspects IS NULL AND v_near IS NULL THEN
        RETURN NULL;
    END IF;
    v_suspects := v_suspects || v_near;

    WITH broken AS MATERIALIZED (
        SELECT * FROM radscheduler.rule_conflicts(p_site, v_suspects)
    ), known AS MATERIALIZED (
        SELECT c.* FROM radscheduler.conflict c
        WHERE c.site_id = p_site AND c.state <> 'resolved' AND (c.appointment_id = ANY (v_suspects) OR c.other_appointment_id = ANY (v_suspects))
          AND c.code IN (SELECT k.code FROM radscheduler.rule_kind k)
    ), gone AS (
        UPDATE radscheduler.conflict c SET state = 'resolved', resolved_at = now()
        FROM known k
        WHERE c.site_id = p_site AND c.conflict_id = k.conflict_id
          AND NOT EXISTS (SELECT FROM broken b WHERE b.code = k.code AND b.axis = k.axis AND b.subject_id = k.subject_id
                          AND least(b.appointment_id, b.other_appointment_id) = least(k.appointment_id, k.other_appointment_id)
                          AND greatest(b.appointment_id, b.other_appointment_id) = greatest(k.appointment_id, k.other_appointment_id))
        RETURNING c.conflict_id, c.appointment_id
    ), opened AS (
        -- What is still broken stays the same conflict; where it got worse, an acceptance no longer covers it.
        INSERT INTO radscheduler.conflict AS c (site_id, code, severity, axis, subject_id, appointment_id, other_appointment_id, overlap)
        SELECT p_site, b.code, b.severity, b.axis, b.subject_id, b.appointment_id, b.other_appointment_id, b.overlap
        FROM broken b ORDER BY b.appointment_id, b.code, b.subject_id, b.other_appointment_id
        ON CONFLICT (site_id, axis, subject_id, code, (LEAST(appointment_id, other_appointment_id)), (GREATEST(appointment_id, other_appointment_id)))
            WHERE state <> 'resolved'
            DO UPDATE SET severity = excluded.severity, overlap = excluded.overlap,
                          appointment_id = excluded.appointment_id, other_appointment_id = excluded.other_appointment_id,
                          state = CASE WHEN excluded.severity > c.severity THEN 'open' ELSE c.state END
            WHERE (c.severity, c.overlap, c.appointment_id) IS DISTINCT FROM (excluded.severity, excluded.overlap, excluded.appointment_id)
        RETURNING c.conflict_id, c.appointment_id, c.severity
    )
    SELECT (SELECT array_agg(g.conflict_id) FROM gone g),
           (SELECT array_agg(o.conflict_id) FROM opened o LEFT JOIN known k ON k.conflict_id = o.conflict_id WHERE k.severity IS DISTINCT FROM o.severity),
           (SELECT array_agg(o.conflict_id) FROM opened o WHERE NOT EXISTS (SELECT FROM known k WHERE k.conflict_id = o.conflict_id)),
           (SELECT array_agg(DISTINCT t.id) FROM (SELECT g.appointment_id FROM gone g UNION ALL SELECT o.appointment_id FROM opened o) t(id))
        INTO v_gone, v_told, v_opened, v_touched;

    IF v_gone IS NOT NULL OR v_told IS NOT NULL THEN
        PERFORM radscheduler.tell_conflicts(p_site, v_gone || v_told, p_changed, p_messages);
    END IF;
    -- A block over a whole month concerns hundreds; looking for other times for each would hold up everybody.
    IF cardinality(v_opened) <= 20 THEN
        PERFORM radscheduler.suggest_alternatives(p_site, v_opened);
    END IF;
    PERFORM FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (v_touched) ORDER BY a.appointment_id FOR UPDATE;
    RETURN v_touched;
END
$$;
COMMENT ON FUNCTION radscheduler.settle_rules(integer, bigint[], bigint[], bigint[]) IS
    'Brings the conflicts that rules make into line after appointments changed: new ones open, changed ones follow, vanished ones resolve, and each is told. Arguments as those of settle(), of which it is a part. Returns the appointments whose conflicts changed, for review(); NULL in the ordinary case.';

CREATE FUNCTION radscheduler.recheck_conflicts(from_time timestamptz DEFAULT pg_catalog.now(), until_time timestamptz DEFAULT NULL,
        OUT checked integer, OUT opened integer, OUT resolved integer) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site  integer := radscheduler.current_site();
    v_until timestamptz := coalesce(until_time, from_time + interval '90 days');
    v_ids   bigint[];
    v_open  bigint[];
    v_after bigint[];
BEGIN
    IF from_time IS NULL OR NOT isfinite(from_time) OR NOT isfinite(v_until) OR v_until <= from_time THEN
        RAISE EXCEPTION 'conflicts are checked anew from one time until a later one'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'SELECT * FROM radscheduler.recheck_conflicts(now(), now() + interval ''30 days'');';
    END IF;
    -- Everything in the window is looked at, so this waits for those who write and lets nobody begin until it is done; it holds no other lock while it waits.
    LOCK TABLE radscheduler.appointment IN SHARE ROW EXCLUSIVE MODE;
    v_ids := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a
                   WHERE a.site_id = v_site AND a.starts_at < v_until AND a.starts_at > from_time - interval '2 days' AND a.ends_at > from_time
                     AND radscheduler.takes_time(a.status, a.holds_time) ORDER BY a.appointment_id);
    v_open := ARRAY(SELECT c.conflict_id FROM radscheduler.conflict c WHERE c.site_id = v_site AND c.state <> 'resolved');
    PERFORM radscheduler.settle(v_site, '{}'::bigint[], v_ids, NULL);
    v_after := ARRAY(SELECT c.conflict_id FROM radscheduler.conflict c WHERE c.site_id = v_site AND c.state <> 'resolved');
    checked := cardinality(v_ids);
    SELECT count(*) FILTER (WHERE b.id IS NULL), count(*) FILTER (WHERE a.id IS NULL) INTO opened, resolved
        FROM unnest(v_open) b(id) FULL JOIN unnest(v_after) a(id) ON a.id = b.id;
    PERFORM radscheduler.audit(v_site, 'conflict.rechecked', 'site', v_site,
        jsonb_build_object('from', from_time, 'until', v_until, 'checked', checked, 'opened', opened, 'resolved', resolved));
END
$$;
COMMENT ON FUNCTION radscheduler.recheck_conflicts(timestamptz, timestamptz) IS
    'Checks the conflicts and reviews of the session''s site anew, for appointments between two times (from now on, for 90 days, when not given): after opening hours, blocks, resources or rule_setting were changed by hand or by configuration_import(). Returns how many appointments were checked and how many conflicts opened and resolved. Writers of appointments wait until it has committed.';
