-- What ingest() answers in enhanced mode, takes from batches, and reads in a sender's own charset.
SET search_path = radscheduler, public;
-- Its messages go to ingest one by one.
SELECT i.code, i.outcome FROM hl7_split_batch(convert_to(E'BHS|^~\\&\rMSH|^~\\&|A|B|C|D|20260101||ADT^A01|x1|P|2.5\rMSH|^~\\&|A|B|C|D|20260101||SIU^S12|x2|P|2.5\rBTS|2\r', 'UTF8')) b, ingest(b.body) i WHERE kind = 'message';
CREATE FUNCTION asking(accept text, application text) RETURNS hl7 LANGUAGE sql AS $$
    SELECT format(E'MSH|^~\\&|RIS^1.2.3^ISO|NORTH|RAD|MAIN|20260101||SIU^S12|a\\T\\b|P|2.5.1|||%s|%s||8859/1\r', accept, application)::hl7
$$;
-- What ingest() sends back: one answer, the accept acknowledgement first; nothing where nothing is asked for.
SELECT m.accept AS msh15, m.application AS msh16, i.code, coalesce(hl7_try(convert_from(i.ack, 'UTF8')) ->> 'MSA-1', 'nothing sent') AS sent, hl7_raw(hl7_try(convert_from(i.ack, 'UTF8')), 'MSA-2') AS msa2
FROM (VALUES ('', ''), ('AL', 'NE'), ('AL', 'AL'), ('ER', 'AL'), ('NE', 'NE'), ('ZZ', '')) m(accept, application), ingest(asking(m.accept, m.application)::bytea) i;
SELECT w ->> 'code' AS code, w ->> 'path' AS path FROM ingest(hl7_set(asking('ZZ', ''), 'MSH-10', 'z1')::bytea) i, jsonb_array_elements(i.warnings) w WHERE w ->> 'code' = 'ACK_CONDITION_UNKNOWN';
-- No control id: an error, never a made-up id.
SELECT i.code, hl7_try(convert_from(i.ack, 'UTF8')) ->> 'ERR-3.1' AS err, hl7_state(hl7_try(convert_from(i.ack, 'UTF8')), 'MSA-2') AS msa2 FROM ingest(hl7_remove(asking('', ''), 'MSH-10')::bytea) i;
DROP FUNCTION asking(text, text);
-- The sender's profile overrides MSH-18 in ingest().
INSERT INTO sender (site_id, sending_application, sending_facility, profile) SELECT site_id, 'OLDRIS', 'WEST', '{"charset": "8859/2"}' FROM site LIMIT 1;
SELECT is_profile('{"charset": "8859/2"}') AS known, is_profile('{"charset": "KLINGON"}') AS unknown;
SELECT code, outcome FROM ingest(convert_to(E'MSH|^~\\&|OLDRIS|WEST|RAD|MAIN|20260101||SIU^S12|c1|P|2.5||||||8859/1\rSCH||L1|||||||30|MIN|^^^202601151000\rPID|1||L77||Wałęsa^Łucja\rRGS|1\rAIS|1||CT1^CT|202601151000\r', 'LATIN2'));
SELECT patient_name FROM appointments WHERE datetime = '2026-01-15 10:00';
-- An answer promises that the message is kept: its transaction is flushed, whatever the session says.
SET synchronous_commit = off;
BEGIN;
SELECT code FROM radscheduler.ingest('no message');
SHOW synchronous_commit;
COMMIT;
SHOW synchronous_commit;
RESET synchronous_commit;
