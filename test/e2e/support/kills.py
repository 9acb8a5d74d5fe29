"""kill -9 at random moments while senders book: rounds, victims, and what must hold after each.

Each round kills one of three: the daemon, one PostgreSQL backend of the daemon, or the postmaster with all its processes (nothing is
tidied up; starting again must cope). After each round all that was ever acknowledged must be in the database exactly once, with the very
acknowledgement the sender got, and all that was sent must have been acknowledged AA in the end.
"""

import contextlib
import os
import pathlib
import random
import signal
import threading
import time

import psycopg2
from support.integrity import check_integrity
from support.ledger import APPLICATION, Ledger, RoundSender, Witness
from support.services import eventually
from support.system import System

AT_ONCE = (1, 1, 1, 1, 4, 16)  # messages of each sender before it waits; every second sender has a witness
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
    senders = [
        RoundSender(system.daemon.mllp_port, ledger, stop, at_once, Witness(system.db) if place % 2 else None) for place, at_once in enumerate(AT_ONCE)
    ]
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
        eventually(lambda: len(ledger.snapshot()) > in_time + len(senders), seconds=HEALTHY_SECONDS, what="messages being acknowledged again")
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


def kill_rounds(tally, cluster, database, rounds, seed):
    """All rounds with their checks; gives the system, stopped, whose daemon's log can be read."""
    chance = random.Random(seed)
    ledger = Ledger()
    victims, known = [], set()
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
        tally.check("what was acknowledged was there", ledger.seen > 0, f"looked for {ledger.seen} messages the moment their acknowledgement came")
        check_integrity(tally, database)
    finally:
        system.stop()
    tally.check("the daemon ends in order", system.daemon.process.returncode == 0, f"exit code {system.daemon.process.returncode}")
    return system
