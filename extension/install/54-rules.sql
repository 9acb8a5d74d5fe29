-- Conflicts that no exclusion constraint can hold: opening hours, blocks, what a scanner can do, how many exams a modality can take at once, ways
-- between rooms. rule_conflicts() says which rules some appointments break now; settle_rules() (55-rule-rows.sql) makes the rows of conflict say the same.
-- An ordinary booking breaks none, and rule_suspects() finds that out with a few index probes.

INSERT INTO radscheduler.conflict_kind VALUES
    ('OUTSIDE_HOURS', 'rule', 'The exam lies outside the opening hours of %s.'),
    ('RESOURCE_BLOCKED', 'rule', '%s is blocked at that time.'),
    ('MAINTENANCE', 'rule', '%s is out of service at that time.'),
    ('MODALITY_MISMATCH', 'rule', '%s cannot do this kind of exam.'),
    ('CAPACITY_EXCEEDED', 'rule', 'More %s exams are booked at that time than there are scanners.'),
    ('PATIENT_TRAVEL', 'patient', 'The patient has too little time to get from one exam to the next.'),
    ('INVALID_TIME', 'rule', 'The appointment takes more than 24 hours.');

CREATE TABLE radscheduler.rule_kind (
    code        text PRIMARY KEY REFERENCES radscheduler.conflict_kind,
    severity    radscheduler.severity NOT NULL,
    if_overbook radscheduler.severity,
    if_urgent   radscheduler.severity
);
COMMENT ON TABLE  radscheduler.rule_kind IS 'The rules that appointments are held to besides double booking, and how bad breaking one is. A site''s own choice is a row of rule_setting.';
COMMENT ON COLUMN radscheduler.rule_kind.code IS 'Code of the conflict, see conflict_kind.';
COMMENT ON COLUMN radscheduler.rule_kind.severity IS 'Severity; CAPACITY_EXCEEDED is critical beyond one and a half times the capacity.';
COMMENT ON COLUMN radscheduler.rule_kind.if_overbook IS 'At most this bad where the sender says Overbook; NULL: Overbook excuses nothing.';
COMMENT ON COLUMN radscheduler.rule_kind.if_urgent IS 'At most this bad for urgency stat and for emergency and inpatients, to whom it happens daily; NULL: no difference.';
INSERT INTO radscheduler.rule_kind VALUES
    ('OUTSIDE_HOURS', 'warning', 'warning', 'info'),
    ('RESOURCE_BLOCKED', 'critical', 'warning', NULL),
    ('MAINTENANCE', 'critical', NULL, NULL),
    ('MODALITY_MISMATCH', 'critical', NULL, NULL),
    ('CAPACITY_EXCEEDED', 'warning', 'warning', 'warning'),
    ('PATIENT_TRAVEL', 'warning', 'warning', NULL),
    ('INVALID_TIME', 'critical', NULL, NULL);

CREATE FUNCTION radscheduler.takes_time(status radscheduler.appointment_status, holds_time boolean) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN radscheduler.is_occupying(status) OR holds_time AND status = 'PENDING';
COMMENT ON FUNCTION radscheduler.takes_time(radscheduler.appointment_status, boolean) IS 'Whether an appointment takes time: by its state, or as a PENDING one whose sender says so (appointment.holds_time).';

CREATE FUNCTION radscheduler.rule_subject(p_site integer, p_code text, p_appointment bigint) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN CASE p_code
        WHEN 'OUTSIDE_HOURS' THEN (SELECT s.name FROM radscheduler.site s WHERE s.site_id = p_site)
        WHEN 'CAPACITY_EXCEEDED' THEN (SELECT coalesce(m.label, a.modality) FROM radscheduler.appointment a
                                       LEFT JOIN radscheduler.modality m ON m.site_id = a.site_id AND m.code = a.modality
                                       WHERE a.site_id = p_site AND a.appointment_id = p_appointment) END;
END
$$;
COMMENT ON FUNCTION radscheduler.rule_subject(integer, text, bigint) IS
    'What the sentence of a conflict (conflict_kind.text) is about where that is no resource: the site whose hours count, the modality whose scanners are too few; else NULL.';

CREATE FUNCTION radscheduler.pool_excess(p_site integer, p_appointment bigint, OUT excess tstzrange, OUT peak integer, OUT capacity integer) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_mine     record;
    v_pool     bigint[];
BEGIN
    SELECT a.appointment_id, a.modality, a.starts_at, a.ends_at, tstzrange(a.starts_at, a.ends_at) AS during,
           radscheduler.claim_of(a.moved_at, a.booked_at, a.created_at) AS claim INTO v_mine
        FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment AND a.is_pooled;
    -- The scanners; rooms where the site has registered no scanner of the modality, as with ultrasound bays.
    SELECT array_agg(r.resource_id), sum(r.capacity)::integer INTO v_pool, pool_excess.capacity
        FROM (SELECT r.resource_id, r.capacity, rank() OVER (ORDER BY r.kind = 'equipment' DESC) AS rank
              FROM radscheduler.resource r
              WHERE r.site_id = p_site AND r.is_active AND r.is_registered AND r.kind IN ('equipment', 'room')
                AND (r.modality = v_mine.modality OR v_mine.modality = ANY (r.modalities))) r
        WHERE r.rank = 1;
    IF v_pool IS NULL THEN
        RETURN;
    END IF;
    -- Exams on a scanner stand before those that name none; among the latter who claimed the time first.
    WITH other AS (
        SELECT o.during * v_mine.during AS during
        FROM unnest(v_pool) p(id)
        JOIN radscheduler.resource r ON r.site_id = p_site AND r.resource_id = p.id
        JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.axis = 'resource' AND o.subject_id = p.id AND o.buffered && v_mine.during
                                     AND o.lane < r.capacity
        WHERE o.during && v_mine.during
        UNION ALL
        SELECT tstzrange(q.starts_at, q.ends_at) * v_mine.during
        FROM radscheduler.appointment q
        WHERE q.site_id = p_site AND q.modality = v_mine.modality AND q.is_pooled AND tstzrange(q.starts_at, q.ends_at) && v_mine.during
          AND (radscheduler.claim_of(q.moved_at, q.booked_at, q.created_at), q.appointment_id) < (v_mine.claim, v_mine.appointment_id)
    ), edge AS (
        SELECT lower(o.during) AS at, 1 AS step FROM other o
        UNION ALL
        SELECT upper(o.during), -1 FROM other o
        UNION ALL
        SELECT v_mine.starts_at, 1
    ), level AS (
        SELECT e.at, lead(e.at, 1, v_mine.ends_at) OVER (ORDER BY e.at) AS until, sum(sum(e.step)) OVER (ORDER BY e.at)::integer AS exams
        FROM edge e GROUP BY e.at
    )
    SELECT CASE WHEN count(*) > 0 THEN tstzrange(min(l.at), max(l.until)) END, max(l.exams) INTO pool_excess.excess, pool_excess.peak
        FROM level l WHERE l.exams > pool_excess.capacity AND l.at < l.until;
END
$$;
COMMENT ON FUNCTION radscheduler.pool_excess(integer, bigint) IS
    'When an exam that names no scanner finds none: the time, the most exams at once and the capacity of the active registered scanners of its modality (rooms where there is no scanner). excess is NULL where one is free for it; everything is NULL where none is registered.';

CREATE FUNCTION radscheduler.is_elsewhere(p_site integer, p_one bigint, p_other bigint) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (WITH place AS (
            SELECT o.appointment_id, coalesce(r.location, '#' || r.resource_id) AS name, rank() OVER (PARTITION BY o.appointment_id ORDER BY r.kind = 'room' DESC) AS rank
            FROM radscheduler.occupancy o
            JOIN radscheduler.resource r ON r.site_id = o.site_id AND r.resource_id = o.subject_id AND r.kind IN ('room', 'equipment')
            WHERE o.site_id = p_site AND o.appointment_id IN (p_one, p_other) AND o.axis = 'resource')
        SELECT count(DISTINCT p.appointment_id) = 2 AND NOT EXISTS (
                   SELECT FROM place a JOIN place b ON b.name = a.name AND b.appointment_id = p_other AND b.rank = 1 WHERE a.appointment_id = p_one AND a.rank = 1)
        FROM place p);
END
$$;
COMMENT ON FUNCTION radscheduler.is_elsewhere(integer, bigint, bigint) IS
    'Whether two appointments are known to be in different places: by the location of their rooms, else of their scanners; a resource without location is a place of its own.';

CREATE FUNCTION radscheduler.can_do(p_site integer, p_appointment bigint, p_resource bigint, p_modalities text[]) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM radscheduler.appointment_service s
        CROSS JOIN LATERAL radscheduler.procedure_of(s.site_id, s.code, NULL) p
        WHERE s.site_id = p_site AND s.appointment_id = p_appointment AND s.status IS NULL
          AND (SELECT count(*) > 1 FROM radscheduler.appointment_service n WHERE n.site_id = p_site AND n.appointment_id = p_appointment AND n.status IS NULL)
          AND s.group_no IN (SELECT r.group_no FROM radscheduler.appointment_resource r
                             WHERE r.site_id = p_site AND r.appointment_id = p_appointment AND r.resource_id = p_resource AND r.status IS NULL)
          AND coalesce(p.modality, radscheduler.modality_guess(p_site, ARRAY[s.code], ARRAY[s.name])) = ANY (p_modalities));
END
$$;
COMMENT ON FUNCTION radscheduler.can_do(integer, bigint, bigint, text[]) IS
    'Whether, of several exams of one appointment, one in the resource''s own group is of these modalities: the appointment''s modality is that of its first exam only.';

CREATE FUNCTION radscheduler.rule_suspects(p_site integer, p_appointments bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_zone   text;
    v_travel interval;
BEGIN
    SELECT coalesce(s.timezone, radscheduler.default_zone()), nullif(make_interval(mins => s.travel_minutes::integer), interval '0') INTO v_zone, v_travel
        FROM radscheduler.site s WHERE s.site_id = p_site;
    RETURN (SELECT array_agg(a.appointment_id)
        FROM radscheduler.appointment a
        CROSS JOIN LATERAL (
            SELECT coalesce(bool_or(r.kind <> 'staff'), false) AS has_place,
                   bool_or(CASE WHEN o.axis = 'patient' THEN
                       v_travel IS NOT NULL AND EXISTS (
                           SELECT FROM radscheduler.occupancy q
                           WHERE q.site_id = o.site_id AND q.axis = 'patient' AND q.subject_id = o.subject_id AND q.appointment_id <> o.appointment_id
                             AND q.buffered && tstzrange(lower(o.during) - v_travel, upper(o.during) + v_travel))
                   ELSE
                       r.kind <> 'staff' AND a.modality <> r.modality AND a.modality <> ALL (r.modalities)
                       OR EXISTS (SELECT FROM radscheduler.resource_block b WHERE b.site_id = o.site_id AND b.resource_id = o.subject_id AND b.during && o.during)
                       -- One row of its hours, or of the site's, that holds the whole exam.
                       OR NOT EXISTS (
                           SELECT FROM radscheduler.resource_hours h
                           WHERE h.site_id = o.site_id AND h.resource_id = o.subject_id AND h.weekday = extract(isodow FROM timezone(v_zone, lower(o.during)))::smallint
                             AND h.valid @> timezone(v_zone, lower(o.during))::date AND h.opens <= timezone(v_zone, lower(o.during))::time
                             AND timezone(v_zone, upper(o.during)) <= timezone(v_zone, lower(o.during))::date + h.closes)
                          AND (EXISTS (SELECT FROM radscheduler.resource_hours h WHERE h.site_id = o.site_id AND h.resource_id = o.subject_id)
                               OR r.kind <> 'staff' AND NOT EXISTS (
                                   SELECT FROM radscheduler.resource_hours h
                                   WHERE h.site_id = o.site_id AND h.resource_id IS NULL AND h.weekday = extract(isodow FROM timezone(v_zone, lower(o.during)))::smallint
                                     AND h.valid @> timezone(v_zone, lower(o.during))::date AND h.opens <= timezone(v_zone, lower(o.during))::time
                                     AND timezone(v_zone, upper(o.during)) <= timezone(v_zone, lower(o.during))::date + h.closes))
                   END) AS is_doubtful
            FROM radscheduler.occupancy o
            LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
            WHERE o.site_id = a.site_id AND o.appointment_id = a.appointment_id) x
        WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments)
          AND (a.is_pooled
               OR radscheduler.takes_time(a.status, a.holds_time) AND a.starts_at IS NOT NULL
                  AND (x.is_doubtful OR NOT x.has_place OR a.ends_at - a.starts_at > interval '24 hours')
               OR EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = a.site_id AND c.appointment_id = a.appointment_id AND c.state <> 'resolved')
               OR EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = a.site_id AND c.other_appointment_id = a.appointment_id AND c.state <> 'resolved')));
END
$$;
COMMENT ON FUNCTION radscheduler.rule_suspects(integer, bigint[]) IS
    'Those of some appointments that may break a rule or have an unresolved conflict, and those that are or come to be in a pool: the cheap question before rule_conflicts(). NULL in the ordinary case, a scanner within its hours.';

CREATE FUNCTION radscheduler.rule_conflicts(p_site integer, p_appointments bigint[])
    RETURNS TABLE (appointment_id bigint, code text, severity radscheduler.severity, axis radscheduler.axis, subject_id bigint,
                   other_appointment_id bigint, overlap tstzrange)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH place AS MATERIALIZED (
        SELECT coalesce(s.timezone, radscheduler.default_zone()) AS zone, make_interval(mins => s.travel_minutes::integer) AS travel
        FROM radscheduler.site s WHERE s.site_id = p_site
    ), changed AS MATERIALIZED (
        SELECT a.appointment_id, a.modality, tstzrange(a.starts_at, a.ends_at) AS during, a.is_pooled
        FROM radscheduler.appointment a
        WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) AND a.starts_at IS NOT NULL AND radscheduler.takes_time(a.status, a.holds_time)
    ), held AS MATERIALIZED (
        SELECT c.appointment_id, c.modality, r.resource_id, r.kind, o.during,
               CASE WHEN r.is_registered AND r.kind <> 'staff' AND r.modality IS NOT NULL THEN r.modality || r.modalities END AS able,
               EXISTS (SELECT FROM radscheduler.resource_hours h WHERE h.site_id = p_site AND h.resource_id = r.resource_id) AS has_hours
        FROM changed c
        JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.appointment_id = c.appointment_id AND o.axis = 'resource'
        JOIN radscheduler.resource r ON r.site_id = p_site AND r.resource_id = o.subject_id
    ), timed AS (
        -- Whose hours count: those of a resource that has some, else the site's for scanners, rooms and exams that name neither. Staff work when they work.
        SELECT h.appointment_id, h.resource_id, h.during, timezone(p.zone, lower(h.during)) AS from_local, timezone(p.zone, upper(h.during)) AS until_local
        FROM held h, place p WHERE h.has_hours
        UNION ALL
        SELECT h.appointment_id, NULL, h.during, timezone(p.zone, lower(h.during)), timezone(p.zone, upper(h.during))
        FROM held h, place p WHERE NOT h.has_hours AND h.kind <> 'staff'
        UNION ALL
        SELECT c.appointment_id, NULL, c.during, timezone(p.zone, lower(c.during)), timezone(p.zone, upper(c.during)) FROM changed c, place p WHERE c.is_pooled
    ), doubtful AS MATERIALIZED (
        -- One row of hours that holds the whole exam is enough for nearly all; what is left is looked at closely.
        SELECT t.appointment_id, t.resource_id, t.during FROM timed t
        WHERE t.resource_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM radscheduler.resource_hours h
            WHERE h.site_id = p_site AND h.resource_id = t.resource_id AND h.weekday = extract(isodow FROM t.from_local)::smallint AND h.valid @> t.from_local::date
              AND h.opens <= t.from_local::time AND t.until_local <= t.from_local::date + h.closes)
        UNION ALL
        SELECT t.appointment_id, t.resource_id, t.during FROM timed t
        WHERE t.resource_id IS NULL AND NOT EXISTS (
            SELECT FROM radscheduler.resource_hours h
            WHERE h.site_id = p_site AND h.resource_id IS NULL AND h.weekday = extract(isodow FROM t.from_local)::smallint AND h.valid @> t.from_local::date
              AND h.opens <= t.from_local::time AND t.until_local <= t.from_local::date + h.closes)
          AND EXISTS (SELECT FROM radscheduler.resource_hours h WHERE h.site_id = p_site AND h.resource_id IS NULL)
    ), broken AS (
        SELECT d.appointment_id, 'OUTSIDE_HOURS' AS code, NULL::radscheduler.severity AS severity, 'resource'::radscheduler.axis AS axis,
               coalesce(d.resource_id, 0) AS subject_id, NULL::bigint AS other_appointment_id, range_merge(x.shut) AS overlap
        FROM doubtful d, LATERAL (SELECT tstzmultirange(d.during) - radscheduler.open_hours(p_site, d.resource_id, lower(d.during), upper(d.during)) AS shut OFFSET 0) x
        WHERE NOT isempty(x.shut)
        UNION ALL
        SELECT h.appointment_id, CASE b.kind WHEN 'block' THEN 'RESOURCE_BLOCKED' ELSE 'MAINTENANCE' END, NULL, 'resource', h.resource_id, NULL, h.during * b.during
        FROM held h JOIN radscheduler.resource_block b ON b.site_id = p_site AND b.resource_id = h.resource_id AND b.during && h.during
        UNION ALL
        SELECT h.appointment_id, 'MODALITY_MISMATCH', NULL, 'resource', h.resource_id, NULL, h.during
        FROM held h WHERE h.modality <> 'OT' AND h.modality <> ALL (h.able) AND NOT radscheduler.can_do(p_site, h.appointment_id, h.resource_id, h.able)
        UNION ALL
        SELECT c.appointment_id, 'CAPACITY_EXCEEDED', CASE WHEN 2 * x.peak > 3 * x.capacity THEN 'critical'::radscheduler.severity END, 'resource', 0, NULL, x.excess
        FROM changed c, LATERAL radscheduler.pool_excess(p_site, c.appointment_id) x WHERE c.is_pooled AND x.excess IS NOT NULL
        UNION ALL
        -- Two appointments of several exams each can be too close in both directions: one row tells of the first time.
        (SELECT DISTINCT ON (least(o.appointment_id, q.appointment_id), greatest(o.appointment_id, q.appointment_id))
               CASE WHEN q.during < o.during THEN o.appointment_id ELSE q.appointment_id END, 'PATIENT_TRAVEL', NULL::radscheduler.severity, 'patient'::radscheduler.axis, o.subject_id,
               CASE WHEN q.during < o.during THEN q.appointment_id ELSE o.appointment_id END,
               tstzrange(greatest(lower(o.during), lower(q.during)), least(upper(o.during), upper(q.during)) + p.travel)
        FROM place p
        CROSS JOIN changed c
        JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.appointment_id = c.appointment_id AND o.axis = 'patient'
        JOIN radscheduler.occupancy q ON q.site_id = p_site AND q.axis = 'patient' AND q.subject_id = o.subject_id AND q.appointment_id <> o.appointment_id
                                     AND q.buffered && tstzrange(lower(o.during) - p.travel, upper(o.during) + p.travel)
        JOIN radscheduler.appointment b ON b.site_id = p_site AND b.appointment_id = q.appointment_id AND radscheduler.takes_time(b.status, b.holds_time)
        WHERE p.travel > interval '0' AND NOT q.during && o.during AND radscheduler.is_elsewhere(p_site, o.appointment_id, q.appointment_id)
        ORDER BY least(o.appointment_id, q.appointment_id), greatest(o.appointment_id, q.appointment_id), greatest(lower(o.during), lower(q.during)), lower(q.during))
        UNION ALL
        SELECT c.appointment_id, 'INVALID_TIME', NULL, 'resource', 0, NULL, c.during FROM changed c WHERE upper(c.during) - lower(c.during) > interval '24 hours'
    )
    SELECT b.appointment_id, b.code,
           least(coalesce(s.severity::radscheduler.severity, max(b.severity), k.severity), CASE WHEN a.is_overbook THEN k.if_overbook END,
                 CASE WHEN a.urgency = 'stat' OR a.patient_class IN ('E', 'I') THEN k.if_urgent END),
           b.axis, b.subject_id, b.other_appointment_id, range_merge(range_agg(b.overlap))
    FROM broken b
    JOIN radscheduler.rule_kind k ON k.code = b.code
    JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = b.appointment_id
    LEFT JOIN radscheduler.rule_setting s ON s.site_id = p_site AND s.code = b.code
    WHERE s.severity IS DISTINCT FROM 'off'
    GROUP BY b.appointment_id, b.code, b.axis, b.subject_id, b.other_appointment_id, k.code, a.is_overbook, a.urgency, a.patient_class, s.severity;
END
$$;
COMMENT ON FUNCTION radscheduler.rule_conflicts(integer, bigint[]) IS
    'The rules (rule_kind) that some appointments break now, as rows of conflict would say it, severity by the site''s choice, Overbook and urgency. subject_id is 0 where the site as a whole or the appointment itself is meant. Of two exams too close together the later one in time is appointment_id. Only appointments that take time; call mark_pooled() before.';
