"""The integration guide's own message, byte for byte, over MLLP: its ACK, its row, its repeats."""

from datetime import datetime

from support.messages import GUIDE_MESSAGE
from support.mllp import Client, frame


def test_row_is_the_one_the_guide_promises(fresh_system):
    ack = fresh_system.send(GUIDE_MESSAGE)
    assert (ack.code, ack.control_id) == ("AA", "MSG001")

    row = fresh_system.db.row("SELECT * FROM radscheduler.appointments")
    assert list(row) == [
        "id", "patient_id", "patient_name", "patient_phone", "modality", "study_type", "datetime", "duration", "status",
        "referring_physician", "urgency", "notes", "conflicts", "source", "created_at", "updated_at",
    ]
    expected = {
        "patient_id": "MRN123456",
        "patient_name": "John Doe",
        "patient_phone": "+16175550123",
        "modality": "MRI",
        "study_type": "MRI BRAIN W/O CONTRAST",
        "datetime": datetime(2024, 1, 15, 10, 0),
        "duration": 30,
        "status": "SCHEDULED",
        "referring_physician": None,
        "urgency": "routine",
        "conflicts": [],
        "source": "HL7",
    }
    assert {column: row[column] for column in expected} == expected


def test_row_is_in_the_sites_zone(fresh_system):
    fresh_system.db.execute("UPDATE radscheduler.site SET timezone = 'America/New_York'")
    assert fresh_system.send(GUIDE_MESSAGE).code == "AA"
    assert fresh_system.db.value("SELECT datetime FROM radscheduler.appointments") == datetime(2024, 1, 15, 10, 0)
    assert fresh_system.db.value("SELECT starts_at = '2024-01-15 15:00Z' FROM radscheduler.appointment")


def test_every_repair_is_a_warning(fresh_system):
    fresh_system.send(GUIDE_MESSAGE)
    warnings = fresh_system.db.value("SELECT warnings FROM radscheduler.hl7_message")
    codes = {warning["code"] for warning in warnings}
    assert "REPAIR_AIP4_TO_AIP6" in codes, f"the start in AIP-4 was read without a warning: {warnings}"
    aip3 = [warning for warning in warnings if warning["path"].startswith("AIP[1]-3")]
    assert aip3, f"the role in AIP-3.1 was read without a warning: {warnings}"
    assert all({"code", "path", "text"} <= set(warning) for warning in warnings)


def test_role_is_not_taken_for_a_person(fresh_system):
    """RADIOLOGIST in AIP-3.1 is a role; were it an id, every message would clash with every other."""
    fresh_system.send(GUIDE_MESSAGE)
    staff = fresh_system.db.rows("SELECT code, name, role FROM radscheduler.resource WHERE kind = 'staff'")
    assert len(staff) == 1 and staff[0]["code"] != "RADIOLOGIST" and staff[0]["role"] == "RADIOLOGIST", staff


def test_ack_comes_whole_in_one_read_with_addresses_swapped(fresh_system):
    with Client(fresh_system.daemon.mllp_port) as client:
        client.write(frame(GUIDE_MESSAGE))
        piece = client.read_once(1024)
    assert piece.startswith(b"\x0b") and piece.endswith(b"\r\x1c\r"), piece
    header = piece[1:].split(b"\r")[0].split(b"|")
    assert header[2:6] == [b"RADSCHED", b"RAD", b"RIS", b"MEMORIAL"]
    assert header[8].startswith(b"ACK")
    assert piece.count(b"\x0b") == 1 and len(piece) < 1024


def test_duplicates_get_the_stored_ack_and_change_nothing(fresh_system):
    database = fresh_system.db
    first = fresh_system.send(GUIDE_MESSAGE)
    before = database.rows("SELECT * FROM radscheduler.appointment")
    versions = database.value("SELECT count(*) FROM radscheduler.appointment_history")
    events = database.value("SELECT count(*) FROM radscheduler.event_log WHERE type LIKE 'appointment.%%'")
    for _ in range(3):
        assert fresh_system.send(GUIDE_MESSAGE).raw == first.raw
    assert database.rows("SELECT * FROM radscheduler.appointment") == before
    assert database.value("SELECT count(*) FROM radscheduler.appointment_history") == versions
    assert database.value("SELECT count(*) FROM radscheduler.event_log WHERE type LIKE 'appointment.%%'") == events


def test_raw_bytes_are_kept(fresh_system):
    fresh_system.send(GUIDE_MESSAGE)
    message = fresh_system.db.row("SELECT raw, channel, outcome, code, peer FROM radscheduler.hl7_message")
    assert bytes(message["raw"]) == GUIDE_MESSAGE
    assert (message["channel"], message["outcome"], message["code"]) == ("mllp", "applied", "AA")


def test_same_control_id_with_other_bytes_is_processed(fresh_system):
    """The guide's simulator restarts its control ids at each run."""
    assert fresh_system.send(GUIDE_MESSAGE).code == "AA"
    other = GUIDE_MESSAGE.replace(b"SCH||1234|", b"SCH||1235|").replace(b"MRN123456", b"MRN123457")
    assert fresh_system.send(other).code == "AA"
    assert fresh_system.db.value("SELECT count(*) FROM radscheduler.appointments") == 2
    warnings = fresh_system.db.value("SELECT warnings FROM radscheduler.hl7_message ORDER BY message_id DESC LIMIT 1")
    assert "CONTROL_ID_REUSED" in {warning["code"] for warning in warnings}


def test_an_independent_mllp_client_reads_our_ack(system):
    import hl7
    from hl7.client import MLLPClient
    from support.messages import Booking

    booking = Booking()
    with MLLPClient("127.0.0.1", system.daemon.mllp_port) as client:
        answer = client.send_message(hl7.parse(booking.message()))
    parsed = hl7.parse(answer.strip(b"\x0b\x1c\r").decode())
    assert str(parsed.segment("MSA")[1]) == "AA"
    assert str(parsed.segment("MSA")[2]) == booking.control_id
