"""The administrative part of /api/v1 over HTTP: configuring, looking at messages, who may what. Each answer is held against the description."""

import uuid

import pytest
from support.services import Daemon, Database

SIU = ("MSH|^~\\&|ADMRIS|NORTH|RADSCHED|RAD|20310101080000||SIU^S12|{control}|P|2.5\rSCH||AD{control}|||||||30|MIN|^^30^{start}"
       "\rPID|1||ADM{control}||ADMINSON^ADELE\rAIS|1|A|CT002^CT CHEST\rAIG|1|A|DCT1")


def key():
    return {"Idempotency-Key": str(uuid.uuid4())}


@pytest.fixture(scope="module")
def api(cluster):
    database = Database.create(cluster, "api_admin")
    database.execute("UPDATE radscheduler.site SET timezone = 'UTC'")
    database.execute("SELECT radscheduler.add_resource('DCT1', 'Tube one', 'equipment', 'CT')")
    daemon = Daemon(database.url, RADSCHED_RATE_LIMIT="0")
    daemon.db = database
    yield daemon
    daemon.stop()
    database.close()


def send(api, control, start="203105051000"):
    """A message by HTTP; its number."""
    reply = api.post("/api/hl7/raw", data=SIU.format(control=control, start=start).encode(), headers={"Content-Type": "application/hl7-v2"})
    assert reply.status_code < 500, reply.text
    return api.db.value("SELECT max(message_id) FROM radscheduler.hl7_message WHERE control_id = %s", control)


def change(api, method, path, body):
    """A change of what was just read, and one of what it was before."""
    tag = api.get(path).headers["ETag"]
    assert api.ask(method, path, json=body).status_code == 428
    done = api.ask(method, path, json=body, headers={"If-Match": tag})
    assert done.status_code == 200, done.text
    assert api.ask(method, path, json=body, headers={"If-Match": tag}).status_code == (412 if done.headers["ETag"] != tag else 200)
    assert api.get(path, headers={"If-None-Match": done.headers["ETag"]}).status_code == 304
    return done.json()


def make(api, path, body):
    """Something new, and the same request again, which makes nothing."""
    once = key()
    made = api.post(path, json=body, headers=once)
    assert made.status_code == 201, made.text
    again = api.post(path, json=body, headers=once)
    assert again.status_code == 201 and again.headers["Idempotency-Replayed"] == "true" and again.json() == made.json()
    assert api.get(made.headers["Location"]).status_code == 200
    return made


def test_resources_and_their_hours(api):
    made = make(api, "/api/v1/resources", {"code": "DMR1", "kind": "equipment", "name": "Magnet", "modality": "MRI", "aliases": ["BIG MAGNET"]})
    where = made.headers["Location"]
    assert change(api, "PATCH", where, {"name": "Magnet two", "location": "North"})["name"] == "Magnet two"
    assert api.post("/api/v1/resources", json={"code": "DMR1", "kind": "equipment", "name": "Again"}, headers=key()).status_code == 409
    wrong = api.post("/api/v1/resources", json={"code": "DMR2", "kind": "equipment", "name": "X", "capacity": 0}, headers=key())
    assert wrong.status_code == 422 and wrong.json()["errors"][0]["pointer"] == "/capacity"
    assert [one["code"] for one in api.get("/api/v1/resources", params={"modality": "MR"}).json()["items"]] == ["DMR1"]
    hours = {"hours": [{"weekday": 6, "opens": "08:00", "closes": "12:00"}], "days": [{"day": "2031-07-04", "hours": []}]}
    assert change(api, "PUT", f"{where}/hours", hours)["in_force"] == hours["hours"]
    assert change(api, "PUT", "/api/v1/hours", {"hours": [{"weekday": day, "opens": "07:00", "closes": "19:00"} for day in range(1, 7)]})["resource"] is None
    assert api.get("/api/v1/resources/999999999").status_code == 404
    assert api.ask("DELETE", where).status_code == 405


def test_blocks(api):
    made = make(api, "/api/v1/blocks", {"resource": "DCT1", "starts_at": "2031-06-02T08:00:00Z", "ends_at": "2031-06-02T12:00:00Z", "kind": "maintenance", "reason": "quality"})
    assert made.json()["appointments"] == 0
    assert [one["reason"] for one in api.get("/api/v1/blocks", params={"from": "2031-06-02", "to": "2031-06-03"}).json()["items"]] == ["quality"]
    cut = api.ask("DELETE", made.headers["Location"], params={"from": "2031-06-02T10:00:00Z"})
    assert cut.json()["block"]["ends_at"].startswith("2031-06-02T10:00")
    assert api.ask("DELETE", made.headers["Location"]).json()["block"] is None
    assert api.get(made.headers["Location"]).status_code == 404


def test_procedures_by_their_code(api):
    made = make(api, "/api/v1/procedures", {"code": "AD MR/1", "name": "MRI of the admin", "modality": "MR", "aliases": ["ADALIAS"]})
    assert made.headers["Location"] == "/api/v1/procedures/AD%20MR%2F1"
    assert change(api, "PATCH", made.headers["Location"], {"minutes": 35, "contrast": "none"})["minutes"] == 35
    assert [one["code"] for one in api.get("/api/v1/procedures", params={"q": "adalias"}).json()["items"]] == ["AD MR/1"]


def test_senders_and_their_messages(api):
    sender = make(api, "/api/v1/senders", {"application": "ADMRIS", "facility": "NORTH", "profile": {"timezone": "UTC"}})
    assert sender.json()["is_registered"] is True  # the only site
    first, broken = send(api, "A1"), send(api, "A2", "203113451000")
    listed = api.get("/api/v1/hl7/messages", params={"limit": 1}).json()
    assert listed["items"][0]["id"] == broken and listed["items"][0]["code"] == "AE"
    assert api.get("/api/v1/hl7/messages", params={"after": listed["next"]}).json()["items"][0]["id"] == first
    assert "ADMINSON" not in api.get("/api/v1/hl7/messages").text.upper()
    assert api.get(f"/api/v1/hl7/messages/{first}").json()["outcome"] == "applied"
    assert "ADMINSON^ADELE" in api.get(f"/api/v1/hl7/messages/{first}/raw").json()["text"]
    assert api.db.value("SELECT count(*) FROM radscheduler.audit_event WHERE action = 'read' AND object = 'hl7_message' AND object_id = %s", first) == 1
    tried = api.post("/api/v1/hl7/messages/dry-run", json={"message": SIU.format(control="A9", start="203106061000")}).json()
    assert tried["is_new"] and tried["code"] == "AA" and tried["appointment"]["patient_name"] == "Adele Adminson"
    assert change(api, "PATCH", sender.headers["Location"], {"profile": {"timezone": "America/Chicago"}})["whole_profile"]["timezone"] == "America/Chicago"
    before = api.db.value("SELECT starts_at FROM radscheduler.appointment WHERE filler_id = 'ADA1'")
    dry = api.post("/api/v1/hl7/messages/replay", json={"messages": [first]}).json()
    assert dry["dry"] and dry["items"][0]["verdict"] == "changed"
    assert api.db.value("SELECT starts_at FROM radscheduler.appointment WHERE filler_id = 'ADA1'") == before
    assert api.post("/api/v1/hl7/messages/replay", json={"messages": [first], "dry": False}).json()["items"][0]["verdict"] == "changed"
    assert (api.db.value("SELECT starts_at FROM radscheduler.appointment WHERE filler_id = 'ADA1'") - before).total_seconds() == 5 * 3600
    report = api.get(f"{sender.headers['Location']}/report")
    assert report.json()["items"] and "ADMINSON" not in report.text.upper()


def test_quarantine(api):
    frames = [api.db.value("SELECT radscheduler.quarantine(%s, %s, '192.0.2.9:1')", SIU.format(control=control, start="203105061000").encode(), reason)
              for control, reason in (("Q1", "half_frame"), ("Q2", "idle"))]
    assert {one["id"] for one in api.get("/api/v1/hl7/quarantine").json()["items"]} == set(frames)
    where = [f"/api/v1/hl7/quarantine/{frame}" for frame in frames]
    assert api.get(where[0]).json()["reason"] == "half_frame" and "ADMINSON" in api.get(f"{where[0]}/raw").json()["text"]
    taken = api.post(f"{where[0]}/replay").json()
    assert taken["left"] is True and taken["appointment_id"]
    assert api.ask("DELETE", where[1]).status_code == 204
    assert [api.get(path).status_code for path in where] == [404, 404]


def test_events_and_figures(api):
    send(api, "E1", "203105071000")
    seen, after = [], None
    while True:
        reply = api.get("/api/v1/events", params={"limit": 3, **({"after": after} if after else {})})
        seen += [one["cursor"] for one in reply.json()["items"]]
        after = reply.json()["next"]
        if not after:
            break
        assert 'rel="next"' in reply.headers["Link"]
    assert len(seen) == len(set(seen)) == api.db.value("SELECT count(*) FROM radscheduler.event_log")
    assert api.get("/api/v1/events", params={"after": "1-1-1:5-5"}).status_code == 409
    assert {one["type"] for one in api.get("/api/v1/events", params={"type": "appointment.created"}).json()["items"]} == {"appointment.created"}
    week = {"from": "2031-05-05", "to": "2031-05-11"}
    assert sum(one["count"] for one in api.get("/api/v1/analytics/appointments", params=week).json()["items"]) == api.db.value(
        "SELECT count(*) FROM radscheduler.appointment WHERE starts_at >= '2031-05-05Z' AND starts_at < '2031-05-12Z' AND status <> 'DELETED'")
    assert api.get("/api/v1/analytics/utilization", params=week).json()["booked_minutes"] > 0
    assert sum(one["count"] for one in api.get("/api/v1/analytics/messages").json()["items"]) == api.db.value("SELECT count(*) FROM radscheduler.hl7_message")
    assert api.get("/api/v1/analytics/third-next-available", params={"modality": "CT", "from": "2031-05-05T08:00:00Z"}).json()["resource"] == "DCT1"


def test_users_and_keys(api):
    made = make(api, "/api/v1/users", {"login": "adele", "name": "Adele Adminson", "password_hash": "$y$j9T$salt$hash", "scopes": ["slots:read"]})
    assert "$y$" not in made.text
    assert change(api, "PATCH", made.headers["Location"], {"scopes": ["slots:read", "audit:read"]})["scopes"] == ["slots:read", "audit:read"]
    assert [one["login"] for one in api.get("/api/v1/users").json()["items"]] == ["adele"]
    once = key()
    keys = [api.post("/api/v1/api-keys", json={"name": "Channel", "scopes": ["slots:read"], "expires_at": "2035-01-01T00:00:00Z"}, headers=once).json() for _ in range(2)]
    assert keys[0]["key"] != keys[1]["key"] and api.db.value("SELECT count(*) FROM radscheduler.idempotency_key WHERE body LIKE '%%rsk_%%'") == 0
    bearer = {"Authorization": f"Bearer {keys[0]['key']}"}
    assert api.post("/api/v1/slots/search", json={"modality": "CT"}, headers=bearer).status_code == 200
    assert api.get("/api/v1/users", headers=bearer).status_code == 403
    assert api.ask("DELETE", f"/api/v1/api-keys/{keys[0]['id']}").json()["revoked_at"]
    assert api.post("/api/v1/slots/search", json={"modality": "CT"}, headers=bearer).status_code == 401
    assert all("key" not in one for one in api.get("/api/v1/api-keys").json()["items"])
    actions = [one["action"] for one in api.get("/api/v1/audit", params={"object": "api_key"}).json()["items"]]
    assert actions == ["key.revoked", "key.created", "key.created"]


def test_the_configuration_as_a_document(api):
    out = api.get("/api/v1/configuration")
    same = api.post("/api/v1/configuration/import", json=out.json()).json()
    assert same["dry_run"] and same["summary"]["insert"] == same["summary"]["update"] == 0
    part = {"format": "radscheduler.configuration", "version": 1, "sites": [{"code": out.json()["sites"][0]["code"], "name": "Renamed"}]}
    assert api.post("/api/v1/configuration/import", json=part).json()["summary"]["update"] == 1
    assert api.get("/api/v1/configuration").headers["ETag"] == out.headers["ETag"]
    assert api.post("/api/v1/configuration/import", params={"dry_run": "false"}, json=part).json()["dry_run"] is False
    assert api.get("/api/v1/configuration").json()["sites"][0]["name"] == "Renamed"
