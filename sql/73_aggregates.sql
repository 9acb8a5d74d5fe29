-- Cached figures: whose they are, and of when. What is kept in Redis has the mark that the place of its site has now, and no other.
SET client_min_messages = warning;
BEGIN;
SELECT radscheduler.create_site('AGGA', 'Aggregates, east', 'Pacific/Kiritimati') > 0 AS east, radscheduler.create_site('AGGB', 'Aggregates, west', 'Pacific/Pago_Pago') > 0 AS west;
SET LOCAL radscheduler.site = 'AGGA';
SELECT key, mark AS east_mark, abs(seconds - extract(epoch FROM now())) < 1 AS now FROM radscheduler.aggregate_place('dashboard') \gset
SELECT :'key' AS key, :'now' AS now;
SET LOCAL radscheduler.site = 'AGGB';
SELECT key, mark AS west_mark FROM radscheduler.aggregate_place('dashboard') \gset
SELECT :'key' AS key, :'east_mark' <> :'west_mark' AS own_mark;
-- What the relay keeps is the answer of the API, with its mark and time beside.
SELECT a.key, a.value::jsonb -> 'cached' ->> 'mark' = CASE a.key WHEN 'radsched:{AGGA}:cache:dashboard' THEN :'east_mark' ELSE :'west_mark' END AS marked,
       (a.value::jsonb -> 'cached' ->> 'seconds')::bigint = floor(extract(epoch FROM now())) AS now, array_agg(k ORDER BY k) AS keys
FROM radscheduler.relay_aggregates(ARRAY['radsched:{AGGA}', 'radsched:{AGGB}']) a, jsonb_object_keys(a.value::jsonb) k GROUP BY 1, 2, 3 ORDER BY 1;
SELECT (a.value::jsonb - 'cached' #- '{dashboard,realtime}') = (r.body::jsonb #- '{dashboard,realtime}') AS same FROM radscheduler.relay_aggregates(ARRAY['radsched:{AGGB}']) a, radscheduler.api_dashboard('{}') r;
-- A site that moves to another zone has another day, and so another mark.
UPDATE radscheduler.site SET timezone = 'UTC' WHERE code = 'AGGB';
SELECT mark <> :'west_mark' AS other_mark FROM radscheduler.aggregate_place('dashboard');
-- Nothing else is cached, and nothing is shown to a role that may not ask for figures itself.
SELECT key, mark, seconds FROM radscheduler.aggregate_place('utilization');
SELECT key, mark, seconds FROM radscheduler.aggregate_place(NULL);
CREATE ROLE agg_ingest;
SELECT radscheduler.grant_role('ingest', 'agg_ingest');
SELECT radscheduler.grant_site('agg_ingest', 'AGGB');
SET LOCAL ROLE agg_ingest;
SELECT key, mark, seconds FROM radscheduler.aggregate_place('dashboard');
RESET ROLE;
SELECT radscheduler.grant_role('analyst', 'agg_ingest');
SET LOCAL ROLE agg_ingest;
SELECT key, mark IS NOT NULL AS marked FROM radscheduler.aggregate_place('dashboard');
RESET ROLE;
ROLLBACK;
