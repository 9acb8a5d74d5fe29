"""What Redis holds, and what becomes of events when it cannot take them: streams with the cursor as id, TLS, users, and every way to fail.

Each test has a redis-server and a daemon of its own on one database, whose first daemon, without Redis, takes the messages.
"""

import contextlib
import json
import time

import pytest
import redis
from support.certificates import Authority
from support.messages import Booking
from support.services import Daemon, Database, Redis, eventually
from support.system import System

STREAM = "radsched:{MAIN}:events"


@pytest.fixture(scope="module")
def taker(cluster):
    system = System(Database.create(cluster, "redis_streams"), None)
    yield system
    system.stop()
    cluster.admin('DROP DATABASE "redis_streams" WITH (FORCE)')


def server_client(server, **options):
    return redis.Redis(port=server.port, **options)


@contextlib.contextmanager
def publishing(taker, url, **settings):
    daemon = Daemon(taker.db.url, url, **settings)
    try:
        yield daemon
    finally:
        daemon.stop()


def book(taker, count=1):
    """Ids of new appointments; their messages are acknowledged whatever Redis does, and at once."""
    ids = []
    for _ in range(count):
        booking = Booking()
        began = time.monotonic()
        assert taker.send(booking.message()).code == "AA"
        assert time.monotonic() - began < 3
        ids.append(booking.row(taker.db)["id"])
    return ids


def created(client, stream=STREAM):
    events = [json.loads(fields[b"data"]) for _, fields in client.xrange(stream)]
    return [event["data"]["appointment_id"] for event in events if event["type"] == "appointment.created"]


def wait_for(client, ids):
    """Until the stream has an event of each, in order and once."""
    eventually(lambda: set(ids) <= set(created(client)), seconds=30, what="the events in the stream")
    assert [identity for identity in created(client) if identity in ids] == ids


def test_stream_channel_and_database_agree(taker, server):
    client = server_client(server)
    channel = client.pubsub(ignore_subscribe_messages=True)
    channel.psubscribe("radsched:{MAIN}:ch:*")
    channel.get_message(timeout=2)
    start = taker.db.value("SELECT cursor FROM radscheduler.event_head()")
    with publishing(taker, server.url):
        wait_for(client, book(taker, 5))
    entries = client.xrange(STREAM)
    log = taker.db.rows("SELECT cursor, type, payload, epoch FROM radscheduler.events_after(%s)", start)
    ours = entries[-len(log):]
    assert [entry.decode() for entry, _ in ours] == [row["cursor"] for row in log]
    assert [fields[b"id"].decode() for _, fields in ours] == [row["cursor"] for row in log]
    assert [fields[b"type"].decode() for _, fields in ours] == [row["type"] for row in log]
    assert [json.loads(fields[b"data"]) for _, fields in ours] == [json.loads(row["payload"]) for row in log]
    assert {json.loads(fields[b"data"])["epoch"] for _, fields in ours} == {log[0]["epoch"]}
    heard = []
    while (message := channel.get_message(timeout=0.5)) is not None:
        assert message["channel"].decode() == "radsched:{MAIN}:ch:" + json.loads(message["data"])["type"].split(".")[0]
        heard.append(json.loads(message["data"])["id"])
    assert heard[-len(log):] == [row["cursor"] for row in log]
    assert client.get("radsched:{MAIN}:events:now").decode() == STREAM


def test_a_group_of_readers_goes_on_where_it_was(taker, server):
    client = server_client(server)
    with publishing(taker, server.url):
        first = book(taker, 2)
        wait_for(client, first)
        client.xgroup_create(STREAM, "pacs", id="0")
        seen = read_group(client)
        second = book(taker, 2)
        wait_for(client, second)
        seen += read_group(client)
    assert seen == created(client)


def read_group(client):
    seen = []
    while batch := client.xreadgroup("pacs", "one", {STREAM: ">"}, count=3):
        for entry, fields in batch[0][1]:
            event = json.loads(fields[b"data"])
            if event["type"] == "appointment.created":
                seen.append(event["data"]["appointment_id"])
            client.xack(STREAM, "pacs", entry)
    return seen


def test_publishing_twice_is_harmless(taker, server):
    """As after a crash between publishing and moving the cursor: everything is published again, and the stream has it once."""
    client = server_client(server)
    before = taker.db.row("SELECT coalesce(max(xid::text::bigint), 0) AS xid, coalesce(max(seq), 0) AS seq FROM radscheduler.relay_cursor")
    with publishing(taker, server.url) as daemon:
        ids = book(taker, 4)
        wait_for(client, ids)
        daemon.kill()
        entries = client.xrange(STREAM)
        taker.db.execute("UPDATE radscheduler.relay_cursor SET xid = %s::text::xid8, seq = %s", before["xid"], before["seq"])
        daemon.start()
        more = book(taker, 1)
        wait_for(client, ids + more)
        assert client.xrange(STREAM)[:len(entries)] == entries
        assert "radsched_relay_repeated_total 0" not in metrics(daemon)
        assert "stream_ahead" not in daemon.log.read_text(encoding="utf-8")


def metrics(daemon):
    return daemon.get("/metrics").text


def test_tls_with_certificates_on_both_sides(taker, tmp_path):
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("redis")
    own, own_key = authority.issue("radschedulerd")
    server = Redis("--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", authority.file, tls=True)
    try:
        client = server_client(server, ssl=True, ssl_ca_certs=str(authority.file), ssl_certfile=str(own), ssl_keyfile=str(own_key))
        trusting = {"RADSCHED_REDIS_CA": str(authority.file), "RADSCHED_REDIS_CERT": str(own), "RADSCHED_REDIS_KEY": str(own_key)}
        with publishing(taker, server.url, **trusting):
            ids = book(taker, 2)
            wait_for(client, ids)
            assert client.client_kill_filter(_type="normal", skipme=True) >= 1
            more = book(taker, 2)
            wait_for(client, ids + more)
        stranger = Authority(tmp_path / "stranger", "Stranger")
        with publishing(taker, server.url, **dict(trusting, RADSCHED_REDIS_CA=str(stranger.file))) as daemon:
            eventually(lambda: "certificate verify failed" in daemon.log.read_text(encoding="utf-8"), what="the refusal of the server's certificate")
            assert daemon.get("/health").json()["services"]["redis"] == "disconnected"
        with publishing(taker, server.url.replace("127.0.0.1", "127.0.0.2"), **trusting) as daemon:
            eventually(lambda: "redis.unreachable" in daemon.log.read_text(encoding="utf-8"), what="the refusal of another host")
    finally:
        server.stop()


def test_user_password_and_database_of_the_url(taker):
    """A user that may do what docs/dba.md says it must, and no more."""
    server = Redis("--requirepass", "e2e-master-secret",
                   "--user", *"radsched on >e2e%secret ~radsched:* &radsched:* +xadd +publish +set +get +del +select +ping +auth".split())
    try:
        client = server_client(server, password="e2e-master-secret", db=3)
        with publishing(taker, f"redis://radsched:e2e%25secret@127.0.0.1:{server.port}/3") as daemon:
            wait_for(client, book(taker, 2))
            eventually(lambda: client.get("radsched:{MAIN}:cache:dashboard"), what="the cached figures")
            assert "e2e%secret" not in daemon.log.read_text(encoding="utf-8")
        assert server_client(server, password="e2e-master-secret", db=0).keys() == []
    finally:
        server.stop()


def test_wrong_password_is_told_and_mended(taker):
    server = Redis("--requirepass", "e2e-right-secret")
    try:
        client = server_client(server, password="e2e-right-secret")
        with publishing(taker, f"redis://:e2e-wrong-secret@127.0.0.1:{server.port}") as daemon:
            eventually(lambda: "WRONGPASS" in daemon.log.read_text(encoding="utf-8"), what="the complaint")
            ids = book(taker, 2)
            health = daemon.get("/health").json()
            assert (health["status"], health["services"]["redis"]) == ("degraded", "disconnected")
            client.config_set("requirepass", "e2e-wrong-secret")
            wait_for(client, ids)
            log = daemon.log.read_text(encoding="utf-8")
            assert "e2e-wrong" not in log and log.count("redis.unreachable") == 1
    finally:
        server.stop()


def test_replica_that_takes_no_writes(taker, server):
    client = server_client(server)
    with publishing(taker, server.url) as daemon:
        first = book(taker, 1)
        wait_for(client, first)
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        ids = book(taker, 2)
        eventually(lambda: "READONLY" in daemon.log.read_text(encoding="utf-8"), what="the complaint")
        eventually(lambda: daemon.get("/health").json()["details"]["redis"]["relay_lag_ms"] > 0, what="the lag")
        client.execute_command("REPLICAOF", "NO", "ONE")
        wait_for(client, first + ids)


def test_full_memory_repeats_nothing_on_the_channels(taker, server):
    client = server_client(server)
    channel = client.pubsub(ignore_subscribe_messages=True)
    channel.subscribe("radsched:{MAIN}:ch:appointment")
    channel.get_message(timeout=2)
    with publishing(taker, server.url) as daemon:
        wait_for(client, book(taker, 1))
        client.config_set("maxmemory", "1")
        ids = book(taker, 2)
        eventually(lambda: "memory is full" in daemon.log.read_text(encoding="utf-8"), what="the complaint")
        time.sleep(2)  # several tries
        client.config_set("maxmemory", "0")
        wait_for(client, ids)
        assert heard_of(channel, ids) == ids


def heard_of(channel, ids):
    """Appointments of which a channel told that they were created, in the order of the messages."""
    heard = []
    while (message := channel.get_message(timeout=1.0)) is not None:
        event = json.loads(message["data"])
        if event["type"] == "appointment.created" and event["data"]["appointment_id"] in ids:
            heard.append(event["data"]["appointment_id"])
    return heard


def test_killed_connections_lose_and_repeat_nothing(taker, server):
    client = server_client(server)
    with publishing(taker, server.url):
        ids = []
        for _ in range(5):
            ids += book(taker, 2)
            client.client_kill_filter(_type="normal", skipme=True)
        wait_for(client, ids)
        entries = [entry for entry, _ in client.xrange(STREAM)]
        assert len(entries) == len(set(entries))


def test_restart_of_redis(taker, server):
    """An empty Redis gets every event that came meanwhile, and what came before is not repeated: streams are as durable as their server."""
    with publishing(taker, server.url) as daemon:
        first = book(taker, 2)
        wait_for(server_client(server), first)
        server.stop()
        eventually(lambda: daemon.get("/health").json()["services"]["redis"] == "disconnected", seconds=20, what="the loss being seen")
        ids = book(taker, 3)
        eventually(lambda: daemon.get("/health").json()["details"]["redis"]["relay_lag_ms"] > 0, what="the lag")
        server.start()
        wait_for(server_client(server), ids)
        assert not set(first) & set(created(server_client(server)))


def test_figures_are_kept_in_redis_and_follow_events(taker, server):
    client = server_client(server)
    key = "radsched:{MAIN}:cache:dashboard"
    with publishing(taker, server.url):
        figures = eventually(lambda: client.get(key), what="the figures")
        before = json.loads(figures)["dashboard"]["realtime"]["messagesLastHour"]
        book(taker, 3)
        eventually(lambda: (value := client.get(key)) and json.loads(value)["dashboard"]["realtime"]["messagesLastHour"] == before + 3, seconds=10, what="new figures")
        assert 0 < client.ttl(key) <= 60
        asked = taker.get("/api/analytics/dashboard").json()["dashboard"]
        assert json.loads(client.get(key))["dashboard"]["overview"] == asked["overview"]
        server.stop()
        assert taker.get("/api/analytics/dashboard").status_code == 200
        server.start()


def test_metric_names_who_holds_events_back(taker, server, cluster):
    """Also when it works in another database of the cluster."""
    client = server_client(server)
    with publishing(taker, server.url) as daemon, contextlib.closing(cluster.connect("postgres")) as other:
        wait_for(client, book(taker, 1))
        other.autocommit = False
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id(), pg_backend_pid()")
            pid = cursor.fetchone()[1]
        ids = book(taker, 1)
        eventually(lambda: f'radsched_event_horizon_seconds{{pid="{pid}"}}' in metrics(daemon), what="the metric")
        eventually(lambda: daemon.get("/health").json()["details"]["redis"]["relay_lag_ms"] > 2000, what="the lag")
        assert not set(ids) & set(created(client))
        assert taker.db.value("SELECT holder_database FROM radscheduler.relay_lag('redis')") == "postgres"
        other.rollback()
        wait_for(client, ids)
        eventually(lambda: "radsched_outbox_lag_seconds 0\n" in metrics(daemon), what="the lag being over")


def test_ending_while_a_statement_waits_is_quick_and_clean(taker, server):
    """A session of the pool must outlive the statement that runs on it. `make check-long` (sanitize) sees what the exit code does not show."""
    with publishing(taker, server.url) as daemon, contextlib.closing(taker.db.connect()) as other, other.cursor() as cursor:
        wait_for(server_client(server), book(taker, 1))
        other.autocommit = False
        cursor.execute("LOCK TABLE radscheduler.relay_cursor IN ACCESS EXCLUSIVE MODE")
        eventually(lambda: taker.db.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'radschedulerd%%'"
                                          " AND wait_event_type = 'Lock' AND query LIKE '%%relay%%'") >= 1, what="the relay waiting for the lock")
        daemon.terminate()
        assert daemon.process.wait(timeout=10) == 0
        other.rollback()
