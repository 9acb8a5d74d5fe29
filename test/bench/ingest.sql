-- pgbench script: one message, one transaction.
SELECT code FROM radscheduler.ingest(radbench.message(nextval('radbench.message_number')));
