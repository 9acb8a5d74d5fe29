-- The hard cases of reading HL7: header, delimiters, repetitions, states, escapes, line ends, oddities of real senders.
-- <ABSENT>, <EMPTY> and <HL7NULL> are the three states that are no value.
CREATE TABLE hl7_case AS SELECT * FROM (SELECT E'MSH|^~\\&|A|B|C|D|20260101120000||SIU^S12^SIU_S12|M1|P|2.5.1\r' AS h) AS header, LATERAL (VALUES
    (1, h, 'MSH-1', E'|'),
    (2, h, 'MSH-2', E'^~\\&'),
    (3, h, 'MSH-3', E'A'),
    (4, h, 'MSH-9.2', E'S12'),
    (5, h, 'MSH.9.3', E'SIU_S12'),
    (6, h, 'MSH-20', E'<ABSENT>'),
    (7, h, 'PID-3', E'<ABSENT>'),
    (8, E'MSH|^~\\&\r', 'MSH-2', E'^~\\&'),
    (9, E'MSH|^~\\&|A|B', 'MSH-4', E'B'),
    (10, E'MSH$%~\\&$A$B$C$D$20260101$$SIU%S12$M1$P$2.5\rPID$1$$7%%%X', 'PID-3.4', E'X'),
    (11, E'MSH|^~\\&|A\rPID|1||$%#', 'PID-3', E'$%#'),
    (12, E'MSH|*+!@|A|B|C|D|20260101||SIU*S12|M1\rPID|1||7***H+8***I', 'PID-3[2].4', E'I'),
    (13, E'MSH|*+!@|A\rNTE|1||x!S!y', 'NTE-3', E'x*y'),
    (14, E'MSH|^~|A|B\rPID|1||a\\F\\b&c', 'PID-3', E'a\\F\\b&c'),
    (15, E'MSH|^~\\&#|A|B|C|D|20260101||ADT^A01|1|P|2.7\rPID|1||x#y', 'PID-3', E'x#y'),
    (16, E'MSH|^~\\&#|A|B|C|D|20260101||ADT^A01|1|P|2.7\rPID|1||x\\P\\y', 'PID-3', E'x#y'),
    (17, h || E'PID|1||12345^^^H^MR~999^^^SS^SS', 'PID-3', E'12345'),
    (18, h || E'PID|1||12345^^^H^MR~999^^^SS^SS', 'PID-3[2].1', E'999'),
    (19, h || E'PID|1||12345^^^H^MR~999^^^SS^SS', 'PID-3[3].1', E'<ABSENT>'),
    (20, h || E'PID|1||~~x', 'PID-3[3]', E'x'),
    (21, h || E'PID|1||~~x', 'PID-3[1]', E'<EMPTY>'),
    (22, h || E'PID|1||a^b&c^d', 'PID-3.2.2', E'c'),
    (23, h || E'PID|1||a^b&c^d', 'PID-3.2', E'b'),
    (24, h || E'PID|1||Field1', 'PID-3.1.1', E'Field1'),
    (25, h || E'PID|1||Field1', 'PID-3.2', E'<ABSENT>'),
    (26, h || E'PID|1||^^^', 'PID-3.2', E'<EMPTY>'),
    (27, h || E'PID|1|""|3', 'PID-2', E'<HL7NULL>'),
    (28, h || E'PID|1||3', 'PID-2', E'<EMPTY>'),
    (29, h || E'PID|1', 'PID-2', E'<ABSENT>'),
    (30, h || E'PID|1||""^x', 'PID-3.1', E'<HL7NULL>'),
    (31, h || E'PID|1|" "|', 'PID-2', E'" "'),
    (32, h || E'PID|1||\\"\\"', 'PID-3', E'\\"\\"'),
    (33, h || E'NTE|1||a\\F\\b', 'NTE-3', E'a|b'),
    (34, h || E'NTE|1||a\\S\\b', 'NTE-3', E'a^b'),
    (35, h || E'NTE|1||a\\T\\b', 'NTE-3', E'a&b'),
    (36, h || E'NTE|1||a\\R\\b', 'NTE-3', E'a~b'),
    (37, h || E'NTE|1||a\\E\\b', 'NTE-3', E'a\\b'),
    (38, h || E'NTE|1||\\E\\F\\E\\', 'NTE-3', E'\\F\\'),
    (39, h || E'NTE|1||\\E\\T\\E\\', 'NTE-3', E'\\T\\'),
    (40, h || E'PID|1||1^\\E\\^^X', 'PID-3.4', E'X'),
    (41, h || E'NTE|1||\\X0D0A\\', 'NTE-3', E'\r\n'),
    (42, h || E'NTE|1||4/21 mc\\X0A\\4/27', 'NTE-3', E'4/21 mc\n4/27'),
    (43, h || E'NTE|1||\\XC3A9\\', 'NTE-3', E'é'),
    (44, h || E'NTE|1||\\X7C\\', 'NTE-3', E'|'),
    (45, h || E'NTE|1||\\X0\\', 'NTE-3', E'\\X0\\'),
    (46, h || E'NTE|1||\\XZZ\\', 'NTE-3', E'\\XZZ\\'),
    (47, h || E'NTE|1||\\X\\', 'NTE-3', E'\\X\\'),
    (48, h || E'NTE|1||a\\.br\\b', 'NTE-3', E'a\nb'),
    (49, h || E'NTE|1||a\\.sp2\\b', 'NTE-3', E'a\\.sp2\\b'),
    (50, h || E'NTE|1||\\H\\hot\\N\\', 'NTE-3', E'\\H\\hot\\N\\'),
    (51, h || E'NTE|1||\\C1B2842\\', 'NTE-3', E'\\C1B2842\\'),
    (52, h || E'NTE|1||\\M1B2442\\', 'NTE-3', E'\\M1B2442\\'),
    (53, h || E'NTE|1||\\Z99\\', 'NTE-3', E'\\Z99\\'),
    (54, h || E'NTE|1||BSV 4\\5 re.', 'NTE-3', E'BSV 4\\5 re.'),
    (55, h || E'NTE|1||CT leg \\auth pending- cmw', 'NTE-3', E'CT leg \\auth pending- cmw'),
    (56, h || E'NTE|1||fracture noted\\', 'NTE-3', E'fracture noted\\'),
    (57, h || E'NTE|1||\\Z|next\\', 'NTE-4', E'next\\'),
    (58, h || E'NTE|1||a\\\\b', 'NTE-3', E'a\\\\b'),
    (59, h || E'NTE|1||a\\f\\b', 'NTE-3', E'a\\f\\b'),
    (60, E'MSH|^~\\&|A|B|C|D|20260101120000||SIU^S12^SIU_S12|M1|P|2.5.1\nPID|1||7', 'PID-3', E'7'),
    (61, h || E'\nPID|1||7\r\n', 'PID-3', E'7'),
    (62, h || E'\r\rPID|1||7', 'PID-3', E'7'),
    (63, E'\r\n  MSH|^~\\&|A|B|C|D|20260101120000||SIU^S12^SIU_S12|M1|P|2.5.1\rPID|1||7', 'PID-3', E'7'),
    (64, E'\ufeffMSH|^~\\&|A|B|C|D|20260101120000||SIU^S12^SIU_S12|M1|P|2.5.1\rPID|1||7', 'PID-3', E'7'),
    (65, E'\x0bMSH|^~\\&|A|B|C|D|20260101120000||SIU^S12^SIU_S12|M1|P|2.5.1\rPID|1||7\r\x1c\r', 'PID-3', E'7'),
    (66, h || E'PID|1||7||  Doe ^J', 'PID-5.1', E'  Doe '),
    (67, h || E'ZCS||Y|ORSCH_S14', 'ZCS-3', E'ORSCH_S14'),
    (68, h || E'NTE|1||a\rNTE|2||b', 'NTE[2]-3', E'b'),
    (69, h || E'NTE|1||a\rNTE|2||b', 'NTE-3', E'a'),
    (70, h || E'OBX|1|ED|P||^application^pdf^Base64^' || repeat('QUJD', 50000), 'OBX-5.5', repeat('QUJD', 50000)),
    (71, h || 'PID' || repeat('|', 400) || 'z', 'PID-400', E'z'),
    (72, h || E'AIP|1||10^Bland^Robert^|^Astronaut||202111080930', 'AIP-4.2', E'Astronaut'),
    (73, h || E'PID|1||7\rPID|2||8', 'PID[2]-3', E'8'),
    (74, h || E'PID|1||Müller', 'PID-3', E'Müller'),
    (75, h || E'OBX|1|NM|x||98.6&F', 'OBX-5', E'98.6'),
    (76, E'MSH|^~\\&|REG^REG^|X|G|Z|2005|SI&U|SIU^S12|46|P|2.3', 'MSH-9.1', E'SIU'),
    (77, E'MSH^|~\\&^A^B^C^D^20260101^^SIU|S12^M1', 'MSH-9.2', E'S12')
) AS c(n, message, path, expected);
CREATE VIEW hl7_case_result AS
SELECT n, path, expected, CASE radscheduler.hl7_state(message::radscheduler.hl7, path) WHEN 'absent' THEN '<ABSENT>' WHEN 'empty' THEN '<EMPTY>' WHEN 'null' THEN '<HL7NULL>'
                               ELSE radscheduler.hl7_get(message::radscheduler.hl7, path) END AS got,
       radscheduler.hl7_get(message::radscheduler.hl7, path) AS one, (message::radscheduler.hl7)[path] AS subscript, message::radscheduler.hl7 OPERATOR(radscheduler.->>) path AS operator,
       (radscheduler.hl7_fields(message::radscheduler.hl7, path))[1] AS many,
       message::radscheduler.hl7::jsonb::radscheduler.hl7 OPERATOR(radscheduler.=) message::radscheduler.hl7 AS round_trip
FROM hl7_case;
SELECT n, path, left(expected, 40) AS expected, left(got, 40) AS got FROM hl7_case_result WHERE got IS DISTINCT FROM expected;
SELECT count(*) AS cases, count(*) FILTER (WHERE got = expected) AS right_ones,
       bool_and(subscript IS NOT DISTINCT FROM one AND operator IS NOT DISTINCT FROM one AND many IS NOT DISTINCT FROM one) AS all_ways_agree, bool_and(round_trip) AS round_trips
FROM hl7_case_result;
-- Undecoded, and with formatting as one chooses.
SELECT n, radscheduler.hl7_raw(message::radscheduler.hl7, path) AS raw FROM hl7_case WHERE n IN (33, 41, 48, 75) ORDER BY n;
SELECT n, radscheduler.hl7_get(message::radscheduler.hl7, path, 'kept') AS kept, radscheduler.hl7_get(message::radscheduler.hl7, path, 'rendered') AS rendered
FROM hl7_case WHERE n IN (48, 49, 50, 53) ORDER BY n;
DROP VIEW hl7_case_result;
DROP TABLE hl7_case;
-- Dates: accepted with their precision, refused with a reason.
SELECT v AS value, t.precision, t.wall, t.utc_offset, t.warning
FROM unnest(ARRAY['2015', '201512', '20151231', '2015123123', '201512312345', '20151231234500', '20151231234500.1', '20151231234500.1234', '20151231234500.1234+2358',
                  '201403111412-0030', '201403111412+0530', '201', '20151', '2015123', '201512312', '20151231234', '2015123123450', '20151231234500.', '20151231234500.12345',
                  '20151231234500.1234+23', '20151231234500.1234+23581', '20260230', '20240229', '2010052711090000', '']) WITH ORDINALITY v(v, place), radscheduler.hl7_timestamp(v) t ORDER BY place;
-- Wall clocks become instants in the zone that is given, never in the session's.
SET timezone = 'Asia/Tokyo';
SELECT zone, v AS value, timezone('UTC', t.instant) AS utc, t.utc_offset, t.warning
FROM (VALUES ('America/New_York', '20260115100000'), ('America/New_York', '20260308023000'), ('America/New_York', '20261101013000'), ('America/New_York', '20261101013000-0500'),
             ('Europe/London', '20260329013000'), ('Europe/London', '20261025013000'), ('Asia/Kolkata', '202601151000'), ('Australia/Lord_Howe', '20260405014500'),
             ('Australia/Lord_Howe', '20261004021500'), ('UTC', '20260630235960'), ('UTC', '202606302400')) c(zone, v), radscheduler.hl7_timestamp(v, zone) t;
RESET timezone;
SELECT warning, sentence FROM radscheduler.hl7_timestamp('20260101120000');
SELECT radscheduler.hl7_timestamp('2026', 'Mars/Olympus');
