-- pgbench script: asks what the next slot would meet, with all rules, and books nothing.
SELECT count(*) FROM nextval('radbench.message_number') n, radscheduler.check_conflicts('P' || (1 + n % 3000), lower(radbench.slot(n)), procedure => 'MRI001', duration_minutes => 30,
    resources => ARRAY['BENCHMR' || n % 200, 'BENCHT' || n % 200]);
