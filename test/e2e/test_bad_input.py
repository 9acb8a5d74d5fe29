"""Bad input, one test each: a clear answer that says what and where, a live daemon, and the bytes kept where there were any."""

import socket

import pytest
import requests

from support.messages import Booking
from support.mllp import Ack, Client, frame
from support.services import eventually


def stored(system, raw):
    """The log rows that keep exactly these bytes."""
    return system.db.rows(
        "SELECT outcome, code, error, ack FROM radscheduler.hl7_message WHERE raw = %s ORDER BY message_id", raw
    )


def assert_nak(system, message, codes, *mentions):
    """The message is refused with a reason, its bytes are kept with the same answer, and the connection still works."""
    raw = message.encode() if isinstance(message, str) else message
    with system.mllp() as client:
        ack = client.send(raw)
        assert ack.code in codes, ack.raw
        for mention in mentions:
            assert mention in ack.error_text(), f"'{mention}' is not in the answer: {ack.raw!r}"
        good = Booking()
        assert client.send(good.message()).code == "AA", "the connection did not survive the bad message"
    kept = stored(system, raw)
    assert len(kept) == 1 and bytes(kept[0]["ack"]) == ack.raw and kept[0]["error"]["text"], kept
    return ack


def test_empty_frame(system):
    with system.mllp() as client:
        client.write(frame(b""))
        ack = Ack(client.read_frame())
        assert ack.code in ("AE", "AR") and ack.error_text(), ack.raw
        assert client.send(Booking().message()).code == "AA"
    assert system.daemon.is_alive()


def test_http_on_the_mllp_port(system):
    with Client(system.daemon.mllp_port, timeout=10) as client:
        client.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        try:
            while piece := client.read_once():
                answer += piece
        except ConnectionResetError:
            pass
    assert b"HTTP" in answer and b"MLLP" in answer, f"no sentence tells the browser where it is: {answer!r}"
    assert system.send(Booking().message()).code == "AA"


def test_hundred_megabyte_frame(system):
    """Refused by closing, long before memory fills; never acknowledged."""
    def resident_kilobytes():
        with open(f"/proc/{system.daemon.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    before = resident_kilobytes()
    chunk = b"x" * (1 << 20)
    answer = b""
    client = Client(system.daemon.mllp_port, timeout=20)
    try:
        client.write(b"\x0b" + Booking().message().encode())
        for _ in range(100):
            client.write(chunk)
        client.write(b"\x1c\r")
        while piece := client.read_once():
            answer += piece
    except (BrokenPipeError, ConnectionResetError, socket.timeout):
        pass
    finally:
        client.close()
    assert b"|AA|" not in answer
    assert resident_kilobytes() - before < 64 * 1024, "the daemon kept what it should have refused"
    assert system.send(Booking().message()).code == "AA"


def test_nul_byte(system):
    message = Booking(text="KNEE\x00LEFT").message()
    assert_nak(system, message, ("AE", "AR"), "NUL")


def test_invalid_utf8_is_read_and_warned(system):
    """Bytes that are no UTF-8 are a charset question, not a reason to lose a booking."""
    booking = Booking(text="KNIE M\udcdcLLER")
    raw = booking.message().encode("utf-8", "surrogateescape")
    ack = system.send(raw)
    assert ack.code in ("AA", "AE"), ack.raw
    kept = stored(system, raw)
    assert len(kept) == 1
    if ack.code == "AA":
        warnings = system.db.value("SELECT warnings FROM radscheduler.hl7_message WHERE raw = %s", raw)
        assert any("CHARSET" in warning["code"] for warning in warnings), warnings
        assert booking.row(system.db)["study_type"] == "KNIE MÜLLER"
    else:
        assert "UTF-8" in ack.error_text()


def test_missing_control_id(system):
    message = Booking().message(control_id="")
    ack = assert_nak(system, message, ("AE", "AR"), "MSH")
    assert ack.control_id == ""


def test_impossible_date(system):
    booking = Booking()
    message = booking.message().replace(f"{booking.start:%Y%m%d%H%M}", "203102301000")
    assert_nak(system, message, ("AE",), "SCH")
    assert booking.count(system.db) == 0


def test_unknown_event(system):
    booking = Booking()
    assert_nak(system, booking.message("S99"), ("AR",), "MSH")
    assert booking.count(system.db) == 0


def test_unknown_message_type(system):
    message = Booking().message().replace("SIU^S12^SIU_S12", "ORU^R01^ORU_R01")
    assert_nak(system, message, ("AR",), "MSH")


def test_not_hl7_at_all(system):
    raw = b"hello, is anybody there?"
    with system.mllp() as client:
        client.write(frame(raw))
        ack = Ack(client.read_frame())
        assert ack.code == "AR" and "MSH" in ack.error_text(), ack.raw
    assert len(stored(system, raw)) == 1


def test_missing_patient(system):
    message = "\r".join(line for line in Booking().message().split("\r") if not line.startswith("PID"))
    assert_nak(system, message, ("AE",), "PID")


def assert_problem(reply, status, *mentions):
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"].startswith("application/problem+json"), reply.headers
    problem = reply.json()
    assert problem["success"] is False and problem["status"] == status
    for key in ("type", "title", "detail", "code", "error"):
        assert problem[key], f"the problem has no {key}: {problem}"
    for mention in mentions:
        assert mention in problem["detail"] or mention in problem["error"], problem


def appointment_json(**changes):
    patient = Booking().patient
    body = {
        "patientId": patient.mrn, "patientName": patient.display, "patientPhone": patient.phone, "modality": "MRI",
        "studyType": "MRI Brain", "datetime": "2032-03-01T10:00:00Z", "referringPhysician": "Dr. Referrer", "urgency": "routine",
    }
    body.update(changes)
    return {key: value for key, value in body.items() if value is not None}


def test_json_that_is_not_json(system):
    raw = b'{"patientId": "BAD1", '
    reply = system.post("/api/hl7/appointment", data=raw, headers={"Content-Type": "application/json"})
    assert_problem(reply, 400, "JSON")
    assert len(stored(system, raw)) == 1


def test_json_without_patient_name(system):
    reply = system.post("/api/hl7/appointment", json=appointment_json(patientName=None))
    assert_problem(reply, 400, "patientName")


@pytest.mark.parametrize("value", ["tomorrow at ten", "2032-02-30T10:00:00Z", "2032-13-01T10:00:00Z", 42, ""])
def test_json_date_that_is_none(system, value):
    reply = system.post("/api/hl7/appointment", json=appointment_json(datetime=value))
    assert_problem(reply, 400, "datetime")


def test_json_that_is_no_object(system):
    reply = system.post("/api/hl7/appointment", json=[1, 2, 3])
    assert_problem(reply, 400)


def test_query_date_that_is_none(system):
    assert_problem(system.get("/api/appointments?date=2032-02-30"), 400, "date")


def test_unknown_route_and_wrong_method(system):
    assert system.get("/api/nothing-here").status_code == 404
    assert system.get("/api/hl7/appointment").status_code == 405
    assert "json" in system.get("/api/nothing-here").headers["content-type"]


def test_oversized_http_body(system):
    try:
        status = system.post("/api/hl7/raw", data=b"x" * (100 << 20), headers={"Content-Type": "text/plain"}).status_code
    except requests.ConnectionError:
        status = None  # closed while we were still sending: as clear as an answer to who sends 100 MB
    assert status in (413, None)
    assert eventually(lambda: system.get("/health").status_code == 200, what="/health after the big body")
