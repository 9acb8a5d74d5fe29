-- The zone of each row comes from the site the reader may see, in the same scan.

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
WHERE a.status <> 'DELETED';
