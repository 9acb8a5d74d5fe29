-- How long one waits: the third next available appointment, which one cancellation does not make look better than it is. The same search as
-- find_slots(), so what it counts can be booked.

CREATE FUNCTION radscheduler.third_next_available(
        modality         text        DEFAULT NULL,
        procedure        text        DEFAULT NULL,
        resource         text        DEFAULT NULL,
        earliest         timestamptz DEFAULT pg_catalog.now(),
        duration_minutes integer     DEFAULT NULL,
        constraints      jsonb       DEFAULT NULL,
        OUT resource_code text, OUT starts_at timestamptz, OUT ends_at timestamptz, OUT datetime timestamp, OUT days integer) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
#variable_conflict use_variable
DECLARE
    v_search radscheduler.slot_search := radscheduler.read_slot_search(modality, procedure, resource, earliest, earliest + interval '400 days', duration_minutes, 1, NULL, NULL, constraints);
    v_zone   text := radscheduler.site_zone(v_search.site_id);
    v_taken  bigint[] := '{}';
    v_ends   timestamptz[] := '{}';
    v_slot   record;
    v_place  integer;
BEGIN
    v_search.is_best := false;
    -- One opening hides at most the starts that overlap it; so many suffice for three that do not.
    v_search.max_slots := 2 * (SELECT 1 + (v_search.minutes + max(r.setup_minutes + r.turnover_minutes)) / min(s.slot_minutes)
                               FROM radscheduler.site s LEFT JOIN radscheduler.resource r ON r.site_id = s.site_id AND r.resource_id = ANY (v_search.resources)
                               WHERE s.site_id = v_search.site_id) + 1;
    FOR v_slot IN
        SELECT f.resource_id, f.resource_code, f.starts_at, f.ends_at, make_interval(mins => (r.setup_minutes + r.turnover_minutes)::integer) AS buffer
        FROM radscheduler.search_slots(v_search) f JOIN radscheduler.resource r ON r.site_id = v_search.site_id AND r.resource_id = f.resource_id
        ORDER BY f.starts_at, f.resource_code
    LOOP
        v_place := array_position(v_taken, v_slot.resource_id);
        CONTINUE WHEN v_place IS NOT NULL AND v_slot.starts_at < v_ends[v_place] + v_slot.buffer;
        v_taken := v_slot.resource_id || v_taken;
        v_ends := v_slot.ends_at || v_ends;
        IF cardinality(v_taken) = 3 THEN
            resource_code := v_slot.resource_code;
            starts_at := v_slot.starts_at;
            ends_at := v_slot.ends_at;
            datetime := timezone(v_zone, v_slot.starts_at);
            days := timezone(v_zone, v_slot.starts_at)::date - timezone(v_zone, earliest)::date;
            RETURN;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.third_next_available(text, text, text, timestamptz, integer, jsonb) IS
    'The third of the next free times of a modality, exam or resource that do not overlap on one resource, and how many days ahead it lies by the site''s calendar; all NULL where 400 days have no three. Arguments as find_slots() takes them.';
