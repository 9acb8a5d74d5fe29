-- A department in use: 60 resources (15 scanners each of MR, CT, ultrasound; 15 technologists, one beside each MR scanner) and :appointments
-- appointments of half an hour, from two years before Monday 6 January 2031 until the schedule is used up. Every day from 7 to 19 o'clock is
-- booked but for two half hours on each scanner, which lie elsewhere every day. Written to the tables directly, as in million.sql.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS radscheduler CASCADE;
SET radscheduler.site = 'MAIN';
UPDATE radscheduler.site SET timezone = 'America/New_York', travel_minutes = 15 WHERE code = 'MAIN';
DELETE FROM radscheduler.resource_hours WHERE resource_id IS NULL;
INSERT INTO radscheduler.resource_hours (site_id, weekday, opens, closes) SELECT s.site_id, d, '07:00', '19:00' FROM radscheduler.site s, generate_series(1, 7) d WHERE s.code = 'MAIN';
SELECT radscheduler.add_resource(m.code || n, 'Scanner ' || n, 'equipment', m.code) FROM unnest('{MR,CT,US}'::text[]) m(code), generate_series(1, 15) n;
SELECT radscheduler.add_resource('TECH' || n, 'Technologist ' || n, 'staff', role => 'TECHNOLOGIST') FROM generate_series(1, 15) n;

SET session_replication_role = replica;
SET radscheduler.audit_changes = off;
CREATE TEMP TABLE taken AS
SELECT row_number() OVER (ORDER BY d, slot, scanner) AS id, m.code, 1 + scanner % 15 AS number, t.starts
FROM generate_series(0, :appointments / 900) d, generate_series(0, 23) slot, generate_series(0, 44) scanner,
     LATERAL (SELECT ('{MR,CT,US}'::text[])[1 + scanner / 15] AS code) m,
     LATERAL (SELECT timezone('America/New_York', timestamp '2029-01-06 07:00' + d * interval '1 day' + slot * interval '30 minutes') AS starts) t
WHERE slot NOT IN ((scanner * 7 + d * 5) % 24, (scanner * 5 + d * 11 + 3) % 24);
DELETE FROM taken WHERE id > :appointments;

INSERT INTO radscheduler.patient (site_id, patient_id, mrn, display_name)
    SELECT s.site_id, 1000000 + n, 'SLOT' || n, 'Person Bench' FROM radscheduler.site s, generate_series(0, :appointments / 5) n WHERE s.code = 'MAIN';
INSERT INTO radscheduler.patient_identifier (site_id, authority, type, value, patient_id)
    SELECT s.site_id, 'MEMORIAL', 'MR', 'SLOT' || n, 1000000 + n FROM radscheduler.site s, generate_series(0, :appointments / 5) n WHERE s.code = 'MAIN';
INSERT INTO radscheduler.appointment (site_id, appointment_id, patient_id, status, starts_at, ends_at, modality, source, version, booked_at)
    SELECT s.site_id, 1000000 + t.id, 1000000 + t.id * 7919 % (:appointments / 5), 'SCHEDULED', t.starts, t.starts + interval '30 minutes', t.code, 'SQL', 1, t.starts - interval '20 days'
    FROM radscheduler.site s, taken t WHERE s.code = 'MAIN';
INSERT INTO radscheduler.appointment_resource (site_id, appointment_id, position, segment, resource_id)
    SELECT r.site_id, 1000000 + t.id, CASE r.kind WHEN 'equipment' THEN 1 ELSE 2 END, 'BOOK', r.resource_id
    FROM taken t JOIN radscheduler.resource r ON r.code = t.code || t.number OR t.code = 'MR' AND r.code = 'TECH' || t.number;
INSERT INTO radscheduler.occupancy (site_id, axis, subject_id, lane, during, buffered, appointment_id)
    SELECT ar.site_id, 'resource'::radscheduler.axis, ar.resource_id, 0, tstzrange(t.starts, t.starts + interval '30 minutes'), tstzrange(t.starts, t.starts + interval '30 minutes'), 1000000 + t.id
    FROM taken t JOIN radscheduler.appointment_resource ar ON ar.appointment_id = 1000000 + t.id
    UNION ALL
    SELECT a.site_id, 'patient', a.patient_id, row_number() OVER (PARTITION BY a.patient_id ORDER BY a.appointment_id), tstzrange(a.starts_at, a.ends_at), tstzrange(a.starts_at, a.ends_at), a.appointment_id
    FROM taken t JOIN radscheduler.appointment a ON a.appointment_id = 1000000 + t.id;
RESET session_replication_role;
VACUUM ANALYZE;
