"""kill -9 of the daemon, and of one of two, in the middle of sending; PostgreSQL that goes away meanwhile: every message of a link arrives, none
before an earlier one, and none is repeated but the one that was under way.

environment: LINK_KILL_ROUNDS (5), LINK_KILL_SEED (drawn and printed).
"""

import os
import random
import threading
import time

import pytest
from support.hospital import OPEN, Links, control_id
from support.receiver import Receiver, acknowledge
from support.services import Daemon, eventually

BOOKINGS = 60


@pytest.fixture
def chance():
    seed = os.environ.get("LINK_KILL_SEED") or str(random.randrange(10**6))
    print(f"LINK_KILL_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def links(fresh_system):
    # A lease that nobody keeps ends soon, so that the test need not wait a minute for it.
    fresh_system.db.execute("UPDATE radscheduler.task_kind SET lease = '1500 ms', longest_wait = '1 s', first_wait = '200 ms', run = 7 WHERE kind = 'hl7_out'")
    return Links(fresh_system.db)


def slow(message):
    time.sleep(0.01)
    return acknowledge(message)


def disagreements(links, name, receiver, repeats):
    """What a receiver has heard and what it should have."""
    tasks = links.tasks(name)
    expected = [f"RST{task['task_id']}" for task in tasks]
    heard = [control_id(message) for message in receiver.messages]
    once = [one for place, one in enumerate(heard) if place == 0 or heard[place - 1] != one]
    found = [f"{task['task_id']} is {task['state']}" for task in tasks if task["state"] != "done"]
    if once != expected:
        found.append(f"heard {len(once)} in another order or not all of {len(expected)}: the first difference is at {next((i for i, pair in enumerate(zip(once, expected)) if pair[0] != pair[1]), 'the end')}")
    if len(heard) - len(once) > repeats:
        found.append(f"{len(heard) - len(once)} repeats of {repeats} that may be")
    return found


def feed(links, number=BOOKINGS):
    """Bookings that go on while something is broken."""
    thread = threading.Thread(target=lambda: [links.book() for _ in range(number)], daemon=True)
    thread.start()
    return thread


def test_a_killed_daemon_loses_nothing_and_keeps_the_order(fresh_system, links, chance):
    rounds = int(os.environ.get("LINK_KILL_ROUNDS", "5"))
    with Receiver(slow) as first, Receiver() as second:
        links.add("FIRST", first.port)
        links.add("SECOND", second.port)
        for _ in range(rounds):
            links.book(BOOKINGS)
            known = len(first.messages)
            eventually(lambda known=known: len(first.messages) > known, what="a message")
            time.sleep(chance.uniform(0, 0.3))
            fresh_system.daemon.kill()
            fresh_system.daemon.start()
        for name, receiver in (("FIRST", first), ("SECOND", second)):
            links.wait_until_sent(name, seconds=60)
            assert disagreements(links, name, receiver, repeats=rounds) == []


def test_two_daemons_share_the_work_and_one_is_killed(fresh_system, links, chance):
    other = Daemon(fresh_system.db.url)
    try:
        receivers = {f"R{number}": Receiver(slow) for number in range(6)}
        for name, receiver in receivers.items():
            links.add(name, receiver.port)
        feeding = feed(links)
        eventually(lambda: sum(len(receiver.messages) for receiver in receivers.values()) > 20, what="twenty messages")
        time.sleep(chance.uniform(0, 0.3))
        other.kill()
        feeding.join(60)
        for name, receiver in receivers.items():
            links.wait_until_sent(name, seconds=60)
            assert disagreements(links, name, receiver, repeats=1) == []
    finally:
        other.stop()


def test_postgresql_away_in_the_middle(cluster, fresh_system, links, chance):
    with Receiver(slow) as receiver:
        links.add("FIRST", receiver.port)
        links.book(BOOKINGS)
        eventually(lambda: len(receiver.messages) > 5, what="some messages")
        time.sleep(chance.uniform(0, 0.2))
        cluster.stop("immediate")
        time.sleep(chance.uniform(0, 2))
        cluster.start()
        links.wait_until_sent("FIRST", seconds=60)
        assert disagreements(links, "FIRST", receiver, repeats=2) == []
        assert not set(links.states("FIRST")) & set(OPEN)
