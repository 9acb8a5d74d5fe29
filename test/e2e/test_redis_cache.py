"""The cache of figures: GET of the dashboard answers from Redis what the relay put there, for the site and scope of whoever asks, and from
PostgreSQL, at once and without an error, whatever is wrong with Redis or with what stands in it.

What Redis holds is changed by an independent client (python3-redis); a figure that no count gives shows where an answer came from.
"""

import concurrent.futures
import contextlib
import json
import os
import re
import signal
import time

import pytest
import redis
from support.live import bearer
from support.live_world import SECRET, at, signed
from support.services import Daemon, Database, Redis, eventually

FALSE = 4711  # nobody has so many appointments a day
PATIENCE = 0.1  # seconds that the daemon waits for Redis
ADDRESS = "/api/analytics/dashboard"


@pytest.fixture(scope="module")
def world(cluster):
    """A database of two sites, and a key for each kind of reader."""
    database = Database.create(cluster, "redis_cache")
    database.home = database.value("SELECT code FROM radscheduler.site")
    database.execute("SELECT radscheduler.create_site('ANNEX', 'Annex', 'UTC')")
    for site in (database.home, "ANNEX"):
        at(database, site, "SELECT radscheduler.add_resource('MAGNET1', 'MAGNET1', 'equipment', 'MR')")
    database.keys = {
        name: at(database, site, "SELECT radscheduler.create_api_key('figures', ARRAY[%s]) AS key", scope)[0]["key"]
        for name, site, scope in (("home", database.home, "analytics:read"), ("annex", "ANNEX", "analytics:read"), ("blind", database.home, "appointments:read"))
    }
    yield database
    database.close()


@contextlib.contextmanager
def daemon_of(world, url):
    daemon = Daemon(world.url, url, JWT_SECRET=SECRET, RADSCHED_RATE_LIMIT="0")
    try:
        yield daemon
    finally:
        daemon.stop()


@pytest.fixture
def daemon(world, server):
    with daemon_of(world, server.url) as daemon:
        yield daemon


@pytest.fixture
def client(server):
    with contextlib.closing(redis.Redis(port=server.port, socket_timeout=10)) as client:
        yield client


def key_of(site):
    return f"radsched:{{{site}}}:cache:dashboard"


def ask(daemon, key, address=ADDRESS):
    return daemon.get(address, headers=bearer(key))


def total(reply):
    assert reply.status_code == 200, reply.text
    return reply.json()["dashboard"]["overview"]["totalToday"]


def counted(world, site):
    return json.loads(at(world, site, "SELECT body FROM radscheduler.api_dashboard('{}')")[0]["body"])["dashboard"]["overview"]["totalToday"]


def answers(daemon):
    """How often the cache gave what."""
    return {word: int(float(count)) for word, count in re.findall(r'^radsched_cache_answers_total\{answer="(\w+)"\} (\S+)$', daemon.get("/metrics").text, re.M)}


def falsify(client, site, change=None):
    """Something else in the place of a site's figures, as they are there; nothing of it is a number that PostgreSQL would count."""
    value = json.loads(eventually(lambda: client.get(key_of(site)), what="figures in Redis"))
    value["dashboard"]["overview"]["totalToday"] = FALSE
    if change:
        change(value)
    client.set(key_of(site), json.dumps(value), ex=60)


def hit(daemon, client, world):
    """Until an answer comes out of Redis."""
    falsify(client, world.home)
    assert eventually(lambda: total(ask(daemon, world.keys["home"])) == FALSE, what="an answer out of Redis")


def book_today(world, site):
    """One more appointment that is counted today."""
    at(world, site, "SELECT radscheduler.book('CACHED' || n.count, timezone(z.zone, timezone(z.zone, now())::date + time '12:00') + n.count * interval '5 minutes', 'MR',"
       " duration_minutes => 5, resources => '{MAGNET1}', patient_name => 'Nellie Cachewell')"
       " FROM (SELECT count(*) FROM radscheduler.appointment) n, radscheduler.site s, radscheduler.site_zone(s.site_id) z(zone) WHERE s.code = %s", site)


def an_event(world):
    at(world, world.home, "INSERT INTO radscheduler.event_log (site_id, type) SELECT site_id, 'stats.updated' FROM radscheduler.site RETURNING 1")


def test_a_hit_says_its_age_and_is_what_postgres_would_say(world, daemon, client):
    eventually(lambda: client.get(key_of(world.home)), what="figures in Redis")
    cached = eventually(lambda: (reply := ask(daemon, world.keys["home"])) and "Age" in reply.headers and reply, what="an answer out of Redis")
    assert 0 <= int(cached.headers["Age"]) <= 60 and cached.headers["Cache-Control"] == "no-store" and cached.headers["Content-Type"] == "application/json"
    asked = ask(daemon, world.keys["home"], ADDRESS + "?fresh=1")  # what is not cached is counted
    assert "Age" not in asked.headers
    for reply in (cached, asked):
        assert set(reply.json()) == {"success", "dashboard"} and set(reply.json()["dashboard"]) == {"date", "timezone", "overview", "realtime", "trends"}
    for part in ("date", "timezone", "overview", "trends"):
        assert cached.json()["dashboard"][part] == asked.json()["dashboard"][part]
    before = answers(daemon)
    falsify(client, world.home)
    assert total(ask(daemon, world.keys["home"])) == FALSE
    assert total(ask(daemon, world.keys["home"], ADDRESS + "?fresh=1")) == counted(world, world.home)
    assert answers(daemon) == {**before, "hit": before["hit"] + 1}


def test_a_miss_is_counted_by_postgres(world, daemon, client):
    hit(daemon, client, world)
    before = answers(daemon)
    client.delete(key_of(world.home))
    reply = ask(daemon, world.keys["home"])
    assert total(reply) == counted(world, world.home) and "Age" not in reply.headers
    assert answers(daemon) == {**before, "miss": before["miss"] + 1}


def test_an_event_takes_cached_figures_away(world, daemon, client):
    hit(daemon, client, world)
    falsify(client, "ANNEX")
    book_today(world, world.home)
    right = counted(world, world.home)
    assert right > 0
    eventually(lambda: total(ask(daemon, world.keys["home"])) == right, seconds=5, what="the booking in the figures")
    # They come back, with the booking; the other site has had no event and keeps what it has.
    again = eventually(lambda: (reply := ask(daemon, world.keys["home"])) and "Age" in reply.headers and reply, what="figures cached anew")
    assert total(again) == right
    assert total(ask(daemon, world.keys["annex"])) == FALSE


def test_site_and_scope_are_the_callers(world, daemon, client):
    falsify(client, world.home)
    falsify(client, "ANNEX", lambda value: value["dashboard"]["overview"].update(totalToday=FALSE + 1))
    assert eventually(lambda: total(ask(daemon, world.keys["home"])) == FALSE, what="an answer out of Redis")
    assert total(ask(daemon, world.keys["annex"])) == FALSE + 1
    # Figures of one site in the place of another's are not given.
    client.set(key_of("ANNEX"), client.get(key_of(world.home)), ex=60)
    reply = ask(daemon, world.keys["annex"])
    assert total(reply) == counted(world, "ANNEX") and "Age" not in reply.headers
    before = answers(daemon)
    assert daemon.get(ADDRESS).status_code == 401
    assert ask(daemon, world.keys["blind"]).status_code == 403
    at(world, world.home, "SELECT radscheduler.create_user('figaro', 'Figaro Countwell', '$6$none$none', '{analytics:read}')")
    version = world.value("SELECT token_version FROM radscheduler.app_user WHERE login = 'figaro'")
    daemon.database = world
    token = signed(daemon, subject="figaro", scopes=("analytics:read",), ver=version)
    assert total(ask(daemon, token)) == FALSE
    at(world, world.home, "SELECT radscheduler.set_user('figaro', active => false)")
    assert ask(daemon, token).status_code == 401, "a closed user is not let in by a cache"
    assert answers(daemon) == {**before, "hit": before["hit"] + 1}


NOT_NOW_AND_HERE = {
    "made a while ago": lambda value: value["cached"].update(seconds=value["cached"]["seconds"] - 100),
    "made tomorrow": lambda value: value["cached"].update(seconds=value["cached"]["seconds"] + 86400),
    "made of something else": lambda value: value["cached"].update(mark="0" * 64),
    "without a mark": lambda value: value.pop("cached"),
}


@pytest.mark.parametrize("what", NOT_NOW_AND_HERE)
def test_figures_that_are_not_of_now_and_here_are_not_given(world, daemon, client, what):
    hit(daemon, client, world)
    before = answers(daemon)
    falsify(client, world.home, NOT_NOW_AND_HERE[what])
    reply = ask(daemon, world.keys["home"])
    assert total(reply) == counted(world, world.home) and "Age" not in reply.headers
    assert answers(daemon) == {**before, "unusable": before["unusable"] + 1}


POISON = {
    "no JSON": b"{\"success\": true, \"dashboard\": {",
    "another JSON": b"[1, 2, 3]",
    "empty": b"",
    "bytes": bytes(range(256)),
    "deeply nested": b"[" * 500_000,
    "huge": b"x" * 3_000_000,
    "a list": None,
}


@pytest.mark.parametrize("what", POISON)
def test_poison_is_answered_from_postgres(world, daemon, client, what):
    hit(daemon, client, world)
    before = answers(daemon)
    client.delete(key_of(world.home))
    if POISON[what] is None:
        client.rpush(key_of(world.home), "one")
    else:
        client.set(key_of(world.home), POISON[what], ex=60)
    for _ in range(3):
        reply = ask(daemon, world.keys["home"])
        assert total(reply) == counted(world, world.home) and "Age" not in reply.headers
    after = answers(daemon)
    assert after["hit"] == before["hit"] and sum(after.values()) == sum(before.values()) + 3
    client.delete(key_of(world.home))
    an_event(world)  # so that they are made anew
    hit(daemon, client, world)


def test_redis_that_is_killed_costs_nobody_anything(world, server, daemon, client):
    hit(daemon, client, world)
    server._process.send_signal(signal.SIGKILL)
    server._process.wait(timeout=10)
    before = answers(daemon)
    for _ in range(10):
        began = time.monotonic()
        assert total(ask(daemon, world.keys["home"])) == counted(world, world.home)
        assert time.monotonic() - began < 1
    after = answers(daemon)
    assert after == {**before, "away": before["away"] + 10}
    server.start()
    eventually(lambda: client.get(key_of(world.home)), seconds=30, what="figures in Redis again")
    eventually(lambda: "Age" in ask(daemon, world.keys["home"]).headers, seconds=30, what="an answer out of Redis again")


def test_redis_that_hangs_costs_a_moment_and_once(world, server, daemon, client):
    hit(daemon, client, world)
    os.kill(server._process.pid, signal.SIGSTOP)
    try:
        times = []
        for _ in range(20):
            began = time.monotonic()
            assert total(ask(daemon, world.keys["home"])) == counted(world, world.home)
            times.append(time.monotonic() - began)
        assert times[0] < PATIENCE + 1
        assert sorted(times)[len(times) // 2] < PATIENCE, "every answer waited for Redis"
    finally:
        os.kill(server._process.pid, signal.SIGCONT)
    eventually(lambda: "Age" in ask(daemon, world.keys["home"]).headers, seconds=30, what="an answer out of Redis again")


def test_full_memory_and_a_replica_are_no_errors(world, daemon, client):
    hit(daemon, client, world)
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    assert total(ask(daemon, world.keys["home"])) in (FALSE, counted(world, world.home))
    client.config_set("maxmemory", "0")
    client.execute_command("REPLICAOF", "127.0.0.1", "1")
    assert ask(daemon, world.keys["home"]).status_code == 200
    client.execute_command("REPLICAOF", "NO", "ONE")
    eventually(lambda: "Age" in ask(daemon, world.keys["home"]).headers, seconds=30, what="an answer out of Redis again")


def test_a_user_who_may_not_read_is_told_of_once(world):
    """As where REDIS_URL has the user of an earlier version: events are published as before, figures are counted."""
    server = Redis("--requirepass", "e2e-master-secret", "--user", *"radsched on >e2e-secret ~radsched:* &radsched:* +xadd +publish +set +del +select +ping +auth".split())
    try:
        with contextlib.closing(redis.Redis(port=server.port, password="e2e-master-secret")) as client, \
                daemon_of(world, f"redis://radsched:e2e-secret@127.0.0.1:{server.port}") as daemon:
            eventually(lambda: client.get(key_of(world.home)), what="figures in Redis")
            for _ in range(3):
                assert total(ask(daemon, world.keys["home"])) == counted(world, world.home)
            log = daemon.log.read_text(encoding="utf-8")
            assert log.count("redis.not_read") == 1 and "NOPERM" in log
            assert answers(daemon)["away"] >= 3 and daemon.get("/health").json()["services"]["redis"] == "connected"
    finally:
        server.stop()


def test_many_at_once_share_the_connection(world, daemon, client):
    hit(daemon, client, world)
    before = answers(daemon)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        totals = list(pool.map(lambda _: total(ask(daemon, world.keys["home"])), range(200)))
    assert set(totals) <= {FALSE, counted(world, world.home)}
    after = answers(daemon)
    assert sum(after.values()) == sum(before.values()) + 200 and after["away"] == before["away"]
    assert after["hit"] > before["hit"]
