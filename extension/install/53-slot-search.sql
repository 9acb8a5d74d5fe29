-- The search under find_slots(), third_next_available() and alternatives(): free starting times of some resources, best first. Time is
-- subtracted as multiranges, and what must hold together is intersected as sets of starts: a gap from a to b lets an exam of m minutes start
-- from a to b - m; a time at which the patient, the pool or a person is taken forbids the starts whose exam would touch it. So a start that is
-- left suits the scanner, the patient and one person of each kind at once. The same buffers and lanes as a booking's: what is offered can be booked.

CREATE FUNCTION radscheduler.free_gaps(p_site integer, p_resources bigint[], p_from timestamptz, p_until timestamptz, p_without bigint, p_always boolean, p_exam radscheduler.exam_asked)
    RETURNS TABLE (resource_id bigint, gap tstzrange)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1000 SET search_path = pg_catalog, pg_temp SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    v_window   CONSTANT tstzrange := tstzrange(p_from, p_until);
    v_dead     CONSTANT bigint[] := radscheduler.dead_holds(p_site);
    v_reserved CONSTANT boolean := radscheduler.has_reserved(p_site);
    v_row      record;
    v_common   tstzmultirange;
    v_modality text;
    v_kept     tstzmultirange := '{}';
    v_open     tstzmultirange;
    v_taken    tstzmultirange;
    v_near     tstzrange;
    v_capacity integer;
BEGIN
    FOR v_row IN
        SELECT r.resource_id AS id, r.capacity::integer AS capacity, make_interval(mins => r.setup_minutes::integer) AS setup, make_interval(mins => r.turnover_minutes::integer) AS turnover,
               CASE WHEN r.kind <> 'staff' THEN r.modality END AS modality,
               EXISTS (SELECT FROM radscheduler.resource_hours h WHERE h.site_id = p_site AND h.resource_id = r.resource_id)
               OR EXISTS (SELECT FROM radscheduler.calendar_day c WHERE c.site_id = p_site AND c.resource_id = r.resource_id) AS has_hours,
               v_reserved AND EXISTS (SELECT FROM radscheduler.reserved_hours w WHERE w.site_id = p_site AND w.resource_id = r.resource_id) AS has_reserved,
               (SELECT range_agg(b.during) FROM radscheduler.resource_block b WHERE b.site_id = p_site AND b.resource_id = r.resource_id AND b.during && v_window) AS blocked
        FROM radscheduler.resource r WHERE r.site_id = p_site AND r.resource_id = ANY (p_resources)
    LOOP
        -- Most have nothing of their own: what counts for the site and for the modality is asked for once.
        IF v_row.has_hours THEN
            v_open := radscheduler.open_hours(p_site, v_row.id, p_from, p_until, p_always);
        ELSE
            v_common := coalesce(v_common, radscheduler.open_hours(p_site, NULL, p_from, p_until, p_always));
            v_open := v_common;
        END IF;
        CONTINUE WHEN isempty(v_open);
        IF v_row.blocked IS NOT NULL THEN
            v_open := v_open - v_row.blocked;
        END IF;
        IF v_reserved AND v_row.modality IS DISTINCT FROM v_modality THEN
            v_modality := v_row.modality;
            v_kept := coalesce((SELECT range_agg(w.during) FROM radscheduler.reserved_times(p_site, NULL, v_modality, p_from, p_until, p_exam) w), '{}');
        END IF;
        IF v_row.has_reserved THEN
            v_open := v_open - coalesce((SELECT range_agg(w.during) FROM radscheduler.reserved_times(p_site, v_row.id, NULL, p_from, p_until, p_exam) w), '{}');
        END IF;
        IF v_row.modality IS NOT NULL AND NOT isempty(v_kept) THEN
            v_open := v_open - v_kept;
        END IF;
        FOR v_lane IN 0 .. v_row.capacity - 1 LOOP
            v_near := tstzrange(p_from - v_row.setup, p_until + v_row.turnover);
            v_capacity := v_row.capacity;
            -- Who is overbooked stands in no lane of his own, so his time is nobody's. When nobody is passed over the index alone can answer.
            IF p_without IS NULL AND v_dead = '{}' THEN
                SELECT range_agg(o.buffered) INTO v_taken
                    FROM radscheduler.occupancy o
                    WHERE o.site_id = p_site AND o.axis = 'resource' AND o.subject_id = v_row.id AND o.buffered && v_near
                      AND (v_capacity = 1 OR o.lane = v_lane OR o.lane >= v_capacity);
            ELSE
                SELECT range_agg(o.buffered) INTO v_taken
                    FROM radscheduler.occupancy o
                    WHERE o.site_id = p_site AND o.axis = 'resource' AND o.subject_id = v_row.id AND o.buffered && v_near
                      AND (v_capacity = 1 OR o.lane = v_lane OR o.lane >= v_capacity)
                      AND o.appointment_id IS DISTINCT FROM p_without AND o.appointment_id <> ALL (v_dead);
            END IF;
            -- The buffers of the new exam, around what is united already: that is much less to compute with.
            IF v_row.setup + v_row.turnover > interval '0' AND v_taken IS NOT NULL THEN
                v_taken := (SELECT range_agg(tstzrange(lower(t) - v_row.turnover, upper(t) + v_row.setup)) FROM unnest(v_taken) t);
            END IF;
            RETURN QUERY SELECT v_row.id, g FROM unnest(v_open - coalesce(v_taken, '{}')) g;
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.free_gaps(integer, bigint[], timestamptz, timestamptz, bigint, boolean, radscheduler.exam_asked) IS
    'When resources are free for the exam itself, lane by lane: opening hours minus blocks, minus time that is kept for others than the exam asked about, minus bookings with the buffers of both. Holds that have run out and one appointment are passed over. p_always: a resource without hours of its own is there at any time but for its exceptions, as staff are.';

CREATE FUNCTION radscheduler.wall_starts(p_search radscheduler.slot_search, p_zone text, p_from timestamptz, p_until timestamptz) RETURNS tstzmultirange
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_length CONSTANT interval := make_interval(mins => p_search.minutes);
    v_starts tstzmultirange := tstzmultirange(tstzrange(p_from, p_until));
BEGIN
    IF p_search.weekdays IS NULL AND p_search.from_times IS NULL AND p_search.opens IS NULL AND p_search.closes IS NULL THEN
        RETURN v_starts;
    END IF;
    RETURN v_starts * (
        WITH day AS (
            SELECT d FROM generate_series(date_trunc('day', timezone(p_zone, p_from)), date_trunc('day', timezone(p_zone, p_until)), interval '1 day') d
            WHERE p_search.weekdays IS NULL OR extract(isodow FROM d) = ANY (p_search.weekdays)
        ), part AS (
            SELECT tstzrange(timezone(p_zone, d + coalesce(u.f, time '00:00')::interval), timezone(p_zone, d + coalesce(u.t, time '24:00')::interval)) AS during,
                   tstzrange(timezone(p_zone, d + coalesce(p_search.opens, time '00:00')::interval),
                             CASE WHEN p_search.closes IS NULL THEN timezone(p_zone, d + interval '1 day') ELSE timezone(p_zone, d + p_search.closes::interval) - v_length END, '[]') AS whole
            FROM day, unnest(coalesce(p_search.from_times, '{00:00}'), coalesce(p_search.to_times, '{24:00}')) u(f, t)
            WHERE p_search.closes IS NULL OR timezone(p_zone, d + p_search.closes::interval) - v_length >= timezone(p_zone, d + coalesce(p_search.opens, time '00:00')::interval)
        )
        SELECT coalesce(range_agg(p.during * p.whole), '{}') FROM part p);
END
$$;
COMMENT ON FUNCTION radscheduler.wall_starts(radscheduler.slot_search, text, timestamptz, timestamptz) IS
    'The starts within a time that weekdays, day parts and wall-clock bounds of a search allow.';

CREATE FUNCTION radscheduler.patient_forbids(p_search radscheduler.slot_search, p_from timestamptz, p_until timestamptz)
    RETURNS TABLE (resource_id bigint, starts tstzmultirange)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_dead   CONSTANT bigint[] := radscheduler.dead_holds(p_search.site_id);
    v_length CONSTANT interval := make_interval(mins => p_search.minutes);
    v_travel interval;
    v_campus interval;
BEGIN
    IF coalesce(p_search.patients, '{}') = '{}' THEN
        RETURN;
    END IF;
    -- PATIENT_TRAVEL (54-rules.sql) where the site looks at it.
    SELECT make_interval(mins => s.travel_minutes::integer), make_interval(mins => greatest(s.travel_minutes, s.campus_minutes)::integer) INTO v_travel, v_campus
        FROM radscheduler.site s WHERE s.site_id = p_search.site_id
         AND NOT EXISTS (SELECT FROM radscheduler.rule_setting x WHERE x.site_id = s.site_id AND x.code = 'PATIENT_TRAVEL' AND x.severity = 'off');
    v_travel := coalesce(v_travel, '0');
    v_campus := coalesce(v_campus, '0');
    RETURN QUERY
    WITH taken AS MATERIALIZED (
        SELECT o.appointment_id, o.during FROM radscheduler.occupancy o
        WHERE o.site_id = p_search.site_id AND o.axis = 'patient' AND o.subject_id = ANY (p_search.patients) AND o.buffered && tstzrange(p_from - v_campus, p_until + v_length + v_campus)
          AND o.appointment_id IS DISTINCT FROM p_search.without AND o.appointment_id <> ALL (v_dead)
    ), place AS MATERIALIZED (
        -- Where each of them is: at its rooms, else at its scanners (way_between()).
        SELECT t.appointment_id, coalesce(r.location, '#' || r.resource_id) AS name, coalesce(r.campus, '') AS campus,
               rank() OVER (PARTITION BY t.appointment_id ORDER BY r.kind = 'room' DESC) AS rank
        FROM (SELECT DISTINCT t.appointment_id FROM taken t) t
        JOIN radscheduler.occupancy o ON o.site_id = p_search.site_id AND o.appointment_id = t.appointment_id AND o.axis = 'resource'
        JOIN radscheduler.resource r ON r.site_id = p_search.site_id AND r.resource_id = o.subject_id AND r.kind <> 'staff'
        WHERE v_campus > interval '0'
    )
    SELECT r.resource_id, range_agg(tstzrange(lower(t.during) - w.needed - v_length, upper(t.during) + w.needed, '()'))
    FROM radscheduler.resource r
    CROSS JOIN taken t
    CROSS JOIN LATERAL (
        SELECT CASE WHEN r.kind = 'staff' OR count(*) = 0 THEN interval '0'
                    WHEN bool_or(p.campus = coalesce(r.campus, '') AND p.name = coalesce(r.location, '#' || r.resource_id)) THEN interval '0'
                    WHEN bool_and(p.campus <> coalesce(r.campus, '')) THEN v_campus ELSE v_travel END AS needed
        FROM place p WHERE p.appointment_id = t.appointment_id AND p.rank = 1) w
    WHERE r.site_id = p_search.site_id AND r.resource_id = ANY (p_search.resources)
    GROUP BY r.resource_id;
END
$$;
COMMENT ON FUNCTION radscheduler.patient_forbids(radscheduler.slot_search, timestamptz, timestamptz) IS
    'For each resource of a search the starts at which the patient is elsewhere, or on the way there or back.';

CREATE FUNCTION radscheduler.pool_forbids(p_search radscheduler.slot_search, p_modality text, p_from timestamptz, p_until timestamptz)
    RETURNS TABLE (resource_id bigint, starts tstzmultirange)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_length CONSTANT interval := make_interval(mins => p_search.minutes);
    v_pooled tstzmultirange;
BEGIN
    SELECT range_agg(tstzrange(q.starts_at, q.ends_at)) INTO v_pooled FROM radscheduler.appointment q
        WHERE q.site_id = p_search.site_id AND q.modality = p_modality AND q.is_pooled AND tstzrange(q.starts_at, q.ends_at) && tstzrange(p_from, p_until + v_length)
          AND q.appointment_id IS DISTINCT FROM p_search.without;
    IF v_pooled IS NULL THEN
        RETURN;
    ELSIF NOT radscheduler.has_reserved(p_search.site_id) THEN
        -- Each stretch is asked for on its own, unless there are many: then the whole time is read once.
        RETURN QUERY SELECT NULL::bigint, range_agg(tstzrange(lower(f) - v_length, upper(f), '()'))
            FROM unnest(CASE WHEN (SELECT count(*) > 12 FROM unnest(v_pooled)) THEN tstzmultirange(range_merge(v_pooled)) ELSE v_pooled END) u(during), LATERAL unnest(radscheduler.pool_full(p_search.site_id, p_modality, u.during, p_search.without)) f
            HAVING count(*) > 0;
        RETURN;
    END IF;
    -- What is kept for others differs from one exam without scanner to the next; a scanner that it may not use anyway, it does not lose.
    RETURN QUERY
    WITH waiting AS MATERIALIZED (
        SELECT q.starts_at, q.ends_at, radscheduler.exam_of(q.site_id, q.appointment_id) AS exam,
               radscheduler.pool_full(q.site_id, q.modality, tstzrange(q.starts_at, q.ends_at), p_search.without, q.appointment_id) AS taken
        FROM radscheduler.appointment q
        WHERE q.site_id = p_search.site_id AND q.modality = p_modality AND q.is_pooled AND tstzrange(q.starts_at, q.ends_at) && tstzrange(p_from, p_until + v_length)
          AND q.appointment_id IS DISTINCT FROM p_search.without
    )
    SELECT r.id, range_agg(tstzrange(lower(f) - v_length, upper(f), '()'))
    FROM waiting q
    CROSS JOIN unnest(p_search.resources) r(id)
    CROSS JOIN LATERAL unnest(q.taken - coalesce((SELECT range_agg(w.during) FROM radscheduler.reserved_times(p_search.site_id, r.id, NULL, q.starts_at, q.ends_at, q.exam) w
                                                  WHERE w.code IN ('RESERVED', 'WRONG_EXAM_BLOCK')), '{}')) f
    WHERE NOT isempty(q.taken) GROUP BY r.id;
END
$$;
COMMENT ON FUNCTION radscheduler.pool_forbids(radscheduler.slot_search, text, timestamptz, timestamptz) IS
    'For each resource of a search (NULL: for all) the starts at which an exam there would take the last place of a modality from exams that name none.';
