-- pgbench script: fifty messages, one transaction.
SELECT count(*) FROM radscheduler.ingest_batch(ARRAY(SELECT radbench.message(nextval('radbench.message_number')) FROM generate_series(1, 50)));
