"""The two sites, keys and daemon that the tests of live events share, and what they do there."""

import contextlib
import re
import time

import jwt as pyjwt
from support.live import bearer
from support.services import Daemon, Database

SECRET = "0123456789abcdef0123456789abcdef-for-live"
NAME = "Octavia Exampleton"
BEAT = 2  # seconds


@contextlib.contextmanager
def two_sites(cluster, name, **settings):
    """A daemon that asks for credentials, with its database and a key for each kind of follower."""
    database = Database.create(cluster, name)
    database.home = database.value("SELECT code FROM radscheduler.site")
    database.execute("SELECT radscheduler.create_site('ANNEX', 'Annex', 'UTC')")
    for site, scanner, kind in ((database.home, "MAGNET1", "MR"), (database.home, "MAGNET2", "MR"), (database.home, "TUBE1", "CT"), ("ANNEX", "MAGNET1", "MR")):
        at(database, site, "SELECT radscheduler.add_resource(%s, %s, 'equipment', %s)", scanner, scanner, kind)
    database.keys = {
        name: key(database, site, scopes)
        for name, site, scopes in (("home", database.home, "events:read"), ("annex", "ANNEX", "events:read"), ("reader", database.home, "events:read,appointments:read"),
                                   ("blind", database.home, "appointments:read"))
    }
    daemon = start(database, **settings)
    daemon.database = database
    try:
        yield daemon
    finally:
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


def metric(world, name):
    return float(re.search(rf"^{name} (\S+)$", world.get("/metrics").text, re.M).group(1))


def rss(world):
    with open(f"/proc/{world.process.pid}/status", encoding="utf-8") as status:
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status.read(), re.M).group(1)) << 10
