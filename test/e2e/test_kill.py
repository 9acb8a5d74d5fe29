"""kill -9 of the daemon, of one of its backends, of the whole PostgreSQL, at random moments, while six senders book and resend what was not
acknowledged: everything is in the database exactly once, and what was acknowledged was there before its acknowledgement. Fifty rounds: test/kill.

environment: CHECK_KILL_ROUNDS (5), KILL_SEED (drawn and printed).
"""

import os
import random

from support.integrity import check_logs
from support.kills import kill_rounds
from support.messages import leaks
from support.services import Cluster, Database
from support.tally import Tally


def test_nothing_is_lost_or_doubled():
    seed = os.environ.get("KILL_SEED") or str(random.randrange(10**6))
    print(f"KILL_SEED={seed}")
    cluster = Cluster("killed", "killed")
    try:
        tally = Tally()
        system = kill_rounds(tally, cluster, Database.create(cluster, "killed"), int(os.environ.get("CHECK_KILL_ROUNDS", "5")), seed)
        check_logs(tally, leaks, cluster, system.daemon)
        assert tally.failed == 0, "see the lines that say FAILED"
    finally:
        cluster.destroy()
