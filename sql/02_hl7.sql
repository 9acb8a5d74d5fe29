-- The type hl7: input, output, paths, segments, acknowledgement.
SET client_min_messages = warning;
CREATE TABLE message (id integer PRIMARY KEY, body radscheduler.hl7);
INSERT INTO message VALUES
    (1, E'MSH|^~\\&|RIS|MEMORIAL|RADSCHED|RAD|20240115100000||SIU^S12|MSG001|P|2.5\nSCH||1234\r\nPID|1||MRN1^^^H^MR~999^^^SS^SS||O\\T\\NEIL^ANN||""\rNTE|1||one\rNTE|2||two\\.br\\lines'),
    (2, E'MSH$%~\\&$A$B$C$D$20260101$$SIU%S12$M1$P$2.5\rPID$1$$7%%%X');
SELECT id, replace(body::text, E'\r', '<CR>') AS stored FROM message ORDER BY id;
SELECT p AS path, radscheduler.hl7_get(body, p) AS value
FROM message, unnest(ARRAY['MSH-1', 'MSH-2', 'MSH-3', 'MSH-9.2', 'MSH.9.1', 'SCH-2', 'PID-3', 'PID-3[2].1', 'PID-3[2].5', 'PID-5.1', 'PID-5.2', 'PID-7',
                           'NTE[2]-3', 'NTE-3', 'PID-40', 'ZZZ-1']) p
WHERE id = 1;
SELECT body OPERATOR(radscheduler.->>) 'PID-3.4' AS custom_delimiters FROM message WHERE id = 2;
SELECT s.* FROM message, radscheduler.hl7_segments(body) s WHERE id = 1 ORDER BY ordinal;
-- Many values, undecoded text, the four states.
SELECT radscheduler.hl7_get_all(body, 'PID-3[*].1') AS ids, radscheduler.hl7_get_all(body, 'NTE[*]-3') AS notes, radscheduler.hl7_get_all(body, 'OBX[*]-5') AS none FROM message WHERE id = 1;
SELECT radscheduler.hl7_fields(body, 'MSH-10', 'PID-3.1', 'PID-5.1', 'ZZZ-1', 'PID-7') AS fields FROM message WHERE id = 1;
SELECT radscheduler.hl7_raw(body, 'PID-3') AS field, radscheduler.hl7_raw(body, 'PID-5.1') AS escaped, radscheduler.hl7_raw(body, 'PID-3[2]') AS repetition FROM message WHERE id = 1;
SELECT p AS path, radscheduler.hl7_state(body, p) AS state FROM message, unnest(ARRAY['PID-3', 'PID-4', 'PID-7', 'PID-40', 'ZZZ-1']) p WHERE id = 1;
SELECT radscheduler.hl7_fields(body, 'PID-3[*]') FROM message WHERE id = 1;
SELECT t, radscheduler.hl7_is_valid(t) AS valid, radscheduler.hl7_try(t) IS NULL AS refused FROM unnest(ARRAY['MSH|^~\&|A', 'PID|1', '']) t;
-- Errors name the place.
SELECT radscheduler.hl7_get(body, 'PID-x') FROM message WHERE id = 1;
SELECT radscheduler.hl7_get(body, 'OBX[*]-5') FROM message WHERE id = 1;
SELECT radscheduler.hl7_get(body, 'PID-3é') FROM message WHERE id = 1;
SELECT radscheduler.hl7_get(body, 'PID-3' || repeat('é', 200)) FROM message WHERE id = 1;
SELECT 'PID|1'::text::radscheduler.hl7;
SELECT ''::radscheduler.hl7;
SELECT 'MSHabcdef'::radscheduler.hl7;
-- The reading functions index and run in parallel.
CREATE INDEX message_control ON message ((body OPERATOR(radscheduler.->>) 'MSH-10'));
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM message WHERE body OPERATOR(radscheduler.->>) 'MSH-10' = 'M1';
RESET enable_seqscan;
SELECT id FROM message WHERE body OPERATOR(radscheduler.->>) 'MSH-10' = 'M1';
-- Acknowledgement.
SELECT a OPERATOR(radscheduler.->>) 'MSH-3' AS application, a OPERATOR(radscheduler.->>) 'MSH-5' AS receiver, a OPERATOR(radscheduler.->>) 'MSH-9.1' AS type,
       a OPERATOR(radscheduler.->>) 'MSA-1' AS code, a OPERATOR(radscheduler.->>) 'MSA-2' AS control_id
FROM message, radscheduler.hl7_ack(body, 'AE', 'because') a ORDER BY id;
SELECT (radscheduler.hl7_ack(body) OPERATOR(radscheduler.->>) 'MSH-10') <> (radscheduler.hl7_ack(body) OPERATOR(radscheduler.->>) 'MSH-10') AS new_control_id FROM message WHERE id = 1;
SELECT radscheduler.hl7_ack(body, 'XX') FROM message WHERE id = 1;
-- Escaping comes back as it was.
SELECT t = radscheduler.hl7_get((E'MSH|^~\\&|A|B|C|D|20260101||SIU^S12|1|P|2.5\rNTE|1||' || radscheduler.hl7_escape(t))::radscheduler.hl7, 'NTE-3') AS same
FROM unnest(ARRAY['a|b^c~d&e\f', 'plain', E'two\nlines', 'é∑']) t;
-- Binary copy is text copy.
COPY message TO '/tmp/radscheduler_message.bin' (FORMAT binary);
CREATE TABLE message_copy (LIKE message);
COPY message_copy FROM '/tmp/radscheduler_message.bin' (FORMAT binary);
SELECT bool_and(a.body::text = b.body::text) AS same FROM message a JOIN message_copy b USING (id);
\! rm -f /tmp/radscheduler_message.bin
DROP TABLE message, message_copy;
-- A C++ exception (here: a stored form of a later version) becomes an ordinary error, and the session lives on.
-- A bit string of 8 bits begins with the byte 8, one of 1 bit with the byte 1.
CREATE CAST (bit varying AS radscheduler.hl7) WITHOUT FUNCTION;
SELECT radscheduler.hl7_text(B'01000001'::bit varying::radscheduler.hl7);
SELECT radscheduler.hl7_get(B'1'::bit varying::radscheduler.hl7, 'PID-3');
SELECT B'11111111'::bit varying::radscheduler.hl7::jsonb;
DROP CAST (bit varying AS radscheduler.hl7);
SELECT 'alive' AS session;
