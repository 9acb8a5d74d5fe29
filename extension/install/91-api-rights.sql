-- Who may ask what the administrative part of /api/v1 asks: those who may do the same in SQL. The daemon asks in the name of others, so its role
-- needs the kinds whose work is to be done over HTTP; a credential's scopes say who may have it done.

INSERT INTO radscheduler.role_right (kind, object, rights)
SELECT k.kind, o || '()', 'EXECUTE' FROM (VALUES ('reader'), ('scheduler'), ('admin')) k(kind),
    unnest(ARRAY['api_v1_resources_list', 'api_v1_resources_get', 'api_v1_hours_get', 'api_v1_blocks_list', 'api_v1_blocks_get', 'api_v1_procedures_list', 'api_v1_procedures_get',
                 'api_v1_events_list']) o
UNION ALL
SELECT k.kind, o || '()', 'EXECUTE' FROM (VALUES ('reader'), ('scheduler'), ('admin'), ('analyst')) k(kind),
    unnest(ARRAY['api_v1_analytics_utilization', 'api_v1_analytics_appointments', 'api_v1_analytics_messages', 'api_v1_analytics_third_next']) o
UNION ALL
SELECT k.kind, o || '()', 'EXECUTE' FROM (VALUES ('scheduler'), ('admin')) k(kind), unnest(ARRAY['api_v1_blocks_create', 'api_v1_blocks_lift']) o
UNION ALL
SELECT 'admin', o || '()', 'EXECUTE' FROM unnest(ARRAY['api_v1_resources_create', 'api_v1_resources_patch', 'api_v1_hours_put', 'api_v1_procedures_create', 'api_v1_procedures_patch',
    'api_v1_senders_list', 'api_v1_senders_get', 'api_v1_senders_create', 'api_v1_senders_patch', 'api_v1_senders_report',
    'api_v1_messages_list', 'api_v1_messages_get', 'api_v1_messages_raw', 'api_v1_messages_try', 'api_v1_messages_replay',
    'api_v1_quarantine_list', 'api_v1_quarantine_get', 'api_v1_quarantine_raw', 'api_v1_quarantine_ingest', 'api_v1_quarantine_drop',
    'api_v1_users_list', 'api_v1_users_get', 'api_v1_users_create', 'api_v1_users_patch', 'api_v1_api_keys_list', 'api_v1_api_keys_get', 'api_v1_api_keys_create', 'api_v1_api_keys_revoke',
    'api_v1_configuration_export', 'api_v1_configuration_import']) o
UNION ALL
SELECT 'ingest', o || '()', 'EXECUTE' FROM unnest(ARRAY['api_v1_messages_try']) o
UNION ALL
SELECT 'auditor', o || '()', 'EXECUTE' FROM unnest(ARRAY['api_v1_audit_list']) o;
