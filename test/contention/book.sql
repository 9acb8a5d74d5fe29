\set key random(1, 500)
\set choice random(0, 93599)
\set late random(0, 5)
SELECT 1 / (i.code = 'AA')::integer FROM radscheduler.ingest(contention.message('S12', :key, :choice, :late)) i;
