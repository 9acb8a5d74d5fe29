#!/usr/bin/env python3
"""kill -9 at random moments while four senders book: nothing acknowledged is ever lost, and nothing is ever booked twice.

Each round kills one of three: the daemon, one PostgreSQL backend of the daemon, or the postmaster with all its processes (nothing is
tidied up; starting again must cope). After each round all that was ever acknowledged must be in the database exactly once, with the very
acknowledgement the sender got, and all that was sent must have been acknowledged AA in the end.

environment: KILL_ROUNDS (30), KILL_SEED (drawn and printed; the moments and the victims follow from it, what they hit does not).
Needs the built daemon (build/cmake/bin) and the installed extension. One line per round; the last line is `N passed, N failed`.
"""

import contextlib
import os
import pathlib
import random
import signal
import sys
import threading
import time

import psycopg2

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "test" / "e2e"))

from senders import APPLICATION, Ledger, RoundSender  # noqa: E402
from support.integrity import check_integrity, check_logs  # noqa: E402
from support.messages import leaks  # noqa: E402
from support.services import DAEMON, Cluster, Database, eventually  # noqa: E402
from support.system import System  # noqa: E402
from support.tally import Tally  # noqa: E402

NAME = "radscheduler_kill"
SENDERS = 4
HEALTHY_SECONDS = 60


def kill_daemon(system, cluster, chance):
    system.daemon.kill()
    system.daemon.start()


def kill_backend(system, cluster, chance):
    """One of those that work at this moment, if any does. PostgreSQL then ends all the others too and recovers."""
    rows = system.db.rows("SELECT pid, state FROM pg_stat_activity WHERE application_name = 'radschedulerd' AND datname = current_database()")
    active = [row["pid"] for row in rows if row["state"] == "active"]
    victims = active or [row["pid"] for row in rows]
    os.kill(chance.choice(victims), signal.SIGKILL)
    eventually(lambda: not any(pathlib.Path(f"/proc/{row['pid']}").exists() for row in rows), seconds=20, what="the end of all backends")


def kill_postmaster(system, cluster, chance):
    cluster.kill()
    cluster.start()


VICTIMS = {"daemon": kill_daemon, "backend": kill_backend, "postmaster": kill_postmaster}


def answers(database):
    with contextlib.suppress(psycopg2.Error):
        return database.value("SELECT 1") == 1
    database.close()
    return False


def run_round(system, cluster, ledger, victim, chance):
    """Senders, a kill, the recovery, a little more traffic; gives a sentence about it."""
    stop = threading.Event()
    senders = [RoundSender(system.daemon.mllp_port, ledger, stop) for _ in range(SENDERS)]
    before = ledger.again, len(ledger.sent)
    for sender in senders:
        sender.start()
    delay = chance.uniform(0.05, 1.5)
    try:
        time.sleep(delay)
        in_time = len(ledger.snapshot())
        killed = time.monotonic()
        VICTIMS[victim](system, cluster, chance)
        eventually(lambda: answers(system.db), seconds=HEALTHY_SECONDS, what="PostgreSQL answering again")
        eventually(system.daemon.is_healthy, seconds=HEALTHY_SECONDS, what="the daemon being healthy again")
        healed = time.monotonic() - killed
        eventually(lambda: len(ledger.snapshot()) > in_time + SENDERS, seconds=HEALTHY_SECONDS, what="messages being acknowledged again")
        time.sleep(chance.uniform(0.0, 0.5))
    finally:
        stop.set()
        for sender in senders:
            sender.join(timeout=120)
    return f"{victim} killed after {delay:.2f} s, healthy {healed:.1f} s later, {len(ledger.sent) - before[1]} messages, {ledger.again - before[0]} sent again"


def disagreements(database, ledger):
    """Everything in which the database and the senders differ, over all messages of all rounds so far."""
    acknowledged = ledger.snapshot()
    found = [f"{identity} was never acknowledged" for identity in ledger.sent.keys() - acknowledged.keys()]
    booked = {row["filler_id"]: row["times"] for row in database.rows(
        "SELECT a.filler_id, count(*) AS times FROM radscheduler.appointment a JOIN radscheduler.sender s USING (site_id, sender_id)"
        " WHERE s.sending_application = %s GROUP BY 1", APPLICATION)}
    found += [f"{filler} is booked {booked.get(filler, 0)} times" for filler in ledger.sent.values() if booked.get(filler) != 1]
    kept = {row["control_id"]: row for row in database.rows(
        "SELECT control_id, count(*) FILTER (WHERE outcome = 'applied') AS applied, count(*) FILTER (WHERE outcome NOT IN ('applied', 'duplicate')) AS other,"
        " array_agg(DISTINCT encode(ack, 'hex')) AS acks FROM radscheduler.hl7_message GROUP BY 1")}
    for identity, answer in acknowledged.items():
        row = kept.get(identity)
        if row is None:
            found.append(f"{identity} was acknowledged and is not kept")
        elif (row["applied"], row["other"]) != (1, 0):
            found.append(f"{identity} was applied {row['applied']} times and otherwise ended {row['other']} times")
        elif row["acks"] != [answer.hex()]:
            found.append(f"{identity} got another acknowledgement than the one that is kept")
    found += [f"{identity} is kept and was never sent" for identity in kept.keys() - ledger.sent.keys()]
    return found


def main():
    rounds = int(os.environ.get("KILL_ROUNDS", "30"))
    seed = os.environ.get("KILL_SEED") or str(random.randrange(10**6))
    chance = random.Random(seed)
    assert DAEMON.exists(), f"{DAEMON} is missing: run `make` first"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the services are stopped too
    print(f"kill: {rounds} rounds, KILL_SEED={seed}", flush=True)
    tally = Tally()
    ledger = Ledger()
    cluster = Cluster("kill", NAME)
    victims, known = [], set()
    try:
        database = Database.create(cluster, NAME)
        system = System(database, None)
        try:
            for number in range(1, rounds + 1):
                if not victims:  # each kind equally often, in an order of chance
                    victims = chance.sample(sorted(VICTIMS), len(VICTIMS))
                story = run_round(system, cluster, ledger, victims.pop(), chance)
                found = ledger.take_problems() + [text for text in disagreements(database, ledger) if text not in known]
                known.update(found)  # a loss is told by the round that caused it
                tally.empty(f"round {number}/{rounds}", found, story)
            tally.check("something had to be sent again", ledger.again > 0, f"{ledger.again} of {len(ledger.sent)} messages")
            check_integrity(tally, database)
        finally:
            system.stop()
        tally.check("the daemon ends in order", system.daemon.process.returncode == 0, f"exit code {system.daemon.process.returncode}")
        check_logs(tally, leaks, cluster, system.daemon)
    except Exception as error:  # counted like any other failure, so that the last line is the sum in any case
        tally.check("the kill test ran to its end", False, f"{type(error).__name__}: {error}")
    finally:
        cluster.destroy()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
