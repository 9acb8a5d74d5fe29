-- Two appointments conflict on a subject when their buffered times overlap and exactly one of them stands in an overbooked lane: that one is
-- flagged, the other is told. settle() makes the conflict rows say exactly that for the appointments a change touched: new pairs open,
-- vanished pairs resolve, reviews come and go with them.

CREATE TABLE radscheduler.conflict_kind (
    code text PRIMARY KEY,
    axis text NOT NULL,
    text text NOT NULL
);
COMMENT ON TABLE  radscheduler.conflict_kind IS 'The kinds of conflict and their sentence.';
COMMENT ON COLUMN radscheduler.conflict_kind.code IS 'Stable code.';
COMMENT ON COLUMN radscheduler.conflict_kind.axis IS 'room, equipment, staff or patient.';
COMMENT ON COLUMN radscheduler.conflict_kind.text IS 'Sentence; %s is the resource.';
INSERT INTO radscheduler.conflict_kind VALUES
    ('ROOM_DOUBLE_BOOKED', 'room', 'Room %s is booked twice.'),
    ('EQUIPMENT_DOUBLE_BOOKED', 'equipment', 'Equipment %s is booked twice.'),
    ('STAFF_DOUBLE_BOOKED', 'staff', 'Staff member %s is booked twice.'),
    ('PATIENT_DOUBLE_BOOKED', 'patient', 'The patient is booked twice.');

CREATE FUNCTION radscheduler.conflict_severity(p_kind radscheduler.resource_kind, p_role text, p_modality text) RETURNS radscheduler.severity
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT CASE WHEN p_kind = 'staff' AND p_role LIKE '%RADIOLOGIST%' AND coalesce(p_modality, '') NOT IN ('XA', 'RF')
                THEN 'warning'::radscheduler.severity ELSE 'critical' END);
END
$$;
COMMENT ON FUNCTION radscheduler.conflict_severity(radscheduler.resource_kind, text, text) IS
    'A radiologist reads several diagnostic exams at once: a warning. Everything else, and radiologists in intervention or fluoroscopy (XA, RF): critical.';

CREATE FUNCTION radscheduler.conflict_pairs(p_site integer, p_appointments bigint[],
        OUT axis radscheduler.axis, OUT subject_id bigint, OUT appointment_id bigint, OUT other_appointment_id bigint, OUT overlap tstzrange,
        OUT code text, OUT severity radscheduler.severity) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH pair AS (
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
    SELECT p.axis, p.subject_id, p.flagged, p.holder, p.overlap,
           CASE WHEN p.axis = 'patient' THEN 'PATIENT_DOUBLE_BOOKED' ELSE upper(p.kind::text) || '_DOUBLE_BOOKED' END,
           CASE WHEN a.is_overbook THEN 'warning' WHEN p.axis = 'patient' THEN 'critical' ELSE radscheduler.conflict_severity(p.kind, p.role, a.modality) END
    FROM pair p
    JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = p.flagged;
END
$$;
COMMENT ON FUNCTION radscheduler.conflict_pairs(integer, bigint[]) IS
    'The pairs in conflict now with one of these appointments on either side: appointment_id stands in an overbooked lane, other_appointment_id holds a legal one. Where the sender said Overbook it knows, and the conflict only warns.';

CREATE FUNCTION radscheduler.in_question(p_site integer, p_appointments bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_crowded bigint[];
    v_marked  bigint[];
BEGIN
    -- Whoever overlaps nobody is in no conflict. OFFSET 0: rows are looked up by id, whatever the planner thinks of the tables' sizes.
    v_crowded := ARRAY(
        SELECT DISTINCT u.id FROM unnest(p_appointments) u(id)
        CROSS JOIN LATERAL (SELECT * FROM radscheduler.occupancy o WHERE o.site_id = p_site AND o.appointment_id = u.id OFFSET 0) o
        WHERE EXISTS (SELECT FROM radscheduler.occupancy q
                      WHERE q.site_id = p_site AND q.axis = o.axis AND q.subject_id = o.subject_id AND q.buffered && o.buffered AND q.appointment_id <> u.id));
    IF v_crowded <> '{}' THEN
        v_crowded := ARRAY(
            SELECT DISTINCT u.id FROM unnest(v_crowded) u(id)
            CROSS JOIN LATERAL (SELECT o.*, coalesce((SELECT r.capacity FROM radscheduler.resource r WHERE o.axis = 'resource' AND r.site_id = p_site AND r.resource_id = o.subject_id), 1) AS capacity
                                FROM radscheduler.occupancy o WHERE o.site_id = p_site AND o.appointment_id = u.id OFFSET 0) o
            WHERE o.lane >= o.capacity
               OR EXISTS (SELECT FROM radscheduler.occupancy q
                          WHERE q.site_id = p_site AND q.axis = o.axis AND q.subject_id = o.subject_id AND q.buffered && o.buffered AND q.lane >= o.capacity));
    END IF;
    v_marked := ARRAY(SELECT c.appointment_id FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.appointment_id = ANY (p_appointments) AND c.state <> 'resolved'
                      UNION SELECT c.other_appointment_id FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.other_appointment_id = ANY (p_appointments) AND c.state <> 'resolved');
    RETURN nullif(v_crowded || v_marked, '{}');
END
$$;
COMMENT ON FUNCTION radscheduler.in_question(integer, bigint[]) IS
    'Those of some appointments that are, were or come to be in conflict: in the ordinary case none, and that is found out cheaply. An overbooked lane, its own or one it overlaps, tells.';

CREATE FUNCTION radscheduler.settle_pairs(p_site integer, p_concerned bigint[], p_changed bigint[], p_messages bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_touched bigint[];
    v_gone    bigint[];
    v_opened  bigint[];
BEGIN
    PERFORM FROM radscheduler.appointment a
        WHERE a.site_id = p_site AND a.appointment_id = ANY (p_concerned || ARRAY(
            SELECT unnest(ARRAY[c.appointment_id, c.other_appointment_id]) FROM radscheduler.conflict c
            WHERE c.site_id = p_site AND c.state <> 'resolved' AND (c.appointment_id = ANY (p_concerned) OR c.other_appointment_id = ANY (p_concerned))))
        ORDER BY a.appointment_id FOR UPDATE;
    WITH pair AS MATERIALIZED (
        SELECT * FROM radscheduler.conflict_pairs(p_site, p_concerned)
    ), gone AS (
        UPDATE radscheduler.conflict c SET state = 'resolved', resolved_at = now()
        WHERE c.site_id = p_site AND c.state <> 'resolved' AND (c.appointment_id = ANY (p_concerned) OR c.other_appointment_id = ANY (p_concerned))
          AND c.code NOT IN (SELECT k.code FROM radscheduler.rule_kind k)
          AND NOT EXISTS (SELECT FROM pair p WHERE p.axis = c.axis AND p.subject_id = c.subject_id AND p.code = c.code AND p.severity = c.severity
                          AND p.appointment_id = c.appointment_id AND p.other_appointment_id = c.other_appointment_id)
        RETURNING c.conflict_id, c.appointment_id
    )
    SELECT array_agg(g.conflict_id), array_agg(DISTINCT g.appointment_id) INTO v_gone, v_touched FROM gone g;
    WITH opened AS (
        INSERT INTO radscheduler.conflict AS c (site_id, code, severity, axis, subject_id, appointment_id, other_appointment_id, overlap)
        SELECT p_site, p.code, p.severity, p.axis, p.subject_id, p.appointment_id, p.other_appointment_id, p.overlap
        FROM radscheduler.conflict_pairs(p_site, p_concerned) p
        ORDER BY p.appointment_id, p.axis, p.subject_id, p.other_appointment_id
        ON CONFLICT DO NOTHING
        RETURNING c.conflict_id, c.appointment_id
    )
    SELECT array_agg(o.conflict_id), v_touched || array_agg(DISTINCT o.appointment_id) INTO v_opened, v_touched FROM opened o;
    -- An interval that only changed is the same conflict still.
    UPDATE radscheduler.conflict c SET overlap = p.overlap
        FROM radscheduler.conflict_pairs(p_site, p_concerned) p
        WHERE c.site_id = p_site AND c.state <> 'resolved' AND c.axis = p.axis AND c.subject_id = p.subject_id AND c.code = p.code
          AND c.appointment_id = p.appointment_id AND c.other_appointment_id = p.other_appointment_id AND c.overlap <> p.overlap;
    PERFORM radscheduler.tell_conflicts(p_site, v_gone || v_opened, p_changed, p_messages);
    PERFORM radscheduler.suggest_alternatives(p_site, v_opened);
    RETURN v_touched;
END
$$;
COMMENT ON FUNCTION radscheduler.settle_pairs(integer, bigint[], bigint[], bigint[]) IS
    'The part of settle() for double bookings: conflicts of these appointments become what conflict_pairs() says. Returns the flagged appointments of conflicts that went or came.';

CREATE FUNCTION radscheduler.settle(p_site integer, p_changed bigint[], p_moved bigint[], p_messages bigint[] DEFAULT NULL) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_concerned bigint[] := radscheduler.in_question(p_site, p_changed) || p_moved;
    v_touched   bigint[];
BEGIN
    IF cardinality(v_concerned) > 0 THEN
        v_touched := radscheduler.settle_pairs(p_site, v_concerned, p_changed, p_messages);
    END IF;
    v_touched := v_touched || radscheduler.settle_rules(p_site, p_changed, p_moved, p_messages);
    IF v_concerned IS NULL AND v_touched IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM radscheduler.review(p_site, v_touched || p_changed, p_changed, p_messages[1]);
    RETURN (SELECT array_agg(u.id) FROM unnest(p_changed) u(id)
            WHERE EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.appointment_id = u.id AND c.state = 'open' AND c.severity > 'info')
               OR EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.other_appointment_id = u.id AND c.state = 'open' AND c.severity > 'info'));
END
$$;
COMMENT ON FUNCTION radscheduler.settle(integer, bigint[], bigint[], bigint[]) IS
    'Brings conflicts and reviews into line after appointments changed. p_changed: those whose rows the caller changed and whose versions he will record; p_moved: others whose lanes changed in passing (what occupy() and vacate() return); p_messages: the messages that changed p_changed, side by side. Returns those of p_changed that have an open conflict worse than info, on either side; NULL when none.';

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
    'Tells conflicts that went and came in event_log and the audit log; p_messages caused the changes of p_changed, side by side.';

CREATE FUNCTION radscheduler.suggest_alternatives(p_site integer, p_conflicts bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_id           bigint;
    v_alternatives jsonb;
BEGIN
    FOR v_id IN SELECT DISTINCT c.appointment_id FROM radscheduler.conflict c
        WHERE c.site_id = p_site AND c.conflict_id = ANY (p_conflicts) AND c.severity = 'critical' ORDER BY 1
    LOOP
        v_alternatives := radscheduler.alternatives(p_site, v_id);
        UPDATE radscheduler.conflict c SET alternatives = v_alternatives
            WHERE c.site_id = p_site AND c.conflict_id = ANY (p_conflicts) AND c.appointment_id = v_id AND c.severity = 'critical';
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.suggest_alternatives(integer, bigint[]) IS 'Notes free times for the flagged appointments of critical conflicts that were opened.';
