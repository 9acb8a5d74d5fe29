-- Batches, continuations, acknowledgements, validation.
SET search_path = radscheduler, public;
-- Batch files: each message is kept, whatever is wrong with its envelope.
CREATE FUNCTION told(value text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(CASE kind WHEN 'message' THEN format('%s:%s/%s', body::hl7 ->> 'MSH-3', file, batch) ELSE code || '@' || coalesce(path, '') END, ' ' ORDER BY n)
    FROM hl7_split_batch(value) WITH ORDINALITY b(kind, message, file, batch, byte_offset, body, code, path, sentence, n)
$$;
SELECT what, told(E'' || value) AS told FROM (VALUES
    ('whole file', E'FHS|^~\\&\rBHS|^~\\&\rMSH|^~\\&|A\rMSH|^~\\&|B\rBTS|2\rBHS|^~\\&\rMSH|^~\\&|C\rBTS|1\rFTS|2\r'),
    ('no envelope', E'MSH|^~\\&|A\nPID|1\n\nMSH|^~\\&|B\n'),
    ('framed', E'\x0bMSH|^~\\&|A\r\x1c\r\x0bMSH|^~\\&|B\r\x1c\r'),
    ('BTS-1 wrong', E'BHS|^~\\&\rMSH|^~\\&|A\rBTS|2\r'),
    ('FTS-1 wrong', E'FHS|^~\\&\rBHS|^~\\&\rMSH|^~\\&|A\rBTS|1\rFTS|3\r'),
    ('BTS missing', E'BHS|^~\\&\rMSH|^~\\&|A\r'),
    ('MSH outside BHS', E'FHS|^~\\&\rMSH|^~\\&|A\rFTS|0\r'),
    ('empty BHS', E'BHS|^~\\&\rBTS|0\r'),
    ('two files joined', E'FHS|^~\\&\rBHS|^~\\&\rMSH|^~\\&|A\rBTS|1\rFTS|1\rFHS|^~\\&\rBHS|^~\\&\rMSH|^~\\&|B\rBTS|1\rFTS|1\r'),
    ('stray text', E'log line\rMSH|^~\\&|A\r'),
    ('nothing', '')) v(what, value);
SELECT kind, message, file, batch, byte_offset, body, code, path, sentence FROM hl7_split_batch(E'BHS|^~\\&\rMSH|^~\\&|A\rBTS|7\r'::text);
SELECT kind, message, convert_from(body, 'LATIN1') AS body, code FROM hl7_split_batch(convert_to(E'MSH|^~\\&|A\rPID|1||é\rMSH|^^\r', 'LATIN1'));
DROP FUNCTION told(text);
-- Continued messages.
SELECT replace(hl7_join_continuation(E'MSH|^~\\&|A\rOBX|1|TX|||first ha\rADD\rDSC|p1\r', E'MSH|^~\\&|A|||||||||||p1\rADD|lf|||F\rDSC|p2|F\r', E'MSH|^~\\&|A|||||||||||p2\rOBX|2\r')::text, E'\r', ' / ') AS joined;
SELECT replace(hl7_join_continuation(VARIADIC ARRAY[E'MSH|^~\\&|A\rNTE|1||long te\rADD|xt\r']::hl7[])::text, E'\r', ' / ') AS added;
SELECT hl7_continues(E'MSH|^~\\&|A\rDSC|p1\r') AS goes_on, hl7_continues(E'MSH|^~\\&|A\r') AS alone;
SELECT hl7_join_continuation(E'MSH|^~\\&|A\rOBX|1\rDSC|p1\r', E'MSH|^~\\&|A|||||||||||p2\rOBX|2\r');
SELECT hl7_join_continuation(E'MSH|^~\\&|A\rOBX|1\rDSC|p1\r');
-- Which acknowledgements are due, by MSH-15 and MSH-16.
CREATE FUNCTION asking(accept text, application text) RETURNS hl7 LANGUAGE sql AS $$
    SELECT format(E'MSH|^~\\&|RIS^1.2.3^ISO|NORTH|RAD|MAIN|20260101||SIU^S12|a\\T\\b|P|2.5.1|||%s|%s||8859/1\r', accept, application)::hl7
$$;
SELECT m.accept AS msh15, m.application AS msh16, o AS outcome, d.accept, d.application
FROM (VALUES ('', ''), ('AL', 'NE'), ('AL', ''), ('ER', 'AL'), ('SU', 'SU'), ('SU', 'ER'), ('NE', 'NE'), ('NE', 'AL'), ('', 'AL'), ('ZZ', ''), ('ZZ', 'NE')) m(accept, application),
     unnest(ARRAY['AA', 'AE', 'AR']) o, hl7_ack_due(asking(m.accept, m.application), o) d;
-- The acknowledgement itself: own control id, MSH-3..6 whole and swapped, MSA-2 byte for byte, charset carried.
SELECT hl7_raw(a, 'MSH-3') AS msh3, hl7_raw(a, 'MSH-5') AS msh5, a ->> 'MSH-6' AS msh6, hl7_raw(a, 'MSH-9') AS type, a ->> 'MSH-18' AS charset, hl7_raw(a, 'MSA') AS msa, a ->> 'MSH-10' <> hl7_ack(asking('', '')) ->> 'MSH-10' AS own_id
FROM unnest(ARRAY['AA', 'AE', 'AR', 'CA', 'CE', 'CR']) c, hl7_ack(asking('', ''), c, 'why') a;
SELECT c.version, hl7_raw(a, 'MSH-9') AS type, hl7_raw(a, 'MSA') AS msa, hl7_raw(a, 'ERR') AS err
FROM (VALUES ('2.3'), ('2.4'), ('2.5.1'), ('2.7')) c(version),
     hl7_try(convert_from(hl7_answer(convert_to(format(E'MSH*+!\\@*A*B*C*D*20260101**SIU+S12*id+1*P*%s\r', c.version), 'UTF8'), 'AE', 'X', '20260101', 'Why.', ARRAY['101'], ARRAY['SCH-11.4'], ARRAY['E'], ARRAY['Missing.']), 'UTF8')) a;
SELECT hl7_ack(asking('', ''), 'XX');
SELECT count(*) AS acknowledgements, count(DISTINCT a ->> 'MSH-10') AS control_ids, max(length(a ->> 'MSH-10')) AS longest, sum((SELECT count(*) FROM hl7_validate(a) v WHERE v.path = 'MSH-10')) AS findings
FROM (SELECT hl7_ack(asking('', '')) AS a FROM generate_series(1, 200)) acks;
DROP FUNCTION asking(text, text);
-- Validation: what the standard asks for, place by place.
SELECT v.severity, v.path, v.code, v.sentence FROM hl7_validate(E'MSH|^~\\&|RIS|MEM|RAD|R|20260115100000||SIU^S12^SIU_S12|M1|P|2.5.1\rSCH|P1^RIS|F1^RAD||||ROUTINE^Routine^HL70276|CHECKUP^Checkup^HL70276|NORMAL^Normal^HL70277|30|MIN^Minutes^ISO+|^^30^20260115100000^20260115103000|||||1^SMITH^A||||2^JONES^B|||||BOOKED\rPID|1||7^^^H^MR||DOE^JOHN||19800101|M\rRGS|1|A\rAIS|1|A|CT^CT head^L|20260115100000|||30|MIN\rAIL|1|A|ROOM1\r') v;
SELECT v.severity, v.path, v.code, v.sentence FROM hl7_validate(E'MSH|^~\\&#|RIS|MEM|RAD|R|2026011|X|SIU^S12^ADT_A01||Q|2.9x|||ZZ|||8859/99\rPID|1||7||DOE\\F^J\\Z99||19801340\rAIS|x|Q|CT|2026\rSCH\rpid|1\r') v;
SELECT count(*) AS findings, count(*) FILTER (WHERE sentence LIKE '%KOWALSKI%') AS telling FROM hl7_validate(E'MSH|^~\\&|A|B|C|D|20260101||SIU^S12|1|P|2.5\rPID|1||7||KOWALSKI^JAN||KOWALSKI|KOWALSKI\r');
