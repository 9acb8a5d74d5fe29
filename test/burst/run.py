#!/usr/bin/env python3
"""A burst on many connections at once: each writes thousands of messages before it waits for an answer, and every one is answered, in order, once.

environment: BURST_CONNECTIONS (64), BURST_MESSAGES (10000) of each connection.
Needs the built daemon (build/cmake/bin) and the installed extension. Says every 10 s how far it is; each check is one line, and the last line is
`N passed, N failed`. A small one is in every `make check` (test/e2e/test_mllp_pressure.py).
"""

import os
import pathlib
import signal
import sys
import threading

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / "test" / "e2e"), str(REPO / "test" / "soak")]

from support.integrity import check_integrity, check_logs  # noqa: E402
from support.load import leaks, load, unlike_the_database  # noqa: E402
from support.services import DAEMON, Cluster, Database  # noqa: E402
from support.system import System  # noqa: E402
from support.tally import Tally  # noqa: E402
from watch import MemoryWatch  # noqa: E402

NAME = "radscheduler_burst"
# The daemon holds what it has read of each connection and not yet answered; that is bounded by connection, not by what is sent.
DAEMON_GROWTH_KB = 64 * 1024


def burst(tally, system, connections, each):
    stop = threading.Event()
    memory = MemoryWatch(system.db, system.daemon, stop)
    memory.start()
    result = load(system.daemon.mllp_port, "--connections", connections, "--burst", each, "--messages", connections * each, timeout=120, limit=86400, progress=True)
    stop.set()
    memory.join(timeout=30)
    print(f"{result['acked']} messages in {result['seconds']:.0f} s, {result['per_second']:.0f} a second", flush=True)
    answered = (result["sent"], result["acked"], result["nak"], result["lost"])
    tally.check("every message was answered AA, in order", answered == (connections * each, connections * each, 0, 0), f"{answered} {result['first_problem']}")
    tally.empty("the database holds what was sent, once", unlike_the_database(system.db, result))
    sizes = [daemon for _, daemon, _ in memory.samples]
    tally.check("the daemon's memory is bounded", max(sizes) - sizes[0] < DAEMON_GROWTH_KB, f"{sizes[0]} kB at the begin, {max(sizes)} kB at most")
    check_integrity(tally, system.db)


def main():
    connections, each = (int(os.environ.get(name, default)) for name, default in (("BURST_CONNECTIONS", "64"), ("BURST_MESSAGES", "10000")))
    assert DAEMON.exists(), f"{DAEMON} is missing: run `make` first"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the services are stopped too
    print(f"burst: {each} messages on each of {connections} connections", flush=True)
    tally = Tally()
    cluster = Cluster("burst", NAME)
    try:
        system = System(Database.create(cluster, NAME), None)
        try:
            burst(tally, system, connections, each)
        finally:
            system.stop()
        check_logs(tally, leaks, cluster, system.daemon)
    except Exception as error:  # counted like any other failure, so that the last line is the sum in any case
        tally.check("the burst test ran to its end", False, f"{type(error).__name__}: {error}")
    finally:
        cluster.destroy()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
