-- The one question that every change asks about conflicts, and that an ordinary booking answers with no: is anything in doubt? Whatever may break
-- a rule, stand in an overbooked lane, overlap one that does, or have a conflict that may have vanished, is looked at closely by settle().
-- It may doubt what turns out to be in order; it must never pass over what is not. Each probe that it saves is saved by every booking.

CREATE FUNCTION radscheduler.doubtful(p_site integer, p_appointments bigint[], p_clinical boolean DEFAULT true) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_zone      text;
    v_travel    interval;
    v_has_hours boolean;
    v_clinical  text;
    v_has_days  boolean;
    v_reserved  boolean;
BEGIN
    SELECT coalesce(s.timezone, radscheduler.default_zone()), make_interval(mins => nullif(greatest(s.travel_minutes, s.campus_minutes), 0)::integer),
           EXISTS (SELECT FROM radscheduler.resource_hours h WHERE h.site_id = p_site AND h.resource_id IS NULL),
           -- As clinical_scope() says it.
           CASE WHEN NOT p_clinical THEN 'off'
                WHEN EXISTS (SELECT FROM radscheduler.rule_setting g WHERE g.site_id = p_site AND g.severity <> 'off' AND radscheduler.is_clinical_rule(g.code))
                  OR EXISTS (SELECT FROM radscheduler.site_rule g WHERE g.site_id = p_site AND g.severity <> 'off') THEN 'all' ELSE s.clinical_rules END,
           EXISTS (SELECT FROM radscheduler.calendar_day c WHERE c.site_id = p_site), EXISTS (SELECT FROM radscheduler.reserved_hours w WHERE w.site_id = p_site)
        INTO v_zone, v_travel, v_has_hours, v_clinical, v_has_days, v_reserved FROM radscheduler.site s WHERE s.site_id = p_site;
    RETURN (SELECT array_agg(DISTINCT d.id) FROM (
        SELECT o.appointment_id
        FROM radscheduler.occupancy o
        JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.appointment_id = o.appointment_id
        LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
        WHERE o.site_id = p_site AND o.appointment_id = ANY (p_appointments) AND (
            -- Lanes: its own, or one over it (there is one only where its subject has a conflict).
            o.lane >= coalesce(r.capacity, 1)
            OR EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = o.site_id AND c.axis = o.axis AND c.subject_id = o.subject_id AND c.state <> 'resolved')
               AND EXISTS (SELECT FROM radscheduler.occupancy q WHERE q.site_id = o.site_id AND q.axis = o.axis AND q.subject_id = o.subject_id
                           AND q.buffered && o.buffered AND q.lane >= coalesce(r.capacity, 1))
            -- What the scanner can do, and whom it is taken from: whether too many want one is asked once that exam is locked, not here.
            OR r.kind <> 'staff' AND r.is_registered
               AND (a.modality <> r.modality AND a.modality <> 'OT' OR r.modalities <> '{}' OR a.study_text LIKE '% + %'
                    OR EXISTS (SELECT FROM radscheduler.appointment q WHERE q.site_id = o.site_id AND q.modality = r.modality AND q.is_pooled
                               AND tstzrange(q.starts_at, q.ends_at) && o.during))
            OR o.axis = 'patient'
               AND (a.time_fault IS NOT NULL OR a.ends_at - a.starts_at > interval '24 hours'
                    OR a.is_pooled AND radscheduler.pool_is_tight(p_site, a.modality, tstzrange(a.starts_at, a.ends_at), a.appointment_id)
                    OR v_travel IS NOT NULL AND EXISTS (
                        SELECT FROM radscheduler.occupancy q WHERE q.site_id = o.site_id AND q.axis = 'patient' AND q.subject_id = o.subject_id
                        AND q.appointment_id <> o.appointment_id AND q.buffered && tstzrange(lower(o.during) - v_travel, upper(o.during) + v_travel)))
            OR o.axis = 'resource' AND EXISTS (SELECT FROM radscheduler.resource_block b WHERE b.site_id = o.site_id AND b.resource_id = o.subject_id AND b.during && o.during)
            -- A day that is otherwise, hours that are kept or out of use: its own, its modality's where it is a scanner or room or the exam names neither.
            OR v_has_days AND EXISTS (
                SELECT FROM radscheduler.calendar_day c
                WHERE c.site_id = o.site_id AND c.day BETWEEN timezone(v_zone, least(lower(o.during), a.starts_at))::date AND timezone(v_zone, greatest(upper(o.during), a.ends_at))::date
                  AND (c.resource_id IS NULL OR o.axis = 'resource' AND c.resource_id = o.subject_id))
            OR v_reserved AND EXISTS (
                SELECT FROM radscheduler.reserved_hours w,
                     LATERAL (SELECT timezone(v_zone, least(lower(o.during), a.starts_at)) AS starts, timezone(v_zone, greatest(upper(o.during), a.ends_at)) AS ends) t
                WHERE w.site_id = o.site_id
                  AND (o.axis = 'resource' AND (w.resource_id = o.subject_id OR w.resource_id IS NULL AND r.kind <> 'staff' AND w.modality = r.modality) OR o.axis = 'patient' AND a.is_pooled AND w.modality = a.modality)
                  AND (t.starts::date <> t.ends::date
                       OR w.weekday = extract(isodow FROM t.starts)::smallint AND w.valid @> t.starts::date AND w.opens < t.ends::time AND w.closes > t.starts::time))
            -- Hours: one row that holds the whole exam, of the resource where it has some, else of the site for scanners, rooms and exams that name neither.
            OR CASE WHEN o.axis = 'resource' AND EXISTS (SELECT FROM radscheduler.resource_hours h WHERE h.site_id = o.site_id AND h.resource_id = o.subject_id)
               THEN NOT EXISTS (
                   SELECT FROM radscheduler.resource_hours h
                   WHERE h.site_id = o.site_id AND h.resource_id = o.subject_id AND h.weekday = extract(isodow FROM timezone(v_zone, lower(o.during)))::smallint
                     AND h.valid @> timezone(v_zone, lower(o.during))::date AND h.opens <= timezone(v_zone, lower(o.during))::time
                     AND timezone(v_zone, upper(o.during)) <= timezone(v_zone, lower(o.during))::date + h.closes)
               ELSE v_has_hours AND (r.kind <> 'staff' OR o.axis = 'patient' AND a.is_pooled) AND NOT EXISTS (
                   SELECT FROM radscheduler.resource_hours h
                   WHERE h.site_id = o.site_id AND h.resource_id IS NULL AND h.weekday = extract(isodow FROM timezone(v_zone, least(lower(o.during), a.starts_at)))::smallint
                     AND h.valid @> timezone(v_zone, least(lower(o.during), a.starts_at))::date AND h.opens <= timezone(v_zone, least(lower(o.during), a.starts_at))::time
                     AND timezone(v_zone, greatest(upper(o.during), a.ends_at)) <= timezone(v_zone, least(lower(o.during), a.starts_at))::date + h.closes) END)
        UNION ALL
        -- Clinical rules: what a message tells of the patient (sex, birth date, facts) concerns all of his coming bookings.
        SELECT q.appointment_id
        FROM (SELECT DISTINCT a.patient_id FROM radscheduler.appointment a
              WHERE v_clinical <> 'off' AND a.site_id = p_site AND a.appointment_id = ANY (p_appointments)
                AND (v_clinical = 'all' OR EXISTS (SELECT FROM radscheduler.patient_fact f WHERE f.site_id = p_site AND f.patient_id = a.patient_id)
                     OR v_clinical = 'bookings' AND EXISTS (SELECT FROM radscheduler.appointment o WHERE o.site_id = p_site AND o.patient_id = a.patient_id AND o.sender_id IS NULL)) OFFSET 0) p
        CROSS JOIN LATERAL (SELECT x.appointment_id, x.status, x.holds_time, x.ends_at FROM radscheduler.appointment x WHERE x.site_id = p_site AND x.patient_id = p.patient_id OFFSET 0) q
        WHERE radscheduler.takes_time(q.status, q.holds_time) AND (q.ends_at > now() OR q.appointment_id = ANY (p_appointments))
        UNION ALL
        SELECT c.appointment_id FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.appointment_id = ANY (p_appointments) AND c.state <> 'resolved'
        UNION ALL
        SELECT c.other_appointment_id FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.other_appointment_id = ANY (p_appointments) AND c.state <> 'resolved') d(id));
END
$$;
COMMENT ON FUNCTION radscheduler.doubtful(integer, bigint[], boolean) IS
    'Those of some appointments that may be in conflict, on either side, or have an unresolved conflict, and where clinical rules are asked (and p_clinical) the coming bookings of the same patients. NULL in the ordinary case, found out by a few index probes in one statement.';
