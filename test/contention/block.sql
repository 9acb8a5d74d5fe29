\set key random(1, 8)
\set choice random(0, 93599)
\set opens random(0, 1)
SELECT 1 / (i.code = 'AA')::integer FROM radscheduler.ingest(contention.block('S2' || 3 + :opens, :key, :choice)) i;
