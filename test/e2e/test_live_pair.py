"""Two daemons on one database, one of which publishes to Redis, and followers of both, over WebSocket and SSE. Whichever is killed with -9, its
followers go on at the other one from their cursor: they see every event once and in order. So does the stream in Redis.
"""

import asyncio
import contextlib
import json
import threading
import time

import pytest
import redis
import requests
import websockets
from support.live import Client, Stream
from support.live_world import metric, start, two_sites
from support.services import eventually

EVENTS = 700
PAUSE = 0.015  # seconds between two of them


@pytest.fixture(scope="module")
def world(cluster):
    with two_sites(cluster, "live_pair") as daemon:
        daemon.stop()  # only its database is wanted
        yield daemon


@pytest.fixture
def pair(world, server):
    daemons = [start(world.database, redis_url=server.url) for _ in range(2)]
    yield daemons
    for daemon in daemons:
        daemon.stop()


class Writer(threading.Thread):
    """Events one by one, each in a transaction of its own; every tenth is of the other site, which nobody here may see."""

    def __init__(self, database):
        super().__init__(daemon=True)
        self._database = database
        self.done = threading.Event()
        self.start()

    def run(self):
        with contextlib.closing(self._database.connect()) as connection, connection.cursor() as cursor:
            for n in range(EVENTS):
                cursor.execute("INSERT INTO radscheduler.event_log (site_id, type, data) SELECT site_id, 'resource.updated', %s FROM radscheduler.site WHERE code = %s",
                               (json.dumps({"n": n}), "ANNEX" if n % 10 == 9 else self._database.home))
                time.sleep(PAUSE)
        self.done.set()


WANTED = [n for n in range(EVENTS) if n % 10 != 9]


class Follower(threading.Thread):
    """Follows one daemon, and the other one as soon as that is gone, from the last cursor it has. It has no other memory."""

    def __init__(self, pair, first, key, since):
        super().__init__(daemon=True)
        self._daemons = [pair[first], pair[1 - first]]
        self._key = key
        self.place = since
        self.seen = []
        self.connections = 0
        self.problem = None
        self.start()

    def run(self):
        try:
            deadline = time.monotonic() + 120
            while (not self.seen or self.seen[-1] != WANTED[-1]) and time.monotonic() < deadline:
                with contextlib.suppress(OSError, requests.RequestException, websockets.WebSocketException, asyncio.TimeoutError):
                    self.follow(self._daemons[0])
                self._daemons.reverse()
        except BaseException as problem:  # the test tells it
            self.problem = problem

    def take(self, place, event):
        self.place = place
        self.seen.append(event["data"]["n"])

    def check(self):
        self.join(150)
        assert self.problem is None, self.problem
        assert self.seen == WANTED, f"{len(self.seen)} events of {len(WANTED)}, {len(self.seen) - len(set(self.seen))} of them repeated"


class SocketFollower(Follower):
    def follow(self, daemon):
        asyncio.run(self.listen(daemon))

    async def listen(self, daemon):
        async with Client.to(daemon, key=self._key) as client:
            await client.subscribe(types=["resource.*"], since=self.place)
            self.connections += 1
            while self.seen[-1:] != WANTED[-1:]:
                frame = await client.frame(20)
                assert frame["op"] != "resync", frame
                if frame["op"] == "event":
                    self.take(frame["cursor"], frame["event"])


class StreamFollower(Follower):
    def follow(self, daemon):
        with Stream(daemon, self._key, last_event_id=self.place, types="resource.*") as stream:
            if stream.reply.status_code != 200:
                return
            self.connections += 1
            for name, data, place in stream.blocks():
                assert name != "resync", data
                if data:
                    self.take(place, json.loads(data))
                if self.seen[-1:] == WANTED[-1:]:
                    return


def leader_of(pair):
    def only_one():
        leading = [daemon for daemon in pair if daemon.is_alive() and metric(daemon, "radsched_relay_leading") == 1]
        return leading if len(leading) == 1 else None
    return eventually(only_one, seconds=20, what="one of them leading")[0]


@pytest.mark.parametrize("order", ["the leader, then the other", "the other, then the leader"])
def test_followers_of_a_killed_daemon_resume_at_the_other(world, pair, server, order):
    database = world.database
    begin = database.row("SELECT epoch, cursor FROM radscheduler.event_head()")
    place = f"{begin['epoch']}:{begin['cursor']}"
    leader_of(pair)
    writer = None
    followers = []
    for kill_leader in (True, False) if order.startswith("the leader") else (False, True):
        # New ones at both; those of before are all at the one that was not killed.
        new = [kind(pair, first, database.keys["home"], place) for kind in (SocketFollower, StreamFollower) for first in (0, 1)]
        followers += new
        eventually(lambda: all(follower.connections for follower in followers), seconds=30, what="everybody following")
        writer = writer or Writer(database)
        time.sleep(EVENTS * PAUSE / 5)
        leader = leader_of(pair)
        victim = leader if kill_leader else next(daemon for daemon in pair if daemon is not leader)
        survivor = next(daemon for daemon in pair if daemon is not victim)
        moving = metric(victim, "radsched_live_connections")
        assert moving >= 2, "hardly anybody follows the one that is killed"
        victim.kill()
        eventually(lambda daemon=survivor: metric(daemon, "radsched_live_connections") == len(followers), seconds=20, what="everybody following the other one")
        assert not writer.done.is_set(), "nothing happened meanwhile"
        assert leader_of(pair) is survivor
        victim.start()
    assert writer.done.wait(60)
    for follower in followers:
        follower.check()
    check_stream(database, server, begin["cursor"])


def check_stream(database, server, begin):
    mine = [row["cursor"] for row in database.rows("SELECT cursor FROM radscheduler.events_after(%s, 10000) WHERE site = %s", begin, database.home)]
    assert len(mine) >= len(WANTED)
    client = redis.Redis(port=server.port)
    stream = f"radsched:{{{database.home}}}:events"
    eventually(lambda: client.xlen(stream) >= len(mine), seconds=30, what="every event in the stream")
    entries = [entry.decode() for entry, _ in client.xrange(stream)]
    assert entries[-len(mine):] == mine
