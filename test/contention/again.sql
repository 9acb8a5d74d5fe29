SELECT 1 / (i.code = 'AA')::integer FROM radscheduler.ingest(contention.again()) i;
