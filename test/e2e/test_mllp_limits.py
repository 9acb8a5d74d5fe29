"""Who may connect, how often, for how long, and what a listener of its own decides."""

import contextlib
import json
import socket
import time

import pytest
from support.messages import Booking
from support.mllp import Client, frame
from support.processes import anonymous_kilobytes
from support.services import Daemon, eventually, free_port


@pytest.fixture
def start(system):
    """Starts daemons with settings, and ends them."""
    with contextlib.ExitStack() as stack:
        def started(**settings):
            daemon = Daemon(system.db.url, **settings)
            stack.callback(daemon.stop)
            return daemon

        yield started


def connect(daemon, source="127.0.0.1"):
    return socket.create_connection(("127.0.0.1", daemon.mllp_port), timeout=5, source_address=(source, 0))


def is_closed(connection, seconds=2.0):
    connection.settimeout(seconds)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True
    except socket.timeout:
        return False


def works(daemon, connection):
    booking = Booking()
    connection.settimeout(10)
    connection.sendall(frame(booking.message()))
    return f"|AA|{booking.control_id}".encode() in connection.recv(65536)


def test_only_the_networks_that_are_named(start):
    daemon = start(RADSCHED_MLLP_NETWORKS="127.0.0.2,10.1.0.0/16,fd00::/8")
    with connect(daemon, "127.0.0.2") as inside, connect(daemon, "127.0.0.1") as outside:
        assert is_closed(outside)
        assert works(daemon, inside)


def test_so_many_of_one_address(start):
    daemon = start(RADSCHED_MLLP_MAX_PER_PEER="5")
    with contextlib.ExitStack() as stack:
        mine = [stack.enter_context(connect(daemon)) for _ in range(5)]
        assert all(works(daemon, connection) for connection in mine)
        assert is_closed(stack.enter_context(connect(daemon)))
        assert works(daemon, stack.enter_context(connect(daemon, "127.0.0.2"))), "another address has its own number"
        mine[0].close()
        assert eventually(lambda: not is_closed(stack.enter_context(connect(daemon)), 0.3), what="room for the next of this address")


def test_whoever_connects_must_begin(start):
    daemon = start(RADSCHED_MLLP_START_TIMEOUT="1s", RADSCHED_MLLP_IDLE_TIMEOUT="60s")
    with connect(daemon) as silent, connect(daemon) as busy:
        assert works(daemon, busy)
        began = time.monotonic()
        assert is_closed(silent, 4)
        assert time.monotonic() - began > 0.3
        assert not is_closed(busy, 1.0), "who has sent a message may be idle for longer"


def test_beginnings_of_large_messages_share_their_memory(start):
    """Forty connections bring half of a large message each. Some are closed, the daemon stays small, and the others are served."""
    daemon = start(RADSCHED_MLLP_MAX_MEMORY="4MiB", RADSCHED_MLLP_MAX_FRAME="2MiB")
    with connect(daemon) as first:
        assert works(daemon, first)
        before = anonymous_kilobytes(daemon.process.pid)
        with contextlib.ExitStack() as stack:
            halves = [stack.enter_context(connect(daemon)) for _ in range(40)]
            for connection in halves:
                with contextlib.suppress(OSError):
                    connection.sendall(b"\x0bMSH|" + b"x" * 1_000_000)
            closed = sum(is_closed(connection, 0.1) for connection in halves)
            assert 30 <= closed < 40
            assert works(daemon, first)
            assert anonymous_kilobytes(daemon.process.pid) - before < 24 * 1024
    assert works(daemon, connect(daemon))


def test_listeners_of_their_own(system, start, tmp_path):
    """One listener for each hospital: the site follows from the port, whatever the sender calls itself; each has its own networks."""
    for site in ("LISTENEAST", "LISTENWEST"):
        system.db.execute("SELECT radscheduler.create_site(%s, %s, 'Europe/Berlin')", site, site.title())
    ports = {site: free_port() for site in ("LISTENEAST", "LISTENWEST")}
    file = tmp_path / "listeners.json"
    file.write_text(json.dumps([
        {"name": "east", "host": "127.0.0.1", "port": ports["LISTENEAST"], "site": "LISTENEAST"},
        {"name": "west", "host": "127.0.0.1", "port": ports["LISTENWEST"], "site": "LISTENWEST", "networks": ["127.0.0.3"]},
    ]))
    start(RADSCHED_MLLP_LISTENERS=str(file))
    booking = Booking(application="LISTENRIS", facility="LISTENHOSP")
    with Client(ports["LISTENEAST"]) as client:
        assert client.send(booking.message()).code == "AA"
        batch = [Booking(application="LISTENRIS", facility="LISTENHOSP") for _ in range(5)]
        client.write(b"".join(frame(one.message()) for one in batch))
        assert all(b"|AA|" in client.read_frame() for _ in batch)
    with socket.create_connection(("127.0.0.1", ports["LISTENWEST"]), source_address=("127.0.0.3", 0)) as west:
        other = Booking(application="LISTENRIS", facility="LISTENHOSP")
        west.sendall(frame(other.message()))
        assert b"|AA|" in west.recv(65536)
    with Client(ports["LISTENWEST"]) as outside:
        assert is_closed(outside.socket)
    sites = {row["filler_id"]: row["code"] for row in system.db.rows(
        "SELECT a.filler_id, s.code FROM radscheduler.appointment a JOIN radscheduler.site s USING (site_id) WHERE s.code LIKE 'LISTEN%%'")}
    assert sites == {**{one.filler: "LISTENEAST" for one in (booking, *batch)}, other.filler: "LISTENWEST"}
