-- An appointment as HL7: the segments of its schedule (SCH, TQ1, NTE, PID, PV1, RGS, AIS, AIG, AIL, AIP), for the SIU that tells it and the SRR that answers a
-- request for it. What is written here is what siu_read() reads: the same appointment comes of it. The number of an appointment that has none of a
-- filler's is its own, in the namespace RADSCHEDULER. Times carry their offset from UTC.

CREATE TYPE radscheduler.hl7_booking AS (
    appointment_id      bigint,
    filler_id           text,
    placer_id           text,
    patient_id          bigint,
    status              radscheduler.appointment_status,
    starts_at           timestamptz,
    ends_at             timestamptz,
    modality            text,
    study_code          text,
    study_text          text,
    referring_physician text,
    urgency             text,
    notes               text,
    reason              text,
    event_reason        text,
    visit_number        text,
    visit_group         text,
    patient_class       text,
    placer_orders       text[],
    filler_orders       text[],
    parent_filler_id    text,
    parent_placer_id    text,
    is_test             boolean
);
COMMENT ON TYPE radscheduler.hl7_booking IS 'What HL7 tells of an appointment: the columns of appointment that go into SCH, PV1 and RGS.';

CREATE FUNCTION radscheduler.hl7_stamp(p_at timestamptz, p_zone text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_local  timestamp := timezone(p_zone, p_at);
    v_offset integer := extract(epoch FROM v_local - timezone('UTC', p_at)) / 60;
BEGIN
    RETURN to_char(v_local, 'YYYYMMDDHH24MISS') || CASE WHEN v_offset < 0 THEN '-' ELSE '+' END
           || lpad((abs(v_offset) / 60)::text, 2, '0') || lpad((abs(v_offset) % 60)::text, 2, '0');
END
$$;
COMMENT ON FUNCTION radscheduler.hl7_stamp(timestamptz, text) IS 'An instant as an HL7 time with offset, in a zone.';

CREATE FUNCTION radscheduler.field_of(p_1 text, p_2 text DEFAULT NULL, p_3 text DEFAULT NULL, p_4 text DEFAULT NULL, p_5 text DEFAULT NULL, p_6 text DEFAULT NULL,
                                      p_7 text DEFAULT NULL, p_8 text DEFAULT NULL, p_9 text DEFAULT NULL) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_all  CONSTANT text[] := ARRAY[p_1, p_2, p_3, p_4, p_5, p_6, p_7, p_8, p_9];
    v_last integer := (SELECT max(u.place) FROM unnest(c_all) WITH ORDINALITY u(component, place) WHERE u.component <> '');
BEGIN
    RETURN jsonb_build_array((SELECT jsonb_agg(coalesce(u.component, '') ORDER BY u.place) FROM unnest(c_all) WITH ORDINALITY u(component, place) WHERE u.place <= v_last));
END
$$;
COMMENT ON FUNCTION radscheduler.field_of(text, text, text, text, text, text, text, text, text) IS 'A field of one repetition in the form of hl7_to_jsonb(), by its components; [null] where all are empty.';

CREATE FUNCTION radscheduler.segment_of(p_name text, p_fields jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN jsonb_build_array(p_name) || (
        SELECT coalesce(jsonb_agg(CASE WHEN p_fields -> n::text IN ('null', '[null]', '[]') THEN '""' ELSE coalesce(p_fields -> n::text, '""') END ORDER BY n), '[]')
        FROM generate_series(1, (SELECT max(e.key::integer) FROM jsonb_each(p_fields) e WHERE e.value NOT IN ('null', '[null]', '[]', '""'))) n);
END
$$;
COMMENT ON FUNCTION radscheduler.segment_of(text, jsonb) IS 'A segment in the form of hl7_to_jsonb(), by an object of field numbers and values; fields at the end that hold nothing are left out.';

CREATE FUNCTION radscheduler.status_word(p_status radscheduler.appointment_status) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE p_status WHEN 'SCHEDULED' THEN 'Booked' WHEN 'CONFIRMED' THEN 'Confirmed' WHEN 'PENDING' THEN 'Pending' WHEN 'PENDING_REVIEW' THEN 'Pending'
                         WHEN 'WAITLISTED' THEN 'Waitlist' WHEN 'ARRIVED' THEN 'Arrived' WHEN 'IN_PROGRESS' THEN 'Started' WHEN 'COMPLETED' THEN 'Complete'
                         WHEN 'CANCELLED' THEN 'Cancelled' WHEN 'DISCONTINUED' THEN 'Dc' WHEN 'DELETED' THEN 'Deleted' WHEN 'NO_SHOW' THEN 'Noshow' END;
COMMENT ON FUNCTION radscheduler.status_word(radscheduler.appointment_status) IS
    'A state as HL7 table 0278 calls it, with Confirmed and Arrived beside it. One that waits for a person (PENDING_REVIEW) is Pending to others.';

CREATE FUNCTION radscheduler.key_parts(p_key text, p_is_series boolean, OUT id text, OUT namespace text, OUT occurrence text) RETURNS record
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_key text := p_key;
BEGIN
    IF p_is_series THEN
        occurrence := substring(v_key from '#([^#]*)$');
        v_key := regexp_replace(v_key, '#[^#]*$', '');
    END IF;
    id := split_part(v_key, '^', 1);
    namespace := nullif(split_part(v_key, '^', 2), '');
END
$$;
COMMENT ON FUNCTION radscheduler.key_parts(text, boolean) IS 'What appointment_key() was made of: identifier, namespace, and in a series the occurrence.';

CREATE FUNCTION radscheduler.person_segments(p_site integer, p_appointment radscheduler.hl7_booking) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_patient record;
BEGIN
    SELECT p.* INTO v_patient FROM radscheduler.patient p WHERE p.site_id = p_site AND p.patient_id = radscheduler.patient_now(p_site, p_appointment.patient_id);
    IF NOT FOUND THEN
        RETURN '[]';
    END IF;
    RETURN jsonb_build_array(radscheduler.segment_of('PID', jsonb_build_object(
        '1', '1',
        '3', (SELECT jsonb_agg(radscheduler.field_of(i.value, '', '', i.authority, i.type) -> 0 ORDER BY i.value = v_patient.mrn DESC, i.type, i.value, i.authority)
              FROM radscheduler.patient_identifier i WHERE i.site_id = p_site AND i.patient_id = v_patient.patient_id),
        '5', CASE WHEN v_patient.family_name IS NULL AND v_patient.given_name IS NULL THEN radscheduler.field_of(v_patient.display_name)
                  ELSE radscheduler.field_of(v_patient.family_name, v_patient.given_name, v_patient.middle_name, v_patient.suffix) END,
        '7', to_char(v_patient.birth_date, 'YYYYMMDD'), '8', v_patient.sex, '13', radscheduler.field_of(coalesce(v_patient.phone, v_patient.phone_as_sent)),
        '30', CASE WHEN v_patient.is_deceased THEN 'Y' END)))
        || CASE WHEN p_appointment.patient_class IS NULL AND p_appointment.referring_physician IS NULL AND p_appointment.visit_number IS NULL THEN '[]'
                ELSE jsonb_build_array(radscheduler.segment_of('PV1', jsonb_build_object('1', '1', '2', coalesce(p_appointment.patient_class, 'N'),
                         '8', radscheduler.field_of('', p_appointment.referring_physician), '19', radscheduler.field_of(p_appointment.visit_number)))) END;
END
$$;
COMMENT ON FUNCTION radscheduler.person_segments(integer, radscheduler.hl7_booking) IS 'PID and, where something is known of the visit, PV1 of an appointment, in the form of hl7_to_jsonb(). The patient is who he is now.';

CREATE FUNCTION radscheduler.resource_segment(p_segment text, p_code text, p_name text, p_type text, p_role text, p_set integer, p_action text,
                                              p_starts text, p_minutes integer, p_status text) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- Where AIG has five fields before the start, AIL and AIP have two fewer.
    c_shift CONSTANT integer := CASE WHEN p_segment = 'AIG' THEN 8 ELSE 6 END;
BEGIN
    RETURN radscheduler.segment_of(p_segment, jsonb_build_object(
        '1', p_set::text, '2', p_action,
        '3', CASE p_segment WHEN 'AIG' THEN radscheduler.field_of(p_code, p_name) WHEN 'AIL' THEN radscheduler.field_of(p_code)
                  ELSE radscheduler.field_of(split_part(p_code, '^', 1), p_name, '', '', '', '', '', '', nullif(split_part(p_code, '^', 2), '')) END,
        '4', radscheduler.field_of(CASE WHEN p_segment = 'AIP' THEN p_role ELSE p_type END),
        c_shift::text, p_starts, (c_shift + 3)::text, p_minutes::text, (c_shift + 4)::text, CASE WHEN p_minutes IS NOT NULL THEN radscheduler.field_of('MIN') END,
        (c_shift + 6)::text, radscheduler.field_of(p_status)));
END
$$;
COMMENT ON FUNCTION radscheduler.resource_segment(text, text, text, text, text, integer, text, text, integer, text) IS 'AIG, AIL or AIP in the form of hl7_to_jsonb().';

CREATE FUNCTION radscheduler.part_segments(p_site integer, p_snapshot jsonb, p_zone text, p_action text, p_booking radscheduler.hl7_booking) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_part     record;
    v_label    text := (SELECT m.label FROM radscheduler.modality m WHERE m.site_id = p_site AND m.code = p_booking.modality);
    v_services jsonb := p_snapshot -> 'services';
    v_group    integer := 0;
    v_sets     jsonb := '{}';
    v_set      integer;
    v_segments jsonb := '[]';
BEGIN
    IF v_services = '[]' THEN
        v_services := jsonb_build_array(jsonb_build_object('position', 1, 'group_no', 1, 'code', p_booking.study_code,
            'name', coalesce(p_booking.study_text, v_label, p_booking.modality), 'starts_at', p_booking.starts_at, 'ends_at', p_booking.ends_at));
    END IF;
    FOR v_part IN
        SELECT s.group_no, 'AIS' AS segment, s.code, s.name, NULL AS type, NULL AS role, s.starts_at, s.ends_at, s.status, 0 AS kind, s.position
        FROM jsonb_to_recordset(v_services) s(group_no integer, code text, name text, starts_at timestamptz, ends_at timestamptz, status radscheduler.appointment_status, position integer)
        UNION ALL
        SELECT r.group_no, CASE WHEN x.kind = 'staff' THEN 'AIP' WHEN x.kind = 'room' THEN 'AIL' ELSE 'AIG' END, x.code, x.name,
               coalesce(x.modality, x.kind::text), coalesce(r.role, x.role), r.starts_at, r.ends_at, r.status, 1, r.position
        FROM jsonb_to_recordset(p_snapshot -> 'resources') r(group_no integer, resource_id bigint, role text, starts_at timestamptz, ends_at timestamptz,
                                                             status radscheduler.appointment_status, position integer)
        JOIN radscheduler.resource x ON x.site_id = p_site AND x.resource_id = r.resource_id
        ORDER BY 1, 10, 2, 11
    LOOP
        IF v_part.group_no <> v_group THEN
            v_group := v_part.group_no;
            v_sets := '{}';
            v_segments := v_segments || jsonb_build_array(radscheduler.segment_of('RGS', jsonb_build_object('1', v_group::text, '2', p_action,
                                                                                  '3', radscheduler.field_of(p_booking.modality, v_label))));
        END IF;
        v_set := coalesce((v_sets ->> v_part.segment)::integer, 0) + 1;
        v_sets := v_sets || jsonb_build_object(v_part.segment, v_set);
        v_segments := v_segments || jsonb_build_array(CASE WHEN v_part.segment = 'AIS' THEN
            radscheduler.segment_of('AIS', jsonb_build_object('1', v_set::text, '2', p_action, '3', radscheduler.field_of(v_part.code, v_part.name),
                '4', radscheduler.hl7_stamp(v_part.starts_at, p_zone), '7', radscheduler.minutes_text(v_part.starts_at, v_part.ends_at),
                '8', CASE WHEN v_part.ends_at IS NOT NULL THEN radscheduler.field_of('MIN') END, '10', radscheduler.field_of(radscheduler.status_word(v_part.status))))
            ELSE radscheduler.resource_segment(v_part.segment, v_part.code, v_part.name, v_part.type, v_part.role, v_set, p_action,
                radscheduler.hl7_stamp(v_part.starts_at, p_zone), radscheduler.minutes_text(v_part.starts_at, v_part.ends_at)::integer, radscheduler.status_word(v_part.status)) END);
    END LOOP;
    RETURN v_segments;
END
$$;
COMMENT ON FUNCTION radscheduler.part_segments(integer, jsonb, text, text, radscheduler.hl7_booking) IS
    'RGS, AIS, AIG, AIL and AIP of a snapshot (snapshot_of()), group by group, in the form of hl7_to_jsonb(). An appointment without exam rows is one exam by its text; RGS-3 tells the modality.';

CREATE FUNCTION radscheduler.minutes_text(p_from timestamptz, p_until timestamptz) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (pg_catalog.date_part('epoch', p_until - p_from) / 60)::integer::text;
COMMENT ON FUNCTION radscheduler.minutes_text(timestamptz, timestamptz) IS 'Whole minutes between two instants, as HL7 writes a number.';

CREATE FUNCTION radscheduler.schedule_segments(p_site integer, p_snapshot jsonb, p_zone text, p_action text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row       radscheduler.hl7_booking := jsonb_populate_record(NULL::radscheduler.hl7_booking, p_snapshot -> 'appointment');
    c_series    CONSTANT boolean := v_row.parent_filler_id IS NOT NULL OR v_row.parent_placer_id IS NOT NULL;
    v_filler    record := radscheduler.key_parts(v_row.filler_id, c_series);
    v_placer    record := radscheduler.key_parts(v_row.placer_id, c_series);
    v_parent    record := radscheduler.key_parts(v_row.parent_filler_id, false);
    v_minutes   text := radscheduler.minutes_text(v_row.starts_at, v_row.ends_at);
    v_starts    text := radscheduler.hl7_stamp(v_row.starts_at, p_zone);
    v_ends      text := radscheduler.hl7_stamp(v_row.ends_at, p_zone);
    v_priority  text := CASE v_row.urgency WHEN 'stat' THEN 'S' WHEN 'urgent' THEN 'A' ELSE 'R' END;
    v_segments  jsonb;
BEGIN
    v_segments := jsonb_build_array(radscheduler.segment_of('SCH', jsonb_build_object(
        '1', radscheduler.field_of(v_placer.id, v_placer.namespace),
        '2', CASE WHEN v_row.filler_id IS NULL THEN radscheduler.field_of(v_row.appointment_id::text, 'RADSCHEDULER') ELSE radscheduler.field_of(v_filler.id, v_filler.namespace) END,
        '3', coalesce(v_filler.occurrence, v_placer.occurrence), '4', radscheduler.field_of(v_row.visit_group),
        '6', radscheduler.field_of('', coalesce(v_row.event_reason, radscheduler.status_word(v_row.status))), '7', radscheduler.field_of('', v_row.reason), '9', v_minutes,
        '10', CASE WHEN v_minutes IS NOT NULL THEN radscheduler.field_of('MIN') END,
        '11', radscheduler.field_of('', '', CASE WHEN v_minutes IS NOT NULL THEN 'M' || v_minutes END, v_starts, v_ends, v_priority),
        '16', radscheduler.field_of('RADSCHEDULER'), '20', radscheduler.field_of('RADSCHEDULER'),
        '23', radscheduler.field_of(v_row.parent_placer_id), '24', radscheduler.field_of(v_parent.id, v_parent.namespace),
        '25', radscheduler.field_of(radscheduler.status_word(v_row.status)),
        '26', (SELECT jsonb_agg(jsonb_build_array(o)) FROM unnest(v_row.placer_orders) o), '27', (SELECT jsonb_agg(jsonb_build_array(o)) FROM unnest(v_row.filler_orders) o))));
    IF v_row.starts_at IS NOT NULL THEN
        v_segments := v_segments || jsonb_build_array(radscheduler.segment_of('TQ1', jsonb_build_object('1', '1', '7', v_starts, '8', v_ends, '9', radscheduler.field_of(v_priority))));
    END IF;
    RETURN v_segments
        || (SELECT coalesce(jsonb_agg(radscheduler.segment_of('NTE', jsonb_build_object('1', n.place::text, '3', n.line)) ORDER BY n.place), '[]')
            FROM regexp_split_to_table(v_row.notes, '\r\n|\r|\n') WITH ORDINALITY n(line, place))
        || radscheduler.person_segments(p_site, v_row)
        || radscheduler.part_segments(p_site, p_snapshot, p_zone, p_action, v_row);
END
$$;
COMMENT ON FUNCTION radscheduler.schedule_segments(integer, jsonb, text, text) IS
    'The segments that tell an appointment as a snapshot (snapshot_of()) has it, in the form of hl7_to_jsonb(); p_action is what RGS-2 and AIx-2 say (HL7 table 0206).';

CREATE FUNCTION radscheduler.siu_message(p_site integer, p_snapshot jsonb, p_event text, p_control_id text, p_link jsonb) RETURNS radscheduler.hl7
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site record;
BEGIN
    SELECT s.code, radscheduler.site_zone(s.site_id) AS zone INTO v_site FROM radscheduler.site s WHERE s.site_id = p_site;
    RETURN radscheduler.hl7_build(jsonb_build_array(jsonb_build_array('MSH', '|', '^~\&', coalesce(p_link ->> 'sending_application', 'RADSCHEDULER'),
            coalesce(p_link ->> 'sending_facility', v_site.code), coalesce(p_link ->> 'receiving_application', ''), coalesce(p_link ->> 'receiving_facility', ''),
            radscheduler.ack_stamp(v_site.zone), '', radscheduler.field_of('SIU', p_event, 'SIU_S12'), p_control_id,
            CASE WHEN (p_snapshot #>> '{appointment,is_test}')::boolean THEN 'T' ELSE 'P' END, coalesce(p_link ->> 'version_id', '2.5.1'), '', '', '', '', '', 'UNICODE UTF-8'))
        || radscheduler.schedule_segments(p_site, p_snapshot, v_site.zone, CASE p_event WHEN 'S12' THEN 'A' ELSE 'U' END));
END
$$;
COMMENT ON FUNCTION radscheduler.siu_message(integer, jsonb, text, text, jsonb) IS
    'The SIU that tells an appointment as a snapshot has it: event, MSH-10, and who sends and receives (a row of link, or NULL).';

CREATE FUNCTION radscheduler.siu_build(appointment_id bigint, event text, version integer DEFAULT NULL) RETURNS radscheduler.hl7
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_site     integer := (SELECT a.site_id FROM radscheduler.appointment a WHERE a.appointment_id = siu_build.appointment_id AND a.hold_until IS NULL
                           AND a.site_id = ANY (radscheduler.visible_sites()));
    v_snapshot jsonb;
BEGIN
    IF event IS NULL OR event !~ '^S(1[2-7]|26)$' THEN
        RAISE EXCEPTION 'event "%" tells no appointment', left(event, 20) USING ERRCODE = 'invalid_parameter_value', HINT = 'Use S12, S13, S14, S15, S16, S17 or S26.';
    END IF;
    v_snapshot := CASE WHEN version IS NULL THEN radscheduler.snapshot_of(v_site, siu_build.appointment_id)
                       ELSE (SELECT h.snapshot FROM radscheduler.appointment_history h WHERE h.site_id = v_site AND h.appointment_id = siu_build.appointment_id AND h.version = siu_build.version) END;
    IF v_snapshot IS NULL THEN
        RAISE EXCEPTION 'there is no such appointment, or no such version of it, at the sites of this session' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'radscheduler.appointments lists appointments by id, radscheduler.appointment_history their versions.';
    END IF;
    PERFORM radscheduler.audit(v_site, 'read', 'appointment', siu_build.appointment_id, jsonb_build_object('as', 'SIU^' || event, 'version', v_snapshot #> '{appointment,version}'));
    RETURN radscheduler.siu_message(v_site, v_snapshot, event, format('RS%s.%s', siu_build.appointment_id, v_snapshot #>> '{appointment,version}'), NULL);
END
$$;
COMMENT ON FUNCTION radscheduler.siu_build(bigint, text, integer) IS
    'The SIU message that tells an appointment, as it is now or as one of its versions was (the patient as he is now): event is S12 to S17 or S26. siu_read() reads the same appointment from it. The read is audited. Raises 22023 for another event, and for an appointment or version that is not at the caller''s sites.';
