#!/usr/bin/env python3
"""A million messages: bookings, moves, changes, cancellations and repeats over 32 connections as fast as they are answered. All are answered and kept
once, and neither the daemon nor its PostgreSQL processes grow.

environment: MILLION_MESSAGES (1000000), MILLION_CONNECTIONS (32), MILLION_SEED (1).
Needs the built daemon (build/cmake/bin) and the installed extension. Says every 10 s how far it is; each check is one line, and the last line is
`N passed, N failed`.
"""

import os
import pathlib
import signal
import sys
import threading

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / "test" / "e2e"), str(REPO / "test" / "soak")]

from support.integrity import check_integrity, check_logs  # noqa: E402
from support.load import MIX, leaks, load, unlike_the_database  # noqa: E402
from support.services import DAEMON, Cluster, Database  # noqa: E402
from support.system import System  # noqa: E402
from support.tally import Tally  # noqa: E402
from watch import MemoryWatch  # noqa: E402

NAME = "radscheduler_million"
# What a process may grow by after the warm-up, as in the soak test; over a million messages that is a byte for each.
DAEMON_GROWTH_KB = 1024
BACKEND_GROWTH_KB = 2048


def run(tally, system, messages, connections, seed):
    stop = threading.Event()
    memory = MemoryWatch(system.db, system.daemon, stop)
    memory.start()
    result = load(system.daemon.mllp_port, "--connections", connections, "--messages", messages, "--mix", MIX, "--seed", seed, timeout=60, limit=86400, progress=True)
    stop.set()
    memory.join(timeout=30)
    print(f"{result['acked']} messages in {result['seconds']:.0f} s, {result['per_second']:.0f} a second; "
          f"p50 {result['p50_ms']:.1f} ms, p95 {result['p95_ms']:.1f} ms, p99 {result['p99_ms']:.1f} ms", flush=True)
    answered = (result["sent"], result["acked"], result["nak"], result["lost"])
    tally.check("every message was answered AA", answered == (messages, messages, 0, 0), f"{answered} {result['first_problem']}")
    tally.empty("the database holds what was sent, once", unlike_the_database(system.db, result))
    for what, (early, late), most in zip(("the daemon", "the largest backend"), memory.growth(), (DAEMON_GROWTH_KB, BACKEND_GROWTH_KB), strict=True):
        tally.check(f"{what} did not grow", late - early < most, f"{early:.0f} kB after the warm-up, {late:.0f} kB at the end")
    check_integrity(tally, system.db)


def main():
    messages, connections, seed = (int(os.environ.get(name, default)) for name, default in (
        ("MILLION_MESSAGES", "1000000"), ("MILLION_CONNECTIONS", "32"), ("MILLION_SEED", "1")))
    assert DAEMON.exists(), f"{DAEMON} is missing: run `make` first"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the services are stopped too
    print(f"million: {messages} messages over {connections} connections, MILLION_SEED={seed}", flush=True)
    tally = Tally()
    cluster = Cluster("million", NAME)
    try:
        system = System(Database.create(cluster, NAME), None)
        try:
            run(tally, system, messages, connections, seed)
        finally:
            system.stop()
        check_logs(tally, leaks, cluster, system.daemon)
    except Exception as error:  # counted like any other failure, so that the last line is the sum in any case
        tally.check("the million ran to its end", False, f"{type(error).__name__}: {error}")
    finally:
        cluster.destroy()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
