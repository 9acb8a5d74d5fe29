-- The integration guide's table, column for column, as an updatable view: writing to it books, moves and cancels through the same core.

CREATE VIEW radscheduler.appointments WITH (security_invoker = true) AS
SELECT a.appointment_id                                                            AS id,
       p.mrn                                                                       AS patient_id,
       p.display_name                                                              AS patient_name,
       COALESCE(p.phone, p.phone_as_sent)                                          AS patient_phone,
       COALESCE(m.label, a.modality)                                               AS modality,
       a.study_text                                                                AS study_type,
       pg_catalog.timezone(radscheduler.site_zone(a.site_id), a.starts_at)         AS datetime,
       (EXTRACT(epoch FROM a.ends_at - a.starts_at) / 60)::integer                 AS duration,
       a.status::text                                                              AS status,
       a.referring_physician                                                       AS referring_physician,
       a.urgency                                                                   AS urgency,
       a.notes                                                                     AS notes,
       radscheduler.conflicts_of(a.site_id, a.appointment_id)                      AS conflicts,
       a.source                                                                    AS source,
       pg_catalog.timezone(radscheduler.site_zone(a.site_id), a.created_at)        AS created_at,
       pg_catalog.timezone(radscheduler.site_zone(a.site_id), a.updated_at)        AS updated_at
FROM radscheduler.appointment a
JOIN radscheduler.patient p ON p.site_id = a.site_id AND p.patient_id = a.patient_id
LEFT JOIN radscheduler.modality m ON m.site_id = a.site_id AND m.code = a.modality
WHERE a.status <> 'DELETED';
COMMENT ON VIEW   radscheduler.appointments IS 'The schedule as one flat table. INSERT books, UPDATE moves or changes, DELETE cancels; a double booking is refused with SQLSTATE 23P01.';
COMMENT ON COLUMN radscheduler.appointments.id IS 'Identity of the appointment.';
COMMENT ON COLUMN radscheduler.appointments.patient_id IS 'Medical record number.';
COMMENT ON COLUMN radscheduler.appointments.patient_name IS 'Name as shown to people.';
COMMENT ON COLUMN radscheduler.appointments.patient_phone IS 'E.164 where the number could be completed, else as sent.';
COMMENT ON COLUMN radscheduler.appointments.modality IS 'Modality label, for example MRI. On write: label, DICOM code or any alias.';
COMMENT ON COLUMN radscheduler.appointments.study_type IS 'Exam text.';
COMMENT ON COLUMN radscheduler.appointments.datetime IS 'Start in the site''s local time.';
COMMENT ON COLUMN radscheduler.appointments.duration IS 'Minutes.';
COMMENT ON COLUMN radscheduler.appointments.status IS 'Life cycle state.';
COMMENT ON COLUMN radscheduler.appointments.referring_physician IS 'Name of the referring physician.';
COMMENT ON COLUMN radscheduler.appointments.urgency IS 'routine, urgent or stat (emergency is read as stat).';
COMMENT ON COLUMN radscheduler.appointments.notes IS 'Notes.';
COMMENT ON COLUMN radscheduler.appointments.conflicts IS 'Unresolved conflicts, an empty array when there is none. Read only.';
COMMENT ON COLUMN radscheduler.appointments.source IS 'HL7, API or SQL. Read only.';
COMMENT ON COLUMN radscheduler.appointments.created_at IS 'When it was recorded, site local. Read only.';
COMMENT ON COLUMN radscheduler.appointments.updated_at IS 'When it last changed, site local. Read only.';

ALTER VIEW radscheduler.appointments ALTER COLUMN status  SET DEFAULT 'SCHEDULED';
ALTER VIEW radscheduler.appointments ALTER COLUMN urgency SET DEFAULT 'routine';
ALTER VIEW radscheduler.appointments ALTER COLUMN duration SET DEFAULT 30;

CREATE TRIGGER appointments_write INSTEAD OF INSERT OR UPDATE OR DELETE ON radscheduler.appointments
    FOR EACH ROW EXECUTE FUNCTION radscheduler.appointments_write();
COMMENT ON TRIGGER appointments_write ON radscheduler.appointments IS 'Sends every write through the booking core.';
