-- Replays: past messages read with today's profile and catalogues, first to look, then for good.
SET client_min_messages = error;
SELECT current_database() AS regress \gset
DROP DATABASE IF EXISTS radscheduler_replay;
DROP ROLE IF EXISTS rs_test_replay;
CREATE DATABASE radscheduler_replay ENCODING 'UTF8' TEMPLATE template0;
\c radscheduler_replay
SET client_min_messages = error;
CREATE EXTENSION radscheduler CASCADE;
SET client_min_messages = notice;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\pset null ~
UPDATE radscheduler.site SET timezone = 'America/New_York', phone_region = 'US' WHERE code = 'MAIN';
CREATE FUNCTION public.msg(event text, control text, filler text, mrn text, start text, at text, rest text DEFAULT '', status text DEFAULT '', sender text DEFAULT 'PLAY|BACK') RETURNS bytea LANGUAGE sql AS $$
SELECT convert_to(concat_ws(E'\r', format('MSH|^~\&|%s|RADSCHED|RAD|%s||SIU^%s^SIU_S12|%s|P|2.5', sender, at, event, control),
    format('SCH||%s|||||||%s|MIN|^^^%s||||||||||||||%s', filler, CASE WHEN start = '' THEN '' ELSE '30' END, start, status),
    CASE WHEN mrn <> '' THEN format('PID|1||%s||PLAYER^%s||||||||617-555-0123', mrn, mrn) END, nullif(rest, '')), 'UTF8') $$;
CREATE FUNCTION public.send(VARIADIC messages bytea[]) RETURNS text LANGUAGE sql AS $$
SELECT string_agg(r.outcome, ' ' ORDER BY n) FROM (SELECT n, (radscheduler.ingest(messages[n])).outcome FROM generate_series(1, cardinality(messages)) n ORDER BY n) r $$;
-- A report without numbers of rows: the message by its control id, columns that changed with their values, but for services and resources.
CREATE FUNCTION public.report(message_ids bigint[] DEFAULT NULL, sender text DEFAULT NULL, dry boolean DEFAULT true)
    RETURNS TABLE (message text, event text, selected boolean, verdict text, was text, now text, changes jsonb, effect jsonb, warnings jsonb, error text) LANGUAGE sql AS $$
SELECT m.control_id, r.trigger_event, r.selected, r.verdict, r.was_outcome, r.outcome, r.changes - '{services,resources}'::text[], r.effect - '{services,resources}'::text[],
       jsonb_path_query_array(r.warnings, '$[*].code ? (@ != "RESOURCE_UNKNOWN")'), r.error ->> 'code'
FROM radscheduler.replay(message_ids, sender => sender, dry => dry) r JOIN radscheduler.hl7_message m USING (message_id) $$;
CREATE FUNCTION public.numbers(VARIADIC controls text[]) RETURNS bigint[] LANGUAGE sql AS $$ SELECT array_agg(message_id ORDER BY message_id) FROM radscheduler.hl7_message WHERE control_id = ANY (controls) $$;
CREATE FUNCTION public.counts() RETURNS TABLE (record text, n bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOR record IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'radscheduler'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1 LOOP
        EXECUTE format('SELECT count(*) FROM radscheduler.%I', record) INTO n;
        RETURN NEXT;
    END LOOP;
END $$;
CREATE VIEW public.board AS
SELECT a.filler_id AS id, a.generation AS gen, a.version AS v, a.status, timezone('America/New_York', a.starts_at) AS starts, a.modality, a.notes,
       (SELECT string_agg(o.lane::text, ',' ORDER BY o.axis, o.occupancy_id) FROM radscheduler.occupancy o WHERE o.site_id = a.site_id AND o.appointment_id = a.appointment_id) AS lanes
FROM radscheduler.appointment a ORDER BY a.filler_id, a.generation;
\set ct 'E''AIS|1|A|CT002^CT CHEST\\rAIG|1|A|CT-A'''
\set mr 'E''AIS|1|A|MRI001^MRI BRAIN\\rAIG|1|A|MR-A'''

-- A sender whose clock shows another zone than was thought: bookings, an arrival that tells no time, an overbooking, a completed exam, an id used
-- again after a cancellation, and one that was moved here by hand.
SELECT public.send(msg('S12', 'a1', 'A', 'PLAYM1', '203108041000', '20260101080000', :ct), msg('S14', 'a2', 'A', 'PLAYM1', '', '20260101080100', '', 'ARRIVED'),
    msg('S12', 'b1', 'B', 'PLAYM2', '203108041015', '20260101080200', :ct), msg('S12', 'c1', 'C', 'PLAYM3', '202508041000', '20250801080000', :mr), msg('S14', 'c2', 'C', 'PLAYM3', '', '20250804101500', '', 'COMPLETED'),
    msg('S12', 'd1', 'D', 'PLAYM4', '203108051000', '20260101080300', :mr), msg('S15', 'd2', 'D', 'PLAYM4', '', '20260101080400'), msg('S12', 'd3', 'D', 'PLAYM4', '203108051100', '20260101080500', :mr),
    msg('S12', 'e1', 'E', 'PLAYM5', '203108061000', '20260101080600', :mr), msg('S13', 'e2', 'E', 'PLAYM5', '203108061100', '20260101070000', :mr));
UPDATE radscheduler.appointments SET datetime = '2031-08-06 15:00', notes = 'by hand' WHERE patient_id = 'PLAYM5';
SELECT * FROM public.board;
-- Nothing has changed, so nothing would.
SELECT message, verdict, now, changes, effect FROM public.report(sender => 'PLAY|BACK') WHERE verdict <> 'same' OR changes IS NOT NULL;
SELECT own_profile FROM radscheduler.set_sender('PLAY', 'BACK', '{"timezone": "America/Chicago"}');
CREATE TABLE public.before AS SELECT * FROM public.counts();
SELECT * FROM public.report(sender => 'PLAY|BACK');
-- The look has left nothing but its own line in the audit log, no lock, and the schedule as it was.
SELECT b.record, c.n - b.n AS more FROM public.before b JOIN public.counts() c USING (record) WHERE b.n <> c.n;
SELECT action, object, detail - '{first,last}'::text[] AS detail FROM radscheduler.audit_event ORDER BY audit_id DESC LIMIT 1;
SELECT * FROM public.board;
-- One message asked for brings the others of its appointment along, because they stand on each other.
SELECT message, selected, verdict FROM public.report(public.numbers('d2'));
-- The rows themselves, then and now.
SELECT before ->> 'datetime' AS before, after ->> 'datetime' AS after, before -> 'services' AS services_before, after -> 'services' AS services_after, after -> 'id' = to_jsonb(appointment_id) AS same_id
FROM radscheduler.replay(public.numbers('a1')) WHERE selected;
-- For good. Each appointment that differs has one more version, which names its last message.
SELECT message, verdict, changes ->> 'datetime' AS datetime, effect FROM public.report(sender => 'PLAY|BACK', dry => false);
SELECT * FROM public.board;
SELECT a.filler_id AS id, a.generation AS gen, h.version, h.event, m.control_id AS message FROM radscheduler.appointment_history h JOIN radscheduler.appointment a USING (site_id, appointment_id)
LEFT JOIN radscheduler.hl7_message m ON m.message_id = h.message_id ORDER BY 1, 2, 3;
SELECT a.filler_id AS id, a.generation AS gen, e.type, e.data -> 'version' AS version FROM radscheduler.event_log e JOIN radscheduler.appointment a USING (site_id, appointment_id) WHERE e.data ? 'replay' ORDER BY 1, 2;
SELECT timezone('America/New_York', lower(o.during)) AS starts, timezone('America/New_York', upper(o.during)) AS ends FROM radscheduler.occupancy o JOIN radscheduler.appointment a USING (site_id, appointment_id) WHERE a.filler_id = 'C' ORDER BY 1;
SELECT control_id, outcome, code, replay_outcome, replay_code, replayed_at IS NOT NULL AS replayed FROM radscheduler.hl7_message WHERE control_id IN ('a1', 'a2', 'b1', 'e2') ORDER BY 1;
SELECT count(*), min(detail::text) FROM radscheduler.audit_event e WHERE action = 'message.replayed' AND detail ->> 'was' = 'flagged';
SELECT action, detail - '{first,last}'::text[] AS detail FROM radscheduler.audit_event WHERE action = 'replay';
-- Twice is once.
SELECT message, verdict, effect FROM public.report(sender => 'PLAY|BACK', dry => false) WHERE verdict <> 'same' OR effect IS NOT NULL;
SELECT sum(v) AS versions FROM public.board;

-- Refused once, read now: the message is applied with its own time, whoever and whatever it names is recorded, and what the sender was told stays.
SELECT own_profile FROM radscheduler.set_sender('STRICT', 'ONE', '{"repair": "strict"}');
SELECT public.send(msg('S12', 'f1', 'F', 'PLAYM6', '203108071000', '20260101080000', E'AIS|1|A|CT002^CT CHEST\rAIL|1|A|ROOM F|203108071000', '', 'STRICT|ONE'),
                   msg('S12', 'f1', 'F', 'PLAYM6', '203108071000', '20260101080000', E'AIS|1|A|CT002^CT CHEST\rAIL|1|A|ROOM F|203108071000', '', 'STRICT|ONE'),
                   msg('S14', 'f2', 'F', '', '', '20260101080100', '', 'CONFIRMED', 'STRICT|ONE'));
SELECT own_profile FROM radscheduler.set_sender('STRICT', 'ONE', '{"repair": "lenient"}');
SELECT message, verdict, was, now, warnings, error FROM public.report(sender => 'STRICT|ONE');
SELECT count(*) AS patients FROM radscheduler.patient WHERE mrn = 'PLAYM6';
SELECT message, verdict, was, now FROM public.report(sender => 'STRICT|ONE', dry => false);
SELECT patient_name, datetime, status FROM radscheduler.appointments WHERE patient_id = 'PLAYM6';
SELECT r.code, ar.starts_at FROM radscheduler.appointment_resource ar JOIN radscheduler.resource r USING (site_id, resource_id) JOIN radscheduler.appointment a USING (site_id, appointment_id) WHERE a.filler_id = 'F';
SELECT m.control_id, m.outcome, m.code, substring(convert_from(m.ack, 'UTF8') from 'MSA\|(..)') AS told, m.replay_outcome, a.filler_id AS about FROM radscheduler.hl7_message m JOIN radscheduler.appointment a USING (site_id, appointment_id)
WHERE m.control_id LIKE 'f_' ORDER BY m.message_id;
-- The sender sends it again: no second booking.
SELECT public.send(msg('S12', 'f1', 'F', 'PLAYM6', '203108071000', '20260101080000', E'AIS|1|A|CT002^CT CHEST\rAIL|1|A|ROOM F|203108071000', '', 'STRICT|ONE'));
SELECT id, gen, status, starts FROM public.board WHERE id = 'F';

-- Read more strictly than then: nothing that was taken is taken away.
SELECT own_profile FROM radscheduler.set_sender('STRICT', 'ONE', '{"repair": "strict"}');
SELECT message, verdict, now, effect, warnings, error FROM public.report(sender => 'STRICT|ONE', dry => false);
SELECT id, status, starts, lanes FROM public.board WHERE id = 'F';
SELECT control_id, replay_outcome FROM radscheduler.hl7_message WHERE control_id LIKE 'f_' ORDER BY message_id;
SELECT own_profile FROM radscheduler.set_sender('STRICT', 'ONE', '{"repair": null}');

-- Named after the guide: what was an empty modification is the cancellation it was meant to be, and who waited for the time has it.
SELECT public.send(msg('S12', 'g1', 'G', 'PLAYM7', '203108081000', '20260101080000', :ct, '', 'GUIDE|TWO'), msg('S12', 'h1', 'H', 'PLAYM8', '203108081010', '20260101080100', :ct, '', 'GUIDE|TWO'),
    msg('S14', 'g2', 'G', 'PLAYM7', '', '20260101080200', '', '', 'GUIDE|TWO'));
SELECT id, status, lanes FROM public.board WHERE id IN ('G', 'H');
SELECT own_profile FROM radscheduler.set_sender('GUIDE', 'TWO', '{"preset": "seed_naming"}');
SELECT message, verdict, was, now, effect FROM public.report(sender => 'GUIDE|TWO');
SELECT message, verdict FROM public.report(public.numbers('g2'), dry => false);
SELECT id, status, lanes FROM public.board WHERE id IN ('G', 'H');

-- A catalogue that is put right: the exam is another modality's. Only what asks for it changes.
SELECT public.send(msg('S12', 'i1', 'I', 'PLAYM9', '203108091000', '20260101080000', 'AIS|1|A|X77^VERLAUFSKONTROLLE', '', 'LISTS|TEN'), msg('S12', 'j1', 'J', 'PLAYM10', '203108091200', '20260101080000', :ct, '', 'LISTS|TEN'));
INSERT INTO radscheduler.procedure (site_id, code, name, modality, minutes) SELECT site_id, 'X77', 'VERLAUFSKONTROLLE', 'US', 20 FROM radscheduler.site WHERE code = 'MAIN';
SELECT message, verdict, effect, warnings FROM public.report(sender => 'LISTS|TEN', dry => false);
SELECT id, v, modality FROM public.board WHERE id IN ('I', 'J');

-- The first message is no longer kept: what came after it stays where it is, and late ones tell only what late ones tell.
SELECT public.send(msg('S12', 'k1', 'K', 'PLAYM11', '203108101000', '20260101080000', :ct, '', 'LOST|ONE'), msg('S14', 'k2', 'K', '', '', '20260101080100', E'NTE|1||fasting\rAIS|1|U|CT002^CT CHEST', '', 'LOST|ONE'),
    msg('S13', 'k3', 'K', '', '203108101100', '20260101080200', '', '', 'LOST|ONE'), msg('S13', 'k4', 'K', '', '203108101300', '20260101080150', '', '', 'LOST|ONE'));
DELETE FROM radscheduler.hl7_message WHERE control_id = 'k1';
SELECT own_profile FROM radscheduler.set_sender('LOST', 'ONE', '{"timezone": "America/Chicago"}');
SELECT message, verdict, was, now, effect, warnings FROM public.report(sender => 'LOST|ONE', dry => false);
SELECT id, gen, v, status, starts, notes FROM public.board WHERE id = 'K';

-- Two senders' times compared: a claim that turns out older takes the place, though nothing else about it changes.
SELECT public.send(msg('S12', 'l1', 'L', 'PLAYM12', '203108111000-0400', '20260101080000', :ct, '', 'EARLY|BIRD'), msg('S12', 'm1', 'M', 'PLAYM13', '203108111010-0400', '20260101083000', :ct, '', 'LATER|BIRD'));
SELECT id, v, status, lanes FROM public.board WHERE id IN ('L', 'M');
SELECT own_profile FROM radscheduler.set_sender('LATER', 'BIRD', '{"timezone": "Europe/Berlin"}');
SELECT message, verdict, effect FROM public.report(sender => 'LATER|BIRD', dry => false);
SELECT id, v, status, lanes FROM public.board WHERE id IN ('L', 'M');

-- A conflict that a person has accepted stays accepted.
SELECT public.send(msg('S12', 'o1', 'O', 'PLAYM15', '203108131000', '20260101080000', :ct, '', 'AGREED|ON'), msg('S12', 'p1', 'P', 'PLAYM16', '203108131010', '20260101080100', :ct, '', 'AGREED|ON'));
UPDATE radscheduler.conflict c SET state = 'accepted' FROM radscheduler.appointment a WHERE a.site_id = c.site_id AND a.appointment_id = c.appointment_id AND a.filler_id = 'P';
UPDATE radscheduler.appointments SET status = 'SCHEDULED' WHERE patient_id = 'PLAYM16';
SELECT message, verdict, effect FROM public.report(sender => 'AGREED|ON');
SELECT own_profile FROM radscheduler.set_sender('AGREED', 'ON', '{"timezone": "America/Chicago"}');
SELECT message, effect FROM public.report(sender => 'AGREED|ON') WHERE effect IS NOT NULL;
SELECT message, effect FROM public.report(sender => 'AGREED|ON', dry => false) WHERE effect IS NOT NULL;
SELECT id, status, starts, lanes FROM public.board WHERE id IN ('O', 'P');
SELECT c.state, c.code FROM radscheduler.conflict c JOIN radscheduler.appointment a USING (site_id, appointment_id) WHERE a.filler_id = 'P' ORDER BY 1, 2;

-- Arrivals by ADT are part of an appointment's life; demographics, blocks, merges and orders are nobody's alone and are applied once more as they come. What an
-- order told of the appointment, and whom a merge made of the patient, is kept.
CREATE FUNCTION public.say(VARIADIC bodies text[]) RETURNS text LANGUAGE sql AS $$ SELECT public.send(VARIADIC ARRAY(SELECT convert_to(replace(b, '/', E'\r'), 'UTF8') FROM unnest(bodies) WITH ORDINALITY u(b, n) ORDER BY n)) $$;
SELECT public.say('MSH|^~\&|VISIT|ALL|||20260101080000||SIU^S12|q1|P|2.5/SCH||Q|||||||30|MIN|^^30^202601021000|||||||||||||||P-1/PID|1||PLAYM20^^^ALL^MR||PLAYER^ANNA||||||||617-555-0100/PV1|1|O|||||||||||||||||VISIT1/AIS|1||CT002^CT/AIG|1||CT-Q',
    'MSH|^~\&|VISIT|ALL|||20260101080100||ADT^A08|q2|P|2.5/PID|1||PLAYM20^^^ALL^MR||PLAYER^ANNE', 'MSH|^~\&|VISIT|ALL|||20260101080200||SIU^S23|q3|P|2.5/SCH||QBLOCK|||||||60|MIN|^^60^202601021400/AIG|1||CT-Q',
    'MSH|^~\&|VISIT|ALL|||20260101080300||ORM^O01|q4|P|2.5/PID|1||PLAYM20^^^ALL^MR||PLAYER^ANNE/ORC|NW|P-1||||||||||5^WELBY^MARCUS/OBR|1|P-1||CT002^CT',
    'MSH|^~\&|VISIT|ALL|||20260102095500||ADT^A04|q5|P|2.5/PID|1||PLAYM20^^^ALL^MR||PLAYER^ANNE/PV1|1|O|||||||||||||||||VISIT1', 'MSH|^~\&|VISIT|ALL|||20260103080000||ADT^A40|q6|P|2.5/PID|1||PLAYM21^^^ALL^MR||PLAYER^ANNE/MRG|PLAYM20^^^ALL^MR');
SELECT message, verdict, was, now, effect FROM public.report(sender => 'VISIT|ALL');
SELECT own_profile FROM radscheduler.set_sender('VISIT', 'ALL', '{"arrival_events": ["A04"], "timezone": "America/Chicago"}');
SELECT message, verdict, was, now, effect FROM public.report(sender => 'VISIT|ALL');
SELECT message, verdict, was, now, effect FROM public.report(sender => 'VISIT|ALL', dry => false);
SELECT patient_id, patient_name, datetime, status, referring_physician FROM radscheduler.appointments WHERE patient_id LIKE 'PLAYM2_';
SELECT timezone('America/New_York', lower(b.during)) AS blocked FROM radscheduler.resource_block b JOIN radscheduler.resource r USING (site_id, resource_id) WHERE r.code = 'CT-Q';
SELECT h.version, h.event, m.control_id AS message FROM radscheduler.appointment_history h JOIN radscheduler.appointment a USING (site_id, appointment_id) JOIN radscheduler.hl7_message m ON m.message_id = h.message_id WHERE a.filler_id = 'Q' ORDER BY 1;
SELECT control_id, outcome, replay_outcome FROM radscheduler.hl7_message WHERE control_id LIKE 'q_' ORDER BY 1;
SELECT message, verdict, effect FROM public.report(sender => 'VISIT|ALL') WHERE verdict NOT IN ('same', 'again') OR effect IS NOT NULL;

-- The API's JSON is read again too.
SELECT r.outcome FROM radscheduler.ingest_json('{"patientId": "PLAYM14", "patientName": "Rosa Player", "modality": "CT", "studyType": "X77 KONTROLLE", "datetime": "2031-08-12T10:00:00", "referringPhysician": "Dr. Reed", "appointmentId": "WEB-1"}') r;
UPDATE radscheduler.modality SET default_minutes = 50 WHERE code = 'CT' AND site_id = (SELECT site_id FROM radscheduler.site WHERE code = 'MAIN');
SELECT trigger_event, verdict, effect - 'services' AS effect FROM radscheduler.replay(sender => 'API|', dry => false);
SELECT duration FROM radscheduler.appointments WHERE patient_id = 'PLAYM14';

-- By period, in pieces, with progress told. Hints name numbers of messages.
ANALYZE;
\set VERBOSITY terse
SELECT public.send(VARIADIC ARRAY(SELECT msg('S12', 'n' || n, 'N' || n, 'PLAYN' || n, to_char(timestamp '2031-09-01 08:00' + n * interval '1 hour', 'YYYYMMDDHH24MI'), '20260101080000', E'AIS|1|A|US004^ABDOMEN\rAIG|1|A|US-M', '', 'MANY|OF') FROM generate_series(1, 205) n)) !~ 'error' AS sent;
ANALYZE;
SELECT count(*), count(*) FILTER (WHERE verdict = 'same') AS same FROM radscheduler.replay(sender => 'MANY|OF');
SELECT count(*) FROM radscheduler.replay(sender => 'MANY|OF', period => tstzrange(now() - interval '1 day', NULL), at_most => 3);
SELECT count(*) FROM radscheduler.replay(sender => 'MANY|OF', after_message => (SELECT max(message_id) - 2 FROM radscheduler.hl7_message));
SELECT count(*) FROM radscheduler.replay(period => tstzrange('2001-01-01', '2001-02-01'));
SELECT * FROM radscheduler.replay();
SELECT * FROM radscheduler.replay(sender => 'NO|BODY');
SELECT * FROM radscheduler.replay(sender => 'MANY|OF', dry => false, at_most => 1001);
SELECT * FROM radscheduler.replay(sender => 'MANY|OF', at_most => 0);
-- One site at a time; of another site there is nothing, and only who runs a site may.
SELECT radscheduler.create_site('SECOND', 'Another site', 'UTC') > 0 AS created;
SELECT count(*) FROM radscheduler.replay(period => tstzrange(NULL, NULL));
SET radscheduler.site = 'SECOND';
SELECT count(*) FROM radscheduler.replay(period => tstzrange(NULL, NULL));
SELECT count(*) FROM radscheduler.replay(public.numbers('a1', 'b1'));
RESET radscheduler.site;
CREATE ROLE rs_test_replay;
SELECT radscheduler.grant_role(k, 'rs_test_replay') FROM unnest('{reader,scheduler,ingest,analyst,auditor}'::text[]) k \g /dev/null
SELECT radscheduler.grant_site('rs_test_replay', 'MAIN') \g /dev/null
SET ROLE rs_test_replay;
SELECT count(*) FROM radscheduler.replay(period => tstzrange(NULL, NULL));
RESET ROLE;
SELECT radscheduler.grant_role('admin', 'rs_test_replay') \g /dev/null
SET ROLE rs_test_replay;
SELECT count(*) FROM radscheduler.replay(sender => 'STRICT|ONE');
RESET ROLE;
\c :regress
DROP DATABASE radscheduler_replay;
DROP ROLE rs_test_replay;
