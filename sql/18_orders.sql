-- Orders: kept as they stand, in any order of arrival, and connected with appointments from either side.
SET client_min_messages = warning;
SET timezone = 'America/New_York';
UPDATE radscheduler.site SET timezone = 'America/New_York' WHERE code = 'MAIN';
CREATE FUNCTION pg_temp.send(event text, control text, at text, segments text, app text DEFAULT 'EHR') RETURNS TABLE (code text, outcome text, warnings text)
    LANGUAGE sql AS $$
SELECT r.code, r.outcome, (SELECT string_agg(w ->> 'code', ' ' ORDER BY w ->> 'code') FROM jsonb_array_elements(r.warnings) w
                           WHERE w ->> 'code' NOT IN ('SENDER_UNKNOWN', 'ZONE_ASSUMED', 'RESOURCE_UNKNOWN'))
FROM radscheduler.ingest(convert_to(concat_ws(E'\r', format('MSH|^~\&|%s|ORDHOSP|RADSCHED|RAD|%s||%s|%s|P|2.5', app, at, event, control), segments), 'UTF8')) r $$;
-- ORC and, unless code is NULL, an OBR behind it.
CREATE FUNCTION pg_temp.orders(control text, at text, orc text, code text, mrn text DEFAULT 'OM1', rest text DEFAULT '') RETURNS TABLE (code text, outcome text, warnings text) LANGUAGE sql AS $$
SELECT s.* FROM pg_temp.send('ORM^O01', control, at, concat_ws(E'\r', CASE WHEN mrn <> '' THEN format('PID|1||%s||ORDERED^OLIVE', mrn) END, 'ORC|' || orc, 'OBR|1|||' || code || rest)) s $$;
CREATE VIEW pg_temp.kept AS
SELECT coalesce(o.placer_id, '-') AS placer, o.filler_id AS filler, p.mrn, o.status, o.control AS ctl, o.code, o.text, o.modality AS mod, o.accession AS acc, o.urgency,
       coalesce(to_char(o.wanted_at, 'MM-DD HH24:MI'), to_char(o.wanted_on, 'MM-DD')) AS wanted, o.ordered_by, o.reason
FROM radscheduler.imaging_order o JOIN radscheduler.sender s USING (site_id, sender_id) LEFT JOIN radscheduler.patient p ON p.site_id = o.site_id AND p.patient_id = o.patient_id
WHERE s.sending_facility = 'ORDHOSP' ORDER BY o.order_id;
-- New, changed, numbered, scheduled, completed: what is sent overwrites, the HL7 null clears, the rest stays.
SELECT * FROM pg_temp.orders('o1', '20210101080000', 'NW|P1^EHR||G1|||^^^203112011000^^S|||||5^WELBY^MARCUS', 'CT002^CT CHEST', rest => repeat('|', 14) || 'ACC1||||||CT|||||||R05^COUGH');
SELECT * FROM pg_temp.kept;
SELECT * FROM pg_temp.orders('o2', '20210101080100', 'XO|P1^EHR', 'CT003^CT ABDOMEN', rest => repeat('|', 27) || '""');
SELECT * FROM pg_temp.orders('o3', '20210101080200', 'NA|P1^EHR|F1^RIS', NULL);
SELECT * FROM pg_temp.orders('o4', '20210101080300', 'SC||F1^RIS||SC', NULL);
SELECT * FROM pg_temp.kept;
SELECT * FROM pg_temp.orders('o5', '20210101080400', 'NW|P1^EHR|F1^RIS', NULL);
SELECT * FROM pg_temp.orders('o6', '20210101080500', 'SC||F1^RIS||CM', NULL);
SELECT * FROM pg_temp.orders('o7', '20210101080600', 'CA||F1^RIS', NULL);
SELECT * FROM pg_temp.kept;
-- The cancellation first: remembered without a patient, filled in by the late order, not opened by it.
SELECT * FROM pg_temp.orders('o8', '20210102080500', 'CA|P2', NULL, mrn => '');
SELECT * FROM pg_temp.orders('o9', '20210102080000', 'NW|P2|||||^^^20311202^^A', 'MRI001^MRI BRAIN', mrn => 'OM2');
SELECT * FROM pg_temp.orders('o10', '20210102070000', 'XO|P2', 'US004^ABDOMEN', mrn => 'OM2');
SELECT * FROM pg_temp.kept WHERE placer = 'P2';
-- Late ones are stale; equal times go by arrival.
SELECT * FROM pg_temp.orders('o11', '20210103080000', 'NW|P3', 'XR003^CHEST');
SELECT * FROM pg_temp.orders('o12', '20210103075900', 'CA|P3', NULL);
SELECT * FROM pg_temp.orders('o13', '20210103080000', 'HD|P3', NULL);
SELECT * FROM pg_temp.kept WHERE placer = 'P3';
-- Every control code on a new order, on a requested one and on one that was completed.
SELECT r.word, r.meaning, radscheduler.order_status(r.word, NULL, NULL) AS new, radscheduler.order_status(r.word, NULL, 'REQUESTED') AS requested,
       radscheduler.order_status(r.word, NULL, 'HELD') AS held, radscheduler.order_status(r.word, NULL, 'COMPLETED') AS completed, radscheduler.order_status(r.word, 'IP', 'SCHEDULED') AS with_status
FROM radscheduler.order_rule r WHERE r.field = 'ORC-1' ORDER BY r.word;
SELECT r.word, radscheduler.order_status('SC', r.word, 'REQUESTED') AS status, radscheduler.order_status('CA', r.word, 'REQUESTED') AS with_a_cancellation FROM radscheduler.order_rule r WHERE r.field = 'ORC-5' ORDER BY r.word;
-- A code nobody knows; several orders in one message; OMI; a replacement; a number used for another patient; OBR without ORC.
SELECT * FROM pg_temp.orders('o14', '20210103080200', 'QQ|P3', NULL);
SELECT * FROM pg_temp.send('OMI^O23', 'o15', '20210104080000', E'PID|1||OM3||ORDERED^OTTO\rORC|NW|P4||G4\rTQ1|1||||||20311203140000||A\rOBR|1|||XX1^UNNAMED EXAM\rIPC|ACC4|RP4|1.2.3|SPS4|MR\rORC|NW|P5||G4\rOBR|2|||US004^ABDOMINAL ULTRASOUND');
SELECT * FROM pg_temp.orders('o16', '20210104090000', E'RP|P5\rORC|RO|P6', 'US005^PELVIC ULTRASOUND', mrn => 'OM3');
SELECT * FROM pg_temp.orders('o17', '20210104100000', 'XO|P6', NULL, mrn => 'OM1');
SELECT * FROM pg_temp.send('ORM^O01', 'o18', '20210104080000', E'PID|1||OM1\rOBR|1|P7|F7|CT002^CT CHEST');
SELECT * FROM pg_temp.kept WHERE placer NOT IN ('P1', 'P2');
-- What cannot be kept.
SELECT * FROM pg_temp.orders('e1', '20210101080000', 'NW', 'CT002');
SELECT * FROM pg_temp.orders('e2', '20210101080000', 'NW|P9', 'CT002', mrn => '');
SELECT * FROM pg_temp.send('ORM^O01', 'e3', '20210101080000', 'PID|1||OM1');
SELECT m.control_id, m.error ->> 'code' AS code, m.error ->> 'path' AS path, m.error ->> 'text' AS text FROM radscheduler.hl7_message m JOIN radscheduler.sender s USING (site_id, sender_id)
WHERE s.sending_facility = 'ORDHOSP' AND m.outcome = 'error' ORDER BY m.message_id;

-- The order first, then the appointment: it takes physician, accession number and modality; what it says itself stays.
CREATE FUNCTION pg_temp.book(event text, filler text, mrn text, at text, orders text, rest text) RETURNS TABLE (code text, outcome text, warnings text) LANGUAGE sql AS $$
SELECT * FROM pg_temp.send('SIU^' || event, filler || at, at, concat_ws(E'\r', format('SCH||%s|||||||30|MIN|^^30^203112011000%s%s', filler, repeat('|', 15), orders), format('PID|1||%s||ORDERED^OLIVE', mrn), rest, 'AIG|1||ORD-' || filler), 'RIS') $$;
CREATE VIEW pg_temp.board AS
SELECT a.filler_id AS appointment, a.modality, a.referring_physician AS referrer, a.accession, a.version, (SELECT string_agg(o.placer_id, ' ') FROM radscheduler.orders_of(a.appointment_id) o) AS orders
FROM radscheduler.appointment a JOIN radscheduler.sender s USING (site_id, sender_id) WHERE s.sending_facility = 'ORDHOSP' ORDER BY 1;
SELECT * FROM pg_temp.orders('l1', '20210105080000', 'NW|L1||||||||||5^WELBY^MARCUS', 'ZZ9^SPECIAL EXAM', rest => repeat('|', 14) || 'ACCL1||||||MR', mrn => 'OM5');
SELECT * FROM pg_temp.book('S12', 'A1', 'OM5', '20210105090000', 'L1^EHR', 'AIS|1||ZZ9^SPECIAL EXAM');
SELECT * FROM pg_temp.book('S12', 'A2', 'OM6', '20210105090000', 'L1', 'AIS|1||ZZ9^SPECIAL EXAM');
SELECT * FROM pg_temp.book('S12', 'A3', 'OM7', '20210105090000', '|F3', E'PV1|1|O||||||9^HOUSE^GREG\rAIS|1||CT002^CT CHEST');
SELECT * FROM pg_temp.board;
-- The appointment first: it takes them when the order comes, as a version of its own, and follows its patient.
SELECT * FROM pg_temp.orders('l2', '20210105100000', 'NW|L3|F3|||||||||5^WELBY^MARCUS', 'CT002^CT CHEST', rest => repeat('|', 14) || 'ACCL3', mrn => 'OM7');
SELECT * FROM pg_temp.orders('l3', '20210105100000', 'NW|L1^OTHER||||||||||5^WELBY^MARCUS', 'CT002^CT CHEST', rest => repeat('|', 14) || 'ACCL2', mrn => 'OM6');
SELECT * FROM pg_temp.board;
SELECT a.filler_id, e.type, e.data ->> 'reason' AS reason FROM radscheduler.event_log e JOIN radscheduler.appointment a USING (site_id, appointment_id) JOIN radscheduler.sender s USING (sender_id)
WHERE s.sending_facility = 'ORDHOSP' AND e.type LIKE 'appointment.%' ORDER BY 1, e.seq;
-- From the other side; a cancelled appointment is still told, its order is not touched.
SELECT * FROM pg_temp.book('S15', 'A3', 'OM7', '20210105110000', '', NULL);
SELECT o.placer_id, a.filler_id, a.status, o.status AS order_status FROM radscheduler.imaging_order o JOIN radscheduler.sender s USING (site_id, sender_id), radscheduler.appointments_of(o.order_id) a
WHERE s.sending_facility = 'ORDHOSP' ORDER BY 1, 2;
-- HL7 null for the physician is an answer: the order does not fill it in again.
SELECT * FROM pg_temp.book('S14', 'A1', 'OM5', '20210105120000', 'L1^EHR', E'PV1|1|O||||||""\rAIS|1||ZZ9^SPECIAL EXAM');
SELECT * FROM pg_temp.board WHERE appointment = 'A1';
-- Orders follow a merge, and go with their patient.
SELECT * FROM pg_temp.send('ADT^A40', 'm1', '20210106080000', E'PID|1||OM8||KEPT^OLA\rMRG|OM7');
SELECT DISTINCT k.mrn FROM pg_temp.kept k WHERE k.placer = 'L3';
SELECT b.appointment, b.orders FROM pg_temp.board b WHERE b.appointment = 'A3';
SELECT radscheduler.purge('test', 'OM8', dry_run => false) -> 'orders' AS removed;
SELECT count(*) AS left FROM pg_temp.kept k WHERE k.placer = 'L3';
-- A period takes orders that are over; one whose appointment is still to come stays, and so does its patient, and what is held.
UPDATE radscheduler.imaging_order o SET updated_at = '2012-01-01' FROM radscheduler.sender s WHERE s.site_id = o.site_id AND s.sender_id = o.sender_id AND s.sending_facility = 'ORDHOSP' AND o.wanted_on IS NULL;
SELECT radscheduler.place_hold('case 18', 'OM3') AS hold \gset
SELECT radscheduler.purge('ten years', before => '2013-01-01', dry_run => false) -> 'orders' AS removed;
SELECT radscheduler.lift_hold(:hold, 'case 18 closed');
SELECT k.placer, k.mrn FROM pg_temp.kept k ORDER BY 1, 2;
-- What is told: ids and codes.
SELECT e.type, e.data - 'order_id' AS data, count(*) FROM radscheduler.event_log e WHERE e.type LIKE 'order.%' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT e.action, count(*), bool_and(e.object = 'imaging_order' AND e.object_id IS NOT NULL) AS named FROM radscheduler.audit_event e WHERE e.action LIKE 'order.%' GROUP BY 1 ORDER BY 1;
DROP VIEW pg_temp.kept, pg_temp.board;
