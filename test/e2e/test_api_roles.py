"""Every operation for every scope and for two sites: who holds the scope gets in and sees its own site, everybody else is told what is missing."""

import uuid

import pytest
from support.openapi import operations
from support.services import Daemon, Database

SECRET = "0123456789abcdef0123456789abcdef-for-roles"
OPERATIONS = [one for one in operations() if one[2]["operationId"] != "login"]


@pytest.fixture(scope="module")
def door(cluster):
    """A daemon that asks who is there; a key for each scope at two sites, and an appointment at each."""
    database = Database.create(cluster, "api_roles")
    home = database.value("SELECT code FROM radscheduler.site")
    database.execute("SELECT radscheduler.create_site('ANNEX', 'Annex', 'UTC')")
    daemon = Daemon(database.url, JWT_SECRET=SECRET, RADSCHED_RATE_LIMIT="0")
    daemon.keys, daemon.appointments = {}, {}
    scopes = [row["scope"] for row in database.rows("SELECT scope FROM radscheduler.api_scope ORDER BY scope")]
    with database.connect() as connection, connection.cursor() as cursor:
        for site in (home, "ANNEX"):
            cursor.execute("SELECT set_config('radscheduler.site', %s, false)", [site])
            for scope in scopes:
                cursor.execute("SELECT radscheduler.create_api_key(%s, ARRAY[%s])", [scope, scope])
                daemon.keys[site, scope] = cursor.fetchone()[0]
            cursor.execute("SELECT radscheduler.add_resource('ROLE1', 'Magnet', 'equipment', 'MR')")
            cursor.execute("SELECT (radscheduler.book(%s, '2031-05-06 10:00', 'MR', resources => ARRAY['ROLE1'], patient_name => 'Rolf Rolesby')).appointment_id", [f"{site}9"])
            daemon.appointments[site] = cursor.fetchone()[0]
    daemon.home, daemon.scopes, daemon.db = home, scopes, database
    yield daemon
    daemon.stop()
    database.close()


def headers(key=None):
    return {"Idempotency-Key": str(uuid.uuid4()), "If-Match": "*", **({"Authorization": f"Bearer {key}"} if key else {})}


def covers(held, needed):
    return needed in ("", "*", held) or held == "admin:*"


@pytest.mark.parametrize(("method", "path", "operation", "parameters"), [pytest.param(*one, id=one[2]["operationId"]) for one in OPERATIONS])
def test_an_operation_asks_for_its_scope(door, method, path, operation, parameters):
    url = path.replace("{id}", "999999999").replace("{", "").replace("}", "")
    body = {"json": {}} if "requestBody" in operation else {}
    anonymous = door.ask(method.upper(), url, headers=headers(), **body)
    assert (anonymous.status_code == 401) == bool(operation["x-scope"]), anonymous.text
    for scope in door.scopes:
        reply = door.ask(method.upper(), url, headers=headers(door.keys["ANNEX", scope]), **body)
        if covers(scope, operation["x-scope"]):
            assert reply.status_code not in (401, 403), f"{scope}: {reply.text}"
        else:
            assert reply.status_code == 403 and operation["x-scope"] in reply.json()["detail"], f"{scope}: {reply.text}"


def test_a_site_is_not_there_for_the_other(door):
    for mine, other in ((door.home, "ANNEX"), ("ANNEX", door.home)):
        key = headers(door.keys[mine, "admin:*"])
        assert [one["id"] for one in door.get("/api/v1/appointments?date=2031-05-06", headers=key).json()["items"]] == [door.appointments[mine]]
        foreign = door.appointments[other]
        for method, path in (("GET", f"/api/v1/appointments/{foreign}"), ("GET", f"/api/v1/appointments/{foreign}/history"), ("GET", f"/api/appointments/{foreign}"),
                             ("POST", f"/api/v1/appointments/{foreign}/cancel"), ("DELETE", f"/api/appointments/{foreign}"), ("PATCH", f"/api/v1/appointments/{foreign}")):
            assert door.ask(method, path, headers=key, **({"json": {}} if method in ("POST", "PATCH") else {})).status_code == 404, path
        assert door.post("/api/v1/patients/search", json={"identifier": f"{other}9"}, headers=key).json()["items"] == []
        assert [one["id"] for one in door.get("/api/appointments?date=2031-05-06", headers=key).json()["appointments"]] == [door.appointments[mine]]
    assert door.db.value("SELECT count(*) FROM radscheduler.appointment WHERE status = 'SCHEDULED' AND appointment_id = ANY (%s)", list(door.appointments.values())) == 2


def test_who_may_not_see_patients_does_not(door):
    """Somebody who may book sees what was booked without whom it is for."""
    made = door.post("/api/v1/appointments", json={"patient_id": "ROLE77", "patient_name": "Ronja Rolesby", "starts_at": "2031-05-07T10:00:00Z", "modality": "MR", "resources": ["ROLE1"]},
                     headers=headers(door.keys["ANNEX", "appointments:write"]))
    assert made.status_code == 201 and set(made.json()["patient"]) == {"record"} and "Rolesby" not in made.text
    assert "Rolesby" in door.get(made.headers["Location"], headers=headers(door.keys["ANNEX", "appointments:read"])).text


def test_booking_over_a_conflict_needs_its_own_scope(door):
    body = {"patient_id": "ROLE78", "patient_name": "Rufus Rolesby", "starts_at": "2031-05-06T10:00:00Z", "modality": "MR", "resources": ["ROLE1"], "override_reason": "both fit"}
    refused = door.post("/api/v1/appointments", json=body, headers=headers(door.keys["ANNEX", "appointments:write"]))
    assert refused.status_code == 403 and "conflicts:override" in refused.json()["detail"]
