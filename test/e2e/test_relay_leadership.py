"""Two daemons on one database: one publishes. Whichever dies, however, nothing is lost, and nothing comes twice to whoever goes by ids."""

import json
import re
import threading
import time

import pytest
import redis
from support.messages import Booking
from support.services import Daemon, eventually

STREAM = "radsched:{MAIN}:events"


@pytest.fixture
def pair(fresh_system, redis_server):
    redis.Redis(port=redis_server.port).delete(STREAM)
    daemons = [Daemon(fresh_system.db.url, redis_server.url) for _ in range(2)]
    yield daemons
    for daemon in daemons:
        daemon.stop()


def leads(daemon):
    return daemon.is_alive() and re.search(r"^radsched_relay_leading 1$", daemon.get("/metrics").text, re.M) is not None


def the_leader(pair, seconds=10):
    def only_one():
        leading = [daemon for daemon in pair if leads(daemon)]
        return leading if len(leading) == 1 else None
    return eventually(only_one, seconds=seconds, what="one of them leading")[0]


class Traffic(threading.Thread):
    """Messages one after the other to a daemon that nobody kills, until stopped."""

    def __init__(self, system):
        super().__init__(daemon=True)
        self._system = system
        self._ended = threading.Event()
        self.sent = 0
        self.start()

    def run(self):
        with self._system.mllp() as client:
            while not self._ended.is_set():
                assert client.send(Booking().message()).code == "AA"
                self.sent += 1
                time.sleep(0.01)

    def finish(self):
        eventually(lambda: self.sent > 50, seconds=60, what="enough traffic")
        self._ended.set()
        self.join(30)


def check(system, channel, server):
    truth = [row["cursor"] for row in system.db.rows("SELECT cursor FROM radscheduler.events_after(NULL, 10000)")]
    client = redis.Redis(port=server.port)
    eventually(lambda: client.xlen(STREAM) >= len(truth), seconds=30, what="every event in the stream")
    assert [entry.decode() for entry, _ in client.xrange(STREAM)] == truth
    heard = []
    while (message := channel.get_message(timeout=1.0)) is not None:
        heard.append(json.loads(message["data"])["cursor"])
    # A message may come again under the same id, never for the first time behind a later one.
    assert list(dict.fromkeys(heard)) == truth


@pytest.fixture
def channel(redis_server):
    client = redis.Redis(port=redis_server.port)
    channel = client.pubsub(ignore_subscribe_messages=True)
    channel.psubscribe("radsched:{MAIN}:ch:*")
    channel.get_message(timeout=2)
    yield channel
    channel.close()


def test_killing_either_loses_and_repeats_nothing(fresh_system, redis_server, pair, channel):
    traffic = Traffic(fresh_system)
    for victim_leads in (True, False, True):
        leader = the_leader(pair)
        victim = leader if victim_leads else next(daemon for daemon in pair if daemon is not leader)
        victim.kill()
        began = time.monotonic()
        survivor = next(daemon for daemon in pair if daemon is not victim)
        eventually(lambda daemon=survivor: leads(daemon), seconds=10, what="the other one leading")
        assert time.monotonic() - began < 5
        time.sleep(0.5)
        victim.start()
    traffic.finish()
    check(fresh_system, channel, redis_server)


def test_ending_in_peace_hands_over_at_once(fresh_system, redis_server, pair, channel):
    traffic = Traffic(fresh_system)
    for _ in range(2):
        leader = the_leader(pair)
        leader.stop()
        other = next(daemon for daemon in pair if daemon is not leader)
        eventually(lambda daemon=other: leads(daemon), seconds=5, what="the other one leading")
        leader.start()
    traffic.finish()
    check(fresh_system, channel, redis_server)


def test_losing_the_session_gives_up_the_lead(fresh_system, redis_server, pair, channel):
    the_leader(pair)
    traffic = Traffic(fresh_system)
    for _ in range(4):
        killed = fresh_system.db.value("SELECT count(pg_terminate_backend(l.pid)) FROM pg_locks l WHERE l.locktype = 'advisory' AND l.classid = 7421020 AND l.granted")
        assert killed == 1
        time.sleep(0.5)
        the_leader(pair)
    traffic.finish()
    check(fresh_system, channel, redis_server)


def test_one_that_waits_is_healthy_and_says_so(pair):
    leader = the_leader(pair)
    waiting = next(daemon for daemon in pair if daemon is not leader)
    health = waiting.get("/health").json()
    assert (health["status"], health["services"]["redis"]) == ("healthy", "connected")
    assert leads(leader) and not leads(waiting)
