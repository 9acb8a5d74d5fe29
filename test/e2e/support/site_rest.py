"""Rows for the tables of records that support/site.py leaves empty, by the functions that fill them."""

from .messages import Patient

_STATEMENTS = (
    "SELECT radscheduler.set_holiday('2031-12-25', 'Christmas Day')",
    "SELECT radscheduler.set_exception((SELECT min(code) FROM radscheduler.resource WHERE site_id = radscheduler.current_site()), '2031-12-24', 'Half a day', '{08:00}', '{12:00}')",
    "SELECT radscheduler.reserve_hours('{7}', '03:00', '04:00', modality => 'CT', release_hours => 24)",
    "INSERT INTO radscheduler.rule_setting (site_id, code, severity) VALUES (radscheduler.current_site(), 'PATIENT_TRAVEL', 'off')",
    "INSERT INTO radscheduler.site_rule (site_id, code, severity, text, modalities, min_age) VALUES (radscheduler.current_site(), 'MY_RULE', 'info', 'Ask for a companion.', '{CT}', 80)",
    "SELECT radscheduler.quarantine('no frame', 'half', '192.0.2.7')",
    "SELECT radscheduler.create_user('restored', 'Rosa Restorewell', '$6$none$none', '{appointments:read}')",
    "SELECT radscheduler.create_api_key('of the backup', '{events:read}')",
    "SELECT radscheduler.create_stream_ticket('user:restored', 'restored', 1, '{events:read}', NULL)",
)


def fill_rest(database):
    """At the site MAIN."""
    database.execute("SET radscheduler.site = 'MAIN'")
    for statement in _STATEMENTS:
        database.execute(statement)
    patient = Patient()
    number = database.value("INSERT INTO radscheduler.appointments (patient_id, patient_name, modality, study_type, datetime) VALUES (%s, %s, 'CT', 'CT CHEST', '2031-11-03 10:00') RETURNING id",
                            patient.mrn, patient.display)
    database.execute("SELECT radscheduler.record_fact(%s, 'egfr', value => 61)", patient.mrn)
    answered = database.value("SELECT (radscheduler.api_call('api_v1_appointments_status', jsonb_build_object('params', jsonb_build_object('id', %s::text), 'scopes', '[\"*\"]'::jsonb,"
                              " 'query', '{}'::jsonb, 'path', '/api/v1/appointments/' || %s || '/confirm'), NULL, 'key of the backup', 'user:restored')).status", number, number)
    assert answered == 200, answered
    database.execute("RESET radscheduler.site")
