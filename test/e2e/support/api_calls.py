"""How each function of the administrative part of /api/v1 is called so that it works, for the test of rights: braces are doubled, as in CALLS there."""

RESOURCE = "(SELECT min(r.resource_id)::text AS id FROM radscheduler.resource r)"
BLOCK = "(SELECT min(b.block_id)::text AS id FROM radscheduler.resource_block b)"
PROCEDURE = "(SELECT min(p.code) AS id FROM radscheduler.procedure p)"
SENDER = "(SELECT min(s.sender_id)::text AS id FROM radscheduler.sender s)"
MESSAGE = "(SELECT min(m.message_id)::text AS id FROM radscheduler.hl7_message m)"
FRAME = "(SELECT min(q.quarantine_id)::text AS id FROM radscheduler.hl7_quarantine q)"
USER = "(SELECT radscheduler.create_user('apiuser', 'Api User', '$y$j9T$salt$hash', '{{slots:read}}')::text AS id)"
KEY = "(SELECT split_part(radscheduler.create_api_key('Api', '{{slots:read}}'), '_', 2) AS id)"


def plain(name, body=""):
    """A call without anything in the path."""
    return f"radscheduler.api_v1_{name}('{{{{\"scopes\": [\"*\"], \"if_match\": \"*\"{body}}}}}')"


def of(source, name, body=""):
    """A call for what a source gives as id; procedures are known by code."""
    return f"{source} o, radscheduler.api_v1_{name}('{{{{\"scopes\": [\"*\"], \"if_match\": \"*\"{body}}}}}'::jsonb || jsonb_build_object('params', jsonb_build_object('id', o.id, 'code', o.id)))"


def body(text):
    """A body for one of the two."""
    return ', "body": ' + text.replace("{", "{{").replace("}", "}}")


API_CALLS = {
    "api_v1_analytics_appointments": plain("analytics_appointments"),
    "api_v1_analytics_messages": plain("analytics_messages"),
    "api_v1_analytics_third_next": plain("analytics_third_next", ', "query": {{"modality": "CT"}}'),
    "api_v1_analytics_utilization": plain("analytics_utilization"),
    "api_v1_api_keys_create": plain("api_keys_create", body('{"name": "New", "scopes": ["slots:read"]}')),
    "api_v1_api_keys_get": of(KEY, "api_keys_get"),
    "api_v1_api_keys_list": plain("api_keys_list"),
    "api_v1_api_keys_revoke": of(KEY, "api_keys_revoke"),
    "api_v1_audit_list": plain("audit_list"),
    "api_v1_blocks_create": plain("blocks_create", body('{"resource": "SCANOWN", "starts_at": "2031-08-01", "ends_at": "2031-08-02"}')),
    "api_v1_blocks_get": of(BLOCK, "blocks_get"),
    "api_v1_blocks_lift": of(BLOCK, "blocks_lift"),
    "api_v1_blocks_list": plain("blocks_list"),
    "api_v1_configuration_export": plain("configuration_export"),
    "api_v1_configuration_import": plain("configuration_import", body('{"format": "radscheduler.configuration", "version": 1, "sites": []}')),
    "api_v1_events_list": plain("events_list"),
    "api_v1_hours_get": plain("hours_get"),
    "api_v1_hours_put": plain("hours_put", body('{"hours": []}')),
    "api_v1_messages_get": of(MESSAGE, "messages_get"),
    "api_v1_messages_list": plain("messages_list"),
    "api_v1_messages_raw": of(MESSAGE, "messages_raw"),
    "api_v1_messages_replay": plain("messages_replay", body('{"from": "2001-01-01"}')),
    "api_v1_messages_try": plain("messages_try", body('{"message": "x"}')),
    "api_v1_procedures_create": plain("procedures_create", body('{"code": "APINEW", "name": "New", "modality": "CT"}')),
    "api_v1_procedures_get": of(PROCEDURE, "procedures_get"),
    "api_v1_procedures_list": plain("procedures_list"),
    "api_v1_procedures_patch": of(PROCEDURE, "procedures_patch", body('{"prep": "None."}')),
    "api_v1_quarantine_drop": of(FRAME, "quarantine_drop"),
    "api_v1_quarantine_get": of(FRAME, "quarantine_get"),
    "api_v1_quarantine_ingest": of(FRAME, "quarantine_ingest"),
    "api_v1_quarantine_list": plain("quarantine_list"),
    "api_v1_quarantine_raw": of(FRAME, "quarantine_raw"),
    "api_v1_resources_create": plain("resources_create", body('{"code": "APINEW", "kind": "room", "name": "New"}')),
    "api_v1_resources_get": of(RESOURCE, "resources_get"),
    "api_v1_resources_list": plain("resources_list"),
    "api_v1_resources_patch": of(RESOURCE, "resources_patch", body('{"name": "Renamed"}')),
    "api_v1_senders_create": plain("senders_create", body('{"application": "APIRIS"}')),
    "api_v1_senders_get": of(SENDER, "senders_get"),
    "api_v1_senders_list": plain("senders_list"),
    "api_v1_senders_patch": of(SENDER, "senders_patch", body('{"profile": {}}')),
    "api_v1_senders_report": of(SENDER, "senders_report"),
    "api_v1_users_create": plain("users_create", body('{"login": "newapi", "name": "New", "password_hash": "$y$j9T$salt$hash", "scopes": ["slots:read"]}')),
    "api_v1_users_get": of(USER, "users_get"),
    "api_v1_users_list": plain("users_list"),
    "api_v1_users_patch": of(USER, "users_patch", body('{"name": "Renamed"}')),
}
