"""Live events: radsched.v1 over WebSocket and server-sent events, with clients of other hands: who is let in, what is told, of which site."""

import asyncio
import json
import re
import time

import pytest
from support.live import Client, Stream, bearer, refusal
from support.live_world import BEAT, NAME, at, book, key, make_events, signed, ticket, two_sites
from support.services import Daemon, Database

TRACE = "5bf92f3577b34da6a3ce929d0e0e4737"


@pytest.fixture(scope="module")
def world(cluster):
    with two_sites(cluster, "live") as daemon:
        yield daemon


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
        async with Client.to(world, key=keys["reader"], headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, expand=1) as reader, Client.to(world, key=keys["home"], expand=1) as thin:
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
    traced = database.value("SELECT trace_id FROM radscheduler.audit_event WHERE action = 'read' AND object_id = %s AND detail ->> 'channel' = 'events' ORDER BY audit_id LIMIT 1", first)
    assert traced == TRACE, "what is read in the name of a follower belongs to the trace of its connection"
    actors = {row["actor"] for row in database.rows("SELECT actor FROM radscheduler.audit_event WHERE action = 'read' AND object_id = %s AND detail ->> 'channel' = 'events'", first)}
    assert "key:" + keys["reader"].split("_")[1] in actors and "key:" + keys["home"].split("_")[1] not in actors


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
