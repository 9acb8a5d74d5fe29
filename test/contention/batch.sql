SELECT 1 / (count(*) = 8 AND bool_and(i.code = 'AA'))::integer FROM radscheduler.ingest_batch(contention.batch(8)) i;
