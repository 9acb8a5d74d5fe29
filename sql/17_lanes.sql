-- Who holds a place and who is overbooked follows from times and claims alone: random histories of bookings, moves, cancellations and late
-- claims, after each of which lanes and conflicts are compared with a count that uses none of the functions tested. Nothing is kept.
SET client_min_messages = warning;
SET timezone = 'UTC';
BEGIN;
SELECT radscheduler.create_site('LANES', 'Lanes', 'UTC') AS site \gset
SET LOCAL radscheduler.site = 'LANES';
SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL join_collapse_limit = 1; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL jit = off;
SELECT radscheduler.add_resource('ONE', 'One place, buffers', 'equipment', 'CT', setup_minutes => 5, turnover_minutes => 10) > 0
   AND radscheduler.add_resource('TWO', 'Two places', 'room', 'US', capacity => 2) > 0
   AND radscheduler.add_resource('THREE', 'Three places, buffers', 'room', 'CR', capacity => 3, turnover_minutes => 5) > 0
   AND radscheduler.add_resource('READER', 'A person', 'staff', role => 'TECHNOLOGIST') > 0 AS added;
-- The rule, written down: oldest claim first, a place is free where fewer legal ones than places stand at each moment; an overbooked one takes
-- the lowest lane beyond the places that no older overbooked one over it has. The lanes of legal ones may be any that are apart.
CREATE FUNCTION pg_temp.faults(p_site integer) RETURNS TABLE (fault text) LANGUAGE plpgsql AS $$
DECLARE
    r record; q record; v_ids bigint[] := '{}'; v_spans tstzrange[] := '{}'; v_due integer[] := '{}'; v_peak integer; v_lane integer; k text;
BEGIN
    FOR r IN SELECT o.*, coalesce(x.capacity, 1) AS places, format('%s/%s', o.axis, o.subject_id) AS subject,
                    row_number() OVER (PARTITION BY o.axis, o.subject_id ORDER BY a.status = 'COMPLETED', coalesce(a.moved_at, a.booked_at, a.created_at), a.appointment_id) AS place
             FROM radscheduler.occupancy o JOIN radscheduler.appointment a USING (site_id, appointment_id)
             LEFT JOIN radscheduler.resource x ON o.axis = 'resource' AND x.site_id = o.site_id AND x.resource_id = o.subject_id
             WHERE o.site_id = p_site ORDER BY o.axis, o.subject_id, place LOOP
        IF k IS DISTINCT FROM r.subject THEN
            k := r.subject; v_ids := '{}'; v_spans := '{}'; v_due := '{}';
        END IF;
        v_peak := 0;
        FOR q IN SELECT lower(r.buffered) AS at UNION SELECT lower(s) FROM unnest(v_spans) s WHERE s && r.buffered AND lower(s) > lower(r.buffered) LOOP
            v_peak := greatest(v_peak, (SELECT count(*) FROM unnest(v_spans, v_due) u(s, d) WHERE s @> q.at AND d < r.places));
        END LOOP;
        v_lane := 0;
        IF v_peak >= r.places THEN
            v_lane := r.places;
            WHILE EXISTS (SELECT FROM unnest(v_spans, v_due) u(s, d) WHERE s && r.buffered AND d = v_lane) LOOP v_lane := v_lane + 1; END LOOP;
        END IF;
        v_ids := v_ids || r.appointment_id; v_spans := v_spans || r.buffered; v_due := v_due || v_lane;
        IF v_lane >= r.places AND v_lane <> r.lane OR v_lane < r.places AND r.lane >= r.places THEN
            fault := format('lane %s instead of %s', r.lane, v_lane); RETURN NEXT;
        END IF;
    END LOOP;
    RETURN QUERY
    WITH o AS (SELECT o.*, o.lane >= coalesce(x.capacity, 1) AS over, a.status <> 'COMPLETED' AS counts FROM radscheduler.occupancy o JOIN radscheduler.appointment a USING (site_id, appointment_id)
               LEFT JOIN radscheduler.resource x ON o.axis = 'resource' AND x.site_id = o.site_id AND x.resource_id = o.subject_id WHERE o.site_id = p_site),
    due AS (SELECT DISTINCT a.axis, a.subject_id, a.appointment_id AS flagged, b.appointment_id AS holder FROM o a JOIN o b USING (axis, subject_id)
            WHERE a.over AND NOT b.over AND a.counts AND b.counts AND lower(a.buffered) < upper(b.buffered) AND lower(b.buffered) < upper(a.buffered) AND a.appointment_id <> b.appointment_id),
    told AS (SELECT c.axis, c.subject_id, c.appointment_id AS flagged, c.other_appointment_id AS holder FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.state <> 'resolved')
    SELECT CASE WHEN i.flagged IS NULL THEN 'a conflict is missing' ELSE 'a conflict is too many' END FROM due d FULL JOIN told i USING (axis, subject_id, flagged, holder) WHERE d.holder IS NULL OR i.holder IS NULL
    UNION ALL
    SELECT 'two in one lane' FROM o a JOIN o b USING (axis, subject_id, lane) WHERE a.occupancy_id < b.occupancy_id AND lower(a.buffered) < upper(b.buffered) AND lower(b.buffered) < upper(a.buffered)
    UNION ALL
    SELECT format('status %s, critical %s', a.status, count(c.*)) FROM radscheduler.appointment a
        LEFT JOIN radscheduler.conflict c ON c.site_id = a.site_id AND c.appointment_id = a.appointment_id AND c.state = 'open' AND c.severity = 'critical'
        WHERE a.site_id = p_site AND a.status IN ('SCHEDULED', 'PENDING_REVIEW') GROUP BY a.appointment_id, a.status HAVING (a.status = 'PENDING_REVIEW') <> (count(c.*) > 0);
END $$;
CREATE FUNCTION pg_temp.parts(p_site integer, p_id bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM radscheduler.appointment_resource WHERE site_id = p_site AND appointment_id = p_id;
    INSERT INTO radscheduler.appointment_resource (site_id, appointment_id, position, segment, resource_id)
        SELECT p_site, p_id, row_number() OVER (), 'BOOK', q.resource_id FROM (SELECT resource_id FROM radscheduler.resource WHERE site_id = p_site ORDER BY resource_id) q
        WHERE random() < 0.45;
END $$;
CREATE FUNCTION pg_temp.history(p_site integer, p_steps integer) RETURNS TABLE (step integer, what text, fault text) LANGUAGE plpgsql AS $$
DECLARE
    v_day timestamptz := '2031-02-03 08:00Z'; v_id bigint; v_moved bigint[]; v_start timestamptz; v_minutes integer; v_n bigint; f text;
    v_patients bigint[] := ARRAY(SELECT p.patient_id FROM radscheduler.patient p WHERE p.site_id = p_site ORDER BY 1);
BEGIN
    FOR n IN 1 .. p_steps LOOP
        step := n;
        v_start := v_day + make_interval(mins => 5 * floor(random() * 60)::integer);
        v_minutes := 10 + 5 * floor(random() * 12)::integer;
        SELECT q.appointment_id, q.n INTO v_id, v_n FROM (SELECT a.appointment_id, row_number() OVER (ORDER BY a.appointment_id) AS place, count(*) OVER () AS n FROM radscheduler.appointment a
            WHERE a.site_id = p_site AND a.status IN ('SCHEDULED', 'PENDING_REVIEW')) q, (SELECT random() AS at OFFSET 0) d WHERE q.place = 1 + floor(d.at * q.n);
        what := CASE WHEN v_id IS NULL OR v_n < 24 AND random() < 0.5 THEN 'book' ELSE (ARRAY['move', 'shorten', 'cancel', 'complete', 'resources', 'late'])[1 + floor(random() * 6)::integer] END;
        v_moved := NULL;
        IF what = 'book' THEN
            INSERT INTO radscheduler.appointment AS a (site_id, patient_id, status, starts_at, ends_at, modality, source, booked_at)
                VALUES (p_site, v_patients[1 + floor(random() * cardinality(v_patients))::integer], 'SCHEDULED', v_start, v_start + make_interval(mins => v_minutes), 'OT', 'SQL',
                        '2031-01-01Z'::timestamptz + make_interval(mins => floor(random() * 30)::integer)) RETURNING a.appointment_id INTO v_id;
            PERFORM pg_temp.parts(p_site, v_id);
            v_moved := radscheduler.occupy(p_site, v_id, true);
        ELSIF what IN ('move', 'resources', 'shorten') THEN
            IF what = 'resources' THEN PERFORM pg_temp.parts(p_site, v_id); END IF;
            UPDATE radscheduler.appointment a SET starts_at = CASE WHEN what = 'move' THEN v_start ELSE a.starts_at END,
                    ends_at = CASE what WHEN 'move' THEN v_start + make_interval(mins => v_minutes) WHEN 'shorten' THEN a.starts_at + (a.ends_at - a.starts_at) / 2 ELSE a.ends_at END,
                    moved_at = '2031-01-01Z'::timestamptz + make_interval(mins => floor(random() * 40)::integer),
                    status = coalesce(a.resume_status, a.status), resume_status = NULL, review_reason = NULL WHERE a.site_id = p_site AND a.appointment_id = v_id;
            v_moved := radscheduler.occupy(p_site, v_id, false);
        ELSIF what = 'late' THEN
            UPDATE radscheduler.appointment a SET booked_at = a.booked_at - interval '25 minutes', moved_at = CASE WHEN random() < 0.5 THEN a.moved_at END WHERE a.site_id = p_site AND a.appointment_id = v_id;
            v_moved := radscheduler.reseat(p_site, radscheduler.overlapping(p_site, ARRAY[v_id]));
        ELSE
            UPDATE radscheduler.appointment a SET status = CASE what WHEN 'cancel' THEN 'CANCELLED'::radscheduler.appointment_status ELSE 'COMPLETED' END, resume_status = NULL, review_reason = NULL
                WHERE a.site_id = p_site AND a.appointment_id = v_id;
            v_moved := radscheduler.vacate(p_site, v_id, CASE WHEN what = 'complete' THEN (SELECT a.starts_at + (a.ends_at - a.starts_at) / 2 FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = v_id) END);
        END IF;
        PERFORM radscheduler.settle(p_site, ARRAY[v_id], v_moved);
        FOR f IN SELECT x.fault FROM pg_temp.faults(p_site) x LOOP fault := f; RETURN NEXT; END LOOP;
    END LOOP;
END $$;
INSERT INTO radscheduler.patient (site_id, mrn, display_name) SELECT :site, 'LN' || n, 'Lane Tester' FROM generate_series(1, 6) n;
SELECT setseed(0.31);
SELECT * FROM pg_temp.history(:site, 150) ORDER BY 1 LIMIT 5;
-- It was no idle walk: many were overbooked, and many of those healed.
SELECT count(*) > 100 AS conflicts, count(*) FILTER (WHERE state = 'resolved') > 60 AS healed, count(DISTINCT subject_id) FILTER (WHERE axis = 'resource') AS resources FROM radscheduler.conflict WHERE site_id = :site;
SELECT max(o.lane) > 3 AS deep, count(*) FILTER (WHERE r.capacity > 1 AND o.lane > 0) > 5 AS side_by_side FROM radscheduler.occupancy o JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id WHERE o.site_id = :site;
ROLLBACK;
