-- Which free times are offered, and in which order. The search grows from the time it is about, the same day, 7, 30, 90 days and then to the end
-- of the window, until enough is found: a cost is never less than the distance in minutes, so what lies further away than the last of those
-- found costs cannot be better. Costs are minutes: to be a day closer is worth as much as 1440.

CREATE FUNCTION radscheduler.slot_candidates(p_search radscheduler.slot_search, p_from timestamptz, p_until timestamptz) RETURNS SETOF radscheduler.slot
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    c_other_resource CONSTANT integer := 240;
    c_other_person   CONSTANT integer := 120;
    c_fragment       CONSTANT integer := 15;
    v_zone    CONSTANT text := radscheduler.site_zone(p_search.site_id);
    v_length  CONSTANT interval := make_interval(mins => p_search.minutes);
    v_step    CONSTANT interval := (SELECT make_interval(mins => s.slot_minutes::integer) FROM radscheduler.site s WHERE s.site_id = p_search.site_id);
    v_anchor  CONSTANT timestamptz := coalesce(p_search.wanted, p_search.earliest);
    v_limit   CONSTANT integer := CASE WHEN NOT p_search.is_best THEN p_search.max_slots END;
    v_allowed tstzmultirange := radscheduler.wall_starts(p_search, v_zone, p_from, p_until);
    v_codes   text[];
    v_places  integer[];
    v_free    tstzmultirange[];
    v_same    tstzmultirange := '{}';
    v_prefers_resource CONSTANT boolean := coalesce(p_search.prefer && p_search.resources, false);
    v_exam    CONSTANT radscheduler.exam_asked := ROW(coalesce(nullif(p_search.urgency, 'routine'), (p_search.exam).urgency, 'routine'), (p_search.exam).patient_class, (p_search.exam).words);
    v_prefers_person   CONSTANT boolean := coalesce(p_search.prefer && p_search.people, false);
BEGIN
    IF p_search.people IS NOT NULL AND NOT isempty(v_allowed) THEN
        SELECT array_agg(r.code ORDER BY u.place, NOT u.is_preferred, r.code), array_agg(u.place ORDER BY u.place, NOT u.is_preferred, r.code),
               array_agg(coalesce(f.starts, '{}') ORDER BY u.place, NOT u.is_preferred, r.code), coalesce(range_agg(f.starts) FILTER (WHERE u.is_preferred), '{}')
            INTO v_codes, v_places, v_free, v_same
            FROM (SELECT p.person, p.place, coalesce(p.person = ANY (p_search.prefer), false) AS is_preferred FROM unnest(p_search.people, p_search.places) p(person, place)) u
            JOIN radscheduler.resource r ON r.site_id = p_search.site_id AND r.resource_id = u.person
            LEFT JOIN (SELECT g.resource_id, range_agg(tstzrange(lower(g.gap), upper(g.gap) - v_length, '[]')) AS starts
                       FROM radscheduler.free_gaps(p_search.site_id, p_search.people, p_from, p_until + v_length, p_search.without, true, v_exam) g
                       WHERE upper(g.gap) - lower(g.gap) >= v_length GROUP BY g.resource_id) f
                   ON f.resource_id = u.person;
        FOR v_place IN 1 .. (SELECT max(p) FROM unnest(v_places) p) LOOP
            v_allowed := v_allowed * (SELECT coalesce(range_agg(u.starts), '{}') FROM unnest(v_free, v_places) u(starts, place) WHERE u.place = v_place);
        END LOOP;
    END IF;
    IF isempty(v_allowed) THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH pool AS MATERIALIZED (
        SELECT m.code, f.resource_id, f.starts
        FROM (SELECT DISTINCT unnest(r.modality || r.modalities) AS code FROM radscheduler.resource r
              WHERE r.site_id = p_search.site_id AND r.resource_id = ANY (p_search.resources) AND r.kind <> 'staff') m,
             LATERAL radscheduler.pool_forbids(p_search, m.code, p_from, p_until) f
    ), patient AS MATERIALIZED (
        SELECT f.resource_id, f.starts FROM radscheduler.patient_forbids(p_search, p_from, p_until) f
    ), place AS MATERIALIZED (
        SELECT r.resource_id, r.code,
               v_allowed - coalesce((SELECT f.starts FROM patient f WHERE f.resource_id = r.resource_id), '{}')
                         - coalesce((SELECT range_agg(p.starts) FROM pool p WHERE (p.code = r.modality OR p.code = ANY (r.modalities)) AND (p.resource_id = r.resource_id) IS NOT FALSE), '{}') AS starts
        FROM radscheduler.resource r
        WHERE r.site_id = p_search.site_id AND r.resource_id = ANY (p_search.resources)
    ), candidate AS (
        SELECT g.resource_id, p.code, t.start,
               min(CASE WHEN t.start - lower(g.gap) BETWEEN interval '1 microsecond' AND v_length - interval '1 microsecond' THEN 1 ELSE 0 END
                   + CASE WHEN upper(g.gap) - v_length - t.start BETWEEN interval '1 microsecond' AND v_length - interval '1 microsecond' THEN 1 ELSE 0 END) AS fragments,
               bool_or(t.start = lower(g.gap) OR t.start + v_length = upper(g.gap)) AS at_edge
        FROM radscheduler.free_gaps(p_search.site_id, p_search.resources, p_from - v_length, p_until + 2 * v_length, p_search.without, false, v_exam) g
        JOIN place p ON p.resource_id = g.resource_id
        CROSS JOIN LATERAL unnest(tstzmultirange(tstzrange(lower(g.gap), greatest(lower(g.gap), upper(g.gap) - v_length), '[]')) * p.starts) s
        -- The grid begins anew at each midnight of the site.
        CROSS JOIN LATERAL (
            SELECT x.start
            FROM generate_series(date_trunc('day', timezone(v_zone, lower(s))), timezone(v_zone, upper(s)), interval '1 day') d,
                 LATERAL generate_series(date_bin(v_step, greatest(lower(s), timezone(v_zone, d)) + v_step - interval '1 microsecond', timezone(v_zone, d)),
                                         least(upper(s), timezone(v_zone, d + interval '1 day') - interval '1 microsecond'), v_step) x(start)
            WHERE s @> x.start LIMIT v_limit) t
        WHERE upper(g.gap) - lower(g.gap) >= v_length
        GROUP BY g.resource_id, p.code, t.start
    ), costed AS (
        SELECT c.*, abs(extract(epoch FROM c.start - v_anchor) / 60)::integer AS distance,
               v_prefers_resource AND c.resource_id <> ALL (p_search.prefer) AS is_other,
               v_prefers_person AND NOT v_same @> c.start AS is_stranger
        FROM candidate c
    ), priced AS (
        SELECT c.*, c.distance + CASE WHEN c.is_other THEN c_other_resource ELSE 0 END + CASE WHEN c.is_stranger THEN c_other_person ELSE 0 END
                    + c_fragment * c.fragments AS cost
        FROM costed c
    ), chosen AS (
        SELECT c.* FROM priced c ORDER BY CASE WHEN p_search.is_best THEN c.cost END, c.start, c.code LIMIT p_search.max_slots
    )
    SELECT c.resource_id, c.code, c.start, c.start + v_length,
           CASE WHEN v_codes IS NULL THEN '{}' ELSE (SELECT array_agg(w.code ORDER BY w.place) FROM (
               SELECT DISTINCT ON (u.place) u.code, u.place FROM unnest(v_codes, v_places, v_free) WITH ORDINALITY u(code, place, starts, rank)
               WHERE u.starts @> c.start ORDER BY u.place, u.rank) w) END,
           c.cost,
           jsonb_build_array(jsonb_build_object('code', 'distance', 'minutes', c.distance))
           || CASE WHEN NOT v_prefers_resource THEN '[]' WHEN NOT c.is_other THEN '[{"code": "same_resource"}]'
                   ELSE jsonb_build_array(jsonb_build_object('code', 'other_resource', 'minutes', c_other_resource)) END
           || CASE WHEN NOT v_prefers_person THEN '[]' WHEN NOT c.is_stranger THEN '[{"code": "same_person"}]'
                   ELSE jsonb_build_array(jsonb_build_object('code', 'other_person', 'minutes', c_other_person)) END
           || CASE WHEN c.at_edge THEN '[{"code": "gap_edge"}]'::jsonb ELSE '[]' END
           || CASE WHEN c.fragments > 0 THEN jsonb_build_array(jsonb_build_object('code', 'fragment', 'minutes', c_fragment * c.fragments)) ELSE '[]' END
    FROM chosen c ORDER BY CASE WHEN p_search.is_best THEN c.cost END, c.start, c.code;
END
$$;
COMMENT ON FUNCTION radscheduler.slot_candidates(radscheduler.slot_search, timestamptz, timestamptz) IS
    'The best free times of a search that start within a time, with what they cost: the distance in minutes, 240 for another scanner than wished, 120 for another person, 15 for each rest of a gap that is too short for such an exam.';

CREATE FUNCTION radscheduler.search_slots(p_search radscheduler.slot_search) RETURNS SETOF radscheduler.slot
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    v_search radscheduler.slot_search := p_search;
    v_stop   CONSTANT timestamptz := p_search.latest - make_interval(mins => p_search.minutes) + interval '1 microsecond';
    v_anchor CONSTANT timestamptz := greatest(p_search.earliest, least(v_stop, CASE WHEN p_search.is_best THEN coalesce(p_search.wanted, p_search.earliest) ELSE p_search.earliest END));
    v_zone   CONSTANT text := radscheduler.site_zone(p_search.site_id);
    v_before timestamptz := v_anchor;
    v_after  timestamptz := v_anchor;
    v_edge   timestamptz;
    v_reach  interval;
    v_found  radscheduler.slot[] := '{}';
    v_count  integer;
BEGIN
    IF v_stop <= p_search.earliest THEN
        RETURN;
    END IF;
    FOREACH v_reach IN ARRAY ARRAY[timezone(v_zone, date_trunc('day', timezone(v_zone, v_anchor)) + interval '1 day') - v_anchor,
                                   interval '7 days', interval '30 days', interval '90 days', interval '800 days'] LOOP
        -- So many are not found in less.
        CONTINUE WHEN v_reach < make_interval(days => least(90, p_search.max_slots / 300));
        v_edge := least(v_stop, v_anchor + v_reach);
        IF NOT p_search.is_best THEN
            RETURN QUERY SELECT c.* FROM radscheduler.slot_candidates(v_search, v_after, v_edge) c WHERE v_after < v_edge;
            GET DIAGNOSTICS v_count = ROW_COUNT;
            v_search.max_slots := v_search.max_slots - v_count;
            EXIT WHEN v_search.max_slots < 1 OR v_edge >= v_stop;
            v_after := v_edge;
            CONTINUE;
        END IF;
        v_found := ARRAY(
            SELECT f FROM (
                SELECT q AS f FROM unnest(v_found) q
                UNION ALL
                SELECT c FROM radscheduler.slot_candidates(v_search, v_after, v_edge) c WHERE v_after < v_edge
                UNION ALL
                SELECT c FROM radscheduler.slot_candidates(v_search, greatest(p_search.earliest, v_anchor - v_reach), v_before) c WHERE v_before > p_search.earliest) u
            ORDER BY (f).cost, (f).starts_at, (f).resource_code LIMIT p_search.max_slots);
        v_after := v_edge;
        v_before := greatest(p_search.earliest, v_anchor - v_reach);
        EXIT WHEN v_before <= p_search.earliest AND v_after >= v_stop;
        -- A wish outside the window is that much further from everything.
        EXIT WHEN cardinality(v_found) = p_search.max_slots
              AND make_interval(mins => (v_found[p_search.max_slots]).cost) <= v_reach + greatest(v_anchor - p_search.wanted, p_search.wanted - v_anchor, interval '0');
    END LOOP;
    IF p_search.is_best THEN
        RETURN QUERY SELECT f.* FROM unnest(v_found) f;
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.search_slots(radscheduler.slot_search) IS
    'The free times of a search, as many as it asks for: by start, or the cheapest first. Looks at no more of its window than it must.';
