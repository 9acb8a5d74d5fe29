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

CREATE FUNCTION radscheduler.item_span(item jsonb, zone text, starts timestamptz, ends timestamptz) RETURNS tstzrange
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_from    timestamptz := coalesce(radscheduler.to_instant(item ->> 'starts_at', zone),
                                      starts + make_interval(mins => (item ->> 'offset_minutes')::integer), starts);
    v_minutes integer := (item ->> 'duration_minutes')::integer;
BEGIN
    IF v_from NOT BETWEEN starts - interval '24 hours' AND ends + interval '24 hours' THEN
        v_from := starts;
    END IF;
    RETURN tstzrange(v_from, CASE WHEN v_minutes > 0 THEN v_from + make_interval(mins => v_minutes)
                                  WHEN ends > v_from THEN ends
                                  ELSE v_from + (ends - starts) END);
END
$$;
COMMENT ON FUNCTION radscheduler.item_span(jsonb, text, timestamptz, timestamptz) IS
    'When an exam or resource of a reading takes place: its own start, else its offset, else the appointment''s start; its own duration, else until the appointment''s end. A start more than a day outside the appointment is not believed. Empty bounds for an appointment without time.';

CREATE FUNCTION radscheduler.write_services(p_site integer, p_appointment bigint, p_reading jsonb, p_zone text,
                                            p_starts timestamptz, p_ends timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO radscheduler.appointment_service (site_id, appointment_id, position, group_no, code, name, starts_at, ends_at)
    SELECT p_site, p_appointment, place, coalesce((item ->> 'group')::smallint, 1), item ->> 'code', item ->> 'text', lower(t.span), upper(t.span)
    FROM jsonb_array_elements(p_reading -> 'services') WITH ORDINALITY s(item, place),
         LATERAL (SELECT radscheduler.item_span(item, p_zone, p_starts, p_ends) OFFSET 0) t(span);
END
$$;
COMMENT ON FUNCTION radscheduler.write_services(integer, bigint, jsonb, text, timestamptz, timestamptz) IS
    'Writes one row per AIS of a reading, timed by item_span().';

CREATE FUNCTION radscheduler.write_resources(p_site integer, p_appointment bigint, p_reading jsonb, p_ids bigint[], p_zone text,
                                             p_starts timestamptz, p_ends timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO radscheduler.appointment_resource (site_id, appointment_id, position, segment, group_no, resource_id, role, starts_at, ends_at)
    SELECT p_site, p_appointment,
           coalesce((SELECT max(x.position) FROM radscheduler.appointment_resource x WHERE x.site_id = p_site AND x.appointment_id = p_appointment), 0)
           + row_number() OVER (ORDER BY place),
           item ->> 'segment', coalesce((item ->> 'group')::smallint, 1), p_ids[place], upper(coalesce(item ->> 'role', item ->> 'type_code')),
           lower(t.span), upper(t.span)
    FROM jsonb_array_elements(p_reading -> 'resources') WITH ORDINALITY s(item, place),
         LATERAL (SELECT radscheduler.item_span(item, p_zone, p_starts, p_ends) OFFSET 0) t(span)
    WHERE p_ids[place] IS NOT NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.write_resources(integer, bigint, jsonb, bigint[], text, timestamptz, timestamptz) IS
    'Writes one row per AIG, AIL and AIP of a reading that was resolved, timed by item_span().';

CREATE FUNCTION radscheduler.shift_rows(p_site integer, p_appointment bigint, p_shift interval, p_old_ends timestamptz, p_new_ends timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF coalesce(p_shift, interval '0') = interval '0' AND p_new_ends IS NOT DISTINCT FROM p_old_ends THEN
        RETURN;
    END IF;
    UPDATE radscheduler.appointment_service s
        SET starts_at = coalesce(s.starts_at + p_shift, s.starts_at),
            ends_at = CASE WHEN s.ends_at = p_old_ends THEN p_new_ends ELSE coalesce(s.ends_at + p_shift, s.ends_at) END
        WHERE s.site_id = p_site AND s.appointment_id = p_appointment;
    UPDATE radscheduler.appointment_resource r
        SET starts_at = coalesce(r.starts_at + p_shift, r.starts_at),
            ends_at = CASE WHEN r.ends_at = p_old_ends THEN p_new_ends ELSE coalesce(r.ends_at + p_shift, r.ends_at) END
        WHERE r.site_id = p_site AND r.appointment_id = p_appointment;
END
$$;
COMMENT ON FUNCTION radscheduler.shift_rows(integer, bigint, interval, timestamptz, timestamptz) IS
    'Moves exams and resources along with their appointment; those that lasted until its end last until the new end.';

CREATE FUNCTION radscheduler.event_name(p_old radscheduler.appointment_status, p_new radscheduler.appointment_status, p_is_moved boolean) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN 'appointment.' || CASE
        WHEN p_old IS NULL AND NOT radscheduler.is_closed(p_new) THEN 'created'
        WHEN p_is_moved THEN 'rescheduled'
        WHEN p_new = p_old THEN 'modified'
        WHEN p_new = 'NO_SHOW' THEN 'noshow'
        WHEN p_new = 'IN_PROGRESS' THEN 'started'
        WHEN p_new IN ('ARRIVED', 'COMPLETED', 'CANCELLED', 'DISCONTINUED', 'DELETED') THEN lower(p_new::text)
        ELSE 'modified' END;
END
$$;
COMMENT ON FUNCTION radscheduler.event_name(radscheduler.appointment_status, radscheduler.appointment_status, boolean) IS
    'Type of the event that a change of status or time is told as; the old status is NULL for a new appointment.';

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
