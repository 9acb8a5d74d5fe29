"""Double bookings: caught by the exclusion constraint, flagged on both sides, healed when one of them leaves."""

import threading

import psycopg2
import psycopg2.errors
import pytest

from support.messages import Booking, Patient, free_day


def conflict_codes(row):
    return [conflict["code"] for conflict in row["conflicts"]]


@pytest.mark.parametrize(
    ("resource", "code"),
    [({"scanner": "MR-{n}"}, "EQUIPMENT_DOUBLE_BOOKED"), ({"room": "ROOM-{n}"}, "ROOM_DOUBLE_BOOKED"),
     ({"technologist": "TECH-{n}"}, "STAFF_DOUBLE_BOOKED")],
    ids=["scanner", "room", "technologist"],
)
def test_two_want_the_same_resource(system, resource, code):
    start = free_day()
    named = {kind: name.format(n=f"{start:%y%m%d}") for kind, name in resource.items()}
    first, second = Booking(start=start, **named), Booking(start=start, **named)
    assert system.send(first.message()).code == "AA"
    assert first.row(system.db)["conflicts"] == []
    assert system.send(second.message()).code == "AA", "a RIS reports facts: it is answered AA and flagged"

    earlier, later = first.row(system.db), second.row(system.db)
    assert (earlier["status"], later["status"]) == ("SCHEDULED", "PENDING_REVIEW")
    assert conflict_codes(earlier) == [code] and conflict_codes(later) == [code]
    conflict = later["conflicts"][0]
    assert conflict["severity"] == "critical" and conflict["state"] == "open"
    assert conflict["resource"] == next(iter(named.values()))
    assert [other["appointment_id"] for other in conflict["with"]] == [earlier["id"]]
    assert [other["appointment_id"] for other in earlier["conflicts"][0]["with"]] == [later["id"]]
    assert conflict["overlap_min"] == 30
    assert system.db.value(
        "SELECT outcome FROM radscheduler.hl7_message WHERE appointment_id = %s", later["id"]) == "flagged"


@pytest.mark.parametrize("leaves", ["first", "second"])
def test_cancelling_one_heals_the_other(system, leaves):
    start = free_day()
    scanner = f"MRH-{start:%y%m%d}"
    first, second = Booking(start=start, scanner=scanner), Booking(start=start, scanner=scanner)
    system.send(first.message())
    system.send(second.message())
    gone, stays = (first, second) if leaves == "first" else (second, first)
    assert system.send(gone.message("S15", status="CANCELLED")).code == "AA"
    assert gone.row(system.db)["status"] == "CANCELLED"
    assert gone.row(system.db)["conflicts"] == []
    assert (stays.row(system.db)["status"], stays.row(system.db)["conflicts"]) == ("SCHEDULED", [])


def test_moving_one_heals_the_other(system):
    start = free_day()
    scanner = f"MRM-{start:%y%m%d}"
    first, second = Booking(start=start, scanner=scanner), Booking(start=start, scanner=scanner)
    system.send(first.message())
    system.send(second.message())
    first.start = start.replace(hour=14)
    assert system.send(first.message("S13")).code == "AA"
    assert first.row(system.db)["datetime"] == first.start
    assert (second.row(system.db)["status"], second.row(system.db)["conflicts"]) == ("SCHEDULED", [])


def test_back_to_back_is_no_conflict(system):
    start = free_day()
    scanner = f"MRB-{start:%y%m%d}"
    first = Booking(start=start, scanner=scanner)
    second = Booking(start=start.replace(minute=30), scanner=scanner)
    system.send(first.message())
    system.send(second.message())
    assert (second.row(system.db)["status"], second.row(system.db)["conflicts"]) == ("SCHEDULED", [])


def test_third_booking_sees_a_flagged_one(system):
    """A flagged booking still occupies its time: a third one over it alone is told on both sides, and both are free again later."""
    start = free_day()
    scanner = f"MRT-{start:%y%m%d}"
    first = Booking(start=start, scanner=scanner)
    second = Booking(start=start.replace(minute=15), scanner=scanner)
    third = Booking(start=start.replace(minute=40), scanner=scanner)
    for booking in (first, second, third):
        assert system.send(booking.message()).code == "AA"
    # The third has its own place on the scanner; it is the second that has none, and now for two reasons.
    assert (third.row(system.db)["status"], conflict_codes(third.row(system.db))) == ("SCHEDULED", ["EQUIPMENT_DOUBLE_BOOKED"])
    pair = next(conflict for conflict in second.row(system.db)["conflicts"] if conflict["code"] == "EQUIPMENT_DOUBLE_BOOKED")
    assert {other["appointment_id"] for other in pair["with"]} == {first.row(system.db)["id"], third.row(system.db)["id"]}
    system.send(second.message("S15", status="CANCELLED"))
    for booking in (first, third):
        assert (booking.row(system.db)["status"], booking.row(system.db)["conflicts"]) == ("SCHEDULED", [])


def test_same_patient_in_two_places(system):
    patient, start = Patient(), free_day()
    first, second = Booking(start=start, patient=patient), Booking(start=start, patient=patient)
    system.send(first.message())
    system.send(second.message())
    assert conflict_codes(second.row(system.db)) == ["PATIENT_DOUBLE_BOOKED"]
    assert second.row(system.db)["status"] == "PENDING_REVIEW"
    assert conflict_codes(first.row(system.db)) == ["PATIENT_DOUBLE_BOOKED"]


def test_alternatives_can_be_booked(system):
    """Each offered time, taken at its word, gives a booking without a conflict."""
    start = free_day()
    scanner = f"MRA-{start:%y%m%d}"
    system.db.execute(
        "INSERT INTO radscheduler.resource (site_id, code, name, kind, modality, turnover_minutes)"
        " SELECT site_id, %s, %s, 'equipment', 'MR', 10 FROM radscheduler.site", scanner, scanner)
    system.db.execute(
        "INSERT INTO radscheduler.resource_alias (site_id, kind, alias, resource_id)"
        " SELECT site_id, kind, upper(code), resource_id FROM radscheduler.resource WHERE code = %s", scanner)
    first, second = Booking(start=start, scanner=scanner), Booking(start=start, scanner=scanner)
    system.send(first.message())
    system.send(second.message())
    alternatives = second.row(system.db)["conflicts"][0]["alternatives"]
    assert 1 <= len(alternatives) <= 3, alternatives
    offered = system.db.value(
        "SELECT (%s::timestamptz AT TIME ZONE radscheduler.site_zone(site_id)) FROM radscheduler.site", alternatives[0]["start"])
    second.start, second.scanner = offered, alternatives[0]["resource"]
    assert system.send(second.message("S13")).code == "AA"
    assert (second.row(system.db)["status"], second.row(system.db)["conflicts"]) == ("SCHEDULED", [])


def test_concurrent_senders_cannot_both_win(system):
    """Twenty senders want one scanner at one time, all at once: exactly one is clean, and every ACK is AA."""
    start = free_day()
    scanner = f"MRC-{start:%y%m%d}"
    bookings = [Booking(start=start, scanner=scanner) for _ in range(20)]
    gate = threading.Barrier(len(bookings))
    codes = []

    def sender(booking):
        message = booking.message()
        with system.mllp(timeout=60) as client:
            gate.wait()
            codes.append(client.send(message).code)

    threads = [threading.Thread(target=sender, args=(booking,)) for booking in bookings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == ["AA"] * 20
    statuses = sorted(booking.row(system.db)["status"] for booking in bookings)
    assert statuses == ["PENDING_REVIEW"] * 19 + ["SCHEDULED"]


INSERT = (
    "INSERT INTO radscheduler.appointments (patient_id, patient_name, patient_phone, modality, study_type, datetime, duration)"
    " VALUES (%s, %s, %s, 'MRI', 'MRI KNEE', %s, 30)"
)


def test_insert_books_and_a_double_booking_is_refused(system):
    patient, start = Patient(), free_day()
    system.db.execute(INSERT, patient.mrn, patient.display, patient.phone, start)
    row = system.db.row("SELECT * FROM radscheduler.appointments WHERE patient_id = %s", patient.mrn)
    assert (row["patient_name"], row["datetime"], row["status"], row["source"]) == (patient.display, start, "SCHEDULED", "SQL")

    with pytest.raises(psycopg2.errors.ExclusionViolation) as refused:
        system.db.execute(INSERT, patient.mrn, patient.display, patient.phone, start.replace(minute=15))
    assert refused.value.pgcode == "23P01"
    said = f"{refused.value.diag.message_primary} {refused.value.diag.message_detail} {refused.value.diag.message_hint}"
    assert str(row["id"]) in said, f"the other booking is not named: {said}"
    for secret in (patient.mrn, patient.family, patient.given, patient.phone):
        assert secret not in said, "the error text carries patient data"
    assert system.db.value("SELECT count(*) FROM radscheduler.appointments WHERE patient_id = %s", patient.mrn) == 1


def test_update_moves_and_delete_cancels(system):
    patient, start = Patient(), free_day()
    system.db.execute(INSERT, patient.mrn, patient.display, patient.phone, start)
    identity = system.db.value("SELECT id FROM radscheduler.appointments WHERE patient_id = %s", patient.mrn)
    system.db.execute("UPDATE radscheduler.appointments SET datetime = datetime + interval '2 hours' WHERE id = %s", identity)
    assert system.db.value("SELECT datetime FROM radscheduler.appointments WHERE id = %s", identity) == start.replace(hour=12)
    # The old time is free again, the new one is not.
    system.db.execute(INSERT, patient.mrn, patient.display, patient.phone, start)
    with pytest.raises(psycopg2.errors.ExclusionViolation):
        system.db.execute("UPDATE radscheduler.appointments SET datetime = %s WHERE id = %s", start, identity)
    system.db.execute("DELETE FROM radscheduler.appointments WHERE id = %s", identity)
    assert system.db.value("SELECT status FROM radscheduler.appointments WHERE id = %s", identity) == "CANCELLED"
