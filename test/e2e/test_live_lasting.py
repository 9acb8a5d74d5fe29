"""Live events through everything: kill -9, cursors that are too old, silence, readers that do not read, credentials that end."""

import asyncio
import contextlib
import json
import threading
import time

import pytest
import websockets
from support.live import Client, Stream, bearer, stubborn
from support.live_world import BEAT, at, key, make_events, metric, rss, signed, start, ticket, two_sites
from support.services import Database, eventually


@pytest.fixture(scope="module")
def world(cluster):
    with two_sites(cluster, "live_lasting") as daemon:
        yield daemon


def test_a_client_resumes_without_loss_or_repetition_through_kill_9(world):
    database = world.database
    daemon = start(database)
    done = threading.Event()

    def write():
        with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT set_config('radscheduler.site', %s, false)", (database.home,))
            for n in range(600):
                cursor.execute("INSERT INTO radscheduler.event_log (site_id, type, data) VALUES (radscheduler.current_site(), 'resource.updated', %s)", (json.dumps({"n": n}),))
                time.sleep(0.01)
        done.set()

    async def follow(seen, since, kills):
        try:
            async with Client.to(daemon, key=database.keys["home"]) as client:
                await client.subscribe(types=["resource.*"], **({"since": since} if since else {}))
                while not (done.is_set() and seen and seen[-1][1] == 599):
                    frame = await client.until("event", 20)
                    seen.append((frame["cursor"], frame["event"]["data"]["n"]))
                    if len(seen) in kills:
                        kills.discard(len(seen))
                        daemon.kill()
        except (websockets.WebSocketException, OSError):
            return False
        return True

    seen = []
    writer = threading.Thread(target=write)
    try:
        # A first connection, so that what comes before the first event has a cursor too.
        async def hello():
            async with Client.to(daemon, key=database.keys["home"]) as client:
                return (await client.frame())["cursor"]

        since = asyncio.run(hello())
        writer.start()
        kills = {60, 200, 350}
        for _ in range(40):
            if asyncio.run(follow(seen, seen[-1][0] if seen else since, kills)):
                break
            if not daemon.is_alive():
                daemon.start()
        assert not kills, "the daemon was not killed as often as meant"
        assert [n for _, n in seen] == list(range(600))
    finally:
        writer.join()
        daemon.stop()


def test_what_the_daemon_remembers_and_what_the_log_has_meet(world):
    """Two daemons on one database: one remembers the events, the other was started afterwards; both replay the same."""
    database = world.database

    async def replay(daemon, since):
        async with Client.to(daemon, key=database.keys["home"]) as client:
            told = (await client.subscribe(since=since, types=["order.*"]))["replay"]
            found = []
            while (frame := await client.frame())["op"] != "replayed":
                found.append(frame["event"]["data"]["n"])
            return told, found

    async def run():
        async with Client.to(world, key=database.keys["home"]) as client:
            since = (await client.frame())["cursor"]
            await client.subscribe()
            make_events(database, 1500, kind="order.received")
            make_events(database, 20, site="ANNEX", kind="order.received")
            await client.events(1500, 30)
            assert await replay(world, since) == (1500, list(range(1, 1501)))
        late = start(database)
        try:
            assert await replay(late, since) == (1500, list(range(1, 1501)))
        finally:
            late.stop()

    asyncio.run(run())


def test_a_cursor_that_is_too_old_or_from_elsewhere_is_answered_with_resync(cluster):
    database = Database.create(cluster, "live_resync")
    database.home = database.value("SELECT code FROM radscheduler.site")
    credential = key(database, database.home, "events:read")
    daemon = start(database)
    try:
        async def run():
            async with Client.to(daemon, key=credential) as client:
                await client.subscribe()
                make_events(database, 30)
                events = await client.events(30)
                epoch = events[0]["event"]["epoch"]
                await client.subscribe("fine", since=events[9]["cursor"], epoch=epoch)
                assert [e["cursor"] for e in await client.events(20)] == [e["cursor"] for e in events[10:]]
                await client.say(op="subscribe", id="other", since=events[9]["cursor"], epoch="1-1-1")
                assert (await client.until("resync"))["reason"] == "epoch_changed"
            return events

        events = asyncio.run(run())
        daemon.kill()  # what it remembers is gone
        database.execute("DELETE FROM radscheduler.event_log WHERE seq <= %s", int(events[19]["cursor"].split("-")[1]))  # as retention does
        daemon.start()

        async def again():
            async with Client.to(daemon, key=credential) as client:
                await client.say(op="subscribe", id="old", since=events[9]["cursor"])
                resync = await client.until("resync")
                assert resync["reason"] == "cursor_expired" and resync["id"] == "old"
                assert (await client.until("subscribed"))["replay"] == 0
                make_events(database, 1, first=31)  # it goes on from there
                assert (await client.events(1))[0]["event"]["data"]["n"] == 31
                await client.subscribe("kept", since=events[20]["cursor"])
                assert [e["event"]["data"]["n"] for e in await client.events(10)] == list(range(22, 32))

        asyncio.run(again())
        with Stream(daemon, credential, last_event_id=events[0]["event"]["epoch"] + ":" + events[9]["cursor"]) as stream:
            name, data, place = stream.events(1)[0]
            assert (name, data) == ("resync", {"reason": "cursor_expired"}) and place
            make_events(database, 1, first=32)
            assert stream.events(1)[0][1]["data"]["n"] == 32
    finally:
        daemon.stop()
        database.close()


def test_heartbeats_reach_those_who_see_pings_and_those_who_do_not(world):
    keys = world.database.keys

    async def run():
        async with Client.to(world, key=keys["home"], heartbeat=1) as client, Client.to(world, key=keys["home"]) as other:
            await client.subscribe(types=["stats.*"])
            make_events(world.database, 1, kind="order.received")
            beats = [await client.until("hb", 3 * BEAT + 2), await client.until("hb", 3 * BEAT)]
            # A filter that lets nothing through moves the cursor on all the same.
            assert beats[-1]["cursor"] == world.database.value("SELECT cursor FROM radscheduler.event_head()")
            assert other.socket.open  # python3-websockets answers pings; it was sent some in this time

    asyncio.run(run())
    with Stream(world, keys["home"], types="stats.*") as stream:
        for _ in stream.blocks():
            if stream.comments:
                break
        assert stream.comments[0] == "hb"
    # Somebody who answers no ping is given up.
    raw = stubborn(world, keys["home"], {"op": "subscribe", "id": "s1", "types": ["none.*"]})
    with contextlib.closing(raw):
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while raw.recv(4096):
                assert time.monotonic() - began < 6 * BEAT
        assert time.monotonic() - began > BEAT / 2


def test_a_slow_reader_is_dropped_and_the_others_notice_nothing(world):
    database, keys = world.database, world.database.keys
    daemon = start(database, RADSCHED_LIVE_HEARTBEAT="60s")  # not the pings are to end it
    slow = stubborn(daemon, keys["home"], {"op": "subscribe", "id": "s1"})

    async def run():
        async with Client.to(daemon, key=keys["home"]) as client:
            await client.subscribe(types=["stats.*"])
            await asyncio.sleep(0.2)
            late = 0.0
            for batch in range(40):  # 8,000 events of 500 bytes and more
                began = time.monotonic()
                make_events(database, 200, first=batch * 200 + 1)
                events = await client.events(200)
                late = max(late, time.monotonic() - began)
                assert [e["event"]["data"]["n"] for e in events] == list(range(batch * 200 + 1, batch * 200 + 201))
            return late

    try:
        with contextlib.closing(slow):
            assert asyncio.run(run()) < 5
            eventually(lambda: metric(daemon, "radsched_live_slow_dropped_total") == 1, seconds=20, what="the slow reader being dropped")
        assert rss(daemon) < 300 << 20
    finally:
        daemon.stop()


def test_a_revoked_key_and_a_token_that_has_run_out_end_their_connections(world):
    database = world.database
    revoked = key(database, database.home, "events:read")

    async def run():
        async with Client.to(world, key=revoked) as client, Client.to(world, key=database.keys["home"]) as other:
            await client.subscribe()
            await other.subscribe()
            at(database, database.home, "SELECT radscheduler.revoke_api_key(%s)", revoked.split("_")[1])
            assert await client.close_code(4 * BEAT + 5) == 4401
            assert other.socket.open
        async with Client.to(world, key=signed(world, 4, scopes=("events:read",))) as short, Client.to(world, key=signed(world, 4)) as renewed, \
                Client.to(world, ticket=ticket(world, signed(world, 4))) as by_ticket:
            await renewed.frame()
            await renewed.say(op="auth", token=signed(world, 600))
            assert (await renewed.until("authenticated"))["op"] == "authenticated"
            assert await short.close_code() == 4401
            assert await by_ticket.close_code() == 4401
            assert renewed.socket.open
            await renewed.say(op="auth", token=signed(world, 600, subject="somebody"))
            assert await renewed.close_code() == 4403

    asyncio.run(run())


def test_going_away_is_said(world):
    daemon = start(world.database)

    async def run():
        async with Client.to(daemon, key=world.database.keys["home"]) as client:
            await client.subscribe()
            daemon.terminate()
            assert await client.close_code() == 1001

    try:
        asyncio.run(run())
        eventually(lambda: not daemon.is_alive(), what="the end of the daemon")
        assert daemon.process.returncode == 0
    finally:
        daemon.stop()


def test_so_many_connections_and_no_more(world):
    daemon = start(world.database, RADSCHED_LIVE_MAX_CONNECTIONS="2")
    try:
        with Stream(daemon, world.database.keys["home"]) as first, Stream(daemon, world.database.keys["home"]) as second:
            assert (first.reply.status_code, second.reply.status_code) == (200, 200)
            third = daemon.get("/api/v1/stream", headers=bearer(world.database.keys["home"]))
            assert third.status_code == 503 and "Retry-After" in third.headers
            assert daemon.get("/health").status_code == 200
        eventually(lambda: metric(daemon, "radsched_live_connections") == 0, what="both being gone")
    finally:
        daemon.stop()
