"""MLLP as it comes over real networks: split anywhere, many at once, with junk between; one ACK each, in order."""

import threading
import time

import pytest

from support.messages import Booking
from support.mllp import Ack, Client, frame


def test_several_messages_in_one_write(system):
    bookings = [Booking() for _ in range(7)]
    messages = [booking.message() for booking in bookings]
    with system.mllp() as client:
        client.write(b"".join(frame(message) for message in messages))
        acks = [Ack(client.read_frame()) for _ in messages]
    assert [ack.control_id for ack in acks] == [booking.control_id for booking in bookings]
    assert {ack.code for ack in acks} == {"AA"}
    assert [booking.count(system.db) for booking in bookings] == [1] * 7


def test_message_split_at_every_byte(system):
    booking = Booking()
    with system.mllp() as client:
        for byte in frame(booking.message()):
            client.write(bytes([byte]))
        ack = Ack(client.read_frame())
    assert (ack.code, ack.control_id) == ("AA", booking.control_id)
    assert booking.count(system.db) == 1


@pytest.mark.parametrize("cut", [1, 2, 5, -3, -2, -1])
def test_message_split_around_its_framing(system, cut):
    booking = Booking()
    data = frame(booking.message())
    with system.mllp() as client:
        client.write(data[:cut])
        time.sleep(0.05)
        client.write(data[cut:])
        assert Ack(client.read_frame()).code == "AA"


@pytest.mark.parametrize("junk", [b"\r\n", b"\n\n\n", b"\x00\x00", b"log line before the frame\n", b"\x1c\r"])
def test_junk_between_messages_is_skipped(system, junk):
    first, second = Booking(), Booking()
    with system.mllp() as client:
        client.write(junk + frame(first.message()) + junk + frame(second.message()) + junk)
        acks = [Ack(client.read_frame()), Ack(client.read_frame())]
    assert [(ack.code, ack.control_id) for ack in acks] == [("AA", first.control_id), ("AA", second.control_id)]


def test_file_separator_inside_a_message_does_not_end_it(system):
    booking = Booking(text="KNEE\x1cLEFT")
    with system.mllp() as client:
        ack = client.send(booking.message())
        assert ack.control_id == booking.control_id
        assert client.is_silent(0.3), "one message was answered twice"


def test_line_feeds_end_segments_too(system):
    for segment_end in ("\n", "\r\n"):
        booking = Booking()
        assert system.send(booking.message(segment_end=segment_end)).code == "AA"
        assert booking.row(system.db)["patient_name"] == booking.patient.display


def test_half_a_message_then_a_disconnect_leaves_nothing(system):
    booking = Booking()
    before = system.db.value("SELECT count(*) FROM radscheduler.hl7_message")
    client = system.mllp()
    client.write(frame(booking.message())[:-2])
    client.close()
    time.sleep(0.3)
    assert booking.count(system.db) == 0
    assert system.db.value("SELECT count(*) FROM radscheduler.hl7_message") == before
    assert system.daemon.is_alive()


def test_no_ack_before_commit(system):
    """When the ACK arrives, a session that was not there before sees the row."""
    for _ in range(20):
        booking = Booking()
        with system.mllp() as client:
            assert client.send(booking.message()).code == "AA"
            other = system.db.connect()
            with other.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM radscheduler.appointment WHERE filler_id = %s", (booking.filler,))
                assert cursor.fetchone()[0] == 1
            other.close()


def test_no_ack_while_the_transaction_waits(system):
    """A lock that holds up the transaction holds up the ACK: nothing is answered on trust."""
    booking = Booking(scanner="LOCKED1")
    assert system.send(booking.message()).code == "AA"
    blocker = system.db.connect()
    blocker.autocommit = False
    with blocker.cursor() as cursor:
        cursor.execute("LOCK TABLE radscheduler.appointment IN ACCESS EXCLUSIVE MODE")
        with system.mllp() as client:
            client.write(frame(booking.message("S14")))
            assert client.is_silent(1.0), "an ACK came before the transaction could commit"
            blocker.rollback()
            assert Ack(client.read_frame()).code == "AA"
    blocker.close()


def test_many_connections_at_once(system):
    """Sixteen senders, twenty messages each: every one answered on its own connection, in order."""
    failures = []

    def sender():
        try:
            bookings = [Booking() for _ in range(20)]
            with Client(system.daemon.mllp_port, timeout=60) as client:
                for booking in bookings:
                    ack = client.send(booking.message())
                    assert (ack.code, ack.control_id) == ("AA", booking.control_id)
        except AssertionError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=sender) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_the_senders_delimiters_are_the_acks(system):
    booking = Booking()
    message = booking.message().replace("|", "$").replace("^", "*")
    ack = system.send(message)
    assert ack.raw.startswith(b"MSH$*~\\&$")
    assert (ack.code, ack.control_id) == ("AA", booking.control_id)
