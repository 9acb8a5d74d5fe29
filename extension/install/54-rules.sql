-- Conflicts that no exclusion constraint can hold: opening hours, blocks, what a scanner can do, how many exams a modality can take at once, ways
-- between rooms. rule_conflicts() says which rules some appointments break now; settle() makes the rows of conflict say the same.
-- Pools are in 55-pools.sql, the clinical rules in 59-clinical-*.sql. An ordinary booking breaks no rule, and doubtful() (56-doubts.sql) finds that out with a few index probes.

INSERT INTO radscheduler.conflict_kind VALUES
    ('OUTSIDE_HOURS', 'rule', 'The exam lies outside the opening hours of %s.'),
    ('RESOURCE_BLOCKED', 'rule', '%s is blocked at that time.'),
    ('MAINTENANCE', 'rule', '%s is out of service at that time.'),
    ('MODALITY_MISMATCH', 'rule', '%s cannot do this kind of exam.'),
    ('CAPACITY_EXCEEDED', 'rule', 'More %s exams are booked at that time than there are scanners.'),
    ('PATIENT_TRAVEL', 'patient', 'The patient has too little time to get from one exam to the next.'),
    ('INVALID_TIME', 'rule', 'The time of the appointment cannot be right: %s.'),
    ('RESERVED', 'rule', 'Time of %s is kept for more urgent exams.'),
    ('WRONG_EXAM_BLOCK', 'rule', 'Time of %s is kept for other exams.');

CREATE TABLE radscheduler.rule_kind (
    code        text PRIMARY KEY REFERENCES radscheduler.conflict_kind,
    severity    radscheduler.severity NOT NULL,
    if_overbook radscheduler.severity,
    if_urgent   radscheduler.severity,
    if_unknown  radscheduler.severity,
    needs_fact  boolean NOT NULL DEFAULT false,
    question    text,
    unknown_text text,
    parameters  jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE  radscheduler.rule_kind IS 'The rules that appointments are held to besides double booking, and how bad breaking one is. A site''s own choice is a row of rule_setting.';
COMMENT ON COLUMN radscheduler.rule_kind.code IS 'Code of the conflict, see conflict_kind.';
COMMENT ON COLUMN radscheduler.rule_kind.severity IS 'Severity. CAPACITY_EXCEEDED is critical beyond one and a half times the capacity, PATIENT_TRAVEL between campuses; INVALID_TIME only warns of a start that the change of clocks skips.';
COMMENT ON COLUMN radscheduler.rule_kind.if_overbook IS 'At most this bad where the sender says Overbook; NULL: Overbook excuses nothing.';
COMMENT ON COLUMN radscheduler.rule_kind.if_urgent IS 'At most this bad for urgency stat and for emergency and inpatients, to whom it happens daily; NULL: no difference.';
COMMENT ON COLUMN radscheduler.rule_kind.if_unknown IS 'Clinical rules: severity where the rule cannot tell, because nobody has recorded what it asks; missing data is never taken for safe. NULL for the others.';
COMMENT ON COLUMN radscheduler.rule_kind.needs_fact IS 'Clinical rules: it tells of a danger that somebody recorded about the patient, which site.clinical_rules = known tells too.';
COMMENT ON COLUMN radscheduler.rule_kind.question IS 'Clinical rules: what the rule asks.';
COMMENT ON COLUMN radscheduler.rule_kind.unknown_text IS 'Clinical rules: the sentence of a conflict where the rule cannot tell; conflict_kind.text is the one where it is broken.';
COMMENT ON COLUMN radscheduler.rule_kind.parameters IS 'Clinical rules: the default values of rule_parameter in one object.';
INSERT INTO radscheduler.rule_kind VALUES
    ('OUTSIDE_HOURS', 'warning', 'warning', 'info'),
    ('RESOURCE_BLOCKED', 'critical', 'warning', NULL),
    ('MAINTENANCE', 'critical', NULL, NULL),
    ('MODALITY_MISMATCH', 'critical', NULL, NULL),
    ('CAPACITY_EXCEEDED', 'warning', 'warning', 'warning'),
    ('PATIENT_TRAVEL', 'warning', 'warning', NULL),
    ('INVALID_TIME', 'critical', NULL, NULL),
    ('RESERVED', 'warning', 'warning', 'info'),
    ('WRONG_EXAM_BLOCK', 'warning', 'warning', 'info');

CREATE FUNCTION radscheduler.is_rule(code text) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM radscheduler.rule_kind k WHERE k.code = is_rule.code);
END
$$;
COMMENT ON FUNCTION radscheduler.is_rule(text) IS 'Whether rule_kind has this code; what rule_setting may name.';

CREATE FUNCTION radscheduler.is_clinical_rule(code text) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM radscheduler.rule_kind k WHERE k.code = is_clinical_rule.code AND k.question IS NOT NULL);
END
$$;
COMMENT ON FUNCTION radscheduler.is_clinical_rule(text) IS 'Whether rule_kind has this code as a clinical rule, one that may find that it cannot tell.';

CREATE FUNCTION radscheduler.takes_time(status radscheduler.appointment_status, holds_time boolean) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN radscheduler.is_occupying(status) OR holds_time AND status = 'PENDING';
COMMENT ON FUNCTION radscheduler.takes_time(radscheduler.appointment_status, boolean) IS 'Whether an appointment takes time: by its state, or as a PENDING one whose sender says so (appointment.holds_time).';

CREATE FUNCTION radscheduler.is_urgent(urgency text, patient_class text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN urgency = 'stat' OR COALESCE(patient_class IN ('E', 'I'), false);
COMMENT ON FUNCTION radscheduler.is_urgent(text, text) IS 'Whether rule_kind.if_urgent counts: urgency stat, or an emergency or inpatient (PV1-2).';

CREATE FUNCTION radscheduler.rule_subject(p_site integer, p_code text, p_appointment bigint) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN CASE
        WHEN p_code = 'OUTSIDE_HOURS' THEN (SELECT s.name FROM radscheduler.site s WHERE s.site_id = p_site)
        WHEN p_code IN ('CAPACITY_EXCEEDED', 'RESERVED', 'WRONG_EXAM_BLOCK') THEN (SELECT coalesce(m.label, a.modality) FROM radscheduler.appointment a
                                       LEFT JOIN radscheduler.modality m ON m.site_id = a.site_id AND m.code = a.modality
                                       WHERE a.site_id = p_site AND a.appointment_id = p_appointment)
        WHEN p_code = 'INVALID_TIME' THEN (SELECT CASE a.time_fault WHEN 'gap' THEN 'clocks are put forward over its start' WHEN 'end' THEN 'the end sent is not after the start'
                                                           ELSE 'it would take more than 24 hours' END
                                  FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment) END;
END
$$;
COMMENT ON FUNCTION radscheduler.rule_subject(integer, text, bigint) IS
    'What the sentence of a conflict (conflict_kind.text) is about where that is no resource: the site whose hours count, the modality whose scanners are too few or kept for others, what is wrong with the time; else NULL.';

CREATE FUNCTION radscheduler.way_between(p_site integer, p_one bigint, p_other bigint) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (WITH place AS (
            SELECT o.appointment_id, coalesce(r.location, '#' || r.resource_id) AS name, coalesce(r.campus, '') AS campus,
                   rank() OVER (PARTITION BY o.appointment_id ORDER BY r.kind = 'room' DESC) AS rank
            FROM radscheduler.occupancy o
            JOIN radscheduler.resource r ON r.site_id = o.site_id AND r.resource_id = o.subject_id AND r.kind <> 'staff'
            WHERE o.site_id = p_site AND o.appointment_id IN (p_one, p_other) AND o.axis = 'resource')
        SELECT CASE WHEN bool_or(one.campus = other.campus AND one.name = other.name) THEN NULL WHEN bool_and(one.campus <> other.campus) THEN 'campus' WHEN count(*) > 0 THEN 'place' END
        FROM place one JOIN place other ON other.appointment_id = p_other AND other.rank = 1 WHERE one.appointment_id = p_one AND one.rank = 1);
END
$$;
COMMENT ON FUNCTION radscheduler.way_between(integer, bigint, bigint) IS
    'What a patient must change to get from one appointment to another: place, campus, or NULL where that is not known to be any. By the rooms named, else by the scanners; a resource without location is a place of its own.';

CREATE FUNCTION radscheduler.can_do(p_site integer, p_appointment bigint, p_resource bigint, p_modalities text[]) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (WITH exam AS (
            SELECT s.code, s.name, count(*) OVER () AS n,
                   s.group_no IN (SELECT r.group_no FROM radscheduler.appointment_resource r
                                  WHERE r.site_id = p_site AND r.appointment_id = p_appointment AND r.resource_id = p_resource AND r.status IS NULL) AS is_here
            FROM radscheduler.appointment_service s WHERE s.site_id = p_site AND s.appointment_id = p_appointment AND s.status IS NULL
        ), wanted AS (
            -- The appointment's modality is that of its first exam: of several, each has its own.
            SELECT a.modality FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment AND (SELECT count(*) < 2 FROM exam)
            UNION ALL
            SELECT coalesce(p.modality, radscheduler.modality_guess(p_site, ARRAY[e.code], ARRAY[e.name]))
            FROM exam e CROSS JOIN LATERAL radscheduler.procedure_of(p_site, e.code, NULL) p
            WHERE e.n > 1 AND (e.is_here OR NOT EXISTS (SELECT FROM exam x WHERE x.is_here)))
        SELECT coalesce(bool_or(p_modalities IS NULL OR coalesce(w.modality, 'OT') = 'OT' OR w.modality = ANY (p_modalities)), true) FROM wanted w);
END
$$;
COMMENT ON FUNCTION radscheduler.can_do(integer, bigint, bigint, text[]) IS
    'Whether a resource of some modalities (NULL: any) can do an appointment: its exam, or of several at least one of the resource''s own group. An exam whose modality nobody knows can be done anywhere.';

CREATE FUNCTION radscheduler.rule_conflicts(p_site integer, p_appointments bigint[])
    RETURNS TABLE (appointment_id bigint, code text, severity radscheduler.severity, axis radscheduler.axis, subject_id bigint,
                   other_appointment_id bigint, overlap tstzrange)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_reserved CONSTANT boolean := radscheduler.has_reserved(p_site);
BEGIN
    RETURN QUERY
    WITH place AS MATERIALIZED (
        SELECT coalesce(s.timezone, radscheduler.default_zone()) AS zone, make_interval(mins => s.travel_minutes::integer) AS travel,
               make_interval(mins => s.campus_minutes::integer) AS campus_travel
        FROM radscheduler.site s WHERE s.site_id = p_site
    ), rule AS MATERIALIZED (
        SELECT k.code, k.severity, k.if_overbook, k.if_urgent, s.severity::radscheduler.severity AS chosen
        FROM radscheduler.rule_kind k LEFT JOIN radscheduler.rule_setting s ON s.site_id = p_site AND s.code = k.code
        WHERE s.severity IS DISTINCT FROM 'off'
    ), changed AS MATERIALIZED (
        SELECT a.appointment_id, a.modality, tstzrange(a.starts_at, a.ends_at) AS during, a.is_pooled, a.time_fault, a.sender_id, a.visit_group
        FROM radscheduler.appointment a
        WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) AND a.starts_at IS NOT NULL AND radscheduler.takes_time(a.status, a.holds_time)
    ), held AS MATERIALIZED (
        SELECT c.appointment_id, r.resource_id, r.kind, o.during,
               CASE WHEN r.is_registered AND r.kind <> 'staff' THEN nullif(array_remove(r.modality || r.modalities, NULL), '{}') END AS able,
               CASE WHEN r.kind <> 'staff' THEN r.modality END AS modality,
               EXISTS (SELECT FROM radscheduler.resource_hours h WHERE h.site_id = p_site AND h.resource_id = r.resource_id)
               OR EXISTS (SELECT FROM radscheduler.calendar_day d, place p WHERE d.site_id = p_site AND d.resource_id = r.resource_id
                          AND d.day BETWEEN timezone(p.zone, lower(o.during))::date AND timezone(p.zone, upper(o.during))::date) AS has_hours
        FROM changed c
        JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.appointment_id = c.appointment_id AND o.axis = 'resource'
        JOIN radscheduler.resource r ON r.site_id = p_site AND r.resource_id = o.subject_id
    ), timed AS MATERIALIZED (
        -- Whose hours count: those of a resource that has some, else the site's for scanners, rooms and exams that name neither. Staff work when they work.
        SELECT h.appointment_id, CASE WHEN h.has_hours THEN h.resource_id END AS resource_id, h.during, h.kind = 'staff' AS is_staff FROM held h WHERE h.has_hours OR h.kind <> 'staff'
        UNION
        SELECT c.appointment_id, NULL, c.during, false FROM changed c WHERE c.is_pooled
    ), kept AS MATERIALIZED (
        SELECT h.appointment_id, h.resource_id, w.code, w.during
        FROM held h CROSS JOIN LATERAL radscheduler.reserved_times(p_site, h.resource_id, h.modality, lower(h.during), upper(h.during), radscheduler.exam_of(p_site, h.appointment_id)) w
        WHERE v_reserved
        UNION ALL
        -- Scanners out of use are for the pool to count.
        SELECT c.appointment_id, 0, w.code, w.during
        FROM changed c CROSS JOIN LATERAL radscheduler.reserved_times(p_site, NULL, c.modality, lower(c.during), upper(c.during), radscheduler.exam_of(p_site, c.appointment_id)) w
        WHERE v_reserved AND c.is_pooled AND w.code IN ('RESERVED', 'WRONG_EXAM_BLOCK')
    ), near AS MATERIALIZED (
        -- Exams of one visit are planned together: whoever booked them knows the way.
        SELECT o.subject_id, c.appointment_id, q.appointment_id AS other_id, o.during, q.during AS other_during, x.way,
               CASE x.way WHEN 'place' THEN p.travel WHEN 'campus' THEN greatest(p.travel, p.campus_travel) END AS needed
        FROM place p
        CROSS JOIN changed c
        JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.appointment_id = c.appointment_id AND o.axis = 'patient'
        JOIN radscheduler.occupancy q ON q.site_id = p_site AND q.axis = 'patient' AND q.subject_id = o.subject_id AND q.appointment_id <> o.appointment_id
                                     AND q.buffered && tstzrange(lower(o.during) - greatest(p.travel, p.campus_travel), upper(o.during) + greatest(p.travel, p.campus_travel))
        JOIN radscheduler.appointment n ON n.site_id = p_site AND n.appointment_id = q.appointment_id AND radscheduler.takes_time(n.status, n.holds_time) AND n.hold_until <= clock_timestamp() IS NOT TRUE
                                       AND (n.sender_id = c.sender_id AND n.visit_group = c.visit_group) IS NOT TRUE
        CROSS JOIN LATERAL radscheduler.way_between(p_site, o.appointment_id, q.appointment_id) x(way)
        WHERE EXISTS (SELECT FROM rule WHERE code = 'PATIENT_TRAVEL') AND greatest(p.travel, p.campus_travel) > interval '0' AND NOT q.during && o.during
    ), broken AS MATERIALIZED (
        SELECT t.appointment_id, 'OUTSIDE_HOURS' AS code, NULL::radscheduler.severity AS severity, 'resource'::radscheduler.axis AS axis,
               coalesce(t.resource_id, 0) AS subject_id, NULL::bigint AS other_appointment_id, range_merge(x.shut) AS overlap
        FROM timed t, LATERAL (SELECT tstzmultirange(t.during) - radscheduler.open_hours(p_site, t.resource_id, lower(t.during), upper(t.during), t.is_staff) AS shut OFFSET 0) x
        WHERE EXISTS (SELECT FROM rule WHERE code = 'OUTSIDE_HOURS') AND NOT isempty(x.shut) AND (t.resource_id IS NOT NULL OR EXISTS (SELECT FROM radscheduler.resource_hours h WHERE h.site_id = p_site AND h.resource_id IS NULL)
            OR EXISTS (SELECT FROM radscheduler.calendar_day d, place p WHERE d.site_id = p_site AND d.resource_id IS NULL AND d.day BETWEEN timezone(p.zone, lower(t.during))::date AND timezone(p.zone, upper(t.during))::date))
        UNION ALL
        SELECT h.appointment_id, CASE b.kind WHEN 'block' THEN 'RESOURCE_BLOCKED' ELSE 'MAINTENANCE' END, NULL, 'resource', h.resource_id, NULL, h.during * b.during
        FROM held h JOIN radscheduler.resource_block b ON b.site_id = p_site AND b.resource_id = h.resource_id AND b.during && h.during
        UNION ALL
        SELECT w.appointment_id, w.code, NULL, 'resource', w.resource_id, NULL, w.during FROM kept w
        UNION ALL
        SELECT h.appointment_id, 'MODALITY_MISMATCH', NULL, 'resource', h.resource_id, NULL, h.during
        FROM held h WHERE EXISTS (SELECT FROM rule WHERE code = 'MODALITY_MISMATCH') AND NOT radscheduler.can_do(p_site, h.appointment_id, h.resource_id, h.able)
        UNION ALL
        SELECT c.appointment_id, 'CAPACITY_EXCEEDED', CASE WHEN 2 * x.peak > 3 * x.capacity THEN 'critical'::radscheduler.severity END, 'resource', 0, NULL, x.excess
        FROM changed c, LATERAL radscheduler.pool_excess(p_site, c.appointment_id) x
        WHERE EXISTS (SELECT FROM rule WHERE code = 'CAPACITY_EXCEEDED') AND c.is_pooled AND x.excess IS NOT NULL
        UNION ALL
        -- Two that meet several times are told of once, by the first time.
        (SELECT DISTINCT ON (n.subject_id, least(n.appointment_id, n.other_id), greatest(n.appointment_id, n.other_id))
               CASE WHEN n.other_during < n.during THEN n.appointment_id ELSE n.other_id END, 'PATIENT_TRAVEL', CASE n.way WHEN 'campus' THEN 'critical'::radscheduler.severity END,
               'patient'::radscheduler.axis, n.subject_id, CASE WHEN n.other_during < n.during THEN n.other_id ELSE n.appointment_id END,
               tstzrange(greatest(lower(n.during), lower(n.other_during)), least(upper(n.during), upper(n.other_during)) + n.needed)
        FROM near n WHERE greatest(lower(n.during), lower(n.other_during)) < least(upper(n.during), upper(n.other_during)) + n.needed
        ORDER BY n.subject_id, least(n.appointment_id, n.other_id), greatest(n.appointment_id, n.other_id), least(n.during, n.other_during))
        UNION ALL
        SELECT c.appointment_id, 'INVALID_TIME', CASE c.time_fault WHEN 'gap' THEN 'warning'::radscheduler.severity END, 'resource', 0, NULL, c.during
        FROM changed c WHERE c.time_fault IS NOT NULL OR upper(c.during) - lower(c.during) > interval '24 hours'
    )
    SELECT b.appointment_id, b.code,
           least(coalesce(k.chosen, max(b.severity), k.severity), CASE WHEN a.is_overbook THEN k.if_overbook END,
                 CASE WHEN radscheduler.is_urgent(a.urgency, a.patient_class) THEN k.if_urgent END),
           b.axis, b.subject_id, b.other_appointment_id, range_merge(range_agg(b.overlap))
    FROM broken b
    JOIN rule k ON k.code = b.code
    JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = b.appointment_id
    GROUP BY b.appointment_id, b.code, b.axis, b.subject_id, b.other_appointment_id, k.severity, k.chosen, k.if_overbook, k.if_urgent, a.is_overbook, a.urgency, a.patient_class;
    IF radscheduler.clinical_scope(p_site) <> 'off' THEN
        RETURN QUERY SELECT * FROM radscheduler.clinical_conflicts(p_site, p_appointments);
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.rule_conflicts(integer, bigint[]) IS
    'The rules (rule_kind) that some appointments break now, as rows of conflict would say it, severity by the site''s choice, Overbook and urgency. subject_id is 0 where the site as a whole or the appointment itself is meant, and negative where a clinical rule cannot tell: that is another conflict than one that it tells of. Of two exams too close together the later one in time is appointment_id. Only appointments that take time; call mark_pooled() before.';
