-- The least a message costs in these tables: the same sixteen rows that ingest() writes for one booking, straight one after the other, nothing
-- read, matched, judged, locked or asked. What stands between this and the floor is storage (rows, indexes, foreign keys, checks, three exclusion
-- checks); what stands between this and ingest() is the thinking.

CREATE SEQUENCE radbench.stored_number;

-- Beside the messages of setup.sql, ten years later, so that neither ever meets the other.
CREATE FUNCTION radbench.store(n bigint) RETURNS text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET radscheduler.audit_changes = off
    AS $$
DECLARE
    c_during    CONSTANT tstzrange := tstzrange(lower(radbench.slot(n)) + interval '3652 days', upper(radbench.slot(n)) + interval '3652 days');
    c_bytes     CONSTANT bytea := radbench.message(n);
    c_hash      CONSTANT bytea := sha256(c_bytes);
    c_message   CONSTANT bigint := nextval('radscheduler.hl7_message_id_seq');
    c_patient   CONSTANT bigint := nextval('radscheduler.patient_patient_id_seq');
    c_booking   CONSTANT bigint := nextval('radscheduler.appointment_appointment_id_seq');
    v_sender    bigint;
    v_scanner   bigint;
    v_person    bigint;
BEGIN
    SELECT s.sender_id INTO v_sender FROM radscheduler.sender s WHERE s.site_id = 1 AND s.sending_application = 'BENCH' AND s.sending_facility = 'MEMORIAL';
    SELECT a.resource_id INTO v_scanner FROM radscheduler.resource_alias a WHERE a.site_id = 1 AND a.alias = 'BENCHMR' || n % 200 AND a.kind = 'equipment';
    SELECT a.resource_id INTO v_person FROM radscheduler.resource_alias a WHERE a.site_id = 1 AND a.alias = 'BENCHT' || n % 200 AND a.kind = 'staff';
    INSERT INTO radscheduler.message_key (site_id, sender_id, control_id, body_sha256, message_id, received_at)
        VALUES (1, v_sender, 'S' || n, c_hash, c_message, now()) ON CONFLICT DO NOTHING;
    INSERT INTO radscheduler.patient (site_id, patient_id, mrn, display_name, family_name, given_name, phone, phone_as_sent)
        VALUES (1, c_patient, 'S' || n, 'Person Bench', 'BENCH', 'PERSON', '+16175550123', '617-555-0123');
    INSERT INTO radscheduler.patient_identifier (site_id, authority, type, value, patient_id) VALUES (1, 'MEMORIAL', 'MR', 'S' || n, c_patient);
    INSERT INTO radscheduler.appointment (site_id, appointment_id, sender_id, filler_id, patient_id, status, starts_at, ends_at, modality, study_code, study_text, source, message_id)
        VALUES (1, c_booking, v_sender, 'S' || n, c_patient, 'SCHEDULED', lower(c_during), upper(c_during), 'MR', 'MRI001', 'MRI BRAIN W/O CONTRAST', 'HL7', c_message);
    INSERT INTO radscheduler.appointment_service (site_id, appointment_id, position, group_no, code, name, starts_at, ends_at)
        VALUES (1, c_booking, 1, 1, 'MRI001', 'MRI BRAIN W/O CONTRAST', lower(c_during), upper(c_during));
    INSERT INTO radscheduler.appointment_resource (site_id, appointment_id, position, segment, group_no, resource_id, starts_at, ends_at)
        VALUES (1, c_booking, 1, 'AIG', 1, v_scanner, lower(c_during), upper(c_during)), (1, c_booking, 2, 'AIP', 1, v_person, lower(c_during), upper(c_during));
    INSERT INTO radscheduler.occupancy (site_id, axis, subject_id, lane, during, buffered, appointment_id)
        VALUES (1, 'resource', v_scanner, 0, c_during, c_during, c_booking), (1, 'resource', v_person, 0, c_during, c_during, c_booking),
               (1, 'patient', c_patient, 0, c_during, c_during, c_booking)
        ON CONFLICT ON CONSTRAINT occupancy_no_overlap DO NOTHING;
    INSERT INTO radscheduler.appointment_history (site_id, appointment_id, version, event, message_id, actor, snapshot)
        SELECT 1, c_booking, 1, 'appointment.created', c_message, session_user, jsonb_build_object('appointment', to_jsonb(a))
        FROM radscheduler.appointment a WHERE a.site_id = 1 AND a.appointment_id = c_booking;
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
        VALUES (1, 'appointment.created', c_booking, c_message, '{"version": 1}'), (1, 'hl7.processed', c_booking, c_message, '{"outcome": "applied"}');
    INSERT INTO radscheduler.audit_event (site_id, role_name, login_name, action, object, object_id, detail)
        VALUES (1, session_user, session_user, 'patient.created', 'patient', c_patient, '{}'),
               (1, session_user, session_user, 'appointment.created', 'appointment', c_booking, '{"version": 1}'),
               (1, session_user, session_user, 'message.received', 'hl7_message', c_message, '{"outcome": "applied"}');
    INSERT INTO radscheduler.hl7_message (site_id, message_id, received_at, channel, raw, raw_sha256, sender_id, message_code, trigger_event, control_id,
                                          processing_id, version_id, outcome, code, ack, appointment_id)
        VALUES (1, c_message, now(), 'sql', c_bytes, c_hash, v_sender, 'SIU', 'S12', 'S' || n, 'P', '2.5', 'applied', 'AA', c_bytes, c_booking);
    RETURN 'AA';
END
$$;
