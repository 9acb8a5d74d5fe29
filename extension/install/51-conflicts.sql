-- Two appointments conflict on a subject when their buffered times overlap and at least one of them stands in an overbooked lane.
-- settle() makes the conflict rows say exactly that, for the subjects that a change touched: new pairs open, vanished pairs resolve,
-- waiting overbookings move into lanes that have become free, and reviews whose reason has gone are lifted.

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

CREATE FUNCTION radscheduler.conflict_pairs(p_site integer, p_appointment bigint, p_concerned bigint[], p_resources bigint[], p_patients bigint[],
        OUT axis radscheduler.axis, OUT subject_id bigint, OUT later_id bigint, OUT earlier_id bigint, OUT overlap tstzrange,
        OUT code text, OUT severity radscheduler.severity) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH subject AS (
        SELECT 'resource'::radscheduler.axis AS axis, r.resource_id AS subject_id, r.capacity, r.kind, r.role
        FROM radscheduler.resource r WHERE r.site_id = p_site AND r.resource_id = ANY (p_resources)
        UNION ALL
        SELECT 'patient', p, 1, NULL, NULL FROM unnest(p_patients) p
    ), concerned AS (
        SELECT s.axis, s.subject_id, c.id AS appointment_id FROM subject s, unnest(p_concerned) c(id)
    ), pair AS (
        SELECT DISTINCT s.axis, s.subject_id, s.kind, s.role, o.lane >= s.capacity AS mine_over, q.lane >= s.capacity AS its_over,
               o.appointment_id AS mine, q.appointment_id AS its, o.buffered * q.buffered AS overlap
        FROM concerned k
        JOIN subject s ON s.axis = k.axis AND s.subject_id = k.subject_id
        JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.appointment_id = k.appointment_id AND o.axis = s.axis AND o.subject_id = s.subject_id
        JOIN radscheduler.occupancy q ON q.site_id = p_site AND q.axis = s.axis AND q.subject_id = s.subject_id
                                     AND q.buffered && o.buffered AND q.appointment_id <> o.appointment_id
        WHERE (o.lane >= s.capacity) <> (q.lane >= s.capacity)
    ), told AS (
        SELECT DISTINCT ON (p.axis, p.subject_id, least(p.mine, p.its), greatest(p.mine, p.its))
               p.axis, p.subject_id, p.kind, p.role, p.overlap,
               CASE WHEN p.mine = p_appointment OR (p.its <> p_appointment AND p.mine_over) THEN p.mine ELSE p.its END AS later_id,
               CASE WHEN p.mine = p_appointment OR (p.its <> p_appointment AND p.mine_over) THEN p.its ELSE p.mine END AS earlier_id
        FROM pair p
        ORDER BY p.axis, p.subject_id, least(p.mine, p.its), greatest(p.mine, p.its), lower(p.overlap)
    )
    SELECT t.axis, t.subject_id, t.later_id, t.earlier_id, t.overlap,
           CASE WHEN t.axis = 'patient' THEN 'PATIENT_DOUBLE_BOOKED' ELSE upper(t.kind::text) || '_DOUBLE_BOOKED' END,
           CASE WHEN t.axis = 'patient' THEN 'critical' ELSE radscheduler.conflict_severity(t.kind, t.role, a.modality) END
    FROM told t
    JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = t.later_id;
END
$$;
COMMENT ON FUNCTION radscheduler.conflict_pairs(integer, bigint, bigint[], bigint[], bigint[]) IS
    'The pairs that conflict now on some subjects, seen from the appointments concerned: an overbooked lane against a legal one. The one that came later is the changed one, else the overbooked one.';

CREATE FUNCTION radscheduler.replace_overbooked(p_site integer, p_appointments bigint[], p_resources bigint[], p_patients bigint[]) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row   record;
    v_lane  smallint;
    v_moved integer := 0;
BEGIN
    FOR v_row IN
        SELECT o.occupancy_id, o.axis, o.subject_id, coalesce(r.capacity, 1) AS capacity, o.buffered
        FROM radscheduler.occupancy o
        LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
        WHERE o.site_id = p_site AND o.appointment_id = ANY (p_appointments) AND o.lane >= coalesce(r.capacity, 1)
          AND (o.axis = 'resource' AND o.subject_id = ANY (p_resources) OR o.axis = 'patient' AND o.subject_id = ANY (p_patients))
        ORDER BY o.occupancy_id
    LOOP
        SELECT min(g.lane) INTO v_lane
        FROM generate_series(0, v_row.capacity - 1) g(lane)
        WHERE NOT EXISTS (SELECT FROM radscheduler.occupancy b
                          WHERE b.site_id = p_site AND b.axis = v_row.axis AND b.subject_id = v_row.subject_id
                            AND b.lane = g.lane AND b.buffered && v_row.buffered);
        IF v_lane IS NOT NULL THEN
            UPDATE radscheduler.occupancy o SET lane = v_lane WHERE o.site_id = p_site AND o.occupancy_id = v_row.occupancy_id;
            v_moved := v_moved + 1;
        END IF;
    END LOOP;
    RETURN v_moved;
END
$$;
COMMENT ON FUNCTION radscheduler.replace_overbooked(integer, bigint[], bigint[], bigint[]) IS
    'Moves overbooked intervals of these appointments on these subjects into the lowest legal lane that has become free, oldest first; returns how many moved.';

CREATE FUNCTION radscheduler.settle(p_site integer, p_appointment bigint, p_resources bigint[], p_patients bigint[],
                                    p_message bigint DEFAULT NULL) RETURNS radscheduler.severity
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_partners bigint[];
    v_worst    radscheduler.severity;
    v_new      bigint[];
    v_healed   bigint[];
    v_audited  bigint;
    v_alternatives jsonb;
BEGIN
    -- Whoever was in conflict with it: only they can gain from its leaving.
    SELECT array_agg(DISTINCT u.id) INTO v_partners FROM (
        SELECT c.other_appointment_id FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.appointment_id = p_appointment AND c.state <> 'resolved'
        UNION ALL
        SELECT c.appointment_id FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.other_appointment_id = p_appointment AND c.state <> 'resolved') u(id);
    -- In the ordinary case nothing was, is, or comes to be in conflict: an overbooked lane, its own or one it overlaps, tells.
    IF v_partners IS NULL AND NOT EXISTS (
            SELECT FROM radscheduler.occupancy o
            LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
            WHERE o.site_id = p_site AND o.appointment_id = p_appointment
              AND (o.lane >= coalesce(r.capacity, 1)
                   OR EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = o.site_id AND c.axis = o.axis AND c.subject_id = o.subject_id AND c.state <> 'resolved')
                      AND EXISTS (SELECT FROM radscheduler.occupancy q
                                  WHERE q.site_id = o.site_id AND q.axis = o.axis AND q.subject_id = o.subject_id AND q.buffered && o.buffered
                                    AND q.lane >= coalesce(r.capacity, 1)))) THEN
        RETURN NULL;
    END IF;

    PERFORM FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (v_partners) ORDER BY a.appointment_id FOR UPDATE;
    PERFORM radscheduler.replace_overbooked(p_site, v_partners, p_resources, p_patients);

    WITH pair AS MATERIALIZED (
        SELECT * FROM radscheduler.conflict_pairs(p_site, p_appointment, p_appointment || v_partners, p_resources, p_patients)
    ), gone AS (
        UPDATE radscheduler.conflict c SET state = 'resolved', resolved_at = now()
        WHERE c.site_id = p_site AND c.state <> 'resolved'
          AND (c.appointment_id = ANY (p_appointment || v_partners) OR c.other_appointment_id = ANY (p_appointment || v_partners))
          AND (c.axis = 'resource' AND c.subject_id = ANY (p_resources) OR c.axis = 'patient' AND c.subject_id = ANY (p_patients))
          AND NOT EXISTS (SELECT FROM pair p WHERE p.axis = c.axis AND p.subject_id = c.subject_id
                          AND p.later_id IN (c.appointment_id, c.other_appointment_id)
                          AND p.earlier_id IN (c.appointment_id, c.other_appointment_id))
        RETURNING c.conflict_id, c.code, c.appointment_id, c.other_appointment_id
    ), opened AS (
        INSERT INTO radscheduler.conflict (site_id, code, severity, axis, subject_id, appointment_id, other_appointment_id, overlap)
        SELECT p_site, p.code, p.severity, p.axis, p.subject_id, p.later_id, p.earlier_id, p.overlap FROM pair p
        ON CONFLICT DO NOTHING
        RETURNING conflict_id, code, severity, appointment_id, other_appointment_id
    ), told AS (
        INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
        SELECT p_site, 'conflict.resolved', g.appointment_id, p_message,
               jsonb_build_object('conflict_id', g.conflict_id, 'code', g.code, 'with', g.other_appointment_id) FROM gone g
        UNION ALL
        SELECT p_site, 'conflict.detected', o.appointment_id, p_message,
               jsonb_build_object('conflict_id', o.conflict_id, 'code', o.code, 'severity', o.severity, 'with', o.other_appointment_id) FROM opened o
    ), audited AS (
        SELECT radscheduler.audit(p_site, c.action, 'conflict', c.id, jsonb_build_object('appointment_id', p_appointment, 'message_id', p_message))
        FROM (SELECT 'conflict.resolved', g.conflict_id FROM gone g UNION ALL SELECT 'conflict.detected', o.conflict_id FROM opened o) c(action, id)
    )
    SELECT (SELECT array_agg(o.conflict_id) FROM opened o WHERE o.appointment_id = p_appointment AND o.severity = 'critical'),
           (SELECT array_agg(DISTINCT g.appointment_id) FROM gone g), (SELECT count(*) FROM audited)
        INTO v_new, v_healed, v_audited;

    IF v_new IS NOT NULL THEN
        v_alternatives := radscheduler.alternatives(p_site, p_appointment);
        UPDATE radscheduler.conflict c SET alternatives = v_alternatives
            WHERE c.site_id = p_site AND c.conflict_id = ANY (v_new);
    END IF;
    PERFORM radscheduler.lift_reviews(p_site, v_healed, p_message);
    SELECT max(c.severity) INTO v_worst FROM radscheduler.conflict c
        WHERE c.site_id = p_site AND c.appointment_id = p_appointment AND c.state = 'open';
    RETURN v_worst;
END
$$;
COMMENT ON FUNCTION radscheduler.settle(integer, bigint, bigint[], bigint[], bigint) IS
    'Brings conflicts and reviews into line after an appointment changed; give every subject it held before or holds now. Returns the worst open conflict in which it is the later one, NULL when none.';
