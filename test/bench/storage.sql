-- pgbench script: the rows of one message and nothing else, one transaction.
SELECT radbench.store(nextval('radbench.stored_number'));
