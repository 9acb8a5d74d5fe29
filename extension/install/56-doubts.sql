-- The one question that every change asks about conflicts, and that an ordinary booking answers with no: is anything in doubt? Whatever may break
-- a rule, stand in an overbooked lane, overlap one that does, or have a conflict that may have vanished, is looked at closely by settle().
-- It may doubt what turns out to be in order; it must never pass over what is not.

CREATE FUNCTION radscheduler.doubtful(p_site integer, p_appointments bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT array_agg(d.appointment_id) FROM (
        SELECT a.appointment_id
        FROM radscheduler.site s
        JOIN radscheduler.appointment a ON a.site_id = s.site_id AND a.appointment_id = ANY (p_appointments)
        LEFT JOIN radscheduler.occupancy o ON o.site_id = a.site_id AND o.appointment_id = a.appointment_id
        LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
        CROSS JOIN LATERAL (SELECT coalesce(s.timezone, radscheduler.default_zone()) AS name) z
        WHERE s.site_id = p_site
        GROUP BY a.site_id, a.appointment_id, s.site_id, z.name
        HAVING bool_or(
                   -- Lanes: its own, or one over it (there is one only where its subject has a conflict).
                   o.lane >= coalesce(r.capacity, 1)
                   OR EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = o.site_id AND c.axis = o.axis AND c.subject_id = o.subject_id AND c.state <> 'resolved')
                      AND EXISTS (SELECT FROM radscheduler.occupancy q
                                  WHERE q.site_id = o.site_id AND q.axis = o.axis AND q.subject_id = o.subject_id AND q.buffered && o.buffered AND q.lane >= coalesce(r.capacity, 1))
                   OR radscheduler.takes_time(a.status, a.holds_time) AND CASE
                       WHEN o.axis = 'patient' THEN greatest(s.travel_minutes, s.campus_minutes) > 0 AND EXISTS (
                           SELECT FROM radscheduler.occupancy q
                           WHERE q.site_id = o.site_id AND q.axis = 'patient' AND q.subject_id = o.subject_id AND q.appointment_id <> o.appointment_id
                             AND q.buffered && tstzrange(lower(o.during) - make_interval(mins => greatest(s.travel_minutes, s.campus_minutes)::integer),
                                                         upper(o.during) + make_interval(mins => greatest(s.travel_minutes, s.campus_minutes)::integer)))
                       WHEN o.axis = 'resource' THEN
                           r.kind <> 'staff' AND r.is_registered AND (
                               a.modality IS DISTINCT FROM r.modality AND a.modality <> ALL (r.modalities) AND (r.modality IS NOT NULL OR r.modalities <> '{}') AND a.modality <> 'OT'
                               OR a.study_text LIKE '% + %'
                               OR EXISTS (SELECT FROM radscheduler.appointment q WHERE q.site_id = o.site_id AND q.modality = r.modality AND q.is_pooled
                                          AND tstzrange(q.starts_at, q.ends_at) && o.during)
                                  AND radscheduler.pool_is_tight(p_site, r.modality, o.during)
                               OR r.modalities <> '{}' AND EXISTS (SELECT FROM radscheduler.appointment q WHERE q.site_id = o.site_id AND q.is_pooled
                                          AND q.modality = ANY (r.modalities) AND tstzrange(q.starts_at, q.ends_at) && o.during))
                           OR EXISTS (SELECT FROM radscheduler.resource_block b WHERE b.site_id = o.site_id AND b.resource_id = o.subject_id AND b.during && o.during)
                           OR CASE WHEN EXISTS (SELECT FROM radscheduler.resource_hours h WHERE h.site_id = o.site_id AND h.resource_id = o.subject_id)
                              THEN NOT EXISTS (
                                  SELECT FROM radscheduler.resource_hours h
                                  WHERE h.site_id = o.site_id AND h.resource_id = o.subject_id AND h.weekday = extract(isodow FROM timezone(z.name, lower(o.during)))::smallint
                                    AND h.valid @> timezone(z.name, lower(o.during))::date AND h.opens <= timezone(z.name, lower(o.during))::time
                                    AND timezone(z.name, upper(o.during)) <= timezone(z.name, lower(o.during))::date + h.closes)
                              ELSE r.kind <> 'staff' AND NOT radscheduler.site_is_open(p_site, z.name, o.during) END
                       END)
            OR a.time_fault IS NOT NULL OR a.ends_at - a.starts_at > interval '24 hours'
            OR a.is_pooled IS DISTINCT FROM (a.starts_at IS NOT NULL AND a.modality IS NOT NULL AND radscheduler.takes_time(a.status, a.holds_time)
                                             AND bool_or(r.kind <> 'staff') IS NOT TRUE)
            OR a.is_pooled AND (radscheduler.pool_is_tight(p_site, a.modality, tstzrange(a.starts_at, a.ends_at))
                                OR NOT radscheduler.site_is_open(p_site, z.name, tstzrange(a.starts_at, a.ends_at)))
            OR EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = a.site_id AND c.appointment_id = a.appointment_id AND c.state <> 'resolved')
            OR EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = a.site_id AND c.other_appointment_id = a.appointment_id AND c.state <> 'resolved')) d);
END
$$;
COMMENT ON FUNCTION radscheduler.doubtful(integer, bigint[]) IS
    'Those of some appointments that may be in conflict, on either side, or have an unresolved conflict. NULL in the ordinary case, found out by a few index probes in one statement.';

CREATE FUNCTION radscheduler.site_is_open(p_site integer, p_zone text, p_during tstzrange) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_from  CONSTANT timestamp := timezone(p_zone, lower(p_during));
    c_until CONSTANT timestamp := timezone(p_zone, upper(p_during));
BEGIN
    RETURN EXISTS (SELECT FROM radscheduler.resource_hours h
                   WHERE h.site_id = p_site AND h.resource_id IS NULL AND h.weekday = extract(isodow FROM c_from)::smallint
                     AND h.valid @> c_from::date AND h.opens <= c_from::time AND c_until <= c_from::date + h.closes)
        OR NOT EXISTS (SELECT FROM radscheduler.resource_hours h WHERE h.site_id = p_site AND h.resource_id IS NULL);
END
$$;
COMMENT ON FUNCTION radscheduler.site_is_open(integer, text, tstzrange) IS
    'Whether one row of a site''s own hours (resource_hours without resource) holds the whole of a time, or the site has no hours. False also for what two rows hold together: open_hours() knows exactly.';
