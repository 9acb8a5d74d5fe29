-- Who may ask what /api/v1 and the guide's routes ask: those who may do the same in SQL.

INSERT INTO radscheduler.role_right (kind, object, rights)
SELECT k.kind, o || '()', 'EXECUTE' FROM (VALUES ('reader'), ('scheduler'), ('admin')) k(kind),
    unnest(ARRAY['api_appointment', 'api_appointment_latest', 'api_stats_today', 'api_utilization', 'api_performance', 'api_v1_appointments_list', 'api_v1_appointments_get',
                 'api_v1_appointments_history', 'api_v1_appointments_conflicts', 'api_v1_appointments_rules', 'api_v1_slots_search', 'api_v1_holds_list', 'api_v1_holds_get',
                 'api_v1_conflicts_list', 'api_v1_conflicts_get', 'api_v1_patients_search']) o
UNION ALL
SELECT k.kind, o || '()', 'EXECUTE' FROM (VALUES ('scheduler'), ('admin')) k(kind),
    unnest(ARRAY['api_schedule', 'api_appointment_patch', 'api_appointment_cancel', 'api_v1_appointments_book', 'api_v1_appointments_patch', 'api_v1_appointments_status',
                 'api_v1_appointments_override', 'api_v1_appointments_check', 'api_v1_holds_create', 'api_v1_holds_release', 'api_v1_conflicts_accept', 'api_v1_conflicts_override',
                 'api_v1_conflicts_resolve', 'api_v1_conflicts_recheck']) o
UNION ALL
SELECT 'analyst', o || '()', 'EXECUTE' FROM unnest(ARRAY['api_utilization', 'api_performance']) o;
