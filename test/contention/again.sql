SELECT 1 / (i.code IN ('AA', 'AE'))::integer FROM radscheduler.ingest(contention.again()) i;
