-- Messages as jsonb and back, changed and built; compared and hashed.
SET search_path = radscheduler, public;
CREATE TABLE message (id integer PRIMARY KEY, body hl7);
INSERT INTO message VALUES
    (1, E'MSH|^~\\&|RIS|MEM|RAD|R|20240115100000||SIU^S12|M1|P|2.5\rSCH|1||""\rPID|1||7^^^H^MR~8||DOE^J\\F\\R|a&b|\\X41\\|\rRGS|1\rAIS|1||CT\rAIL|1||R1\rRGS|2\rAIL|1||R2^B~R3\rNTE|1||two\\.br\\lines\r'),
    (2, E'MSH*+!\\@*A+B*C\rPID*1**a+b!c@d*|^~&\r');
-- Leaves are decoded, indexes are field numbers, spellings are kept where they are unusual.
SELECT body::jsonb -> 2 AS pid, body::jsonb -> 1 AS sch, body::jsonb #>> '{8,3}' AS note FROM message WHERE id = 1;
SELECT hl7_to_jsonb(body) AS json FROM message WHERE id = 2;
SELECT id, body::jsonb::hl7 = body AS same FROM message ORDER BY id;
SELECT jsonb_path_query(body::jsonb, 'strict $[*] ? (@[0] == "AIL")[3]') AS rooms FROM message WHERE id = 1;
-- One place, as it is nested.
SELECT p AS path, body -> p AS value FROM message, unnest(ARRAY['PID-3', 'PID-3[1]', 'PID-3[2]', 'PID-3[*].1', 'PID-3.4', 'PID-6', 'PID-6.1.2', 'SCH-3', 'PID-8', 'PID-99', 'AIL[*]-3', 'RGS[2]/AIL', 'RGS[*]/AIL-3', 'MSH-2', 'ZZZ[*]-1']) p WHERE id = 1;
-- Subscripts read; groups count from their own start.
SELECT body['PID-5.2'] AS name, body['RGS[2]/AIL-3'] AS second_room, body['RGS[2]/AIL[2]-3'] IS NULL AS absent, body[NULL] IS NULL AS no_path, (NULL::hl7)['PID-1'] IS NULL AS no_message FROM message WHERE id = 1;
SELECT body['PID-5':'PID-6'] FROM message;
SELECT body['PID-5']['x'] FROM message;
UPDATE message SET body['PID-5'] = 'x';
SELECT body['RGS[2]/ail-3'] FROM message WHERE id = 1;
-- A value is set and nothing else changes.
SELECT p AS path, v AS value, replace(hl7_raw(hl7_set(body, p, v), regexp_replace(p, '\[\*\]|-.*', '', 'g')), E'\r', E'\n') AS segment
FROM message, (VALUES ('PID-3[1].4', 'K'), ('PID-3', 'x|y'), ('PID-5.3', 'Q'), ('PID-20.2', 'far'), ('PID-7', NULL), ('PID-7', '""'), ('RGS[2]/AIS-3', 'MR'), ('NTE[2]-3', 'new'), ('MSH-10', 'M2'), ('PID-3[*].2', 'all')) v(p, v) WHERE id = 1;
SELECT hl7_raw(hl7_set(body, 'PID-3', '9^^^X~10', encoded => true), 'PID-3') AS encoded FROM message WHERE id = 1;
SELECT hl7_set(hl7_set(body, 'PID-4', 'x'), 'PID-4', hl7_get(body, 'PID-4')) = body AS back FROM message WHERE id = 2;
SELECT hl7_set(body, 'PID-3.1', 'a^b', encoded => true) FROM message WHERE id = 1;
SELECT hl7_set(body, 'ZZZ[3]-1', 'x') FROM message WHERE id = 1;
SELECT hl7_set(body, 'MSH-2', '^~') FROM message WHERE id = 1;
SELECT hl7_set(NULL, 'PID-1', 'x') IS NULL AND hl7_set(body, NULL, 'x') IS NULL AS null_in_null_out FROM message WHERE id = 1;
-- Removing.
SELECT p AS path, replace(hl7_remove(body, p)::text, E'\r', ' / ') AS message FROM message, unnest(ARRAY['AIL[*]', 'RGS[2]/AIL', 'PID-3[1]', 'PID-3.4', 'PID-5.2', 'NTE-3', 'ZZZ-1']) p WHERE id = 1;
SELECT hl7_remove(body, 'MSH') FROM message WHERE id = 1;
-- Building, from paths or from jsonb.
SELECT replace(hl7_build('MSH-3', 'RIS', 'MSH-9.1', 'SIU', 'MSH-9.2', 'S12', 'PID-3[2].1', 'a^b', 'NTE[1]-3', 'x', 'NTE[2]-3', 'two
lines', 'PID-8', NULL)::text, E'\r', ' / ') AS built;
SELECT replace(hl7_build('MSH-1', '*', 'MSH-2', '+!\@', 'PID-5.2', 'J+')::text, E'\r', ' / ') AS own_delimiters;
SELECT replace(hl7_build('[["MSH", "|", "^~\\&", "RIS"], ["PID", 1, null, [["7", "", "", "H|1"]]], ["ZPI", {"raw": "\\X41\\", "text": "A"}]]'::jsonb)::text, E'\r', ' / ') AS from_json;
SELECT hl7_build('MSH-3');
SELECT hl7_build('PID-1', '1', 'MSH-2', '^~');
SELECT hl7_build('MSH-1', NULL, 'MSH-3', 'x');
SELECT hl7_build('MSH-2', '^^');
SELECT hl7_build('MSH-2', E'^~\\&\rPID|1||9', 'PID-5', 'x');
SELECT hl7_build('RGS[2]/AIL-3', 'x');
SELECT hl7_build(VARIADIC '{}'::text[])::text AS nothing;
SELECT hl7_build('[["MSH", "|", "^~\\&"], ["PID", true]]'::jsonb);
SELECT hl7_build('[["MSH", "|", "^~\\&"], ["PID", {"raw": "a|b"}]]'::jsonb);
SELECT hl7_build('"MSH"'::jsonb);
SELECT '[["PID", "1"]]'::jsonb::hl7;
-- Bytes there and back.
SELECT body::bytea::hl7 = body AS same, convert_from(body::bytea, 'UTF8') = body::text AS bytes FROM message WHERE id = 2;
-- Equality, order, hashing.
INSERT INTO message SELECT id + 10, body FROM message;
SELECT count(*) AS rows, count(DISTINCT body) AS different FROM message;
SELECT count(*) AS pairs FROM message a JOIN message b ON a.body = b.body;
SELECT a.body < b.body AS lt, a.body <= b.body AS le, a.body > b.body AS gt, a.body >= b.body AS ge, a.body <> b.body AS ne, hl7_cmp(a.body, b.body) AS cmp, hl7_hash(a.body) = hl7_hash(a.body) AS hash
FROM message a, message b WHERE a.id = 1 AND b.id = 2;
DELETE FROM message WHERE id > 10;
CREATE UNIQUE INDEX message_body ON message (body);
CREATE INDEX message_hash ON message USING hash (body);
DROP TABLE message;
-- Too large is refused, and says what to do.
SET radscheduler.max_message_bytes = '1kB';
SELECT length((E'MSH|^~\\&|A\rNTE|1||' || repeat('x', 900))::hl7::text) AS fits;
SELECT (E'MSH|^~\\&|A\rNTE|1||' || repeat('x', 1100))::hl7;
SELECT hl7_set(E'MSH|^~\\&|A\r', 'NTE-3', repeat('x', 1100));
SELECT hl7_is_valid(E'MSH|^~\\&|A\rNTE|1||' || repeat('x', 1100));
RESET radscheduler.max_message_bytes;
