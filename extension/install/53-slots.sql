-- Free time: opening hours minus blocks minus occupancy, with the same buffers that booking will be held to. What is offered can be booked.

CREATE FUNCTION radscheduler.find_slots(
        modality         text        DEFAULT NULL,
        resource         text        DEFAULT NULL,
        earliest         timestamptz DEFAULT pg_catalog.now(),
        latest           timestamptz DEFAULT NULL,
        duration_minutes integer     DEFAULT NULL,
        max_slots        integer     DEFAULT 10,
        patient_id       text        DEFAULT NULL,
        without          bigint      DEFAULT NULL,
        OUT resource_code text, OUT starts_at timestamptz, OUT ends_at timestamptz, OUT datetime timestamp) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_variable
DECLARE
    v_site     integer := radscheduler.current_site();
    v_code     text;
    v_resource bigint[];
    v_patients bigint[];
    v_minutes  integer := duration_minutes;
BEGIN
    IF modality IS NULL AND resource IS NULL THEN
        RAISE EXCEPTION 'find_slots needs a modality or a resource'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'SELECT * FROM radscheduler.find_slots(modality => ''MRI'');';
    END IF;
    IF modality IS NOT NULL THEN
        v_code := radscheduler.modality_code(v_site, modality);
        IF v_code IS NULL THEN
            RAISE EXCEPTION 'modality "%" is not known at this site', modality
                USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.modality_alias lists the words that are.';
        END IF;
    END IF;
    SELECT array_agg(DISTINCT r.resource_id) INTO v_resource
        FROM radscheduler.resource r
        WHERE r.site_id = v_site AND r.is_active AND r.kind IN ('equipment', 'room', 'staff')
          AND (resource IS NULL AND r.kind IN ('equipment', 'room')
               OR r.resource_id IN (SELECT x.resource_id FROM radscheduler.resource_alias x WHERE x.site_id = v_site AND x.alias = upper(resource)))
          AND (v_code IS NULL OR r.modality = v_code OR v_code = ANY (r.modalities));
    IF resource IS NOT NULL AND v_resource IS NULL THEN
        RAISE EXCEPTION 'resource "%" is not known at this site%', resource, CASE WHEN v_code IS NULL THEN '' ELSE ' for this modality' END
            USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.resource_alias lists the names that are.';
    END IF;
    IF v_minutes IS NULL THEN
        SELECT m.default_minutes INTO v_minutes FROM radscheduler.modality m
            WHERE m.site_id = v_site
              AND m.code = coalesce(v_code, (SELECT r.modality FROM radscheduler.resource r WHERE r.site_id = v_site AND r.resource_id = v_resource[1]));
        v_minutes := coalesce(v_minutes, 30);
    END IF;
    IF v_minutes NOT BETWEEN 1 AND 1440 THEN
        RAISE EXCEPTION 'a duration of % minutes cannot be searched for', v_minutes
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give 1 to 1440 minutes.';
    END IF;
    IF NOT isfinite(earliest) OR coalesce(latest, earliest) > earliest + interval '400 days' THEN
        RAISE EXCEPTION 'a window of more than 400 days cannot be searched' USING ERRCODE = 'invalid_parameter_value', HINT = 'Search in parts.';
    END IF;
    IF latest < earliest OR max_slots < 1 THEN
        RAISE EXCEPTION 'find_slots was asked for %', CASE WHEN max_slots < 1 THEN 'fewer than one slot' ELSE 'a window that ends before it begins' END
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give earliest before latest, and max_slots of at least 1.';
    END IF;
    IF patient_id IS NOT NULL THEN
        SELECT array_agg(DISTINCT i.patient_id) INTO v_patients
            FROM radscheduler.patient_identifier i WHERE i.site_id = v_site AND i.value = patient_id;
    END IF;
    RETURN QUERY SELECT * FROM radscheduler.free_slots(v_site, v_resource, v_patients, earliest, coalesce(latest, earliest + interval '14 days'),
                                                       v_minutes, max_slots, without);
END
$$;
COMMENT ON FUNCTION radscheduler.find_slots(text, text, timestamptz, timestamptz, integer, integer, text, bigint) IS
    'Free starting times of a modality''s scanners and rooms, or of one resource by any of its names, earliest first: opening hours minus blocks minus bookings, buffers included, on the site''s grid. earliest and latest bound the start and end (default 14 days), duration defaults to the modality''s, patient_id (MRN) also avoids that patient''s bookings, without ignores one appointment (to move it). datetime is site local.';

CREATE FUNCTION radscheduler.free_slots(p_site integer, p_resources bigint[], p_patients bigint[], p_from timestamptz, p_until timestamptz,
                                        p_minutes integer, p_limit integer, p_without bigint,
        OUT resource_code text, OUT starts_at timestamptz, OUT ends_at timestamptz, OUT datetime timestamp) RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp SET jit = off
    AS $$
WITH bookable AS (
    SELECT r.resource_id, r.code, r.capacity, r.setup_minutes::integer AS setup, r.turnover_minutes::integer AS turnover,
           radscheduler.open_hours(p_site, r.resource_id, p_from, p_until)
           - coalesce((SELECT range_agg(b.during) FROM radscheduler.resource_block b
                       WHERE b.site_id = p_site AND b.resource_id = r.resource_id AND b.during && tstzrange(p_from, p_until)), '{}')
           - coalesce((SELECT range_agg(o.during) FROM radscheduler.occupancy o
                       WHERE o.site_id = p_site AND o.axis = 'patient' AND o.subject_id = ANY (p_patients)
                         AND o.buffered && tstzrange(p_from, p_until) AND o.appointment_id IS DISTINCT FROM p_without), '{}')
           - radscheduler.pool_full(p_site, r.modality, tstzrange(p_from, p_until), p_without) AS open
    FROM radscheduler.resource r
    WHERE r.site_id = p_site AND r.resource_id = ANY (p_resources)
), lane AS (
    SELECT b.resource_id, b.code, l.lane,
           b.open - coalesce((
               SELECT range_agg(tstzrange(lower(o.buffered) - make_interval(mins => b.turnover), upper(o.buffered) + make_interval(mins => b.setup)))
               FROM radscheduler.occupancy o
               WHERE o.site_id = p_site AND o.axis = 'resource' AND o.subject_id = b.resource_id
                 AND (o.lane = l.lane OR o.lane >= b.capacity)
                 AND o.buffered && tstzrange(p_from - make_interval(mins => b.setup), p_until + make_interval(mins => b.turnover))
                 AND o.appointment_id IS DISTINCT FROM p_without), '{}') AS free
    FROM bookable b, generate_series(0, b.capacity - 1) l(lane)
), grid AS MATERIALIZED (
    SELECT z.zone, s.slot_minutes::integer AS step FROM radscheduler.site s, LATERAL (SELECT radscheduler.site_zone(p_site)) z(zone) WHERE s.site_id = p_site
)
SELECT l.code, t.start, t.start + make_interval(mins => p_minutes), timezone(g.zone, t.start)
FROM grid g, lane l, unnest(l.free) gap,
     LATERAL (SELECT generate_series(
         date_bin(make_interval(mins => g.step), lower(gap) + make_interval(mins => g.step) - interval '1 microsecond',
                  timezone(g.zone, date_trunc('day', timezone(g.zone, lower(gap))))),
         upper(gap) - make_interval(mins => p_minutes), make_interval(mins => g.step)) AS start LIMIT p_limit) t
GROUP BY l.code, t.start, g.zone
ORDER BY t.start, l.code
LIMIT p_limit
$$;
COMMENT ON FUNCTION radscheduler.free_slots(integer, bigint[], bigint[], timestamptz, timestamptz, integer, integer, bigint) IS
    'The search under find_slots, by ids. A resource of capacity n is free where one of its n lanes is, no overbooking stands, and exams that name no scanner have not taken the last place of its modality: the test that a booking is put to.';

CREATE FUNCTION radscheduler.alternatives(p_site integer, p_appointment bigint) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
WITH wanted AS (
    SELECT a.starts_at, (extract(epoch FROM a.ends_at - a.starts_at) / 60)::integer AS minutes, a.patient_id, a.modality,
           (SELECT array_agg(r.resource_id) FROM radscheduler.appointment_resource ar
            JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id
            WHERE ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id AND r.kind = 'equipment'
              AND (r.modality = a.modality OR a.modality = ANY (r.modalities)) IS NOT FALSE) AS equipment,
           (SELECT array_agg(r.resource_id) FROM radscheduler.appointment_resource ar
            JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id
            WHERE ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id AND r.kind = 'room'
              AND (r.modality = a.modality OR a.modality = ANY (r.modalities)) IS NOT FALSE) AS rooms,
           (SELECT array_agg(r.resource_id) FROM radscheduler.appointment_resource ar
            JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id
            WHERE ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id AND r.kind = 'staff') AS staff
    FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment
), searched AS (
    SELECT w.*, coalesce(w.equipment, w.rooms,
                         (SELECT array_agg(r.resource_id) FROM radscheduler.resource r
                          WHERE r.site_id = p_site AND r.is_active AND (r.modality = w.modality OR w.modality = ANY (r.modalities)) AND r.kind IN ('equipment', 'room')),
                         w.staff) AS resources
    FROM wanted w
)
SELECT coalesce(jsonb_agg(jsonb_build_object('start', f.starts_at, 'end', f.ends_at, 'resource', f.resource_code) ORDER BY f.starts_at, f.resource_code), '[]')
FROM searched s,
     LATERAL radscheduler.free_slots(p_site, s.resources[1:10], ARRAY[s.patient_id], greatest(s.starts_at, date_trunc('minute', now())),
                                     greatest(s.starts_at, now()) + interval '14 days', s.minutes, 3, p_appointment) f
$$;
COMMENT ON FUNCTION radscheduler.alternatives(integer, bigint) IS
    'Up to three free times for an appointment from its own start on, within 14 days: on its scanner, else its room, else any of its modality, else its staff (ten of them at most); a scanner or room of another modality is passed over; the patient free as well. [{start, end, resource}].';
