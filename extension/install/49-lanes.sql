-- First come, first served, whatever order messages arrive in. Each interval of a subject stands in the lowest lane that no overlapping interval
-- with an older claim stands in. An appointment's claim is moved_at, else booked_at, else created_at; equal claims go by appointment id.
-- reseat() restores that rule after a change, touching only intervals that must move: those with older claims never do.

CREATE FUNCTION radscheduler.claim_of(moved_at timestamptz, booked_at timestamptz, created_at timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE(moved_at, booked_at, created_at);
COMMENT ON FUNCTION radscheduler.claim_of(timestamptz, timestamptz, timestamptz) IS 'Since when an appointment has laid claim to its present time: what decides who keeps a place that several want.';

CREATE FUNCTION radscheduler.waiting_behind(p_site integer, p_appointments bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT array_agg(DISTINCT w.occupancy_id)
        FROM radscheduler.occupancy o
        JOIN radscheduler.occupancy w ON w.site_id = o.site_id AND w.axis = o.axis AND w.subject_id = o.subject_id AND w.buffered && o.buffered AND w.lane > o.lane
        WHERE o.site_id = p_site AND o.appointment_id = ANY (p_appointments) AND w.appointment_id <> ALL (p_appointments));
END
$$;
COMMENT ON FUNCTION radscheduler.waiting_behind(integer, bigint[]) IS 'Intervals of others in a higher lane than an overlapping one of these appointments: who could move down when they leave. NULL when nobody.';

CREATE FUNCTION radscheduler.overlapping(p_site integer, p_appointment bigint) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT array_agg(DISTINCT w.occupancy_id)
        FROM radscheduler.occupancy o
        JOIN radscheduler.occupancy w ON w.site_id = o.site_id AND w.axis = o.axis AND w.subject_id = o.subject_id AND w.buffered && o.buffered
        WHERE o.site_id = p_site AND o.appointment_id = p_appointment
        HAVING count(*) FILTER (WHERE w.appointment_id <> p_appointment) > 0);
END
$$;
COMMENT ON FUNCTION radscheduler.overlapping(integer, bigint) IS 'Intervals of an appointment and of others that overlap them on the same subject; NULL when it overlaps nobody.';

CREATE FUNCTION radscheduler.reseat(p_site integer, p_rows bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_queue bigint[] := p_rows;
    v_ids   bigint[] := '{}';
    v_lanes smallint[] := '{}';
    v_row   record;
    v_lane  smallint;
    v_moved bigint[];
BEGIN
    -- Oldest claim first: everything that may decide a lane is final when its turn comes.
    WHILE cardinality(v_queue) > 0 LOOP
        SELECT o.occupancy_id, o.axis, o.subject_id, o.buffered, o.lane, o.appointment_id, radscheduler.claim_of(a.moved_at, a.booked_at, a.created_at) AS claim INTO v_row
            FROM unnest(v_queue) q(id)
            JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.occupancy_id = q.id
            JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.appointment_id = o.appointment_id
            ORDER BY claim, o.appointment_id, o.occupancy_id LIMIT 1;
        EXIT WHEN NOT FOUND;
        v_queue := array_remove(v_queue, v_row.occupancy_id);
        WITH before AS (
            SELECT coalesce(m.lane, o.lane) AS lane
            FROM radscheduler.occupancy o
            JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.appointment_id = o.appointment_id
            LEFT JOIN unnest(v_ids, v_lanes) m(id, lane) ON m.id = o.occupancy_id
            WHERE o.site_id = p_site AND o.axis = v_row.axis AND o.subject_id = v_row.subject_id AND o.buffered && v_row.buffered
              AND (radscheduler.claim_of(a.moved_at, a.booked_at, a.created_at), o.appointment_id, o.occupancy_id) < (v_row.claim, v_row.appointment_id, v_row.occupancy_id))
        SELECT min(g.lane) INTO v_lane FROM generate_series(0, (SELECT count(*)::integer FROM before)) g(lane)
            WHERE NOT EXISTS (SELECT FROM before b WHERE b.lane = g.lane);
        CONTINUE WHEN v_lane = v_row.lane;
        v_ids := v_ids || v_row.occupancy_id;
        v_lanes := v_lanes || v_lane;
        v_queue := v_queue || ARRAY(
            SELECT o.occupancy_id FROM radscheduler.occupancy o
            JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.appointment_id = o.appointment_id
            WHERE o.site_id = p_site AND o.axis = v_row.axis AND o.subject_id = v_row.subject_id AND o.buffered && v_row.buffered
              AND (radscheduler.claim_of(a.moved_at, a.booked_at, a.created_at), o.appointment_id, o.occupancy_id) > (v_row.claim, v_row.appointment_id, v_row.occupancy_id)
              AND o.occupancy_id <> ALL (v_queue));
    END LOOP;
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
    'Gives these intervals, and those that must follow them, the lanes they have by the age of their claims; returns the appointments whose lanes changed, NULL when none. The caller holds the locks of the subjects.';
