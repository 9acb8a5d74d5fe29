-- The least a booking costs in these tables: the same ten rows that try_book() writes, straight one after the other, nothing judged, locked or
-- asked. What stands between this and the floor is storage (rows, indexes, foreign keys, checks, three exclusion checks); what stands between this
-- and try_book() is the thinking.

CREATE SEQUENCE radbench.stored_booking;

-- Beside the bookings of booking.sql, ten years later, so that neither ever meets the other.
CREATE FUNCTION radbench.store_booking(n bigint) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET radscheduler.audit_changes = off
    AS $$
DECLARE
    c_during  CONSTANT tstzrange := tstzrange(lower(radbench.slot(n)) + interval '3652 days', upper(radbench.slot(n)) + interval '3652 days');
    c_booking CONSTANT bigint := nextval('radscheduler.appointment_appointment_id_seq');
    v_patient bigint;
    v_scanner bigint;
    v_person  bigint;
BEGIN
    SELECT i.patient_id INTO v_patient FROM radscheduler.patient_identifier i WHERE i.site_id = 1 AND i.value = 'P' || (1 + n % 3000) AND i.type = 'MR';
    SELECT a.resource_id INTO v_scanner FROM radscheduler.resource_alias a WHERE a.site_id = 1 AND a.alias = 'BENCHMR' || n % 200 AND a.kind = 'equipment';
    SELECT a.resource_id INTO v_person FROM radscheduler.resource_alias a WHERE a.site_id = 1 AND a.alias = 'BENCHT' || n % 200 AND a.kind = 'staff';
    INSERT INTO radscheduler.appointment (site_id, appointment_id, patient_id, status, starts_at, ends_at, modality, study_code, study_text, urgency, source, booked_at)
        VALUES (1, c_booking, v_patient, 'SCHEDULED', lower(c_during), upper(c_during), 'MR', 'MRI001', 'MRI BRAIN W/O CONTRAST', 'routine', 'SQL', now());
    INSERT INTO radscheduler.appointment_service (site_id, appointment_id, position, code, name, starts_at, ends_at)
        VALUES (1, c_booking, 1, 'MRI001', 'MRI BRAIN W/O CONTRAST', lower(c_during), upper(c_during));
    INSERT INTO radscheduler.appointment_resource (site_id, appointment_id, position, segment, resource_id, starts_at, ends_at)
        VALUES (1, c_booking, 1, 'BOOK', v_scanner, lower(c_during), upper(c_during)), (1, c_booking, 2, 'BOOK', v_person, lower(c_during), upper(c_during));
    INSERT INTO radscheduler.occupancy (site_id, axis, subject_id, lane, during, buffered, appointment_id)
        VALUES (1, 'resource', v_scanner, 0, c_during, c_during, c_booking), (1, 'resource', v_person, 0, c_during, c_during, c_booking),
               (1, 'patient', v_patient, 0, c_during, c_during, c_booking)
        ON CONFLICT ON CONSTRAINT occupancy_no_overlap DO NOTHING;
    INSERT INTO radscheduler.appointment_history (site_id, appointment_id, version, event, actor, snapshot)
        SELECT 1, c_booking, 1, 'appointment.created', session_user, jsonb_build_object('appointment', to_jsonb(a))
        FROM radscheduler.appointment a WHERE a.site_id = 1 AND a.appointment_id = c_booking;
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id, data) VALUES (1, 'appointment.created', c_booking, '{"version": 1}');
    INSERT INTO radscheduler.audit_event (site_id, role_name, login_name, action, object, object_id, detail)
        VALUES (1, session_user, session_user, 'appointment.created', 'appointment', c_booking, '{"version": 1}');
    RETURN c_booking;
END
$$;
