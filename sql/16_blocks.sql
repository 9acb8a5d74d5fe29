-- Blocks: S23 takes time of resources out of use, S24 gives it back; appointments that stand there are flagged and healed.
SET client_min_messages = warning;
SET timezone = 'America/New_York';
UPDATE radscheduler.site SET timezone = 'America/New_York' WHERE code = 'MAIN';
CREATE FUNCTION pg_temp.send(event text, control text, sch text, at text, rest text DEFAULT '') RETURNS TABLE (code text, outcome text, warnings text)
    LANGUAGE sql AS $$
SELECT r.code, r.outcome, (SELECT string_agg(w ->> 'code', ' ' ORDER BY w ->> 'code') FROM jsonb_array_elements(r.warnings) w WHERE w ->> 'code' NOT IN ('SENDER_UNKNOWN', 'ZONE_ASSUMED'))
FROM radscheduler.ingest(convert_to(concat_ws(E'\r', format('MSH|^~\&|BLK|BLOCKS|RADSCHED|RAD|%s||SIU^%s|%s|P|2.5', at, event, control), nullif('SCH|' || sch, 'SCH|'), nullif(rest, '')), 'UTF8')) r $$;
-- A booking of half an hour for a patient of its own.
CREATE FUNCTION pg_temp.book(filler text, start text, resource text) RETURNS text LANGUAGE sql AS $$
SELECT s.outcome FROM pg_temp.send('S12', filler, format('|%s|||||||30|MIN|^^30^%s', filler, start), '20210101080000', format(E'PID|1||BLK%s||BLOCKED^PAT\rAIS|1||CT002^CT CHEST\r%s', filler, resource)) s $$;
CREATE VIEW pg_temp.blocks AS
SELECT coalesce(b.filler_id, b.placer_id) AS block, r.code AS resource, to_char(lower(x.during), 'MM-DD HH24:MI') AS starts, to_char(upper(x.during), 'MM-DD HH24:MI') AS ends, x.kind, x.reason
FROM radscheduler.sender_block b LEFT JOIN radscheduler.resource_block x USING (site_id, sender_block_id) LEFT JOIN radscheduler.resource r ON r.site_id = x.site_id AND r.resource_id = x.resource_id
ORDER BY 1, 2, lower(x.during);
CREATE VIEW pg_temp.board AS
SELECT a.filler_id AS appointment, a.status, a.review_reason AS review, a.version,
       (SELECT string_agg(format('%s %s %s', c.severity, c.code, r.code), ', ' ORDER BY c.code, r.code) FROM radscheduler.conflict c
        LEFT JOIN radscheduler.resource r ON r.site_id = c.site_id AND r.resource_id = c.subject_id AND c.axis = 'resource'
        WHERE c.site_id = a.site_id AND a.appointment_id IN (c.appointment_id, c.other_appointment_id) AND c.state <> 'resolved') AS conflicts
FROM radscheduler.appointment a JOIN radscheduler.sender s USING (site_id, sender_id) WHERE s.sending_application = 'BLK' ORDER BY 1;
SELECT radscheduler.add_resource('BLK-CT', 'Block CT', 'equipment', 'CT', aliases => '{"BLOCK SCANNER"}') > 0 AS ct, radscheduler.add_resource('BLK-ROOM', 'Block room', 'room') > 0 AS room;

-- A block of a scanner: what is booked there is flagged, what only touches it is not.
SELECT n, pg_temp.book('B' || n, '20311006' || t, 'AIG|1||BLK-CT') FROM (VALUES (1, '0930'), (2, '1000'), (3, '1130'), (4, '1200')) v(n, t);
SELECT * FROM pg_temp.send('S23', 'b1', '|MAINT-1||||MAINT^Maintenance||^Service visit|120|MIN|^^120^20311006100000', '20210101090000', 'AIG|1||block scanner');
SELECT * FROM pg_temp.blocks;
SELECT * FROM pg_temp.board;
-- Who books there afterwards is flagged as well, and no free time is offered.
SELECT pg_temp.book('B5', '203110071030', 'AIG|1||BLK-CT') AS day_after, pg_temp.book('B6', '203110061100', 'AIG|1||BLK-CT') AS inside;
SELECT s.starts_at FROM radscheduler.find_slots(resource => 'BLK-CT', earliest => '2031-10-06 10:00', latest => '2031-10-06 14:00', duration_minutes => 30, max_slots => 2) s;
-- The same message once more, and an older one: nothing changes. The newer one replaces the block, and each appointment follows.
SELECT * FROM pg_temp.send('S23', 'b1b', '|MAINT-1||||MAINT^Maintenance||^Service visit|120|MIN|^^120^20311006100000', '20210101090000', 'AIG|1||block scanner');
SELECT * FROM pg_temp.send('S23', 'b2', '|MAINT-1|||||||240|MIN|^^240^20311006080000', '20210101085900', 'AIG|1||BLK-CT');
SELECT * FROM pg_temp.send('S23', 'b3', '|MAINT-1||||MEET^Team meeting|||60|MIN|^^60^20311006090000', '20210101090100', E'AIG|1||BLK-CT\rAIL|1||BLK-ROOM');
SELECT * FROM pg_temp.blocks;
SELECT * FROM pg_temp.board;
-- Every segment may have a time of its own; a block of weeks; resources nobody knows are recorded.
SELECT * FROM pg_temp.send('S23', 'b4', '|MIXED|||||||60|MIN|^^60^20311013090000', '20210101090000',
    E'AIG|1||BLK-CT|||||20311013090000\rAIL|1||BLK-ROOM|||20311013100000|||90|MIN\rAIP|1||77^ARCHER^MIA|TECHNOLOGIST\rAIP|2||78^WELBY^MARCUS|REFERRING');
SELECT * FROM pg_temp.send('S23', 'b5', 'WEEKS|||||DOWN^Scanner broken|||||^^^20311101080000^20311121180000', '20210101090000', 'AIG|1||BLK-NEW');
SELECT * FROM pg_temp.blocks;
-- Opened again: whole, in the future; part of it, of one resource; what has passed stays blocked. An opening that comes again does nothing.
SELECT * FROM pg_temp.send('S24', 'b6', '|MAINT-1', '20210101090200');
SELECT * FROM pg_temp.board;
SELECT * FROM pg_temp.send('S24', 'b7', '|MIXED|||||||30|MIN|^^30^20311013091500', '20210101090300', 'AIG|1||BLK-CT');
SELECT * FROM pg_temp.send('S24', 'b8', 'WEEKS', '20210101090100', 'AIG|1||BLK-OTHER');
SELECT * FROM pg_temp.send('S23', 'b9', '|RUNNING||||QA|||180|MIN|^^180^20201207090000', '20201201090000', 'AIG|1||BLK-CT');
SELECT * FROM pg_temp.send('S24', 'b10', '|RUNNING|||||||180|MIN|^^180^20201207090000', '20201207100000');
SELECT * FROM pg_temp.blocks;
SELECT * FROM pg_temp.send('S24', 'b11', '|RUNNING', '20201208100000');
SELECT * FROM pg_temp.send('S24', 'b12', 'WEEKS', '20210101090200');
SELECT * FROM pg_temp.blocks WHERE block IN ('RUNNING', 'WEEKS');
-- The opening came first: it is remembered, the block that it opened does not come back, a newer one does.
SELECT * FROM pg_temp.send('S24', 'b13', '|EARLY', '20210102090000');
SELECT * FROM pg_temp.send('S23', 'b14', '|EARLY|||||||60|MIN|^^60^20311014090000', '20210102080000', 'AIG|1||BLK-CT');
SELECT * FROM pg_temp.blocks WHERE block = 'EARLY';
SELECT * FROM pg_temp.send('S23', 'b15', '|EARLY|||||||60|MIN|^^60^20311014090000', '20210102100000', 'AIG|1||BLK-CT');
SELECT * FROM pg_temp.blocks WHERE block = 'EARLY';
-- What cannot be a block.
SELECT s.code, s.outcome FROM (VALUES (1, '||||||||60|MIN|^^60^20311014090000', 'AIG|1||BLK-CT'), (2, '|NONE|||||||60|MIN|^^60^20311014090000', ''), (3, '|NONE|||||||60|MIN|^^60^20311014', 'AIG|1||BLK-CT'),
    (4, '|NONE|||||||||^^^20311014090000', 'AIG|1||BLK-CT'), (5, '|NONE|||||||60|MIN|^^60^20311014090000', 'AIP|1||78^WELBY^MARCUS|REFERRING')) v(n, sch, rest),
    pg_temp.send('S23', 'e' || n, sch, '20210101090000', rest) s ORDER BY n;
SELECT m.error ->> 'code' AS code, m.error ->> 'path' AS path, m.error ->> 'text' AS text FROM radscheduler.hl7_message m JOIN radscheduler.sender s USING (site_id, sender_id)
WHERE s.sending_application = 'BLK' AND m.outcome = 'error' ORDER BY m.message_id;
SELECT count(*) AS made FROM radscheduler.sender_block b WHERE b.filler_id = 'NONE';
-- A sender that means nothing by it.
UPDATE radscheduler.sender SET profile = '{"event_map": {"S23": "IGNORE"}}' WHERE sending_application = 'BLK';
SELECT * FROM pg_temp.send('S23', 'b16', '|MAINT-9|||||||60|MIN|^^60^20311014090000', '20210101090000', 'AIG|1||BLK-CT');
UPDATE radscheduler.sender SET profile = '{}' WHERE sending_application = 'BLK';
-- What is a block by its words.
SELECT w, radscheduler.block_kind(jsonb_build_object('schedule', jsonb_build_object('reason', jsonb_build_object('text', w)), 'resources', '[]'::jsonb)) AS kind
FROM unnest(ARRAY['Quality control', 'cold head exchange', 'PM', 'Planned downtime', 'Room out of order', 'repair', 'Vacation', 'Qanat', NULL]) w;
-- What listeners and auditors are told.
SELECT e.type, e.data - 'resource_id' AS data FROM radscheduler.event_log e JOIN radscheduler.hl7_message m USING (message_id) JOIN radscheduler.sender s ON s.sender_id = m.sender_id
WHERE s.sending_application = 'BLK' AND e.type LIKE 'resource.%' ORDER BY e.seq;
SELECT e.detail - 'message_id' AS detail, count(*) FROM radscheduler.audit_event e WHERE e.action = 'block.changed' GROUP BY 1 ORDER BY 1;
-- Blocks of senders are no configuration: an import leaves them alone.
SELECT count(*) AS exported FROM radscheduler.configuration_export() d, jsonb_path_query(d, '$.sites[*].resources[*] ? (@.code == "BLK-CT").blocks[*]');
DROP VIEW pg_temp.board, pg_temp.blocks;
