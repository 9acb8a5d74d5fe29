-- pgbench script: the rows of one booking and nothing else, one transaction.
SELECT radbench.store_booking(nextval('radbench.stored_booking'));
