-- The integration guide's own message, its repeats, and what it leaves behind.
SET client_min_messages = warning;
SET timezone = 'UTC';
UPDATE radscheduler.site SET timezone = 'America/New_York';
\set guide 'MSH|^~\\&|RIS|MEMORIAL|RADSCHED|RAD|20240115100000||SIU^S12|MSG001|P|2.5\rSCH||1234|||||||30|MIN|^^30^202401151000^^R||||||||||||||SCHEDULED\rPID|1||MRN123456||DOE^JOHN||19800101|M|||123 MAIN ST^^BOSTON^MA^02101||617-555-0123\rRGS|1|A\rAIS|1|A|MRI001^MRI BRAIN W/O CONTRAST|202401151000\rAIP|1|A|RADIOLOGIST^DOE^JOHN^MD|202401151000'
CREATE TEMP TABLE guide AS SELECT convert_to(replace(:'guide', '\r', E'\r'), 'UTF8') AS bytes;
CREATE TEMP TABLE first AS SELECT r.* FROM guide, radscheduler.ingest(bytes, 'mllp', '192.0.2.1:4000') r;
SELECT code, outcome, conflicts, jsonb_path_query_array(warnings, '$[*].code') AS warnings FROM first;
SELECT regexp_replace(replace(convert_from(ack, 'UTF8'), E'\r', '<CR>'), '\|\d{14}[+-]\d{4}\|', '|NOW|') AS ack FROM first;
SELECT octet_length(ack) < 1024 AS fits_one_read FROM first;
SELECT patient_id, patient_name, patient_phone, modality, study_type, datetime, duration, status, referring_physician, urgency, notes, conflicts, source FROM radscheduler.appointments;
-- The same bytes again: the stored acknowledgement, nothing changed.
CREATE TEMP TABLE second AS SELECT r.* FROM guide, radscheduler.ingest(bytes, 'mllp', '192.0.2.1:4001') r;
SELECT s.outcome, s.code, s.ack = f.ack AS same_ack, s.appointment_id = f.appointment_id AS same_appointment FROM first f, second s;
SELECT count(*) AS appointments, max(version) AS version FROM radscheduler.appointment;
SELECT m.outcome, m.channel, m.peer, m.raw = g.bytes AS raw_kept, m.raw_sha256 = sha256(g.bytes) AS hash_kept, m.trigger_event, m.control_id, m.message_time, m.duplicate_of IS NOT NULL AS repeats
FROM radscheduler.hl7_message m, guide g ORDER BY m.message_id;
-- The same control id with other bytes is another message.
SELECT r.code, r.outcome, jsonb_path_exists(r.warnings, '$[*] ? (@.code == "CONTROL_ID_REUSED")') AS told
FROM guide, radscheduler.ingest(convert_to(replace(replace(convert_from(bytes, 'UTF8'), '|1234|', '|1235|'), 'MRN123456', 'MRN123457'), 'UTF8')) r;
-- Records behind the row.
SELECT axis, lane, during, buffered FROM radscheduler.occupancy ORDER BY occupancy_id;
SELECT code, kind, role, is_registered FROM radscheduler.resource;
SELECT a.appointment_id = 1 AS first, h.version, h.event, h.snapshot #>> '{services,0,code}' AS service, jsonb_array_length(h.snapshot -> 'resources') AS resources
FROM radscheduler.appointment a JOIN radscheduler.appointment_history h USING (site_id, appointment_id) ORDER BY a.appointment_id;
-- Both want the radiologist: on a diagnostic exam that is a warning, and nobody goes to review.
SELECT id, status, c ->> 'code' AS code, c ->> 'severity' AS severity, c ->> 'axis' AS axis
FROM radscheduler.appointments, jsonb_array_elements(conflicts) c ORDER BY id;
