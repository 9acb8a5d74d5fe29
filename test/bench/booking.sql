-- pgbench script: books the next slot for a patient who is known, with scanner and technologist, one transaction; a refusal ends the run.
SELECT 1 / (outcome = 'booked')::integer FROM nextval('radbench.message_number') n, radscheduler.try_book('P' || (1 + n % 3000), lower(radbench.slot(n)), procedure => 'MRI001', duration_minutes => 30,
    resources => ARRAY['BENCHMR' || n % 200, 'BENCHT' || n % 200]);
