\set kept random(0, 59)
\set given random(60, 119)
SELECT 1 / (i.code = 'AA')::integer FROM radscheduler.ingest(contention.merge(:kept, :given)) i;
