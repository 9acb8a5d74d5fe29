-- First come, first served, whatever order messages arrive in. An interval of a subject is legal when at each moment of it fewer legal ones with
-- an older claim stand than the subject has places (resource.capacity; a patient has one). Claims are claim_of(), equal ones by appointment id; what
-- is closed and keeps its past has none against what is open.
-- Legal intervals sit in lanes below the capacity, no two that overlap in one; an overbooked one sits in the lowest lane from the capacity on that
-- no overlapping overbooked one with an older claim sits in. So who is overbooked follows from times and claims alone. reseat() restores that
-- after a change, touching only intervals that must move: those with older claims never become overbooked by it.

CREATE FUNCTION radscheduler.claim_of(moved_at timestamptz, booked_at timestamptz, created_at timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE(moved_at, booked_at, created_at);
COMMENT ON FUNCTION radscheduler.claim_of(timestamptz, timestamptz, timestamptz) IS 'Since when an appointment has laid claim to its present time: what decides who keeps a place that several want.';

CREATE FUNCTION radscheduler.waiting_behind(p_site integer, p_rows bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT array_agg(DISTINCT w.occupancy_id)
        FROM unnest(p_rows) u(id)
        JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.occupancy_id = u.id
        LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
        JOIN radscheduler.occupancy w ON w.site_id = o.site_id AND w.axis = o.axis AND w.subject_id = o.subject_id AND w.buffered && o.buffered
                                     AND w.lane > o.lane AND w.lane >= coalesce(r.capacity, 1)
        WHERE w.occupancy_id <> ALL (p_rows));
END
$$;
COMMENT ON FUNCTION radscheduler.waiting_behind(integer, bigint[]) IS
    'Overbooked intervals that could get a better lane when these intervals leave; NULL when there are none. Those that leave too are not among them.';

CREATE FUNCTION radscheduler.overlapping(p_site integer, p_appointments bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT array_agg(DISTINCT x.id)
        FROM unnest(p_appointments) u(id)
        JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.appointment_id = u.id
        LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
        JOIN radscheduler.occupancy w ON w.site_id = o.site_id AND w.axis = o.axis AND w.subject_id = o.subject_id AND w.buffered && o.buffered
                                     AND w.occupancy_id <> o.occupancy_id AND greatest(w.lane, o.lane) >= coalesce(r.capacity, 1),
        LATERAL unnest(ARRAY[o.occupancy_id, w.occupancy_id]) x(id));
END
$$;
COMMENT ON FUNCTION radscheduler.overlapping(integer, bigint[]) IS
    'Intervals of appointments and others that overlap them on the same subject, one of the two overbooked: those whose lanes may be others once the claims of these appointments have changed. NULL when there are none.';

CREATE FUNCTION radscheduler.lane_due(p_site integer, p_row bigint, p_capacity integer, p_ids bigint[], p_lanes smallint[]) RETURNS smallint
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_mine   record;
    v_ranges tstzrange[];
    v_over   smallint[];
    v_peak   bigint;
BEGIN
    SELECT o.axis, o.subject_id, o.buffered, o.lane, o.appointment_id, radscheduler.is_closed(a.status) AS is_closed, radscheduler.claim_of(a.moved_at, a.booked_at, a.created_at) AS claim INTO v_mine
        FROM radscheduler.occupancy o JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.appointment_id = o.appointment_id
        WHERE o.site_id = p_site AND o.occupancy_id = p_row;
    SELECT array_agg(q.during) FILTER (WHERE q.lane < p_capacity), array_agg(q.lane) FILTER (WHERE q.lane >= p_capacity) INTO v_ranges, v_over
        FROM (SELECT o.buffered * v_mine.buffered AS during, coalesce(m.lane, o.lane) AS lane
              FROM radscheduler.occupancy o
              JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.appointment_id = o.appointment_id
              LEFT JOIN unnest(p_ids, p_lanes) m(id, lane) ON m.id = o.occupancy_id
              WHERE o.site_id = p_site AND o.axis = v_mine.axis AND o.subject_id = v_mine.subject_id AND o.buffered && v_mine.buffered
                AND (radscheduler.is_closed(a.status), radscheduler.claim_of(a.moved_at, a.booked_at, a.created_at), o.appointment_id, o.occupancy_id)
                    < (v_mine.is_closed, v_mine.claim, v_mine.appointment_id, p_row)) q;
    v_peak := coalesce(cardinality(v_ranges), 0);
    IF v_peak >= p_capacity AND p_capacity > 1 THEN
        -- As many at once as there are where one of them begins.
        v_peak := (SELECT max(q.n) FROM (SELECT count(*) AS n FROM unnest(v_ranges) WITH ORDINALITY b(during, place) JOIN unnest(v_ranges) o(during) ON o.during @> lower(b.during)
                                         GROUP BY b.place) q);
    END IF;
    RETURN CASE WHEN v_peak >= p_capacity THEN (SELECT min(g.lane) FROM generate_series(p_capacity, p_capacity + coalesce(cardinality(v_over), 0)) g(lane) WHERE g.lane <> ALL (coalesce(v_over, '{}')))
                WHEN v_mine.lane < p_capacity THEN v_mine.lane
                WHEN p_capacity = 1 THEN 0
                ELSE -1 END;
END
$$;
COMMENT ON FUNCTION radscheduler.lane_due(integer, bigint, integer, bigint[], smallint[]) IS
    'The lane an interval is due to by the age of its claim, when some intervals (p_ids) are to have other lanes (p_lanes, side by side): its present one while that is legal and it is, a higher one when it is overbooked, -1 when it has become legal and its seat is still to be found.';

CREATE FUNCTION radscheduler.seat(p_site integer, p_row bigint, p_capacity integer, p_ids bigint[], p_lanes smallint[], OUT ids bigint[], OUT lanes smallint[]) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_axis    radscheduler.axis;
    v_subject bigint;
    v_mine    tstzrange;
    v_block   tstzrange;
    v_lane    smallint;
    v_row     record;
    v_free    timestamptz[] := array_fill('-infinity'::timestamptz, ARRAY[p_capacity]);
BEGIN
    SELECT o.axis, o.subject_id, o.buffered INTO v_axis, v_subject, v_mine FROM radscheduler.occupancy o WHERE o.site_id = p_site AND o.occupancy_id = p_row;
    SELECT min(g.lane) INTO v_lane FROM generate_series(0, p_capacity - 1) g(lane)
        WHERE NOT EXISTS (SELECT FROM radscheduler.occupancy o LEFT JOIN unnest(p_ids, p_lanes) m(id, lane) ON m.id = o.occupancy_id
                          WHERE o.site_id = p_site AND o.axis = v_axis AND o.subject_id = v_subject AND o.buffered && v_mine AND coalesce(m.lane, o.lane) = g.lane);
    IF v_lane IS NOT NULL THEN
        ids := ARRAY[p_row];
        lanes := ARRAY[v_lane];
        RETURN;
    END IF;
    -- Room enough, but never in one place for all the time: everybody of this unbroken stretch sits down anew, in order of their starts.
    LOOP
        v_block := v_mine;
        SELECT range_merge(range_agg(o.buffered)) INTO v_mine
            FROM radscheduler.occupancy o LEFT JOIN unnest(p_ids, p_lanes) m(id, lane) ON m.id = o.occupancy_id
            WHERE o.site_id = p_site AND o.axis = v_axis AND o.subject_id = v_subject AND o.buffered && v_block AND coalesce(m.lane, o.lane) < p_capacity;
        EXIT WHEN v_mine = v_block;
    END LOOP;
    ids := '{}';
    lanes := '{}';
    FOR v_row IN
        SELECT o.occupancy_id, o.buffered FROM radscheduler.occupancy o LEFT JOIN unnest(p_ids, p_lanes) m(id, lane) ON m.id = o.occupancy_id
        WHERE o.site_id = p_site AND o.axis = v_axis AND o.subject_id = v_subject AND o.buffered && v_block AND coalesce(m.lane, o.lane) < p_capacity
        ORDER BY lower(o.buffered), o.occupancy_id
    LOOP
        SELECT min(f.place) INTO v_lane FROM unnest(v_free) WITH ORDINALITY f(until, place) WHERE f.until <= lower(v_row.buffered);
        v_free[v_lane] := upper(v_row.buffered);
        ids := ids || v_row.occupancy_id;
        lanes := lanes || (v_lane - 1)::smallint;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.seat(integer, bigint, integer, bigint[], smallint[]) IS
    'A lane below the capacity for an interval that has become legal, given lanes that others are to have (-1: to be found): its own alone where one is free all the time, else those of every legal interval of the unbroken stretch of time that it stands in.';

CREATE FUNCTION radscheduler.reseat(p_site integer, p_rows bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_queue bigint[] := p_rows;
    v_ids   bigint[] := '{}';
    v_lanes smallint[] := '{}';
    v_row   record;
    v_lane  smallint;
    v_seats record;
    v_moved bigint[];
BEGIN
    -- Oldest claim first: everything that may decide a lane is final when its turn comes.
    WHILE cardinality(v_queue) > 0 LOOP
        SELECT o.occupancy_id, o.axis, o.subject_id, o.buffered, o.lane, o.appointment_id, coalesce(r.capacity, 1)::integer AS capacity,
               radscheduler.is_closed(a.status) AS is_closed, radscheduler.claim_of(a.moved_at, a.booked_at, a.created_at) AS claim INTO v_row
            FROM unnest(v_queue) q(id)
            JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.occupancy_id = q.id
            JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.appointment_id = o.appointment_id
            LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
            ORDER BY is_closed, claim, o.appointment_id, o.occupancy_id LIMIT 1;
        EXIT WHEN NOT FOUND;
        v_queue := array_remove(v_queue, v_row.occupancy_id);
        v_lane := radscheduler.lane_due(p_site, v_row.occupancy_id, v_row.capacity, v_ids, v_lanes);
        CONTINUE WHEN v_lane = v_row.lane;
        v_ids := v_ids || v_row.occupancy_id;
        v_lanes := v_lanes || v_lane;
        v_queue := v_queue || ARRAY(
            SELECT o.occupancy_id FROM radscheduler.occupancy o
            JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.appointment_id = o.appointment_id
            WHERE o.site_id = p_site AND o.axis = v_row.axis AND o.subject_id = v_row.subject_id AND o.buffered && v_row.buffered
              AND (radscheduler.is_closed(a.status), radscheduler.claim_of(a.moved_at, a.booked_at, a.created_at), o.appointment_id, o.occupancy_id)
                  > (v_row.is_closed, v_row.claim, v_row.appointment_id, v_row.occupancy_id)
              AND o.occupancy_id <> ALL (v_queue));
    END LOOP;
    WHILE array_position(v_lanes, -1::smallint) IS NOT NULL LOOP
        v_lane := array_position(v_lanes, -1::smallint);
        SELECT r.capacity INTO v_row FROM radscheduler.occupancy o JOIN radscheduler.resource r ON r.site_id = o.site_id AND r.resource_id = o.subject_id
            WHERE o.site_id = p_site AND o.occupancy_id = v_ids[v_lane];
        v_seats := radscheduler.seat(p_site, v_ids[v_lane], v_row.capacity, v_ids, v_lanes);
        SELECT array_agg(coalesce(s.id, m.id)), array_agg(coalesce(s.lane, m.lane)) INTO v_ids, v_lanes
            FROM unnest(v_ids, v_lanes) m(id, lane) FULL JOIN unnest(v_seats.ids, v_seats.lanes) s(id, lane) ON s.id = m.id;
    END LOOP;
    SELECT coalesce(array_agg(m.id), '{}'), array_agg(m.lane) INTO v_ids, v_lanes
        FROM unnest(v_ids, v_lanes) m(id, lane) JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.occupancy_id = m.id AND o.lane <> m.lane;
    -- Out of the way first, so that two that change places do not meet in one lane.
    IF v_ids <> '{}' THEN
        UPDATE radscheduler.occupancy o SET lane = 20000 + m.place
            FROM unnest(v_ids) WITH ORDINALITY m(id, place) WHERE o.site_id = p_site AND o.occupancy_id = m.id;
        UPDATE radscheduler.occupancy o SET lane = m.lane
            FROM unnest(v_ids, v_lanes) m(id, lane) WHERE o.site_id = p_site AND o.occupancy_id = m.id;
        SELECT array_agg(DISTINCT o.appointment_id) INTO v_moved FROM radscheduler.occupancy o WHERE o.site_id = p_site AND o.occupancy_id = ANY (v_ids);
    END IF;
    RETURN v_moved;
END
$$;
COMMENT ON FUNCTION radscheduler.reseat(integer, bigint[]) IS
    'Gives these intervals, and those that must follow them, the lanes they are due to by the age of their claims; returns the appointments whose lanes changed, NULL when none. The caller holds the locks of the subjects.';
