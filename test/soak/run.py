#!/usr/bin/env python3
"""Hours in minutes: traffic of every kind against a real daemon, PostgreSQL and Redis, then every count must come out even.

environment: SOAK_SECONDS (600), SOAK_SEED (drawn and printed), SOAK_PAUSE (seconds between two messages of a sender, 0.01).
Needs the built daemon (build/cmake/bin) and the installed extension. Says every 10 s how far it is; each check at the end is one line, and
the last line is `N passed, N failed`.
"""

import os
import pathlib
import random
import signal
import sys
import threading
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "test" / "e2e"))

from support.integrity import check_integrity, check_logs  # noqa: E402
from support.messages import leaks  # noqa: E402
from support.services import DAEMON, Cluster, Database, Redis, eventually  # noqa: E402
from support.system import System  # noqa: E402
from support.tally import Tally  # noqa: E402
from traffic import HttpReader, MllpSender, SqlClerk, progress  # noqa: E402
from watch import MemoryWatch, RelayWatch  # noqa: E402

NAME = "radscheduler_soak"
SENDERS = 4
PROGRESS = 10.0
# What a process may grow by after the warm-up. PostgreSQL's caches still fill a little; a leak of a hundred bytes a message would show.
DAEMON_GROWTH_KB = 1024
BACKEND_GROWTH_KB = 2048


def soak(system, workers, memory, relay, seconds, stop):
    """Runs the traffic for a while and says how far it is."""
    began = time.monotonic()
    for thread in [*workers, memory]:
        thread.start()
    while (left := began + seconds - time.monotonic()) > 0 and system.daemon.is_alive():
        time.sleep(min(PROGRESS, left))
        daemon, backend = memory.now()
        print(f"{progress(workers, began)}, {len(relay.seen)} events; daemon {daemon / 1024:.1f} MB, largest backend {backend / 1024:.1f} MB", flush=True)
    stop.set()
    for thread in [*workers, memory]:
        thread.join(timeout=60)


def appointments(database, application):
    """{the sender's id: (status, start at the site)}; what was booked in SQL goes by its number."""
    if application is None:
        rows = database.rows(
            "SELECT a.appointment_id AS key, a.status::text, timezone(s.timezone, a.starts_at) AS start"
            " FROM radscheduler.appointment a JOIN radscheduler.site s USING (site_id) WHERE a.source = 'SQL'")
    else:
        rows = database.rows(
            "SELECT a.filler_id AS key, a.status::text, timezone(s.timezone, a.starts_at) AS start"
            " FROM radscheduler.appointment a JOIN radscheduler.site s USING (site_id) JOIN radscheduler.sender r USING (site_id, sender_id)"
            " WHERE r.sending_application = %s", application)
    return {row["key"]: (row["status"], row["start"]) for row in rows}


def differences(expected, found):
    return [f"{key}: expected {expected.get(key)}, found {found.get(key)}" for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)]


def check_traffic(tally, system, workers):
    senders = [worker for worker in workers if isinstance(worker, MllpSender)]
    sent = sum(sender.done for sender in senders)
    tally.empty("every worker worked to the end", [worker.crash for worker in workers if worker.crash or worker.is_alive()])
    unanswered = sum(sender.unanswered for sender in senders)
    tally.check("every message was answered", sent > 0 and unanswered == 0, f"{sent} sent, {unanswered} without an answer")
    for kind, what in ((MllpSender, "every answer was the right one"), (HttpReader, "every read over HTTP was answered"), (SqlClerk, "every write in SQL did what it should")):
        mine = [worker for worker in workers if isinstance(worker, kind)]
        done = sum(worker.done for worker in mine)
        wrong = [text for worker in mine for text in worker.wrong]
        if done == 0:
            wrong.append("nothing was done")
        tally.empty(what, wrong, str(done))
    rows = system.db.value("SELECT count(*) FROM radscheduler.hl7_message WHERE channel = 'mllp'")
    tally.check("every message is kept once", rows == sent, f"{rows} rows for {sent} messages")
    counted = system.get("/health").json()["details"]["mllp"]
    tally.check("the daemon counted the same", (counted["messages"], counted["unanswered"]) == (sent, 0), f"{counted['messages']} messages, {counted['unanswered']} unanswered")
    for worker in workers:
        if worker.expected:
            found = appointments(system.db, getattr(worker, "application", None))
            tally.empty(f"the appointments of {worker.name} are as they should be", differences(worker.expected, found), str(len(found)))
    waiting = system.db.value("SELECT count(*) FROM radscheduler.conflict WHERE state = 'open'")
    left = sum(sender.left_in_review for sender in senders)
    tally.check("open conflicts are those that were left", waiting == left, f"{waiting} open, {left} left")


def check_relay(tally, system, relay):
    events = system.db.value("SELECT count(*) FROM radscheduler.event_log")
    try:
        eventually(lambda: len(relay.seen) >= events, seconds=60, what="the relay catching up")
    except AssertionError:
        pass
    tally.check("Redis was told every event", events > 0 and len(relay.seen) == events, f"{len(relay.seen)} of {events}")
    tally.check("in order, and each once", relay.disorder == 0 and relay.repeated == 0, f"{relay.disorder} out of order, {relay.repeated} repeated")


def check_memory(tally, memory):
    for who, bound, (before, after) in zip(("the daemon", "its largest PostgreSQL backend"), (DAEMON_GROWTH_KB, BACKEND_GROWTH_KB), memory.growth()):
        tally.check(f"{who} grew by less than {bound} kB", 0 < before and after - before < bound, f"{before:.0f} kB after the warm-up, {after:.0f} kB at the end")


def main():
    seconds = float(os.environ.get("SOAK_SECONDS", "600"))
    seed = os.environ.get("SOAK_SEED") or str(random.randrange(10**6))
    pause = float(os.environ.get("SOAK_PAUSE", "0.01"))
    assert DAEMON.exists(), f"{DAEMON} is missing: run `make` first"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the services are stopped too
    print(f"soak: {seconds:.0f} s, SOAK_SEED={seed}", flush=True)
    tally = Tally()
    cluster = Cluster("soak", NAME)
    redis_server = relay = None
    try:
        redis_server = Redis()
        relay = RelayWatch(redis_server.port)
        relay.start()
        database = Database.create(cluster, NAME)
        database.execute("UPDATE radscheduler.site SET timezone = 'America/New_York'")
        system = System(database, redis_server)
        stop = threading.Event()
        workers = [MllpSender(number, system.daemon.mllp_port, seed, stop, pause) for number in range(1, SENDERS + 1)]
        workers += [HttpReader(number, system.daemon.base, seed, stop, 0.2) for number in (1, 2)]
        workers += [SqlClerk(1, database, seed, stop, 0.1)]
        memory = MemoryWatch(database, system.daemon, stop)
        try:
            soak(system, workers, memory, relay, seconds, stop)
            tally.check("the daemon lives", system.daemon.is_alive())
            check_traffic(tally, system, workers)
            check_relay(tally, system, relay)
            check_memory(tally, memory)
            check_integrity(tally, database)
        finally:
            system.stop()
        tally.check("the daemon ends in order", system.daemon.process.returncode == 0, f"exit code {system.daemon.process.returncode}")
        log = system.daemon.log.read_text(encoding="utf-8", errors="replace")
        tally.empty("the daemon logged no error", [line[:300] for line in log.splitlines() if '"level":"error"' in line or not line.startswith("{")])
        check_logs(tally, leaks, cluster, system.daemon)
    except Exception as error:  # counted like any other failure, so that the last line is the sum in any case
        tally.check("the soak test ran to its end", False, f"{type(error).__name__}: {error}")
    finally:
        if relay:
            relay.close()
        if redis_server:
            redis_server.stop()
        cluster.destroy()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
