#!/usr/bin/env python3
"""kill -9 of the daemon, of a backend, of the postmaster at random moments, for many rounds: see test/e2e/support/kills.py. A few rounds are in every
`make check` (test/e2e/test_kill.py).

environment: KILL_ROUNDS (50), KILL_SEED (drawn and printed; the moments and the victims follow from it, what they hit does not).
Needs the built daemon (build/cmake/bin) and the installed extension. One line per round; the last line is `N passed, N failed`.
"""

import os
import pathlib
import random
import signal
import sys

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "test" / "e2e"))

from support.integrity import check_logs  # noqa: E402
from support.kills import kill_rounds  # noqa: E402
from support.messages import leaks  # noqa: E402
from support.services import DAEMON, Cluster, Database  # noqa: E402
from support.tally import Tally  # noqa: E402

NAME = "radscheduler_kill"


def main():
    rounds = int(os.environ.get("KILL_ROUNDS", "50"))
    seed = os.environ.get("KILL_SEED") or str(random.randrange(10**6))
    assert DAEMON.exists(), f"{DAEMON} is missing: run `make` first"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the services are stopped too
    print(f"kill: {rounds} rounds, KILL_SEED={seed}", flush=True)
    tally = Tally()
    cluster = Cluster("kill", NAME)
    try:
        system = kill_rounds(tally, cluster, Database.create(cluster, NAME), rounds, seed)
        check_logs(tally, leaks, cluster, system.daemon)
    except Exception as error:  # counted like any other failure, so that the last line is the sum in any case
        tally.check("the kill test ran to its end", False, f"{type(error).__name__}: {error}")
    finally:
        cluster.destroy()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
