-- Bookings made here: times held for a caller until he makes up his mind, and who changed an appointment and why.
-- A hold is an appointment without a past: PENDING, with the time taken and no version told. Booking it makes it one; whatever ends it takes it away.

ALTER TABLE radscheduler.appointment ADD COLUMN hold_until timestamptz
    CONSTRAINT appointment_hold_pending CHECK (hold_until IS NULL OR holds_time AND status IN ('PENDING', 'DELETED'));
CREATE INDEX appointment_hold ON radscheduler.appointment (site_id, hold_until) WHERE hold_until IS NOT NULL;
COMMENT ON COLUMN radscheduler.appointment.hold_until IS 'For a hold: until when it keeps its time, DELETED while it is being taken away. NULL for an appointment.';

ALTER TABLE radscheduler.appointment_history ADD COLUMN person text, ADD COLUMN reason text;
COMMENT ON COLUMN radscheduler.appointment_history.person IS 'Person or program on whose behalf it was changed, as the session or the call says (radscheduler.actor).';
COMMENT ON COLUMN radscheduler.appointment_history.reason IS 'Why, as the call says.';
ALTER TABLE radscheduler.appointment_history ALTER COLUMN person SET STATISTICS 0, ALTER COLUMN reason SET STATISTICS 0;

-- Nobody has been booked yet where a time is only held.
SELECT radscheduler.attach_view('appointments');
CREATE OR REPLACE VIEW radscheduler.appointments WITH (security_invoker = true) AS
SELECT a.appointment_id                                                            AS id,
       p.mrn                                                                       AS patient_id,
       p.display_name                                                              AS patient_name,
       COALESCE(p.phone, p.phone_as_sent)                                          AS patient_phone,
       COALESCE(m.label, a.modality)                                               AS modality,
       a.study_text                                                                AS study_type,
       pg_catalog.timezone(COALESCE(s.timezone, radscheduler.default_zone()), a.starts_at)  AS datetime,
       (EXTRACT(epoch FROM a.ends_at - a.starts_at) / 60)::integer                 AS duration,
       a.status::text                                                              AS status,
       a.referring_physician                                                       AS referring_physician,
       a.urgency                                                                   AS urgency,
       a.notes                                                                     AS notes,
       radscheduler.conflicts_of(a.site_id, a.appointment_id)                      AS conflicts,
       a.source                                                                    AS source,
       pg_catalog.timezone(COALESCE(s.timezone, radscheduler.default_zone()), a.created_at) AS created_at,
       pg_catalog.timezone(COALESCE(s.timezone, radscheduler.default_zone()), a.updated_at) AS updated_at
FROM radscheduler.appointment a
JOIN radscheduler.site s ON s.site_id = a.site_id
JOIN radscheduler.patient p ON p.site_id = a.site_id AND p.patient_id = a.patient_id
LEFT JOIN radscheduler.modality m ON m.site_id = a.site_id AND m.code = a.modality
WHERE a.status <> 'DELETED' AND a.hold_until IS NULL;
