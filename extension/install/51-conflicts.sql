-- Two appointments conflict on a subject when their buffered times overlap and exactly one of them stands in an overbooked lane: that one is
-- flagged, the other is told. What is closed is in nobody's way. Rules (54-rules.sql) make conflicts of the same shape. settle() makes the conflict rows say exactly what is so
-- for the appointments that a change concerns: new ones open, changed ones follow, vanished ones resolve, reviews come and go with them.

CREATE TABLE radscheduler.conflict_kind (
    code text PRIMARY KEY,
    axis text NOT NULL,
    text text NOT NULL
);
COMMENT ON TABLE  radscheduler.conflict_kind IS 'The kinds of conflict and their sentence.';
COMMENT ON COLUMN radscheduler.conflict_kind.code IS 'Stable code.';
COMMENT ON COLUMN radscheduler.conflict_kind.axis IS 'room, equipment, staff or patient; rule for one that a rule makes (the kind of its resource is told where it has one).';
COMMENT ON COLUMN radscheduler.conflict_kind.text IS 'Sentence; %s is the resource, or what rule_subject() says.';
INSERT INTO radscheduler.conflict_kind VALUES
    ('ROOM_DOUBLE_BOOKED', 'room', 'Room %s is booked twice.'),
    ('EQUIPMENT_DOUBLE_BOOKED', 'equipment', 'Equipment %s is booked twice.'),
    ('STAFF_DOUBLE_BOOKED', 'staff', 'Staff member %s is booked twice.'),
    ('PATIENT_DOUBLE_BOOKED', 'patient', 'The patient is booked twice.');

CREATE FUNCTION radscheduler.conflict_severity(p_kind radscheduler.resource_kind, p_role text, p_modality text, p_study text) RETURNS radscheduler.severity
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT CASE WHEN p_kind = 'staff' AND p_role LIKE '%RADIOLOGIST%' AND coalesce(p_modality, '') NOT IN ('XA', 'RF')
                             AND coalesce(p_study, '') !~* '\m(biops|drainage|ablation|puncture|intervention|fluoro)'
                THEN 'warning'::radscheduler.severity ELSE 'critical' END);
END
$$;
COMMENT ON FUNCTION radscheduler.conflict_severity(radscheduler.resource_kind, text, text, text) IS
    'How bad a double booking is, by the kind of resource, its role in the flagged appointment, and that one''s modality and study text. A radiologist reads several diagnostic exams at once: a warning. Everything else, and a radiologist where hands are needed (XA, RF, biopsies, drainages): critical.';

CREATE FUNCTION radscheduler.conflict_pairs(p_site integer, p_appointments bigint[])
    RETURNS TABLE (appointment_id bigint, code text, severity radscheduler.severity, axis radscheduler.axis, subject_id bigint,
                   other_appointment_id bigint, overlap tstzrange)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH pair AS MATERIALIZED (
        SELECT DISTINCT ON (o.axis, o.subject_id, least(o.appointment_id, q.appointment_id), greatest(o.appointment_id, q.appointment_id))
               o.axis, o.subject_id, r.kind, r.role, o.buffered * q.buffered AS overlap,
               CASE WHEN o.lane >= coalesce(r.capacity, 1) THEN o.appointment_id ELSE q.appointment_id END AS flagged,
               CASE WHEN o.lane >= coalesce(r.capacity, 1) THEN q.appointment_id ELSE o.appointment_id END AS holder
        FROM unnest(p_appointments) u(id)
        JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.appointment_id = u.id
        LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
        JOIN radscheduler.occupancy q ON q.site_id = o.site_id AND q.axis = o.axis AND q.subject_id = o.subject_id
                                     AND q.buffered && o.buffered AND q.appointment_id <> o.appointment_id
        WHERE (o.lane >= coalesce(r.capacity, 1)) <> (q.lane >= coalesce(r.capacity, 1))
        ORDER BY o.axis, o.subject_id, least(o.appointment_id, q.appointment_id), greatest(o.appointment_id, q.appointment_id), lower(o.buffered * q.buffered)
    )
    SELECT p.flagged, CASE WHEN p.axis = 'patient' THEN 'PATIENT_DOUBLE_BOOKED' ELSE upper(p.kind::text) || '_DOUBLE_BOOKED' END,
           CASE WHEN a.is_overbook THEN 'warning' WHEN p.axis = 'patient' THEN 'critical'
                ELSE radscheduler.conflict_severity(p.kind, coalesce((SELECT string_agg(ar.role, ' ') FROM radscheduler.appointment_resource ar
                    WHERE ar.site_id = p_site AND ar.appointment_id = p.flagged AND ar.resource_id = p.subject_id AND ar.status IS NULL), p.role), a.modality, a.study_text) END,
           p.axis, p.subject_id, p.holder, p.overlap
    FROM pair p
    JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = p.flagged AND NOT radscheduler.is_closed(a.status)
    JOIN radscheduler.appointment h ON h.site_id = p_site AND h.appointment_id = p.holder AND NOT radscheduler.is_closed(h.status);
END
$$;
COMMENT ON FUNCTION radscheduler.conflict_pairs(integer, bigint[]) IS
    'The pairs in conflict now with one of these appointments on either side, as rows of conflict would say it: appointment_id stands in an overbooked lane, other_appointment_id holds a legal one. Where the sender said Overbook it knows, and the conflict only warns.';

CREATE FUNCTION radscheduler.conflict_changes(p_site integer, p_concerned bigint[])
    RETURNS TABLE (conflict_id bigint, flagged_before bigint, appointment_id bigint, code text, severity radscheduler.severity, axis radscheduler.axis,
                   subject_id bigint, other_appointment_id bigint, overlap tstzrange)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH wanted AS MATERIALIZED (
        SELECT * FROM radscheduler.conflict_pairs(p_site, p_concerned)
        UNION ALL
        SELECT * FROM radscheduler.rule_conflicts(p_site, p_concerned)
    ), known AS MATERIALIZED (
        SELECT c.* FROM radscheduler.conflict c
        WHERE c.site_id = p_site AND c.state <> 'resolved' AND (c.appointment_id = ANY (p_concerned) OR c.other_appointment_id = ANY (p_concerned))
    )
    SELECT k.conflict_id, k.appointment_id, w.appointment_id, w.code, w.severity, w.axis, w.subject_id, w.other_appointment_id, w.overlap
    FROM wanted w
    LEFT JOIN known k ON k.code = w.code AND k.axis = w.axis AND k.subject_id = w.subject_id
        AND least(k.appointment_id, k.other_appointment_id) = least(w.appointment_id, w.other_appointment_id)
        AND greatest(k.appointment_id, k.other_appointment_id) = greatest(w.appointment_id, w.other_appointment_id)
    WHERE (k.severity, k.overlap, k.appointment_id) IS DISTINCT FROM (w.severity, w.overlap, w.appointment_id)
    UNION ALL
    SELECT k.conflict_id, k.appointment_id, NULL, k.code, NULL, k.axis, k.subject_id, NULL, NULL
    FROM known k
    WHERE NOT EXISTS (SELECT FROM wanted w WHERE w.code = k.code AND w.axis = k.axis AND w.subject_id = k.subject_id
                      AND least(w.appointment_id, w.other_appointment_id) = least(k.appointment_id, k.other_appointment_id)
                      AND greatest(w.appointment_id, w.other_appointment_id) = greatest(k.appointment_id, k.other_appointment_id));
END
$$;
COMMENT ON FUNCTION radscheduler.conflict_changes(integer, bigint[]) IS
    'What is to be changed so that the unresolved conflicts with these appointments on either side are what conflict_pairs() and rule_conflicts() say: new ones (conflict_id NULL), changed ones, vanished ones (appointment_id NULL). What is as it should be is not among them, and is left alone: it may be somebody else''s to change.';

CREATE FUNCTION radscheduler.write_conflicts(p_site integer, p_concerned bigint[], OUT touched bigint[], OUT told bigint[], OUT altered bigint[]) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- What is still so stays the same conflict. An acceptance covers what was accepted: not what is worse, nor another time.
    WITH change AS MATERIALIZED (
        SELECT * FROM radscheduler.conflict_changes(p_site, p_concerned)
    ), gone AS (
        UPDATE radscheduler.conflict c SET state = 'resolved', resolved_at = now()
        FROM change h WHERE h.appointment_id IS NULL AND c.site_id = p_site AND c.conflict_id = h.conflict_id
        RETURNING c.conflict_id
    ), changed AS (
        UPDATE radscheduler.conflict c SET severity = h.severity, overlap = h.overlap, appointment_id = h.appointment_id, other_appointment_id = h.other_appointment_id,
            state = CASE WHEN c.overlap @> h.overlap AND h.severity <= c.severity THEN c.state ELSE 'open' END,
            accepted_by = CASE WHEN c.overlap @> h.overlap AND h.severity <= c.severity THEN c.accepted_by END
        FROM change h JOIN radscheduler.conflict b ON b.site_id = p_site AND b.conflict_id = h.conflict_id
        WHERE h.appointment_id IS NOT NULL AND c.site_id = p_site AND c.conflict_id = h.conflict_id
        RETURNING c.conflict_id, (c.severity, c.appointment_id, c.state) IS DISTINCT FROM (b.severity, b.appointment_id, b.state) AS is_news
    ), added AS (
        INSERT INTO radscheduler.conflict AS c (site_id, code, severity, axis, subject_id, appointment_id, other_appointment_id, overlap)
        SELECT p_site, h.code, h.severity, h.axis, h.subject_id, h.appointment_id, h.other_appointment_id, h.overlap
        FROM change h WHERE h.conflict_id IS NULL ORDER BY h.appointment_id, h.code, h.subject_id, h.other_appointment_id
        RETURNING c.conflict_id
    )
    SELECT (SELECT array_agg(DISTINCT t.id) FROM change h, LATERAL unnest(ARRAY[h.flagged_before, h.appointment_id]) t(id) WHERE t.id IS NOT NULL),
           (SELECT array_agg(t.id) FROM (SELECT g.conflict_id FROM gone g UNION ALL SELECT c.conflict_id FROM changed c WHERE c.is_news UNION ALL SELECT a.conflict_id FROM added a) t(id)),
           (SELECT array_agg(t.id) FROM (SELECT c.conflict_id FROM changed c UNION ALL SELECT a.conflict_id FROM added a) t(id))
        INTO touched, told, altered;
END
$$;
COMMENT ON FUNCTION radscheduler.write_conflicts(integer, bigint[]) IS
    'Makes the changes that conflict_changes() tells of. touched: appointments flagged before or after by a conflict that went, came or changed; told: conflicts to be told of (not those of which only the time changed); altered: new ones and all that changed.';

CREATE FUNCTION radscheduler.settle(p_site integer, p_changed bigint[], p_moved bigint[], p_messages bigint[] DEFAULT NULL) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_concerned bigint[] := radscheduler.doubtful(p_site, p_changed) || p_moved;
    v_done      record;
BEGIN
    IF v_concerned IS NULL OR v_concerned = '{}' THEN
        RETURN NULL;
    END IF;
    PERFORM radscheduler.lock_settling(p_site, false);
    v_concerned := v_concerned || radscheduler.pool_neighbours(p_site, v_concerned);
    -- Rows of others, in one order: those whose review may change. An exam without scanner is judged after its row is locked: of several
    -- bookings that take its scanners at once, the last to get here sees all of them.
    PERFORM FROM radscheduler.appointment a
        WHERE a.site_id = p_site AND (a.appointment_id = ANY (v_concerned) AND a.is_pooled
            OR a.appointment_id = ANY (ARRAY(SELECT unnest(ARRAY[h.flagged_before, h.appointment_id]) FROM radscheduler.conflict_changes(p_site, v_concerned) h)))
        ORDER BY a.appointment_id FOR NO KEY UPDATE;
    v_done := radscheduler.write_conflicts(p_site, v_concerned);
    IF v_done.told IS NOT NULL THEN
        PERFORM radscheduler.tell_conflicts(p_site, v_done.told, p_changed, p_messages);
    END IF;
    -- A block over a whole month concerns hundreds; looking for other times for each would hold up everybody.
    IF cardinality(v_done.altered) <= 20 THEN
        PERFORM radscheduler.suggest_alternatives(p_site, v_done.altered);
    END IF;
    PERFORM radscheduler.review(p_site, v_done.touched || p_changed, p_changed, p_messages[1]);
    RETURN (SELECT array_agg(u.id) FROM unnest(p_changed) u(id)
            WHERE EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.appointment_id = u.id AND c.state = 'open' AND c.severity > 'info')
               OR EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.other_appointment_id = u.id AND c.state = 'open' AND c.severity > 'info'));
END
$$;
COMMENT ON FUNCTION radscheduler.settle(integer, bigint[], bigint[], bigint[]) IS
    'Brings conflicts and reviews into line after appointments changed. p_changed: those whose rows the caller changed and whose versions he will record; p_moved: others that the change concerns (what occupy() and vacate() return); p_messages: the messages that changed p_changed, side by side. Returns those of p_changed that have an open conflict worse than info, on either side; NULL when none. The ordinary case, a booking in doubt nowhere, ends after one question.';

CREATE FUNCTION radscheduler.tell_conflicts(p_site integer, p_conflicts bigint[], p_changed bigint[], p_messages bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row record;
BEGIN
    FOR v_row IN
        SELECT c.conflict_id, c.code, c.severity, c.state, c.appointment_id, c.other_appointment_id,
               coalesce(p_messages[array_position(p_changed, c.appointment_id)], p_messages[array_position(p_changed, c.other_appointment_id)], p_messages[1]) AS message_id,
               CASE WHEN c.state = 'resolved' THEN 'conflict.resolved' ELSE 'conflict.detected' END AS event
        FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.conflict_id = ANY (p_conflicts) ORDER BY c.state DESC, c.conflict_id
    LOOP
        INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
            VALUES (p_site, v_row.event, v_row.appointment_id, v_row.message_id,
                    jsonb_strip_nulls(jsonb_build_object('conflict_id', v_row.conflict_id, 'code', v_row.code,
                        'severity', CASE WHEN v_row.state <> 'resolved' THEN v_row.severity END, 'with', v_row.other_appointment_id)));
        PERFORM radscheduler.audit(p_site, v_row.event, 'conflict', v_row.conflict_id, jsonb_build_object('appointment_id', v_row.appointment_id, 'message_id', v_row.message_id));
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.tell_conflicts(integer, bigint[], bigint[], bigint[]) IS
    'Tells conflicts that went, came or changed (conflict.detected again, under the same conflict_id) in event_log and the audit log; p_messages caused the changes of p_changed, side by side.';

CREATE FUNCTION radscheduler.suggest_alternatives(p_site integer, p_conflicts bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row          record;
    v_alternatives jsonb;
BEGIN
    FOR v_row IN SELECT c.appointment_id, max(c.severity) FILTER (WHERE radscheduler.is_about_time(c.code, c.other_appointment_id)) IS NOT DISTINCT FROM 'critical' AS is_critical FROM radscheduler.conflict c
        WHERE c.site_id = p_site AND c.conflict_id = ANY (p_conflicts) GROUP BY c.appointment_id ORDER BY c.appointment_id
    LOOP
        v_alternatives := CASE WHEN v_row.is_critical THEN radscheduler.alternatives(p_site, v_row.appointment_id) ELSE '[]' END;
        UPDATE radscheduler.conflict c SET alternatives = CASE WHEN c.severity = 'critical' THEN v_alternatives ELSE '[]' END
            WHERE c.site_id = p_site AND c.conflict_id = ANY (p_conflicts) AND c.appointment_id = v_row.appointment_id
              AND c.alternatives <> CASE WHEN c.severity = 'critical' THEN v_alternatives ELSE '[]' END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.suggest_alternatives(integer, bigint[]) IS 'Notes free times for the flagged appointments of conflicts that came or changed, where they are critical.';
