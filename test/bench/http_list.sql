-- pgbench script: the statement of GET /api/appointments?date= as the daemon runs it, for nobody in particular.
SELECT r.status, r.content_type, r.body, r.headers
FROM radscheduler.act_as(NULL::text, NULL::text, NULL::text, NULL::integer, NULL::text) AS a(ok)
CROSS JOIN LATERAL (SELECT '{"date": "2030-01-07"}'::jsonb AS query WHERE a.ok OFFSET 0) AS p CROSS JOIN LATERAL radscheduler.api_appointments(p.query) AS r;
