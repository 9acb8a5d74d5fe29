-- Taking time and giving it back. occupy() asks the exclusion constraint for lane 0 of every subject at once; what it refuses goes to place(),
-- which finds the lowest free lane. Who claimed a time first holds the legal lane, in whatever order messages arrive: reseat() (49-lanes.sql)
-- sees to that. Whoever gets something out of time given back is among those returned, for settle(). Callers hold the locks of 42-locks.sql.

CREATE FUNCTION radscheduler.held_until(p_status radscheduler.appointment_status, p_holds_time boolean, p_ending jsonb) RETURNS timestamptz
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN CASE WHEN p_ending IS NOT NULL AND p_status IN ('COMPLETED', 'DISCONTINUED', 'NO_SHOW') AND NOT p_ending -> 0 ? 'event'
                     AND radscheduler.takes_time((p_ending #>> '{0,status}')::radscheduler.appointment_status, p_holds_time)
                THEN (radscheduler.ended(p_ending)).at END;
END
$$;
COMMENT ON FUNCTION radscheduler.held_until(radscheduler.appointment_status, boolean, jsonb) IS
    'Until when a completed, discontinued or missed appointment had its time: it keeps what lay before it ended. NULL for other states, and for one that took no time before.';

CREATE FUNCTION radscheduler.occupancy_wanted(p_site integer, p_appointments bigint[]) RETURNS radscheduler.wanted_time[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_wanted radscheduler.wanted_time[] := '{}';
    v_row    radscheduler.wanted_time;
    v_one    record;
    v_part   record;
    v_until  timestamptz;
    v_from   timestamptz;
    v_ends   timestamptz;
BEGIN
    FOR k IN 1 .. cardinality(p_appointments) LOOP
        SELECT a.patient_id, a.starts_at, a.ends_at, a.status, a.holds_time, a.ending INTO v_one
            FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointments[k];
        CONTINUE WHEN v_one.starts_at IS NULL;
        v_until := CASE WHEN v_one.ending IS NOT NULL THEN radscheduler.held_until(v_one.status, v_one.holds_time, v_one.ending) END;
        CONTINUE WHEN v_until IS NULL AND NOT radscheduler.takes_time(v_one.status, v_one.holds_time);
        v_row.appointment_id := p_appointments[k];
        v_row.subject_id := NULL;
        FOR v_part IN
            -- OFFSET 0: rows are looked up by id, whatever the planner thinks of the tables' sizes.
            SELECT 'resource'::radscheduler.axis AS axis, ar.resource_id AS subject_id, make_interval(mins => r.setup) AS setup, make_interval(mins => r.turnover) AS turnover,
                   coalesce(ar.starts_at, v_one.starts_at) AS starts, coalesce(ar.ends_at, v_one.ends_at) AS ends
                FROM radscheduler.appointment_resource ar
                CROSS JOIN LATERAL (SELECT r.setup_minutes::integer AS setup, r.turnover_minutes::integer AS turnover
                                    FROM radscheduler.resource r WHERE r.site_id = p_site AND r.resource_id = ar.resource_id OFFSET 0) r
                WHERE ar.site_id = p_site AND ar.appointment_id = v_row.appointment_id AND ar.status IS NULL
            UNION ALL
            SELECT 'patient', v_one.patient_id, interval '0', interval '0', coalesce(s.starts_at, v_one.starts_at), coalesce(s.ends_at, v_one.ends_at)
                FROM radscheduler.appointment_service s
                WHERE s.site_id = p_site AND s.appointment_id = v_row.appointment_id AND s.status IS NULL AND v_one.patient_id IS NOT NULL
            UNION ALL
            SELECT 'patient', v_one.patient_id, interval '0', interval '0', v_one.starts_at, v_one.ends_at
                WHERE v_one.patient_id IS NOT NULL AND NOT EXISTS (SELECT FROM radscheduler.appointment_service s
                    WHERE s.site_id = p_site AND s.appointment_id = v_row.appointment_id AND s.status IS NULL)
            ORDER BY 1, 2, 5
        LOOP
            CONTINUE WHEN v_part.starts >= v_part.ends;
            -- Intervals of one subject that meet are one: it takes the place of the one before.
            IF v_part.axis = v_row.axis AND v_part.subject_id = v_row.subject_id AND v_part.starts - v_part.setup <= v_ends THEN
                v_ends := greatest(v_ends, v_part.ends + v_part.turnover);
                CONTINUE WHEN v_from + v_part.setup >= v_until;
                v_wanted := v_wanted[1 : cardinality(v_wanted) - 1];
            ELSE
                v_row.axis := v_part.axis;
                v_row.subject_id := v_part.subject_id;
                v_from := v_part.starts - v_part.setup;
                v_ends := v_part.ends + v_part.turnover;
                CONTINUE WHEN v_part.starts >= v_until;
            END IF;
            v_row.during := tstzrange(v_from + v_part.setup, least(v_ends - v_part.turnover, v_until));
            v_row.buffered := tstzrange(v_from, CASE WHEN v_ends - v_part.turnover > v_until THEN v_until ELSE v_ends END);
            v_wanted := v_wanted || v_row;
        END LOOP;
    END LOOP;
    RETURN v_wanted;
END
$$;
COMMENT ON FUNCTION radscheduler.occupancy_wanted(integer, bigint[]) IS
    'What appointments occupy by their own rows, by appointment in the order given: each resource over its intervals widened by set-up and turnover, the patient over the exams; until it ended where held_until() says so. Nothing for other states that do not occupy.';

CREATE FUNCTION radscheduler.place(p_site integer, p_axis radscheduler.axis, p_subject bigint, p_during tstzrange, p_buffered tstzrange, p_appointment bigint,
                                   OUT occupancy_id bigint, OUT is_overbooked boolean) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_capacity integer := 1;
    v_lane     smallint;
BEGIN
    IF p_axis = 'resource' THEN
        SELECT r.capacity INTO v_capacity FROM radscheduler.resource r WHERE r.site_id = p_site AND r.resource_id = p_subject;
    END IF;
    FOR v_attempt IN 1..100 LOOP
        WITH busy AS (
            SELECT DISTINCT o.lane FROM radscheduler.occupancy o
            WHERE o.site_id = p_site AND o.axis = p_axis AND o.subject_id = p_subject AND o.buffered && p_buffered)
        SELECT min(g.lane) INTO v_lane
        FROM generate_series(0, (SELECT count(*)::integer FROM busy)) g(lane)
        WHERE NOT EXISTS (SELECT FROM busy b WHERE b.lane = g.lane);
        INSERT INTO radscheduler.occupancy AS o (site_id, axis, subject_id, lane, during, buffered, appointment_id)
            VALUES (p_site, p_axis, p_subject, v_lane, p_during, p_buffered, p_appointment)
            ON CONFLICT ON CONSTRAINT occupancy_no_overlap DO NOTHING
            RETURNING o.occupancy_id INTO place.occupancy_id;
        IF FOUND THEN
            place.is_overbooked := v_lane >= v_capacity;
            RETURN;
        END IF;
    END LOOP;
    RAISE EXCEPTION 'no lane could be taken: other transactions took each one first'
        USING ERRCODE = 'serialization_failure', HINT = 'Run the transaction again.';
END
$$;
COMMENT ON FUNCTION radscheduler.place(integer, radscheduler.axis, bigint, tstzrange, tstzrange, bigint) IS
    'Takes the lowest free lane of a subject: the row made, and whether that lane lies beyond the capacity. A race is lost cleanly to the exclusion constraint and tried again; 40001 after 100 lost races.';

CREATE FUNCTION radscheduler.give_back(p_site integer, p_rows bigint[], p_at timestamptz) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_waiting bigint[] := radscheduler.waiting_behind(p_site, p_rows);
    v_over    bigint[] := radscheduler.pool_waiting(p_site, p_rows);
    v_cut     bigint[];
BEGIN
    DELETE FROM radscheduler.occupancy o
        WHERE o.site_id = p_site AND o.occupancy_id = ANY (p_rows) AND (p_at IS NULL OR lower(o.during) >= p_at);
    IF p_at IS NOT NULL THEN
        -- What is left of an overbooked one may lie where there is room.
        WITH cut AS (
            UPDATE radscheduler.occupancy o
                SET during = tstzrange(lower(o.during), p_at), buffered = tstzrange(lower(o.buffered), p_at)
                WHERE o.site_id = p_site AND o.occupancy_id = ANY (p_rows) AND upper(o.during) > p_at
                RETURNING o.occupancy_id, o.lane)
        SELECT array_agg(c.occupancy_id) INTO v_cut FROM cut c WHERE c.lane > 0;
        v_waiting := v_waiting || v_cut;
    END IF;
    RETURN CASE WHEN v_waiting IS NOT NULL THEN radscheduler.reseat(p_site, v_waiting) || v_over ELSE v_over END;
END
$$;
COMMENT ON FUNCTION radscheduler.give_back(integer, bigint[], timestamptz) IS
    'Gives back intervals: whole, or with p_at only what lies after that instant. Who waited for them moves up; returns the appointments whose lanes changed and those over the capacity of a pool at that time, NULL when nobody.';

CREATE FUNCTION radscheduler.occupy(p_site integer, p_appointments bigint[], p_known bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_wanted   radscheduler.wanted_time[] := radscheduler.occupancy_wanted(p_site, p_appointments);
    v_item     radscheduler.wanted_time;
    v_seat     record;
    v_placed   integer;
    v_rows     bigint[];
    v_unseated bigint[];
    v_moved    bigint[];
BEGIN
    -- What is the same as before stays, though its claim may be another; what was closed keeps its past, which vacate() left to it.
    IF cardinality(p_known) > 0 THEN
        v_rows := ARRAY(SELECT o.occupancy_id FROM radscheduler.occupancy o
            JOIN radscheduler.appointment a ON a.site_id = o.site_id AND a.appointment_id = o.appointment_id AND (NOT radscheduler.is_closed(a.status) OR a.ending IS NOT NULL)
            WHERE o.site_id = p_site AND o.appointment_id = ANY (p_known)
              AND NOT EXISTS (SELECT FROM unnest(v_wanted) w WHERE w.appointment_id = o.appointment_id AND w.axis = o.axis
                              AND w.subject_id = o.subject_id AND w.during = o.during AND w.buffered = o.buffered));
        v_moved := radscheduler.pool_waiting(p_site, ARRAY(SELECT o.occupancy_id FROM radscheduler.occupancy o WHERE o.site_id = p_site AND o.appointment_id = ANY (p_known)));
        IF v_rows <> '{}' THEN
            v_moved := v_moved || radscheduler.give_back(p_site, v_rows, NULL);
        END IF;
        v_moved := v_moved || radscheduler.yield_dead_holds(p_site, v_wanted);
        v_unseated := radscheduler.overlapping(p_site, p_known);
        PERFORM radscheduler.mark_pooled(p_site, p_known);
    END IF;
    IF cardinality(p_known) > 0 THEN
        v_wanted := ARRAY(SELECT w FROM unnest(v_wanted) w
            WHERE NOT EXISTS (SELECT FROM radscheduler.occupancy o WHERE o.site_id = p_site AND o.appointment_id = w.appointment_id AND o.axis = w.axis
                              AND o.subject_id = w.subject_id AND o.during = w.during AND o.buffered = w.buffered));
    END IF;
    INSERT INTO radscheduler.occupancy (site_id, axis, subject_id, lane, during, buffered, appointment_id)
        SELECT p_site, w.axis, w.subject_id, 0, w.during, w.buffered, w.appointment_id FROM unnest(v_wanted) w
        ON CONFLICT ON CONSTRAINT occupancy_no_overlap DO NOTHING;
    GET DIAGNOSTICS v_placed = ROW_COUNT;
    IF v_placed = cardinality(v_wanted) THEN
        v_wanted := '{}';
    ELSE
        v_moved := v_moved || radscheduler.yield_dead_holds(p_site, v_wanted);
    END IF;
    FOREACH v_item IN ARRAY v_wanted LOOP
        CONTINUE WHEN EXISTS (SELECT FROM radscheduler.occupancy o WHERE o.site_id = p_site AND o.appointment_id = v_item.appointment_id AND o.axis = v_item.axis
                              AND o.subject_id = v_item.subject_id AND o.buffered = v_item.buffered);
        SELECT p.occupancy_id, p.is_overbooked INTO v_seat FROM radscheduler.place(p_site, v_item.axis, v_item.subject_id, v_item.during, v_item.buffered, v_item.appointment_id) p;
        IF v_seat.is_overbooked THEN
            v_unseated := v_unseated || v_seat.occupancy_id;
        END IF;
    END LOOP;
    IF v_unseated IS NOT NULL THEN
        v_moved := v_moved || radscheduler.reseat(p_site, v_unseated);
    END IF;
    RETURN v_moved;
END
$$;
COMMENT ON FUNCTION radscheduler.occupy(integer, bigint[], bigint[]) IS
    'Gives appointments the time their rows ask for, first come first served by their claims, and takes back what they held and no longer ask for; p_known names those among them that held time before. Returns appointments that this concerns besides (give_back(), reseat()). Follow it with settle().';

CREATE FUNCTION radscheduler.occupy(p_site integer, p_appointment bigint, p_is_new boolean) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN radscheduler.occupy(p_site, ARRAY[p_appointment], CASE WHEN p_is_new THEN '{}' ELSE ARRAY[p_appointment] END);
END
$$;
COMMENT ON FUNCTION radscheduler.occupy(integer, bigint, boolean) IS 'occupy() of one appointment; p_is_new says that it held no time before.';

CREATE FUNCTION radscheduler.vacate(p_site integer, p_appointment bigint, p_at timestamptz) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_moved    bigint[] := radscheduler.give_back(p_site, ARRAY(SELECT o.occupancy_id FROM radscheduler.occupancy o
        WHERE o.site_id = p_site AND o.appointment_id = p_appointment AND (p_at IS NULL OR upper(o.during) > p_at)), p_at);
    v_unseated bigint[];
BEGIN
    PERFORM radscheduler.mark_pooled(p_site, ARRAY[p_appointment]);
    IF p_at IS NOT NULL THEN
        v_unseated := radscheduler.overlapping(p_site, ARRAY[p_appointment]);
        IF v_unseated IS NOT NULL THEN
            v_moved := v_moved || radscheduler.reseat(p_site, v_unseated);
        END IF;
    END IF;
    RETURN v_moved;
END
$$;
COMMENT ON FUNCTION radscheduler.vacate(integer, bigint, timestamptz) IS
    'Gives back the time of an appointment that is closed: all of it, or with p_at only what lies after that instant (an exam that ended early keeps its past, without a claim against others). Returns what give_back() does. Follow it with settle().';
