-- Bad input is answered, kept, and never an error to the caller.
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE FUNCTION pg_temp.try(bytes bytea) RETURNS TABLE (code text, outcome text, error_code text, path text, sentence text, raw_kept boolean, msa2 text, error_segment text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE v radscheduler.ingest_result;
BEGIN
    v := radscheduler.ingest(bytes, 'mllp');
    RETURN QUERY SELECT v.code, v.outcome, m.error ->> 'code', m.error ->> 'path', m.error ->> 'text', m.raw = bytes,
        substring(convert_from(v.ack, 'UTF8') from E'MSA[|]A[AER][|]([^|\r]*)'), left(substring(convert_from(v.ack, 'UTF8') from E'ERR[^\r]*'), 50)
        FROM radscheduler.hl7_message m WHERE m.message_id = v.message_id;
END $$;
CREATE FUNCTION pg_temp.msg(text) RETURNS bytea LANGUAGE sql AS $$ SELECT convert_to(replace($1, '<CR>', E'\r'), 'UTF8') $$;
\x on
SELECT * FROM pg_temp.try('');
SELECT * FROM pg_temp.try('GET / HTTP/1.1');
SELECT * FROM pg_temp.try('MSH');
SELECT * FROM pg_temp.try(pg_temp.msg('MSHabc'));
SELECT * FROM pg_temp.try('\x4d53487c5e7e5c267c41007c42'::bytea);
SELECT * FROM pg_temp.try(pg_temp.msg('MSH|^~\&|BAD|INPUT|RADSCHED|RAD|20260101||SIU^S12||P|2.5<CR>SCH||1'));
SELECT * FROM pg_temp.try(pg_temp.msg('MSH|^~\&|BAD|INPUT|RADSCHED|RAD|20260101||SIU^S99|b1|P|2.5<CR>SCH||1'));
SELECT * FROM pg_temp.try(pg_temp.msg('MSH|^~\&|BAD|INPUT|RADSCHED|RAD|20260101||ORU^R01|b2|P|2.5<CR>OBR|1'));
SELECT * FROM pg_temp.try(pg_temp.msg('MSH|^~\&|BAD|INPUT|RADSCHED|RAD|20260101||SIU^S12|b3|P|2.5<CR>SCH||77|||||||30|MIN|^^30^202602301000<CR>PID|1||BM1||TEST^B'));
SELECT * FROM pg_temp.try(pg_temp.msg('MSH|^~\&|BAD|INPUT|RADSCHED|RAD|20260101||SIU^S12|b4|P|2.5<CR>PID|1||BM1||TEST^B'));
SELECT * FROM pg_temp.try(pg_temp.msg('MSH|^~\&|BAD|INPUT|RADSCHED|RAD|20260101||SIU^S12|b5|P|2.5<CR>SCH||78|||||||30|MIN|^^30^203102031000'));
SELECT * FROM pg_temp.try(pg_temp.msg('MSH|^~\&|BAD|INPUT|RADSCHED|RAD|20260101||SIU^S12|b6|P|2.5<CR>SCH||79<CR>PID|1||BM1||TEST^B'));
SELECT * FROM pg_temp.try(pg_temp.msg('MSH|^~\&|BAD|INPUT|RADSCHED|RAD|20260101||SIU^S12|b7|P|2.3<CR>SCH||79<CR>PID|1||BM1||TEST^B'));
-- Several messages at once: none of them may be lost behind an acknowledgement of the first.
SELECT * FROM pg_temp.try(pg_temp.msg('MSH|^~\&|BAD|INPUT|RADSCHED|RAD|20260101||SIU^S12|b9|P|2.5<CR>SCH||90|||||||30|MIN|^^30^203102031000<CR>PID|1||BM9||TEST^B<CR>MSH|^~\&|BAD|INPUT|RADSCHED|RAD|20260101||SIU^S12|b10|P|2.5<CR>SCH||91|||||||30|MIN|^^30^203102041000<CR>PID|1||BM9||TEST^B'));
SELECT * FROM pg_temp.try(pg_temp.msg('FHS|^~\&|BAD|INPUT<CR>BHS|^~\&|BAD|INPUT<CR>MSH|^~\&|BAD|INPUT|RADSCHED|RAD|20260101||SIU^S12|b11|P|2.5<CR>SCH||92|||||||30|MIN|^^30^203102031000<CR>PID|1||BM9||TEST^B<CR>MSH|^~\&|BAD|INPUT|RADSCHED|RAD|20260101||SIU^S12|b12|P|2.5<CR>SCH||93<CR>BTS|2<CR>FTS|1'));
SELECT count(*) AS booked FROM radscheduler.patient WHERE mrn = 'BM9';
-- Bytes that are not UTF-8 and say nothing of it: read as Windows-1252, told as a warning, kept as sent.
SELECT r.code, r.outcome, jsonb_path_exists(r.warnings, '$[*] ? (@.code == "CHARSET_ASSUMED")') AS told
FROM radscheduler.ingest(pg_temp.msg('MSH|^~\&|BAD|INPUT|RADSCHED|RAD|20260101||SIU^S12|b8|P|2.5<CR>SCH||80|||||||30|MIN|^^30^203102031000<CR>PID|1||BM8||M') || '\xfc'::bytea || pg_temp.msg('LLER^A')) r;
SELECT display_name FROM radscheduler.patient WHERE mrn = 'BM8';
-- After AE the same bytes are processed anew.
SELECT code, outcome FROM pg_temp.try(pg_temp.msg('MSH|^~\&|BAD|INPUT|RADSCHED|RAD|20260101||SIU^S12|b6|P|2.5<CR>SCH||79<CR>PID|1||BM1||TEST^B'));
\x off
SELECT count(*) AS keys_left FROM radscheduler.message_key k JOIN radscheduler.sender s USING (site_id, sender_id) WHERE s.sending_application = 'BAD' AND k.control_id <> 'b8';
SELECT radscheduler.ingest(NULL);
-- A repeat whose first reception went with an old partition is taken anew.
DELETE FROM radscheduler.hl7_message WHERE control_id = 'b8';
SELECT r.code, r.outcome FROM radscheduler.ingest(pg_temp.msg('MSH|^~\&|BAD|INPUT|RADSCHED|RAD|20260101||SIU^S12|b8|P|2.5<CR>SCH||80|||||||30|MIN|^^30^203102031000<CR>PID|1||BM8||M') || '\xfc'::bytea || pg_temp.msg('LLER^A')) r;
-- Strict senders get no repair.
INSERT INTO radscheduler.sender (site_id, sending_application, sending_facility, profile) SELECT site_id, 'STRICT', 'INPUT', '{"repair": "strict"}' FROM radscheduler.site;
SELECT code, error_code, path FROM pg_temp.try(pg_temp.msg('MSH|^~\&|STRICT|INPUT|RADSCHED|RAD|20260101||SIU^S12|s1|P|2.5<CR>SCH||81|||||||30|MIN|^^30^203102031000<CR>PID|1||BM2||TEST^B<CR>AIP|1|A|RADIOLOGIST^DOE^JOHN^MD|203102031000'));
-- Each thing received is one row with an answer.
SELECT count(*) FILTER (WHERE ack = '') AS unanswered, count(*) FILTER (WHERE raw IS NULL) AS lost FROM radscheduler.hl7_message;
-- A message that is not applied leaves its bytes and nothing else: no patient, no scanner.
SELECT r.code, r.outcome FROM radscheduler.ingest(convert_to(E'MSH|^~\\&|BAD|INPUT|||20260101||SIU^S12|bad77|P|2.5\rSCH||BAD77\rPID|1||BADPAT77||NOBLER^NORMAN\rAIS|1|A|CT002^CT CHEST\rAIG|1|A|BADSCAN77', 'UTF8')) r;
SELECT (SELECT count(*) FROM radscheduler.patient WHERE mrn = 'BADPAT77') AS patients, (SELECT count(*) FROM radscheduler.resource WHERE code = 'BADSCAN77') AS resources,
       (SELECT count(*) FROM radscheduler.hl7_message WHERE control_id = 'bad77') AS messages;
-- Where it came from is a word and an address.
SELECT radscheduler.ingest('x', 'Patient Nora Norte was here');
