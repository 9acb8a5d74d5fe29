SELECT 1 / (count(*) = 5 AND bool_and(i.code IN ('AA', 'AE')))::integer FROM radscheduler.ingest_batch(contention.batch(5, 'REFUSE')) i;
