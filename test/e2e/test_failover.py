"""The database moves to its standby: DATABASE_URL names both and asks for the one that takes writes. Nothing is answered in between, least of all AE;
what was acknowledged is on the new one, and what waited is answered there.
"""

import threading
import time

import psycopg2.extras
import pytest
from support.messages import Booking
from support.mllp import Client, frame
from support.senders import Resender
from support.services import DAEMON_ROLE, Cluster, Daemon, Database, eventually
from support.standby import Standby

NAME = "failover"


class Promoted:
    """The database as the standby has it."""

    def __init__(self, standby, user):
        self._connection = psycopg2.connect(host=str(standby.folder), port=standby.port, user=user, dbname=NAME)
        self._connection.autocommit = True

    def row(self, query, *arguments):
        with self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(query, arguments)
            return cursor.fetchone()

    def value(self, query, *arguments):
        return next(iter(self.row(query, *arguments).values()))

    def close(self):
        self._connection.close()


@pytest.fixture
def primary():
    cluster = Cluster(NAME, NAME)
    yield cluster
    cluster.destroy()


def test_a_failover_loses_nothing(primary):
    database = Database.create(primary, NAME)
    standby = Standby(primary)
    daemon = None
    try:
        database.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        database.execute("SELECT pg_reload_conf()")
        eventually(lambda: database.value("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == 1, what="synchronous replication")
        database.close()
        daemon = Daemon(f"postgresql://{DAEMON_ROLE}@/{NAME}?host={standby.folder},{primary.host}&port={standby.port},{primary.port}&target_session_attrs=read-write")
        acknowledged, problems = [], []
        stop = threading.Event()

        def sender():
            resender = Resender(daemon.mllp_port)
            try:
                while not stop.is_set():
                    booking = Booking()
                    ack = resender.deliver(booking.message(), 90)
                    acknowledged.append(booking)
                    if (ack.code, ack.control_id) != ("AA", booking.control_id):
                        problems.append(ack.raw)
            except Exception as error:
                problems.append(f"{type(error).__name__}: {error}")
            finally:
                resender.close()

        threads = [threading.Thread(target=sender) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(1.0)
        primary.stop("immediate")
        before = len(acknowledged)
        with Client(daemon.mllp_port) as client:
            client.write(frame(Booking().message()))
            assert client.is_silent(1.5), "an answer was given while no database took writes"
        standby.promote()
        eventually(lambda: len(acknowledged) > before + 8, seconds=60, what="messages being acknowledged by the new primary")
        stop.set()
        for thread in threads:
            thread.join(timeout=120)
        assert problems == [] and before > 0
        promoted = Promoted(standby, primary.user)
        try:
            assert {booking.count(promoted) for booking in acknowledged} == {1}
        finally:
            promoted.close()
        assert daemon.is_alive()
    finally:
        if daemon:
            daemon.stop()
        standby.close()
