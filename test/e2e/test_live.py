"""Live events: radsched.v1 over WebSocket and server-sent events, with clients of other hands, over two sites, through kill -9."""

import asyncio
import contextlib
import http.server
import json
import re
import shutil
import subprocess
import tempfile
import threading
import time

import jwt as pyjwt
import pytest
import requests
import websockets
from support.live import Client, Stream, bearer, refusal, stubborn
from support.services import Daemon, Database, eventually

SECRET = "0123456789abcdef0123456789abcdef-for-live"
NAME = "Octavia Exampleton"
BEAT = 2  # seconds


@pytest.fixture(scope="module")
def world(cluster):
    """Two sites, keys for each, one daemon that asks for credentials."""
    database = Database.create(cluster, "live")
    database.home = database.value("SELECT code FROM radscheduler.site")
    database.execute("SELECT radscheduler.create_site('ANNEX', 'Annex', 'UTC')")
    for site, scanner, kind in ((database.home, "MAGNET1", "MR"), (database.home, "MAGNET2", "MR"), (database.home, "TUBE1", "CT"), ("ANNEX", "MAGNET1", "MR")):
        at(database, site, "SELECT radscheduler.add_resource(%s, %s, 'equipment', %s)", scanner, scanner, kind)
    database.keys = {
        name: key(database, site, scopes)
        for name, site, scopes in (("home", database.home, "events:read"), ("annex", "ANNEX", "events:read"), ("reader", database.home, "events:read,appointments:read"),
                                   ("blind", database.home, "appointments:read"))
    }
    daemon = start(database)
    daemon.database = database
    yield daemon
    daemon.stop()
    database.close()


def start(database, **settings):
    return Daemon(database.url, **{"JWT_SECRET": SECRET, "RADSCHED_LIVE_HEARTBEAT": f"{BEAT}s", "RADSCHED_RATE_LIMIT": "0", **settings})


def at(database, site, query, *arguments):
    """One statement at one site."""
    database.execute("SELECT set_config('radscheduler.site', %s, false)", site)
    try:
        return database.rows(query, *arguments)
    finally:
        database.execute("RESET radscheduler.site")


def key(database, site, scopes):
    return at(database, site, "SELECT radscheduler.create_api_key('live', string_to_array(%s, ',')) AS key", scopes)[0]["key"]


def book(database, start_, site=None, scanner="MAGNET1", modality="MR", mrn=None):
    mrn = mrn or "LIVE" + re.sub(r"\D", "", start_) + scanner
    return at(database, site or database.home, "SELECT appointment_id AS id FROM radscheduler.book(%s, %s::timestamptz, %s, duration_minutes => 30, resources => ARRAY[%s], patient_name => %s)",
              mrn, start_, modality, scanner, NAME)[0]["id"]


def make_events(database, count, site=None, kind="stats.updated", first=1):
    """Many events at once, as a busy schedule would write them, each in a transaction of its own batch."""
    at(database, site or database.home, "INSERT INTO radscheduler.event_log (site_id, type, data)"
       " SELECT radscheduler.current_site(), %s, jsonb_build_object('n', n, 'pad', repeat('x', 400)) FROM generate_series(%s::integer, %s::integer) n RETURNING seq", kind, first, first + count - 1)


def signed(world, seconds=600, subject="elsewhere", scopes=("events:read",), **more):
    now = int(time.time())
    claims = {"iss": "radscheduler", "aud": "radscheduler-users", "sub": subject, "iat": now, "exp": now + seconds, "site": world.database.home, "scopes": list(scopes), **more}
    return pyjwt.encode(claims, SECRET, algorithm="HS256")


def ticket(world, credential):
    reply = world.post("/api/v1/stream-tickets", headers=bearer(credential))
    assert reply.status_code == 201, reply.text
    return reply.json()["ticket"]


def test_every_way_in_says_hello(world):
    keys = world.database.keys

    async def greeted(**how):
        async with Client.to(world, **how) as client:
            hello = await client.frame()
            assert hello["op"] == "hello" and hello["version"] == 1 and re.fullmatch(r"\d+-\d+", hello["cursor"]), hello
            assert client.socket.subprotocol == ("radsched.v1" if how.get("subprotocols") != () else None)
            return hello

    async def run():
        token = signed(world)
        hello = await greeted(key=keys["home"])
        assert hello["epoch"] == world.database.value("SELECT radscheduler.event_epoch()") and hello["heartbeat_s"] == BEAT
        await greeted(key=token)
        await greeted(headers={"X-API-Key": keys["home"]})
        await greeted(subprotocols=("radsched.v1", "bearer." + token))
        await greeted(subprotocols=("radsched.v1", "bearer." + keys["home"]))
        await greeted(key=keys["home"], subprotocols=())
        await greeted(key=keys["home"], path="/api/v1/ws")
        await greeted(ticket=ticket(world, keys["home"]))
        async with Client.to(world) as client:  # a browser's script: nothing in the URL, the token in the first frame
            await client.say(op="auth", token=token)
            assert (await client.frame())["op"] == "hello"

    asyncio.run(run())


def test_who_is_not_let_in_is_told_why(world):
    keys = world.database.keys

    async def run():
        used = ticket(world, keys["home"])
        async with Client.to(world, ticket=used) as client:
            await client.frame()
        assert await refusal(world, ticket=used) == 401
        assert await refusal(world, ticket="guess") == 401
        assert await refusal(world, ticket=used, key=keys["home"]) == 401
        assert await refusal(world, key="rsk_aaaaaaaa_" + "b" * 43) == 401
        assert await refusal(world, key=signed(world, -60)) == 401
        assert await refusal(world, key=keys["blind"]) == 403
        assert await refusal(world, token=keys["home"]) == 400  # a token in a URL ends up in logs
        assert await refusal(world, key=keys["home"], subprotocols=("other.v1",)) == 400
        assert await refusal(world, key=keys["home"], origin="https://elsewhere.example") == 403
        async with Client.to(world, key=keys["home"], origin=world.base):
            pass
        async with Client.to(world) as client:
            await client.say(op="subscribe", id="s1")
            assert await client.close_code() == 4401
        async with Client.to(world) as client:
            await client.say(op="auth", token="guess")
            assert await client.close_code() == 4401
        async with Client.to(world) as client:
            await client.say(op="auth", token=keys["blind"])
            assert await client.close_code() == 4403
        async with Client.to(world) as client:
            began = time.monotonic()
            assert await client.close_code() == 4408
            assert 4 < time.monotonic() - began < 9

    asyncio.run(run())
    assert world.get("/ws").status_code == 426
    assert world.get("/api/v1/stream").status_code == 401
    assert world.get("/api/v1/stream", headers=bearer(keys["blind"])).status_code == 403
    assert world.get("/api/v1/stream", headers=bearer(keys["home"]), params={"type": "x"}).json()["code"] == "invalid_parameter"
    assert world.get("/api/v1/stream", headers={**bearer(keys["home"]), "Accept": "application/json"}).status_code == 406
    assert world.post("/api/v1/stream-tickets").status_code == 401
    assert world.post("/api/v1/stream-tickets", headers=bearer(keys["blind"])).status_code == 403


def test_events_arrive_thin_in_order_and_by_filter(world):
    database, keys = world.database, world.database.keys

    async def run():
        async with Client.to(world, key=keys["home"]) as client:
            await client.subscribe("all")
            await client.subscribe("magnet1", filter={"resource": ["magnet1"]})
            await client.subscribe("ct", types=["appointment.*"], filter={"modality": ["CT"]})
            await client.subscribe("june3", filter={"from": "2031-06-03", "to": "2031-06-04"})
            await client.subscribe("cancelled", types=["appointment.cancelled"])
            first = book(database, "2031-06-02T15:00:00Z", mrn="THINLY1")
            scan = book(database, "2031-06-02T15:00:00Z", scanner="TUBE1", modality="CT", mrn="THINLY2")
            at(database, database.home, "SELECT radscheduler.reschedule(%s, '2031-06-03T16:00:00Z', resources => '{MAGNET2}')", first)
            at(database, database.home, "SELECT radscheduler.cancel(%s)", first)
            events = await client.events(4)
            assert [(sorted(e["sub"]), e["event"]["type"], e["event"]["data"]["appointment_id"]) for e in events] == [
                (["all", "magnet1"], "appointment.created", first),
                (["all", "ct"], "appointment.created", scan),
                (["all", "june3", "magnet1"], "appointment.rescheduled", first),  # it has left the first magnet, whose followers hear of it
                (["all", "cancelled", "june3"], "appointment.cancelled", first),
            ]
            text = json.dumps(events)
            assert "Exampleton" not in text and "THINLY" not in text
            assert all(e["event"]["specversion"] == "1.0" and e["event"]["cursor"] == e["cursor"] and e["event"]["site"] == database.home for e in events)
            await client.say(op="unsubscribe", id="all")
            await client.until("unsubscribed")
            at(database, database.home, "SELECT radscheduler.cancel(%s)", scan)
            assert sorted((await client.events(1))[0]["sub"]) == ["cancelled", "ct"]
            await client.say(op="subscribe", id="x", filter={"modalities": ["MR"]})
            assert (await client.until("error"))["code"] == "invalid_subscription"
            await client.say(op="ping", t=7)
            assert await client.until("pong") == {"op": "pong", "t": 7}
            await client.socket.send("no JSON")
            assert await client.close_code() == 4400

    asyncio.run(run())


def test_sites_do_not_hear_of_each_other(world):
    database, keys = world.database, world.database.keys

    async def run():
        async with Client.to(world, key=keys["home"]) as home, Client.to(world, key=keys["annex"]) as annex, Client.to(world, ticket=ticket(world, keys["annex"])) as by_ticket:
            start_ = (await home.frame())["cursor"]
            for client in (home, annex, by_ticket):
                await client.subscribe()
            ours = book(database, "2031-06-04T15:00:00Z", mrn="SITES1")
            theirs = book(database, "2031-06-04T15:00:00Z", site="ANNEX", mrn="SITES1")
            for client, site, appointment in ((home, database.home, ours), (annex, "ANNEX", theirs), (by_ticket, "ANNEX", theirs)):
                event = (await client.events(1))[0]["event"]
                assert (event["site"], event["data"]["appointment_id"]) == (site, appointment)
                assert await client.is_quiet(0.5)
            # Neither by replay, whatever cursor they bring.
            await annex.subscribe("again", since=start_)
            replayed = await annex.events(1)
            assert replayed[0]["event"]["site"] == "ANNEX" and (await annex.frame())["op"] == "replayed"
        with Stream(world, keys["annex"], since=start_) as stream:
            (event,) = stream.events(1)
            assert event[1]["site"] == "ANNEX"

    asyncio.run(run())


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


def test_an_event_stream_is_what_an_event_source_expects(world):
    database, keys = world.database, world.database.keys
    with Stream(world, keys["home"], types="appointment.*,conflict.*", resource="TUBE1") as stream:
        head = stream.reply.headers
        assert head["Content-Type"] == "text/event-stream" and head["Cache-Control"] == "no-store" and head["X-Accel-Buffering"] == "no"
        blocks = stream.blocks()
        next(blocks)
        assert stream.retry == 2000
        next(blocks)
        began = stream.last_event_id  # before the first event: nothing can be missed
        assert re.fullmatch(r"\d+-\d+-\d+:\d+-\d+", began)
        book(database, "2031-06-05T15:00:00Z")
        scan = book(database, "2031-06-05T15:00:00Z", scanner="TUBE1", modality="CT")
        name, event, place = stream.events(1)[0]
        assert name == "appointment.created" and event["data"]["appointment_id"] == scan
        assert place == f"{event['epoch']}:{event['cursor']}"
    at(database, database.home, "SELECT radscheduler.cancel(%s)", scan)
    with Stream(world, keys["home"], last_event_id=place) as stream:  # as a browser does by itself
        assert [(name, event["data"]["appointment_id"]) for name, event, _ in stream.events(1)] == [("appointment.cancelled", scan)]
    with Stream(world, ticket=ticket(world, keys["home"]), since=began, resource="TUBE1") as stream:
        assert [name for name, _, _ in stream.events(2)] == ["appointment.created", "appointment.cancelled"]


def test_the_guides_names_for_clients_of_the_guide(world):
    database, keys = world.database, world.database.keys

    async def run():
        async with Client.to(world, key=keys["home"], format="legacy") as client:
            with Stream(world, keys["home"], format="legacy") as stream:
                await asyncio.sleep(0.5)
                make_events(database, 1, kind="order.received")  # has no name there
                one = book(database, "2031-06-06T15:00:00Z")
                at(database, database.home, "SELECT radscheduler.cancel(%s)", one)
                frames = [await client.frame(), await client.frame()]
                assert [set(f) for f in frames] == [{"type", "timestamp", "data"}] * 2
                assert [(f["type"], f["data"]["appointment_id"]) for f in frames] == [("appointment_created", one), ("appointment_updated", one)]
                assert [(name, event["type"]) for name, event, _ in stream.events(2)] == [("message", "appointment_created"), ("message", "appointment_updated")]

    asyncio.run(run())


def test_expansion_shows_what_the_follower_may_read_and_is_audited(world):
    database, keys = world.database, world.database.keys

    async def run():
        async with Client.to(world, key=keys["reader"], expand=1) as reader, Client.to(world, key=keys["home"], expand=1) as thin:
            since = (await reader.frame())["cursor"]
            await reader.subscribe()
            await thin.subscribe()
            first = book(database, "2031-06-07T15:00:00Z", mrn="EXPAND1")
            data = (await reader.events(1))[0]["event"]["data"]
            assert data["appointment"]["id"] == first and data["appointment"]["patient"]["name"] == NAME and data["appointment"]["version"] == 1
            assert (await thin.events(1))[0]["event"]["data"]["appointment"] is None
            return first, since

    first, since = asyncio.run(run())
    with Stream(world, keys["reader"], expand=1, since=since) as stream:
        assert stream.events(1)[0][1]["data"]["appointment"]["patient"]["name"] == NAME
    actors = {row["actor"] for row in database.rows("SELECT actor FROM radscheduler.audit_event WHERE action = 'read' AND object_id = %s AND detail ->> 'channel' = 'events'", first)}
    assert "key:" + keys["reader"].split("_")[1] in actors and "key:" + keys["home"].split("_")[1] not in actors


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


def metric(world, name):
    return float(re.search(rf"^{name} (\S+)$", world.get("/metrics").text, re.M).group(1))


def rss(world):
    with open(f"/proc/{world.process.pid}/status", encoding="utf-8") as status:
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status.read(), re.M).group(1)) << 10


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


def test_without_credentials_one_site_is_followed(cluster):
    """RADSCHED_AUTH=open, as a trial does: the site HTTP works for, no other."""
    database = Database.create(cluster, "live_open")
    database.home = database.value("SELECT code FROM radscheduler.site")
    database.execute("SELECT radscheduler.create_site('ANNEX', 'Annex', 'UTC')")
    daemon = Daemon(database.url)
    try:
        async def run():
            async with Client.to(daemon) as client:
                await client.subscribe()
                make_events(database, 1, site="ANNEX")
                make_events(database, 1, first=2)
                event = (await client.events(1))[0]["event"]
                assert (event["site"], event["data"]["n"]) == (database.home, 2)
            assert await refusal(daemon, origin="https://elsewhere.example") == 403

        asyncio.run(run())
    finally:
        daemon.stop()
        database.close()


@pytest.mark.skipif(not shutil.which("chromium"), reason="the Debian package chromium is not installed: EventSource is tested with the reader in support/live.py only")
def test_a_browsers_event_source_resumes_by_itself(world):
    told = []

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = f"""<script>
                const source = new EventSource("{Page.url}");
                source.addEventListener("order.received", e => fetch("/told", {{method: "POST", body: e.lastEventId + " " + e.data}}));
            </script>""".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            told.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    origin = f"http://127.0.0.1:{server.server_port}"
    daemon = start(world.database, RADSCHED_CORS_ORIGINS=origin)
    Page.url = f"{daemon.base}/api/v1/stream?ticket={requests.post(daemon.base + '/api/v1/stream-tickets', headers=bearer(world.database.keys['home']), timeout=10).json()['ticket']}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as profile:
        browser = subprocess.Popen(["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--remote-debugging-port=0", origin],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            eventually(lambda: metric(daemon, "radsched_live_connections") == 1, seconds=60, what="the browser following")
            make_events(world.database, 3, kind="order.received")
            eventually(lambda: len(told) == 3, what="the page being told")
            assert [json.loads(one.split(" ", 1)[1])["data"]["n"] for one in told] == [1, 2, 3]
        finally:
            browser.terminate()
            browser.wait(timeout=20)
            server.shutdown()
            daemon.stop()
