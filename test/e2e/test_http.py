"""The guide's HTTP routes with the guide's bodies: booking, raw HL7, simulation, the list, the dashboard, health."""

from datetime import datetime

import pytest

from support.messages import GUIDE_MESSAGE, Booking, free_day, secrets
from support.services import eventually

APPOINTMENT = {
    "patientId": "MRN123456",
    "patientName": "John Doe",
    "patientPhone": "+16175550123",
    "modality": "MRI",
    "studyType": "Brain MRI without contrast",
    "datetime": "2024-01-15T10:00:00Z",
    "referringPhysician": "Dr. Smith",
    "urgency": "routine",
}


def test_appointment_with_the_guides_body(fresh_system):
    reply = fresh_system.post("/api/hl7/appointment", json=APPOINTMENT)
    assert reply.status_code == 201, reply.text
    assert reply.headers["content-type"].startswith("application/json")
    body = reply.json()
    assert body["success"] is True and body["message"]
    assert body["conflicts"]["hasConflicts"] is False
    assert body["conflicts"]["conflicts"] == [] and body["conflicts"]["alternativeSlots"] == []

    row = fresh_system.db.row("SELECT * FROM radscheduler.appointments")
    assert str(row["id"]) == str(body["appointmentId"])
    expected = {
        "patient_id": "MRN123456", "patient_name": "John Doe", "patient_phone": "+16175550123", "modality": "MRI",
        "study_type": "Brain MRI without contrast", "referring_physician": "Dr. Smith", "urgency": "routine",
        "status": "SCHEDULED", "conflicts": [],
    }
    assert {column: row[column] for column in expected} == expected
    assert fresh_system.db.value("SELECT starts_at = '2024-01-15 10:00Z' FROM radscheduler.appointment")


def test_z_is_an_instant_and_no_zone_is_local(fresh_system):
    fresh_system.db.execute("UPDATE radscheduler.site SET timezone = 'America/New_York'")
    first = fresh_system.post("/api/hl7/appointment", json=APPOINTMENT)
    second = fresh_system.post("/api/hl7/appointment", json={**APPOINTMENT, "patientId": "MRN9", "datetime": "2024-01-15T10:00:00"})
    assert (first.status_code, second.status_code) == (201, 201)
    starts = fresh_system.db.rows("SELECT datetime FROM radscheduler.appointments ORDER BY id")
    assert [row["datetime"] for row in starts] == [datetime(2024, 1, 15, 5, 0), datetime(2024, 1, 15, 10, 0)]


def test_appointment_that_clashes_is_created_and_flagged(fresh_system):
    fresh_system.post("/api/hl7/appointment", json=APPOINTMENT)
    reply = fresh_system.post("/api/hl7/appointment", json={**APPOINTMENT, "studyType": "MRI knee", "datetime": "2024-01-15T10:15:00Z"})
    assert reply.status_code == 201, reply.text
    conflicts = reply.json()["conflicts"]
    assert conflicts["hasConflicts"] is True and conflicts["severity"] == "critical"
    assert [conflict["code"] for conflict in conflicts["conflicts"]] == ["PATIENT_DOUBLE_BOOKED"]
    statuses = fresh_system.db.rows("SELECT status FROM radscheduler.appointments ORDER BY id")
    assert [row["status"] for row in statuses] == ["SCHEDULED", "PENDING_REVIEW"]


def test_appointment_body_is_logged_as_received(fresh_system):
    raw = b'{"patientId":"MRN77","patientName":"Ada Byte","modality":"CT","studyType":"CT HEAD",' \
          b'"datetime":"2024-03-04T09:00:00Z","referringPhysician":"Dr. X", "futureField": 1}'
    reply = fresh_system.post("/api/hl7/appointment", data=raw, headers={"Content-Type": "application/json"})
    assert reply.status_code == 201, reply.text
    message = fresh_system.db.row("SELECT raw, channel, outcome FROM radscheduler.hl7_message")
    assert bytes(message["raw"]) == raw and message["outcome"] == "applied"


@pytest.mark.parametrize("line_end", [b"\r", b"\n", b"\r\n"], ids=["CR", "LF", "CRLF"])
def test_raw_as_text_plain(fresh_system, line_end):
    reply = fresh_system.post(
        "/api/hl7/raw", data=GUIDE_MESSAGE.replace(b"\r", line_end), headers={"Content-Type": "text/plain"})
    assert reply.status_code == 201, reply.text
    body = reply.json()
    assert body["success"] is True and body["message"]
    row = fresh_system.db.row("SELECT id, patient_name, source FROM radscheduler.appointments")
    assert (str(row["id"]), row["patient_name"], row["source"]) == (str(body["appointmentId"]), "John Doe", "HL7")


@pytest.mark.parametrize("content_type", ["application/hl7-v2", "x-application/hl7-v2+er7"])
def test_raw_answers_with_an_ack_when_asked(fresh_system, content_type):
    reply = fresh_system.post(
        "/api/hl7/raw", data=GUIDE_MESSAGE, headers={"Content-Type": content_type, "Accept": "application/hl7-v2"})
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].startswith("application/hl7-v2")
    assert "\rMSA|AA|MSG001" in reply.text


def test_raw_as_json(fresh_system):
    for number, body in enumerate((GUIDE_MESSAGE.decode(), {"message": GUIDE_MESSAGE.decode().replace("MSG001", "MSG002")})):
        reply = fresh_system.post("/api/hl7/raw", json=body)
        assert reply.status_code == 201, (number, reply.text)
    assert fresh_system.db.value("SELECT count(*) FROM radscheduler.appointments") == 1


def test_raw_that_is_refused_says_why(fresh_system):
    reply = fresh_system.post("/api/hl7/raw", data=GUIDE_MESSAGE.replace(b"SIU^S12", b"SIU^S99"), headers={"Content-Type": "text/plain"})
    assert 400 <= reply.status_code < 500, reply.text
    assert reply.headers["content-type"].startswith("application/problem+json")
    assert reply.json()["hl7Path"].startswith("MSH-9") and reply.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {"patientId": "MRN123456", "patientName": "John Doe", "patientPhone": "+16175550123", "modality": "MRI",
         "studyType": "Brain MRI without contrast", "datetime": "2024-01-15T10:00:00Z"},
        {"patientName": "John Doe", "modality": "MRI", "datetime": "2024-01-15T10:00:00Z"},
    ],
    ids=["full", "three-fields"],
)
def test_simulate_makes_a_real_message(fresh_system, body):
    reply = fresh_system.post("/api/hl7/simulate", json=body)
    assert reply.status_code == 201, reply.text
    answer = reply.json()
    assert answer["success"] is True and answer["message"]
    result = answer["result"]
    assert result["messageId"] and result["acknowledgement"] == "AA"
    row = fresh_system.db.row("SELECT * FROM radscheduler.appointments")
    assert (row["patient_name"], row["modality"]) == ("John Doe", "MRI")
    assert row["patient_id"] == body["patientId"] if "patientId" in body else row["patient_id"].startswith("SIM-")
    assert str(result["appointment"]["id"]) == str(row["id"])
    raw = bytes(fresh_system.db.value("SELECT raw FROM radscheduler.hl7_message WHERE appointment_id = %s", row["id"]))
    assert raw.startswith(b"MSH|") and b"SIU^S12" in raw


def test_list_by_date_and_modality(fresh_system):
    for patient, modality, moment in (
        ("MRN1", "MRI", "2024-01-15T10:00:00Z"), ("MRN2", "MRI", "2024-01-15T14:00:00Z"),
        ("MRN3", "CT", "2024-01-15T10:00:00Z"), ("MRN4", "MRI", "2024-01-16T10:00:00Z"),
    ):
        reply = fresh_system.post(
            "/api/hl7/appointment", json={**APPOINTMENT, "patientId": patient, "modality": modality, "studyType": f"{modality} study", "datetime": moment})
        assert reply.status_code == 201, reply.text
    reply = fresh_system.get("/api/appointments?date=2024-01-15&modality=MRI")
    assert reply.status_code == 200, reply.text
    body = reply.json()
    assert body["success"] is True and body["count"] == 2
    assert [row["patient_id"] for row in body["appointments"]] == ["MRN1", "MRN2"]
    columns = [column["attname"] for column in fresh_system.db.rows(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'radscheduler.appointments'::regclass AND attnum > 0")]
    assert set(columns) <= set(body["appointments"][0])
    assert fresh_system.get("/api/appointments?date=2024-01-15").json()["count"] == 3
    assert fresh_system.get("/api/appointments").json()["count"] == 4
    assert fresh_system.get("/api/appointments?status=CANCELLED").json()["count"] == 0
    assert fresh_system.get("/api/appointments?date=2024%2D01%2D16&modality=MRI").json()["count"] == 1


def test_date_is_a_day_of_the_site(fresh_system):
    fresh_system.db.execute("UPDATE radscheduler.site SET timezone = 'Pacific/Auckland'")
    fresh_system.post("/api/hl7/appointment", json={**APPOINTMENT, "datetime": "2024-01-15T00:30:00"})
    assert fresh_system.get("/api/appointments?date=2024-01-15").json()["count"] == 1
    assert fresh_system.get("/api/appointments?date=2024-01-14").json()["count"] == 0


def test_dashboard_counts_what_is_there(fresh_system):
    database = fresh_system.db
    today = database.value("SELECT (now() AT TIME ZONE radscheduler.site_zone(site_id))::date FROM radscheduler.site")
    bookings = []
    for hour, code, text in ((9, "MRI002", "MRI KNEE"), (9, "CT002", "CT CHEST"), (11, "MRI003", "MRI SPINE"), (13, "US004", "ULTRASOUND")):
        booking = Booking(start=datetime(today.year, today.month, today.day, hour), code=code, text=text)
        assert fresh_system.send(booking.message()).code == "AA"
        bookings.append(booking)
    fresh_system.send(Booking(start=free_day()).message())
    fresh_system.send(bookings[0].message("S15", status="CANCELLED"))
    fresh_system.send(bookings[1].message("S14", status="COMPLETED"))

    body = fresh_system.get("/api/analytics/dashboard").json()
    assert body["success"] is True
    overview = body["dashboard"]["overview"]
    counted = database.row(
        "SELECT count(*) AS total, count(*) FILTER (WHERE status = 'COMPLETED') AS completed,"
        " count(*) FILTER (WHERE status = 'SCHEDULED') AS scheduled, count(*) FILTER (WHERE status = 'CANCELLED') AS cancelled"
        " FROM radscheduler.appointments WHERE datetime::date = %s", today)
    assert counted == {"total": 4, "completed": 1, "scheduled": 2, "cancelled": 1}
    assert [overview[key] for key in ("totalToday", "completed", "scheduled", "cancelled")] == list(counted.values())
    trends = body["dashboard"]["trends"]
    assert isinstance(trends["hourly"], list) and isinstance(trends["modality"], list)
    assert {"MRI", "CT", "US"} <= {entry["modality"] for entry in trends["modality"]}
    assert isinstance(body["dashboard"]["realtime"], dict)
    assert fresh_system.get("/api/analytics/dashboard").json()["dashboard"]["overview"] == overview, "the numbers are not random"


def test_health_tells_the_truth(cluster, fresh_system):
    reply = fresh_system.get("/health")
    body = reply.json()
    assert (reply.status_code, body["status"]) == (200, "healthy")
    assert body["services"]["database"] == "connected"
    assert body["services"]["redis"] != "connected", "no REDIS_URL was set"
    cluster.stop()
    try:
        eventually(lambda: fresh_system.get("/health").status_code == 503, what="/health noticing that the database stopped")
        assert fresh_system.get("/health").json()["services"]["database"] == "disconnected"
        reply = fresh_system.get("/api/appointments")
        assert reply.status_code == 503 and reply.headers["content-type"].startswith("application/problem+json")
    finally:
        cluster.start()
    eventually(lambda: fresh_system.get("/health").status_code == 200, what="/health noticing that the database is back")
    assert fresh_system.get("/api/appointments").status_code == 200


def test_health_names_redis_when_it_is_there(system):
    assert system.get("/health").json()["services"]["redis"] == "connected"


# The guide's sample people are too common to be proof of a leak; only their numbers are looked for in the logs.
secrets.update({"MRN77", "Ada Byte"})
