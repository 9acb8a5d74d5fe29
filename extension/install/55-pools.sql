-- Exams that name neither a scanner nor a room share the scanners of their modality: the pool. Exams on a scanner stand before those that
-- name none, among these who claimed the time first. So one change can concern others: pool_neighbours(), pool_waiting(). Whoever changes an
-- exam of a pool holds the locks of its scanners (pool_scanners()): it waits for those who book them, who need not wait for each other.

CREATE FUNCTION radscheduler.pool(p_site integer, p_modality text, OUT resource_id bigint, OUT capacity integer) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT r.resource_id, r.capacity::integer
    FROM (SELECT r.resource_id, r.capacity, rank() OVER (ORDER BY r.kind = 'equipment' DESC) AS rank
          FROM (SELECT q.resource_id, q.capacity, q.kind FROM radscheduler.resource q
                WHERE q.site_id = p_site AND q.is_active AND q.is_registered AND q.kind <> 'staff' AND q.modality = p_modality
                UNION ALL
                SELECT q.resource_id, q.capacity, q.kind FROM radscheduler.resource q
                WHERE q.site_id = p_site AND q.is_active AND q.is_registered AND q.kind <> 'staff' AND q.modalities <> '{}'
                  AND p_modality = ANY (q.modalities) AND q.modality IS DISTINCT FROM p_modality) r) r
    WHERE r.rank = 1;
END
$$;
COMMENT ON FUNCTION radscheduler.pool(integer, text) IS
    'The active registered scanners of a modality and how many exams each takes at once; its rooms where the site has registered no scanner of it, as with ultrasound bays. No rows: exams of this modality are not counted.';

CREATE FUNCTION radscheduler.pool_users(p_site integer, p_modality text, p_during tstzrange, p_for bigint DEFAULT NULL)
    RETURNS TABLE (appointment_id bigint, claim timestamptz, during tstzrange, places integer)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_reserved CONSTANT boolean := radscheduler.has_reserved(p_site);
    v_exam     radscheduler.exam_asked;
BEGIN
    IF v_reserved AND p_for IS NOT NULL THEN
        v_exam := radscheduler.exam_of(p_site, p_for);
    END IF;
    RETURN QUERY
    WITH scanner AS MATERIALIZED (
        SELECT p.resource_id, p.capacity, (SELECT range_agg(b.during) FROM (
            SELECT b.during * p_during AS during FROM radscheduler.resource_block b
            WHERE b.site_id = p_site AND b.resource_id = p.resource_id AND b.during && p_during
            UNION ALL
            -- What is kept for others on every scanner of the modality is a rule of its own (RESERVED, WRONG_EXAM_BLOCK).
            SELECT w.during FROM radscheduler.resource r, LATERAL radscheduler.reserved_times(p_site, p.resource_id, r.modality, lower(p_during), upper(p_during), v_exam) w
            WHERE v_reserved AND r.site_id = p_site AND r.resource_id = p.resource_id AND (w.code IN ('RESOURCE_BLOCKED', 'MAINTENANCE') OR p_for IS NOT NULL AND w.is_own)) b) AS blocked
        FROM radscheduler.pool(p_site, p_modality) p
    )
    SELECT o.appointment_id, NULL::timestamptz, t.during, 1
    FROM scanner s
    JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.axis = 'resource' AND o.subject_id = s.resource_id AND o.buffered && p_during AND o.lane < s.capacity
    CROSS JOIN LATERAL unnest(tstzmultirange(o.during * p_during) - coalesce(s.blocked, '{}')) t(during)
    UNION ALL
    SELECT NULL, NULL, t.during, s.capacity FROM scanner s, unnest(s.blocked) t(during)
    UNION ALL
    SELECT q.appointment_id, radscheduler.claim_of(q.moved_at, q.booked_at, q.created_at), tstzrange(q.starts_at, q.ends_at) * p_during, 1
    FROM radscheduler.appointment q
    WHERE q.site_id = p_site AND q.modality = p_modality AND q.is_pooled AND tstzrange(q.starts_at, q.ends_at) && p_during AND q.hold_until <= clock_timestamp() IS NOT TRUE;
END
$$;
COMMENT ON FUNCTION radscheduler.pool_users(integer, text, tstzrange, bigint) IS
    'What takes places of a pool within a time: exams on its scanners (in legal lanes; who is overbooked there has no place), blocks of them (no appointment), and exams that name no scanner (only these have a claim). For one appointment (p_for) scanners that are kept for others count as blocked.';

CREATE FUNCTION radscheduler.pool_is_tight(p_site integer, p_modality text, p_during tstzrange, p_for bigint DEFAULT NULL) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_capacity bigint := (SELECT sum(p.capacity) FROM radscheduler.pool(p_site, p_modality) p);
BEGIN
    RETURN v_capacity IS NOT NULL AND v_capacity < (SELECT sum(u.places) FROM radscheduler.pool_users(p_site, p_modality, p_during, p_for) u);
END
$$;
COMMENT ON FUNCTION radscheduler.pool_is_tight(integer, text, tstzrange, bigint) IS
    'Whether more want places of a pool within a time than it has, for an appointment where one is named: the quick question before pool_excess(), which asks whether they want them at once. For whoever holds the locks of the pool; others may not see who is just taking a place.';

CREATE FUNCTION radscheduler.pool_excess(p_site integer, p_appointment bigint, OUT excess tstzrange, OUT peak integer, OUT capacity integer) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_mine record;
BEGIN
    SELECT a.appointment_id, a.modality, a.starts_at, a.ends_at, radscheduler.claim_of(a.moved_at, a.booked_at, a.created_at) AS claim INTO v_mine
        FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment AND a.is_pooled;
    pool_excess.capacity := (SELECT sum(p.capacity)::integer FROM radscheduler.pool(p_site, v_mine.modality) p);
    IF pool_excess.capacity IS NULL THEN
        RETURN;
    END IF;
    WITH other AS (
        SELECT u.during, u.places FROM radscheduler.pool_users(p_site, v_mine.modality, tstzrange(v_mine.starts_at, v_mine.ends_at), p_appointment) u
        WHERE u.claim IS NULL OR (u.claim, u.appointment_id) < (v_mine.claim, v_mine.appointment_id)
    ), edge AS (
        SELECT lower(o.during) AS at, o.places AS step FROM other o
        UNION ALL
        SELECT upper(o.during), -o.places FROM other o
        UNION ALL
        SELECT v_mine.starts_at, 1
    ), level AS (
        SELECT e.at, lead(e.at, 1, v_mine.ends_at) OVER (ORDER BY e.at) AS until, sum(sum(e.step)) OVER (ORDER BY e.at)::integer AS taken
        FROM edge e GROUP BY e.at
    )
    SELECT tstzrange(min(l.at), max(l.until)), max(l.taken) INTO pool_excess.excess, pool_excess.peak
        FROM level l WHERE l.taken > pool_excess.capacity AND l.at < l.until HAVING count(*) > 0;
END
$$;
COMMENT ON FUNCTION radscheduler.pool_excess(integer, bigint) IS
    'When an exam that names no scanner finds none: the time, the most places wanted at once by it and those before it, and the capacity of its pool. excess is NULL where a place is free for it all the time; everything is NULL where there is no pool.';

CREATE FUNCTION radscheduler.pool_full(p_site integer, p_modality text, p_during tstzrange, p_without bigint, p_for bigint DEFAULT NULL) RETURNS tstzmultirange
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_capacity bigint;
BEGIN
    -- Without such exams the scanners' own bookings tell all.
    IF NOT EXISTS (SELECT FROM radscheduler.appointment q WHERE q.site_id = p_site AND q.modality = p_modality AND q.is_pooled
                   AND tstzrange(q.starts_at, q.ends_at) && p_during AND q.appointment_id IS DISTINCT FROM p_without) THEN
        RETURN '{}';
    END IF;
    v_capacity := (SELECT sum(p.capacity) FROM radscheduler.pool(p_site, p_modality) p);
    RETURN (WITH other AS (
            SELECT u.during, u.places FROM radscheduler.pool_users(p_site, p_modality, p_during, p_for) u WHERE u.appointment_id IS DISTINCT FROM p_without OR p_without IS NULL
        ), edge AS (
            SELECT lower(o.during) AS at, o.places AS step FROM other o
            UNION ALL
            SELECT upper(o.during), -o.places FROM other o
        ), level AS (
            SELECT e.at, lead(e.at) OVER (ORDER BY e.at) AS until, sum(sum(e.step)) OVER (ORDER BY e.at) AS taken FROM edge e GROUP BY e.at
        )
        SELECT coalesce(range_agg(tstzrange(l.at, l.until)), '{}') FROM level l WHERE l.taken >= v_capacity AND l.at < l.until);
END
$$;
COMMENT ON FUNCTION radscheduler.pool_full(integer, text, tstzrange, bigint, bigint) IS
    'When, within a time, every place of a pool is taken and exams that name no scanner are among those who take them; one appointment may be left out of account. For one of those exams (p_for) scanners that are kept for others count as taken.';

CREATE FUNCTION radscheduler.mark_pooled(p_site integer, p_appointments bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    UPDATE radscheduler.appointment a SET is_pooled = NOT a.is_pooled
        WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments)
          AND a.is_pooled IS DISTINCT FROM (
              a.starts_at IS NOT NULL AND a.modality IS NOT NULL AND radscheduler.takes_time(a.status, a.holds_time)
              AND NOT EXISTS (SELECT FROM radscheduler.appointment_resource ar
                              JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id AND r.kind <> 'staff'
                              WHERE ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id AND ar.status IS NULL));
END
$$;
COMMENT ON FUNCTION radscheduler.mark_pooled(integer, bigint[]) IS 'Keeps appointment.is_pooled: takes time, and names neither a scanner nor a room. Writes only where that has changed. occupy() and vacate() call it for appointments that are known; new ones are written with it.';

CREATE FUNCTION radscheduler.pool_neighbours(p_site integer, p_appointments bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (WITH taken AS (
            -- An exam that is new to the pool can only get in the way of younger claims.
            SELECT a.modality, tstzrange(a.starts_at, a.ends_at) AS during, radscheduler.claim_of(a.moved_at, a.booked_at, a.created_at) AS claim, a.appointment_id, a.version = 1 AS is_new
            FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) AND a.is_pooled
            UNION
            SELECT m.code, o.during, NULL, NULL, false
            FROM unnest(p_appointments) u(id)
            JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.appointment_id = u.id AND o.axis = 'resource'
            JOIN radscheduler.resource r ON r.site_id = p_site AND r.resource_id = o.subject_id AND r.kind <> 'staff' AND r.is_registered,
            LATERAL unnest(r.modality || r.modalities) m(code)
        )
        SELECT array_agg(DISTINCT q.appointment_id)
        FROM taken t
        JOIN radscheduler.appointment q ON q.site_id = p_site AND q.modality = t.modality AND q.is_pooled AND tstzrange(q.starts_at, q.ends_at) && t.during
        WHERE q.appointment_id <> ALL (p_appointments)
          AND (NOT t.is_new OR (radscheduler.claim_of(q.moved_at, q.booked_at, q.created_at), q.appointment_id) > (t.claim, t.appointment_id)));
END
$$;
COMMENT ON FUNCTION radscheduler.pool_neighbours(integer, bigint[]) IS
    'Exams without scanner that find fewer places because of these appointments. Those that find more are told of by pool_waiting(), before the time is given back.';

CREATE FUNCTION radscheduler.pool_waiting(p_site integer, p_rows bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- Who shares a scanner's pool may be being flagged by somebody else at this moment, so all of those; a pool is changed by one at a time.
    RETURN (WITH freed AS MATERIALIZED (
            SELECT range_merge(range_agg(o.during)) AS during FROM radscheduler.occupancy o
            WHERE o.site_id = p_site AND o.occupancy_id = ANY (p_rows) GROUP BY o.appointment_id)
        SELECT array_agg(DISTINCT w.id) FROM (
            SELECT q.appointment_id
            FROM radscheduler.occupancy o
            JOIN radscheduler.resource r ON r.site_id = o.site_id AND r.resource_id = o.subject_id AND r.kind <> 'staff' AND r.is_registered
            CROSS JOIN LATERAL unnest(r.modality || r.modalities) m(code)
            JOIN radscheduler.appointment q ON q.site_id = o.site_id AND q.modality = m.code AND q.is_pooled AND tstzrange(q.starts_at, q.ends_at) && o.during
            WHERE o.site_id = p_site AND o.occupancy_id = ANY (p_rows) AND o.axis = 'resource'
            UNION ALL
            SELECT c.appointment_id FROM radscheduler.conflict c
            WHERE c.site_id = p_site AND c.state <> 'resolved' AND c.code = 'CAPACITY_EXCEEDED' AND EXISTS (SELECT FROM freed f WHERE f.during && c.overlap)) w(id));
END
$$;
COMMENT ON FUNCTION radscheduler.pool_waiting(integer, bigint[]) IS
    'Exams without scanner that may find a place when some intervals are given back, or when their appointments leave the pool. NULL when there are none.';

CREATE FUNCTION radscheduler.name_no_place(p_items radscheduler.ingest_item[]) RETURNS boolean[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_answer boolean[] := '{}';
    v_exact  boolean := false;
    v_item   radscheduler.ingest_item;
BEGIN
    FOREACH v_item IN ARRAY p_items LOOP
        v_answer := v_answer || NOT coalesce(v_item.reading -> 'resources' @? '$[*] ? (@.segment == "AIL" || @.segment == "AIG" && !exists(@.type_code) && !exists(@.type_text))', false);
        v_exact := v_exact OR v_answer[cardinality(v_answer)] AND v_item.resource_ids IS NOT NULL;
    END LOOP;
    IF v_exact THEN
        v_answer := ARRAY(SELECT NOT EXISTS (SELECT FROM radscheduler.resource r WHERE r.site_id = i.site_id AND r.resource_id = ANY (i.resource_ids) AND r.kind <> 'staff')
                          FROM unnest(p_items) WITH ORDINALITY i ORDER BY i.ordinality);
    END IF;
    RETURN v_answer;
END
$$;
COMMENT ON FUNCTION radscheduler.name_no_place(radscheduler.ingest_item[]) IS
    'For each message, side by side, whether among its resources (already resolved) there is neither a scanner nor a room. Nearly all say so by their segments.';

CREATE FUNCTION radscheduler.pool_scanners(p_site integer, p_modalities text[], p_appointments bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ARRAY(SELECT DISTINCT p.resource_id
        FROM (SELECT m FROM unnest(p_modalities) m
              UNION
              SELECT a.modality FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) AND a.is_pooled) m(code),
        LATERAL radscheduler.pool(p_site, m.code) p WHERE m.code IS NOT NULL);
END
$$;
COMMENT ON FUNCTION radscheduler.pool_scanners(integer, text[], bigint[]) IS
    'Resources to lock with the subjects by whoever changes exams that name no scanner: those of the pools of some modalities, and of the pools that appointments stand in now.';
