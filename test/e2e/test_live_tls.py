"""Live events through TLS: wss:// with python3-websockets, server-sent events with a plain https client, and what TLS adds that can go wrong."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import ssl

import pytest
import requests
import websockets
from support.certificates import Authority
from support.live import Client, Stream, bearer, refusal, trusting
from support.live_world import at, book, make_events, metric, signed, ticket, two_sites
from support.services import eventually


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("live_tls"))


@pytest.fixture(scope="module")
def world(cluster, authority):
    with two_sites(cluster, "live_tls", tls=(*authority.issue("daemon"), authority.file)) as daemon:
        assert daemon.base.startswith("https://")
        yield daemon


def test_every_way_in(world):
    keys = world.database.keys

    async def greeted(**how):
        async with Client.to(world, **how) as client:
            assert client.socket.transport.get_extra_info("ssl_object") and (await client.frame())["op"] == "hello"

    async def run():
        token = signed(world)
        await greeted(key=keys["home"])
        await greeted(headers={"X-API-Key": keys["home"]})
        await greeted(subprotocols=("radsched.v1", "bearer." + token))
        await greeted(ticket=ticket(world, keys["home"]))
        await greeted(key=keys["home"], origin=world.base)
        async with Client.to(world) as client:
            await client.say(op="auth", token=token)
            assert (await client.frame())["op"] == "hello"
        assert await refusal(world, key=keys["blind"]) == 403
        assert await refusal(world, key=keys["home"], origin="https://elsewhere.example") == 403

    asyncio.run(run())


def test_events_and_a_replay_of_many_records(world):
    """2,000 events of 500 bytes and more: many TLS records, cut anywhere."""
    database, keys = world.database, world.database.keys

    async def run():
        async with Client.to(world, key=keys["home"]) as client, Client.to(world, key=keys["annex"]) as annex:
            since = (await client.frame())["cursor"]
            await annex.subscribe()
            await client.subscribe("live")
            for first in range(1, 2001, 200):
                make_events(database, 200, first=first)
            assert [event["event"]["data"]["n"] for event in await client.events(2000, 30)] == list(range(1, 2001))
            await client.subscribe("again", since=since)
            assert [event["event"]["data"]["n"] for event in await client.events(2000, 30)] == list(range(1, 2001))
            assert (await client.frame())["op"] == "replayed"
            assert await annex.is_quiet(0.5)

    asyncio.run(run())


def test_an_event_stream_over_https(world):
    """Read with http.client alone, line by line, then resumed as a browser would."""
    database, keys = world.database, world.database.keys
    connection = http.client.HTTPSConnection("127.0.0.1", world.http_port, timeout=20, context=trusting(world))
    with contextlib.closing(connection):
        connection.request("GET", "/api/v1/stream?types=appointment.*", headers={**bearer(keys["home"]), "Accept": "text/event-stream"})
        reply = connection.getresponse()
        assert (reply.status, reply.getheader("Content-Type"), reply.getheader("Strict-Transport-Security")) == (200, "text/event-stream", "max-age=31536000")
        lines = iter(lambda: reply.readline().decode().rstrip("\n"), None)
        place = next(line for line in lines if line.startswith("id: ")).removeprefix("id: ")
        scan = book(database, "2031-06-09T15:00:00Z")
        event = json.loads(next(line for line in lines if line.startswith("data: ")).removeprefix("data: "))
        assert (event["type"], event["data"]["appointment_id"]) == ("appointment.created", scan)
    at(database, database.home, "SELECT radscheduler.cancel(%s)", scan)
    with Stream(world, keys["home"], last_event_id=place, types="appointment.*") as stream:
        assert [(name, event["data"]["appointment_id"]) for name, event, _ in stream.events(2)] == [("appointment.created", scan), ("appointment.cancelled", scan)]
    with Stream(world, ticket=ticket(world, keys["home"]), since=place, types="appointment.*") as stream:
        assert len(stream.events(2)) == 2


def test_who_does_not_trust_it_is_not_served_and_plain_text_neither(world, tmp_path):
    keys = world.database.keys
    stranger = Authority(tmp_path / "stranger", "Stranger")

    async def connect(uri, context):
        async with websockets.connect(uri, extra_headers=bearer(keys["home"]), ssl=context, open_timeout=20):
            pass

    address = f"127.0.0.1:{world.http_port}/ws"
    with pytest.raises(ssl.SSLCertVerificationError):
        asyncio.run(connect(f"wss://{address}", ssl.create_default_context(cafile=stranger.file)))
    with pytest.raises((websockets.InvalidHandshake, websockets.ConnectionClosed, OSError)):
        asyncio.run(connect(f"ws://{address}", None))
    with pytest.raises(requests.RequestException):
        requests.get(f"http://127.0.0.1:{world.http_port}/api/v1/stream", headers=bearer(keys["home"]), timeout=10)
    assert world.get("/health").status_code == 200


def test_followers_that_vanish_are_let_go(world):
    """Without close_notify, as when a laptop's lid is shut or a proxy falls over; then with bytes that are no TLS."""
    eventually(lambda: metric(world, "radsched_live_connections") == 0, what="nobody following")
    request = f"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {world.database.keys['home']}\r\nAccept: text/event-stream\r\n\r\n".encode()
    for last_words in (b"", os.urandom(100)):
        plain = socket.create_connection(("127.0.0.1", world.http_port), timeout=20)
        follower = trusting(world).wrap_socket(plain, server_hostname="127.0.0.1")
        follower.sendall(request)
        assert b"200 OK" in follower.recv(4096)
        eventually(lambda: metric(world, "radsched_live_connections") == 1, what="the follower being counted")
        with contextlib.closing(socket.socket(fileno=follower.detach())) as raw:  # the bare connection, without what TLS would say at its end
            if last_words:
                raw.sendall(last_words)
        make_events(world.database, 1)
        eventually(lambda: metric(world, "radsched_live_connections") == 0, what="the follower being let go")


def test_a_renewed_certificate_leaves_followers_alone(cluster, authority, tmp_path):
    now = tmp_path / "now.pem", tmp_path / "now.key"

    def install(issuer):
        for source, target in zip(issuer.issue("renewed"), now):
            target.write_bytes(source.read_bytes())

    install(authority)
    with two_sites(cluster, "live_tls_renewed", tls=(*now, authority.file)) as daemon:
        database, keys = daemon.database, daemon.database.keys

        async def run():
            async with Client.to(daemon, key=keys["home"]) as client:
                await client.subscribe()
                successor = Authority(tmp_path / "successor", "Successor")
                install(successor)
                daemon.process.send_signal(signal.SIGHUP)
                await asyncio.get_running_loop().run_in_executor(None, lambda: eventually(lambda: '"http.certificate"' in daemon.log.read_text(), what="the new certificate"))
                make_events(database, 3)
                assert [event["event"]["data"]["n"] for event in await client.events(3)] == [1, 2, 3]
                daemon.trust = str(successor.file)
                async with Client.to(daemon, key=keys["home"]) as later:
                    since = (await later.frame())["cursor"]
                daemon.terminate()
                assert await client.close_code() == 1001
                return since

        since = asyncio.run(run())
        daemon.process.wait(timeout=20)
        make_events(database, 2, first=4)
        daemon.start()
        with Stream(daemon, keys["home"], since=since) as stream:
            assert [event["data"]["n"] for _, event, _ in stream.events(2)] == [4, 5]
