"""The order of events under sixteen writers at once: whoever follows sees each of 30,000 events once, and in one order."""

import threading

import redis
from support.services import Daemon, eventually

WRITERS = 16
EVENTS = 30_000
# Each transaction holds its number for a moment before it commits: numbers commit out of order all the time.
SCRIPT = r"""
\set pause random(1, 3000)
BEGIN;
INSERT INTO radscheduler.event_log (site_id, type) VALUES (1, 'test.event');
\sleep :pause us
END;
"""


class Follower(threading.Thread):
    """Calls step(cursor) for the next page until stopped; keeps the cursors it was given."""

    def __init__(self, database, step):
        super().__init__(daemon=True)
        self._connection = database.connect()
        self._step = step
        self.seen = []
        self.done = threading.Event()
        self.start()

    def run(self):
        with self._connection.cursor() as cursor:
            while self._step(cursor, self.seen) or not self.done.is_set():
                pass


def after(size):
    def step(cursor, seen):
        cursor.execute("SELECT cursor FROM radscheduler.events_after(%s, %s)", (seen[-1] if seen else None, size))
        page = [row[0] for row in cursor.fetchall()]
        seen.extend(page)
        return page
    return step


def relayed(cursor, seen):
    cursor.execute("SELECT cursor FROM radscheduler.relay_fetch('another', 100) WITH ORDINALITY ORDER BY ordinality")
    page = [row[0] for row in cursor.fetchall()]
    if page:
        cursor.execute("SELECT radscheduler.relay_advance('another', %s)", (page[-1],))
    seen.extend(page)
    return page


def naive(cursor, seen):
    """What one would write first: numbers above the last one seen."""
    cursor.execute("SELECT seq FROM radscheduler.event_log WHERE seq > %s ORDER BY seq LIMIT 500", (seen[-1] if seen else 0,))
    page = [row[0] for row in cursor.fetchall()]
    seen.extend(page)
    return page


def test_nothing_missed_and_nothing_repeated(fresh_system, redis_server, tmp_path):
    script = tmp_path / "event.sql"
    script.write_text(SCRIPT, encoding="ascii")
    database = fresh_system.db
    client = redis.Redis(port=redis_server.port)
    client.delete("radsched:{MAIN}:events")
    daemon = Daemon(database.url, redis_server.url)
    loser = Follower(database, naive)
    followers = [Follower(database, after(7)), Follower(database, after(500)), Follower(database, relayed)]
    try:
        written = database.cluster.tool("pgbench", "-n", "-c", WRITERS, "-j", 2, "-t", EVENTS // WRITERS, "-f", script, database.name)
        assert written.returncode == 0, written.stderr.decode()
        truth = [row["cursor"] for row in database.rows("SELECT xid::text || '-' || seq AS cursor FROM radscheduler.event_log ORDER BY xid, seq")]
        assert len(truth) == EVENTS
        loser.done.set()
        loser.join(60)
        assert EVENTS - len(loser.seen) > 100, "the writers did not get in each other's way: this run proves nothing"
        eventually(lambda: client.xlen("radsched:{MAIN}:events") == EVENTS, seconds=60, what="the stream having every event")
        for follower in followers:
            follower.done.set()
            follower.join(60)
            assert follower.seen == truth
        assert [entry.decode() for entry, _ in client.xrange("radsched:{MAIN}:events")] == truth
    finally:
        daemon.stop()
