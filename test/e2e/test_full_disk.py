"""A full disk: nothing is answered while a message cannot be kept, least of all AE; nothing acknowledged is lost; with room again, work goes on.

One disk holds the tables (a tablespace), another one the write-ahead log, which stops the whole server when it is full.
"""

import contextlib
import threading

import psycopg2
import pytest
from support.messages import Booking
from support.mllp import Ack, Client, frame
from support.senders import resend_until_acknowledged
from support.services import Cluster, Database, eventually
from support.small_disk import SmallDisk
from support.system import System

MOST = 3000  # bookings that may still find room in pages that are there
SILENCE = 3.0


def small_disk(megabytes):
    disk = SmallDisk(megabytes)
    if disk.reason:
        pytest.skip(f"No small disk can be mounted here: {disk.reason}")
    return disk


@pytest.fixture
def small_cluster():
    cluster = Cluster("small", "small")
    yield cluster
    cluster.destroy()


def start_inside(disk, cluster):
    """The server with the disk in sight."""
    done = disk.run(f"{cluster.bindir}/pg_ctl", "-D", cluster.data, "-l", cluster.log, "-w", "-t", 60, "start")
    assert done.returncode == 0, done.stdout + done.stderr


def started_again(disk, cluster):
    """A server that could not recover for want of room has ended; whoever has made room starts it."""
    if not (cluster.data / "postmaster.pid").exists():
        start_inside(disk, cluster)
    return True


def book_until_silent(system):
    """Books one by one; gives what was acknowledged, and the first message that got no answer, with its connection."""
    acknowledged = []
    client = Client(system.daemon.mllp_port, timeout=30)
    for _ in range(MOST):
        booking = Booking()
        message = booking.message()
        client.write(frame(message))
        if client.is_silent(SILENCE):
            return acknowledged, booking, message, client
        answer = client.read_frame()
        if answer is None:  # closing without an answer is allowed too
            return acknowledged, booking, message, None
        assert (Ack(answer).code, Ack(answer).control_id) == ("AA", booking.control_id), answer
        acknowledged.append(booking)
    raise AssertionError(f"the disk is full and {MOST} messages were acknowledged")


def write_ahead_until_it_fails(database):
    with contextlib.closing(database.connect()) as connection, contextlib.suppress(psycopg2.Error), connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT pg_logical_emit_message(false, 'filler', repeat('x', 1000000))")


def answer_after_all(system, client, message):
    if client is not None:
        client.socket.settimeout(60)
        answer = client.read_frame()
        client.close()
        if answer is not None:
            return Ack(answer)
    return resend_until_acknowledged(system, message)


def test_no_room_for_tables(small_cluster):
    disk = small_disk(160)
    try:
        small_cluster.stop()
        assert disk.run("mkdir", disk.folder / "tables").returncode == 0
        start_inside(disk, small_cluster)
        small_cluster.admin(f"CREATE TABLESPACE small LOCATION '{disk.folder}/tables'")
        small_cluster.admin("CREATE DATABASE small ENCODING 'UTF8' TEMPLATE template0 TABLESPACE small")
        database = Database(small_cluster, "small")
        database.execute("CREATE EXTENSION radscheduler CASCADE")
        database.admit_daemon()
        system = System(database, None)
        try:
            before = [Booking() for _ in range(10)]
            assert {system.send(booking.message()).code for booking in before} == {"AA"}
            disk.fill()
            acknowledged, waiting, message, client = book_until_silent(system)
            assert system.daemon.is_alive()
            assert system.get(f"/api/appointments?date={before[0].start:%Y-%m-%d}").status_code == 200, "reading needs no room"
            with Client(system.daemon.mllp_port) as other:
                other.write(frame(Booking().message()))
                assert other.is_silent(1.0) or other.read_frame() is None
            disk.free()
            ack = answer_after_all(system, client, message)
            assert (ack.code, ack.control_id) == ("AA", waiting.control_id)
            assert system.send(Booking().message()).code == "AA"
            assert {booking.count(database) for booking in [*before, *acknowledged, waiting]} == {1}
            refused = database.value("SELECT count(*) FROM radscheduler.hl7_message WHERE code IS DISTINCT FROM 'AA'")
            assert refused == 0, "a full disk made a message look wrong"
        finally:
            system.stop()
        assert system.daemon.process.returncode == 0
        small_cluster.stop()
    finally:
        disk.close()


def test_no_room_for_the_write_ahead_log(small_cluster):
    disk = small_disk(80)
    try:
        small_cluster.stop()
        moved = disk.run("sh", "-c", f"mv {small_cluster.data}/pg_wal {disk.folder}/wal && ln -s {disk.folder}/wal {small_cluster.data}/pg_wal")
        assert moved.returncode == 0, moved.stderr
        start_inside(disk, small_cluster)
        database = Database.create(small_cluster, "small")
        database.execute("CHECKPOINT")
        system = System(database, None)
        try:
            before = [Booking() for _ in range(10)]
            assert {system.send(booking.message()).code for booking in before} == {"AA"}
            disk.fill()
            # Segments that are there are used to their end first; this makes it quick.
            burner = threading.Thread(target=write_ahead_until_it_fails, args=(database,))
            burner.start()
            acknowledged, waiting, message, client = book_until_silent(system)
            burner.join(timeout=60)
            assert not burner.is_alive(), "the disk is full and the server writes on"
            assert system.daemon.is_alive()
            disk.free()
            eventually(lambda: started_again(disk, small_cluster) and system.daemon.is_healthy(), seconds=60, what="the daemon finding its database again")
            ack = answer_after_all(system, client, message)
            assert (ack.code, ack.control_id) == ("AA", waiting.control_id)
            assert {booking.count(database) for booking in [*before, *acknowledged, waiting]} == {1}
        finally:
            system.stop()
        small_cluster.stop()
    finally:
        disk.close()
