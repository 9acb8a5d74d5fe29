"""Frames that never become a message are kept with their bytes, where in the stream they began, who sent them and why they were rejected."""

import contextlib
import socket
import time

import pytest
from support.messages import Booking
from support.mllp import Ack, frame
from support.services import Daemon, eventually


def kept(system, raw):
    return system.db.rows("SELECT reason, stream_offset, frame_bytes, peer, listener FROM radscheduler.hl7_quarantine WHERE raw = %s", raw)


def one_kept(system, raw):
    rows = eventually(lambda: kept(system, raw), what="the rejected bytes in quarantine")
    assert len(rows) == 1
    return rows[0]


def test_a_frame_that_another_cuts_off(system):
    first, second = Booking(), Booking()
    half = first.message().encode()[:150]
    with system.mllp() as client:
        address, port = client.socket.getsockname()
        before = Booking()
        assert client.send(before.message()).code == "AA"
        offset = len(frame(before.message(control_id=before.control_id)))
        client.write(b"\x0b" + half + frame(second.message()))
        assert Ack(client.read_frame()).control_id == second.control_id
    row = one_kept(system, half)
    assert (row["reason"], row["stream_offset"], row["frame_bytes"], row["peer"]) == ("half_frame", offset, len(half), f"{address}:{port}")
    assert first.count(system.db) == 0


def test_a_frame_that_the_connection_cuts_off(system):
    half = Booking().message().encode()[:-30]
    client = system.mllp()
    client.write(b"\x0b" + half)
    client.close()
    row = one_kept(system, half)
    assert (row["reason"], row["stream_offset"], row["listener"]) == ("cut_off", 0, "main")


@pytest.fixture
def strict_daemon(system):
    daemon = Daemon(system.db.url, RADSCHED_MLLP_FRAME_TIMEOUT="1s", RADSCHED_MLLP_MAX_FRAME="64KiB")
    yield daemon
    daemon.stop()


def test_a_frame_that_takes_too_long(system, strict_daemon):
    half = Booking().message().encode()[:100]
    with socket.create_connection(("127.0.0.1", strict_daemon.mllp_port), timeout=10) as connection:
        connection.sendall(b"\x0b" + half)
        assert connection.recv(1) == b"", "closed without an answer"
    assert one_kept(system, half)["reason"] == "too_slow"


def test_a_frame_that_is_too_large(system, strict_daemon):
    beginning = b"MSH|^~\\&|LARGE|" + str(time.time_ns()).encode()
    with socket.create_connection(("127.0.0.1", strict_daemon.mllp_port), timeout=10) as connection, contextlib.suppress(OSError):
        connection.sendall(b"\x0b" + beginning + b"x" * 200_000)
        assert b"MSA" not in connection.recv(65536)
    row = eventually(lambda: system.db.rows("SELECT reason, length(raw) AS size FROM radscheduler.hl7_quarantine WHERE substring(raw FROM 1 FOR %s) = %s", len(beginning), beginning),
                     what="the beginning in quarantine")[0]
    assert row["reason"] == "too_large" and row["size"] <= 65536


def test_a_good_message_is_not_there(system):
    booking = Booking()
    raw = booking.message().encode()
    assert system.send(raw).code == "AA"
    assert system.send(Booking().message("S99")).code == "AR"
    time.sleep(0.3)
    assert kept(system, raw) == []


def test_a_flood_of_rubbish_is_not_kept_for_ever(fresh_system):
    """Ten thousand broken frames: some are kept, the others counted, the daemon serves on."""
    with fresh_system.mllp() as client:
        client.write(b"\x0bMSH|rubbish" * 10_000 + frame(Booking().message()))
        assert Ack(client.read_frame()).code == "AA"
    time.sleep(1.0)
    number = fresh_system.db.value("SELECT count(*) FROM radscheduler.hl7_quarantine")
    assert 0 < number < 5_000


def test_a_batch_file_is_answered_message_by_message(system):
    """FHS, BHS, messages, BTS, FTS in one frame: each message is processed and answered in its place."""
    bookings = [Booking() for _ in range(4)]
    messages = [bookings[0].message(), bookings[1].message(), bookings[2].message("S99"), bookings[3].message()]
    envelope = ["FHS|^~\\&|E2ERIS|E2EHOSP\r", "BHS|^~\\&|E2ERIS|E2EHOSP\r", *messages, "BTS|4\r", "FTS|1\r"]
    with system.mllp() as client:
        client.write(frame("".join(envelope)))
        answers = [Ack(client.read_frame()) for _ in messages]
        assert client.is_silent(0.5)
    assert [(answer.code, answer.control_id) for answer in answers] == [
        (code, booking.control_id) for code, booking in zip(("AA", "AA", "AR", "AA"), bookings, strict=True)]
    assert [booking.count(system.db) for booking in bookings] == [1, 1, 0, 1]
