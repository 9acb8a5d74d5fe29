-- Events in order, each once, without patient data.
SET client_min_messages = warning;
SELECT count(*) > 0 AS has_events, bool_and(payload::jsonb ->> 'specversion' = '1.0') AS envelope,
       bool_or(payload ~ 'AM1|VM1|MRN123456|Hopper|Lovelace|617555') AS leaks FROM radscheduler.relay_fetch('test', 100000);
SELECT DISTINCT channel FROM radscheduler.relay_fetch('test', 100000) ORDER BY channel;
CREATE TEMP TABLE page AS SELECT row_number() OVER () AS n, f.* FROM radscheduler.relay_fetch('test', 5) f;
SELECT count(*) FROM page;
SELECT radscheduler.relay_advance('test', (SELECT cursor FROM page ORDER BY n DESC LIMIT 1));
SELECT count(*) AS repeated FROM page JOIN radscheduler.relay_fetch('test', 100000) f USING (cursor);
SELECT radscheduler.relay_advance('test', '1-1');
SELECT count(*) AS repeated FROM page JOIN radscheduler.relay_fetch('test', 100000) f USING (cursor);
-- An event of a transaction that still runs is not handed out, so that no later one can overtake it.
SELECT count(*) AS before FROM radscheduler.relay_fetch('test', 100000) \gset
BEGIN;
INSERT INTO radscheduler.event_log (site_id, type) SELECT site_id, 'test.event' FROM radscheduler.site WHERE code = 'MAIN';
SELECT count(*) = :before AS not_yet FROM radscheduler.relay_fetch('test', 100000);
COMMIT;
SELECT count(*) = :before + 1 AS now_there FROM radscheduler.relay_fetch('test', 100000);
-- Following without a relay: the caller keeps the cursor. The same events, those of the caller's sites, each with its epoch.
SELECT count(*) = (SELECT count(*) FROM radscheduler.relay_fetch('another', 100000)) AS all_of_them, bool_and(e.payload::jsonb ->> 'epoch' = e.epoch) AS told,
       bool_and(e.payload::jsonb ->> 'cursor' = e.cursor) AS placed, count(DISTINCT e.epoch) FROM radscheduler.events_after(NULL, 10000) e;
SELECT epoch, cursor FROM radscheduler.event_head() \gset
SELECT :'epoch' = radscheduler.event_epoch() AS same_epoch, cursor = :'cursor' AS at_the_end FROM radscheduler.events_after(NULL, 10000) WITH ORDINALITY ORDER BY ordinality DESC LIMIT 1;
SELECT count(*) AS nothing_yet FROM radscheduler.events_after(:'epoch' || ':' || :'cursor');
INSERT INTO radscheduler.event_log (site_id, type) SELECT site_id, 'test.event' FROM radscheduler.site WHERE code IN ('MAIN', 'SOUTH') ORDER BY code DESC;
SELECT site, type FROM radscheduler.events_after(:'epoch' || ':' || :'cursor') ORDER BY site;
SELECT site, type FROM radscheduler.events_after(:'cursor', 1);
SET radscheduler.site = 'SOUTH';
SELECT site, type FROM radscheduler.events_after(:'cursor');
RESET radscheduler.site;
-- Nobody goes on from where nothing is known: another epoch, the future, events that were dropped, no cursor at all.
\set VERBOSITY terse
SELECT radscheduler.events_after('1-1-1:' || :'cursor');
SELECT radscheduler.events_after('9000000000000000000-1');
SELECT radscheduler.events_after('1-1');
SELECT radscheduler.events_after('yesterday');
SELECT radscheduler.events_after(:'cursor', 0);
-- A restore into another cluster, where transaction ids start low: what was restored is numbered anew before all that is written there, and every
-- relay goes on from where it was. Cursors of before are refused.
BEGIN;
SELECT e.xid AS here, min(e.seq) AS written_here FROM radscheduler.event_log e WHERE e.type = 'test.event' GROUP BY e.xid ORDER BY e.xid DESC LIMIT 1 \gset
SET LOCAL radscheduler.audit_changes = off;
UPDATE radscheduler.event_log SET xid = (xid::text::bigint + 5000000000)::text::xid8 WHERE seq < :written_here;
DELETE FROM radscheduler.relay_cursor;
INSERT INTO radscheduler.relay_cursor (relay, xid, seq) SELECT 'half', e.xid, e.seq FROM radscheduler.event_log e WHERE seq < :written_here ORDER BY e.seq DESC OFFSET 3 LIMIT 1;
INSERT INTO radscheduler.relay_cursor (relay, xid, seq) SELECT 'done', e.xid, e.seq FROM radscheduler.event_log e WHERE seq < :written_here ORDER BY e.seq DESC LIMIT 1;
INSERT INTO radscheduler.event_epoch (number, cluster_id, barrier) VALUES (2, 'another cluster', 0);
SELECT count(*) FROM radscheduler.relay_fetch('half', 100000);
SELECT count(*) FROM radscheduler.relay_fetch('done', 100000);
SELECT number, barrier = :written_here - 1 AS barrier FROM radscheduler.event_epoch ORDER BY number DESC LIMIT 1;
SELECT DISTINCT xid = '3' AS renumbered, seq < :written_here AS restored FROM radscheduler.event_log ORDER BY 1;
SELECT split_part(:'epoch', '-', 1) = split_part(epoch, '-', 1) AS cluster, split_part(epoch, '-', 2) AS number FROM radscheduler.event_head();
SELECT action FROM radscheduler.audit_event ORDER BY audit_id DESC LIMIT 1;
SELECT radscheduler.events_after(:'epoch' || ':' || :'cursor');
ROLLBACK;
\set VERBOSITY default
-- For the daemon: where it goes in Redis, how far behind a relay is, and figures for those who only show them.
SELECT key, epoch_mark, type, payload::jsonb ->> 'cursor' = cursor AS same FROM radscheduler.relay_page('page', 100000) WHERE type = 'test.event' ORDER BY key;
SELECT waiting = (SELECT count(*) FROM radscheduler.event_log) AS everything, held, lag > '0' AS behind FROM radscheduler.relay_lag('page');
SELECT radscheduler.relay_advance('page', cursor) FROM radscheduler.event_head();
SELECT waiting, lag, held, held_lag FROM radscheduler.relay_lag('page');
SELECT key, value::jsonb ->> 'success' AS good, value ~ 'AM1|VM1|MRN123456|Hopper|Lovelace|617555' AS leaks FROM radscheduler.relay_aggregates() WHERE key ~ 'MAIN|SOUTH' ORDER BY key;
SELECT key FROM radscheduler.relay_aggregates(ARRAY['radsched:{SOUTH}', 'radsched:{NOWHERE}']);
SELECT current_setting('radscheduler.site') AS site_kept;
