-- What the daemon brings in: messages of several connections in one call, and frames that never became one.
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE FUNCTION pg_temp.booking(id text, app text DEFAULT 'ARRIVALS') RETURNS bytea LANGUAGE sql AS $$
    SELECT convert_to(E'MSH|^~\\&|' || app || '|NORTH|RADSCHED|RAD|20310101||SIU^S12|' || id || E'|P|2.5\rSCH||' || id || E'|||||||30|MIN|^^30^20310707' || (10 + right(id, 1)::integer) || E'00\rPID|1||' || id
        || E'^^^NORTH^MR||ARRIVING^PERSON\rAIS|1|A|CT002^CT CHEST\r', 'UTF8') $$;

\echo -- each message keeps the address it came from, whether its sender is the one before or not
CREATE TEMP TABLE got AS SELECT 1 AS call, r.* FROM radscheduler.ingest_batch(ARRAY[pg_temp.booking('ARRA1'), pg_temp.booking('ARRA2'), pg_temp.booking('ARRA3', 'ARRIVALSTWO'), 'no message'],
    'mllp', ARRAY['192.0.2.1:1000', '192.0.2.2:2000', '192.0.2.3:3000', '192.0.2.4:4000']) WITH ORDINALITY r;
INSERT INTO got SELECT 2, r.* FROM radscheduler.ingest_batch(ARRAY[pg_temp.booking('ARRA4'), pg_temp.booking('ARRA5')], 'mllp', '192.0.2.9:1') WITH ORDINALITY r;
INSERT INTO got SELECT 3, r.* FROM radscheduler.ingest_batch(ARRAY[pg_temp.booking('ARRA6')], 'mllp', NULL::text[]) WITH ORDINALITY r;
\echo -- then one address for all, and none at all
SELECT g.call, g.code, g.outcome, m.channel, m.peer FROM got g JOIN radscheduler.hl7_message m ON m.message_id = g.message_id ORDER BY g.call, g.ordinality;
SELECT count(*) FROM radscheduler.ingest_batch('{}', 'mllp', '{}'::text[]);

\echo -- a rejected frame is kept as it came, and audited without its content
SELECT radscheduler.quarantine(convert_to('MSH|^~\&|HALF', 'UTF8'), 'half_frame', '192.0.2.1:1000', 17, NULL, 'main') > 0 AS kept;
SELECT radscheduler.quarantine(convert_to(repeat('x', 1048580), 'UTF8'), 'too_large', '192.0.2.1:1000', 0, 16777216) > 0 AS kept;
SELECT s.code, q.listener, q.peer, q.reason, q.stream_offset, q.frame_bytes, length(q.raw) AS kept_bytes, left(encode(q.raw, 'escape'), 8) AS begins
FROM radscheduler.hl7_quarantine q JOIN radscheduler.site s USING (site_id) WHERE s.code = 'MAIN' ORDER BY q.quarantine_id;
SELECT a.action, a.detail FROM radscheduler.audit_event a JOIN radscheduler.site s USING (site_id) WHERE a.action = 'message.quarantined' AND s.code = 'MAIN' ORDER BY a.recorded_at, a.audit_id;
\echo -- a reason is a word
SELECT radscheduler.quarantine('x', 'Half a frame');
SELECT radscheduler.quarantine(NULL, 'half_frame');

\echo -- after 90 days it goes, except under a hold
UPDATE radscheduler.hl7_quarantine SET received_at = now() - interval '91 days' WHERE reason = 'half_frame';
SET radscheduler.site = 'MAIN';
SELECT radscheduler.place_hold('inquiry 2031/9') IS NOT NULL AS held;
SELECT radscheduler.expire_quarantine();
SELECT count(radscheduler.lift_hold(h.hold_id, 'over')) FROM radscheduler.legal_hold h WHERE h.lifted_at IS NULL AND h.reason = 'inquiry 2031/9';
SELECT radscheduler.expire_quarantine();
SELECT q.reason FROM radscheduler.hl7_quarantine q JOIN radscheduler.site s USING (site_id) WHERE s.code = 'MAIN';
DELETE FROM radscheduler.hl7_quarantine;
