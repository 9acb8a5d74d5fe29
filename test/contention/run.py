#!/usr/bin/env python3
"""32 clients of pgbench that book, move, cancel, miss, batch and repeat on 20 resources; then nothing may be lost, doubled or left undecided.

environment: CONTENTION_SECONDS (300), CONTENTION_SEED (drawn and printed; the choices follow from it, the scheduling of the machine does not).
Needs the installed extension, no daemon. Each check at the end is one line; the last line is `N passed, N failed`.
"""

import os
import pathlib
import random
import signal
import sys

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "test" / "e2e"))

from support.contention import check, fight, prepare  # noqa: E402
from support.services import Cluster, Database  # noqa: E402
from support.tally import Tally  # noqa: E402

NAME = "radscheduler_contention"


def main():
    seconds = int(os.environ.get("CONTENTION_SECONDS", "300"))
    seed = int(os.environ.get("CONTENTION_SEED") or random.randrange(10**6))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the cluster is stopped too
    print(f"contention: {seconds} s, CONTENTION_SEED={seed}", flush=True)
    tally = Tally()
    cluster = Cluster("contention", "postgres")
    try:
        database = Database.create(cluster, NAME)
        prepare(database)
        check(tally, database, *fight(database, seconds, seed))
        database.close()
    except Exception as error:  # counted like any other failure, so that the last line is the sum in any case
        tally.check("the contention test ran to its end", False, f"{type(error).__name__}: {error}")
    finally:
        cluster.destroy()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
