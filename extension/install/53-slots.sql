-- Free time as SQL users ask for it: find_slots(), its arguments, and the alternatives that a refused booking is given. The search itself is in
-- 53-slot-search.sql and 53-slot-choice.sql, wishes in 53-slot-wishes.sql. What is offered can be booked.

CREATE FUNCTION radscheduler.read_slot_search(p_modality text, p_procedure text, p_resource text, p_earliest timestamptz, p_latest timestamptz, p_minutes integer,
                                              p_slots integer, p_patient text, p_without bigint, p_wishes jsonb) RETURNS radscheduler.slot_search
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site     integer := radscheduler.current_site();
    v_modality text;
    v_of_exam  text;
    v_exam     record;
    v_search   radscheduler.slot_search;
BEGIN
    IF num_nonnulls(p_modality, p_procedure, p_resource) = 0 THEN
        RAISE EXCEPTION 'find_slots needs a modality, a procedure or a resource'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'SELECT * FROM radscheduler.find_slots(modality => ''MRI'');';
    END IF;
    v_search.minutes := p_minutes;
    IF p_procedure IS NOT NULL THEN
        SELECT p.code, p.modality, p.minutes, NULL::text AS name INTO v_exam FROM radscheduler.procedure_of(v_site, p_procedure, NULL) p;
        IF v_exam.code IS NULL THEN
            SELECT p.code, p.modality, p.minutes, p.name INTO v_exam FROM radscheduler.procedure p WHERE p.site_id = v_site AND upper(p.name) = upper(btrim(p_procedure)) ORDER BY p.code LIMIT 1;
        END IF;
        IF v_exam.code IS NULL THEN
            RAISE EXCEPTION 'procedure "%" is not known at this site', left(p_procedure, 100)
                USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.procedure and procedure_alias list the codes that are. Without procedure, give modality and duration_minutes.';
        END IF;
        v_of_exam := v_exam.modality;
        v_modality := v_of_exam;
        v_search.minutes := coalesce(v_search.minutes, v_exam.minutes);
    END IF;
    IF p_modality IS NOT NULL THEN
        v_modality := radscheduler.modality_code(v_site, p_modality);
        IF v_modality IS NULL THEN
            RAISE EXCEPTION 'modality "%" is not known at this site', left(p_modality, 100)
                USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.modality_alias lists the words that are.';
        ELSIF v_of_exam <> v_modality THEN
            RAISE EXCEPTION 'procedure "%" is no exam of the modality "%"', left(p_procedure, 100), left(p_modality, 100)
                USING ERRCODE = 'invalid_parameter_value', HINT = 'Leave one of the two out.';
        END IF;
    END IF;
    SELECT array_agg(DISTINCT r.resource_id) INTO v_search.resources
        FROM radscheduler.resource r
        WHERE r.site_id = v_site AND r.is_active AND r.kind IN ('equipment', 'room', 'staff')
          AND (p_resource IS NULL AND r.kind IN ('equipment', 'room')
               OR r.resource_id IN (SELECT x.resource_id FROM radscheduler.resource_alias x WHERE x.site_id = v_site AND x.alias = upper(p_resource)))
          AND (v_modality IS NULL OR r.modality = v_modality OR v_modality = ANY (r.modalities));
    IF p_resource IS NOT NULL AND v_search.resources IS NULL THEN
        RAISE EXCEPTION 'resource "%" is not known at this site%', left(p_resource, 100), CASE WHEN v_modality IS NULL THEN '' ELSE ' for this modality' END
            USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.resource_alias lists the names that are.';
    END IF;
    IF v_search.minutes IS NULL THEN
        SELECT m.default_minutes INTO v_search.minutes FROM radscheduler.modality m
            WHERE m.site_id = v_site
              AND m.code = coalesce(v_modality, (SELECT r.modality FROM radscheduler.resource r WHERE r.site_id = v_site AND r.resource_id = v_search.resources[1]));
        v_search.minutes := coalesce(v_search.minutes, 30);
    END IF;
    IF v_search.minutes NOT BETWEEN 1 AND 1440 THEN
        RAISE EXCEPTION 'a duration of % minutes cannot be searched for', v_search.minutes
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give 1 to 1440 minutes.';
    END IF;
    IF p_earliest IS NULL OR NOT isfinite(p_earliest) OR coalesce(p_latest, p_earliest) > p_earliest + interval '400 days' THEN
        RAISE EXCEPTION 'a window of more than 400 days cannot be searched' USING ERRCODE = 'invalid_parameter_value', HINT = 'Search in parts.';
    END IF;
    IF p_latest < p_earliest OR p_slots < 1 OR p_slots IS NULL THEN
        RAISE EXCEPTION 'find_slots was asked for %', CASE WHEN p_latest < p_earliest THEN 'a window that ends before it begins' ELSE 'fewer than one slot' END
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give earliest before latest, and max_slots of at least 1.';
    END IF;
    IF p_patient IS NOT NULL THEN
        SELECT array_agg(DISTINCT i.patient_id) INTO v_search.patients
            FROM radscheduler.patient_identifier i WHERE i.site_id = v_site AND i.value = p_patient;
    END IF;
    v_search.site_id := v_site;
    v_search.earliest := p_earliest;
    v_search.latest := coalesce(p_latest, p_earliest + interval '90 days');
    v_search.max_slots := p_slots;
    v_search.without := p_without;
    v_search.is_best := false;
    v_search.urgency := 'routine';
    IF p_without IS NOT NULL AND radscheduler.has_reserved(v_site) THEN
        -- An appointment that is moved keeps what it is.
        v_search.exam := radscheduler.exam_of(v_site, p_without);
    END IF;
    IF p_procedure IS NOT NULL THEN
        v_search.exam.words := ARRAY[p_procedure, v_exam.code, coalesce(v_exam.name, (SELECT p.name FROM radscheduler.procedure p WHERE p.site_id = v_site AND p.code = v_exam.code))];
    END IF;
    RETURN CASE WHEN p_wishes IS NULL THEN v_search ELSE radscheduler.read_slot_wishes(v_search, v_modality, p_wishes) END;
END
$$;
COMMENT ON FUNCTION radscheduler.read_slot_search(text, text, text, timestamptz, timestamptz, integer, integer, text, bigint, jsonb) IS
    'The arguments of find_slots() as a search at the session''s site: an exam gives modality and minutes, a modality its scanners and rooms and usual minutes. Raises 22023 with a sentence for what cannot be searched.';

CREATE FUNCTION radscheduler.find_slots(
        modality         text        DEFAULT NULL,
        resource         text        DEFAULT NULL,
        earliest         timestamptz DEFAULT pg_catalog.now(),
        latest           timestamptz DEFAULT NULL,
        duration_minutes integer     DEFAULT NULL,
        max_slots        bigint      DEFAULT 10,
        patient_id       text        DEFAULT NULL,
        without          bigint      DEFAULT NULL,
        procedure        text        DEFAULT NULL,
        constraints      jsonb       DEFAULT NULL,
        OUT resource_code text, OUT starts_at timestamptz, OUT ends_at timestamptz, OUT datetime timestamp, OUT staff text[], OUT score numeric, OUT reasons jsonb) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
#variable_conflict use_variable
DECLARE
    v_search radscheduler.slot_search := radscheduler.read_slot_search(modality, procedure, resource, earliest, latest, duration_minutes, least(max_slots, 2147483647)::integer, patient_id, without, constraints);
    v_zone   text := radscheduler.site_zone(v_search.site_id);
BEGIN
    RETURN QUERY
    SELECT f.resource_code, f.starts_at, f.ends_at, timezone(v_zone, f.starts_at), f.staff, round(100 / (1 + f.cost / 1440.0), 1), f.reasons
    FROM radscheduler.search_slots(v_search) f;
END
$$;
COMMENT ON FUNCTION radscheduler.find_slots(text, text, timestamptz, timestamptz, integer, bigint, text, bigint, text, jsonb) IS
    'Free starting times of a modality''s or exam''s scanners and rooms, or of one resource by any of its names: opening hours minus blocks minus time kept for other exams minus bookings, buffers included, on the site''s grid. earliest and latest bound start and end (default 90 days; the search stops when it has found enough); minutes default to the exam''s, else the modality''s; patient_id (MRN) avoids that patient''s bookings and the ways between; without ignores one appointment (to move it). constraints: a JSON object of wishes (docs/integrator.md). The earliest come first; with a wished time, resource or person the best, by score (100 is as wished, a day away 50) with its reasons. staff: who is free, for the places asked for. datetime is site local.';

-- max_slots is a bigint above so that PostgreSQL can tell the two apart where all eight are given.
CREATE FUNCTION radscheduler.find_slots(modality text, resource text, earliest timestamptz, latest timestamptz, duration_minutes integer, max_slots integer, patient_id text, without bigint,
        OUT resource_code text, OUT starts_at timestamptz, OUT ends_at timestamptz, OUT datetime timestamp) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_variable
BEGIN
    RETURN QUERY SELECT f.resource_code, f.starts_at, f.ends_at, f.datetime
        FROM radscheduler.find_slots(modality, resource, earliest, latest, duration_minutes, max_slots::bigint, patient_id, without, NULL, NULL) f;
END
$$;
COMMENT ON FUNCTION radscheduler.find_slots(text, text, timestamptz, timestamptz, integer, integer, text, bigint) IS
    'find_slots() as earlier versions had it, with every argument given: rights in their dumps name it. Whoever leaves one out gets the other.';

CREATE FUNCTION radscheduler.free_slots(p_site integer, p_resources bigint[], p_patients bigint[], p_from timestamptz, p_until timestamptz,
                                        p_minutes integer, p_limit integer, p_without bigint, p_exam radscheduler.exam_asked DEFAULT NULL,
        OUT resource_code text, OUT starts_at timestamptz, OUT ends_at timestamptz, OUT datetime timestamp) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_search radscheduler.slot_search;
    v_zone   text := radscheduler.site_zone(p_site);
BEGIN
    v_search.site_id := p_site;
    v_search.resources := p_resources;
    v_search.patients := p_patients;
    v_search.earliest := p_from;
    v_search.latest := p_until;
    v_search.minutes := p_minutes;
    v_search.max_slots := p_limit;
    v_search.without := p_without;
    v_search.is_best := false;
    v_search.exam := p_exam;
    RETURN QUERY SELECT f.resource_code, f.starts_at, f.ends_at, timezone(v_zone, f.starts_at) FROM radscheduler.search_slots(v_search) f;
END
$$;
COMMENT ON FUNCTION radscheduler.free_slots(integer, bigint[], bigint[], timestamptz, timestamptz, integer, integer, bigint, radscheduler.exam_asked) IS
    'search_slots() by ids, the earliest first; time that is kept for others than p_exam is not free. A resource of capacity n is free where one of its n lanes is, no overbooking stands, and exams that name no scanner have not taken the last place of its modality: the test that a booking is put to.';

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
                                     greatest(s.starts_at, now()) + interval '14 days', s.minutes, 3, p_appointment, radscheduler.exam_of(p_site, p_appointment)) f
$$;
COMMENT ON FUNCTION radscheduler.alternatives(integer, bigint) IS
    'Up to three free times for an appointment from its own start on, within 14 days: on its scanner, else its room, else any of its modality, else its staff (ten of them at most); a scanner or room of another modality is passed over; the patient free as well. [{start, end, resource}].';
