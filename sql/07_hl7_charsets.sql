-- Bytes in the charsets of HL7 table 0211 become the same text, and come back the same from binary copy.
SET search_path = radscheduler, public;
CREATE FUNCTION sent(msh18 text, segments bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT convert_to(E'MSH|^~\\&|A|B|C|D|20260101||SIU^S12|1|P|2.5||||||' || msh18 || E'\r', 'UTF8') || segments
$$;
CREATE TABLE sent_in (name text PRIMARY KEY, bytes bytea NOT NULL, expected text NOT NULL);
INSERT INTO sent_in
SELECT m, sent(m, convert_to(E'NTE|1||' || t || E'\r', e)), t FROM (VALUES
    ('UNICODE UTF-8', 'UTF8', 'Ünïcödé 山 ∑'), ('8859/1', 'LATIN1', 'Müller é'), ('8859/2', 'LATIN2', 'Łódź'), ('8859/3', 'LATIN3', 'ĉapelo'), ('8859/4', 'LATIN4', 'Ķēniņš'),
    ('8859/5', 'ISO_8859_5', 'Иванов'), ('8859/6', 'ISO_8859_6', 'محمد'), ('8859/7', 'ISO_8859_7', 'Παπαδόπουλος'), ('8859/8', 'ISO_8859_8', 'כהן'),
    ('8859/9', 'LATIN5', 'Şahin ğ'), ('8859/15', 'LATIN9', 'Œuvre €'), ('WINDOWS-1252', 'WIN1252', 'Quote ’ €'), ('GB 18030-2000', 'GB18030', '李小龙'), ('KS X 1001', 'EUC_KR', '홍길동'),
    ('BIG-5', 'BIG5', '張國榮')) v(m, e, t);
-- ISO 2022: bytes of seven bits, shifted by escape sequences; among them are bytes that would be delimiters (here 0x5E, ^).
-- Yamada Taro in kanji (JIS X 0208), Yamada in half-width katakana (JIS X 0201), seven bits and eight.
INSERT INTO sent_in VALUES
    ('ISO IR87', sent('~ISO IR87', '\x4e54457c317c7c1b24423b33454442404f3a1b28420d'), '山田太郎'),
    ('ISO IR14', sent('ISO IR14~ISO IR87', '\x4e54457c317c7c1b2849544f405e1b28420d'), 'ﾔﾏﾀﾞ'),
    ('ISO IR13', sent('ISO IR14', '\x4e54457c317c7cd4cfc0de0d'), 'ﾔﾏﾀﾞ');
SELECT name, body ->> 'NTE-3' AS text, body ->> 'NTE-3' = expected AS same, body::jsonb::hl7 = body AS round_trip
FROM (SELECT name, bytes::hl7 AS body, expected FROM sent_in) s ORDER BY name;
-- Bytes that look like delimiters within the header (Big5 0xCA7C, GB18030 0x817C, Shift_JIS 0x937C, JIS X 0208 after an escape): MSH-18 is found all the same,
-- and the acknowledgement comes back in the sender's bytes.
CREATE FUNCTION hidden(facility bytea, msh18 text, control_id bytea DEFAULT 'CTRL1') RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT convert_to(E'MSH|^~\\&|A|', 'UTF8') || facility || convert_to(E'|C|D|20260101||SIU^S12|', 'UTF8') || control_id || convert_to(E'|P|2.5||||||' || msh18 || E'\rNTE|1||x\r', 'UTF8')
$$;
CREATE TABLE hidden_in AS SELECT * FROM (VALUES ('BIG-5', '\xca7c'::bytea), ('GB 18030-2000', '\x817c'), ('SHIFT_JIS', '\x937c'), ('~ISO IR87', '\x1b24424b7c1b2842')) v(name, bytes);
SELECT name, body ->> 'MSH-4' AS facility, body ->> 'MSH-5' AS next, body ->> 'MSH-18[1]' AS charset, body ->> 'MSH-10' AS control_id FROM hidden_in, hl7(hidden(bytes, name)) body ORDER BY name;
SELECT name, position('|D|A|'::bytea || bytes || '|' IN a.ack) > 0 AS facility_as_sent, right(encode(a.ack, 'escape'), 14) AS msa
FROM hidden_in, LATERAL (SELECT hl7_answer(hidden(bytes, name), 'AA', 'X1', '20260101', NULL, '{}', '{}', '{}', '{}')) a(ack) ORDER BY name;
SELECT position(bytes || '1' || '\x0d'::bytea IN hl7_answer(hidden('F', name, bytes || '1'), 'AA', 'X1', '20260101', NULL, '{}', '{}', '{}', '{}')) > 0 AS control_id_as_sent FROM hidden_in WHERE name = 'BIG-5';
SELECT hl7_header(hidden(bytes, name)) #>> '{header,control_id}' AS control_id FROM hidden_in ORDER BY name;
SELECT position('\xca7c'::bytea IN hl7_answer(hidden('\xca7c', ''), 'AA', 'X1', '20260101', NULL, '{}', '{}', '{}', '{}', 'BIG-5')) > 0 AS by_the_senders_charset;
DROP TABLE hidden_in;
DROP FUNCTION hidden(bytea, text, bytea);
-- A sender whose MSH-18 lies, or is empty.
SELECT hl7(sent('8859/1', convert_to(E'NTE|1||Łódź\r', 'LATIN2')), '8859/2') ->> 'NTE-3' AS override, hl7(sent('', convert_to(E'NTE|1||Łódź\r', 'LATIN2')), 'ISO-8859-2') ->> 'NTE-3' AS unnamed,
       hl7(sent('', convert_to(E'NTE|1||Müller ’\r', 'WIN1252'))) ->> 'NTE-3' AS assumed, hl7(sent('8859/1', convert_to(E'NTE|1||Łódź\r', 'UTF8'))) ->> 'NTE-3' AS utf8_after_all;
SELECT hl7('\x4d5348'::bytea, 'KLINGON');
SELECT hl7_charset('iso ir 100') AS latin1, hl7_charset('UNICODE UTF-8') AS utf8, hl7_charset('GB 18030-2000') AS chinese, hl7_charset('UNICODE UTF-16') AS wide, hl7_charset('?') AS unknown;
-- Hex escapes are bytes of the message's charset, in text that was converted and in text that was not.
SELECT hl7(sent('8859/1', convert_to(E'NTE|1||\\XE9\\ é\r', 'LATIN1'))) ->> 'NTE-3' AS converted, (convert_from(sent('8859/1', E'NTE|1||'), 'UTF8') || E'\\XE9\\')::hl7 ->> 'NTE-3' AS as_text,
       (convert_from(sent('', E'NTE|1||'), 'UTF8') || E'\\XE9\\ \\XC3A9\\')::hl7 ->> 'NTE-3' AS no_charset, hl7(sent('8859/5', convert_to(E'NTE|1||\\XB8D2\\\r', 'UTF8')), '8859/5') ->> 'NTE-3' AS cyrillic;
-- Copied in binary and in text.
CREATE TABLE message AS SELECT name, bytes::hl7 AS body FROM sent_in;
COPY message TO '/tmp/radscheduler_charsets.bin' (FORMAT binary);
COPY message TO '/tmp/radscheduler_charsets.txt';
CREATE TABLE message_copy (LIKE message);
COPY message_copy FROM '/tmp/radscheduler_charsets.bin' (FORMAT binary);
COPY message_copy FROM '/tmp/radscheduler_charsets.txt';
SELECT count(*) AS copies, bool_and(a.body = b.body) AS same FROM message a JOIN message_copy b USING (name);
\! rm -f /tmp/radscheduler_charsets.bin /tmp/radscheduler_charsets.txt
DROP TABLE message, message_copy, sent_in;
DROP FUNCTION sent(text, bytea);
