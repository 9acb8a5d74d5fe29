-- What a reading says about time, exams and resources, turned into rows of one appointment. Shared by HL7 and by the API's JSON.

CREATE FUNCTION radscheduler.duration_of(p_site integer, p_reading jsonb, p_modality text) RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce(
        (SELECT sum(p.minutes)::integer FROM jsonb_array_elements(p_reading -> 'services') s
            JOIN radscheduler.procedure p ON p.site_id = p_site AND p.code = s ->> 'code'),
        (SELECT m.default_minutes::integer FROM radscheduler.modality m WHERE m.site_id = p_site AND m.code = p_modality),
        30));
END
$$;
COMMENT ON FUNCTION radscheduler.duration_of(integer, jsonb, text) IS 'Minutes of an appointment whose message gives none: its procedures'', else its modality''s, else 30.';

CREATE FUNCTION radscheduler.modality_of(p_site integer, p_reading jsonb, p_resources bigint[]) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce(
        radscheduler.modality_code(p_site, p_reading #>> '{schedule,modality}'),
        (SELECT p.modality FROM jsonb_array_elements(p_reading -> 'services') WITH ORDINALITY s(item, place)
            JOIN radscheduler.procedure p ON p.site_id = p_site AND p.code IN (item ->> 'code', item ->> 'alt_code') ORDER BY place LIMIT 1),
        (SELECT r.modality FROM unnest(p_resources) WITH ORDINALITY u(id, place)
            JOIN radscheduler.resource r ON r.site_id = p_site AND r.resource_id = u.id
            WHERE r.modality IS NOT NULL ORDER BY r.kind = 'equipment' DESC, place LIMIT 1),
        radscheduler.modality_guess(p_site,
            ARRAY(SELECT item ->> 'code' FROM jsonb_array_elements(p_reading -> 'services') item),
            ARRAY(SELECT concat_ws(' ', item ->> 'text', item ->> 'alt_text') FROM jsonb_array_elements(p_reading -> 'services') item)
            || concat_ws(' ', p_reading #>> '{schedule,type,code}', p_reading #>> '{schedule,type,text}')
            || concat_ws(' ', p_reading #>> '{schedule,reason,code}', p_reading #>> '{schedule,reason,text}'))));
END
$$;
COMMENT ON FUNCTION radscheduler.modality_of(integer, jsonb, bigint[]) IS
    'DICOM modality of a reading: said outright, by procedure table, by its resources, by study code prefix, by words of study, type and reason; NULL when nothing tells.';

CREATE FUNCTION radscheduler.write_services(p_site integer, p_appointment bigint, p_reading jsonb, p_zone text,
                                            p_starts timestamptz, p_ends timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO radscheduler.appointment_service (site_id, appointment_id, position, group_no, code, name, starts_at, ends_at)
    SELECT p_site, p_appointment, place, coalesce((item ->> 'group')::smallint, 1), item ->> 'code', item ->> 'text', t.starts,
           CASE WHEN item ? 'duration_minutes' AND (item ->> 'duration_minutes')::integer > 0
                THEN t.starts + make_interval(mins => (item ->> 'duration_minutes')::integer)
                WHEN p_ends > t.starts THEN p_ends
                ELSE t.starts + (p_ends - p_starts) END
    FROM jsonb_array_elements(p_reading -> 'services') WITH ORDINALITY s(item, place),
         LATERAL (SELECT CASE WHEN w.at BETWEEN p_starts - interval '24 hours' AND p_ends + interval '24 hours' THEN w.at ELSE p_starts END AS starts
                  FROM (SELECT coalesce(radscheduler.to_instant(item ->> 'starts_at', p_zone),
                                        p_starts + make_interval(mins => (item ->> 'offset_minutes')::integer), p_starts) OFFSET 0) w(at) OFFSET 0) t;
END
$$;
COMMENT ON FUNCTION radscheduler.write_services(integer, bigint, jsonb, text, timestamptz, timestamptz) IS
    'Writes one row per AIS: its own start, else its offset, else the appointment''s; its own duration, else until the appointment''s end. A start more than a day outside the appointment is not believed.';

CREATE FUNCTION radscheduler.write_resources(p_site integer, p_appointment bigint, p_reading jsonb, p_ids bigint[], p_zone text,
                                             p_starts timestamptz, p_ends timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO radscheduler.appointment_resource (site_id, appointment_id, position, segment, group_no, resource_id, role, starts_at, ends_at)
    SELECT p_site, p_appointment,
           coalesce((SELECT max(x.position) FROM radscheduler.appointment_resource x WHERE x.site_id = p_site AND x.appointment_id = p_appointment), 0) + row_number() OVER (ORDER BY place),
           item ->> 'segment', coalesce((item ->> 'group')::smallint, 1), p_ids[place], upper(coalesce(item ->> 'role', item ->> 'type_code')), t.starts,
           CASE WHEN item ? 'duration_minutes' AND (item ->> 'duration_minutes')::integer > 0
                THEN t.starts + make_interval(mins => (item ->> 'duration_minutes')::integer)
                WHEN p_ends > t.starts THEN p_ends
                ELSE t.starts + (p_ends - p_starts) END
    FROM jsonb_array_elements(p_reading -> 'resources') WITH ORDINALITY s(item, place),
         LATERAL (SELECT CASE WHEN w.at BETWEEN p_starts - interval '24 hours' AND p_ends + interval '24 hours' THEN w.at ELSE p_starts END AS starts
                  FROM (SELECT coalesce(radscheduler.to_instant(item ->> 'starts_at', p_zone),
                                        p_starts + make_interval(mins => (item ->> 'offset_minutes')::integer), p_starts) OFFSET 0) w(at) OFFSET 0) t
    WHERE p_ids[place] IS NOT NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.write_resources(integer, bigint, jsonb, bigint[], text, timestamptz, timestamptz) IS
    'Writes one row per AIG, AIL and AIP that was resolved, timed as write_services() times exams.';

CREATE FUNCTION radscheduler.distrusted_times(p_reading jsonb, p_zone text, p_starts timestamptz, p_ends timestamptz) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(radscheduler.warning('TIME_DISTRUSTED', item ->> 'path')), '[]')
    FROM jsonb_array_elements((p_reading -> 'services') || (p_reading -> 'resources')) item
    WHERE radscheduler.to_instant(item ->> 'starts_at', p_zone) NOT BETWEEN p_starts - interval '24 hours' AND p_ends + interval '24 hours');
END
$$;
COMMENT ON FUNCTION radscheduler.distrusted_times(jsonb, text, timestamptz, timestamptz) IS 'A TIME_DISTRUSTED warning for each exam or resource timed more than a day outside the appointment; [] when there is none.';
