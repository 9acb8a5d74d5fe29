"""Who sends too slowly, too much, or too often: each is bounded, and those who behave are served meanwhile.

environment: CHECK_BURST (15), messages of each of 64 connections at once. Ten thousand: test/burst.
"""

import contextlib
import os
import socket
import threading
import time

import pytest
from support.load import MIX, load, unlike_the_database
from support.messages import Booking
from support.mllp import Ack, Client, frame
from support.processes import anonymous_kilobytes, open_files
from support.services import Daemon, eventually


@pytest.fixture
def strict_daemon(system):
    """A daemon of its own on the shared database, with limits small enough to be met."""
    daemon = Daemon(system.db.url, RADSCHED_MLLP_FRAME_TIMEOUT="2s", RADSCHED_MLLP_IDLE_TIMEOUT="3s", RADSCHED_MLLP_MAX_CONNECTIONS="60")
    yield daemon
    daemon.stop()


def send(daemon, booking):
    with Client(daemon.mllp_port) as client:
        return client.send(booking.message())


def is_closed(connection, seconds):
    """True when the daemon closes within that time, having sent nothing."""
    connection.settimeout(seconds)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True
    except socket.timeout:
        return False


def test_slow_loris(system, strict_daemon):
    """Fifty that send a byte now and then never finish a message: each is closed when its message is too old, however often it sends, and
    nobody waits for them.
    """
    stop = threading.Event()
    lorises = [socket.create_connection(("127.0.0.1", strict_daemon.mllp_port)) for _ in range(50)]
    began = time.monotonic()

    def drip():
        alive = list(lorises)
        for connection in alive:
            connection.sendall(b"\x0bMSH|^~\\&|LORIS|")
        while not stop.wait(0.2):
            for connection in list(alive):
                try:
                    connection.sendall(b"x")
                except OSError:
                    alive.remove(connection)

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        slowest = 0.0
        while time.monotonic() - began < 1.5:
            booking = Booking()
            sent = time.monotonic()
            assert send(strict_daemon, booking).code == "AA"
            slowest = max(slowest, time.monotonic() - sent)
        assert slowest < 1.0, "a sender waited for those who dawdle"
        deadline = began + 6
        assert all(is_closed(connection, max(deadline - time.monotonic(), 0.01)) for connection in lorises), "a message may take for ever when a byte comes now and then"
        assert time.monotonic() - began > 1.5, "they were closed before their time"
    finally:
        stop.set()
        dripping.join()
        for connection in lorises:
            connection.close()
    assert send(strict_daemon, Booking()).code == "AA"


def test_silent_connections_are_closed_when_idle_too_long(strict_daemon):
    with Client(strict_daemon.mllp_port) as silent, Client(strict_daemon.mllp_port) as busy:
        ends = time.monotonic() + 4.5
        while time.monotonic() < ends:
            assert busy.send(Booking().message()).code == "AA"
            time.sleep(0.5)
        assert is_closed(silent.socket, 2)
        assert busy.send(Booking().message()).code == "AA", "who works is not idle"


def test_connection_flood(strict_daemon):
    """More than there may be are turned away at once; who was there keeps working, and afterwards there is room again. Nothing is left open."""
    first = Client(strict_daemon.mllp_port)
    assert first.send(Booking().message()).code == "AA"
    files = open_files(strict_daemon.process.pid)
    memory = anonymous_kilobytes(strict_daemon.process.pid)
    flood = []
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                flood.append(socket.create_connection(("127.0.0.1", strict_daemon.mllp_port), timeout=5))
        assert first.send(Booking().message()).code == "AA"
        refused = sum(is_closed(connection, 0.05) for connection in flood[100:])
        assert refused == len(flood[100:]), f"{refused} of {len(flood[100:])} beyond the limit were turned away"
        assert first.send(Booking().message()).code == "AA"
        assert open_files(strict_daemon.process.pid) <= files + 60
    finally:
        for connection in flood:
            connection.close()
    assert eventually(lambda: accepts(strict_daemon), seconds=10, what="room for a new connection")
    eventually(lambda: open_files(strict_daemon.process.pid) <= files + 1, seconds=10, what="the end of all connections of the flood")
    assert anonymous_kilobytes(strict_daemon.process.pid) - memory < 16 * 1024
    first.close()


def accepts(daemon):
    with contextlib.suppress(OSError, AssertionError):
        return send(daemon, Booking()).code == "AA"
    return False


def test_whoever_does_not_read_answers_is_not_read_either(fresh_system):
    """Ten that write without end and read nothing: the daemon stops reading them, and its memory does not grow with what they have to say."""
    system = fresh_system
    before = anonymous_kilobytes(system.daemon.process.pid)
    message = frame(Booking().message())
    pushy = []
    for _ in range(10):
        connection = socket.create_connection(("127.0.0.1", system.daemon.mllp_port))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        connection.setblocking(False)
        pushy.append(connection)
    accepted = 0
    ends = time.monotonic() + 3
    while time.monotonic() < ends:
        for connection in pushy:
            with contextlib.suppress(BlockingIOError):
                accepted += connection.send(message * 200)
        time.sleep(0.01)
    growth = anonymous_kilobytes(system.daemon.process.pid) - before
    assert system.send(Booking().message()).code == "AA", "the others are served"
    for connection in pushy:
        connection.close()
    assert accepted > 1_000_000, "they were not pushy enough to show anything"
    assert growth < 16 * 1024, f"{growth} kB more for {accepted} bytes"


def test_a_burst_on_sixty_four_connections(fresh_system):
    """Every message answered once, on its connection, in order; every one booked once; memory bounded."""
    each = int(os.environ.get("CHECK_BURST", "15"))
    before = anonymous_kilobytes(fresh_system.daemon.process.pid)
    result = load(fresh_system.daemon.mllp_port, "--connections", 64, "--burst", each, "--messages", 64 * each, timeout=120)
    assert (result["sent"], result["acked"], result["nak"], result["lost"]) == (64 * each, 64 * each, 0, 0), result
    assert unlike_the_database(fresh_system.db, result) == []
    assert anonymous_kilobytes(fresh_system.daemon.process.pid) - before < 32 * 1024


def test_a_thousand_idle_connections(system):
    """They cost under 60 MB, and the first and the last of them work."""
    daemon = Daemon(system.db.url, RADSCHED_MLLP_MAX_CONNECTIONS="1100", RADSCHED_MLLP_MAX_PER_PEER="1100")
    idle = []
    try:
        assert send(daemon, Booking()).code == "AA"
        before = anonymous_kilobytes(daemon.process.pid)
        for _ in range(1000):
            idle.append(Client(daemon.mllp_port, timeout=30))
        for client in (idle[0], idle[-1]):
            assert client.send(Booking().message()).code == "AA"
        cost = anonymous_kilobytes(daemon.process.pid) - before
        assert cost < 60 * 1024, f"{cost} kB for a thousand idle connections"
    finally:
        for client in idle:
            client.close()
        daemon.stop()


def test_memory_is_flat(fresh_system):
    """Messages leave nothing behind in the daemon. A million: test/million."""
    def more(messages):
        result = load(fresh_system.daemon.mllp_port, "--connections", 16, "--messages", messages, "--mix", MIX, timeout=60)
        assert result["acked"] == messages, result

    more(800)
    warm = anonymous_kilobytes(fresh_system.daemon.process.pid)
    more(1600)
    assert anonymous_kilobytes(fresh_system.daemon.process.pid) - warm < 1024


def test_answers_keep_their_order_behind_a_slow_one(system):
    """One connection, several messages, the first of which waits for a lock: nothing overtakes it there, and another connection does not wait."""
    # Scanners of their own that are known already: what waits holds the locks of its own, of its pool, and of whatever it makes known.
    held, later = Booking(scanner="ORDERED1"), [Booking(scanner="ORDERED1") for _ in range(5)]
    for known in (held, Booking(scanner="ORDERED2")):
        assert system.send(known.message()).code == "AA"
    blocker = system.db.connect()
    blocker.autocommit = False
    with blocker.cursor() as cursor, system.mllp() as client:
        cursor.execute("SELECT FROM radscheduler.appointment WHERE filler_id = %s FOR UPDATE", (held.filler,))
        first = held.message("S14")
        client.write(frame(first) + b"".join(frame(booking.message()) for booking in later))
        assert client.is_silent(0.5)
        assert system.send(Booking(scanner="ORDERED2").message()).code == "AA"
        blocker.rollback()
        answers = [Ack(client.read_frame()) for _ in range(6)]
    blocker.close()
    assert [answer.control_id for answer in answers] == [held.control_id, *(booking.control_id for booking in later)]
    assert {answer.code for answer in answers} == {"AA"}
