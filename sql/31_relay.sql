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
