-- pgbench script: one row under the exclusion constraint, one transaction.
INSERT INTO radbench.floor (site_id, axis, subject_id, lane, buffered)
SELECT 1, 'resource', n % 200, 0, radbench.slot(n) FROM nextval('radbench.floor_number') n;
