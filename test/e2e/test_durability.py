"""Nothing acknowledged is ever lost: restarts of PostgreSQL, a killed daemon, an orderly stop."""

import threading
import time

import pytest

from support.messages import Booking
from support.mllp import Ack, Client, frame
from support.senders import resend_until_acknowledged
from support.services import Daemon, eventually


def test_postgresql_restart_gives_no_ack_and_loses_none(cluster, fresh_system):
    """While PostgreSQL is down nothing is answered, least of all AE; what was sent then is answered AA afterwards or sent again."""
    before, during = Booking(), Booking()
    assert fresh_system.send(before.message()).code == "AA"
    cluster.stop("immediate")
    try:
        client = fresh_system.mllp(timeout=60)
        message = during.message()
        client.write(frame(message))
        answered = not client.is_silent(2.0)
    finally:
        cluster.start()
    if answered:  # closing the connection is allowed, an answer is not
        assert client.read_frame() is None, "an answer was given while the database was away"
        ack = resend_until_acknowledged(fresh_system, message)
    else:
        answer = client.read_frame()
        ack = Ack(answer) if answer is not None else resend_until_acknowledged(fresh_system, message)
    assert (ack.code, ack.control_id) == ("AA", during.control_id)
    assert (before.count(fresh_system.db), during.count(fresh_system.db)) == (1, 1)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_restart_in_the_middle_of_a_stream(cluster, fresh_system, mode):
    """Four senders, PostgreSQL restarted under them: every message acknowledged AA in the end, one appointment each."""
    failures = []
    sent = []

    def sender():
        for _ in range(25):
            booking = Booking()
            ack = resend_until_acknowledged(fresh_system, booking.message())
            sent.append(booking)
            if (ack.code, ack.control_id) != ("AA", booking.control_id):
                failures.append(ack.raw)

    threads = [threading.Thread(target=sender) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.15)
    cluster.stop(mode)
    cluster.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(sent) == 100
    assert [booking.count(fresh_system.db) for booking in sent] == [1] * 100
    assert fresh_system.daemon.is_alive()


def test_killed_daemon_loses_nothing_acknowledged(fresh_system):
    acknowledged = []
    for _ in range(5):
        for _ in range(4):
            booking = Booking()
            message = booking.message()
            ack = fresh_system.send(message)
            assert ack.code == "AA"
            acknowledged.append((booking, message, ack.raw))
        fresh_system.daemon.kill()
        fresh_system.daemon.start()
    assert [booking.count(fresh_system.db) for booking, _, _ in acknowledged] == [1] * 20
    for booking, message, ack in acknowledged[:4]:
        assert fresh_system.send(message).raw == ack, "the stored ACK did not survive"
        assert booking.count(fresh_system.db) == 1


def test_killed_in_the_middle_then_sent_again(fresh_system):
    """Killed between commit and ACK or before: sending again gives one ACK and one appointment, never two."""
    for delay in (0.0, 0.002, 0.005, 0.01, 0.02):
        booking = Booking()
        message = booking.message()
        client = fresh_system.mllp()
        client.write(frame(message))
        time.sleep(delay)
        fresh_system.daemon.kill()
        client.close()
        fresh_system.daemon.start()
        assert fresh_system.send(message).code == "AA"
        assert booking.count(fresh_system.db) == 1


def test_sigterm_drains(fresh_system):
    """What was received is answered, new connections are refused, and the daemon ends by itself with 0."""
    bookings = [Booking() for _ in range(30)]
    with fresh_system.mllp(timeout=30) as client:
        client.write(b"".join(frame(booking.message()) for booking in bookings))
        first = Ack(client.read_frame())
        fresh_system.daemon.terminate()
        acks = [first]
        while (answer := client.read_frame()) is not None:
            acks.append(Ack(answer))
    assert fresh_system.daemon.process.wait(timeout=30) == 0
    assert [ack.control_id for ack in acks] == [booking.control_id for booking in bookings[: len(acks)]]
    assert {ack.code for ack in acks} == {"AA"}
    committed = sum(booking.count(fresh_system.db) for booking in bookings)
    assert committed == len(acks), "something was committed whose ACK was never written"
    with pytest.raises(OSError):
        Client(fresh_system.daemon.mllp_port, timeout=2)


def test_sigterm_while_idle_is_quick(fresh_system):
    with fresh_system.mllp():
        started = time.monotonic()
        fresh_system.daemon.terminate()
        assert fresh_system.daemon.process.wait(timeout=20) == 0
        assert time.monotonic() - started < 10


def test_daemon_started_before_the_database(cluster, fresh_system):
    """The daemon may come first: it says so in /health and works as soon as PostgreSQL is there."""
    cluster.stop()
    try:
        daemon = Daemon.__new__(Daemon)
        daemon.__dict__.update(fresh_system.daemon.__dict__)
        fresh_system.daemon.stop()
        daemon.start(wait=False)
        time.sleep(1.0)
        assert daemon.is_alive(), "the daemon gave up instead of waiting for its database"
    finally:
        cluster.start()
    eventually(daemon.is_healthy, seconds=30, what="the daemon finding its database")
    fresh_system.daemon = daemon
    assert fresh_system.send(Booking().message()).code == "AA"
