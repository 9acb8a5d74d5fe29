-- Taking time. occupy() asks the exclusion constraint for lane 0 of every subject at once; what it refuses goes to place(), which
-- finds the lowest free lane. Callers hold the locks of 42-locks.sql.

CREATE FUNCTION radscheduler.occupancy_wanted(p_site integer, p_appointment bigint,
        OUT axis radscheduler.axis, OUT subject_id bigint, OUT during tstzrange, OUT buffered tstzrange) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 4 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT 'resource'::radscheduler.axis, w.resource_id,
           tstzrange(lower(w.span) + make_interval(mins => w.setup), upper(w.span) - make_interval(mins => w.turnover)), w.span
    FROM (SELECT r.resource_id, r.setup_minutes::integer AS setup, r.turnover_minutes::integer AS turnover,
                 unnest(range_agg(tstzrange(coalesce(ar.starts_at, a.starts_at) - make_interval(mins => r.setup_minutes::integer),
                                            coalesce(ar.ends_at, a.ends_at) + make_interval(mins => r.turnover_minutes::integer)))) AS span
          FROM radscheduler.appointment a
          JOIN radscheduler.appointment_resource ar ON ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id
          JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id
          WHERE a.site_id = p_site AND a.appointment_id = p_appointment AND radscheduler.is_occupying(a.status) AND a.starts_at IS NOT NULL
          GROUP BY r.resource_id, r.setup_minutes, r.turnover_minutes) w
    UNION ALL
    SELECT 'patient', p.patient_id, p.span, p.span
    FROM (SELECT a.patient_id, unnest(range_agg(tstzrange(coalesce(s.starts_at, a.starts_at), coalesce(s.ends_at, a.ends_at)))) AS span
          FROM radscheduler.appointment a
          LEFT JOIN radscheduler.appointment_service s ON s.site_id = a.site_id AND s.appointment_id = a.appointment_id
          WHERE a.site_id = p_site AND a.appointment_id = p_appointment AND radscheduler.is_occupying(a.status) AND a.starts_at IS NOT NULL
          GROUP BY a.patient_id) p;
END
$$;
COMMENT ON FUNCTION radscheduler.occupancy_wanted(integer, bigint) IS
    'What an appointment occupies by its own rows: each resource over its intervals widened by set-up and turnover, the patient over the exams. Nothing for a state that does not occupy.';

CREATE FUNCTION radscheduler.place(p_site integer, p_axis radscheduler.axis, p_subject bigint, p_during tstzrange, p_buffered tstzrange,
                                   p_appointment bigint) RETURNS smallint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_lane smallint;
BEGIN
    FOR v_attempt IN 1..100 LOOP
        WITH busy AS (
            SELECT DISTINCT o.lane FROM radscheduler.occupancy o
            WHERE o.site_id = p_site AND o.axis = p_axis AND o.subject_id = p_subject AND o.buffered && p_buffered)
        SELECT min(g.lane) INTO v_lane
        FROM generate_series(0, (SELECT count(*)::integer FROM busy)) g(lane)
        WHERE NOT EXISTS (SELECT FROM busy b WHERE b.lane = g.lane);
        INSERT INTO radscheduler.occupancy (site_id, axis, subject_id, lane, during, buffered, appointment_id)
            VALUES (p_site, p_axis, p_subject, v_lane, p_during, p_buffered, p_appointment)
            ON CONFLICT ON CONSTRAINT occupancy_no_overlap DO NOTHING;
        IF FOUND THEN
            RETURN v_lane;
        END IF;
    END LOOP;
    RAISE EXCEPTION 'no lane could be taken: other transactions took each one first'
        USING ERRCODE = 'serialization_failure', HINT = 'Run the transaction again.';
END
$$;
COMMENT ON FUNCTION radscheduler.place(integer, radscheduler.axis, bigint, tstzrange, tstzrange, bigint) IS
    'Takes the lowest free lane of a subject and returns it. A race is lost cleanly to the exclusion constraint and tried again; 40001 after 100 lost races.';

CREATE FUNCTION radscheduler.occupy(p_site integer, p_appointment bigint, p_is_new boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item record;
BEGIN
    IF NOT p_is_new THEN
        DELETE FROM radscheduler.occupancy o WHERE o.site_id = p_site AND o.appointment_id = p_appointment;
    END IF;
    FOR v_item IN
        WITH wanted AS MATERIALIZED (
            SELECT * FROM radscheduler.occupancy_wanted(p_site, p_appointment)
        ), placed AS (
            INSERT INTO radscheduler.occupancy (site_id, axis, subject_id, lane, during, buffered, appointment_id)
                SELECT p_site, w.axis, w.subject_id, 0, w.during, w.buffered, p_appointment FROM wanted w
                ON CONFLICT ON CONSTRAINT occupancy_no_overlap DO NOTHING
                RETURNING axis, subject_id, buffered
        )
        SELECT w.* FROM wanted w
        WHERE NOT EXISTS (SELECT FROM placed p WHERE p.axis = w.axis AND p.subject_id = w.subject_id AND p.buffered = w.buffered)
    LOOP
        PERFORM radscheduler.place(p_site, v_item.axis, v_item.subject_id, v_item.during, v_item.buffered, p_appointment);
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.occupy(integer, bigint, boolean) IS
    'Gives an appointment the time its rows ask for, in the lowest free lanes; p_is_new skips giving back what it held. Follow it with settle().';

CREATE FUNCTION radscheduler.vacate(p_site integer, p_appointment bigint, p_at timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    DELETE FROM radscheduler.occupancy o
        WHERE o.site_id = p_site AND o.appointment_id = p_appointment AND (p_at IS NULL OR lower(o.during) >= p_at);
    IF p_at IS NOT NULL THEN
        UPDATE radscheduler.occupancy o
            SET during = tstzrange(lower(o.during), p_at), buffered = tstzrange(lower(o.buffered), p_at)
            WHERE o.site_id = p_site AND o.appointment_id = p_appointment AND upper(o.during) > p_at;
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.vacate(integer, bigint, timestamptz) IS
    'Gives back the time an appointment holds: all of it, or with p_at only what lies after that instant (an exam that ended early keeps its past).';
