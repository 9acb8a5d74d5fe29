-- What a reading says about time, exams and resources, turned into rows of one appointment. Shared by HL7 and by the API's JSON.

CREATE FUNCTION radscheduler.live_services(p_services jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_services @> '[{"is_out": true}]' THEN
        RETURN coalesce((SELECT jsonb_agg(s.item ORDER BY s.place) FROM jsonb_array_elements(p_services) WITH ORDINALITY s(item, place) WHERE NOT s.item ? 'is_out'), p_services);
    END IF;
    RETURN p_services;
END
$$;
COMMENT ON FUNCTION radscheduler.live_services(jsonb) IS
    'The services of a reading that still take place. Where each is taken out they are all: a cancellation that says Cancelled in every AIS-10 still tells what exam it was.';

CREATE FUNCTION radscheduler.duration_of(p_site integer, p_reading jsonb, p_modality text) RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce(
        (SELECT CASE WHEN count(p.code) > 0 THEN sum(coalesce(p.minutes, m.default_minutes, 30))::integer END
            FROM jsonb_array_elements(radscheduler.live_services(p_reading -> 'services')) s CROSS JOIN LATERAL radscheduler.procedure_of(p_site, s ->> 'code', s ->> 'alt_code') p
            LEFT JOIN radscheduler.modality m ON m.site_id = p_site AND m.code = coalesce(p.modality, radscheduler.modality_guess(p_site, ARRAY[s ->> 'code'], ARRAY[s ->> 'text']), p_modality)),
        (SELECT m.default_minutes::integer FROM radscheduler.modality m WHERE m.site_id = p_site AND m.code = p_modality),
        30));
END
$$;
COMMENT ON FUNCTION radscheduler.duration_of(integer, jsonb, text) IS 'Minutes of an appointment whose message gives none: the sum of its exams (for one that is not in the table those of the modality its code or text tells), its modality''s when none is, else 30.';

CREATE FUNCTION radscheduler.resource_modality(p_site integer, p_resources bigint[], p_registered boolean) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT r.modality FROM unnest(p_resources) WITH ORDINALITY u(id, place)
        JOIN radscheduler.resource r ON r.site_id = p_site AND r.resource_id = u.id
        WHERE r.modality IS NOT NULL AND r.is_registered = p_registered ORDER BY r.kind = 'equipment' DESC, place LIMIT 1);
END
$$;
COMMENT ON FUNCTION radscheduler.resource_modality(integer, bigint[], boolean) IS
    'Modality of the first scanner, else room, of these that has one: of those somebody has registered, or of those a message has recorded, whose modality is a guess.';

CREATE FUNCTION radscheduler.modality_of(p_site integer, p_reading jsonb, p_resources bigint[]) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_services jsonb := radscheduler.live_services(p_reading -> 'services');
BEGIN
    RETURN (SELECT coalesce(
        CASE WHEN p_reading #>> '{header,message_code}' = 'JSON' THEN radscheduler.modality_code(p_site, p_reading #>> '{schedule,modality}') END,
        (SELECT p.modality FROM jsonb_array_elements(v_services) WITH ORDINALITY s(item, place)
            CROSS JOIN LATERAL radscheduler.procedure_of(p_site, item ->> 'code', item ->> 'alt_code') p WHERE p.code IS NOT NULL ORDER BY place LIMIT 1),
        CASE WHEN v_services = '[]' THEN (SELECT p.modality FROM radscheduler.procedure_of(p_site, p_reading #>> '{schedule,reason,code}', NULL) p) END,
        radscheduler.resource_modality(p_site, p_resources, true),
        radscheduler.modality_code(p_site, p_reading #>> '{schedule,modality}'),
        -- A type of scanner, pool or appointment that is a modality and nothing else; a word within a text may be anything ("new pt").
        (SELECT a.code FROM jsonb_array_elements_text(p_reading #> '{schedule,modality_words}') WITH ORDINALITY w(word, place)
            JOIN radscheduler.modality_alias a ON a.site_id = p_site AND a.alias = replace(upper(word), '-', '') AND a.code <> 'OT' ORDER BY place LIMIT 1),
        radscheduler.modality_guess(p_site,
            ARRAY(SELECT item ->> 'code' FROM jsonb_array_elements(v_services) item),
            ARRAY(SELECT concat_ws(' ', item ->> 'text', item ->> 'alt_text') FROM jsonb_array_elements(v_services) item)),
        radscheduler.resource_modality(p_site, p_resources, false),
        radscheduler.modality_guess(p_site, '{}', ARRAY(SELECT jsonb_array_elements_text(p_reading #> '{schedule,modality_words}'))
            || concat_ws(' ', p_reading #>> '{schedule,reason,code}', p_reading #>> '{schedule,reason,text}'))));
END
$$;
COMMENT ON FUNCTION radscheduler.modality_of(integer, jsonb, bigint[]) IS
    'DICOM modality of a reading: the API''s own word; the procedure table; registered resources; a field for it (profile key modality_source, OBR-24, IPC-5); AIG-4, AIG-5, RGS-3, SCH-8, SCH-5 where one is a modality by itself; the letters that start the study code, words of the study; resources that a message recorded; words of those fields and of SCH-7. NULL when nothing tells.';

CREATE FUNCTION radscheduler.schedule_span(p_schedule jsonb, zone text, OUT starts_at timestamptz, OUT ends_at timestamptz, OUT doubt text) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_minutes interval := make_interval(mins => nullif(greatest((p_schedule ->> 'duration_minutes')::integer, 0), 0));
    v_second  timestamptz;
BEGIN
    starts_at := radscheduler.to_instant(p_schedule ->> 'starts_at', zone);
    doubt := radscheduler.clock_doubt(p_schedule ->> 'starts_at', zone);
    IF p_schedule ? 'end_sent' THEN
        ends_at := radscheduler.to_instant(p_schedule ->> 'ends_at', zone);
        IF doubt = 'TIME_AMBIGUOUS' AND ends_at - starts_at <> v_minutes THEN
            -- The end tells which of the two is meant.
            v_second := timezone(zone, (p_schedule ->> 'starts_at')::timestamp);
            IF ends_at - v_second = v_minutes THEN
                starts_at := v_second;
                doubt := NULL;
            END IF;
        END IF;
        IF doubt = 'TIME_IN_DST_GAP' OR ends_at <= starts_at THEN
            ends_at := starts_at + v_minutes;
        END IF;
    ELSE
        ends_at := starts_at + v_minutes;
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.schedule_span(jsonb, text) IS
    'Start and end of a reading''s schedule as instants: a duration is absolute minutes, across a change of clocks too; an end that was sent is its own wall-clock time, and tells which of two equal starts is meant. doubt is what clock_doubt() says of the start. ends_at is NULL when neither was sent.';

CREATE FUNCTION radscheduler.part_span(item jsonb, schedule_start text, zone text, starts timestamptz, ends timestamptz) RETURNS tstzrange
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_from    timestamptz := starts;
    v_minutes integer := nullif((item ->> 'duration_minutes')::integer, 0);
BEGIN
    IF item ->> 'starts_at' <> schedule_start OR schedule_start IS NULL AND item ? 'starts_at' OR item ? 'offset_minutes' THEN
        v_from := coalesce(radscheduler.to_instant(item ->> 'starts_at', zone), starts + make_interval(mins => (item ->> 'offset_minutes')::integer), starts);
        IF v_from NOT BETWEEN starts - interval '24 hours' AND ends + interval '24 hours' THEN
            v_from := starts;
        END IF;
    END IF;
    RETURN tstzrange(v_from, CASE WHEN v_minutes > 0 THEN v_from + make_interval(mins => v_minutes)
                                  WHEN ends > v_from THEN ends
                                  ELSE v_from + (ends - starts) END);
END
$$;
COMMENT ON FUNCTION radscheduler.part_span(jsonb, text, text, timestamptz, timestamptz) IS
    'When an exam or resource of a reading takes place: its own start, else its offset, else the appointment''s start; its own duration, else until the appointment''s end. schedule_start is the appointment''s start as it stands in the reading. A start more than a day outside the appointment is not believed. Empty bounds for an appointment without time.';

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

CREATE FUNCTION radscheduler.other_resources(p_site integer, p_appointment bigint, p_item radscheduler.ingest_item) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_item.resource_ids IS NULL AND radscheduler.part_mode(p_item) <> 'full' THEN
        RETURN false;
    END IF;
    RETURN (WITH sent AS (
            SELECT DISTINCT e.item ->> 'segment' AS segment, p_item.resource_ids[e.place] AS id
            FROM jsonb_array_elements(p_item.reading -> 'resources') WITH ORDINALITY e(item, place))
        SELECT EXISTS (SELECT FROM sent s WHERE s.id IS NOT NULL AND NOT EXISTS (
                           SELECT FROM radscheduler.appointment_resource r
                           WHERE r.site_id = p_site AND r.appointment_id = p_appointment AND r.segment = s.segment AND r.resource_id = s.id AND r.status IS NULL))
            OR EXISTS (SELECT FROM radscheduler.appointment_resource r
                       WHERE r.site_id = p_site AND r.appointment_id = p_appointment AND r.status IS NULL
                         AND (r.segment IN (SELECT s.segment FROM sent s) OR radscheduler.part_mode(p_item) = 'full')
                         AND r.resource_id NOT IN (SELECT s.id FROM sent s WHERE s.id IS NOT NULL)));
END
$$;
COMMENT ON FUNCTION radscheduler.other_resources(integer, bigint, radscheduler.ingest_item) IS
    'Whether a message names other resources than its appointment has, among the types of segment it carries, or all where it shows everything.';

CREATE FUNCTION radscheduler.heed_late(p_item radscheduler.ingest_item) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_old     radscheduler.appointment;
    v_item    radscheduler.ingest_item := p_item;
    v_sent    record;
    v_differs boolean;
    v_missing boolean;
    v_rows    bigint[];
BEGIN
    SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = p_item.site_id AND a.appointment_id = p_item.appointment_id FOR UPDATE;
    SELECT * INTO v_sent FROM radscheduler.schedule_span(p_item.reading -> 'schedule', p_item.context ->> 'zone');
    SELECT f.resource_ids, f.missing INTO v_item.resource_ids, v_missing FROM radscheduler.find_resources(p_item.site_id, p_item.reading -> 'resources') f;
    v_differs := p_item.action = 'late_close' OR v_missing
                 OR CASE WHEN length(p_item.reading #>> '{schedule,starts_at}') = 10 THEN v_old.starts_at IS NOT NULL
                         ELSE v_old.starts_at IS NULL AND v_sent.starts_at IS NOT NULL OR v_sent.starts_at <> v_old.starts_at OR v_sent.ends_at <> v_old.ends_at END
                 OR radscheduler.other_resources(v_old.site_id, v_old.appointment_id, v_item);
    IF v_old.booked_at <= p_item.at AND (NOT v_differs OR v_old.moved_at >= p_item.at) THEN
        RETURN;
    END IF;
    UPDATE radscheduler.appointment a
        SET booked_at = least(a.booked_at, p_item.at), moved_at = CASE WHEN v_differs THEN greatest(a.moved_at, p_item.at) ELSE a.moved_at END
        WHERE a.site_id = v_old.site_id AND a.appointment_id = v_old.appointment_id;
    v_rows := radscheduler.overlapping(v_old.site_id, ARRAY[v_old.appointment_id]);
    IF v_rows IS NOT NULL OR v_old.is_pooled THEN
        v_rows := CASE WHEN v_rows IS NOT NULL THEN radscheduler.reseat(v_old.site_id, v_rows) END || v_old.appointment_id
                  || CASE WHEN v_old.is_pooled THEN radscheduler.pool_waiting(v_old.site_id, ARRAY(
                      SELECT o.occupancy_id FROM radscheduler.occupancy o WHERE o.site_id = v_old.site_id AND o.appointment_id = v_old.appointment_id)) END;
        PERFORM radscheduler.settle(v_old.site_id, '{}', v_rows, ARRAY[p_item.message_id]);
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.heed_late(radscheduler.ingest_item) IS
    'What a late message still tells: how old the claim to the present time is. It may be older than was known, or younger, because something else was said in between; who then comes first changes places.';
