-- Hours of the week that are kept for some exams, or out of use (reserved_hours): which of them stand against an exam at a time. The search for
-- free times, the rules and the pools ask the same function, so what is offered can be booked. A reservation ends release_hours before it begins:
-- from then on it is as if it were not there, and release_reserved() heals what it had flagged.

CREATE FUNCTION radscheduler.exam_of(p_site integer, p_appointment bigint) RETURNS radscheduler.exam_asked
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_exam radscheduler.exam_asked;
BEGIN
    SELECT a.urgency, a.patient_class,
           ARRAY(SELECT w FROM (SELECT a.study_code, a.study_text
                                UNION
                                SELECT s.code, s.name FROM radscheduler.appointment_service s
                                WHERE s.site_id = p_site AND s.appointment_id = p_appointment AND s.status IS NULL) e(code, name)
                 CROSS JOIN LATERAL radscheduler.procedure_of(p_site, e.code, NULL) p,
                 LATERAL unnest(ARRAY[e.code, e.name, p.code]) w WHERE w IS NOT NULL)
        INTO v_exam FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment;
    RETURN v_exam;
END
$$;
COMMENT ON FUNCTION radscheduler.exam_of(integer, bigint) IS 'An appointment as reserved hours see it: urgency, patient class, codes and names of its exams.';

CREATE FUNCTION radscheduler.may_use(p_exam radscheduler.exam_asked, p_urgencies text[], p_classes text[], p_procedures text[]) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN coalesce(p_exam.urgency = ANY (p_urgencies), false) OR coalesce(p_exam.patient_class = ANY (p_classes), false)
        OR EXISTS (SELECT FROM unnest(p_procedures) p, unnest(p_exam.words) w WHERE w ILIKE p);
END
$$;
COMMENT ON FUNCTION radscheduler.may_use(radscheduler.exam_asked, text[], text[], text[]) IS
    'Whether hours that are kept for some urgencies, patient classes and exams (one is enough; of several exams one) may be used by an exam.';

CREATE FUNCTION radscheduler.has_reserved(p_site integer) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM radscheduler.reserved_hours w WHERE w.site_id = p_site);
END
$$;
COMMENT ON FUNCTION radscheduler.has_reserved(integer) IS 'Whether a site has reserved hours at all: the question before reserved_times(), asked once.';

CREATE FUNCTION radscheduler.reserved_times(p_site integer, p_resource bigint, p_modality text, p_from timestamptz, p_until timestamptz, p_exam radscheduler.exam_asked)
    RETURNS TABLE (code text, is_own boolean, during tstzrange)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 2 SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_zone   CONSTANT text := radscheduler.site_zone(p_site);
    v_window CONSTANT tstzrange := tstzrange(p_from, p_until);
    v_first  CONSTANT date := timezone(v_zone, p_from)::date;
    v_last   CONSTANT date := timezone(v_zone, p_until)::date;
BEGIN
    RETURN QUERY
    SELECT CASE w.kind WHEN 'urgent' THEN 'RESERVED' WHEN 'exams' THEN 'WRONG_EXAM_BLOCK' WHEN 'block' THEN 'RESOURCE_BLOCKED' ELSE 'MAINTENANCE' END,
           w.resource_id IS NOT NULL, t.during * v_window
    FROM (SELECT r.* FROM radscheduler.reserved_hours r
          WHERE r.site_id = p_site AND (r.resource_id = p_resource OR r.resource_id IS NULL AND r.modality = p_modality)
            AND (r.kind NOT IN ('urgent', 'exams') OR NOT radscheduler.may_use(p_exam, r.urgencies, r.patient_classes, r.procedures)) OFFSET 0) w
    CROSS JOIN LATERAL generate_series((v_first + (w.weekday - extract(isodow FROM v_first)::integer + 7) % 7)::timestamp, v_last, interval '7 days') g(day)
    CROSS JOIN LATERAL (SELECT timezone(v_zone, g.day::date + w.opens) AS starts, timezone(v_zone, g.day::date + w.closes) AS ends OFFSET 0) b
    CROSS JOIN LATERAL (SELECT tstzrange(b.starts, greatest(b.starts, b.ends)) AS during) t
    WHERE w.valid @> g.day::date AND t.during && v_window
      AND (w.kind NOT IN ('urgent', 'exams') OR w.release_hours IS NULL OR b.starts - make_interval(hours => w.release_hours::integer) > now());
END
$$;
COMMENT ON FUNCTION radscheduler.reserved_times(integer, bigint, text, timestamptz, timestamptz, radscheduler.exam_asked) IS
    'What stands against an exam on a resource within a time, of the rows for the resource (is_own) and, with p_modality, for all of that modality: time out of use (RESOURCE_BLOCKED, MAINTENANCE), time kept for urgent exams (RESERVED) or for other exams (WRONG_EXAM_BLOCK) and not released yet. p_modality is that of a scanner or room, NULL for staff; without resource, that of an exam that names none.';
