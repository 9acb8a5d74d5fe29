-- A schedule that has been in use: :appointments appointments on the scanners and technologists of setup.sql in the weeks before the
-- benchmark's own, each with patient, exam, scanner, technologist and the time they take. Written to the tables directly, for
-- ingest would take an hour; triggers and foreign keys are left out for the same reason, the exclusion constraint is not.

SET session_replication_role = replica;
SET radscheduler.audit_changes = off;

CREATE TEMP TABLE old AS
SELECT n, 1 + n / 24000 AS week, n % 200 AS scanner,
       '2027-01-04 07:00Z'::timestamptz - (1 + n / 24000) * interval '7 days' + n / 200 / 24 % 5 * interval '1 day' + n / 200 % 24 * interval '30 minutes' AS starts
FROM generate_series(0, :appointments - 1) n;

INSERT INTO radscheduler.patient (site_id, patient_id, mrn, display_name)
    SELECT 1, 1000000 + n, 'OLD' || n, 'Person Bench' FROM generate_series(0, :appointments / 5) n;
INSERT INTO radscheduler.patient_identifier (site_id, authority, type, value, patient_id)
    SELECT 1, 'MEMORIAL', 'MR', 'OLD' || n, 1000000 + n FROM generate_series(0, :appointments / 5) n;
INSERT INTO radscheduler.sender (site_id, sender_id, sending_application, sending_facility, is_registered) VALUES (1, 1000000, 'BENCHOLD', 'MEMORIAL', true);
INSERT INTO radscheduler.appointment (site_id, appointment_id, sender_id, filler_id, patient_id, status, starts_at, ends_at, modality, study_code, study_text, source, version,
                                      message_time, booked_at)
    SELECT 1, 1000000 + n, 1000000, 'OLD' || n, 1000000 + n / 5, 'SCHEDULED', starts, starts + interval '30 minutes', 'MR', 'MRI001', 'MRI BRAIN W/O CONTRAST', 'HL7', 1,
           starts - interval '20 days', starts - interval '20 days'
    FROM old;
INSERT INTO radscheduler.appointment_service (site_id, appointment_id, position, code, name, starts_at, ends_at)
    SELECT 1, 1000000 + n, 1, 'MRI001', 'MRI BRAIN W/O CONTRAST', starts, starts + interval '30 minutes' FROM old;
INSERT INTO radscheduler.appointment_resource (site_id, appointment_id, position, segment, resource_id, starts_at, ends_at)
    SELECT 1, 1000000 + n, CASE r.kind WHEN 'equipment' THEN 1 ELSE 2 END, CASE r.kind WHEN 'equipment' THEN 'AIG' ELSE 'AIP' END, r.resource_id, starts, starts + interval '30 minutes'
    FROM old JOIN radscheduler.resource r ON r.site_id = 1 AND r.code IN ('BENCHMR' || scanner, 'BENCHT' || scanner);
INSERT INTO radscheduler.occupancy (site_id, axis, subject_id, lane, during, buffered, appointment_id)
    SELECT 1, 'resource'::radscheduler.axis, r.resource_id, 0, tstzrange(starts, starts + interval '30 minutes'), tstzrange(starts, starts + interval '30 minutes'), 1000000 + n
    FROM old JOIN radscheduler.resource r ON r.site_id = 1 AND r.code IN ('BENCHMR' || scanner, 'BENCHT' || scanner)
    UNION ALL
    SELECT 1, 'patient', 1000000 + n / 5, n % 5, tstzrange(starts, starts + interval '30 minutes'), tstzrange(starts, starts + interval '30 minutes'), 1000000 + n FROM old;
VACUUM ANALYZE;
